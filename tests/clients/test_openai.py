"""Chat completions through the `openai` client: what the caller wrote, what the provider got, and back."""

from __future__ import annotations

import json

import openai
import pydantic
import pytest

from gateway import events
from upstream import Drop, Gate, UntilClosed, chat_chunks, chunk

pytestmark = pytest.mark.openai

HI = [{"role": "user", "content": "hi"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a town",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def call(id: str, name: str, arguments: str) -> dict:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def answer(message: dict, finish: str = "stop", **more) -> dict:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "logprobs": None, "finish_reason": finish}
    return {
        "id": "chatcmpl-mock",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "mock-model",
        "choices": [choice],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        **more,
    }


def parse_method(client):
    """`parse` has moved out of `beta` over the years."""
    completions = client.chat.completions
    return completions.parse if hasattr(completions, "parse") else client.beta.chat.completions.parse


# Plain calls


def test_chat(client, upstream):
    completion = client.chat.completions.create(model="gpt", messages=HI, temperature=0.2, max_tokens=9)
    assert completion.choices[0].message.content == "Hello there."
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens == 10
    got = upstream.only
    assert got.path == "/v1/chat/completions"
    assert got.json == {"model": "mock-model", "messages": HI, "temperature": 0.2, "max_tokens": 9}


async def test_chat_async(aclient, upstream):
    completion = await aclient.chat.completions.create(model="gpt", messages=HI)
    assert completion.choices[0].message.content == "Hello there."
    assert upstream.only.json["model"] == "mock-model"


def test_the_callers_key_stays_here(client, upstream):
    client.chat.completions.create(model="gpt", messages=HI)
    assert upstream.only.headers["authorization"] == "Bearer sk-of-the-provider"
    assert "sk-of-the-caller" not in json.dumps(upstream.only.headers)


def test_unknown_members_pass_both_ways(client, gateway, upstream):
    body = b'{ "model" : "gpt", "messages":[{"role":"user","content":"h\\u00e9"}],  "seed":9007199254740993, "new_thing": {"b":1.0,"a":[null]} }'
    said = b'{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[],"from_the_future":{"n":1.50}}'
    upstream.reply(said)
    raw = gateway.post("/v1/chat/completions", body)
    assert raw.status == 200
    assert raw.body == said
    assert upstream.last.body == body.replace(b'"gpt"', b'"mock-model"')

    upstream.reply(answer({"content": "ok"}, from_the_future={"n": 1}))
    completion = client.chat.completions.create(model="gpt", messages=HI, extra_body={"new_thing": [1, {"x": None}]})
    assert upstream.last.json["new_thing"] == [1, {"x": None}]
    assert completion.model_extra["from_the_future"] == {"n": 1}


def test_null_stays_null(client, upstream):
    client.chat.completions.create(model="gpt", messages=HI, temperature=None)
    assert upstream.only.json["temperature"] is None


def test_several_choices(client, upstream):
    said = answer({"content": "one"})
    said["choices"].append({**said["choices"][0], "index": 1, "message": {"role": "assistant", "content": "two"}})
    upstream.reply(said)
    completion = client.chat.completions.create(model="gpt", messages=HI, n=2)
    assert [choice.message.content for choice in completion.choices] == ["one", "two"]
    assert upstream.only.json["n"] == 2


def test_image(client, upstream):
    content = [{"type": "text", "text": "what is it"}, {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}]
    client.chat.completions.create(model="gpt", messages=[{"role": "user", "content": content}])
    assert upstream.only.json["messages"][0]["content"] == content


def test_raw_response(client, upstream):
    upstream.reply(
        answer({"content": "ok"}),
        headers={"x-request-id": "req_provider", "x-ratelimit-remaining-requests": "41", "openai-processing-ms": "12"},
    )
    raw = client.chat.completions.with_raw_response.create(model="gpt", messages=HI)
    assert raw.headers["x-request-id"] == "req_provider"
    assert raw.headers["x-ratelimit-remaining-requests"] == "41"
    assert raw.headers["openai-processing-ms"] == "12"
    assert raw.headers["x-sabir-model"] == "gpt"
    assert raw.headers["x-sabir-provider"] == "mock"
    assert raw.headers["content-type"] == "application/json"
    completion = raw.parse()
    assert completion.choices[0].message.content == "ok"
    assert completion._request_id == "req_provider"


def test_every_answer_has_a_request_id(client, gateway):
    completion = client.chat.completions.create(model="gpt", messages=HI)
    assert completion._request_id
    assert gateway.row(completion._request_id)["status"] == "ok"


def test_a_model_with_slashes_and_colons(client, upstream):
    assert client.chat.completions.create(model="org/llama:70b", messages=HI).choices
    assert upstream.only.json["model"] == "mock-model"


@pytest.mark.parametrize("model", ["dummy::echo", "dummy/echo", "tensorzero::model_name::dummy::echo"])
def test_a_provider_without_configuration(client, model):
    completion = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "say this"}])
    assert completion.choices[0].message.content == "say this"
    assert completion.model == model


def test_the_next_provider_is_asked(client, upstream):
    raw = client.chat.completions.with_raw_response.create(model="fallback", messages=HI)
    assert raw.headers["x-sabir-provider"] == "mock"
    assert raw.parse().choices[0].message.content == "Hello there."
    assert len(upstream.requests) == 1


# Streams


def texts(stream) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def test_stream(client, upstream):
    with client.chat.completions.create(model="gpt", messages=HI, stream=True) as stream:
        chunks = list(stream)
    assert texts(chunks) == "Hello there."
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert all(chunk.usage is None for chunk in chunks)


async def test_stream_async(aclient):
    stream = await aclient.chat.completions.create(model="gpt", messages=HI, stream=True)
    chunks = [chunk async for chunk in stream]
    assert texts(chunks) == "Hello there."


def test_stream_with_usage(client):
    stream = client.chat.completions.create(
        model="gpt", messages=HI, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens == 7
    assert all(chunk.usage is None for chunk in chunks[:-1])


# What is sent does not wait for what comes later.
def test_chunks_arrive_at_once(client, upstream):
    gate = Gate()
    before, after = chat_chunks("one", " two")[:2], chat_chunks("one", " two")[2:]
    upstream.stream(*before, gate, *after, "[DONE]")
    stream = client.chat.completions.create(model="gpt", messages=HI, stream=True)
    assert next(stream).choices[0].delta.role == "assistant"
    assert next(stream).choices[0].delta.content == "one"
    gate.open()
    assert texts(stream) == " two"


def check_wire(raw, usage: bool = False) -> list[dict]:
    """What clients of every age need a chat stream to be."""
    assert raw.status == 200
    assert raw.headers["content-type"].startswith("text/event-stream")
    found = events(raw.body)
    assert found[-1] == "[DONE]"
    assert found.count("[DONE]") == 1
    chunks = [json.loads(data) for data in found[:-1]]
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        assert chunk["id"] and chunk["model"] and isinstance(chunk["created"], int)
    last = chunks.pop() if usage else None
    if last:
        assert last["choices"] == [] and last["usage"]["total_tokens"]
    roles, ends = [], []
    for at, chunk in enumerate(chunks):
        assert not chunk.get("usage")
        (choice,) = chunk["choices"]
        delta = choice["delta"]
        roles += [at] if "role" in delta else []
        ends += [at] if choice.get("finish_reason") else []
        assert delta.get("content", "") is not None
    assert roles == [0]
    assert ends == [len(chunks) - 1]
    return chunks


@pytest.mark.parametrize("model", ["gpt", "claude", "gemini", "dummy::good"])
@pytest.mark.parametrize("usage", [False, True])
def test_the_wire_of_a_stream(gateway, upstream, model, usage):
    if model == "claude":
        upstream.stream(*claude_events("Hello", " there."))
    if model == "gemini":
        upstream.stream(*gemini_events("Hello", " there."))
    body = {"model": model, "messages": HI, "stream": True}
    if usage:
        body["stream_options"] = {"include_usage": True}
    raw = gateway.post("/v1/chat/completions", body)
    chunks = check_wire(raw, usage)
    said = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert said.startswith("Wally" if model == "dummy::good" else "Hello there.")
    assert not chunks[0]["choices"][0]["delta"].get("content")
    assert chunks[-1]["choices"][0]["delta"] == {}


def test_usage_is_asked_for_even_if_the_caller_does_not(gateway, upstream):
    raw = gateway.post("/v1/chat/completions", {"model": "gpt", "messages": HI, "stream": True})
    check_wire(raw)
    assert upstream.only.json["stream_options"] == {"include_usage": True}
    row = gateway.row(raw.headers["x-sabir-inference-id"])
    assert (row["input_tokens"], row["output_tokens"]) == (7, 2)


def test_an_error_in_the_middle_of_a_stream(client, upstream):
    first = chat_chunks("one")[:2]
    upstream.stream(*first, {"error": {"message": "the model fell over", "type": "server_error", "code": "oops"}})
    stream = client.chat.completions.create(model="gpt", messages=HI, stream=True)
    seen = []
    with pytest.raises(openai.APIError, match="the model fell over"):
        for chunk in stream:
            seen.append(chunk)
    assert texts(seen) == "one"


def test_a_stream_that_breaks_off_is_an_error(client, upstream):
    upstream.stream(*chat_chunks("one")[:2], Drop())
    stream = client.chat.completions.create(model="gpt", messages=HI, stream=True)
    with pytest.raises(openai.APIError):
        list(stream)


def test_garbage_in_the_middle_of_a_stream_is_an_error(client, upstream):
    upstream.stream(*chat_chunks("one")[:2], b"data: {not json\n\n", "[DONE]")
    stream = client.chat.completions.create(model="gpt", messages=HI, stream=True)
    with pytest.raises(openai.APIError):
        list(stream)


# Who leaves in the middle of a stream is not billed for the rest of it.
def test_closing_a_stream_cancels_the_call(client, gateway, upstream):
    upstream.stream(*chat_chunks("one")[:2], UntilClosed())
    raw = client.chat.completions.with_raw_response.create(model="gpt", messages=HI, stream=True)
    stream = raw.parse()
    assert next(stream).choices[0].delta.role == "assistant"
    stream.response.close()
    assert upstream.only.closed.wait(2.0), "the provider still works on a call that nobody waits for"
    row = gateway.row(raw.headers["x-sabir-inference-id"])
    assert row["status"] == "cancelled"
    assert "one" in row["output"]


async def test_closing_a_stream_cancels_the_call_async(aclient, gateway, upstream):
    upstream.stream(*chat_chunks("one")[:2], UntilClosed())
    raw = await aclient.chat.completions.with_raw_response.create(model="gpt", messages=HI, stream=True)
    stream = raw.parse()
    async for _ in stream:
        break
    await stream.response.aclose()
    assert upstream.only.closed.wait(2.0)
    assert gateway.row(raw.headers["x-sabir-inference-id"])["status"] == "cancelled"


# Tools


def test_a_tool_loop(client, upstream):
    upstream.reply(answer({"content": None, "tool_calls": [call("call_1", "weather", '{"town":"Ulm"}')]}, "tool_calls"))
    messages = [*HI]
    completion = client.chat.completions.create(model="gpt", messages=messages, tools=[WEATHER], tool_choice="auto")
    message = completion.choices[0].message
    assert completion.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls[0].function.name == "weather"
    assert json.loads(message.tool_calls[0].function.arguments) == {"town": "Ulm"}
    messages += [message, {"role": "tool", "tool_call_id": "call_1", "content": "rain"}]
    completion = client.chat.completions.create(model="gpt", messages=messages, tools=[WEATHER])
    assert completion.choices[0].message.content == "Hello there."
    sent = upstream.last.json["messages"]
    assert sent[1]["tool_calls"] == [call("call_1", "weather", '{"town":"Ulm"}')]
    assert sent[2] == {"role": "tool", "tool_call_id": "call_1", "content": "rain"}


def test_parallel_tools(client, upstream):
    calls = [call("call_1", "weather", '{"town":"Ulm"}'), call("call_2", "weather", '{"town":"Bonn"}')]
    upstream.reply(answer({"content": None, "tool_calls": calls}, "tool_calls"))
    completion = client.chat.completions.create(model="gpt", messages=HI, tools=[WEATHER], parallel_tool_calls=True)
    assert [call.id for call in completion.choices[0].message.tool_calls] == ["call_1", "call_2"]
    assert upstream.only.json["parallel_tool_calls"] is True


def tool_chunks() -> list[dict]:
    deltas = [
        {"role": "assistant", "content": None},
        {"tool_calls": [{"index": 0, **call("call_1", "weather", "")}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"town"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ':"Ulm"}'}}]},
        {"tool_calls": [{"index": 1, **call("call_2", "weather", '{"town":"Bonn"}')}]},
    ]
    chunks = [chunk({"index": 0, "delta": delta, "finish_reason": None}) for delta in deltas]
    return [*chunks, chunk({"index": 0, "delta": {}, "finish_reason": "tool_calls"})]


def collect_calls(stream) -> list[tuple[str, str, str]]:
    """Adds the pieces up as applications do it: by index."""
    calls: dict[int, list[str]] = {}
    for chunk in stream:
        for piece in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            call = calls.setdefault(piece.index, ["", "", ""])
            call[0] += piece.id or ""
            call[1] += piece.function.name or ""
            call[2] += piece.function.arguments or ""
    return [tuple(calls[index]) for index in sorted(calls)]


def test_streamed_tools(client, upstream):
    upstream.stream(*tool_chunks(), "[DONE]")
    stream = client.chat.completions.create(model="gpt", messages=HI, tools=[WEATHER], stream=True)
    assert collect_calls(stream) == [
        ("call_1", "weather", '{"town":"Ulm"}'),
        ("call_2", "weather", '{"town":"Bonn"}'),
    ]


def test_legacy_functions(client, upstream):
    function = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
    upstream.reply(answer({"content": None, "function_call": {"name": "weather", "arguments": "{}"}}, "function_call"))
    completion = client.chat.completions.create(model="gpt", messages=HI, functions=[function], function_call="auto")
    assert completion.choices[0].finish_reason == "function_call"
    assert completion.choices[0].message.function_call.name == "weather"
    assert upstream.only.json["functions"] == [function]


# Answers in a given form


class Town(pydantic.BaseModel):
    name: str
    people: int


@pytest.mark.parametrize("model", ["gpt", "gemini"])
def test_parse(client, upstream, model):
    text = '{"name":"Ulm","people":126000}'
    if model == "gpt":
        upstream.reply(answer({"content": text, "refusal": None}))
    else:
        upstream.reply(gemini({"text": text}))
    completion = parse_method(client)(model=model, messages=HI, response_format=Town)
    assert completion.choices[0].message.parsed == Town(name="Ulm", people=126000)
    sent = upstream.only.json
    if model == "gpt":
        assert sent["response_format"]["json_schema"]["strict"] is True
        assert sent["response_format"]["json_schema"]["schema"]["required"] == ["name", "people"]
    else:
        assert sent["generationConfig"]["responseMimeType"] == "application/json"


async def test_parse_async(aclient, upstream):
    upstream.reply(answer({"content": '{"name":"Ulm","people":1}', "refusal": None}))
    completion = await parse_method(aclient)(model="gpt", messages=HI, response_format=Town)
    assert completion.choices[0].message.parsed.name == "Ulm"


def test_parse_of_an_answer_that_was_cut_off(client, upstream):
    upstream.reply(answer({"content": '{"name":', "refusal": None}, "length"))
    with pytest.raises(openai.LengthFinishReasonError):
        parse_method(client)(model="gpt", messages=HI, response_format=Town)


def test_json_object(client, upstream):
    client.chat.completions.create(model="gpt", messages=HI, response_format={"type": "json_object"})
    assert upstream.only.json["response_format"] == {"type": "json_object"}


# Azure's paths


def test_azure(gateway, upstream):
    with openai.AzureOpenAI(
        azure_endpoint=gateway.url, api_version="2024-10-21", api_key="sk-of-the-caller", max_retries=0
    ) as client:
        assert client.chat.completions.create(model="gpt", messages=HI).choices[0].message.content == "Hello there."
        assert upstream.last.json["model"] == "mock-model"
        assert texts(client.chat.completions.create(model="gpt", messages=HI, stream=True)) == "Hello there."
        assert client.embeddings.create(model="embed", input="x", encoding_format="float").data[0].embedding
        assert upstream.last.json["model"] == "mock-embed"
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="not-there", messages=HI)


# Providers that speak another protocol


def claude_events(*texts: str) -> list:
    start = {"type": "message_start", "message": {
        "id": "msg_mock", "type": "message", "role": "assistant", "model": "mock-claude", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 1},
    }}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in texts
    ]
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 3}}
    all_ = [start, block, {"type": "ping"}, *deltas, {"type": "content_block_stop", "index": 0}, end, {"type": "message_stop"}]
    return [(event["type"], event) for event in all_]


def claude_tool_events() -> list:
    events = claude_events("Let me see.")
    tool = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
    more = [
        {"type": "content_block_start", "index": 1, "content_block": tool},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"town":'}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '"Ulm"}'}},
        {"type": "content_block_stop", "index": 1},
    ]
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 9}}
    return [*events[:-2], *((event["type"], event) for event in more), ("message_delta", end), events[-1]]


def gemini(*parts: dict, finish: str | None = "STOP") -> dict:
    candidate = {"index": 0, "content": {"role": "model", "parts": list(parts)}}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10},
        "modelVersion": "mock-gemini",
        "responseId": "mock-response",
    }


def gemini_events(*texts: str) -> list[dict]:
    *before, last = texts
    return [*(gemini({"text": text}, finish=None) for text in before), gemini({"text": last})]


SYSTEM = [{"role": "system", "content": "Be short."}, *HI]


def test_claude(client, upstream):
    completion = client.chat.completions.create(model="claude", messages=SYSTEM, max_tokens=50, temperature=0.5)
    assert completion.choices[0].message.content == "Hello there."
    assert completion.choices[0].finish_reason == "stop"
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (7, 3)
    assert completion.model == "claude"
    got = upstream.only
    assert got.path == "/v1/messages"
    assert got.headers["x-api-key"] == "sk-of-the-provider"
    assert got.headers["anthropic-version"] == "2023-06-01"
    sent = got.json
    assert sent["model"] == "mock-claude"
    assert sent["max_tokens"] == 50
    assert "Be short." in json.dumps(sent["system"])
    assert [message["role"] for message in sent["messages"]] == ["user"]


def test_claude_stream(client, upstream):
    upstream.stream(*claude_events("Hello", " there."))
    stream = client.chat.completions.create(
        model="claude", messages=HI, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert texts(chunks) == "Hello there."
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (7, 3)
    assert upstream.only.json["stream"] is True


def test_claude_tools(client, upstream):
    upstream.reply({
        "id": "msg_mock", "type": "message", "role": "assistant", "model": "mock-claude",
        "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"town": "Ulm"}}],
        "stop_reason": "tool_use", "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 3},
    })
    completion = client.chat.completions.create(model="claude", messages=HI, tools=[WEATHER], tool_choice="required")
    message = completion.choices[0].message
    assert completion.choices[0].finish_reason == "tool_calls"
    assert message.content is None
    assert json.loads(message.tool_calls[0].function.arguments) == {"town": "Ulm"}
    sent = upstream.only.json
    assert sent["tools"][0]["input_schema"] == WEATHER["function"]["parameters"]
    assert sent["tool_choice"] == {"type": "any"}

    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"}
    client.chat.completions.create(model="claude", messages=[*HI, message, result], tools=[WEATHER])
    sent = upstream.last.json["messages"]
    assert sent[1]["content"] == [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"town": "Ulm"}}]
    assert sent[2]["role"] == "user"
    assert sent[2]["content"][0]["type"] == "tool_result"
    assert sent[2]["content"][0]["tool_use_id"] == "toolu_1"


def test_claude_streamed_tools(client, upstream):
    upstream.stream(*claude_tool_events())
    chunks = list(client.chat.completions.create(model="claude", messages=HI, tools=[WEATHER], stream=True))
    assert texts(chunks) == "Let me see."
    assert collect_calls(chunks) == [("toolu_1", "weather", '{"town":"Ulm"}')]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_claude_image(client, upstream):
    content = [{"type": "text", "text": "what is it"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    client.chat.completions.create(model="claude", messages=[{"role": "user", "content": content}])
    image = upstream.only.json["messages"][0]["content"][1]
    assert image["source"] == {"type": "base64", "media_type": "image/png", "data": PIXEL.split(",")[1]}


def test_claude_legacy_functions(client, upstream):
    upstream.reply({
        "id": "msg_mock", "type": "message", "role": "assistant", "model": "mock-claude",
        "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"town": "Ulm"}}],
        "stop_reason": "tool_use", "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 3},
    })
    completion = client.chat.completions.create(model="claude", messages=HI, functions=[WEATHER["function"]])
    assert completion.choices[0].finish_reason == "function_call"
    assert json.loads(completion.choices[0].message.function_call.arguments) == {"town": "Ulm"}
    assert upstream.only.json["tools"][0]["name"] == "weather"


def test_claude_error_in_a_stream(client, upstream):
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    upstream.stream(*claude_events("one")[:4], ("error", error))
    stream = client.chat.completions.create(model="claude", messages=HI, stream=True)
    with pytest.raises(openai.APIError, match="Overloaded"):
        list(stream)


def test_what_claude_cannot_carry_is_said(client, gateway, upstream):
    body = {"model": "claude", "messages": HI, "frequency_penalty": 0.5}
    raw = gateway.post("/v1/chat/completions", body)
    named = raw.headers.get("x-sabir-warnings", "") if raw.status == 200 else raw.text
    assert "frequency_penalty" in named


def test_gemini(client, upstream):
    completion = client.chat.completions.create(model="gemini", messages=SYSTEM, max_tokens=50)
    assert completion.choices[0].message.content == "Hello there."
    assert completion.choices[0].finish_reason == "stop"
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (7, 3)
    got = upstream.only
    assert got.path == "/v1beta/models/mock-gemini:generateContent"
    assert got.headers["x-goog-api-key"] == "sk-of-the-provider"
    assert got.json["systemInstruction"]["parts"] == [{"text": "Be short."}]
    assert got.json["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]
    assert got.json["generationConfig"]["maxOutputTokens"] == 50


def test_gemini_stream(client, upstream):
    upstream.stream(*gemini_events("Hello", " there."))
    chunks = list(client.chat.completions.create(model="gemini", messages=HI, stream=True))
    assert texts(chunks) == "Hello there."
    assert upstream.only.path == "/v1beta/models/mock-gemini:streamGenerateContent?alt=sse"


@pytest.mark.parametrize("stream", [False, True])
def test_gemini_tools(client, upstream, stream):
    said = gemini({"functionCall": {"name": "weather", "args": {"town": "Ulm"}}})
    upstream.stream(said) if stream else upstream.reply(said)
    answer = client.chat.completions.create(model="gemini", messages=HI, tools=[WEATHER], stream=stream)
    if stream:
        ((id, name, arguments),) = collect_calls(answer)
    else:
        assert answer.choices[0].finish_reason == "tool_calls"
        (found,) = answer.choices[0].message.tool_calls
        id, name, arguments = found.id, found.function.name, found.function.arguments
    assert id and name == "weather" and json.loads(arguments) == {"town": "Ulm"}
    assert upstream.only.json["tools"][0]["functionDeclarations"][0]["name"] == "weather"

    said = {"role": "assistant", "content": None, "tool_calls": [call(id, name, arguments)]}
    result = {"role": "tool", "tool_call_id": id, "content": "rain"}
    client.chat.completions.create(model="gemini", messages=[*HI, said, result], tools=[WEATHER])
    sent = upstream.last.json["contents"]
    assert sent[1]["parts"][0]["functionCall"]["args"] == {"town": "Ulm"}
    assert sent[2]["parts"][0]["functionResponse"]["name"] == "weather"


def test_gemini_image(client, upstream):
    content = [{"type": "text", "text": "what is it"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    client.chat.completions.create(model="gemini", messages=[{"role": "user", "content": content}])
    image = upstream.only.json["contents"][0]["parts"][1]
    assert image == {"inlineData": {"mimeType": "image/png", "data": PIXEL.split(",")[1]}}


def test_gemini_error(client, upstream):
    upstream.reply(
        {"error": {"code": 400, "message": "contents is not specified", "status": "INVALID_ARGUMENT"}}, status=400
    )
    with pytest.raises(openai.BadRequestError, match="contents is not specified"):
        client.chat.completions.create(model="gemini", messages=HI)
