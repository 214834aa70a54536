"""Models, conversations and runs of many prompts: over HTTP and embedded, sync and async."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Tuple

import pytest
from serving import serving
from upstream import USAGE, Upstream

import sabir
from sabir import ChatEngine, CompletionEngine, Model, ParameterError, Parameters, Sabir, function


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture(params=["http", "embedded"])
def model(request: pytest.FixtureRequest, upstream: Upstream, tmp_path: Path) -> Iterator[Model]:
    config = f"""
        [gateway]
        circuit_breaker.enabled = false
        [provider_types.openai.defaults]
        api_base = "{upstream.url}/v1"
        api_key_location = "none"
    """
    if request.param == "http":
        with serving(config, tmp_path) as address, Sabir.http(address, max_retries=0) as client:
            yield Model("openai::gpt", client=client)
    else:
        with Sabir.embedded(config, variables={}, max_retries=0) as client:
            yield Model("openai::gpt", client=client)


@function
def get_weather(city: str) -> str:
    """Get weather of the city."""
    return f"{city}: sunny"


def test_a_model_answers_four_ways(model: Model, upstream: Upstream) -> None:
    async def later() -> List[Any]:
        whole = await model.async_chat_completion("hi there")
        return [whole, [piece async for piece in model.async_stream_chat_completion("hi there")]]

    whole = model.chat_completion("hi there")
    assert (whole.reply, whole.messages) == (
        "You said: hi there",
        [{"role": "assistant", "content": "You said: hi there"}],
    )
    assert whole.usage == USAGE and not whole.is_error
    assert whole.extra_info["http_response"]["choices"][0]["message"]["content"] == whole.reply
    pieces = list(model.stream_chat_completion("hi there"))
    assert pieces[0].stream.control == "start" and not any(piece.is_finish for piece in pieces[:-1])
    assert "".join(piece.stream.delta for piece in pieces) == whole.reply == pieces[-1].reply
    assert pieces[-1].is_finish and pieces[-1].messages == whole.messages and pieces[-1].usage == USAGE
    async_whole, async_pieces = asyncio.run(later())
    assert async_whole.reply == whole.reply
    assert [piece.stream for piece in async_pieces] == [piece.stream for piece in pieces]
    assert [chat.get("stream", False) for chat in upstream.chats()] == [False, True, False, True]


def test_parameters_of_the_model_and_of_a_call(model: Model, upstream: Upstream) -> None:
    model.parameters = Parameters(temperature=0.5, max_tokens=9)
    model.system_prompt = "Be brief."
    model.chat_completion("hi", Parameters(temperature=0), top_p=0.25, max_tokens=None)
    [sent] = upstream.chats()
    assert (sent["temperature"], sent["max_tokens"], sent["top_p"]) == (0, 9, 0.25)
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    assert model.parameters == Parameters(temperature=0.5, max_tokens=9)


def test_what_is_wrong_is_said_before_anything_is_sent(model: Model, upstream: Upstream) -> None:
    cases: List[Tuple[Dict[str, Any], str]] = [
        ({"temperature": 3}, "parameter `temperature`: expected a number from 0 to 2"),
        ({"max_tokens": 0}, "parameter `max_tokens`: expected a whole number from 1"),
        ({"logit_bias": {"5": 101}}, "parameter `logit_bias`: expected a number from -100 to 100"),
        ({"temprature": 1}, "Parameters has no parameter `temprature`"),
    ]
    asks: List[Any] = [model.chat_completion, model.stream_chat_completion, model.async_stream_chat_completion]
    for more, message in cases:
        for ask in asks:
            with pytest.raises(ParameterError, match=f"^{message}$"):
                ask("hi", **more)
    wrong: List[Any] = [7, [7], {"role": "boss", "content": "x"}, [{"role": "user", "content": 7}]]
    wrong += [{"role": "function", "content": "x"}, {"role": "function", "name": "f", "content": "x"}]
    for prompt in wrong:
        with pytest.raises(sabir.MessageError):
            model.chat_completion(prompt)
    assert upstream.seen == []


def test_a_conversation_remembers(model: Model, upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> None:
    for stream in [False, True]:
        engine = ChatEngine(model, stream=stream, printer=sabir.SimplePrinter(smooth=False), temperature=0)
        assert engine.chat("one") == "You said: one"
        assert asyncio.run(engine.async_chat("two")) == "You said: two"
        said = ["user: one", "assistant: You said: one", "user: two", "assistant: You said: two"]
        assert capsys.readouterr().out.splitlines() == said
        sent = upstream.chats()[-1]
        assert [message["content"] for message in sent["messages"]] == ["one", "You said: one", "two"]
        assert sent["temperature"] == 0
        engine.reset()
        assert engine.history == [] and len(engine.model_outputs) == 2
    assert model.parameters == Parameters()


def test_functions_are_called_and_their_results_go_back(model: Model, upstream: Upstream) -> None:
    @function
    async def later(city: str) -> str:
        await asyncio.sleep(0)
        return f"{city}: rain"

    engine = ChatEngine(model, functions=[get_weather], printer=None)
    assert engine.chat("Oslo") == 'The result: "Oslo: sunny"'
    roles = [message["role"] for message in engine.history]
    assert roles == ["user", "assistant", "tool", "assistant"]
    first, second = upstream.chats()
    assert first["tools"] == [get_weather.tool]
    assert second["messages"][1]["tool_calls"][0]["id"] == second["messages"][2]["tool_call_id"] == "call_up"
    assert second["messages"][2]["content"] == '"Oslo: sunny"'
    engine = ChatEngine(model, functions=[later], printer=None)
    assert asyncio.run(engine.async_chat("Oslo")) == 'The result: "Oslo: rain"'
    with pytest.raises(sabir.RequestError, match="`later` is async: use `async_chat`"):
        engine.chat("Oslo")


def test_functions_that_fail(model: Model, upstream: Upstream) -> None:
    def broken(city: str) -> str:
        raise KeyError(city)

    assert ChatEngine(model, functions=[broken], printer=None).chat("Oslo") == "The result: \"'Oslo'\""
    with pytest.raises(KeyError):
        ChatEngine(model, functions=[broken], printer=None, function_call_raise_error=True).chat("Oslo")
    engine = ChatEngine(model, functions=[get_weather], printer=None)
    engine.functions = {}
    assert engine.chat("Oslo") == 'The result: "Function not found, please try another function."'
    engine = ChatEngine(model, functions=[get_weather], printer=None, max_function_calls_per_turn=0)
    with pytest.raises(RuntimeError, match="^Maximum number of function calls reached.$"):
        engine.chat("Oslo")
    with pytest.raises(ValueError, match="^Cannot stream when functions are provided.$"):
        ChatEngine(model, functions=[get_weather], stream=True)
    with pytest.raises(ValueError, match="two functions are named `get_weather`"):
        ChatEngine(model, functions=[get_weather, get_weather])
    with pytest.raises(ParameterError):
        ChatEngine(model, temperature=9)


async def listed(stream: AsyncIterator[Any]) -> List[Any]:
    return [item async for item in stream]


def both(engine: CompletionEngine, prompts: List[Any], **more: Any) -> List[List[str]]:
    """The replies, sync and async."""
    return [
        [output.reply for output in engine.run(prompts, **more)],
        [output.reply for output in asyncio.run(listed(engine.async_run(prompts, **more)))],
    ]


def test_many_prompts_come_back_in_order(model: Model, upstream: Upstream) -> None:
    engine = CompletionEngine(model, async_capacity=4, max_requests_per_minute=None)
    upstream.pause = 0.05
    prompts: List[Any] = [f"number {number}" for number in range(12)]
    prompts[3] = {"role": "user", "content": "number 3"}
    prompts[4] = [{"role": "system", "content": "s"}, {"role": "user", "content": "number 4"}]
    expected = [f"You said: number {number}" for number in range(12)]
    assert both(engine, prompts, temperature=0) == [expected, expected]
    assert upstream.most_running == 4
    assert {chat["temperature"] for chat in upstream.chats()} == {0}


class ShortMinutes(CompletionEngine):
    NUM_SECONDS_PER_MINUTE = 0.4


@pytest.mark.parametrize("limit", [{"max_requests_per_minute": 2}, {"max_tokens_per_minute": 20}])
def test_not_too_many_a_minute(model: Model, limit: Dict[str, int]) -> None:
    prompts = [str(number) for number in range(5)]
    asks: List[Callable[[CompletionEngine], List[Any]]] = [
        lambda engine: list(engine.run(prompts)),
        lambda engine: asyncio.run(listed(engine.async_run(prompts))),
    ]
    for ask in asks:
        told: Dict[str, Any] = {"async_capacity": 1, "max_requests_per_minute": None, **limit}
        engine = ShortMinutes(model, **told)
        began = time.monotonic()
        assert [output.reply[-1] for output in ask(engine)] == prompts
        # The third and the fifth wait for a minute each.
        assert 0.75 < time.monotonic() - began < 4


def test_errors_end_a_run_or_are_results(model: Model, upstream: Upstream) -> None:
    ignoring = CompletionEngine(model, async_capacity=1, error_mode="ignore", max_requests_per_minute=None)
    asks: List[Callable[[CompletionEngine], List[Any]]] = [
        lambda engine: list(engine.run(["a", "b"])),
        lambda engine: asyncio.run(listed(engine.async_run(["a", "b"]))),
    ]
    for ask in asks:
        upstream.failures = [400]
        bad, good = ask(ignoring)
        assert bad.is_error and "made up" in bad.error and bad.messages == [{"role": "user", "content": "a"}]
        assert good.reply == "You said: b" and not good.is_error
        upstream.failures = [400]
        with pytest.raises(sabir.BadRequestError):
            ask(CompletionEngine(model, async_capacity=1))
    for wrong in [{"error_mode": "maybe"}, {"async_capacity": 0}, {"max_tokens_per_minute": 0}]:
        with pytest.raises(ValueError):
            CompletionEngine(model, **wrong)  # type: ignore[arg-type]


def test_leaving_a_run_ends_its_calls(model: Model, upstream: Upstream) -> None:
    upstream.pause = 0.1

    async def main() -> None:
        engine = CompletionEngine(model, async_capacity=2, max_requests_per_minute=None)
        results = engine.async_run([str(number) for number in range(50)])
        async for _ in results:
            break
        await results.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())
    assert len(upstream.seen) < 10


def test_a_run_goes_on_where_it_was(model: Model, upstream: Upstream, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    engine = CompletionEngine(model, async_capacity=1, max_requests_per_minute=None, resume_file=file)
    upstream.failures = []
    results = engine.run(["a", "b", "a", "c"])
    assert [next(results).reply for _ in range(2)] == ["You said: a", "You said: b"]
    results.close()  # type: ignore[attr-defined]
    # A crash in the middle of a line.
    with file.open("a") as out:
        out.write('{"key": "torn')
    expected = ["You said: a", "You said: b", "You said: a", "You said: c"]
    assert both(engine, ["a", "b", "a", "c"]) == [expected, expected]
    assert [chat["messages"][0]["content"] for chat in upstream.chats()] == ["a", "b", "a", "c"]
    # With another parameter it is another question.
    assert [output.reply for output in engine.run(["a"], temperature=0)] == ["You said: a"]
    assert len(upstream.seen) == 5
    file.write_text(json.dumps({"no": "result"}) + "\n")
    with pytest.raises(sabir.ResumeError, match="line 1: this is no result"):
        list(engine.run(["a"]))


def test_a_bar_is_shown_for_many(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    engine = CompletionEngine(model, max_requests_per_minute=None)
    list(engine.run(["a"] * 20))
    assert capsys.readouterr().err == ""
    list(engine.run(["a"] * 21))
    assert "CompletionEngine: |" in (shown := capsys.readouterr().err) and "21/21" in shown
    list(CompletionEngine(model, progress_bar_mode="always").run(["a"]))
    assert "1/1" in capsys.readouterr().err


def test_a_stream_is_printed(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> Any:
        return await sabir.async_stream_print(model.async_stream_chat_completion("hi there"))

    for whole in [sabir.stream_print(model.stream_chat_completion("hi there")), asyncio.run(main())]:
        assert whole.reply == "You said: hi there"
    assert capsys.readouterr().out == "assistant: You said: hi there\n" * 2
    engine = ChatEngine(model, printer=sabir.RichPrinter(smooth=False))
    engine.chat("hi")
    assert capsys.readouterr().out == "🤠 : hi\n🤖 : You said: hi\n"


def test_models_by_their_ids(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SABIR_BASE_URL", raising=False)
    for model_id, name in [
        ("openai/gpt-4", "openai::gpt-4"),
        ("openai", "openai::gpt-3.5-turbo"),
        ("wenxin/ERNIE-Bot-4", "wenxin::ERNIE-Bot-4"),
        ("zhipu", "zhipu::chatglm_turbo"),
        ("anthropic/claude-x", "anthropic::claude-x"),
        ("dummy::echo", "dummy::echo"),
        ("fast", "fast"),
    ]:
        assert sabir.load_from_model_id(model_id).gateway_model == name
    assert sabir.load_from_model_id("dummy/echo").chat_completion("hi").reply == "hi"
    own = sabir.load_from_model_id("openai/gpt-4", api_key="made-up", api_base=f"{upstream.url}/v1")
    assert own.chat_completion("hi").reply == "You said: hi"
    assert upstream.seen[0].headers["authorization"] == "Bearer made-up"
    assert "made-up" not in repr(own)
    with pytest.raises(sabir.RequestError, match="a key or an address needs a model of a provider"):
        Model("fast", api_key="made-up")
