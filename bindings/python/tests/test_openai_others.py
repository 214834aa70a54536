"""With other packages beside: types of pydantic, and clients and timeouts of httpx."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Iterator, List, Optional

import pytest
from server import Server, chunk, completion

from sabir.dialects import openai
from sabir.dialects.openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI

httpx = pytest.importorskip("httpx", reason="httpx is not installed")
pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(api_key="made up", base_url=server.url, max_retries=0) as client:
        yield client


def models() -> Any:
    class Place(pydantic.BaseModel):  # type: ignore[misc, name-defined, unused-ignore]
        street: Optional[str] = None

    class City(pydantic.BaseModel):  # type: ignore[misc, name-defined, unused-ignore]
        """Where somebody is."""

        name: str
        places: List[Place]
        middle: Place = pydantic.Field(description="the square")

    City.model_rebuild(_types_namespace={"Place": Place, "List": List, "Optional": Optional})
    return City, Place


TEXT = json.dumps({"name": "Ulm", "places": [], "middle": {"street": "Hof"}})


def test_pydantics_models(server: Server, client: OpenAI) -> None:
    City, Place = models()
    server.say(completion(TEXT))
    answer = client.chat.completions.parse(model="m", messages=[], response_format=City)
    assert answer.choices[0].message.parsed == City(name="Ulm", places=[], middle=Place(street="Hof"))
    assert answer.to_dict()["choices"][0]["message"]["parsed"]["name"] == "Ulm"
    schema = server.last.json["response_format"]["json_schema"]["schema"]
    inside = schema["properties"]["middle"]
    # A description beside a reference is not allowed: what it refers to stands there.
    assert "$ref" not in inside and inside["description"] == "the square" and inside["required"] == ["street"]
    assert schema["required"] == ["name", "places", "middle"] and schema["additionalProperties"] is False
    assert "default" not in json.dumps(schema)
    tool = openai.pydantic_function_tool(City)
    assert tool["function"]["name"] == "City" and tool["function"]["description"] == "Where somebody is."
    server.stream(chunk({"content": TEXT[:9]}), chunk({"content": TEXT[9:]}), chunk({}, "stop"))
    with client.chat.completions.stream(model="m", messages=[], response_format=City) as stream:
        assert stream.get_final_completion().choices[0].message.parsed.name == "Ulm"
    server.say(completion('{"name": 1}'))
    with pytest.raises(pydantic.ValidationError):
        client.chat.completions.parse(model="m", messages=[], response_format=City)
    client.chat.completions.create(model="m", messages=[Place(street="sent")])
    assert server.last.json["messages"] == [{"street": "sent"}]
    server.say({"street": "x"})
    assert client.get("/place", cast_to=Place) == Place(street="x")


def test_pydantics_dataclasses(server: Server, client: OpenAI) -> None:
    from pydantic.dataclasses import dataclass

    @dataclass
    class Pair:
        a: int
        b: str

    server.say(completion('{"a": "1", "b": "x"}'))
    answer = client.chat.completions.parse(model="m", messages=[], response_format=Pair)
    assert answer.choices[0].message.parsed == Pair(1, "x")


def test_httpxs_names(server: Server, client: OpenAI) -> None:
    timeout = httpx.Timeout(60.0, read=5.0, write=10.0, connect=2.0)
    with OpenAI(api_key="k", base_url=server.url, timeout=timeout) as patient:
        assert patient.models.retrieve("m").id == "x"
    server.say({"a": 1}, x_foo="bar")
    answer = client.post("/foo", cast_to=httpx.Response, body={})
    assert isinstance(answer, httpx.Response) and answer.headers["x-foo"] == "bar" and answer.json() == {"a": 1}


def test_httpxs_clients(server: Server) -> None:
    transport = httpx.HTTPTransport(local_address="127.0.0.1")
    for sender in (httpx.Client(timeout=7), DefaultHttpxClient(transport=transport, timeout=7)):
        assert isinstance(sender, httpx.Client)
        with OpenAI(api_key="k", base_url=server.url, http_client=sender, max_retries=1) as client:
            assert client.timeout == httpx.Timeout(7)
            server.say(status=500, retry_after_ms="1")
            server.say(completion())
            assert client.chat.completions.create(model="m", messages=[]).id == "c"
            server.stream(chunk({"content": "a"}), chunk({"content": "b"}))
            stream = client.chat.completions.create(model="m", messages=[], stream=True)
            assert [piece.choices[0].delta.content for piece in stream] == ["a", "b"]
            client.files.create(file=b"abc", purpose="batch")
            assert server.last.parts[-1][3] == b"abc"
            with pytest.raises(openai.APIConnectionError) as raised:
                client.copy(base_url="http://127.0.0.1:1", max_retries=0).models.list()
            assert isinstance(raised.value.__cause__, httpx.ConnectError)
        assert sender.is_closed
    with pytest.raises(TypeError, match="event loops"):
        AsyncOpenAI(api_key="k", http_client=httpx.Client())


def test_httpxs_clients_in_an_event_loop(server: Server) -> None:
    async def main() -> None:
        transport = httpx.AsyncHTTPTransport(retries=1)
        for sender in (httpx.AsyncClient(), DefaultAsyncHttpxClient(transport=transport)):
            async with AsyncOpenAI(api_key="k", base_url=server.url, http_client=sender) as client:
                assert (await client.models.retrieve("m")).id == "x"
                server.stream(chunk({"content": "a"}), chunk({"content": "b"}))
                async with await client.chat.completions.create(model="m", messages=[], stream=True) as stream:
                    assert (await stream.__anext__()).choices[0].delta.content == "a"
                create = client.audio.speech.with_streaming_response.create
                async with create(model="m", voice="v", input="x") as response:
                    assert await response.json() == {"id": "x"}
            assert sender.is_closed

    asyncio.run(main())
