"""What is answered, typed.

An object is the JSON that came, with attributes: nothing is checked and nothing is lost. A member
that the type knows and the answer lacks is `None`; members that the type does not know are
attributes too, as plain values.
"""

from __future__ import annotations

import base64
import copy
import json
import struct
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Tuple, Type

from ._meta import Headers, Meta




class Object:
    """JSON with attributes."""

    #: Which members are objects, or lists of objects.
    _objects: ClassVar[Dict[str, Type[Object]]] = {}

    __slots__ = ("_data", "_made", "_meta")

    def __init__(self, data: Mapping[str, Any], meta: Optional[Meta] = None) -> None:
        self._data = data
        self._made: Dict[str, Any] = {}
        self._meta = meta

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        made = self._made
        if name in made:
            return made[name]
        if name in self._data:
            made[name] = self._typed(name, self._data[name])
            return made[name]
        if any(name in getattr(kind, "__annotations__", ()) for kind in type(self).__mro__):
            return None
        raise AttributeError(f"{type(self).__name__} has no member {name!r}")

    def _typed(self, name: str, value: Any) -> Any:
        kind = self._objects.get(name)
        if kind is None:
            return value
        if isinstance(value, dict):
            return kind(value)
        if isinstance(value, list):
            return [kind(item) if isinstance(item, dict) else item for item in value]
        return value

    def to_dict(self) -> Dict[str, Any]:
        """The JSON as it came."""
        return copy.deepcopy(dict(self._data))

    def to_json(self, *, indent: Optional[int] = None) -> str:
        """The JSON as a text."""
        return json.dumps(self._data, indent=indent, ensure_ascii=False)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Object) and self._data == other._data

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (dict(self._data), self._meta)

    def __dir__(self) -> List[str]:
        return sorted({*super().__dir__(), *self._data})

    def __repr__(self) -> str:
        members = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._data)
        return f"{type(self).__name__}({members})"


class Answer(Object):
    """The whole of an answer, with what came beside the body."""

    __slots__ = ()

    @property
    def meta(self) -> Meta:
        """The status, the headers and the ids."""
        return self._meta or Meta(0, Headers([]), 0)

    @property
    def request_id(self) -> Optional[str]:
        return self.meta.request_id


class Function(Object):
    """The function of a call."""

    __slots__ = ()
    name: Optional[str]
    #: JSON, if the model made no mistake.
    arguments: str


class ToolCall(Object):
    """A call of a tool, or a piece of one."""

    __slots__ = ()
    _objects = {"function": Function}
    index: Optional[int]
    id: Optional[str]
    type: Optional[str]
    function: Function


class Message(Object):
    """What a model says."""

    __slots__ = ()
    _objects = {"tool_calls": ToolCall}
    role: str
    content: Optional[str]
    refusal: Optional[str]
    tool_calls: Optional[List[ToolCall]]


class Choice(Object):
    """One of the answers."""

    __slots__ = ()
    _objects = {"message": Message}
    index: int
    message: Message
    finish_reason: Optional[str]
    logprobs: Optional[Dict[str, Any]]


class Usage(Object):
    """The tokens that an answer took."""

    __slots__ = ()
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: Optional[Dict[str, Any]]
    completion_tokens_details: Optional[Dict[str, Any]]


class ChatCompletion(Answer):
    """A whole answer."""

    __slots__ = ()
    _objects = {"choices": Choice, "usage": Usage}
    id: str
    object: str
    created: int
    model: str
    choices: List[Choice]
    usage: Optional[Usage]
    system_fingerprint: Optional[str]
    service_tier: Optional[str]


class Delta(Object):
    """What a piece adds to a message."""

    __slots__ = ()
    _objects = {"tool_calls": ToolCall}
    role: Optional[str]
    content: Optional[str]
    refusal: Optional[str]
    tool_calls: Optional[List[ToolCall]]


class ChunkChoice(Object):
    """A piece of one of the answers."""

    __slots__ = ()
    _objects = {"delta": Delta}
    index: int
    delta: Delta
    finish_reason: Optional[str]
    logprobs: Optional[Dict[str, Any]]


class ChatCompletionChunk(Object):
    """A piece of a streamed answer."""

    __slots__ = ()
    _objects = {"choices": ChunkChoice, "usage": Usage}
    id: str
    object: str
    created: int
    model: str
    choices: List[ChunkChoice]
    usage: Optional[Usage]
    system_fingerprint: Optional[str]
    service_tier: Optional[str]


class Embedding(Object):
    """The vector of a text; its numbers are there, however they travelled."""

    __slots__ = ()
    object: str
    index: int
    embedding: List[float]

    def _typed(self, name: str, value: Any) -> Any:
        if name == "embedding" and isinstance(value, str):
            packed = base64.b64decode(value)
            return list(struct.unpack(f"<{len(packed) // 4}f", packed))
        return super()._typed(name, value)


class EmbeddingList(Answer):
    """The vectors, in the order of the texts."""

    __slots__ = ()
    _objects = {"data": Embedding, "usage": Usage}
    object: str
    data: List[Embedding]
    model: str
    usage: Optional[Usage]


class Model(Answer):
    """A model that can be called."""

    __slots__ = ()
    id: str
    object: str
    created: int
    owned_by: str


class ModelList(Answer):
    """The models that can be called."""

    __slots__ = ()
    _objects = {"data": Model}
    object: str
    data: List[Model]


class ContentBlock(Object):
    """A text, a thought, a call of a tool, or a piece of one."""

    __slots__ = ()
    type: str
    id: Optional[str]
    text: Optional[str]
    name: Optional[str]
    raw_name: Optional[str]
    arguments: Optional[Dict[str, Any]]
    raw_arguments: Optional[str]


class InferenceUsage(Object):
    """The tokens that an inference took, and what it cost."""

    __slots__ = ()
    input_tokens: Optional[int]
    output_tokens: Optional[int]
    cost: Optional[float]


class InferenceResponse(Answer):
    """A whole inference."""

    __slots__ = ()
    _objects = {"content": ContentBlock, "usage": InferenceUsage}
    inference_id: str
    episode_id: str
    variant_name: str
    content: List[ContentBlock]
    usage: Optional[InferenceUsage]
    finish_reason: Optional[str]


class InferenceChunk(Object):
    """A piece of a streamed inference."""

    __slots__ = ()
    _objects = {"content": ContentBlock, "usage": InferenceUsage}
    inference_id: str
    episode_id: str
    variant_name: str
    content: List[ContentBlock]
    usage: Optional[InferenceUsage]
    finish_reason: Optional[str]


class FeedbackResponse(Answer):
    """Where the feedback is kept."""

    __slots__ = ()
    feedback_id: str


class StoredInference(Object):
    """An inference as the ledger keeps it."""

    __slots__ = ()
    inference_id: str
    episode_id: str
    function_name: str
    variant_name: str
    timestamp: str
    input: Dict[str, Any]
    output: Optional[List[Dict[str, Any]]]
    tags: Dict[str, str]


class InferenceList(Answer):
    """What was found in the ledger."""

    __slots__ = ()
    _objects = {"inferences": StoredInference}
    inferences: List[StoredInference]
