"""Kill a server at every point of a piece of work, and see each time that nothing is half done and that a retry succeeds.

    class Order:
        def prepare(self, client, run): return {"key": f"order-{run}"}           # what is there before
        def act(self, client, state): ...                                         # what is killed, and done again
        def check(self, state, acknowledged): ...                                 # plain SQL

    crash_sweep(Order(), tmp_path, {"DATABASE_URL": url})

A real `xumi run` is killed at each point by SIGKILL and started again; `crash_points` says which points there are.
"""

import re
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import httpx

from xumi.kernel.testing.crash_points import ANNOUNCEMENT, COUNT_PATH, EVERY, FLOW_HEADER, GO_ON, TASKS
from xumi.kernel.testing.postgres import free_port
from xumi.kernel.testing.server import RunningServer, run_server, wait_for_address

S = TypeVar("S")

REQUEST_SECONDS = 30.0


class Flow(Protocol[S]):
    """What is killed."""

    def prepare(self, client: httpx.Client, run: int) -> S:
        """Make what the work needs, new for each run; not killed. What it returns is handed to the others."""
        ...

    def act(self, client: httpx.Client, state: S) -> None:
        """Do the work; returns when the server has acknowledged it.

        It is done again after the server was killed during it, and must succeed then: it may find its own work done already.
        """
        ...

    def check(self, state: S, acknowledged: bool) -> None:
        """Assert what must hold: all of the work if it was acknowledged, else all of it or nothing."""
        ...


def crash_sweep(
    flow: Flow[S],
    directory: Path,
    environment: Mapping[str, str],
    *,
    tasks: Collection[str] = (),
    max_points: int = 200,
    every: int = 1,
) -> list[str]:
    """Kill the server at the first point of the flow, start it, check, retry, check; then at the second, until the flow runs through.

    Args:
        flow: what is done and what must hold.
        directory: the server's working directory.
        environment: its settings; a database that is migrated already, and a signing key, last from one start to the next.
        tasks: names of background work that is killed too (`resources.context(name)`); then `act` must wait for its end.
        max_points: after how many kills to give up.
        every: kill at the first point and then at every so manieth, where all would take too long.

    Returns:
        The points at which the server was killed, in their order.

    Raises:
        AssertionError: of `act` or `check`, with a note that names the point; or the flow has more points than `max_points`.
    """
    settings = {**environment, "APP_ENV": "test", TASKS: ",".join(tasks), EVERY: str(every)}
    command = (sys.executable, "-m", "xumi.kernel.testing.crash_points", "run", "--port", str(free_port()))
    killed: list[str] = []
    with (
        run_server(directory, environment=settings, command=command) as server,
        httpx.Client(base_url=server.url, timeout=REQUEST_SECONDS) as client,
    ):
        _do(flow, client, flow.prepare(client, 0), "without a kill")
        while len(killed) <= max_points:
            state = flow.prepare(client, len(killed) + 1)
            acknowledged = _act(flow, server, state)
            point = _find_kill(server, client)
            if point is None:
                with _noted("without a kill"):
                    flow.check(state, acknowledged)
                return killed
            killed.append(point)
            server.process.send_signal(GO_ON)
            wait_for_address(server)
            place = f"a kill at point {(len(killed) - 1) * every + 1}, {point}"
            with _noted(f"after {place}"):
                flow.check(state, acknowledged)
            _do(flow, client, state, f"at the retry after {place}")
    raise AssertionError(f"the flow has more than {max_points} points; the last ones were {killed[-3:]}")


def _do(flow: Flow[S], client: httpx.Client, state: S, when: str) -> None:
    with _noted(when):
        flow.act(client, state)
        flow.check(state, True)


def _act(flow: Flow[S], server: RunningServer, state: S) -> bool:
    """Act as a client whose requests count; whether the work was acknowledged."""
    headers = {FLOW_HEADER: "1"}
    with (
        httpx.Client(base_url=server.url, timeout=REQUEST_SECONDS, headers=headers) as client,
        _noted("without a kill"),
    ):
        try:
            flow.act(client, state)
        except httpx.TransportError:
            return False
    return True


def _find_kill(server: RunningServer, client: httpx.Client) -> str | None:
    """The point at which the server was killed, or None if it lives and has nothing more to do for the flow."""
    try:
        client.get(COUNT_PATH).raise_for_status()
    except httpx.TransportError:
        announced = re.findall(rf"^{ANNOUNCEMENT} \d+: (.*)$", server.output(), re.MULTILINE)
        if server.process.poll() is not None or not announced:
            raise AssertionError(f"the server ended by itself:\n{server.output()}") from None
        return str(announced[-1])
    return None


@contextmanager
def _noted(when: str) -> Iterator[None]:
    """Say with an error when it happened."""
    try:
        yield
    except Exception as error:
        error.add_note(when)
        raise
