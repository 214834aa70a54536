"""A server that says what a test tells it to, and keeps what it got."""

from __future__ import annotations

import json
import threading
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple
from urllib.parse import parse_qsl, urlsplit


class Seen:
    """A request that came."""

    def __init__(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        self.method = method
        self.target = target
        self.path = urlsplit(target).path
        self.query = parse_qsl(urlsplit(target).query, keep_blank_values=True)
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def parts(self) -> List[Tuple[str, Optional[str], Optional[str], bytes]]:
        """The parts of a form: name, file name, type, content."""
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        found = []
        payload: Any = BytesParser().parsebytes(head + self.body).get_payload()
        for part in payload:
            assert isinstance(part, Message)
            name = part.get_param("name", header="content-disposition")
            kind = part.get_content_type() if part["content-type"] else None
            content: Any = part.get_payload(decode=True)
            found.append((str(name), part.get_filename(), kind, content))
        return found


class Said:
    """An answer."""

    def __init__(self, body: Any = None, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        self.headers = {"content-type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}


Answer = Callable[[Seen], Said]


class Server:
    """Answers with what was prepared, one after the other; without any, with what `usual` says."""

    def __init__(self) -> None:
        self.seen: List[Seen] = []
        self.prepared: List[Said] = []
        self.usual: Answer = lambda _: Said({"id": "x"})
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # An answer is one packet, and goes out at once.
            wbufsize = -1
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                pass

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                seen = Seen(self.command, self.path, dict(self.headers.items()), body)
                server.seen.append(seen)
                said = server.prepared.pop(0) if server.prepared else server.usual(seen)
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                if said.status != 204:
                    self.send_header("content-length", str(len(said.body)))
                self.end_headers()
                if said.status != 204:
                    self.wfile.write(said.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.url = f"{self.origin}/v1"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def say(self, body: Any = None, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        """Prepares an answer."""
        self.prepared.append(Said(body, status, kind, **headers))

    def stream(self, *events: Any, done: bool = True, **headers: str) -> None:
        """Prepares a stream: JSON, or pairs of a name and JSON."""
        self.prepared.append(Said(sse(events, done), 200, "text/event-stream", **headers))

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        assert not self.prepared, f"{len(self.prepared)} prepared answers were not asked for"


def sse(events: Iterable[Any], done: bool = True) -> bytes:
    lines: List[str] = []
    for event in events:
        if isinstance(event, tuple):
            lines.append(f"event: {event[0]}\n")
            event = event[1]
        lines.append(f"data: {json.dumps(event)}\n\n")
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


def completion(text: str = "Hi", **more: Any) -> Dict[str, Any]:
    """A chat completion."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"id": "c", "object": "chat.completion", "choices": [choice], **more}


def chunk(delta: Any, finish: Optional[str] = None, **more: Any) -> Dict[str, Any]:
    """A piece of one."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **more}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}
