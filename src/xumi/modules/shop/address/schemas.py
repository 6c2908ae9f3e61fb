"""What goes in and out of the endpoints of addresses."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from xumi.kernel.schema import InputSchema, SchemaBase
from xumi.modules.shop.address.constants import DETAIL_MAX_LENGTH, NAME_MAX_LENGTH, REGION_MAX_LENGTH

_SEPARATORS = re.compile(r"[ ()\-]")
# A Chinese mobile number, with its country code or without.
_CHINESE = re.compile(r"(?:\+86|0086)?(1[3-9]\d{9})", re.ASCII)
# E.164: 15 digits at most.
_FOREIGN = re.compile(r"\+(?!86)[1-9]\d{6,14}", re.ASCII)


def _check_line(text: str) -> str:
    """One line, with single spaces."""
    line = " ".join(text.split())
    if not line:
        raise ValueError("must not be blank")
    if not line.isprintable():
        raise ValueError("must not contain control characters")
    return line


def _check_mobile(text: str) -> str:
    number = _SEPARATORS.sub("", text)
    if chinese := _CHINESE.fullmatch(number):
        return chinese.group(1)
    if _FOREIGN.fullmatch(number):
        return number
    raise ValueError(
        "must be a Chinese mobile number, or a number with its country code such as +44 7911 123456"
    )


Name = Annotated[str, Field(max_length=NAME_MAX_LENGTH), AfterValidator(_check_line)]
Region = Annotated[str, Field(max_length=REGION_MAX_LENGTH), AfterValidator(_check_line)]
Detail = Annotated[str, Field(max_length=DETAIL_MAX_LENGTH), AfterValidator(_check_line)]
Mobile = Annotated[
    str,
    Field(
        max_length=40, description="Chinese numbers are kept without `+86`, others with their country code."
    ),
    AfterValidator(_check_mobile),
]

_PLACE = {
    "name": "王小明",
    "mobile": "13800138000",
    "province": "浙江省",
    "city": "杭州市",
    "district": "西湖区",
    "detail": "文三路 90 号 3 幢 201 室",
}
_ID = "01KA4S7D3M5V9Q2W8XJ6N0RTEB"


class AddressInput(InputSchema):
    """An address, new or changed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PLACE | {"main": True}]})

    name: Name = Field(description="Who receives the parcel.")
    mobile: Mobile
    province: Region
    city: Region
    district: Region
    detail: Detail = Field(description="Street, number, room.")
    main: bool = Field(
        False,
        description="Make this the main address. The first address is main by itself, and the main one stays so "
        "until another one becomes it.",
    )


class AddressSnapshot(SchemaBase):
    """An address as an order keeps it."""

    name: str
    mobile: str
    province: str
    city: str
    district: str
    detail: str


def _never_null(value: Any) -> Any:
    """The column has NULL for false."""
    return value or False


class AddressOut(AddressSnapshot):
    """An address, as its customer sees it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    **_PLACE,
                    "main": True,
                    "created_at": "2026-11-21T09:30:00Z",
                    "updated_at": "2026-11-21T09:30:00Z",
                }
            ]
        }
    )

    id: str
    main: Annotated[bool, BeforeValidator(_never_null)]
    created_at: datetime
    updated_at: datetime
