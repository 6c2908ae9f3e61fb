"""scripts/setup.sh: chooses a Python, makes the environment once, mends a half-made one; with interpreters that only note calls."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

# An interpreter as far as setup.sh can see: version checks, `-m venv`, `-m pip install`. Its name says how it behaves.
INTERPRETER = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
case "$*" in
*version_info*) [ "${0##*/}" != python3-old ] || exit 1 ;;
*ensurepip*) [ "$NO_ENSUREPIP" != 1 ] || exit 1 ;;
-V) echo "Python 3.0" ;;
"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && : >"$3/bin/pip" && chmod +x "$3/bin/pip" ;;
"-m pip "*)
    [ "$KILLED" != 1 ] || kill -9 $PPID
    [ "$NO_NETWORK" != 1 ] || exit 1
    ;;
esac
"""

Setup = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def place(tmp_path: Path, checkout: Path) -> Path:
    """A checkout with the files that set-up reads, at a path with a space."""
    place = tmp_path / "my checkout"
    (place / "scripts").mkdir(parents=True)
    shutil.copy(checkout / "scripts/setup.sh", place / "scripts")
    for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml"):
        (place / name).write_text("a==1\n")
    return place


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH of its own: what set-up needs of a system, and interpreters."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "cat", "cksum", "dirname", "basename", "grep", "rm", "mkdir", "cp", "chmod"):
        (folder / name).symlink_to(shutil.which(name) or name)
    add_interpreter(folder, "python3")
    return folder


def add_interpreter(folder: Path, name: str, text: str = INTERPRETER) -> None:
    path = folder / name
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def setup(place: Path, programs: Path, tmp_path: Path) -> Setup:
    """Run set-up; the calls of interpreters are in the file `calls`."""

    def run(want: str = "run", **environ: str) -> "subprocess.CompletedProcess[str]":
        (tmp_path / "calls").write_text("")
        values = {"PATH": str(programs), "CALLS": str(tmp_path / "calls"), **environ}
        command = [str(programs / "sh"), str(place / "scripts/setup.sh"), want]
        return subprocess.run(command, env=values, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], str]:
    return lambda: (tmp_path / "calls").read_text()


def test_the_environment_is_made_once(setup: Setup, place: Path, calls: Callable[[], str]) -> None:
    done = setup()
    assert done.returncode == 0, done.stderr
    assert "--require-hashes -r requirements.lock" in calls()
    assert "--no-deps -e ." in calls()
    assert "-m compileall -q src" in calls()
    assert setup().returncode == 0
    assert calls() == ""


def test_a_changed_lock_is_installed_into_the_same_environment(
    setup: Setup, place: Path, calls: Callable[[], str]
) -> None:
    setup()
    (place / "requirements.lock").write_text("a==2\n")
    assert setup().returncode == 0
    assert "pip install" in calls()
    assert "venv" not in calls()


def test_development_adds_to_what_running_has(setup: Setup, calls: Callable[[], str]) -> None:
    setup()
    assert setup("dev").returncode == 0
    assert "-r requirements-dev.lock" in calls()
    assert "-m venv" not in calls()
    assert setup("run").returncode == 0
    assert calls() == ""


def test_an_interrupted_installation_is_made_anew(
    setup: Setup, place: Path, calls: Callable[[], str]
) -> None:
    assert setup(KILLED="1").returncode != 0
    (place / ".venv/half").touch()
    assert setup().returncode == 0
    assert "-m venv" in calls()
    assert not (place / ".venv/half").exists()


def test_without_a_network_what_is_there_stays_usable(
    setup: Setup, place: Path, calls: Callable[[], str]
) -> None:
    setup()
    failed = setup("dev", NO_NETWORK="1")
    assert failed.returncode == 1
    assert "is there a network?" in failed.stderr
    assert setup("run", NO_NETWORK="1").returncode == 0
    assert calls() == ""


def test_a_moved_checkout_gets_a_new_environment(setup: Setup, place: Path, calls: Callable[[], str]) -> None:
    setup()
    (place / ".venv/.made-at").write_text("/somewhere/else\n")
    (place / "requirements.lock").write_text("a==2\n")
    assert setup().returncode == 0
    assert "-m venv" in calls()


def test_an_older_python_is_passed_over(setup: Setup, programs: Path, calls: Callable[[], str]) -> None:
    add_interpreter(programs, "python3", "#!/bin/sh\nexit 1\n")
    add_interpreter(programs, "python3.12")
    assert setup().returncode == 0
    assert "python3.12 -m venv" in calls()


def test_no_python_is_told(setup: Setup, programs: Path) -> None:
    (programs / "python3").unlink()
    done = setup()
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr


def test_a_python_without_ensurepip_is_told(setup: Setup, place: Path) -> None:
    done = setup(NO_ENSUREPIP="1")
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    assert setup().returncode == 0


def test_the_python_that_is_asked_for_is_used_or_refused(
    setup: Setup, programs: Path, calls: Callable[[], str]
) -> None:
    add_interpreter(programs, "python3-old")
    refused = setup(PYTHON="python3-old")
    assert refused.returncode == 1
    assert "PYTHON=python3-old is not Python 3.11 or newer" in refused.stderr
    add_interpreter(programs, "python3-mine")
    assert setup(PYTHON="python3-mine").returncode == 0
    assert "python3-mine -m venv" in calls()


UV = """#!/bin/sh
echo "uv $*" >>"$CALLS"
[ "$UV_FAILS" != 1 ] || exit 1
case "$1" in venv) mkdir -p .venv/bin && cp "$(dirname "$0")/python3" .venv/bin/python ;; esac
"""


def test_uv_is_used_where_it_is_there(setup: Setup, programs: Path, calls: Callable[[], str]) -> None:
    add_interpreter(programs, "uv", UV)
    assert setup().returncode == 0
    assert "uv pip install --quiet --compile-bytecode" in calls()
    assert "-m pip" not in calls()


@pytest.mark.parametrize("environ", [{"UV_FAILS": "1"}, {"PIP_INDEX_URL": "set"}])
def test_pip_does_what_uv_cannot(
    setup: Setup, programs: Path, calls: Callable[[], str], environ: dict[str, str]
) -> None:
    add_interpreter(programs, "uv", UV)
    assert setup(**environ).returncode == 0
    assert "-m pip install" in calls()


def test_an_unknown_set_is_refused(setup: Setup) -> None:
    assert setup("everything").returncode == 2
