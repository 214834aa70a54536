"""Every method of every resource of the `openai` client, through the gateway to a provider: nothing changes on the way.

The methods are found by looking at the client, so a method that is new is a test that is new.

Invariant: a method either passes byte for byte, or belongs to a door of the gateway's own that is named here.
"""

from __future__ import annotations

import inspect
import json
import re

import openai
import pytest
from openai._resource import SyncAPIResource

from gateway import Gateway
from recorder import BINARY, Recorder, Said, usual

pytestmark = pytest.mark.openai

KEY = "key-of-the-provider-0123456789"
CALLERS = "key-of-the-caller-0123456789"
OLD = openai.__version__.startswith("1.")
# What a client has to write in percents; the old one writes it as it is.
ID = "id-1" if OLD else "a/b ü?&%#[]"
MODEL = "openai::some-model"

# Doors of the gateway's own, which other files test; the rest of these resources is passed through.
OWN = {
    "audio.speech.create",
    "audio.transcriptions.create",
    "audio.translations.create",
    "beta.chat.completions.create",
    "beta.responses.",
    "chat.completions.create",
    "batches.",
    "conversations.",
    "embeddings.create",
    "files.",
    "images.",
    "models.list",
    "models.retrieve",
    "moderations.create",
    "responses.",
}
# What a model on any provider answers, which is the chat door's.
CHATS = {
    "beta.chat.completions.parse",
    "beta.chat.completions.stream",
    "chat.completions.parse",
    "chat.completions.stream",
    "responses.parse",
    "responses.stream",
}
# WebSockets have a file of their own.
SOCKETS = re.compile(r"\.connect$")
# Methods that send nothing.
SILENT = {
    "beta.agents.environments.files.prepare",
    "beta.agents.environments.files.prepare_directory",
    "beta.agents.sessions.artifacts.for_result",
    "webhooks.unwrap",
    "webhooks.verify_signature",
}
# Helpers that need more than a plain answer: each has a test below.
HELPERS = {
    "beta.agents.environments.files.upload",
    "beta.agents.sessions.stream",
    "files.wait_for_processing",
    "uploads.upload_file_chunked",
    "vector_stores.file_batches.upload_and_poll",
    "beta.vector_stores.file_batches.upload_and_poll",
}


def methods() -> dict[str, list[str]]:
    """All methods, as paths from the client."""
    client = openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1")
    found: dict[str, list[str]] = {}

    def walk(holder, path: list[str]) -> None:
        for name in sorted(dir(type(holder))) if path else sorted({*dir(type(holder)), *vars(holder)}):
            if name.startswith("_") or name.startswith("with_"):
                continue
            try:
                value = getattr(holder, name)
            except openai.OpenAIError:
                continue
            if isinstance(value, SyncAPIResource):
                walk(value, [*path, name])
            elif path and callable(value):
                found[".".join([*path, name])] = [*path, name]

    walk(client, [])
    return found


METHODS = methods()
CALLED = sorted(
    name for name in METHODS if not SOCKETS.search(name) and name not in SILENT | HELPERS | CHATS
)


@pytest.fixture(scope="module")
def _recorder():
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture
def recorder(_recorder):
    _recorder.reset()
    return _recorder


@pytest.fixture(scope="module")
def gateway(_recorder, tmp_path_factory):
    config = f'[provider_types.openai.defaults]\napi_base = "{_recorder.url}/v1"\napi_key_location = "env::MOCK_KEY"\n'
    gateway = Gateway.start(tmp_path_factory.mktemp("resources"), config, {"MOCK_KEY": KEY})
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def _client(gateway):
    """The client and what it has sent; one for all tests, since making one takes longer than a call."""
    sent: list = []

    def note(request) -> None:
        request.read()
        sent.append(request)

    http = openai.DefaultHttpxClient(event_hooks={"request": [note], "response": []})
    more = {} if OLD else {"admin_api_key": CALLERS}
    base = f"{gateway.url}/v1"
    with openai.OpenAI(
        base_url=base, api_key=CALLERS, max_retries=0, http_client=http, organization="org-1", **more
    ) as client:
        yield client, sent


@pytest.fixture
def sent(_client):
    _client[1].clear()
    return _client[1]


@pytest.fixture
def client(_client, sent):
    return _client[0]


def value(name: str, annotation: str):
    """Something that a parameter takes. What is in it matters to nobody here but the provider."""
    if name == "model":
        return MODEL
    if name in ("messages", "input") and "Iterable" in annotation:
        return [{"role": "user", "content": "é"}]
    if "FileTypes" in annotation or "FileContent" in annotation or name == "video":
        file = ("ünï.bin", b"\x00\r\n--\xff" * 100, "application/x-odd")
        return [file] if re.search(r"Sequence|List\[|Iterable", annotation) else file
    if re.search(r"^(Optional\[)?(Iterable|List|Sequence)", annotation):
        return ["x"] if "str" in annotation else [{}]
    if literal := re.search(r'Literal\[(?:"([^"]*)"|(True|False))', annotation):
        return literal[1] if literal[1] is not None else literal[2] == "True"
    for kind, one in (("str", ID), ("bool", True), ("int", 7), ("float", 0.5)):
        if re.search(rf"\b{kind}\b", annotation):
            return one
    return {"name": "é", "nested": [1, None, {"a": 1.5}]}


def arguments(method) -> dict:
    """What has to be given, and the parameters of a page."""
    found = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.default is inspect.Parameter.empty and parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            found[name] = value(name, str(parameter.annotation))
        elif name in ("after", "limit", "order", "include", "metadata"):
            found[name] = {"limit": 2, "metadata": {"k": "é"}, "include": ["a.b", "c"], "order": "asc"}.get(name, "x/1")
        elif name == "poll_interval_ms":
            found[name] = 1
    return found


def call(method):
    """Calls with what has to be there, and with what the client says is missing."""
    given = arguments(method)
    for _ in range(3):
        try:
            return method(**given)
        except TypeError as error:
            missing = re.findall(r"'(\w+)'", str(error).split("Expected either")[-1].split(" or ")[0])
            missing = [name for name in missing if name not in given]
            if "issing" not in str(error) or not missing:
                raise
            known = inspect.signature(method).parameters
            given.update({name: value(name, str(known[name].annotation)) for name in missing})
    raise AssertionError("the client is never content")


def find(client, path: list[str], wrapped: str | None = None):
    for name in path[:-1]:
        client = getattr(client, name)
    return getattr(getattr(client, wrapped) if wrapped else client, path[-1])


IGNORED = {"host", "authorization", "accept-encoding", "connection", "content-length"}


def same(request, got) -> None:
    """What the client sent is what arrived."""
    target = request.url.raw_path.decode()
    assert (got.method, got.target) == (request.method, target)
    body = request.content
    if "json" in request.headers.get("content-type", ""):
        body = body.replace(b'"model":"openai::', b'"model":"').replace(b'"model": "openai::', b'"model": "')
    assert got.body == body
    if body:
        assert got.header("content-length") == str(len(body))
    wanted = sorted((name.lower(), text) for name, text in request.headers.items() if name.lower() not in IGNORED)
    assert sorted((name, text) for name, text in got.headers if name not in IGNORED) == wanted
    assert got.header("authorization") == f"Bearer {KEY}"
    assert CALLERS not in str(got.headers)


def compare(sent: list, arrived: list) -> None:
    # A helper may hand in a file first: it depends on what for whether the gateway keeps that itself.
    if len(sent) > len(arrived) > 0:
        sent = [request for request in sent if not request.url.path.endswith("/v1/files")]
    assert len(sent) == len(arrived) > 0, (sent, arrived)
    for request, got in zip(sent, arrived):
        same(request, got)


def passed(arrived: list) -> bool:
    """Only what goes through keeps the client's own headers."""
    return bool(arrived) and any(name == "x-stainless-lang" for name, _ in arrived[0].headers)


def drain(result) -> None:
    """Reads a stream to its end."""
    if hasattr(result, "__enter__") and hasattr(result, "_AssistantStreamManager__event_handler"):
        with result as events:
            events.until_done()
    elif isinstance(result, openai.Stream):
        list(result)


@pytest.mark.parametrize("name", CALLED)
def test_every_method(name, client, recorder, sent):
    method = find(client, METHODS[name])
    is_own = any(name == own or (own.endswith(".") and name.startswith(own)) for own in OWN)
    try:
        result = call(method)
        drain(result)
    except openai.APIStatusError:
        # A door of our own need not like what is made up here.
        assert is_own and not passed(recorder.arrived), name
        return
    if not passed(recorder.arrived):
        assert is_own, f"`{name}` did not arrive as it was sent"
        return
    compare(sent, recorder.arrived)
    # An answer that cannot be read comes back as text.
    assert not isinstance(result, str) or "str" in str(inspect.signature(method).return_annotation)
    # The bytes of the answer, and its headers.
    raw_method = getattr(find(client, METHODS[name][:-1]).with_raw_response, METHODS[name][-1], None)
    if raw_method is None:
        return
    answers = []
    recorder.answer = lambda got: answers.append(usual(got)) or answers[-1]
    raw = call(raw_method)
    assert (raw.status_code, raw.headers["x-request-id"]) == (answers[0].status, "req_recorded")
    assert raw.headers.get("content-type") == answers[0].headers.get("content-type")
    if not answers[0].headers.get("content-type", "").startswith("text/event-stream"):
        assert raw.content == answers[0].body


def test_nothing_is_forgotten():
    """All methods are called by one test or the other, and each list names methods that there are."""
    assert len(METHODS) >= (80 if OLD else 430)
    rest = {name for name in METHODS if not SOCKETS.search(name)} - set(CALLED) - SILENT - HELPERS - CHATS
    assert not rest
    if not OLD:
        missing = {name for name in SILENT | HELPERS if name not in METHODS} - {"beta.vector_stores.file_batches.upload_and_poll"}
        assert not missing


def test_pages_are_turned(client, recorder, sent):
    pages = {None: (["a", "b"], True), "b": (["c"], False)}

    def answer(got):
        after = re.search(r"after=(\w+)", got.target)
        items, more = pages[after and after[1]]
        data = [{"id": item, "object": "fine_tuning.job"} for item in items]
        return Said(200, {"content-type": "application/json"}, json.dumps({"data": data, "has_more": more}).encode())

    if OLD:
        # It asks until a page is empty.
        pages["c"] = ([], False)
    recorder.answer = answer
    assert [job.id for job in client.fine_tuning.jobs.list(limit=2)] == ["a", "b", "c"]
    compare(sent, recorder.arrived)


def test_a_large_file_in_parts(client, recorder, sent):
    data = bytes(range(256)) * 4096

    def answer(got):
        shape = {"id": "up_1", "object": "upload", "status": "completed", "bytes": len(data)}
        return Said(200, {"content-type": "application/json"}, json.dumps(shape).encode())

    recorder.answer = answer
    upload = client.uploads.upload_file_chunked(
        file=data, filename="big.bin", bytes=len(data), mime_type="application/x-odd", purpose="batch", part_size=300_000
    )
    assert upload.id == "up_1" and len(sent) == 6
    compare(sent, recorder.arrived)


def test_files_for_a_vector_store(client, recorder, sent):
    stores = client.beta.vector_stores if OLD else client.vector_stores
    files = [("a.txt", b"a" * 10_000), ("b.txt", b"b")]
    batch = stores.file_batches.upload_and_poll("vs_1", files=files, max_concurrency=1)
    assert batch.status == "completed"
    store = [got for got in recorder.arrived if "/vector_stores/" in got.target]
    compare([request for request in sent if "/vector_stores/" in request.url.path], store)


def test_a_file_that_is_waited_for(client, recorder):
    recorder.answer = lambda got: Said(200, {"content-type": "application/json"}, b'{"id":"f","status":"processed"}')
    try:
        assert client.files.wait_for_processing("f", poll_interval=0.01).status == "processed"
    except openai.NotFoundError:
        # A door of the gateway's own has no such file.
        assert not recorder.arrived


@pytest.mark.skipif(OLD, reason="this version has no agents")
def test_agents_helpers(client, recorder, sent, tmp_path):
    (tmp_path / "f.txt").write_bytes(b"x" * 1000)
    upload = find(client, METHODS["beta.agents.environments.files.upload"])
    upload("env_1", file=tmp_path / "f.txt", path="/workspace/f.txt")
    compare(sent, recorder.arrived)


@pytest.mark.skipif(OLD, reason="this version has no agents")
def test_agents_events(client, recorder, sent):
    events = b'event: session.idle\ndata: {"type":"session.idle","id":"e1"}\n\n'
    recorder.answer = lambda got: Said(200, {"content-type": "text/event-stream"}, events) if got.header("accept") == "text/event-stream" else None
    stream = client.beta.agents.sessions.events.stream("sess_1")
    next(iter(stream), None)
    stream.close()
    compare(sent, recorder.arrived)


def test_an_answer_piece_by_piece(client, recorder, sent):
    """`with_streaming_response`, on bytes that are nobody's text."""
    # The old client has no binary answer but those of the gateway's own doors: any method's answer may be one.
    recorder.answer = lambda got: Said(200, {"content-type": "application/octet-stream"}, BINARY)
    if OLD:
        streamed = client.fine_tuning.jobs.with_streaming_response.retrieve("f")
    else:
        streamed = client.containers.files.content.with_streaming_response.retrieve("f", container_id="c")
    with streamed as answer:
        assert b"".join(answer.iter_bytes(1000)) == BINARY
        assert answer.headers["content-length"] == str(len(BINARY))
    compare(sent, recorder.arrived)


def test_an_endpoint_without_a_method(client, recorder, sent):
    """`client.post` and its like, for what the client does not know."""
    client.post("/new/thing?x[]=1", body={"é": 1.0}, cast_to=object, options={"headers": {"x-new": "1"}})
    client.get("/new/thing%2F1", cast_to=object)
    compare(sent, recorder.arrived)


def test_failures_keep_their_words(client, recorder):
    error = {"error": {"message": "gone", "type": "invalid_request_error", "param": "id", "code": "resource_missing"}}
    said = Said(404, {"content-type": "application/json"}, json.dumps(error).encode())
    recorder.answer = lambda got: said
    with pytest.raises(openai.NotFoundError) as caught:
        client.fine_tuning.jobs.retrieve("ftjob-1")
    assert (caught.value.code, caught.value.param, caught.value.request_id) == ("resource_missing", "id", "req_recorded")


def test_azures_form(gateway, recorder):
    client = openai.AzureOpenAI(
        azure_endpoint=gateway.url, api_key=CALLERS, api_version="2024-10-21", max_retries=0
    )
    client.fine_tuning.jobs.list(limit=1)
    got = recorder.arrived[0]
    # Where OpenAI itself listens there is no version to choose.
    assert (got.method, got.target) == ("GET", "/v1/fine_tuning/jobs?limit=1")
    assert got.header("api-key") is None and got.header("authorization") == f"Bearer {KEY}"
