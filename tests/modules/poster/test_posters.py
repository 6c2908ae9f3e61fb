"""The sample feature: posters are put up by those who have signed in, and read by them."""

import httpx


async def test_a_poster_is_put_up_and_listed(user: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    response = await user.post("/poster/add", json={"title": "Hello", "content": "World"})
    assert response.status_code == 201
    new_id = response.json()["data"]
    page = (await admin.get("/poster/list")).json()["data"]
    assert (page["page"], page["size"], page["total"]) == (1, 10, 1)
    (poster,) = page["items"]
    facts = {name: poster[name] for name in ("id", "title", "content", "author")}
    assert facts == {"id": new_id, "title": "Hello", "content": "World", "author": "somebody"}


async def test_posters_are_paged_and_sorted(user: httpx.AsyncClient) -> None:
    for title in ("b", "c", "a"):
        await user.post("/poster/add", json={"title": title, "content": "x"})

    async def titles(**query: object) -> list[str]:
        page = (await user.get("/poster/list", params=query)).json()["data"]  # type: ignore[arg-type]
        return [item["title"] for item in page["items"]]

    assert await titles(sort="title") == ["a", "b", "c"]
    assert await titles(sort="-title", size=2) == ["c", "b"]
    assert await titles(sort="-title", size=2, page=2) == ["a"]


async def test_a_poster_needs_a_title_and_a_content(user: httpx.AsyncClient) -> None:
    for body, field in (
        ({"content": "x"}, "title"),
        ({"title": "", "content": "x"}, "title"),
        ({"title": "x"}, "content"),
    ):
        response = await user.post("/poster/add", json=body)
        assert response.status_code == 422
        assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_nobody_reads_or_writes_without_signing_in(client: httpx.AsyncClient) -> None:
    assert (await client.get("/poster/list")).status_code == 401
    assert (await client.post("/poster/add", json={"title": "x", "content": "y"})).status_code == 401
