"""The Model Manager door under load, at its limits, and when it stops."""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
import sys
import threading
import time

import grpc
import pytest
from tamar_model_client.generated import model_service_pb2 as pb
from tamar_model_client.generated import model_service_pb2_grpc as stubs
from tamar_model_client.schemas import BatchModelRequest, BatchModelRequestItem

from conftest import config
from gateway import Gateway
from tamar import ENV, GRPC, OLD, PIXEL_BYTES, SECRET, WHO, Bare, chat, token
from tamar import _server, aclient, bare, client, plain, server  # noqa: F401  fixtures
from upstream import ANTHROPIC, GEMINI, OPENAI_CHAT, Gate, chat_chunks
from words import HI, answer

pytestmark = pytest.mark.tamar

MEGABYTE = 1024 * 1024


@pytest.fixture
def own(upstream, tmp_path):
    """A gateway of the test's own, with these settings of the door."""
    started: list[Gateway] = []

    def own(settings: str = "", more: str = "") -> Gateway:
        text = config(upstream.url, 1).replace("[gateway]\n", f"[gateway]\n{more}\n", 1) + GRPC + settings + "\n"
        started.append(Gateway.start(tmp_path / f"g{len(started)}", text, ENV, grpc=True))
        return started[-1]

    yield own
    for gateway in started:
        if gateway.process.poll() is None:
            gateway.stop()


def until(condition, what: str, patience: float = 10.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


# Many at once


async def test_a_hundred_streams_at_once(aclient, upstream):
    async def one() -> str:
        return "".join([item.content async for item in await aclient.invoke(chat(stream=True))])

    assert await asyncio.gather(*(one() for _ in range(100))) == ["Hello there."] * 100
    assert len(upstream.requests) == 100


def test_more_streams_than_a_connection_may_have_wait(own, upstream):
    gateway = own("max_concurrent_streams = 2")
    gates = [Gate() for _ in range(3)]
    for gate in gates:
        upstream.stream(gate, *chat_chunks("one")[1:], "[DONE]")
    with Bare(gateway, token()) as bare:
        # Until it has heard of the limit, a client has none.
        bare.stub.BatchInvoke(pb.ModelRequest(), metadata=bare.metadata, timeout=10)
        streams = [bare.invoke({"model": "gpt", "messages": HI}, stream=True) for _ in gates]
        until(lambda: len(upstream.requests) == 2, "two calls should run")
        time.sleep(0.3)
        assert len(upstream.requests) == 2
        for gate in gates:
            gate.open()
        assert ["".join(item.content for item in stream) for stream in streams] == ["one"] * 3


def test_the_more_important_items_of_a_batch_begin_earlier(own, upstream):
    gateway = own("batch_concurrency = 1")
    # The clients refuse to set it, or set it to 1: this is what an application of its own sends.
    priorities = {"low": -1, "none": None, "high": 5, "middle": 1}
    items = []
    for name, priority in priorities.items():
        item = pb.ModelRequestItem(provider="openai", invoke_type="chat-completions", priority=priority, custom_id=name)
        item.extra.update({"model": "gpt", "messages": [{"role": "user", "content": name}]})
        items.append(item)
    with Bare(gateway, token()) as bare:
        said = bare.stub.BatchInvoke(pb.ModelRequest(items=items), metadata=bare.metadata, timeout=20)
    order = [request.json["messages"][0]["content"] for request in upstream.requests]
    assert order == ["high", "middle", "none", "low"]
    assert [item.custom_id for item in said.items] == list(priorities)


async def test_a_batch_of_several_providers(aclient, upstream):
    items = [
        BatchModelRequestItem(provider="openai", invoke_type="chat-completions", model="gpt", messages=HI, custom_id="a"),
        BatchModelRequestItem(provider="google", model="gemini", contents="hi", custom_id="b"),
        BatchModelRequestItem(provider="azure", invoke_type="chat-completions", model="gone", messages=HI, custom_id="c"),
    ]
    if not OLD:
        anthropic = {"provider": "anthropic", "invoke_type": "messages", "model": "claude", "max_tokens": 5}
        items.append(BatchModelRequestItem(**anthropic, messages=HI, custom_id="d"))
    response = await aclient.invoke_batch(BatchModelRequest(user_context=WHO, items=items))
    raw = [OPENAI_CHAT, GEMINI, None, ANTHROPIC]
    assert [item.raw_response for item in response.responses] == raw[: len(items)]
    assert [bool(item.error) for item in response.responses] == [False, False, True, False][: len(items)]
    if OLD:
        assert [item.custom_id for item in response.responses] == ["a", "b", "c"]


# Large


# The client's own checks of such a message take most of it.
@pytest.mark.timeout(120)
def test_messages_of_sixty_megabytes(client, upstream):
    picture = "data:image/png;base64," + base64.b64encode(PIXEL_BYTES + bytes(45 * MEGABYTE)).decode()
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}}]}]
    said = "x" * (20 * MEGABYTE)
    upstream.reply(answer({"content": said}))
    response = client.invoke(chat(messages=messages), timeout=100)
    assert response.error is None and response.content == said
    assert upstream.only.json["messages"] == messages


def test_a_message_that_is_too_large(own, upstream):
    gateway = own(more="limits.request_body_bytes = 1048576")
    with Bare(gateway, token()) as bare:
        # The limit of other doors is smaller, that of this one is not.
        (item,) = bare.invoke({"model": "gpt", "messages": [{"role": "user", "content": "x" * (5 * MEGABYTE)}]})
        assert item.error == ""
        with pytest.raises(grpc.RpcError) as caught:
            list(bare.invoke({"model": "gpt", "messages": [{"role": "user", "content": "x" * (65 * MEGABYTE)}]}))
    # Clients do not send it again.
    assert caught.value.code() == grpc.StatusCode.OUT_OF_RANGE
    assert len(upstream.requests) == 1


# Connections


def test_pings_are_answered(server, upstream):
    often = [
        ("grpc.keepalive_time_ms", 50), ("grpc.keepalive_timeout_ms", 2000),
        ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0),
    ]
    seen = []
    with grpc.insecure_channel(server.grpc, often) as channel:
        channel.subscribe(seen.append)
        grpc.channel_ready_future(channel).result(10)
        # Idle, and then silent in the middle of a stream.
        time.sleep(1)
        gate = Gate()
        first, *rest = chat_chunks("one", "two")[1:]
        upstream.stream(first, gate, *rest, "[DONE]")
        request = pb.ModelRequestItem(provider="openai", invoke_type="chat-completions", stream=True)
        request.extra.update({"model": "gpt", "messages": HI})
        stream = stubs.ModelServiceStub(channel).Invoke(request, metadata=[("authorization", f"Bearer {token()}")])
        got = next(stream).content
        time.sleep(1)
        gate.open()
        assert got + "".join(item.content for item in stream) == "onetwo"
    ready = seen.index(grpc.ChannelConnectivity.READY)
    assert set(seen[ready:]) <= {grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.SHUTDOWN}


def test_idle_connections_do_not_hold_up_the_end(own, upstream):
    gateway = own()
    channels = [grpc.insecure_channel(gateway.grpc, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(3)]
    lost = threading.Event()
    for channel in channels:
        grpc.channel_ready_future(channel).result(10)
    channels[0].subscribe(lambda state: state is grpc.ChannelConnectivity.IDLE and lost.set())
    begin = time.monotonic()
    gateway.stop()
    assert time.monotonic() - begin < 3
    # A client that is told goes elsewhere; one whose connection just breaks has lost a call.
    assert lost.wait(5)
    for channel in channels:
        channel.close()


def test_no_new_call_while_it_stops(own, upstream):
    gateway = own()
    gate = Gate()
    first, *rest = chat_chunks("one", "two")[1:]
    upstream.stream(first, gate, *rest, "[DONE]")
    with Bare(gateway, token()) as bare:
        stream = bare.invoke({"model": "gpt", "messages": HI}, stream=True)
        got = next(stream).content
        stopping = threading.Thread(target=gateway.stop)
        stopping.start()
        time.sleep(0.3)
        with pytest.raises(grpc.RpcError) as caught:
            list(bare.invoke({"model": "gpt", "messages": HI}))
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        gate.open()
        assert got + "".join(item.content for item in stream) == "onetwo"
        stopping.join(15)
    assert len(upstream.requests) == 1


# TLS, as a client of its own sees it: it reads its roots once in a process.

CLIENT = """
import asyncio, sys
from tamar_model_client import AsyncTamarModelClient, TamarModelClient
from tamar_model_client.schemas import ModelRequest, UserContext

def ask(stream):
    who = UserContext(org_id="org", user_id="user", client_type="test")
    messages = [{"role": "user", "content": "hi"}]
    return ModelRequest(provider="openai", invoke_type="chat-completions", model="gpt", messages=messages,
        stream=stream, user_context=who)

with TamarModelClient() as client:
    print(client.invoke(ask(False)).content)
    print("".join(item.content for item in client.invoke(ask(True))))

async def main():
    async with AsyncTamarModelClient() as client:
        print((await client.invoke(ask(False))).content)

asyncio.run(main())
"""


@pytest.mark.timeout(120)
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_the_clients_over_tls(upstream, tmp_path):
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    folder = tmp_path / "tls"
    folder.mkdir()
    subprocess.run([*new, *names, "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    tls = 'tls_cert = "cert.pem"\ntls_key = "key.pem"\n'
    gateway = Gateway.start(folder, config(upstream.url, 1) + GRPC + tls, ENV, grpc=True)
    env = {
        "MODEL_MANAGER_SERVER_ADDRESS": gateway.grpc,
        "MODEL_MANAGER_SERVER_JWT_SECRET_KEY": SECRET,
        "MODEL_MANAGER_SERVER_GRPC_DEFAULT_AUTHORITY": "localhost",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(folder / "cert.pem"),
    }
    done = subprocess.run([sys.executable, "-c", CLIENT], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["Hello there."] * 3, done.stderr[-2000:]
    # Nothing is served without TLS.
    with Bare(gateway, token()) as bare, pytest.raises(grpc.RpcError) as caught:
        list(bare.invoke({"model": "gpt", "messages": HI}))
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    gateway.stop()
