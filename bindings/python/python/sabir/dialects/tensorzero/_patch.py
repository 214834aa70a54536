"""A client of the `openai` package that reaches a gateway in this process.

TensorZero's client starts a server for it on a port of this machine. Here its requests are handed
over within the process: nothing listens. The package and its HTTP library are the caller's own, so
they are looked up on the client that is patched.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, AsyncIterator, Dict, Iterator, Optional, Tuple, TypeVar

from ..._native import Client, Outcome
from ..._native import Stream as NativeStream
from ..._requests import StrPath
from ..._waiting import Waiter, next_of
from . import _calls
from ._errors import TensorZeroInternalError

C = TypeVar("C")

#: The host is never looked up.
_BASE = "http://sabir.invalid/openai/v1/"
_GATEWAY = "_sabir_gateway"
#: What belongs to a connection, and there is none; keys for callers do not apply in this process.
_LEFT_OUT = {"host", "connection", "content-length", "accept-encoding", "authorization", "transfer-encoding"}
_FRAMING = {"content-length", "transfer-encoding", "connection", "content-encoding"}


def patch_openai_client(
    client: C,
    *,
    config_file: Optional[StrPath] = None,
    clickhouse_url: Optional[str] = None,
    postgres_url: Optional[str] = None,
    async_setup: bool = True,
    ledger: Optional[StrPath] = None,
) -> Any:
    """Makes an `OpenAI` or `AsyncOpenAI` client call a gateway in this process, and gives it back.

    With an `AsyncOpenAI` client, what is given has to be awaited unless `async_setup` is false.
    """
    library = _library(client)
    is_async = isinstance(getattr(client, "_client"), library.AsyncClient)
    make = _calls.embedded(config_file, ledger, None, clickhouse_url=clickhouse_url, postgres_url=postgres_url)

    def patched() -> C:
        native = make()
        timeout = getattr(client, "timeout", None)
        if is_async:
            http = library.AsyncClient(transport=_async_transport(library, native), timeout=timeout)
        else:
            http = library.Client(transport=_transport(library, native), timeout=timeout)
        setattr(client, "_client", http)
        setattr(client, "base_url", _BASE)
        setattr(client, _GATEWAY, native)
        return client

    async def later() -> C:
        return await asyncio.get_running_loop().run_in_executor(None, patched)

    return later() if is_async and async_setup else patched()


def close_patched_openai_client_gateway(client: Any) -> None:
    """Ends the gateway of a client that was patched."""
    native = getattr(client, _GATEWAY, None)
    if native is None:
        raise TensorZeroInternalError("the client was not patched")
    native.close()


def _library(client: Any) -> Any:
    """The HTTP library that a client stands on."""
    for kind in type(getattr(client, "_client", None)).__mro__:
        module = sys.modules.get(kind.__module__.partition(".")[0])
        if module is not None and hasattr(module, "AsyncBaseTransport"):
            return module
    raise TensorZeroInternalError(f"{type(client).__name__} is not a client of the `openai` package")


def _options(request: Any) -> Dict[str, object]:
    timeouts = request.extensions.get("timeout", {})
    headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _LEFT_OUT]
    return {
        "headers": headers,
        "timeout": float(timeouts.get("read") or _calls.DEFAULT_TIMEOUT),
        # The patched client tries again itself.
        "retries": 0,
        # Whatever comes goes on as it came.
        "stream": "bytes",
    }


def _target(request: Any) -> Tuple[str, str, Optional[bytes]]:
    return request.method, request.url.raw_path.decode("ascii"), request.content or None


def _response(library: Any, request: Any, outcome: Outcome, stream: Any) -> Any:
    headers = [(name, value) for name, value in outcome.headers if name.lower() not in _FRAMING]
    if outcome.kind == "timeout":
        raise library.ReadTimeout(outcome.message or outcome.kind, request=request)
    if outcome.kind not in ("ok", "status"):
        raise library.ReadError(outcome.message or outcome.kind, request=request)
    body = {"content": outcome.body or b""} if outcome.stream is None else {"stream": stream(outcome.stream)}
    return library.Response(outcome.status or 200, headers=headers, request=request, **body)


def _piece(library: Any, outcome: Outcome) -> Optional[bytes]:
    """The next piece of a body; nothing at its end."""
    if outcome.kind == "end":
        return None
    if outcome.kind != "ok":
        raise library.ReadError(outcome.message or outcome.kind)
    return outcome.body or b""


def _transport(library: Any, native: Client) -> Any:
    class Pieces(library.SyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: NativeStream) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            while (piece := _piece(library, self._stream.next())) is not None:
                yield piece

        def close(self) -> None:
            self._stream.close()

    class Transport(library.BaseTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            request.read()
            outcome = native.call(*_target(request), _options(request))
            return _response(library, request, outcome, Pieces)

    return Transport()


def _async_transport(library: Any, native: Client) -> Any:
    class Pieces(library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: NativeStream) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            while (piece := _piece(library, await next_of(self._stream))) is not None:
                yield piece

        async def aclose(self) -> None:
            self._stream.close()

    class Transport(library.AsyncBaseTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            await request.aread()
            waiter = Waiter(asyncio.get_running_loop())
            task, outcome = native.start(*_target(request), _options(request), waiter.done)
            if task is not None:
                outcome = await waiter.wait(task)
            assert outcome is not None
            return _response(library, request, outcome, Pieces)

    return Transport()
