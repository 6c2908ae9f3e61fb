"""A list as a file: all matching rows, streamed from the database to the client in bounded memory."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Literal, cast

import msgspec
from pydantic import BaseModel
from sqlalchemy import Select
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from xumi.kernel import clock
from xumi.kernel.auth.field import hidden_fields
from xumi.kernel.context import find_current
from xumi.kernel.db.order import Term
from xumi.kernel.db.read import Reader, RowPlan
from xumi.kernel.db.runner import Query, Rows
from xumi.kernel.db.shape import Values
from xumi.kernel.db.sheet import CsvSheet, Sheet, XlsxSheet

Format = Literal["csv", "xlsx"]

BATCH_ROWS = 1000
# A client that takes nothing for so long is given up.
SEND_TIMEOUT_SECONDS = 60.0

_SHEETS: dict[Format, type[Sheet]] = {"csv": CsvSheet, "xlsx": XlsxSheet}


class ExportResponse(StreamingResponse):
    """A streamed file that lets go of its database connection however it ends."""

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes], media_type: str, file_name: str) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{file_name}"', "Cache-Control": "no-store"}
        super().__init__(_joined(first, rest), headers=headers, media_type=media_type)
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file; give up a client that stopped reading."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        finally:
            await self._rest.aclose()


async def _joined(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


async def export_response(
    reader: Reader,
    statement: Select[*tuple[Any, ...]],
    terms: Sequence[Term],
    schema: type[BaseModel],
    form: Format,
) -> ExportResponse:
    """All rows of a statement as a file. The first batch is read before this returns, so that most errors are still answers.

    Raises:
        APIException: `OVERLOADED`, too many files are being sent already.
    """
    plan, values = _plan(reader, statement, terms, schema)
    sheet = _SHEETS[form]()
    chunks = _chunks(reader, plan, values, schema, sheet)
    return ExportResponse(await anext(chunks), chunks, sheet.media_type, _file_name(form))


def _plan(
    reader: Reader, statement: Select[*tuple[Any, ...]], terms: Sequence[Term], schema: type[BaseModel]
) -> tuple[RowPlan, Values]:
    from xumi.kernel.db.query import sorted_statement

    ordered, _ = sorted_statement(reader, statement, schema, terms)
    # Made anew for each file: next to its rows this costs nothing.
    key = ordered._generate_cache_key()
    values: Values = key.bindparams if key is not None else ()
    return RowPlan(ordered, schema, reader.dialect, values), values


async def _chunks(
    reader: Reader, plan: RowPlan, values: Values, schema: type[BaseModel], sheet: Sheet
) -> AsyncGenerator[bytes]:
    """The file in pieces: the first holds the headings and the first batch."""
    async with reader.exports(), aclosing(_batches(reader, plan.shape.query(values, {}))) as batches:
        try:
            ready = sheet.begin(headings(schema))
            async for rows in batches:
                yield ready + await asyncio.to_thread(_render, plan, rows, sheet)
                ready = b""
            yield ready + sheet.end()
        finally:
            sheet.end()


def _batches(reader: Reader, query: Query) -> AsyncGenerator[Rows]:
    return cast(AsyncGenerator[Rows], reader.runner.stream(query, BATCH_ROWS))


def _render(plan: RowPlan, rows: Rows, sheet: Sheet) -> bytes:
    items = plan.make(rows)
    if plan.builds_models:
        return sheet.add([list(item.model_dump(mode="json", by_alias=True).values()) for item in items])
    return sheet.add(map(msgspec.structs.astuple, items))


def headings(schema: type[BaseModel]) -> list[str]:
    """A column is headed by its field's title, else by its name in the API; what the caller may not see has none."""
    hidden = hidden_fields(schema)
    fields = [
        field.title or field.serialization_alias or field.alias or name
        for name, field in schema.model_fields.items()
        if not field.exclude and name not in hidden
    ]
    computed = [field.title or field.alias or name for name, field in schema.model_computed_fields.items()]
    return fields + computed


def _file_name(form: Format) -> str:
    """What is exported and when: `users-20260131T080000Z.csv`."""
    context = find_current()
    words = re.findall(
        r"[a-z0-9]+(?:[-_][a-z0-9]+)*", re.sub(r"{[^}]*}", "", context.route if context else "")
    )
    subject = next((word for word in reversed(words) if word not in ("query", "api", "v1")), "export")
    return f"{subject}-{clock.now():%Y%m%dT%H%M%SZ}.{form}"
