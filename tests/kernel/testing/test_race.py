"""`race` makes a lost update happen each time, and says so when nothing raced."""

import math
from types import SimpleNamespace
from typing import Any

import pytest

from tests.kernel.testing import conftest
from tests.kernel.testing.conftest import Seat
from xumi.kernel.testing import race


async def test_a_lost_update_happens_each_time(seat: Seat) -> None:
    async def somebody_else() -> None:
        assert await seat.check_and_take()

    with race.before((seat, "take"), somebody_else):
        assert await seat.check_and_take()
    assert (await seat.read(), await seat.read("sold")) == (0, 2)
    assert not await seat.check_and_take()


async def test_a_write_that_checks_is_not_overtaken(seat: Seat) -> None:
    async def somebody_else() -> None:
        assert await seat.take_if_free()

    with race.before((Seat, "take_if_free"), somebody_else):
        assert not await seat.take_if_free()
    assert await seat.read("sold") == 1


class Shop:
    """Every kind of target."""

    said: list[str] = []  # noqa: RUF012

    async def order(self, what: str) -> str:
        self.said.append(f"order {what}")
        return what

    def count(self) -> int:
        self.said.append("count")
        return len(self.said)

    @staticmethod
    def price(what: str) -> int:
        Shop.said.append(f"price {what}")
        return len(what)

    @classmethod
    async def close(cls) -> str:
        cls.said.append("close")
        return cls.__name__

    async def fail(self) -> None:
        raise LookupError


@pytest.fixture
def shop() -> Shop:
    Shop.said = []
    return Shop()


def other() -> None:
    Shop.said.append("other")


async def other_async() -> None:
    Shop.said.append("other")


PATH = f"{__name__}.Shop"


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [("order", ("tea",), "tea"), ("count", (), 2), ("price", ("tea",), 3), ("close", (), "Shop")],
)
@pytest.mark.parametrize("is_after", [False, True])
async def test_the_other_work_is_done_before_or_after(
    shop: Shop, name: str, arguments: tuple[str, ...], result: object, is_after: bool
) -> None:
    own = vars(Shop)[name]
    interleave = race.after if is_after else race.before
    with interleave((Shop, name), other):
        got: Any = getattr(shop, name)(*arguments)
        got = await got if name in ("order", "close") else got
        assert vars(Shop)[name] is own
    assert got == (result if not (is_after and name == "count") else 1)
    target = " ".join((name, *arguments))
    assert shop.said == ([target, "other"] if is_after else ["other", target])


async def test_the_nth_call_is_the_one(shop: Shop) -> None:
    with race.after((shop, "order"), other_async, nth=2):
        for what in ("tea", "milk", "salt"):
            assert await shop.order(what) == what
    assert shop.said == ["order tea", "order milk", "other", "order salt"]
    assert vars(shop) == {}


def test_a_path_names_a_function_of_a_module() -> None:
    seen: list[int] = []
    with race.before("math.sqrt", lambda: seen.append(1)):
        assert math.sqrt(9) == 3
    assert seen == [1]


async def order_once(shop: Shop) -> None:
    """A block in which two calls are awaited and one comes."""
    with race.before((Shop, "order"), other, nth=2):
        await shop.order("tea")


async def test_what_was_not_reached_is_told_and_put_back(shop: Shop) -> None:
    own = vars(Shop)["order"]
    with pytest.raises(race.NotReached, match="was called 1 times and not 2"):
        await order_once(shop)
    assert vars(Shop)["order"] is own
    assert shop.said == ["order tea"]


async def test_an_error_of_the_block_is_not_hidden(shop: Shop) -> None:
    with pytest.raises(LookupError), race.after((shop, "count"), other):
        raise LookupError
    assert vars(shop) == {}


async def test_after_a_call_that_fails_nothing_else_is_done(shop: Shop) -> None:
    with pytest.raises(LookupError), race.after((shop, "fail"), other):
        await shop.fail()
    assert shop.said == []


def test_what_cannot_be_a_target_is_refused(shop: Shop) -> None:
    box = SimpleNamespace(number=3)
    with pytest.raises(TypeError, match="cannot be called"), race.before((box, "number"), other):
        pass
    with pytest.raises(TypeError, match="no coroutine function"), race.before((shop, "count"), other_async):
        pass
    with pytest.raises(AttributeError), race.before(f"{conftest.__name__}.Seat.give_away", other):
        pass
