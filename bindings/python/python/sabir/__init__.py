"""One client for a Sabir gateway over HTTP and for a gateway inside of your own process."""

from . import types
from ._async import AsyncSabir
from ._chat_engine import ChatEngine
from ._completion_engine import CompletionEngine
from ._errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClosedError,
    ConfigError,
    ConflictError,
    ContentFilterFinishReasonError,
    DecodeError,
    InternalServerError,
    LengthFinishReasonError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestError,
    SabirError,
    StreamError,
    UnprocessableEntityError,
)
from ._functions import Function, FunctionError, function, tool
from ._messages import MessageError
from ._meta import Headers, Meta
from ._models import Model, ModelOutput, ModelStreamOutput, load_from_model_id
from ._parameters import ParameterError, Parameters
from ._printing import Printer, RichPrinter, SimplePrinter, async_stream_print, stream_print
from ._resuming import ResumeError
from ._streams import AsyncStream, Stream
from ._sync import Sabir

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncSabir",
    "AsyncStream",
    "AuthenticationError",
    "BadRequestError",
    "ChatEngine",
    "ClosedError",
    "CompletionEngine",
    "ConfigError",
    "ConflictError",
    "ContentFilterFinishReasonError",
    "DecodeError",
    "Function",
    "FunctionError",
    "Headers",
    "InternalServerError",
    "LengthFinishReasonError",
    "MessageError",
    "Meta",
    "Model",
    "ModelOutput",
    "ModelStreamOutput",
    "NotFoundError",
    "ParameterError",
    "Parameters",
    "PermissionDeniedError",
    "Printer",
    "RateLimitError",
    "RequestError",
    "ResumeError",
    "RichPrinter",
    "Sabir",
    "SabirError",
    "SimplePrinter",
    "Stream",
    "StreamError",
    "UnprocessableEntityError",
    "async_stream_print",
    "function",
    "load_from_model_id",
    "stream_print",
    "tool",
    "types",
]
