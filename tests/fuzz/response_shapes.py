"""Endpoints that differ in what they answer, and how."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import BackgroundTasks, Depends, HTTPException, Response
from pydantic import BaseModel, Field, computed_field
from starlette.background import BackgroundTask
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    StreamingResponse,
)

from tests.fuzz.declaration import Shapes
from tests.fuzz.recording import mark, seen
from xumi.kernel.context import current
from xumi.kernel.errors import APICode, APIException, FieldError

NUMBER = {"n": ["1", "2", "13"]}


class Answer(BaseModel):
    """What a response model can do."""

    id: str = "1"
    number: int = Field(0, alias="theNumber", serialization_alias="outNumber")
    secret: str = "hidden"
    none: str | None = None
    at: datetime = datetime(2020, 1, 1, tzinfo=UTC)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        return self.number * 2


class Quick(msgspec.Struct):
    """Encoded without pydantic."""

    n: int
    name: str = "quick"


@dataclass
class Record:
    """A dataclass of the standard library."""

    n: int
    hidden: str = "x"


def response_shapes(shapes: Shapes) -> None:
    """Declare them."""
    _models(shapes)
    _statuses(shapes)
    _responses(shapes)
    _streams(shapes)
    _returns(shapes)


def _models(shapes: Shapes) -> None:
    @shapes.get("/answer", query=NUMBER)
    async def answer(n: int = 0) -> Answer:
        seen(locals())
        return Answer(theNumber=n)

    @shapes.get("/answer-included", query=NUMBER, response_model_include={"id", "number"})
    async def answer_included(n: int = 0) -> Answer:
        return Answer(theNumber=n)

    @shapes.get(
        "/answer-excluded", query=NUMBER, response_model=Answer, response_model_exclude={"secret", "at"}
    )
    def answer_excluded(n: int = 0) -> Any:
        return {"theNumber": n, "unknown": 1}

    @shapes.get(
        "/answer-lean",
        query=NUMBER,
        response_model_exclude_unset=True,
        response_model_exclude_none=True,
        response_model_by_alias=False,
    )
    async def answer_lean(n: int = 0) -> Answer:
        return Answer(theNumber=n, none=None) if n else Answer()

    @shapes.get("/answers", query=NUMBER, response_model_exclude_defaults=True)
    async def answers(n: int = 0) -> list[Answer]:
        return [Answer(theNumber=number) for number in range(min(abs(n), 3))]

    @shapes.get("/wrong-answer", query=NUMBER, response_model=Answer)
    async def wrong_answer(n: int = 0) -> Any:
        return {"theNumber": "x" if n == 13 else n}

    @shapes.get("/record", query=NUMBER)
    async def record(n: int = 0) -> Record:
        return Record(n)

    @shapes.get("/quick", query=NUMBER)
    async def quick(n: int = 0) -> Any:
        return Quick(n)

    @shapes.get("/floats", query={"f": ["1.5", "nan", "inf"]})
    async def floats(f: float = 0.0) -> dict[str, float]:
        return {"f": f, "nan": math.nan}

    @shapes.get("/no-model", query=NUMBER, response_model=None)
    async def no_model(n: int = 0) -> Any:
        return {"n": n, "at": datetime(2020, 1, 1, tzinfo=UTC), "set": {n}, "record": Record(n)}


def _statuses(shapes: Shapes) -> None:
    @shapes.post("/created", query=NUMBER, status_code=201)
    async def created(response: Response, n: int = 0) -> dict[str, int]:
        response.headers["Location"] = f"/created/{n}"
        return {"n": n}

    @shapes.declare("DELETE", "/removed/{id}", segments={"id": ["1"]}, status_code=204)
    async def removed(id: int, response: Response) -> None:
        seen({"id": id})
        response.set_cookie("gone", str(id))

    @shapes.get("/status", query={"status": ["200", "204", "205", "304", "404", "500"]})
    async def status(response: Response, status: int = 200) -> str:
        response.status_code = status if status in (200, 204, 205, 304, 404, 500) else None  # type: ignore[assignment]
        return "text"

    @shapes.get("/annotated-response", query=NUMBER)
    async def annotated_response(response: Annotated[Response, "the response"], n: int = 0) -> int:
        response.headers["X-N"] = str(n)
        response.headers["Content-Language"] = "en"
        return n

    @shapes.get("/own-response", query=NUMBER)
    async def own_response(
        made: Annotated[JSONResponse, Depends(lambda: JSONResponse({"made": 1}, 203))], response: Response
    ) -> int:
        seen(locals())
        response.headers["X-Which"] = "declared"
        return 1

    @shapes.get("/errors", query={"code": ["400", "401", "404", "422", "499", "503"]})
    async def errors(code: int = 400, text: str | None = None) -> None:
        if code == 422:
            raise APIException(APICode.VALIDATION_FAILED, errors=[FieldError("a.b", text or "wrong")])
        raise HTTPException(code if 400 <= code <= 451 or code == 503 else 400, text, headers={"X-A": "b"})


def _responses(shapes: Shapes) -> None:
    @shapes.get("/direct", query=NUMBER)
    async def direct(n: int = 0) -> Response:
        return JSONResponse({"n": n}, status_code=202, headers={"X-N": str(n)})

    @shapes.get("/direct-background", query=NUMBER)
    async def direct_background(tasks: BackgroundTasks, response: Response, n: int = 0) -> Any:
        tasks.add_task(mark, "task of the handler")
        response.headers["X-Lost"] = "yes"
        own = BackgroundTask(mark, "task of the response") if n == 1 else None
        return PlainTextResponse(f"n={n}", background=own)

    @shapes.get("/failing-task", query=NUMBER)
    async def failing_task(tasks: BackgroundTasks, n: int = 0) -> int:
        seen(locals())

        def task() -> None:
            mark("failing task")
            if n == 13:
                raise LookupError("a task with a bug")

        tasks.add_task(task)
        return n

    @shapes.get("/redirect", response_class=RedirectResponse, query=NUMBER)
    async def redirect(n: int = 0) -> str:
        return f"/elsewhere/{n}"

    @shapes.get("/html", response_class=HTMLResponse, query=NUMBER)
    def html(n: int = 0) -> str:
        return f"<p>{n}</p>"

    @shapes.get("/html-or-response", response_class=HTMLResponse, query=NUMBER)
    async def html_or_response(n: int = 0) -> Any:
        return PlainTextResponse("plain") if n == 1 else f"<p>{n}</p>"


def _streams(shapes: Shapes) -> None:
    @shapes.get("/stream", query=NUMBER)
    async def stream(n: int = 0) -> StreamingResponse:
        async def chunks() -> AsyncIterator[str]:
            for number in range(3):
                if n == 13 and number == 1:
                    raise LookupError("a stream with a bug")
                yield f"{number},"

        return StreamingResponse(chunks(), media_type="text/csv")

    @shapes.get("/lines", query=NUMBER)
    async def lines(n: int = 0) -> AsyncIterator[Answer]:
        seen(locals())
        yield Answer(theNumber=n)
        yield Answer()

    @shapes.get("/raw-lines", query=NUMBER, response_class=StreamingResponse)
    def raw_lines(n: int = 0) -> Iterator[str]:
        yield f"{n}\n"
        yield "end\n"


def _returns(shapes: Shapes) -> None:
    @shapes.get("/awaitable", query=NUMBER)
    async def awaitable(n: int = 0) -> Any:
        async def later() -> dict[str, int]:
            mark("later")
            return {"n": n}

        return later()

    @shapes.get("/awaitable-sync", query=NUMBER, response_model=list[int])
    def awaitable_sync(n: int = 0) -> Awaitable[list[int]]:
        async def later() -> list[int]:
            return [n]

        return later()

    @shapes.get("/nothing")
    async def nothing() -> None:
        seen(locals())

    @shapes.declare("HEAD", "/head-only", query=NUMBER)
    async def head_only(response: Response, n: int = 0) -> None:
        response.headers["X-N"] = str(n)

    @shapes.declare("OPTIONS", "/options-only", query=NUMBER)
    async def options_only(n: int = 0) -> str:
        return f"options {n}"

    @shapes.get("/context", query=NUMBER)
    def context(n: int = 0) -> list[str]:
        return [current().route, current().ip, current().request_id]
