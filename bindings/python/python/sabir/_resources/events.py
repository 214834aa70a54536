"""Answers that are streams of events."""

from __future__ import annotations

import json
from types import TracebackType
from typing import TYPE_CHECKING, Any, AsyncIterator, Generic, Iterator, Optional, Type, TypeVar

from .._meta import Meta
from .answers import Reply, cast
from .objects import kind, made
from .request import Request

if TYPE_CHECKING:
    from .engine import Api

P = TypeVar("P")


class _Events(Generic[P]):
    """Events, each made an object of."""

    def __init__(self, api: Api, reply: Reply, request: Request, target: Any = None) -> None:
        if reply._native is None:
            raise RuntimeError("the answer is not a stream, or its stream was taken already")
        self._api = api
        self._request = request
        self._native = reply._native
        # Whoever asked for the body piece by piece gets it event by event now.
        self._native.as_events()
        self._target = target if isinstance(target, (str, type)) else None
        self._over = False
        #: The head of the answer.
        self.response = reply

    @property
    def request_id(self) -> Optional[str]:
        return self.response.request_id

    _request_id = request_id

    @property
    def meta(self) -> Meta:
        return self.response.meta

    async def _next(self) -> Any:
        """The next piece; nothing at the end, which no piece is."""
        if self._over:
            return None
        outcome = await self._api.runner.next(self._native)
        if outcome.kind == "end":
            self._over = True
            return None
        if outcome.kind != "ok":
            self._over = True
            self._api.fail(outcome, self._request, self.response.url, self.response.retries_taken)
        try:
            data = json.loads(outcome.body or b"")
        except ValueError as error:
            self._end()
            raise self._api.not_json(self.response, error, outcome.body or b"") from error
        name = outcome.name
        told = data.get("error") if isinstance(data, dict) else None
        if (told and not (name or "").startswith("thread.")) or (name == "error" and "type" not in _members(data)):
            self._end()
            raise self._api.stream_error(data, self._request, self.response.url)
        if name is not None and name.startswith("thread."):
            data = {"event": name, "data": data}
        if self._target is not None:
            return cast(self.response, json.dumps(data).encode(), self._target)
        if isinstance(data, dict):
            return kind(self._request.stream)(data)
        return made(None, data)

    def _end(self) -> None:
        self._over = True
        self._native.close()


def _members(data: Any) -> Any:
    return data if isinstance(data, dict) else {}


class Stream(_Events[P], Iterator[P]):
    """A streamed answer: an iterator over its pieces. Closing it ends the call."""

    def __next__(self) -> P:
        piece = self._api.runner.finish(self._next())
        if piece is None:
            raise StopIteration
        return piece  # type: ignore[no-any-return]

    def close(self) -> None:
        """Ends the call."""
        self._end()

    def __enter__(self) -> Stream[P]:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


class AsyncStream(_Events[P], AsyncIterator[P]):
    """A streamed answer: an async iterator over its pieces. Closing it ends the call."""

    async def __anext__(self) -> P:
        piece = await self._next()
        if piece is None:
            raise StopAsyncIteration
        return piece  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Ends the call."""
        self._end()

    async def __aenter__(self) -> AsyncStream[P]:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()
