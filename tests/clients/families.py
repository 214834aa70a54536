"""The same answer in the words of each provider family, whole and as a stream.

Invariant: what a family says here is what its provider says on the wire; the models' names are those
of the gateway's configuration in `conftest.py`.
"""

from __future__ import annotations

import copy
import json

from upstream import OPENAI_CHAT, RESPONSE, Upstream, chunk
from words import answer, call, claude_events, gemini, response_events

# The models of the configuration, each served by another family.
FAMILIES = ["gpt", "native", "claude", "gemini"]


def say(upstream: Upstream, family: str, *texts: str, stream: bool = False) -> None:
    """The next answer is this text."""
    text = "".join(texts)
    match family, stream:
        case "gpt", False:
            upstream.reply(answer({"content": text}))
        case "gpt", True:
            upstream.chat(*texts, usage=True)
        case "native", False:
            whole = copy.deepcopy(RESPONSE)
            whole["output"][0]["content"][0]["text"] = text
            upstream.reply(whole)
        case "native", True:
            upstream.stream(*response_events(*texts))
        case "claude", False:
            upstream.reply(_message({"type": "text", "text": text}))
        case "claude", True:
            upstream.stream(*claude_events(*texts))
        case "gemini", False:
            upstream.reply(gemini({"text": text}))
        case "gemini", True:
            upstream.stream(*(gemini({"text": piece}, finish=None) for piece in texts), gemini())


def ask_for(upstream: Upstream, family: str, *calls: tuple[str, dict], stream: bool = False) -> None:
    """The next answer calls these tools; over a stream, the arguments come in pieces where the family has pieces."""
    match family, stream:
        case "gpt", False:
            made = [call(f"call_{index}", name, json.dumps(args)) for index, (name, args) in enumerate(calls)]
            upstream.reply(answer({"content": None, "tool_calls": made}, "tool_calls"))
        case "gpt", True:
            upstream.stream(*_chunks(calls), "[DONE]")
        case "native", False:
            upstream.reply({**RESPONSE, "output": [_item(index, *one) for index, one in enumerate(calls)]})
        case "native", True:
            upstream.stream(*_response_calls(calls))
        case "claude", False:
            uses = [_use(index, name, args) for index, (name, args) in enumerate(calls)]
            upstream.reply(_message(*uses, stop="tool_use"))
        case "claude", True:
            upstream.stream(*_claude_calls(calls))
        case "gemini", _:
            said = gemini(*({"functionCall": {"name": name, "args": args}} for name, args in calls))
            upstream.stream(said) if stream else upstream.reply(said)


def _halves(args: dict) -> tuple[str, str]:
    text = json.dumps(args)
    return text[: len(text) // 2], text[len(text) // 2 :]


def _chunks(calls) -> list[dict]:
    deltas: list[dict] = [{"role": "assistant", "content": None}]
    for index, (name, args) in enumerate(calls):
        deltas.append({"tool_calls": [{"index": index, **call(f"call_{index}", name, "")}]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in _halves(args)]
    return [
        *(chunk({"index": 0, "delta": delta, "finish_reason": None}) for delta in deltas),
        chunk({"index": 0, "delta": {}, "finish_reason": "tool_calls"}),
        chunk(usage=OPENAI_CHAT["usage"]),
    ]


def _item(index: int, name: str, args: dict, **more) -> dict:
    return {
        "type": "function_call", "id": f"fc_{index}", "call_id": f"call_{index}", "name": name,
        "arguments": json.dumps(args), "status": "completed", **more,
    }


def _response_calls(calls) -> list:
    items = [_item(index, *one) for index, one in enumerate(calls)]
    events = [{"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": [], "usage": None}}]
    for index, (item, (_, args)) in enumerate(zip(items, calls)):
        place = {"item_id": item["id"], "output_index": index}
        opened = {**item, "arguments": "", "status": "in_progress"}
        events.append({"type": "response.output_item.added", "output_index": index, "item": opened})
        events += [
            {"type": "response.function_call_arguments.delta", **place, "delta": piece} for piece in _halves(args)
        ]
        events.append({
            "type": "response.function_call_arguments.done", **place, "name": item["name"], "arguments": item["arguments"],
        })
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": {**RESPONSE, "output": items}})
    return [(event["type"], {**event, "sequence_number": number}) for number, event in enumerate(events)]


def _message(*content: dict, stop: str = "end_turn") -> dict:
    return {
        "id": "msg_mock", "type": "message", "role": "assistant", "model": "mock-claude", "content": list(content),
        "stop_reason": stop, "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 3},
    }


def _use(index: int, name: str, args: dict) -> dict:
    return {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": args}


def _claude_calls(calls) -> list:
    begin, *_, delta, end = claude_events()
    events = [begin]
    for index, (name, args) in enumerate(calls):
        opened = {"type": "content_block_start", "index": index, "content_block": _use(index, name, {})}
        pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in _halves(args)]
        events.append((opened["type"], opened))
        events += [
            ("content_block_delta", {"type": "content_block_delta", "index": index, "delta": piece}) for piece in pieces
        ]
        events.append(("content_block_stop", {"type": "content_block_stop", "index": index}))
    said = {**delta[1], "delta": {"stop_reason": "tool_use", "stop_sequence": None}}
    return [*events, (delta[0], said), end]
