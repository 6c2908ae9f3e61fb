"""What a caller may not see, a list neither sorts nor filters by: the order and the matches would tell."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from xumi.kernel.auth.field import hidden_fields
from xumi.kernel.errors import APICode, APIException, FieldError

# What pydantic says of a name that is not there.
_UNKNOWN = "Extra inputs are not permitted"


def refuse_hidden(request: BaseModel) -> None:
    """Refuse a query that uses a field that needs a permission which the caller has not.

    Raises:
        APIException: 422 naming the field, as for one that does not exist.
    """
    hidden = hidden_fields(type(request))
    if hidden and (used := sorted(hidden & request.model_fields_set)):
        raise APIException(APICode.VALIDATION_FAILED, errors=[FieldError(name, _UNKNOWN) for name in used])


def without_hidden(
    sortable: Iterable[Any], default_sort: str | None, hidden: frozenset[str]
) -> tuple[list[Any], str | None]:
    """What may be sorted by when these fields are hidden; a default that needs one of them is none."""
    kept, dropped = [], set(hidden)
    for item in sortable:
        name, column = item if isinstance(item, tuple) else (item.key, item)
        if name in hidden or getattr(column, "key", None) in hidden:
            dropped.add(name)
        else:
            kept.append(item)
    words = (word.strip().lstrip("+-") for word in (default_sort or "").split(","))
    return kept, None if not dropped.isdisjoint(words) else default_sort
