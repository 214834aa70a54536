"""The examples of the client's own document, run as they stand but for address and key.

The document is not part of this repository: `SABIR_SEEDS` is the folder that holds it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import KEY
from gateway import Gateway
from tamar import OLD, SECRET, token

TITLE = "# Tamar Model Client\n"


def document() -> str | None:
    folder = Path(os.environ.get("SABIR_SEEDS") or Path(__file__).parents[3] / "shared" / "seeds")
    texts = (path.read_text() for path in sorted(folder.glob("*.txt")))
    return next((text for text in texts if text.startswith(TITLE)), None)


DOCUMENT = document()
pytestmark = [
    pytest.mark.tamar,
    # Each example is a process of its own, which takes a while to load all that the client brings along.
    pytest.mark.timeout(120),
    pytest.mark.skipif(DOCUMENT is None, reason="SABIR_SEEDS holds no document of the client"),
]
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT or "", re.DOTALL)

CONFIG = """
[models."gpt-4"]
routing = ["mock"]
[models."gpt-4".providers.mock]
type = "openai"
model_name = "mock-model"
api_base = "{url}/v1"
api_key_location = "env::MOCK_KEY"

[models."gpt-4o-mini"]
routing = ["mock"]
[models."gpt-4o-mini".providers.mock]
type = "openai"
model_name = "mock-model"
api_base = "{url}/v1"
api_key_location = "env::MOCK_KEY"

[models."gemini-pro"]
routing = ["mock"]
[models."gemini-pro".providers.mock]
type = "google_ai_studio_gemini"
model_name = "mock-gemini"
api_base = "{url}/v1beta"
api_key_location = "env::MOCK_KEY"

[models."gemini-2.0-flash"]
routing = ["mock"]
[models."gemini-2.0-flash".providers.mock]
type = "google_ai_studio_gemini"
model_name = "mock-gemini"
api_base = "{url}/v1beta"
api_key_location = "env::MOCK_KEY"
"""


@dataclass
class Example:
    # What the provider is asked for.
    calls: int
    # What is printed, more than nothing.
    says: str = ""
    # The mistake of its own that it ends with, before anything is sent.
    mistake: str = ""
    # What has to be written in place of what for it to run.
    cure: tuple[tuple[str, str], ...] = ()


EXAMPLES = {
    "clients": Example(0),
    "openai": Example(1, "响应: Hello there."),
    # Google's parameters have a `config`: this package takes no temperature beside it.
    "google": Example(2, "响应: Hello there.", "['temperature']", (("    temperature=0.7,  # 可选参数\n", ""),)),
    "azure": Example(1, "响应: Hello there."),
    # The request has another name than where it is used, and one answer is not a stream.
    "async": Example(
        1, "响应: Hello there.", "NameError: name 'model_request'", (("async for r in await client.invoke(model_request):", "for r in [await client.invoke(request_data)]:"),)
    ),
    # What is iterated over has to be waited for first.
    "stream": Example(
        1, "响应片段: Hello响应片段:  there.", "TypeError: 'async for' requires", (("in client.invoke(request_data)", "in await client.invoke(request_data)"),)
    ),
    # This package takes no `priority`, although the protocol has it.
    "batch": Example(2, "内容: Hello there.", "['priority']", (("                priority=1,\n", ""), ("                priority=2,\n", ""))),
    # Newer versions take the address by name only.
    "picture": Example(1, "", "" if OLD else "TypeError: TamarModelClient.__init__()", () if OLD else (('TamarModelClient("', 'TamarModelClient(server_address="'),)),
    "environment": Example(0),
}


@pytest.fixture(scope="module")
def _examples(_upstream, tmp_path_factory):
    env = {"MOCK_KEY": KEY, "MODEL_MANAGER_SERVER_JWT_SECRET_KEY": SECRET}
    gateway = Gateway.start(tmp_path_factory.mktemp("document"), CONFIG.format(url=_upstream.url), env, grpc=True)
    yield gateway
    gateway.stop()


def run(code: str, gateway: Gateway) -> subprocess.CompletedProcess:
    for written, ours in [("localhost:50051", gateway.grpc), ("your-jwt-token", token()), ("your-jwt-secret-key", SECRET)]:
        code = code.replace(written, ours)
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONIOENCODING": "utf-8",
        "MODEL_MANAGER_SERVER_ADDRESS": gateway.grpc,
        "MODEL_MANAGER_SERVER_JWT_SECRET_KEY": SECRET,
        "MODEL_MANAGER_SERVER_GRPC_USE_TLS": "false",
    }
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)


def test_every_block_is_known():
    assert len(BLOCKS) == len(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_as_it_stands(name, _examples, upstream):
    example, code = EXAMPLES[name], BLOCKS[list(EXAMPLES).index(name)]
    done = run(code, _examples)
    if example.mistake:
        assert done.returncode == 1 and example.mistake in done.stderr, done.stderr[-2000:]
        assert upstream.requests == []
    else:
        ran(example, done, upstream)


@pytest.mark.parametrize("name", [name for name, example in EXAMPLES.items() if example.mistake])
def test_without_its_mistake(name, _examples, upstream):
    example, code = EXAMPLES[name], BLOCKS[list(EXAMPLES).index(name)]
    for wrong, right in example.cure:
        assert wrong in code
        code = code.replace(wrong, right)
    ran(example, run(code, _examples), upstream)


def ran(example: Example, done: subprocess.CompletedProcess, upstream) -> None:
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert example.says in done.stdout and "错误" not in done.stdout, done.stdout
    assert len(upstream.requests) == example.calls
