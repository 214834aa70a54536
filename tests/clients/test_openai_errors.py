"""What goes wrong, as the `openai` client sees it: its exceptions, its retries, its patience."""

from __future__ import annotations

import email.utils
import time
from datetime import datetime, timedelta, timezone

import openai
import pytest

from upstream import OPENAI_CHAT, Drop, UntilClosed, chat_chunks
from words import HI, texts

pytestmark = pytest.mark.openai


def said(message: str, type: str = "some_error", code: str | None = "some_code", param: str | None = None) -> dict:
    return {"error": {"message": message, "type": type, "code": code, "param": param}}


# What a provider of the same protocol says is what the caller reads.
@pytest.mark.parametrize(
    "status, wanted",
    [
        (400, openai.BadRequestError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_providers_errors(client, upstream, status, wanted, stream):
    upstream.reply(said("not today", param="messages"), status, {"x-request-id": "req_1"})
    with pytest.raises(wanted) as caught:
        client.chat.completions.create(model="gpt", messages=HI, stream=stream)
    error = caught.value
    assert error.status_code == status
    assert (error.type, error.code, error.param) == ("some_error", "some_code", "messages")
    assert error.body == said("not today", param="messages")["error"]
    assert "not today" in str(error)
    assert error.request_id == "req_1"
    assert len(upstream.requests) == 1


# A provider that refuses the gateway's key quotes a part of it.
@pytest.mark.parametrize("status", [401, 403])
def test_what_the_provider_says_about_its_key_stays_here(client, upstream, status):
    upstream.reply(said("Incorrect API key provided: sk-of-****der", code="invalid_api_key"), status)
    with pytest.raises((openai.AuthenticationError, openai.PermissionDeniedError)) as caught:
        client.chat.completions.create(model="gpt", messages=HI)
    assert "sk-of" not in str(caught.value.body)


def test_a_model_that_the_key_may_not_use(client, upstream):
    upstream.reply(said("Project has no access to this model", "forbidden"), 403)
    with pytest.raises(openai.PermissionDeniedError, match="has no access"):
        client.chat.completions.create(model="gpt", messages=HI)


def test_an_error_that_is_no_json(client, upstream):
    upstream.reply("<html>Bad Gateway</html>", 502, {"content-type": "text/html"})
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="gpt", messages=HI)
    assert caught.value.status_code == 502
    # A page instead of an object would leave the client without message, type and code.
    assert caught.value.type and isinstance(caught.value.body, dict)


def test_an_answer_that_is_no_json(client, upstream):
    upstream.reply("so sorry", 200)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="gpt", messages=HI)
    assert caught.value.status_code == 502


@pytest.mark.parametrize(
    "raw",
    [
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"id\":",),
        (b"how do you do\r\n\r\n",),
        (Drop(),),
    ],
    ids=["half", "garbage", "nothing"],
)
def test_a_provider_that_breaks_off(client, upstream, raw):
    upstream.raw(*raw)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="lonely", messages=HI)
    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_error"


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_is_not_there(client, stream):
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="unreachable", messages=HI, stream=stream)
    assert caught.value.status_code == 502


@pytest.mark.parametrize("stream", [False, True])
def test_a_stream_that_fails_before_it_begins(client, upstream, stream):
    upstream.stream(said("no room")) if stream else upstream.reply(said("no room"))
    with pytest.raises(openai.APIError, match="no room"):
        list(client.chat.completions.create(model="gpt", messages=HI, stream=stream))


# A client follows a redirect, and takes its key along.
@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_not_passed_on(client, upstream, status):
    upstream.reply(said("elsewhere"), status, {"location": f"{upstream.url}/v1/elsewhere"})
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="gpt", messages=HI)
    assert caught.value.status_code == 502
    assert [request.path for request in upstream.requests] == ["/v1/chat/completions"]


def test_a_whole_answer_in_place_of_a_stream(client, upstream):
    upstream.reply(OPENAI_CHAT)
    said, error = "", None
    try:
        said = texts(client.chat.completions.create(model="gpt", messages=HI, stream=True))
    except openai.APIError as caught:
        error = caught
    assert said == "Hello there." or error, "the answer was lost and nobody was told"


def test_a_stream_in_place_of_a_whole_answer(client, upstream):
    upstream.chat("Hello", " there.")
    with pytest.raises(openai.APIStatusError):
        client.chat.completions.create(model="gpt", messages=HI)


@pytest.mark.parametrize("stream", [False, True])
def test_an_empty_answer(client, upstream, stream):
    upstream.reply(b"")
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="gpt", messages=HI, stream=stream))


def test_a_stream_without_events(client, upstream):
    upstream.stream()
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="gpt", messages=HI, stream=True))


# The gateway's own words.


def test_a_model_that_is_not_known(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="not-there", messages=HI)
    error = caught.value
    assert (error.type, error.code, error.param) == ("invalid_request_error", "model_not_found", "model")
    assert "not-there" in str(error)
    assert error.request_id


async def test_a_model_that_is_not_known_async(aclient):
    with pytest.raises(openai.NotFoundError):
        await aclient.chat.completions.create(model="not-there", messages=HI, stream=True)


def test_a_provider_that_is_not_known(client):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nobody::x", messages=HI)


def test_a_function_is_refused_by_name(client):
    with pytest.raises(openai.APIStatusError, match="write_haiku"):
        client.chat.completions.create(model="tensorzero::function_name::write_haiku", messages=HI)


def test_a_wrong_value_is_refused_by_its_path(client, upstream):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="claude", messages=[{"role": "user", "content": 7}])
    assert caught.value.type == "invalid_request_error"
    assert "messages[0].content" in (caught.value.param or "")
    assert caught.value.request_id
    assert not upstream.requests


def test_a_path_that_is_not_there(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.get("/no/such/thing", cast_to=object)
    assert isinstance(caught.value.body, dict)
    assert "/v1/no/such/thing" in caught.value.body["message"]
    assert caught.value.request_id


def test_a_method_that_is_not_there(client):
    with pytest.raises(openai.APIStatusError) as caught:
        client.get("/chat/completions", cast_to=object)
    assert caught.value.status_code == 405
    assert "GET /v1/chat/completions" in caught.value.body["message"]


def test_what_is_not_there_says_so(client):
    with pytest.raises(openai.APIStatusError) as caught:
        client.completions.create(model="gpt", prompt="x")
    assert caught.value.status_code in (404, 501)
    assert caught.value.body["message"]


def test_the_built_in_error(client):
    with pytest.raises(openai.InternalServerError, match="Error sending request to Dummy provider"):
        client.chat.completions.create(model="dummy::error", messages=HI)


# Keys


@pytest.fixture
def locked(start):
    return start("", {"SABIR_API_KEY": "sk-right,sk-also-right"})


def test_keys_of_the_gateway(locked):
    for key, let_in in [("sk-right", True), ("sk-also-right", True), ("sk-wrong", False)]:
        with openai.OpenAI(base_url=f"{locked.url}/v1", api_key=key, max_retries=0) as client:
            if let_in:
                assert client.chat.completions.create(model="dummy::echo", messages=HI).choices
                assert client.models.list().data
                continue
            for call in [
                lambda: client.chat.completions.create(model="dummy::echo", messages=HI),
                lambda: client.chat.completions.create(model="dummy::echo", messages=HI, stream=True),
                lambda: client.embeddings.create(model="dummy::embed", input="x"),
                lambda: client.models.list(),
            ]:
                with pytest.raises(openai.AuthenticationError) as caught:
                    call()
                assert caught.value.code == "invalid_api_key"
                assert caught.value.request_id
                assert "sk-wrong" not in str(caught.value.body)


def test_keys_in_azures_header(locked):
    with openai.AzureOpenAI(
        azure_endpoint=locked.url, api_version="2024-10-21", api_key="sk-right", max_retries=0
    ) as client:
        assert client.chat.completions.create(model="dummy::echo", messages=HI).choices


# Retries


def test_the_client_waits_as_long_as_the_provider_says(client, upstream):
    upstream.reply(said("slow down"), 429, {"retry-after-ms": "40"})
    began = time.monotonic()
    completion = client.with_options(max_retries=1).chat.completions.create(model="gpt", messages=HI)
    took = time.monotonic() - began
    assert completion.choices[0].message.content == "Hello there."
    first, second = upstream.requests
    assert second.at - first.at >= 0.04
    # Of its own accord the client waits at least 375 ms.
    assert took < 0.35


def test_a_wait_in_seconds_reaches_the_client(client, upstream):
    upstream.reply(said("slow down"), 429, {"retry-after": "7"})
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="gpt", messages=HI)
    headers = caught.value.response.headers
    assert headers["retry-after"] == "7"
    assert float(headers.get("retry-after-ms", 7000)) == 7000


def test_should_retry_reaches_the_client(client, upstream):
    upstream.reply(said("never again"), 500, {"x-should-retry": "false"})
    with pytest.raises(openai.InternalServerError):
        client.with_options(max_retries=2).chat.completions.create(model="gpt", messages=HI)
    assert len(upstream.requests) == 1


def test_an_empty_purse_is_not_tried_again(client, upstream):
    upstream.reply(said("You exceeded your quota", "insufficient_quota", "insufficient_quota"), 429)
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="gpt", messages=HI)
    assert caught.value.code == "insufficient_quota"


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("stream", [False, True])
def test_the_gateway_tries_again(client, upstream, status, stream):
    upstream.reply(said("slow down"), status)
    answer = client.chat.completions.create(model="retried", messages=HI, stream=stream)
    if stream:
        assert [chunk.choices[0].finish_reason for chunk in answer][-1] == "stop"
    else:
        assert answer.choices[0].message.content == "Hello there."
    first, second = upstream.requests
    assert first.body == second.body


def test_the_gateway_does_not_repeat_a_wrong_request(client, upstream):
    upstream.reply(said("no such parameter"), 400)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="retried", messages=HI)
    assert len(upstream.requests) == 1


def test_the_gateway_gives_up(client, upstream):
    for _ in range(3):
        upstream.reply(said("slow down"), 500)
    with pytest.raises(openai.InternalServerError, match="slow down"):
        client.chat.completions.create(model="retried", messages=HI)
    assert len(upstream.requests) == 3


def test_a_wait_until_a_date_reaches_the_client(client, upstream):
    date = email.utils.format_datetime(datetime.now(timezone.utc) + timedelta(seconds=30), usegmt=True)
    upstream.reply(said("slow down"), 429, {"retry-after": date})
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="gpt", messages=HI)
    headers = caught.value.response.headers
    assert headers["retry-after"] == date
    assert 25_000 < float(headers.get("retry-after-ms", 30_000)) <= 31_000


# A broken stream is never repeated: the caller has seen a part of it.
def test_a_stream_that_has_begun_is_not_tried_again(client, upstream):
    upstream.stream(*chat_chunks("one")[:2], 0.05, Drop())
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="retried", messages=HI, stream=True))
    assert len(upstream.requests) == 1


# Patience


def test_the_gateway_loses_patience(client, upstream):
    upstream.reply({}, wait=10)
    began = time.monotonic()
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="hasty", messages=HI)
    assert time.monotonic() - began < 2
    assert caught.value.status_code in (408, 504)
    assert caught.value.code == "timeout"
    assert upstream.only.closed.wait(2.0)


def test_the_gateway_loses_patience_with_a_stream(client, upstream):
    upstream.reply({}, wait=10)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="hasty", messages=HI, stream=True)
    assert caught.value.status_code in (408, 504)
    assert upstream.only.closed.wait(2.0)


def test_the_gateway_loses_patience_in_the_middle_of_a_stream(client, upstream):
    upstream.stream(*chat_chunks("one")[:2], UntilClosed())
    seen = []
    with pytest.raises(openai.APIError, match="in the middle of its stream"):
        for chunk in client.chat.completions.create(model="hasty", messages=HI, stream=True):
            seen.append(chunk)
    assert texts(seen) == "one"
    assert upstream.only.closed.wait(2.0)


def test_the_client_loses_patience(client, upstream):
    upstream.reply({}, wait=10)
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.2).chat.completions.create(model="gpt", messages=HI)
    assert upstream.only.closed.wait(2.0), "the provider still works on a call that nobody waits for"


async def test_the_client_loses_patience_async(aclient, upstream):
    upstream.reply({}, wait=10)
    with pytest.raises(openai.APITimeoutError):
        await aclient.with_options(timeout=0.2).chat.completions.create(model="gpt", messages=HI)
    assert upstream.only.closed.wait(2.0)

