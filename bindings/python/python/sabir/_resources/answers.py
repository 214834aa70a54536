"""Answers before they are objects: their heads and their bodies, and what they are made into."""

from __future__ import annotations

import codecs
import json
import os
from types import TracebackType
from typing import TYPE_CHECKING, Any, AsyncIterator, Dict, Iterator, List, Mapping, Optional, Type, Union

from .._meta import Headers, Meta
from .._native import Outcome, Stream
from .objects import ApiObject, kind, made
from .request import Request

if TYPE_CHECKING:
    from .engine import Api

StrPath = Union[str, "os.PathLike[str]"]


class Sent:
    """The request that an answer belongs to. Its headers are not kept, since they hold a key."""

    def __init__(self, method: str, url: str) -> None:
        self.method = method
        self.url = url

    def __repr__(self) -> str:
        return f"<Request({self.method!r}, {self.url!r})>"


class Reply:
    """The head of an answer."""

    def __init__(self, api: Api, request: Request, url: str, outcome: Outcome, retries: int, elapsed: float) -> None:
        self._api = api
        self._request = request
        self._native: Optional[Stream] = outcome.stream
        self._body: Optional[bytes] = outcome.body
        self.status_code: int = outcome.status or 0
        self.headers = Headers(outcome.headers)
        #: How often the call was tried again.
        self.retries_taken = retries
        self.method = request.verb
        self.url = url
        self.http_version = "HTTP/1.1"
        self.elapsed = elapsed
        self._parsed: Dict[Any, Any] = {}

    @property
    def meta(self) -> Meta:
        return Meta(self.status_code, self.headers, self.retries_taken)

    @property
    def request_id(self) -> Optional[str]:
        """The id of the request."""
        return self.headers.get("x-request-id")

    @property
    def http_request(self) -> Sent:
        return Sent(self.method, self.url)

    request = http_request

    @property
    def http_response(self) -> Reply:
        return self

    @property
    def is_success(self) -> bool:
        return 200 <= self.status_code < 300

    @property
    def is_closed(self) -> bool:
        return self._native is None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} [{self.status_code}]>"


class RawResponse(Reply):
    """A whole answer as it came; `parse` makes the object of it."""

    @property
    def content(self) -> bytes:
        """The body."""
        return self._body or b""

    @property
    def text(self) -> str:
        """The body as a text."""
        return self.content.decode(_charset(self.headers), "replace")

    def json(self, **how: Any) -> Any:
        """The body, read as JSON."""
        return json.loads(self.content, **how)

    def read(self) -> bytes:
        return self.content

    def parse(self, *, to: Any = None) -> Any:
        """What the call without `with_raw_response` would have given; `to` asks for something else."""
        if to not in self._parsed:
            self._parsed[to] = self._api.parsed(self, self._request, to)
        return self._parsed[to]

    def raise_for_status(self) -> RawResponse:
        """The answer itself: one that is none raised already."""
        return self


class BinaryContent(RawResponse):
    """A file that was answered."""

    encoding = "utf-8"

    @property
    def response(self) -> BinaryContent:
        return self

    def iter_bytes(self, chunk_size: Optional[int] = None) -> Iterator[bytes]:
        """The body piece by piece."""
        size = chunk_size or 65536
        for start in range(0, len(self.content), size):
            yield self.content[start : start + size]

    iter_raw = iter_bytes

    def iter_text(self, chunk_size: Optional[int] = None) -> Iterator[str]:
        """The body as a text, piece by piece."""
        size = chunk_size or 65536
        for start in range(0, len(self.text), size):
            yield self.text[start : start + size]

    def iter_lines(self) -> Iterator[str]:
        """The lines of the body."""
        yield from self.text.splitlines()

    def write_to_file(self, file: StrPath) -> None:
        """Writes the body to a file."""
        with open(file, "wb") as out:
            out.write(self.content)

    def stream_to_file(self, file: StrPath, *, chunk_size: Optional[int] = None) -> None:
        """Writes the body to a file."""
        self.write_to_file(file)

    def close(self) -> None:
        """Nothing is held."""

    async def aread(self) -> bytes:
        return self.content

    async def aiter_bytes(self, chunk_size: Optional[int] = None) -> AsyncIterator[bytes]:
        for piece in self.iter_bytes(chunk_size):
            yield piece

    aiter_raw = aiter_bytes

    async def aiter_text(self, chunk_size: Optional[int] = None) -> AsyncIterator[str]:
        for piece in self.iter_text(chunk_size):
            yield piece

    async def aiter_lines(self) -> AsyncIterator[str]:
        for line in self.iter_lines():
            yield line

    async def astream_to_file(self, file: StrPath, *, chunk_size: Optional[int] = None) -> None:
        await self._api.runner.offload(lambda: self.write_to_file(file))

    async def aclose(self) -> None:
        """Nothing is held."""


class _Cut:
    """Pieces of a body in another size."""

    def __init__(self, size: Optional[int]) -> None:
        self._size = size
        self._held = b""

    def feed(self, piece: bytes) -> List[bytes]:
        if self._size is None:
            return [piece]
        held = self._held + piece
        whole = len(held) - len(held) % self._size
        self._held = held[whole:]
        return [held[at : at + self._size] for at in range(0, whole, self._size)]

    def end(self) -> List[bytes]:
        return [self._held] if self._held else []


class _Text:
    """Pieces of a body as texts."""

    def __init__(self, charset: str, size: Optional[int] = None) -> None:
        self._decoder = codecs.getincrementaldecoder(charset)("replace")
        self._cut = _Cut(size)

    def feed(self, piece: bytes) -> List[str]:
        return [text for text in (self._decoder.decode(part) for part in self._cut.feed(piece)) if text]

    def end(self) -> List[str]:
        rest = "".join(self._decoder.decode(part) for part in self._cut.end()) + self._decoder.decode(b"", True)
        return [rest] if rest else []


class _Lines:
    """The lines of a body."""

    def __init__(self, charset: str) -> None:
        self._decoder = codecs.getincrementaldecoder(charset)("replace")
        self._held = ""

    def feed(self, piece: bytes) -> List[str]:
        return self._cut(self._held + self._decoder.decode(piece))

    def end(self) -> List[str]:
        lines = self._cut(self._held + self._decoder.decode(b"", True) + "\n")
        return lines if lines != [""] else []

    def _cut(self, text: str) -> List[str]:
        if text.endswith("\r"):
            # Half of a line's end, perhaps.
            text, rest = text[:-1], "\r"
        else:
            rest = ""
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._held = lines.pop() + rest
        return lines


class _Streamed(Reply):
    """An answer whose body is read when it is asked for."""

    async def _next(self) -> Optional[bytes]:
        if self._native is None:
            return None
        outcome: Outcome = await self._api.runner.next(self._native)
        if outcome.kind == "ok":
            return outcome.body
        self._native = None
        if outcome.kind != "end":
            self._api.fail(outcome, self._request, self.url, self.retries_taken)
        return None

    async def _read(self) -> bytes:
        if self._body is None:
            pieces = []
            while True:
                piece = await self._next()
                if piece is None:
                    break
                pieces.append(piece)
            self._body = b"".join(pieces)
        return self._body

    async def _parse(self, to: Any) -> Any:
        if not self._request.streamed:
            await self._read()
        if to not in self._parsed:
            self._parsed[to] = self._api.parsed(self, self._request, to)
        return self._parsed[to]

    async def _to_file(self, file: StrPath) -> None:
        with open(file, "wb") as out:
            while True:
                piece = await self._next()
                if piece is None:
                    return
                out.write(piece)

    def _close(self) -> None:
        native, self._native = self._native, None
        if native is not None:
            native.close()

    def _charset(self) -> str:
        return _charset(self.headers)

    @property
    def content(self) -> bytes:
        """The body, once it was read."""
        if self._body is None:
            raise RuntimeError("the body has not been read")
        return self._body


class StreamedResponse(_Streamed):
    """An answer whose body is read when it is asked for."""

    def read(self) -> bytes:
        """The whole body."""
        body: bytes = self._api.runner.finish(self._read())
        return body

    def text(self) -> str:
        """The whole body as a text."""
        return self.read().decode(self._charset(), "replace")

    def json(self) -> Any:
        """The whole body, read as JSON."""
        return json.loads(self.read())

    def parse(self, *, to: Any = None) -> Any:
        """What the call without `with_streaming_response` would have given."""
        return self._api.runner.finish(self._parse(to))

    def _pieces(self, into: Any) -> Iterator[Any]:
        if self._body is not None:
            yield from into.feed(self._body)
        while True:
            piece = self._api.runner.finish(self._next())
            if piece is None:
                yield from into.end()
                return
            yield from into.feed(piece)

    def iter_bytes(self, chunk_size: Optional[int] = None) -> Iterator[bytes]:
        """The body piece by piece."""
        return self._pieces(_Cut(chunk_size))

    def iter_text(self, chunk_size: Optional[int] = None) -> Iterator[str]:
        """The body as a text, piece by piece."""
        return self._pieces(_Text(self._charset(), chunk_size))

    def iter_lines(self) -> Iterator[str]:
        """The lines of the body."""
        return self._pieces(_Lines(self._charset()))

    def stream_to_file(self, file: StrPath, *, chunk_size: Optional[int] = None) -> None:
        """Writes the body to a file as it comes."""
        self._api.runner.finish(self._to_file(file))

    def close(self) -> None:
        """Ends the call."""
        self._close()


class AsyncStreamedResponse(_Streamed):
    """An answer whose body is read when it is asked for."""

    async def read(self) -> bytes:
        """The whole body."""
        return await self._read()

    async def text(self) -> str:
        """The whole body as a text."""
        return (await self._read()).decode(self._charset(), "replace")

    async def json(self) -> Any:
        """The whole body, read as JSON."""
        return json.loads(await self._read())

    async def parse(self, *, to: Any = None) -> Any:
        """What the call without `with_streaming_response` would have given."""
        return await self._parse(to)

    async def _pieces(self, into: Any) -> AsyncIterator[Any]:
        if self._body is not None:
            for part in into.feed(self._body):
                yield part
        while True:
            piece = await self._next()
            for part in into.end() if piece is None else into.feed(piece):
                yield part
            if piece is None:
                return

    def iter_bytes(self, chunk_size: Optional[int] = None) -> AsyncIterator[bytes]:
        """The body piece by piece."""
        return self._pieces(_Cut(chunk_size))

    def iter_text(self, chunk_size: Optional[int] = None) -> AsyncIterator[str]:
        """The body as a text, piece by piece."""
        return self._pieces(_Text(self._charset(), chunk_size))

    def iter_lines(self) -> AsyncIterator[str]:
        """The lines of the body."""
        return self._pieces(_Lines(self._charset()))

    async def stream_to_file(self, file: StrPath, *, chunk_size: Optional[int] = None) -> None:
        """Writes the body to a file as it comes."""
        await self._to_file(file)

    async def close(self) -> None:
        """Ends the call."""
        self._close()


class Opening:
    """A call whose answer is open between `with` and its end."""

    def __init__(self, api: Api, request: Request) -> None:
        self._api = api
        self._request = request
        self._reply: Any = None

    def __enter__(self) -> StreamedResponse:
        self._reply = self._api.runner.finish(self._api.opened(self._request))
        return self._reply  # type: ignore[no-any-return]

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._reply._close()

    async def __aenter__(self) -> AsyncStreamedResponse:
        self._reply = await self._api.opened(self._request)
        return self._reply  # type: ignore[no-any-return]

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._reply._close()


def _charset(headers: Mapping[str, str]) -> str:
    told = headers.get("content-type", "").partition("charset=")[2].split(";")[0].strip().strip('"')
    try:
        return codecs.lookup(told).name if told else "utf-8"
    except LookupError:
        return "utf-8"


def cast(reply: Reply, body: bytes, target: Any) -> Any:
    """The body as what is asked for: the name of a kind of object, or a type."""
    if target is None or target is type(None) or target == "none":
        return None
    if target is bytes:
        return body
    text = body.decode(_charset(reply.headers), "replace")
    if target is str or target == "str":
        return text
    if target in (int, float):
        return target(text)
    if target is bool:
        return text.lower() == "true"
    if isinstance(target, type) and target.__name__ in ("Response", "RawResponse") and not _is_model(target):
        if issubclass(target, Reply):
            return reply
        # The class of another package, like `httpx.Response`.
        foreign: Any = target
        sent = {name: value for name, value in reply.headers.items() if name != "content-length"}
        return foreign(reply.status_code, headers=sent, content=body)
    try:
        data = json.loads(body)
    except ValueError:
        if "json" in reply.headers.get("content-type", ""):
            raise
        # A page of another server, or a text where one was asked for.
        return text
    if isinstance(target, str):
        return made(target, data, reply.meta)
    if isinstance(target, type) and issubclass(target, ApiObject):
        return target(data, reply.meta) if isinstance(data, dict) else data
    if _is_model(target):
        model: Any = target
        return model.model_validate(data)
    if getattr(target, "__origin__", None) in (list, dict) or target in (list, dict, object, Any):
        inner: Any = getattr(target, "__args__", (None,))[-1]
        return [inner.model_validate(item) for item in data] if isinstance(data, list) and _is_model(inner) else data
    return kind(None)(data, reply.meta) if isinstance(data, dict) else data


def _is_model(target: Any) -> bool:
    return isinstance(target, type) and hasattr(target, "model_validate")
