"""Fixed values of the catalogue."""

CODE_MAX_LENGTH = 64
NAME_MAX_LENGTH = 120
SHORT_NAME_MAX_LENGTH = 64
SUBTITLE_MAX_LENGTH = 200
MAX_FEN = 10_000_000_000
"""A hundred million yuan."""
MAX_PIECES = 1_000_000_000
MAX_GRAMS = 100_000_000

MAX_DEPTH = 8
"""How many categories stand above one another at most."""
MAX_CATEGORIES = 2000
MAX_PICTURES = 20
MAX_PROPERTIES = 50
MAX_OPTIONS = 8
MAX_SKUS = 200
"""How many SKUs a product can have."""
MAX_THEME_PRODUCTS = 200
MAX_BANNER_ITEMS = 50
MAX_RECENT = 50
MAX_KEYWORD_LENGTH = 100
MAX_IMPORT_ROWS = 10_000
MAX_IMPORT_BYTES = 8 * 1024 * 1024
DESCRIPTION_MAX_LENGTH = 20_000
"""Of what is sent; the time to clean HTML may grow with the square of its length."""
DESCRIPTION_MAX_BYTES = 65_535
"""What MySQL's TEXT holds."""

CATEGORIES_TAG, PRODUCTS_TAG, THEMES_TAG, BANNERS_TAG = (
    "shop-categories",
    "shop-products",
    "shop-themes",
    "shop-banners",
)
"""Tags of cached values."""
CACHE_SECONDS = 30
"""How long what is cached is fresh; others' changes show within twice that, for it is shown while it is read anew."""
READ_SECONDS = 1
"""How long a page or a product is shown without reading it again, unless this process changes something of it."""
