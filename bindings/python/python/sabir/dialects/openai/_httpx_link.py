"""Calls by an HTTP client of the caller's: `httpx.Client`, `httpx.AsyncClient`, or what behaves like them."""

from __future__ import annotations

import inspect
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..._native import EventReader
from ..._resources.encode import NOT_GIVEN


class Ended:
    """How a call ended, like the native client's outcomes."""

    def __init__(
        self,
        kind: str,
        *,
        message: Optional[str] = None,
        status: Optional[int] = None,
        headers: Any = (),
        body: Optional[bytes] = None,
        name: Optional[str] = None,
        stream: Any = None,
        cause: Optional[BaseException] = None,
    ) -> None:
        self.kind = kind
        self.message = message
        self.status = status
        self.headers: List[Tuple[str, str]] = [(str(key), str(value)) for key, value in headers]
        self.retries = 0
        self.body = body
        self.name = name
        self.stream = stream
        self.cause = cause


def _failed(error: BaseException) -> Ended:
    """Errors of the client count as the connection's; they are told apart by their names only."""
    kind = "timeout" if "Timeout" in type(error).__name__ else "connection"
    return Ended(kind, message=f"{type(error).__name__}: {error}", cause=error)


class HttpxLink:
    """What sends: each call is a request of the client's, with this package's retries."""

    def __init__(self, client: Any, origin: str) -> None:
        self._client = client
        self._origin = origin

    async def send(self, verb: str, path: str, body: Any, options: Mapping[str, Any]) -> Ended:
        """Sends; what the client gives is awaited if it can be."""
        told = options["timeout"]
        seconds = told[0] if isinstance(told, tuple) else told
        request = self._client.build_request(
            verb,
            self._origin + path,
            headers=options["headers"],
            content=None if body is None else bytes(body),
            timeout=None if seconds == float("inf") else seconds,
        )
        try:
            sent = self._client.send(request, stream=True)
            response = await sent if inspect.isawaitable(sent) else sent
            headers = [pair for pair in response.headers.items() if pair[0].lower() != "content-encoding"]
            good = 200 <= response.status_code < 300
            if good and options["stream"]:
                stream = HttpxStream(response, options["stream"] == "events", inspect.isawaitable(sent))
                return Ended("ok", status=response.status_code, headers=headers, stream=stream)
            read = response.aread() if inspect.isawaitable(sent) else response.read()
            content: bytes = await read if inspect.isawaitable(read) else read
        except Exception as error:
            return _failed(error)
        return Ended("ok" if good else "status", status=response.status_code, headers=headers, body=content)

    def close(self) -> None:
        """The client is its owner's to close."""


class HttpxStream:
    """The body of an answer, piece by piece or event by event."""

    def __init__(self, response: Any, events: bool, is_async: bool) -> None:
        self._response = response
        self._is_async = is_async
        self._pieces: Any = None
        self._reader = EventReader() if events else None
        self._held: List[Tuple[Optional[str], str]] = []
        self._over = False

    def as_events(self) -> bool:
        """From now on events."""
        if self._reader is None:
            self._reader = EventReader()
        return True

    async def step(self, is_async: bool) -> Ended:
        """The next piece, or the end."""
        while True:
            if self._held:
                name, data = self._held.pop(0)
                return Ended("ok", body=data.encode(), name=name)
            if self._over:
                return Ended("end")
            try:
                piece = await self._piece(is_async)
            except Exception as error:
                self._over = True
                return _failed(error)
            if self._reader is None:
                if piece:
                    return Ended("ok", body=piece)
                self._over = piece is None
                continue
            events, self._over = self._reader.feed(piece)
            if events is None:
                return Ended("connection", message="the stream ended within an event")
            self._held += events

    async def _piece(self, is_async: bool) -> Optional[bytes]:
        if self._pieces is None:
            self._pieces = self._response.aiter_bytes() if is_async else self._response.iter_bytes()
        try:
            piece: bytes = await self._pieces.__anext__() if is_async else next(self._pieces)
        except (StopIteration, StopAsyncIteration):
            return None
        return piece

    def close(self) -> None:
        """Ends the call."""
        self._over = True
        self._held = []
        if not self._is_async:
            self._response.close()
            return
        # Whoever closes does not wait; the loop that the answer belongs to does.
        import asyncio

        try:
            asyncio.get_running_loop().create_task(self._response.aclose())
        except RuntimeError:
            # The loop is over, and its connections with it.
            pass


class HttpxSender:
    """The caller's client in the place of this package's."""

    def __init__(self, client: Any, is_async: bool) -> None:
        if not hasattr(client, "build_request") or not hasattr(client, "send"):
            raise TypeError(
                "Invalid `http_client` argument; Expected a `DefaultHttpxClient`, an `httpx.Client` or something with "
                f"`build_request` and `send` but got {type(client)}"
            )
        if inspect.iscoroutinefunction(client.send) != is_async:
            raise TypeError(
                f"Invalid `http_client` argument; Expected one for {'event loops' if is_async else 'threads'} "
                f"but got {type(client)}"
            )
        self.client = client
        self.headers: Dict[str, str] = {}
        #: The client follows them itself, if it is to.
        self.follow_redirects = False
        told = getattr(client, "timeout", None)
        # Five seconds of everything are what these clients have if nobody said anything.
        usual = {getattr(told, phase, 5.0) for phase in ("connect", "read", "write", "pool")} == {5.0}
        self.timeout: Any = NOT_GIVEN if told is None or usual else told
        self._links: Dict[str, HttpxLink] = {}

    def link(self, origin: str, connect: Optional[float] = None) -> Any:
        """What sends to a server."""
        if origin not in self._links:
            self._links[origin] = HttpxLink(self.client, origin)
        return self._links[origin]

    @property
    def is_closed(self) -> bool:
        return bool(getattr(self.client, "is_closed", False))

    def close(self) -> None:
        """Closes the client."""
        self.client.close()

    async def aclose(self) -> None:
        """Closes the client."""
        await self.client.aclose()
