"""A provider to be asked by the gateway: it answers what the test tells it to, and keeps what it got.

Invariant: an answer is used once, in the order of `reply` and `stream`; a request that no answer is
left for gets a plain one, as its path demands.
"""

from __future__ import annotations

import email
import email.policy
import json
import select
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OPENAI_CHAT = {
    "id": "chatcmpl-mock",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "mock-model",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello there.", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
}
RESPONSE = {
    "id": "resp_0d4b654a05c1a7a70069deb79f81b88197a19f61e394151ecc",
    "object": "response",
    "created_at": 1700000000,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "model": "mock-model",
    "output": [
        {
            "id": "msg_mock",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello there.", "annotations": [], "logprobs": []}],
        }
    ],
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "usage": {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 10,
    },
}
OPENAI_EMBEDDINGS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25, 1.0]}],
    "model": "mock-embed",
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}
ANTHROPIC = {
    "id": "msg_mock",
    "type": "message",
    "role": "assistant",
    "model": "mock-claude",
    "content": [{"type": "text", "text": "Hello there."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 3},
}
GEMINI = {
    "candidates": [
        {"index": 0, "content": {"role": "model", "parts": [{"text": "Hello there."}]}, "finishReason": "STOP"}
    ],
    "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10},
    "modelVersion": "mock-gemini",
    "responseId": "mock-response",
}
MODELS = {"object": "list", "data": [{"id": "mock-model", "object": "model", "created": 1, "owned_by": "mock"}]}


class Drop:
    """The connection is cut here, without an end."""


class UntilClosed:
    """Nothing more is sent; waits until the other side closes."""


@dataclass
class Gate:
    """Nothing more is sent until the test opens it."""

    event: threading.Event = field(default_factory=threading.Event)

    def open(self) -> None:
        self.event.set()


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    # The pieces of an answer without a length: bytes, seconds to wait, or one of the classes above.
    pieces: list | None = None
    # Written as they are, in place of an HTTP response.
    raw: list | None = None
    wait: float = 0.0


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    # Set when the gateway closed the connection before the answer's end.
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def form(self) -> list[tuple[str, str | None, bytes]]:
        """The parts of a form: name, name of the file, and what it holds."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + self.body, policy=email.policy.HTTP)
        assert message.is_multipart(), self.headers["content-type"]
        return [
            (part.get_param("name", header="content-disposition"), part.get_filename(), part.get_payload(decode=True))
            for part in message.iter_parts()
        ]


class Upstream:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: list[Answer] = []
        self._requests: list[Request] = []
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.upstream = self
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def reset(self) -> None:
        with self._lock:
            self._answers.clear()
            self._requests.clear()

    # What the test says.

    def reply(self, body=None, status: int = 200, headers: dict[str, str] | None = None, wait: float = 0.0) -> None:
        """The next answer: JSON, or text and bytes as they are."""
        headers = dict(headers or {})
        if isinstance(body, (bytes, str)):
            data = body.encode() if isinstance(body, str) else body
        else:
            data = json.dumps(body).encode()
        headers.setdefault("content-type", "application/json")
        self._push(Answer(status=status, headers=headers, body=data, wait=wait))

    def stream(self, *pieces, headers: dict[str, str] | None = None) -> None:
        """The next answer is a stream. Objects become `data:` lines; a pair is an event's name and its data."""
        headers = {"content-type": "text/event-stream", **(headers or {})}
        self._push(Answer(headers=headers, pieces=[_piece(piece) for piece in pieces]))

    def raw(self, *pieces) -> None:
        """The next answer is no HTTP of this server's: the bytes are written and the connection is closed."""
        self._push(Answer(raw=list(pieces)))

    def chat(self, *texts: str, usage: bool = False, finish: str = "stop") -> None:
        """The next answer is an OpenAI stream of these texts."""
        self.stream(*chat_chunks(*texts, usage=usage, finish=finish), "[DONE]")

    def _push(self, answer: Answer) -> None:
        with self._lock:
            self._answers.append(answer)

    # What the test asks.

    @property
    def requests(self) -> list[Request]:
        with self._lock:
            return list(self._requests)

    @property
    def last(self) -> Request:
        return self.requests[-1]

    @property
    def only(self) -> Request:
        (request,) = self.requests
        return request

    def unused(self) -> int:
        with self._lock:
            return len(self._answers)

    # What the handler does.

    def take(self, request: Request) -> Answer:
        with self._lock:
            if request.method == "GET":
                return Answer(headers={"content-type": "application/json"}, body=json.dumps(MODELS).encode())
            self._requests.append(request)
            if self._answers:
                return self._answers.pop(0)
        return _usual(request)


def chat_chunks(*texts: str, usage: bool = False, finish: str = "stop") -> list[dict]:
    deltas = [{"role": "assistant", "content": "", "refusal": None}, *({"content": text} for text in texts)]
    chunks = [chunk({"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}) for delta in deltas]
    chunks.append(chunk({"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish}))
    if usage:
        chunks.append(chunk(usage={"prompt_tokens": 7, "completion_tokens": len(texts), "total_tokens": 7 + len(texts)}))
    return chunks


def chunk(*choices: dict, usage: dict | None = None) -> dict:
    made = {
        "id": "chatcmpl-mock",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "mock-model",
        "choices": list(choices),
    }
    return {**made, "usage": usage} if usage else made


def _piece(piece):
    match piece:
        case bytes() | float() | int() | Gate() | Drop() | UntilClosed():
            return piece
        case str():
            return f"data: {piece}\n\n".encode()
        case (name, data):
            return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
        case _:
            return f"data: {json.dumps(piece)}\n\n".encode()


def _usual(request: Request) -> Answer:
    path = request.path.split("?")[0]
    body = request.json if request.body.startswith(b"{") else {}
    if path.endswith("/embeddings"):
        return _json(OPENAI_EMBEDDINGS)
    if path.endswith("/responses"):
        return _json(RESPONSE)
    if path.endswith("/messages"):
        return _json(ANTHROPIC)
    if ":generateContent" in path:
        return _json(GEMINI)
    if path.endswith("/chat/completions") and not body.get("stream"):
        return _json(OPENAI_CHAT)
    if path.endswith("/chat/completions"):
        wanted = (body.get("stream_options") or {}).get("include_usage", False)
        pieces = [_piece(piece) for piece in (*chat_chunks("Hello", " there.", usage=wanted), "[DONE]")]
        return Answer(headers={"content-type": "text/event-stream"}, pieces=pieces)
    return Answer(status=404, headers={"content-type": "application/json"}, body=b'{"error":{"message":"no such path"}}')


def _json(body) -> Answer:
    return Answer(headers={"content-type": "application/json"}, body=json.dumps(body).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    upstream: Upstream

    def handle_error(self, request, client_address) -> None:
        # A peer that goes away in the middle of an answer is what some tests are about.
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format, *args) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body, time.monotonic())
        answer = self.server.upstream.take(request)
        if answer.wait and self._gone(answer.wait):
            request.closed.set()
            self.close_connection = True
            return
        if answer.raw is not None:
            self._pieces(answer.raw, request, self.wfile.write)
            self._cut()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.pieces is None:
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if self._pieces(answer.pieces, request, self._chunk):
            self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _pieces(self, pieces: list, request: Request, write) -> bool:
        """Whether the answer may be ended as usual."""
        try:
            for piece in pieces:
                match piece:
                    case bytes():
                        write(piece)
                        continue
                    case Drop():
                        self._cut()
                        return False
                    case UntilClosed():
                        gone = self._gone(20.0)
                    case Gate():
                        piece.event.wait(20.0)
                        gone = False
                    case _:
                        gone = self._gone(float(piece))
                if gone:
                    request.closed.set()
                    self.close_connection = True
                    return False
        except OSError:
            request.closed.set()
            self.close_connection = True
            return False
        return True

    def _gone(self, seconds: float) -> bool:
        """Waits, unless the other side closes before."""
        readable, _, _ = select.select([self.connection], [], [], seconds)
        if not readable:
            return False
        try:
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def _cut(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
