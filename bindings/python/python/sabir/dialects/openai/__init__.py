"""OpenAI's names over Sabir's client: a program for the package `openai` changes its import lines only.

The module is a client itself, made when it is first used, of what is set here: `api_key`, `base_url`, …
"""

from __future__ import annotations

import logging as _logging
import os as _os
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

from ..._resources.answers import AsyncStreamedResponse as AsyncAPIResponse
from ..._resources.answers import BinaryContent as HttpxBinaryResponseContent
from ..._resources.answers import RawResponse
from ..._resources.answers import StreamedResponse as APIResponse
from ..._resources.encode import NOT_GIVEN, NotGiven, Omit, omit
from ..._resources.events import AsyncStream, Stream
from ..._resources.objects import ApiObject as BaseModel
from ..._resources.pages import AsyncPage, SyncPage
from ..._resources.table import table as _table
from ._azure import AsyncAzureOpenAI, AzureOpenAI
from ._client import DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT, VERSION, AsyncOpenAI, OpenAI
from ._errors import (
    AmbiguousModuleClientUsageError,
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ContentFilterFinishReasonError,
    InternalServerError,
    InvalidWebhookSignatureError,
    LengthFinishReasonError,
    MutuallyExclusiveAuthError,
    NotFoundError,
    OpenAIError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
)
from . import httpx as httpx
from . import types as types
from ._http import URL, DefaultAsyncHttpxClient, DefaultHttpxClient, Timeout

if TYPE_CHECKING:
    from ..._resources.assistants import AssistantEventHandler, AsyncAssistantEventHandler
    from ..._resources.chat_stream import ChatCompletionStreamState
    from ..._resources.parsing import pydantic_function_tool, pydantic_responses_function_tool

#: The version of the package that this stands in for.
__version__ = VERSION
__title__ = "openai"

Client = OpenAI
AsyncClient = AsyncOpenAI
NoneType = type(None)
DEFAULT_CONNECTION_LIMITS: Any = None
RequestOptions = Dict[str, Any]
Transport = Any
ProxiesTypes = Any

# The settings of the module's client.
api_key: Any = None
admin_api_key: Optional[str] = None
organization: Optional[str] = None
project: Optional[str] = None
webhook_secret: Optional[str] = None
base_url: Any = None
timeout: Any = DEFAULT_TIMEOUT
max_retries: int = DEFAULT_MAX_RETRIES
default_headers: Optional[Mapping[str, Any]] = None
default_query: Optional[Mapping[str, Any]] = None
http_client: Any = None
api_type: Optional[str] = None
api_version: Optional[str] = None
azure_endpoint: Optional[str] = None
azure_ad_token: Optional[str] = None
azure_ad_token_provider: Any = None

_SHARED = (
    "organization",
    "project",
    "webhook_secret",
    "base_url",
    "timeout",
    "max_retries",
    "default_headers",
    "default_query",
    "http_client",
)

_AZURES = ("api_version", "azure_endpoint", "azure_ad_token", "azure_ad_token_provider")

#: What is seldom needed, and where it is.
_LATER = {
    "AssistantEventHandler": "assistants",
    "AsyncAssistantEventHandler": "assistants",
    "ChatCompletionStreamState": "chat_stream",
    "pydantic_function_tool": "parsing",
    "pydantic_responses_function_tool": "parsing",
}

_made: Optional[Tuple[Tuple[Any, ...], OpenAI]] = None


def _client() -> OpenAI:
    """The module's client, made anew when a setting has changed."""
    global _made
    here = globals()
    is_azure = _is_azure()
    own = _AZURES if is_azure else ("admin_api_key",)
    names = (*_SHARED, "api_key", *own)
    options = {name: here[name] for name in names}
    state = (is_azure, *((id(value) if isinstance(value, dict) else value) for value in options.values()))
    if _made is None or _made[0] != state:
        _made = (state, AzureOpenAI(**options) if is_azure else OpenAI(**options))
    return _made[1]


def _is_azure() -> bool:
    told = api_type or _os.environ.get("OPENAI_API_TYPE")
    if told is not None:
        if told not in ("openai", "azure"):
            raise OpenAIError(f"api_type: expected `openai` or `azure`, not `{told}`")
        return told == "azure"
    has_openai = api_key is not None or _os.environ.get("OPENAI_API_KEY") is not None
    azure = (azure_endpoint, azure_ad_token, azure_ad_token_provider, api_version)
    variables = ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_ENDPOINT")
    has_azure = any(value is not None for value in azure) or any(_os.environ.get(name) for name in variables)
    if has_openai and has_azure:
        raise AmbiguousModuleClientUsageError
    return has_azure


def __getattr__(name: str) -> Any:
    if name in _LATER:
        import importlib

        found = getattr(importlib.import_module(f"sabir._resources.{_LATER[name]}"), name)
        globals()[name] = found
        return found
    if not name.startswith("_") and name in _table().children(""):
        return getattr(_client(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> List[str]:
    return sorted({*globals(), *_LATER, *_table().children("")})


def _setup_logging() -> None:
    told = _os.environ.get("OPENAI_LOG")
    levels = {"debug": _logging.DEBUG, "info": _logging.INFO, "warning": _logging.WARNING, "error": _logging.ERROR}
    if told in levels:
        _logging.basicConfig(
            format="[%(asctime)s - %(name)s:%(lineno)d - %(levelname)s] %(message)s", datefmt="%Y-%m-%d %H:%M:%S"
        )
        _logging.getLogger("openai").setLevel(levels[told])


_setup_logging()

__all__ = [
    "NOT_GIVEN",
    "URL",
    "APIConnectionError",
    "APIError",
    "APIResponse",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AssistantEventHandler",
    "AsyncAPIResponse",
    "AsyncAssistantEventHandler",
    "AsyncAzureOpenAI",
    "AsyncClient",
    "AsyncOpenAI",
    "AsyncPage",
    "AsyncStream",
    "AuthenticationError",
    "AzureOpenAI",
    "BadRequestError",
    "BaseModel",
    "ChatCompletionStreamState",
    "Client",
    "ConflictError",
    "ContentFilterFinishReasonError",
    "DefaultAsyncHttpxClient",
    "DefaultHttpxClient",
    "HttpxBinaryResponseContent",
    "InternalServerError",
    "InvalidWebhookSignatureError",
    "LengthFinishReasonError",
    "MutuallyExclusiveAuthError",
    "NoneType",
    "NotFoundError",
    "NotGiven",
    "Omit",
    "OpenAI",
    "OpenAIError",
    "PermissionDeniedError",
    "RateLimitError",
    "RawResponse",
    "Stream",
    "SyncPage",
    "Timeout",
    "UnprocessableEntityError",
    "omit",
    "pydantic_function_tool",
    "pydantic_responses_function_tool",
]
