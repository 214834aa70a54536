"""Tamar's names: over HTTP and embedded, sync and async, the same answers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from serving import serving
from test_wire import Script, reply
from upstream import USAGE, Upstream

from sabir import Sabir
from sabir.dialects.tamar import AsyncTamarModelClient, ModelManagerClientError, TamarModelClient, exceptions
from sabir.dialects.tamar.enums import Channel, InvokeType, ProviderType
from sabir.dialects.tamar.google import Part
from sabir.dialects.tamar.schemas import BatchModelRequest, BatchModelRequestItem, ModelRequest, UserContext

SECRET = "a secret that is long enough for HS256"
WHO = UserContext(org_id="acme", user_id="ada", client_type="tests")

Ask = Callable[..., Any]


def chat(**more: Any) -> ModelRequest:
    told = {"model": "gpt", "messages": [{"role": "user", "content": "hi there"}], **more}
    told.setdefault("user_context", WHO)
    return ModelRequest(provider=ProviderType.OPENAI, invoke_type=InvokeType.CHAT_COMPLETIONS, **told)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MODEL_MANAGER_SERVER_"):
            monkeypatch.delenv(name)


@pytest.fixture(params=["http", "embedded"])
def clients(request: pytest.FixtureRequest, upstream: Upstream, tmp_path: Path) -> Iterator[List[Ask]]:
    """Asks the sync client, and the async one; streams come as lists."""
    tables = ["[gateway]", "circuit_breaker.enabled = false"]
    for provider in ["openai", "google_ai_studio_gemini"]:
        tables += [f"[provider_types.{provider}.defaults]", f'api_base = "{upstream.url}/v1"']
        tables += ['api_key_location = "env::KEY"']
    config = "\n".join(tables)
    variables = {"KEY": "made-up", "MODEL_MANAGER_SERVER_JWT_SECRET_KEY": SECRET}
    told: Dict[str, Any] = {"jwt_secret_key": SECRET, "max_retries": 1}

    def asks() -> List[Ask]:
        def sync(name: str, request: Any, **more: Any) -> Any:
            client = TamarModelClient(**told)
            answer = getattr(client, name)(request, **more)
            return list(answer) if getattr(request, "stream", False) else answer

        def later(name: str, request: Any, **more: Any) -> Any:
            async def main() -> Any:
                client = AsyncTamarModelClient(**told)
                answer = await getattr(client, name)(request, **more)
                return [piece async for piece in answer] if getattr(request, "stream", False) else answer

            return asyncio.run(main())

        return [sync, later]

    if request.param == "http":
        with serving(config, tmp_path, variables) as address:
            told["server_address"] = address
            yield asks()
    else:
        with Sabir.embedded(config, variables=variables, ledger=tmp_path) as client:
            told["client"] = client
            yield asks()


def test_a_call(clients: List[Ask], upstream: Upstream) -> None:
    request = chat(temperature=0.5, max_tokens=9, metadata=None)
    for ask in clients:
        # The same request twice: nothing of it is used up.
        for _ in range(2):
            response = ask("invoke", request, request_id="r-1")
            assert (response.content, response.error, response.request_id) == ("You said: hi there", None, "r-1")
            assert USAGE.items() <= response.usage.items()
            assert response.finish_reason == "stop" and response.tool_calls is None
            assert response.raw_response["choices"][0]["message"]["content"] == response.content
    assert len(upstream.chats()) == 4
    for sent in upstream.chats():
        assert (sent["model"], sent["temperature"]) == ("gpt", 0.5)
        assert 9 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))


def test_a_stream(clients: List[Ask]) -> None:
    for ask in clients:
        pieces = ask("invoke", chat(stream=True))
        assert "".join(piece.content or "" for piece in pieces) == "You said: hi there"
        assert pieces[-1].usage["total_tokens"] == 10 and not any(piece.error for piece in pieces)


def test_tools_are_in_the_answer(clients: List[Ask]) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    flat = {"type": "function", "name": "get_weather", "parameters": schema}
    nested = {"type": "function", "function": {"name": "get_weather", "parameters": schema}}
    for ask in clients:
        for tool in [flat, nested]:
            response = ask("invoke", chat(tools=[tool]))
            [call] = response.tool_calls
            assert call["function"]["name"] == "get_weather" and response.finish_reason == "tool_calls"


def test_google(clients: List[Ask], upstream: Upstream) -> None:
    for ask in clients:
        request = ModelRequest(
            provider="google",
            channel=Channel.AI_STUDIO,
            model="gemini",
            contents=["What is it?", Part.from_bytes(data=b"\x01\x02", mime_type="image/png")],
            temperature=0.25,
            max_tokens=5,
            config={"top_p": 0.5},
            user_context=WHO,
        )
        response = ask("invoke", request)
        assert (response.error, response.content) == (None, "You said: What is it?")
        assert response.finish_reason == "stop"
        sent = upstream.seen[-1].json
        assert sent["generationConfig"] == {"temperature": 0.25, "maxOutputTokens": 5, "topP": 0.5}
        picture = sent["contents"][-1]["parts"][-1]["inlineData"]
        assert base64.b64decode(picture["data"]) == b"\x01\x02"


def test_a_batch(clients: List[Ask]) -> None:
    messages = [{"role": "user", "content": "hi there"}]
    item: Dict[str, Any] = {"provider": "openai", "invoke_type": "chat-completions", "messages": messages}
    items = [
        BatchModelRequestItem(model="gpt", custom_id="a", priority=2, **item),
        BatchModelRequestItem(model="gpt", custom_id="b", **{**item, "provider": "nobody"}),
        BatchModelRequestItem(model="gpt", **item),
    ]
    for ask in clients:
        batch = ask("invoke_batch", BatchModelRequest(user_context=WHO, items=items))
        assert [answer.custom_id for answer in batch.responses] == ["a", "b", None]
        assert [answer.content for answer in batch.responses][::2] == ["You said: hi there"] * 2
        assert batch.responses[1].error and batch.request_id


def test_what_fails_at_the_provider_is_in_the_answer(clients: List[Ask], upstream: Upstream) -> None:
    for ask in clients:
        for stream in [False, True]:
            upstream.failures = [400]
            answer = ask("invoke", chat(stream=stream))
            last = answer[-1] if stream else answer
            assert "made up" in last.error and last.request_id


def test_both_ways_to_wait(clients: List[Ask], upstream: Upstream, tmp_path: Path) -> None:
    async def main() -> List[List[Any]]:
        said = []
        with Sabir.embedded(embedded_config(upstream), variables={}) as native:
            client = AsyncTamarModelClient(client=native)
            for stream in [False, True]:
                request = chat(stream=stream)
                said.append([piece.content async for piece in client.invoke(request)])
                said.append([piece.content async for piece in await client.invoke(request)])
        return said

    said = asyncio.run(main())
    assert {"".join(piece or "" for piece in pieces) for pieces in said} == {"You said: hi there"}


def embedded_config(upstream: Upstream) -> str:
    return f'[provider_types.openai.defaults]\napi_base = "{upstream.url}/v1"\napi_key_location = "none"'


def test_what_is_wrong_is_said_before_anything_is_sent() -> None:
    cases: List[Tuple[Callable[[], Any], str]] = [
        (lambda: chat(messages=None), "`messages` is needed"),
        (lambda: ModelRequest(provider="openai", model="m", user_context=WHO), "one of `contents`"),
        (lambda: ModelRequest(provider="openai", model="m", input="x"), "`user_context` is needed"),
        (lambda: BatchModelRequest(user_context=WHO, items=[]), "a batch needs items"),
        (lambda: chat(seed=object()), "object cannot be sent as JSON"),
        (lambda: chat(user_context={"org_id": "a"}), "user_id"),
    ]
    for make, message in cases:
        with pytest.raises(exceptions.ValidationError, match=message):
            make()
    with pytest.raises(ValueError, match="^Server address must be provided"):
        TamarModelClient()


def claims_of(head: bytes) -> Dict[str, Any]:
    [line] = [line for line in head.split(b"\r\n") if line.lower().startswith(b"authorization: bearer ")]
    text, _, signature = line.decode().split(" ", 2)[2].rpartition(".")
    expected = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "=") == expected
    claims: Dict[str, Any] = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
    return claims


OK = json.dumps({"content": "a", "usage": None, "raw_response": None, "error": "", "request_id": "r"})


def test_tokens_and_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(*[reply(200, OK)] * 4)
    monkeypatch.setenv("MODEL_MANAGER_SERVER_JWT_TOKEN", SECRET)
    client = TamarModelClient(script.url)
    assert client.invoke(chat(), extra_headers={"X-User-IP": "::1"}).content == "a"
    head = script.seen[0].partition(b"\r\n\r\n")[0]
    assert (claims := claims_of(head)).pop("exp") > 0 and claims == {"org_id": "acme", "user_id": "ada"}
    assert b"x-user-ip: ::1" in head and b"x-request-id: " in head
    TamarModelClient(script.url, jwt_token="given").invoke(chat())
    assert b"authorization: Bearer given\r\n" in script.seen[1]
    TamarModelClient(script.url, default_payload={"sub": "x"}).invoke(chat())
    assert claims_of(script.seen[2].partition(b"\r\n\r\n")[0])["sub"] == "x"
    monkeypatch.setenv("MODEL_MANAGER_SERVER_JWT_TOKEN", "a.b.c")
    TamarModelClient(script.url).invoke(chat())
    assert b"authorization: Bearer a.b.c\r\n" in script.seen[3]


def test_what_may_pass_is_tried_again() -> None:
    script = Script(reply(401, "{}"), reply(503, "{}"), b"", reply(200, OK), reply(401, "{}"), reply(401, "{}"))
    with TamarModelClient(script.url, SECRET, retry_delay=0.01) as client:
        assert client.invoke(chat()).content == "a"
        with pytest.raises(exceptions.TokenExpiredException) as raised:
            client.invoke(chat(), request_id="r-2")
    assert len(script.seen) == 6
    ids = {line for seen in script.seen[:4] for line in seen.split(b"\r\n") if line.startswith(b"x-request-id")}
    assert len(ids) == 1
    assert raised.value.request_id == "r-2" and raised.value.to_dict()["category"] == "AUTH"
    assert isinstance(raised.value, ModelManagerClientError)
    script = Script(reply(500, "{}"), reply(400, "{}"), reply(200, "[]"))
    client = TamarModelClient(script.url, retry_delay=0.01)
    for name in ["ProviderException", "InvalidParameterException", "InvalidResponseException"]:
        kind = getattr(exceptions, name)
        with pytest.raises(kind):
            client.invoke(chat())


def test_nobody_is_there_and_nothing_comes(upstream: Upstream) -> None:
    with pytest.raises(exceptions.ConnectionException):
        TamarModelClient("http://127.0.0.1:1", retry_delay=0.01).invoke(chat())
    upstream.pause = 1
    with Sabir.embedded(embedded_config(upstream), variables={}) as native:
        with pytest.raises(exceptions.TimeoutException):
            TamarModelClient(client=native, max_retries=1).invoke(chat(), timeout=0.1)


def test_a_call_that_nobody_waits_for(clients: List[Ask]) -> None:
    for ask in clients:
        queued = ask("invoke", chat(enable_async_task=True))
        task = (queued.raw_response or {}).get("task_id")
        assert task, queued
        for _ in range(200):
            status = ask("get_task_status", task)
            if status.status != "processing":
                break
            time.sleep(0.02)
        assert (status.task_id, status.status, status.model) == (task, "completed", "gpt")
        assert status.result_data["metadata"]["content"] == "You said: hi there" and status.error_message is None
        both = ask("batch_get_task_status", [task, "nobody's"]).tasks
        assert [found.status for found in both] == ["completed", "failed"]
        with pytest.raises(ModelManagerClientError, match="no task `nobody's`"):
            ask("get_task_status", "nobody's")
