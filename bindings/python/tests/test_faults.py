"""Very many calls at once, connections that break, and answers that do not come."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from conftest import MESSAGES
from test_wire import Script

import sabir
from sabir import AsyncSabir, Model, Sabir
from sabir.dialects import tamar
from sabir.dialects.tamar.schemas import ModelRequest, UserContext
from sabir.dialects.tensorzero import AsyncTensorZeroGateway, TensorZeroGateway, TensorZeroInternalError

CALLS = 5000


def test_five_thousand_calls_at_once(make: Callable[..., Any]) -> None:
    async def ask(client: AsyncSabir, number: int) -> str:
        messages = [{"role": "user", "content": f"number {number}"}]
        answer = await client.chat.completions.create(model="echo", messages=messages)
        return str(answer.choices[0].message.content)

    async def main() -> None:
        async with make(AsyncSabir, timeout=120) as client:
            answers = await asyncio.gather(*[ask(client, number) for number in range(CALLS)])
        assert answers == [f"number {number}" for number in range(CALLS)]

    asyncio.run(main())


def test_a_thousand_streams_at_once(make: Callable[..., Any]) -> None:
    async def ask(client: AsyncSabir, number: int) -> str:
        messages = [{"role": "user", "content": f"number {number}"}]
        stream = await client.chat.completions.create(model="echo", messages=messages, stream=True)
        return "".join([piece.choices[0].delta.content or "" async for piece in stream])

    async def main() -> None:
        async with make(AsyncSabir, timeout=120) as client:
            answers = await asyncio.gather(*[ask(client, number) for number in range(1000)])
        assert answers == [f"number {number}" for number in range(1000)]

    asyncio.run(main())


HEAD = b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
OPENAI = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
TENSORZERO = (
    b'data: {"inference_id":"0198f7c0-0000-7000-8000-000000000000",'
    b'"episode_id":"0198f7c0-0000-7000-8000-000000000001","variant_name":"v",'
    b'"content":[{"type":"text","id":"0","text":"Hi"}]}\n\n'
)
TAMAR = b'data: {"content":"Hi","usage":null,"raw_response":null,"error":null,"request_id":"r"}\n\n'


def request() -> ModelRequest:
    who = UserContext(org_id="o", user_id="u", client_type="c")
    told: Dict[str, Any] = {"provider": "openai", "invoke_type": "chat-completions", "model": "m"}
    return ModelRequest(**told, messages=MESSAGES, stream=True, user_context=who)


def sabir_sync(url: str) -> Iterator[Any]:
    stream = Sabir.http(url).chat.completions.create(model="m", messages=MESSAGES, stream=True)
    return (piece.choices[0].delta.content for piece in stream)


def model_sync(url: str) -> Iterator[Any]:
    model = Model("m", client=Sabir.http(url))
    return (piece.stream.delta for piece in model.stream_chat_completion("x"))


def tensorzero_sync(url: str) -> Iterator[Any]:
    stream = TensorZeroGateway.build_http(gateway_url=url).inference(model_name="m", input={}, stream=True)
    return (piece.content[0].text for piece in stream)


def tamar_sync(url: str) -> Iterator[Any]:
    return (piece.content for piece in tamar.TamarModelClient(url).invoke(request()))


async def sabir_async(url: str) -> Any:
    stream = await AsyncSabir.http(url).chat.completions.create(model="m", messages=MESSAGES, stream=True)
    return (piece.choices[0].delta.content async for piece in stream)


async def model_async(url: str) -> Any:
    model = Model("m", client=AsyncSabir.http(url))
    return (piece.stream.delta async for piece in model.async_stream_chat_completion("x"))


async def tensorzero_async(url: str) -> Any:
    client = await AsyncTensorZeroGateway.build_http(gateway_url=url)
    return (piece.content[0].text async for piece in await client.inference(model_name="m", input={}, stream=True))


async def tamar_async(url: str) -> Any:
    return (piece.content async for piece in tamar.AsyncTamarModelClient(url).invoke(request()))


BROKEN: List[Tuple[Any, Any, bytes, Any]] = [
    (sabir_sync, sabir_async, OPENAI, sabir.APIConnectionError),
    (model_sync, model_async, OPENAI, sabir.APIConnectionError),
    (tensorzero_sync, tensorzero_async, TENSORZERO, TensorZeroInternalError),
    (tamar_sync, tamar_async, TAMAR, tamar.exceptions.ConnectionException),
]


@pytest.mark.parametrize(
    ("ask", "ask_later", "event", "kind"), BROKEN, ids=["sabir", "model", "tensorzero", "tamar"]
)
def test_a_connection_that_breaks_in_a_stream_is_an_error(ask: Any, ask_later: Any, event: bytes, kind: Any) -> None:
    script = Script(*[HEAD + event] * 2)
    pieces = ask(script.url)
    # Nobody holds the client any more; the stream goes on all the same.
    gc.collect()
    assert next(pieces) == "Hi"
    with pytest.raises(kind, match="ended before its end marker"):
        next(pieces)

    async def main() -> None:
        pieces = await ask_later(script.url)
        assert await pieces.__anext__() == "Hi"
        with pytest.raises(kind, match="ended before its end marker"):
            await pieces.__anext__()

    asyncio.run(main())
    assert len(script.seen) == 2


def test_an_answer_that_does_not_come(make: Callable[..., Any]) -> None:
    async def main() -> None:
        async with make(AsyncSabir) as client:
            late = client.chat.completions.create(model="late", messages=MESSAGES, timeout=0.1)
            with pytest.raises(sabir.APITimeoutError):
                await late
            stream = await client.chat.completions.create(model="trickle", messages=MESSAGES, stream=True, timeout=0.3)
            with pytest.raises(sabir.APITimeoutError):
                async for _ in stream:
                    pass
            answer = await client.chat.completions.create(model="echo", messages=MESSAGES)
            assert answer.choices[0].message.content == "Hello there"

    asyncio.run(main())
    with make(Sabir) as client:
        model = Model("late", client=client, timeout=0.1)
        with pytest.raises(sabir.APITimeoutError):
            model.chat_completion("hi")
        engine = sabir.CompletionEngine(model, error_mode="ignore")
        assert [output.is_error for output in engine.run(["a", "b"])] == [True, True]


def test_threads_and_loops_share_a_model(make: Callable[..., Any]) -> None:
    with make(Sabir) as client:
        model = Model("echo", client=client)
        replies: List[str] = []

        async def later() -> None:
            outputs = await asyncio.gather(*[model.async_chat_completion(f"a{n}") for n in range(50)])
            replies.extend(output.reply for output in outputs)

        def run(name: str) -> None:
            replies.extend(model.chat_completion(f"{name}{n}").reply for n in range(50))

        threads = [threading.Thread(target=run, args=(name,)) for name in "bc"]
        threads.append(threading.Thread(target=lambda: asyncio.run(later())))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(replies) == sorted(f"{name}{n}" for name in "abc" for n in range(50))


def test_many_events_at_once_come_in_order_and_before_what_broke() -> None:
    events = b"".join(OPENAI.replace(b"Hi", b"%d" % number) for number in range(300))
    script = Script(*[HEAD + events] * 2)
    expected = [str(number) for number in range(300)]
    said: List[Any] = []
    with pytest.raises(sabir.APIConnectionError, match="ended before its end marker"):
        for piece in sabir_sync(script.url):
            said.append(piece)
    assert said == expected

    async def main() -> None:
        said: List[Any] = []
        with pytest.raises(sabir.APIConnectionError, match="ended before its end marker"):
            async for piece in await sabir_async(script.url):
                said.append(piece)
        assert said == expected

    asyncio.run(main())


def test_a_closed_stream_gives_nothing_that_had_come() -> None:
    script = Script(HEAD + OPENAI * 50)
    with Sabir.http(script.url) as client:
        stream = client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        next(stream)
        stream.close()
        assert list(stream) == []
        assert stream._native.ready() is None
