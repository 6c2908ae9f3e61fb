"""`xumi jobs` and `xumi schedule`: what is queued, what failed, what runs by the clock."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from xumi.kernel.db.session import UnitOfWork

app = typer.Typer(help="Look at jobs, try them again, cancel them.", no_args_is_help=True)
schedule = typer.Typer(help="Look at the schedule, pause and resume its entries.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(help="The job's id.")]
EntryName = Annotated[str, typer.Argument(help="The entry's name, which is its job's.")]


@app.command("list")
def list_jobs(
    state: Annotated[str | None, typer.Option(help="queued, running, done, failed or cancelled.")] = None,
    name: Annotated[str | None, typer.Option(help="Only jobs of this name.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 50,
) -> None:
    """Print jobs, the newest first."""
    from sqlalchemy import select

    from xumi.cli.terminal import print_table
    from xumi.kernel.errors import StartError
    from xumi.kernel.jobs.models import JobRow, JobState

    if state is not None and state not in list(JobState):
        raise StartError(f"There is no state {state!r}: use one of {', '.join(JobState)}.")
    wanted = select(JobRow).order_by(JobRow.id.desc()).limit(limit)
    if state is not None:
        wanted = wanted.where(JobRow.state == JobState(state))
    if name is not None:
        wanted = wanted.where(JobRow.name == name)

    async def read(work: "UnitOfWork") -> list[Any]:
        return list((await work.session.scalars(wanted)).all())

    rows = [
        (job.id, job.name, job.state.value, str(job.attempt), _time(job.due_at), _error_line(job.error))
        for job in _run("jobs list", read)
    ]
    print_table([("ID", "NAME", "STATE", "ATTEMPT", "DUE", "ERROR"), *rows])


@app.command()
def show(job_id: JobId) -> None:
    """Print all that is kept of a job, as JSON."""
    from sqlalchemy import inspect, select

    from xumi.kernel.errors import APICode, APIException
    from xumi.kernel.jobs.models import JobRow

    async def read(work: "UnitOfWork") -> Any:
        return await work.session.scalar(select(JobRow).where(JobRow.id == job_id))

    found = _run("jobs show", read)
    if found is None:
        raise APIException(APICode.NOT_FOUND, f"There is no job {job_id}.")
    values = {column.key: getattr(found, column.key) for column in inspect(JobRow).column_attrs}
    del values["lease"]
    print(json.dumps(values, indent=2, default=str, ensure_ascii=False))


@app.command()
def retry(job_id: JobId) -> None:
    """Queue a failed or cancelled job again."""
    from xumi.kernel.jobs import queue

    _change(job_id, queue.retry, "is neither failed nor cancelled", "is queued again")


@app.command()
def cancel(job_id: JobId) -> None:
    """Take a queued job back; end a running one within some seconds."""
    from xumi.kernel.jobs import queue

    _change(job_id, queue.cancel, "has ended", "is cancelled, or will be when its worker hears of it")


@app.command("run-now")
def run_now(job_id: JobId) -> None:
    """Let a queued job run at once instead of when it is due."""
    from xumi.kernel.jobs import queue

    _change(job_id, queue.run_now, "is not queued", "is due now")


@schedule.command("list")
def list_entries() -> None:
    """Print the entries: active, paused, or vanished from the code."""
    from xumi.cli.terminal import print_table
    from xumi.kernel.jobs.scheduler import EntryState
    from xumi.kernel.jobs.scheduler import list_entries as read_entries

    async def read(work: "UnitOfWork") -> list[EntryState]:
        return await read_entries(work.session)

    rows = [
        (entry.name, entry.timing, entry.state, _time(entry.next_at), _time(entry.last_tick_at))
        for entry in _run("schedule list", read)
    ]
    print_table([("NAME", "WHEN", "STATE", "NEXT", "LAST"), *rows])


@schedule.command()
def pause(name: EntryName) -> None:
    """Let an entry make no jobs until it is resumed."""
    from xumi.kernel.jobs.scheduler import pause as change

    _switch(name, change, "paused")


@schedule.command()
def resume(name: EntryName) -> None:
    """Let an entry make jobs again, from its next time on."""
    from xumi.kernel.jobs.scheduler import resume as change

    _switch(name, change, "active")


def _change(
    job_id: str, change: "Callable[[AsyncSession, str], Awaitable[bool]]", refused: str, done: str
) -> None:
    from xumi.kernel.errors import APICode, APIException
    from xumi.kernel.jobs import queue

    async def write(work: "UnitOfWork") -> bool:
        changed = await change(work.session, job_id)
        queue.announce_after(work)
        return changed

    if not _run("jobs", write):
        raise APIException(APICode.CONFLICT, f"There is no job {job_id}, or it {refused}.")
    print(f"Job {job_id} {done}.")


def _switch(name: str, change: "Callable[[AsyncSession, str], Awaitable[bool]]", state: str) -> None:
    from xumi.kernel.context import current
    from xumi.kernel.errors import APICode, APIException
    from xumi.kernel.jobs.scheduler import TOPIC

    async def write(work: "UnitOfWork") -> bool:
        changed = await change(work.session, name)
        current().resources.notifier.announce_after(work, TOPIC)
        return changed

    if not _run("schedule", write):
        raise APIException(APICode.NOT_FOUND, f"There is no entry {name!r}; `xumi schedule list` prints all.")
    print(f"{name} is {state}.")


def _run(command: str, work: "Callable[[UnitOfWork], Awaitable[Any]]") -> Any:
    """Do something in a transaction of an application that is not serving."""
    from xumi.api import create_app
    from xumi.cli.terminal import settings_in_force
    from xumi.kernel.db.revisions import heads_reached
    from xumi.kernel.db.session import unit_of_work
    from xumi.kernel.errors import StartError

    async def run() -> Any:
        try:
            if not await heads_reached(resources.database.read.runner):
                raise StartError("The database is not up to date: run `xumi db upgrade` first.")
            with resources.context(command):
                async with unit_of_work() as unit:
                    return await work(unit)
        finally:
            await resources.database.close()

    resources = create_app(settings_in_force()).resources
    return asyncio.run(run())


def _time(value: Any) -> str:
    return "" if value is None else value.strftime("%Y-%m-%dT%H:%M:%SZ")


def _error_line(error: dict[str, Any] | None) -> str:
    return "" if error is None else f"{error['type']}: {error['message']}"[:80]
