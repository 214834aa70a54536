"""TensorZero's two clients."""

from __future__ import annotations

import asyncio
import os
from types import TracebackType
from typing import Any, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Optional, Type, Union

from ..._native import Outcome
from ..._requests import StrPath
from ..._waiting import Waiter, next_of
from . import _calls
from ._calls import BaseTensorZeroGateway, Parse, read, read_chunk
from ._errors import TensorZeroInternalError, throw
from ._types import InferenceChunk


class TensorZeroGateway(BaseTensorZeroGateway):
    """The client for threads."""

    @classmethod
    def build_http(
        cls,
        *,
        gateway_url: str,
        timeout: Optional[float] = None,
        verbose_errors: bool = False,
        api_key: Optional[str] = None,
    ) -> TensorZeroGateway:
        """A client of the gateway at an address. Errors say all there is, `verbose_errors` or not."""
        return cls(_calls.http(gateway_url, _key(api_key), timeout), timeout)

    @classmethod
    def build_embedded(
        cls,
        *,
        config_file: Optional[StrPath] = None,
        clickhouse_url: Optional[str] = None,
        postgres_url: Optional[str] = None,
        valkey_url: Optional[str] = None,
        timeout: Optional[float] = None,
        ledger: Optional[StrPath] = None,
    ) -> TensorZeroGateway:
        """A client with a gateway of its own; `ledger` is the folder in which it keeps calls."""
        make = _calls.embedded(
            config_file,
            ledger,
            timeout,
            clickhouse_url=clickhouse_url,
            postgres_url=postgres_url,
            valkey_url=valkey_url,
        )
        return cls(make(), timeout)

    def close(self) -> None:
        """Ends all calls and lets go of everything."""
        _close(self._native.close())

    def __enter__(self) -> TensorZeroGateway:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _call(
        self, method: str, path: str, body: Optional[bytes], options: Mapping[str, object], parse: Parse
    ) -> Any:
        outcome = self._native.call(method, path, body, options)
        return _Chunks(outcome) if options["stream"] else read(outcome, parse)


class AsyncTensorZeroGateway(BaseTensorZeroGateway):
    """The client for event loops: each call is to be awaited."""

    @classmethod
    def build_http(
        cls,
        *,
        gateway_url: str,
        timeout: Optional[float] = None,
        verbose_errors: bool = False,
        async_setup: bool = True,
        api_key: Optional[str] = None,
    ) -> Any:
        """A client of the gateway at an address, to be awaited unless `async_setup` is false."""
        return _built(async_setup, lambda: cls(_calls.http(gateway_url, _key(api_key), timeout), timeout))

    @classmethod
    def build_embedded(
        cls,
        *,
        config_file: Optional[StrPath] = None,
        clickhouse_url: Optional[str] = None,
        postgres_url: Optional[str] = None,
        valkey_url: Optional[str] = None,
        timeout: Optional[float] = None,
        async_setup: bool = True,
        ledger: Optional[StrPath] = None,
    ) -> Any:
        """A client with a gateway of its own, to be awaited unless `async_setup` is false."""
        make = _calls.embedded(
            config_file,
            ledger,
            timeout,
            clickhouse_url=clickhouse_url,
            postgres_url=postgres_url,
            valkey_url=valkey_url,
        )
        return _built(async_setup, lambda: cls(make(), timeout))

    async def close(self) -> None:
        """Ends all calls and lets go of everything."""
        loop = asyncio.get_running_loop()
        _close(await loop.run_in_executor(None, self._native.close))

    async def __aenter__(self) -> AsyncTensorZeroGateway:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()

    async def _call(
        self, method: str, path: str, body: Optional[bytes], options: Mapping[str, object], parse: Parse
    ) -> Any:
        waiter = Waiter(asyncio.get_running_loop())
        task, outcome = self._native.start(method, path, body, options, waiter.done)
        if task is not None:
            outcome = await waiter.wait(task)
        assert outcome is not None
        return _AsyncChunks(outcome) if options["stream"] else read(outcome, parse)


class _Chunks(Iterator[InferenceChunk]):
    """The pieces of an answer; dropping it ends the call."""

    def __init__(self, outcome: Outcome) -> None:
        if outcome.kind != "ok":
            throw(outcome)
        if outcome.stream is None:
            raise TensorZeroInternalError("the answer is no stream")
        self._native = outcome.stream
        self._over = False

    def __next__(self) -> InferenceChunk:
        if self._over:
            raise StopIteration
        # What raises ends the stream, and so does its end.
        self._over = True
        chunk: Optional[InferenceChunk] = read_chunk(self._native.next())
        if chunk is None:
            raise StopIteration
        self._over = False
        return chunk


class _AsyncChunks(AsyncIterator[InferenceChunk]):
    """The pieces of an answer; dropping it ends the call."""

    def __init__(self, outcome: Outcome) -> None:
        if outcome.kind != "ok":
            throw(outcome)
        if outcome.stream is None:
            raise TensorZeroInternalError("the answer is no stream")
        self._native = outcome.stream
        self._over = False

    async def __anext__(self) -> InferenceChunk:
        if self._over:
            raise StopAsyncIteration
        outcome = await next_of(self._native)
        self._over = True
        chunk: Optional[InferenceChunk] = read_chunk(outcome)
        if chunk is None:
            raise StopAsyncIteration
        self._over = False
        return chunk


def _built(
    later: bool, make: Callable[[], AsyncTensorZeroGateway]
) -> Union[AsyncTensorZeroGateway, Awaitable[AsyncTensorZeroGateway]]:
    async def built() -> AsyncTensorZeroGateway:
        return await asyncio.get_running_loop().run_in_executor(None, make)

    return built() if later else make()


def _key(told: Optional[str]) -> Optional[str]:
    return told or os.environ.get("TENSORZERO_API_KEY") or None


def _close(outcome: Outcome) -> None:
    if outcome.kind != "end":
        throw(outcome)
