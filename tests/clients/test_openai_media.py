"""Images, audio and moderations through the `openai` client, and reranking without one."""

from __future__ import annotations

import base64
import io
import json
import wave
import zlib

import openai
import pytest

pytestmark = pytest.mark.openai

PNG = base64.b64encode(b"\x89PNG mock").decode()
TOKENS = {
    "total_tokens": 30,
    "input_tokens": 10,
    "output_tokens": 20,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 0},
}
SPOKEN = {"type": "tokens", "input_tokens": 14, "output_tokens": 2, "total_tokens": 16}
modern = pytest.mark.skipif(
    int(openai.__version__.split(".")[0]) < 3, reason="this version of the client has no such streams"
)


def images(*data: dict, **more) -> dict:
    return {"created": 1700000000, "data": list(data), **more}


def ids(response) -> str:
    return response.headers["x-sabir-inference-id"]


# Images


def test_a_picture(client, gateway, upstream):
    upstream.reply(images({"b64_json": PNG, "new_member": 1}, usage=TOKENS, output_format="png"))
    raw = client.images.with_raw_response.generate(model="media", prompt="a cat", size="1024x1024", n=1)
    answer = raw.parse()
    assert answer.data[0].b64_json == PNG and answer.data[0].new_member == 1
    assert answer.to_dict()["usage"]["output_tokens"] == 20
    assert upstream.only.path == "/v1/images/generations"
    assert upstream.only.json == {"prompt": "a cat", "model": "mock-model", "size": "1024x1024", "n": 1}
    row = gateway.row(ids(raw))
    assert (row["operation"], row["status"]) == ("image", "ok")
    assert (row["input_tokens"], row["output_tokens"]) == (10, 20)


def test_a_picture_at_an_address(client, upstream):
    upstream.reply(images({"url": "https://example.com/a.png", "revised_prompt": "a fine cat"}))
    answer = client.images.generate(model="media", prompt="a cat", response_format="url")
    assert (answer.data[0].url, answer.data[0].revised_prompt) == ("https://example.com/a.png", "a fine cat")


async def test_a_picture_async(aclient, upstream):
    upstream.reply(images({"b64_json": PNG}))
    answer = await aclient.images.generate(model="media", prompt="a cat")
    assert answer.data[0].b64_json == PNG


def event(kind: str, **more) -> tuple:
    data = {"type": kind, "b64_json": PNG, "created_at": 1, "size": "auto", "quality": "low"}
    return kind, {**data, "background": "auto", "output_format": "png", **more}


@modern
def test_a_stream_of_pictures(client, gateway, upstream):
    upstream.stream(
        event("image_generation.partial_image", partial_image_index=0),
        event("image_generation.completed", usage=TOKENS, b64_json="A" * 400_000),
    )
    stream = client.images.generate(model="media", prompt="a cat", stream=True, partial_images=1)
    inference = stream.response.headers["x-sabir-inference-id"]
    first, last = list(stream)
    assert (first.type, first.partial_image_index) == ("image_generation.partial_image", 0)
    assert (last.type, last.usage.total_tokens) == ("image_generation.completed", 30)
    assert upstream.only.json["stream"] is True
    row = gateway.row(inference)
    assert (row["status"], row["output_tokens"]) == ("ok", 20)


@modern
def test_a_stream_from_a_provider_that_has_none(client, upstream):
    upstream.reply(images({"b64_json": PNG}, usage=TOKENS))
    (only,) = client.images.generate(model="media", prompt="a cat", stream=True)
    assert (only.type, only.b64_json, only.usage.total_tokens) == ("image_generation.completed", PNG, 30)


@modern
def test_a_stream_of_pictures_that_is_cut_off(client, upstream):
    from upstream import Drop

    upstream.stream(event("image_generation.partial_image", partial_image_index=0), Drop())
    stream = client.images.generate(model="media", prompt="a cat", stream=True)
    with pytest.raises(openai.APIError):
        list(stream)


def test_a_picture_is_changed(client, gateway, upstream):
    upstream.reply(images({"b64_json": PNG}, usage=TOKENS))
    picture = ("a.png", b"\x89PNG\r\n--odd\0bytes", "image/png")
    raw = client.images.with_raw_response.edit(model="media", image=picture, mask=b"mask", prompt="add a hat")
    assert raw.parse().data[0].b64_json == PNG
    assert upstream.only.path == "/v1/images/edits"
    parts = {name: (file, data) for name, file, data in upstream.only.form}
    assert parts["model"] == (None, b"mock-model")
    assert parts["prompt"] == (None, b"add a hat")
    assert parts["image"] == ("a.png", picture[1])
    assert parts["mask"][1] == b"mask"
    assert gateway.row(ids(raw))["operation"] == "image_edit"


@modern
def test_several_pictures_are_changed(client, upstream):
    upstream.stream(event("image_edit.partial_image", partial_image_index=0), event("image_edit.completed", usage=TOKENS))
    stream = client.images.edit(model="media", image=[b"one", b"two"], prompt="join", stream=True, partial_images=1)
    assert [event.type for event in stream] == ["image_edit.partial_image", "image_edit.completed"]
    names = [name for name, _, _ in upstream.only.form]
    assert names.count("image[]") == 2


def test_geminis_pictures(client, upstream):
    part = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    candidate = {"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
    figures = {"promptTokenCount": 5, "candidatesTokenCount": 1290, "totalTokenCount": 1295}
    upstream.reply({"candidates": [candidate], "usageMetadata": figures})
    answer = client.images.edit(model="gemini-image", image=b"\x89PNG", prompt="a cat", size="1536x1024")
    assert answer.data[0].b64_json == PNG
    usage = answer.to_dict()["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (5, 1290)
    assert upstream.only.path == "/v1beta/models/gemini-2.5-flash-image:generateContent"
    body = upstream.only.json
    assert body["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"]
    assert body["generationConfig"]["imageConfig"] == {"aspectRatio": "4:3"}
    assert base64.b64decode(body["contents"][0]["parts"][1]["inlineData"]["data"]) == b"\x89PNG"


def test_the_providers_refusal(client, upstream):
    error = {"message": "rejected by the safety system", "type": "image_generation_user_error", "code": "moderation_blocked"}
    upstream.reply({"error": error}, 400)
    with pytest.raises(openai.BadRequestError, match="safety system") as caught:
        client.images.generate(model="media", prompt="a cat")
    assert caught.value.code == "moderation_blocked"


def test_dummy_pictures(client):
    answer = client.images.generate(model="dummy::any", prompt="a cat", n=2)
    one, two = (base64.b64decode(picture.b64_json) for picture in answer.data)
    assert one.startswith(b"\x89PNG\r\n\x1a\n") and one != two
    length = int.from_bytes(one[33:37], "big")
    rows = zlib.decompress(one[41 : 41 + length])
    assert len(rows) == 16 * (1 + 16 * 3), "16 rows of 16 pixels, each row with its filter"
    again = client.images.generate(model="dummy::any", prompt="a cat")
    assert base64.b64decode(again.data[0].b64_json) == one


def test_the_next_target_that_can(client, upstream):
    answer = client.images.with_raw_response.generate(model="media-fallback", prompt="a cat")
    assert answer.headers["x-sabir-provider"] == "dummy"
    assert upstream.requests == []


def test_a_provider_without_pictures(client):
    with pytest.raises(openai.BadRequestError, match="has no image"):
        client.images.generate(model="claude", prompt="a cat")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_variations_are_not_known(client):
    with pytest.raises(openai.APIStatusError, match="variations") as caught:
        client.images.create_variation(model="dummy::any", image=b"x")
    assert caught.value.status_code in (404, 501)


# Speech


def test_speech(client, gateway, upstream):
    sound = bytes(range(256)) * 400
    upstream.stream(sound[:1000], sound[1000:], headers={"content-type": "audio/mpeg"})
    raw = client.audio.speech.with_raw_response.create(model="media", voice="alloy", input="hello")
    assert raw.headers["content-type"] == "audio/mpeg"
    assert raw.content == sound
    assert upstream.only.path == "/v1/audio/speech"
    assert upstream.only.json == {"input": "hello", "model": "mock-model", "voice": "alloy"}
    row = gateway.row(ids(raw))
    assert (row["operation"], row["status"]) == ("speech", "ok")


def test_speech_comes_as_it_is_made(client, upstream):
    from upstream import Gate

    gate = Gate()
    upstream.stream(b"first", gate, b"second", headers={"content-type": "audio/mpeg"})
    with client.audio.speech.with_streaming_response.create(model="media", voice="alloy", input="hello") as response:
        pieces = response.iter_bytes()
        assert next(pieces) == b"first"
        gate.open()
        assert b"".join(pieces) == b"second"


def test_speech_that_breaks_off(client, gateway, upstream):
    from upstream import Drop

    upstream.stream(b"first", 0.2, Drop(), headers={"content-type": "audio/mpeg"})
    with client.audio.speech.with_streaming_response.create(model="media", voice="alloy", input="hello") as response:
        inference = ids(response)
        with pytest.raises(Exception, match="peer closed|incomplete"):
            response.read()
    assert gateway.row(inference)["status"] == "error"


@modern
def test_speech_in_events(client, gateway, upstream):
    usage = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
    upstream.stream({"type": "speech.audio.delta", "audio": PNG}, {"type": "speech.audio.done", "usage": usage})
    raw = client.audio.speech.with_raw_response.create(
        model="media", voice="alloy", input="hello", stream_format="sse"
    )
    assert raw.headers["content-type"].startswith("text/event-stream")
    assert b"speech.audio.done" in raw.content
    row = gateway.row(ids(raw))
    assert (row["status"], row["input_tokens"], row["output_tokens"]) == ("ok", 5, 7)


def test_an_error_instead_of_speech(client, upstream):
    upstream.reply({"error": {"message": "no such voice", "type": "invalid_request_error", "param": "voice"}}, 400)
    with pytest.raises(openai.BadRequestError, match="no such voice"):
        client.audio.speech.create(model="media", voice="alloy", input="hello")


@pytest.mark.parametrize("format", ["wav", "pcm"])
def test_dummy_speech(client, format):
    answer = client.audio.speech.create(model="dummy::any", voice="alloy", input="hello", response_format=format)
    if format == "wav":
        with wave.open(io.BytesIO(answer.content)) as sound:
            assert (sound.getframerate(), sound.getnframes()) == (8000, 5 * 160)
    else:
        assert len(answer.content) == 5 * 160 * 2


@modern
def test_dummy_speech_in_events(client):
    answer = client.audio.speech.create(model="dummy::any", voice="alloy", input="hello", stream_format="sse")
    first = json.loads(answer.content.decode().split("\n\n")[0].removeprefix("data: "))
    assert first["type"] == "speech.audio.delta" and base64.b64decode(first["audio"]).startswith(b"RIFF")


# Transcripts


def test_a_transcript(client, gateway, upstream):
    upstream.reply({"text": "Hello there.", "usage": SPOKEN})
    file = ("a.mp3", b"ID3\r\n\r\n--" + bytes(range(256)), "audio/mpeg")
    raw = client.audio.transcriptions.with_raw_response.create(
        model="media", file=file, language="en", temperature=0.5, timestamp_granularities=["word", "segment"]
    )
    assert raw.parse().text == "Hello there."
    assert upstream.only.path == "/v1/audio/transcriptions"
    parts = upstream.only.form
    assert ("model", None, b"mock-model") in parts and ("language", None, b"en") in parts
    assert ("file", "a.mp3", file[1]) in parts
    assert [data for name, _, data in parts if name == "timestamp_granularities[]"] == [b"word", b"segment"]
    row = gateway.row(ids(raw))
    assert (row["operation"], row["input_tokens"], row["output_tokens"]) == ("transcribe", 14, 2)


def test_a_transcript_with_times(client, gateway, upstream):
    segment = {"id": 0, "start": 0.0, "end": 1.5, "text": " Hello"}
    upstream.reply({"task": "transcribe", "language": "english", "duration": 1.5, "text": "Hello", "segments": [segment]})
    raw = client.audio.transcriptions.with_raw_response.create(
        model="media", file=b"sound", response_format="verbose_json"
    )
    answer = raw.parse()
    assert (answer.language, answer.segments[0].text) == ("english", " Hello")
    assert gateway.row(ids(raw))["status"] == "ok"


@pytest.mark.parametrize("format, body", [("text", "Hello\n"), ("srt", "1\n00:00:00,000 --> 00:00:01,000\nHello\n"), ("vtt", "WEBVTT\n\n")])
def test_a_transcript_as_text(client, upstream, format, body):
    upstream.reply(body, headers={"content-type": "text/plain; charset=utf-8"})
    answer = client.audio.transcriptions.create(model="media", file=b"sound", response_format=format)
    assert answer == body


@modern
def test_a_streamed_transcript(client, gateway, upstream):
    upstream.stream(
        {"type": "transcript.text.delta", "delta": "Hello"},
        {"type": "transcript.text.delta", "delta": " there."},
        {"type": "transcript.text.done", "text": "Hello there.", "usage": SPOKEN},
        "[DONE]",
    )
    stream = client.audio.transcriptions.create(model="media", file=b"sound", stream=True)
    inference = stream.response.headers["x-sabir-inference-id"]
    events = list(stream)
    assert [event.type for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert events[-1].text == "Hello there."
    row = gateway.row(inference)
    assert (row["status"], row["input_tokens"], row["output_tokens"]) == ("ok", 14, 2)


def test_a_translation(client, gateway, upstream):
    upstream.reply({"text": "Hello there."})
    raw = client.audio.translations.with_raw_response.create(model="media", file=b"sound")
    assert raw.parse().text == "Hello there."
    assert upstream.only.path == "/v1/audio/translations"
    assert gateway.row(ids(raw))["operation"] == "translate"


def test_dummy_transcripts(client):
    words = "The quick brown fox jumps over the lazy dog."
    create = client.audio.transcriptions.create
    assert create(model="dummy::any", file=b"sound").text == words
    assert create(model="dummy::any", file=b"sound", response_format="text") == f"{words}\n"
    assert create(model="dummy::any", file=b"sound", response_format="srt").startswith("1\n00:00:00,000 --> 00:00:02,500\n")
    assert create(model="dummy::any", file=b"sound", response_format="vtt").startswith("WEBVTT\n")
    verbose = create(
        model="dummy::any", file=b"sound", response_format="verbose_json", timestamp_granularities=["word"]
    )
    assert (verbose.duration, len(verbose.words), verbose.segments[0].text) == (2.5, 9, words)
    assert client.audio.translations.create(model="dummy::any", file=b"sound").text == words


@modern
def test_a_dummy_transcript_in_events(client):
    events = list(client.audio.transcriptions.create(model="dummy::any", file=b"sound", stream=True))
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]


def test_no_file_is_refused(gateway):
    answer = gateway.post("/v1/audio/transcriptions", {"model": "dummy::any"})
    assert (answer.status, answer.json["error"]["param"]) == (400, "file")


def test_a_broken_form_is_refused(gateway):
    kind = {"content-type": "multipart/form-data; boundary=b"}
    answer = gateway.post("/v1/audio/transcriptions", b"--b\r\nnonsense", kind)
    assert answer.status == 400 and "form" in answer.json["error"]["message"]
    answer = gateway.post("/v1/audio/transcriptions", b"--c\r\n", kind)
    assert "boundary" in answer.json["error"]["message"]


def test_what_is_before_a_form_does_not_count(gateway, upstream):
    upstream.reply({"text": "Hello."})
    part = b'Content-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    form = b"--b\r\n" + part % (b"file", b'; filename="a.mp3"', b"x") + b"--b\r\n" + part % (b"model", b"", b"media")
    kind = {"content-type": "multipart/form-data; boundary=b"}
    answer = gateway.post("/v1/audio/transcriptions", b"see below\r\n" + form + b"--b--\r\n", kind)
    assert answer.json == {"text": "Hello."}
    assert ("model", None, b"mock-model") in upstream.only.form


def test_a_file_that_is_too_large(gateway):
    kind = {"content-type": "multipart/form-data; boundary=b"}
    answer = gateway.post("/v1/audio/transcriptions", b"--b\r\n" + bytes(64 * 1024 * 1024), kind)
    assert answer.status == 413
    assert "67108864" in answer.json["error"]["message"]


# Moderations


def test_a_moderation(client, gateway, upstream):
    result = {"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.9}}
    upstream.reply({"id": "modr-1", "model": "omni-moderation-latest", "results": [result]})
    raw = client.moderations.with_raw_response.create(model="media", input="x")
    answer = raw.parse()
    assert answer.results[0].flagged and answer.id == "modr-1"
    assert upstream.only.path == "/v1/moderations"
    assert upstream.only.json == {"input": "x", "model": "mock-model"}
    assert gateway.row(ids(raw))["operation"] == "moderate"


def test_a_moderation_without_a_model(client, upstream):
    upstream.reply({"id": "modr-1", "model": "m", "results": [{"flagged": False, "categories": {}, "category_scores": {}}]})
    client.moderations.create(input=["x", "y"])
    assert upstream.only.json == {"model": "mock-moderation", "input": ["x", "y"]}


def test_a_dummy_moderation(client):
    answer = client.moderations.create(model="dummy::any", input=["x", "y"])
    assert [result.flagged for result in answer.results] == [False, False]
    assert answer.results[0].categories.violence is False
    assert answer.results[0].category_scores.self_harm == 0.0


# Azure's paths


def test_azures_paths(gateway, upstream):
    with openai.AzureOpenAI(
        azure_endpoint=gateway.url, api_key="any", api_version="2025-04-01-preview", max_retries=0
    ) as client:
        upstream.reply({"text": "Hello."})
        assert client.audio.transcriptions.create(model="media", file=b"sound").text == "Hello."
        assert ("model", None, b"mock-model") in upstream.last.form
        upstream.reply(images({"b64_json": PNG}))
        client.images.generate(model="media", prompt="a cat")
        assert upstream.last.json == {"model": "mock-model", "prompt": "a cat"}


def test_a_model_in_the_path_only(gateway, upstream):
    upstream.reply({"text": "Hello."})
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--b--\r\n'
    kind = {"content-type": "multipart/form-data; boundary=b"}
    answer = gateway.post("/openai/deployments/media/audio/transcriptions?api-version=x", form, kind)
    assert answer.json == {"text": "Hello."}
    assert upstream.only.form == [("model", None, b"mock-model"), ("file", "a", b"x")]


# Reranking


def rerank(**more) -> dict:
    return {"query": "red fox", "documents": ["a dog", "the red fox", "a fox"], **more}


def test_jina_goes_through(gateway, upstream):
    body = {"model": "jina", "object": "list", "usage": {"total_tokens": 9}, "results": [{"index": 1, "relevance_score": 0.5}]}
    upstream.reply(body)
    answer = gateway.post("/v1/rerank", rerank(model="order-jina", top_n=1, new=True))
    assert answer.json == body
    assert upstream.only.path == "/v1/rerank"
    assert upstream.only.json == rerank(model="jina-reranker-v2", top_n=1, new=True)
    row = gateway.row(answer.headers["x-sabir-inference-id"])
    assert (row["operation"], row["input_tokens"], row["output_tokens"]) == ("rerank", 9, 0)


def test_voyage_is_translated(gateway, upstream):
    data = [{"index": 1, "relevance_score": 0.5}]
    upstream.reply({"object": "list", "data": data, "model": "rerank-2.5", "usage": {"total_tokens": 9}})
    answer = gateway.post("/v1/rerank", rerank(model="order-voyage", top_n=1))
    assert answer.json["results"] == data
    assert answer.json["usage"]["total_tokens"] == 9
    assert upstream.only.json == rerank(model="rerank-2.5", top_k=1)


def test_cohere_behind_jinas_form(gateway, upstream):
    units = {"search_units": 1}
    upstream.reply({"id": "1", "results": [{"index": 1, "relevance_score": 0.5}], "meta": {"billed_units": units}})
    answer = gateway.post("/v1/rerank", rerank(model="order-cohere", return_documents=True))
    assert answer.json["results"] == [{"index": 1, "relevance_score": 0.5, "document": {"text": "the red fox"}}]
    assert upstream.only.path == "/v2/rerank"
    assert upstream.only.json == rerank(model="rerank-v3.5")


def test_the_dummy_orders(gateway):
    answer = gateway.post("/v1/rerank", rerank(model="dummy::any", top_n=2))
    assert [(item["index"], item["relevance_score"]) for item in answer.json["results"]] == [(1, 1.0), (2, 0.5)]


def test_errors_have_the_form_of_their_door(gateway):
    answer = gateway.post("/v1/rerank", rerank(model="nothing"))
    assert (answer.status, answer.json["error"]["param"]) == (404, "model")
    answer = gateway.post("/v2/rerank", rerank(model="nothing"))
    assert answer.status == 404 and "nothing" in answer.json["message"] and "error" not in answer.json
    answer = gateway.post("/v2/rerank", {"model": "dummy::any", "query": "q", "documents": []})
    assert (answer.status, answer.json["message"]) == (400, "documents: is empty: expected at least one text")
