"""Do the same thing several times at the same moment: what only looks safe gives two winners.

    outcomes = await contend(20, lambda: buy(client, "the last one"))
    assert len(outcomes.results) == 1

`contend` runs coroutines on this loop, and `contend_in_processes` a function in processes of its own, for what is shared by
processes only: a file, a lock of the operating system, the database as several workers see it.
"""

import asyncio
import multiprocessing
import multiprocessing.synchronize
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

LIMIT_SECONDS = 30.0


class Outcomes(list[T | BaseException]):
    """What came of each call, in the order of the calls: what it returned, or the exception that it raised."""

    @property
    def results(self) -> list[T]:
        """What those returned that raised nothing, in their order."""
        return [outcome for outcome in self if not isinstance(outcome, BaseException)]

    @property
    def errors(self) -> list[BaseException]:
        """What the others raised, in their order."""
        return [outcome for outcome in self if isinstance(outcome, BaseException)]


async def contend(
    n: int, fn: Callable[[], Coroutine[Any, Any, T]], *, limit_seconds: float = LIMIT_SECONDS
) -> Outcomes[T]:
    """Run the coroutines of n calls of `fn` at once: none begins before all have come to the start.

    Each call must have a connection of its own, or they take turns instead of contending: let `fn` send a request, or open a unit
    of work, and let the pool have as many connections as there are calls.

    Raises:
        TimeoutError: some did not end within the limit, as after a deadlock; all are cancelled.
    """
    barrier = asyncio.Barrier(n)

    async def run(call: Coroutine[Any, Any, T]) -> T:
        await barrier.wait()
        return await call

    try:
        async with asyncio.timeout(limit_seconds):
            return Outcomes(await asyncio.gather(*(run(fn()) for _ in range(n)), return_exceptions=True))
    except TimeoutError:
        raise TimeoutError(f"{n} calls at once did not end within {limit_seconds:g} s") from None


def contend_in_processes(
    n: int, fn: Callable[..., T], *arguments: Any, limit_seconds: float = LIMIT_SECONDS
) -> Outcomes[T]:
    """Call `fn(*arguments)` at once in n processes that have nothing in common with this one.

    Args:
        n: how many processes.
        fn: a function of a module, and
        arguments: values, all of which can be pickled. So must be what it returns and raises.
        limit_seconds: for all of them together, their start included.

    Raises:
        TimeoutError: some did not end within the limit; all are killed.
    """
    context = multiprocessing.get_context("spawn")
    end = time.monotonic() + limit_seconds
    outcomes: Outcomes[T] = Outcomes()
    with ProcessPoolExecutor(n, context, initializer=_keep_barrier, initargs=(context.Barrier(n),)) as pool:
        # One that waits at the barrier takes no second call, so each process gets one.
        futures = [pool.submit(_run_behind_barrier, fn, arguments) for _ in range(n)]
        processes = list(pool._processes.values())
        try:
            for future in futures:
                outcomes.append(future.exception(end - time.monotonic()) or future.result())
        except TimeoutError:
            for process in processes:
                process.kill()
            raise TimeoutError(f"{n} processes did not end within {limit_seconds:g} s") from None
    return outcomes


_barrier: "multiprocessing.synchronize.Barrier | None" = None


def _keep_barrier(barrier: "multiprocessing.synchronize.Barrier") -> None:
    global _barrier
    _barrier = barrier


def _run_behind_barrier(fn: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    assert _barrier is not None
    _barrier.wait()
    return fn(*arguments)
