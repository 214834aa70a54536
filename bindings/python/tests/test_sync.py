"""The client for threads, over HTTP and embedded: the same answers."""

from __future__ import annotations

import json
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import MESSAGES

from sabir import NotFoundError, RequestError, Sabir
from sabir.types import ChatCompletion, Message


def test_a_chat_completion(client: Sabir) -> None:
    answer = client.chat.completions.create(model="echo", messages=MESSAGES, temperature=0.5)
    assert isinstance(answer, ChatCompletion)
    assert answer.choices[0].message.content == "Hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None and answer.usage.total_tokens == 11
    assert answer.object == "chat.completion"
    assert answer.service_tier is None
    assert answer.request_id and answer.meta.inference_id and answer.meta.episode_id
    assert answer.meta.headers["X-Sabir-Model"] == "echo"
    assert answer.meta.status_code == 200 and answer.meta.retries == 0
    assert answer.to_dict()["id"] == answer.id
    assert json.loads(answer.to_json(indent=2)) == answer.to_dict()
    assert repr(answer.choices[0].message).startswith("Message(role='assistant', content='Hello there'")
    with pytest.raises(AttributeError, match="ChatCompletion has no member 'nonsense'"):
        answer.nonsense


def test_an_answer_can_be_sent_back_and_pickled(client: Sabir) -> None:
    answer = client.chat.completions.create(model="echo", messages=MESSAGES)
    message = answer.choices[0].message
    assert isinstance(message, Message)
    again = client.chat.completions.create(
        model="echo", messages=(m for m in [*MESSAGES, message, {"role": "user", "content": "and now?"}])
    )
    assert again.choices[0].message.content == "and now?"
    copy = pickle.loads(pickle.dumps(answer))
    assert copy == answer and copy.choices[0].message == message


def test_a_stream(client: Sabir) -> None:
    with client.chat.completions.create(
        model="echo", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    ) as stream:
        pieces = list(stream)
        whole = stream.so_far()
    said = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert said == "Hello there" == whole.choices[0].message.content
    assert whole.object == "chat.completion" and whole.id == pieces[0].id
    assert whole.usage is not None and whole.usage.prompt_tokens == 10
    assert stream.request_id and stream.meta.inference_id
    assert list(stream) == []


def test_a_streamed_call_of_a_tool(client: Sabir) -> None:
    tool = {"type": "function", "function": {"name": "get_temperature", "parameters": {"type": "object"}}}
    whole = client.chat.completions.create(model="tool", messages=MESSAGES, tools=[tool])
    stream = client.chat.completions.create(model="tool", messages=MESSAGES, tools=[tool], stream=True)
    for answer in [whole, stream.whole()]:
        assert answer.choices[0].finish_reason == "tool_calls"
        [call] = answer.choices[0].message.tool_calls or []
        assert call.function.name == "get_temperature"
        assert json.loads(call.function.arguments) == {"location": "Brooklyn", "units": "celsius"}


def test_embeddings(client: Sabir) -> None:
    numbers = client.embeddings.create(model="vectors", input=["one", "two"], dimensions=8)
    packed = client.embeddings.create(
        model="vectors", input=["one", "two"], dimensions=8, encoding_format="base64"
    )
    assert [item.index for item in numbers.data] == [0, 1]
    assert len(numbers.data[0].embedding) == 8
    assert isinstance(packed.to_dict()["data"][0]["embedding"], str)
    for a, b in zip(numbers.data, packed.data):
        assert a.embedding == pytest.approx(b.embedding)


def test_models(client: Sabir) -> None:
    names = [model.id for model in client.models.list().data]
    assert "echo" in names and "vectors" in names
    assert client.models.retrieve("dummy::any/thing").id == "dummy::any/thing"
    with pytest.raises(RequestError, match="the model has no name"):
        client.models.retrieve("")


def test_an_inference_its_feedback_and_its_row(client: Sabir) -> None:
    conversation = {"system": "Be brief.", "messages": MESSAGES}
    answer = client.inference(model_name="echo", input=conversation, tags={"team": "a"})
    assert answer.content[0].type == "text" and answer.content[0].text == "Hello there"
    assert answer.usage is not None and answer.usage.input_tokens == 10
    given = client.feedback(metric_name="helpful", value=True, inference_id=answer.inference_id)
    assert len(given.feedback_id) == 36
    [row] = client.list_inferences(episode_id=answer.episode_id, limit=5).inferences
    assert [row] == client.get_inferences([answer.inference_id]).inferences
    assert row.inference_id == answer.inference_id and row.tags["team"] == "a"
    assert row.output == [{"type": "text", "text": "Hello there"}]
    assert row.input["system"] == "Be brief."


def test_a_streamed_inference(client: Sabir) -> None:
    stream = client.inference(model_name="echo", input={"messages": MESSAGES}, stream=True)
    pieces = list(stream)
    whole = stream.so_far()
    assert whole.content[0].to_dict() == {"type": "text", "text": "Hello there"}
    assert whole.inference_id == pieces[0].inference_id
    assert whole.finish_reason == "stop" and whole.usage is not None


def test_who_leaves_a_stream_ends_the_call(client: Sabir) -> None:
    for leave in ["close", "delete"]:
        stream = client.chat.completions.create(model="trickle", messages=MESSAGES, stream=True)
        next(stream)
        inference = stream.meta.inference_id
        assert inference is not None
        if leave == "close":
            stream.close()
            assert list(stream) == []
        else:
            del stream
        until_kept(client, inference)


def test_threads_share_a_client_and_wait_at_once(client: Sabir) -> None:
    def ask(number: int) -> str:
        messages = [{"role": "user", "content": f"number {number}"}]
        answer = client.chat.completions.create(model="soon", messages=messages)
        return str(answer.choices[0].message.content)

    began = time.monotonic()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(ask, range(16)))
    assert answers == [f"number {number}" for number in range(16)]
    # One after another they would take more than six seconds.
    assert time.monotonic() - began < 5


def test_python_runs_while_a_call_waits(client: Sabir) -> None:
    counted = 0
    waiting = threading.Thread(target=lambda: client.chat.completions.create(model="soon", messages=MESSAGES))
    waiting.start()
    while waiting.is_alive():
        counted += 1
        time.sleep(0.001)
    assert counted > 20


def until_kept(client: Sabir, inference: str) -> None:
    """Waits for the row, which is written when the call is over."""
    for _ in range(500):
        if client.get_inferences([inference]).inferences:
            return
        time.sleep(0.02)
    pytest.fail("the call did not end")


def test_openais_calls_that_the_gateway_answers_itself(client: Sabir) -> None:
    made = client.files.create(file=("in.jsonl", b"{}"), purpose="batch")
    assert made.id in [file.id for file in client.files.list()] and client.files.content(made.id).content == b"{}"
    assert client.files.delete(made.id).deleted is True
    answer = client.responses.create(model="echo", input="Hello there")
    assert answer.output_text == "Hello there"
    with client.responses.stream(model="echo", input="Hello there") as stream:
        assert stream.get_final_response().output_text == "Hello there"
    with client.chat.completions.stream(model="echo", messages=MESSAGES) as events:
        assert events.get_final_completion().choices[0].message.content == "Hello there"
    with pytest.raises(NotFoundError) as raised:
        client.fine_tuning.jobs.retrieve("none")
    assert raised.value.status_code == 404
