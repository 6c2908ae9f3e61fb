"""Fields that several schemas of the catalogue have."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from xumi.kernel.ids import KEY_LENGTH
from xumi.modules.shop.catalog.constants import (
    CODE_MAX_LENGTH,
    MAX_FEN,
    NAME_MAX_LENGTH,
    SHORT_NAME_MAX_LENGTH,
    SUBTITLE_MAX_LENGTH,
)
from xumi.modules.shop.catalog.models import PICTURE_MAX_LENGTH

# Neither quotes nor spaces, so that an address stays inside the attribute of HTML in which a client puts it.
_REST = r"[^\s\\<>\"'`{}|^\x00-\x20\x7f]"
_URL = re.compile(rf"(?i:https?)://[\w.-]+(:[0-9]{{1,5}})?([/?#]{_REST}*)?")
_PATH = re.compile(rf"/(?!/){_REST}*")


def _check_picture(text: str) -> str:
    if not _URL.fullmatch(text) and not _PATH.fullmatch(text):
        raise ValueError(
            "must begin with https:// or http:// and name a host, or be a path such as /files/1.webp"
        )
    return text


def check_path(text: str) -> str:
    """The text, if it is a path of this site.

    Raises:
        ValueError: it is none.
    """
    if not _PATH.fullmatch(text):
        raise ValueError("must be a path such as /pages/about")
    return text


def _check_line(text: str) -> str:
    if not text.strip() or any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("must be one line of text")
    return text


LINE = AfterValidator(_check_line)

Id = Annotated[str, Field(min_length=1, max_length=KEY_LENGTH)]
Code = Annotated[str, Field(min_length=1, max_length=CODE_MAX_LENGTH, pattern=r"^[A-Za-z0-9._-]+$")]
Name = Annotated[str, Field(min_length=1, max_length=NAME_MAX_LENGTH), LINE]
ShortName = Annotated[str, Field(min_length=1, max_length=SHORT_NAME_MAX_LENGTH), LINE]
Subtitle = Annotated[str, Field(min_length=1, max_length=SUBTITLE_MAX_LENGTH), LINE]
Picture = Annotated[
    str,
    Field(
        max_length=PICTURE_MAX_LENGTH,
        description="An address that begins with https:// or http://, or a path of this site.",
        examples=["/files/bamboo-cup.webp"],
    ),
    AfterValidator(_check_picture),
]
Price = Annotated[int, Field(gt=0, le=MAX_FEN, examples=[2900])]
Order = Annotated[int, Field(ge=-1_000_000, le=1_000_000, description="The smallest comes first.")]
