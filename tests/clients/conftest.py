"""One gateway and one provider for the whole run; what the provider answers is up to each test."""

from __future__ import annotations

import importlib.util
import socket

import openai
import pytest

from gateway import Gateway
from upstream import Upstream

# Which client the tests of a file need; an environment has some of them.
NEEDED = {
    "anthropic": ["test_agents.py", "test_anthropic.py", "test_anthropic_batches.py"],
    "cohere": ["test_cohere.py"],
    "google.genai": ["test_gemini.py"],
    "jsonschema": ["test_openai_document.py"],
    "openai.types.responses": ["test_openai_background.py", "test_openai_responses.py"],
    "tensorzero": ["test_process.py", "test_tensorzero.py", "test_tensorzero_ledger.py"],
    "tamar_model_client": [
        "test_tamar.py",
        "test_tamar_document.py",
        "test_tamar_http.py",
        "test_tamar_keys.py",
        "test_tamar_load.py",
        "test_tamar_media.py",
        "test_tamar_tasks.py",
    ],
    "websockets": ["test_openai_realtime.py"],
}


def is_there(client):
    try:
        return importlib.util.find_spec(client) is not None
    except ModuleNotFoundError:
        return False


collect_ignore = [file for client, files in NEEDED.items() if not is_there(client) for file in files]

KEY = "sk-of-the-provider"


def config(upstream: str, closed_port: int) -> str:
    openai_like = f"""
type = "openai"
api_base = "{upstream}/v1"
api_key_location = "env::MOCK_KEY"
"""

    def model(name: str, model_name: str = "mock-model", more: str = "") -> str:
        return f"""
[models.{name}]
routing = ["mock"]
{more}
[models.{name}.providers.mock]
model_name = "{model_name}"
{openai_like}
"""

    return f"""
[gateway]
shutdown_grace_ms = 5000
# Tests make a provider fail on purpose, again and again.
circuit_breaker.enabled = false

{model("gpt")}
{model("retried", more="retries = { num_retries = 2, max_delay_s = 0.05 }")}
{model("hasty", more="timeouts = { non_streaming.total_ms = 300, streaming.ttft_ms = 300, streaming.idle_ms = 300 }")}
{model('"org/llama:70b"')}

# Under a name that nobody else calls: its first call finds no connection that is open already.
[models.lonely]
routing = ["mock"]

[models.lonely.providers.mock]
type = "openai"
model_name = "mock-model"
api_base = "{upstream.replace("127.0.0.1", "localhost")}/v1"
api_key_location = "env::MOCK_KEY"

[models.native]
routing = ["mock"]

[models.native.providers.mock]
model_name = "mock-model"
api_type = "responses"
{openai_like}

[models.claude]
routing = ["mock"]

[models.claude.providers.mock]
type = "anthropic"
model_name = "mock-claude"
api_base = "{upstream}/v1"
api_key_location = "env::MOCK_KEY"

[models.gemini]
routing = ["mock"]

[models.gemini.providers.mock]
type = "google_ai_studio_gemini"
model_name = "mock-gemini"
api_base = "{upstream}/v1beta"
api_key_location = "env::MOCK_KEY"

[models.fallback]
routing = ["gone", "mock"]

[models.fallback.providers.gone]
type = "openai"
model_name = "never-reached"
api_base = "http://127.0.0.1:{closed_port}/v1"
api_key_location = "none"

[models.fallback.providers.mock]
model_name = "mock-model"
{openai_like}

[models.unreachable]
routing = ["gone"]

[models.unreachable.providers.gone]
type = "openai"
model_name = "never-reached"
api_base = "http://127.0.0.1:{closed_port}/v1"
api_key_location = "none"

[models.dynamic]
routing = ["mock"]

[models.dynamic.providers.mock]
type = "openai"
model_name = "mock-model"
api_base = "{upstream}/v1"
api_key_location = "dynamic::the_key"

[embedding_models.embed]
routing = ["mock"]

[embedding_models.embed.providers.mock]
model_name = "mock-embed"
{openai_like}

[embedding_models.gemini-embed]
routing = ["mock"]

[embedding_models.gemini-embed.providers.mock]
type = "google_ai_studio_gemini"
model_name = "mock-embed"
api_base = "{upstream}/v1beta"
api_key_location = "env::MOCK_KEY"

{model("media")}
{model('"omni-moderation-latest"', "mock-moderation")}

[models.media-fallback]
routing = ["gone", "chats-only", "dummy"]

[models.media-fallback.providers.gone]
type = "openai"
model_name = "never-reached"
api_base = "http://127.0.0.1:{closed_port}/v1"
api_key_location = "none"

[models.media-fallback.providers.chats-only]
type = "anthropic"
model_name = "mock-claude"
api_base = "{upstream}/v1"
api_key_location = "env::MOCK_KEY"

[models.media-fallback.providers.dummy]
type = "dummy"
model_name = "any"

[models.gemini-image]
routing = ["mock"]

[models.gemini-image.providers.mock]
type = "google_ai_studio_gemini"
model_name = "gemini-2.5-flash-image"
api_base = "{upstream}/v1beta"
api_key_location = "env::MOCK_KEY"

[models.order-cohere]
routing = ["mock"]

[models.order-cohere.providers.mock]
type = "cohere"
model_name = "rerank-v3.5"
api_base = "{upstream}/compatibility/v1"
api_key_location = "env::MOCK_KEY"

[models.order-voyage]
routing = ["mock"]

[models.order-voyage.providers.mock]
type = "voyage"
model_name = "rerank-2.5"
api_base = "{upstream}/v1"
api_key_location = "env::MOCK_KEY"

[models.order-jina]
routing = ["mock"]

[models.order-jina.providers.mock]
type = "jina"
model_name = "jina-reranker-v2"
api_base = "{upstream}/v1"
api_key_location = "env::MOCK_KEY"

[metrics.rating]
type = "float"
optimize = "max"
level = "inference"

[metrics.solved]
type = "boolean"
optimize = "max"
level = "inference"

[metrics.happiness]
type = "float"
optimize = "max"
level = "episode"

[metrics.finished]
type = "boolean"
optimize = "max"
level = "episode"
"""


@pytest.fixture(scope="session")
def _upstream():
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture(scope="session")
def _gateway(_upstream, tmp_path_factory):
    # A port that is taken, and that nobody listens on.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        text = config(_upstream.url, closed.getsockname()[1])
        gateway = Gateway.start(tmp_path_factory.mktemp("gateway"), text, {"MOCK_KEY": KEY})
        yield gateway
        gateway.stop()


@pytest.fixture
def upstream(_upstream):
    _upstream.reset()
    yield _upstream
    assert _upstream.unused() == 0, "answers were prepared that nobody asked for"


@pytest.fixture
def gateway(_gateway, upstream):
    yield _gateway
    _gateway.check()


@pytest.fixture
def start(tmp_path, upstream):
    """Starts a gateway of the test's own: `start(config, env)`."""
    started: list[Gateway] = []

    def start(config: str, env: dict[str, str] | None = None) -> Gateway:
        gateway = Gateway.start(tmp_path / f"gateway-{len(started)}", config, {"MOCK_KEY": KEY, **(env or {})})
        started.append(gateway)
        return gateway

    yield start
    for gateway in started:
        if gateway.process.poll() is None:
            gateway.stop()


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-of-the-caller", max_retries=0) as client:
        yield client


@pytest.fixture
async def aclient(gateway):
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="sk-of-the-caller", max_retries=0) as client:
        yield client


@pytest.fixture
def t0(gateway):
    from tensorzero import TensorZeroGateway

    with TensorZeroGateway.build_http(gateway_url=gateway.url) as client:
        yield client


@pytest.fixture
async def at0(gateway):
    from tensorzero import AsyncTensorZeroGateway

    async with await AsyncTensorZeroGateway.build_http(gateway_url=gateway.url) as client:
        yield client
