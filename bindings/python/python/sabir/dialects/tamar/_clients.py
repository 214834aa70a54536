"""Tamar's two clients, over the gateway's HTTP form of the Model Manager's calls.

Where the originals speak gRPC, these speak HTTP: an address is that of the gateway's HTTP port.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from types import TracebackType
from typing import Any, AsyncIterator, Dict, Generator, Iterable, Iterator, Mapping, Optional, Tuple, Type, Union
from urllib.parse import quote

from ... import _requests
from ..._async import AsyncSabir
from ..._native import Client, Outcome
from ..._native import Stream as NativeStream
from ..._requests import Settings
from ..._sync import Sabir
from ..._waiting import Waiter, next_of
from ._jwt import Tokens
from .exceptions import InvalidResponseException, throw
from .schemas import (
    BaseResponse,
    BatchModelRequest,
    BatchModelResponse,
    BatchTaskStatusResponse,
    ModelRequest,
    ModelResponse,
    TaskStatusResponse,
)

_PREFIX = "MODEL_MANAGER_SERVER_"


class _Base:
    """What both clients are made of."""

    def __init__(
        self,
        server_address: Optional[str] = None,
        jwt_secret_key: Optional[str] = None,
        jwt_token: Optional[str] = None,
        default_payload: Optional[Mapping[str, Any]] = None,
        token_expires_in: int = 3600,
        max_retries: Optional[int] = None,
        retry_delay: Optional[float] = None,
        *,
        client: Union[Sabir, AsyncSabir, None] = None,
    ) -> None:
        """`client` calls through another client, as one with a gateway in this process."""
        token, secret = jwt_token, jwt_secret_key or _env("JWT_SECRET_KEY")
        told = _env("JWT_TOKEN")
        if token is None and told:
            # The variable holds a token or a secret: a token has three parts.
            if told.count(".") == 2:
                token = token if secret else told
            else:
                secret = secret or told
        self._tokens = Tokens(secret, token, default_payload, token_expires_in)
        retries = max_retries if max_retries is not None else int(_env("GRPC_MAX_RETRIES") or 3)
        #: How often a call is tried in all.
        self._tries = max(retries, 1)
        self._delay = retry_delay if retry_delay is not None else float(_env("GRPC_RETRY_DELAY") or 1.0)
        self._settings = Settings(float(_env("INVOKE_TIMEOUT") or 30), 0)
        if client is not None:
            self._native: Client = client._native
            return
        address = server_address or _env("ADDRESS")
        if not address:
            raise ValueError("Server address must be provided via argument or environment variable.")
        if "://" not in address:
            # As with the original, TLS unless it is switched off.
            plain = (_env("GRPC_USE_TLS") or "true").lower() == "false"
            address = f"{'http' if plain else 'https'}://{address}"
        self._native = _requests.http_client(address, None, None, None)


class TamarModelClient(_Base):
    """The client for threads."""

    def invoke(
        self,
        model_request: ModelRequest,
        timeout: Optional[float] = None,
        request_id: Optional[str] = None,
        extra_headers: Optional[Mapping[str, str]] = None,
    ) -> Any:
        """Calls a model: a response, or with `stream=True` an iterator over pieces."""
        call = _invocation(self, model_request, timeout, request_id, extra_headers)
        outcome = self._sent(call)
        return _pieces(outcome, call.request_id) if call.stream else call.response(outcome)

    def invoke_batch(
        self,
        batch_request_model: BatchModelRequest,
        timeout: Optional[float] = None,
        request_id: Optional[str] = None,
        extra_headers: Optional[Mapping[str, str]] = None,
    ) -> BatchModelResponse:
        """Calls models for several items at once; one that fails fails alone."""
        call = _batch(self, batch_request_model, timeout, request_id, extra_headers)
        return call.batch(self._sent(call))

    def get_task_status(self, task_id: str, timeout: Optional[float] = None) -> TaskStatusResponse:
        """Where a call stands that nobody waits for (`enable_async_task=True`)."""
        call = _task(self, task_id, timeout)
        return call.task(self._sent(call))

    def batch_get_task_status(
        self, task_ids: Iterable[str], timeout: Optional[float] = None
    ) -> BatchTaskStatusResponse:
        """Where several calls stand; one that is not there has failed."""
        call = _tasks(self, task_ids, timeout)
        return call.tasks(self._sent(call))

    def close(self) -> None:
        """Ends all calls and lets go of everything."""
        self._native.close()

    def __enter__(self) -> TamarModelClient:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _sent(self, call: _Call) -> Outcome:
        while True:
            outcome = self._native.call(*call.arguments())
            pause = call.again(outcome)
            if pause is None:
                return outcome
            time.sleep(pause)


class AsyncTamarModelClient(_Base):
    """The client for event loops."""

    def invoke(
        self,
        model_request: ModelRequest,
        timeout: Optional[float] = None,
        request_id: Optional[str] = None,
        extra_headers: Optional[Mapping[str, str]] = None,
    ) -> AsyncInvocation:
        """Calls a model. What is given can be awaited, and iterated over with or without that."""
        return AsyncInvocation(self, _invocation(self, model_request, timeout, request_id, extra_headers))

    async def invoke_batch(
        self,
        batch_request_model: BatchModelRequest,
        timeout: Optional[float] = None,
        request_id: Optional[str] = None,
        extra_headers: Optional[Mapping[str, str]] = None,
    ) -> BatchModelResponse:
        """Calls models for several items at once; one that fails fails alone."""
        call = _batch(self, batch_request_model, timeout, request_id, extra_headers)
        return call.batch(await self._sent(call))

    async def get_task_status(self, task_id: str, timeout: Optional[float] = None) -> TaskStatusResponse:
        """Where a call stands that nobody waits for (`enable_async_task=True`)."""
        call = _task(self, task_id, timeout)
        return call.task(await self._sent(call))

    async def batch_get_task_status(
        self, task_ids: Iterable[str], timeout: Optional[float] = None
    ) -> BatchTaskStatusResponse:
        """Where several calls stand; one that is not there has failed."""
        call = _tasks(self, task_ids, timeout)
        return call.tasks(await self._sent(call))

    async def close(self) -> None:
        """Ends all calls and lets go of everything."""
        await asyncio.get_running_loop().run_in_executor(None, self._native.close)

    async def __aenter__(self) -> AsyncTamarModelClient:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()

    async def _sent(self, call: _Call) -> Outcome:
        while True:
            waiter = Waiter(asyncio.get_running_loop())
            task, outcome = self._native.start(*call.arguments(), waiter.done)
            if task is not None:
                outcome = await waiter.wait(task)
            assert outcome is not None
            pause = call.again(outcome)
            if pause is None:
                return outcome
            await asyncio.sleep(pause)


class AsyncInvocation:
    """A call that begins when it is awaited or iterated over."""

    def __init__(self, client: AsyncTamarModelClient, call: _Call) -> None:
        self._client = client
        self._call = call
        self._stream: Optional[NativeStream] = None
        self._only: Optional[ModelResponse] = None

    def __await__(self) -> Generator[Any, None, Any]:
        return self._begun().__await__()

    async def __aiter__(self) -> AsyncIterator[ModelResponse]:
        if not self._call.stream:
            yield await self._begun()
            return
        if self._stream is None and self._only is None:
            await self._begun()
        if self._only is not None:
            yield self._only
            return
        stream = self._stream
        assert stream is not None
        while True:
            piece = _piece(await next_of(stream), self._call.request_id)
            if piece is None:
                return
            yield piece

    async def _begun(self) -> Any:
        outcome = await self._client._sent(self._call)
        if not self._call.stream:
            return self._call.response(outcome)
        self._only = _only(outcome)
        if self._only is None:
            self._stream = _stream(outcome, self._call.request_id)
        return self


class _Call:
    """A call as it is sent, and when it is tried again."""

    def __init__(
        self,
        client: _Base,
        path: str,
        body: Optional[Mapping[str, Any]],
        org_id: str,
        user_id: str,
        timeout: Optional[float],
        request_id: Optional[str] = None,
        extra_headers: Optional[Mapping[str, str]] = None,
        stream: bool = False,
    ) -> None:
        self.request_id = request_id or str(uuid.uuid4())
        self.stream = stream
        self._client = client
        self._path = path
        self._body = None if body is None else _requests.body(body)
        self._caller = (org_id, user_id)
        self._timeout = timeout
        self._headers = {name.lower(): value for name, value in (extra_headers or {}).items() if value}
        self._fresh = False
        self._tries = 0

    def arguments(self) -> Tuple[str, str, Optional[bytes], Dict[str, object]]:
        """What the native client is called with."""
        headers = {**self._headers, "x-request-id": self.request_id}
        token = self._client._tokens.token(*self._caller, fresh=self._fresh)
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        options = self._client._settings.options(self.stream, headers, self._timeout, None)
        return "GET" if self._body is None else "POST", self._path, self._body, options

    def again(self, outcome: Outcome) -> Optional[float]:
        """After how long a call that ended so is tried again, if it is."""
        if outcome.status == 401 and self._client._tokens.renewable and not self._fresh:
            self._fresh = True
            return 0.0
        self._tries += 1
        passing = outcome.kind in ("connection", "timeout") or outcome.status in (429, 503)
        if not passing or self._tries >= self._client._tries:
            return None
        return min(self._client._delay * 2.0 ** (self._tries - 1), 60.0)

    def response(self, outcome: Outcome) -> ModelResponse:
        """The answer of one call."""
        data = self._data(outcome)
        response: ModelResponse = ModelResponse.read(data)
        response.request_id = response.request_id or self.request_id
        return response

    def batch(self, outcome: Outcome) -> BatchModelResponse:
        """The answers of a batch."""
        results = self._data(outcome).get("results") or []
        responses = [BaseResponse.read(item) for result in results for item in result["responses"]]
        request_id = results[0].get("request_id") if results else None
        return BatchModelResponse(request_id or self.request_id, responses)

    def task(self, outcome: Outcome) -> TaskStatusResponse:
        """Where a task stands."""
        return TaskStatusResponse.read(self._data(outcome))

    def tasks(self, outcome: Outcome) -> BatchTaskStatusResponse:
        """Where tasks stand."""
        return BatchTaskStatusResponse([TaskStatusResponse.read(task) for task in self._data(outcome)["tasks"]])

    def _data(self, outcome: Outcome) -> Dict[str, Any]:
        if outcome.kind != "ok":
            throw(outcome, self.request_id)
        return _object(outcome.body, self.request_id)


def _invocation(
    client: _Base,
    request: ModelRequest,
    timeout: Optional[float],
    request_id: Optional[str],
    extra_headers: Optional[Mapping[str, str]],
) -> _Call:
    context = request.user_context
    stream = bool(request.stream)
    body = request.sent()
    caller = (context.org_id, context.user_id)
    return _Call(client, "/v1/invoke", body, *caller, timeout, request_id, extra_headers, stream)


def _batch(
    client: _Base,
    batch: BatchModelRequest,
    timeout: Optional[float],
    request_id: Optional[str],
    extra_headers: Optional[Mapping[str, str]],
) -> _Call:
    context = batch.user_context
    caller = (context.org_id, context.user_id)
    return _Call(client, "/v1/batch-invoke", batch.sent(), *caller, timeout, request_id, extra_headers)


def _task(client: _Base, task_id: str, timeout: Optional[float]) -> _Call:
    return _Call(client, f"/v1/task-status/{quote(task_id, safe='')}", None, "", "", timeout)


def _tasks(client: _Base, task_ids: Iterable[str], timeout: Optional[float]) -> _Call:
    return _Call(client, "/v1/batch-task-status", {"task_ids": list(task_ids)}, "", "", timeout)


def _stream(outcome: Outcome, request_id: str) -> NativeStream:
    if outcome.kind != "ok":
        throw(outcome, request_id)
    if outcome.stream is None:
        raise InvalidResponseException("the answer is no stream", request_id)
    return outcome.stream


def _only(outcome: Outcome) -> Optional[ModelResponse]:
    """What failed before there was a stream is answered by one item that says so."""
    if outcome.kind != "decode":
        return None
    try:
        data = json.loads(outcome.body or b"")
    except ValueError:
        return None
    told = isinstance(data, dict) and data.get("error")
    only: Optional[ModelResponse] = ModelResponse.read(data) if told else None
    return only


def _pieces(outcome: Outcome, request_id: str) -> Iterator[ModelResponse]:
    only = _only(outcome)
    if only is not None:
        return iter([only])
    stream = _stream(outcome, request_id)

    def pieces() -> Iterator[ModelResponse]:
        while (piece := _piece(stream.next(), request_id)) is not None:
            yield piece

    return pieces()


def _piece(outcome: Outcome, request_id: str) -> Optional[ModelResponse]:
    """The next piece of a stream; nothing at the end. A piece may hold the error that ends it."""
    if outcome.kind == "end":
        return None
    if outcome.kind != "ok":
        throw(outcome, request_id)
    piece: ModelResponse = ModelResponse.read(_object(outcome.body, request_id))
    return piece


def _object(body: Optional[bytes], request_id: str) -> Dict[str, Any]:
    try:
        data = json.loads(body or b"")
    except ValueError as error:
        raise InvalidResponseException(f"the answer cannot be read: {error}", request_id) from error
    if not isinstance(data, dict):
        raise InvalidResponseException("the answer cannot be read: it is not an object", request_id)
    return data


def _env(name: str) -> Optional[str]:
    return os.environ.get(_PREFIX + name) or None
