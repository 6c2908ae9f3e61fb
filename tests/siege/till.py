"""A project with a feature `till`, whose consumer notes each event in a table, and what was noted in the end."""

from pathlib import Path

INIT = """from xumi.kernel import Module

MODULE = Module(name="till", title_en="Till", title_zh="收银")
"""
MODELS = '''from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column
from xumi.kernel import ModelBase


class Order(ModelBase):
    __tablename__ = "till_order"
    number: Mapped[int]


class Effect(ModelBase):
    """No key keeps an effect from happening twice: this is counted."""

    __tablename__ = "till_effect"
    order_id: Mapped[str] = mapped_column(String(26))
    number: Mapped[int]
    sent_at: Mapped[float]
    seen_at: Mapped[float]
    turn: Mapped[int]
'''
EVENTS = """from xumi.kernel import Event


class OrderChanged(Event):
    name = "till.order_changed"
    aggregate = "order_id"

    order_id: str
    number: int
    sent_at: float
"""
CONSUMERS = """import time
from modules.till.events import OrderChanged
from modules.till.models import Effect
from xumi.kernel import consumer


@consumer(OrderChanged)
async def note(session, event):
    now = time.time()
    session.add(
        Effect(order_id=event.order_id, number=event.number, sent_at=event.sent_at, seen_at=now, turn=time.time_ns())
    )
"""
API = '''import time
from sqlalchemy import select
from modules.till.events import OrderChanged
from modules.till.models import Order
from xumi.kernel import Session, get_router, publish

router = get_router()


@router.post("/{order_id}", public=True, rate_limit=False)
async def change(session: Session, order_id: str) -> int:
    """Counts one further, and tells."""
    order = await session.scalar(select(Order).where(Order.id == order_id).with_for_update())
    order.number += 1
    publish(OrderChanged(order_id=order_id, number=order.number, sent_at=time.time()))
    return order.number


@router.post("/{order_id}/silently", public=True, rate_limit=False)
async def change_silently(session: Session, order_id: str) -> int:
    """The same without an event."""
    order = await session.scalar(select(Order).where(Order.id == order_id).with_for_update())
    order.number += 1
    return order.number
'''
FILES = {
    "__init__": INIT,
    "models": MODELS,
    "events": EVENTS,
    "consumers": CONSUMERS,
    "api": API,
}


def write_till(directory: Path) -> None:
    """Put the feature into a project."""
    folder = directory / "modules" / "till"
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / f"{name}.py").write_text(text)
    (directory / "publish.py").write_text(PUBLISHER)


# `python publish.py COUNT PER_SECOND`: events about ten orders, one transaction each; PER_SECOND 0: a thousand in each.
PUBLISHER = """import asyncio, sys, time
from xumi.kernel.config import load, use
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.modules import discover
from xumi.kernel.resources import Resources


async def main(count, per_second):
    settings = load().settings
    use(settings)
    discover(settings.modules)
    from modules.till.events import OrderChanged
    from xumi.kernel import publish

    resources = Resources(settings.model_copy(update={"worker_enabled": False}))
    numbers = dict.fromkeys(range(10), 0)

    def tell(index):
        key = index % 10
        numbers[key] += 1
        publish(OrderChanged(order_id=f"order{key}", number=numbers[key], sent_at=time.time()))

    # A machine that is too slow for the rate falls behind it; the record tells the rate that was reached.
    turns = asyncio.Semaphore(4)

    async def tell_in_transaction(indexes):
        async with turns, unit_of_work():
            for index in indexes:
                tell(index)

    with resources.context("publisher"):
        begun = time.monotonic()
        size = 1 if per_second else 1000
        running = []
        for start in range(0, count, size):
            # Beside each other, so that a slow commit does not slow the stream.
            with resources.context("publisher"):
                running.append(asyncio.create_task(tell_in_transaction(range(start, min(start + size, count)))))
            if per_second:
                await asyncio.sleep(max(0, begun + (start + 1) / per_second - time.monotonic()))
            else:
                await running[-1]
        await asyncio.gather(*running)
        print(time.monotonic() - begun)
    await resources.database.close()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
"""
