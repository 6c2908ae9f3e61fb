"""Fields that need a permission: absent wherever they are sent, and of no use in sorting and filtering."""

from collections.abc import AsyncIterator
from io import BytesIO
from typing import Annotated, Any
from zipfile import ZipFile

import httpx
import msgspec
import pytest
from fastapi import Query
from sqlalchemy import MetaData, String, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from xumi.api import Application
from xumi.kernel.auth.field import NeedsPermission
from xumi.kernel.config import Settings
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.model import NAMING_CONVENTION, ModelBase
from xumi.kernel.db.query import PaginateRequest, PaginateResponse, paginate_query
from xumi.kernel.db.read import get_one
from xumi.kernel.db.session import Session
from xumi.kernel.errors import StartError
from xumi.kernel.http.router import Router, get_router
from xumi.kernel.modules import Feature, Module, discover
from xumi.kernel.schema import SchemaBase
from xumi.kernel.testing.client import running

pytestmark = pytest.mark.anyio

router = get_router(prefix="/api/v1/employees")
SALARY = NeedsPermission("employee:salary")


class StaffBase(ModelBase):
    """Base of these tables; their metadata is their own."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Employee(StaffBase):
    """Somebody who works here."""

    __tablename__ = "t_employee"

    name: Mapped[str] = mapped_column(String(20))
    salary: Mapped[int]
    bonus: Mapped[int | None]


class EmployeeOut(SchemaBase):
    """An employee; what he earns is for those who may know."""

    name: str
    salary: Annotated[int, SALARY]
    bonus: Annotated[int | None, SALARY] = None


class Team(SchemaBase):
    """A leader and others."""

    leader: EmployeeOut
    others: list[EmployeeOut]
    by_name: dict[str, EmployeeOut]


class EmployeeQuery(PaginateRequest):
    """Which employees are wanted."""

    name: str | None = None
    salary: Annotated[int | None, SALARY] = None


_SORTABLE = {"name": Employee.name, "salary": Employee.salary, "earns": Employee.salary}


@router.get("", permission="employee:list")
async def list_employees(query: Annotated[EmployeeQuery, Query()]) -> PaginateResponse[EmployeeOut]:
    """A page of employees."""
    filters = {Employee.name: FilterTypeEnum.Equals, Employee.salary: FilterTypeEnum.Equals}
    statement = add_filters(select(Employee), query, filters)
    return await paginate_query(statement, query, EmployeeOut, sortable=_SORTABLE, default_sort="salary")


@router.get("/one", permission="employee:list")
async def get_employee() -> EmployeeOut:
    """One, by a compiled read."""
    return await get_one(select(Employee).where(Employee.name == "ann"), EmployeeOut)


@router.get("/entity", permission="employee:list", response_model=EmployeeOut)
async def get_entity(session: Session) -> Employee:
    """One, as the session loads it."""
    return (await session.scalars(select(Employee).where(Employee.name == "ann"))).one()


@router.get("/team", permission="employee:list")
async def get_team() -> Team:
    """Some, inside something else."""
    ann, bob = EmployeeOut(name="ann", salary=1, bonus=2), EmployeeOut(name="bob", salary=3)
    return Team(leader=ann, others=[bob], by_name={"ann": ann})


@router.get("/open", public=True)
async def get_openly() -> EmployeeOut:
    """One, for anybody."""
    return EmployeeOut(name="ann", salary=1)


MODULE = Module(
    name="employee",
    title_en="Employees",
    title_zh="员工",
    permissions={"employee:salary": ("See salaries", "查看薪资")},
    grants={"user": ("employee:list",)},
)


@pytest.fixture(params=[True, False], ids=["compiled", "fastapi"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """Routes run compiled, and on FastAPI's own path."""
    return settings.model_copy(update={"compile_routes": request.param})


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is sent does not depend on the database: one kind is enough."""
    return sqlite_url


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Application]:
    """The application with employees in it."""
    application = Application(settings, [*discover(settings.modules), Feature(MODULE, __name__, [router])])
    rows = [{"name": "ann", "salary": 9, "bonus": None}, {"name": "bob", "salary": 5, "bonus": 1}]
    async with running(application):
        async with application.resources.database.engine.begin() as connection:
            await connection.run_sync(StaffBase.metadata.create_all)
            await connection.execute(insert(Employee), rows)
        yield application


URL = "/api/v1/employees"
ANN, BOB = {"name": "ann", "salary": 9, "bonus": None}, {"name": "bob", "salary": 5, "bonus": 1}


async def read(client: httpx.AsyncClient, path: str = "", **query: Any) -> Any:
    """The data of an answer."""
    response = await client.get(f"{URL}{path}", params=query)
    assert response.status_code == 200, response.text
    return response.json()["data"]


async def test_who_may_know_sees_the_fields(admin: httpx.AsyncClient) -> None:
    assert (await read(admin))["items"] == [BOB, ANN]
    assert (await read(admin, sort="-salary"))["items"] == [ANN, BOB]
    assert (await read(admin, salary=9))["items"] == [ANN]
    assert await read(admin, "/one") == await read(admin, "/entity") == ANN
    team = await read(admin, "/team")
    assert team["leader"] == team["by_name"]["ann"] == {"name": "ann", "salary": 1, "bonus": 2}
    assert (await admin.get(URL, params={"export": "csv"})).text.splitlines()[1:] == ["bob,5,1", "ann,9,"]


async def test_for_others_they_are_absent(user: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    assert sorted(item["name"] for item in (await read(user))["items"]) == ["ann", "bob"]
    assert all(item.keys() == {"name"} for item in (await read(user))["items"])
    assert await read(user, "/one") == await read(user, "/entity") == {"name": "ann"}
    nested = {"leader": {"name": "ann"}, "others": [{"name": "bob"}], "by_name": {"ann": {"name": "ann"}}}
    assert await read(user, "/team") == nested
    assert await read(client, "/open") == {"name": "ann"}


async def test_files_have_no_column_for_them(user: httpx.AsyncClient) -> None:
    csv = (await user.get(URL, params={"export": "csv", "sort": "name"})).text.lstrip("\ufeff")
    assert csv.splitlines() == ["name", "ann", "bob"]
    xlsx = (await user.get(URL, params={"export": "xlsx", "sort": "name"})).content
    with ZipFile(BytesIO(xlsx)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    # A heading and two names.
    assert sheet.count("<row") == sheet.count("<c ") == 3


@pytest.mark.parametrize("sort", ["salary", "-salary", "earns", "name,salary"])
async def test_nobody_sorts_by_what_he_may_not_see(user: httpx.AsyncClient, sort: str) -> None:
    refused = await user.get(URL, params={"sort": sort})
    unknown = await user.get(
        URL, params={"sort": sort.replace("salary", "nothing").replace("earns", "nothing")}
    )
    assert refused.status_code == unknown.status_code == 422
    assert refused.json()["errors"][0]["field"] == unknown.json()["errors"][0]["field"] == "sort"
    assert refused.json()["errors"][0]["reason"].endswith("is not one of: name")


async def test_nobody_filters_by_what_he_may_not_see(user: httpx.AsyncClient) -> None:
    refused = await user.get(URL, params={"salary": 9})
    unknown = await user.get(URL, params={"nothing": 9})
    assert refused.status_code == unknown.status_code == 422
    (error,), (other,) = refused.json()["errors"], unknown.json()["errors"]
    assert error == {**other, "field": "salary"}


async def test_a_permission_that_is_given_counts_at_once(app: Application, user: httpx.AsyncClient) -> None:
    assert await read(user, "/one") == {"name": "ann"}
    app.resources.access.replace_roles({"user": {"employee:list", "employee:salary"}})
    assert await read(user, "/one") == ANN


async def test_the_document_says_that_they_may_be_absent(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    schema = document["components"]["schemas"]["EmployeeOut"]
    assert schema["required"] == ["name"]
    assert set(schema["properties"]) == {"name", "salary", "bonus"}


def test_work_without_a_caller_sees_them() -> None:
    assert EmployeeOut(name="ann", salary=1).model_dump() == {"name": "ann", "salary": 1, "bonus": None}


def test_a_struct_cannot_have_them() -> None:
    class Person(msgspec.Struct):
        salary: Annotated[int, SALARY]

    async def get_person() -> list[Person]:
        return []

    get_person.__annotations__["return"] = list[Person]
    own = Router()
    own.get("/struct", permission="employee:list")(get_person)
    with pytest.raises(StartError, match=r"Person\.salary needs a permission"):
        own.routes[0].check()
