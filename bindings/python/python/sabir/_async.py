"""The client for event loops: the one for threads, with `await`."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, Iterable, Mapping, Optional, Type, TypeVar, Union, overload

from . import _requests
from ._api import More, SabirApi
from ._errors import throw
from ._native import Client, Outcome
from ._requests import DEFAULT_RETRIES, DEFAULT_TIMEOUT, Settings, StrPath, given
from ._resources.engine import Api
from ._resources.surface import Surface
from ._resources.verbs import Verbs
from ._streams import AsyncStream
from ._sync import answer
from ._waiting import Waiter
from .types import (
    Answer,
    ChatCompletion,
    ChatCompletionChunk,
    EmbeddingList,
    FeedbackResponse,
    InferenceChunk,
    InferenceList,
    InferenceResponse,
    Model,
    ModelList,
)

if TYPE_CHECKING:
    from typing import Literal

A = TypeVar("A", bound=Answer)
Headers = Optional[Mapping[str, str]]
AsyncChatStream = AsyncStream[ChatCompletionChunk, ChatCompletion]
AsyncInferenceStream = AsyncStream[InferenceChunk, InferenceResponse]


class AsyncSabir(Verbs, Surface):
    """A client of a gateway: at an address (`AsyncSabir.http`), or in this process (`AsyncSabir.embedded`).

    It may be used in several event loops. Close it, or use it as a context manager: that ends its
    threads, and an embedded gateway writes what its ledger has queued. Cancelling a call ends it at
    the gateway too.
    """

    def __init__(self, native: Client, settings: Settings) -> None:
        self._native = native
        self._settings = settings
        self._api = SabirApi(self, True)
        self.chat = AsyncChat(self)
        self.embeddings = AsyncEmbeddings(self)
        self.models = AsyncModels(self)

    @classmethod
    def http(
        cls,
        url: str,
        *,
        api_key: Optional[str] = None,
        headers: Headers = None,
        timeout: float = DEFAULT_TIMEOUT,
        max_retries: int = DEFAULT_RETRIES,
        root_certificates: Optional[bytes] = None,
        proxy: Optional[str] = None,
        trust_env: bool = True,
    ) -> AsyncSabir:
        """A client of the gateway at an address like `http://127.0.0.1:3000`.

        `timeout` is how many seconds the gateway may say nothing; `root_certificates` are
        certificates in PEM to trust beside the usual ones. Unless there is a `proxy`, those count
        that the environment names (`https_proxy` and the like), if `trust_env` says so.
        """
        native = _requests.http_client(
            url, api_key, headers, root_certificates, proxy=proxy, environment=trust_env
        )
        return cls(native, Settings(timeout, max_retries))

    @classmethod
    def embedded(
        cls,
        config: Optional[str] = None,
        *,
        config_file: Optional[StrPath] = None,
        ledger: Optional[StrPath] = None,
        variables: Optional[Mapping[str, str]] = None,
        timeout: float = DEFAULT_TIMEOUT,
        max_retries: int = DEFAULT_RETRIES,
    ) -> AsyncSabir:
        """A client with a gateway of its own in this process.

        `config` is TOML, `config_file` a path or a pattern; `ledger` is the folder in which calls
        are kept, and without it (or `gateway.data_dir`) nothing is. `variables` stand in for the
        environment's.
        """
        native = _requests.embedded_client(config, config_file, ledger, variables)
        return cls(native, Settings(timeout, max_retries))

    @overload
    async def inference(
        self,
        *,
        input: Mapping[str, Any],
        model_name: Optional[str] = None,
        episode_id: Optional[str] = None,
        tags: Optional[Mapping[str, str]] = None,
        stream: Literal[False] = False,
        extra_headers: Headers = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        **params: Any,
    ) -> InferenceResponse: ...
    @overload
    async def inference(
        self,
        *,
        input: Mapping[str, Any],
        model_name: Optional[str] = None,
        episode_id: Optional[str] = None,
        tags: Optional[Mapping[str, str]] = None,
        stream: Literal[True],
        extra_headers: Headers = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        **params: Any,
    ) -> AsyncInferenceStream: ...
    async def inference(
        self,
        *,
        input: Mapping[str, Any],
        model_name: Optional[str] = None,
        episode_id: Optional[str] = None,
        tags: Optional[Mapping[str, str]] = None,
        stream: bool = False,
        extra_headers: Headers = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        **params: Any,
    ) -> Union[InferenceResponse, AsyncInferenceStream]:
        """Calls a model in TensorZero's shape. Other members go in as keywords."""
        members = given(model_name=model_name, episode_id=episode_id, tags=tags)
        body = _requests.body({**members, "input": input, **params, "stream": stream})
        options = self._settings.options(stream, extra_headers, timeout, max_retries)
        outcome = await self._call("POST", "/inference", body, options)
        if stream:
            return AsyncStream(outcome, InferenceChunk, InferenceResponse, chat=False)
        return answer(InferenceResponse, outcome)

    async def feedback(
        self,
        *,
        metric_name: str,
        value: Any,
        inference_id: Optional[str] = None,
        episode_id: Optional[str] = None,
        tags: Optional[Mapping[str, str]] = None,
        dryrun: Optional[bool] = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
    ) -> FeedbackResponse:
        """Says something about an inference or an episode."""
        members = given(inference_id=inference_id, episode_id=episode_id, tags=tags, dryrun=dryrun)
        return await self._post(
            FeedbackResponse, "/feedback", {"metric_name": metric_name, "value": value, **members}, timeout, max_retries
        )

    async def list_inferences(
        self,
        *,
        function_name: Optional[str] = None,
        variant_name: Optional[str] = None,
        episode_id: Optional[str] = None,
        output_source: Optional[str] = None,
        filters: Optional[Mapping[str, Any]] = None,
        order_by: Optional[Iterable[Mapping[str, Any]]] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        before: Optional[str] = None,
        after: Optional[str] = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
    ) -> InferenceList:
        """Finds inferences in the ledger; 20 of them unless `limit` says otherwise."""
        members = given(
            function_name=function_name,
            variant_name=variant_name,
            episode_id=episode_id,
            output_source=output_source,
            filters=filters,
            order_by=order_by,
            limit=limit,
            offset=offset,
            before=before,
            after=after,
        )
        return await self._post(InferenceList, "/v1/inferences/list_inferences", members, timeout, max_retries)

    async def get_inferences(
        self, ids: Iterable[str], *, timeout: Optional[float] = None, max_retries: Optional[int] = None
    ) -> InferenceList:
        """The inferences with these ids."""
        return await self._post(
            InferenceList, "/v1/inferences/get_inferences", {"ids": list(ids)}, timeout, max_retries
        )

    def with_options(self, *, timeout: Optional[float] = None, max_retries: Optional[int] = None) -> AsyncSabir:
        """The same client with other settings; it ends with this one."""
        settings = self._settings
        return AsyncSabir(
            self._native,
            Settings(
                settings.timeout if timeout is None else timeout,
                settings.max_retries if max_retries is None else max_retries,
            ),
        )

    def _api_of(self) -> Api:
        return self._api

    async def close(self) -> None:
        """Ends all calls and lets go of everything; later calls raise `ClosedError`."""
        # It waits for threads: not here, where everybody else would wait too.
        outcome = await asyncio.get_running_loop().run_in_executor(None, self._native.close)
        if outcome.kind != "end":
            throw(outcome)

    @property
    def closed(self) -> bool:
        return self._native.closed

    async def __aenter__(self) -> AsyncSabir:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()

    async def _post(
        self,
        kind: Type[A],
        path: str,
        members: Mapping[str, Any],
        timeout: Optional[float],
        max_retries: Optional[int],
        extra_headers: Headers = None,
    ) -> A:
        options = self._settings.options(False, extra_headers, timeout, max_retries)
        return answer(kind, await self._call("POST", path, _requests.body(members), options))

    async def _get(self, kind: Type[A], path: str, timeout: Optional[float], max_retries: Optional[int]) -> A:
        options = self._settings.options(False, None, timeout, max_retries)
        return answer(kind, await self._call("GET", path, None, options))

    async def _call(self, method: str, path: str, body: Optional[bytes], options: Mapping[str, object]) -> Outcome:
        waiter = Waiter(asyncio.get_running_loop())
        task, failed = self._native.start(method, path, body, options, waiter.done)
        if task is None:
            assert failed is not None
            throw(failed)
        outcome = await waiter.wait(task)
        if outcome.kind != "ok":
            throw(outcome)
        return outcome


class AsyncChat:
    """Chat completions live one below, where OpenAI's client has them."""

    def __init__(self, client: AsyncSabir) -> None:
        self.completions = AsyncCompletions(client)


class AsyncCompletions(More):
    """Chat completions, in OpenAI's shape."""

    _place = "chat.completions"

    def __init__(self, client: AsyncSabir) -> None:
        self._client = client

    def _api_of(self) -> Api:
        return self._client._api

    @overload
    async def create(
        self,
        *,
        model: str,
        messages: Iterable[Any],
        stream: Literal[False] = False,
        extra_headers: Headers = None,
        extra_body: Optional[Mapping[str, Any]] = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        **params: Any,
    ) -> ChatCompletion: ...
    @overload
    async def create(
        self,
        *,
        model: str,
        messages: Iterable[Any],
        stream: Literal[True],
        extra_headers: Headers = None,
        extra_body: Optional[Mapping[str, Any]] = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        **params: Any,
    ) -> AsyncChatStream: ...
    async def create(
        self,
        *,
        model: str,
        messages: Iterable[Any],
        stream: bool = False,
        extra_headers: Headers = None,
        extra_body: Optional[Mapping[str, Any]] = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        **params: Any,
    ) -> Union[ChatCompletion, AsyncChatStream]:
        """Asks a model. Other members go in as keywords; those of `extra_body` win."""
        members = {"model": model, "messages": messages, **params, **({"stream": True} if stream else {})}
        body = _requests.body(members, extra_body)
        options = self._client._settings.options(stream, extra_headers, timeout, max_retries)
        outcome = await self._client._call("POST", "/v1/chat/completions", body, options)
        if stream:
            return AsyncStream(outcome, ChatCompletionChunk, ChatCompletion, chat=True)
        return answer(ChatCompletion, outcome)


class AsyncEmbeddings(More):
    """Embeddings, in OpenAI's shape."""

    _place = "embeddings"

    def __init__(self, client: AsyncSabir) -> None:
        self._client = client

    def _api_of(self) -> Api:
        return self._client._api

    async def create(
        self,
        *,
        model: str,
        input: Any,
        extra_headers: Headers = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        **params: Any,
    ) -> EmbeddingList:
        """Turns texts into vectors. Other members go in as keywords."""
        members = {"model": model, "input": input, **params}
        return await self._client._post(EmbeddingList, "/v1/embeddings", members, timeout, max_retries, extra_headers)


class AsyncModels(More):
    """The models that can be called."""

    _place = "models"

    def __init__(self, client: AsyncSabir) -> None:
        self._client = client

    def _api_of(self) -> Api:
        return self._client._api

    async def list(self, *, timeout: Optional[float] = None, max_retries: Optional[int] = None) -> ModelList:
        """All of them."""
        return await self._client._get(ModelList, "/v1/models", timeout, max_retries)

    async def retrieve(self, model: str, *, timeout: Optional[float] = None, max_retries: Optional[int] = None) -> Model:
        """One by its name."""
        return await self._client._get(Model, _requests.model_path(model), timeout, max_retries)
