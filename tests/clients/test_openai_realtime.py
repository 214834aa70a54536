"""WebSockets of the `openai` client through the gateway: realtime, translations, live sessions, responses."""

from __future__ import annotations

import json
import sqlite3
import threading
import time

import openai
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from gateway import Gateway
from test_openai_resources import METHODS, find

KEY = "key-of-the-provider-0123456789"
CALLERS = "key-of-the-caller-0123456789"


class Provider:
    """Answers each event by what the test says, and keeps what came."""

    def __init__(self) -> None:
        self.handshakes: list = []
        self.events: list[dict] = []
        self.closed: list[tuple[int, str]] = []
        self.answer = lambda socket, event: None
        self.refusal = None
        self.server = serve(self._handle, "127.0.0.1", 0, process_request=self._process, max_size=None)
        self.port = self.server.socket.getsockname()[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        self.__dict__.update(handshakes=[], events=[], closed=[], answer=lambda socket, event: None, refusal=None)

    def _process(self, socket, request):
        self.handshakes.append(request)
        if self.refusal:
            status, body = self.refusal
            response = socket.respond(status, body)
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
            return response
        return None

    def _handle(self, socket) -> None:
        try:
            for message in socket:
                event = json.loads(message)
                self.events.append(event)
                self.answer(socket, event)
        except ConnectionClosed:
            pass
        self.closed.append((socket.close_code, socket.close_reason))


@pytest.fixture(scope="module")
def _provider():
    provider = Provider()
    yield provider
    provider.server.shutdown()


@pytest.fixture
def provider(_provider):
    _provider.reset()
    return _provider


@pytest.fixture(scope="module")
def gateway(_provider, tmp_path_factory):
    config = f"""
[provider_types.openai.defaults]
api_base = "http://127.0.0.1:{_provider.port}/v1"
api_key_location = "env::MOCK_KEY"

[models.voice.providers.mock]
type = "openai"
model_name = "gpt-realtime-mock"
api_base = "http://127.0.0.1:{_provider.port}/v1"
api_key_location = "env::MOCK_KEY"
"""
    gateway = Gateway.start(tmp_path_factory.mktemp("realtime"), config, {"MOCK_KEY": KEY})
    yield gateway
    gateway.stop()


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=CALLERS, max_retries=0) as client:
        yield client


def talk(provider, done=None):
    """The provider says hello, and answers what is asked for."""

    def answer(socket, event):
        if event["type"] == "response.create":
            socket.send(json.dumps({"type": "response.output_text.delta", "delta": "Hé"}))
            socket.send(json.dumps(done or {"type": "response.done", "response": {"id": "r", "usage": {
                "total_tokens": 9, "input_tokens": 5, "output_tokens": 4,
                "input_token_details": {"cached_tokens": 2, "audio_tokens": 1}}}}))
        else:
            socket.send(json.dumps({"type": "session.updated", "session": event.get("session", {})}))

    provider.answer = answer


def rows(gateway, count: int):
    """The rows of all conversations, once there are so many."""
    end = time.monotonic() + 5
    while True:
        with sqlite3.connect(f"file:{gateway.folder}/data/ledger.sqlite?mode=ro", uri=True) as db:
            db.row_factory = sqlite3.Row
            found = db.execute("SELECT * FROM inference ORDER BY id").fetchall()
        if len(found) >= count:
            return found
        assert time.monotonic() < end, f"{len(found)} rows of {count}"
        time.sleep(0.01)


def test_a_conversation(client, gateway, provider):
    before = len(rows(gateway, 0))
    talk(provider)
    with client.realtime.connect(model="voice") as connection:
        connection.session.update(session={"type": "realtime", "instructions": "é"})
        assert connection.recv().type == "session.updated"
        connection.input_audio_buffer.append(audio="A" * 2_000_000)
        connection.recv()
        connection.response.create()
        assert connection.recv().delta == "Hé"
        assert connection.recv().type == "response.done"
    request = provider.handshakes[0]
    assert request.path == "/v1/realtime?model=gpt-realtime-mock"
    assert request.headers["authorization"] == f"Bearer {KEY}" and CALLERS not in str(request.headers)
    assert [event["type"] for event in provider.events] == ["session.update", "input_audio_buffer.append", "response.create"]
    assert len(provider.events[1]["audio"]) == 2_000_000
    row = rows(gateway, before + 1)[-1]
    assert (row["model"], row["input_tokens"], row["output_tokens"]) == ("voice", 5, 4)


def test_what_the_provider_closes_with(client, provider):
    provider.answer = lambda socket, event: socket.close(4001, "too long a talk")
    with client.realtime.connect(model="gpt-realtime") as connection:
        connection.response.create()
        with pytest.raises(Exception) as caught:
            connection.recv()
    closed = caught.value if isinstance(caught.value, ConnectionClosed) else caught.value.__cause__
    text = str(closed or caught.value)
    assert "4001" in text and "too long a talk" in text, text
    assert provider.handshakes[0].path == "/v1/realtime?model=gpt-realtime"


def test_a_refusal(client, provider):
    provider.refusal = (403, '{"error":{"message":"not for you","type":"t","param":null,"code":"c"}}')
    with pytest.raises(Exception) as caught, client.realtime.connect(model="gpt-realtime"):
        pass
    said = str(caught.value) + str(getattr(caught.value, "response", ""))
    assert "403" in said, said


SOCKETS = {
    "beta.realtime.connect": ({"model": "voice"}, "/v1/realtime?model=gpt-realtime-mock"),
    "beta.responses.connect": ({}, "/v1/responses"),
    "live.connect": ({"extra_query": {"model": "voice"}}, "/v1/live/sessions?model=gpt-realtime-mock"),
    "live.forks.connect": ({"session_id": "s/1"}, "/v1/live/sessions/s%2F1/fork"),
    "live.sideband.connect": ({"session_id": "s/1"}, "/v1/live/sessions/s%2F1/attach"),
    "realtime.connect": ({"model": "gpt-realtime"}, "/v1/realtime?model=gpt-realtime"),
    "realtime.translations.connect": ({"model": "voice"}, "/v1/realtime/translations?model=gpt-realtime-mock"),
    "responses.connect": ({}, "/v1/responses"),
}


def test_no_socket_is_forgotten():
    assert {name for name in METHODS if name.endswith(".connect")} == set(SOCKETS)


@pytest.mark.parametrize("name", sorted(SOCKETS))
def test_every_socket(name, gateway, provider):
    provider.answer = lambda socket, event: socket.send(json.dumps({"type": "session.updated", "seen": event}))
    # Some would speak TLS to everybody otherwise.
    sockets = f"ws://{gateway.address}/v1"
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", websocket_base_url=sockets, api_key=CALLERS)
    given, path = SOCKETS[name]
    with find(client, name.split("."))(**given) as connection:
        connection.send({"type": "session.update", "session": {"é": 1.5}})
        assert connection.recv().type == "session.updated"
    assert provider.events == [{"type": "session.update", "session": {"é": 1.5}}]
    assert provider.handshakes[0].path == path


def test_beta(gateway, provider):
    talk(provider)
    # It would speak TLS to everybody otherwise.
    sockets = f"ws://{gateway.address}/v1"
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", websocket_base_url=sockets, api_key=CALLERS)
    with client.beta.realtime.connect(model="voice") as connection:
        connection.session.update(session={})
        connection.recv()
    assert provider.handshakes[0].headers["openai-beta"] == "realtime=v1"


async def test_async(gateway, provider):
    talk(provider)
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=CALLERS) as client:
        async with client.realtime.connect(model="voice") as connection:
            await connection.response.create()
            kinds = [(await connection.recv()).type, (await connection.recv()).type]
    assert kinds == ["response.output_text.delta", "response.done"]


def test_azures_form(gateway, provider):
    talk(provider)
    azure = openai.AzureOpenAI(
        azure_endpoint=gateway.url,
        websocket_base_url=f"ws://{gateway.address}/openai",
        api_key=CALLERS,
        api_version="2025-04-01-preview",
    )
    with azure.realtime.connect(model="voice") as connection:
        connection.response.create()
        connection.recv()
    assert provider.handshakes[0].path == "/v1/realtime?model=gpt-realtime-mock"
    assert provider.handshakes[0].headers.get("api-key") is None
