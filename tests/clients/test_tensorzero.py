"""The `tensorzero` client: inference, what it may ask for, and what goes wrong."""

from __future__ import annotations

import http.client
import json
import uuid

import pytest
from tensorzero import (
    ChatInferenceResponse,
    ListInferencesRequest,
    TensorZeroError,
    TensorZeroGateway,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)

from gateway import events
from upstream import Drop, UntilClosed, chat_chunks
from words import (
    INPUT,
    PIXEL,
    TOOL,
    WALLY,
    answer,
    call,
    claude_events,
    claude_tool_events,
    error_of,
    gemini_events,
    said,
)

# Inference


def test_inference(t0, upstream):
    answer = t0.inference(
        model_name="gpt",
        input={"system": "Be short.", **INPUT},
        params={"chat_completion": {"temperature": 0.5, "max_tokens": 9, "stop_sequences": ["x"]}},
    )
    assert isinstance(answer, ChatInferenceResponse)
    assert [block.text for block in answer.content] == ["Hello there."]
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (7, 3)
    assert answer.finish_reason == "stop"
    assert answer.variant_name == "gpt"
    assert uuid.UUID(str(answer.inference_id)).version == 7
    assert uuid.UUID(str(answer.episode_id)).version == 7
    sent = upstream.only.json
    assert sent["model"] == "mock-model"
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["temperature"] == 0.5 and sent["stop"] in ("x", ["x"])
    assert 9 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))
    assert upstream.only.headers["authorization"] == "Bearer sk-of-the-provider"


async def test_inference_async(at0):
    answer = await at0.inference(model_name="dummy::good", input=INPUT)
    assert answer.content[0].text.startswith("Megumin gleefully chanted her spell")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 1)


@pytest.mark.parametrize("model", ["claude", "gemini"])
def test_inference_on_other_providers(t0, model):
    answer = t0.inference(model_name=model, input=INPUT)
    assert answer.content[0].text == "Hello there."
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (7, 3)


def test_stream(t0):
    chunks = list(t0.inference(model_name="dummy::good", input=INPUT, stream=True))
    assert said(chunks) == WALLY
    assert len({chunk.inference_id for chunk in chunks}) == 1
    *before, last = chunks
    assert all(chunk.usage is None and chunk.finish_reason is None for chunk in before)
    assert last.content == []
    assert (last.usage.input_tokens, last.usage.output_tokens) == (10, 16)
    assert last.finish_reason == "stop"


async def test_stream_async(at0, upstream):
    upstream.stream(*claude_events("Hello", " there."))
    chunks = [chunk async for chunk in await at0.inference(model_name="claude", input=INPUT, stream=True)]
    assert said(chunks) == "Hello there."
    assert (chunks[-1].usage.input_tokens, chunks[-1].usage.output_tokens) == (7, 3)


def test_a_providers_usage_is_there_without_being_asked_for(t0, upstream):
    chunks = list(t0.inference(model_name="gpt", input=INPUT, stream=True))
    assert said(chunks) == "Hello there."
    assert upstream.only.json["stream_options"] == {"include_usage": True}
    assert (chunks[-1].usage.input_tokens, chunks[-1].usage.output_tokens) == (7, 2)


def test_the_wire_of_a_stream(gateway):
    raw = gateway.post("/inference", {"model_name": "dummy::good", "input": INPUT, "stream": True})
    assert raw.headers["content-type"].startswith("text/event-stream")
    found = events(raw.body)
    assert found[-1] == "[DONE]"
    for data in found[:-1]:
        assert {"inference_id", "episode_id", "variant_name", "content"} <= json.loads(data).keys()


def test_an_image(t0, upstream):
    image = {"type": "file", "file_type": "base64", "mime_type": "image/png", "data": PIXEL.split(",")[1]}
    message = {"role": "user", "content": [{"type": "text", "text": "what is it"}, image]}
    t0.inference(model_name="gpt", input={"messages": [message]})
    assert upstream.only.json["messages"][0]["content"][1]["image_url"]["url"] == PIXEL


# Tools and thoughts


def test_tools(t0, upstream):
    upstream.reply(answer({"content": None, "tool_calls": [call("call_1", "weather", '{"town":"Ulm"}')]}, "tool_calls"))
    first = t0.inference(model_name="gpt", input=INPUT, additional_tools=[TOOL], tool_choice="required")
    (found,) = first.content
    assert isinstance(found, ToolCall)
    assert (found.id, found.name, found.raw_name) == ("call_1", "weather", "weather")
    assert found.arguments == {"town": "Ulm"} and json.loads(found.raw_arguments) == {"town": "Ulm"}
    assert first.finish_reason == "tool_call"
    sent = upstream.only.json
    assert sent["tools"][0]["function"]["name"] == "weather"
    assert sent["tool_choice"] == "required"

    messages = [
        *INPUT["messages"],
        {"role": "assistant", "content": [found]},
        {"role": "user", "content": [ToolResult(name="weather", result="rain", id="call_1")]},
    ]
    second = t0.inference(model_name="gpt", input={"messages": messages}, additional_tools=[TOOL])
    assert second.content[0].text == "Hello there."
    sent = upstream.last.json["messages"]
    assert sent[1]["tool_calls"][0]["id"] == "call_1"
    assert sent[2]["role"] == "tool" and sent[2]["tool_call_id"] == "call_1" and sent[2]["content"] == "rain"


def test_a_specific_tool(t0, upstream):
    t0.inference(model_name="gpt", input=INPUT, additional_tools=[TOOL], tool_choice={"specific": "weather"})
    assert upstream.only.json["tool_choice"] == {"type": "function", "function": {"name": "weather"}}


def test_streamed_tools(t0, upstream):
    upstream.stream(*claude_tool_events())
    chunks = list(t0.inference(model_name="claude", input=INPUT, additional_tools=[TOOL], stream=True))
    assert said(chunks) == "Let me see."
    calls = [block for chunk in chunks for block in chunk.content if block.type == "tool_call"]
    assert {block.id for block in calls} == {"toolu_1"}
    assert "".join(block.raw_name for block in calls) == "weather"
    assert "".join(block.raw_arguments for block in calls) == '{"town":"Ulm"}'
    assert chunks[-1].finish_reason == "tool_call"


def test_thoughts(t0):
    answer = t0.inference(model_name="dummy::reasoner", input=INPUT)
    thought, text = answer.content
    assert isinstance(thought, Thought) and thought.text
    assert isinstance(text, Text) and text.text


def test_streamed_thoughts(t0):
    chunks = list(t0.inference(model_name="dummy::reasoner", input=INPUT, stream=True))
    kinds = [block.type for chunk in chunks for block in chunk.content]
    assert set(kinds) == {"thought", "text"}
    assert kinds == sorted(kinds, reverse=True), "thoughts come before the text"


# Errors


def test_the_built_in_error(t0):
    with pytest.raises(TensorZeroError) as caught:
        t0.inference(model_name="dummy::error", input=INPUT)
    assert caught.value.status_code == 502
    assert "Error sending request to Dummy provider for model 'error'" in error_of(caught)


async def test_the_built_in_error_async(at0):
    with pytest.raises(TensorZeroError) as caught:
        await at0.inference(model_name="dummy::error", input=INPUT)
    assert caught.value.status_code == 502


def test_an_error_of_a_stream_that_does_not_begin(t0):
    with pytest.raises(TensorZeroError) as caught:
        list(t0.inference(model_name="dummy::error", input=INPUT, stream=True))
    assert caught.value.status_code == 502
    assert "Dummy provider" in error_of(caught)


@pytest.mark.parametrize(
    "target, status, part",
    [
        ({"model_name": "not-there"}, 404, "not-there"),
        ({"function_name": "write_haiku"}, 404, "Unknown function: write_haiku"),
        ({"model_name": "gpt", "function_name": "write_haiku"}, 400, "not both"),
        ({}, 400, "must be provided"),
        ({"model_name": "gpt", "variant_name": "v"}, 400, "variant_name"),
        ({"model_name": "gpt", "tags": {"tensorzero::x": "1"}}, 400, "reserved"),
        ({"model_name": "gpt", "episode_id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8"}, 400, "version"),
    ],
)
def test_what_is_refused(t0, upstream, target, status, part):
    with pytest.raises(TensorZeroError) as caught:
        t0.inference(input=INPUT, **target)
    assert caught.value.status_code == status
    assert part.lower() in error_of(caught).lower()
    assert not upstream.requests


def test_a_function_of_the_configuration(start):
    gateway = start(
        """
[functions.write_haiku]
type = "chat"
[functions.write_haiku.variants.v]
type = "chat_completion"
model = "dummy::good"
"""
    )
    with TensorZeroGateway.build_http(gateway_url=gateway.url) as client:
        with pytest.raises(TensorZeroError) as caught:
            client.inference(function_name="write_haiku", input=INPUT)
    assert caught.value.status_code == 501
    assert "write_haiku" in error_of(caught)


def test_an_error_in_the_middle_of_a_stream(t0):
    stream = iter(t0.inference(model_name="dummy::err_in_stream", input=INPUT, stream=True))
    chunks, errors = [], []
    while True:
        try:
            chunks.append(next(stream))
        except StopIteration:
            break
        except TensorZeroError as error:
            errors.append(error)
    (error,) = errors
    assert error.status_code == 500
    assert "Dummy error in stream" in error.text
    # The built-in provider goes on after it, and so does the client.
    assert chunks[-1].finish_reason == "stop"


@pytest.mark.parametrize("model", ["gpt", "claude"])
def test_a_stream_that_breaks_off(t0, upstream, model):
    first = chat_chunks("one")[:2] if model == "gpt" else claude_events("one")[:4]
    upstream.stream(*first, Drop())
    seen = []
    with pytest.raises(TensorZeroError):
        for chunk in t0.inference(model_name=model, input=INPUT, stream=True):
            seen.append(chunk)
    assert said(seen) == "one"


def test_what_the_provider_says_about_its_key_stays_here(t0, upstream):
    upstream.reply({"error": {"message": "Incorrect API key provided: sk-of-****der", "code": "invalid_api_key"}}, 401)
    with pytest.raises(TensorZeroError) as caught:
        t0.inference(model_name="gpt", input=INPUT)
    assert caught.value.status_code == 502
    assert "sk-of" not in caught.value.text


def test_keys_of_the_gateway(start):
    gateway = start("", {"SABIR_API_KEY": "sk-right"})
    with TensorZeroGateway.build_http(gateway_url=gateway.url, api_key="sk-right") as client:
        assert client.inference(model_name="dummy::good", input=INPUT).content
    with TensorZeroGateway.build_http(gateway_url=gateway.url, api_key="sk-wrong") as client:
        for ask in [
            lambda: client.inference(model_name="dummy::good", input=INPUT),
            lambda: client.feedback(metric_name="comment", value="x", inference_id=str(uuid.uuid4())),
            lambda: client.list_inferences(request=ListInferencesRequest()),
        ]:
            with pytest.raises(TensorZeroError) as caught:
                ask()
            assert caught.value.status_code == 401


# What a call may say beside its input


def test_credentials_of_the_call(t0, upstream):
    t0.inference(model_name="dynamic", input=INPUT, credentials={"the_key": "sk-of-this-call"})
    assert upstream.only.headers["authorization"] == "Bearer sk-of-this-call"
    with pytest.raises(TensorZeroError) as caught:
        t0.inference(model_name="dynamic", input=INPUT)
    assert caught.value.status_code == 400
    assert "the_key" in error_of(caught)


def test_credentials_are_not_kept(t0, gateway):
    t0.inference(model_name="dynamic", input=INPUT, credentials={"the_key": "sk-never-on-disk"})
    for file in (gateway.folder / "data").iterdir():
        assert b"sk-never-on-disk" not in file.read_bytes()


def test_extra_body_and_headers(t0, upstream):
    t0.inference(
        model_name="gpt",
        input=INPUT,
        extra_body=[
            {"pointer": "/new/thing", "value": [1, None]},
            {"model_name": "gpt", "provider_name": "mock", "pointer": "/seed", "value": 3},
            {"model_name": "another", "provider_name": "mock", "pointer": "/not_here", "value": 3},
        ],
        extra_headers=[{"name": "x-thing", "value": "v"}],
    )
    sent = upstream.only.json
    assert sent["new"] == {"thing": [1, None]} and sent["seed"] == 3 and "not_here" not in sent
    assert upstream.only.headers["x-thing"] == "v"


def test_raw_answers(t0, upstream):
    body = json.dumps({"id": "x", **answer({"content": "ok"})})
    upstream.reply(body)
    got = t0.inference(model_name="gpt", input=INPUT, include_raw_response=True, include_raw_usage=True)
    (raw,) = got.raw_response
    assert (raw.provider_type, raw.api_type, raw.data) == ("openai", "chat_completions", body)
    (usage,) = got.raw_usage
    assert usage.data == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    plain = t0.inference(model_name="gpt", input=INPUT)
    assert plain.raw_response is None and plain.raw_usage is None


def test_raw_answers_of_a_stream(t0, upstream):
    upstream.stream(*gemini_events("Hello", " there."))
    chunks = list(
        t0.inference(model_name="gemini", input=INPUT, stream=True, include_raw_response=True, include_raw_usage=True)
    )
    usage = [entry for chunk in chunks for entry in chunk.raw_usage or []]
    assert [entry.provider_type for entry in usage] == ["google_ai_studio_gemini"]
    assert said(chunks) == "Hello there."


def test_the_cache(t0, upstream):
    # No other test asks this, so the first answer is new.
    asked = {"messages": [{"role": "user", "content": "what is kept?"}]}
    on = {"enabled": "on", "max_age_s": 60}
    first = t0.inference(model_name="gpt", input=asked, cache_options=on)
    again = t0.inference(model_name="gpt", input=asked, cache_options=on)
    assert len(upstream.requests) == 1
    assert again.content[0].text == first.content[0].text
    assert again.inference_id != first.inference_id
    assert (again.usage.input_tokens, again.usage.output_tokens) == (0, 0)
    assert t0.inference(model_name="gpt", input=asked).usage.input_tokens == 7
    assert len(upstream.requests) == 2
    assert t0.inference(model_name="gpt", input=asked, cache_options={"enabled": "write_only"})
    assert len(upstream.requests) == 3


def test_a_stream_from_the_cache(t0, upstream):
    asked = {"messages": [{"role": "user", "content": "what is kept of a stream?"}]}
    on = {"enabled": "on"}
    first = list(t0.inference(model_name="gpt", input=asked, cache_options=on, stream=True))
    again = list(t0.inference(model_name="gpt", input=asked, cache_options=on, stream=True))
    assert len(upstream.requests) == 1
    assert said(again) == said(first) == "Hello there."
    assert again[-1].finish_reason == "stop"


# Leaving, and looking at the gateway


# Without the client: it does not always close its connection when a stream is dropped.
def test_leaving_a_stream_cancels_the_call(gateway, upstream):
    upstream.stream(*chat_chunks("one")[:2], UntilClosed())
    host, port = gateway.address.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    body = {"model_name": "gpt", "input": INPUT, "stream": True}
    connection.request("POST", "/inference", json.dumps(body), {"content-type": "application/json"})
    response = connection.getresponse()
    line = response.readline().decode()
    response.close()
    connection.close()
    assert upstream.only.closed.wait(2.0), "the provider still works on a call that nobody waits for"
    row = gateway.row(json.loads(line.removeprefix("data: "))["inference_id"])
    assert row["status"] == "cancelled"
    assert row["output"]


def test_status_and_health(gateway):
    status = gateway.get("/status").json
    assert status["status"] == "ok" and status["version"] and status["config_hash"]
    health = gateway.get("/health")
    assert health.status == 200 and health.json["gateway"] == "ok"


def test_metrics(gateway, t0):
    def count(name: str) -> float:
        text = gateway.get("/metrics").text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

    name = 'tensorzero_inferences_total{endpoint="inference",model_name="dummy::good"}'
    before = count(name)
    t0.inference(model_name="dummy::good", input=INPUT)
    list(t0.inference(model_name="dummy::good", input=INPUT, stream=True))
    assert count(name) == before + 2


@pytest.mark.parametrize("path", ["/v1/datasets/d/datapoints", "/batch_inference", "/workflow_evaluation_run"])
def test_what_comes_later_is_refused_by_name(gateway, path):
    raw = gateway.post(path, {})
    assert raw.status == 501
    assert "not supported yet" in raw.json["error"]


def test_a_path_that_is_not_there(gateway):
    raw = gateway.post("/not/there", {})
    assert raw.status == 404
    assert raw.json["error"]
