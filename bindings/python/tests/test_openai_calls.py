"""Every call of the table, as it goes over the wire; and what a call's arguments do."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from server import Said, Seen, Server, completion

from sabir import AsyncSabir, Sabir
from sabir._resources.table import Row, table
from sabir.dialects import openai
from sabir.dialects.openai import NOT_GIVEN, AsyncOpenAI, OpenAI, omit

CALLS = sorted(table().names())


def row_of(name: str) -> Row:
    resource, _, call = name.rpartition(".")
    return table().rows(resource)[call]


def found(client: Any, name: str) -> Any:
    for part in name.split("."):
        client = getattr(client, part)
    return client


def arguments(row: Row) -> Dict[str, Any]:
    """Something for each argument that has to be there."""
    some: Dict[str, Any] = {name: f"a {name}/ä" for name in row.parameters}
    for name in row.needs:
        some[name] = ("n.txt", b"abc") if name in row.files else "v"
    return some


def usual(seen: Seen) -> Said:
    return Said({"id": "x", "object": "list", "data": []}, x_request_id="req-1")


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    server.usual = usual
    with OpenAI(api_key="made up", admin_api_key="for admins", base_url=server.url, max_retries=0) as client:
        yield client


@pytest.fixture
def async_client(server: Server) -> AsyncOpenAI:
    server.usual = usual
    return AsyncOpenAI(api_key="made up", admin_api_key="for admins", base_url=server.url, max_retries=0)


def test_the_table_is_whole() -> None:
    assert len(CALLS) == 390
    for name in CALLS:
        row = row_of(name)
        assert row.verb in ("GET", "POST", "DELETE") and row.path.startswith("/"), name
        assert row.page in (None, "cursor", "conversation", "next", "token", "plain"), name
        assert not set(row.files) & set(row.parameters), name


@pytest.mark.parametrize("name", CALLS)
def test_each_call_goes_out_as_the_table_says(server: Server, client: OpenAI, name: str) -> None:
    row, given = row_of(name), arguments(row_of(name))
    answer = found(client, name)(**given)
    seen = server.last
    path = row.path.partition("?")[0]
    for parameter in row.parameters:
        path = path.replace("{" + parameter + "}", f"a%20{parameter}%2F%C3%A4")
    assert (seen.method, seen.path) == (row.verb, f"/v1{path}")
    key = "for admins" if row.admin else "made up"
    assert seen.headers["authorization"] == f"Bearer {key}"
    assert seen.headers.get("openai-beta") == row.beta
    asked = {"beta": "true"} if "?beta=true" in row.path else {}
    assert dict(seen.query) == {**asked, **({name: "v" for name in row.needs} if row.verb == "GET" else {})}
    if name == "realtime.calls.create":
        assert seen.body == b"v" and seen.headers["content-type"] == "application/sdp"
    elif row.files and any(file in given for file in row.files):
        assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
        assert ("n.txt", b"abc") in [(part[1], part[3]) for part in seen.parts]
    elif row.verb == "POST" and not row.bare and not (row.files and not row.loose):
        assert {name: value for name, value in seen.json.items() if name != "encoding_format"} == {
            name: given[name] for name in row.needs
        }
    if row.kind == "none":
        assert answer is None
    elif row.page:
        assert answer.data == [] and not answer.has_next_page()
    elif row.kind == "str":
        assert isinstance(answer, str)
    elif row.kind != "binary" and name != "beta.agents.sessions.events.stream":
        assert answer._request_id == "req-1" and type(answer).__name__ == row.kind


def test_every_call_of_async_clients_goes_out_the_same(
    server: Server, client: OpenAI, async_client: AsyncOpenAI
) -> None:
    async def all_of_them() -> List[Seen]:
        for name in CALLS:
            await found(async_client, name)(**arguments(row_of(name)))
        return server.seen[:]

    asynchronous = asyncio.run(all_of_them())
    server.seen.clear()
    for name in CALLS:
        found(client, name)(**arguments(row_of(name)))
    assert len(asynchronous) == len(server.seen) == len(CALLS)
    for one, other in zip(asynchronous, server.seen):
        assert (one.method, one.target) == (other.method, other.target)
        if not one.headers.get("content-type", "").startswith("multipart"):
            assert one.body == other.body


def test_sabirs_own_clients_have_the_calls_too(server: Server) -> None:
    server.usual = usual
    with Sabir.http(server.url) as client:
        assert client.files.retrieve("f").id == "x"
        assert client.beta.threads.runs.create(thread_id="t", assistant_id="a").id == "x"
        assert client.chat.completions.with_raw_response.retrieve("c").status_code == 200
        assert client.chat.completions.messages.list("c").data == []
        assert client.models.delete("m").id == "x"
        assert client.with_options(timeout=3.0).batches.retrieve("b").id == "x"
        assert client.get("/anything", cast_to=object)["id"] == "x"

    async def main() -> None:
        async with AsyncSabir.http(server.url) as client:
            assert (await client.files.retrieve("f")).id == "x"
            assert [item async for item in client.files.list()] == []

    asyncio.run(main())
    assert [seen.path for seen in server.seen] == [
        "/v1/files/f",
        "/v1/threads/t/runs",
        "/v1/chat/completions/c",
        "/v1/chat/completions/c/messages",
        "/v1/models/m",
        "/v1/batches/b",
        "/v1/anything",
        "/v1/files/f",
        "/v1/files",
    ]


def test_none_is_null_and_what_is_not_given_is_not_there(server: Server, client: OpenAI) -> None:
    client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "ü", "name": NOT_GIVEN}],
        temperature=None,
        seed=NOT_GIVEN,
        extra_body={"model": "other", "more": 1},
        extra_query={"a": ["b", "c"], "d": {"e": True}, "f": None},
        extra_headers={"X-More": "yes", "Authorization": omit},
    )
    seen = server.last
    assert seen.body.decode() == (
        '{"model":"other","messages":[{"role":"user","content":"ü"}],"temperature":null,"more":1}'
    )
    assert seen.query == [("a[]", "b"), ("a[]", "c"), ("d[e]", "true")]
    assert seen.headers["x-more"] == "yes" and "authorization" not in seen.headers


def test_arguments_by_position_and_by_name(server: Server, client: OpenAI) -> None:
    client.beta.threads.messages.retrieve("m", thread_id="t")
    client.beta.threads.messages.retrieve(message_id="m", thread_id="t")
    client.beta.threads.messages.retrieve("t", "m")
    assert {seen.path for seen in server.seen} == {"/v1/threads/t/messages/m"}
    client.beta.threads.runs.create("t", assistant_id="a", include=["x"])
    assert server.last.query == [("include[]", "x")] and server.last.json == {"assistant_id": "a"}


@pytest.mark.parametrize("value", ["", None])
def test_an_empty_path_parameter_is_refused_before_anything_is_sent(server: Server, client: OpenAI, value: Any) -> None:
    with pytest.raises(ValueError, match=r"Expected a non-empty value for `file_id` but received"):
        client.files.retrieve(value)
    assert server.seen == []


def test_wrong_arguments_are_refused_before_anything_is_sent(server: Server, client: OpenAI) -> None:
    with pytest.raises(TypeError, match=r"chat\.completions\.create\(\) needs 'messages', 'model'"):
        client.chat.completions.create()
    with pytest.raises(TypeError, match="multiple values for argument 'file_id'"):
        client.files.retrieve("a", file_id="b")
    with pytest.raises(TypeError, match="positional"):
        client.files.retrieve("a", "b")
    with pytest.raises(ValueError, match="it would change the path"):
        client.files.retrieve("..")
    with pytest.raises(AttributeError, match="`files` has no call and no resource named 'nothing'"):
        client.files.nothing
    with pytest.raises(NotImplementedError, match="no WebSockets"):
        client.realtime.connect(model="m")
    assert server.seen == []


def test_vectors_travel_packed_unless_asked_otherwise(server: Server, client: OpenAI) -> None:
    packed = "AACAPwAAAMA="  # 1.0 and -2.0
    server.say({"object": "list", "data": [{"index": 0, "embedding": packed}]})
    server.say({"object": "list", "data": [{"index": 0, "embedding": packed}]})
    assert client.embeddings.create(model="m", input="x").data[0].embedding == [1.0, -2.0]
    assert server.last.json["encoding_format"] == "base64"
    assert client.embeddings.create(model="m", input="x", encoding_format="base64").data[0].embedding == packed


def test_objects_keep_all_and_tell_null_from_missing(server: Server, client: OpenAI) -> None:
    server.say(completion(odd={"a": [{"b": 1}]}, service_tier=None), x_request_id="req-9")
    answer = client.chat.completions.create(model="m", messages=[])
    assert answer._request_id == "req-9" and answer.odd.a[0].b == 1 and answer.model_extra == {"odd": answer.odd}
    assert answer.service_tier is None and "service_tier" in answer.model_fields_set
    assert answer.system_fingerprint is None and "system_fingerprint" not in answer.model_fields_set
    with pytest.raises(AttributeError):
        answer.no_such_member
    assert json.loads(answer.to_json()) == answer.to_dict() == answer.model_dump()
    assert answer.to_json().startswith('{\n  "id": "c"')
    assert json.loads(answer.model_dump_json(exclude_none=True)).keys() == {"id", "object", "choices", "odd"}
    assert "Choice(index=0" in repr(answer)
    assert dict(answer)["id"] == "c" and copy.deepcopy(answer) == answer == copy.copy(answer)
    answer.choices[0].message.content = "changed"
    assert answer.to_dict()["choices"][0]["message"]["content"] == "changed"
    client.chat.completions.create(model="m", messages=[answer.choices[0].message])
    assert server.last.json["messages"] == [{"role": "assistant", "content": "changed"}]


def test_what_was_changed_is_sent(server: Server, client: OpenAI) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    answer = completion()
    answer["choices"][0]["message"] = {"role": "assistant", "tool_calls": [call]}
    server.say(answer)
    message = client.chat.completions.create(model="m", messages=[]).choices[0].message
    message.tool_calls[0].function.name = "g"
    message.tool_calls.append(openai.BaseModel(id="b"))
    message.note = "kept"
    client.chat.completions.create(model="m", messages=[message])
    changed = {**call, "function": {"name": "g", "arguments": "{}"}}
    sent = {"role": "assistant", "tool_calls": [changed, {"id": "b"}], "note": "kept"}
    assert server.last.json["messages"] == [sent]
    assert pickle.loads(pickle.dumps(message)).to_dict() == sent == message.model_copy().to_dict()


def test_names_that_python_cannot_spell(server: Server, client: OpenAI) -> None:
    server.say({"id": "m", "results": [{"flagged": True, "categories": {"self-harm/intent": True}}]})
    answer = client.moderations.create(input="x")
    assert answer.results[0].categories.self_harm_intent is True
    assert isinstance(answer, openai.BaseModel)


def test_what_is_answered_where_it_is_no_object(server: Server, client: OpenAI, tmp_path: Any) -> None:
    server.say(b"\x00\x01ABC", kind="audio/mpeg")
    speech = client.audio.speech.create(model="m", voice="v", input="x")
    assert server.last.headers["accept"] == "application/octet-stream"
    assert speech.content == b"\x00\x01ABC" and b"".join(speech.iter_bytes(2)) == speech.read()
    speech.write_to_file(tmp_path / "out.mp3")
    assert (tmp_path / "out.mp3").read_bytes() == b"\x00\x01ABC"
    server.say(b"1", kind="text/plain")
    assert client.audio.transcriptions.create(model="m", file=b"x", response_format="text") == "1"
    server.say(b"<html>", kind="text/html")
    assert client.models.retrieve("m") == "<html>"
    server.say(b"a\nb", kind="application/octet-stream")
    assert client.files.content("f").text == "a\nb"
    server.say(b"a\nb", kind="application/octet-stream")
    assert client.files.retrieve_content("f") == "a\nb"
    server.say(status=204)
    assert client.responses.delete("r") is None
    server.say({"id": "r", "output": [
        {"type": "reasoning"},
        {"type": "message", "content": [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}]},
    ]})  # fmt: skip
    assert client.responses.create(model="m", input="x").output_text == "ab"


def test_any_other_call(server: Server, client: OpenAI) -> None:
    server.say({"a": 1}, x_foo="bar")
    answer = client.post("/foo", cast_to=openai.httpx.Response, body={"my_param": True})
    assert (answer.headers["X-Foo"], answer.json()) == ("bar", {"a": 1})
    assert (server.last.path, server.last.json) == ("/v1/foo", {"my_param": True})
    cases: List[Tuple[Any, Any]] = [(dict, {"id": "x"}), (str, '{"id": "x"}'), (None, None), (bytes, b'{"id": "x"}')]
    server.usual = lambda _: Said({"id": "x"})
    for cast, expected in cases:
        assert client.get("/foo?a=b", cast_to=cast, options={"params": {"c": 1}, "headers": {"x-a": "b"}}) == expected
    assert server.last.query == [("a", "b"), ("c", "1")] and server.last.headers["x-a"] == "b"
    assert client.put("/foo", cast_to=openai.BaseModel, body={}).id == "x"
    assert client.patch("/foo", cast_to=object, body={}) == {"id": "x"}
    assert client.delete("/foo", cast_to=openai.types.Batch).id == "x"
    with pytest.raises(TypeError, match="`nope` is not known"):
        client.get("/foo", cast_to=object, options={"nope": 1})
