"""Sabir's own clients as the calls of OpenAI's API see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, NoReturn, Optional, Union

from ._errors import ContentFilterFinishReasonError, DecodeError, LengthFinishReasonError, StreamError, throw
from ._native import Client, Outcome
from ._resources.encode import query_string
from ._resources.engine import Api
from ._resources.request import Request
from ._resources.surface import Resource

if TYPE_CHECKING:
    from ._async import AsyncSabir
    from ._sync import Sabir


class SabirApi(Api):
    """A client of a gateway, which has its calls below `/v1`."""

    def __init__(self, client: Union[Sabir, AsyncSabir], is_async: bool) -> None:
        super().__init__(is_async)
        self._client = client

    def link(self, origin: Optional[str] = None, connect: Optional[float] = None) -> Client:
        return self._client._native

    def target(self, request: Request) -> str:
        query = query_string(request.query)
        return f"/v1{request.path}{'?' + query if query else ''}"

    async def headers(self, request: Request) -> Dict[str, Any]:
        return {}

    def patience(self) -> Any:
        return self._client._settings.timeout

    def retries(self) -> int:
        return self._client._settings.max_retries

    def fail(self, outcome: Outcome, request: Request, url: str, retries: int) -> NoReturn:
        throw(outcome, retries)

    def stream_error(self, data: Any, request: Request, url: str) -> Exception:
        told = data.get("error", data) if isinstance(data, dict) else data
        message = told.get("message") if isinstance(told, dict) else told
        return StreamError(f"the stream brought an error: {message}", data)

    def cut_off(self, completion: Any) -> Exception:
        return LengthFinishReasonError(completion)

    def filtered(self, completion: Any) -> Exception:
        return ContentFilterFinishReasonError(completion)

    def not_json(self, reply: Any, error: ValueError, body: bytes) -> Exception:
        return DecodeError(f"the answer cannot be read: {error}", body)


class More:
    """A resource with typed calls of its own; all others are those of the table."""

    _place = ""

    def _api_of(self) -> Api:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(Resource(self._api_of(), self._place), name)
