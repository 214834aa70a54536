"""The names of LMClient (`lmclient`), over Sabir's engines.

A model's class is its provider: `OpenAIChat()` is `openai/gpt-3.5-turbo`, `WenxinChat('ERNIE-Bot-4')`
is `wenxin/ERNIE-Bot-4`. Models that are gone are those that serve now (docs/providers.md). Keys come
from the argument or from the provider's variable, as docs/sdk.md says.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from enum import Enum
from typing import Any, AsyncIterator, ClassVar, Dict, Iterator, List, Optional, Type, TypeVar, Union

from .. import _chat_engine, _completion_engine
from .._errors import RequestError
from .._functions import Function, FunctionError, function, tool
from .._messages import MessageError, Prompt
from .._model_ids import DEFAULTS, gateway_model
from .._models import Model, ModelOutput, ModelStreamOutput, Piece
from .._parameters import ParameterError, Parameters, gone, number, of_type, raised_zero, whole
from .._printing import Printer, RichPrinter, SimplePrinter

__version__ = "0.9.0"

M = TypeVar("M", bound="BaseChatModel")

ChatModelOutput = ModelOutput
ChatModelStreamOutput = ModelStreamOutput
Stream = Piece
#: What the checks of parameters raise.
ValidationError = ParameterError

_PART = number(0, 1)


@dataclass
class RetryStrategy:
    """How often a call is tried; how long is waited in between, Sabir's client knows itself."""

    min_wait_seconds: Optional[int] = None
    max_wait_seconds: Optional[int] = None
    max_attempt: int = 3


class ErrorMode(str, Enum):
    """What an error does to a run."""

    RAISE = "raise"
    IGNORE = "ignore"


class ProgressBarMode(str, Enum):
    """When there is a bar."""

    AUTO = "auto"
    NEVER = "never"
    ALWAYS = "always"


class GeneralParameters(Parameters):
    """What every model takes."""

    _checks = {
        **{name: Parameters._checks[name] for name in ("max_tokens", "functions", "function_call")},
        "temperature": _PART,
        "top_p": _PART,
    }


class OpenAIChatParameters(Parameters):
    """What OpenAI's models take."""


class AzureChatParameters(OpenAIChatParameters):
    """What OpenAI's models at Azure take."""


class _VendorParameters(Parameters):
    """What the other models take, with their lower bounds."""

    _checks = {**Parameters._checks, "temperature": _PART, "top_p": _PART}


class MinimaxChatParameters(_VendorParameters):
    """What MiniMax's models take."""

    _checks = {
        **_VendorParameters._checks,
        "temperature": raised_zero(_PART),
        "top_p": raised_zero(_PART),
        "tokens_to_generate": whole(1),
        "beam_width": gone("today's models have one answer"),
        "skip_info_mask": gone("nothing is masked any more"),
        "continue_last_message": gone("an assistant's message at the end does it"),
    }
    _sent_as = {"tokens_to_generate": "max_tokens"}


class MinimaxProChatParameters(_VendorParameters):
    """What MiniMax's models take that were called pro."""

    _checks = {
        **_VendorParameters._checks,
        "temperature": raised_zero(_PART),
        "top_p": raised_zero(_PART),
        "tokens_to_generate": whole(1),
        "mask_sensitive_info": gone("nothing is masked any more"),
        "bot_setting": gone("a system prompt says who the model is"),
        "reply_constraints": gone("a system prompt says how to answer"),
        "sample_messages": gone("messages before the last one are samples"),
        "plugins": gone("tools take their place"),
    }
    _sent_as = {"tokens_to_generate": "max_tokens"}


class WenxinChatParameters(_VendorParameters):
    """What Baidu's models take."""

    _checks = {
        **_VendorParameters._checks,
        "temperature": raised_zero(_PART),
        "penalty_score": number(1, 2),
        "system": of_type("a text", str),
        "user_id": of_type("a text", str),
    }
    _sent_as = {"user_id": "user"}


class ZhiPuChatParameters(_VendorParameters):
    """What Zhipu's models take."""

    _checks = {
        **_VendorParameters._checks,
        "request_id": of_type("a text", str),
        "ref": gone("the tool `web_search` takes its place"),
    }


class ZhiPuCharacterChatParameters(_VendorParameters):
    """What Zhipu's model of characters takes."""

    _checks = {**_VendorParameters._checks, "request_id": of_type("a text", str), "meta": of_type("an object", dict)}


class HunyuanChatParameters(_VendorParameters):
    """What Tencent's models take."""


class BaichuanChatParameters(_VendorParameters):
    """What Baichuan's models take."""

    _checks = {
        **_VendorParameters._checks,
        "top_k": whole(0),
        "with_search_enhance": gone("the tool `web_search` takes its place"),
    }


class BaseChatModel(Model):
    """A model by its provider's name and its own."""

    _calls_as_content = True
    #: LMClient's word for the provider.
    model_type: ClassVar[str] = ""
    #: What stands before the name in an id, if it is another word.
    _id_type: ClassVar[str] = ""
    _parameters_type: ClassVar[Type[Parameters]] = GeneralParameters

    def __init__(
        self,
        model: Optional[str] = None,
        api_key: Optional[str] = None,
        api_base: Optional[str] = None,
        system_prompt: Optional[str] = None,
        parameters: Optional[Parameters] = None,
        timeout: Optional[float] = 60,
        retry: Union[bool, RetryStrategy] = False,
        **more: Any,
    ) -> None:
        """`model` is one of the provider's; other settings of LMClient's time are refused by name."""
        self.name = model or self._default()
        for gone_by in ("proxies", "group_id", "app_id", "secret_id", "secret_key", "bot_name", "default_user_name"):
            if gone_by in more:
                raise RequestError(f"{gone_by}: is of no use any more (docs/providers.md, names of LMClient)")
        own = self._parameters_type()
        super().__init__(
            self._gateway_name(),
            model_id=f"{self._id_type or self.model_type}/{self.name}",
            parameters=own if parameters is None else own.merged(parameters),
            system_prompt=system_prompt,
            api_key=api_key,
            api_base=api_base or os.environ.get(f"{self._word()}_API_BASE") or None,
            timeout=timeout,
            max_retries=_retries(retry),
            **more,
        )

    @classmethod
    def from_name(cls: Type[M], name: str, **more: Any) -> M:
        """The provider's model of this name."""
        return cls(model=name, **more)

    # The names of LMClient's last release.

    def completion(self, prompt: Prompt, override_parameters: Optional[Parameters] = None, **more: Any) -> ModelOutput:
        """As `chat_completion`."""
        return self.chat_completion(prompt, override_parameters, **more)

    async def async_completion(
        self, prompt: Prompt, override_parameters: Optional[Parameters] = None, **more: Any
    ) -> ModelOutput:
        """As `async_chat_completion`."""
        return await self.async_chat_completion(prompt, override_parameters, **more)

    def stream_completion(
        self, prompt: Prompt, override_parameters: Optional[Parameters] = None, **more: Any
    ) -> Iterator[ModelStreamOutput]:
        """As `stream_chat_completion`."""
        return self.stream_chat_completion(prompt, override_parameters, **more)

    def async_stream_completion(
        self, prompt: Prompt, override_parameters: Optional[Parameters] = None, **more: Any
    ) -> AsyncIterator[ModelStreamOutput]:
        """As `async_stream_chat_completion`."""
        return self.async_stream_chat_completion(prompt, override_parameters, **more)

    def _default(self) -> str:
        return DEFAULTS[self.model_type]

    def _gateway_name(self) -> str:
        return gateway_model(f"{self.model_type}/{self.name}")

    def _word(self) -> str:
        return self.model_type.partition("-")[0].partition("_")[0].upper()


class OpenAIChat(BaseChatModel):
    """OpenAI's models."""

    model_type = "openai"
    _parameters_type = OpenAIChatParameters


class AzureChat(BaseChatModel):
    """OpenAI's models at Azure: a deployment's name is the model's."""

    model_type = "azure"
    _parameters_type = AzureChatParameters

    def __init__(self, model: Optional[str] = None, api_version: Optional[str] = None, **more: Any) -> None:
        version = api_version or os.environ.get("AZURE_API_VERSION")
        at_gateway = os.environ.get("SABIR_BASE_URL") and not more.get("api_base")
        if version and not at_gateway and "client" not in more:
            more["provider_settings"] = {"api_version": version}
        super().__init__(model, **more)

    def _default(self) -> str:
        name = os.environ.get("AZURE_CHAT_API_ENGINE")
        if not name:
            raise KeyError("AZURE_CHAT_API_ENGINE")
        return name


class MinimaxChat(BaseChatModel):
    """MiniMax's models."""

    model_type = "minimax"
    _parameters_type = MinimaxChatParameters


class MinimaxProChat(BaseChatModel):
    """MiniMax's models that were called pro."""

    model_type = "minimax_pro"
    _parameters_type = MinimaxProChatParameters


class WenxinChat(BaseChatModel):
    """Baidu's models."""

    model_type = "wenxin"
    _parameters_type = WenxinChatParameters

    def _request(
        self, prompt: Prompt, override: Optional[Parameters], more: Dict[str, Any], stream: bool = False
    ) -> Any:
        parameters, request = super()._request(prompt, override, more, stream)
        system = request.pop("system", None)
        if system is not None:
            request["messages"].insert(0, {"role": "system", "content": system})
        return parameters, request


class ZhiPuChat(BaseChatModel):
    """Zhipu's models."""

    model_type = "zhipu"
    _parameters_type = ZhiPuChatParameters


class ZhiPuCharacterChat(BaseChatModel):
    """Zhipu's model that plays a character."""

    model_type = "zhipu-character"
    _parameters_type = ZhiPuCharacterChatParameters


class HunyuanChat(BaseChatModel):
    """Tencent's models."""

    model_type = "hunyuan"
    _parameters_type = HunyuanChatParameters


class BaichuanChat(BaseChatModel):
    """Baichuan's models. Their ids begin with `zhipu`, as LMClient's did."""

    model_type = "baichuan"
    _id_type = "zhipu"
    _parameters_type = BaichuanChatParameters


ZhipuChat = ZhiPuChat
ZhipuCharacterChat = ZhiPuCharacterChat

_TYPES: Dict[str, Type[BaseChatModel]] = {
    kind.model_type: kind
    for kind in (
        AzureChat,
        OpenAIChat,
        MinimaxProChat,
        MinimaxChat,
        ZhiPuChat,
        ZhiPuCharacterChat,
        WenxinChat,
        HunyuanChat,
        BaichuanChat,
    )
}


def list_chat_model_types() -> List[str]:
    """LMClient's words for providers."""
    return list(_TYPES)


def load_from_model_id(model_id: str, **more: Any) -> BaseChatModel:
    """A model by its id, `type` or `type/name`."""
    model_type, _, name = model_id.partition("/")
    kind = _TYPES[model_type]
    if model_id == "zhipu/Baichuan2-53B":
        kind = BaichuanChat
    return kind(model=name or None, **more)


class ChatEngine(_chat_engine.ChatEngine):
    """A conversation, with LMClient's ids of models."""

    _load = staticmethod(load_from_model_id)

    @property
    def model_ouptuts(self) -> List[ModelOutput]:
        """What the model gave, by the name that LMClient has for it."""
        return self.model_outputs


class CompletionEngine(_completion_engine.CompletionEngine):
    """Many prompts, with LMClient's ids of models."""

    _load = staticmethod(load_from_model_id)


def _retries(retry: Union[bool, RetryStrategy]) -> int:
    if isinstance(retry, RetryStrategy):
        for name in ("min_wait_seconds", "max_wait_seconds"):
            if getattr(retry, name) is not None:
                warnings.warn(f"{name} has no effect: the wait is what the answer asks for, or half a second doubled")
        return max(retry.max_attempt - 1, 0)
    return RetryStrategy().max_attempt - 1 if retry else 0


__all__ = [
    "AzureChat",
    "AzureChatParameters",
    "BaichuanChat",
    "BaichuanChatParameters",
    "BaseChatModel",
    "ChatEngine",
    "ChatModelOutput",
    "ChatModelStreamOutput",
    "CompletionEngine",
    "ErrorMode",
    "Function",
    "FunctionError",
    "GeneralParameters",
    "HunyuanChat",
    "HunyuanChatParameters",
    "MessageError",
    "MinimaxChat",
    "MinimaxChatParameters",
    "MinimaxProChat",
    "MinimaxProChatParameters",
    "OpenAIChat",
    "OpenAIChatParameters",
    "Printer",
    "ProgressBarMode",
    "RetryStrategy",
    "RichPrinter",
    "SimplePrinter",
    "Stream",
    "ValidationError",
    "WenxinChat",
    "WenxinChatParameters",
    "ZhiPuCharacterChat",
    "ZhiPuCharacterChatParameters",
    "ZhiPuChat",
    "ZhiPuChatParameters",
    "ZhipuCharacterChat",
    "ZhipuChat",
    "__version__",
    "function",
    "list_chat_model_types",
    "load_from_model_id",
    "tool",
]
