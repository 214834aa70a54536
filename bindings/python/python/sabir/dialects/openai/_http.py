"""What sends, where programs bring an HTTP client of their own."""

from __future__ import annotations

import threading
import warnings
from typing import Any, Dict, Optional, Tuple, Union

from ... import _requests
from ..._native import Client
from ..._resources.encode import NOT_GIVEN, NotGiven


class Timeout:
    """How long the phases of a call may take; what is not said is `timeout`."""

    def __init__(
        self,
        timeout: Any = NOT_GIVEN,
        *,
        connect: Any = NOT_GIVEN,
        read: Any = NOT_GIVEN,
        write: Any = NOT_GIVEN,
        pool: Any = NOT_GIVEN,
    ) -> None:
        phases = (connect, read, write, pool)
        if isinstance(timeout, NotGiven) and any(isinstance(phase, NotGiven) for phase in phases):
            raise ValueError("Timeout must either include a default, or set all four parameters explicitly.")

        def of(phase: Any) -> Optional[float]:
            whole = getattr(timeout, "read", timeout) if isinstance(phase, NotGiven) else phase
            return None if whole is None else float(whole)

        self.connect, self.read, self.write, self.pool = (of(phase) for phase in phases)

    def as_dict(self) -> Dict[str, Optional[float]]:
        return {"connect": self.connect, "read": self.read, "write": self.write, "pool": self.pool}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timeout) and self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Timeout(connect={self.connect}, read={self.read}, write={self.write}, pool={self.pool})"


class Limits:
    """How many connections there may be. The client opens what it needs: these are only kept."""

    def __init__(
        self,
        *,
        max_connections: Optional[int] = None,
        max_keepalive_connections: Optional[int] = None,
        keepalive_expiry: Optional[float] = 5.0,
    ) -> None:
        self.max_connections = max_connections
        self.max_keepalive_connections = max_keepalive_connections
        self.keepalive_expiry = keepalive_expiry


class URL(str):
    """An address, with its parts."""

    __slots__ = ()

    @property
    def scheme(self) -> str:
        return self.partition("://")[0]

    @property
    def host(self) -> str:
        return self._authority().rpartition("@")[2].partition(":")[0]

    @property
    def path(self) -> str:
        rest = self.partition("://")[2]
        return "/" + rest.partition("/")[2].partition("?")[0]

    @property
    def query(self) -> str:
        return self.partition("?")[2]

    def _authority(self) -> str:
        return self.partition("://")[2].partition("/")[0]

    def origin(self) -> str:
        return f"{self.scheme}://{self._authority()}"


class HTTPTransport:
    """How connections are made."""

    def __init__(
        self,
        verify: Any = True,
        *,
        proxy: Any = None,
        local_address: Optional[str] = None,
        retries: int = 0,
        limits: Any = None,
        http1: bool = True,
        http2: bool = False,
        trust_env: bool = True,
    ) -> None:
        self.verify = verify
        self.proxy = proxy
        self.local_address = local_address
        self.retries = retries
        self.trust_env = trust_env


AsyncHTTPTransport = HTTPTransport


class DefaultHttpxClient:
    """What a client sends with: connections, certificates, a proxy. Several clients may share one.

    With a `transport` of `httpx`, it is that package's client.
    """

    is_async = False

    def __new__(cls, *_: Any, **options: Any) -> Any:
        transport = options.get("transport")
        if transport is None or isinstance(transport, HTTPTransport):
            return super().__new__(cls)
        import importlib

        package = importlib.import_module(type(transport).__module__.partition(".")[0])
        if not hasattr(package, "AsyncClient"):
            # A transport of somebody's own, of the shape that `httpx` has.
            package = importlib.import_module("httpx")
        proxies = options.pop("proxies", None)
        if proxies is not None:
            options["proxy"] = _proxy(proxies)
        options.setdefault("follow_redirects", True)
        return (package.AsyncClient if cls.is_async else package.Client)(**options)

    def __init__(
        self,
        *,
        proxy: Any = None,
        proxies: Any = None,
        transport: Any = None,
        verify: Any = True,
        timeout: Any = NOT_GIVEN,
        limits: Any = None,
        follow_redirects: bool = True,
        trust_env: bool = True,
        headers: Any = None,
        base_url: Any = None,
    ) -> None:
        self.timeout = timeout
        self.follow_redirects = follow_redirects
        self.headers = dict(headers or {})
        self.base_url = base_url
        own = transport if isinstance(transport, HTTPTransport) else None
        self._proxy = _proxy(proxy if proxy is not None else proxies if proxies is not None else own and own.proxy)
        self._local = own.local_address if own else None
        self._roots = _roots(verify if own is None else own.verify)
        self._trust_env = trust_env
        if self._local not in (None, "0.0.0.0", "::"):
            raise ValueError("local_address: which of this machine's addresses is used cannot be chosen")
        if limits is not None:
            warnings.warn("limits: connections are opened as calls need them; these limits do not count", stacklevel=2)
        self._links: Dict[Tuple[str, Optional[float]], Client] = {}
        self._lock = threading.Lock()
        self._closed = False

    def link(self, origin: str, connect: Optional[float] = None) -> Client:
        """What sends to a server."""
        # Two for one server would not do: whoever is let go of ends its calls.
        with self._lock:
            found = self._links.get((origin, connect))
            if found is None:
                found = _requests.http_client(
                    origin, None, None, self._roots, connect=connect, proxy=self._proxy, environment=self._trust_env
                )
                self._links[origin, connect] = found
                if self._closed:
                    found.close()
            return found

    @property
    def is_closed(self) -> bool:
        return self._closed

    def _take(self) -> Tuple[Client, ...]:
        self._closed = True
        return tuple(self._links.values())

    def close(self) -> None:
        """Ends all calls and lets go of the connections."""
        for link in self._take():
            link.close()

    def __enter__(self) -> DefaultHttpxClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DefaultAsyncHttpxClient(DefaultHttpxClient):
    """The same for clients in event loops."""

    is_async = True

    async def aclose(self) -> None:
        """Ends all calls and lets go of the connections."""
        self.close()

    async def __aenter__(self) -> DefaultAsyncHttpxClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Embedded(DefaultHttpxClient):
    """What sends to a gateway in this process."""

    def __init__(self, native: Client) -> None:
        super().__init__()
        self._native = native
        self._links = {("", None): native}

    def link(self, origin: str, connect: Optional[float] = None) -> Client:
        return self._native


def _proxy(told: Any) -> Optional[str]:
    if isinstance(told, dict):
        told = told.get("all://") or told.get("https://") or told.get("http://")
    told = getattr(told, "url", told)
    return None if told is None else str(told)


def _roots(verify: Any) -> Union[bytes, None]:
    if verify is True or verify is None:
        return None
    if verify is False:
        raise ValueError(
            "verify: certificates are always checked; give the file of those to trust beside the usual ones"
        )
    if isinstance(verify, str):
        with open(verify, "rb") as file:
            return file.read()
    raise TypeError("verify: expected the path of a file with certificates")
