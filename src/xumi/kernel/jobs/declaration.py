"""Declares jobs: an async function of a feature's service that a worker calls later.

    @job(retries=5, timeout_seconds=60)
    async def send_digest(session: AsyncSession, poster_id: str) -> int:
        for number, reader in enumerate(readers):
            await progress(number, len(readers))

The session is the job's own transaction. It is committed together with the job's end, so that what the job has written counts
once, however often the job was begun. What it does elsewhere (a letter, a call) may happen again after a crash.
"""

import hashlib
import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from xumi.kernel import clock
from xumi.kernel.context import find_current
from xumi.kernel.errors import StartError
from xumi.kernel.ids import generate_key
from xumi.kernel.jobs import queue
from xumi.kernel.jobs.models import MESSAGE_LENGTH, NAME_LENGTH, UNIQUE_KEY_LENGTH

R = TypeVar("R")

DEFAULT_RETRIES = 3
DEFAULT_TIMEOUT_SECONDS = 300.0
DEFAULT_BACKOFF_SECONDS = 5.0

_NAME = re.compile(r"[a-z0-9_]+([.-][a-z0-9_]+)*")
_OPTIONS = frozenset(("delay_seconds", "unique_key"))

_registry: "dict[str, Job[Any]]" = {}


@dataclass(slots=True)
class RunningJob:
    """The run of a job that is under way.

    Attributes:
        id: the job's.
        name: the job's.
        attempt: 1 at the first time.
        lease: entitles this run to end the job.
        created_by: the id of the user who enqueued it, or who enqueued the job that did.
        fencing_token: of a scheduled job: greater than that of every tick before. Give it to what you change outside the
            database, which then refuses a smaller one: a run that was held up cannot undo a later one.
        progress: done, total and message as `progress` was told last; None when the queue knows it.
        wake: makes the worker write the progress down.
    """

    id: str
    name: str
    attempt: int
    lease: str
    fencing_token: int | None
    created_by: str | None
    wake: Callable[[], None]
    progress: tuple[int, int | None, str] | None = None


class Job(Generic[R]):
    """What `@job` makes of a function. Calling it runs the function at once, in the caller's transaction.

    Attributes:
        name: unique, such as `poster.send_digest`.
        retries: how often it is tried again after a failure.
        timeout_seconds: the longest that one try may take.
        backoff_seconds: the pause before the first retry; each further one is twice as long, up to an hour, give or take a half.
        priority: jobs with a smaller one run first.
        unique: while one with the same arguments is queued or running, there is no other.
    """

    def __init__(
        self,
        function: Callable[..., Awaitable[R]],
        *,
        name: str | None,
        retries: int,
        timeout_seconds: float,
        backoff_seconds: float,
        priority: int,
        unique: bool,
    ) -> None:
        self.function = function
        self.name = _default_name(function) if name is None else name
        self.retries = retries
        self.timeout_seconds = timeout_seconds
        self.backoff_seconds = backoff_seconds
        self.priority = priority
        self.unique = unique
        self.__doc__ = function.__doc__
        self._fields = self._read_signature()

    @property
    def home(self) -> str:
        """Where the function is."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    async def __call__(self, *arguments: Any, **named: Any) -> R:
        """Run it here and now, as part of the caller's transaction."""
        return await self.function(*arguments, **named)

    async def enqueue(
        self, *, delay_seconds: float = 0.0, unique_key: str | None = None, **arguments: Any
    ) -> str:
        """Let a worker run it once the running unit of work has been committed.

        Args:
            delay_seconds: not before so many seconds from now.
            unique_key: while a job of this name with this key is queued or running, no other is made.
            arguments: those of the function, without its session.

        Returns:
            The job's id; with a unique key perhaps that of the one that exists already. It may be running, and then it does
            not see what the caller has written just now.

        Raises:
            RuntimeError: no unit of work runs here.
            TypeError: the arguments are not what the function takes.
        """
        context = find_current()
        work = context.unit_of_work if context is not None else None
        if context is None or work is None:
            raise RuntimeError(
                f"{self.name} is enqueued in a transaction: take a session in the handler, or use `async with unit_of_work()`."
            )
        author = context.principal.user_id if context.principal is not None else None
        if author is None and context.job is not None:
            author = context.job.created_by
        encoded = self.encode(arguments)
        row = self.row(encoded, self._key(unique_key, encoded))
        row |= {
            "due_at": clock.now() + timedelta(seconds=delay_seconds),
            "created_by": author,
            "request_id": context.request_id,
        }
        job_id = await queue.put(work.session, row)
        queue.announce_after(work, delay_seconds)
        return job_id

    def row(self, encoded: dict[str, Any], unique_key: str | None) -> dict[str, Any]:
        """The values of a new job that is due now."""
        now = clock.now()
        return {
            "id": generate_key(),
            "name": self.name,
            "priority": self.priority,
            "due_at": now,
            "arguments": encoded,
            "unique_key": unique_key,
            "created_at": now,
        }

    def scheduled_row(self) -> dict[str, Any]:
        """The values of a job that the schedule makes: without arguments."""
        return self.row({}, self._key(None, {}))

    def encode(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments as JSON keeps them.

        Raises:
            TypeError: they are not what the function takes.
        """
        try:
            return self._model.model_validate(arguments).model_dump(mode="json", exclude_unset=True)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise TypeError(f"{self.name} cannot take these arguments: {wrong}") from None

    def decode(self, encoded: dict[str, Any]) -> dict[str, Any]:
        """The arguments as the function takes them.

        Raises:
            ValidationError: the function takes others now than when they were encoded.
        """
        if not encoded:
            return {}
        model = self._model.model_validate(encoded)
        return {name: getattr(model, name) for name in encoded}

    def _key(self, unique_key: str | None, encoded: dict[str, Any]) -> str | None:
        if unique_key is None and self.unique:
            text = msgspec.json.encode(encoded, order="deterministic")
            return hashlib.sha256(text).hexdigest()
        if unique_key is not None and not 0 < len(unique_key) <= UNIQUE_KEY_LENGTH:
            raise TypeError(f"unique_key must have 1 to {UNIQUE_KEY_LENGTH} characters.")
        return unique_key

    @cached_property
    def _model(self) -> type[BaseModel]:
        config = ConfigDict(extra="forbid", allow_inf_nan=False, protected_namespaces=())
        return create_model(f"{self.name} arguments", __config__=config, **self._fields)

    def _read_signature(self) -> dict[str, Any]:
        """Type and default of each parameter behind the session."""
        if not inspect.iscoroutinefunction(self.function):
            raise StartError(f"Job {self.home} must be an `async def`.")
        if not _NAME.fullmatch(self.name) or len(self.name) > NAME_LENGTH:
            raise StartError(f"Job {self.home}: name {self.name!r} must look like poster.send_digest.")
        try:
            signature = inspect.signature(self.function, eval_str=True)
        except NameError as error:
            raise StartError(
                f"Job {self.home}: {error}; import its parameters' types, and not for type checkers only."
            ) from None
        if not signature.parameters:
            raise StartError(f"Job {self.home} takes the session as its first parameter.")
        fields: dict[str, Any] = {}
        for parameter in list(signature.parameters.values())[1:]:
            reserved = parameter.name in _OPTIONS or hasattr(BaseModel, parameter.name)
            if reserved or parameter.name.startswith("_"):
                raise StartError(
                    f"Job {self.home}: the parameter {parameter.name!r} needs another name, this one is taken."
                )
            if parameter.annotation is inspect.Parameter.empty or "VAR" in parameter.kind.name:
                raise StartError(f"Job {self.home}: the parameter {parameter.name!r} needs a type.")
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[parameter.name] = (parameter.annotation, default)
        return fields


def job(
    name: str | None = None,
    *,
    retries: int = DEFAULT_RETRIES,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    backoff_seconds: float = DEFAULT_BACKOFF_SECONDS,
    priority: int = 0,
    unique: bool = False,
) -> Callable[[Callable[..., Awaitable[R]]], Job[R]]:
    """Make a job of an async function whose first parameter is the session.

    Args:
        name: `<feature>.<function>` by default. Jobs that are queued know it: a new name is a new job.
        retries: how often it is tried again after a failure or the death of its worker.
        timeout_seconds: the longest that one try may take; more is a failure.
        backoff_seconds: the pause before the first retry; each further one is twice as long, up to an hour, give or take a half.
        priority: jobs with a smaller one run first.
        unique: while one with the same arguments is queued or running, `enqueue` makes no other.

    Raises:
        StartError: the function cannot be a job, or another job has its name.
    """

    def declare(function: Callable[..., Awaitable[R]]) -> Job[R]:
        declared = Job(
            function,
            name=name,
            retries=retries,
            timeout_seconds=timeout_seconds,
            backoff_seconds=backoff_seconds,
            priority=priority,
            unique=unique,
        )
        other = _registry.get(declared.name)
        # The same module imported again (a test, a reload) is no duplicate.
        if other is not None and other.home != declared.home:
            raise StartError(
                f"Job {declared.name!r} of {declared.home} exists already in {other.home}: rename one."
            )
        _registry[declared.name] = declared
        return declared

    return declare


def jobs() -> list[Job[Any]]:
    """All jobs of the features that are loaded, by name."""
    return [_registry[name] for name in sorted(_registry)]


def find_job(name: str) -> Job[Any] | None:
    """The job of this name."""
    return _registry.get(name)


def running_job() -> RunningJob:
    """The job that runs here.

    Raises:
        RuntimeError: none does.
    """
    context = find_current()
    if context is None or context.job is None:
        raise RuntimeError("No job is running here.")
    return context.job


async def progress(done: int, total: int | None = None, message: str = "") -> None:
    """Tell how far the running job is; who may see the job reads it over the API. Outside a job nothing happens.

    The last of several within half a second is kept. It is written beside the job's transaction, so it is seen at once; on
    SQLite, where one transaction writes at a time, only once the job has committed what it has written itself.
    """
    context = find_current()
    if context is not None and (found := context.job) is not None:
        found.progress = (done, total, message[:MESSAGE_LENGTH])
        found.wake()


def _default_name(function: Callable[..., Any]) -> str:
    parts = function.__module__.split(".")
    feature = parts[parts.index("service") - 1] if "service" in parts[1:] else parts[-1]
    return f"{feature}.{function.__name__}"
