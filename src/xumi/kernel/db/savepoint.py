"""What was asked for inside a savepoint that is rolled back."""

from sqlalchemy.orm import SessionTransaction


def is_inside(savepoint: SessionTransaction | None, ended: SessionTransaction) -> bool:
    """Whether something that was asked for in a savepoint (None: in none) is undone where another one, or the same, is rolled back."""
    while savepoint is not None:
        if savepoint is ended:
            return True
        savepoint = savepoint.parent
    return False
