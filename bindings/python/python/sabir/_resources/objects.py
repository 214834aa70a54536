"""What OpenAI's API answers: the JSON that came, with attributes.

Nothing is checked and nothing is lost. A member that objects of this API may have and this one lacks is
`None`; a name that none has raises `AttributeError`.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Set, Tuple, Type

from .._meta import Meta
from ..types import Object

#: What the members of some objects are called; all others are plain `ApiObject`s.
_NESTED: Dict[str, Dict[str, str]] = {
    "ChatCompletion": {"choices": "Choice", "usage": "CompletionUsage"},
    "ParsedChatCompletion": {"choices": "ParsedChoice", "usage": "CompletionUsage"},
    "ChatCompletionChunk": {"choices": "ChunkChoice", "usage": "CompletionUsage"},
    "Choice": {"message": "ChatCompletionMessage", "logprobs": "ChoiceLogprobs"},
    "ParsedChoice": {"message": "ParsedChatCompletionMessage", "logprobs": "ChoiceLogprobs"},
    "ChunkChoice": {"delta": "ChoiceDelta", "logprobs": "ChoiceLogprobs"},
    "ChatCompletionMessage": {"tool_calls": "ChatCompletionMessageToolCall"},
    "ParsedChatCompletionMessage": {"tool_calls": "ParsedFunctionToolCall"},
    "ChoiceDelta": {"tool_calls": "ChoiceDeltaToolCall"},
    "ChatCompletionMessageToolCall": {"function": "Function"},
    "ParsedFunctionToolCall": {"function": "ParsedFunction"},
    "ChoiceDeltaToolCall": {"function": "ChoiceDeltaToolCallFunction"},
    "CompletionUsage": {
        "completion_tokens_details": "CompletionTokensDetails",
        "prompt_tokens_details": "PromptTokensDetails",
    },
    "Completion": {"choices": "CompletionChoice", "usage": "CompletionUsage"},
    "CreateEmbeddingResponse": {"data": "Embedding", "usage": "Usage"},
    "ImagesResponse": {"data": "Image", "usage": "Usage"},
    "ModerationCreateResponse": {"results": "Moderation"},
    "Response": {"usage": "ResponseUsage", "error": "ResponseError"},
    "ParsedResponse": {"usage": "ResponseUsage", "error": "ResponseError"},
}

#: What Python asks to find out whether something is a mapping.
_ASKED = ("get", "items", "keys", "values")


class ApiObject(Object):
    """JSON with attributes; those below it are such objects too."""

    __slots__ = ()

    def __init__(self, _data: Optional[Mapping[str, Any]] = None, _meta: Optional[Meta] = None, **members: Any) -> None:
        super().__init__({**(_data or {}), **members} if members or _data is None else _data, _meta)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        made = self._made
        if name in made:
            return made[name]
        data = self._data
        if name in data:
            value = data[name]
        else:
            for key in data:
                if not key.isidentifier() and re.sub(r"\W", "_", key) == name:
                    value = data[key]
                    break
            else:
                if name in _words() and name not in _ASKED:
                    return None
                raise AttributeError(f"{type(self).__name__} has no member {name!r}")
        if not isinstance(value, (dict, list)):
            return value
        made[name] = value = self._wrapped(name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
            return
        self._data[name] = value  # type: ignore[index]
        self._made[name] = value

    def _wrapped(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            if name in _maps():
                return value
            return kind(_NESTED.get(type(self).__name__, {}).get(name))(value)
        if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
            return [self._wrapped(name, item) for item in value]
        return value

    @property
    def _request_id(self) -> Optional[str]:
        return self._meta.request_id if self._meta else None

    @property
    def model_extra(self) -> Dict[str, Any]:
        """The members that objects of this API are not known to have."""
        return {name: getattr(self, name) for name in self._data if name not in _words()}

    @property
    def model_fields_set(self) -> Set[str]:
        """The members that came, be they `null`: others are missing."""
        return {*self._data, *self._made}

    @classmethod
    def construct(cls, _fields_set: object = None, **members: Any) -> ApiObject:
        """One with these members."""
        return cls(members)

    model_construct = construct

    @classmethod
    def model_validate(cls, members: Any, **_: Any) -> ApiObject:
        """One with these members."""
        return cls(plain(members))

    @classmethod
    def model_validate_json(cls, text: Any, **_: Any) -> ApiObject:
        """One with the members in this JSON."""
        return cls(json.loads(text))

    def model_copy(self, *, update: Optional[Mapping[str, Any]] = None, deep: bool = False) -> ApiObject:
        """Another with the same members."""
        return type(self)({**self.to_dict(), **(update or {})}, self._meta)

    def to_dict(self, **how: Any) -> Dict[str, Any]:
        """The JSON as it came; `exclude_none` leaves out what is `null`."""
        return self.model_dump(**how)

    def to_json(self, *, indent: Optional[int] = 2, **how: Any) -> str:
        """The JSON as a text."""
        return self.model_dump_json(indent=indent, **how)

    def model_dump(
        self,
        *,
        mode: str = "python",
        include: Optional[Iterable[str]] = None,
        exclude: Optional[Iterable[str]] = None,
        exclude_none: bool = False,
        **_: Any,
    ) -> Dict[str, Any]:
        """The members as plain values. Those that did not come are not there, whatever else is asked for."""
        # What was handed out may have been changed since.
        members = plain({**self._data, **self._made})
        if exclude_none:
            members = _without_nulls(members)
        return {
            name: value
            for name, value in members.items()
            if (include is None or name in include) and (exclude is None or name not in exclude)
        }

    def model_dump_json(self, *, indent: Optional[int] = None, **how: Any) -> str:
        """The members as JSON."""
        separators = (",", ":") if indent is None else None
        return json.dumps(self.model_dump(**how), indent=indent, ensure_ascii=False, separators=separators)

    dict = model_dump
    json = model_dump_json

    def __iter__(self) -> Iterator[Tuple[str, Any]]:
        return ((name, getattr(self, name)) for name in list(self._data))

    def __reduce__(self) -> Tuple[Any, ...]:
        return _remade, (type(self).__name__, self.model_dump(), self._meta)

    def __repr__(self) -> str:
        names = [name for name in self._data if name.isidentifier()]
        members = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({members})"


class Response(ApiObject):
    """An answer of the Responses API."""

    __slots__ = ()

    @property
    def output_text(self) -> str:
        """All texts of the answer, one after the other."""
        texts: List[str] = []
        for item in self._data.get("output") or []:
            if isinstance(item, Mapping) and item.get("type") == "message":
                parts = item.get("content") or []
                texts += [part.get("text") or "" for part in parts if part.get("type") == "output_text"]
        return "".join(texts)


class BetaResponse(Response):
    """The same, where it is tried out."""

    __slots__ = ()


class ParsedResponse(Response):
    """An answer whose texts were read as what was asked for."""

    __slots__ = ()

    @property
    def output_parsed(self) -> Any:
        """What the first text was read as."""
        for item in self.output or []:
            for part in (item.content or []) if item.type == "message" else []:
                parsed = part._made.get("parsed")
                if parsed is not None:
                    return parsed
        return None


_KINDS: Dict[str, Type[ApiObject]] = {
    "ApiObject": ApiObject,
    "BetaResponse": BetaResponse,
    "ParsedResponse": ParsedResponse,
    "Response": Response,
}


def kind(name: Optional[str]) -> Type[ApiObject]:
    """The class of objects with this name."""
    if name is None:
        return ApiObject
    found = _KINDS.get(name)
    if found is None:
        found = _KINDS[name] = type(name, (ApiObject,), {"__slots__": (), "__module__": __name__})
    return found


def made(name: Optional[str], data: Any, meta: Optional[Meta] = None) -> Any:
    """JSON as an object of this kind; what is no object stays what it is."""
    if isinstance(data, dict):
        return kind(name)(data, meta)
    if isinstance(data, list):
        return [made(name, item) for item in data]
    return data


def plain(value: Any) -> Any:
    """The JSON of a value with objects in it."""
    if isinstance(value, ApiObject):
        return value.model_dump()
    if isinstance(value, Object):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    dump: Optional[Callable[..., Any]] = getattr(value, "model_dump", None)
    if dump is not None and not isinstance(value, type):
        return dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _remade(name: str, data: Dict[str, Any], meta: Optional[Meta]) -> ApiObject:
    return kind(name)(data, meta)


# The words are many: who never meets a member that is missing does not pay for them.


def _words() -> Any:
    from .words import WORDS

    return WORDS


def _maps() -> Any:
    from .words import MAPS

    return MAPS
