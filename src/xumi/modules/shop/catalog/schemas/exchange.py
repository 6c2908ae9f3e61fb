"""Products as rows of a file: one row for each SKU, and what stands in a cell.

Lists stand one item on a line, properties and options as `name: value`. Where that would be read as something else (a name with
a colon, a value with a line break) the cell holds JSON: `[["name", "value"]]`.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field, field_serializer, field_validator

from xumi.kernel.schema import InputSchema, SchemaBase
from xumi.modules.shop.catalog.enums import ProductState
from xumi.modules.shop.catalog.schemas.product import ProductChange
from xumi.modules.shop.catalog.schemas.sku import Pieces, SkuChange

ERRORS_COLUMN = "errors"
"""Says in an annotated file what is wrong with a row; nobody reads it back."""

_PAIR = re.compile(r"([^:：\n]*)[:：](.*)")


def write_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Names with their values as the text of a cell."""
    listed = list(pairs)
    text = "\n".join([f"{name}: {value}" for name, value in listed])
    try:
        plain = read_pairs(text) == listed
    except ValueError:
        plain = False
    return text if plain else json.dumps(listed, ensure_ascii=False)


def read_pairs(cell: str) -> list[tuple[str, str]]:
    """What `write_pairs` wrote.

    Raises:
        ValueError: a line has no colon, or the JSON is no list of pairs of texts.
    """
    if cell.startswith("["):
        listed = json.loads(cell)
        if not isinstance(listed, list) or not all(_is_pair(each) for each in listed):
            raise ValueError('must be lines such as `name: value`, or JSON such as [["name", "value"]]')
        return [(name, value) for name, value in listed]
    found = []
    for line in filter(str.strip, cell.split("\n")):
        pair = _PAIR.fullmatch(line)
        if pair is None:
            raise ValueError("each line must be `name: value`")
        found.append((pair[1].strip(), pair[2].strip()))
    return found


def _is_pair(each: object) -> bool:
    return isinstance(each, list) and len(each) == 2 and all(isinstance(part, str) for part in each)


class ProductRow(SchemaBase):
    """A row of an exported file; its fields are the columns, in order."""

    product_code: str
    name: str
    subtitle: str | None
    category_id: str
    category: str
    state: ProductState
    pictures: list[str]
    properties: list[Any]
    description: str
    freight_template_id: str | None
    limit_per_user: int | None
    sku_code: str | None
    options: dict[str, Any] | None
    price_fen: int | None
    list_price_fen: int | None
    weight_grams: int | None
    sku_picture: str | None
    order: int | None
    enabled: bool | None
    stock: int | None
    low_at: int | None

    @field_serializer("pictures")
    def _write_pictures(self, pictures: list[str]) -> str:
        return "\n".join(pictures)

    @field_serializer("properties")
    def _write_properties(self, properties: list[Any]) -> str:
        return write_pairs((each["name"], each["value"]) for each in properties)

    @field_serializer("options")
    def _write_options(self, options: dict[str, Any] | None) -> str | None:
        return None if options is None else write_pairs(options.items())


class ProductCells(ProductChange):
    """What the cells of a row say of a product; a cell that is empty empties what can be empty, and else says nothing."""

    state: ProductState | None = None
    category: str | None = Field(None, max_length=64)

    @field_validator("pictures", mode="before")
    @classmethod
    def _read_pictures(cls, cell: object) -> object:
        return [line.strip() for line in cell.split("\n") if line.strip()] if isinstance(cell, str) else cell

    @field_validator("properties", mode="before")
    @classmethod
    def _read_properties(cls, cell: object) -> object:
        if not isinstance(cell, str):
            return cell
        return [{"name": name, "value": value} for name, value in read_pairs(cell)]


class SkuCells(SkuChange):
    """What the cells of a row say of a SKU; as for `ProductCells`."""

    stock: Pieces | None = None
    low_at: Pieces | None = None

    @field_validator("options", mode="before")
    @classmethod
    def _read_options(cls, cell: object) -> object:
        if not isinstance(cell, str):
            return cell
        pairs = read_pairs(cell)
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a name comes twice")
        return dict(pairs)


class FileQuery(InputSchema):
    """Which kind of file is wanted."""

    format: Literal["xlsx", "csv"] = Field("xlsx", examples=["csv"])


class ImportQuery(InputSchema):
    """Whether the file is only to be tried."""

    dry_run: bool = Field(False, description="Write nothing; tell what would be done.")


class ImportResult(SchemaBase):
    """What an import has done, or would do."""

    dry_run: bool
    rows: int = Field(examples=[12], description="Rows that say something.")
    products_created: int = Field(examples=[2])
    products_changed: int = Field(examples=[1])
    skus_created: int = Field(examples=[5])
    skus_changed: int = Field(examples=[4])
