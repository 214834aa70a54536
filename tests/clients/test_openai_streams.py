"""Streams through the `openai` client that are long, odd, slow, or many."""

from __future__ import annotations

import asyncio
import json
import time

import openai
import pytest

from gateway import events
from upstream import OPENAI_CHAT, Drop, chat_chunks, chunk
from words import HI, WEATHER, call, claude_events, collect_calls, gemini, texts

pytestmark = pytest.mark.openai


def data(event) -> bytes:
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def ask(client, model: str = "gpt", **more):
    return client.chat.completions.create(model=model, messages=HI, stream=True, **more)


ODD = "é 🦀 \u2028 \u0085 \u0000 \\n \" data: [DONE]"


@pytest.mark.parametrize("model", ["gpt", "claude"])
@pytest.mark.parametrize("ascii", [False, True])
def test_every_letter_arrives(client, upstream, model, ascii):
    if model == "gpt":
        chunks = [json.dumps(chunk, ensure_ascii=ascii) for chunk in chat_chunks(ODD, ODD)]
        upstream.stream(*chunks, "[DONE]")
    else:
        pairs = [(name, json.dumps(event, ensure_ascii=ascii)) for name, event in claude_events(ODD, ODD)]
        upstream.stream(*(f"event: {name}\ndata: {event}\n\n".encode() for name, event in pairs))
    assert texts(ask(client, model)) == ODD + ODD


@pytest.mark.parametrize("model", ["gpt", "claude", "gemini"])
@pytest.mark.parametrize("size", [1, 7])
def test_it_does_not_matter_where_packets_end(client, upstream, model, size):
    whole = {
        "gpt": [*map(data, chat_chunks("é🦀", " ok")), b"data: [DONE]\n\n"],
        "claude": [b"event: %s\n" % name.encode() + data(event) for name, event in claude_events("é🦀", " ok")],
        "gemini": [data(gemini({"text": "é🦀"}, finish=None)), data(gemini({"text": " ok"}))],
    }[model]
    whole = b"".join(whole)
    upstream.stream(*(whole[at : at + size] for at in range(0, len(whole), size)))
    assert texts(ask(client, model)) == "é🦀 ok"


@pytest.mark.parametrize("model", ["gpt", "claude"])
@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_every_line_end(client, upstream, model, end):
    if model == "gpt":
        pieces = [*map(data, chat_chunks("one", " two")), b"data: [DONE]\n\n"]
    else:
        pieces = [b"event: %s\n" % name.encode() + data(event) for name, event in claude_events("one", " two")]
    upstream.stream(*(piece.replace(b"\n", end) for piece in pieces))
    assert texts(ask(client, model)) == "one two"


def test_no_space_after_the_colon(client, upstream):
    upstream.stream(*(data(chunk).replace(b"data: ", b"data:") for chunk in chat_chunks("one")), b"data:[DONE]\n\n")
    assert texts(ask(client)) == "one"


# Some servers leave the marker out; the finish reason says that the answer is complete.
def test_no_end_marker(client, upstream):
    upstream.stream(*chat_chunks("one"))
    assert texts(ask(client)) == "one"


def test_a_connection_that_stays_open_after_the_end(client, upstream):
    upstream.stream(*chat_chunks("one"), "[DONE]", 10)
    began = time.monotonic()
    assert texts(ask(client)) == "one"
    assert time.monotonic() - began < 3


# What was cut off is not to be taken for an answer, and what the gateway says about it is not to be
# glued to the half of an event.
@pytest.mark.parametrize("model", ["gpt", "claude", "gemini"])
def test_a_stream_that_is_cut_in_the_middle_of_an_event(client, upstream, model):
    before, half = {
        "gpt": (chat_chunks("one")[:2], data(chat_chunks(" two")[1])),
        "claude": (claude_events("one")[:4], data(claude_events(" two")[3][1])),
        "gemini": ([gemini({"text": "one"}, finish=None)], data(gemini({"text": " two"}, finish=None))),
    }[model]
    upstream.stream(*before, half[: len(half) // 2], Drop())
    seen = []
    with pytest.raises(openai.APIError):
        for chunk in ask(client, model):
            seen.append(chunk)
    assert texts(seen) == "one"


def test_a_long_stream(client, upstream):
    words = [f"word{at} " for at in range(3000)]
    upstream.chat(*words, usage=True)
    chunks = list(ask(client, stream_options={"include_usage": True}))
    assert texts(chunks) == "".join(words)
    assert chunks[-1].usage.completion_tokens == 3000


def test_a_large_event(client, upstream):
    text = "x" * 2_000_000
    upstream.chat(text)
    assert texts(ask(client)) == text


def test_large_bodies(client, upstream):
    text = "y" * 8_000_000
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    upstream.reply({**OPENAI_CHAT, "choices": [choice]})
    completion = client.chat.completions.create(model="gpt", messages=[{"role": "user", "content": text}])
    assert completion.choices[0].message.content == text
    assert upstream.only.json["messages"][0]["content"] == text


async def test_many_at_once(aclient):
    async def one(at: int) -> None:
        messages = [{"role": "user", "content": f"this is {at}"}]
        if at % 2:
            stream = await aclient.chat.completions.create(model="dummy::echo", messages=messages, stream=True)
            said = texts([chunk async for chunk in stream])
        else:
            answer = await aclient.chat.completions.create(model="dummy::echo", messages=messages)
            said = answer.choices[0].message.content
        assert said == f"this is {at}"

    await asyncio.gather(*(one(at) for at in range(100)))


# The gateway speaks up after 15 seconds of silence. Comments are the one thing that no client minds.
async def test_silence(aclient, gateway, upstream):
    first, *rest = (data(chunk) for chunk in chat_chunks("one"))

    async def between_events() -> str:
        return texts([chunk async for chunk in await ask(aclient)])

    async def within_an_event() -> str:
        return texts([chunk async for chunk in await ask(aclient)])

    async def on_the_wire() -> bytes:
        raw = await asyncio.to_thread(
            gateway.post, "/v1/chat/completions", {"model": "gpt", "messages": HI, "stream": True}
        )
        return raw.body

    upstream.stream(first, 15.5, *rest, "[DONE]")
    one = asyncio.create_task(between_events())
    await until(upstream, 1)
    half = len(rest[0]) // 2
    upstream.stream(first, rest[0][:half], 15.5, rest[0][half:], *rest[1:], "[DONE]")
    other = asyncio.create_task(within_an_event())
    await until(upstream, 2)
    upstream.stream(first, 15.5, *rest, "[DONE]")
    wire = asyncio.create_task(on_the_wire())
    results = await asyncio.gather(one, other, wire, return_exceptions=True)
    assert results[0] == "one"
    assert b"\n\n: keep-alive\n\n" in results[2]
    assert len(events(results[2])) == 4
    assert results[1] == "one"


async def until(upstream, count: int) -> None:
    while len(upstream.requests) < count:
        await asyncio.sleep(0.01)


# Helpers of the client


def helper(client):
    completions = client.chat.completions
    return completions.stream if hasattr(completions, "parse") else client.beta.chat.completions.stream


@pytest.mark.parametrize("model", ["gpt", "claude"])
def test_the_stream_helper(client, upstream, model):
    if model == "gpt":
        upstream.chat("Hello", " there.")
    else:
        upstream.stream(*claude_events("Hello", " there."))
    with helper(client)(model=model, messages=HI) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(deltas) == "Hello there."
    assert final.choices[0].message.content == "Hello there."
    assert final.choices[0].finish_reason == "stop"


def test_the_stream_helper_with_tools(client, upstream):
    strict = {**WEATHER, "function": {**WEATHER["function"], "strict": True}}
    deltas = [
        {"role": "assistant", "content": None},
        {"tool_calls": [{"index": 0, **call("call_1", "weather", "")}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"town":"Ulm"}'}}]},
    ]
    upstream.stream(
        *(chunk({"index": 0, "delta": delta, "finish_reason": None}) for delta in deltas),
        chunk({"index": 0, "delta": {}, "finish_reason": "tool_calls"}),
        "[DONE]",
    )
    with helper(client)(model="gpt", messages=HI, tools=[strict]) as stream:
        final = stream.get_final_completion()
    (found,) = final.choices[0].message.tool_calls
    assert found.function.parsed_arguments == {"town": "Ulm"}


def test_a_streaming_response(client, upstream):
    upstream.chat("one")
    with client.chat.completions.with_streaming_response.create(model="gpt", messages=HI, stream=True) as response:
        lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert all(line.startswith("data: ") for line in lines)


# Several choices in one stream


def test_choices_side_by_side(client, upstream):
    def piece(index: int, **delta) -> dict:
        return chunk({"index": index, "delta": delta, "finish_reason": None})

    upstream.stream(
        piece(0, role="assistant", content=""),
        piece(1, role="assistant", content=""),
        piece(0, content="a"),
        piece(1, content="b"),
        *(chunk({"index": at, "delta": {}, "finish_reason": "stop"}) for at in (0, 1)),
        "[DONE]",
    )
    said = {0: "", 1: ""}
    for piece in ask(client, n=2):
        said[piece.choices[0].index] += piece.choices[0].delta.content or ""
    assert said == {0: "a", 1: "b"}


# Two tools at once, from a provider that gives a call whole
def test_gemini_calls_two_tools(client, upstream):
    parts = [{"functionCall": {"name": "weather", "args": {"town": town}}} for town in ("Ulm", "Bonn")]
    upstream.stream(gemini(*parts))
    chunks = list(ask(client, "gemini", tools=[WEATHER]))
    calls = collect_calls(chunks)
    assert [json.loads(arguments)["town"] for _, _, arguments in calls] == ["Ulm", "Bonn"]
    assert len({id for id, _, _ in calls}) == 2
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
