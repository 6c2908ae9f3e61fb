"""One SKU that everybody wants, on PostgreSQL: 64 buyers place orders at one server, against the same rows on the bare driver.

python -m benchmarks.shop_orders [--rounds 9] [--seconds 2]        a minute

The server and the bare driver have one core in turn, the load and the database the other. The bare driver has no HTTP, no sign-in and no
JSON; each order has an idempotency key of its own. The aim: 60 % of its rate, p99 of 500 ms at most.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.load import Load, Outcome, Request, send
from benchmarks.run import find_cores, make_environment
from benchmarks.servers import BenchmarkError, Server, Variant, _xumi, serve
from tests.conftest import migrate
from tests.modules.shop.market import SIGNING_KEY, Market, open_market
from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.location import parse_url
from xumi.kernel.testing.postgres import PostgresServer

BUYERS, CONNECTIONS = 64, 8
# More than a round can send: an order under a key that was used would be a replay.
REQUESTS_EACH_SECOND = 3_000
AIM, AIM_P99_MS = 0.60, 500
PLENTY = 10**9


def _requests(market: Market, sku_id: str, count: int) -> list[Request]:
    """Orders of one piece each, by all buyers in turn, with keys that were never used."""
    bodies = [json.dumps(market.order(buyer, {sku_id: 1})) for buyer in market.buyers]
    return [
        Request(
            "POST",
            "/api/v1/orders",
            market.buyers[number % BUYERS].headers
            | {"Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(12)},
            bodies[number % BUYERS],
        )
        for number in range(count)
    ]


def _place(server: Server, market: Market, sku_id: str, seconds: float, core: int | None) -> Outcome:
    requests = _requests(market, sku_id, int(REQUESTS_EACH_SECOND * seconds))
    outcome = send(Load(server.port, requests, BUYERS, seconds, 201), core)
    if outcome.failures or outcome.answered > len(requests):
        raise BenchmarkError(f"{outcome.failures} among {outcome.answered} answers; {server.last_words()}")
    return outcome


def _bare(url: str, seconds: float, core: int | None) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.shop_orders_limit", url, str(seconds), str(BUYERS)]
    pin = [] if core is None else ["taskset", "--cpu-list", str(core)]
    done = subprocess.run(
        [*pin, *command, str(CONNECTIONS)], capture_output=True, text=True, check=False, timeout=seconds + 60
    )
    if done.returncode != 0:
        raise BenchmarkError(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(rounds: int, seconds: float) -> dict[str, float]:
    """Medians of rates, p99 and the ratio of the rates of each round, over rounds in turn."""
    cores = find_cores()
    with tempfile.TemporaryDirectory(prefix="xumi-bench-") as temporary, PostgresServer() as postgres:
        folder, url = Path(temporary), postgres.create_database("bench")
        migrate(url)
        environment = make_environment() | {
            "DATABASE_URL": url,
            "JWT_SECRET_KEY": SIGNING_KEY,
            "RATE_LIMIT_ENABLED": "false",
            # Events wait: nobody consumes them beside the bare driver either.
            "WORKER_ENABLED": "false",
        }
        with serve([Variant("xumi", "Xumi", _xumi)], environment, folder, cores.servers) as (server,):
            server.wait_until_ready("/health")
            market = open_market(sync_engine(parse_url(url)[1]), url, BUYERS)
            (sku_id,) = market.add_goods(1, PLENTY)
            _place(server, market, sku_id, 1, cores.load)
            ours, bare = [], []
            for _ in range(rounds):
                ours.append(_place(server, market, sku_id, seconds, cores.load))
                bare.append(_bare(url, seconds, cores.servers))
        market.engine.dispose()
    per_second = statistics.median(each.per_second for each in ours)
    limit = statistics.median(each["per_second"] for each in bare)
    return {
        "orders_per_second": per_second,
        "p99_ms": statistics.median(each.p99_ms for each in ours),
        "bare_per_second": limit,
        "bare_p99_ms": statistics.median(each["p99_ms"] for each in bare),
        # Neighbours in time: the machine is not equally fast for half a minute.
        "ratio": statistics.median(
            one.per_second / other["per_second"] for one, other in zip(ours, bare, strict=True)
        ),
    }


def main() -> int:
    """Print the figures; the exit status is 1 where they are worth nothing."""
    parser = argparse.ArgumentParser(description="Compares orders of one hot SKU with the bare driver.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    if (load := find_cores().load) is not None:
        os.sched_setaffinity(0, {load})  # what is started from here, PostgreSQL too, inherits it
    try:
        found = measure(arguments.rounds, arguments.seconds)
    except BenchmarkError as error:
        print(f"benchmark failed: {error}", file=sys.stderr)
        return 1
    for name, figure in found.items():
        print(f"{name:20}{figure:10.2f}")
    met = found["ratio"] >= AIM and found["p99_ms"] <= AIM_P99_MS
    print(
        f"aim: {AIM:.0%} of the bare driver's rate, p99 at most {AIM_P99_MS} ms: {'met' if met else 'MISSED'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
