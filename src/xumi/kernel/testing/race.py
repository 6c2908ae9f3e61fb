"""Interleave two pieces of work at a chosen point, the same way each time, instead of hoping that a race happens.

    async def pay_twice() -> None:
        ...                                        # what somebody else does at the worst moment

    with race.before("shop.service.payment.mark_paid", pay_twice):
        await client.post(...)                     # arrives at mark_paid; pay_twice runs first, then mark_paid goes on

`before` runs the other work when the target is called, before its body; `after` when its body has ended well, before the caller goes
on. The target is put back as soon as it was reached, so the other work may call it as well.
"""

import functools
import inspect
import itertools
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pkgutil import resolve_name
from typing import Any

Other = Callable[[], Awaitable[None] | None]
Target = str | tuple[object, str]

_ABSENT = object()


class NotReached(AssertionError):
    """The block ended and the target had not been called often enough: nothing raced."""


def before(target: Target, fn: Other, *, nth: int = 1) -> AbstractContextManager[None]:
    """In this block, let `fn` run to its end when `target` is called, before the call goes on.

    Args:
        target: `"package.module.function"`, `"package.module.Class.method"`, or an object and the name of its attribute. Name the
            attribute through which it is called: after `from x import f` in `y`, that is `y.f`.
        fn: the other work. It must not need a lock that the target's caller holds: it would wait for ever.
        nth: which of the calls, from 1.

    Raises:
        NotReached: at the end of the block, unless it raised something else.
        AttributeError: there is no such target.
        TypeError: the target cannot be called, or `fn` is asynchronous and the target is not.
    """
    return _interleave(target, fn, nth, is_after=False)


def after(target: Target, fn: Other, *, nth: int = 1) -> AbstractContextManager[None]:
    """In this block, let `fn` run to its end when a call of `target` has ended without an error, before its caller goes on.

    Arguments and errors are those of `before`.
    """
    return _interleave(target, fn, nth, is_after=True)


@contextmanager
def _interleave(target: Target, fn: Other, nth: int, *, is_after: bool) -> Iterator[None]:
    owner, name = _locate(target)
    found = inspect.getattr_static(owner, name)
    function = found.__func__ if isinstance(found, staticmethod | classmethod) else getattr(owner, name)
    if not callable(function):
        raise TypeError(f"{target!r} cannot be called")
    is_async = inspect.iscoroutinefunction(function)
    if inspect.iscoroutinefunction(fn) and not is_async:
        raise TypeError(
            f"{target!r} is no coroutine function, so it cannot wait for one: give it a plain function"
        )
    calls, reached = itertools.count(1), threading.Event()
    own = vars(owner).get(name, _ABSENT)

    def put_back() -> None:
        if own is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, own)

    def is_the_one() -> bool:
        if next(calls) != nth:
            return False
        put_back()
        reached.set()
        return True

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        if not is_the_one():
            return function(*arguments, **options)
        if not is_after:
            fn()
        result = function(*arguments, **options)
        if is_after:
            fn()
        return result

    @functools.wraps(function)
    async def call_async(*arguments: Any, **options: Any) -> Any:
        if not is_the_one():
            return await function(*arguments, **options)
        if not is_after:
            await _finish(fn)
        result = await function(*arguments, **options)
        if is_after:
            await _finish(fn)
        return result

    wrapper: Any = call_async if is_async else call
    if isinstance(found, staticmethod | classmethod):
        wrapper = type(found)(wrapper)
    setattr(owner, name, wrapper)
    try:
        yield
    finally:
        if not reached.is_set():
            put_back()
    if not reached.is_set():
        raise NotReached(f"{target!r} was called {next(calls) - 1} times and not {nth}")


def _locate(target: Target) -> tuple[Any, str]:
    if not isinstance(target, str):
        return target
    path, _, name = target.rpartition(".")
    return resolve_name(path), name


async def _finish(fn: Other) -> None:
    result = fn()
    if inspect.isawaitable(result):
        await result
