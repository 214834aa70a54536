"""The `anthropic` client's message batches: run by the gateway, on any provider."""

from __future__ import annotations

import time

import anthropic
import pytest


@pytest.fixture(params=["/anthropic", ""])
def claude(gateway, request):
    url = f"{gateway.url}{request.param}"
    with anthropic.Anthropic(base_url=url, api_key="sk-of-the-caller", max_retries=0) as client:
        yield client


def request(custom_id: str, model: str, text: str = "hi") -> dict:
    params = {"model": model, "max_tokens": 20, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "params": params}


def ended(client, batch, seconds: float = 20.0):
    end = time.monotonic() + seconds
    while (batch := client.messages.batches.retrieve(batch.id)).processing_status != "ended":
        assert time.monotonic() < end, f"the batch is still {batch.processing_status}"
        time.sleep(0.02)
    return batch


def test_batch(claude):
    models = ["claude", "gpt", "gemini", "dummy::good", "nobody"]
    batch = claude.messages.batches.create(requests=[request(f"r-{at}", model) for at, model in enumerate(models)])
    assert (batch.type, batch.processing_status, batch.results_url) == ("message_batch", "in_progress", None)
    assert batch.request_counts.processing == len(models)
    done = ended(claude, batch)
    counts = done.request_counts
    assert (counts.succeeded, counts.errored, counts.processing) == (4, 1, 0)
    assert done.ended_at >= done.created_at and done.results_url
    results = {line.custom_id: line.result for line in claude.messages.batches.results(batch.id)}
    assert len(results) == len(models)
    for at in range(4):
        result = results[f"r-{at}"]
        assert result.type == "succeeded"
        assert result.message.content[0].text
        assert result.message.role == "assistant"
    failed = results["r-4"]
    assert (failed.type, failed.error.error.type) == ("errored", "not_found_error")
    assert batch.id in [found.id for found in claude.messages.batches.list(limit=2)]
    deleted = claude.messages.batches.delete(batch.id)
    assert (deleted.id, deleted.type) == (batch.id, "message_batch_deleted")
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.batches.retrieve(batch.id)


def test_cancel(claude):
    batch = claude.messages.batches.create(requests=[request(f"r{at}", "dummy::slow") for at in range(30)])
    cancelled = claude.messages.batches.cancel(batch.id)
    assert cancelled.processing_status in ("canceling", "ended")
    assert cancelled.cancel_initiated_at
    done = ended(claude, batch, 60)
    counts = done.request_counts
    assert counts.canceled and counts.succeeded + counts.canceled == 30
    kinds = [line.result.type for line in claude.messages.batches.results(batch.id)]
    assert len(kinds) == 30 and set(kinds) <= {"succeeded", "canceled"}


def test_pages(claude):
    made = [claude.messages.batches.create(requests=[request("r", "claude")]).id for _ in range(3)]
    page = claude.messages.batches.list(limit=1, after_id=made[2])
    assert [batch.id for batch in page.data] == [made[1]]
    back = claude.messages.batches.list(limit=1, before_id=made[1])
    assert [batch.id for batch in back.data] == [made[2]]


def test_wrong(claude):
    for requests, words in (
        ([], "requests"),
        ([request("a", "claude"), request("a", "claude")], "requests.1.custom_id"),
        ([{"custom_id": "a", "params": {"max_tokens": 5, "messages": []}}], "requests.0.params.model"),
    ):
        with pytest.raises(anthropic.BadRequestError) as error:
            claude.messages.batches.create(requests=requests)
        assert words in error.value.message
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.batches.retrieve("msgbatch_nobody")
