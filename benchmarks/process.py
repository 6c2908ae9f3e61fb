"""`python -m benchmarks.process`: how fast a server starts, what memory it holds, and what a second worker brings.

Linux only for the memory. The load generator takes part of the cores that two workers have, so it asks for lists, which cost a server
ten times as much as they cost the generator.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.data import prepare
from benchmarks.load import Load, Outcome, Request, send
from benchmarks.run import make_environment, sign_in
from benchmarks.scenarios import LIST
from benchmarks.servers import Server, Variant, serve, xumi_command

STARTS, ROUNDS, SECONDS, CONNECTIONS = 5, 3, 3.0, 64
START_SECONDS, PSS_MIB, TIMES = 1.0, 90, 1.7


def _workers(count: int) -> Variant:
    command = ("run", "--workers", str(count))
    return Variant(
        f"workers-{count}", f"{count} workers", lambda port: xumi_command(*command, "--port", str(port))
    )


def _judge(met: bool) -> str:
    return "met" if met else "MISSED"


def measure_start(environment: Mapping[str, str], folder: Path) -> None:
    """Prints the time from the command to the first answer, on a database that is up to date."""
    taken = []
    for _ in range(STARTS):
        before = time.monotonic()
        with serve([_workers(1)], environment, folder, None) as (server,):
            server.wait_until_ready("/health")
            taken.append(time.monotonic() - before)
    median = statistics.median(taken)
    print(
        f"start to first answer: {median:.2f} s (target ≤ {START_SECONDS} s: {_judge(median <= START_SECONDS)})"
    )


def _pss_mib(pid: int) -> float:
    """Proportional set size: shared pages are divided among those that share them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"process {pid} tells no Pss")


def measure_memory(environment: Mapping[str, str], folder: Path) -> None:
    """Prints the memory of an idle worker: one alone, and each of two."""
    for count in (1, 2):
        with serve([_workers(count)], environment, folder, None) as (server,):
            server.wait_until_ready("/health")
            time.sleep(2)
            children = psutil.Process(server.process.pid).children()
            # The parent of several workers serves nothing; its helper process for shared memory neither.
            found = [_pss_mib(child.pid) for child in children if "spawn_main" in " ".join(child.cmdline())]
            most = max(found or [_pss_mib(server.process.pid)])
        told = f"{count} worker{'s' if count > 1 else ''}, idle: {most:.0f} MiB each"
        print(f"{told} (target ≤ {PSS_MIB} MiB: {_judge(most <= PSS_MIB)})")


def _load(server: Server, requests: Sequence[Request]) -> tuple[Outcome, float]:
    """What came back, and the server's CPU µs for each request."""
    before = server.cpu_seconds()
    outcome = send(Load(server.port, requests, CONNECTIONS, SECONDS), None)
    if outcome.failures:
        raise SystemExit(f"{server.variant.title}: {outcome.failures}; {server.last_words()}")
    return outcome, (server.cpu_seconds() - before) / outcome.answered * 1e6


def measure_workers(environment: Mapping[str, str], folder: Path) -> None:
    """Prints requests/s and CPU of two workers on all cores against one on one core."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    costs: dict[int, list[float]] = {1: [], 2: []}
    with (
        serve([_workers(1)], environment, folder, 0) as (one,),
        serve([_workers(2)], environment, folder, None) as (two,),
    ):
        for server in (one, two):
            server.wait_until_ready("/health")
        requests = [Request("GET", LIST, {"Authorization": f"Bearer {sign_in(one, environment)}"})]
        for _ in range(ROUNDS):
            for count, server in ((1, one), (2, two)):
                _load(server, requests)
                outcome, cost = _load(server, requests)
                rates[count].append(outcome.per_second)
                costs[count].append(cost)
    rate = statistics.median(rates[2]) / statistics.median(rates[1])
    cost = statistics.median(costs[2]) / statistics.median(costs[1])
    print(
        f"two workers on {os.cpu_count()} cores, which the load shares, against one on one core: {rate:.2f} × the requests/s"
        f" (target ≥ {TIMES}: {_judge(rate >= TIMES)}), {cost:.2f} × the CPU for each"
    )


def main() -> None:
    """Measures and prints."""
    environment = make_environment()
    with tempfile.TemporaryDirectory(prefix="xumi-bench-") as temporary:
        folder = Path(temporary)
        with prepare("sqlite", folder, environment) as database:
            environment["DATABASE_URL"] = database.url
            measure_start(environment, folder)
            measure_memory(environment, folder)
            measure_workers(environment, folder)


if __name__ == "__main__":
    main()
