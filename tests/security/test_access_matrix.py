"""Every route × {anonymous, user, owner, other user, clerk, administrator}: real answers, against a reviewed file."""

import textwrap

import httpx
import pytest

from tests.security import matrix
from tests.security.calls import UNKNOWN_ID, Routes
from tests.security.matrix import CALLERS, Matrix
from tests.security.world import CLERK, World
from xumi.kernel.http.router import Route

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

NOTE = f"""Who may call what, reviewed: the status that each caller gets. Written by
{matrix.WRITE}
Where a route takes an id, `user` names one that does not exist and all others name the owner's.
Deals are a sample under a data scope (tests/modules/organization/deal.py): users reach their own, the clerk those of one
department, in which the deal is that is named. `user` has confirmed an authenticator app, the others have begun to set one up.
The clerk holds:
{textwrap.fill(" ".join(CLERK), 126)}"""

# Routes that nobody gets through here, and why.
NOBODY: dict[str, str] = {}


async def call(world: World, routes: Routes, route: Route, who: str) -> httpx.Response:
    """Call a route as one of the people, in the world as it was at the beginning."""
    others = {name: UNKNOWN_ID for _, name in routes.parameters(route)} if who == "user" else {}
    answer = await world.send(routes.build(route, others), who)
    world.reset()
    return answer


async def find_matrix(world: World, routes: Routes) -> Matrix:
    """What everybody really gets."""
    found = {}
    for route in routes.all:
        answers = [await call(world, routes, route, who) for who in CALLERS]
        found[matrix.describe(route)] = tuple(str(answer.status_code) for answer in answers)
    return found


async def test_everybody_gets_what_was_reviewed(
    world: World, routes: Routes, request: pytest.FixtureRequest
) -> None:
    found = await find_matrix(world, routes)
    if request.config.getoption("--write-matrix", default=False):
        matrix.FILE.write_text(matrix.render(found, NOTE))
    wrong = matrix.explain(matrix.read(), found)
    assert not wrong, "\n".join([f"{len(wrong)} wrong; {matrix.WRITE} writes them all:", *wrong])


def test_no_route_is_closed_to_those_who_hold_its_permission() -> None:
    """Otherwise a line says nothing: the request never came to the handler."""
    closed = []
    for key, statuses in matrix.read().items():
        if not any(status.startswith(("2", "3")) for status in statuses) and key not in NOBODY:
            closed.append(f"{key} {' '.join(statuses)}")
        assert not any(status.startswith("5") for status in statuses), key
    assert not closed, "give these routes input that is good, in tests/security/declared.py: " + "; ".join(
        closed
    )


def test_only_public_routes_answer_those_who_have_not_signed_in() -> None:
    for key, statuses in matrix.read().items():
        assert statuses[0] == "401" or key.endswith(" public"), key


def test_the_file_is_as_it_is_written() -> None:
    assert matrix.FILE.read_text() == matrix.render(matrix.read(), NOTE)


def test_a_new_route_and_a_changed_answer_are_told() -> None:
    reviewed = {"GET /a a:read": ("401", "200"), "GET /b public": ("200", "200")}
    found = {"GET /a a:read": ("401", "403"), "GET /c c:read": ("401", "403")}
    assert matrix.explain(reviewed, found) == [
        "GET /a a:read: user gets 403, reviewed was 200",
        "GET /b public: there is no such route any more; take its line out",
        "GET /c c:read: has no line; if these answers are right, add: GET /c c:read 401 403",
    ]
