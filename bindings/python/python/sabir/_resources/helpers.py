"""Calls that are more than one request: waiting, uploading many, reading what was answered.

Each is defined once, as a coroutine; clients for threads run it through.
"""

from __future__ import annotations

import io
import os
import time
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Callable, Coroutine, Dict, Iterable, List, Mapping, Optional

from . import parsing, webhooks
from .assistants import handling
from .chat_stream import ChatCompletionStreamState, GrowingManager
from .encode import NOT_GIVEN, NotGiven
from .response_stream import ResponseStreamState

if TYPE_CHECKING:
    from .engine import Api

HELPERS: Dict[str, Callable[..., Any]] = {}

_RUN_ENDS = ("requires_action", "cancelled", "completed", "failed", "expired", "incomplete")
_OPTIONS = ("extra_headers", "extra_query", "extra_body", "timeout")
_PART = 64 * 1024 * 1024


def _helper(name: str) -> Callable[[Callable[..., Coroutine[Any, Any, Any]]], Callable[..., Any]]:
    """A helper that is a coroutine."""

    def register(work: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        def run(api: Api, *args: Any, **given: Any) -> Any:
            return api.do(work(api, *args, **given))

        run.__doc__ = work.__doc__
        HELPERS[name] = run
        return work

    return register


def _direct(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A helper that waits for nothing itself."""

    def register(work: Callable[..., Any]) -> Callable[..., Any]:
        HELPERS[name] = work
        return work

    return register


def _options(given: Mapping[str, Any]) -> Dict[str, Any]:
    return {name: given[name] for name in _OPTIONS if name in given}


async def _poll(
    api: Api, ask: Callable[[], Coroutine[Any, Any, Any]], is_over: Callable[[Any], bool], interval_ms: Any
) -> Any:
    """Asks again and again until it is over. The server says how often, unless the caller does."""
    wait: Optional[float] = None if interval_ms is None or isinstance(interval_ms, NotGiven) else interval_ms
    while True:
        reply = await ask()
        found = reply.parse()
        if is_over(found):
            return found
        if wait is None:
            told = reply.headers.get("openai-poll-after-ms", "")
            wait = float(told) if told.isdigit() else 1000.0
        await api.runner.sleep(wait / 1000)


# Assistants.


@_helper("beta.threads.runs.poll")
async def _poll_run(api: Api, run_id: str, thread_id: str, poll_interval_ms: Any = NOT_GIVEN, **given: Any) -> Any:
    """Waits until a run is over, or wants something."""

    async def ask() -> Any:
        return await api.raw("beta.threads.runs.retrieve", run_id, thread_id=thread_id, **_options(given))

    return await _poll(api, ask, lambda run: run.status in _RUN_ENDS, poll_interval_ms)


async def _run_of(api: Api, call: str, interval: Any, given: Dict[str, Any]) -> Any:
    run = await api.call(call, **given)
    return await _poll_run(api, run.id, given.get("thread_id") or run.thread_id, interval, **_options(given))


@_helper("beta.threads.runs.create_and_poll")
async def _create_run(api: Api, *, poll_interval_ms: Any = NOT_GIVEN, **given: Any) -> Any:
    """Starts a run and waits until it is over, or wants something."""
    return await _run_of(api, "beta.threads.runs.create", poll_interval_ms, given)


@_helper("beta.threads.create_and_run_poll")
async def _create_and_run(api: Api, *, poll_interval_ms: Any = NOT_GIVEN, **given: Any) -> Any:
    """Makes a thread, starts a run and waits until it is over, or wants something."""
    return await _run_of(api, "beta.threads.create_and_run", poll_interval_ms, given)


@_helper("beta.threads.runs.submit_tool_outputs_and_poll")
async def _submit(api: Api, *, poll_interval_ms: Any = NOT_GIVEN, **given: Any) -> Any:
    """Hands in what tools gave and waits until the run is over, or wants something."""
    return await _run_of(api, "beta.threads.runs.submit_tool_outputs", poll_interval_ms, given)


def _run_stream(call: str) -> Callable[..., Any]:
    def stream(api: Api, *, event_handler: Any = None, **given: Any) -> GrowingManager:
        """Follows a run in a `with` block, by the handler's call-backs or by iterating over it."""
        request = api.made(call, (), {**given, "stream": True})
        return GrowingManager(api, request, None, handling(api, event_handler))

    return stream


for _name, _call in (
    ("beta.threads.runs.stream", "beta.threads.runs.create"),
    ("beta.threads.runs.create_and_stream", "beta.threads.runs.create"),
    ("beta.threads.create_and_run_stream", "beta.threads.create_and_run"),
    ("beta.threads.runs.submit_tool_outputs_stream", "beta.threads.runs.submit_tool_outputs"),
):
    _direct(_name)(_run_stream(_call))


# Vector stores and files.


@_helper("vector_stores.files.poll")
async def _poll_store_file(
    api: Api,
    file_id: str,
    *,
    vector_store_id: str,
    poll_interval_ms: Any = NOT_GIVEN,
    max_wait_seconds: Any = NOT_GIVEN,
    **given: Any,
) -> Any:
    """Waits until a file is in a vector store, or cannot be."""
    until = None if isinstance(max_wait_seconds, NotGiven) else time.monotonic() + max_wait_seconds

    async def ask() -> Any:
        if until is not None and time.monotonic() > until:
            raise TimeoutError(f"file {file_id} is not in the vector store after {max_wait_seconds} seconds")
        return await api.raw(
            "vector_stores.files.retrieve", file_id, vector_store_id=vector_store_id, **_options(given)
        )

    return await _poll(api, ask, lambda file: file.status in ("cancelled", "completed", "failed"), poll_interval_ms)


def _waits(given: Dict[str, Any]) -> Dict[str, Any]:
    return {name: given.pop(name) for name in ("poll_interval_ms", "max_wait_seconds") if name in given}


@_helper("vector_stores.files.create_and_poll")
async def _create_store_file(api: Api, file_id: str, *, vector_store_id: str, **given: Any) -> Any:
    """Puts a file into a vector store and waits until it is there."""
    waits = _waits(given)
    await api.call("vector_stores.files.create", vector_store_id, file_id=file_id, **given)
    return await _poll_store_file(api, file_id, vector_store_id=vector_store_id, **waits, **_options(given))


@_helper("vector_stores.files.upload")
async def _upload_store_file(api: Api, *, vector_store_id: str, file: Any, **given: Any) -> Any:
    """Uploads a file and puts it into a vector store."""
    made = await api.call("files.create", file=file, purpose="assistants", **_options(given))
    return await api.call("vector_stores.files.create", vector_store_id, file_id=made.id, **given)


@_helper("vector_stores.files.upload_and_poll")
async def _upload_store_file_and_poll(api: Api, *, vector_store_id: str, file: Any, **given: Any) -> Any:
    """Uploads a file, puts it into a vector store and waits until it is there."""
    made = await api.call("files.create", file=file, purpose="assistants", **_options(given))
    return await _create_store_file(api, made.id, vector_store_id=vector_store_id, **given)


@_helper("vector_stores.file_batches.poll")
async def _poll_batch(
    api: Api, batch_id: str, *, vector_store_id: str, poll_interval_ms: Any = NOT_GIVEN, **given: Any
) -> Any:
    """Waits until no file of a batch is in progress any more; some may have failed."""

    async def ask() -> Any:
        call = "vector_stores.file_batches.retrieve"
        return await api.raw(call, batch_id, vector_store_id=vector_store_id, **_options(given))

    return await _poll(api, ask, lambda batch: not batch.file_counts.in_progress, poll_interval_ms)


@_helper("vector_stores.file_batches.create_and_poll")
async def _create_batch(api: Api, vector_store_id: str, *, poll_interval_ms: Any = NOT_GIVEN, **given: Any) -> Any:
    """Puts files into a vector store and waits until all are done."""
    batch = await api.call("vector_stores.file_batches.create", vector_store_id, **given)
    return await _poll_batch(
        api, batch.id, vector_store_id=vector_store_id, poll_interval_ms=poll_interval_ms, **_options(given)
    )


@_helper("vector_stores.file_batches.upload_and_poll")
async def _upload_batch(
    api: Api,
    vector_store_id: str,
    *,
    files: Iterable[Any],
    max_concurrency: int = 5,
    file_ids: Iterable[str] = (),
    poll_interval_ms: Any = NOT_GIVEN,
    chunking_strategy: Any = NOT_GIVEN,
    **given: Any,
) -> Any:
    """Uploads files, several at once, puts them into a vector store and waits until all are done."""

    def upload(file: Any) -> Callable[[], Coroutine[Any, Any, Any]]:
        return lambda: api.call("files.create", file=file, purpose="assistants", **_options(given))

    made = await api.runner.gather([upload(file) for file in files], max(1, max_concurrency))
    ids = [*file_ids, *(file.id for file in made)]
    return await _create_batch(
        api,
        vector_store_id,
        file_ids=ids,
        poll_interval_ms=poll_interval_ms,
        chunking_strategy=chunking_strategy,
        **given,
    )


@_helper("files.wait_for_processing")
async def _wait_for_file(api: Api, id: str, *, poll_interval: float = 5.0, max_wait_seconds: float = 1800) -> Any:
    """Waits until a file is processed, or cannot be."""
    until = time.monotonic() + max_wait_seconds
    while True:
        file = await api.call("files.retrieve", id)
        if file.status in ("processed", "error", "deleted"):
            return file
        if time.monotonic() > until:
            raise RuntimeError(
                f"Giving up on waiting for file {id} to finish processing after {max_wait_seconds} seconds."
            )
        await api.runner.sleep(poll_interval)


@_helper("videos.poll")
async def _poll_video(api: Api, video_id: str, *, poll_interval_ms: Any = NOT_GIVEN) -> Any:
    """Waits until a video is made, or cannot be."""

    async def ask() -> Any:
        return await api.raw("videos.retrieve", video_id)

    return await _poll(api, ask, lambda video: video.status in ("completed", "failed"), poll_interval_ms)


@_helper("videos.create_and_poll")
async def _create_video(api: Api, *, poll_interval_ms: Any = NOT_GIVEN, **given: Any) -> Any:
    """Asks for a video and waits until it is made."""
    video = await api.call("videos.create", **given)
    return await _poll_video(api, video.id, poll_interval_ms=poll_interval_ms)


@_helper("uploads.upload_file_chunked")
async def _upload_chunked(
    api: Api,
    *,
    file: Any,
    mime_type: str,
    purpose: str,
    filename: Optional[str] = None,
    bytes: Optional[int] = None,
    part_size: Optional[int] = None,
    md5: Any = NOT_GIVEN,
) -> Any:
    """Uploads a large file in parts. Of it, one part at a time is in memory."""
    is_path = isinstance(file, (str, os.PathLike))
    if is_path:
        filename = filename or PurePath(file).name
        bytes = os.stat(file).st_size if bytes is None else bytes
    elif isinstance(file, (bytearray, memoryview)) or type(file).__name__ == "bytes":
        if filename is None or bytes is None:
            raise TypeError("The `filename` and `bytes` arguments must be given for in-memory files")
    elif filename is None or bytes is None:
        raise TypeError("the `filename` and the `bytes` must be given for a file that is not a path")
    size = part_size or _PART
    upload = await api.call("uploads.create", bytes=bytes, filename=filename, mime_type=mime_type, purpose=purpose)
    source: Any = open(file, "rb") if is_path else file if hasattr(file, "read") else io.BytesIO(file)
    parts: List[str] = []
    try:
        while True:
            data = await api.runner.offload(lambda: source.read(size))
            if not data:
                break
            part = await api.call("uploads.parts.create", upload.id, data=data)
            parts.append(part.id)
    finally:
        if is_path:
            source.close()
    return await api.call("uploads.complete", upload.id, part_ids=parts, md5=md5)


@_helper("files.retrieve_content")
async def _retrieve_content(api: Api, file_id: str, **given: Any) -> str:
    """The content of a file as a text; `files.content` gives it as it is."""
    request = api.made("files.content", (file_id,), given)
    request.headers.pop("Accept", None)
    request.cast = str
    text: str = await api.asked(request)
    return text


# What answers say, as what was asked for.


@_helper("chat.completions.parse")
async def _parse_chat(api: Api, *, response_format: Any = NOT_GIVEN, tools: Any = NOT_GIVEN, **given: Any) -> Any:
    """A chat completion whose text is read as `response_format`, and the arguments of its calls as their tools'."""
    tools = parsing.chosen(tools)
    parsing.checked_tools(tools)
    wanted = parsing.response_format(response_format)
    completion = await api.call("chat.completions.create", response_format=wanted, tools=tools, **given)
    return parsing.parsed_chat(api, completion._data, response_format, tools, completion._meta)


@_direct("chat.completions.stream")
def _stream_chat(api: Api, *, response_format: Any = NOT_GIVEN, tools: Any = NOT_GIVEN, **given: Any) -> GrowingManager:
    """A chat completion as it grows, in a `with` block: events, and the whole at the end."""
    tools = parsing.chosen(tools)
    given.update(response_format=parsing.response_format(response_format), tools=tools, stream=True)
    state = ChatCompletionStreamState(input_tools=tools, response_format=response_format, api=api)
    return GrowingManager(api, api.made("chat.completions.create", (), given), state)


def _with_text(text: Any, wanted: Any) -> Any:
    if not parsing.is_type(wanted):
        return text
    if isinstance(text, Mapping) and "format" in text:
        raise TypeError("Cannot mix and match text.format with text_format")
    return {**(text or {}), "format": parsing.text_format(wanted)}


@_helper("responses.parse")
async def _parse_response(
    api: Api, *, text_format: Any = NOT_GIVEN, text: Any = NOT_GIVEN, tools: Any = NOT_GIVEN, **given: Any
) -> Any:
    """An answer whose text is read as `text_format`, and the arguments of its calls as their tools'."""
    wanted = given.pop("parse_as", text_format)
    tools = parsing.chosen(tools)
    parsing.checked_tools([tool for tool in tools or [] if tool.get("type") == "function"])
    response = await api.call("responses.create", text=_with_text(text, wanted), tools=tools, **given)
    return parsing.parsed_response(response._data, wanted, tools, response._meta)


@_direct("responses.stream")
def _stream_response(
    api: Api,
    *,
    text_format: Any = NOT_GIVEN,
    text: Any = NOT_GIVEN,
    tools: Any = NOT_GIVEN,
    response_id: Any = NOT_GIVEN,
    starting_after: Any = NOT_GIVEN,
    **given: Any,
) -> GrowingManager:
    """An answer as it grows, in a `with` block: a new one, or one that goes on in the background."""
    tools = parsing.chosen(tools)
    state = ResponseStreamState(text_format=text_format, input_tools=tools, api=api)
    if not isinstance(response_id, NotGiven):
        asked = {**_options(given), "stream": True, "starting_after": starting_after}
        return GrowingManager(api, api.made("responses.retrieve", (response_id,), asked), state)
    given.update(text=_with_text(text, text_format), tools=tools, stream=True)
    return GrowingManager(api, api.made("responses.create", (), given), state)


# The rest.


@_helper("realtime.calls.create")
async def _create_call(api: Api, *, sdp: str, session: Any = NOT_GIVEN, **given: Any) -> Any:
    """Begins a call over WebRTC: an offer goes out, an answer comes back."""
    request = api.made("realtime.calls.create", (), {**given, "sdp": sdp})
    if isinstance(session, NotGiven):
        request.body = sdp.encode()
        request.headers["Content-Type"] = "application/sdp"
    else:
        from .encode import json_bytes

        request.files = ("sdp", "session")
        request.body = {
            "sdp": (None, sdp.encode(), "application/sdp"),
            "session": (None, json_bytes(session), "application/json"),
        }
    return await api.asked(request)


HELPERS["webhooks.unwrap"] = webhooks.unwrap
HELPERS["webhooks.verify_signature"] = webhooks.verify_signature


def _no_sockets(api: Api, *_: Any, **__: Any) -> Any:
    """Not there: this client has no WebSockets."""
    raise NotImplementedError("this client has no WebSockets: use one of your choice with the gateway's /v1/realtime")


for _name in (
    "beta.realtime.connect",
    "beta.responses.connect",
    "live.connect",
    "live.forks.connect",
    "live.sideband.connect",
    "realtime.connect",
    "realtime.translations.connect",
    "responses.connect",
):
    HELPERS[_name] = _no_sockets
