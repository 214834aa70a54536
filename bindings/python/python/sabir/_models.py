"""A model as an object: its name, its parameters, and four ways to ask it.

Whom it asks: the client that it is given; else the gateway at `SABIR_BASE_URL`; else a gateway in
this process, which has the providers' keys from the environment. Models without keys or addresses
of their own share one such gateway.
"""

from __future__ import annotations

import json
import os
import weakref
from dataclasses import dataclass, field
from typing import Any, AsyncIterator, Dict, Iterator, List, Optional, Tuple, Type, Union

from . import _messages, _requests
from ._async import AsyncSabir
from ._errors import DecodeError, RequestError
from ._messages import Prompt
from ._native import Client
from ._parameters import Parameters
from ._requests import DEFAULT_RETRIES, DEFAULT_TIMEOUT, Settings
from ._sync import Sabir
from .types import ChatCompletion, ChatCompletionChunk

#: The variable under which a model's own key stands in its gateway's configuration.
_KEY = "SABIR_MODEL_KEY"


@dataclass
class ModelOutput:
    """What a model said."""

    model_id: str
    parameters: Parameters
    #: The new messages, to be put behind those that were sent.
    messages: List[Dict[str, Any]] = field(default_factory=list)
    reply: str = ""
    error: Optional[str] = None
    extra_info: Dict[str, Any] = field(default_factory=dict)
    usage: Optional[Dict[str, Any]] = None

    @property
    def is_error(self) -> bool:
        """Whether the call failed; only an engine that goes on after errors gives such an output."""
        return self.error is not None

    @property
    def last_message(self) -> Dict[str, Any]:
        """The last of the new messages."""
        return self.messages[-1]


@dataclass
class Piece:
    """What a piece of a stream adds: `control` is `start`, `continue` or `finish`."""

    delta: str
    control: str


@dataclass
class ModelStreamOutput(ModelOutput):
    """What a model has said so far."""

    stream: Piece = field(default_factory=lambda: Piece("", "start"))

    @property
    def is_finish(self) -> bool:
        """Whether this is the last piece, with the whole answer."""
        return self.stream.control == "finish"


class Model:
    """A model: `Model("openai::gpt-4o-mini")`, or any name that the gateway knows."""

    #: Whether a call of a function is kept as a message's content (LMClient's way).
    _calls_as_content = False
    _output: Type[ModelOutput] = ModelOutput
    _stream_output: Type[ModelStreamOutput] = ModelStreamOutput

    def __init__(
        self,
        name: str,
        *,
        model_id: Optional[str] = None,
        parameters: Optional[Parameters] = None,
        system_prompt: Optional[str] = None,
        client: Union[Sabir, AsyncSabir, None] = None,
        api_key: Optional[str] = None,
        api_base: Optional[str] = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        provider_settings: Optional[Dict[str, str]] = None,
    ) -> None:
        """`api_key` is for whoever is called: the gateway at an address, else the provider."""
        if not name:
            raise RequestError("the model has no name")
        self.gateway_model = name
        self.model_id = model_id or name
        self.parameters = parameters if parameters is not None else Parameters()
        self.system_prompt = system_prompt
        self._timeout = timeout
        self._max_retries = max_retries
        if client is not None:
            native, settings = client._native, client._settings
        else:
            native = _native(name, api_key, api_base, provider_settings or {})
            settings = Settings(DEFAULT_TIMEOUT, DEFAULT_RETRIES)
        self._sync = Sabir(native, settings)
        self._async = AsyncSabir(native, settings)

    def chat_completion(
        self, prompt: Prompt, override_parameters: Optional[Parameters] = None, **more: Any
    ) -> ModelOutput:
        """Asks the model. Parameters that are said here count for this call only."""
        parameters, request = self._request(prompt, override_parameters, more)
        return self._read(parameters, self._sync.chat.completions.create(**request))

    async def async_chat_completion(
        self, prompt: Prompt, override_parameters: Optional[Parameters] = None, **more: Any
    ) -> ModelOutput:
        """Asks the model, within an event loop."""
        parameters, request = self._request(prompt, override_parameters, more)
        return self._read(parameters, await self._async.chat.completions.create(**request))

    def stream_chat_completion(
        self, prompt: Prompt, override_parameters: Optional[Parameters] = None, **more: Any
    ) -> Iterator[ModelStreamOutput]:
        """Asks the model, and gives what it says as it comes."""
        parameters, request = self._request(prompt, override_parameters, more, stream=True)
        return self._stream(parameters, request)

    def async_stream_chat_completion(
        self, prompt: Prompt, override_parameters: Optional[Parameters] = None, **more: Any
    ) -> AsyncIterator[ModelStreamOutput]:
        """Asks the model within an event loop, and gives what it says as it comes."""
        parameters, request = self._request(prompt, override_parameters, more, stream=True)
        return self._async_stream(parameters, request)

    def update_parameters(self, **more: Any) -> None:
        """Changes what counts for all calls."""
        self.parameters = self.parameters.merged(**more)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model_id!r}, {self.parameters!r})"

    def _request(
        self, prompt: Prompt, override: Optional[Parameters], more: Dict[str, Any], stream: bool = False
    ) -> Tuple[Parameters, Dict[str, Any]]:
        parameters = self.parameters.merged(override, **more)
        messages = _messages.sent(_messages.conversation(prompt), self.system_prompt)
        members, extra = parameters.members()
        request: Dict[str, Any] = {"model": self.gateway_model, "messages": messages, **members}
        if extra:
            request["extra_body"] = extra
        if stream:
            request["stream"] = True
            request["stream_options"] = {"include_usage": True}
        request["timeout"] = self._timeout
        request["max_retries"] = self._max_retries
        return parameters, request

    def _read(self, parameters: Parameters, answer: ChatCompletion) -> ModelOutput:
        return self._output(self.model_id, parameters, **self._said(answer))

    def _said(self, answer: ChatCompletion) -> Dict[str, Any]:
        data = answer.to_dict()
        if not data.get("choices"):
            raise DecodeError("the answer has no choices", answer.to_json().encode())
        message = data["choices"][0].get("message") or {}
        return {
            "messages": _messages.kept(message, self._calls_as_content),
            "reply": _messages.text(message),
            "extra_info": {"http_response": data},
            "usage": data.get("usage"),
        }

    def _stream(self, parameters: Parameters, request: Dict[str, Any]) -> Iterator[ModelStreamOutput]:
        with self._sync.chat.completions.create(**request) as stream:
            so_far = _SoFar(self, parameters)
            for chunk in stream:
                yield so_far.piece(chunk)
            yield so_far.finish(stream.so_far())

    async def _async_stream(
        self, parameters: Parameters, request: Dict[str, Any]
    ) -> AsyncIterator[ModelStreamOutput]:
        async with await self._async.chat.completions.create(**request) as stream:
            so_far = _SoFar(self, parameters)
            async for chunk in stream:
                yield so_far.piece(chunk)
            yield so_far.finish(stream.so_far())


class _SoFar:
    """What has come of a stream."""

    def __init__(self, model: Model, parameters: Parameters) -> None:
        self._model = model
        self._parameters = parameters
        self._control = "start"
        self._reply = ""

    def piece(self, chunk: ChatCompletionChunk) -> ModelStreamOutput:
        delta = (chunk.choices[0].delta.content if chunk.choices else None) or ""
        self._reply += delta
        control, self._control = self._control, "continue"
        return self._model._stream_output(
            self._model.model_id,
            self._parameters,
            messages=[{"role": "assistant", "content": self._reply}],
            reply=self._reply,
            extra_info={"http_response": chunk.to_dict()},
            stream=Piece(delta, control),
        )

    def finish(self, answer: ChatCompletion) -> ModelStreamOutput:
        said = self._model._said(answer)
        return self._model._stream_output(
            self._model.model_id, self._parameters, stream=Piece("", "finish"), **said
        )


def load_from_model_id(model_id: str, **more: Any) -> Model:
    """A model by its id: `provider/name`, `provider::name`, or a name of the gateway's configuration.

    Models that LMClient's users know by names of their time are those that serve now.
    """
    from ._model_ids import gateway_model

    more.setdefault("model_id", model_id)
    return Model(gateway_model(model_id), **more)


#: Gateways in this process, by what they were made of; one lives as long as a model that uses it.
_gateways: weakref.WeakValueDictionary[Tuple[Any, ...], _Shared] = weakref.WeakValueDictionary()


def _native(name: str, api_key: Optional[str], api_base: Optional[str], settings: Dict[str, str]) -> Any:
    address = os.environ.get("SABIR_BASE_URL")
    if address and api_base is None and not settings:
        return _shared(address, api_key or os.environ.get("SABIR_API_KEY") or None, {})
    variables = dict(os.environ)
    if api_key is None and api_base is None and not settings:
        return _shared(None, "", variables)
    provider, found, model = name.partition("::")
    if not found:
        raise RequestError(f"`{name}`: a key or an address needs a model of a provider (`provider::model`)")
    if api_key is not None:
        variables[_KEY] = api_key
    if settings:
        # A provider that needs more than a key and an address has no models without a table.
        lines = [
            f"[models.{_text(name)}.providers.own]",
            f"type = {_text(provider)}",
            f"model_name = {_text(model)}",
        ]
    else:
        lines = [f"[provider_types.{_text(provider)}.defaults]"]
    lines += [
        *([f"api_base = {_text(api_base)}"] if api_base is not None else []),
        *([f'api_key_location = "env::{_KEY}"'] if api_key is not None else []),
        *[f"{key} = {_text(value)}" for key, value in settings.items()],
    ]
    return _shared(None, "\n".join(lines), variables)


class _Shared:
    """A native client that can be referred to weakly, and ends when nobody uses it any more."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _shared(address: Optional[str], text: Optional[str], variables: Dict[str, str]) -> _Shared:
    made_of = (os.getpid(), address, text, frozenset(variables.items()))
    shared = _gateways.get(made_of)
    if shared is None:
        if address is None:
            client = _requests.embedded_client(text, None, None, variables)
        else:
            client = _requests.http_client(address, text, None, None)
        shared = _gateways[made_of] = _Shared(client)
    return shared


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
