"""Tamar's exceptions. Each has the request's id, so that a log can be searched for it."""

from __future__ import annotations

from typing import Any, Dict, NoReturn, Optional

from ..._errors import SabirError
from ..._native import Outcome


class TamarModelException(SabirError):
    """Something went wrong."""

    error_code = "UNKNOWN"
    category = "PROVIDER"
    is_retryable = False

    def __init__(self, message: str, request_id: Optional[str] = None, status_code: Optional[int] = None) -> None:
        super().__init__(message)
        self.message = message
        self.request_id = request_id
        self.status_code = status_code

    def to_dict(self) -> Dict[str, Any]:
        """What went wrong, for a log."""
        return {
            "error_code": self.error_code,
            "category": self.category,
            "message": self.message,
            "request_id": self.request_id,
            "is_retryable": self.is_retryable,
        }


class NetworkException(TamarModelException):
    """The gateway was not reached."""

    category = "NETWORK"
    is_retryable = True


class ConnectionException(NetworkException):
    """There is no connection, or it broke."""

    error_code = "UNAVAILABLE"


class TimeoutException(NetworkException):
    """Nothing came for too long."""

    error_code = "DEADLINE_EXCEEDED"


class DNSException(NetworkException):
    """The name has no address."""


class AuthenticationException(TamarModelException):
    """The caller is not let in."""

    category = "AUTH"


class TokenExpiredException(AuthenticationException):
    """The token is not good, or not any more."""

    error_code = "UNAUTHENTICATED"


class InvalidTokenException(AuthenticationException):
    """The token is no token."""


class PermissionDeniedException(AuthenticationException):
    """The caller may not do this."""

    error_code = "PERMISSION_DENIED"


class RateLimitException(TamarModelException):
    """Too many calls."""

    error_code = "RESOURCE_EXHAUSTED"
    category = "RESOURCE"
    is_retryable = True


class QuotaExceededException(RateLimitException):
    """The quota is used up."""


class TooManyRequestsException(RateLimitException):
    """Too many calls at once."""


class ProviderException(TamarModelException):
    """The gateway or the provider failed."""

    error_code = "INTERNAL"


class ModelNotFoundException(ProviderException):
    """There is no such model."""


class ProviderUnavailableException(ProviderException):
    """The provider cannot be reached."""


class InvalidResponseException(ProviderException):
    """The answer cannot be read."""


class ValidationException(TamarModelException, ValueError):
    """The request is wrong."""

    error_code = "INVALID_ARGUMENT"
    category = "VALIDATION"


class InvalidParameterException(ValidationException):
    """A parameter is wrong."""


class MissingParameterException(ValidationException):
    """A parameter is missing."""


ModelManagerClientError = TamarModelException
ConnectionError = ConnectionException
ValidationError = ValidationException

_STATUSES = {
    400: InvalidParameterException,
    401: TokenExpiredException,
    403: PermissionDeniedException,
    404: TamarModelException,
    413: InvalidParameterException,
    422: InvalidParameterException,
    429: RateLimitException,
    503: ConnectionException,
}
_KINDS = {
    "request": InvalidParameterException,
    "connection": ConnectionException,
    "timeout": TimeoutException,
    "decode": InvalidResponseException,
}


def throw(outcome: Outcome, request_id: str) -> NoReturn:
    """Raises what an outcome that is not good stands for."""
    message = outcome.message or outcome.kind
    if outcome.kind == "status":
        status = outcome.status or 0
        raise _STATUSES.get(status, ProviderException)(message, request_id, status)
    raise _KINDS.get(outcome.kind, TamarModelException)(message, request_id)
