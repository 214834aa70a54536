"""TensorZero's exceptions."""

from __future__ import annotations

from typing import NoReturn

from ..._errors import SabirError
from ..._native import Outcome


class BaseTensorZeroError(SabirError):
    """Something went wrong."""


class TensorZeroError(BaseTensorZeroError):
    """The gateway answered with an error; `text` is the body as it came."""

    def __init__(self, status_code: int, text: str) -> None:
        super().__init__(f"TensorZeroError (status code {status_code}): {text}")
        self.status_code = status_code
        self.text = text


class TensorZeroInternalError(BaseTensorZeroError):
    """There is no answer, or none that can be read."""


def throw(outcome: Outcome) -> NoReturn:
    """Raises what an outcome that is not good stands for."""
    message = outcome.message or outcome.kind
    if outcome.kind == "status":
        raise TensorZeroError(outcome.status or 0, (outcome.body or b"").decode("utf-8", "replace"))
    if outcome.kind == "timeout":
        raise TensorZeroInternalError(f"HTTP Error: request timed out ({message})")
    raise TensorZeroInternalError(message)
