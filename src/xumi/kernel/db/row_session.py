"""The session of units of work: an ORM session that also takes rows without entities, and whose transaction can begin without it.

    add_row(session, table, {"id": generate_key(), …})

A row costs a fraction of what an entity does. As with an entity, the session's next statement or its commit inserts it, and a rollback
forgets it.

A transaction that `kernel.db.direct` begins runs on the driver of a connection that SQLAlchemy's session takes over when it is asked
for something itself: telling it of the begin and the commit costs more than both cost the database.
"""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import Connection, Engine, Table, event, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import SessionTransaction

from xumi.kernel.db.scope import ScopedSession

# In `session.info`: the connection on which SQLAlchemy has begun its last transaction.
_CONNECTION = "xumi_connection"

Row = tuple[Table, Mapping[str, Any]]


class RowSession(ScopedSession):
    """What an `AsyncSession` wraps.

    Attributes:
        rows: what waits, behind the entities that are new.
        direct: the connection on whose driver the transaction was begun; None where SQLAlchemy began it, or nobody.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.rows: list[Row] = []
        self.direct: Connection | None = None

    @property
    def began_connection(self) -> Connection | None:
        """The connection of the transaction, if one has begun."""
        if self.direct is not None:
            return self.direct
        connection: Connection | None = self.info.get(_CONNECTION)
        return connection if connection is not None and connection.in_transaction() else None

    @property
    def has_connected(self) -> bool:
        """Whether it has ever had a connection."""
        return self.direct is not None or _CONNECTION in self.info

    @property
    def stands_aside(self) -> bool:
        """Whether a transaction runs that SQLAlchemy has no part in yet."""
        return self.direct is not None and self.direct is not self.info.get(_CONNECTION)

    def begin_directly(self) -> Connection:
        """Take a connection for a transaction that only its driver knows of; called where the driver can be awaited."""
        self._autobegin_t()
        # If SQLAlchemy needs one, it begins its own transaction here, which says nothing to the driver.
        self.direct = self.bind = cast(Engine, self.bind).connect()
        return self.direct

    def give_back(self) -> None:
        """Give the connection of such a transaction back to the pool, which undoes what was not committed."""
        connection = self.direct
        if connection is not None:
            self.direct, self.bind = None, connection.engine
            connection.close()

    def flush(self, objects: Any = None) -> None:
        """Send what the session holds, and its rows."""
        super().flush(objects)
        rows, self.rows = self.rows, []
        for table, row in rows:
            self.connection().execute(insert(table), row)

    def expunge_all(self) -> None:
        """Forget what the session holds; its end does so."""
        super().expunge_all()
        self.rows.clear()

    @property
    def holds_changes(self) -> bool:
        """Whether it has entities that a flush would send."""
        return not super()._is_clean()

    def _is_clean(self) -> bool:
        """Whether a flush has nothing to do."""
        return not self.rows and super()._is_clean()


def _note_begin(session: RowSession, _transaction: SessionTransaction, connection: Connection) -> None:
    session.info[_CONNECTION] = connection


def _forget_rows(session: RowSession) -> None:
    session.rows.clear()


def take_over(session: RowSession) -> None:
    """Tell SQLAlchemy of the transaction that was begun without it: it is to end it."""
    if session.stands_aside:
        session.connection()


def _end_with(session: RowSession, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.give_back()


event.listen(RowSession, "after_begin", _note_begin)
# A savepoint's too: it begins with a flush, so what waits at its end belongs to it.
event.listen(RowSession, "after_rollback", _forget_rows)
event.listen(RowSession, "before_commit", take_over)
event.listen(RowSession, "after_transaction_end", _end_with)


def add_row(session: AsyncSession, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row with what the session sends next.

    Args:
        session: a unit of work's.
        table: where it goes.
        row: values by column; the others get their defaults.
    """
    held = cast(RowSession, session.sync_session)
    # As `add` does: from here on there is something to commit.
    held._autobegin_t()
    held.rows.append((table, row))
