"""What goes wrong, over HTTP and embedded."""

from __future__ import annotations

import pytest
from conftest import CONFIG, MESSAGES

import sabir
from sabir import Sabir


def test_a_wrong_request(client: Sabir) -> None:
    with pytest.raises(sabir.BadRequestError, match="^status 400: .*messages") as raised:
        client.chat.completions.create(model="echo", messages=[{"role": "user", "content": 7}])
    error = raised.value
    assert isinstance(error, sabir.APIStatusError) and isinstance(error, sabir.SabirError)
    assert error.status_code == 400
    assert error.body["error"]["param"] == error.param
    assert error.type == "invalid_request_error"
    assert error.request_id == error.headers["x-request-id"]


def test_an_unknown_model(client: Sabir) -> None:
    for stream in [False, True]:
        with pytest.raises(sabir.NotFoundError):
            client.chat.completions.create(model="nobody", messages=MESSAGES, stream=stream)  # type: ignore[call-overload]


def test_a_provider_that_fails(client: Sabir) -> None:
    with pytest.raises(sabir.InternalServerError) as raised:
        client.chat.completions.create(model="dummy::error", messages=MESSAGES)
    assert raised.value.status_code >= 500
    assert raised.value.headers["x-sabir-inference-id"]
    with pytest.raises(sabir.InternalServerError) as raised:
        client.inference(model_name="dummy::error", input={"messages": MESSAGES})
    assert isinstance(raised.value.body["error"], str)


def test_an_error_within_a_stream(client: Sabir) -> None:
    stream = client.chat.completions.create(model="dummy::fatal_stream_error", messages=MESSAGES, stream=True)
    with pytest.raises(sabir.StreamError, match="^the stream brought an error: ") as raised:
        list(stream)
    assert "error" in raised.value.body
    assert stream.so_far().choices[0].message.content


def test_a_timeout(client: Sabir) -> None:
    with pytest.raises(sabir.APITimeoutError, match="^nothing came within 100 ms$") as raised:
        client.chat.completions.create(model="late", messages=MESSAGES, timeout=0.1)
    assert isinstance(raised.value, sabir.APIConnectionError)


def test_a_request_that_cannot_be_sent(client: Sabir) -> None:
    create = client.chat.completions.create
    with pytest.raises(sabir.RequestError, match="object cannot be sent as JSON"):
        create(model="echo", messages=MESSAGES, metadata=object())
    with pytest.raises(sabir.RequestError, match="not JSON"):
        create(model="echo", messages=MESSAGES, temperature=float("nan"))
    with pytest.raises(sabir.RequestError, match="timeout"):
        create(model="echo", messages=MESSAGES, timeout=-1)
    with pytest.raises(sabir.RequestError, match="max_retries"):
        create(model="echo", messages=MESSAGES, max_retries=-1)
    with pytest.raises(sabir.RequestError, match="header `a b`: the name cannot be sent"):
        create(model="echo", messages=MESSAGES, extra_headers={"a b": "c"})


def test_a_closed_client(client: Sabir) -> None:
    stream = client.chat.completions.create(model="trickle", messages=MESSAGES, stream=True)
    client.close()
    client.close()
    assert client.closed
    with pytest.raises(sabir.ClosedError, match="^the client is closed$"):
        client.models.list()
    with pytest.raises(sabir.ClosedError):
        list(stream)


def test_a_client_that_cannot_be_made() -> None:
    with pytest.raises(sabir.ConfigError, match="the gateway's address has no scheme"):
        Sabir.http("gateway")
    with pytest.raises(sabir.ConfigError, match="header `authorization`: the value cannot be sent"):
        Sabir.http("http://gateway", api_key="a\nb")
    with pytest.raises(sabir.ConfigError, match="^the configuration is wrong:\nconfiguration:"):
        Sabir.embedded("[gateway]\nport = 1")
    with pytest.raises(sabir.RequestError, match="cannot be used together"):
        Sabir.embedded(CONFIG, config_file="sabir.toml")
