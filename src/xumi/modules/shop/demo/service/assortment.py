"""What the demo's shop sells, in Chinese and English."""

from dataclasses import dataclass
from typing import Literal

Language = Literal["zh", "en"]
Text = tuple[str, str]
"""Chinese and English."""


@dataclass(frozen=True, slots=True)
class Goods:
    """A product.

    Attributes:
        name: what it is called.
        price_fen: of its smallest SKU.
    """

    name: Text
    price_fen: int


@dataclass(frozen=True, slots=True)
class Shelf:
    """A category with its products, which all come in the same variants.

    Attributes:
        code: how codes and pictures begin.
        option: by what the SKUs differ.
        variants: the values, each with its price in percent of the smallest one's, and its weight in grams.
    """

    code: str
    name: Text
    option: Text
    variants: tuple[tuple[Text, int, int], ...]
    goods: tuple[Goods, ...]


def pick(text: Text, language: Language) -> str:
    """The text in a language."""
    return text[0] if language == "zh" else text[1]


def _goods(*lines: str) -> tuple[Goods, ...]:
    parts = (line.split("|") for line in lines)
    return tuple(Goods((chinese, english), int(fen)) for chinese, english, fen in parts)


_SIZES = ((("小", "S"), 100, 250), (("中", "M"), 100, 280), (("大", "L"), 100, 310))
_COLOURS = ((("原木", "Natural"), 100, 800), (("深棕", "Brown"), 108, 820))

SHELVES: tuple[Shelf, ...] = (
    Shelf(
        "tea",
        ("茶叶", "Tea"),
        ("净含量", "Weight"),
        ((("50 克", "50 g"), 100, 80), (("100 克", "100 g"), 185, 140), (("250 克", "250 g"), 420, 310)),
        _goods(
            "西湖龙井|Longjing green tea|6800",
            "安吉白茶|Anji white tea|5800",
            "武夷岩茶大红袍|Da Hong Pao oolong|8800",
            "云南滇红|Yunnan black tea|3900",
            "福鼎白牡丹|White Peony tea|4900",
            "茉莉花茶|Jasmine tea|2900",
            "陈年熟普洱|Aged ripe pu'er|7600",
            "桂花乌龙|Osmanthus oolong|4200",
        ),
    ),
    Shelf(
        "ware",
        ("茶具", "Teaware"),
        ("颜色", "Colour"),
        ((("月白", "Moon white"), 100, 420), (("天青", "Sky blue"), 110, 420)),
        _goods(
            "青瓷盖碗|Celadon gaiwan|12800",
            "紫砂壶|Yixing teapot|39800",
            "手绘品茗杯|Hand-painted teacup|5900",
            "竹制茶盘|Bamboo tea tray|16800",
            "玻璃公道杯|Glass fairness pitcher|4900",
            "白瓷茶罐|White porcelain caddy|8900",
            "旅行茶具套装|Travel tea set|19900",
            "老铁壶|Cast iron kettle|52800",
        ),
    ),
    Shelf(
        "home",
        ("家居", "Home"),
        ("颜色", "Colour"),
        _COLOURS,
        _goods(
            "榉木边几|Beech side table|45900",
            "藤编收纳篮|Rattan basket|8900",
            "亚麻抱枕|Linen cushion|7900",
            "香薰蜡烛|Scented candle|6900",
            "竹编灯罩|Woven bamboo shade|15900",
            "陶土花瓶|Clay vase|9900",
            "羊毛地垫|Wool mat|22900",
            "木质托盘|Wooden tray|5900",
        ),
    ),
    Shelf(
        "kitchen",
        ("厨房", "Kitchen"),
        ("规格", "Size"),
        ((("18 厘米", "18 cm"), 100, 900), (("24 厘米", "24 cm"), 135, 1300)),
        _goods(
            "铸铁炒锅|Cast iron wok|29900",
            "榫卯砧板|Jointed chopping board|9900",
            "竹蒸笼|Bamboo steamer|6900",
            "粗陶饭碗|Stoneware rice bowl|2900",
            "搪瓷汤锅|Enamel stockpot|18900",
            "木柄菜刀|Wood-handled cleaver|15900",
            "玻璃储物罐|Glass storage jar|3900",
        ),
    ),
    Shelf(
        "wear",
        ("服饰", "Clothing"),
        ("尺码", "Size"),
        _SIZES,
        _goods(
            "亚麻衬衫|Linen shirt|25900",
            "纯棉T恤|Cotton T-shirt|9900",
            "羊绒围巾|Cashmere scarf|39900",
            "帆布围裙|Canvas apron|12900",
            "棉麻长裤|Cotton linen trousers|23900",
            "针织开衫|Knitted cardigan|29900",
            "真丝方巾|Silk square|19900",
        ),
    ),
    Shelf(
        "paper",
        ("文房", "Stationery"),
        ("款式", "Style"),
        ((("素面", "Plain"), 100, 300), (("云纹", "Clouds"), 115, 300)),
        _goods(
            "兼毫毛笔|Calligraphy brush|4900",
            "松烟墨锭|Pine soot ink stick|8900",
            "手工宣纸|Handmade xuan paper|6900",
            "端砚|Duan inkstone|58900",
            "线装笔记本|Thread-bound notebook|3900",
            "黄铜镇纸|Brass paperweight|7900",
            "竹节笔筒|Bamboo brush pot|5900",
        ),
    ),
    Shelf(
        "snack",
        ("点心", "Snacks"),
        ("包装", "Pack"),
        ((("单盒", "One box"), 100, 350), (("三盒", "Three boxes"), 280, 1050)),
        _goods(
            "桂花糕|Osmanthus cake|3900",
            "鲜花饼|Rose pastry|4500",
            "核桃酥|Walnut crisps|3600",
            "龙须糖|Dragon's beard candy|2900",
            "绿豆饼|Mung bean pastry|3200",
            "山楂条|Hawthorn strips|1900",
            "冻米糖|Puffed rice candy|2600",
            "芝麻薄脆|Sesame brittle|2800",
        ),
    ),
    Shelf(
        "care",
        ("洗护", "Care"),
        ("香味", "Scent"),
        (
            (("桂花", "Osmanthus"), 100, 260),
            (("檀香", "Sandalwood"), 100, 260),
            (("无香", "Unscented"), 95, 260),
        ),
        _goods(
            "手工冷皂|Cold-process soap|3900",
            "山茶籽护手霜|Camellia hand cream|4900",
            "艾草足浴包|Mugwort foot bath|5900",
            "植物洗发水|Botanical shampoo|7900",
            "竹炭牙膏|Bamboo charcoal toothpaste|2900",
            "丝瓜络沐浴球|Loofah sponge|1900",
            "玫瑰纯露|Rose water|8900",
        ),
    ),
)

THEMES: tuple[tuple[Text, Text, tuple[str, ...]], ...] = (
    (("一盏茶的时光", "Time for tea"), ("茶与器", "Tea and what it is made in"), ("tea", "ware")),
    (("回家", "Coming home"), ("让家更像家", "Things that make a home"), ("home", "kitchen")),
    (("送给自己", "For yourself"), ("慢慢来", "Take your time"), ("wear", "care")),
    (("案头清供", "On the desk"), ("写字、画画、吃点心", "Write, draw, have a bite"), ("paper", "snack")),
)

SURNAMES = "王李张刘陈杨赵黄周吴"
GIVEN_NAMES = ("小明", "思远", "雨桐", "子涵", "建国", "丽华", "浩然", "梓萱")
PLACES = (
    ("浙江省", "杭州市", "西湖区", "文三路"),
    ("上海市", "上海市", "徐汇区", "衡山路"),
    ("北京市", "北京市", "朝阳区", "望京街"),
    ("广东省", "深圳市", "南山区", "科技园路"),
    ("四川省", "成都市", "武侯区", "人民南路"),
    ("新疆维吾尔自治区", "乌鲁木齐市", "天山区", "解放北路"),
)
CARRIERS: tuple[Text, ...] = (("顺丰速运", "SF Express"), ("中通快递", "ZTO Express"))
