"""The plugin `tests.time_limit`: a hanging test costs its limit and no other test anything."""

from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
HANGING = """
    import asyncio, time
    import pytest

    pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1)]

    @pytest.fixture(scope="session")
    def anyio_backend():
        return "asyncio"

    @pytest.fixture
    async def resource():
        yield
        await asyncio.sleep(0)

    @pytest.fixture
    def heavy():
        yield
        time.sleep(1000)

    async def test_waits_for_ever(resource):
        await asyncio.sleep(1000)

    async def test_runs_for_ever(resource):
        while True:
            pass

    def test_fails_and_hangs_when_it_is_torn_down(heavy):
        assert False

    async def test_is_well(resource):
        pass
"""


def test_what_hangs_is_ended_and_the_rest_goes_on(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(HANGING)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    result = pytester.runpytest_subprocess("-p", "tests.time_limit", "-p", "no:randomly", timeout=30)
    result.assert_outcomes(passed=1, failed=3, errors=1)
