"""Addresses belong to who made them, and who has some has exactly one main one."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.modules.account.conftest import Person, SignIn
from xumi.api import Application
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import APIException
from xumi.kernel.testing.contention import contend
from xumi.modules.shop.address import service
from xumi.modules.shop.address.models import Address
from xumi.modules.shop.address.schemas import AddressSnapshot

ADDRESSES = "/api/v1/addresses"
PLACE = {
    "name": "王小明",
    "mobile": "13800138000",
    "province": "浙江省",
    "city": "杭州市",
    "district": "西湖区",
    "detail": "文三路 90 号",
}

# Where what is tested does not depend on the database.
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def alice(sign_up: SignIn) -> Person:
    """A customer."""
    return await sign_up("alice")


async def add(person: Person, **more: Any) -> str:
    """A new address; its id."""
    response = await person.client.post(ADDRESSES, json=PLACE | more)
    assert response.status_code == 201, response.text
    made: str = response.json()["data"]
    return made


async def listed(person: Person) -> list[tuple[str, bool]]:
    """The ids as they are listed, and which are main."""
    response = await person.client.get(ADDRESSES)
    assert response.status_code == 200, response.text
    return [(address["id"], address["main"]) for address in response.json()["data"]]


async def test_the_first_becomes_main_and_another_one_can(alice: Person) -> None:
    first, second = await add(alice), await add(alice, name="李雷")
    assert await listed(alice) == [(first, True), (second, False)]
    third = await add(alice, main=True)
    assert await listed(alice) == [(third, True), (second, False), (first, False)]
    answer = await alice.client.put(f"{ADDRESSES}/{first}", json=PLACE | {"city": "宁波市", "main": True})
    assert answer.status_code == 204
    assert await listed(alice) == [(first, True), (third, False), (second, False)]
    # Who has addresses has a main one: it cannot be given up, only passed on.
    assert (await alice.client.put(f"{ADDRESSES}/{first}", json=PLACE)).status_code == 204
    assert await listed(alice) == [(first, True), (third, False), (second, False)]
    read = (await alice.client.get(f"{ADDRESSES}/{first}")).json()["data"]
    assert {name: read[name] for name in PLACE} == PLACE
    assert read["main"] is True


async def test_after_the_main_one_the_newest_becomes_main(alice: Person) -> None:
    first, second, third = await add(alice), await add(alice), await add(alice)
    assert (await alice.client.delete(f"{ADDRESSES}/{first}")).status_code == 204
    assert await listed(alice) == [(third, True), (second, False)]
    assert (await alice.client.delete(f"{ADDRESSES}/{second}")).status_code == 204
    assert await listed(alice) == [(third, True)]
    assert (await alice.client.delete(f"{ADDRESSES}/{third}")).status_code == 204
    assert await listed(alice) == []


async def test_others_do_not_see_it(app: Application, alice: Person, sign_up: SignIn) -> None:
    bob, address = await sign_up("bob"), await add(alice)
    path = f"{ADDRESSES}/{address}"
    answers = [
        await bob.client.get(path),
        await bob.client.put(path, json=PLACE),
        await bob.client.delete(path),
    ]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert await listed(bob) == []
    with app.resources.context("test"):
        async with unit_of_work():
            found = await service.get_address(alice.id, address)
            assert AddressSnapshot.model_validate(found).model_dump() == PLACE
            with pytest.raises(APIException, match="NOT_FOUND"):
                await service.get_address(bob.id, address)


async def test_a_request_that_is_repeated_adds_one(alice: Person) -> None:
    headers = {"Idempotency-Key": "the-first"}
    answers = [await alice.client.post(ADDRESSES, json=PLACE, headers=headers) for _ in range(3)]
    assert {answer.json()["data"] for answer in answers} == {(await listed(alice))[0][0]}
    assert len(await listed(alice)) == 1


async def test_many_at_once_leave_one_main(app: Application, alice: Person) -> None:
    answers: list[httpx.Response] = (
        await contend(25, lambda: alice.client.post(ADDRESSES, json=PLACE | {"main": True}))
    ).results
    assert sorted(answer.status_code for answer in answers) == [201] * 20 + [409] * 5
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {40975}
    known = [address for address, _ in await listed(alice)]
    waiting = iter(known)
    changes = await contend(
        6, lambda: alice.client.put(f"{ADDRESSES}/{next(waiting)}", json=PLACE | {"main": True})
    )
    assert [answer.status_code for answer in changes.results] == [204] * 6
    waiting = iter(known[:3] + known[3:6])
    deletions = await contend(6, lambda: alice.client.delete(f"{ADDRESSES}/{next(waiting)}"))
    assert [answer.status_code for answer in deletions.results] == [204] * 6
    async with app.resources.database.sessions() as session:
        mains = (await session.scalars(select(Address.main).where(Address.user_id == alice.id))).all()
    assert sorted(mains, key=bool) == [None] * 13 + [True]


@one_database
@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("13800138000", "13800138000"),
        ("+86 138-0013-8000", "13800138000"),
        ("0086 138 0013 8000", "13800138000"),
        ("+44 (7911) 123456", "+447911123456"),
    ],
)
async def test_a_number_is_kept_in_one_form(alice: Person, written: str, kept: str) -> None:
    address = await add(alice, mobile=written, name="  Li \u3000 Lei ")
    read = (await alice.client.get(f"{ADDRESSES}/{address}")).json()["data"]
    assert (read["mobile"], read["name"]) == (kept, "Li Lei")


@one_database
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mobile", "12800138000"),
        ("mobile", "1380013800"),
        ("mobile", "+861380013800"),
        ("mobile", "１３８００１３８０００"),
        ("mobile", "call me"),
        ("name", "   "),
        ("name", "x" * 65),
        ("name", "a\u202eb"),
        ("city", "x" * 33),
        ("detail", "x" * 201),
        ("detail", "\x07"),
        ("user_id", "somebody"),
    ],
)
async def test_what_is_no_address_is_refused(alice: Person, field: str, value: str) -> None:
    answer = await alice.client.post(ADDRESSES, json=PLACE | {field: value})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
