"""The client for threads."""

from __future__ import annotations

import json
from types import TracebackType
from typing import TYPE_CHECKING, Any, Iterable, Mapping, Optional, Type, TypeVar, Union, overload

from . import _requests
from ._api import More, SabirApi
from ._errors import DecodeError, throw
from ._meta import Meta
from ._native import Client, Outcome
from ._requests import DEFAULT_RETRIES, DEFAULT_TIMEOUT, Settings, StrPath, given
from ._resources.engine import Api
from ._resources.surface import Surface
from ._resources.verbs import Verbs
from ._streams import Stream
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
ChatStream = Stream[ChatCompletionChunk, ChatCompletion]
InferenceStream = Stream[InferenceChunk, InferenceResponse]


class Sabir(Verbs, Surface):
    """A client of a gateway: at an address (`Sabir.http`), or in this process (`Sabir.embedded`).

    It may be used by several threads at once. Close it, or use it as a context manager: that ends
    its threads, and an embedded gateway writes what its ledger has queued.
    """

    def __init__(self, native: Client, settings: Settings) -> None:
        self._native = native
        self._settings = settings
        self._api = SabirApi(self, False)
        self.chat = Chat(self)
        self.embeddings = Embeddings(self)
        self.models = Models(self)

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
    ) -> Sabir:
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
    ) -> Sabir:
        """A client with a gateway of its own in this process.

        `config` is TOML, `config_file` a path or a pattern; `ledger` is the folder in which calls
        are kept, and without it (or `gateway.data_dir`) nothing is. `variables` stand in for the
        environment's.
        """
        native = _requests.embedded_client(config, config_file, ledger, variables)
        return cls(native, Settings(timeout, max_retries))

    @overload
    def inference(
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
    def inference(
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
    ) -> InferenceStream: ...
    def inference(
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
    ) -> Union[InferenceResponse, InferenceStream]:
        """Calls a model in TensorZero's shape. Other members go in as keywords."""
        members = given(model_name=model_name, episode_id=episode_id, tags=tags)
        body = _requests.body({**members, "input": input, **params, "stream": stream})
        options = self._settings.options(stream, extra_headers, timeout, max_retries)
        outcome = self._call("POST", "/inference", body, options)
        if stream:
            return Stream(outcome, InferenceChunk, InferenceResponse, chat=False)
        return answer(InferenceResponse, outcome)

    def feedback(
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
        return self._post(
            FeedbackResponse, "/feedback", {"metric_name": metric_name, "value": value, **members}, timeout, max_retries
        )

    def list_inferences(
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
        return self._post(InferenceList, "/v1/inferences/list_inferences", members, timeout, max_retries)

    def get_inferences(
        self, ids: Iterable[str], *, timeout: Optional[float] = None, max_retries: Optional[int] = None
    ) -> InferenceList:
        """The inferences with these ids."""
        return self._post(
            InferenceList, "/v1/inferences/get_inferences", {"ids": list(ids)}, timeout, max_retries
        )

    def with_options(self, *, timeout: Optional[float] = None, max_retries: Optional[int] = None) -> Sabir:
        """The same client with other settings; it ends with this one."""
        settings = self._settings
        return Sabir(
            self._native,
            Settings(
                settings.timeout if timeout is None else timeout,
                settings.max_retries if max_retries is None else max_retries,
            ),
        )

    def _api_of(self) -> Api:
        return self._api

    def close(self) -> None:
        """Ends all calls and lets go of everything; later calls raise `ClosedError`."""
        outcome = self._native.close()
        if outcome.kind != "end":
            throw(outcome)

    @property
    def closed(self) -> bool:
        return self._native.closed

    def __enter__(self) -> Sabir:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _post(
        self,
        kind: Type[A],
        path: str,
        members: Mapping[str, Any],
        timeout: Optional[float],
        max_retries: Optional[int],
        extra_headers: Headers = None,
    ) -> A:
        options = self._settings.options(False, extra_headers, timeout, max_retries)
        return answer(kind, self._call("POST", path, _requests.body(members), options))

    def _get(self, kind: Type[A], path: str, timeout: Optional[float], max_retries: Optional[int]) -> A:
        options = self._settings.options(False, None, timeout, max_retries)
        return answer(kind, self._call("GET", path, None, options))

    def _call(self, method: str, path: str, body: Optional[bytes], options: Mapping[str, object]) -> Outcome:
        outcome = self._native.call(method, path, body, options)
        if outcome.kind != "ok":
            throw(outcome)
        return outcome


class Chat:
    """Chat completions live one below, where OpenAI's client has them."""

    def __init__(self, client: Sabir) -> None:
        self.completions = Completions(client)


class Completions(More):
    """Chat completions, in OpenAI's shape."""

    _place = "chat.completions"

    def __init__(self, client: Sabir) -> None:
        self._client = client

    def _api_of(self) -> Api:
        return self._client._api

    @overload
    def create(
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
    def create(
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
    ) -> ChatStream: ...
    def create(
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
    ) -> Union[ChatCompletion, ChatStream]:
        """Asks a model. Other members go in as keywords; those of `extra_body` win."""
        members = {"model": model, "messages": messages, **params, **({"stream": True} if stream else {})}
        body = _requests.body(members, extra_body)
        options = self._client._settings.options(stream, extra_headers, timeout, max_retries)
        outcome = self._client._call("POST", "/v1/chat/completions", body, options)
        if stream:
            return Stream(outcome, ChatCompletionChunk, ChatCompletion, chat=True)
        return answer(ChatCompletion, outcome)


class Embeddings(More):
    """Embeddings, in OpenAI's shape."""

    _place = "embeddings"

    def __init__(self, client: Sabir) -> None:
        self._client = client

    def _api_of(self) -> Api:
        return self._client._api

    def create(
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
        return self._client._post(EmbeddingList, "/v1/embeddings", members, timeout, max_retries, extra_headers)


class Models(More):
    """The models that can be called."""

    _place = "models"

    def __init__(self, client: Sabir) -> None:
        self._client = client

    def _api_of(self) -> Api:
        return self._client._api

    def list(self, *, timeout: Optional[float] = None, max_retries: Optional[int] = None) -> ModelList:
        """All of them."""
        return self._client._get(ModelList, "/v1/models", timeout, max_retries)

    def retrieve(self, model: str, *, timeout: Optional[float] = None, max_retries: Optional[int] = None) -> Model:
        """One by its name."""
        return self._client._get(Model, _requests.model_path(model), timeout, max_retries)


def answer(kind: Type[A], outcome: Outcome) -> A:
    """A whole answer, typed."""
    body = outcome.body or b""
    try:
        data = json.loads(body)
    except ValueError as error:
        raise DecodeError(f"the answer cannot be read: {error}", body) from error
    if not isinstance(data, dict):
        raise DecodeError("the answer cannot be read: it is not an object", body)
    return kind(data, Meta.of(outcome))
