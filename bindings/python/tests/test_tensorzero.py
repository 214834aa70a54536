"""TensorZero's names: over HTTP and embedded, sync and async, the same answers."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import types
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
from conftest import CONFIG, MESSAGES
from test_wire import Script, reply

from sabir.dialects import tensorzero as t0

Ask = Callable[..., Any]


@pytest.fixture(params=["http", "embedded"])
def clients(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[List[Ask]]:
    """Asks the sync client, and the async one."""
    if request.param == "http":
        told: Dict[str, Any] = {"gateway_url": request.getfixturevalue("gateway")}
        build = ["build_http"]
    else:
        (tmp_path / "t.toml").write_text(CONFIG)
        told = {"config_file": str(tmp_path / "t.toml"), "ledger": tmp_path / "ledger"}
        build = ["build_embedded"]

    def sync(name: str, **more: Any) -> Any:
        with getattr(t0.TensorZeroGateway, build[0])(**told) as client:
            answer = getattr(client, name)(**more)
            return list(answer) if more.get("stream") else answer

    def later(name: str, **more: Any) -> Any:
        async def main() -> Any:
            async with await getattr(t0.AsyncTensorZeroGateway, build[0])(**told) as client:
                answer = await getattr(client, name)(**more)
                return [piece async for piece in answer] if more.get("stream") else answer

        return asyncio.run(main())

    yield [sync, later]


def test_an_inference(clients: List[Ask]) -> None:
    for ask in clients:
        answer = ask(
            "inference",
            model_name="echo",
            input={"system": "Be brief.", "messages": [{"role": "user", "content": [t0.Text("Hello there")]}]},
            params=t0.InferenceParams(t0.ChatCompletionInferenceParams(temperature=0.5)),
            tags={"team": "a"},
            episode_id=None,
        )
        assert isinstance(answer, t0.ChatInferenceResponse)
        assert answer.content == [t0.Text("Hello there")]
        assert isinstance(answer.inference_id, uuid.UUID) and answer.inference_id.version == 7
        assert answer.finish_reason is t0.FinishReason.STOP and answer.finish_reason.value == "stop"
        assert answer.usage.input_tokens == 10 and answer.variant_name == "echo"


def test_a_stream(clients: List[Ask]) -> None:
    for ask in clients:
        pieces = ask("inference", model_name="echo", input={"messages": MESSAGES}, stream=True)
        assert all(isinstance(piece, t0.ChatChunk) for piece in pieces)
        assert "".join(block.text for piece in pieces for block in piece.content) == "Hello there"
        assert pieces[-1].usage.output_tokens == 1 and pieces[-1].finish_reason == "stop"
        assert len({piece.inference_id for piece in pieces}) == 1


def test_a_tool(clients: List[Ask]) -> None:
    tool = t0.FunctionTool("get_temperature", "Says it.", {"type": "object"})
    for ask in clients:
        more = {"model_name": "tool", "additional_tools": [tool], "tool_choice": "auto"}
        answer = ask("inference", input={"messages": MESSAGES}, **more)
        [call] = answer.content
        assert isinstance(call, t0.ToolCall) and call.name == "get_temperature"
        assert call.arguments == json.loads(call.raw_arguments) == {"location": "Brooklyn", "units": "celsius"}
        assert answer.finish_reason is t0.FinishReason.TOOL_CALL
        result = t0.ToolResult(name="get_temperature", id=call.id, result="70")
        talk = [*MESSAGES, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
        assert ask("inference", input={"messages": talk}, **more).content
        pieces = ask("inference", input={"messages": MESSAGES}, stream=True, **more)
        calls = [block for piece in pieces for block in piece.content]
        assert all(isinstance(block, t0.ToolCallChunk) for block in calls)
        assert "".join(block.raw_arguments for block in calls) == call.raw_arguments


def test_feedback_and_the_ledger(clients: List[Ask]) -> None:
    for ask in clients:
        answer = ask("inference", model_name="echo", input={"messages": MESSAGES}, tags={"team": "a"})
        given = ask("feedback", metric_name="helpful", value=True, inference_id=answer.inference_id)
        assert isinstance(given.feedback_id, uuid.UUID)
        request = t0.ListInferencesRequest(
            episode_id=str(answer.episode_id),
            filters=t0.InferenceFilterAnd([t0.InferenceFilterTag("team", "a", "=")]),
            limit=5,
        )
        [row] = ask("list_inferences", request=request).inferences
        assert isinstance(row, t0.StoredInferenceChat) and row.inference_id == str(answer.inference_id)
        assert ask("get_inferences", ids=[answer.inference_id]).inferences == [row]


def test_errors(clients: List[Ask]) -> None:
    for ask in clients:
        with pytest.raises(t0.TensorZeroError) as raised:
            ask("inference", model_name="nobody", input={"messages": MESSAGES})
        assert raised.value.status_code == 404 and "nobody" in json.loads(raised.value.text)["error"]
        assert str(raised.value) == f"TensorZeroError (status code 404): {raised.value.text}"
        with pytest.raises(t0.TensorZeroError) as raised:
            ask("inference", model_name="dummy::fatal_stream_error", input={"messages": MESSAGES}, stream=True)
        assert raised.value.status_code == 500
        with pytest.raises(t0.TensorZeroError) as raised:
            ask("inference", function_name="greet", input={"messages": MESSAGES})
        assert raised.value.status_code in (404, 501)


def test_what_goes_over_the_wire() -> None:
    body = json.dumps(
        {
            "inference_id": "0198f7c0-0000-7000-8000-000000000000",
            "episode_id": "0198f7c0-0000-7000-8000-000000000001",
            "variant_name": "v",
            "content": [
                {"type": "thought", "text": "t", "summary": [{"type": "summary_text", "text": "s"}]},
                {"type": "unknown", "data": {"a": 1}, "new": True},
            ],
            "usage": {"input_tokens": None, "cost": 0.5, "new": 1},
            "raw_usage": [
                {
                    "model_inference_id": "0198f7c0-0000-7000-8000-000000000002",
                    "provider_type": "openai",
                    "api_type": "responses",
                    "data": {},
                }
            ],
        }
    )
    script = Script(reply(200, body), reply(200, '{"content": 7}'))
    with t0.TensorZeroGateway.build_http(gateway_url=script.url + "/base/", api_key="made-up") as client:
        answer = client.inference(
            model_name="m",
            input={"messages": [{"role": "user", "content": [t0.ImageUrl("http://x/y.png"), t0.RawText("r")]}]},
            extra_body=[t0.ModelProviderExtraBody("m", "/a", 1), t0.AlwaysExtraBodyDelete("/b")],
            otlp_traces_extra_attributes={"a": 1},
            gateway_http_headers={"x-more": "b"},
        )
        assert answer.content == [
            t0.Thought("t", summary=[t0.ThoughtSummaryBlock("s")]),
            t0.UnknownContentBlock({"a": 1}),
        ]
        assert answer.usage == t0.Usage(cost=0.5) and answer.raw_usage[0].api_type == "responses"
        with pytest.raises(t0.TensorZeroInternalError, match="the answer cannot be read"):
            client.inference(model_name="m", input={})
    head, _, sent = script.seen[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /base/inference HTTP/1.1"
    for line in [
        "authorization: Bearer made-up",
        "tensorzero-otlp-traces-extra-attribute-a: 1",
        "x-more: b",
    ]:
        assert line in lines
    assert json.loads(sent) == {
        "model_name": "m",
        "input": {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"url": "http://x/y.png", "type": "image"},
                        {"value": "r", "type": "raw_text"},
                    ],
                }
            ]
        },
        "extra_body": [{"model_name": "m", "pointer": "/a", "value": 1}, {"pointer": "/b", "delete": True}],
    }


def test_how_clients_are_made(gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = t0.AsyncTensorZeroGateway.build_http(gateway_url=gateway, async_setup=False)
    asyncio.run(client.close())
    with pytest.warns(UserWarning, match="clickhouse_url has no effect") as warned:
        t0.TensorZeroGateway.build_embedded(clickhouse_url="http://x").close()
    assert warned[0].filename == __file__
    with pytest.raises(ValueError, match="timeout"):
        t0.TensorZeroGateway.build_http(gateway_url=gateway, timeout=-1)
    late = t0.TensorZeroGateway.build_http(gateway_url=gateway, timeout=0.1)
    with late, pytest.raises(t0.TensorZeroInternalError, match="HTTP Error: request timed out"):
        late.inference(model_name="late", input={"messages": MESSAGES})
    monkeypatch.setenv("TENSORZERO_API_KEY", "from-the-environment")
    script = Script(reply(200, '{"inferences": []}'))
    with t0.TensorZeroGateway.build_http(gateway_url=script.url) as client:
        assert client.get_inferences(ids=[]).inferences == []
    assert b"authorization: Bearer from-the-environment" in script.seen[0]
    with pytest.raises(ValueError, match="exactly one"):
        t0.Text()


def test_the_names_are_those_of_the_client() -> None:
    for name in ["inference", "feedback", "list_inferences", "get_inferences", "create_datapoints"]:
        kinds = [t0.TensorZeroGateway, t0.AsyncTensorZeroGateway]
        parameters = [list(inspect.signature(getattr(kind, name)).parameters) for kind in kinds]
        assert parameters[0] == parameters[1]


class Request:
    """A request as the `openai` package's HTTP library has it."""

    method = "POST"
    extensions: Dict[str, Any] = {}

    def __init__(self, body: Any) -> None:
        self.content = json.dumps(body).encode()
        self.headers = {"content-type": "application/json", "authorization": "Bearer x", "host": "sabir.invalid"}
        self.url = types.SimpleNamespace(raw_path=b"/openai/v1/chat/completions")

    def read(self) -> None: ...
    async def aread(self) -> None: ...


def library(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As much of that HTTP library as a patched client needs; it is not installed here."""
    made = types.ModuleType("httplike")

    def init(self: Any, *args: Any, **members: Any) -> None:
        self.__dict__.update(members, args=args)

    for name in ["BaseTransport", "AsyncBaseTransport", "SyncByteStream", "AsyncByteStream"]:
        setattr(made, name, type(name, (), {"__module__": "httplike"}))
    for name in ["Client", "AsyncClient", "Response", "ReadError", "ReadTimeout"]:
        bases = (Exception,) if name.startswith("Read") else ()
        setattr(made, name, type(name, bases, {"__module__": "httplike", "__init__": init}))
    monkeypatch.setitem(sys.modules, "httplike", made)
    return made


def test_a_patched_client_calls_a_gateway_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    http = library(monkeypatch)
    body = {"model": "dummy::echo", "messages": MESSAGES}
    patched = t0.patch_openai_client(types.SimpleNamespace(_client=http.Client(), timeout=5))
    send = patched._client.transport.handle_request
    answer = send(Request(body))
    whole = json.loads(b"".join(answer.stream))
    assert answer.args == (200,) and whole["choices"][0]["message"]["content"] == "Hello there"
    events = b"".join(send(Request({**body, "stream": True})).stream).split(b"\n\n")
    assert all(event.startswith(b"data: ") for event in events[:-1]) and events[-2:] == [b"data: [DONE]", b""]
    assert send(Request({**body, "model": "nobody"})).args == (404,)
    t0.close_patched_openai_client_gateway(patched)
    with pytest.raises(http.ReadError):
        send(Request(body))

    async def main() -> None:
        patched = await t0.patch_openai_client(types.SimpleNamespace(_client=http.AsyncClient(), timeout=5))
        answer = await patched._client.transport.handle_async_request(Request({**body, "stream": True}))
        pieces = [piece async for piece in answer.stream]
        assert b"".join(pieces).endswith(b"data: [DONE]\n\n")
        t0.close_patched_openai_client_gateway(patched)

    asyncio.run(main())
    with pytest.raises(t0.TensorZeroInternalError, match="is not a client of the `openai` package"):
        t0.patch_openai_client(object())
