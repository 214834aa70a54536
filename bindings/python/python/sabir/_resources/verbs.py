"""Calls that are not in the table, and all calls with the answer as it came."""

from __future__ import annotations

from typing import Any, Mapping, Optional

from .encode import NOT_GIVEN
from .engine import Api
from .request import Request, extended
from .surface import Resource
from .table import table


class Verbs:
    """What a client has beside its resources."""

    def _api_of(self) -> Api:
        raise NotImplementedError

    @property
    def with_raw_response(self) -> Wrapped:
        """The same resources, whose calls give the answer as it came."""
        return Wrapped(self._api_of(), "raw")

    @property
    def with_streaming_response(self) -> Wrapped:
        """The same resources, whose calls are opened by `with`."""
        return Wrapped(self._api_of(), "stream")

    def get(
        self,
        path: str,
        *,
        cast_to: Any,
        options: Optional[Mapping[str, Any]] = None,
        stream: bool = False,
        stream_cls: Any = None,
    ) -> Any:
        """Any GET."""
        return self._verb("GET", path, cast_to, None, options, None, stream, stream_cls)

    def post(
        self,
        path: str,
        *,
        cast_to: Any,
        body: Any = None,
        options: Optional[Mapping[str, Any]] = None,
        files: Any = None,
        stream: bool = False,
        stream_cls: Any = None,
    ) -> Any:
        """Any POST."""
        return self._verb("POST", path, cast_to, body, options, files, stream, stream_cls)

    def patch(
        self,
        path: str,
        *,
        cast_to: Any,
        body: Any = None,
        files: Any = None,
        options: Optional[Mapping[str, Any]] = None,
    ) -> Any:
        """Any PATCH."""
        return self._verb("PATCH", path, cast_to, body, options, files, False, None)

    def put(
        self,
        path: str,
        *,
        cast_to: Any,
        body: Any = None,
        files: Any = None,
        options: Optional[Mapping[str, Any]] = None,
    ) -> Any:
        """Any PUT."""
        return self._verb("PUT", path, cast_to, body, options, files, False, None)

    def delete(self, path: str, *, cast_to: Any, body: Any = None, options: Optional[Mapping[str, Any]] = None) -> Any:
        """Any DELETE."""
        return self._verb("DELETE", path, cast_to, body, options, None, False, None)

    def get_api_list(
        self,
        path: str,
        *,
        model: Any,
        page: Any = None,
        body: Any = None,
        options: Optional[Mapping[str, Any]] = None,
        method: str = "get",
    ) -> Any:
        """Any list that comes page by page."""
        request = self._request(method.upper(), path, body, options)
        request.page = "cursor"
        request.kind = model if isinstance(model, str) else getattr(model, "__name__", None)
        return self._api_of().ask(request)

    def _verb(
        self, verb: str, path: str, cast_to: Any, body: Any, options: Any, files: Any, stream: bool, stream_cls: Any
    ) -> Any:
        request = self._request(verb, path, body, options)
        request.cast = cast_to if cast_to is not None else "none"
        if files is not None:
            request.body = {**(request.body or {}), **dict(files)}
            request.files, request.has_body = tuple(dict(files)), True
        if stream:
            request.streamed = True
            request.stream = "ApiObject"
        return self._api_of().ask(request)

    def _request(self, verb: str, path: str, body: Any, options: Any) -> Request:
        request = Request(verb, path)
        options = dict(options or {})
        request.body, request.has_body = body, body is not None
        extended(request, options.pop("headers", None), options.pop("params", None), options.pop("extra_json", None))
        request.timeout = options.pop("timeout", NOT_GIVEN)
        request.max_retries = options.pop("max_retries", None)
        key = options.pop("idempotency_key", None)
        if key is not None:
            request.headers["Idempotency-Key"] = key
        if options:
            raise TypeError(f"options: `{next(iter(options))}` is not known")
        return self._api_of().prepared(request)


class Wrapped:
    """A client's resources, whose calls are wrapped."""

    def __init__(self, api: Api, wrap: str) -> None:
        self._api = api
        self._wrap = wrap

    def __getattr__(self, name: str) -> Resource:
        if name.startswith("_") or name not in table().children(""):
            raise AttributeError(name)
        return Resource(self._api, name, self._wrap)
