"""What can be done with notes."""

from sqlalchemy.ext.asyncio import AsyncSession

from modules.note.models import Note
from modules.note.schemas import NoteChecked, NoteCreate
from xumi.kernel import Principal, generate_key


def check(data: NoteCreate) -> NoteChecked:
    """What would be stored."""
    return NoteChecked(title=data.title, length=len(data.text), stars=data.stars, tags=data.tags)


async def add(session: AsyncSession, principal: Principal, data: NoteCreate) -> str:
    """Store a note; returns its id."""
    note = Note(id=generate_key(), owner_id=principal.user_id, **data.model_dump(exclude={"tags"}))
    session.add(note)
    return note.id
