"""What goes over the wire, and what a broken wire does."""

from __future__ import annotations

import json
import socket
import threading
from typing import List

import pytest
from conftest import MESSAGES

import sabir
from sabir import Sabir

OK = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "seen": True}],
        "odd": {"a": 1},
    }
)


class Script:
    """A server that gives each connection the next of the answers, and closes it."""

    def __init__(self, *replies: bytes) -> None:
        self.seen: List[bytes] = []
        self._replies = replies
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with self._server:
            for reply in self._replies:
                connection, _ = self._server.accept()
                with connection:
                    connection.settimeout(20)
                    self.seen.append(self._request(connection))
                    connection.sendall(reply)

    @staticmethod
    def _request(connection: socket.socket) -> bytes:
        held = b""
        while True:
            head, found, body = held.partition(b"\r\n\r\n")
            lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
            if found and len(body) >= int(lines.get(b"content-length", 0)):
                return held
            more = connection.recv(65536)
            if not more:
                return held
            held += more


def reply(status: int, body: str, *headers: str, kind: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body.encode())}"]
    return "\r\n".join([*lines, "connection: close", *headers, "", body]).encode()


def test_headers_and_body_go_out_and_everything_comes_back() -> None:
    script = Script(reply(200, OK, "x-request-id: r-1", "x-more: a", "x-more: b"))
    with Sabir.http(script.url + "/v1", api_key="made-up", headers={"x-team": "a"}) as client:
        answer = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "ü"}], seed=None, extra_headers={"x-sabir-tags": "{}"}
        )
        assert "made-up" not in repr(client)
    assert answer.request_id == "r-1" and answer.meta.headers["x-more"] == "a, b"
    assert answer.odd == {"a": 1} and answer.choices[0].seen is True
    head, _, body = script.seen[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/chat/completions HTTP/1.1"
    for line in ["authorization: Bearer made-up", "x-team: a", "x-sabir-tags: {}", "content-type: application/json"]:
        assert line in lines
    assert any(line.startswith("user-agent: sabir-python/") for line in lines)
    assert body == '{"model":"m","messages":[{"role":"user","content":"ü"}],"seed":null}'.encode()


def test_what_may_pass_is_tried_again() -> None:
    script = Script(reply(429, "{}", "retry-after-ms: 5"), b"", reply(200, OK))
    with Sabir.http(script.url) as client:
        assert client.chat.completions.create(model="m", messages=MESSAGES).meta.retries == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, sabir.BadRequestError),
        (401, sabir.AuthenticationError),
        (403, sabir.PermissionDeniedError),
        (404, sabir.NotFoundError),
        (409, sabir.ConflictError),
        (418, sabir.APIStatusError),
        (422, sabir.UnprocessableEntityError),
        (429, sabir.RateLimitError),
        (503, sabir.InternalServerError),
    ],
)
def test_each_status_has_its_exception(status: int, kind: type) -> None:
    script = Script(reply(status, "plain words", "x-request-id: r"))
    with Sabir.http(script.url, max_retries=0) as client, pytest.raises(sabir.APIStatusError) as raised:
        client.models.list()
    assert type(raised.value) is kind
    assert (raised.value.status_code, raised.value.body, raised.value.request_id) == (status, "plain words", "r")


def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Sabir.http(f"http://127.0.0.1:{port}", max_retries=0) as client:
        with pytest.raises(sabir.APIConnectionError, match=f"^cannot connect to 127.0.0.1:{port}"):
            client.models.list()


def test_an_answer_that_is_none() -> None:
    script = Script(reply(200, "<html>"), reply(200, "[]"), reply(200, OK))
    with Sabir.http(script.url) as client:
        for _ in range(2):
            with pytest.raises(sabir.DecodeError, match="^the answer cannot be read: "):
                client.models.list()
        with pytest.raises(sabir.DecodeError, match="expected a stream of events"):
            client.chat.completions.create(model="m", messages=MESSAGES, stream=True)


def test_a_stream_that_is_cut_off() -> None:
    piece = 'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
    script = Script(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + piece.encode())
    with Sabir.http(script.url) as client:
        stream = client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        assert next(stream).choices[0].delta.content == "Hi"
        with pytest.raises(sabir.APIConnectionError, match="ended before its end marker"):
            next(stream)
        assert list(stream) == []
