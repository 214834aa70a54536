"""The documents of other packages: their code runs here, with other import lines.

The documents are no part of this repository. `SABIR_SEEDS` names their folder; without it, and
without the folder beside the checkout, these tests are skipped.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List

import documents
import pytest
from documents import Block, Fix, Outcome, Run
from serving import serving
from upstream import Request, Rule, Upstream

from sabir import Sabir

#: Providers that the documents' models are of; all of them are the one upstream.
OPENAI_LIKE = ["openai", "minimax", "qianfan", "zhipu", "hunyuan", "baichuan"]
NOTHING_YET = "00000000-0000-0000-0000-000000000000"


def config(upstream: Upstream) -> str:
    tables = ["[gateway]", "circuit_breaker.enabled = false", "[metrics.thumbs_up]"]
    tables += ['type = "boolean"', 'level = "inference"', 'optimize = "max"']
    for provider in [*OPENAI_LIKE, "google_ai_studio_gemini"]:
        tables += [f"[provider_types.{provider}.defaults]", f'api_base = "{upstream.url}/v1"']
        tables += ['api_key_location = "env::DOCUMENT_KEY"']
    for name in ["gpt-4o-mini", "deployment-name"]:
        tables += [f'[models."azure::{name}".providers.up]', 'type = "openai"', f'model_name = "{name}"']
    for name in ["gemini-pro", "gemini-2.0-flash"]:
        # The channel's table wins; the other one is there for those without a channel.
        for route in ["google", "google/vertexai", "google/ai-studio"]:
            tables += [f'[models."{route}::{name}".providers.up]', 'type = "google_ai_studio_gemini"']
            tables += [f'model_name = "{name}"']
    for name in ["gpt-3.5-turbo", "gpt-3.5-turbo-1106", "gpt-4", "gpt-4o-mini", "deployment-name"]:
        tables += [f'[models."{name}".providers.up]', 'type = "openai"', f'model_name = "{name}"']
    return "\n".join(tables)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    upstream = Upstream(OPENAI_RULES)
    yield upstream
    upstream.close()


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("gateway")
    variables = {"DOCUMENT_KEY": "made-up", "MODEL_MANAGER_SERVER_JWT_SECRET_KEY": SECRET}
    with serving(config(upstream), folder, variables) as address:
        yield address


SECRET = "a secret that is long enough for HS256"


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], List[Block]]:
    """The blocks of a document by its number; they run in a folder of their own."""
    where = documents.folder()
    if where is None:
        pytest.skip("the documents are not here: SABIR_SEEDS names their folder")
    monkeypatch.chdir(tmp_path)
    for name in ["SABIR_BASE_URL", "SABIR_API_KEY", "TENSORZERO_API_KEY", "OPENAI_API_KEY"]:
        monkeypatch.delenv(name, raising=False)

    def blocks(number: str) -> List[Block]:
        assert where is not None
        text = documents.find(where, number)
        if text is None:
            pytest.skip(f"document {number} is not in {where}")
        found = documents.blocks(text)
        assert found, f"document {number} has no code"
        return found

    return blocks


def judge(title: str, how: str, outcomes: List[Outcome]) -> None:
    """Counts what ran, and names what did not."""
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    ran = len(outcomes) - len(failed)
    documents.RAN.append((title, how, ran, len(outcomes)))
    assert not failed, "\n".join(
        f"{title} ({how}), block {outcome.block.number}, line {outcome.block.line}:\n{outcome.error}"
        for outcome in failed
    )


@pytest.mark.filterwarnings("ignore:clickhouse_url has no effect")
def test_tensorzero(document: Any, gateway: str, upstream: Upstream, tmp_path: Path) -> None:
    blocks = document("000")
    with Sabir.http(gateway) as client:
        asked = {"messages": [{"role": "user", "content": "first"}]}
        inference = client.inference(model_name="openai::gpt-4o-mini", input=asked).inference_id
    file = tmp_path / "tensorzero.toml"
    file.write_text(config(upstream))
    places = {
        "http://localhost:3000": gateway,
        "/path/to/tensorzero.toml": str(file),
        # Feedback is for an inference that there was.
        NOTHING_YET: inference,
    }
    began = len(upstream.seen)
    outcomes = Run(places).all(blocks)
    judge("000 tensorzero", "HTTP and embedded, sync and async", outcomes)
    said = "".join(outcome.output for outcome in outcomes)
    assert said.count("ChatInferenceResponse(inference_id=UUID(") == 2
    assert said.count("FeedbackResponse(feedback_id=UUID(") == 2
    assert "TextChunk(id='0', text='You'" in said
    sent = upstream.chats()
    assert [chat.get("stream", False) for chat in sent[began:]] == [False, False, True, True]
    with Sabir.http(gateway) as client:
        rows = client.list_inferences(limit=100).inferences
        assert [row.inference_id for row in rows].count(inference) == 1


LMCLIENT_KEYS = ["OPENAI", "MINIMAX", "QIANFAN", "ZHIPU", "HUNYUAN", "BAICHUAN"]


@pytest.mark.parametrize("how", ["HTTP", "embedded"])
def test_lmclient(
    how: str, document: Any, gateway: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = document("002")
    if how == "HTTP":
        monkeypatch.setenv("SABIR_BASE_URL", gateway)
    for name in LMCLIENT_KEYS:
        monkeypatch.setenv(f"{name}_API_KEY", "made-up")
        monkeypatch.setenv(f"{'WENXIN' if name == 'QIANFAN' else name}_API_BASE", f"{upstream.url}/v1")
    began = len(upstream.chats())
    outcomes = Run().all(blocks)
    judge("002 lmclient", how, outcomes)
    stream, talk, many, call, models = [outcome.output for outcome in outcomes[4:]]
    assert stream.startswith("You said: ")
    assert [line.split(":")[0] for line in talk.splitlines()] == ["user", "assistant"] * 2
    assert many.splitlines() == [
        "You said: Hello, my name is",
        "You said: can you please tell me your name?",
        "You said: what is your name?",
    ]
    assert [line.split(":")[0] for line in call.splitlines()] == [
        "user",
        "Function call",
        "Arguments",
        "function",
        "assistant",
    ]
    assert json.loads(call.splitlines()[3].removeprefix("function: ")).endswith("20度")
    assert [line.split(": ")[0] for line in models.splitlines()] == [
        "minimax/abab5.5-chat",
        "minimax_pro/abab5.5-chat",
        "openai/gpt-3.5-turbo",
        "wenxin/ERNIE-Bot",
        "zhipu/chatglm_turbo",
        "zhipu-character/characterglm",
        "hunyuan/v1",
        "zhipu/Baichuan2-53B",
    ]
    sent = upstream.chats()[began:]
    assert [chat["model"] for chat in sent[-8:]] == [
        "MiniMax-M2.5",
        "MiniMax-M2.5",
        "gpt-3.5-turbo",
        "ernie-3.5-8k",
        "glm-4.7",
        "charglm-4",
        "hy3-preview",
        "Baichuan4-Turbo",
    ]
    assert [chat["temperature"] for chat in sent[-8:-5]] == [0.01, 0.01, 0]




#: Where the Model Manager's document is wrong itself, whoever runs it.
TAMAR_FIXES = [
    Fix(
        4,
        "client.invoke(model_request)",
        "client.invoke(request_data)",
        "the request that was made three lines above is called `request_data`",
    ),
]


def test_tamar(document: Any, gateway: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = document("001")
    address = gateway.removeprefix("http://")
    # What the document has its readers put into their environment.
    monkeypatch.setenv("MODEL_MANAGER_SERVER_ADDRESS", address)
    monkeypatch.setenv("MODEL_MANAGER_SERVER_JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("MODEL_MANAGER_SERVER_GRPC_USE_TLS", "false")
    began = len(upstream.seen)
    outcomes = Run({"localhost:50051": address}, TAMAR_FIXES).all(blocks)
    judge("001 tamar-model-client", "HTTP, sync and async", outcomes)
    _, openai, google, azure, later, stream, batch, picture, _ = [outcome.output for outcome in outcomes]
    for said in [openai, google, azure, later]:
        assert said.startswith("响应: You said: ") and "'total_tokens': 10" in said
    assert google.count("响应: You said: ") == 2
    assert "响应片段: You" in stream and "Token" in stream
    assert batch.count("You said: ") == 2 and "问题 q1" in batch and "问题 q2" in batch
    assert picture == ""
    sent = upstream.seen[began:]
    assert len(sent) == 9
    chats = [request.json for request in sent if request.path.endswith("/chat/completions")]
    assert [chat.get("max_tokens", chat.get("max_completion_tokens")) for chat in chats[:3]] == [1000] * 3
    googles = [request.json for request in sent if "models/gemini" in request.path]
    assert googles[0]["generationConfig"]["temperature"] == 0.7
    assert googles[-1]["contents"][-1]["parts"][-1]["fileData"]["mimeType"] == "image/jpeg"


#: Where OpenAI's document has a mistake, or a word or dots that stand for something else.
OPENAI_FIXES = [
    Fix(4, '[Path("sample-paper.pdf"), ...]', '[Path("sample-paper.pdf")]', "the dots stand for more files"),
    Fix(5, "event.type ==", "event.event ==", "an event of a run has its name in `event`, and no `type`"),
    Fix(20, "my_field", "service_tier", "the name stands for any member of an answer"),
    Fix(25, "DefaultHttpxClient(...)", "DefaultHttpxClient()", "the dots stand for settings"),
]
ASYNC = "from openai import AsyncOpenAI\nclient = AsyncOpenAI()\n"
SYNC = "from openai import OpenAI\nclient = OpenAI()\n"
#: Pieces of code that are shown without the lines that make the client they use.
OPENAI_BEFORE = {
    4: ASYNC + "from pathlib import Path\n",
    5: SYNC,
    12: ASYNC,
    17: ASYNC,
    19: "import httpx\n",
    23: SYNC,
    24: "import httpx\n",
}


def run_of(status: str) -> Dict[str, Any]:
    return {"id": "run_1", "object": "thread.run", "status": status, "thread_id": "thread_1", "assistant_id": "asst_1"}


def batch_of(status: str) -> Dict[str, Any]:
    done = int(status == "completed")
    counts = {"in_progress": 1 - done, "completed": done, "failed": 0, "cancelled": 0, "total": 1}
    told = {"object": "vector_store.file_batch", "vector_store_id": "vs_1", "file_counts": counts}
    return {"id": "vsfb_1", "status": status, **told}


def begun(request: Request) -> Any:
    if not request.json.get("stream"):
        return run_of("queued")
    delta = {"content": [{"index": 0, "type": "text", "text": {"value": "Hi Jane", "annotations": []}}]}
    told = [
        ("thread.run.created", run_of("queued")),
        ("thread.message.delta", {"id": "msg_1", "object": "thread.message.delta", "delta": delta}),
        ("thread.run.completed", run_of("completed")),
    ]
    text = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in told)
    return 200, "text/event-stream", f"{text}event: done\ndata: [DONE]\n\n".encode()


def jobs(request: Request) -> Any:
    if request.method == "POST":
        return 400, "application/json", b'{"error": {"message": "no such file", "type": "invalid_request_error"}}'
    last = "after=" in request.query
    data = [{"id": "job_2" if last else "job_1", "object": "fine_tuning.job", "status": "queued"}]
    return {"object": "list", "data": data, "has_more": not last}


OPENAI_RULES: List[Rule] = [
    ("POST", "/threads/thread_1/runs", begun),
    ("GET", "/threads/thread_1/runs/run_1", lambda _: run_of("completed")),
    ("POST", "/files", lambda _: {"id": "file_1", "object": "file", "status": "processed"}),
    ("POST", "/vector_stores/vs_1/file_batches", lambda _: batch_of("in_progress")),
    ("GET", "/vector_stores/vs_1/file_batches/vsfb_1", lambda _: batch_of("completed")),
    ("GET", "/fine_tuning/jobs", jobs),
    ("POST", "/fine_tuning/jobs", jobs),
    ("POST", "/foo", lambda request: {"sent": request.json}),
]


def test_openai(document: Any, gateway: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = document("004")
    monkeypatch.setenv("OPENAI_API_KEY", "made-up")
    # With keys of both, the module's own client has to know which.
    monkeypatch.setenv("OPENAI_API_TYPE", "openai")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "made-up")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{gateway}/v1")
    for name in ["sample-paper.pdf", "input.jsonl"]:
        Path(name).write_text("{}\n")
    places = {
        '"https://..."': f'"{gateway}/v1"',
        "https://example-endpoint.openai.azure.com": gateway,
    }
    names = {
        "prompt": "What is this?",
        "img_url": "https://example.com/picture.png",
        "img_type": "image/png",
        "img_b64_str": "AQI=",
        "thread": SimpleNamespace(id="thread_1"),
        "assistant": SimpleNamespace(id="asst_1"),
        "store": SimpleNamespace(id="vs_1"),
    }
    began = len(upstream.seen)
    outcomes = Run(places, OPENAI_FIXES, names, OPENAI_BEFORE).all(blocks)
    judge("004 openai", "HTTP, sync and async", outcomes)
    said = [outcome.output for outcome in outcomes]
    assert said[5].count("Hi Jane") == 1
    assert said[7] == said[8] == "You said: Say this is a test"
    assert said[9].startswith("You said: How do I output")
    assert said[10].count("job_") == said[11].count("job_") == 2
    assert "number of items we just fetched: 1" in said[12] and said[13].endswith("job_1\n")
    assert "Another non-200-range status code was received\n400" in said[16]
    assert json.loads(said[26])["choices"][0]["message"]["content"].startswith("You said: ")
    assert said[27] == "1.51.0\n"
    sent = upstream.seen[began:]
    [posted] = [request for request in sent if request.path.endswith("/foo")]
    assert posted.json == {"my_param": True}
    # Files for the provider's own use are the provider's.
    files = [request for request in sent if request.path.endswith("/files")]
    assert [request.headers["content-type"].partition(";")[0] for request in files] == ["multipart/form-data"] * 2
