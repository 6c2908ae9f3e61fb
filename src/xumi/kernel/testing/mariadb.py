"""A real MariaDB for tests, from the distribution's package `mariadb-server`: started for them, gone when they end.

    server = MariadbServer()
    server.start()
    url = server.create_database("orders")       # mysql://root@127.0.0.1:40123/orders
    server.kill(); server.start()                # the same data after a crash
    server.stop()

It has nothing to do with a MariaDB that the machine may run: its own port, its own files in a temporary directory.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from xumi.kernel.testing.postgres import UNPRIVILEGED, free_port, unprivileged

START_SECONDS = 30.0
STOP_SECONDS = 10.0
MISSING = "mariadbd is not installed: apt-get install mariadb-server"

_SETTINGS = (
    "--bind-address=127.0.0.1",
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=64M",
    # Commits reach the operating system, so that a server that is killed loses none.
    "--innodb-flush-log-at-trx-commit=2",
    "--performance-schema=off",
    "--skip-log-bin",
    "--skip-name-resolve",
    # Texts are equal and in order as on PostgreSQL and SQLite: byte by byte.
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_nopad_bin",
    # A test that waits for a lock for ever shall fail, not hang.
    "--innodb-lock-wait-timeout=10",
)


class MariadbServer:
    """One server process with its own data.

    Attributes:
        port: where it listens, once it was started; the same after a restart.
    """

    def __init__(self) -> None:
        self.port = 0
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def installed() -> bool:
        """Whether this machine has the server's programs."""
        return _find("mariadbd") is not None

    def start(self) -> None:
        """Start the server, on the data that it had before if it was killed.

        Raises:
            RuntimeError: it does not come up; the message holds its log.
        """
        if self._process is not None:
            return
        if self._directory is None:
            self._directory = self._make_data()
            self.port = free_port()
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(_find("mariadbd")),
                    "--no-defaults",
                    f"--datadir={self._directory / 'data'}",
                    f"--socket={self._directory / 'socket'}",
                    f"--port={self.port}",
                    *_SETTINGS,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal is for the tests.
                start_new_session=True,
                **unprivileged(),
            )
        self._wait_until_ready(self._directory / "log")

    def kill(self) -> None:
        """End it at once, as a crash would; `start` brings it back. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """Stop the server and delete its data. Safe to call twice."""
        self.kill()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def create_database(self, name: str) -> str:
        """Make an empty database, replacing one of this name, and return its URL."""
        self._client(f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}").check_returncode()
        return f"mysql://root@127.0.0.1:{self.port}/{name}"

    def __enter__(self) -> "MariadbServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _make_data(self) -> Path:
        directory = Path(tempfile.mkdtemp(prefix="xumi-mariadb-"))
        if os.geteuid() == 0:
            shutil.chown(directory, UNPRIVILEGED)
        # Two servers that are made at the same time would meet in a common folder for temporary tables.
        options = (
            f"--datadir={directory / 'data'}",
            f"--tmpdir={directory}",
            "--auth-root-authentication-method=normal",
        )
        done = subprocess.run(
            [
                str(_find("mariadb-install-db")),
                "--no-defaults",
                *options,
                "--skip-test-db",
                "--innodb-log-file-size=8M",
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            **unprivileged(),
        )
        if done.returncode != 0:
            shutil.rmtree(directory, ignore_errors=True)
            raise RuntimeError(f"mariadb-install-db failed: {done.stderr or done.stdout}")
        return directory

    def _wait_until_ready(self, log: Path) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        # On the port another server might answer.
        while str(log.parent) not in self._client("SELECT @@datadir").stdout:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"MariaDB did not start: {log.read_text()}")
            time.sleep(0.02)

    def _client(self, sql: str) -> "subprocess.CompletedProcess[str]":
        where = ("--no-defaults", "--protocol=tcp", "--host=127.0.0.1", f"--port={self.port}", "--user=root")
        return subprocess.run(
            [str(_find("mariadb")), *where, f"--execute={sql}"], check=False, capture_output=True, text=True
        )


def _find(program: str) -> str | None:
    """The program's path; servers are in a folder that only root has in its PATH."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
