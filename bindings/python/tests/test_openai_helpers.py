"""Pages, uploads, waiting, and webhooks by OpenAI's names."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
import json
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
from server import Said, Seen, Server

from sabir.dialects import openai
from sabir.dialects.openai import AsyncOpenAI, OpenAI


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(api_key="made up", base_url=server.url, max_retries=0) as client:
        yield client


@pytest.fixture(autouse=True)
def no_naps(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """Who waits between questions does not."""
    from sabir._resources.running import Loop, Threads

    naps: List[float] = []

    async def nap(self: Any, seconds: float) -> None:
        naps.append(seconds)

    monkeypatch.setattr(Threads, "sleep", nap)
    monkeypatch.setattr(Loop, "sleep", nap)
    return naps


# Pages.


def paged(kind: str) -> Callable[[Seen], Said]:
    """Five items, two on a page."""

    def answer(seen: Seen) -> Said:
        query = dict(seen.query)
        start = int(query.get("page" if kind == "token" else "after", "0")[-1])
        items = [{"id": f"i{at + 1}"} for at in range(start, min(start + 2, 5))]
        told: Dict[str, Any] = {"object": "list", "data": items, "has_more": start + 2 < 5}
        if kind == "conversation":
            told["last_id"] = items[-1]["id"]
        elif kind in ("next", "token"):
            told["next"] = items[-1]["id"] if told["has_more"] else None
        return Said(told)

    return answer


PAGES: Dict[str, Callable[[Any], Any]] = {
    "cursor": lambda client: client.fine_tuning.jobs.list(limit=2),
    "conversation": lambda client: client.conversations.items.list("c", limit=2),
    "next": lambda client: client.admin.organization.groups.list(limit=2),
    "token": lambda client: client.beta.agents.environments.files.list("e", limit=2),
}


@pytest.mark.parametrize("kind", PAGES)
def test_all_items_of_all_pages(server: Server, client: OpenAI, kind: str) -> None:
    server.usual = paged(kind)
    assert [item.id for item in PAGES[kind](client)] == ["i1", "i2", "i3", "i4", "i5"]
    assert len(server.seen) == 3 and all(("limit", "2") in seen.query for seen in server.seen)
    page = PAGES[kind](client)
    assert page.has_next_page() and len(page.data) == 2 and page.after == "i2"
    assert list(page.next_page_info().params.values()) == ["i2"]
    assert [len(one.data) for one in page.iter_pages()] == [2, 2, 1]
    last = page.get_next_page().get_next_page()
    assert not last.has_next_page() and last.next_page_info() is None
    with pytest.raises(RuntimeError, match="no next page"):
        last.get_next_page()


@pytest.mark.parametrize("kind", PAGES)
def test_all_items_of_all_pages_in_an_event_loop(server: Server, kind: str) -> None:
    server.usual = paged(kind)

    async def main() -> None:
        async with AsyncOpenAI(api_key="k", base_url=server.url) as client:
            assert [item.id async for item in PAGES[kind](client)] == ["i1", "i2", "i3", "i4", "i5"]
            page = await PAGES[kind](client)
            assert page.has_next_page() and [item.id async for item in page][-1] == "i5"
            assert [len(one.data) async for one in page.iter_pages()] == [2, 2, 1]
            assert [item.id for item in (await page.get_next_page()).data] == ["i3", "i4"]

    asyncio.run(main())


def test_lists_that_have_no_pages_or_do_not_say(server: Server, client: OpenAI) -> None:
    server.say({"data": [{"id": "m"}]})
    assert [model.id for model in client.models.list()] == ["m"]
    server.say({"data": [{"id": "a"}]})
    server.say({"data": []})
    assert [batch.id for batch in client.batches.list()] == ["a"]
    server.say({"data": [{"name": "without an id"}]})
    assert len(list(client.batches.list())) == 1
    server.say({"data": [{"id": "a"}], "has_more": False})
    assert [item.id for item in client.get_api_list("/things", model="Thing")] == ["a"]


# Uploads.


def test_files_of_every_kind(server: Server, client: OpenAI, tmp_path: Path) -> None:
    path = tmp_path / 'in "quotes".jsonl'
    path.write_bytes(b"{}")
    with path.open("rb") as opened:
        cases: List[Any] = [
            (b"{}", "upload", "application/octet-stream"),
            (path, 'in "quotes".jsonl', None),
            (opened, 'in "quotes".jsonl', None),
            (io.BytesIO(b"{}"), "upload", "application/octet-stream"),
            (("a.json", b"{}"), "a.json", "application/json"),
            (("a.txt", io.BytesIO(b"{}"), "application/x-own"), "a.txt", "application/x-own"),
            (("a", path, None, {"X-More": "1"}), "a", "application/octet-stream"),
        ]
        for file, name, kind in cases:
            client.files.create(file=file, purpose="batch", expires_after={"anchor": "created_at", "seconds": 1})
            *texts, part = server.last.parts
            assert texts == [
                ("purpose", None, None, b"batch"),
                ("expires_after[anchor]", None, None, b"created_at"),
                ("expires_after[seconds]", None, None, b"1"),
            ]
            assert (part[0], part[1] and part[1].replace("%22", '"'), part[3]) == ("file", name, b"{}")
            assert kind is None or part[2] == kind
    assert b"X-More: 1\r\n" in server.last.body


def test_lists_in_forms(server: Server, client: OpenAI) -> None:
    client.images.edit(image=[b"a", ("b.png", b"b")], prompt="x", mask=b"m", n=2)
    assert server.last.parts == [
        ("prompt", None, None, b"x"),
        ("n", None, None, b"2"),
        ("image[]", "upload", "application/octet-stream", b"a"),
        ("image[]", "b.png", "image/png", b"b"),
        ("mask", "upload", "application/octet-stream", b"m"),
    ]
    client.audio.transcriptions.create(file=b"a", model="m", timestamp_granularities=["word", "segment"])
    texts = [(part[0], part[3]) for part in server.last.parts[1:3]]
    assert texts == [("timestamp_granularities[]", b"word"), ("timestamp_granularities[]", b"segment")]


@pytest.mark.parametrize("wrong", ["text", 1, {"a": 1}, [1]])
def test_what_is_no_file(server: Server, client: OpenAI, wrong: Any) -> None:
    with pytest.raises(RuntimeError, match="Expected entry at `file` to be bytes"):
        client.files.create(file=wrong, purpose="batch")
    with pytest.raises(ValueError, match="more than one line"):
        client.files.create(file=("a", b"", "text/plain\r\nx-evil: 1"), purpose="batch")
    assert server.seen == []


def test_an_upload_that_is_tried_again_is_whole(server: Server) -> None:
    server.say(status=500)
    server.say({"id": "f"})
    with OpenAI(api_key="k", base_url=server.url) as client:
        source = io.BytesIO(b"x" * 3_000_000)
        assert client.files.create(file=source, purpose="batch").id == "f"
    assert server.seen[0].body == server.seen[1].body and len(server.last.parts[1][3]) == 3_000_000


def test_a_large_file_in_parts(server: Server, client: OpenAI, tmp_path: Path) -> None:
    def answer(seen: Seen) -> Said:
        return Said({"id": f"part{len(server.seen)}" if seen.path.endswith("/parts") else "u"})

    server.usual = answer
    path = tmp_path / "big.jsonl"
    path.write_bytes(b"0123456789")
    client.uploads.upload_file_chunked(file=path, mime_type="text/plain", purpose="batch", part_size=4, md5="sum")
    first, *parts, last = server.seen
    assert first.json == {"bytes": 10, "filename": "big.jsonl", "mime_type": "text/plain", "purpose": "batch"}
    assert [part.parts[0][3] for part in parts] == [b"0123", b"4567", b"89"]
    assert last.path == "/v1/uploads/u/complete"
    assert last.json == {"part_ids": ["part2", "part3", "part4"], "md5": "sum"}
    client.uploads.upload_file_chunked(file=b"01", filename="a", bytes=2, mime_type="text/plain", purpose="batch")
    assert server.last.json == {"part_ids": ["part7"]}
    with pytest.raises(TypeError, match="in-memory"):
        client.uploads.upload_file_chunked(file=b"01", mime_type="text/plain", purpose="batch")


# Waiting.


def test_a_run_is_waited_for(server: Server, client: OpenAI, no_naps: List[float]) -> None:
    for status in ("queued", "in_progress", "requires_action"):
        server.say({"id": "r", "thread_id": "t", "status": status}, openai_poll_after_ms="20")
    run = client.beta.threads.runs.create_and_poll(thread_id="t", assistant_id="a", extra_headers={"x-a": "1"})
    assert run.status == "requires_action" and no_naps == [0.02]
    assert [seen.path for seen in server.seen] == ["/v1/threads/t/runs", *["/v1/threads/t/runs/r"] * 2]
    assert all(seen.headers["x-a"] == "1" for seen in server.seen)
    for status in ("in_progress", "completed"):
        server.say({"id": "r", "status": status})
    assert client.beta.threads.runs.poll("r", thread_id="t", poll_interval_ms=5).status == "completed"
    assert no_naps == [0.02, 0.005]
    for status in ("queued", "queued", "failed"):
        server.say({"id": "r", "thread_id": "t", "status": status})
    assert client.beta.threads.create_and_run_poll(assistant_id="a").status == "failed" and no_naps[-1] == 1
    for status in ("queued", "expired"):
        server.say({"id": "r", "thread_id": "t", "status": status})
    runs = client.beta.threads.runs
    assert runs.submit_tool_outputs_and_poll(thread_id="t", run_id="r", tool_outputs=[]).status == "expired"


def store(server: Server) -> Callable[[Seen], Said]:
    """A vector store that takes a moment."""

    def answer(seen: Seen) -> Said:
        asked = sum(seen.path == other.path and other.method == "GET" for other in server.seen)
        if seen.path == "/v1/files":
            return Said({"id": f"file-{seen.parts[-1][3].decode()}"})
        done = asked > 1
        return Said(
            {"id": "b", "status": "completed" if done else "in_progress", "file_counts": {"in_progress": not done}}
        )

    return answer


def test_files_are_put_into_a_vector_store(server: Server, client: OpenAI, tmp_path: Path) -> None:
    server.usual = store(server)
    (tmp_path / "x.txt").write_text("x")
    files: List[Any] = [b"1", b"2", tmp_path / "x.txt"]
    batch = client.vector_stores.file_batches.upload_and_poll("v", files=files, file_ids=["old"], max_concurrency=2)
    assert batch.file_counts.in_progress is False
    made = next(seen for seen in server.seen if seen.path == "/v1/vector_stores/v/file_batches")
    assert made.json == {"file_ids": ["old", "file-1", "file-2", "file-x"]}
    assert all(("purpose", None, None, b"assistants") in seen.parts for seen in server.seen if seen.path == "/v1/files")
    server.seen.clear()
    files_of = client.beta.vector_stores.files
    assert files_of.upload_and_poll(vector_store_id="v", file=b"9").status == "completed"
    assert [seen.path.rpartition("/")[2] for seen in server.seen] == ["files", "files", "file-9", "file-9"]
    assert files_of.upload(vector_store_id="v", file=b"9").status == "in_progress"
    assert files_of.create_and_poll("f", vector_store_id="v").status == "completed"
    assert client.vector_stores.file_batches.create_and_poll("v", file_ids=["a"]).id == "b"
    server.usual = lambda _: Said({"id": "f", "status": "in_progress"})
    with pytest.raises(TimeoutError, match="after 0 seconds"):
        files_of.poll("f", vector_store_id="v", max_wait_seconds=0)


def test_the_same_in_an_event_loop(server: Server, tmp_path: Path) -> None:
    server.usual = store(server)
    (tmp_path / "x.txt").write_text("x")

    async def main() -> None:
        async with AsyncOpenAI(api_key="k", base_url=server.url) as client:
            files: List[Any] = [b"1", tmp_path / "x.txt"]
            batch = await client.vector_stores.file_batches.upload_and_poll("v", files=files)
            assert batch.id == "b"
            made = next(seen for seen in server.seen if seen.path == "/v1/vector_stores/v/file_batches")
            assert made.json == {"file_ids": ["file-1", "file-x"]}
            server.usual = lambda _: Said({"id": "f", "status": "processed"})
            assert (await client.files.wait_for_processing("f")).status == "processed"

    asyncio.run(main())


def test_other_things_are_waited_for(server: Server, client: OpenAI, no_naps: List[float]) -> None:
    for status in ("uploaded", "processed"):
        server.say({"id": "f", "status": status})
    assert client.files.wait_for_processing("f").status == "processed" and no_naps == [5.0]
    server.say({"id": "f", "status": "uploaded"})
    with pytest.raises(RuntimeError, match="Giving up on waiting for file f"):
        client.files.wait_for_processing("f", max_wait_seconds=-1)
    for status in ("queued", "in_progress", "completed"):
        server.say({"id": "v", "status": status})
    assert client.videos.create_and_poll(prompt="x", poll_interval_ms=1).status == "completed"


def test_a_call_over_webrtc(server: Server, client: OpenAI) -> None:
    server.say(b"answer", kind="application/sdp", status=201)
    answer = client.realtime.calls.create(sdp="offer", session={"type": "realtime"})
    assert answer.content == b"answer" and server.last.headers["accept"] == "application/sdp"
    assert server.last.parts == [
        ("sdp", None, "application/sdp", b"offer"),
        ("session", None, "application/json", b'{"type":"realtime"}'),
    ]


# Webhooks.

SECRET = "whsec_" + base64.b64encode(b"a secret of ours").decode()


def signed(body: str, *, at: float = 0, key: bytes = b"a secret of ours") -> Dict[str, str]:
    when = str(int(time.time() + at))
    digest = hmac.new(key, f"wh_1.{when}.{body}".encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    return {"Webhook-Id": "wh_1", "Webhook-Timestamp": when, "Webhook-Signature": f"v1,AAAA v1,{signature}"}


def test_a_webhook_is_who_it_says() -> None:
    body = json.dumps({"id": "evt", "type": "response.completed", "data": {"id": "r"}})
    client = OpenAI(api_key="k", webhook_secret=SECRET)
    event = client.webhooks.unwrap(body, signed(body))
    assert (event.type, event.data.id, type(event).__name__) == (
        "response.completed",
        "r",
        "ResponseCompletedWebhookEvent",
    )
    assert AsyncOpenAI(api_key="k").webhooks.unwrap(body.encode(), signed(body), secret=SECRET).id == "evt"
    client.webhooks.verify_signature(body, signed(body, key=b"plain"), secret="plain")
    wrong: List[Any] = [
        (body, signed(body, at=-301), "too old"),
        (body, signed(body, at=302), "too new"),
        (body + " ", signed(body), "does not match"),
        (body, {**signed(body), "Webhook-Timestamp": "soon"}, "timestamp format"),
    ]
    for payload, headers, message in wrong:
        with pytest.raises(openai.InvalidWebhookSignatureError, match=message):
            client.webhooks.unwrap(payload, headers)
    with pytest.raises(ValueError, match="Could not find webhook-id header"):
        client.webhooks.unwrap(body, {})
    with pytest.raises(ValueError, match="OPENAI_WEBHOOK_SECRET"):
        OpenAI(api_key="k").webhooks.unwrap(body, signed(body))
