"""Answers piece by piece."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, AsyncIterator, Generic, Iterator, Optional, Type, TypeVar

from ._errors import DecodeError, StreamError, throw
from ._meta import Meta
from ._native import Accumulator, Outcome
from ._native import Stream as NativeStream
from ._waiting import next_of
from .types import Object

P = TypeVar("P", bound=Object)
W = TypeVar("W", bound=Object)


class _Pieces(Generic[P, W]):
    def __init__(self, outcome: Outcome, piece: Type[P], whole: Type[W], chat: bool) -> None:
        assert outcome.stream is not None
        self._native: NativeStream = outcome.stream
        self._piece = piece
        self._whole = whole
        self._all = Accumulator(chat)
        self._over = False
        #: What came before the first piece.
        self.meta = Meta.of(outcome)

    def so_far(self) -> W:
        """What came so far, as a whole answer."""
        return self._whole(json.loads(self._all.json()), self.meta)

    @property
    def request_id(self) -> Optional[str]:
        return self.meta.request_id

    def _read(self, outcome: Outcome) -> Optional[P]:
        """The next piece; nothing at the end."""
        if outcome.kind == "end":
            self._over = True
            return None
        if outcome.kind != "ok":
            self._over = True
            throw(outcome)
        body = outcome.body or b""
        try:
            data: Any = json.loads(body)
        except ValueError as error:
            raise DecodeError(f"the answer cannot be read: {error}", body) from error
        if not isinstance(data, dict):
            raise DecodeError("the answer cannot be read: an event is not an object", body)
        told = data.get("error")
        if told is not None:
            message = told.get("message") if isinstance(told, dict) else told
            raise StreamError(f"the stream brought an error: {message}", data)
        self._all.push(body)
        return self._piece(data)


class Stream(_Pieces[P, W], Iterator[P]):
    """A streamed answer: an iterator over its pieces. Closing it ends the call."""

    def __next__(self) -> P:
        if self._over:
            raise StopIteration
        piece = self._read(self._native.next())
        if piece is None:
            raise StopIteration
        return piece

    def whole(self) -> W:
        """Reads the rest and gives the whole answer."""
        for _ in self:
            pass
        return self.so_far()

    def close(self) -> None:
        """Ends the call."""
        self._over = True
        self._native.close()

    def __enter__(self) -> Stream[P, W]:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


class AsyncStream(_Pieces[P, W], AsyncIterator[P]):
    """A streamed answer: an async iterator over its pieces. Closing it ends the call."""

    async def __anext__(self) -> P:
        if self._over:
            raise StopAsyncIteration
        piece = self._read(await next_of(self._native))
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def whole(self) -> W:
        """Reads the rest and gives the whole answer."""
        async for _ in self:
            pass
        return self.so_far()

    async def close(self) -> None:
        """Ends the call."""
        self._over = True
        self._native.close()

    async def __aenter__(self) -> AsyncStream[P, W]:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()
