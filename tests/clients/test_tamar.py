"""The Model Manager's client, unmodified, over gRPC: what the caller wrote, what the provider got, and back."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import threading
import time
import uuid

import grpc
import jwt
import pytest
from google.genai.types import Part
from tamar_model_client import TamarModelClient
from tamar_model_client.generated import model_service_pb2 as pb
from tamar_model_client.generated import model_service_pb2_grpc as stubs
from tamar_model_client.schemas import BatchModelRequest, BatchModelRequestItem, ModelRequest

from conftest import KEY, config
from gateway import Gateway
from tamar import BEFORE, ENV, GRPC, OLD, PIXEL_BYTES, SECRET, WHO, Bare, chat, connect, google, newer, token
from tamar import _server, aclient, bare, client, plain, server  # noqa: F401  fixtures
from upstream import ANTHROPIC, GEMINI, OPENAI_CHAT, Drop, Gate, UntilClosed, chat_chunks
from words import HI, PIXEL, WEATHER, answer, call, claude_events, gemini_events

pytestmark = pytest.mark.tamar

# Plain calls


def test_chat(client, upstream):
    response = client.invoke(chat(temperature=0.2, top_p=1.0), request_id="r-1")
    assert response.error is None
    assert response.content == "Hello there."
    assert response.usage["total_tokens"] == 10 and response.usage["total_cost"] is None
    assert response.raw_response == OPENAI_CHAT
    # Newer clients count the tries of a call.
    assert response.request_id == ("r-1" if OLD else "r-1-1")
    got = upstream.only
    assert got.path == "/v1/chat/completions" and got.headers["authorization"] == f"Bearer {KEY}"
    assert got.json == {"model": "mock-model", "messages": HI, "temperature": 0.2, "top_p": 1.0}


async def test_chat_async(aclient, upstream):
    response = await aclient.invoke(chat())
    assert (response.content, response.error) == ("Hello there.", None)
    assert upstream.only.json["messages"] == HI


def test_whole_numbers_are_integers(bare, upstream):
    (item,) = bare.invoke({"model": "gpt", "messages": HI, "max_tokens": 1000, "seed": 7, "temperature": 0.5})
    assert item.error == ""
    body = upstream.only.body
    assert b'"max_tokens":1000' in body or b'"max_completion_tokens":1000' in body
    assert b'"seed":7' in body and b'"temperature":0.5' in body


def test_responses_are_what_openai_generates(client, upstream):
    request = ModelRequest(
        provider="openai", model="gpt", input="hi", instructions="Be brief.", max_output_tokens=5, user_context=WHO
    )
    response = client.invoke(request)
    assert (response.content, response.error) == ("Hello there.", None)
    (message,) = response.raw_response["output"]
    assert message["content"][0]["text"] == "Hello there."
    assert upstream.only.json["messages"] == [{"role": "system", "content": "Be brief."}, *HI]


def test_responses_of_a_model_that_has_them(client, upstream):
    said = {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "mock-model", "status": "completed",
        "output": [{
            "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "Hello there.", "annotations": []}],
        }],
        "usage": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10},
    }
    upstream.reply(said)
    plain = {"provider": "openai", "input": "hi", "previous_response_id": "resp_0", "user_context": WHO}
    response = client.invoke(ModelRequest(**plain, model="responding"))
    assert (response.content, response.error) == ("Hello there.", None)
    assert response.raw_response == said and response.usage["total_tokens"] == 10
    assert upstream.only.path == "/v1/responses"
    assert upstream.only.json["previous_response_id"] == "resp_0"
    # Another one would answer as if nothing had been said before.
    assert "`previous_response_id`" in client.invoke(ModelRequest(**plain, model="gpt")).error


def test_google(client, upstream):
    response = client.invoke(google([{"role": "user", "parts": [{"text": "hi"}]}]))
    assert (response.content, response.error) == ("Hello there.", None)
    assert response.usage["prompt_tokens"] == 7
    assert response.raw_response == GEMINI
    assert upstream.only.json["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]


def test_googles_config(client, upstream):
    config = {"temperature": 0.1, "max_output_tokens": 5, "system_instruction": "Be brief.", "stop_sequences": ["x"]}
    response = client.invoke(google("hi", config=config))
    assert response.error is None
    got = upstream.only.json
    assert got["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert got["generationConfig"] == {"temperature": 0.1, "maxOutputTokens": 5, "stopSequences": ["x"]}


@newer
def test_anthropic(client, upstream):
    request = ModelRequest(
        provider="anthropic", model="claude", system="Be brief.", max_tokens=10, messages=HI, user_context=WHO
    )
    response = client.invoke(request)
    assert (response.content, response.error) == ("Hello there.", None)
    assert response.raw_response == ANTHROPIC
    got = upstream.only.json
    assert got["system"] in ("Be brief.", [{"type": "text", "text": "Be brief."}]) and got["max_tokens"] == 10


def test_another_provider_answers_in_the_callers_words(client, upstream):
    response = client.invoke(chat(model="claude"))
    assert upstream.only.path.endswith("/messages")
    assert response.raw_response["choices"][0]["message"]["content"] == "Hello there."
    assert response.raw_response["object"] == "chat.completion"


# Pictures and tools


def test_a_picture_by_address(client, upstream):
    image = {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, image]}]
    assert client.invoke(chat(messages=messages)).error is None
    assert upstream.only.json["messages"] == messages


def test_googles_parts(client, upstream):
    parts = ["What is it?", Part.from_uri(file_uri="https://x.example/y.jpeg", mime_type="image/jpeg")]
    assert client.invoke(google([*parts, Part.from_bytes(data=PIXEL_BYTES, mime_type="image/png")])).error is None
    (content,) = upstream.only.json["contents"]
    assert content["role"] == "user"
    assert content["parts"] == [
        {"text": "What is it?"},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://x.example/y.jpeg"}},
        {"inlineData": {"mimeType": "image/png", "data": PIXEL.split(",")[1]}},
    ]


def test_a_large_picture(client, upstream):
    # Over four megabytes, where gRPC's own limit is.
    large = "data:image/png;base64," + base64.b64encode(PIXEL_BYTES + bytes(12 * 1024 * 1024)).decode()
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": large}}]}]
    assert client.invoke(chat(messages=messages)).error is None
    assert upstream.only.json["messages"] == messages


def test_tools(client, upstream):
    upstream.reply(answer({"content": None, "tool_calls": [call("c1", "weather", '{"town":"Ulm"}')]}, "tool_calls"))
    # The form of responses is the one that this client lets pass.
    flat = {"type": "function", "strict": False, **WEATHER["function"]}
    response = client.invoke(chat(tools=[flat], tool_choice={"type": "function", "function": {"name": "weather"}}))
    assert (response.content, response.error) == ("", None)
    (made,) = response.raw_response["choices"][0]["message"]["tool_calls"]
    assert made["function"] == {"name": "weather", "arguments": '{"town":"Ulm"}'}
    got = upstream.last.json
    assert got["tools"] == [{"type": "function", "function": {**WEATHER["function"], "strict": False}}]
    assert got["tool_choice"] == {"type": "function", "function": {"name": "weather"}}

    turns = [
        *HI,
        {"role": "assistant", "tool_calls": [call("c1", "weather", '{"town":"Ulm"}')]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]
    assert client.invoke(chat(messages=turns)).content == "Hello there."
    sent = upstream.last.json["messages"]
    assert sent[1]["tool_calls"][0]["id"] == "c1" and sent[2]["content"] == "sunny"


def test_further_members_and_headers(client, upstream):
    more = {"extra_body": {"new_thing": {"a": 1}, "tools": [WEATHER]}, "extra_headers": {"x-of-the-caller": "yes"}}
    assert client.invoke(chat(**more)).error is None
    got = upstream.only
    assert got.json["new_thing"] == {"a": 1} and got.json["tools"] == [WEATHER]
    assert got.headers["x-of-the-caller"] == "yes"


# Streams


def test_stream(client, upstream):
    items = list(client.invoke(chat(stream=True)))
    assert [item.error for item in items] == [None] * len(items)
    assert [item.content for item in items if item.content] == ["Hello", " there."]
    *before, last = items
    assert all(item.usage is None for item in before)
    assert last.usage["total_tokens"] == 9
    assert len({item.request_id for item in items}) == 1 and last.request_id


async def test_stream_async(aclient, upstream):
    upstream.stream(*claude_events("Hel", "lo"))
    items = [item async for item in await aclient.invoke(chat(model="claude", stream=True))]
    assert "".join(item.content for item in items) == "Hello"
    assert items[-1].usage["completion_tokens"] == 3


async def test_googles_stream(aclient, upstream):
    upstream.stream(*gemini_events("Hel", "lo"))
    items = [item async for item in await aclient.invoke(google("hi", stream=True))]
    assert "".join(item.content for item in items) == "Hello"
    raw = [item.raw_response for item in items if item.content]
    assert raw[0]["candidates"][0]["content"]["parts"] == [{"text": "Hel"}]


def test_every_piece_comes_at_once(client, upstream):
    gate = Gate()
    first, *rest = chat_chunks("one", "two")[1:]
    upstream.stream(first, gate, *rest, "[DONE]")
    stream = client.invoke(chat(stream=True))
    got = ""
    while got != "one":
        got += next(stream).content
    gate.open()
    assert "".join(item.content for item in stream) == "two"


def test_streamed_calls_are_in_the_raw_pieces(client, upstream):
    pieces = [call("c1", "weather", ""), {"function": {"arguments": '{"town":'}}, {"function": {"arguments": '"Ulm"}'}}]
    chunks = chat_chunks("x", finish="tool_calls")
    deltas = [{**chunks[1], "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, **piece}]}}]} for piece in pieces]
    upstream.stream(chunks[0], *deltas, chunks[2], "[DONE]")
    arguments = ""
    for item in client.invoke(chat(stream=True)):
        for choice in (item.raw_response or {}).get("choices", []):
            for piece in choice["delta"].get("tool_calls", []):
                arguments += piece["function"].get("arguments", "")
    assert json.loads(arguments) == {"town": "Ulm"}


# Batches


def batch(*models: str) -> BatchModelRequest:
    plain = {"provider": "openai", "invoke_type": "chat-completions", "messages": HI}
    items = [BatchModelRequestItem(**plain, model=model, custom_id=f"q{at}") for at, model in enumerate(models)]
    return BatchModelRequest(user_context=WHO, items=items)


async def test_batch(aclient, upstream):
    response = await aclient.invoke_batch(batch("gpt", "no-such-model", "claude"))
    first, second, third = response.responses
    assert (first.content, third.content) == ("Hello there.", "Hello there.")
    assert second.content == "" and second.error
    assert response.request_id
    if OLD:
        # Newer clients throw these away.
        assert [item.custom_id for item in response.responses] == ["q0", "q1", "q2"]


def test_items_of_a_batch_run_side_by_side(client, upstream):
    gates = [Gate(), Gate(), Gate()]
    for gate in gates:
        upstream.stream(gate, json.dumps(OPENAI_CHAT).encode(), headers={"content-type": "application/json"})
    done = []
    thread = threading.Thread(target=lambda: done.append(client.invoke_batch(batch("gpt", "gpt", "gpt"))))
    thread.start()
    end = time.monotonic() + 10
    while len(upstream.requests) < 3:
        assert time.monotonic() < end, "the items wait for each other"
        time.sleep(0.01)
    for gate in gates:
        gate.open()
    thread.join(10)
    assert [item.content for item in done[0].responses] == ["Hello there."] * 3


# What goes wrong


def test_the_providers_errors(client, upstream):
    said = {"error": {"message": "too many at once", "type": "requests", "code": "rate_limit_exceeded"}}
    upstream.reply(said, status=429)
    response = client.invoke(chat(), request_id="r-2")
    assert response.error == "rate_limited: too many at once"
    assert response.raw_response == said
    assert response.request_id.startswith("r-2")
    assert response.content == "" and response.usage is None


def test_nothing_is_said_about_the_gateways_key(client, upstream):
    upstream.reply({"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}, status=401)
    response = client.invoke(chat())
    assert response.error.startswith("authentication:") and KEY not in repr(response)


def test_an_error_in_a_stream(client, upstream):
    upstream.stream(*chat_chunks("one")[:2], Drop())
    items = list(client.invoke(chat(stream=True)))
    assert "".join(item.content for item in items) == "one"
    (failed,) = [item for item in items if item.error]
    assert failed is items[-1] or items[-1].usage, "an error is the last word"
    assert failed.request_id


def test_an_error_before_a_stream(client, upstream):
    upstream.reply({"error": {"message": "no such thing"}}, status=400)
    (item,) = client.invoke(chat(stream=True))
    assert item.error == "bad_request: no such thing"


def test_unknown_models(client, upstream):
    assert client.invoke(chat(provider="azure", model="no-such-model")).error.startswith("not_found:")
    assert upstream.requests == []


def test_a_request_that_was_used_up(client, upstream):
    request = chat()
    assert client.invoke(request).error is None
    # These clients iterate over the messages of a request only once.
    again = client.invoke(request)
    assert again.error is None or "messages" in again.error


# Who may call


def refused(server, upstream, **how) -> str:
    client = connect(TamarModelClient, server, **how)
    with pytest.raises(Exception) as caught:
        client.invoke(chat())
    client.close()
    assert upstream.requests == []
    return str(caught.value)


def refused_bare(server, upstream, bearer: str | None) -> str:
    with Bare(server, bearer) as bare, pytest.raises(grpc.RpcError) as caught:
        list(bare.invoke({"model": "gpt", "messages": HI}))
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert upstream.requests == []
    return caught.value.details()


def test_another_secret(server, upstream):
    assert "another secret" in refused(server, upstream, jwt_secret_key="a secret that nobody knows but who made it up")


def test_an_expired_token(server, upstream):
    assert "has expired" in refused(server, upstream, token_expires_in=-120)


def test_tokens_that_are_none(server, upstream):
    assert "not a JSON Web Token" in refused_bare(server, upstream, "abc")
    unsigned = jwt.encode({"exp": int(time.time()) + 60}, None, algorithm="none")
    assert "HS256" in refused_bare(server, upstream, unsigned)
    endless = jwt.encode({"org_id": "org"}, SECRET, algorithm="HS256")
    assert "`exp`" in refused_bare(server, upstream, endless)


def test_no_token(server, upstream):
    assert "token is missing" in refused_bare(server, upstream, None)
    with Bare(server) as bare, pytest.raises(grpc.RpcError) as caught:
        bare.stub.BatchInvoke(pb.ModelRequest(), timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("secret", [SECRET, BEFORE])
def test_secrets_change_one_after_the_other(server, upstream, secret):
    client = connect(TamarModelClient, server, jwt_secret_key=secret)
    assert client.invoke(chat()).error is None
    client.close()


def test_the_gateways_own_keys_count_as_well(upstream, tmp_path):
    # Without a secret, and with one beside the keys.
    for at, env in enumerate([{}, {"MODEL_MANAGER_SERVER_JWT_SECRET_KEY": SECRET}]):
        env = {"MOCK_KEY": KEY, "SABIR_API_KEY": "sk-one,sk-two", **env}
        gateway = Gateway.start(tmp_path / str(at), config(upstream.url, 1), env, grpc=True)
        with Bare(gateway, "sk-two") as bare:
            (item,) = bare.invoke({"model": "gpt", "messages": HI})
        assert item.error == ""
        upstream.reset()
        assert refused_bare(gateway, upstream, "sk-three")
        assert refused_bare(gateway, upstream, None)
        gateway.stop()


@newer
def test_a_token_of_the_callers_own(server, upstream):
    client = connect(TamarModelClient, server, jwt_secret_key=None, jwt_token=token())
    assert client.invoke(chat()).error is None
    client.close()


# Time


def test_a_deadline_ends_the_call(client, upstream):
    upstream.stream(UntilClosed())
    with pytest.raises(Exception) as caught:
        client.invoke(chat(), timeout=0.5)
    assert "DEADLINE" in str(caught.value).upper() or "longer" in str(caught.value)
    assert upstream.last.closed.wait(5), "the provider's connection was left open"


async def test_a_deadline_ends_a_stream(aclient, upstream):
    upstream.stream(*chat_chunks("one")[:2], UntilClosed())
    got = ""
    with pytest.raises(Exception):
        async for item in await aclient.invoke(chat(stream=True), timeout=0.7):
            got += item.content
    assert got == "one"
    assert upstream.last.closed.wait(5), "the provider's connection was left open"


async def test_a_caller_who_leaves_ends_the_stream(aclient, upstream):
    upstream.stream(*chat_chunks("one")[:2], UntilClosed())

    async def read() -> None:
        async for _ in await aclient.invoke(chat(stream=True)):
            pass

    task = asyncio.create_task(read())
    while not upstream.requests:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(upstream.last.closed.wait, 5), "the provider's connection was left open"


def test_a_caller_who_leaves_ends_the_call(bare, upstream):
    upstream.stream(UntilClosed())
    call = bare.invoke({"model": "gpt", "messages": HI})
    while not upstream.requests:
        time.sleep(0.01)
    call.cancel()
    assert upstream.last.closed.wait(5), "the provider's connection was left open"


def test_a_timeout_among_the_parameters(bare, upstream):
    upstream.stream(UntilClosed())
    with pytest.raises(grpc.RpcError) as caught:
        list(bare.invoke({"model": "gpt", "messages": HI, "timeout": 0.3}))
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert upstream.last.closed.wait(5)


# What is kept, and what is around


def test_the_ledger_knows_who_asked(server, bare, upstream):
    region = {} if OLD else {"region": "eu"}
    call = bare.invoke({"model": "gpt", "messages": HI}, metadata=[("x-request-id", "r-3")], **region)
    (item,) = call
    metadata = dict(call.initial_metadata())
    assert item.request_id == "r-3" == metadata["x-request-id"]
    row = server.row(metadata["x-sabir-inference-id"])
    assert row["status"] == "ok"
    tags = json.loads(row["tags"])
    assert tags == {"org_id": "org", "user_id": "user", "client_type": "test", "request_id": "r-3", **region}


def test_an_id_is_made_where_none_is_given(bare, upstream):
    (item,) = bare.invoke({"model": "gpt", "messages": HI})
    assert uuid.UUID(item.request_id)


def test_nothing_is_left_out_silently(bare, upstream):
    call = bare.invoke(
        {"model": "gemini", "contents": "hi", "config": {"http_options": {"timeout": 1}}, "callback_url": "https://x.example"},
        provider="google", invoke_type="generation",
    )
    (item,) = call
    assert item.error == ""
    warnings = json.loads(dict(call.initial_metadata())["x-sabir-warnings"])
    assert {warning["param"] for warning in warnings} >= {"config.http_options", "callback_url"}


def test_probes_need_no_token(server):
    with grpc.insecure_channel(server.grpc) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"", timeout=10) == b"\x08\x01"
        assert check(b"\x0a\x1amodel_service.ModelService", timeout=10) == b"\x08\x01"
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/model_service.Other/Call")(b"", timeout=10)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_stream_may_end_when_the_gateway_stops(upstream, tmp_path):
    gateway = Gateway.start(tmp_path / "stopping", config(upstream.url, 1) + GRPC, ENV, grpc=True)
    gate = Gate()
    first, *rest = chat_chunks("one", "two")[1:]
    upstream.stream(first, gate, *rest, "[DONE]")
    with Bare(gateway, token()) as bare:
        stream = bare.invoke({"model": "gpt", "messages": HI}, stream=True)
        got = ""
        while got != "one":
            got += next(stream).content
        stopping = threading.Thread(target=gateway.stop)
        stopping.start()
        time.sleep(0.2)
        gate.open()
        assert "".join(item.content for item in stream) == "two"
        stopping.join(15)
    assert gateway.process.returncode == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_tls(upstream, tmp_path, monkeypatch):
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    folder = tmp_path / "tls"
    folder.mkdir()
    subprocess.run([*new, *names, "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    tls = 'tls_cert = "cert.pem"\ntls_key = "key.pem"\n'
    gateway = Gateway.start(folder, config(upstream.url, 1) + GRPC + tls, ENV, grpc=True)
    # The client itself reads its roots but once in a process: the channel is opened as it opens it.
    roots = grpc.ssl_channel_credentials((folder / "cert.pem").read_bytes())
    with grpc.secure_channel(gateway.grpc, roots, [("grpc.default_authority", "localhost")]) as channel:
        request = pb.ModelRequestItem(provider="openai", invoke_type="chat-completions", org_id="org")
        request.extra.update({"model": "gpt", "messages": HI})
        metadata = [("authorization", f"Bearer {token()}")]
        (item,) = stubs.ModelServiceStub(channel).Invoke(request, metadata=metadata, timeout=20)
    assert item.content == "Hello there."
    gateway.stop()
