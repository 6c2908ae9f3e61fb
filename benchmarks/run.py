"""`make bench`: the same requests to Xumi, to its limit and to its peers, in one interleaved run for each scenario.

    python -m benchmarks                     all scenarios and databases, 3 rounds of 2 s: about 11 minutes
    python -m benchmarks --quick             2 rounds of 1 s
    python -m benchmarks --only list,postgresql,limit,xumi

    python -m benchmarks --gate              what CI asks: are a list and an insert still within reach of their limit? A minute

Ends with status 1 and a message when the variants do not answer with the same data, or when an answer under load had
another status. Only `--gate` fails on a figure, and on one far below what any machine has shown: they differ.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.data import DATABASES, Database, count_statements, prepare
from benchmarks.load import Request
from benchmarks.measure import Cores, play
from benchmarks.report import Measured, judge_routes, ratio, save, show
from benchmarks.scenarios import LIST, SCENARIOS, Scenario
from benchmarks.servers import HERE, VARIANTS, BenchmarkError, Server, serve

STATEMENT_REQUESTS, MAX_STATEMENTS = 50, 2
LONGEST_RUN_SECONDS = 1800
# What CI asks: scenario, reference, and the least that Xumi must be of it by CPU, with room for noise. Quiet machines show 0.45 for
# the list and 0.30 for the insert.
GATES = (("list-nocount", "limit", 0.33), ("insert", "limit", 0.12))
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
ADMIN = "bench-admin"


def main() -> int:
    """Runs the benchmark; returns the exit status."""
    arguments = _arguments()
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)
    signal.alarm(LONGEST_RUN_SECONDS)
    date, cores = datetime.now(UTC), find_cores()
    if cores.load is None:
        print(
            "Only one core, or no way to pin: servers and load disturb each other; compare nothing but the order."
        )
    else:
        os.sched_setaffinity(0, {cores.load})  # what is started from here, PostgreSQL too, inherits it
    try:
        if arguments.gate:
            return _check_gate(cores, arguments)
        measured = [each for name in arguments.databases for each in _measure(name, cores, arguments)]
    except BenchmarkError as error:
        print(f"benchmark failed: {error}", file=sys.stderr)
        return 1
    if (told := judge_routes(measured)) is not None:
        print(told, end="\n\n")
    method = {"rounds": arguments.rounds, "seconds": arguments.seconds}
    print(f"written: {save(HERE / 'results', date, cores, method, measured)}")
    return 0


def _check_gate(cores: Cores, arguments: argparse.Namespace) -> int:
    """The exit status: 1 when a gate is missed twice in a row."""
    missed = list(GATES)
    for _ in range(2):
        arguments.scenarios = [key for key, _, _ in missed]
        measured = {each.scenario: each for each in _measure("postgresql", cores, arguments)}
        for gate in list(missed):
            key, reference, least = gate
            share = ratio(measured[key].summaries(), "xumi", reference)["cpu"]
            print(
                f"gate: {key}: {share:.2f} of {reference} by CPU a request, at least {least} wanted",
                flush=True,
            )
            if share >= least:
                missed.remove(gate)
        if not missed:
            return 0
    return 1


def _measure(database_name: str, cores: Cores, arguments: argparse.Namespace) -> Iterator[Measured]:
    environment = make_environment()
    scenarios = [s for s in SCENARIOS if s.key in arguments.scenarios and database_name in s.databases]
    with tempfile.TemporaryDirectory(prefix="xumi-bench-") as temporary:
        folder = Path(temporary)
        with prepare(database_name, folder, environment) as database:
            environment["DATABASE_URL"] = database.url
            # Xumi always runs, because the token is its own.
            used = {"xumi"}.union(*(each.variants for each in scenarios))
            variants = [
                each for each in VARIANTS if each.key in used and each.key in {*arguments.variants, "xumi"}
            ]
            with serve(variants, environment, folder, cores.servers) as servers:
                for server in servers:
                    server.wait_until_ready(LIST)
                token = sign_in(next(each for each in servers if each.variant.key == "xumi"), environment)
                for scenario in scenarios:
                    requests = scenario.requests(token, environment["JWT_SECRET_KEY"])
                    wanted = {*arguments.variants} & {*scenario.variants}
                    chosen = [each for each in servers if each.variant.key in wanted]
                    if len(chosen) < 2:
                        continue
                    _compare(chosen, requests[0], scenario)
                    rounds = play(
                        chosen, requests, scenario.status, cores, arguments.rounds, arguments.seconds
                    )
                    measured = Measured(scenario.key, scenario.title, database.name, database.version, rounds)
                    print(show(measured), flush=True)
                    if scenario.counts_statements:
                        _show_statements(
                            database, next(s for s in chosen if s.variant.key == "xumi"), requests[0]
                        )
                    print(flush=True)
                    yield measured


def _show_statements(database: Database, server: Server, request: Request) -> None:
    def work() -> None:
        for _ in range(STATEMENT_REQUESTS):
            _call(server, request)

    statements = count_statements(database, work) / STATEMENT_REQUESTS
    met = "met" if statements <= MAX_STATEMENTS else "MISSED"
    print(f"target Xumi ≤ {MAX_STATEMENTS} SQL statements a request: {statements:.2f}, {met}")


def make_environment() -> dict[str, str]:
    """What the servers see: the settings of a production deployment, and nothing else of the caller's environment."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "APP_ENV": "production",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "JWT_SECRET_KEY": secrets.token_urlsafe(48),
        "DATABASE_ALLOW_SQLITE_IN_PRODUCTION": "true",
        "CORS_ORIGINS": "https://console.example.com",
        "RATE_LIMIT_DEFAULT": "1000000000/minute",
        "INITIAL_ADMIN_USERNAME": ADMIN,
        "INITIAL_ADMIN_PASSWORD": secrets.token_urlsafe(16),
    }


def sign_in(server: Server, environment: Mapping[str, str]) -> str:
    """An access token of the administrator, as any client gets it."""
    credentials = {"username": ADMIN, "password": environment["INITIAL_ADMIN_PASSWORD"]}
    answer = _call(
        server, Request("POST", "/auth/login", {"Content-Type": "application/json"}, json.dumps(credentials))
    )
    token: str = answer["data"]["access_token"]
    return token


def _compare(servers: Sequence[Server], request: Request, scenario: Scenario) -> None:
    """Raises BenchmarkError unless all servers answer with the same status, and the same values of the scenario's names."""
    first, *others = servers
    expected = _call(first, request, scenario.status).get("data")
    for server in others:
        data = _call(server, request, scenario.status).get("data")
        for name in scenario.compared:
            if data[name] != expected[name]:
                raise BenchmarkError(
                    f"{server.variant.title} answers with other {name} than {first.variant.title}:\n"
                    f"{json.dumps(data[name])[:600]}\nand not\n{json.dumps(expected[name])[:600]}"
                )


def _call(server: Server, request: Request, status: int = 200) -> Any:
    """The JSON body of the answer. Raises BenchmarkError when it has another status."""
    url = f"http://127.0.0.1:{server.port}{request.path}"
    call = urllib.request.Request(url, request.body.encode() or None, request.headers, method=request.method)
    try:
        with urllib.request.urlopen(call, timeout=10) as answer:
            found, body = answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        found, body = error.code, json.load(error)
    except OSError as error:
        raise BenchmarkError(
            f"{server.variant.title}: {request.path}: {error}. {server.last_words()}"
        ) from error
    if found != status:
        raise BenchmarkError(
            f"{server.variant.title}: {request.path}: {found}: {str(body)[:400]}. {server.last_words()}"
        )
    return body


@cache
def find_cores() -> Cores:
    """The core of the servers and that of everything else; found before this process is held to one of them."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return Cores(allowed[0], allowed[1]) if len(allowed) > 1 else Cores(None, None)


def _stop(number: int, frame: FrameType | None) -> None:
    """Ends the run by an exception, so that every `finally` stops what it has started, undisturbed by a second Ctrl-C."""
    for each in STOP_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    reason = f"after {LONGEST_RUN_SECONDS} s" if number == signal.SIGALRM else "on request"
    sys.exit(f"benchmark stopped {reason}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compares Xumi with its limit and with peers.")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 s")
    parser.add_argument("--gate", action="store_true", help="fail when a list keeps too little of its limit")
    parser.add_argument("--rounds", type=int, help="rounds of each variant (3)")
    parser.add_argument("--seconds", type=float, help="length of a round (2)")
    known = [*(s.key for s in SCENARIOS), *DATABASES, *(variant.key for variant in VARIANTS)]
    parser.add_argument("--only", default="", help=f"some of {','.join(known)}, separated by commas")
    arguments = parser.parse_args()
    if arguments.gate:
        arguments.only, arguments.quick = "list-nocount,insert,postgresql,limit,xumi", True
    only = [name for name in arguments.only.split(",") if name]
    if unknown := sorted(set(only) - set(known)):
        parser.error(f"--only knows {', '.join(known)}; not {', '.join(unknown)}")
    arguments.scenarios = [s.key for s in SCENARIOS if s.key in only] or [s.key for s in SCENARIOS]
    arguments.databases = [name for name in DATABASES if name in only] or list(DATABASES)
    arguments.variants = [v.key for v in VARIANTS if v.key in only] or [v.key for v in VARIANTS]
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 3)
    arguments.seconds = arguments.seconds or (1.0 if arguments.quick else 2.0)
    return arguments
