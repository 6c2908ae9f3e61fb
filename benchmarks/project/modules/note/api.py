"""Endpoints of notes."""

from typing import Annotated

from fastapi import Path, Query

from modules.note import service
from modules.note.schemas import Greeting, NoteChecked, NoteCreate
from xumi.kernel import CurrentPrincipal, Session, get_router

router = get_router()


@router.get("/greeting/{name}", public=True)
async def greet(
    name: Annotated[str, Path(max_length=50)], times: Annotated[int, Query(ge=1, le=10)] = 1
) -> Greeting:
    """A typed GET without a database."""
    return Greeting(text=f"Hello {name}", times=times)


@router.post("/check", public=True)
async def check_note(body: NoteCreate) -> NoteChecked:
    """A validated POST without a database."""
    return service.check(body)


@router.post("", permission="note:add", status_code=201)
async def add_note(session: Session, principal: CurrentPrincipal, body: NoteCreate) -> dict[str, str]:
    """Store a note."""
    return {"title": body.title, "id": await service.add(session, principal, body)}
