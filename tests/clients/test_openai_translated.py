"""The `openai` client on models whose providers speak another protocol."""

from __future__ import annotations

import json

import openai
import pytest

from upstream import ANTHROPIC, UntilClosed
from words import HI, PIXEL, WEATHER, call, claude_events, claude_tool_events, collect_calls, gemini, gemini_events, texts

pytestmark = pytest.mark.openai

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


@pytest.mark.parametrize("model", ["claude", "gemini"])
def test_garbage_in_a_stream_is_an_error(client, upstream, model):
    first = claude_events("one")[:4] if model == "claude" else [gemini({"text": "one"}, finish=None)]
    upstream.stream(*first, b"data: {not json\n\n")
    stream = client.chat.completions.create(model=model, messages=HI, stream=True)
    with pytest.raises(openai.APIError):
        list(stream)


@pytest.mark.parametrize("model", ["claude", "gemini"])
def test_a_stream_without_its_end_is_an_error(client, upstream, model):
    first = claude_events("one")[:4] if model == "claude" else [gemini({"text": "one"}, finish=None)]
    upstream.stream(*first)
    stream = client.chat.completions.create(model=model, messages=HI, stream=True)
    with pytest.raises(openai.APIError):
        list(stream)


@pytest.mark.parametrize("model", ["claude", "gemini"])
@pytest.mark.parametrize("status, wanted", [(401, openai.AuthenticationError), (429, openai.RateLimitError), (500, openai.InternalServerError)])
def test_errors_become_the_clients_own(client, upstream, model, status, wanted):
    if model == "claude":
        said = {"type": "error", "error": {"type": "some_error", "message": "not today"}}
    else:
        said = {"error": {"code": status, "message": "not today", "status": "SOME"}}
    upstream.reply(said, status=status)
    with pytest.raises(wanted) as error:
        client.chat.completions.create(model=model, messages=HI)
    if status != 401:
        assert "not today" in error.value.message
    assert error.value.type


@pytest.mark.parametrize("model", ["claude", "gemini"])
def test_closing_a_stream_cancels_the_call(client, gateway, upstream, model):
    first = claude_events("one")[:4] if model == "claude" else [gemini({"text": "one"}, finish=None)]
    upstream.stream(*first, UntilClosed())
    raw = client.chat.completions.with_raw_response.create(model=model, messages=HI, stream=True)
    stream = raw.parse()
    next(stream)
    stream.response.close()
    assert upstream.only.closed.wait(2.0), "the provider still works on a call that nobody waits for"
    row = gateway.row(raw.headers["x-sabir-inference-id"])
    assert row["status"] == "cancelled"
    assert "one" in row["output"]


@pytest.mark.parametrize(
    "reason, wanted",
    [("end_turn", "stop"), ("max_tokens", "length"), ("stop_sequence", "stop"), ("refusal", "content_filter")],
)
def test_why_claude_stopped(client, upstream, reason, wanted):
    upstream.reply({**ANTHROPIC, "stop_reason": reason})
    completion = client.chat.completions.create(model="claude", messages=HI, stop=["x"])
    assert completion.choices[0].finish_reason == wanted


@pytest.mark.parametrize(
    "reason, wanted", [("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("NEW", "stop")]
)
def test_why_gemini_stopped(client, upstream, reason, wanted):
    upstream.reply(gemini({"text": "one"}, finish=reason))
    completion = client.chat.completions.create(model="gemini", messages=HI)
    assert completion.choices[0].finish_reason == wanted


# Here a prompt's tokens include those that came from the cache; there they do not.
def test_claudes_cached_tokens(client, upstream):
    usage = {"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 0}
    upstream.reply({**ANTHROPIC, "usage": usage})
    usage = client.chat.completions.create(model="claude", messages=HI).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (97, 3, 100)
    assert usage.prompt_tokens_details.cached_tokens == 90


def test_geminis_thinking_tokens(client, upstream):
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 3, "thoughtsTokenCount": 20, "totalTokenCount": 30}
    upstream.reply({**gemini({"text": "one"}), "usageMetadata": usage})
    usage = client.chat.completions.create(model="gemini", messages=HI).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (7, 23, 30)
    assert usage.completion_tokens_details.reasoning_tokens == 20


@pytest.mark.parametrize("stream", [False, True])
def test_claudes_thinking_is_not_in_the_text(client, upstream, stream):
    thinking = {"type": "thinking", "thinking": "let me see", "signature": "sig"}
    if stream:
        begin, *rest = claude_events("one")
        blocks = [
            {"type": "content_block_start", "index": 0, "content_block": {**thinking, "thinking": "", "signature": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "let me see"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig"}},
            {"type": "content_block_stop", "index": 0},
        ]
        rest = [(name, {**event, "index": 1} if "index" in event else event) for name, event in rest]
        upstream.stream(begin, *((event["type"], event) for event in blocks), *rest)
        chunks = list(client.chat.completions.create(model="claude", messages=HI, stream=True))
        text = texts(chunks)
        thought = "".join(
            (chunk.choices[0].delta.model_extra or {}).get("reasoning_content") or "" for chunk in chunks if chunk.choices
        )
    else:
        upstream.reply({**ANTHROPIC, "content": [thinking, {"type": "text", "text": "one"}]})
        message = client.chat.completions.create(model="claude", messages=HI).choices[0].message
        text, thought = message.content, message.model_extra["reasoning_content"]
    assert (text, thought) == ("one", "let me see")


def test_a_conversation_with_every_role(client, upstream):
    messages = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "name": "ada", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}},
        {"role": "function", "name": "weather", "content": "rain"},
        {"role": "assistant", "content": [{"type": "text", "text": "It rains."}]},
        {"role": "user", "content": "and now?"},
    ]
    client.chat.completions.create(model="claude", messages=messages)
    sent = upstream.only.json
    assert "Be short." in json.dumps(sent["system"])
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    (used,) = sent["messages"][1]["content"]
    (result,) = sent["messages"][2]["content"]
    assert used["type"] == "tool_use" and result["type"] == "tool_result"
    assert used["id"] == result["tool_use_id"]


@pytest.mark.parametrize(
    "more, name",
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"seed": 1}, "seed"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"brand_new_member": True}, "brand_new_member"),
    ],
)
def test_nothing_is_dropped_silently(gateway, more, name):
    raw = gateway.post("/v1/chat/completions", {"model": "claude", "messages": HI, **more})
    named = raw.headers.get("x-sabir-warnings", "") if raw.status == 200 else raw.text
    assert name in named


def test_audio_is_refused_where_nobody_hears_it(client, upstream):
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    with pytest.raises(openai.BadRequestError, match="audio"):
        client.chat.completions.create(model="claude", messages=[{"role": "user", "content": [audio]}])
    assert not upstream.requests
