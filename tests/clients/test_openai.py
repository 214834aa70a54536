"""Chat completions through the `openai` client: what the caller wrote, what the provider got, and back."""

from __future__ import annotations

import json

import openai
import pydantic
import pytest

from gateway import events
from upstream import Drop, Gate, UntilClosed, chat_chunks, chunk
from words import HI, PIXEL, WEATHER, answer, call, claude_events, collect_calls, gemini, gemini_events, texts

pytestmark = pytest.mark.openai

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
    # Not a byte changes but the model's name, whatever a number or a letter looks like.
    body = b'{ "model" : "gpt", "messages":[{"role":"user","content":"h\\u00e9"}],  "seed":9007199254740993, "new_thing": {"b":1.0,"a":[null]} }'
    said = b'{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"\\u00e9"},"finish_reason":"stop"}],"from_the_future":{"n":1.50}}'
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


def test_the_usage_of_a_stream_is_recorded(gateway, upstream):
    body = {"model": "gpt", "messages": HI, "stream": True, "stream_options": {"include_usage": True}}
    raw = gateway.post("/v1/chat/completions", body)
    row = gateway.row(raw.headers["x-sabir-inference-id"])
    assert (row["status"], row["input_tokens"], row["output_tokens"]) == ("ok", 7, 2)


# Comments keep a stream alive; any other line would be an event to old clients.
def test_comments_of_the_provider_do_no_harm(client, upstream):
    first, *rest = chat_chunks("one")
    upstream.stream(b": ping\n\n", first, b": ping\n\n", *rest, "[DONE]")
    assert texts(client.chat.completions.create(model="gpt", messages=HI, stream=True)) == "one"


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
    # The bytes go through as they are, so it is the client that finds the piece that is none.
    with pytest.raises((openai.APIError, ValueError)):
        list(stream)


# Who leaves in the middle of a stream is not billed for the rest of it.
def test_closing_a_stream_cancels_the_call(client, gateway, upstream):
    upstream.stream(*chat_chunks("one")[:2], UntilClosed())
    raw = client.chat.completions.with_raw_response.create(model="gpt", messages=HI, stream=True)
    stream = raw.parse()
    assert next(stream).choices[0].delta.role == "assistant"
    stream.response.close()
    assert upstream.only.closed.wait(2.0), "the provider still works on a call that nobody waits for"
    assert gateway.row(raw.headers["x-sabir-inference-id"])["status"] == "cancelled"


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


# TensorZero's members, which this door understands as well


def test_a_call_of_an_episode(client, gateway, upstream):
    first = client.chat.completions.create(model="tensorzero::model_name::gpt", messages=HI)
    episode = first.model_extra["episode_id"]
    raw = client.chat.completions.with_raw_response.create(
        model="gpt",
        messages=HI,
        extra_body={
            "tensorzero::episode_id": episode,
            "tensorzero::tags": {"user": "ada"},
            "tensorzero::extra_body": [{"pointer": "/seed", "value": 3}],
            "tensorzero::extra_headers": [{"name": "x-thing", "value": "v"}],
            "tensorzero::include_raw_response": True,
        },
    )
    second = raw.parse()
    assert second.model_extra["episode_id"] == episode
    assert second.id == raw.headers["x-sabir-inference-id"]
    assert json.loads(second.model_extra["tensorzero_raw_response"][0]["data"])["id"] == "chatcmpl-mock"
    sent = upstream.last.json
    assert sent["seed"] == 3 and upstream.last.headers["x-thing"] == "v"
    assert not [name for name in sent if "tensorzero" in name]
    assert json.loads(gateway.row(second.id)["tags"]) == {"user": "ada"}


def test_a_stream_of_an_episode(client, upstream):
    stream = client.chat.completions.create(model="tensorzero::model_name::gpt", messages=HI, stream=True)
    chunks = list(stream)
    assert texts(chunks) == "Hello there."
    assert len({chunk.model_extra["episode_id"] for chunk in chunks}) == 1


def test_credentials_of_the_call(client, upstream):
    credentials = {"tensorzero::credentials": {"the_key": "sk-of-this-call"}}
    client.chat.completions.create(model="dynamic", messages=HI, extra_body=credentials)
    assert upstream.only.headers["authorization"] == "Bearer sk-of-this-call"
    assert b"sk-of-this-call" not in upstream.only.body


@pytest.mark.parametrize("stream", [False, True])
def test_the_cache(client, upstream, stream):
    messages = [{"role": "user", "content": f"what is kept with stream {stream}?"}]
    extra_body = {"tensorzero::cache_options": {"enabled": "on"}}
    for _ in range(2):
        got = client.chat.completions.create(model="gpt", messages=messages, stream=stream, extra_body=extra_body)
        assert (texts(got) if stream else got.choices[0].message.content) == "Hello there."
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("member", ["tensorzero::episod_id", "tensorzero::variant_name", "tensorzero::namespace"])
def test_members_that_mean_nothing_are_refused(client, upstream, member):
    with pytest.raises(openai.APIStatusError, match=member):
        client.chat.completions.create(model="gpt", messages=HI, extra_body={member: "x"})
    assert not upstream.requests


def test_the_other_base_path(gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/openai/v1", api_key="x", max_retries=0) as client:
        assert client.chat.completions.create(model="gpt", messages=HI).choices
        assert client.embeddings.create(model="embed", input="x", encoding_format="float").data
        assert client.models.list().data


def test_a_query_does_no_harm(client):
    assert client.chat.completions.create(model="gpt", messages=HI, extra_query={"beta": "true"}).choices


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
