"""Stock as the staff keeps it."""

import httpx
import pytest

from tests.modules.shop.order.conftest import Shop

pytestmark = pytest.mark.anyio
STOCK = "/api/v1/shop/stock"


async def test_the_lowest_stock_comes_first(shop: Shop, admin: httpx.AsyncClient) -> None:
    many, few, none = [await shop.make_sku(pieces) for pieces in (9, 2, 0)]
    page = (await admin.get(STOCK)).json()["data"]
    assert [(item["sku_id"], item["available"]) for item in page["items"]] == [(none, 0), (few, 2), (many, 9)]
    low = (await admin.get(STOCK, params={"low": True})).json()["data"]["items"]
    assert [item["sku_id"] for item in low] == [none]
    high = (await admin.get(STOCK, params={"low": False, "sort": "-available"})).json()["data"]["items"]
    assert [item["sku_id"] for item in high] == [many, few]
    one = (await admin.get(STOCK, params={"sku_id": few})).json()["data"]["items"]
    assert one == [{"sku_id": few, "available": 2, "reserved": 0, "sold": 0, "low_at": 0}]


async def test_stock_is_adjusted_with_a_reason(
    shop: Shop, admin: httpx.AsyncClient, user: httpx.AsyncClient
) -> None:
    sku = await shop.make_sku(5)
    path = f"{STOCK}/{sku}"
    answer = await admin.post(f"{path}/adjust", json={"change": 7, "reason": "Delivery"})
    assert (answer.status_code, answer.json()["data"]) == (200, 12)
    answer = await admin.post(f"{path}/adjust", json={"change": -12, "reason": "Stolen"})
    assert answer.json()["data"] == 0
    for change in (0, -1):
        refused = await admin.post(f"{path}/adjust", json={"change": change, "reason": "Lost"})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "change")
    assert (await admin.post(f"{path}/adjust", json={"change": 1})).status_code == 422
    assert await shop.stock_of(sku) == (0, 0, 0)

    page = (await admin.get(f"{path}/movements", params={"kind": "adjusted"})).json()["data"]
    assert [(each["available"], each["reason"]) for each in page["items"]] == [
        (-12, "Stolen"),
        (7, "Delivery"),
        (5, None),
    ]
    assert (await admin.get(f"{path}/movements", params={"kind": "sold"})).json()["data"]["items"] == []
    audit = (await admin.get("/api/v1/audit", params={"subject": f"stock:{sku}"})).json()["data"]["items"]
    assert [(entry["before"], entry["after"]) for entry in audit] == [
        ({"available": 12}, {"available": 0, "reason": "Stolen"}),
        ({"available": 5}, {"available": 12, "reason": "Delivery"}),
    ]
    for unknown in (
        await admin.get(f"{STOCK}/nothing/movements"),
        await admin.post(f"{STOCK}/nothing/adjust", json={"change": 1, "reason": "Found"}),
    ):
        assert unknown.status_code == 404
    assert (await user.get(STOCK)).status_code == 403
