"""What a table is made of: the base of models, their time columns, and column types that mean the same everywhere.

    class Poster(ModelTimeColumns, ModelBase):
        __tablename__ = "poster"
        title: Mapped[str] = mapped_column(String(200))
        state: Mapped[PosterState]              # any Enum; the column holds its value, not its name

A plain `Mapped[datetime]` is an aware UTC time, `Mapped[int]` and `Mapped[float]` have 64 bits, `Mapped[dict[str, Any]]` is JSON.
"""

import enum
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Double, Enum, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from xumi.kernel import clock
from xumi.kernel.db.scope import declare_scope
from xumi.kernel.db.scope_compiler import keep_by_form
from xumi.kernel.ids import KEY_LENGTH, generate_key

# Every constraint has a name, so that a migration can drop it and an error can name its columns.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

ENUM_LENGTH = 32


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: aware UTC going in and coming out, whatever the database stores.

    Raises:
        ValueError: on a naive time going in.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """What its values are."""
        return datetime

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """MySQL keeps microseconds only when told to."""
        if dialect.name in ("mysql", "mariadb"):
            from sqlalchemy.dialects.mysql import DATETIME

            return dialect.type_descriptor(DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times; give PostgreSQL the aware time and the others UTC without zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone: use clock.now() or datetime(…, tzinfo=UTC).")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | str | None, dialect: Dialect) -> datetime | None:
        """The same point in time, in UTC. MySQL makes a text of a column and a parameter together, as in `coalesce`."""
        if value is None:
            return None
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """A direct conversion for the two drivers of the fast path; asyncpg already returns aware UTC times."""
        if dialect.driver == "asyncpg":
            return None
        if dialect.name == "sqlite":
            return _sqlite_time
        return super().result_processor(dialect, coltype)


class Blob(TypeDecorator[bytes]):
    """Bytes, up to 16 MB: MySQL's plain BLOB ends at 64 KiB."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """MySQL has a type for each size."""
        if dialect.name in ("mysql", "mariadb"):
            from sqlalchemy.dialects.mysql import MEDIUMBLOB

            return dialect.type_descriptor(MEDIUMBLOB())
        return dialect.type_descriptor(LargeBinary())


def _sqlite_time(value: str | None) -> datetime | None:
    # Ten times faster than replace(tzinfo=UTC).
    return None if value is None else datetime.fromisoformat(value + "+00:00")


def _values(members: type[enum.Enum]) -> list[str]:
    return [str(member.value) for member in members]


class ModelBase(DeclarativeBase):
    """Base of all models: a string key `id` made by `generate_key`, named constraints, portable types."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        int: BigInteger(),
        # Float has 32 bits on MySQL, where a value that was read is then not equal to itself.
        float: Double(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
        list[str]: JSON(),
        enum.Enum: Enum(
            enum.Enum, native_enum=False, length=ENUM_LENGTH, values_callable=_values, validate_strings=True
        ),
    }

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if declare_scope(cls):
            keep_by_form(cls)

    id: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True, default=generate_key, sort_order=-1)


class ModelTimeColumns:
    """Adds `created_at` and `updated_at`, kept by the ORM."""

    created_at: Mapped[datetime] = mapped_column(default=clock.now, sort_order=1000)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now, sort_order=1001)
