"""What is asked of the ledger and of inferences, by TensorZero's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Union


@dataclass
class OrderBy:
    """How rows are sorted."""

    by: str
    name: Optional[str] = None
    direction: str = "descending"


@dataclass
class InferenceFilterFloatMetric:
    """Rows by a metric that is a number."""

    metric_name: str
    value: float
    comparison_operator: str
    type: str = "float_metric"


@dataclass
class InferenceFilterBooleanMetric:
    """Rows by a metric that is true or false."""

    metric_name: str
    value: bool
    type: str = "boolean_metric"


@dataclass
class InferenceFilterDemonstrationFeedback:
    """Rows that have a demonstration, or have none."""

    has_demonstration: bool
    type: str = "demonstration_feedback"


@dataclass
class InferenceFilterTag:
    """Rows by a tag."""

    key: str
    value: str
    comparison_operator: str = "="
    type: str = "tag"


@dataclass
class InferenceFilterTime:
    """Rows by their time."""

    time: str
    comparison_operator: str
    type: str = "time"


@dataclass
class InferenceFilterAnd:
    """Rows that all of the filters let through."""

    children: List[Any]
    type: str = "and"


@dataclass
class InferenceFilterOr:
    """Rows that one of the filters lets through."""

    children: List[Any]
    type: str = "or"


@dataclass
class InferenceFilterNot:
    """Rows that the filter does not let through."""

    child: Any
    type: str = "not"


InferenceFilter = Union[
    InferenceFilterFloatMetric,
    InferenceFilterBooleanMetric,
    InferenceFilterDemonstrationFeedback,
    InferenceFilterTag,
    InferenceFilterTime,
    InferenceFilterAnd,
    InferenceFilterOr,
    InferenceFilterNot,
]


@dataclass
class ListInferencesRequest:
    """Which rows to find."""

    after: Optional[str] = None
    before: Optional[str] = None
    episode_id: Optional[str] = None
    filter: Optional[InferenceFilter] = None
    filters: Optional[InferenceFilter] = None
    function_name: Optional[str] = None
    limit: Optional[int] = None
    offset: Optional[int] = None
    order_by: Optional[List[OrderBy]] = None
    output_source: Optional[str] = "inference"
    search_query_experimental: Optional[str] = None
    variant_name: Optional[str] = None


@dataclass
class GetInferencesRequest:
    """Which rows to get."""

    ids: List[str]
    function_name: Optional[str] = None
    output_source: Optional[str] = "inference"


@dataclass
class ChatCompletionInferenceParams:
    """How a model is to answer."""

    temperature: Optional[float] = None
    max_tokens: Optional[int] = None
    seed: Optional[int] = None
    top_p: Optional[float] = None
    presence_penalty: Optional[float] = None
    frequency_penalty: Optional[float] = None
    json_mode: Optional[str] = None
    stop_sequences: Optional[List[str]] = None
    reasoning_effort: Optional[str] = None
    service_tier: Optional[str] = None
    thinking_budget_tokens: Optional[int] = None
    verbosity: Optional[str] = None


@dataclass
class InferenceParams:
    """How a model is to answer, by the kind of call."""

    chat_completion: Optional[ChatCompletionInferenceParams] = None


@dataclass
class FunctionTool:
    """A tool that a model may call."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool = False
    type: str = "function"


Tool = FunctionTool


@dataclass
class ToolParams:
    """The tools of a call, and how they may be used."""

    tools_available: List[FunctionTool]
    tool_choice: str
    parallel_tool_calls: Optional[bool] = None


ToolChoice = Union[str, Dict[str, str]]


@dataclass
class AlwaysExtraBody:
    """A change of the request, for every provider."""

    pointer: str
    value: Any


@dataclass
class AlwaysExtraBodyDelete:
    """What is taken out of the request, for every provider."""

    pointer: str
    delete: bool = True


@dataclass
class ModelProviderExtraBody:
    """A change of the request, for one model or provider."""

    model_name: str
    pointer: str
    value: Any
    provider_name: Optional[str] = None


@dataclass
class ModelProviderExtraBodyDelete:
    """What is taken out of the request, for one model or provider."""

    model_name: str
    pointer: str
    provider_name: Optional[str] = None
    delete: bool = True


@dataclass
class VariantExtraBody:
    """A change of the request, for one variant."""

    variant_name: str
    pointer: str
    value: Any


@dataclass
class VariantExtraBodyDelete:
    """What is taken out of the request, for one variant."""

    variant_name: str
    pointer: str
    delete: bool = True


@dataclass
class AlwaysExtraHeader:
    """A header of the request, for every provider."""

    name: str
    value: str


@dataclass
class AlwaysExtraHeaderDelete:
    """A header that is taken out, for every provider."""

    name: str
    delete: bool = True


@dataclass
class ModelProviderExtraHeader:
    """A header of the request, for one model or provider."""

    model_name: str
    name: str
    value: str
    provider_name: Optional[str] = None


@dataclass
class ModelProviderExtraHeaderDelete:
    """A header that is taken out, for one model or provider."""

    model_name: str
    name: str
    provider_name: Optional[str] = None
    delete: bool = True


@dataclass
class VariantExtraHeader:
    """A header of the request, for one variant."""

    variant_name: str
    name: str
    value: str


@dataclass
class VariantExtraHeaderDelete:
    """A header that is taken out, for one variant."""

    variant_name: str
    name: str
    delete: bool = True
