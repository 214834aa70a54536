"""The Model Manager's clients beyond chats: pictures, speech, transcripts, vectors."""

from __future__ import annotations

import base64
import json

import pytest
from google.genai import types
from tamar_model_client.enums import Channel, InvokeType, ProviderType
from tamar_model_client.schemas import BatchModelRequest, BatchModelRequestItem, ModelRequest

from tamar import PIXEL_BYTES, WHO, newer
from tamar import _server, aclient, bare, client, plain, server  # noqa: F401  fixtures

pytestmark = pytest.mark.tamar

PNG = base64.b64encode(b"\x89PNG mock").decode()
TOKENS = {
    "total_tokens": 30, "input_tokens": 10, "output_tokens": 20,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 0},
}
PICTURE = {"created": 1700000000, "data": [{"b64_json": PNG}], "usage": TOKENS}


def picture(**more) -> ModelRequest:
    plain = {"provider": ProviderType.OPENAI, "channel": Channel.OPENAI, "invoke_type": InvokeType.IMAGE_GENERATION}
    return ModelRequest(**{**plain, "model": "media", "prompt": "a cat", "user_context": WHO, **more})


def test_a_picture(client, upstream):
    upstream.reply(PICTURE)
    response = client.invoke(picture(size="1024x1024", quality="hd", n=1))
    assert response.error is None
    assert response.content == f"data:image/png;base64,{PNG}"
    assert response.raw_response == PICTURE
    assert response.usage["total_tokens"] == 30 and response.usage["prompt_tokens"] == 10
    got = upstream.only
    assert got.path == "/v1/images/generations"
    assert got.json == {"model": "mock-model", "prompt": "a cat", "size": "1024x1024", "quality": "hd", "n": 1}


async def test_pictures_at_addresses(aclient, upstream):
    said = {"created": 1, "data": [{"url": f"https://x.example/{at}.png", "revised_prompt": "a fine cat"} for at in (1, 2)]}
    upstream.reply(said)
    response = await aclient.invoke(picture(n=2))
    assert response.content.splitlines() == ["https://x.example/1.png", "https://x.example/2.png"]
    assert response.raw_response == said


@newer
def test_a_picture_in_a_stream_comes_whole(client, upstream):
    upstream.reply(PICTURE)
    (item,) = client.invoke(picture(stream=True))
    assert item.raw_response == PICTURE and item.usage["total_tokens"] == 30
    assert "stream" not in upstream.only.json


def test_an_error_about_a_picture(client, upstream):
    said = {"error": {"message": "your request was rejected", "type": "image_generation_user_error", "code": "moderation_blocked"}}
    upstream.reply(said, status=400)
    response = client.invoke(picture())
    assert response.error.endswith("your request was rejected") and response.raw_response == said


def google_picture(kind, **more) -> ModelRequest:
    plain = {"provider": ProviderType.GOOGLE, "invoke_type": kind, "model": "imagen", "prompt": "a cat"}
    return ModelRequest(**{**plain, "user_context": WHO, **more})


PREDICTED = {"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": PNG}]}


def test_googles_pictures(client, upstream):
    upstream.reply(PREDICTED)
    request = google_picture(
        InvokeType.IMAGE_GENERATION, channel=Channel.VERTEXAI, number_of_images=1, aspect_ratio="1:1", safety_filter_level="block_some"
    )
    response = client.invoke(request)
    assert response.error is None
    assert response.raw_response == PREDICTED and response.content == f"data:image/png;base64,{PNG}"
    got = upstream.only
    assert got.path.endswith("/models/imagen-mock:predict")
    assert got.json["instances"] == [{"prompt": "a cat"}]
    assert got.json["parameters"] == {"sampleCount": 1, "aspectRatio": "1:1"}


@newer
def test_googles_pictures_by_its_newer_sdk(client, upstream):
    upstream.reply(PREDICTED)
    config = types.GenerateImagesConfig(number_of_images=2, aspect_ratio="16:9", output_mime_type="image/jpeg")
    response = client.invoke(google_picture(InvokeType.IMAGE_GENERATION_GENAI, config=config))
    assert response.error is None and response.raw_response == PREDICTED
    assert upstream.only.json["parameters"] == {
        "sampleCount": 2, "aspectRatio": "16:9", "outputOptions": {"mimeType": "image/jpeg"},
    }


@newer
def test_googles_words_for_a_picture_of_another(client, upstream):
    upstream.reply(PICTURE)
    response = client.invoke(google_picture("image-generation-genai", model="media", config={"number_of_images": 1}))
    assert response.error is None
    assert response.raw_response == PREDICTED
    assert upstream.only.json == {"model": "mock-model", "prompt": "a cat", "n": 1}


@newer
def test_a_changed_picture(client, upstream):
    for image in [PIXEL_BYTES, ("a.png", PIXEL_BYTES, "image/png"), [("a.png", PIXEL_BYTES, "image/png")]]:
        upstream.reset()
        upstream.reply(PICTURE)
        request = picture(invoke_type=InvokeType.IMAGE_EDIT_GENERATION, prompt="a hat on it", image=image, mask=("m.png", b"mask", "image/png"))
        response = client.invoke(request)
        assert response.error is None and response.raw_response == PICTURE
        got = upstream.only
        assert got.path == "/v1/images/edits" and got.headers["content-type"].startswith("multipart/form-data")
        assert PIXEL_BYTES in got.body and b"a hat on it" in got.body and b'name="mask"' in got.body


@newer
def test_a_transcript(client, upstream):
    said = {"text": "Good morning.", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 2, "total_tokens": 16}}
    upstream.reply(said)
    request = ModelRequest(
        provider="openai", invoke_type=InvokeType.AUDIO_TRANSCRIPTION, model="media", file=("a.mp3", b"\x00sound", "audio/mpeg"),
        language="en", temperature=0.5, user_context=WHO,
    )
    response = client.invoke(request)
    assert (response.content, response.error) == ("Good morning.", None)
    assert response.raw_response == said and response.usage["total_tokens"] == 16
    got = upstream.only
    assert got.path == "/v1/audio/transcriptions"
    assert b'filename="a.mp3"' in got.body and b"\x00sound" in got.body and b"audio/mpeg" in got.body


@newer
def test_a_transcript_as_subtitles(client, upstream):
    subtitles = "1\n00:00:00,000 --> 00:00:01,000\nGood morning.\n\n"
    upstream.stream(subtitles.encode(), headers={"content-type": "text/plain"})
    request = ModelRequest(
        provider="openai", invoke_type="audio-transcription", model="media", file=("a.mp3", b"\x00sound", "audio/mpeg"),
        response_format="srt", user_context=WHO,
    )
    response = client.invoke(request)
    assert response.error is None and response.content == subtitles


def test_speech(bare, upstream):
    for extra in [
        {"model": "media", "input": "Good morning.", "voice": "alloy", "response_format": "wav"},
        # The words of the one voice that the clients know.
        {"model": "media", "text_prompt": "Good morning.", "reference_id": "alloy", "format": "wav"},
    ]:
        upstream.reset()
        upstream.stream(b"RIFF sound", headers={"content-type": "audio/wav"})
        (item,) = bare.invoke(extra, invoke_type="audio-generation")
        assert item.error == ""
        sound = base64.b64encode(b"RIFF sound").decode()
        assert item.content == f"data:audio/wav;base64,{sound}"
        assert json.loads(item.raw_response)["audio"] == {"data": sound, "mime_type": "audio/wav"}
        assert upstream.only.json == {"model": "mock-model", "input": "Good morning.", "voice": "alloy", "response_format": "wav"}


def test_vectors(bare, upstream):
    (item,) = bare.invoke({"model": "embed", "input": ["a"]}, invoke_type="embeddings")
    assert item.error == "" and item.content == ""
    raw = json.loads(item.raw_response)
    assert raw["object"] == "list" and raw["data"][0]["embedding"] == [0.5, -0.25, 1.0]
    assert json.loads(item.usage)["prompt_tokens"] > 0
    assert upstream.only.json["input"] == ["a"]


async def test_a_batch_of_several_kinds(aclient, upstream):
    upstream.reply(PICTURE)
    items = [BatchModelRequestItem(provider="openai", invoke_type="image-generation", model="media", prompt="a cat", custom_id="a")]
    response = await aclient.invoke_batch(BatchModelRequest(user_context=WHO, items=items))
    assert [item.raw_response for item in response.responses] == [PICTURE]


def test_what_nothing_here_can_make(bare, upstream):
    for provider, kind in [("kling-ai", "video-generation"), ("sonilo", "music-generation"), ("tripo", "image-to-3d")]:
        (item,) = bare.invoke({"model": "m", "prompt": "a cat"}, provider=provider, invoke_type=kind)
        assert item.error.startswith("not_implemented:") and f"`{kind}`" in item.error
    assert upstream.requests == []
