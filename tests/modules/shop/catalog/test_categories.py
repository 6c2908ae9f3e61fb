"""The tree of categories."""

import asyncio

import httpx

from tests.modules.shop.catalog.conftest import ONE, Make, send

PATH = "/shop/categories"


async def make_category(
    admin: httpx.AsyncClient, name: str, parent_id: str | None = None, **values: object
) -> str:
    body = {"name": name, "parent_id": parent_id} | values
    made: str = await send(admin, "POST", PATH, body, 201)
    return made


async def test_customers_see_the_tree_in_order(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    cups = await make_category(admin, "Cups", order=2)
    tea = await make_category(admin, "Tea", order=1, picture="/tea.webp")
    green = await make_category(admin, "Green tea", tea)
    hidden = await make_category(admin, "Hidden", tea, hidden=True)
    await make_category(admin, "Below hidden", hidden)
    nothing: list[object] = []
    tree = [
        {
            "id": tea,
            "name": "Tea",
            "picture": "/tea.webp",
            "children": [{"id": green, "name": "Green tea", "picture": None, "children": nothing}],
        },
        {"id": cups, "name": "Cups", "picture": None, "children": nothing},
    ]
    assert await send(client, "GET", "/categories") == tree
    # What was cached is forgotten with the change.
    await send(admin, "PATCH", f"{PATH}/{tea}", {"picture": None, "name": "Teas"}, 204)
    tree[0] |= {"name": "Teas", "picture": None}
    assert await send(client, "GET", "/categories") == tree
    all_of_it = await send(admin, "GET", PATH)
    assert [node["name"] for node in all_of_it] == ["Teas", "Cups"]
    assert [node["name"] for node in all_of_it[0]["children"]] == ["Green tea", "Hidden"]
    assert all_of_it[0]["children"][1]["children"][0]["name"] == "Below hidden"


@ONE
async def test_no_move_makes_a_circle(admin: httpx.AsyncClient) -> None:
    top = await make_category(admin, "1")
    middle = await make_category(admin, "2", top)
    low = await make_category(admin, "3", middle)
    for wrong in (top, middle, low, "nothing"):
        response = await admin.post(f"/api/v1{PATH}/{top}/move", json={"parent_id": wrong})
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "parent_id")
    await send(admin, "POST", f"{PATH}/{low}/move", {"parent_id": None, "order": 3}, 204)
    moved = await send(admin, "GET", f"{PATH}/{low}")
    assert (moved["parent_id"], moved["order"]) == (None, 3)
    await send(admin, "POST", f"{PATH}/nothing/move", {"parent_id": None}, 404)
    await send(admin, "POST", PATH, {"name": "x", "parent_id": "nothing"}, 422)


async def test_two_moves_at_once_make_no_circle(admin: httpx.AsyncClient) -> None:
    first, second = await make_category(admin, "1"), await make_category(admin, "2")
    answers = await asyncio.gather(
        admin.post(f"/api/v1{PATH}/{first}/move", json={"parent_id": second}),
        admin.post(f"/api/v1{PATH}/{second}/move", json={"parent_id": first}),
    )
    assert sorted(answer.status_code for answer in answers) == [204, 422]
    assert len(await send(admin, "GET", PATH)) == 1


@ONE
async def test_tree_has_a_greatest_depth(admin: httpx.AsyncClient) -> None:
    above = None
    for level in range(8):
        above = await make_category(admin, str(level), above)
    await send(admin, "POST", PATH, {"name": "9", "parent_id": above}, 422)
    pair = await make_category(admin, "pair")
    await make_category(admin, "below", pair)
    await send(admin, "POST", f"{PATH}/{pair}/move", {"parent_id": above}, 422)


async def test_only_an_empty_category_is_deleted(admin: httpx.AsyncClient, make: Make, category: str) -> None:
    below = await make_category(admin, "below", category)
    response = await admin.delete(f"/api/v1{PATH}/{category}")
    assert (response.status_code, response.json()["code"]) == (409, 40985)
    await send(admin, "DELETE", f"{PATH}/{below}", None, 204)
    product = await make()
    await send(admin, "DELETE", f"{PATH}/{category}", None, 409)
    await send(admin, "DELETE", f"/shop/products/{product}", None, 204)
    await send(admin, "DELETE", f"{PATH}/{category}", None, 204)
    for method in ("GET", "DELETE"):
        await send(admin, method, f"{PATH}/{category}", None, 404)
    await send(admin, "PATCH", f"{PATH}/{category}", {"name": "x"}, 404)
