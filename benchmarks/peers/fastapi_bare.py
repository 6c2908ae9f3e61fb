"""FastAPI alone: no middleware, no identity, no database; typed endpoints and 152 routes that differ in their path."""

from typing import Annotated

from fastapi import FastAPI, Path, Query
from pydantic import BaseModel, ConfigDict, Field

app = FastAPI()


class NoteCreate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=200)]
    text: Annotated[str, Field(max_length=2000)]
    stars: Annotated[int, Field(ge=0, le=5)]
    tags: list[str] = Field([], max_length=10)


class NoteChecked(BaseModel):
    title: str
    length: int
    stars: int
    tags: list[str]


class Greeting(BaseModel):
    text: str
    times: int


class GreetingEnvelope(BaseModel):
    code: int = 200
    message: str = "success"
    data: Greeting


class NoteEnvelope(BaseModel):
    code: int = 200
    message: str = "success"
    data: NoteChecked


@app.get("/api/v1/note/greeting/{name}")
async def greet(
    name: Annotated[str, Path(max_length=50)], times: Annotated[int, Query(ge=1, le=10)] = 1
) -> GreetingEnvelope:
    return GreetingEnvelope(data=Greeting(text=f"Hello {name}", times=times))


@app.post("/api/v1/note/check")
async def check_note(body: NoteCreate) -> NoteEnvelope:
    return NoteEnvelope(
        data=NoteChecked(title=body.title, length=len(body.text), stars=body.stars, tags=body.tags)
    )


async def answer(number: Annotated[int, Path(ge=0)]) -> dict[str, object]:
    return {"code": 200, "message": "success", "data": {"number": number}}


for route in range(152):
    app.add_api_route(f"/api/v1/many/r{route:03}/{{number}}", answer, methods=["GET"])
