"""The clients: `OpenAI` for threads, `AsyncOpenAI` for event loops. All but what waits is defined once."""

from __future__ import annotations

import logging
import os
from typing import Any, Awaitable, Callable, Dict, List, Mapping, NoReturn, Optional, Type, TypeVar, Union
from urllib.parse import parse_qsl

from ... import _requests
from ..._native import Client as Native
from ..._native import Outcome
from ..._requests import StrPath
from ..._resources.encode import NOT_GIVEN, NotGiven, Omit, query_string
from ..._resources.engine import Api
from ..._resources.request import Request
from ..._resources.surface import Surface
from ..._resources.table import table
from ..._resources.verbs import Verbs
from . import _errors
from ._errors import (
    APIResponseValidationError,
    ContentFilterFinishReasonError,
    InvalidWebhookSignatureError,
    LengthFinishReasonError,
    OpenAIError,
)
from ._http import URL, DefaultAsyncHttpxClient, DefaultHttpxClient, Embedded, Timeout

VERSION = "1.51.0"

DEFAULT_TIMEOUT = Timeout(600.0, connect=5.0)
DEFAULT_MAX_RETRIES = 2

log = logging.getLogger("openai")

_RESIDENCIES = ("global", "us", "eu", "ae", "au", "in", "jp")

Key = Union[str, Callable[[], Union[str, Awaitable[str]]], None]
C = TypeVar("C", bound="BaseClient")


class DialectApi(Api):
    """A client as the calls see it."""

    log = log
    invalid_signature: Type[Exception] = InvalidWebhookSignatureError

    def __init__(self, client: BaseClient, is_async: bool) -> None:
        super().__init__(is_async)
        self.client = client

    def link(self, origin: Optional[str] = None, connect: Optional[float] = None) -> Native:
        link: Native = self.client._http.link(self.origin() if origin is None else origin, connect)
        return link

    def follows(self) -> bool:
        return bool(self.client._http.follow_redirects)

    def origin(self) -> str:
        return self.client._base.origin()

    def target(self, request: Request) -> str:
        client = self.client
        base = client._base.path.rstrip("/")
        path = request.path if request.path.startswith("/") else f"/{request.path}"
        path, _, more = path.partition("?")
        fixed = dict(parse_qsl(client._base.query)) if client._base.query else {}
        query = query_string({**fixed, **dict(parse_qsl(more)), **client._custom_query, **request.query})
        return f"{client._root(base, request)}{path}{'?' + query if query else ''}"

    async def headers(self, request: Request) -> Dict[str, Any]:
        client = self.client
        headers: Dict[str, Any] = {}
        if client.organization is not None:
            headers["OpenAI-Organization"] = client.organization
        if client.project is not None:
            headers["OpenAI-Project"] = client.project
        headers.update(await client._auth(self.runner, request))
        headers.update(client._http.headers)
        headers.update(client._custom_headers)
        return headers

    def patience(self) -> Any:
        return self.client.timeout

    def retries(self) -> int:
        retries: int = self.client.max_retries
        return retries

    def prepared(self, request: Request) -> Request:
        return self.client._prepared(request)

    def fail(self, outcome: Outcome, request: Request, url: str, retries: int) -> NoReturn:
        _errors.throw(self, outcome, request, url, retries)

    def stream_error(self, data: Any, request: Request, url: str) -> Exception:
        return _errors.of_stream(data, request, url)

    def cut_off(self, completion: Any) -> Exception:
        return LengthFinishReasonError(completion=completion)

    def filtered(self, completion: Any) -> Exception:
        return ContentFilterFinishReasonError(completion=completion)

    def webhook_secret(self) -> Optional[str]:
        return self.client.webhook_secret

    def not_json(self, reply: Any, error: ValueError, body: bytes) -> Exception:
        return APIResponseValidationError(reply, body.decode("utf-8", "replace"))


class BaseClient(Verbs, Surface):
    """What both clients have."""

    _is_async = False

    def __init__(
        self,
        *,
        api_key: Key = None,
        admin_api_key: Optional[str] = None,
        organization: Optional[str] = None,
        project: Optional[str] = None,
        webhook_secret: Optional[str] = None,
        base_url: Optional[str] = None,
        data_residency: Optional[str] = None,
        timeout: Any = NOT_GIVEN,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: Optional[Mapping[str, Any]] = None,
        default_query: Optional[Mapping[str, Any]] = None,
        http_client: Any = None,
        _strict_response_validation: bool = False,
    ) -> None:
        self._key: Key = api_key if api_key is not None else os.environ.get("OPENAI_API_KEY")
        self.admin_api_key = admin_api_key if admin_api_key is not None else os.environ.get("OPENAI_ADMIN_KEY")
        if self._key is None and self.admin_api_key is None:
            raise OpenAIError(
                "The api_key client option must be set either by passing api_key to the client or by setting the "
                "OPENAI_API_KEY environment variable"
            )
        self.organization = organization if organization is not None else os.environ.get("OPENAI_ORG_ID")
        self.project = project if project is not None else os.environ.get("OPENAI_PROJECT_ID")
        secret = webhook_secret if webhook_secret is not None else os.environ.get("OPENAI_WEBHOOK_SECRET")
        self.webhook_secret = secret
        self._set_base(self._address(base_url, data_residency))
        if max_retries is None or isinstance(max_retries, bool) or not isinstance(max_retries, (int, float)):
            raise TypeError("max_retries cannot be None. If you want to disable retries, pass `0`")
        if max_retries < 0:
            raise ValueError("max_retries: expected a whole number from 0")
        self.max_retries: Any = max_retries
        self._custom_headers: Dict[str, Any] = {**_environment_headers(), **(default_headers or {})}
        self._custom_query: Dict[str, Any] = dict(default_query or {})
        self._http = self._sender(http_client)
        own = getattr(self._http, "timeout", NOT_GIVEN)
        usual = DEFAULT_TIMEOUT if isinstance(own, NotGiven) else own
        self.timeout: Any = usual if isinstance(timeout, NotGiven) else timeout
        self._api = DialectApi(self, self._is_async)

    @classmethod
    def embedded(
        cls: Type[C],
        config: Optional[str] = None,
        *,
        config_file: Optional[StrPath] = None,
        ledger: Optional[StrPath] = None,
        variables: Optional[Mapping[str, str]] = None,
        **options: Any,
    ) -> C:
        """A client with a gateway of its own in this process; see `sabir.Sabir.embedded`."""
        native = _requests.embedded_client(config, config_file, ledger, variables)
        made: Any = {"api_key": "none", "base_url": "http://embedded/v1", **options, "http_client": Embedded(native)}
        return cls(**made)

    @staticmethod
    def _address(base_url: Optional[str], data_residency: Optional[str]) -> str:
        if data_residency is not None:
            if base_url is not None:
                raise OpenAIError("The `base_url` and `data_residency` arguments are mutually exclusive")
            if data_residency not in _RESIDENCIES:
                raise OpenAIError(f"data_residency: expected one of {', '.join(_RESIDENCIES)}")
            return "https://" + ("" if data_residency == "global" else f"{data_residency}.") + "api.openai.com/v1"
        return str(base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1")

    def _set_base(self, url: str) -> None:
        url, _, query = url.partition("?")
        self._base = URL((url if url.endswith("/") else url + "/") + (f"?{query}" if query else ""))

    def _sender(self, given: Any) -> Any:
        if given is None:
            return DefaultAsyncHttpxClient() if self._is_async else DefaultHttpxClient()
        if isinstance(given, DefaultHttpxClient):
            if not isinstance(given, Embedded) and given.is_async != self._is_async:
                wanted = "DefaultAsyncHttpxClient" if self._is_async else "DefaultHttpxClient"
                raise TypeError(f"Invalid `http_client` argument; Expected a `{wanted}` but got {type(given)}")
            return given
        from ._httpx_link import HttpxSender

        return given if isinstance(given, HttpxSender) else HttpxSender(given, self._is_async)

    # What may be asked and changed.

    @property
    def base_url(self) -> URL:
        """Where calls go; it ends with a slash."""
        return self._base

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._set_base(str(url))

    @property
    def api_key(self) -> str:
        """The key, unless a function gives it."""
        return self._key if isinstance(self._key, str) else ""

    @api_key.setter
    def api_key(self, key: Key) -> None:
        self._key = key

    @property
    def auth_headers(self) -> Dict[str, str]:
        """What says who calls."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    @property
    def default_headers(self) -> Dict[str, Any]:
        """The headers of every call."""
        headers: Dict[str, Any] = {"Accept": "application/json", "Content-Type": "application/json"}
        headers.update(self.auth_headers)
        for name, value in (("OpenAI-Organization", self.organization), ("OpenAI-Project", self.project)):
            if value is not None:
                headers[name] = value
        headers.update(self._custom_headers)
        return {name: value for name, value in headers.items() if not isinstance(value, Omit)}

    @property
    def default_query(self) -> Dict[str, Any]:
        """The query of every call."""
        return dict(self._custom_query)

    @property
    def user_agent(self) -> str:
        """How this client introduces itself; the version comes after it."""
        return "sabir-python"

    def copy(self: C, **changes: Any) -> C:
        """Another client that shares the connections. `default_headers` and `default_query` are merged with this one's;
        `set_default_headers` and `set_default_query` stand in their place."""
        options = self._options()
        for name in ("headers", "query"):
            more, instead = changes.pop(f"default_{name}", None), changes.pop(f"set_default_{name}", None)
            if more is not None and instead is not None:
                raise ValueError(f"The `default_{name}` and `set_default_{name}` arguments are mutually exclusive")
            if instead is not None:
                options[f"default_{name}"] = dict(instead)
            elif more is not None:
                options[f"default_{name}"] = {**options[f"default_{name}"], **more}
        extra = changes.pop("_extra_kwargs", None) or {}
        for name, value in {**changes, **extra}.items():
            if isinstance(value, NotGiven) or (value is None and name != "timeout"):
                continue
            options[name] = value
        return type(self)(**options)

    with_options = copy

    def _options(self) -> Dict[str, Any]:
        return {
            "api_key": self._key,
            "admin_api_key": self.admin_api_key,
            "organization": self.organization,
            "project": self.project,
            "webhook_secret": self.webhook_secret,
            "base_url": str(self._base),
            "timeout": self.timeout,
            "max_retries": self.max_retries,
            "default_headers": dict(self._custom_headers),
            "default_query": dict(self._custom_query),
            "http_client": self._http,
        }

    # What Azure does otherwise.

    def _root(self, base: str, request: Request) -> str:
        """The path that comes before a call's."""
        return base

    def _prepared(self, request: Request) -> Request:
        return request

    async def _auth(self, runner: Any, request: Request) -> Dict[str, str]:
        """What says who calls, asked for with every attempt."""
        key: Any = self.admin_api_key if request.admin and self.admin_api_key is not None else self._key
        if key is None:
            raise OpenAIError("this call needs the `api_key` of the client, which has none")
        if callable(key):
            key = await runner.resolved(key())
            if not isinstance(key, str) or not key:
                raise ValueError(
                    f"Expected the `api_key` function to return a non-empty string but it returned {key!r}"
                )
        return {"Authorization": f"Bearer {key}"} if key else {}

    # Resources.

    def _api_of(self) -> Api:
        return self._api

    def is_closed(self) -> bool:
        return bool(self._http.is_closed)

    def __dir__(self) -> List[str]:
        return sorted({*super().__dir__(), *table().children("")})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._base}>"


def _environment_headers() -> Dict[str, str]:
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


class OpenAI(BaseClient):
    """A client for threads."""

    def close(self) -> None:
        """Ends all calls and lets go of the connections."""
        self._http.close()

    def __enter__(self: C) -> C:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncOpenAI(BaseClient):
    """A client for event loops."""

    _is_async = True

    async def close(self) -> None:
        """Ends all calls and lets go of the connections."""
        if isinstance(self._http, DefaultHttpxClient):
            for link in self._http._take():
                await self._api.runner.close(link)
        else:
            await self._http.aclose()

    async def __aenter__(self: C) -> C:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
