"""The client for event loops, over HTTP and embedded."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import Callable

import pytest
from conftest import MESSAGES

from sabir import AsyncSabir, BadRequestError, ClosedError

Make = Callable[[], AsyncSabir]


def test_every_call(async_client: Make) -> None:
    async def main() -> None:
        async with async_client() as client:
            answer = await client.chat.completions.create(model="echo", messages=MESSAGES)
            assert answer.choices[0].message.content == "Hello there"
            assert answer.request_id
            vectors = await client.embeddings.create(model="vectors", input="one", dimensions=8)
            assert len(vectors.data[0].embedding) == 8
            assert "echo" in [model.id for model in (await client.models.list()).data]
            assert (await client.models.retrieve("echo")).id == "echo"
            inference = await client.inference(model_name="echo", input={"messages": MESSAGES})
            assert inference.content[0].text == "Hello there"
            await client.feedback(metric_name="helpful", value=False, inference_id=inference.inference_id)
            [row] = (await client.list_inferences(episode_id=inference.episode_id)).inferences
            assert [row] == (await client.get_inferences([inference.inference_id])).inferences
            with pytest.raises(BadRequestError):
                await client.inference(model_name="echo", input={"messages": 7})
        assert client.closed
        with pytest.raises(ClosedError):
            await client.models.list()

    asyncio.run(main())


def test_streams(async_client: Make) -> None:
    async def main() -> None:
        async with async_client() as client:
            said = ""
            stream = await client.chat.completions.create(model="echo", messages=MESSAGES, stream=True)
            async with stream:
                async for piece in stream:
                    said += piece.choices[0].delta.content or ""
            assert said == "Hello there" == stream.so_far().choices[0].message.content
            inference = await client.inference(model_name="echo", input={"messages": MESSAGES}, stream=True)
            assert (await inference.whole()).content[0].text == "Hello there"

    asyncio.run(main())


def test_calls_run_at_once(async_client: Make) -> None:
    async def main() -> None:
        async with async_client() as client:
            began = time.monotonic()
            calls = [client.chat.completions.create(model="soon", messages=MESSAGES) for _ in range(20)]
            answers = await asyncio.gather(*calls)
            assert {answer.choices[0].message.content for answer in answers} == {"Hello there"}
            assert time.monotonic() - began < 5

    asyncio.run(main())


def test_a_client_serves_one_loop_after_another(async_client: Make) -> None:
    client = async_client()
    for _ in range(2):
        assert asyncio.run(ask(client)) == "Hello there"
    asyncio.run(client.close())


async def ask(client: AsyncSabir) -> object:
    answer = await client.chat.completions.create(model="echo", messages=MESSAGES)
    return answer.choices[0].message.content


def test_a_cancelled_call_closes_its_connection() -> None:
    left = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with server, connection:
            connection.settimeout(20)
            while connection.recv(65536):
                pass
            left.set()

    threading.Thread(target=serve, daemon=True).start()

    async def main() -> None:
        async with AsyncSabir.http(f"http://127.0.0.1:{server.getsockname()[1]}") as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.chat.completions.create(model="m", messages=MESSAGES), 0.2)
            assert await asyncio.get_running_loop().run_in_executor(None, left.wait, 10)

    asyncio.run(main())


def test_a_cancelled_stream_ends_the_call(async_client: Make) -> None:
    async def main() -> None:
        async with async_client() as client:
            stream = await client.chat.completions.create(model="trickle", messages=MESSAGES, stream=True)
            # The role and the first word; the second one takes its time.
            for _ in range(2):
                await stream.__anext__()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(stream.__anext__(), 0.1)
            # Nothing of the stream is lost by that.
            assert (await stream.__anext__()).choices[0].delta.content == " the"
            inference = stream.meta.inference_id
            assert inference is not None
            await stream.close()
            for _ in range(500):
                if (await client.get_inferences([inference])).inferences:
                    return
                await asyncio.sleep(0.02)
            pytest.fail("the call did not end")

    asyncio.run(main())


def test_closing_ends_what_waits(async_client: Make) -> None:
    async def main() -> None:
        client = async_client()
        waiting = asyncio.ensure_future(client.chat.completions.create(model="late", messages=MESSAGES))
        await asyncio.sleep(0.1)
        await client.close()
        with pytest.raises(ClosedError):
            await waiting

    asyncio.run(main())
