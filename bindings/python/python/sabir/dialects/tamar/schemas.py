"""Requests and responses by Tamar's names.

A request is checked when it is made, and may be sent as often as one likes. What it holds beside the
envelope goes to the gateway as it is: parameters are the vendor's.
"""

from __future__ import annotations

import base64
import dataclasses
from enum import Enum
from typing import Any, AsyncIterator, ClassVar, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple, Type

from .enums import Channel, InvokeType, ProviderType
from .exceptions import MissingParameterException, ValidationException

#: Sampling that Google has within `config`, by the names that other vendors have for it.
_GOOGLE_CONFIG = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_output_tokens",
    "max_output_tokens": "max_output_tokens",
    "stop": "stop_sequences",
    "stop_sequences": "stop_sequences",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
_ENVELOPE = ("provider", "channel", "invoke_type", "user_context", "stream", "custom_id", "priority")


@dataclasses.dataclass
class UserContext:
    """For whom a call is made."""

    org_id: str
    user_id: str
    client_type: str
    region: Optional[str] = None

    def model_dump(self, **_: Any) -> Dict[str, Any]:
        """The members that were said."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


class _Request:
    """The envelope, and parameters as attributes; one that was not said is `None`."""

    _whole: ClassVar[bool] = True

    def __init__(
        self,
        *,
        provider: Any,
        channel: Any = None,
        invoke_type: Any = None,
        user_context: Any = None,
        stream: Optional[bool] = None,
        custom_id: Optional[str] = None,
        priority: Optional[int] = None,
        **parameters: Any,
    ) -> None:
        self.provider = _word(ProviderType, "provider", provider)
        self.channel = _word(Channel, "channel", channel if channel is not None else Channel.NORMAL)
        self.invoke_type = _word(InvokeType, "invoke_type", invoke_type or InvokeType.GENERATION)
        self.user_context = _context(user_context, self._whole)
        self.stream = stream
        self.custom_id = custom_id
        self.priority = priority
        self._parameters = {name: _plain(value) for name, value in parameters.items() if _said(value)}
        self._check()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._parameters.get(name)

    def model_dump(self, **_: Any) -> Dict[str, Any]:
        """The request as JSON."""
        envelope = {name: _plain(getattr(self, name)) for name in _ENVELOPE}
        return {**self._parameters, **{name: value for name, value in envelope.items() if value is not None}}

    def sent(self) -> Dict[str, Any]:
        """The request as the gateway takes it."""
        whole = self.model_dump()
        if self._is_google():
            config = dict(whole.get("config") or {})
            for name, word in _GOOGLE_CONFIG.items():
                if name in whole:
                    value = whole.pop(name)
                    config.setdefault(word, [value] if word == "stop_sequences" and isinstance(value, str) else value)
            if config:
                whole["config"] = config
        return whole

    def _is_google(self) -> bool:
        return self.provider == ProviderType.GOOGLE and "contents" in self._parameters

    def _check(self) -> None:
        """What a call cannot do without, as far as it does not depend on the vendor."""
        needed: Tuple[str, ...] = ()
        if self.invoke_type in (InvokeType.CHAT_COMPLETIONS, InvokeType.MESSAGES):
            needed = ("model", "messages")
        elif self.invoke_type == InvokeType.RESPONSES:
            needed = ("model",)
        elif self.invoke_type == InvokeType.GENERATION:
            needed = ("model",)
            if not any(name in self._parameters for name in ("contents", "input", "messages", "prompt")):
                raise MissingParameterException("one of `contents`, `input` and `messages` is needed")
        for name in needed:
            if name not in self._parameters:
                raise MissingParameterException(f"`{name}` is needed for {self.invoke_type.value}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.model_dump().items())})"


class ModelRequest(_Request):
    """One call."""


class BatchModelRequestItem(_Request):
    """One call of a batch; the batch says for whom."""

    _whole = False


class BatchModelRequest:
    """Several calls for one caller."""

    def __init__(self, *, user_context: Any, items: Iterable[Any]) -> None:
        self.user_context: UserContext = _context(user_context, True)
        self.items = [
            item if isinstance(item, _Request) else BatchModelRequestItem(**item) for item in items
        ]
        if not self.items:
            raise MissingParameterException("a batch needs items")

    def model_dump(self, **_: Any) -> Dict[str, Any]:
        """The batch as JSON."""
        context = self.user_context.model_dump()
        return {"user_context": context, "items": [item.model_dump() for item in self.items]}

    def sent(self) -> Dict[str, Any]:
        """The batch as the gateway takes it."""
        return {"user_context": self.user_context.model_dump(), "items": [item.sent() for item in self.items]}


@dataclasses.dataclass
class BaseResponse:
    """What was answered, or why not (`error`)."""

    content: Optional[str] = None
    usage: Optional[Dict[str, Any]] = None
    raw_response: Any = None
    error: Any = None
    custom_id: Optional[str] = None
    request_id: Optional[str] = None

    @property
    def tool_calls(self) -> Optional[List[Dict[str, Any]]]:
        """The calls of tools in the answer, in OpenAI's shape."""
        found = self._choice("message").get("tool_calls")
        if found:
            return list(found)
        parts = ((self._candidate().get("content") or {}).get("parts")) or []
        calls = [part["functionCall"] for part in parts if isinstance(part, dict) and "functionCall" in part]
        return [
            {
                "id": call.get("id") or f"call_{at}_{call['name']}",
                "type": "function",
                "function": {"name": call["name"], "arguments": call.get("args") or {}},
            }
            for at, call in enumerate(calls)
        ] or None

    @property
    def finish_reason(self) -> Optional[str]:
        """Why the model stopped, in OpenAI's words."""
        raw = self.raw_response
        if isinstance(raw, dict) and raw.get("choices"):
            reason: Optional[str] = raw["choices"][0].get("finish_reason")
            return reason
        words = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter", "RECITATION": "content_filter"}
        told = self._candidate().get("finishReason")
        return words.get(told, told) if told is not None else None

    def _choice(self, member: str) -> Dict[str, Any]:
        raw = self.raw_response
        choices = raw.get("choices") if isinstance(raw, dict) else None
        return (choices[0].get(member) or {}) if choices else {}

    def _candidate(self) -> Dict[str, Any]:
        raw = self.raw_response
        candidates = raw.get("candidates") if isinstance(raw, dict) else None
        return candidates[0] if candidates else {}

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Any:
        """An item as it came."""
        members = {field.name: data.get(field.name) for field in dataclasses.fields(cls)}
        return cls(**{**members, "error": data.get("error") or None})


@dataclasses.dataclass
class ModelResponse(BaseResponse):
    """The answer of a call. Iterating over it gives it once, as a stream of one piece would."""

    def __iter__(self) -> Iterator[ModelResponse]:
        return iter([self])

    async def __aiter__(self) -> AsyncIterator[ModelResponse]:
        yield self


@dataclasses.dataclass
class BatchModelResponse:
    """The answers of a batch, in its order."""

    request_id: Optional[str] = None
    responses: List[BaseResponse] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class TaskStatusResponse:
    """Where a call stands that nobody waits for: `status` is `processing`, `completed` or `failed`."""

    task_id: str
    provider: Optional[str] = None
    channel: Optional[str] = None
    invoke_type: Optional[str] = None
    model: Optional[str] = None
    status: Optional[str] = None
    created_at: Optional[str] = None
    completed_at: Optional[str] = None
    result_data: Optional[Dict[str, Any]] = None
    error_message: Optional[str] = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> TaskStatusResponse:
        """A task as it came; what is not said yet is `None`."""
        members = {field.name: data.get(field.name) or None for field in dataclasses.fields(cls)}
        return cls(**{**members, "task_id": data["task_id"]})


@dataclasses.dataclass
class BatchTaskStatusResponse:
    """Where calls stand, in the order in which they were asked for."""

    tasks: List[TaskStatusResponse] = dataclasses.field(default_factory=list)


def _word(kind: Type[Enum], name: str, value: Any) -> Any:
    """A word of Tamar's, or another one: the gateway knows more providers than Tamar."""
    if isinstance(value, Enum):
        return value
    if not isinstance(value, str) or not value:
        raise ValidationException(f"`{name}`: expected a text")
    try:
        return kind(value)
    except ValueError:
        return value


def _context(given: Any, needed: bool) -> Any:
    if isinstance(given, UserContext) or (given is None and not needed):
        return given
    if not isinstance(given, Mapping):
        raise MissingParameterException("`user_context` is needed: for whom the call is made")
    try:
        return UserContext(**given)
    except TypeError as error:
        raise ValidationException(f"`user_context`: {error}") from error


def _said(value: Any) -> bool:
    """`None` says nothing, and neither do the marks that vendors' packages have for it."""
    return value is not None and type(value).__name__ not in ("NotGiven", "Omit")


def _plain(value: Any) -> Any:
    """JSON; bytes travel as text behind a word that the gateway knows."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (bytes, bytearray)):
        return "bytes:" + base64.b64encode(value).decode()
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if hasattr(value, "model_dump"):
        return _plain(value.model_dump(exclude_none=True))
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items() if _said(item)}
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    raise ValidationException(f"{type(value).__name__} cannot be sent as JSON")
