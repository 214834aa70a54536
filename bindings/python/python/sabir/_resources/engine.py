"""The one path that every call takes: made, sent, tried again, and made an object of."""

from __future__ import annotations

import base64

import logging
import struct
import time
from typing import Any, Coroutine, Dict, List, Mapping, NoReturn, Optional, Tuple, Type, TypeVar, Union
from urllib.parse import urljoin, urlsplit

from .._native import Client, Outcome, retry_delay
from . import encode, request as requests, running
from .answers import AsyncStreamedResponse, BinaryContent, Opening, RawResponse, Reply, Sent, StreamedResponse, cast
from .encode import NotGiven, Omit
from .events import AsyncStream, Stream
from .pages import Paginator, page
from .request import Request
from .table import Row, table

T = TypeVar("T")
Pairs = List[Tuple[str, str]]

#: How often an answer may say that something is elsewhere.
_MOVES = 20


class Api:
    """A client as the calls see it. What differs between clients is overridden."""

    log = logging.getLogger("sabir")

    def __init__(self, is_async: bool) -> None:
        self.runner = running.runner(is_async)

    # What clients differ in.

    def link(self, origin: Optional[str] = None, connect: Optional[float] = None) -> Client:
        """What sends: to this client's server, or to another; `connect` is how long connecting may take."""
        raise NotImplementedError

    def target(self, request: Request) -> str:
        """The path of a call, with what is before it and its query."""
        raise NotImplementedError

    def origin(self) -> str:
        """The server, as `https://host`; nothing if it is in this process."""
        return ""

    async def headers(self, request: Request) -> Dict[str, Any]:
        """The headers that this client sends with a call. Asked for anew when it is tried again."""
        raise NotImplementedError

    def follows(self) -> bool:
        """Whether it goes where an answer says that something is."""
        return True

    def patience(self) -> Any:
        """The timeout of calls that say nothing about it."""
        raise NotImplementedError

    def retries(self) -> int:
        """How often calls are tried again that say nothing about it."""
        raise NotImplementedError

    def prepared(self, request: Request) -> Request:
        """The call as this client makes it."""
        return request

    def fail(self, outcome: Outcome, request: Request, url: str, retries: int) -> NoReturn:
        """Raises what an outcome stands for."""
        raise NotImplementedError

    def stream_error(self, data: Any, request: Request, url: str) -> Exception:
        """What is raised for an error within a stream."""
        raise NotImplementedError

    def cut_off(self, completion: Any) -> Exception:
        """What is raised for an answer that was to be read and is not whole."""
        raise NotImplementedError

    def filtered(self, completion: Any) -> Exception:
        """What is raised for an answer that was to be read and was filtered."""
        raise NotImplementedError

    #: What is raised for a webhook that nobody may trust.
    invalid_signature: Type[Exception] = ValueError

    def webhook_secret(self) -> Optional[str]:
        """The secret of webhooks that are given none."""
        return None

    def not_json(self, reply: Reply, error: ValueError, body: bytes) -> Exception:
        """What is raised for an answer that is not what its type says."""
        return error

    # Calls.

    def row(self, name: str) -> Row:
        """The call with this name, like `files.create`."""
        resource, _, call = name.rpartition(".")
        return table().rows(resource)[call]

    def made(self, name: str, args: Tuple[Any, ...], given: Dict[str, Any]) -> Request:
        """A call by its name and its arguments."""
        row = self.row(name)
        given = dict(given)
        if row.kind == "Transcription" and given.get("response_format") in ("text", "srt", "vtt"):
            request = requests.of(row, args, given)
            request.cast = str
            return self.prepared(request)
        if name == "embeddings.create" and isinstance(given.get("encoding_format", encode.NOT_GIVEN), NotGiven):
            # Numbers are a third of the size when they are packed.
            given["encoding_format"] = "base64"
            request = requests.of(row, args, given)
            request.keep_encoding = False
            return self.prepared(request)
        return self.prepared(requests.of(row, args, given))

    async def call(self, name: str, *args: Any, **given: Any) -> Any:
        """Makes a call, for those who are coroutines already."""
        return await self.asked(self.made(name, args, given))

    async def raw(self, name: str, *args: Any, **given: Any) -> RawResponse:
        """Makes a call and gives the answer as it came."""
        return await self.whole(self.made(name, args, given))

    def do(self, work: Coroutine[Any, Any, T]) -> Any:
        """Does what is defined as a coroutine, the way of this client."""
        return self.runner.finish(work)

    def ask(self, request: Request) -> Any:
        """Makes a call. The pages of an async client can be awaited and iterated over alike."""
        if request.page and self.runner.is_async:
            return Paginator(self, request)
        return self.do(self.asked(request))

    async def asked(self, request: Request) -> Any:
        reply = await self.whole(request)
        return reply.parse()

    async def whole(self, request: Request) -> RawResponse:
        """The whole answer, or the head of a stream."""
        is_binary = request.cast is None and request.kind == "binary"
        reply = await self._sent(request, "events" if request.streamed else False)
        return BinaryContent(*reply) if is_binary else RawResponse(*reply)

    async def opened(self, request: Request) -> Union[StreamedResponse, AsyncStreamedResponse]:
        """An answer whose body is not read yet."""
        reply = await self._sent(request, "bytes")
        return AsyncStreamedResponse(*reply) if self.runner.is_async else StreamedResponse(*reply)

    def opening(self, request: Request) -> Opening:
        """The same for `with`."""
        return Opening(self, request)

    def parsed(self, reply: Reply, request: Request, to: Any) -> Any:
        """What a call gives."""
        if request.streamed and reply._native is not None:
            kind: Any = AsyncStream if self.runner.is_async else Stream
            return kind(self, reply, request, to)
        if isinstance(to, type) and issubclass(to, (Stream, AsyncStream)):
            return to(self, reply, request, None)
        body = reply._body or b""
        target = request.cast if to is None and request.cast is not None else to if to is not None else request.kind
        if target == "binary":
            return reply
        try:
            if request.page and to is None:
                return page(self, reply, request)
            answer = cast(reply, body, target)
        except ValueError as error:
            raise self.not_json(reply, error, body) from error
        if not request.keep_encoding:
            _unpacked(answer)
        return answer

    async def _sent(self, request: Request, mode: Any) -> Tuple[Api, Request, str, Outcome, int, float]:
        """Sends a call until its answer is a success."""
        body, kind = await self._body(request)
        path, origin, verb = self.target(request), self.origin(), request.verb
        patience = self.patience() if isinstance(request.timeout, NotGiven) else request.timeout
        silence, connect = running.silence(patience), running.connecting(patience)
        retries = self.retries() if request.max_retries is None else request.max_retries
        done = moved = 0
        while True:
            url = f"{origin}{path}"
            headers = self._merged(await self.headers(request), request.headers, kind)
            if origin != self.origin():
                # Whoever else answers there does not get the key.
                headers = [pair for pair in headers if pair[0] not in ("authorization", "api-key")]
            if done:
                headers.append(("x-sabir-retry-count", str(done)))
            options = {"headers": headers, "timeout": silence, "retries": 0, "stream": mode}
            began = time.monotonic()
            link = self.link(origin if origin != self.origin() else None, connect)
            outcome = await self.runner.call(link, verb, path, body, options)
            elapsed = time.monotonic() - began
            if outcome.kind in ("ok", "status"):
                self.log.debug('HTTP Request: %s %s "%s"', verb, url.partition("?")[0], outcome.status)
            if outcome.kind == "ok":
                return self, request, url, outcome, done, elapsed
            where = _elsewhere(outcome, url)
            if where is not None and moved < _MOVES and self.follows():
                moved += 1
                if outcome.status in (301, 302, 303) and verb not in ("GET", "HEAD"):
                    verb, body, kind = "GET", None, None
                parts = urlsplit(where)
                origin = f"{parts.scheme}://{parts.netloc}"
                path = parts.path + (f"?{parts.query}" if parts.query else "")
                continue
            wait = None
            if done < retries and outcome.kind in ("status", "connection", "timeout"):
                wait = retry_delay(outcome.status, outcome.headers, done)
            if wait is None:
                self.fail(outcome, request, url, done)
            self.log.info("Retrying request to %s in %f seconds", path.partition("?")[0], wait)
            await self.runner.sleep(wait)
            done += 1

    async def _body(self, request: Request) -> Tuple[running.Body, Optional[str]]:
        body = request.body
        if not request.has_body:
            return None, None
        if request.files is not None and isinstance(body, Mapping):
            files = request.files
            form: Tuple[running.Body, str] = await self.runner.offload(lambda: encode.multipart(body, files))
            return form
        if isinstance(body, (bytes, bytearray)):
            return bytes(body), None
        return encode.json_bytes(body), "application/json"

    @staticmethod
    def _merged(own: Mapping[str, Any], more: Mapping[str, Any], kind: Optional[str]) -> Pairs:
        headers: Dict[str, Any] = {"accept": "application/json"}
        if kind is not None:
            headers["content-type"] = kind
        for name, value in (*own.items(), *more.items()):
            name = name.lower()
            if name == "content-type" and kind is not None and kind.startswith("multipart/"):
                # Only who writes the form knows what is between its parts.
                continue
            headers[name] = value
        return [(name, str(value)) for name, value in headers.items() if not isinstance(value, (NotGiven, Omit))]


def _elsewhere(outcome: Outcome, url: str) -> Optional[str]:
    """Where an answer says that it is to be found."""
    if outcome.status not in (301, 302, 303, 307, 308) or not url.startswith("http"):
        return None
    told = next((value for name, value in outcome.headers if name == "location"), None)
    where = urljoin(url, told) if told else None
    return where if where and where.startswith(("http://", "https://")) else None


def _unpacked(answer: Any) -> None:
    """Vectors as numbers, where they came packed."""
    for item in (answer._data.get("data") or []) if hasattr(answer, "_data") else []:
        packed = item.get("embedding")
        if isinstance(packed, str):
            raw = base64.b64decode(packed)
            item["embedding"] = list(struct.unpack(f"<{len(raw) // 4}f", raw))
