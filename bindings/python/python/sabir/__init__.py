"""One client for a Sabir gateway over HTTP and for a gateway inside of your own process."""

from . import types
from ._async import AsyncSabir
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
from ._meta import Headers, Meta
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
    "ClosedError",
    "ConfigError",
    "ConflictError",
    "ContentFilterFinishReasonError",
    "DecodeError",
    "Headers",
    "InternalServerError",
    "LengthFinishReasonError",
    "Meta",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "RequestError",
    "Sabir",
    "SabirError",
    "Stream",
    "StreamError",
    "UnprocessableEntityError",
    "types",
]
