"""The Node clients `openai`, `@anthropic-ai/sdk` and `@google/genai`, on models of every provider family."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from families import FAMILIES, ask_for, say
from upstream import UntilClosed
from words import HI, WEATHER

CALLS = Path(__file__).parent / "node" / "calls.cjs"
TOWNS = [("weather", {"town": "Ulm"}), ("weather", {"town": "São \"Paulo\""})]
SCHEMA = WEATHER["function"]["parameters"]


class Thrown(Exception):
    """What a client threw."""

    def __init__(self, what: dict) -> None:
        super().__init__(f"{what['name']}: {what['message']}")
        self.name = what["name"]
        self.status = what["status"]
        self.request_id = what["request_id"]
        self.body = what["body"]


class Node:
    """The process that holds the clients."""

    def __init__(self, modules: str) -> None:
        self.process = subprocess.Popen(
            ["node", CALLS], env={"PATH": os.environ["PATH"], "NODE_PATH": modules}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )

    def __call__(self, call: str, url: str, **args):
        self.process.stdin.write(json.dumps({"call": call, "url": url, "args": args}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the Node process ended during {call}"
        result = json.loads(line)
        if "error" in result:
            raise Thrown(result["error"])
        return result["ok"]

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


@pytest.fixture(scope="session")
def _node():
    modules = os.environ.get("SABIR_NODE_MODULES")
    if not modules:
        pytest.skip("SABIR_NODE_MODULES does not name a folder with the Node clients (`cargo xtask clients` makes one)")
    assert shutil.which("node"), "there is no node"
    node = Node(modules)
    yield node
    node.stop()


@pytest.fixture
def node(_node, gateway):
    return lambda call, **args: _node(call, gateway.url, **args)


# OpenAI's client.


@pytest.mark.parametrize("model", FAMILIES)
def test_chat(node, gateway, upstream, model):
    say(upstream, model, "Hello there.")
    got = node("openai.chat", model=model)
    assert got["data"]["choices"][0]["message"]["content"] == "Hello there."
    assert got["data"]["usage"]["prompt_tokens"] == 7
    assert got["request_id"]
    assert gateway.row(got["inference"])["status"] == "ok"


@pytest.mark.parametrize("model", FAMILIES)
def test_streaming_helper(node, upstream, model):
    say(upstream, model, "Hello", " there.", stream=True)
    got = node("openai.stream", model=model, stream_options={"include_usage": True})
    assert got["pieces"] == ["Hello", " there."]
    assert got["final"]["choices"][0]["message"]["content"] == "Hello there."
    assert got["final"]["choices"][0]["finish_reason"] == "stop"
    assert got["final"]["usage"]["prompt_tokens"] == 7


@pytest.mark.parametrize("model", FAMILIES)
def test_streamed_calls(node, upstream, model):
    ask_for(upstream, model, *TOWNS, stream=True)
    got = node("openai.stream", model=model, tools=[WEATHER])
    choice = got["final"]["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    made = [call["function"] for call in choice["message"]["tool_calls"]]
    assert [(call["name"], json.loads(call["arguments"])) for call in made] == TOWNS
    assert len({call["id"] for call in choice["message"]["tool_calls"]}) == 2


@pytest.mark.parametrize("model", FAMILIES)
def test_tool_runner(node, upstream, model):
    ask_for(upstream, model, *TOWNS)
    say(upstream, model, "Rain.")
    got = node("openai.tools", model=model)
    assert got == {"content": "Rain.", "asked": [args["town"] for _, args in TOWNS]}
    sent = upstream.last.body.decode()
    assert sent.index("rain in Ulm") < sent.index("rain in São")


@pytest.mark.parametrize("model", FAMILIES)
def test_structured_output(node, upstream, model):
    say(upstream, model, '{"name":"Ulm","people":128000}')
    assert node("openai.parse", model=model) == {"name": "Ulm", "people": 128000}


def test_azure(node, upstream):
    say(upstream, "gpt", "Hello there.")
    assert node("openai.azure", model="gpt")["choices"][0]["message"]["content"] == "Hello there."
    assert upstream.only.json["model"] == "mock-model"


def test_embeddings_and_models(node):
    got = node("openai.embeddings", model="embed")
    assert got["data"][0]["embedding"] == [0.5, -0.25, 1.0]
    assert {"gpt", "claude", "gemini", "native"} <= set(node("openai.models"))


def test_leaving_a_stream_tells_the_provider(node, upstream):
    upstream.stream(
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "mock-model",
         "choices": [{"index": 0, "delta": {"role": "assistant", "content": "one"}, "finish_reason": None}]},
        UntilClosed(),
    )
    assert node("openai.leave", model="gpt") == "one"
    assert upstream.only.closed.wait(10)


def test_errors_and_retries(node, upstream):
    with pytest.raises(Thrown) as caught:
        node("openai.chat", model="nobody")
    assert (caught.value.name, caught.value.status) == ("NotFoundError", 404)
    assert caught.value.request_id
    upstream.reply({"error": {"message": "slow down", "type": "rate_limit"}}, status=429)
    with pytest.raises(Thrown, match="slow down") as caught:
        node("openai.chat", model="gpt")
    assert caught.value.name == "RateLimitError"
    upstream.reply({"error": {"message": "slow down"}}, status=429, headers={"retry-after-ms": "5"})
    say(upstream, "gpt", "Hello there.")
    assert node("openai.retry", model="gpt", maxRetries=1)["choices"][0]["message"]["content"] == "Hello there."


# The same client's Responses.


@pytest.mark.parametrize("model", FAMILIES)
def test_responses(node, upstream, model):
    say(upstream, model, "Hello there.")
    got = node("responses.create", model=model)
    assert got["text"] == "Hello there."
    assert got["id"].startswith("resp_")
    assert got["usage"]["input_tokens"] == 7


@pytest.mark.parametrize("model", FAMILIES)
def test_responses_streaming_helper(node, upstream, model):
    say(upstream, model, "Hello", " there.", stream=True)
    got = node("responses.stream", model=model)
    assert (got["deltas"], got["text"]) == (["Hello", " there."], "Hello there.")
    ask_for(upstream, model, *TOWNS, stream=True)
    tool = {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}
    got = node("responses.stream", model=model, tools=[tool])
    made = [item for item in got["output"] if item["type"] == "function_call"]
    assert [(item["name"], json.loads(item["arguments"])) for item in made] == TOWNS


@pytest.mark.parametrize("model", FAMILIES)
def test_responses_events_are_numbered(node, upstream, model):
    say(upstream, model, "Hello", " there.", stream=True)
    events = node("responses.events", model=model)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")


@pytest.mark.parametrize("model", FAMILIES)
def test_responses_structured_output(node, upstream, model):
    say(upstream, model, '{"name":"Ulm","people":128000}')
    assert node("responses.parse", model=model) == {"name": "Ulm", "people": 128000}


def test_responses_that_are_kept(node):
    got = node("responses.kept", model="dummy::echo")
    assert got["again"] == "second"
    assert "user" in got["roles"]


# Anthropic's client.


@pytest.mark.parametrize("model", FAMILIES)
def test_message(node, upstream, model):
    say(upstream, model, "Hello there.")
    got = node("claude.message", model=model)
    assert got["data"]["content"][0]["text"] == "Hello there."
    assert (got["data"]["stop_reason"], got["data"]["usage"]["input_tokens"]) == ("end_turn", 7)
    assert got["request_id"]


@pytest.mark.parametrize("model", FAMILIES)
def test_message_stream(node, upstream, model):
    say(upstream, model, "Hello", " there.", stream=True)
    got = node("claude.stream", model=model)
    assert got["pieces"] == ["Hello", " there."]
    assert (got["final"]["content"][0]["text"], got["final"]["stop_reason"]) == ("Hello there.", "end_turn")
    ask_for(upstream, model, *TOWNS, stream=True)
    got = node("claude.stream", model=model, tools=[{"name": "weather", "input_schema": SCHEMA}])
    uses = [block for block in got["final"]["content"] if block["type"] == "tool_use"]
    assert [(use["name"], use["input"]) for use in uses] == TOWNS
    assert [json.loads(text) for text in _joined(got["json"])] == [args for _, args in TOWNS]
    assert got["final"]["stop_reason"] == "tool_use"


def _joined(pieces: list[str]) -> list[str]:
    """The pieces of JSON, put together where one object ends and the next begins."""
    made = [""]
    for piece in pieces:
        try:
            json.loads(made[-1])
            made.append("")
        except json.JSONDecodeError:
            pass
        made[-1] += piece
    return made


@pytest.mark.parametrize("model", FAMILIES)
def test_claude_tool_runner(node, upstream, model):
    ask_for(upstream, model, *TOWNS)
    say(upstream, model, "Rain.")
    got = node("claude.tools", model=model)
    assert sorted(got["asked"]) == sorted(args["town"] for _, args in TOWNS)
    assert got["content"][-1]["text"] == "Rain."
    if model != "claude":
        # The client sends only what is new, since the gateway keeps the conversation.
        sent = upstream.last.body.decode()
        assert sent.index('"hi"') < sent.index("weather") and "rain in Ulm" in sent


@pytest.mark.parametrize("model", FAMILIES)
def test_claude_structured_output(node, upstream, model):
    say(upstream, model, '{"name":"Ulm","people":128000}')
    assert node("claude.parse", model=model) == {"name": "Ulm", "people": 128000}


def test_claude_counts_lists_and_errors(node, upstream):
    upstream.reply({"input_tokens": 42})
    assert node("claude.count", model="claude") == {"input_tokens": 42}
    assert "gpt" in node("claude.models")
    with pytest.raises(Thrown) as caught:
        node("claude.message", model="nobody")
    assert (caught.value.name, caught.value.body["error"]["type"]) == ("NotFoundError", "not_found_error")


# Google's client.


@pytest.mark.parametrize("model", FAMILIES)
def test_generate(node, upstream, model):
    say(upstream, model, "Hello there.")
    got = node("google.generate", model=model)
    assert got["text"] == "Hello there."
    assert got["usage"]["promptTokenCount"] == 7


@pytest.mark.parametrize("model", FAMILIES)
def test_generate_stream(node, upstream, model):
    say(upstream, model, "Hello", " there.", stream=True)
    assert "".join(node("google.stream", model=model)["texts"]) == "Hello there."
    ask_for(upstream, model, *TOWNS, stream=True)
    tools = [{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": SCHEMA}]}]
    got = node("google.stream", model=model, config={"tools": tools})
    assert [(call["name"], call["args"]) for call in got["calls"]] == TOWNS


def test_google_chat_and_embeddings(node):
    got = node("google.chat", model="dummy::echo")
    assert got["turns"] == ["user", "model", "user", "model"]
    assert got["text"]
    assert node("google.embed", model="embed") == [[0.5, -0.25, 1]]


def test_what_the_provider_gets_is_the_same_as_from_python(node, client, upstream):
    node("openai.chat", model="gpt", temperature=0.5)
    client.chat.completions.create(model="gpt", messages=HI, temperature=0.5)
    by_node, by_python = (request.json for request in upstream.requests)
    assert by_node == by_python
