"""Requests as they are sent."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union
from urllib.parse import quote

from ._errors import RequestError, throw
from ._native import Client, Outcome
from .types import Object

DEFAULT_TIMEOUT = 600.0
DEFAULT_RETRIES = 2

StrPath = Union[str, "os.PathLike[str]"]


class Settings:
    """What a client says with each call, unless the call says otherwise."""

    def __init__(self, timeout: float, max_retries: int) -> None:
        self.timeout = timeout
        self.max_retries = max_retries

    def options(
        self,
        stream: bool,
        extra_headers: Optional[Mapping[str, str]],
        timeout: Optional[float],
        max_retries: Optional[int],
    ) -> Dict[str, object]:
        retries = self.max_retries if max_retries is None else max_retries
        if isinstance(retries, bool) or not isinstance(retries, int) or not 0 <= retries < 2**32:
            raise RequestError("max_retries: expected a whole number from 0")
        seconds = self.timeout if timeout is None else timeout
        if not isinstance(seconds, (int, float)) or not seconds > 0:
            raise RequestError("timeout: expected seconds, above 0")
        return {
            "headers": pairs(extra_headers),
            "timeout": float(seconds),
            "retries": retries,
            "stream": stream,
        }


def pairs(mapping: Optional[Mapping[str, str]]) -> List[Tuple[str, str]]:
    return [(str(name), str(value)) for name, value in (mapping or {}).items()]


def body(members: Mapping[str, Any], more: Optional[Mapping[str, Any]] = None) -> bytes:
    """The JSON of a request; answers that are sent back are what they came as."""

    def plain(value: object) -> object:
        if isinstance(value, Object):
            return value.to_dict()
        if isinstance(value, (str, bytes, Mapping)):
            raise TypeError(f"{type(value).__name__} cannot be sent as JSON")
        try:
            return list(value)  # type: ignore[call-overload]
        except TypeError:
            raise TypeError(f"{type(value).__name__} cannot be sent as JSON") from None

    whole = {**members, **(more or {})}
    try:
        return json.dumps(whole, default=plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise RequestError(f"the request is not JSON: {error}") from error


def given(**members: Any) -> Dict[str, Any]:
    """Those that are not `None`."""
    return {name: value for name, value in members.items() if value is not None}


def model_path(model: str) -> str:
    if not model:
        raise RequestError("the model has no name")
    return "/v1/models/" + quote(model, safe="/:-_.~")


def http_client(
    url: str,
    api_key: Optional[str],
    headers: Optional[Mapping[str, str]],
    root_certificates: Optional[bytes],
    *,
    connect: Optional[float] = None,
    proxy: Optional[str] = None,
    environment: bool = True,
) -> Client:
    """A client at an address. Without a `proxy`, those of the environment count, if it does."""
    connecting = {"roots": root_certificates, "connect": connect, "proxy": proxy, "environment": environment}
    return _made(Client.http(url, api_key, pairs(headers), connecting))


def embedded_client(
    config: Optional[str],
    config_file: Optional[StrPath],
    ledger: Optional[StrPath],
    variables: Optional[Mapping[str, str]],
) -> Client:
    if config is not None and config_file is not None:
        raise RequestError("config and config_file cannot be used together")
    files = None if config_file is None else os.fspath(config_file)
    seen = None if variables is None else pairs(variables)
    return _made(Client.embedded(config, files, ledger, seen))


def _made(made: Tuple[Optional[Client], Optional[Outcome]]) -> Client:
    client, outcome = made
    if outcome is not None:
        throw(outcome)
    assert client is not None
    return client
