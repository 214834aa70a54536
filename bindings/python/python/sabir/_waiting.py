"""Waiting for a native call in an event loop."""

from __future__ import annotations

import asyncio

from ._native import Outcome, Stream, Task


class Waiter:
    """A future that another thread settles."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future: asyncio.Future[Outcome] = loop.create_future()

    def done(self, outcome: Outcome) -> None:
        """Called by a native thread, exactly once."""
        self._loop.call_soon_threadsafe(self._settle, outcome)

    def _settle(self, outcome: Outcome) -> None:
        if not self._future.done():
            self._future.set_result(outcome)

    async def wait(self, task: Task) -> Outcome:
        """Who is cancelled meanwhile cancels the call."""
        try:
            return await self._future
        except asyncio.CancelledError:
            task.cancel()
            raise


async def next_of(stream: Stream) -> Outcome:
    """The next piece of a stream. Who is cancelled meanwhile may go on: nothing of it is lost by that."""
    outcome = stream.ready()
    if outcome is not None:
        return outcome
    waiter = Waiter(asyncio.get_running_loop())
    return await waiter.wait(stream.start_next(waiter.done))
