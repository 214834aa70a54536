"""The documents of other packages: their code runs here, with other import lines.

The documents are no part of this repository. `SABIR_SEEDS` names their folder; without it, and
without the folder beside the checkout, these tests are skipped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Iterator, List

import documents
import pytest
from documents import Block, Fix, Outcome, Run
from serving import serving
from upstream import Upstream

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
    return "\n".join(tables)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
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
