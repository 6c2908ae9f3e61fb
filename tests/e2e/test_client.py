"""A TypeScript client that is generated from the OpenAPI document of a running server compiles, and buys something.

It needs Node.js 18 or newer with npm, and its packages: `npm ci --prefix tests/e2e/client`. CI installs both; elsewhere the test is
skipped where they are missing.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.modules.shop.market import open_market
from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.location import parse_url
from xumi.kernel.testing.server import clean_environment, run_server

CLIENT = Path(__file__).parent / "client"
PACKAGES = CLIENT / "node_modules"


def run(*command: object, directory: Path) -> str:
    """Run a program of Node.js to its end; what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The client in a folder of its own, with the packages of the checkout."""
    if shutil.which("node") is None:
        pytest.skip("needs Node.js: install the packages nodejs and npm")
    if not PACKAGES.is_dir():
        pytest.skip("needs packages of npm: run `npm ci --prefix tests/e2e/client`")
    folder = tmp_path / "client"
    folder.mkdir()
    for name in ("package.json", "tsconfig.json", "buy.ts"):
        shutil.copy(CLIENT / name, folder / name)
    (folder / "node_modules").symlink_to(PACKAGES)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_generated_client_buys_something(folder: Path, tmp_path: Path, sqlite_url: str) -> None:
    market = open_market(sync_engine(parse_url(sqlite_url)[1]), sqlite_url, 1)
    goods = market.add_goods(2, 10)
    with run_server(tmp_path, environment={"DATABASE_URL": sqlite_url}) as server:
        tools = PACKAGES / ".bin"
        run(tools / "openapi-typescript", f"{server.url}/openapi.json", "-o", "schema.d.ts", directory=folder)
        run(tools / "tsc", "-p", ".", directory=folder)
        printed = run("node", "build/buy.js", server.url, "xiaoming", PASSWORD, directory=folder)
    bought = json.loads(printed)
    total = 2 * sum(market.prices[sku_id] for sku_id in goods)
    assert bought["number"] == bought["again"]
    assert bought["preview_fen"] == bought["total_fen"] == bought["payment_fen"] == total
    assert (bought["state"], bought["left_in_cart"]) == ("unpaid", 0)
    assert market.query("SELECT count(*) FROM shop_order WHERE number = :n", n=bought["number"]) == [(1,)]
    assert market.levels(goods) == dict.fromkeys(goods, (8, 2, 0))
    assert market.broken() == {}
