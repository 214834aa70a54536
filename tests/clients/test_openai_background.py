"""The `openai` client's Responses API when nobody waits: background, conversations, deletion, counting."""

from __future__ import annotations

import time

import openai
import pytest

from upstream import Gate, chat_chunks
from words import HI, claude_events


def ended(client, response, seconds: float = 20.0):
    end = time.monotonic() + seconds
    while (response := client.responses.retrieve(response.id)).status in ("queued", "in_progress"):
        assert time.monotonic() < end
        time.sleep(0.02)
    return response


@pytest.mark.parametrize("model", ["gpt", "claude", "gemini", "native"])
def test_background(client, model):
    queued = client.responses.create(model=model, input=HI, background=True, metadata={"a": "b"})
    assert queued.status in ("queued", "in_progress") and queued.background is True
    done = ended(client, queued)
    assert (done.status, done.id, done.output_text) == ("completed", queued.id, "Hello there.")
    assert done.background is True and done.usage.output_tokens == 3
    items = client.responses.input_items.list(done.id, order="asc")
    assert [item.role for item in items] == ["user"]
    again = client.responses.create(model="gpt", input="and?", previous_response_id=done.id)
    assert again.previous_response_id == done.id


def test_stream_and_again(client, upstream):
    gate = Gate()
    one, two, *rest = chat_chunks("Hello", " there.", usage=True)
    upstream.stream(one, two, gate, *rest, "[DONE]")
    first, response_id = None, None
    with client.responses.create(model="gpt", input=HI, background=True, stream=True) as stream:
        for event in stream:
            if event.type == "response.created":
                response_id = event.response.id
                assert event.response.status == "queued"
            first = event.sequence_number
            if event.type == "response.output_text.delta":
                break
    # The one who asked has left; the answer is made all the same.
    gate.open()
    with client.responses.retrieve(response_id, stream=True, starting_after=first) as stream:
        rest = list(stream)
    assert [event.sequence_number for event in rest] == list(range(first + 1, first + 1 + len(rest)))
    assert rest[-1].type == "response.completed"
    assert rest[-1].response.id == response_id
    assert rest[-1].response.output_text == "Hello there."
    assert ended(client, rest[-1].response).output_text == "Hello there."


def test_stream_helper(client):
    with client.responses.stream(model="gpt", input=HI, background=True) as stream:
        final = stream.get_final_response()
    with client.responses.stream(response_id=final.id) as stream:
        assert stream.get_final_response().output_text == final.output_text == "Hello there."


def test_cancel(client, upstream):
    gate = Gate()
    upstream.stream(*chat_chunks("Hello")[:2], gate)
    response_id = None
    with client.responses.create(model="gpt", input=HI, background=True, stream=True) as stream:
        for event in stream:
            if event.type == "response.created":
                response_id = event.response.id
            if event.type == "response.output_text.delta":
                break
    cancelled = client.responses.cancel(response_id)
    assert cancelled.status == "cancelled"
    assert client.responses.cancel(response_id).status == "cancelled"
    assert client.responses.retrieve(response_id).status == "cancelled"
    gate.open()
    plain = client.responses.create(model="gpt", input=HI)
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(plain.id)


def test_delete(client):
    for response in (
        client.responses.create(model="gpt", input=HI),
        ended(client, client.responses.create(model="gpt", input=HI, background=True)),
    ):
        client.responses.delete(response.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(response.id)
        with pytest.raises(openai.BadRequestError):
            client.responses.create(model="gpt", input=HI, previous_response_id=response.id)


def test_not_kept(client):
    response = client.responses.create(model="gpt", input=HI, store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.create(model="gpt", input=HI, store=False, background=True)
    assert error.value.param == "background"


def test_conversation(client, upstream):
    talk = client.conversations.create(items=[{"role": "user", "content": "before"}], metadata={"a": "b"})
    assert (talk.object, talk.metadata) == ("conversation", {"a": "b"})
    first = client.responses.create(model="gpt", input="one", conversation=talk.id)
    assert first.conversation.id == talk.id
    upstream.stream(*claude_events("Hello", " there."))
    with client.responses.stream(model="claude", input="two", conversation=talk.id) as stream:
        stream.get_final_response()
    roles = [item.role for item in client.conversations.items.list(talk.id, order="asc")]
    assert roles == ["user", "user", "assistant", "user", "assistant"]
    assert len(upstream.last.json["messages"]) >= 3
    items = client.conversations.items.create(talk.id, items=[{"type": "message", "role": "user", "content": "three"}])
    (item,) = items.data
    assert client.conversations.items.retrieve(item.id, conversation_id=talk.id).content[0].text == "three"
    assert client.conversations.items.delete(item.id, conversation_id=talk.id).id == talk.id
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.retrieve(item.id, conversation_id=talk.id)
    pages = client.conversations.items.list(talk.id, limit=2)
    assert len(list(pages)) == 5
    assert client.conversations.update(talk.id, metadata={"c": "d"}).metadata == {"c": "d"}
    assert client.conversations.retrieve(talk.id).metadata == {"c": "d"}
    assert client.conversations.delete(talk.id).deleted is True
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(talk.id)


def test_item_by_name(client, upstream):
    first = client.responses.create(model="gpt", input=HI)
    named = {"type": "item_reference", "id": first.output[0].id}
    client.responses.create(model="gpt", input=[named, {"role": "user", "content": "go on"}])
    assert upstream.last.json["messages"][0] == {"role": "assistant", "content": "Hello there."}


def test_input_tokens(client, upstream):
    upstream.reply({"input_tokens": 42})
    counted = client.responses.input_tokens.count(model="claude", input=HI)
    assert (counted.object, counted.input_tokens) == ("response.input_tokens", 42)
    assert upstream.last.path == "/v1/messages/count_tokens"
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.input_tokens.count(model="gpt", input=HI)
    assert error.value.param == "model"


def test_compact(client, upstream):
    usage = {
        "input_tokens": 7, "output_tokens": 3, "total_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
    }
    upstream.reply({
        "id": "resp_c", "object": "response.compaction", "created_at": 1700000000, "usage": usage,
        "output": [{"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAA"}],
    })
    compacted = client.responses.compact(model="native", input=HI)
    assert compacted.output[0].type == "compaction"
    assert (upstream.last.path, upstream.last.json["model"]) == ("/v1/responses/compact", "mock-model")
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.compact(model="gpt", input=HI)
    assert error.value.param == "model"


async def test_async(aclient):
    queued = await aclient.responses.create(model="gpt", input=HI, background=True)
    end = time.monotonic() + 20
    while (response := await aclient.responses.retrieve(queued.id)).status != "completed":
        assert time.monotonic() < end
    assert response.output_text == "Hello there."
    await aclient.responses.delete(queued.id)
