"""What can go wrong. Every exception of this package is a `SabirError`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn, Optional

if TYPE_CHECKING:
    from ._native import Outcome

from ._meta import Meta


class SabirError(Exception):
    """Something went wrong."""


class ConfigError(SabirError):
    """The client cannot be made as it is asked for."""


class RequestError(SabirError):
    """The request cannot be sent as it is."""


class ClosedError(SabirError):
    """The client is closed."""


class APIConnectionError(SabirError):
    """The gateway could not be reached, or the connection broke."""


class APITimeoutError(APIConnectionError):
    """The gateway said nothing for longer than the timeout."""


class DecodeError(SabirError):
    """The answer is not what it should be; `body` is what came."""

    def __init__(self, message: str, body: bytes) -> None:
        super().__init__(message)
        self.body = body


class StreamError(SabirError):
    """An error in the middle of a stream; `body` is the event."""

    def __init__(self, message: str, body: Any) -> None:
        super().__init__(message)
        self.body = body


class LengthFinishReasonError(SabirError):
    """The answer was cut off, so that it could not be read; `completion` is what came."""

    def __init__(self, completion: Any) -> None:
        super().__init__("the answer was cut off at the limit of its length: it cannot be read")
        self.completion = completion


class ContentFilterFinishReasonError(SabirError):
    """The answer was filtered, so that it could not be read; `completion` is what came."""

    def __init__(self, completion: Any) -> None:
        super().__init__("the answer was filtered: it cannot be read")
        self.completion = completion


class APIStatusError(SabirError):
    """An answer whose status is not a success."""

    def __init__(self, message: str, meta: Meta, body: bytes) -> None:
        super().__init__(message)
        self.meta = meta
        #: The body as it came.
        self.raw_body = body
        #: The body, if it is JSON; else its text.
        self.body: Any
        try:
            self.body = json.loads(body)
        except ValueError:
            self.body = body.decode("utf-8", "replace")

    @property
    def status_code(self) -> int:
        return self.meta.status_code

    @property
    def headers(self) -> Any:
        return self.meta.headers

    @property
    def request_id(self) -> Optional[str]:
        return self.meta.request_id

    @property
    def retries(self) -> int:
        """How often the call was tried again."""
        return self.meta.retries

    @property
    def code(self) -> Optional[str]:
        return self._member("code")

    @property
    def param(self) -> Optional[str]:
        return self._member("param")

    @property
    def type(self) -> Optional[str]:
        return self._member("type")

    def _member(self, name: str) -> Optional[str]:
        error = self.body.get("error") if isinstance(self.body, dict) else None
        value = error.get(name) if isinstance(error, dict) else None
        return value if isinstance(value, str) else None


class BadRequestError(APIStatusError):
    """400: the request is wrong."""


class AuthenticationError(APIStatusError):
    """401: the key is missing or wrong."""


class PermissionDeniedError(APIStatusError):
    """403: the key may not do this."""


class NotFoundError(APIStatusError):
    """404: there is no such model, path or id."""


class ConflictError(APIStatusError):
    """409: it cannot be done in the present state."""


class UnprocessableEntityError(APIStatusError):
    """422: the request can be read, but makes no sense."""


class RateLimitError(APIStatusError):
    """429: too many calls."""


class InternalServerError(APIStatusError):
    """500 and above: the gateway or the provider failed."""


_STATUSES = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}

_KINDS = {
    "config": ConfigError,
    "request": RequestError,
    "closed": ClosedError,
    "connection": APIConnectionError,
    "timeout": APITimeoutError,
}


def throw(outcome: Outcome, retries: Optional[int] = None) -> NoReturn:
    """Raises what an outcome that is not good stands for; `retries` are those that the native client did not do."""
    message = outcome.message or outcome.kind
    if outcome.kind == "status":
        meta = Meta.of(outcome)
        meta.retries = outcome.retries if retries is None else retries
        usual = InternalServerError if meta.status_code >= 500 else APIStatusError
        raise _STATUSES.get(meta.status_code, usual)(message, meta, outcome.body or b"")
    if outcome.kind == "decode":
        raise DecodeError(message, outcome.body or b"")
    raise _KINDS.get(outcome.kind, SabirError)(message)
