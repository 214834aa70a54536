"""The `google-genai` client: over its own provider, over others, over the built-in one."""

from __future__ import annotations

import base64
import json
import uuid

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from upstream import Drop
from words import PIXEL, answer, call, chunk_calls, claude_events, claude_tool_events, gemini, gemini_events

IMAGE = base64.b64decode(PIXEL.partition(",")[2])
WEATHER = types.Tool(function_declarations=[types.FunctionDeclaration(
    name="weather",
    description="The weather of a town",
    parameters=types.Schema(type="OBJECT", properties={"town": types.Schema(type="STRING")}, required=["town"]),
)])
# The client would call functions by itself otherwise.
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)


class Town(BaseModel):
    name: str
    people: int


def connect(url: str, key: str = "key-of-the-caller", **more) -> genai.Client:
    options = types.HttpOptions(base_url=url, retry_options=types.HttpRetryOptions(attempts=1), **more)
    return genai.Client(api_key=key, vertexai=False, http_options=options)


@pytest.fixture
def google(gateway):
    with connect(f"{gateway.url}/gemini") as client:
        yield client


def ask(client, model: str, contents="hi", **config):
    return client.models.generate_content(
        model=model, contents=contents, config=types.GenerateContentConfig(**config) if config else None
    )


def stream(client, model: str, contents="hi", **config) -> list:
    return list(client.models.generate_content_stream(
        model=model, contents=contents, config=types.GenerateContentConfig(**config) if config else None
    ))


def inference(response) -> str:
    return response.sdk_http_response.headers["x-sabir-inference-id"]


# Over Google itself: bytes go through.


def test_bytes_pass(gateway, upstream):
    said = b'{ "candidates":[{"content":{"parts":[{"text":"a\\u0041"}],"role":"model"},"finishReason":"STOP"}], "zz":1e2,' \
        b'"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":10} }'
    upstream.reply(said)
    body = b'{"contents": [ {"parts":[{"text":"hi"}]}], "zz_odd":[1.50]}'
    got = gateway.post("/gemini/v1beta/models/gemini:generateContent?key=of-the-caller", body)
    assert (got.status, got.body) == (200, said)
    sent = upstream.only
    assert sent.path == "/v1beta/models/mock-gemini:generateContent"
    assert sent.body == body
    assert sent.headers["x-goog-api-key"] == "sk-of-the-provider"
    row = gateway.row(got.headers["x-sabir-inference-id"])
    assert (row["status"], row["input_tokens"], row["output_tokens"]) == ("ok", 7, 3)
    assert row["model"] == "gemini"
    assert "of-the-caller" not in "".join(gateway.log)


def test_answer(google, gateway, upstream):
    got = ask(google, "gemini", system_instruction="Be short.", temperature=0.5, max_output_tokens=9)
    assert got.text == "Hello there."
    assert got.candidates[0].finish_reason == types.FinishReason.STOP
    assert (got.usage_metadata.prompt_token_count, got.usage_metadata.candidates_token_count) == (7, 3)
    assert gateway.row(inference(got))["status"] == "ok"
    assert upstream.only.json["generationConfig"] == {"temperature": 0.5, "maxOutputTokens": 9}


def test_stream_passes(google, gateway, upstream):
    upstream.stream(*gemini_events("Hello", " there."))
    chunks = stream(google, "gemini")
    assert [chunk.text for chunk in chunks] == ["Hello", " there."]
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    row = gateway.row(inference(chunks[0]))
    assert (row["status"], row["input_tokens"], row["output_tokens"]) == ("ok", 7, 3)
    assert upstream.only.path == "/v1beta/models/mock-gemini:streamGenerateContent?alt=sse"


@pytest.mark.parametrize("model", ["gemini", "gpt"])
def test_a_stream_without_events_is_an_array(gateway, upstream, model):
    if model == "gemini":
        upstream.stream(*gemini_events("Hello", " there."))
    else:
        upstream.chat("Hello", " there.", usage=True)
    got = gateway.post(f"/v1beta/models/{model}:streamGenerateContent", {"contents": [{"parts": [{"text": "hi"}]}]})
    assert got.headers["content-type"] == "application/json"
    texts = [
        part["text"] for chunk in got.json for candidate in chunk.get("candidates", [])
        for part in candidate.get("content", {}).get("parts", [])
    ]
    assert "".join(texts) == "Hello there."
    assert got.json[-1]["candidates"][0]["finishReason"] == "STOP"
    assert got.json[-1]["usageMetadata"]["promptTokenCount"] == 7


def test_count_tokens(google, upstream):
    upstream.reply({"totalTokens": 42})
    counted = google.models.count_tokens(model="gemini", contents="hi")
    assert counted.total_tokens == 42
    sent = upstream.only
    assert sent.path == "/v1beta/models/mock-gemini:countTokens"
    assert sent.json["contents"][0]["parts"] == [{"text": "hi"}]
    assert sent.headers["x-goog-api-key"] == "sk-of-the-provider"


def test_a_whole_request_that_is_counted_names_the_providers_model(gateway, upstream):
    upstream.reply({"totalTokens": 5})
    whole = {"model": "models/gemini", "contents": [{"parts": [{"text": "hi"}]}]}
    got = gateway.post("/gemini/v1beta/models/gemini:countTokens", {"generateContentRequest": whole})
    assert got.json == {"totalTokens": 5}
    assert upstream.only.json["generateContentRequest"]["model"] == "models/mock-gemini"


def test_count_tokens_of_others_is_refused(google, upstream):
    for model in ("gpt", "claude", "dummy::echo"):
        with pytest.raises(errors.ClientError, match="cannot be counted") as raised:
            google.models.count_tokens(model=model, contents="hi")
        assert (raised.value.code, raised.value.status) == (400, "INVALID_ARGUMENT")
    assert upstream.requests == []


# Over other protocols: everything is translated.


def test_over_openai(google, gateway, upstream):
    got = ask(google, "gpt", system_instruction="Be short.", temperature=0.5, top_p=0.9, seed=7, stop_sequences=["END"])
    assert got.text == "Hello there."
    assert got.candidates[0].finish_reason == types.FinishReason.STOP
    assert got.usage_metadata.prompt_token_count > 0
    assert got.response_id and got.model_version == "mock-model"
    sent = upstream.only
    assert sent.path == "/v1/chat/completions"
    assert sent.json["messages"] == [{"role": "system", "content": "Be short."}, {"role": "user", "content": "hi"}]
    assert (sent.json["temperature"], sent.json["top_p"], sent.json["seed"]) == (0.5, 0.9, 7)
    assert gateway.row(inference(got))["status"] == "ok"


@pytest.mark.parametrize("model", ["gpt", "claude", "dummy::echo"])
def test_streams_of_others(google, upstream, model):
    match model:
        case "gpt":
            upstream.chat("Hello", " there.", usage=True)
        case "claude":
            upstream.stream(*claude_events("Hello", " there."))
    chunks = stream(google, model, "Hello there.")
    assert "".join(chunk.text or "" for chunk in chunks) == "Hello there."
    assert len(chunks) > 2
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.prompt_token_count > 0


@pytest.mark.parametrize("model", ["gpt", "claude", "gemini"])
def test_images(google, upstream, model):
    got = ask(google, model, ["what is it", types.Part.from_bytes(data=IMAGE, mime_type="image/png")])
    assert got.text == "Hello there."
    sent = upstream.only.body.decode()
    assert base64.b64encode(IMAGE).decode() in sent or base64.urlsafe_b64encode(IMAGE).decode() in sent


def tool_answers(upstream, model: str) -> None:
    towns = ("Ulm", "Rom")
    match model:
        case "gpt":
            calls = [call(f"call_{town}", "weather", json.dumps({"town": town})) for town in towns]
            upstream.reply(answer({"content": None, "tool_calls": calls}, "tool_calls"))
            upstream.reply(answer({"content": "Rain."}))
        case "claude":
            uses = [{"type": "tool_use", "id": f"toolu_{t}", "name": "weather", "input": {"town": t}} for t in towns]
            said = {"id": "msg_mock", "type": "message", "role": "assistant", "model": "mock-claude",
                    "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 3}}
            upstream.reply({**said, "content": uses, "stop_reason": "tool_use"})
            upstream.reply({**said, "content": [{"type": "text", "text": "Rain."}], "stop_reason": "end_turn"})
        case "gemini":
            upstream.reply(gemini(*({"functionCall": {"name": "weather", "args": {"town": t}}} for t in towns)))
            upstream.reply(gemini({"text": "Rain."}))


@pytest.mark.parametrize("model", ["gpt", "claude", "gemini"])
def test_a_tool_loop(google, upstream, model):
    tool_answers(upstream, model)
    got = ask(google, model, tools=[WEATHER], automatic_function_calling=BY_HAND)
    assert [(c.name, c.args) for c in got.function_calls] == [("weather", {"town": "Ulm"}), ("weather", {"town": "Rom"})]
    results = [
        types.Part(function_response=types.FunctionResponse(id=c.id, name=c.name, response={"result": f"rain in {c.args['town']}"}))
        for c in got.function_calls
    ]
    turns = [types.UserContent("hi"), got.candidates[0].content, types.Content(role="user", parts=results)]
    assert ask(google, model, turns, tools=[WEATHER], automatic_function_calling=BY_HAND).text == "Rain."
    sent = upstream.last.body.decode()
    assert sent.index("rain in Ulm") < sent.index("rain in Rom")
    if model == "gpt":
        results = [m for m in upstream.last.json["messages"] if m["role"] == "tool"]
        assert [result["tool_call_id"] for result in results] == ["call_Ulm", "call_Rom"]


@pytest.mark.parametrize("model", ["gpt", "claude", "gemini"])
def test_the_client_calls_functions_itself(google, upstream, model):
    asked = []

    def weather(town: str) -> str:
        """The weather of a town."""
        asked.append(town)
        return f"rain in {town}"

    tool_answers(upstream, model)
    assert ask(google, model, tools=[weather]).text == "Rain."
    assert asked == ["Ulm", "Rom"]


@pytest.mark.parametrize("model", ["gpt", "claude"])
def test_streamed_calls_come_whole(google, upstream, model):
    if model == "claude":
        upstream.stream(*claude_tool_events())
    else:
        upstream.stream(*chunk_calls("Let me see.", [("call_1", "weather", ['{"town":', '"Ulm"}']),
                                                     ("call_2", "weather", ['{"to', 'wn":"Rom"}'])]), "[DONE]")
    chunks = stream(google, model, tools=[WEATHER], automatic_function_calling=BY_HAND)
    calls = [c for chunk in chunks for c in chunk.function_calls or []]
    assert [c.args["town"] for c in calls] == (["Ulm"] if model == "claude" else ["Ulm", "Rom"])
    assert len({c.id for c in calls}) == len(calls)
    assert "".join(part.text or "" for chunk in chunks for part in chunk.parts or []) == "Let me see."


def test_a_chat_keeps_its_turns(google, upstream):
    chat = google.chats.create(model="gpt")
    chat.send_message("one")
    upstream.chat("Hello", " there.")
    assert "".join(chunk.text or "" for chunk in chat.send_message_stream("two")) == "Hello there."
    chat.send_message("three")
    assert [(m["role"], m["content"]) for m in upstream.last.json["messages"]] == [
        ("user", "one"), ("assistant", "Hello there."), ("user", "two"), ("assistant", "Hello there."), ("user", "three"),
    ]


def test_structured_output(google, upstream):
    upstream.reply(answer({"content": '{"name":"Ulm","people":128000}'}))
    got = ask(google, "gpt", response_mime_type="application/json", response_schema=Town)
    assert got.parsed == Town(name="Ulm", people=128000)
    schema = upstream.last.json["response_format"]["json_schema"]["schema"]
    assert set(schema["properties"]) == {"name", "people"}
    assert schema["type"] == "object"
    upstream.reply(gemini({"text": '{"name":"Ulm","people":128000}'}))
    got = ask(google, "gemini", response_mime_type="application/json", response_schema=Town)
    assert got.parsed == Town(name="Ulm", people=128000)


@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_come_back_to_their_provider(google, upstream, streamed):
    thinking = {"type": "thinking", "thinking": "let me think", "signature": "c2lnbmVk+/=="}
    config = types.ThinkingConfig(include_thoughts=True, thinking_budget=2000)
    if streamed:
        head, *rest = claude_events("Yes.")
        # The text is the second block now.
        rest = [(name, {**event, "index": 1} if "index" in event else event) for name, event in rest]
        deltas = [{"type": "thinking_delta", "thinking": "let me "}, {"type": "thinking_delta", "thinking": "think"},
                  {"type": "signature_delta", "signature": "c2lnbmVk+/=="}]
        begun = {"type": "thinking", "thinking": "", "signature": ""}
        upstream.stream(
            head,
            ("content_block_start", {"type": "content_block_start", "index": 0, "content_block": begun}),
            *(("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}) for delta in deltas),
            ("content_block_stop", {"type": "content_block_stop", "index": 0}),
            *rest,
        )
        chunks = stream(google, "claude", thinking_config=config, max_output_tokens=4000)
        parts = [part for chunk in chunks for part in chunk.parts or []]
    else:
        upstream.reply({
            "id": "msg_mock", "type": "message", "role": "assistant", "model": "mock-claude",
            "content": [thinking, {"type": "text", "text": "Yes."}],
            "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 3},
        })
        parts = ask(google, "claude", thinking_config=config, max_output_tokens=4000).parts
    assert "".join(part.text for part in parts if part.thought) == "let me think"
    assert "".join(part.text for part in parts if part.text and not part.thought) == "Yes."
    turns = [types.UserContent("hi"), types.Content(role="model", parts=parts), types.UserContent("sure?")]
    ask(google, "claude", turns)
    assert upstream.last.json["messages"][1]["content"][0] == thinking
    ask(google, "gpt", turns)


@pytest.mark.parametrize(("finish", "reason"), [
    ("stop", "STOP"), ("length", "MAX_TOKENS"), ("tool_calls", "STOP"), ("content_filter", "SAFETY"),
])
def test_finish_reasons(google, upstream, finish, reason):
    upstream.reply(answer({"content": "x"}, finish))
    assert ask(google, "gpt").candidates[0].finish_reason.name == reason


# Vectors.


def test_embeddings(google, gateway, upstream):
    upstream.reply({"object": "list", "model": "m", "usage": {"prompt_tokens": 2, "total_tokens": 2}, "data": [
        {"object": "embedding", "index": 0, "embedding": [0.5, 1.0]},
        {"object": "embedding", "index": 1, "embedding": [0.25, 2.0]},
    ]})
    got = google.models.embed_content(model="embed", contents=["a", "b"], config={"output_dimensionality": 2})
    assert [vector.values for vector in got.embeddings] == [[0.5, 1.0], [0.25, 2.0]]
    assert (upstream.only.json["input"], upstream.only.json["dimensions"]) == (["a", "b"], 2)
    upstream.reply({"embeddings": [{"values": [0.5]}, {"values": [1.5]}]})
    texts = [{"content": {"parts": [{"text": text}]}} for text in "ab"]
    got = gateway.post("/gemini/v1beta/models/gemini-embed:batchEmbedContents", {"requests": texts})
    assert got.json["embeddings"] == [{"values": [0.5]}, {"values": [1.5]}]
    assert upstream.last.path == "/v1beta/models/mock-embed:batchEmbedContents"
    assert [r["model"] for r in upstream.last.json["requests"]] == ["models/mock-embed"] * 2


def test_one_embedding(gateway, upstream):
    body = {"content": {"parts": [{"text": "a"}]}}
    got = gateway.post("/v1beta/models/embed:embedContent", body)
    assert got.json["embedding"]["values"] == [0.5, -0.25, 1.0]
    upstream.reply({"embedding": {"values": [0.5]}})
    got = gateway.post("/v1beta/models/gemini-embed:embedContent", body)
    assert got.json["embedding"]["values"] == [0.5]
    assert upstream.last.path == "/v1beta/models/mock-embed:embedContent"


# What goes wrong.


def test_errors_by_status(google, upstream):
    for status, code, word in [
        (400, 400, "INVALID_ARGUMENT"), (401, 401, "UNAUTHENTICATED"), (404, 404, "NOT_FOUND"),
        (429, 429, "RESOURCE_EXHAUSTED"), (500, 503, "UNAVAILABLE"),
    ]:
        upstream.reply({"error": {"message": "no luck", "type": "x", "code": "y", "param": None}}, status=status)
        with pytest.raises(errors.APIError) as raised:
            ask(google, "gpt")
        assert (raised.value.code, raised.value.status) == (code, word)
        assert "sk-of-the-provider" not in str(raised.value)
        if status != 401:
            assert "no luck" in raised.value.message


def test_own_errors_pass(google, upstream):
    said = {"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED", "details": [{"zz": 1}]}}
    upstream.reply(said, status=429)
    with pytest.raises(errors.ClientError) as raised:
        ask(google, "gemini")
    assert raised.value.details == said


def test_wrong_requests(google, gateway):
    with pytest.raises(errors.ClientError, match="nobody") as raised:
        ask(google, "nobody")
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")
    for path, body, code in [
        ("gpt:generateContent", b"{", 400), ("gpt:generateContent", {"contents": []}, 400),
        ("gpt:generateContent", {"contents": "hi"}, 400), ("gpt:predict", {}, 404), ("gpt", {}, 404),
        ("gemini:generateContent", b"{", 400), ("embed:generateContent", {"contents": []}, 404),
    ]:
        got = gateway.post(f"/gemini/v1beta/models/{path}", body)
        assert got.status == code, (path, got.text)
        assert got.json["error"]["code"] == code and got.json["error"]["status"] and got.json["error"]["message"]
    assert gateway.post("/gemini/v1beta/nothing", {}).json["error"]["status"] == "NOT_FOUND"
    got = gateway.ask("DELETE", "/gemini/v1beta/models")
    assert (got.status, got.json["error"]["status"]) == (405, "INVALID_ARGUMENT")


def test_errors_in_streams(google, gateway, upstream):
    upstream.stream(*gemini_events("Hello", "x")[:1], {"error": {"code": 503, "message": "no luck", "status": "UNAVAILABLE"}})
    with pytest.raises(errors.APIError, match="no luck"):
        stream(google, "gemini")
    for model, pieces in [("gemini", gemini_events("Hello", "x")[:1]), ("claude", claude_events("Hello")[:4])]:
        upstream.stream(*pieces, 0.05, Drop())
        with pytest.raises(errors.APIError):
            stream(google, model)
        upstream.stream(*pieces, 0.05, Drop())
        got = gateway.post(f"/v1beta/models/{model}:streamGenerateContent", {"contents": [{"parts": [{"text": "hi"}]}]})
        assert got.json[-1]["error"]["status"] == "UNAVAILABLE"


def test_keys(start):
    key = "key-mine-0123456789"
    gateway = start('[gateway.auth]\nenabled = true\nkeys = { me = "env::MINE" }\n', {"MINE": key})
    with connect(f"{gateway.url}/gemini", key) as client:
        assert ask(client, "dummy::echo").text == "hi"
        assert list(client.models.list())
    path = "/v1beta/models/dummy::echo:generateContent"
    body = {"contents": [{"parts": [{"text": "hi"}]}]}
    assert gateway.post(f"{path}?key={key}", body).status == 200
    assert gateway.get(f"/gemini/v1/models?key={key}").status == 200
    for refused in (gateway.post(path, body), gateway.post(f"{path}?key=other", body), gateway.get("/v1beta/models"),
                    gateway.post("/v1beta/models/gemini:countTokens", body)):
        assert (refused.status, refused.json["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert key not in "".join(gateway.log)


# Models, and the client's other half.


def test_models(google, gateway):
    ids = [model.name for model in google.models.list(config={"page_size": 3})]
    assert len(ids) == len(set(ids)) and {"models/gpt", "models/claude", "models/dummy::echo", "models/embed"} <= set(ids)
    assert google.models.get(model="gpt").supported_actions == ["generateContent", "streamGenerateContent"]
    assert "countTokens" in google.models.get(model="gemini").supported_actions
    assert google.models.get(model="embed").supported_actions == ["embedContent", "batchEmbedContents"]
    with pytest.raises(errors.ClientError):
        google.models.get(model="nobody")
    assert gateway.get("/gemini/v1/models").json["models"]
    # At the root, where the OpenAI door is at home.
    with connect(gateway.url) as client:
        assert client.models.get(model="gpt").name == "models/gpt"
        assert {"models/gpt", "models/dummy::echo"} <= {model.name for model in client.models.list()}


@pytest.mark.parametrize("model", ["dummy::echo", "org/llama:70b", "models/gpt"])
def test_names_with_colons_and_slashes(google, model):
    assert ask(google, model).text in ("hi", "Hello there.")


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("path", ["", "/gemini"])
def test_versions(gateway, version, path):
    with connect(f"{gateway.url}{path}", api_version=version) as client:
        assert ask(client, "dummy::echo").text == "hi"
        assert "".join(chunk.text or "" for chunk in stream(client, "dummy::echo")) == "hi"


async def test_async(gateway, upstream):
    async with connect(gateway.url).aio as client:
        got = await client.models.generate_content(model="gpt", contents="hi")
        assert got.text == "Hello there."
        upstream.stream(*claude_events("Hello", " there."))
        chunks = [chunk async for chunk in await client.models.generate_content_stream(model="claude", contents="hi")]
        assert "".join(chunk.text or "" for chunk in chunks) == "Hello there."


def test_labels_in_headers(gateway):
    with connect(f"{gateway.url}/gemini", headers={"x-sabir-tags": '{"team":"blue"}'}) as client:
        got = ask(client, "dummy::echo")
    row = gateway.row(inference(got))
    assert json.loads(row["tags"]) == {"team": "blue"}
    uuid.UUID(got.sdk_http_response.headers["x-sabir-episode-id"])
