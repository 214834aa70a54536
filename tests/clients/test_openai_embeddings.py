"""Embeddings and the list of models through the `openai` client."""

from __future__ import annotations

import base64
import struct

import openai
import pytest

pytestmark = pytest.mark.openai


def embeddings(*vectors) -> dict:
    data = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    return {"object": "list", "data": data, "model": "mock-embed", "usage": {"prompt_tokens": 2, "total_tokens": 2}}


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_the_default_is_base64(client, upstream):
    upstream.reply(embeddings(packed(0.5, -0.25, 1.0)))
    answer = client.embeddings.create(model="embed", input="x")
    assert list(answer.data[0].embedding) == [0.5, -0.25, 1.0]
    assert answer.usage.total_tokens == 2
    assert upstream.only.path == "/v1/embeddings"
    assert upstream.only.json == {"input": "x", "model": "mock-embed", "encoding_format": "base64"}


async def test_async(aclient, upstream):
    upstream.reply(embeddings(packed(0.5)))
    answer = await aclient.embeddings.create(model="embed", input="x")
    assert list(answer.data[0].embedding) == [0.5]


def test_float(client, upstream):
    answer = client.embeddings.create(model="embed", input="x", encoding_format="float")
    assert answer.data[0].embedding == [0.5, -0.25, 1.0]
    assert upstream.only.json["encoding_format"] == "float"


def test_dimensions(client, upstream):
    client.embeddings.create(model="embed", input="x", encoding_format="float", dimensions=256)
    assert upstream.only.json["dimensions"] == 256


@pytest.mark.parametrize("input", [["a", "b"], [1, 2, 3], [[1, 2], [3]]])
def test_every_form_of_input(client, upstream, input):
    upstream.reply(embeddings([0.5], [1.0]))
    answer = client.embeddings.create(model="embed", input=input, encoding_format="float")
    assert [item.index for item in answer.data] == [0, 1]
    assert upstream.only.json["input"] == input


def test_the_built_in_provider_has_both_formats(client):
    bits = client.embeddings.create(model="dummy::embed", input=["a", "b"], dimensions=8)
    floats = client.embeddings.create(model="dummy::embed", input=["a", "b"], dimensions=8, encoding_format="float")
    assert len(bits.data) == 2
    for one, other in zip(bits.data, floats.data):
        assert list(one.embedding) == pytest.approx(other.embedding)
        assert len(other.embedding) == 8
    assert bits.data[0].embedding != bits.data[1].embedding


# This provider knows floats only, and the client asks for base64.
def test_gemini(client, upstream):
    upstream.reply({"embeddings": [{"values": [0.5, -0.25]}, {"values": [1.0, 2.0]}]})
    answer = client.embeddings.create(model="gemini-embed", input=["a", "b"])
    assert [list(item.embedding) for item in answer.data] == [[0.5, -0.25], [1.0, 2.0]]


def test_tensorzeros_name_of_a_model(client, upstream):
    answer = client.embeddings.create(
        model="tensorzero::embedding_model_name::embed", input="x", encoding_format="float"
    )
    assert answer.data[0].embedding == [0.5, -0.25, 1.0]
    assert upstream.only.json["model"] == "mock-embed"


@pytest.mark.parametrize("status, wanted", [(400, openai.BadRequestError), (429, openai.RateLimitError)])
def test_the_providers_errors(client, upstream, status, wanted):
    upstream.reply({"error": {"message": "not today", "type": "some_error", "code": "some_code"}}, status)
    with pytest.raises(wanted, match="not today") as caught:
        client.embeddings.create(model="embed", input="x")
    assert caught.value.code == "some_code"


def test_a_chat_model_is_no_embedding_model(client):
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="gpt", input="x")


def test_an_empty_input_is_refused(client, upstream):
    upstream.reply({"error": {"message": "input is empty", "type": "invalid_request_error", "param": "input"}}, 400)
    with pytest.raises(openai.BadRequestError, match="empty"):
        client.embeddings.create(model="embed", input=[])


# Models


def test_models_are_listed(client):
    page = client.models.list()
    assert page._request_id
    models = {model.id: model for model in page}
    assert {"gpt", "claude", "gemini", "embed", "org/llama:70b"} <= models.keys()
    for model in models.values():
        assert model.object == "model" and model.owned_by and isinstance(model.created, int)


async def test_models_are_listed_async(aclient):
    assert "gpt" in [model.id async for model in aclient.models.list()]


@pytest.mark.parametrize("name", ["gpt", "org/llama:70b", "dummy::echo"])
def test_a_model_is_there(client, name):
    model = client.models.retrieve(name)
    assert (model.id, model.object) == (name, "model")


def test_a_model_is_not_there(client):
    with pytest.raises(openai.NotFoundError) as error:
        client.models.retrieve("not-there")
    assert error.value.code == "model_not_found"
    assert error.value.param == "model"
