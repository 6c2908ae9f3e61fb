"""What runs now: a request, a command or a job, and what belongs to it.

One context variable holds one object; everything that wants to know "who asks, under which id, on which database" reads it
here. The pipeline enters it for a request, `Resources.context()` for a command or a job.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xumi.kernel.auth.principal import Principal
    from xumi.kernel.db.session import UnitOfWork
    from xumi.kernel.errors import Locale
    from xumi.kernel.jobs.declaration import RunningJob
    from xumi.kernel.resources import Resources


class Context:
    """One request, command or job.

    Attributes:
        resources: what the running process holds (settings, database, …).
        request_id: the id that every log line and error of this work carries.
        principal: who asks; None for anonymous.
        unit_of_work: the open transaction of this work; None until something is written.
        locale: the language of texts for the caller.
        ip: the client's address; empty outside a request.
        route: the route template, for example `/api/v1/users/{id}`; a command's or job's name otherwise.
        job: the job that runs; None outside one.
        is_request: whether a caller is answered, who sees what he reaches only (`kernel.db.scope`).
    """

    __slots__ = (
        "ip", "is_request", "job", "locale", "principal", "request_id", "resources", "route", "unit_of_work",
    )  # fmt: skip

    def __init__(
        self,
        resources: Resources,
        request_id: str,
        *,
        route: str = "",
        ip: str = "",
        locale: Locale = "en",
        is_request: bool = False,
    ):
        self.resources = resources
        self.request_id = request_id
        self.principal: Principal | None = None
        self.unit_of_work: UnitOfWork | None = None
        self.locale: Locale = locale
        self.ip = ip
        self.route = route
        self.job: RunningJob | None = None
        self.is_request = is_request


_current: ContextVar[Context | None] = ContextVar("xumi_context", default=None)

find_current = _current.get
"""The running work's context, or None outside any."""

activate = _current.set
"""Make a context the running one until `deactivate` is called with the token that this returns."""

deactivate = _current.reset


def find_actor_id() -> str | None:
    """The id of the user who asks for what runs now; None for nobody, and for the system."""
    context = _current.get()
    return context.principal.user_id if context is not None and context.principal is not None else None


def current() -> Context:
    """The running work's context.

    Raises:
        RuntimeError: nothing runs here.
    """
    context = _current.get()
    if context is None:
        raise RuntimeError(
            "No request, command or job is running here: call this from a handler, or inside "
            "`with resources.context(): …`."
        )
    return context


@contextmanager
def enter(context: Context) -> Iterator[Context]:
    """Run a block as this work."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
