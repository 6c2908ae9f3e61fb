"""How features are found, and what keeps the application from starting."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from xumi.kernel.errors import StartError
from xumi.kernel.http.router import RouteTable
from xumi.kernel.modules import Feature, Permission, declared_permissions, discover

MODULE = "from xumi.kernel.modules import Module\nMODULE = Module(name={name!r}, title_en='T', title_zh='T'{more})\n"
API = "from xumi.kernel import get_router\nrouter = get_router()\n@router.get('/x', {access})\nasync def get_x() -> str:\n    return 'x'\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project's directory with an empty `modules/`; its packages are forgotten afterwards."""
    (tmp_path / "modules").mkdir()
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in [name for name in sys.modules if name.split(".")[0] == "modules"]:
        del sys.modules[name]


def add(project: Path, name: str, *, more: str = "", access: str | None = None, **files: str) -> Path:
    """Write a feature's folder."""
    folder = project / "modules" / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(MODULE.format(name=name.rpartition("/")[2], more=more))
    if access is not None:
        files["api"] = API.format(access=access)
    for file, text in files.items():
        (folder / f"{file}.py").write_text(text)
    return folder


def found(project: Path) -> list[Feature]:
    return discover([], project)


def test_a_folder_is_a_feature_and_its_routes_hang_below_its_name(project: Path) -> None:
    add(project, "article", access="permission='article:read'")
    (feature,) = found(project)
    assert feature.name == "article"
    assert [(route.path, route.policy.permission, route.feature) for route in feature.routes] == [
        ("/api/v1/article/x", "article:read", "article")
    ]


def test_a_folder_without_a_declaration_is_a_family_of_features(project: Path) -> None:
    (project / "modules" / "shop").mkdir()
    (project / "modules" / "shop" / "__init__.py").write_text("")
    add(project, "shop/cart", access="public=True")
    add(project, "shop/order", access="public=True", more=", depends=('cart',)")
    assert [feature.name for feature in found(project)] == ["cart", "order"]
    assert [route.path for route in found(project)[1].routes] == ["/api/v1/order/x"]


def test_a_second_version_is_a_second_file(project: Path) -> None:
    folder = add(project, "article")
    (folder / "api").mkdir()
    (folder / "api" / "__init__.py").write_text("")
    for version in ("v1", "v2"):
        (folder / "api" / f"{version}.py").write_text(API.format(access="public=True"))
    (feature,) = found(project)
    assert sorted(route.path for route in feature.routes) == ["/api/v1/article/x", "/api/v2/article/x"]


def test_features_come_after_those_that_they_depend_on(project: Path) -> None:
    add(project, "a", more=", depends=('c',)")
    add(project, "b")
    add(project, "c", more=", depends=('b',)")
    names = [feature.name for feature in found(project)]
    assert names.index("b") < names.index("c") < names.index("a")


def test_no_modules_folder_is_no_error(tmp_path: Path) -> None:
    assert discover([], tmp_path) == []


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"api": "import nothing_of_this_name\n"}, r"api\.py:1: cannot be imported: ModuleNotFoundError"),
        ({"models": "x = 1\ny = 1 / 0\n"}, r"models\.py:2: cannot be imported: ZeroDivisionError"),
        ({"api": "def broken(:\n"}, r"api\.py:1: cannot be imported: SyntaxError"),
        ({"api": "x = 1\n"}, r"api\.py: define `router = get_router\(\)`"),
        (
            {"api": "from fastapi import APIRouter\nrouter = APIRouter()\n"},
            r"api\.py: define `router = get_router\(\)`",
        ),
        ({"api": API.format(access="tags=['x']")}, r"GET /api/v1/bad/x: declare either permission"),
        (
            {"api": API.format(access="public=True, permission='a:b'")},
            r"GET /api/v1/bad/x: declare either permission",
        ),
        (
            {
                "errors": "from xumi.kernel import APICode, define\nclass E(APICode):\n    X = define(40400, en='', zh='')\n"
            },
            r"40400",
        ),
    ],
)
def test_a_feature_that_cannot_be_loaded_stops_the_start_and_names_the_file(
    project: Path, files: dict[str, str], message: str
) -> None:
    add(project, "bad", **files)
    with pytest.raises(StartError, match=message):
        found(project)


def test_a_declaration_of_another_type_is_refused(project: Path) -> None:
    add(project, "bad")
    (project / "modules" / "bad" / "__init__.py").write_text("MODULE = 'bad'\n")
    with pytest.raises(StartError, match="MODULE must be"):
        found(project)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (", depends=('elsewhere',)", r"depends on \['elsewhere'\]"),
        (", depends=('bad',)", r"in a circle: bad → bad"),
        (", grants={'user': ('nothing:here',)}", r"grants \['nothing:here'\] to role 'user'"),
    ],
)
def test_a_declaration_that_cannot_hold_is_refused(project: Path, more: str, message: str) -> None:
    add(project, "bad", more=more)
    with pytest.raises(StartError, match=message):
        found(project)


def test_two_features_of_one_name_are_refused(project: Path) -> None:
    add(project, "one")
    add(project, "two")
    (project / "modules" / "two" / "__init__.py").write_text(MODULE.format(name="one", more=""))
    with pytest.raises(StartError, match=r"Feature .one. is in modules\.one and in modules\.two"):
        found(project)


def test_a_permission_belongs_to_one_feature(project: Path) -> None:
    add(project, "one", access="permission='thing:read'")
    add(project, "two", access="permission='thing:read'")
    with pytest.raises(StartError, match="'thing:read' is declared by one and by two"):
        found(project)


def test_two_features_cannot_answer_one_path(project: Path) -> None:
    add(
        project,
        "one",
        api=API.format(access="public=True").replace("get_router()", "get_router(prefix='/same')"),
    )
    add(
        project,
        "two",
        api=API.format(access="public=True").replace("get_router()", "get_router(prefix='/same')"),
    )
    with pytest.raises(StartError, match=r"GET /same/x of two is declared by one already"):
        RouteTable(route for feature in found(project) for route in feature.routes)


def test_a_command_name_belongs_to_one_command(project: Path) -> None:
    command = "from xumi.kernel import Command\nclass {cls}(Command):\n    name = 'same-name'\n    @staticmethod\n    def run(params):\n        pass\n"
    add(project, "one", commands=command.format(cls="A"))
    add(project, "two", commands=command.format(cls="B"))
    with pytest.raises(StartError, match="same-name"):
        found(project)


def test_permissions_have_the_routes_summary_or_the_modules_titles(project: Path) -> None:
    described = API.format(access="permission='article:read'").replace(
        "    return", '    """Read it.\n\n    Slowly.\n    """\n    return'
    )
    add(project, "article", api=described)
    add(project, "plain", access="permission='plain:read'")
    more = ", permissions={'titled:read': ('Read', '读'), 'titled:price': ('Prices', '价格')}, grants={'user': ['titled:price']}"
    add(project, "titled", access="permission='titled:read'", more=more)
    assert declared_permissions(found(project)) == {
        code: Permission(code, feature, english, chinese)
        for code, feature, english, chinese in (
            ("article:read", "article", "Read it", "Read it"),
            ("plain:read", "plain", "GET /api/v1/plain/x", "GET /api/v1/plain/x"),
            ("titled:read", "titled", "Read", "读"),
            ("titled:price", "titled", "Prices", "价格"),
        )
    }


@pytest.mark.parametrize("code", ["article", "Article:read", "article:read,user:list", "*", f"a:{'b' * 127}"])
def test_a_permission_is_written_as_permissions_are(project: Path, code: str) -> None:
    add(project, "article", more=f", permissions={{{code!r}: ('x', 'x')}}")
    with pytest.raises(StartError, match="article:publish"):
        found(project)
    sys.modules.pop("modules.article")
    (project / "modules" / "article" / "__init__.py").write_text(MODULE.format(name="article", more=""))
    (project / "modules" / "article" / "api.py").write_text(API.format(access=f"permission={code!r}"))
    with pytest.raises(StartError, match="article:publish"):
        found(project)
