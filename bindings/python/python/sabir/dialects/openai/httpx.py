"""The names of `httpx` that programs for OpenAI's client use, for those that have no `httpx`."""

from __future__ import annotations

from ..._resources.answers import RawResponse as Response
from ._http import URL, AsyncHTTPTransport, HTTPTransport, Limits, Timeout

__all__ = ["URL", "AsyncHTTPTransport", "HTTPTransport", "Limits", "Response", "Timeout"]
