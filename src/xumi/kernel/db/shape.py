"""A statement compiled once for all statements of its shape.

SQLAlchemy gives two statements that differ only in their values one cache key, and the values in one order. So the SQL text is
made once per key; afterwards a statement costs its key and its values.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import BindParameter, Dialect, Executable
from sqlalchemy.sql.cache_key import CacheKey
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from xumi.kernel.db.runner import Query

MAX_EXPANSIONS = 64
# Parameters that we add under such a name hold the driver's own value already.
RAW = "xumi_raw_"

Values = Sequence[BindParameter[Any]]
# Where the value of a parameter comes from: the n-th value of the caller's statement, or one that we added by name.
_Source = int | str
_Processor = Callable[[Any], Any]


class Shape:
    """The SQL of one shape, for one dialect.

    Args:
        statement: the statement to run; it may have been derived from the caller's by adding an order, a limit and the like.
        dialect: the dialect of the database.
        values: the values of the caller's statement, as its cache key lists them.
    """

    def __init__(self, statement: Executable, dialect: Dialect, values: Values) -> None:
        element = cast(ClauseElement, statement)
        key = element._generate_cache_key()
        self.compiled = cast(SQLCompiler, element._compiler(dialect, cache_key=key))
        # Added by the compiler: values that are of whoever asks (`kernel.db.scope_compiler`).
        self._late: dict[str, Callable[[], Any]] = {}
        self._sources, self._fixed = self._find_sources(key, values)
        self._processors: Mapping[str, Any] = {
            name: process
            for name, process in self.compiled._bind_processors.items()
            if not name.startswith(RAW)
        }
        self._expanding = self._expanding_names()
        self._literals = {self.compiled.bind_names[bind] for bind in self.compiled.literal_execute_params}
        self._expansions: dict[tuple[int | str, ...], _Expansion] = {}
        names = self.compiled.positiontup or []
        self._plain = [(self._sources.get(name), name, self._processors.get(name)) for name in names]

    def _find_sources(
        self, key: CacheKey | None, values: Values
    ) -> tuple[dict[str, _Source], dict[str, Any]]:
        """Per parameter name its source; parameters without one hold a value that belongs to the shape."""
        position = {id(bind): index for index, bind in enumerate(values)}
        matches = self.compiled._cache_key_bind_match
        sources: dict[str, _Source] = {}
        if key is not None and matches is not None:
            for bind in key.bindparams:
                for twin in matches[0][bind]:
                    name = self.compiled.bind_names.get(twin)
                    # One without a value is given its own at each run.
                    if name is not None and id(bind) in position and not bind.required:
                        sources[name] = position[id(bind)]
        fixed: dict[str, Any] = {}
        for bind, name in self.compiled.bind_names.items():
            if name in sources:
                continue
            if bind.required:
                sources[name] = bind.key
            elif bind.callable is not None:
                self._late[name] = bind.callable
                sources[name] = name
            else:
                fixed[name] = bind.effective_value
        return sources, fixed

    def _expanding_names(self) -> list[str]:
        names = self.compiled.bind_names
        return [
            names[bind]
            for bind in (*self.compiled.post_compile_params, *self.compiled.literal_execute_params)
        ]

    def query(self, values: Values, added: Mapping[str, Any]) -> Query:
        """SQL and arguments for these values.

        Args:
            values: the values of the caller's statement, from its own cache key.
            added: the values of parameters that we added, by name.
        """
        if self._late:
            added = {**added, **{name: find() for name, find in self._late.items()}}
        if self._expanding:
            return self._expanded(values, added)
        arguments = []
        for source, name, process in self._plain:
            if isinstance(source, int):
                value = values[source].effective_value
            else:
                value = self._fixed[name] if source is None else added[source]
            arguments.append(value if process is None else process(value))
        return Query(self.compiled.string, tuple(arguments))

    def _value(self, name: str, values: Values, added: Mapping[str, Any]) -> Any:
        source = self._sources.get(name)
        if isinstance(source, int):
            return values[source].effective_value
        return self._fixed[name] if source is None else added[source]

    def _expanded(self, values: Values, added: Mapping[str, Any]) -> Query:
        """`IN` lists have one SQL text per length, and literals one per value."""
        key = self._expansion_key(values, added)
        expansion = self._expansions.get(key) if key is not None else None
        if expansion is None:
            expansion = self._expand(values, added)
            if key is not None:
                if len(self._expansions) >= MAX_EXPANSIONS:
                    self._expansions.pop(next(iter(self._expansions)))
                self._expansions[key] = expansion
        arguments = []
        for name, index, process in expansion.arguments:
            value = self._value(name, values, added)
            # One value of a list of tuples is two steps away.
            for at in index:
                value = value[at]
            arguments.append(value if process is None else process(value))
        return Query(expansion.sql, tuple(arguments))

    def _expand(self, values: Values, added: Mapping[str, Any]) -> "_Expansion":
        """The text for lists of these lengths, and where each of its arguments is found."""
        given = {name: self._value(name, values, added) for name in self.compiled.bind_names.values()}
        state = self.compiled._process_parameters_for_postcompile(dict(given))
        processors = {**self._processors, **state.processors}
        origin: dict[str, tuple[str, tuple[int, ...]]] = {}
        for name, parts in state.parameter_expansion.items():
            value = given[name]
            places = None
            if self._holds_tuples(name, value):
                places = [(i, j) for i, item in enumerate(value) for j in range(len(item))]
            for number, part in enumerate(parts):
                origin[part] = name, (number,) if places is None else places[number]
        return _Expansion(
            state.statement,
            [(*origin.get(name, (name, ())), processors.get(name)) for name in state.positiontup or ()],
        )

    def _holds_tuples(self, name: str, value: Any) -> bool:
        """Whether a list is compared with several columns at once; a column's own values may be lists as well."""
        type_ = self.compiled.binds[name].type
        return type_._is_tuple_type or (
            type_._isnull and len(value) > 0 and isinstance(value[0], tuple | list)
        )

    def _expansion_key(self, values: Values, added: Mapping[str, Any]) -> tuple[int | str, ...] | None:
        """What the text depends on: the lengths of lists, and the values that are written into it.

        None when it depends on more than these (lists of tuples, literals of other types).
        """
        key: list[int | str] = []
        for name in self._expanding:
            value = self._value(name, values, added)
            if name in self._literals:
                if type(value) not in (int, str):
                    return None
                key.append(value)
            elif self._holds_tuples(name, value):
                return None
            else:
                key.append(len(value))
        return tuple(key)


class _Expansion(NamedTuple):
    """A text with its lists written out; each argument by parameter, by its place in the parameter's value, and converted."""

    sql: str
    arguments: list[tuple[str, tuple[int, ...], _Processor | None]]
