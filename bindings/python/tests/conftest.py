"""A gateway in a process of its own and one in this process: most tests run against both."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Any, Callable, Iterator

import documents
import pytest
from serving import serving

from sabir import AsyncSabir, Sabir
from server import Server

CONFIG = """
[gateway]
circuit_breaker.enabled = false

[metrics.helpful]
type = "boolean"
level = "inference"
optimize = "max"

[models.echo.providers.dummy]
type = "dummy"
model_name = "echo"
tokens_per_second = 10000

[models.tool.providers.dummy]
type = "dummy"
model_name = "tool"
tokens_per_second = 10000

# Sixteen pieces: all of them take longer than a test may.
[models.trickle.providers.dummy]
type = "dummy"
model_name = "good"
tokens_per_second = 0.6

[models.late.providers.dummy]
type = "dummy"
model_name = "echo"
delay_ms = 60000

[models.soon.providers.dummy]
type = "dummy"
model_name = "echo"
delay_ms = 400

[embedding_models.vectors]
routing = ["dummy"]
[embedding_models.vectors.providers.dummy]
type = "dummy"
model_name = "vectors"
"""

MESSAGES = [{"role": "user", "content": "Hello there"}]


@pytest.fixture(scope="session")
def gateway() -> Iterator[str]:
    """The address of a gateway in a process of its own."""
    with tempfile.TemporaryDirectory() as folder, serving(CONFIG, Path(folder)) as address:
        yield address


@pytest.fixture(params=["http", "embedded"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """Makes a client, `Sabir` or `AsyncSabir`, of either kind of gateway."""
    if request.param == "http":
        address = request.getfixturevalue("gateway")
        return lambda kind, **more: kind.http(address, **{"max_retries": 0, **more})
    return lambda kind, **more: kind.embedded(
        CONFIG, **{"ledger": tmp_path, "variables": {}, "max_retries": 0, **more}
    )


@pytest.fixture
def client(make: Callable[..., Any]) -> Iterator[Sabir]:
    with make(Sabir) as client:
        yield client


@pytest.fixture
def async_client(make: Callable[..., Any]) -> Callable[[], AsyncSabir]:
    return lambda: make(AsyncSabir)


@pytest.fixture
def server() -> Iterator[Server]:
    """Somebody else's server; see `server.py`."""
    server = Server()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """A test that hangs ends the run instead, and says where."""
    import faulthandler

    faulthandler.dump_traceback_later(60, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def native_threads() -> int:
    """How many threads this process has, Python's or not."""
    try:
        return len(os.listdir("/proc/self/task"))
    except FileNotFoundError:
        return threading.active_count()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many of the documents' blocks ran, whether or not the tests passed."""
    for title, how, ran, of in documents.RAN:
        terminalreporter.write_line(f"{title}, {how}: {ran} of {of} blocks ran")
