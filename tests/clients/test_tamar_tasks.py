"""Calls that nobody waits for: queued by the Model Manager's clients, asked for later, and there after a restart."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from datetime import datetime

import grpc
import pytest
from tamar_model_client import TamarModelClient
from tamar_model_client.generated import model_service_pb2 as pb
from tamar_model_client.schemas import ModelRequest

from conftest import KEY, config
from gateway import Gateway
from tamar import ENV, GRPC, OLD, WHO, Bare, connect, token
from tamar import _server, aclient, bare, client, plain, server  # noqa: F401  fixtures
from upstream import GEMINI, Gate

pytestmark = [pytest.mark.tamar, pytest.mark.skipif(OLD, reason="0.1.16 has no tasks")]

PICTURE = {"created": 1700000000, "data": [{"url": "https://x.example/1.png"}]}


def picture(**more) -> ModelRequest:
    plain = {"provider": "openai", "invoke_type": "image-generation", "model": "media", "prompt": "a cat"}
    return ModelRequest(**{**plain, "enable_async_task": True, "user_context": WHO, **more})


def ended(client, task_id: str, patience: float = 15.0):
    end = time.monotonic() + patience
    while (status := client.get_task_status(task_id)).status == "processing":
        assert time.monotonic() < end, "the task does not end"
        time.sleep(0.05)
    return status


def test_a_task(client, server, upstream):
    gate = Gate()
    upstream.stream(gate, json.dumps(PICTURE).encode(), headers={"content-type": "application/json"})
    response = client.invoke(picture(), request_id="r-1")
    assert response.error is None and response.content == "" and response.request_id == "r-1-1"
    task_id = response.raw_response["task_id"]

    status = client.get_task_status(task_id)
    assert (status.status, status.provider, status.channel) == ("processing", "openai", "normal")
    assert (status.invoke_type, status.model) == ("image-generation", "media")
    assert status.completed_at in (None, "") and status.result_data is None and not status.error_message
    assert abs(datetime.fromisoformat(status.created_at.replace("Z", "+00:00")).timestamp() - time.time()) < 20

    gate.open()
    status = ended(client, task_id)
    assert status.status == "completed" and status.completed_at >= status.created_at
    assert status.result_data["gcs_uri"] == "https://x.example/1.png"
    assert status.result_data["metadata"]["raw_response"] == PICTURE
    assert status.result_data["metadata"]["request_id"] == "r-1-1"
    assert upstream.only.json == {"model": "mock-model", "prompt": "a cat"}
    # The same over HTTP.
    got = server.get(f"/v1/task-status/{task_id}", {"authorization": f"Bearer {token()}"})
    assert got.status == 200 and got.json == status.model_dump() | {"error_message": None}


async def test_a_task_async(aclient, upstream):
    request = ModelRequest(provider="google", model="gemini", contents="hi", enable_async_task=True, user_context=WHO)
    task_id = (await aclient.invoke(request)).raw_response["task_id"]
    end = time.monotonic() + 15
    while (status := await aclient.get_task_status(task_id)).status == "processing":
        assert time.monotonic() < end
    assert status.result_data["metadata"]["raw_response"] == GEMINI
    assert status.result_data["metadata"]["content"] == "Hello there."
    assert status.result_data["gcs_uri"] is None
    both = await aclient.batch_get_task_status([task_id, "t-1"])
    assert [task.status for task in both.tasks] == ["completed", "failed"]
    assert both.tasks[1].error_message == "no task `t-1`"


def test_a_task_that_fails(client, upstream):
    upstream.reply({"error": {"message": "no such size", "type": "invalid_request_error"}}, status=400)
    status = ended(client, client.invoke(picture()).raw_response["task_id"])
    assert status.status == "failed" and status.error_message == "bad_request: no such size"
    assert status.result_data is None and status.completed_at


def test_what_is_wrong_is_said_at_once(client, bare, upstream):
    assert client.invoke(picture(provider="azure", model="no-such-model")).error.startswith("not_found:")
    (item,) = bare.invoke({"model": "media", "enable_async_task": True}, invoke_type="image-generation")
    assert "prompt" in item.error
    (item,) = bare.invoke({"model": "m", "enable_async_task": True}, invoke_type="video-generation")
    assert "`video-generation`" in item.error
    assert upstream.requests == []


def test_the_same_key_is_the_same_task(client, upstream):
    key = str(uuid.uuid4())
    first, second = (client.invoke(picture(idempotency_key=key)).raw_response["task_id"] for _ in range(2))
    assert first == second
    ended(client, first)
    assert client.invoke(picture(idempotency_key=key)).raw_response["task_id"] == first
    assert len(upstream.requests) == 1
    assert client.invoke(picture(idempotency_key=key, prompt="a dog")).error.startswith("conflict:")
    assert client.invoke(picture(idempotency_key=str(uuid.uuid4()))).raw_response["task_id"] != first


def test_a_call_back_is_not_promised(bare, upstream):
    extra = {"model": "media", "prompt": "a cat", "enable_async_task": True, "callback_url": "https://x.example/done"}
    call = bare.invoke(extra, invoke_type="image-generation")
    assert next(call).error == ""
    warnings = json.loads(dict(call.initial_metadata())["x-sabir-warnings"])
    assert [warning["param"] for warning in warnings] == ["callback_url"]


def test_tasks_are_unknown(client, server, bare):
    for unknown in ["t-1", str(uuid.uuid4()), ""]:
        with pytest.raises(grpc.RpcError) as caught:
            bare.stub.GetTaskStatus(pb.GetTaskStatusRequest(task_id=unknown), metadata=bare.metadata, timeout=10)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    with pytest.raises(Exception, match="no task `t-1`"):
        client.get_task_status("t-1")
    got = server.get("/v1/task-status/t-1", {"authorization": f"Bearer {token()}"})
    assert got.status == 404 and got.json["error"] == "not_found: no task `t-1`"
    got = server.post("/v1/batch-task-status", {"task_ids": ["t-1"]}, {"authorization": f"Bearer {token()}"})
    assert got.json["tasks"][0]["status"] == "failed"
    assert server.get("/v1/task-status/t-1").status == 401
    assert server.post("/v1/batch-task-status", {"task_ids": 1}, {"authorization": f"Bearer {token()}"}).status == 400


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_task_outlives_the_process(upstream, tmp_path, how):
    text = config(upstream.url, 1).replace("shutdown_grace_ms = 5000", "shutdown_grace_ms = 200") + GRPC
    gateway = Gateway.start(tmp_path / "g", text, ENV, grpc=True)
    upstream.stream(Gate())
    with connect(TamarModelClient, gateway) as client:
        task_id = client.invoke(picture()).raw_response["task_id"]
        while not upstream.requests:
            time.sleep(0.01)
    os.kill(gateway.process.pid, how)
    gateway.process.wait(15)
    upstream.reply(PICTURE)
    gateway = Gateway.start(tmp_path / "g", text, ENV, grpc=True)
    with connect(TamarModelClient, gateway) as client:
        # Of a process that was killed nobody knows until its lease has run out.
        status = ended(client, task_id, 30)
        assert status.status == "completed" and status.result_data["metadata"]["raw_response"] == PICTURE
    assert len(upstream.requests) == 2
    gateway.stop()


def test_a_keys_tasks_are_for_that_key(upstream, tmp_path):
    env = {"MOCK_KEY": KEY, "ONE": "sk-one", "TWO": "sk-two"}
    keys = '\n[gateway.auth.keys]\none = "env::ONE"\ntwo = "env::TWO"\n'
    gateway = Gateway.start(tmp_path / "g", config(upstream.url, 1) + keys, env, grpc=True)
    with Bare(gateway, "sk-one") as one, Bare(gateway, "sk-two") as two:
        (item,) = one.invoke({"model": "media", "prompt": "a cat", "enable_async_task": True}, invoke_type="image-generation")
        asked = pb.GetTaskStatusRequest(task_id=json.loads(item.raw_response)["task_id"])
        assert one.stub.GetTaskStatus(asked, metadata=one.metadata, timeout=10).provider == "openai"
        with pytest.raises(grpc.RpcError) as caught:
            two.stub.GetTaskStatus(asked, metadata=two.metadata, timeout=10)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    gateway.stop()
