"""A provider that speaks OpenAI's protocol, and Google's: it answers by rules that tests can foresee.

What it says is `You said: ` and the last text that it was sent. Asked with tools, it calls the first
one, until the result is there; then it says what the result is.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, List, Optional, Tuple

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}

#: Answers of other paths: method, the path's end, and what makes the answer of the request.
Rule = Tuple[str, str, Callable[["Request"], Any]]


class Request:
    """What came."""

    def __init__(self, method: str, path: str, headers: Dict[str, str], body: bytes) -> None:
        self.method = method
        self.path, _, self.query = path.partition("?")
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Upstream:
    """A server on a port of its own. `failures` are statuses that the next requests get instead."""

    def __init__(self, rules: Optional[List[Rule]] = None) -> None:
        self.seen: List[Request] = []
        self.failures: List[int] = []
        self.pause: float = 0
        self.running = 0
        self.most_running = 0
        self._lock = threading.Lock()
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def do_DELETE(self) -> None:
                self._answer()

            def _answer(self) -> None:
                with upstream._lock:
                    upstream.running += 1
                    upstream.most_running = max(upstream.most_running, upstream.running)
                try:
                    length = int(self.headers.get("content-length") or 0)
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    request = Request(self.command, self.path, headers, self.rfile.read(length))
                    status, kind, body = upstream._reply(request, rules or [])
                    if upstream.pause:
                        threading.Event().wait(upstream.pause)
                    self.send_response(status)
                    self.send_header("content-type", kind)
                    self.send_header("content-length", str(len(body)))
                    self.send_header("x-request-id", "req_upstream")
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:
                    # Who asked has left: some tests do just that.
                    self.close_connection = True
                finally:
                    with upstream._lock:
                        upstream.running -= 1

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def chats(self) -> List[Any]:
        """The bodies of the chat completions that came."""
        return [request.json for request in self.seen if request.path.endswith("/chat/completions")]

    def _reply(self, request: Request, rules: List[Rule]) -> Tuple[int, str, bytes]:
        with self._lock:
            self.seen.append(request)
            failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            return _json({"error": {"message": "made up", "type": "made_up"}}, failure)
        for method, end, make in rules:
            if method == request.method and request.path.endswith(end):
                return made if isinstance(made := make(request), tuple) else _json(made)
        if request.path.endswith("/chat/completions"):
            return _chat(request.json)
        if request.path.endswith(":generateContent"):
            return _json(_google(request.json))
        if request.path.endswith(":streamGenerateContent"):
            return _events([_google(request.json)], done=False)
        return _json({"error": {"message": f"nothing at {request.path}"}}, 404)


def _json(value: Any, status: int = 200) -> Tuple[int, str, bytes]:
    return status, "application/json", json.dumps(value, ensure_ascii=False).encode()


def _events(events: List[Any], done: bool = True) -> Tuple[int, str, bytes]:
    lines = [f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events]
    return 200, "text/event-stream", "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


def events(items: List[Any]) -> Tuple[int, str, bytes]:
    """An answer in pieces."""
    return _events(items)


def _chat(body: Any) -> Tuple[int, str, bytes]:
    message = _message(body)
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    head = {"id": "chatcmpl-1", "created": 1700000000, "model": body["model"]}
    if not body.get("stream"):
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return _json({**head, "object": "chat.completion", "choices": [choice], "usage": USAGE})
    deltas: List[Dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if message.get("tool_calls"):
        deltas += [{"tool_calls": [{"index": at, **call}]} for at, call in enumerate(message["tool_calls"])]
    else:
        words = message["content"].split(" ")
        deltas += [{"content": word if at == 0 else f" {word}"} for at, word in enumerate(words)]
    chunk = {**head, "object": "chat.completion.chunk"}
    pieces: List[Any] = [
        {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    pieces.append({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        pieces.append({**chunk, "choices": [], "usage": USAGE})
    return _events(pieces)


def _message(body: Any) -> Dict[str, Any]:
    last = body["messages"][-1]
    content = last["content"]
    if isinstance(content, list):
        content = " ".join(part["text"] for part in content if part["type"] == "text")
    if body.get("tools") and last["role"] == "user":
        function = body["tools"][0]["function"]
        arguments = {name: content for name in function["parameters"].get("required", [])}
        told = {"name": function["name"], "arguments": json.dumps(arguments, ensure_ascii=False)}
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_up", "type": "function", "function": told}],
        }
    said = f"The result: {content}" if last["role"] == "tool" else f"You said: {content}"
    return {"role": "assistant", "content": said, "refusal": None}


def _google(body: Any) -> Dict[str, Any]:
    parts = body["contents"][-1]["parts"]
    said = " ".join(part["text"] for part in parts if "text" in part)
    return {
        "candidates": [
            {
                "index": 0,
                "content": {"role": "model", "parts": [{"text": f"You said: {said}"}]},
                "finishReason": "STOP",
            }
        ],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10},
        "modelVersion": "gemini-made-up",
    }
