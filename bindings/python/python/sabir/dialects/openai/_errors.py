"""What can go wrong, by OpenAI's names."""

from __future__ import annotations

import json
from typing import Any, NoReturn, Optional, Type

from ... import _errors as native
from ..._native import Outcome
from ..._resources.answers import RawResponse, Sent
from ..._resources.request import Request


class OpenAIError(Exception):
    """Something went wrong."""


class MutuallyExclusiveAuthError(OpenAIError):
    """More than one way to say who calls."""

    def __init__(self) -> None:
        super().__init__(
            "The `api_key`, `azure_ad_token` and `azure_ad_token_provider` arguments are mutually exclusive; "
            "only one can be passed at a time"
        )


class APIError(OpenAIError):
    """A call failed."""

    message: str
    request: Any
    #: What the server says about it: the member `error` of the body, or the body.
    body: Any
    code: Optional[str] = None
    param: Optional[str] = None
    type: Optional[str] = None

    def __init__(self, message: str, request: Any = None, *, body: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.request = request
        self.body = body
        if isinstance(body, dict):
            code = body.get("code")
            self.code = code if code is None or isinstance(code, str) else str(code)
            self.param = body.get("param")
            self.type = body.get("type")


class APIResponseValidationError(APIError):
    """The answer is not what it should be."""

    def __init__(self, response: Any, body: Any, *, message: Optional[str] = None) -> None:
        super().__init__(message or "Data returned by API invalid for expected schema.", _sent(response), body=body)
        self.response = response
        self.status_code: int = response.status_code


class APIStatusError(APIError):
    """An answer whose status is not a success."""

    response: Any
    status_code: int
    request_id: Optional[str]

    def __init__(self, message: str, *, response: Any, body: Any) -> None:
        super().__init__(message, _sent(response), body=body)
        self.response = response
        self.status_code = response.status_code
        self.request_id = response.headers.get("x-request-id")


class APIConnectionError(APIError):
    """There was no answer, or it broke off; `__cause__` says more."""

    def __init__(self, *, message: str = "Connection error.", request: Any = None) -> None:
        super().__init__(message, request)


class APITimeoutError(APIConnectionError):
    """Nothing came in time."""

    def __init__(self, request: Any = None) -> None:
        super().__init__(message="Request timed out.", request=request)


class BadRequestError(APIStatusError):
    """400"""


class AuthenticationError(APIStatusError):
    """401"""


class PermissionDeniedError(APIStatusError):
    """403"""


class NotFoundError(APIStatusError):
    """404"""


class ConflictError(APIStatusError):
    """409"""


class UnprocessableEntityError(APIStatusError):
    """422"""


class RateLimitError(APIStatusError):
    """429"""


class InternalServerError(APIStatusError):
    """500 and above"""


class LengthFinishReasonError(OpenAIError):
    """The answer was cut off, so that it could not be read."""

    def __init__(self, *, completion: Any) -> None:
        usage = getattr(completion, "usage", None)
        told = f" - {usage}" if usage else ""
        super().__init__(f"Could not parse response content as the length limit was reached{told}")
        self.completion = completion


class ContentFilterFinishReasonError(OpenAIError):
    """The answer was filtered, so that it could not be read."""

    def __init__(self, *, completion: Any = None) -> None:
        super().__init__("Could not parse response content as the request was rejected by the content filter")
        self.completion = completion


class InvalidWebhookSignatureError(ValueError):
    """A webhook that was not signed with the secret, or too long ago."""


class AmbiguousModuleClientUsageError(OpenAIError):
    """The module's client could be OpenAI's or Azure's."""

    def __init__(self) -> None:
        super().__init__(
            "Ambiguous use of module client; please set `openai.api_type` or the `OPENAI_API_TYPE` environment "
            "variable to `openai` or `azure`"
        )


_STATUSES = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def _sent(response: Any) -> Any:
    return getattr(response, "request", None)


def of_status(response: Any, body: bytes) -> APIStatusError:
    """The error for an answer with this status."""
    text = body.decode("utf-8", "replace").strip()
    try:
        whole: Any = json.loads(body)
    except ValueError:
        whole = None
    told: Any = whole.get("error", whole) if isinstance(whole, dict) else whole if whole is not None else text
    status: int = response.status_code
    message = f"Error code: {status} - {whole}" if whole is not None else text or f"Error code: {status}"
    kind: Type[APIStatusError] = InternalServerError if status >= 500 else _STATUSES.get(status, APIStatusError)
    return kind(message, response=response, body=told)


def throw(api: Any, outcome: Outcome, request: Request, url: str, retries: int) -> NoReturn:
    """Raises what an outcome that is not good stands for."""
    sent = Sent(request.verb, url)
    if outcome.kind == "status":
        raise of_status(RawResponse(api, request, url, outcome, retries, 0.0), outcome.body or b"")
    if outcome.kind == "timeout":
        raise APITimeoutError(sent) from (getattr(outcome, "cause", None) or native.APITimeoutError(outcome.message))
    if outcome.kind in ("connection", "decode"):
        cause = getattr(outcome, "cause", None) or native.APIConnectionError(outcome.message)
        raise APIConnectionError(request=sent) from cause
    if outcome.kind == "closed":
        raise APIConnectionError(message="Cannot send a request, as the client has been closed.", request=sent)
    raise OpenAIError(outcome.message or outcome.kind)


def of_stream(data: Any, request: Request, url: str) -> APIError:
    """The error for one that came within a stream."""
    told = data.get("error", data) if isinstance(data, dict) else data
    message = told.get("message") if isinstance(told, dict) else None
    usual = "An error occurred during streaming"
    return APIError(message if isinstance(message, str) and message else usual, Sent(request.verb, url), body=told)
