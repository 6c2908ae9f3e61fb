"""Rows of a subquery as one JSON text, so that a thing and its parts are read in one statement on every database."""

from typing import Any

from sqlalchemy import JSON, ColumnElement, String, Text, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class JsonObjects(FunctionElement[str]):
    """A JSON array with an object for each row, in no certain order; NULL or `[]` where there is none.

    Args:
        columns: the expressions by their names in the objects.
    """

    type = Text()
    inherit_cache = True

    def __init__(self, **columns: ColumnElement[Any]) -> None:
        pairs = [part for name, column in columns.items() for part in (literal_column(f"'{name}'"), column)]
        super().__init__(*pairs)


@compiles(JsonObjects)
def _compile(element: JsonObjects, compiler: SQLCompiler, **options: Any) -> str:
    """SQLite's, which is also what is shown where no database is known."""
    return f"json_group_array(json_object({_list(element, compiler, options, document='json({})')}))"


@compiles(JsonObjects, "postgresql")
def _compile_postgresql(element: JsonObjects, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(json_agg(json_build_object({_list(element, compiler, options)})) AS TEXT)"


@compiles(JsonObjects, "mysql", "mariadb")
def _compile_mysql(element: JsonObjects, compiler: SQLCompiler, **options: Any) -> str:
    # MariaDB keeps JSON as a text, which would become a string inside the object, and in another collation than other texts.
    parts = _list(
        element, compiler, options, document="JSON_EXTRACT({}, '$')", string="{} COLLATE utf8mb4_bin"
    )
    return f"JSON_ARRAYAGG(JSON_OBJECT({parts}))"


def _list(
    element: JsonObjects, compiler: SQLCompiler, options: Any, *, document: str = "{}", string: str = "{}"
) -> str:
    """The names and expressions; `document` and `string` are how one of these types is put inside."""
    parts = []
    for clause in element.clauses:
        form = (
            document if isinstance(clause.type, JSON) else string if isinstance(clause.type, String) else "{}"
        )
        parts.append(form.format(compiler.process(clause, **options)))
    return ", ".join(parts)
