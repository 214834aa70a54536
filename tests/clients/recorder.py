"""A provider that writes down every request as it came, whatever the method, and answers something of the right kind.

Invariant: nothing of a request is read but its framing, so what is compared are the bytes of the wire.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# An answer in which every kind of poll finds its end and every kind of page its only item.
PLAIN = {
    "id": "obj_1",
    "object": "thing",
    "status": "completed",
    "thread_id": "thread_1",
    "file_counts": {"in_progress": 0, "completed": 1, "cancelled": 0, "failed": 0, "total": 1},
    "data": [{"id": "obj_2", "object": "thing"}],
    "first_id": "obj_2",
    "last_id": "obj_2",
    "has_more": False,
    "choices": [{"index": 0, "finish_reason": "stop", "text": "hi", "message": {"role": "assistant", "content": "hi"}}],
    "output": [],
    "from_the_future": 1.50,
}
EVENTS = (
    b'event: thread.run.completed\ndata: {"id":"run_1","object":"thread.run","status":"completed"}\n\n'
    b"event: done\ndata: [DONE]\n\n"
)
# All bytes that there are, more than one piece of them.
BINARY = bytes(range(256)) * 400


@dataclass
class Arrived:
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name]
        assert len(found) < 2, f"`{name}` came {len(found)} times"
        return found[0] if found else None


@dataclass
class Said:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Recorder:
    """`answer` may be set to a function that takes what arrived and says something else, or `None`."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.answer = None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.recorder = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def reset(self) -> None:
        self.arrived.clear()
        self.answer = None

    def say(self, got: Arrived) -> Said:
        self.arrived.append(got)
        said = self.answer(got) if self.answer else None
        return said or usual(got)


def usual(got: Arrived) -> Said:
    """What the caller accepts, or what its body asks for."""
    accepts = got.header("accept") or ""
    if accepts == "text/event-stream" or b'"stream":true' in got.body.replace(b" ", b""):
        return Said(200, {"content-type": "text/event-stream"}, EVENTS)
    if accepts == "application/sdp":
        return Said(201, {"content-type": "application/sdp", "location": "/v1/realtime/calls/rtc_1"}, b"v=0\r\n")
    if accepts in ("application/binary", "application/octet-stream"):
        return Said(200, {"content-type": "application/octet-stream"}, BINARY)
    if accepts == "*/*" and got.method == "DELETE":
        return Said(204)
    return Said(200, {"content-type": "application/json"}, json.dumps(PLAIN).encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format, *args) -> None:
        pass

    def _answer(self) -> None:
        headers = [(name.lower(), value) for name, value in self.headers.items()]
        if "chunked" in (self.headers.get("transfer-encoding") or ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
        # The request line as it came: nothing is unquoted.
        target = self.raw_requestline.split(b" ")[1].decode("latin-1")
        said = self.server.recorder.say(Arrived(self.command, target, headers, body))
        self.send_response(said.status)
        self.send_header("x-request-id", "req_recorded")
        for name, value in said.headers.items():
            self.send_header(name, value)
        if said.status != 204:
            self.send_header("content-length", str(len(said.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _answer
