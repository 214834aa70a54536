"""The gateway as a process that clients depend on: how it stops, reloads, and holds back."""

from __future__ import annotations

import signal
import time

import openai
import pytest
from tensorzero import TensorZeroGateway

from conftest import config
from upstream import UntilClosed, chat_chunks
from words import HI, texts


def connect(gateway, path: str = "/v1") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}{path}", api_key="x", max_retries=0)


def ended(gateway, within: float) -> None:
    assert gateway.process.wait(within) == 0, "".join(gateway.log)


def test_a_running_stream_may_end_after_sigterm(start):
    gateway = start('[models.slow.providers.dummy]\ntype = "dummy"\nmodel_name = "good"\ntokens_per_second = 20\n')
    with connect(gateway) as client:
        stream = client.chat.completions.create(model="slow", messages=HI, stream=True)
        next(stream)
        gateway.process.terminate()
        pieces = [chunk.choices[0] for chunk in stream]
        assert pieces[-1].finish_reason == "stop"
        assert "".join(piece.delta.content or "" for piece in pieces).endswith("cheese pizza.")
        ended(gateway, 5)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_connection_does_not_hold_it_up(start, how):
    gateway = start("")
    with connect(gateway) as client:
        assert client.chat.completions.create(model="dummy::echo", messages=HI).choices
        began = time.monotonic()
        gateway.process.send_signal(how)
        ended(gateway, 5)
        assert time.monotonic() - began < 3


def test_what_does_not_end_is_cut_off_and_kept(start, upstream):
    text = config(upstream.url, 1).replace("shutdown_grace_ms = 5000", "shutdown_grace_ms = 300")
    gateway = start(text)
    upstream.stream(*chat_chunks("one")[:2], UntilClosed())
    with connect(gateway) as client:
        raw = client.chat.completions.with_raw_response.create(model="gpt", messages=HI, stream=True)
        next(raw.parse())
        gateway.process.terminate()
        ended(gateway, 5)
    assert upstream.only.closed.wait(2.0)
    assert gateway.row(raw.headers["x-sabir-inference-id"])["status"] == "cancelled"


def test_the_ledger_outlives_the_process(start):
    gateway = start("")
    with TensorZeroGateway.build_http(gateway_url=gateway.url) as client:
        made = client.inference(model_name="dummy::good", input={"messages": HI})
    # Without a chance to do anything.
    gateway.process.kill()
    gateway.process.wait(5)
    assert gateway.row(str(made.inference_id))["status"] == "ok"


def test_a_new_configuration_counts_at_once(start):
    gateway = start('[models.one.providers.dummy]\ntype = "dummy"\nmodel_name = "echo"\n')
    file = gateway.folder / "sabir.toml"
    with connect(gateway) as client:
        stream = client.chat.completions.create(model="one", messages=HI, stream=True)
        file.write_text(file.read_text().replace("[models.one", "[models.two"))
        assert texts(stream) == "hi"

        def known() -> set[str]:
            return {model.id for model in client.models.list()}

        end = time.monotonic() + 10
        while "two" not in known():
            assert time.monotonic() < end, "".join(gateway.log)
            time.sleep(0.05)
        assert "one" not in known()
        assert client.chat.completions.create(model="two", messages=HI).choices


def test_a_wrong_configuration_changes_nothing(start):
    gateway = start('[models.one.providers.dummy]\ntype = "dummy"\nmodel_name = "echo"\n')
    (gateway.folder / "sabir.toml").write_text("[models.one]\nroutin = 1\n")
    end = time.monotonic() + 10
    while not any("configuration is wrong" in line for line in gateway.log):
        assert time.monotonic() < end, "".join(gateway.log)
        time.sleep(0.05)
    with connect(gateway) as client:
        assert client.chat.completions.create(model="one", messages=HI).choices


def test_a_base_path(start):
    gateway = start('[gateway]\nbase_path = "/llm"\n')
    with connect(gateway, "/llm/v1") as client:
        assert client.chat.completions.create(model="dummy::echo", messages=HI).choices
        assert client.models.list().data
    with TensorZeroGateway.build_http(gateway_url=f"{gateway.url}/llm") as client:
        assert client.inference(model_name="dummy::good", input={"messages": HI}).content
    with connect(gateway) as client, pytest.raises(openai.NotFoundError):
        client.models.list()


def test_a_provider_that_fails_is_passed_over(start, upstream):
    def provider(name: str) -> str:
        return f"""
[models.m.providers.{name}]
type = "openai"
model_name = "{name}"
api_base = "{upstream.url}/v1"
api_key_location = "none"
"""

    gateway = start(f"""
[gateway]
circuit_breaker.failures = 3
[models.m]
routing = ["bad", "good"]
{provider("bad")}
{provider("good")}
""")
    with connect(gateway) as client:
        for at in range(5):
            if at < 3:
                upstream.reply({"error": {"message": "broken"}}, 500)
            assert client.chat.completions.create(model="m", messages=HI).choices
    assert [request.json["model"] for request in upstream.requests] == [*["bad", "good"] * 3, "good", "good"]


def test_without_a_ledger(start):
    gateway = start("[gateway]\nobservability.enabled = false\n")
    with connect(gateway) as client:
        assert texts(client.chat.completions.create(model="dummy::echo", messages=HI, stream=True)) == "hi"
    with TensorZeroGateway.build_http(gateway_url=gateway.url) as client:
        assert client.inference(model_name="dummy::good", input={"messages": HI}).content
    assert gateway.get("/health").status == 200
    assert not (gateway.folder / "data").exists()
