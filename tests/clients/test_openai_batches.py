"""The `openai` client's files and batches: kept and run by the gateway, on any provider."""

from __future__ import annotations

import io
import json
import time

import openai
import pytest

from upstream import Gate
from words import answer

pytestmark = pytest.mark.openai

WINDOW = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}


def lines(*texts: str, model: str = "gpt", url: str = "/v1/chat/completions") -> bytes:
    def line(at: int, text: str) -> str:
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        return json.dumps({"custom_id": f"r{at}", "method": "POST", "url": url, "body": body})

    return "\n".join(line(at, text) for at, text in enumerate(texts)).encode()


def upload(client, content: bytes, purpose: str = "batch"):
    return client.files.create(file=("in.jsonl", content), purpose=purpose)


def ended(client, batch, until=("completed", "failed", "expired", "cancelled"), seconds: float = 20.0):
    end = time.monotonic() + seconds
    while (batch := client.batches.retrieve(batch.id)).status not in until:
        assert time.monotonic() < end, f"the batch is still {batch.status}"
        time.sleep(0.02)
    return batch


def results(client, file_id: str) -> dict:
    return {line["custom_id"]: line for line in map(json.loads, client.files.content(file_id).text.splitlines())}


def test_files(client):
    made = [upload(client, f"file {at}".encode(), "user_data") for at in range(3)]
    file = made[0]
    assert (file.object, file.filename, file.bytes, file.purpose) == ("file", "in.jsonl", 6, "user_data")
    assert client.files.wait_for_processing(file.id, poll_interval=0.01).id == file.id
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).read() == b"file 0"
    # The old client knows no order and no pages.
    listed = client.files.list(purpose="user_data", extra_query={"order": "asc"}).data
    assert [found.id for found in listed][-3:] == [file.id for file in made]
    page = client.files.list(purpose="user_data", extra_query={"limit": 1, "after": made[2].id})
    assert [found.id for found in page.data] == [made[1].id]
    for file in made:
        deleted = client.files.delete(file.id)
        assert (deleted.id, deleted.deleted) == (file.id, True)
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_large_file(client):
    content = bytes(range(256)) * 8192
    file = client.files.create(file=io.BytesIO(content), purpose="user_data")
    with client.files.with_streaming_response.content(file.id) as response:
        assert b"".join(response.iter_bytes()) == content
    client.files.delete(file.id)


def test_wrong_file(client):
    with pytest.raises(openai.BadRequestError) as error:
        upload(client, b"x", "nothing")
    assert error.value.param == "purpose"
    with pytest.raises(openai.BadRequestError) as error:
        client.batches.create(input_file_id="file-nobody", **WINDOW)
    assert error.value.param == "input_file_id"


@pytest.mark.parametrize("model", ["gpt", "claude", "gemini", "dummy::good"])
def test_batch(client, model):
    file = upload(client, lines("one", "two", model=model))
    batch = client.batches.create(input_file_id=file.id, metadata={"team": "red"}, **WINDOW)
    assert (batch.object, batch.status, batch.metadata) == ("batch", batch.status, {"team": "red"})
    done = ended(client, batch)
    assert done.status == "completed", done
    assert (done.request_counts.total, done.request_counts.completed, done.request_counts.failed) == (2, 2, 0)
    assert done.error_file_id is None
    output = results(client, done.output_file_id)
    assert set(output) == {"r0", "r1"}
    for line in output.values():
        assert line["error"] is None and line["response"]["status_code"] == 200
        completion = openai.types.chat.ChatCompletion.model_validate(line["response"]["body"])
        assert completion.model == (model if model != "gpt" else completion.model)
        assert completion.choices[0].message.content
    assert batch.id in [found.id for found in client.batches.list(limit=2)]


def test_embeddings(client):
    body = {"model": "embed", "input": "hi"}
    line = {"custom_id": "e", "method": "POST", "url": "/v1/embeddings", "body": body}
    file = upload(client, json.dumps(line).encode())
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h")
    done = ended(client, batch)
    assert done.status == "completed", done
    assert results(client, done.output_file_id)["e"]["response"]["body"]["data"]


def test_wrong_lines(client):
    content = lines("one") + b"\nnot json\n" + lines("x", url="/v1/embeddings")
    file = upload(client, content)
    batch = ended(client, client.batches.create(input_file_id=file.id, **WINDOW))
    assert batch.status == "failed"
    assert [(error.line, error.code) for error in batch.errors.data] == [
        (2, "invalid_json_line"), (3, "duplicate_custom_id"),
    ]


def test_failed_requests(client, upstream):
    upstream.reply({"error": {"message": "no such thing", "type": "invalid_request_error"}}, status=400)
    file = upload(client, lines("one"))
    done = ended(client, client.batches.create(input_file_id=file.id, **WINDOW))
    assert (done.status, done.output_file_id, done.request_counts.failed) == ("completed", None, 1)
    line = results(client, done.error_file_id)["r0"]
    assert line["response"]["status_code"] == 400
    assert "no such thing" in line["response"]["body"]["error"]["message"]


def test_cancel(client, upstream):
    gate = Gate()
    upstream.raw(gate, json.dumps(answer({"content": "late"})).encode())
    file = upload(client, lines(*(f"text {at}" for at in range(40))))
    batch = client.batches.create(input_file_id=file.id, **WINDOW)
    ended(client, batch, until=("in_progress", "finalizing"))
    cancelled = client.batches.cancel(batch.id)
    gate.open()
    assert cancelled.status in ("cancelling", "cancelled")
    done = ended(client, batch)
    assert done.status == "cancelled" and done.cancelled_at
    done = client.batches.cancel(batch.id)
    assert done.status == "cancelled"


async def test_async(aclient):
    file = await aclient.files.create(file=("in.jsonl", lines("one")), purpose="batch")
    batch = await aclient.batches.create(input_file_id=file.id, **WINDOW)
    end = time.monotonic() + 20
    while (batch := await aclient.batches.retrieve(batch.id)).status != "completed":
        assert time.monotonic() < end
    content = await aclient.files.content(batch.output_file_id)
    assert json.loads(content.text)["custom_id"] == "r0"


def test_killed(start, upstream):
    config = f"""
[gateway.batches]
concurrency = 2

[models.gpt.providers.mock]
type = "openai"
model_name = "mock-model"
api_base = "{upstream.url}/v1"
api_key_location = "env::MOCK_KEY"
"""
    first = start(config)
    with openai.OpenAI(base_url=f"{first.url}/v1", api_key="x", max_retries=0) as client:
        count = 200
        file = upload(client, lines(*(f"text {at}" for at in range(count))))
        batch = client.batches.create(input_file_id=file.id, **WINDOW)
        end = time.monotonic() + 20
        while client.batches.retrieve(batch.id).request_counts.completed < 20:
            assert time.monotonic() < end
    first.process.kill()
    first.process.wait()
    second = type(first).start(first.folder, config, {"MOCK_KEY": "sk-of-the-provider"})
    try:
        with openai.OpenAI(base_url=f"{second.url}/v1", api_key="x", max_retries=0) as client:
            done = ended(client, batch, seconds=40)
            assert (done.status, done.request_counts.completed) == ("completed", count)
            assert len(results(client, done.output_file_id)) == count
    finally:
        second.stop()
    # What was under way when it was killed is asked again, and nothing else.
    assert count <= len(upstream.requests) <= count + 2
