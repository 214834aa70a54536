"""The `openai` client's Responses API: on any provider, kept by the gateway."""

from __future__ import annotations

import json

import openai
import pytest
from pydantic import BaseModel

from upstream import RESPONSE, Drop, chat_chunks
from words import HI, answer, call, claude_events, claude_tool_events, response_events

TOWN = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a town",
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    "strict": False,
}


def test_text(client, upstream):
    response = client.responses.create(
        model="gpt", input="hi", instructions="Be short.", max_output_tokens=50, temperature=0.5, metadata={"a": "b"}
    )
    assert response.output_text == "Hello there."
    assert (response.status, response.model, response.error) == ("completed", "gpt", None)
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (7, 3, 10)
    assert (response.temperature, response.metadata, response.tools) == (0.5, {"a": "b"}, [])
    sent = upstream.only.json
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["max_completion_tokens"] == 50


@pytest.mark.parametrize("model", ["gpt", "claude"])
def test_stream(client, upstream, model):
    if model == "gpt":
        upstream.chat("Hello", " there.", usage=True)
    else:
        upstream.stream(*claude_events("Hello", " there."))
    with client.responses.stream(model=model, input="hi") as stream:
        events = list(stream)
        final = stream.get_final_response()
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert deltas == ["Hello", " there."]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert final.output_text == "Hello there."
    assert final.usage.input_tokens == 7
    assert client.responses.retrieve(final.id).output_text == "Hello there."


async def test_async_stream(aclient):
    stream = await aclient.responses.create(model="gpt", input=HI, stream=True)
    text = ""
    async for event in stream:
        if event.type == "response.output_text.delta":
            text += event.delta
    assert text == "Hello there."


def test_tools_in_turns(client, upstream):
    message = {"content": None, "tool_calls": [call("call_1", "weather", '{"town":"Ulm"}')]}
    upstream.reply(answer(message, "tool_calls"))
    first = client.responses.create(model="gpt", input="How is Ulm?", tools=[TOWN])
    (item,) = first.output
    assert (item.type, item.call_id, item.name) == ("function_call", "call_1", "weather")
    assert json.loads(item.arguments) == {"town": "Ulm"}
    assert upstream.last.json["tools"][0]["function"]["name"] == "weather"

    result = {"type": "function_call_output", "call_id": item.call_id, "output": "rain"}
    second = client.responses.create(model="gpt", input=[result], tools=[TOWN], previous_response_id=first.id)
    assert second.output_text == "Hello there."
    assert second.previous_response_id == first.id
    sent = upstream.last.json["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert sent[2] == {"role": "tool", "tool_call_id": "call_1", "content": "rain"}

    items = client.responses.input_items.list(second.id, order="asc")
    assert [item.type for item in items] == ["message", "function_call", "function_call_output"]


def test_streamed_tools(client, upstream):
    upstream.stream(*claude_tool_events())
    with client.responses.stream(model="claude", input="How is Ulm?", tools=[TOWN]) as stream:
        events = list(stream)
        final = stream.get_final_response()
    text, tool = final.output
    assert text.content[0].text == "Let me see."
    assert (tool.name, json.loads(tool.arguments)) == ("weather", {"town": "Ulm"})
    (done,) = [event for event in events if event.type == "response.function_call_arguments.done"]
    assert json.loads(done.arguments) == {"town": "Ulm"}


def test_items_sent_back(client, upstream):
    thinking = [
        {"type": "thinking", "thinking": "Ulm it is.", "signature": "sig-of-claude"},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"town": "Ulm"}},
    ]
    upstream.reply({
        "id": "msg_mock", "type": "message", "role": "assistant", "model": "mock-claude", "content": thinking,
        "stop_reason": "tool_use", "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 3},
    })
    asked = [{"role": "user", "content": "How is Ulm?"}]
    first = client.responses.create(model="claude", input=asked, tools=[TOWN], store=False)
    assert [item.type for item in first.output] == ["reasoning", "function_call"]
    result = {"type": "function_call_output", "call_id": "toolu_1", "output": "rain"}
    client.responses.create(model="claude", input=[*asked, *first.output, result], tools=[TOWN], store=False)
    # The thought comes back to its maker, with its signature.
    assert upstream.last.json["messages"][1]["content"] == thinking


def test_structured(client, upstream):
    class Town(BaseModel):
        name: str

    upstream.reply(answer({"content": '{"name":"Ulm"}'}))
    response = client.responses.parse(model="gpt", input="a town", text_format=Town)
    assert response.output_parsed == Town(name="Ulm")
    assert upstream.only.json["response_format"]["json_schema"]["name"] == "Town"


def test_cut_off(client, upstream):
    upstream.chat("Hel", finish="length")
    with client.responses.stream(model="gpt", input="hi") as stream:
        final = stream.get_final_response() if list(stream)[-1].type == "response.completed" else None
    assert final is None
    upstream.reply(answer({"content": "Hel"}, "length"))
    response = client.responses.create(model="gpt", input="hi")
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_broken_stream(client, upstream):
    upstream.stream(*chat_chunks("Hel")[:2], Drop())
    with pytest.raises(openai.APIError) as error:
        list(client.responses.create(model="gpt", input="hi", stream=True))
    assert error.value.message


def test_native(client, upstream):
    response = client.responses.create(model="native", input="hi", reasoning={"effort": "low"})
    assert response.output_text == "Hello there."
    assert response.id == RESPONSE["id"]
    got = upstream.only
    assert (got.path, got.json["model"]) == ("/v1/responses", "mock-model")
    upstream.stream(*response_events("Hello", " there."))
    with client.responses.stream(model="native", input="hi") as stream:
        list(stream)
        assert stream.get_final_response().output_text == "Hello there."


def test_native_by_chat(client, upstream):
    completion = client.chat.completions.create(model="native", messages=HI)
    assert completion.choices[0].message.content == "Hello there."
    assert upstream.only.path == "/v1/responses"


def test_not_here(client):
    for member in ({"conversation": "conv_1"}, {"previous_response_id": "resp_" + "0" * 32}):
        with pytest.raises(openai.BadRequestError) as error:
            client.responses.create(model="gpt", input="hi", **member)
        assert error.value.param == next(iter(member))
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_" + "0" * 32)
