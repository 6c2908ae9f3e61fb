"""What publishing an event costs a write request: CPU of this process, with and without, and their ratio, on both databases.

python -m benchmarks.events        about a minute; writes results/publishing-<database>.json

A request goes through the whole application but the socket: it validates its body, reads a row for update, changes it by the ORM,
publishes or not, commits and answers. One request publishes and the next does not, so that whatever disturbs the machine disturbs
both alike; a round gives a ratio, and the ratio that counts is the middle one of all rounds. Delivery is not part of it.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import text

from benchmarks.machine import describe_machine, describe_versions
from xumi.api import Application, create_app, prepare
from xumi.kernel import log
from xumi.kernel.config import Settings
from xumi.kernel.testing.client import running
from xumi.kernel.testing.postgres import PostgresServer

RESULTS = Path(__file__).parent / "results"
ROUNDS, REQUESTS = 40, 100
FILES = {
    "__init__": "from xumi.kernel import Module\nMODULE = Module(name='till', title_en='Till', title_zh='收银')\n",
    "models": """from sqlalchemy.orm import Mapped
from xumi.kernel import ModelBase
class Order(ModelBase):
    __tablename__ = "till_order"
    number: Mapped[int]
""",
    "events": """from xumi.kernel import Event
class OrderChanged(Event):
    name = "till.order_changed"
    aggregate = "order_id"
    order_id: str
    number: int
""",
    "consumers": """from modules.till.events import OrderChanged
from xumi.kernel import consumer
@consumer(OrderChanged)
async def note(session, event): ...
""",
    "api": """from sqlalchemy import select
from modules.till.events import OrderChanged
from modules.till.models import Order
from xumi.kernel import Session, get_router, publish
from xumi.kernel.schema import InputSchema
router = get_router()
class Change(InputSchema):
    by: int
async def change_order(session, order_id, by):
    order = await session.scalar(select(Order).where(Order.id == order_id).with_for_update())
    order.number += by
    return order.number
@router.post("/{order_id}/silently", public=True)
async def change_silently(session: Session, order_id: str, body: Change) -> int:
    return await change_order(session, order_id, body.by)
@router.post("/{order_id}", public=True)
async def change(session: Session, order_id: str, body: Change) -> int:
    number = await change_order(session, order_id, body.by)
    publish(OrderChanged(order_id=order_id, number=number))
    return number
""",
}
BODY = b'{"by": 1}'


def _discard(nowhere: int, line: bytes) -> None:
    os.write(nowhere, line)


async def send(app: Application, path: str) -> None:
    """One request as a server would hand it over."""
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 5000),
        "state": {},
    }
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def answer(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(scope, receive, answer)
    if status != 200:
        raise RuntimeError(f"{path} answered {status}")


async def cost(app: Application, ways: dict[str, str]) -> dict[str, float]:
    """Microseconds of CPU for one request of each way, over a round in which they take turns."""
    seconds = dict.fromkeys(ways, 0.0)
    order = list(ways)
    for _ in range(REQUESTS):
        for way in order:
            before = time.process_time()
            await send(app, ways[way])
            seconds[way] += time.process_time() - before
        order.reverse()
    return {way: spent / REQUESTS * 1e6 for way, spent in seconds.items()}


async def run(name: str, url: str) -> None:
    """Measure and print one line."""
    values = {"app_env": "test", "database_url": url, "worker_enabled": False, "rate_limit_enabled": False}
    app = create_app(Settings.model_validate(values))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    log.set_output("WARNING", "json", partial(_discard, nowhere))
    await prepare(app)
    async with app.resources.database.sessions.begin() as session:
        await session.execute(text("CREATE TABLE till_order (id VARCHAR(26) PRIMARY KEY, number BIGINT)"))
        await session.execute(text("INSERT INTO till_order VALUES ('order1', 0)"))
    async with running(app):
        # As in a server whose own relay listens: no other process is told.
        app.resources.notifier.start()
        ways = {"without": "/api/v1/till/order1/silently", "with": "/api/v1/till/order1"}
        await cost(app, ways)
        rounds = [await cost(app, ways) for _ in range(ROUNDS)]
        await app.resources.notifier.close()
    middle = {way: statistics.median(found[way] for found in rounds) for way in ways}
    ratio = statistics.median(found["with"] / found["without"] for found in rounds)
    figures = {way: round(found, 1) for way, found in middle.items()} | {"ratio": round(ratio, 3)}
    document = {"machine": describe_machine(), "versions": describe_versions(), "microseconds": figures}
    path = RESULTS / f"publishing-{name}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(
        f"{name:<10}  without {middle['without']:6.0f} µs  with {middle['with']:6.0f} µs  ratio {ratio:.3f}",
        flush=True,
    )


def main() -> None:
    """Both databases, one after the other."""
    with tempfile.TemporaryDirectory(prefix="xumi-bench-") as folder:
        till = Path(folder, "modules", "till")
        till.mkdir(parents=True)
        for name, source in FILES.items():
            (till / f"{name}.py").write_text(source, encoding="utf-8")
        os.chdir(folder)
        sys.path.insert(0, folder)
        uvloop.run(run("sqlite", f"sqlite:///{Path(folder, 'events.db')}"))
        with PostgresServer() as server:
            uvloop.run(run("postgresql", server.create_database("events")))


if __name__ == "__main__":
    main()
