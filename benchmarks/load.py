"""Load: N keep-alive connections that each send their next request as soon as the last answer is complete.

`send(load, core)` runs it in a process of its own, pinned to one core. Measured against wrk on the same server it sends
as many requests a second (26,000 on one core of 2.5 GHz); unlike wrk it counts every status and can rotate requests.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import cast

DRAIN_SECONDS = 10.0  # answers still missing this long after the end count as failures


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: str = ""

    def encode(self, host: str) -> bytes:
        """The request as bytes of HTTP/1.1."""
        body = self.body.encode()
        headers = {"Host": host, **self.headers}
        if body:
            headers["Content-Length"] = str(len(body))
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@dataclass(frozen=True)
class Load:
    """`requests` are sent in turn, for `seconds`, on `connections` connections to 127.0.0.1:`port`; all want `status`."""

    port: int
    requests: Sequence[Request]
    connections: int
    seconds: float
    status: int = 200


@dataclass(frozen=True)
class Outcome:
    """What came back. `answered` counts the answers after the end too; `per_second` does not."""

    answered: int
    per_second: float
    p50_ms: float
    p99_ms: float
    failures: dict[str, int]


class _Connection(asyncio.Protocol):
    def __init__(self, client: _Client) -> None:
        self._client = client
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._client.requests))

    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        head = data.find(b"\r\n\r\n")
        if head < 0 or len(data) < head + 4 + _content_length(data[:head]):
            self._received = data
            return
        self._received = b""
        self._client.record(data[9:12], time.perf_counter() - self._sent_at)
        if self._client.over:
            assert self._transport is not None
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._client.over:
            self._client.failures["connection lost"] += 1
        self._client.lost_one()


def _content_length(head: bytes) -> int:
    head = head.lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        return 0 if head[9:12] == b"204" else sys.maxsize
    end = head.find(b"\r\n", at + 2)
    return int(head[at + 17 : end if end >= 0 else len(head)])


class _Client:
    def __init__(self, load: Load) -> None:
        host = f"127.0.0.1:{load.port}"
        self._load = load
        self._status = b"%d" % load.status
        self.requests: Iterator[bytes] = itertools.cycle([request.encode(host) for request in load.requests])
        self.over = False
        self.failures: Counter[str] = Counter()
        self._latencies: list[float] = []
        self._open = load.connections
        self._all_closed = asyncio.Event()

    def record(self, status: bytes, seconds: float) -> None:
        self._latencies.append(seconds)
        if status != self._status:
            self.failures[f"status {status.decode('latin-1')}"] += 1

    def lost_one(self) -> None:
        self._open -= 1
        if not self._open:
            self._all_closed.set()

    async def run(self) -> Outcome:
        loop = asyncio.get_running_loop()
        for _ in range(self._load.connections):
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._load.port)
        start = time.perf_counter()
        await asyncio.sleep(self._load.seconds)
        elapsed, in_time = time.perf_counter() - start, len(self._latencies)
        self.over = True
        try:
            await asyncio.wait_for(self._all_closed.wait(), DRAIN_SECONDS)
        except TimeoutError:
            self.failures["no answer"] += self._open
        ranked = sorted(self._latencies) or [0.0]
        p50, p99 = (ranked[int(len(ranked) * share)] * 1000 for share in (0.50, 0.99))
        return Outcome(len(self._latencies), in_time / elapsed, p50, p99, dict(self.failures))


def send(load: Load, core: int | None) -> Outcome:
    """Runs `load` in its own process on `core` (None: not pinned). Raises CalledProcessError when that process fails."""

    def pin() -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})

    done = subprocess.run(  # preexec_fn is safe here: the harness has no threads
        [sys.executable, __file__],
        input=json.dumps(asdict(load)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=load.seconds + DRAIN_SECONDS + 10,
        preexec_fn=pin,
        start_new_session=True,  # Ctrl-C is for the harness, which then ends this process
    )
    return Outcome(**json.loads(done.stdout))


def main() -> None:
    """Reads one `Load` as JSON from stdin, runs it, writes the `Outcome` as JSON to stdout."""
    fields = json.load(sys.stdin)
    load = Load(**{**fields, "requests": [Request(**request) for request in fields["requests"]]})
    print(json.dumps(asdict(_event_loop_run(_Client(load).run()))))


def _event_loop_run(work: Coroutine[None, None, Outcome]) -> Outcome:
    """uvloop where it is installed: half the cost an answer, so that the generator limits nobody."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


if __name__ == "__main__":
    main()
