"""What the attacks are told about routes is complete, and holds nothing that is gone."""

import pytest

from tests.security.calls import Routes
from tests.security.declared import OBJECTS

pytestmark = pytest.mark.anyio


async def test_a_route_with_an_id_of_which_nothing_is_declared_is_told(
    routes: Routes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(OBJECTS, "/auth/sessions/{session_id}")
    monkeypatch.delitem(OBJECTS, "DELETE /api/v1/users ids")
    with pytest.raises(LookupError, match=r'Add to OBJECTS: "DELETE /api/v1/users ids": Object\('):
        await routes.make_objects()
    monkeypatch.setitem(OBJECTS, "DELETE /api/v1/users ids", OBJECTS["/api/v1/users/{user_id}"])
    with pytest.raises(LookupError, match=r'Add to OBJECTS: "/auth/sessions/{session_id}": Object\('):
        await routes.make_objects()


async def test_every_declaration_is_used(routes: Routes) -> None:
    used = {
        routes.find_object(route, place, name)[0]
        for route in routes.all
        for place, name in routes.parameters(route)
    }
    assert set(OBJECTS) == used
