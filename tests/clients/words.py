"""What the tests say to the gateway, what the provider says back, and how applications read it."""

from __future__ import annotations

import json

from upstream import chunk

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


def chunk_calls(text: str, calls: list[tuple[str, str, list[str]]]) -> list[dict]:
    """An OpenAI stream of a text and of calls whose arguments come in pieces."""
    deltas = [{"role": "assistant", "content": text}]
    for index, (id, name, pieces) in enumerate(calls):
        begun = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [begun]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces]
    return [
        *(chunk({"index": 0, "delta": delta, "finish_reason": None}) for delta in deltas),
        chunk({"index": 0, "delta": {}, "finish_reason": "tool_calls"}),
    ]


def texts(stream) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


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


# The same in TensorZero's words.

INPUT = {"messages": HI}
TOOL = {
    "name": "weather",
    "description": WEATHER["function"]["description"],
    "parameters": WEATHER["function"]["parameters"],
    "strict": False,
}
# What the built-in model `good` streams.
WALLY = "Wally, the golden retriever, wagged his tail excitedly as he devoured a slice of cheese pizza."


def said(chunks) -> str:
    return "".join(block.text for chunk in chunks for block in chunk.content if block.type == "text")


def error_of(caught) -> str:
    """What the gateway wrote, which the client hands out as it is."""
    return json.loads(caught.value.text)["error"]
