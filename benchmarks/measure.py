"""Interleaved rounds, and what they come to."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from benchmarks.load import Load, Outcome, Request, send
from benchmarks.servers import BenchmarkError, Server

CONNECTIONS = 64
WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Cores:
    """Which core serves and which loads; None where the machine has one core only or cannot pin."""

    servers: int | None
    load: int | None


@dataclass(frozen=True)
class Round:
    """One round of one variant.

    Attributes:
        cpu_us: user and system time of the server's processes for each answer, microseconds.
        busy: share of the round in which the server used its core, 0 to 1.
        foreign: share of the server's core that others used meanwhile: noise.
    """

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    busy: float
    foreign: float


@dataclass(frozen=True)
class Summary:
    """Medians over the rounds; `spread` is (max - min) / median of `cpu_us`."""

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    busy: float
    foreign: float
    spread: float


def play(
    servers: Sequence[Server],
    requests: Sequence[Request],
    status: int,
    cores: Cores,
    rounds: int,
    seconds: float,
) -> dict[str, list[Round]]:
    """Measures all servers `rounds` times in the order A B C D, D C B A, …; each time after a second of warm-up.

    Raises BenchmarkError when an answer had another status or did not come.
    """
    played: dict[str, list[Round]] = {server.variant.key: [] for server in servers}
    for number in range(rounds):
        for server in servers if number % 2 == 0 else reversed(servers):
            _send(server, requests, status, cores, WARM_UP_SECONDS)
            played[server.variant.key].append(_round(server, requests, status, cores, seconds))
    return played


def _round(server: Server, requests: Sequence[Request], status: int, cores: Cores, seconds: float) -> Round:
    def clocks() -> tuple[float, float, float]:
        return server.cpu_seconds(), _core_seconds(cores.servers), time.monotonic()

    before = clocks()
    outcome = _send(server, requests, status, cores, seconds)
    cpu, core, clock = (now - then for now, then in zip(clocks(), before, strict=True))
    return Round(
        outcome.per_second,
        cpu / outcome.answered * 1e6,
        outcome.p50_ms,
        outcome.p99_ms,
        cpu / clock,
        max(0.0, core - cpu) / clock if cores.servers is not None else 0.0,
    )


def _send(server: Server, requests: Sequence[Request], status: int, cores: Cores, seconds: float) -> Outcome:
    outcome = send(Load(server.port, requests, CONNECTIONS, seconds, status), cores.load)
    if outcome.failures or not outcome.answered:
        raise BenchmarkError(
            f"{server.variant.title}: {outcome.failures or 'no answer at all'} among {outcome.answered} answers; "
            f"{server.last_words()}"
        )
    return outcome


def _core_seconds(core: int | None) -> float:
    """Time that one core has been busy since the machine started; Linux only, as pinning is."""
    if core is None:
        return 0.0
    times = psutil.cpu_times(percpu=True)[core]
    # Time of guests is counted twice, as theirs and as user time.
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def summarise(rounds: Sequence[Round]) -> Summary:
    """Medians; a ratio of two of them is what the tables show."""

    def median(name: str) -> float:
        value: float = statistics.median(getattr(each, name) for each in rounds)
        return value

    costs = [each.cpu_us for each in rounds]
    middle = {name: median(name) for name in Round.__dataclass_fields__}
    return Summary(**middle, spread=(max(costs) - min(costs)) / middle["cpu_us"])
