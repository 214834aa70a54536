"""The `anthropic` client: over its own provider, over others, over the built-in one."""

from __future__ import annotations

import json
import uuid

import anthropic
import pytest
from pydantic import BaseModel

from families import say
from upstream import Drop
from words import PIXEL, answer, call, chunk_calls, claude_events, claude_tool_events, gemini, gemini_events

HI = [{"role": "user", "content": "hi"}]
WEATHER = {
    "name": "weather",
    "description": "The weather of a town",
    "input_schema": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
}
IMAGE = {"type": "base64", "media_type": "image/png", "data": PIXEL.partition(",")[2]}


class Town(BaseModel):
    name: str
    people: int


@pytest.fixture
def claude(gateway):
    with anthropic.Anthropic(base_url=f"{gateway.url}/anthropic", api_key="sk-of-the-caller", max_retries=0) as client:
        yield client


@pytest.fixture
async def aclaude(gateway):
    async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key="sk-of-the-caller", max_retries=0) as client:
        yield client


def ask(client, model: str, messages=HI, **more):
    return client.messages.create(model=model, max_tokens=100, messages=messages, **more)


def message(*content: dict, stop: str = "end_turn") -> dict:
    return {
        "id": "msg_mock", "type": "message", "role": "assistant", "model": "mock-claude", "content": list(content),
        "stop_reason": stop, "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 3},
    }


# Over Anthropic itself: bytes go through.


def test_bytes_pass(gateway, upstream):
    said = b'{ "id":"msg_1", "type":"message","role":"assistant","model":"mock-claude", "content":[], "zz": 1e2,' \
        b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":3} }'
    upstream.reply(said, headers={"request-id": "req_theirs", "anthropic-ratelimit-requests-limit": "9"})
    body = b'{"max_tokens":5, "model" : "claude","zz_odd":[1.50], "messages":[{"role":"user","content":"hi"}]}'
    got = gateway.post("/v1/messages", body, {
        "anthropic-version": "2099-01-01", "anthropic-beta": "one-beta,two-beta", "x-api-key": "sk-of-the-caller",
    })
    assert (got.status, got.body) == (200, said)
    assert got.headers["request-id"] == "req_theirs"
    assert got.headers["anthropic-ratelimit-requests-limit"] == "9"
    sent = upstream.only
    assert sent.path == "/v1/messages"
    assert sent.body == body.replace(b'"claude"', b'"mock-claude"')
    assert sent.headers["x-api-key"] == "sk-of-the-provider"
    assert sent.headers["anthropic-version"] == "2099-01-01"
    assert sent.headers["anthropic-beta"] == "one-beta,two-beta"
    row = gateway.row(got.headers["x-sabir-inference-id"])
    assert (row["status"], row["input_tokens"], row["output_tokens"]) == ("ok", 7, 3)


def test_message(claude, upstream):
    raw = claude.messages.with_raw_response.create(model="claude", max_tokens=100, messages=HI, system="Be short.")
    got = raw.parse()
    assert got.content[0].text == "Hello there."
    assert (got.id, got.model, got.stop_reason) == ("msg_mock", "mock-claude", "end_turn")
    assert (got.usage.input_tokens, got.usage.output_tokens) == (7, 3)
    uuid.UUID(raw.headers["x-sabir-inference-id"])
    assert got._request_id == raw.headers["request-id"]
    # The version that the client was written for, whichever the gateway's own translator was.
    assert upstream.only.headers["anthropic-version"] == raw.http_request.headers["anthropic-version"]


def test_stream_passes(claude, gateway, upstream):
    upstream.stream(*claude_events("Hello", " there."))
    with claude.messages.stream(model="claude", max_tokens=100, messages=HI) as stream:
        assert list(stream.text_stream) == ["Hello", " there."]
        final = stream.get_final_message()
        id = stream.response.headers["x-sabir-inference-id"]
    assert (final.content[0].text, final.stop_reason, final.usage.output_tokens) == ("Hello there.", "end_turn", 3)
    row = gateway.row(id)
    assert (row["status"], row["input_tokens"], row["output_tokens"]) == ("ok", 7, 3)


def test_usage_of_a_long_stream_is_not_forgotten(claude, gateway, upstream):
    upstream.stream(*claude_events(*["x" * 100] * 500))
    with claude.messages.stream(model="claude", max_tokens=100, messages=HI) as stream:
        assert len(stream.get_final_text()) == 50_000
        id = stream.response.headers["x-sabir-inference-id"]
    row = gateway.row(id)
    assert (row["status"], row["input_tokens"], row["output_tokens"]) == ("ok", 7, 3)


def test_count_tokens(claude, upstream):
    upstream.reply({"input_tokens": 42}, headers={"request-id": "req_count"})
    counted = claude.messages.count_tokens(model="claude", messages=HI, tools=[WEATHER], system="Be short.")
    assert counted.input_tokens == 42
    assert counted._request_id == "req_count"
    sent = upstream.only
    assert sent.path == "/v1/messages/count_tokens"
    assert sent.json == {"model": "mock-claude", "messages": HI, "tools": [WEATHER], "system": "Be short."}
    assert sent.headers["x-api-key"] == "sk-of-the-provider"


def test_count_tokens_of_others_is_refused(claude, upstream):
    for model in ("gpt", "gemini", "dummy::echo"):
        with pytest.raises(anthropic.BadRequestError, match="cannot be counted"):
            claude.messages.count_tokens(model=model, messages=HI)
    assert upstream.requests == []
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.count_tokens(model="nobody", messages=HI)
    upstream.reply({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}, status=429)
    with pytest.raises(anthropic.RateLimitError, match="slow down"):
        claude.messages.count_tokens(model="claude", messages=HI)


# Over other protocols: everything is translated.


def test_over_openai(claude, gateway, upstream):
    raw = claude.messages.with_raw_response.create(
        model="gpt", max_tokens=50, messages=HI, system="Be short.", stop_sequences=["END"],
        # The newest client has no word for it any more, and other providers still do.
        extra_body={"temperature": 0.5},
    )
    got = raw.parse()
    assert got.content[0].text == "Hello there."
    assert (got.model, got.stop_reason, got.type, got.role) == ("gpt", "end_turn", "message", "assistant")
    assert got.id.startswith("msg_")
    assert got.usage.input_tokens > 0
    sent = upstream.only
    assert sent.path == "/v1/chat/completions"
    assert sent.json["messages"] == [{"role": "system", "content": "Be short."}, {"role": "user", "content": "hi"}]
    assert (sent.json["temperature"], sent.json["stop"]) == (0.5, "END")
    assert "anthropic-version" not in sent.headers
    assert gateway.row(raw.headers["x-sabir-inference-id"])["status"] == "ok"


def test_a_beta_that_nobody_else_has_is_named(claude):
    raw = claude.messages.with_raw_response.create(
        model="gpt", max_tokens=50, messages=HI, extra_headers={"anthropic-beta": "one-beta"}
    )
    assert [warning["param"] for warning in json.loads(raw.headers["x-sabir-warnings"])] == ["anthropic-beta"]


def test_over_openai_stream(claude, upstream):
    upstream.chat("Hello", " there.", usage=True)
    with claude.messages.stream(model="gpt", max_tokens=100, messages=HI) as stream:
        kinds = [event.type for event in stream if event.type not in ("text",)]
        final = stream.get_final_message()
    assert kinds == [
        "message_start", "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop",
        "message_delta", "message_stop",
    ]
    assert (final.content[0].text, final.stop_reason) == ("Hello there.", "end_turn")
    assert (final.usage.input_tokens, final.usage.output_tokens) == (7, 2)


def test_events_on_the_wire(gateway, upstream):
    upstream.chat("Hello", usage=True)
    got = gateway.post("/anthropic/v1/messages", {"model": "gpt", "max_tokens": 5, "stream": True, "messages": HI})
    assert got.headers["content-type"] == "text/event-stream"
    names = []
    for block in got.text.removesuffix("\n\n").split("\n\n"):
        event, data = block.split("\n")
        names.append(event.removeprefix("event: "))
        assert json.loads(data.removeprefix("data: "))["type"] == names[-1]
    assert names == [
        "message_start", "content_block_start", "ping", "content_block_delta", "content_block_stop",
        "message_delta", "message_stop",
    ]


@pytest.mark.parametrize("model", ["gpt", "claude", "gemini"])
def test_images(claude, upstream, model):
    content = [{"type": "text", "text": "what is it"}, {"type": "image", "source": IMAGE}]
    assert ask(claude, model, [{"role": "user", "content": content}]).content[0].text == "Hello there."
    assert IMAGE["data"] in upstream.only.body.decode()


@pytest.mark.parametrize("model", ["gpt", "claude", "gemini"])
def test_a_tool_loop(claude, upstream, model):
    match model:
        case "gpt":
            calls = [call("call_1", "weather", '{"town": "Ulm"}'), call("call_2", "weather", '{"town": "Rom"}')]
            upstream.reply(answer({"content": "Let me see.", "tool_calls": calls}, "tool_calls"))
            upstream.reply(answer({"content": "Rain."}))
        case "claude":
            uses = [
                {"type": "tool_use", "id": f"toolu_{town}", "name": "weather", "input": {"town": town}}
                for town in ("Ulm", "Rom")
            ]
            upstream.reply(message({"type": "text", "text": "Let me see."}, *uses, stop="tool_use"))
            upstream.reply(message({"type": "text", "text": "Rain."}))
        case "gemini":
            calls = [{"functionCall": {"name": "weather", "args": {"town": town}}} for town in ("Ulm", "Rom")]
            upstream.reply(gemini({"text": "Let me see."}, *calls))
            upstream.reply(gemini({"text": "Rain."}))
    got = ask(claude, model, tools=[WEATHER], tool_choice={"type": "auto"})
    assert got.stop_reason == "tool_use"
    assert got.content[0].text == "Let me see."
    uses = [block for block in got.content if block.type == "tool_use"]
    assert [(use.name, use.input) for use in uses] == [("weather", {"town": "Ulm"}), ("weather", {"town": "Rom"})]
    assert len({use.id for use in uses}) == 2
    results = [
        {"type": "tool_result", "tool_use_id": use.id, "content": f"rain in {use.input['town']}"} for use in uses
    ]
    end = ask(claude, model, [
        *HI, {"role": "assistant", "content": got.content}, {"role": "user", "content": results}
    ], tools=[WEATHER])
    assert (end.content[0].text, end.stop_reason) == ("Rain.", "end_turn")
    sent = upstream.last.body.decode()
    assert sent.index("rain in Ulm") < sent.index("rain in Rom")


def test_streamed_tools_add_up(claude, upstream):
    for model in ("claude", "gpt"):
        if model == "claude":
            upstream.stream(*claude_tool_events())
        else:
            upstream.stream(*chunk_calls("Let me see.", [("call_1", "weather", ['{"town":', '"Ulm"}']),
                                                         ("call_2", "weather", ['{"to', 'wn":"Rom"}'])]), "[DONE]")
        with claude.messages.stream(model=model, max_tokens=100, messages=HI, tools=[WEATHER]) as stream:
            pieces = [event.partial_json for event in stream if event.type == "input_json"]
            final = stream.get_final_message()
        assert final.stop_reason == "tool_use"
        assert final.content[0].text == "Let me see."
        towns = [block.input["town"] for block in final.content[1:]]
        assert towns == (["Ulm"] if model == "claude" else ["Ulm", "Rom"])
        assert len(pieces) >= 2 * len(towns)


def test_the_client_runs_tools_itself(claude, upstream):
    @anthropic.beta_tool
    def weather(town: str) -> str:
        """The weather of a town.

        Args:
            town: its name
        """
        return f"rain in {town}"

    upstream.reply(answer({"content": None, "tool_calls": [call("call_1", "weather", '{"town": "Ulm"}')]}, "tool_calls"))
    upstream.reply(answer({"content": "Rain."}))
    runner = claude.beta.messages.tool_runner(model="gpt", max_tokens=100, messages=HI, tools=[weather])
    assert runner.until_done().content[0].text == "Rain."
    # The client sends only the result: what was said before is kept here.
    assert [message["role"] for message in upstream.last.json["messages"]] == ["user", "assistant", "tool"]
    assert upstream.last.json["messages"][-1] == {"role": "tool", "tool_call_id": "call_1", "content": "rain in Ulm"}
    assert upstream.last.json["tools"][0]["function"]["name"] == "weather"


@pytest.mark.parametrize("model", ["gpt", "native", "gemini"])
def test_a_thread_is_kept_here(claude, upstream, model):
    thread = claude.beta.messages.thread(model=model, max_tokens=100, system="Be short.", tools=[WEATHER])
    say(upstream, model, "One.")
    assert thread.send({"role": "user", "content": "first"}).content[0].text == "One."
    say(upstream, model, "Two.")
    assert thread.send({"role": "user", "content": "second"}).content[0].text == "Two."
    say(upstream, model, "Three.")
    thread.send({"role": "user", "content": "third"})
    sent = upstream.last.body.decode()
    places = [sent.index(words) for words in ("first", "One.", "second", "Two.", "third")]
    assert places == sorted(places)
    assert "Be short." in sent and "weather" in sent
    assert "thread" not in upstream.last.json


def test_a_thread_that_is_not_kept_here_has_its_code(gateway, upstream):
    body = {"model": "gpt", "max_tokens": 5, "messages": HI}
    for other in ("msg_01XFDUDYJgAACzvnptvVoYEL", f"msg_{uuid.uuid4().hex}"):
        got = gateway.post("/v1/messages", {**body, "thread": {"type": "continue", "previous_message_id": other}})
        assert (got.status, got.json["error"]["details"]["error_code"]) == (404, "thread_not_found")
    # A message that began no thread is none to go on from.
    plain = gateway.post("/v1/messages", body).json["id"]
    got = gateway.post("/v1/messages", {**body, "thread": {"type": "continue", "previous_message_id": plain}})
    assert got.json["error"]["details"]["error_code"] == "thread_not_found"
    begun = gateway.post("/v1/messages", {**body, "thread": {"type": "create"}})
    assert "x-sabir-warnings" not in begun.headers
    more = {"thread": {"type": "continue", "previous_message_id": begun.json["id"]}, "system": "Be long."}
    got = gateway.post("/v1/messages", {**body, **more})
    assert (got.status, got.json["error"]["type"]) == (400, "invalid_request_error")
    assert "`system`" in got.json["error"]["message"]
    # Anthropic keeps its own.
    upstream.reply({"type": "error", "error": {"type": "not_found_error", "message": "no such thread"}}, status=404)
    got = gateway.post("/v1/messages", {
        **body, "model": "claude", "thread": {"type": "continue", "previous_message_id": "msg_01XFDUDYJgAACzvnptvVoYEL"},
    })
    assert got.json["error"]["message"] == "no such thread"
    assert upstream.last.json["thread"]["previous_message_id"] == "msg_01XFDUDYJgAACzvnptvVoYEL"


def test_tool_choice(claude, upstream):
    for choice, wanted in [
        ({"type": "any"}, "required"),
        ({"type": "tool", "name": "weather"}, {"type": "function", "function": {"name": "weather"}}),
        ({"type": "none"}, "none"),
    ]:
        ask(claude, "gpt", tools=[WEATHER], tool_choice=choice)
        assert upstream.last.json["tool_choice"] == wanted
    ask(claude, "gpt", tools=[WEATHER], tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert upstream.last.json["parallel_tool_calls"] is False


def test_structured_output(claude, upstream):
    upstream.reply(answer({"content": '{"name":"Ulm","people":128000}'}))
    got = claude.messages.parse(model="gpt", max_tokens=100, messages=HI, output_format=Town)
    assert got.parsed_output == Town(name="Ulm", people=128000)
    schema = upstream.last.json["response_format"]["json_schema"]["schema"]
    assert set(schema["properties"]) == {"name", "people"}
    upstream.reply(gemini({"text": '{"name":"Ulm","people":128000}'}))
    got = claude.messages.parse(model="gemini", max_tokens=100, messages=HI, output_format=Town)
    assert got.parsed_output == Town(name="Ulm", people=128000)
    assert upstream.last.json["generationConfig"]["responseMimeType"] == "application/json"


@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_come_back_to_their_provider(claude, upstream, streamed):
    thought = {"text": "let me think", "thought": True, "thoughtSignature": "c2lnbmVk"}
    if streamed:
        upstream.stream(gemini(thought, finish=None), gemini({"text": "Yes."}))
        with claude.messages.stream(model="gemini", max_tokens=3000, messages=HI,
                                    thinking={"type": "enabled", "budget_tokens": 2000}) as stream:
            kinds = [event.type for event in stream]
            got = stream.get_final_message()
        assert "thinking" in kinds and "signature" in kinds
    else:
        upstream.reply(gemini(thought, {"text": "Yes."}))
        got = ask(claude, "gemini", thinking={"type": "enabled", "budget_tokens": 2000})
    assert [block.type for block in got.content] == ["thinking", "text"]
    assert got.content[0].thinking == "let me think"
    turns = [*HI, {"role": "assistant", "content": got.content}, {"role": "user", "content": "sure?"}]
    ask(claude, "gemini", turns)
    parts = upstream.last.json["contents"][1]["parts"]
    assert parts[0] == thought
    # A model of another provider answers all the same.
    assert ask(claude, "gpt", turns).content[0].text == "Hello there."


def test_own_thoughts_pass(claude, upstream):
    upstream.reply(message({"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "text", "text": "Yes."}))
    got = ask(claude, "claude", thinking={"type": "adaptive"})
    ask(claude, "claude", [*HI, {"role": "assistant", "content": got.content}, *HI])
    assert upstream.last.json["messages"][1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "c2ln"}


@pytest.mark.parametrize(("finish", "stop"), [
    ("stop", "end_turn"), ("length", "max_tokens"), ("tool_calls", "tool_use"), ("content_filter", "refusal"),
])
def test_stop_reasons(claude, upstream, finish, stop):
    upstream.reply(answer({"content": "x"}, finish))
    assert ask(claude, "gpt").stop_reason == stop


# What goes wrong.


def test_errors_by_status(claude, upstream):
    for status, kind in [
        (400, anthropic.BadRequestError), (401, anthropic.AuthenticationError), (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError), (500, anthropic.InternalServerError),
    ]:
        upstream.reply({"error": {"message": "no luck", "type": "x", "code": "y", "param": None}}, status=status)
        with pytest.raises(kind) as raised:
            ask(claude, "gpt")
        body = raised.value.body
        assert body["type"] == "error"
        assert body["error"]["type"] in raised.value.response.text
        assert body["request_id"] == raised.value.request_id == raised.value.response.headers["request-id"]
        if status == 401:
            assert "sk-of-the-provider" not in raised.value.response.text
        else:
            assert "no luck" in body["error"]["message"]


def test_overloaded(claude, upstream):
    said = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"}
    upstream.reply(said, status=529, headers={"request-id": "req_1"})
    with pytest.raises(anthropic.APIStatusError) as raised:
        ask(claude, "claude")
    assert (raised.value.status_code, raised.value.body, raised.value.request_id) == (529, said, "req_1")
    upstream.reply({"error": {"message": "overloaded"}}, status=503)
    with pytest.raises(anthropic.APIStatusError) as raised:
        ask(claude, "gpt")
    assert (raised.value.status_code, raised.value.body["error"]["type"]) == (529, "overloaded_error")


def test_wrong_requests(claude, gateway):
    with pytest.raises(anthropic.NotFoundError, match="nobody"):
        ask(claude, "nobody")
    for body, status, kind in [
        (b"{", 400, "invalid_request_error"),
        ({"max_tokens": 5, "messages": HI}, 400, "invalid_request_error"),
        ({"model": "gpt", "max_tokens": 5, "messages": []}, 400, "invalid_request_error"),
        ({"model": "gpt", "max_tokens": 5, "messages": [{"role": "user", "content": [{"type": "text"}]}]}, 400,
         "invalid_request_error"),
    ]:
        got = gateway.post("/anthropic/v1/messages", body)
        assert (got.status, got.json["type"], got.json["error"]["type"]) == (status, "error", kind), got.text
        assert got.headers["request-id"] == got.json["request_id"]
    got = gateway.post("/anthropic/v1/nothing", {})
    assert (got.status, got.json["error"]["type"]) == (404, "not_found_error")
    got = gateway.get("/v1/messages")
    assert (got.status, got.json["error"]["type"]) == (405, "invalid_request_error")


def test_errors_in_streams(claude, gateway, upstream):
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    upstream.stream(*claude_events("Hello")[:4], ("error", error))
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        with claude.messages.stream(model="claude", max_tokens=100, messages=HI) as stream:
            id = stream.response.headers["x-sabir-inference-id"]
            list(stream)
    assert gateway.row(id)["status"] == "error"
    # A stream that breaks off ends with an error, whoever speaks.
    for model, pieces in [("claude", claude_events("Hello")[:4]), ("gemini", gemini_events("Hello", "x")[:1])]:
        upstream.stream(*pieces, 0.05, Drop())
        with pytest.raises(anthropic.APIStatusError):
            with claude.messages.stream(model=model, max_tokens=100, messages=HI) as stream:
                list(stream)


def test_keys(start):
    gateway = start('[gateway.auth]\nenabled = true\nkeys = { me = "env::MINE" }\n', {"MINE": "sk-mine-0123456789"})
    for given in ({"api_key": "sk-mine-0123456789"}, {"api_key": None, "auth_token": "sk-mine-0123456789"}):
        with anthropic.Anthropic(base_url=f"{gateway.url}/anthropic", max_retries=0, **given) as client:
            assert ask(client, "dummy::echo").content[0].text == "hi"
            assert client.models.list().data
    with anthropic.Anthropic(base_url=f"{gateway.url}/anthropic", max_retries=0, api_key="sk-other") as client:
        for refused in (lambda: ask(client, "dummy::echo"), client.models.list,
                        lambda: client.messages.count_tokens(model="claude", messages=HI)):
            with pytest.raises(anthropic.AuthenticationError) as raised:
                refused()
            assert raised.value.body["error"]["type"] == "authentication_error"


# Models, and the client's other half.


def test_models(gateway, claude):
    for base in (gateway.url, f"{gateway.url}/anthropic"):
        with anthropic.Anthropic(base_url=base, api_key="x", max_retries=0) as client:
            first = client.models.list(limit=3)
            assert len(first.data) == 3 and first.has_more
            ids = [model.id for model in client.models.list(limit=3)]
            assert len(ids) == len(set(ids)) and {"gpt", "claude", "dummy::echo"} <= set(ids)
            assert client.models.retrieve("gpt").id == "gpt"
            with pytest.raises(anthropic.NotFoundError):
                client.models.retrieve("nobody")
    # Without the client's header it is the other door's list.
    assert gateway.get("/v1/models").json["object"] == "list"


async def test_async(aclaude, upstream):
    assert (await ask(aclaude, "gpt")).content[0].text == "Hello there."
    upstream.stream(*gemini_events("Hello", " there."))
    async with aclaude.messages.stream(model="gemini", max_tokens=100, messages=HI) as stream:
        assert [text async for text in stream.text_stream] == ["Hello", " there."]
        final = await stream.get_final_message()
    assert (final.usage.input_tokens, final.usage.output_tokens) == (7, 3)
    raw = await ask(aclaude, "dummy::echo", stream=True)
    assert [event.type async for event in raw][-1] == "message_stop"


def test_labels_in_headers(claude, gateway):
    first = claude.messages.with_raw_response.create(model="dummy::echo", max_tokens=5, messages=HI)
    episode = first.headers["x-sabir-episode-id"]
    headers = {"x-sabir-tags": '{"team":"blue"}', "x-sabir-episode-id": episode}
    raw = claude.messages.with_raw_response.create(
        model="dummy::echo", max_tokens=5, messages=HI, extra_headers=headers
    )
    assert raw.headers["x-sabir-episode-id"] == episode
    row = gateway.row(raw.headers["x-sabir-inference-id"])
    assert json.loads(row["tags"]) == {"team": "blue"}
    assert uuid.UUID(bytes=row["episode_id"]) == uuid.UUID(episode)
    with pytest.raises(anthropic.BadRequestError, match="x-sabir-tags"):
        claude.messages.create(model="dummy::echo", max_tokens=5, messages=HI, extra_headers={"x-sabir-tags": "{"})


def test_what_others_cannot_carry_is_named(claude):
    raw = claude.messages.with_raw_response.create(
        model="gpt", max_tokens=5, tools=[WEATHER],
        system=[{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            *HI,
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "no such town", "is_error": True},
            ]},
        ],
    )
    named = {warning["param"] for warning in json.loads(raw.headers["x-sabir-warnings"])}
    assert named == {"cache_control", "messages.is_error"}
