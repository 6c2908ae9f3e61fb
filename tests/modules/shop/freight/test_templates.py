"""Freight templates, and what they make sending cost."""

from typing import Any

import httpx
import pytest

from xumi.api import Application
from xumi.kernel.errors import APIException
from xumi.modules.shop.freight import service as freight
from xumi.modules.shop.freight.errors import FreightCode

PATH = "/api/v1/shop/freight-templates"
FAR = {"provinces": ["新疆", "西藏"], "first": 1, "first_fen": 3000, "step": 1, "step_fen": 1500}
ELSEWHERE = {"provinces": [], "first": 2, "first_fen": 800, "step": 3, "step_fen": 200}
TEMPLATE: dict[str, Any] = {
    "name": "Parcel",
    "unit": "piece",
    "free_from_fen": 9900,
    "rules": [FAR, ELSEWHERE],
}


async def make_template(admin: httpx.AsyncClient, **values: object) -> str:
    response = await admin.post(PATH, json=TEMPLATE | values)
    assert response.status_code == 201, response.text
    made: str = response.json()["data"]
    return made


async def test_freight_is_counted_by_templates(app: Application, admin: httpx.AsyncClient) -> None:
    pieces = await make_template(admin)
    grams = await make_template(
        admin,
        name="Freight",
        unit="gram",
        free_from_fen=None,
        rules=[{"provinces": ["浙江"], "first": 1000, "first_fen": 500, "step": 500, "step_fen": 100}],
    )

    async def count(province: str, *parcels: freight.Parcel) -> int:
        with app.resources.context("test"):
            return await freight.count_freight(parcels, province)

    free = freight.Parcel(None, 9, 9, 9)
    two, four = freight.Parcel(pieces, 2, 100, 100), freight.Parcel(pieces, 4, 100, 100)
    heavy = freight.Parcel(grams, 3, 501, 100)
    assert await count("浙江") == 0
    assert await count("浙江", free) == 0
    assert await count("浙江", two) == 800
    # Six pieces of one template: two, and two steps of which one is begun only.
    assert await count("浙江", two, four, free) == 800 + 2 * 200
    assert await count("新疆", two) == 3000 + 1500
    assert await count("浙江", freight.Parcel(pieces, 9, 1, 9900)) == 0
    assert await count("浙江", two, freight.Parcel(pieces, 9, 1, 9800)) == 0
    # 1503 g: the first kilogram, and two steps of which one is begun only.
    assert await count("浙江", heavy) == 500 + 2 * 100
    assert await count("浙江", heavy, two) == 700 + 800
    with pytest.raises(APIException) as raised:
        await count("上海", two, heavy)
    assert raised.value.code is FreightCode.NOT_DELIVERED


async def test_template_is_kept(admin: httpx.AsyncClient) -> None:
    made = await make_template(admin)
    assert (await admin.get(f"{PATH}/{made}")).json()["data"] == TEMPLATE | {"id": made}
    assert (await admin.post(PATH, json=TEMPLATE)).status_code == 409
    changed = TEMPLATE | {"unit": "gram", "free_from_fen": None, "rules": [ELSEWHERE]}
    assert (await admin.put(f"{PATH}/{made}", json=changed)).status_code == 204
    assert (await admin.get(f"{PATH}/{made}")).json()["data"] == changed | {"id": made}
    page = (await admin.get(f"{PATH}?name=parc")).json()["data"]
    assert page["items"] == [{"id": made, "name": "Parcel", "unit": "gram", "free_from_fen": None}]
    assert (await admin.delete(f"{PATH}/{made}")).status_code == 204
    for method, body in (("GET", None), ("PUT", TEMPLATE), ("DELETE", None)):
        response = await admin.request(method, f"{PATH}/{made}", json=body)
        assert response.status_code == 404


async def test_template_of_a_product_stays(admin: httpx.AsyncClient) -> None:
    made = await make_template(admin)
    category = (await admin.post("/api/v1/shop/categories", json={"name": "Tea"})).json()["data"]
    product = {"code": "cup", "name": "Cup", "category_id": category, "freight_template_id": made}
    assert (await admin.post("/api/v1/shop/products", json=product)).status_code == 201
    response = await admin.delete(f"{PATH}/{made}")
    assert (response.status_code, response.json()["code"]) == (409, 40902)


WRONG_RULES: list[tuple[str, list[Any]]] = [
    ("rules.1.provinces", [ELSEWHERE, ELSEWHERE]),
    ("rules.1.provinces", [FAR, FAR]),
    ("rules.0.provinces", [FAR | {"provinces": ["新疆", "新疆"]}]),
    ("rules.0.step", [FAR | {"step": 0}]),
    ("rules.0.first_fen", [FAR | {"first_fen": -1}]),
    ("rules.0.provinces.0", [FAR | {"provinces": [""]}]),
    ("rules", []),
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_wrong_rules_are_named(admin: httpx.AsyncClient) -> None:
    for field, rules in WRONG_RULES:
        response = await admin.post(PATH, json=TEMPLATE | {"rules": rules})
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field), rules
