"""The clients by OpenAI's names: how they are made and changed, and what goes wrong with them."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, AsyncIterator, Dict, Iterator, List

import pytest
from server import Said, Server, completion

from sabir.dialects import openai
from sabir.dialects.openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI, Timeout

VARIABLES = [name for name in os.environ if name.startswith(("OPENAI_", "AZURE_OPENAI_"))]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name)


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(api_key="made up", base_url=server.url, max_retries=0) as client:
        yield client


def ask(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="m", messages=[], **more)


# How they are made.


def test_variables_stand_in_for_arguments(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(openai.OpenAIError, match="OPENAI_API_KEY"):
        OpenAI()
    variables = {
        "OPENAI_API_KEY": "from there",
        "OPENAI_BASE_URL": server.url,
        "OPENAI_ORG_ID": "org",
        "OPENAI_PROJECT_ID": "pro",
        "OPENAI_CUSTOM_HEADERS": "X-One: 1\nX-Two: 2",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with OpenAI() as client:
        ask(client)
        assert client.api_key == "from there" and str(client.base_url) == server.url + "/"
    got = server.last.headers
    assert got["authorization"] == "Bearer from there"
    assert (got["openai-organization"], got["openai-project"]) == ("org", "pro")
    assert (got["x-one"], got["x-two"], got["accept"]) == ("1", "2", "application/json")
    assert got["user-agent"].startswith("sabir-python/")
    with OpenAI(api_key="said", organization="other", base_url=server.url) as client:
        ask(client)
    assert (server.last.headers["authorization"], server.last.headers["openai-organization"]) == (
        "Bearer said",
        "other",
    )


@pytest.mark.parametrize("wrong", [None, "2", -1])
def test_a_number_of_retries_that_is_none(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="max_retries"):
        OpenAI(api_key="k", max_retries=wrong)


def test_addresses() -> None:
    assert str(OpenAI(api_key="k").base_url) == "https://api.openai.com/v1/"
    assert OpenAI(api_key="k", data_residency="eu").base_url.host == "eu.api.openai.com"
    with pytest.raises(openai.OpenAIError, match="mutually exclusive"):
        OpenAI(api_key="k", data_residency="eu", base_url="http://localhost")


def test_the_query_of_the_address_and_of_the_client(server: Server) -> None:
    with OpenAI(api_key="k", base_url=server.url + "/?a=1", default_query={"b": [2]}) as client:
        ask(client, extra_query={"c": 3})
    assert (server.last.path, server.last.query) == ("/v1/chat/completions", [("a", "1"), ("b[]", "2"), ("c", "3")])


def test_a_key_that_a_function_gives_is_asked_for_with_each_attempt(server: Server) -> None:
    keys = iter(["first", "second"])
    server.say(status=500, retry_after_ms="1")
    server.say(completion())
    with OpenAI(api_key=lambda: next(keys), base_url=server.url) as client:
        ask(client)
    assert [seen.headers["authorization"] for seen in server.seen] == ["Bearer first", "Bearer second"]

    async def key() -> str:
        return "later"

    async def main() -> None:
        async with AsyncOpenAI(api_key=key, base_url=server.url) as client:
            await ask(client)

    asyncio.run(main())
    assert server.last.headers["authorization"] == "Bearer later"
    with OpenAI(api_key=key, base_url=server.url) as client, pytest.raises(TypeError, match="not async"):
        ask(client)


def test_other_settings_for_some_calls(server: Server) -> None:
    with OpenAI(api_key="k", base_url=server.url, default_headers={"x-a": "1"}, default_query={"q": "1"}) as client:
        other = client.with_options(max_retries=0, timeout=3.0, default_headers={"x-b": "2"})
        assert (other.max_retries, other.timeout, client.max_retries) == (0, 3.0, 2)
        ask(other)
        assert (server.last.headers["x-a"], server.last.headers["x-b"]) == ("1", "2")
        ask(client.copy(set_default_headers={"x-c": "3"}, set_default_query={}, api_key="z"))
        assert "x-a" not in server.last.headers and server.last.query == []
        assert server.last.headers["authorization"] == "Bearer z"
        with pytest.raises(ValueError, match="mutually exclusive"):
            client.copy(default_headers={}, set_default_headers={})
        ask(client.with_options(default_headers={"x-a": openai.omit}))
        assert "x-a" not in server.last.headers
    with pytest.raises(openai.APIConnectionError, match="closed"):
        ask(other)
    assert client.is_closed()


def test_no_key_is_shown() -> None:
    client = OpenAI(api_key="hush-hush", base_url="http://localhost/v1")
    assert "hush" not in repr(client) + repr(client.chat) + repr(client.chat.completions.create)


# What goes wrong.


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (418, openai.APIStatusError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (503, openai.InternalServerError),
    ],
)
def test_each_status_has_its_exception(server: Server, client: OpenAI, status: int, kind: type) -> None:
    told = {"message": "no", "code": 7, "type": "t", "param": "p"}
    server.say({"error": told}, status=status, x_request_id="req-1")
    with pytest.raises(openai.APIStatusError) as raised:
        ask(client)
    error = raised.value
    assert type(error) is kind and isinstance(error, openai.APIError) and isinstance(error, openai.OpenAIError)
    assert (error.status_code, error.request_id, error.body) == (status, "req-1", told)
    assert (error.code, error.type, error.param) == ("7", "t", "p")
    assert str(error) == error.message == f"Error code: {status} - {{'error': {told}}}"
    assert error.response.status_code == status and error.response.json() == {"error": told}
    assert error.response.headers["x-request-id"] == "req-1"
    assert (error.request.method, error.request.url) == ("POST", f"{server.url}/chat/completions")


def test_an_error_that_is_no_json(server: Server, client: OpenAI) -> None:
    server.say(b"  bad gateway\n", status=502, kind="text/plain")
    with pytest.raises(openai.InternalServerError, match="^bad gateway$") as raised:
        ask(client)
    assert raised.value.body == "bad gateway" and raised.value.code is None


def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with OpenAI(api_key="k", base_url=f"http://127.0.0.1:{port}", max_retries=0) as client:
        with pytest.raises(openai.APIConnectionError, match=r"^Connection error\.$") as raised:
            ask(client)
    assert not isinstance(raised.value, openai.APITimeoutError) and str(port) in str(raised.value.__cause__)


def test_silence(server: Server) -> None:
    def late(_: Any) -> Said:
        time.sleep(0.5)
        return Said({})

    server.usual = late
    limits: List[Any] = [0.1, Timeout(10, read=0.1), Timeout(0.1)]
    for limit in limits:
        with OpenAI(api_key="k", base_url=server.url, max_retries=0, timeout=limit) as client:
            with pytest.raises(openai.APITimeoutError, match=r"^Request timed out\.$"):
                ask(client)
    with OpenAI(api_key="k", base_url=server.url, max_retries=0) as client:
        with pytest.raises(openai.APITimeoutError):
            ask(client, timeout=0.1)
        with pytest.raises(openai.APITimeoutError):
            ask(client.with_options(timeout=0.1))
        assert ask(client, timeout=None).to_dict() == {}


def test_timeouts_by_phase() -> None:
    assert Timeout(60.0, read=5.0, connect=2.0).as_dict() == {"connect": 2.0, "read": 5.0, "write": 60.0, "pool": 60.0}
    with pytest.raises(ValueError, match="default"):
        Timeout(read=3)
    assert OpenAI(api_key="k").timeout == Timeout(600, connect=5.0)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 529])
def test_what_may_pass_is_tried_again(server: Server, status: int, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        server.say(status=status, retry_after_ms="1")
    server.say(completion())
    with OpenAI(api_key="k", base_url=server.url) as client, caplog.at_level(logging.INFO, "openai"):
        answer = client.chat.completions.with_raw_response.create(model="m", messages=[])
    assert answer.retries_taken == 2 and answer.parse().id == "c"
    assert len([line for line in caplog.messages if line.startswith("Retrying request to /v1/chat/completions")]) == 2
    assert [seen.headers.get("x-sabir-retry-count") for seen in server.seen] == [None, "1", "2"]


def test_what_may_not_pass_is_not(server: Server) -> None:
    cases: List[Dict[str, Any]] = [
        {"status": 400},
        {"status": 500, "x_should_retry": "false"},
        {"status": 429, "retry_after": "121"},
    ]
    with OpenAI(api_key="k", base_url=server.url) as client:
        for case in cases:
            server.say(**case)
            with pytest.raises(openai.APIStatusError):
                ask(client)
    assert len(server.seen) == len(cases)


def test_an_answer_that_is_elsewhere(server: Server, client: OpenAI) -> None:
    other = Server()
    try:
        server.say(status=307, location="/v1/there?a=b")
        server.say(completion())
        assert ask(client).id == "c"
        assert (server.last.target, server.last.method) == ("/v1/there?a=b", "POST")
        assert server.last.json == {"model": "m", "messages": []}
        server.say(status=302, location=f"{other.url}/elsewhere")
        other.say(completion())
        assert ask(client).id == "c"
        # Whoever is asked there is not told the key.
        assert other.last.method == "GET" and "authorization" not in other.last.headers
    finally:
        other.close()


def test_json_that_is_none(server: Server, client: OpenAI) -> None:
    server.say(b"{oh", kind="application/json")
    with pytest.raises(openai.APIResponseValidationError) as raised:
        ask(client)
    assert raised.value.body == "{oh" and raised.value.status_code == 200


def test_the_log(server: Server) -> None:
    program = f"""
from sabir.dialects.openai import OpenAI
OpenAI(api_key="hush-hush", base_url={server.url!r}).models.list()
"""
    for level, lines in (("debug", 1), ("info", 0)):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "OPENAI_LOG": level},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        assert done.stderr.count("HTTP Request: GET") == lines and "hush" not in done.stderr


# Raw answers.


def test_answers_as_they_come(server: Server, client: OpenAI) -> None:
    server.say(completion(), x_my_header="yes", x_request_id="req-1")
    response = client.chat.completions.with_raw_response.create(model="m", messages=[])
    assert (response.headers.get("X-My-Header"), response.status_code, response.request_id) == ("yes", 200, "req-1")
    assert (response.method, response.url) == ("POST", f"{server.url}/chat/completions")
    assert response.json()["id"] == "c" and response.text.startswith("{") and response.is_closed
    assert response.parse() is response.parse() and response.parse().choices[0].message.content == "Hi"
    assert response.parse(to=dict)["id"] == "c"
    server.say({"data": [{"id": "f"}]})
    assert client.with_raw_response.files.list().parse().data[0].id == "f"


def test_answers_that_are_read_when_asked(server: Server, client: OpenAI, tmp_path: Any) -> None:
    create = client.chat.completions.with_streaming_response.create
    text = "ä\r\nb\rc\n\nd"

    def opened() -> Any:
        server.say(text.encode(), kind="text/plain; charset=utf-8", x_my_header="yes")
        return create(model="m", messages=[])

    with opened() as response:
        assert response.headers["X-My-Header"] == "yes" and not response.is_closed
        assert list(response.iter_lines()) == ["ä", "b", "c", "", "d"]
    with opened() as response:
        assert list(response.iter_bytes(3)) == [text.encode()[at : at + 3] for at in range(0, len(text.encode()), 3)]
    with opened() as response:
        assert "".join(response.iter_text(1)) == text
    with opened() as response:
        response.stream_to_file(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == text.encode()
    with opened() as response:
        assert (response.read(), response.text(), response.content) == (text.encode(), text, text.encode())
    server.say(completion())
    with create(model="m", messages=[]) as response:
        assert response.parse().id == "c" and response.json()["id"] == "c"
    server.stream({"choices": []}, {"choices": []})
    with create(model="m", messages=[], stream=True) as response:
        assert [piece.choices for piece in response.parse()] == [[], []]


def test_answers_that_are_awaited(server: Server, tmp_path: Any) -> None:
    async def main() -> None:
        async with AsyncOpenAI(api_key="k", base_url=server.url) as client:
            server.say(completion())
            assert (await client.chat.completions.with_raw_response.create(model="m", messages=[])).parse().id == "c"
            create = client.audio.speech.with_streaming_response.create
            for _ in range(5):
                server.say(b"a\nb", kind="audio/mpeg")
            async with create(model="m", voice="v", input="x") as response:
                assert [line async for line in response.iter_lines()] == ["a", "b"]
            async with create(model="m", voice="v", input="x") as response:
                assert [piece async for piece in response.iter_bytes(2)] == [b"a\n", b"b"]
            async with create(model="m", voice="v", input="x") as response:
                assert await response.read() == b"a\nb" and await response.text() == "a\nb"
            async with create(model="m", voice="v", input="x") as response:
                await response.stream_to_file(tmp_path / "out")
            speech = await client.audio.speech.create(model="m", voice="v", input="x")
            assert speech.content == await speech.aread() == (tmp_path / "out").read_bytes() == b"a\nb"

    asyncio.run(main())


# The module's client.


@pytest.fixture
def module() -> Iterator[Any]:
    names = ("api_key", "base_url", "default_headers", "api_type", "azure_endpoint", "api_version", "max_retries")
    before = {name: getattr(openai, name) for name in names}
    yield openai
    for name, value in before.items():
        setattr(openai, name, value)


def test_the_module_is_a_client(server: Server, module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module.api_key, module.base_url = "here", server.url
    module.default_headers = {"x-foo": "true"}
    server.say(completion())
    answer = module.chat.completions.create(model="m", messages=[])
    assert answer.choices[0].message.content == "Hi"
    assert (server.last.headers["authorization"], server.last.headers["x-foo"]) == ("Bearer here", "true")
    module.api_key = "there"
    module.files.list()
    assert server.last.headers["authorization"] == "Bearer there"
    assert "chat" in dir(module) and module.__version__ == "1.51.0"
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
    with pytest.raises(openai.OpenAIError, match="Ambiguous"):
        module.models.list()
    module.api_type, module.base_url, module.azure_endpoint = "azure", None, server.origin
    module.api_version = "v"
    module.models.list()
    assert server.last.target == "/openai/models?api-version=v" and server.last.headers["api-key"] == "there"
    with pytest.raises(AttributeError, match="nothing"):
        module.nothing


# Azure.


def azure(server: Server, **options: Any) -> AzureOpenAI:
    return AzureOpenAI(azure_endpoint=server.origin + "/", api_version="2024-06-01", **{"api_key": "k", **options})


def test_azures_addresses(server: Server) -> None:
    with azure(server) as client:
        client.chat.completions.create(model="a model/1", messages=[])
        assert server.last.target == "/openai/deployments/a%20model%2F1/chat/completions?api-version=2024-06-01"
        assert server.last.headers["api-key"] == "k" and "authorization" not in server.last.headers
        client.audio.transcriptions.create(model="w", file=b"x")
        assert server.last.path == "/openai/deployments/w/audio/transcriptions"
        client.files.list()
        assert server.last.path == "/openai/files"
        client.with_options(timeout=2).models.list()
        assert server.last.target == "/openai/models?api-version=2024-06-01"
    with azure(server, azure_deployment="d") as client:
        client.chat.completions.create(model="m", messages=[])
        client.files.list()
        assert [seen.path for seen in server.seen[-2:]] == ["/openai/deployments/d/chat/completions", "/openai/files"]


def test_who_calls_azure(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = iter(["one", "two"])
    server.say(status=500, retry_after_ms="1")
    server.say(completion())
    with azure(server, api_key=None, azure_ad_token_provider=lambda: next(tokens)) as client:
        ask(client)
    assert [seen.headers["authorization"] for seen in server.seen] == ["Bearer one", "Bearer two"]
    with pytest.raises(openai.MutuallyExclusiveAuthError):
        azure(server, azure_ad_token="t")
    with pytest.raises(openai.OpenAIError, match="Missing credentials"):
        azure(server, api_key=None)
    with pytest.raises(ValueError, match="OPENAI_API_VERSION"):
        AzureOpenAI(azure_endpoint=server.origin, api_key="k")
    with pytest.raises(ValueError, match="AZURE_OPENAI_ENDPOINT"):
        AzureOpenAI(api_version="v", api_key="k")
    variables = {"API_KEY": "k", "AD_TOKEN": "t", "ENDPOINT": server.origin}
    for name, value in variables.items():
        monkeypatch.setenv(f"AZURE_OPENAI_{name}", value)
    monkeypatch.setenv("OPENAI_API_VERSION", "v")

    async def main() -> None:
        async with AsyncAzureOpenAI() as client:
            await ask(client)

    asyncio.run(main())
    assert server.last.target == "/openai/deployments/m/chat/completions?api-version=v"
    assert server.last.headers["authorization"] == "Bearer t"


# What sends.


def test_several_clients_share_what_sends(server: Server) -> None:
    with openai.DefaultHttpxClient(headers={"x-shared": "1"}, timeout=7.0) as sender:
        clients = [OpenAI(api_key=key, base_url=server.url, http_client=sender) for key in "ab"]
        for client in clients:
            ask(client)
            assert client.timeout == 7.0 and server.last.headers["x-shared"] == "1"
        ask(clients[0].with_options(http_client=openai.DefaultHttpxClient()))
        assert "x-shared" not in server.last.headers
    for wrong in (openai.DefaultAsyncHttpxClient(), object()):
        with pytest.raises(TypeError, match="Invalid `http_client` argument"):
            OpenAI(api_key="k", http_client=wrong)
    with pytest.raises(ValueError, match="always checked"):
        openai.DefaultHttpxClient(verify=False)
    with pytest.raises((TypeError, ssl.SSLError), match="verify"):
        openai.DefaultHttpxClient(verify=ssl.create_default_context())


def test_threads_share_a_client(server: Server, client: OpenAI) -> None:
    server.usual = lambda seen: Said(completion(seen.json["model"]))
    with ThreadPoolExecutor(max_workers=20) as pool:
        create = client.chat.completions.create
        answers = pool.map(lambda at: create(model=f"m{at}", messages=[]).choices[0].message.content, range(100))
        assert list(answers) == [f"m{at}" for at in range(100)]


def test_a_proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's server is the proxy: a proxy is asked for whole addresses."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    there = "http://gateway.invalid:8083/v1"
    ways: List[Any] = [
        openai.DefaultHttpxClient(proxy=server.origin),
        openai.DefaultHttpxClient(proxies=server.origin, transport=openai.httpx.HTTPTransport(local_address="0.0.0.0")),
    ]
    monkeypatch.setenv("http_proxy", server.origin)
    for sender in [*ways, None]:
        with OpenAI(api_key="k", base_url=there, http_client=sender, max_retries=0) as client:
            ask(client)
        assert server.last.target == f"{there}/chat/completions"
    with OpenAI(
        api_key="k", base_url=there, max_retries=0, http_client=openai.DefaultHttpxClient(trust_env=False)
    ) as client:
        with pytest.raises(openai.APIConnectionError):
            ask(client)
    with pytest.raises(ValueError, match="local_address"):
        openai.DefaultHttpxClient(transport=openai.httpx.HTTPTransport(local_address="10.0.0.1"))
    with pytest.warns(UserWarning, match="limits"):
        openai.DefaultHttpxClient(limits=openai.httpx.Limits(max_connections=1))
    with pytest.raises(openai.APIStatusError):
        server.say(status=307, location="/v1/there")
        ask(OpenAI(api_key="k", base_url=server.url, http_client=openai.DefaultHttpxClient(follow_redirects=False)))


class OwnResponse:
    """An answer of an HTTP client of the caller's."""

    def __init__(self, status: int, headers: Dict[str, str], pieces: List[bytes]) -> None:
        self.status_code = status
        self.headers = headers
        self.pieces = pieces
        self.closed = False

    def read(self) -> bytes:
        return b"".join(self.pieces)

    def iter_bytes(self) -> Iterator[bytes]:
        yield from self.pieces

    async def aread(self) -> bytes:
        return b"".join(self.pieces)

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


class OwnClient:
    """An HTTP client of the caller's, of the shape that `httpx` has."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: List[Dict[str, Any]] = []
        self.is_closed = False

    def build_request(self, method: str, url: str, **more: Any) -> Any:
        self.asked.append({"method": method, "url": url, **more})
        return self.asked[-1]

    def send(self, request: Any, *, stream: bool) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.is_closed = True


class OwnAsyncClient(OwnClient):
    async def send(self, request: Any, *, stream: bool) -> Any:
        return super().send(request, stream=stream)

    async def aclose(self) -> None:
        self.is_closed = True


class ReadTimeout(Exception):
    pass


def own_answers() -> List[Any]:
    kind = {"content-type": "application/json", "x-request-id": "r"}
    events = [b'data: {"choices": [{"ind', b'ex": 0}]}\n\ndata: {"choices": []}\n\n', b"data: [DONE]\n\n"]
    return [
        OwnResponse(429, {**kind, "retry-after-ms": "1"}, [b"{}"]),
        OwnResponse(200, kind, [b'{"id": ', b'"c"}']),
        OwnResponse(200, {"content-type": "text/event-stream"}, events),
        OwnResponse(404, kind, [b'{"error": {"message": "no"}}']),
        ReadTimeout("late"),
        OwnResponse(200, {"content-type": "text/event-stream"}, [events[0]]),
    ]


def test_the_callers_own_http_client() -> None:
    own = OwnClient(*own_answers())
    with OpenAI(api_key="k", base_url="http://a.test/v1", http_client=own) as client:
        assert ask(client)._request_id == "r"
        first = own.asked[0]
        assert (first["method"], first["url"], first["timeout"]) == ("POST", "http://a.test/v1/chat/completions", 600.0)
        assert first["content"] == b'{"model":"m","messages":[]}' and ("authorization", "Bearer k") in first["headers"]
        assert [len(piece.choices) for piece in ask(client, stream=True)] == [1, 0]
        with pytest.raises(openai.NotFoundError, match="no"):
            ask(client)
        once = client.with_options(max_retries=0)
        with pytest.raises(openai.APITimeoutError) as raised:
            ask(once)
        assert isinstance(raised.value.__cause__, ReadTimeout)
        with pytest.raises(openai.APIConnectionError):
            list(ask(once, stream=True))
    assert own.is_closed

    async def main() -> None:
        own = OwnAsyncClient(*own_answers())
        async with AsyncOpenAI(api_key="k", base_url="http://a.test/v1", http_client=own) as client:
            assert (await ask(client)).id == "c"
            stream = await ask(client, stream=True)
            assert [len(piece.choices) async for piece in stream] == [1, 0]
            with pytest.raises(openai.NotFoundError):
                await ask(client)
        assert own.is_closed

    asyncio.run(main())


def test_a_gateway_in_this_process() -> None:
    with OpenAI.embedded("", variables={}) as client:
        messages: Any = [{"role": "user", "content": "Hello there"}]
        answer = client.chat.completions.create(model="dummy::echo", messages=messages)
        assert answer.choices[0].message.content == "Hello there"
        pieces = client.chat.completions.create(model="dummy::echo", messages=messages, stream=True)
        assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == "Hello there"
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="nobody::nothing", messages=messages)
