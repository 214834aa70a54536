"""How what is defined once runs: in a thread that waits, or in an event loop.

Everything is a coroutine. In a thread, nothing in it ever waits for an event loop: it runs through at
its first step, and what it has to wait for it waits for there.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Awaitable, Callable, Coroutine, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union

from .._native import Client, Outcome, Stream, Upload
from .._waiting import Waiter, next_of

T = TypeVar("T")
Body = Union[bytes, Upload, None]


class Threads:
    """What runs in the thread that asks."""

    is_async = False

    def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of the work."""
        try:
            work.send(None)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        work.close()
        raise RuntimeError("a client for threads was given something to await")

    async def call(self, native: Any, verb: str, path: str, body: Body, options: Mapping[str, object]) -> Outcome:
        """Sends: by the native client, or by what stands in its place."""
        if not isinstance(native, Client):
            return await native.send(verb, path, body, options)  # type: ignore[no-any-return]
        return native.call(verb, path, body, options)

    async def next(self, stream: Any) -> Outcome:
        """The next piece of an answer."""
        if not isinstance(stream, Stream):
            return await stream.step(self.is_async)  # type: ignore[no-any-return]
        return stream.next()

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def offload(self, work: Callable[[], T]) -> T:
        """Does something that takes long."""
        return work()

    async def gather(self, jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]], limit: int) -> List[T]:
        """The results of jobs of which so many run at once."""
        with ThreadPoolExecutor(max_workers=limit) as pool:
            return list(pool.map(lambda job: self.finish(job()), jobs))

    async def resolved(self, value: Union[T, Awaitable[T]]) -> T:
        """What a function of the caller's gave."""
        if inspect.isawaitable(value):
            if inspect.iscoroutine(value):
                value.close()
            raise TypeError("a client for threads needs a function that is not async")
        return value

    async def close(self, native: Client) -> Outcome:
        return native.close()


class Loop:
    """What runs in the event loop that asks."""

    is_async = True

    def finish(self, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """The work, to be awaited."""
        return work

    async def call(self, native: Any, verb: str, path: str, body: Body, options: Mapping[str, object]) -> Outcome:
        """Sends: by the native client, or by what stands in its place."""
        if not isinstance(native, Client):
            return await native.send(verb, path, body, options)  # type: ignore[no-any-return]
        waiter = Waiter(asyncio.get_running_loop())
        task, failed = native.start(verb, path, body, options, waiter.done)
        if task is None:
            assert failed is not None
            return failed
        return await waiter.wait(task)

    async def next(self, stream: Any) -> Outcome:
        """The next piece of an answer."""
        if not isinstance(stream, Stream):
            return await stream.step(self.is_async)  # type: ignore[no-any-return]
        return await next_of(stream)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def offload(self, work: Callable[[], T]) -> T:
        """Does something that takes long where nobody else waits for it."""
        return await asyncio.get_running_loop().run_in_executor(None, work)

    async def gather(self, jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]], limit: int) -> List[T]:
        """The results of jobs of which so many run at once; the first that fails ends the others."""
        gate = asyncio.Semaphore(limit)

        async def one(job: Callable[[], Coroutine[Any, Any, T]]) -> T:
            async with gate:
                return await job()

        tasks = [asyncio.ensure_future(one(job)) for job in jobs]
        try:
            return await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            raise

    async def resolved(self, value: Union[T, Awaitable[T]]) -> T:
        """What a function of the caller's gave, awaited if need be."""
        if inspect.isawaitable(value):
            return await value
        return value

    async def close(self, native: Client) -> Outcome:
        # It waits for threads: not here, where everybody else would wait too.
        return await asyncio.get_running_loop().run_in_executor(None, native.close)


Runner = Union[Threads, Loop]


def runner(is_async: bool) -> Any:
    """The one or the other."""
    return Loop() if is_async else Threads()


#: What stands for no limit.
FOREVER = float("inf")


def silence(timeout: Any) -> Union[float, Tuple[float, float]]:
    """The longest silence that a timeout allows: any, or when reading and when writing."""
    if timeout is None:
        return FOREVER
    if isinstance(timeout, (int, float)):
        return float(timeout)
    read, write = (FOREVER if phase is None else float(phase) for phase in (timeout.read, timeout.write))
    return read, write


def connecting(timeout: Any) -> Optional[float]:
    """How long opening a connection may take, if a timeout says it of its own."""
    if timeout is None or isinstance(timeout, (int, float)):
        return None
    return FOREVER if timeout.connect is None else float(timeout.connect)
