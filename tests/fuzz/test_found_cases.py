"""What the fuzz has found, and what it cannot know because both ways would be wrong alike."""

from collections import Counter
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tests.fuzz.conftest import Compare
from tests.fuzz.declaration import Shape
from tests.fuzz.parameter_shapes import UUIDS
from tests.fuzz.requests import REQUEST_ID, Sent, good_request
from tests.fuzz.shapes import all_shapes
from tests.fuzz.twins import Outcome, Twins

SHAPES = {f"{shape.method} {shape.path}": shape for shape in all_shapes().all}

# Shapes that no request satisfies, or whose first values ask for another answer than a success.
OTHER_STATUS = {
    "GET /errors": 400,
    "GET /invalid-default": 422,
    "POST /strict-body": 422,
    "GET /redirect": 307,
}

LEFT = {
    "GET /aliases": "either: a parameter with several names",
    "GET /by-name": "filters.first: a parameter with several names",
    "GET /deep": "filters.either: a parameter with several names",
    "GET /defaults": "c: a default that is validated",
    "GET /invalid-default": "n: a default that is validated",
    "GET /optional-model": "filters: a model that may be left out",
    "GET /header-model": "headed: a model of path, header or cookie parameters",
    "POST /several": "several body parameters",
    "POST /embedded": "several body parameters",
    "POST /optional": "a body that may be left out",
    "POST /body-of-dependency": "several body parameters",
    "POST /body-of-both": "a dependency that takes the body",
    "POST /small": "max_body_size; body_limit_bytes does the same",
    "GET /one-at-a-time": "n: a dependency with a limit of its own",
    "GET /yield-in-thread": "n: a dependency that yields in a thread",
    "GET /redirect": "a response class of its own",
    "GET /html": "a response class of its own",
    "GET /html-or-response": "a response class of its own",
    "GET /lines": "the handler streams",
    "GET /raw-lines": "the handler streams",
}


def get(path: str, query: str = "", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Sent:
    return Sent("GET", path, query.encode(), (*headers, REQUEST_ID))


def post(path: str, document: Any, **options: Any) -> Sent:
    return Sent("POST", path, b"", (REQUEST_ID,)).with_body(document, **options)


def data(outcome: Outcome) -> Any:
    return msgspec.json.decode(outcome.body)["data"]


def names(outcome: Outcome) -> list[str]:
    return [name for name, _ in outcome.calls]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_shape_takes_its_own_values(shape: Shape, compare: Compare, twins: Twins) -> None:
    compiled, _ = compare(good_request(shape))
    expected = OTHER_STATUS.get(repr(shape))
    assert compiled.status == expected if expected else compiled.status in range(200, 300)
    if expected != 422:
        assert compiled.on_fastapi == (repr(shape) in twins.compiled.uncompiled)


def test_what_is_left_to_fastapi_is_known(twins: Twins) -> None:
    assert twins.compiled.uncompiled == LEFT


def test_a_request_left_to_fastapi_runs_no_dependency_twice(compare: Compare) -> None:
    bearer = ((b"authorization", b"Bearer abc"),)
    for sent in (
        replace(post("/guarded", {"name": ""}), query=b"n=1"),
        replace(post("/guarded", {"name": "a"}), query=b"n=x"),
        replace(post("/guarded", {"name": "a"}), chunks=(b'{"name":',)),
        get("/depends", "n=1&q=toolong"),
        get("/guarded-bug", "s=boom&n=1", bearer),
    ):
        if sent.method == "POST":
            sent = replace(sent, headers=(*sent.headers, *bearer))
        compiled, _ = compare(sent)
        assert compiled.on_fastapi
        assert max(Counter(names(compiled)).values(), default=0) <= 1


def test_scopes_that_a_dependency_changes_are_its_own(compare: Compare) -> None:
    first, _ = compare(get("/scopes"))
    second, _ = compare(get("/scopes"))
    assert data(first) == data(second)
    assert "spoiled" not in str(data(second))


def test_what_a_shared_dependency_stands_on_runs_again_where_it_is_not_shared(compare: Compare) -> None:
    compiled, _ = compare(get("/shared-parent", "n=1"))
    assert names(compiled) == ["number", "again", "number", "through", "shared_parent"]


@pytest.mark.parametrize("path", ["/swallowing", "/swallowing-early"])
def test_a_dependency_that_hides_an_error_is_a_bug_that_is_told(path: str, compare: Compare) -> None:
    compiled, _ = compare(get(path, "how=bug"))
    assert compiled.status == 500
    assert "hidden" in [line["error"] for line in compiled.logged]


def test_a_client_that_leaves_is_no_bug_of_ours(compare: Compare) -> None:
    compiled, _ = compare(replace(post("/order", {}), chunks=(b"{", b"}"), breaks_off=True))
    assert compiled.status == 400
    assert [line["message"] for line in compiled.logged] == ["request"]


@pytest.mark.parametrize(
    "content_types",
    [[b"text/plain", b"application/json"], [b"text/x+json"], [b"application/json/x", b"application/json"]],
)
def test_the_first_content_type_counts(content_types: list[bytes], compare: Compare) -> None:
    compiled, _ = compare(post("/anything", {"a": 1}, content_types=content_types))
    assert data(compiled) != ["dict", [["str 'a'", "int 1"]]]


@pytest.mark.parametrize(
    ("path", "document", "expected"),
    [
        ("/money", {"total": 1.0}, "Decimal Decimal('1.0')"),
        ("/money", {"total": 1, "part": 0.5}, "Fraction Fraction(1, 2)"),
        ("/strict", {"at": "2020-01-01T10:00:00Z"}, None),
        ("/some-strict", {"on": "2020-01-01"}, None),
        ("/order", {"id": UUIDS[0], "ratio": 10**400}, None),
        ("/strict-body", UUIDS[0], None),
        ("/unions", {"a": "1"}, "str '1'"),
        ("/unions", {"b": "2020-01-01T10:00:00Z"}, "str '2020-01-01T10:00:00Z'"),
        (
            "/unions",
            {"c": UUIDS[0]},
            f"str '{UUIDS[0]}'",
        ),
        ("/texts", {"s": 1e22}, "str '1e+22'"),
        ("/validated", {"mode": "x"}, "str 'python x'"),
    ],
)
def test_a_body_is_read_as_fastapi_reads_it(
    path: str, document: Any, expected: str | None, compare: Compare
) -> None:
    compiled, _ = compare(post(path, document))
    assert compiled.status == (200 if expected else 422)
    assert expected is None or expected in str(data(compiled))


def test_a_body_comes_in_pieces(compare: Compare) -> None:
    whole = post("/order", SHAPES["POST /order"].bodies[0])
    pieces = tuple(whole.chunks[0][place : place + 1] for place in range(len(whole.chunks[0])))
    compiled, _ = compare(replace(whole, chunks=(b"", *pieces, b"")))
    assert compiled.status == 200
    assert not compiled.on_fastapi


def test_a_limit_of_fastapis_own_holds(compare: Compare) -> None:
    compiled, _ = compare(post("/small", {"name": "a" * 10}))
    assert compiled.status == 413


def test_a_validator_with_a_bug_does_not_overtake_the_dependencies(compare: Compare) -> None:
    compiled, _ = compare(get("/guarded-bug", "s=boom"))
    assert (compiled.status, names(compiled)) == (401, ["number"])


def test_a_model_that_devours_its_input_leaves_the_others_theirs(compare: Compare) -> None:
    compiled, _ = compare(get("/two-models", "q=a&x=b"))
    assert not compiled.on_fastapi
    assert "str 'a'" in str(data(compiled)["devouring"])
    assert "str 'a'" in str(data(compiled)["allowing"])


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/annotated-response", (b"x-n", b"0")),
        ("/own-response", (b"x-which", b"declared")),
        ("/decorated-quietly?tint=red", (b"x-tint", b"red")),
        ("/html", (b"content-type", b"text/html; charset=utf-8")),
    ],
)
def test_headers_that_are_set_are_sent(path: str, header: tuple[bytes, bytes], compare: Compare) -> None:
    path, _, query = path.partition("?")
    compiled, _ = compare(get(path, query))
    assert header in compiled.headers


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_content_has_none(status: int, compare: Compare) -> None:
    compiled, _ = compare(get("/status", f"status={status}"))
    assert (compiled.status, compiled.body) == (status, b"")
    assert not {b"content-length", b"content-type"} & {name for name, _ in compiled.headers}


def test_dependencies_are_closed_when_the_deadline_passes(compare: Compare) -> None:
    compiled, _ = compare(get("/endless", "how=wait"))
    assert compiled.status == 504
    assert {"resource closed", "resource"} <= set(names(compiled))
