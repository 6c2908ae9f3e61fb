"""HTML that the staff writes and customers see, reduced to what does no harm."""

import nh3

from xumi.modules.shop.catalog.constants import DESCRIPTION_MAX_BYTES
from xumi.modules.shop.catalog.repository import refuse

_TAGS = frozenset(
    [
        "a",
        "b",
        "blockquote",
        "br",
        "code",
        "del",
        "div",
        "em",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "section",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
    ]
)
# Neither `style` nor `class`: a text cannot lay itself over the page that shows it.
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align"},
    "ol": {"start"},
}
_cleaner = nh3.Cleaner(
    tags=set(_TAGS),
    attributes=_ATTRIBUTES,
    url_schemes={"http", "https"},
    link_rel="noopener noreferrer nofollow",
    strip_comments=True,
)


def clean_html(text: str) -> str:
    """The text without what is not on the allow-list: scripts, styles, event handlers, frames, forms, other schemes.

    Raises:
        APIException: VALIDATION_FAILED (`description`), it is too long to be stored.
    """
    cleaned = _cleaner.clean(text)
    if len(cleaned.encode()) > DESCRIPTION_MAX_BYTES:
        raise refuse("description", f"must have at most {DESCRIPTION_MAX_BYTES} bytes")
    return cleaned
