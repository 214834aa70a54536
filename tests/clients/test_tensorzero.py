"""The `tensorzero` client: inference, feedback, and what the ledger tells about both."""

from __future__ import annotations

import http.client
import json
import uuid

import pytest
from tensorzero import (
    AsyncTensorZeroGateway,
    ChatInferenceResponse,
    InferenceFilterAnd,
    InferenceFilterBooleanMetric,
    InferenceFilterDemonstrationFeedback,
    InferenceFilterFloatMetric,
    InferenceFilterNot,
    InferenceFilterOr,
    InferenceFilterTag,
    InferenceFilterTime,
    ListInferencesRequest,
    TensorZeroError,
    TensorZeroGateway,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from tensorzero.generated_types import OrderByMetric, OrderByTimestamp

from gateway import events
from upstream import Drop, UntilClosed, chat_chunks
from words import PIXEL, answer, call, claude_events, claude_tool_events, gemini_events

HI = {"messages": [{"role": "user", "content": "hi"}]}
WEATHER = {
    "name": "weather",
    "description": "The weather of a town",
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    "strict": False,
}
WALLY = "Wally, the golden retriever, wagged his tail excitedly as he devoured a slice of cheese pizza."


@pytest.fixture
def t0(gateway):
    with TensorZeroGateway.build_http(gateway_url=gateway.url) as client:
        yield client


@pytest.fixture
async def at0(gateway):
    async with await AsyncTensorZeroGateway.build_http(gateway_url=gateway.url) as client:
        yield client


def said(chunks) -> str:
    return "".join(block.text for chunk in chunks for block in chunk.content if block.type == "text")


def error_of(caught) -> str:
    """What the gateway wrote, which the client hands out as it is."""
    return json.loads(caught.value.text)["error"]


# Inference


def test_inference(t0, upstream):
    answer = t0.inference(
        model_name="gpt",
        input={"system": "Be short.", **HI},
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
    answer = await at0.inference(model_name="dummy::good", input=HI)
    assert answer.content[0].text.startswith("Megumin gleefully chanted her spell")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 1)


@pytest.mark.parametrize("model", ["claude", "gemini"])
def test_inference_on_other_providers(t0, model):
    answer = t0.inference(model_name=model, input=HI)
    assert answer.content[0].text == "Hello there."
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (7, 3)


def test_stream(t0):
    chunks = list(t0.inference(model_name="dummy::good", input=HI, stream=True))
    assert said(chunks) == WALLY
    assert len({chunk.inference_id for chunk in chunks}) == 1
    *before, last = chunks
    assert all(chunk.usage is None and chunk.finish_reason is None for chunk in before)
    assert last.content == []
    assert (last.usage.input_tokens, last.usage.output_tokens) == (10, 16)
    assert last.finish_reason == "stop"


async def test_stream_async(at0, upstream):
    upstream.stream(*claude_events("Hello", " there."))
    chunks = [chunk async for chunk in await at0.inference(model_name="claude", input=HI, stream=True)]
    assert said(chunks) == "Hello there."
    assert (chunks[-1].usage.input_tokens, chunks[-1].usage.output_tokens) == (7, 3)


def test_a_providers_usage_is_there_without_being_asked_for(t0, upstream):
    chunks = list(t0.inference(model_name="gpt", input=HI, stream=True))
    assert said(chunks) == "Hello there."
    assert upstream.only.json["stream_options"] == {"include_usage": True}
    assert (chunks[-1].usage.input_tokens, chunks[-1].usage.output_tokens) == (7, 2)


def test_the_wire_of_a_stream(gateway):
    raw = gateway.post("/inference", {"model_name": "dummy::good", "input": HI, "stream": True})
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
    first = t0.inference(model_name="gpt", input=HI, additional_tools=[WEATHER], tool_choice="required")
    (found,) = first.content
    assert isinstance(found, ToolCall)
    assert (found.id, found.name, found.raw_name) == ("call_1", "weather", "weather")
    assert found.arguments == {"town": "Ulm"} and json.loads(found.raw_arguments) == {"town": "Ulm"}
    assert first.finish_reason == "tool_call"
    sent = upstream.only.json
    assert sent["tools"][0]["function"]["name"] == "weather"
    assert sent["tool_choice"] == "required"

    messages = [
        *HI["messages"],
        {"role": "assistant", "content": [found]},
        {"role": "user", "content": [ToolResult(name="weather", result="rain", id="call_1")]},
    ]
    second = t0.inference(model_name="gpt", input={"messages": messages}, additional_tools=[WEATHER])
    assert second.content[0].text == "Hello there."
    sent = upstream.last.json["messages"]
    assert sent[1]["tool_calls"][0]["id"] == "call_1"
    assert sent[2]["role"] == "tool" and sent[2]["tool_call_id"] == "call_1" and sent[2]["content"] == "rain"


def test_a_specific_tool(t0, upstream):
    t0.inference(model_name="gpt", input=HI, additional_tools=[WEATHER], tool_choice={"specific": "weather"})
    assert upstream.only.json["tool_choice"] == {"type": "function", "function": {"name": "weather"}}


def test_streamed_tools(t0, upstream):
    upstream.stream(*claude_tool_events())
    chunks = list(t0.inference(model_name="claude", input=HI, additional_tools=[WEATHER], stream=True))
    assert said(chunks) == "Let me see."
    calls = [block for chunk in chunks for block in chunk.content if block.type == "tool_call"]
    assert {block.id for block in calls} == {"toolu_1"}
    assert "".join(block.raw_name for block in calls) == "weather"
    assert "".join(block.raw_arguments for block in calls) == '{"town":"Ulm"}'
    assert chunks[-1].finish_reason == "tool_call"


def test_thoughts(t0):
    answer = t0.inference(model_name="dummy::reasoner", input=HI)
    thought, text = answer.content
    assert isinstance(thought, Thought) and thought.text
    assert isinstance(text, Text) and text.text


def test_streamed_thoughts(t0):
    chunks = list(t0.inference(model_name="dummy::reasoner", input=HI, stream=True))
    kinds = [block.type for chunk in chunks for block in chunk.content]
    assert set(kinds) == {"thought", "text"}
    assert kinds == sorted(kinds, reverse=True), "thoughts come before the text"


# Errors


def test_the_built_in_error(t0):
    with pytest.raises(TensorZeroError) as caught:
        t0.inference(model_name="dummy::error", input=HI)
    assert caught.value.status_code == 502
    assert "Error sending request to Dummy provider for model 'error'" in error_of(caught)


async def test_the_built_in_error_async(at0):
    with pytest.raises(TensorZeroError) as caught:
        await at0.inference(model_name="dummy::error", input=HI)
    assert caught.value.status_code == 502


def test_an_error_of_a_stream_that_does_not_begin(t0):
    with pytest.raises(TensorZeroError) as caught:
        list(t0.inference(model_name="dummy::error", input=HI, stream=True))
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
        t0.inference(input=HI, **target)
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
            client.inference(function_name="write_haiku", input=HI)
    assert caught.value.status_code == 501
    assert "write_haiku" in error_of(caught)


def test_an_error_in_the_middle_of_a_stream(t0):
    stream = iter(t0.inference(model_name="dummy::err_in_stream", input=HI, stream=True))
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
        for chunk in t0.inference(model_name=model, input=HI, stream=True):
            seen.append(chunk)
    assert said(seen) == "one"


def test_what_the_provider_says_about_its_key_stays_here(t0, upstream):
    upstream.reply({"error": {"message": "Incorrect API key provided: sk-of-****der", "code": "invalid_api_key"}}, 401)
    with pytest.raises(TensorZeroError) as caught:
        t0.inference(model_name="gpt", input=HI)
    assert caught.value.status_code == 502
    assert "sk-of" not in caught.value.text


def test_keys_of_the_gateway(start):
    gateway = start("", {"SABIR_API_KEY": "sk-right"})
    with TensorZeroGateway.build_http(gateway_url=gateway.url, api_key="sk-right") as client:
        assert client.inference(model_name="dummy::good", input=HI).content
    with TensorZeroGateway.build_http(gateway_url=gateway.url, api_key="sk-wrong") as client:
        for ask in [
            lambda: client.inference(model_name="dummy::good", input=HI),
            lambda: client.feedback(metric_name="comment", value="x", inference_id=str(uuid.uuid4())),
            lambda: client.list_inferences(request=ListInferencesRequest()),
        ]:
            with pytest.raises(TensorZeroError) as caught:
                ask()
            assert caught.value.status_code == 401


# What a call may say beside its input


def test_credentials_of_the_call(t0, upstream):
    t0.inference(model_name="dynamic", input=HI, credentials={"the_key": "sk-of-this-call"})
    assert upstream.only.headers["authorization"] == "Bearer sk-of-this-call"
    with pytest.raises(TensorZeroError) as caught:
        t0.inference(model_name="dynamic", input=HI)
    assert caught.value.status_code == 400
    assert "the_key" in error_of(caught)


def test_credentials_are_not_kept(t0, gateway):
    t0.inference(model_name="dynamic", input=HI, credentials={"the_key": "sk-never-on-disk"})
    for file in (gateway.folder / "data").iterdir():
        assert b"sk-never-on-disk" not in file.read_bytes()


def test_extra_body_and_headers(t0, upstream):
    t0.inference(
        model_name="gpt",
        input=HI,
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
    got = t0.inference(model_name="gpt", input=HI, include_raw_response=True, include_raw_usage=True)
    (raw,) = got.raw_response
    assert (raw.provider_type, raw.api_type, raw.data) == ("openai", "chat_completions", body)
    (usage,) = got.raw_usage
    assert usage.data == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    plain = t0.inference(model_name="gpt", input=HI)
    assert plain.raw_response is None and plain.raw_usage is None


def test_raw_answers_of_a_stream(t0, upstream):
    upstream.stream(*gemini_events("Hello", " there."))
    chunks = list(
        t0.inference(model_name="gemini", input=HI, stream=True, include_raw_response=True, include_raw_usage=True)
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


# The ledger


def listed(t0, **query) -> list:
    return t0.list_inferences(request=ListInferencesRequest(**query)).inferences


def ids(inferences) -> list[str]:
    return [str(inference.inference_id) for inference in inferences]


def test_what_is_kept(t0):
    first = t0.inference(
        model_name="dummy::good",
        input={"system": "Be short.", **HI},
        params={"chat_completion": {"temperature": 0.5}},
        additional_tools=[WEATHER],
        tags={"user": "ada"},
    )
    (kept,) = t0.get_inferences(ids=[str(first.inference_id)]).inferences
    assert kept.type == "chat"
    assert (kept.function_name, kept.variant_name) == ("tensorzero::default", "dummy::good")
    assert (str(kept.inference_id), str(kept.episode_id)) == (str(first.inference_id), str(first.episode_id))
    assert kept.input.system == "Be short."
    assert kept.input.messages[0].role == "user"
    assert kept.input.messages[0].content[0].text == "hi"
    assert kept.output[0].text == first.content[0].text
    assert kept.tags == {"user": "ada"}
    assert kept.inference_params.chat_completion.temperature == 0.5
    assert kept.additional_tools[0].name == "weather"
    assert kept.processing_time_ms is not None


async def test_what_is_kept_async(at0):
    first = await at0.inference(model_name="dummy::good", input=HI)
    (kept,) = (await at0.get_inferences(ids=[str(first.inference_id)])).inferences
    assert str(kept.inference_id) == str(first.inference_id)
    kept = (await at0.list_inferences(request=ListInferencesRequest(episode_id=str(first.episode_id)))).inferences
    assert ids(kept) == [str(first.inference_id)]


# Whatever door a call came through, it is told in the same words.
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["gpt", "claude", "dummy::good"])
def test_a_call_through_the_openai_door_is_kept(t0, client, gateway, upstream, model, stream):
    if model == "claude" and stream:
        upstream.stream(*claude_events("Hello", " there."))
    raw = client.chat.completions.with_raw_response.create(
        model=model,
        messages=[{"role": "system", "content": "Be short."}, {"role": "user", "content": "hi"}],
        stream=stream,
        extra_headers={"x-sabir-tags": '{"door":"openai"}'},
    )
    if stream:
        list(raw.parse())
    (kept,) = t0.get_inferences(ids=[raw.headers["x-sabir-inference-id"]]).inferences
    assert kept.input.system == "Be short."
    assert kept.input.messages[0].content[0].text == "hi"
    texts = {"dummy::good": WALLY if stream else kept.output[0].text}
    assert "".join(block.text for block in kept.output) == texts.get(model, "Hello there.")
    assert kept.tags["door"] == "openai"
    assert str(kept.episode_id) == raw.headers["x-sabir-episode-id"]


def test_a_dry_run_leaves_nothing(t0):
    first = t0.inference(model_name="dummy::good", input=HI, dryrun=True)
    assert t0.get_inferences(ids=[str(first.inference_id)]).inferences == []


def test_episodes(t0):
    first = t0.inference(model_name="dummy::good", input=HI)
    episode = str(first.episode_id)
    second = t0.inference(model_name="dummy::good", input=HI, episode_id=episode)
    third = t0.inference(model_name="dummy::good", input=HI)
    assert second.episode_id == first.episode_id != third.episode_id
    assert ids(listed(t0, episode_id=episode)) == [str(second.inference_id), str(first.inference_id)]


@pytest.fixture
def five(t0) -> tuple[str, list[str]]:
    """An episode of five inferences, oldest first, tagged with their number."""
    first = t0.inference(model_name="dummy::good", input=HI, tags={"n": "0", "parity": "even"})
    made = [str(first.inference_id)]
    for n in range(1, 5):
        tags = {"n": str(n), "parity": "odd" if n % 2 else "even"}
        more = t0.inference(model_name="dummy::good", input=HI, episode_id=str(first.episode_id), tags=tags)
        made.append(str(more.inference_id))
    return str(first.episode_id), made


def an_empty_episode(t0) -> str:
    return str(t0.inference(model_name="dummy::good", input=HI, dryrun=True).episode_id)


def test_order_and_pages(t0, five):
    episode, made = five
    newest = OrderByTimestamp(direction="descending")
    oldest = OrderByTimestamp(direction="ascending")
    assert ids(listed(t0, episode_id=episode)) == made[::-1]
    assert ids(listed(t0, episode_id=episode, order_by=[newest])) == made[::-1]
    assert ids(listed(t0, episode_id=episode, order_by=[oldest])) == made
    assert ids(listed(t0, episode_id=episode, limit=2)) == made[:-3:-1]
    assert ids(listed(t0, episode_id=episode, limit=2, offset=2)) == [made[2], made[1]]
    assert ids(listed(t0, episode_id=episode, before=made[2])) == [made[1], made[0]]
    assert set(ids(listed(t0, episode_id=episode, after=made[2]))) == {made[4], made[3]}
    assert set(ids(t0.get_inferences(ids=[made[3], made[1]]).inferences)) == {made[3], made[1]}
    assert listed(t0, episode_id=an_empty_episode(t0)) == []


def test_filters(t0, five):
    episode, made = five
    for n in (0, 1, 2):
        t0.feedback(metric_name="rating", value=n / 2, inference_id=made[n])
    t0.feedback(metric_name="solved", value=True, inference_id=made[1])
    t0.feedback(metric_name="solved", value=False, inference_id=made[2])
    t0.feedback(metric_name="demonstration", value="shown", inference_id=made[4])

    def found(filter) -> list[int]:
        return sorted(made.index(id) for id in ids(listed(t0, episode_id=episode, filters=filter)))

    odd = InferenceFilterTag(key="parity", value="odd", comparison_operator="=")
    not_odd = InferenceFilterTag(key="parity", value="odd", comparison_operator="!=")
    high = InferenceFilterFloatMetric(metric_name="rating", value=0.5, comparison_operator=">=")
    solved = InferenceFilterBooleanMetric(metric_name="solved", value=True)
    shown = InferenceFilterDemonstrationFeedback(has_demonstration=True)
    past = InferenceFilterTime(time="2020-01-01T00:00:00Z", comparison_operator=">")
    assert found(odd) == [1, 3]
    assert found(not_odd) == [0, 2, 4]
    assert found(high) == [1, 2]
    assert found(solved) == [1]
    assert found(InferenceFilterBooleanMetric(metric_name="solved", value=False)) == [2]
    assert found(shown) == [4]
    assert found(InferenceFilterDemonstrationFeedback(has_demonstration=False)) == [0, 1, 2, 3]
    assert found(past) == [0, 1, 2, 3, 4]
    assert found(InferenceFilterAnd(children=[odd, high])) == [1]
    assert found(InferenceFilterOr(children=[odd, shown])) == [1, 3, 4]
    assert found(InferenceFilterNot(child=odd)) == [0, 2, 4]
    assert found(InferenceFilterAnd(children=[])) == [0, 1, 2, 3, 4]

    by_rating = OrderByMetric(name="rating", direction="descending")
    ranked = ids(listed(t0, episode_id=episode, filters=high, order_by=[by_rating]))
    assert ranked == [made[2], made[1]]

    (inference,) = listed(t0, episode_id=episode, filters=shown, output_source="demonstration")
    assert inference.output[0].text == "shown"
    assert inference.dispreferred_outputs[0][0].text.startswith("Megumin")


NO_SUCH_METRIC = pytest.mark.xfail(strict=True, reason="a metric that is not configured finds nothing, silently")


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(
            {"filters": InferenceFilterFloatMetric(metric_name="not_there", value=1.0, comparison_operator="=")},
            marks=NO_SUCH_METRIC,
        ),
        {"before": "0199d1e8-1111-7000-8000-000000000001", "offset": 1},
        pytest.param({"order_by": [OrderByMetric(name="not_there", direction="ascending")]}, marks=NO_SUCH_METRIC),
    ],
)
def test_queries_that_mean_nothing(t0, query):
    with pytest.raises(TensorZeroError) as caught:
        listed(t0, **query)
    assert caught.value.status_code in (400, 404)
    assert error_of(caught)


# Feedback


@pytest.fixture
def made(t0):
    return t0.inference(model_name="dummy::good", input=HI)


def test_feedback(t0, made):
    inference, episode = {"inference_id": str(made.inference_id)}, {"episode_id": str(made.episode_id)}
    for metric, value, target in [
        ("rating", 0.75, inference),
        ("rating", 1, inference),
        ("solved", True, inference),
        ("happiness", 0.5, episode),
        ("finished", False, episode),
        ("comment", "well done", inference),
        ("comment", "well done", episode),
        ("demonstration", "so it should be", inference),
        ("demonstration", [{"type": "text", "text": "so it should be"}], inference),
    ]:
        given = t0.feedback(metric_name=metric, value=value, tags={"by": "test"}, **target)
        assert uuid.UUID(str(given.feedback_id)).version == 7


async def test_feedback_async(at0):
    made = await at0.inference(model_name="dummy::good", input=HI)
    given = await at0.feedback(metric_name="solved", value=True, inference_id=str(made.inference_id))
    assert given.feedback_id


def test_feedback_at_once_after_a_stream(t0):
    chunks = list(t0.inference(model_name="dummy::good", input=HI, stream=True))
    assert t0.feedback(metric_name="solved", value=True, inference_id=str(chunks[0].inference_id)).feedback_id


def test_feedback_on_a_call_through_the_openai_door(t0, client):
    completion = client.chat.completions.create(model="dummy::good", messages=HI["messages"])
    assert t0.feedback(metric_name="solved", value=True, inference_id=completion._request_id).feedback_id


@pytest.mark.parametrize(
    "metric, value, target, status, part",
    [
        ("rating", "high", "inference", 400, "rating"),
        ("rating", True, "inference", 400, "rating"),
        ("solved", 1.0, "inference", 400, "solved"),
        ("solved", "true", "inference", 400, "solved"),
        ("comment", 7, "inference", 400, "comment"),
        ("rating", 1.0, "episode", 400, "inference"),
        ("happiness", 1.0, "inference", 400, "episode"),
        ("demonstration", "x", "episode", 400, "inference"),
        ("not_there", 1.0, "inference", 404, "Unknown metric: not_there"),
    ],
)
def test_feedback_that_is_refused(t0, made, metric, value, target, status, part):
    ids = {"inference": {"inference_id": str(made.inference_id)}, "episode": {"episode_id": str(made.episode_id)}}
    with pytest.raises(TensorZeroError) as caught:
        t0.feedback(metric_name=metric, value=value, **ids[target])
    assert caught.value.status_code == status
    assert part in error_of(caught)


def test_feedback_on_what_is_not_there(t0, made):
    # A valid id that nothing is kept of.
    nobody = str(t0.inference(model_name="dummy::good", input=HI, dryrun=True).inference_id)
    with pytest.raises(TensorZeroError) as caught:
        t0.feedback(metric_name="solved", value=True, inference_id=nobody)
    assert caught.value.status_code in (400, 404)
    assert nobody in error_of(caught)
    with pytest.raises(TensorZeroError) as caught:
        t0.feedback(metric_name="happiness", value=1.0, episode_id=str(made.inference_id))
    assert caught.value.status_code in (400, 404)


def test_feedback_on_two_things_or_none(t0, made):
    for target in [{}, {"inference_id": str(made.inference_id), "episode_id": str(made.episode_id)}]:
        with pytest.raises(TensorZeroError) as caught:
            t0.feedback(metric_name="comment", value="x", **target)
        assert caught.value.status_code == 400


def test_a_dry_run_of_feedback(t0, made):
    given = t0.feedback(metric_name="solved", value=True, inference_id=str(made.inference_id), dryrun=True)
    assert given.feedback_id
    solved = InferenceFilterBooleanMetric(metric_name="solved", value=True)
    assert listed(t0, episode_id=str(made.episode_id), filters=solved) == []


# Leaving, and looking at the gateway


# Without the client: it does not always close its connection when a stream is dropped.
def test_leaving_a_stream_cancels_the_call(gateway, upstream):
    upstream.stream(*chat_chunks("one")[:2], UntilClosed())
    host, port = gateway.address.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    body = {"model_name": "gpt", "input": HI, "stream": True}
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
    t0.inference(model_name="dummy::good", input=HI)
    list(t0.inference(model_name="dummy::good", input=HI, stream=True))
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
