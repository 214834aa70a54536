"""Streams by OpenAI's names: events, what they add up to, and answers that are read as what was asked for."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from server import Server, chunk, completion, sse

from sabir.dialects import openai
from sabir.dialects.openai import AssistantEventHandler, AsyncAssistantEventHandler, AsyncOpenAI, OpenAI


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(api_key="made up", base_url=server.url, max_retries=0) as client:
        yield client


def ask(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="m", messages=[], **more)


def stream_of(client: Any, **more: Any) -> Any:
    return client.chat.completions.stream(model="m", messages=[], **more)


# Plain streams.


def test_pieces_come_one_by_one(server: Server, client: OpenAI) -> None:
    server.stream(chunk({"content": "He"}), chunk({"content": "llo"}), {"choices": []}, x_request_id="r")
    stream = ask(client, stream=True)
    assert server.last.json["stream"] is True and server.last.headers["accept"] == "application/json"
    assert next(stream).choices[0].delta.content == "He"
    assert [len(piece.choices) for piece in stream] == [1, 0] and list(stream) == []
    assert stream.response.headers["x-request-id"] == stream.request_id == "r"
    server.stream(chunk({}), chunk({}))
    with ask(client, stream=True) as stream:
        next(stream)
    assert list(stream) == []


GOOD = b'data: {"choices": [{"index": 0}]}\n\n'
ODD: List[Tuple[bytes, int]] = [
    (GOOD.replace(b"data: ", b"data:") + b"data: [DONE]\n\n", 1),
    (GOOD.replace(b"\n", b"\r\n") + b"data: [DONE]\r\n\r\n", 1),
    (GOOD.replace(b"\n", b"\r"), 1),
    (b": hello\n\n" + GOOD + b": there\n\n" + GOOD + b"data: [DONE]\n\n" + GOOD, 2),
    (b"event: message\n" + GOOD, 1),
    (b"event: ping\n\n" + GOOD + b"retry: 10\n\n", 1),
    (b"\xef\xbb\xbf" + GOOD, 1),
    (b"id: 1\n" + GOOD + b": ping\n\n" + GOOD, 2),
    (GOOD.rstrip(), 1),
]


@pytest.mark.parametrize(("body", "pieces"), ODD)
def test_streams_that_other_servers_send(server: Server, client: OpenAI, body: bytes, pieces: int) -> None:
    server.say(body, kind="text/event-stream")
    assert [len(piece.choices) for piece in ask(client, stream=True)] == [1] * pieces


@pytest.mark.parametrize("told", [{"error": {"message": "boom", "code": "c"}}, {"error": "boom"}])
@pytest.mark.parametrize("name", [None, "error"])
def test_an_error_within_a_stream(server: Server, client: OpenAI, told: Any, name: Any) -> None:
    server.stream(chunk({}), (name, told) if name else told, chunk({}))
    stream = ask(client, stream=True)
    next(stream)
    with pytest.raises(openai.APIError) as raised:
        next(stream)
    assert raised.value.body == told["error"] and not isinstance(raised.value, openai.APIStatusError)
    assert raised.value.message in ("boom", "An error occurred during streaming")
    assert list(stream) == []


def test_a_stream_that_is_cut_off(server: Server, client: OpenAI) -> None:
    server.say(GOOD + b'data: {"cho', kind="text/event-stream")
    stream = ask(client, stream=True)
    next(stream)
    with pytest.raises(openai.APIConnectionError) as raised:
        next(stream)
    assert "within an event" in str(raised.value.__cause__)
    server.say(b"data: {oh\n\n", kind="text/event-stream")
    with pytest.raises(openai.APIResponseValidationError):
        next(ask(client, stream=True))


def test_a_connection_that_breaks_within_a_stream() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                head = b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n"
                connection.sendall(head + GOOD)

        thread = threading.Thread(target=serve)
        thread.start()
        with OpenAI(api_key="k", base_url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1") as client:
            stream = ask(client, stream=True)
            next(stream)
            with pytest.raises(openai.APIConnectionError):
                next(stream)
        thread.join()


def test_streams_in_event_loops(server: Server) -> None:
    async def main() -> None:
        async with AsyncOpenAI(api_key="k", base_url=server.url) as client:
            server.stream(chunk({"content": "a"}), chunk({"content": "b"}))
            stream = await ask(client, stream=True)
            assert [piece.choices[0].delta.content async for piece in stream] == ["a", "b"]
            server.stream(chunk({"content": "a"}), chunk({"content": "b"}))
            async with await ask(client, stream=True) as stream:
                await stream.__anext__()
            assert [piece async for piece in stream] == []

    asyncio.run(main())


# Streams with events.


def told(events: Any) -> List[Any]:
    return [(event.type, getattr(event, "delta", None) or getattr(event, "arguments_delta", None)) for event in events]


def test_a_chat_completion_as_it_grows(server: Server, client: OpenAI) -> None:
    logprobs = {"content": [{"token": "llo"}], "refusal": None}
    usage = {"choices": [], "usage": {"total_tokens": 3}}
    server.stream(
        chunk({"role": "assistant", "content": "He"}),
        chunk({"content": "llo"}, logprobs=logprobs),
        chunk({}, "stop"),
        usage,
    )
    with stream_of(client) as stream:
        events = list(stream)
    assert told(events) == [
        ("chunk", None),
        ("content.delta", "He"),
        ("chunk", None),
        ("content.delta", "llo"),
        ("logprobs.content.delta", None),
        ("chunk", None),
        ("content.done", None),
        ("logprobs.content.done", None),
        ("chunk", None),
    ]
    assert events[3].snapshot == "Hello" and events[6].content == "Hello"
    whole = stream.get_final_completion()
    assert whole.choices[0].message.content == "Hello" and whole.usage.total_tokens == 3
    assert whole.choices[0].logprobs.content[0].token == "llo" and whole.object == "chat.completion"


def test_calls_of_tools_as_they_grow(server: Server, client: OpenAI) -> None:
    def call(index: int, **more: Any) -> Any:
        return chunk({"tool_calls": [{"index": index, **more}]})

    tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {}}}
    server.stream(
        chunk({"role": "assistant", "content": "ok"}),
        call(0, id="a", type="function", function={"name": "f", "arguments": ""}),
        call(0, function={"arguments": '{"n": '}),
        call(0, function={"arguments": "1}"}),
        call(1, id="b", type="function", function={"name": "g", "arguments": "{}"}),
        chunk({}, "tool_calls"),
    )
    with stream_of(client, tools=[tool]) as stream:
        events = [event for event in stream if event.type.startswith("tool_calls") or event.type.endswith("done")]
    assert [event.type.rpartition(".")[2] for event in events] == ["delta", "done", *["delta"] * 3, "done", "done"]
    assert events[2].parsed_arguments == {} and events[3].parsed_arguments == {"n": 1}
    done = events[5], events[6]
    assert [(event.name, event.index, event.arguments, event.parsed_arguments) for event in done] == [
        ("f", 0, '{"n": 1}', {"n": 1}),
        ("g", 1, "{}", None),
    ]
    calls = stream.get_final_completion().choices[0].message.tool_calls
    assert [(call.id, call.function.parsed_arguments) for call in calls] == [("a", {"n": 1}), ("b", None)]


def test_pieces_of_servers_that_are_not_exact(server: Server, client: OpenAI) -> None:
    piece = {
        "role": "assistant",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}],
    }
    rest = {"role": "assistant", "tool_calls": [{"function": {"arguments": "}"}}]}
    server.stream(chunk(piece), chunk(rest), chunk({"role": "assistant"}, "tool_calls"))
    with stream_of(client) as stream:
        message = stream.until_done().get_final_completion().choices[0].message
    assert message.role == "assistant" and message.tool_calls[0].function.arguments == "{}"


def test_a_stream_with_events_in_an_event_loop(server: Server) -> None:
    async def main() -> None:
        async with AsyncOpenAI(api_key="k", base_url=server.url) as client:
            server.stream(chunk({"content": "Hi"}), chunk({}, "stop"))
            async with stream_of(client) as stream:
                assert [event.type async for event in stream] == ["chunk", "content.delta", "chunk", "content.done"]
                assert (await stream.get_final_completion()).choices[0].message.content == "Hi"

    asyncio.run(main())


# Answers read as what was asked for.


@dataclass
class City:
    """Where somebody is."""

    name: str
    people: int


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
    "additionalProperties": False,
}


def test_a_text_as_a_value(server: Server, client: OpenAI) -> None:
    server.say(completion('{"name": "Ulm", "people": 7}'), x_request_id="r")
    answer = client.chat.completions.parse(model="m", messages=[], response_format=City)
    assert answer.choices[0].message.parsed == City("Ulm", 7) and answer._request_id == "r"
    wanted = {"type": "json_schema", "json_schema": {"name": "City", "strict": True, "schema": SCHEMA}}
    assert server.last.json["response_format"] == wanted
    server.say(completion('{"name": "Ulm", "people": 7}'))
    answer = client.beta.chat.completions.parse(model="m", messages=[], response_format={"type": "json_object"})
    assert answer.choices[0].message.parsed is None and server.last.json["response_format"] == {"type": "json_object"}


def test_the_arguments_of_a_call_as_a_value(server: Server, client: OpenAI) -> None:
    tool = openai.pydantic_function_tool(City, name="find")
    function = {"name": "find", "strict": True, "parameters": SCHEMA, "description": "Where somebody is."}
    assert tool == {"type": "function", "function": function}
    call = {"id": "a", "type": "function", "function": {"name": "find", "arguments": '{"name": "Ulm", "people": 7}'}}
    answer = completion()
    answer["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [call]}
    server.say(answer)
    parsed = client.chat.completions.parse(model="m", messages=[], tools=[tool])
    assert parsed.choices[0].message.tool_calls[0].function.parsed_arguments == City("Ulm", 7)
    assert server.last.json["tools"] == [tool]
    for wrong in ({"type": "custom"}, {"type": "function", "function": {"name": "f"}}):
        with pytest.raises(ValueError, match="auto-pars"):
            client.chat.completions.parse(model="m", messages=[], tools=[wrong])


@pytest.mark.parametrize("streamed", [False, True])
def test_answers_that_cannot_be_read(server: Server, client: OpenAI, streamed: bool) -> None:
    kinds: Dict[str, Any] = {
        "length": openai.LengthFinishReasonError,
        "content_filter": openai.ContentFilterFinishReasonError,
    }
    for finish, kind in kinds.items():
        if streamed:
            server.stream(chunk({"content": "{"}), chunk({}, finish))
            with pytest.raises(kind), stream_of(client, response_format=City) as stream:
                list(stream)
        else:
            answer = completion("{")
            answer["choices"][0]["finish_reason"] = finish
            server.say(answer)
            with pytest.raises(kind) as raised:
                client.chat.completions.parse(model="m", messages=[], response_format=City)
            assert raised.value.completion.id == "c"


def test_a_value_as_it_grows(server: Server, client: OpenAI) -> None:
    texts = ['{"name"', ': "Ul', 'm", "peo', 'ple": 7', "}"]
    server.stream(*(chunk({"content": text}) for text in texts), chunk({}, "stop"))
    with stream_of(client, response_format=City) as stream:
        events = list(stream)
    grown = [event.parsed for event in events if event.type == "content.delta"]
    assert grown == [{}, {}, {"name": "Ulm"}, {"name": "Ulm", "people": 7}, {"name": "Ulm", "people": 7}]
    assert next(event.parsed for event in events if event.type == "content.done") == City("Ulm", 7)
    assert stream.get_final_completion().choices[0].message.parsed == City("Ulm", 7)


def test_schemas_as_strict_mode_wants_them() -> None:
    from sabir._resources.parsing import strict

    schema = {
        "$defs": {"A": {"type": "object", "properties": {"x": {"type": "string", "default": None}}}},
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/A", "description": "told"},
            "b": {"allOf": [{"$ref": "#/$defs/A"}]},
            "c": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}},
        },
    }
    inside = {
        "type": "object",
        "properties": {"x": {"type": "string"}},
        "required": ["x"],
        "additionalProperties": False,
    }
    assert strict(schema, schema) == {
        "$defs": {"A": inside},
        "type": "object",
        "properties": {
            "a": {**inside, "description": "told"},
            "b": {"$ref": "#/$defs/A"},
            "c": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}},
        },
        "required": ["a", "b", "c"],
        "additionalProperties": False,
    }


# The Responses API.


def response(*output: Any, **more: Any) -> Dict[str, Any]:
    return {"id": "r", "object": "response", "output": list(output), **more}


def text_item(text: str) -> Dict[str, Any]:
    return {"type": "message", "id": "m", "content": [{"type": "output_text", "text": text}]}


def events_of_a_response(text: str) -> List[Tuple[str, Any]]:
    at = {"output_index": 0, "content_index": 0, "item_id": "m"}
    call = {"type": "function_call", "id": "f", "name": "find", "arguments": ""}
    whole = {**call, "arguments": '{"name": "Ulm", "people": 7}'}
    events: List[Dict[str, Any]] = [
        {"type": "response.created", "response": response(status="in_progress")},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {"type": "message", "id": "m", "content": []},
        },
        {"type": "response.content_part.added", **at, "part": {"type": "output_text", "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": text[:5]},
        {"type": "response.output_text.delta", **at, "delta": text[5:]},
        {"type": "response.output_text.done", **at, "text": text},
        {"type": "response.output_item.added", "output_index": 1, "item": call},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"name": '},
        {"type": "response.function_call_arguments.done", "output_index": 1, "arguments": whole["arguments"]},
        {"type": "response.completed", "response": response(text_item(text), whole, status="completed")},
    ]
    return [(event["type"], {**event, "sequence_number": at}) for at, event in enumerate(events)]


def test_a_response_as_it_comes(server: Server, client: OpenAI) -> None:
    server.stream(*events_of_a_response("Hello there"), done=False)
    stream = client.responses.create(model="m", input="x", stream=True)
    assert [event.type for event in stream][-1] == "response.completed"
    server.stream(*events_of_a_response("Hello there"), done=False)
    last = list(client.responses.retrieve("r", stream=True, starting_after=4))[-1]
    assert last.response.output[0].content[0].text == "Hello there"
    assert server.last.query == [("stream", "true"), ("starting_after", "4")]


def test_a_response_as_it_grows(server: Server, client: OpenAI) -> None:
    text = '{"name": "Bonn", "people": 3}'
    tool = openai.pydantic_responses_function_tool(City, name="find")
    server.stream(*events_of_a_response(text), done=False)
    with client.responses.stream(model="m", input="x", text_format=City, tools=[tool]) as stream:
        events = list(stream)
    grown = [event.snapshot for event in events if event.type == "response.output_text.delta"]
    assert grown == [text[:5], text] and events[5].parsed == City("Bonn", 3)
    whole = stream.get_final_response()
    assert whole.output_parsed == City("Bonn", 3) and whole.output_text == text
    assert whole.output[1].parsed_arguments == City("Ulm", 7) and events[-1].response is whole
    wanted = server.last.json["text"]["format"]
    assert wanted == {"type": "json_schema", "strict": True, "name": "City", "schema": SCHEMA}
    server.stream(*events_of_a_response(text)[1:], done=False)
    with client.responses.stream(model="m", input="x") as stream, pytest.raises(RuntimeError, match="response.created"):
        next(stream)
    server.stream(*events_of_a_response(text), done=False)
    with client.responses.stream(response_id="r", starting_after=1) as stream:
        assert stream.get_final_response().id == "r"
    assert (server.last.method, server.last.query) == ("GET", [("stream", "true"), ("starting_after", "1")])


def test_a_response_as_a_value(server: Server, client: OpenAI) -> None:
    server.say(response(text_item('{"name": "Ulm", "people": 7}')))
    answer = client.responses.parse(model="m", input="x", text_format=City, text={"verbosity": "low"})
    assert answer.output_parsed == City("Ulm", 7) and server.last.json["text"]["verbosity"] == "low"
    with pytest.raises(TypeError, match="text_format"):
        client.responses.parse(model="m", input="x", text_format=City, text={"format": {}})


# Assistants.


def run_events() -> List[Tuple[str, Any]]:
    def piece(index: int, value: str) -> Any:
        return {"id": "m", "delta": {"content": [{"index": index, "type": "text", "text": {"value": value}}]}}

    def calls(**function: Any) -> Any:
        call = {"index": 0, "id": "c", "type": "function", "function": function}
        return {"id": "s", "delta": {"step_details": {"type": "tool_calls", "tool_calls": [call]}}}

    text = [{"type": "text", "text": {"value": "Hello"}}]
    return [
        ("thread.run.created", {"id": "r", "status": "queued"}),
        ("thread.run.step.created", {"id": "s"}),
        ("thread.run.step.delta", calls(name="f", arguments="")),
        ("thread.run.step.delta", {"id": "s", "delta": calls(arguments="{}")["delta"]}),
        ("thread.run.step.completed", {"id": "s", "status": "completed"}),
        ("thread.message.created", {"id": "m", "content": []}),
        ("thread.message.delta", piece(0, "He")),
        ("thread.message.delta", piece(0, "llo")),
        ("thread.message.completed", {"id": "m", "content": text}),
        ("thread.run.completed", {"id": "r", "status": "completed"}),
    ]


CALLBACKS = [
    "on_run_step_created",
    "on_tool_call_created",
    "on_run_step_delta",
    "on_tool_call_delta",
    "on_run_step_delta",
    "on_tool_call_done",
    "on_run_step_done",
    "on_message_created",
    "on_text_created",
    "on_text_delta",
    "on_message_delta",
    "on_text_delta",
    "on_message_delta",
    "on_text_done",
    "on_message_done",
    "on_end",
]


def watching(base: Any, is_async: bool) -> Any:
    log: List[str] = []

    def callback(name: str) -> Any:
        def plain(self: Any, *told: Any) -> None:
            log.append(name)

        async def awaited(self: Any, *told: Any) -> None:
            await asyncio.sleep(0)
            log.append(name)

        return awaited if is_async else plain

    watched = {name for name in dir(base) if name.startswith("on_")} - {"on_event"}
    return type("Watching", (base,), {**{name: callback(name) for name in watched}, "log": log})()


def test_a_run_is_followed(server: Server, client: OpenAI) -> None:
    handler = watching(AssistantEventHandler, False)
    server.stream(*run_events())
    given: Dict[str, Any] = {"thread_id": "t", "assistant_id": "a"}
    with client.beta.threads.runs.stream(**given, event_handler=handler) as stream:
        stream.until_done()
    assert stream is handler and handler.log == CALLBACKS
    assert server.last.path == "/v1/threads/t/runs" and server.last.json == {"assistant_id": "a", "stream": True}
    assert server.last.headers["openai-beta"] == "assistants=v2"
    assert handler.get_final_run().status == "completed" and handler.current_run.id == "r"
    assert handler.get_final_messages()[0].content[0].text.value == "Hello"
    assert handler.get_final_run_steps()[0].status == "completed"
    with pytest.raises(RuntimeError, match="cannot be shared"):
        server.stream(*run_events())
        with client.beta.threads.runs.stream(**given, event_handler=handler):
            pass
    server.stream(*run_events())
    with client.beta.threads.create_and_run_stream(assistant_id="a") as stream:
        assert "".join(stream.text_deltas) == "Hello"
    assert server.last.path == "/v1/threads/runs"
    server.stream(*run_events())
    events = list(client.beta.threads.runs.create(**given, stream=True))
    assert events[6].event == "thread.message.delta" and events[6].data.delta.content[0].text.value == "He"


def test_a_run_is_followed_in_an_event_loop(server: Server) -> None:
    async def main() -> None:
        async with AsyncOpenAI(api_key="k", base_url=server.url) as client:
            handler = watching(AsyncAssistantEventHandler, True)
            server.stream(*run_events())
            async with client.beta.threads.runs.stream(
                thread_id="t", assistant_id="a", event_handler=handler
            ) as stream:
                await stream.until_done()
            assert handler.log == CALLBACKS
            server.stream(*run_events())
            manager = client.beta.threads.runs.submit_tool_outputs_stream(thread_id="t", run_id="r", tool_outputs=[])
            async with manager as stream:
                assert [text async for text in stream.text_deltas] == ["He", "llo"]

    asyncio.run(main())


def test_a_run_that_fails(server: Server, client: OpenAI) -> None:
    handler = watching(AssistantEventHandler, False)
    server.say(sse([run_events()[0], ("error", {"error": {"message": "boom"}})]), kind="text/event-stream")
    with client.beta.threads.runs.stream(thread_id="t", assistant_id="a", event_handler=handler) as stream:
        with pytest.raises(openai.APIError, match="boom"):
            stream.until_done()
    assert handler.log == ["on_exception", "on_end"]


def test_json_is_read_as_far_as_it_goes() -> None:
    from sabir._resources.parsing import partial_json

    text = json.dumps({"a": [1, {"b": 'c, \\" {'}, None], "d": {"e": True}})
    for end in range(len(text) + 1):
        found = partial_json(text[:end])
        assert found is None or isinstance(found, dict), text[:end]
    assert partial_json(text) == json.loads(text)
    assert partial_json('{"a": [1, {"b": "c", "d') == {"a": [1, {"b": "c"}]}
    assert partial_json('{"a": tr') == {} and partial_json("") is None
