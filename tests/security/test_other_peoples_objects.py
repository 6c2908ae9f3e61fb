"""An id of somebody else's, in every place where a route takes one: what is his does not exist for others.

The one who asks holds the route's permission like the owner does, so that nothing but the ownership is in question.
"""

from typing import Any

import httpx
import pytest

from tests.security.calls import UNKNOWN_ID, Routes
from tests.security.declared import OBJECTS
from tests.security.rows import find_changes
from tests.security.world import World
from xumi.kernel.http.router import Route

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Whose a row is, the database decides."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def facts(answer: httpx.Response, *ids: str) -> tuple[Any, ...]:
    """What an answer tells, without the ids that were asked for and the request's own."""
    text = answer.text.replace(answer.headers["X-Request-ID"], "<request>")
    for id_ in ids:
        text = text.replace(id_, "<id>")
    return answer.status_code, text, sorted(answer.headers)


def owned(routes: Routes) -> list[tuple[Route, str, str]]:
    """Each parameter that names an object which belongs to somebody."""
    return [
        (route, place, name)
        for route in routes.all
        for place, name in routes.parameters(route)
        if not routes.find_object(route, place, name)[1].shared
    ]


async def test_what_belongs_to_somebody_else_does_not_exist(world: World, routes: Routes) -> None:
    wrong = []
    for route, place, name in owned(routes):
        permission = route.policy.permission
        assert permission is not None, f"{route.label} is public: nobody's own objects can be behind it"
        before = world.rows()
        id_ = world.ids[routes.find_object(route, place, name)[0]]
        answers = {}
        for who, others in (("other", {}), ("other, unknown", {name: UNKNOWN_ID}), ("owner", {})):
            world.grant("user", permission)
            answers[who] = await world.send(routes.build(route, others), who.partition(",")[0])
            if who != "owner":
                changes = find_changes(before, world.rows())
                assert not changes, f"{route.label} as {who} wrote {changes}"
            world.reset()
        stranger, unknown = (facts(answers[who], id_, UNKNOWN_ID) for who in ("other", "other, unknown"))
        if stranger != unknown or (place == "path" and stranger[0] != 404):
            wrong.append(f"{route.label}: {name} of somebody else: {stranger}; of nobody: {unknown}")
        if answers["owner"].status_code >= 300 or facts(answers["owner"], id_) == stranger:
            wrong.append(f"{route.label}: {name} of his own: {answers['owner'].text}")
    assert not wrong, "\n".join(wrong)
    assert len(owned(routes)) >= 4


async def test_no_list_shows_what_is_somebody_elses(world: World, routes: Routes) -> None:
    """What every user may read without naming an object holds nothing that only the owner may see."""
    private = {world.people["owner"].session_id, "owner@example.com", world.people["owner"].refresh_token}
    private |= {world.ids[key] for key, found in OBJECTS.items() if not found.shared and key in world.ids} - {
        world.people["owner"].id
    }
    seen: dict[str, set[str]] = {"owner": set(), "other": set()}
    for route in routes.all:
        if route.methods != {"GET"} or "{" in route.path or route.path == "/auth/refresh":
            continue
        for who, found in seen.items():
            text = (await world.send(routes.build(route), who)).text
            found |= {f"{route.label}: {secret}" for secret in private if secret in text}
    assert seen["other"] == set()
    assert seen["owner"], "the owner sees his own in no list: this test looks at nothing"
