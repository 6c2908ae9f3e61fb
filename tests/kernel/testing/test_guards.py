"""The guards of the test run, on a pytest of their own."""

import socket

import pytest

from xumi.kernel.testing.guards import REQUIRE_ALL, OutsideConnection, is_local

SKIPPING = """
    import pytest

    def test_called(): pytest.skip("no such server here")

    @pytest.mark.skipif(True, reason="too slow")
    def test_marked(): pass

    @pytest.fixture
    def missing(): pytest.skip("not installed")

    def test_fixture(missing): pass

    def test_passes(): pass

    @pytest.mark.xfail(reason="known", strict=True)
    def test_known(): assert False
"""


@pytest.fixture
def guarded(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv(REQUIRE_ALL, raising=False)
    pytester.makeconftest('pytest_plugins = ["xumi.kernel.testing.guards"]')
    return pytester


def run(pytester: pytest.Pytester) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:randomly", "-rfE")


def test_a_skip_is_a_skip_by_default(guarded: pytest.Pytester) -> None:
    guarded.makepyfile(SKIPPING)
    run(guarded).assert_outcomes(passed=1, skipped=3, xfailed=1)


def test_a_skip_fails_where_everything_is_required(
    guarded: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REQUIRE_ALL, "1")
    guarded.makepyfile(SKIPPING)
    result = run(guarded)
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] + outcomes.get("errors", 0) == 3
    assert (outcomes["passed"], outcomes["xfailed"], outcomes.get("skipped", 0)) == (1, 1, 0)
    result.stdout.fnmatch_lines(["*no such server here*", f"*{REQUIRE_ALL}=1*"])
    assert result.ret == 1


def test_a_file_that_skips_itself_fails_as_well(
    guarded: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REQUIRE_ALL, "1")
    guarded.makepyfile('import pytest\n\npytest.importorskip("no_such_module")\n')
    result = run(guarded)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*no_such_module*"])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.8.8", "::1", "::1%lo", "localhost", "", None, b"localhost"]
)
def test_this_machine_is_local(host: object) -> None:
    assert is_local(host)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "10.0.0.1", "0.0.0.0", "2001:db8::1", "example.com", b"example.com"]
)
def test_everything_else_is_not(host: object) -> None:
    assert not is_local(host)


def test_leaving_this_machine_fails() -> None:
    with socket.socket() as outside, pytest.raises(OutsideConnection, match=r"192\.0\.2\.1"):
        outside.connect(("192.0.2.1", 80))
    with pytest.raises(OutsideConnection, match=r"example\.com"):
        socket.getaddrinfo("example.com", 80)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside,
        pytest.raises(OutsideConnection, match=r"192\.0\.2\.1"),
    ):
        outside.sendto(b"x", ("192.0.2.1", 53))


def test_loopback_works() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        peer, _ = server.accept()
        with peer:
            client.sendall(b"x")
            assert peer.recv(1) == b"x"
