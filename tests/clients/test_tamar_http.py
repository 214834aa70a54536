"""The Model Manager's calls as JSON over HTTP: by hand, and by the client when gRPC is down for it."""

from __future__ import annotations

import json
import time

import jwt
import pytest
from tamar_model_client import AsyncTamarModelClient, TamarModelClient

from conftest import KEY, config
from gateway import Gateway, events
from tamar import SECRET, connect, google, newer, token
from tamar import _server, plain, server  # noqa: F401  fixtures
from upstream import GEMINI, OPENAI_CHAT, Drop, UntilClosed, chat_chunks
from words import HI, gemini_events

pytestmark = pytest.mark.tamar

WHO = {"org_id": "org", "user_id": "user", "client_type": "test", "region": "eu"}
CHAT = {"provider": "openai", "invoke_type": "chat-completions", "channel": "openai", "model": "gpt", "messages": HI}


def invoke(server, body, bearer: str | None = "", path="/v1/invoke", **headers):
    bearer = token() if bearer == "" else bearer
    if bearer is not None:
        headers["authorization"] = f"Bearer {bearer}"
    return server.post(path, body, headers)


def test_a_call(server, upstream):
    got = invoke(server, {**CHAT, "user_context": WHO, "temperature": 0.2, "stream": False}, **{"x-request-id": "r-1"})
    assert got.status == 200 and got.headers["content-type"] == "application/json"
    usage = got.json["usage"]
    assert usage["total_tokens"] == 10 and usage["total_cost"] is None
    assert {**got.json, "usage": None} == {
        "content": "Hello there.", "usage": None, "raw_response": OPENAI_CHAT,
        "error": None, "custom_id": None, "request_id": "r-1",
    }
    assert got.headers["x-request-id"] == "r-1"
    assert upstream.only.json == {"model": "mock-model", "messages": HI, "temperature": 0.2}
    row = server.row(got.headers["x-sabir-inference-id"])
    assert json.loads(row["tags"]) == {**WHO, "request_id": "r-1"}


def test_a_stream(server, upstream):
    got = invoke(server, {**CHAT, "stream": True})
    assert got.headers["content-type"] == "text/event-stream"
    *items, done = events(got.body)
    items = [json.loads(item) for item in items]
    assert done == "[DONE]"
    assert "".join(item["content"] for item in items) == "Hello there."
    assert [bool(item["usage"]) for item in items] == [False] * (len(items) - 1) + [True]
    assert {item["request_id"] for item in items} == {got.headers["x-request-id"]}
    assert all(item["error"] is None for item in items)


def test_an_error_in_a_stream(server, upstream):
    upstream.stream(*chat_chunks("one")[:2], Drop())
    *items, done = events(invoke(server, {**CHAT, "stream": True}).body)
    items = [json.loads(item) for item in items]
    assert items[-1]["error"] and done == "[DONE]"


def test_time_that_is_up(server, upstream):
    for more in ({}, {"stream": True}):
        upstream.stream(*(chat_chunks("one")[:2] if more else []), UntilClosed())
        got = invoke(server, {**CHAT, **more, "timeout": 0.3})
        last = json.loads(events(got.body)[-2]) if more else got.json
        assert last["error"].startswith("timeout: ")
        assert upstream.last.closed.wait(5), "the provider's connection was left open"


def test_a_batch(server, upstream):
    items = [
        {**CHAT, "custom_id": "q0", "priority": 1},
        {**CHAT, "custom_id": "q1", "provider": "azure", "model": "no-such-model"},
        {"provider": "google", "model": "gemini", "contents": "hi", "custom_id": "q2", "stream": "NOT_GIVEN"},
    ]
    got = invoke(server, {"user_context": WHO, "items": items}, path="/v1/batch-invoke", **{"x-request-id": "b-1"})
    (result,) = got.json["results"]
    assert result["request_id"] == "b-1"
    first, second, third = result["responses"]
    assert [item["custom_id"] for item in (first, second, third)] == ["q0", "q1", "q2"]
    assert (first["content"], third["content"]) == ("Hello there.", "Hello there.")
    assert second["error"].startswith("not_found:") and first["error"] is None and third["raw_response"] == GEMINI


def test_the_providers_errors(server, upstream):
    said = {"error": {"message": "too many at once", "type": "requests", "code": "rate_limit_exceeded"}}
    upstream.reply(said, status=429)
    got = invoke(server, CHAT)
    # The client throws away what comes with another status.
    assert got.status == 200
    assert got.json["error"] == "rate_limited: too many at once" and got.json["raw_response"] == said


@pytest.mark.parametrize("path", ["/v1/invoke", "/v1/batch-invoke"])
def test_who_may_call(server, upstream, path):
    end = int(time.time()) + 60
    for bearer, why in [
        (None, "token is missing"),
        ("abc", "not a JSON Web Token"),
        (token("a secret that nobody knows but who made it up"), "another secret"),
        (jwt.encode({"exp": end - 120}, SECRET, algorithm="HS256"), "has expired"),
    ]:
        got = invoke(server, CHAT, bearer, path)
        assert got.status == 401 and why in got.json["error"]
        assert got.json["error"].startswith("authentication: ") and got.json["content"] == ""
    assert upstream.requests == []


def test_what_is_no_call(server, upstream):
    for body, why in [
        (b"{", "JSON"),
        (b"[]", "JSON"),
        ({**CHAT, "stream": "yes"}, "`stream`"),
        ({**CHAT, "user_context": {"org_id": 1}}, "`user_context.org_id`"),
        ({**CHAT, "model": None}, "`model`"),
        # What the client makes of messages on this way.
        ({**CHAT, "messages": "ValidatorIterator(index=0, schema=…)"}, "messages"),
    ]:
        got = invoke(server, body)
        assert got.status == (400 if isinstance(body, bytes) else 200)
        assert why in got.json["error"], got.json
    got = invoke(server, {"items": {}}, path="/v1/batch-invoke")
    assert got.status == 400 and "`items`" in got.json["error"]
    got = server.get("/v1/invoke")
    assert got.status == 405 and "GET" in got.json["error"] and got.json["content"] == ""
    assert upstream.requests == []


def test_without_a_secret_the_other_doors_rules_count(upstream, tmp_path):
    gateway = Gateway.start(tmp_path / "open", config(upstream.url, 1), {"MOCK_KEY": KEY})
    assert invoke(gateway, CHAT, None).json["content"] == "Hello there."
    gateway.stop()
    gateway = Gateway.start(tmp_path / "keys", config(upstream.url, 1), {"MOCK_KEY": KEY, "SABIR_API_KEY": "sk-one"})
    assert invoke(gateway, CHAT, None).status == 401
    assert invoke(gateway, CHAT, "sk-one").json["content"] == "Hello there."
    gateway.stop()


# The client itself


@pytest.fixture
def resilient(monkeypatch, server):
    monkeypatch.setenv("MODEL_CLIENT_RESILIENT_ENABLED", "true")
    monkeypatch.setenv("MODEL_CLIENT_HTTP_FALLBACK_URL", server.url)
    monkeypatch.setenv("MODEL_CLIENT_CIRCUIT_BREAKER_THRESHOLD", "1")

    def resilient(kind, **more):
        client = connect(kind, server, **more)
        # A client has a token for HTTP only after a call over gRPC; a failure that counts ends those.
        client.jwt_token = token()
        client.circuit_breaker.record_failure()
        assert client.circuit_breaker.is_open
        return client

    return resilient


@newer
def test_the_client_falls_back(resilient, server, upstream):
    # This client writes no chat on this way that anybody could read; what it writes for Google's models is whole.
    with resilient(TamarModelClient) as client:
        response = client.invoke(google("hi", config={"temperature": 0.1}), request_id="r-2")
        assert (response.content, response.error) == ("Hello there.", None)
        assert response.raw_response == GEMINI and response.usage["total_tokens"] == 10
        assert response.request_id == "r-2-1"
        got = upstream.only.json
        assert got["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]
        assert got["generationConfig"] == {"temperature": 0.1}

        upstream.stream(*gemini_events("Hel", "lo"))
        items = list(client.invoke(google("hi", stream=True)))
        assert "".join(item.content for item in items) == "Hello" and items[-1].usage


@newer
async def test_the_async_client_falls_back(resilient, server, upstream):
    async with resilient(AsyncTamarModelClient) as client:
        response = await client.invoke(google("hi"))
        assert (response.content, response.error) == ("Hello there.", None)
        upstream.stream(*gemini_events("Hel", "lo"))
        items = [item async for item in await client.invoke(google("hi", stream=True))]
        assert "".join(item.content for item in items) == "Hello"


@newer
def test_the_client_without_a_token_is_refused(resilient, server, upstream):
    with resilient(TamarModelClient) as client:
        client.jwt_token = None
        with pytest.raises(Exception, match="401"):
            client.invoke(google("hi"))
    assert upstream.requests == []
