"""What coding agents rely on, over models that they were not written for: long tool loops, signatures, odd tools."""

from __future__ import annotations

import json

import anthropic
import openai
import pytest

from families import ask_for, say
from words import HI, WEATHER, gemini

SCHEMA = WEATHER["function"]["parameters"]
PATCH = {"type": "custom", "name": "patch", "description": "Changes files",
         "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}}
SIGNED = [
    {"text": "let me think", "thought": True},
    {"functionCall": {"name": "weather", "args": {"town": "Ulm"}}, "thoughtSignature": "c2lnbmVkLTE="},
    {"functionCall": {"name": "weather", "args": {"town": "Rom"}}},
]


def signed(upstream, stream: bool) -> None:
    """Gemini calls twice and signs the first call; without an id of the answer, as some of its servers do."""
    said = {name: value for name, value in gemini(*SIGNED).items() if name != "responseId"}
    upstream.stream(said) if stream else upstream.reply(said)


def call_parts(upstream) -> list[dict]:
    return [part for turn in upstream.last.json["contents"] for part in turn["parts"] if "functionCall" in part]


def check(upstream) -> None:
    """The provider gets its own calls back, with the signature where it was, after every round."""
    parts = call_parts(upstream)
    assert len(parts) == 4
    for first, second in (parts[:2], parts[2:]):
        assert first["thoughtSignature"] == "c2lnbmVkLTE="
        assert first["functionCall"]["args"] == {"town": "Ulm"}
        assert second["functionCall"]["args"] == {"town": "Rom"}
        assert second.get("thoughtSignature") is None


@pytest.mark.parametrize("stream", [False, True])
def test_signatures_through_anthropics_door(gateway, upstream, stream):
    with anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0) as client:
        messages, ids = [*HI], []
        for _ in range(2):
            signed(upstream, stream)
            asked = dict(model="gemini", max_tokens=100, messages=messages,
                         tools=[{"name": "weather", "input_schema": SCHEMA}])
            if stream:
                with client.messages.stream(**asked) as events:
                    got = events.get_final_message()
            else:
                got = client.messages.create(**asked)
            assert got.content[-1].type == "tool_use", "clients drop thoughts at the end"
            uses = [block for block in got.content if block.type == "tool_use"]
            ids += [use.id for use in uses]
            results = [{"type": "tool_result", "tool_use_id": use.id, "content": "rain"} for use in uses]
            messages += [{"role": "assistant", "content": got.content}, {"role": "user", "content": results}]
        say(upstream, "gemini", "Rain.")
        client.messages.create(**{**asked, "messages": messages})
    assert len(set(ids)) == 4, "agents tell calls apart by their ids"
    check(upstream)


@pytest.mark.parametrize("stream", [False, True])
def test_signatures_through_the_responses_door(gateway, upstream, stream):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0) as client:
        items: list = [{"role": "user", "content": "hi"}]
        tool = {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}
        for _ in range(2):
            signed(upstream, stream)
            asked = dict(model="gemini", input=items, tools=[tool], store=False, include=["reasoning.encrypted_content"])
            if stream:
                with client.responses.stream(**asked) as events:
                    got = events.get_final_response()
            else:
                got = client.responses.create(**asked)
            items += [item.to_dict() for item in got.output]
            items += [{"type": "function_call_output", "call_id": item.call_id, "output": "rain"}
                      for item in got.output if item.type == "function_call"]
        say(upstream, "gemini", "Rain.")
        client.responses.create(**{**asked, "input": items})
    check(upstream)


@pytest.mark.parametrize("stream", [False, True])
def test_signatures_through_openais_door(client, upstream, stream):
    messages: list = [*HI]
    for _ in range(2):
        signed(upstream, stream)
        asked = dict(model="gemini", messages=messages, tools=[WEATHER])
        if stream:
            with client.chat.completions.stream(**asked) as events:
                got = events.get_final_completion().choices[0].message
        else:
            got = client.chat.completions.create(**asked).choices[0].message
        messages.append(got.to_dict())
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "rain"} for call in got.tool_calls]
    say(upstream, "gemini", "Rain.")
    client.chat.completions.create(model="gemini", messages=messages, tools=[WEATHER])
    check(upstream)
    # No other provider sees what was packed for Google.
    say(upstream, "gpt", "Rain.")
    client.chat.completions.create(model="gpt", messages=messages, tools=[WEATHER])
    assert "sabir" not in upstream.last.body.decode()


@pytest.mark.parametrize("stream", [False, True])
def test_signatures_through_tensorzeros_door(gateway, upstream, stream):
    tool = {"name": "weather", "description": "", "parameters": SCHEMA, "strict": False}
    messages: list = [{"role": "user", "content": "hi"}]
    for _ in range(2):
        signed(upstream, stream)
        asked = {"model_name": "gemini", "input": {"messages": messages}, "additional_tools": [tool], "stream": stream}
        got = gateway.post("/inference", asked)
        if stream:
            content: dict[tuple, dict] = {}
            for line in got.text.split("\n"):
                if not line.startswith("data: {"):
                    continue
                for piece in json.loads(line.removeprefix("data: "))["content"]:
                    block = content.setdefault((piece["type"], piece.pop("id")), {"type": piece["type"]})
                    for name, value in piece.items():
                        both_texts = isinstance(value, str) and name != "type" and isinstance(block.get(name), str)
                        block[name] = block[name] + value if both_texts else block.get(name) if value is None else value
            blocks = [{**block, "id": id} if kind == "tool_call" else block for (kind, id), block in content.items()]
        else:
            blocks = got.json["content"]
        messages.append({"role": "assistant", "content": blocks})
        messages.append({"role": "user", "content": [
            {"type": "tool_result", "id": block["id"], "name": "weather", "result": "rain"}
            for block in blocks if block["type"] == "tool_call"
        ]})
    say(upstream, "gemini", "Rain.")
    assert gateway.post("/inference", {**asked, "stream": False}).status == 200
    check(upstream)


def test_packed_thoughts_never_reach_the_wrong_provider(gateway, upstream):
    with anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0) as client:
        signed(upstream, False)
        tools = [{"name": "weather", "input_schema": SCHEMA}]
        got = client.messages.create(model="gemini", max_tokens=100, messages=HI, tools=tools)
        uses = [block for block in got.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": use.id, "content": "rain"} for use in uses]
        turns = [*HI, {"role": "assistant", "content": got.content}, {"role": "user", "content": results}]
        client.messages.create(model="claude", max_tokens=100, messages=turns, tools=tools)
    sent = upstream.last.json["messages"]
    assert [block["type"] for block in sent[1]["content"]] == ["tool_use", "tool_use"]


@pytest.mark.parametrize("model", ["gpt", "claude", "gemini"])
@pytest.mark.parametrize("stream", [False, True])
def test_tools_in_namespaces(client, gateway, upstream, model, stream):
    group = {"type": "namespace", "name": "crm", "description": "Customers.", "tools": [
        {"type": "function", "name": "find", "description": "Finds one", "parameters": SCHEMA, "strict": False}]}
    ask_for(upstream, model, ("crm__find", {"town": "Ulm"}), stream=stream)
    if stream:
        with client.responses.stream(model=model, input="hi", tools=[group]) as events:
            done = [event for event in events if event.type == "response.function_call_arguments.done"]
            got = events.get_final_response()
        assert [event.name for event in done] == ["find"]
    else:
        got = client.responses.create(model=model, input="hi", tools=[group])
    (call,) = [item for item in got.output if item.type == "function_call"]
    assert (call.namespace, call.name, json.loads(call.arguments)) == ("crm", "find", {"town": "Ulm"})
    assert "Customers.\\nFinds one" in upstream.last.body.decode()
    say(upstream, model, "Rain.")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    client.responses.create(
        model=model, input=[{"role": "user", "content": "hi"}, call.to_dict(), result], tools=[group]
    )
    assert "crm__find" in upstream.last.body.decode()


def test_tools_that_a_server_would_run_are_left_out_by_name(client, upstream):
    tools = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}, {"type": "web_search"}]
    say(upstream, "gpt", "Hello there.")
    raw = client.responses.with_raw_response.create(model="gpt", input="hi", tools=tools)
    assert "web_search" in raw.headers["x-sabir-warnings"]
    assert [tool["function"]["name"] for tool in upstream.last.json["tools"]] == ["weather"]
    # Where it has to be called, or is all there is, leaving it out would not be harmless.
    for more in ({"tools": [{"type": "web_search"}]}, {"tools": tools, "tool_choice": "required"}):
        with pytest.raises(openai.BadRequestError, match="web_search"):
            client.responses.create(model="gpt", input="hi", **more)


@pytest.mark.parametrize("model", ["claude", "gemini"])
@pytest.mark.parametrize("stream", [False, True])
def test_tools_of_free_text(client, upstream, model, stream):
    text = '*** Begin\n+"quoted" ü\n*** End'
    ask_for(upstream, model, ("patch", {"input": text}), ("weather", {"town": "Ulm"}), stream=stream)
    plain = {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}
    if stream:
        with client.responses.stream(model=model, input="hi", tools=[PATCH, plain]) as events:
            deltas = [event.delta for event in events if event.type == "response.custom_tool_call_input.delta"]
            got = events.get_final_response()
        assert "".join(deltas) == text
    else:
        got = client.responses.create(model=model, input="hi", tools=[PATCH, plain])
    first, second = (item for item in got.output if item.type.endswith("_call"))
    assert (first.type, first.input) == ("custom_tool_call", text)
    assert (second.type, json.loads(second.arguments)) == ("function_call", {"town": "Ulm"})
    assert "start: /.+/" in upstream.last.body.decode()
    say(upstream, model, "Done.")
    items = [{"role": "user", "content": "hi"}, first.to_dict(), second.to_dict(),
             {"type": "custom_tool_call_output", "call_id": first.call_id, "output": "ok"},
             {"type": "function_call_output", "call_id": second.call_id, "output": "rain"}]
    assert client.responses.create(model=model, input=items, tools=[PATCH, plain]).output_text == "Done."
    assert '{"input":' in json.dumps(upstream.last.json, separators=(",", ":"))
    # What is kept here is what the caller was given.
    assert client.responses.retrieve(got.id).output[-2].to_dict()["input"] == text


def test_tools_of_free_text_in_chat(client, upstream):
    custom = {"type": "custom", "custom": {"name": "patch", "description": "Changes files"}}
    ask_for(upstream, "claude", ("patch", {"input": "+x"}))
    got = client.chat.completions.create(model="claude", messages=HI, tools=[custom])
    (call,) = got.choices[0].message.tool_calls
    assert (call.type, call.custom.name, call.custom.input) == ("custom", "patch", "+x")
