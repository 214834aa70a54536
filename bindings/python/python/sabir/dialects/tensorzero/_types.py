"""What TensorZero's client sends and gets, by its names.

They are plain dataclasses; `parse_*` make them of JSON and refuse what they do not know.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Callable, Dict, List, Mapping, Optional, Type, Union
from uuid import UUID

from ...types import Object, StoredInference


@dataclass
class RawUsageEntry:
    """What a provider itself says about one call's tokens."""

    model_inference_id: UUID
    provider_type: str
    api_type: str
    data: Optional[Dict[str, Any]] = None


@dataclass
class RawResponseEntry:
    """What a provider answered, to the byte."""

    provider_type: str
    api_type: str
    data: str
    model_inference_id: Optional[UUID] = None


@dataclass
class Usage:
    """The tokens of an inference, and what it cost."""

    input_tokens: Optional[int] = None
    output_tokens: Optional[int] = None
    provider_cache_read_input_tokens: Optional[int] = None
    provider_cache_write_input_tokens: Optional[int] = None
    cost: Optional[float] = None


@dataclass
class ContentBlock:
    """A part of a message."""


@dataclass
class Text(ContentBlock):
    """A text, or the arguments of a template."""

    text: Optional[str] = None
    arguments: Optional[Any] = None
    type: str = "text"

    def __post_init__(self) -> None:
        if (self.text is None) == (self.arguments is None):
            raise ValueError("Text: exactly one of `text` and `arguments` has to be given")


@dataclass
class RawText(ContentBlock):
    """A text that no template is applied to."""

    value: str
    type: str = "raw_text"


@dataclass
class Template(ContentBlock):
    """A template's name and arguments."""

    name: str
    arguments: Any
    type: str = "template"


@dataclass
class ImageUrl(ContentBlock):
    """A picture at an address."""

    url: str
    mime_type: Optional[str] = None
    detail: Optional[str] = None
    type: str = "image"


@dataclass
class ImageBase64(ContentBlock):
    """A picture's bytes."""

    data: Optional[str]
    mime_type: Optional[str] = None
    type: str = "image"


@dataclass
class FileUrl(ContentBlock):
    """A file at an address."""

    url: str
    type: str = "file"


@dataclass
class FileBase64(ContentBlock):
    """A file's bytes."""

    data: Optional[str]
    mime_type: Optional[str] = None
    type: str = "file"


@dataclass
class ToolCall(ContentBlock):
    """A call of a tool: as the model wrote it (`raw_…`), and as it was understood."""

    id: str
    raw_arguments: str
    raw_name: str
    arguments: Optional[Dict[str, Any]] = None
    name: Optional[str] = None
    type: str = "tool_call"


@dataclass
class ToolResult(ContentBlock):
    """What a tool gave back."""

    name: str
    result: str
    id: str
    type: str = "tool_result"


@dataclass
class ThoughtSummaryBlock:
    """A part of a thought's summary."""

    text: str
    type: str = "summary_text"


@dataclass
class Thought(ContentBlock):
    """What the model thought."""

    text: Optional[str] = None
    type: str = "thought"
    signature: Optional[str] = None
    summary: Optional[List[ThoughtSummaryBlock]] = None
    provider_type: Optional[str] = None
    extra_data: Optional[Any] = None


@dataclass
class UnknownContentBlock(ContentBlock):
    """A part that has no type of its own here, as the provider has it."""

    data: Any
    model_name: Optional[str] = None
    provider_name: Optional[str] = None
    type: str = "unknown"


class FinishReason(str, Enum):
    """Why the model stopped."""

    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    TOOL_CALL = "tool_call"
    CONTENT_FILTER = "content_filter"
    UNKNOWN = "unknown"


@dataclass
class JsonInferenceOutput:
    """JSON as it came, and parsed if it fits its schema."""

    raw: Optional[str] = None
    parsed: Optional[Any] = None


@dataclass
class ChatInferenceResponse:
    """The answer of a chat."""

    inference_id: UUID
    episode_id: UUID
    variant_name: str
    content: List[ContentBlock]
    usage: Usage
    raw_usage: Optional[List[RawUsageEntry]] = None
    raw_response: Optional[List[RawResponseEntry]] = None
    finish_reason: Optional[FinishReason] = None
    original_response: Optional[str] = None


@dataclass
class JsonInferenceResponse:
    """The answer of a function that gives JSON."""

    inference_id: UUID
    episode_id: UUID
    variant_name: str
    output: JsonInferenceOutput
    usage: Usage
    raw_usage: Optional[List[RawUsageEntry]] = None
    raw_response: Optional[List[RawResponseEntry]] = None
    finish_reason: Optional[FinishReason] = None
    original_response: Optional[str] = None


@dataclass
class ContentBlockChunk:
    """A piece of a part of a message."""


@dataclass
class TextChunk(ContentBlockChunk):
    """A piece of a text."""

    id: str
    text: str
    type: str = "text"


@dataclass
class ToolCallChunk(ContentBlockChunk):
    """A piece of a call of a tool."""

    id: str
    raw_arguments: str
    raw_name: str = ""
    type: str = "tool_call"


@dataclass
class ThoughtChunk(ContentBlockChunk):
    """A piece of a thought."""

    id: str
    text: Optional[str] = None
    type: str = "thought"
    signature: Optional[str] = None
    summary_id: Optional[str] = None
    summary_text: Optional[str] = None
    provider_type: Optional[str] = None
    extra_data: Optional[Any] = None


@dataclass
class UnknownChunk(ContentBlockChunk):
    """A piece that has no type of its own here."""

    id: str
    data: Any
    model_name: Optional[str] = None
    provider_name: Optional[str] = None
    type: str = "unknown"


@dataclass
class ChatChunk:
    """A piece of a chat's answer."""

    inference_id: UUID
    episode_id: UUID
    variant_name: str
    content: List[ContentBlockChunk]
    usage: Optional[Usage] = None
    raw_usage: Optional[List[RawUsageEntry]] = None
    raw_response: Optional[List[RawResponseEntry]] = None
    finish_reason: Optional[FinishReason] = None
    original_chunk: Optional[str] = None
    raw_chunk: Optional[str] = None


@dataclass
class JsonChunk:
    """A piece of the answer of a function that gives JSON."""

    inference_id: UUID
    episode_id: UUID
    variant_name: str
    raw: str
    usage: Optional[Usage] = None
    raw_usage: Optional[List[RawUsageEntry]] = None
    raw_response: Optional[List[RawResponseEntry]] = None
    finish_reason: Optional[FinishReason] = None
    original_chunk: Optional[str] = None
    raw_chunk: Optional[str] = None


@dataclass
class FeedbackResponse:
    """Where the feedback is kept."""

    feedback_id: UUID


@dataclass
class WorkflowEvaluationRunResponse:
    """The run that was begun."""

    run_id: UUID


@dataclass
class WorkflowEvaluationRunEpisodeResponse:
    """The episode that was begun."""

    episode_id: UUID


class StoredInferenceChat(StoredInference):
    """A chat as the ledger keeps it."""

    __slots__ = ()


class StoredInferenceJson(StoredInference):
    """An inference that gave JSON, as the ledger keeps it."""

    __slots__ = ()


@dataclass
class GetInferencesResponse:
    """What was found in the ledger."""

    inferences: List[Union[StoredInferenceChat, StoredInferenceJson]]


InferenceResponse = Union[ChatInferenceResponse, JsonInferenceResponse]
InferenceChunk = Union[ChatChunk, JsonChunk]

BLOCKS: Dict[str, Type[ContentBlock]] = {
    "text": Text,
    "tool_call": ToolCall,
    "thought": Thought,
    "unknown": UnknownContentBlock,
}
CHUNKS: Dict[str, Type[ContentBlockChunk]] = {
    "text": TextChunk,
    "tool_call": ToolCallChunk,
    "thought": ThoughtChunk,
    "unknown": UnknownChunk,
}


def plain(value: Any) -> Any:
    """What is sent for these types, and for ids: JSON. Members that are `None` are left out."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        members = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: plain(member) for name, member in members.items() if member is not None}
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Object):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def parse_response(data: Mapping[str, Any]) -> InferenceResponse:
    """A whole answer."""
    common = _common(data, "original_response")
    usage = Usage(**_known(Usage, data.get("usage") or {}))
    if isinstance(data.get("content"), list):
        content = [_block(block) for block in data["content"]]
        return ChatInferenceResponse(content=content, usage=usage, **common)
    output = JsonInferenceOutput(**_known(JsonInferenceOutput, data["output"]))
    return JsonInferenceResponse(output=output, usage=usage, **common)


def parse_chunk(data: Mapping[str, Any]) -> InferenceChunk:
    """A piece of an answer."""
    common = _common(data, "original_chunk", "raw_chunk")
    told = data.get("usage")
    usage = None if told is None else Usage(**_known(Usage, told))
    if isinstance(data.get("content"), list):
        content = [_of_type(CHUNKS, block) for block in data["content"]]
        return ChatChunk(content=content, usage=usage, **common)
    return JsonChunk(raw=data["raw"], usage=usage, **common)


def parse_feedback(data: Mapping[str, Any]) -> FeedbackResponse:
    """The id of a feedback."""
    return FeedbackResponse(UUID(data["feedback_id"]))


def parse_inferences(data: Mapping[str, Any]) -> GetInferencesResponse:
    """Rows of the ledger."""
    kinds: Dict[str, Callable[[Any], Any]] = {"chat": StoredInferenceChat, "json": StoredInferenceJson}
    return GetInferencesResponse([kinds[row.get("type", "chat")](row) for row in data["inferences"]])


def parse_run(data: Mapping[str, Any]) -> WorkflowEvaluationRunResponse:
    """The id of a run."""
    return WorkflowEvaluationRunResponse(UUID(data["run_id"]))


def parse_episode(data: Mapping[str, Any]) -> WorkflowEvaluationRunEpisodeResponse:
    """The id of an episode."""
    return WorkflowEvaluationRunEpisodeResponse(UUID(data["episode_id"]))


def _common(data: Mapping[str, Any], *more: str) -> Dict[str, Any]:
    reason = data.get("finish_reason")
    return {
        "inference_id": UUID(data["inference_id"]),
        "episode_id": UUID(data["episode_id"]),
        "variant_name": data["variant_name"],
        "finish_reason": None if reason is None else FinishReason(reason),
        "raw_usage": _entries(RawUsageEntry, data.get("raw_usage")),
        "raw_response": _entries(RawResponseEntry, data.get("raw_response")),
        **{name: data.get(name) for name in more},
    }


def _entries(kind: Type[Any], told: Optional[List[Dict[str, Any]]]) -> Optional[List[Any]]:
    if told is None:
        return None
    entries = []
    for entry in told:
        made = _known(kind, entry)
        if made.get("model_inference_id") is not None:
            made["model_inference_id"] = UUID(made["model_inference_id"])
        entries.append(kind(**made))
    return entries


def _block(data: Mapping[str, Any]) -> ContentBlock:
    block: ContentBlock = _of_type(BLOCKS, data)
    if isinstance(block, Thought) and block.summary is not None:
        block.summary = [ThoughtSummaryBlock(**_known(ThoughtSummaryBlock, item)) for item in data["summary"]]
    return block


def _of_type(kinds: Mapping[str, Type[Any]], data: Mapping[str, Any]) -> Any:
    kind = kinds.get(str(data.get("type")))
    if kind is None:
        raise ValueError(f"no content block of type {data.get('type')!r}")
    return kind(**_known(kind, data))


def _known(kind: Type[Any], data: Mapping[str, Any]) -> Dict[str, Any]:
    """The members that a type has: TensorZero's own may have more than its client."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in data.items() if name in names}
