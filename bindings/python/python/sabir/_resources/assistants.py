"""Runs of assistants as they happen: what is called back, and snapshots of what grows."""

from __future__ import annotations

import copy
import inspect
from typing import Any, AsyncIterator, Dict, Generator, Iterator, List, Optional

from .._errors import APITimeoutError
from .encode import NotGiven
from .objects import ApiObject, kind
from .parsing import accumulate


class _Nothing:
    """What a call-back gives that nobody wrote: it may be awaited, and need not be."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


_NOTHING: Any = _Nothing()


class _Handler:
    """Follows the events of a run. Subclasses override what they want to be told of."""

    def __init__(self) -> None:
        self._raw: Any = None
        self._api: Any = None
        self._event: Optional[ApiObject] = None
        self._run: Optional[ApiObject] = None
        self._steps: Dict[str, Dict[str, Any]] = {}
        self._messages: Dict[str, Dict[str, Any]] = {}
        self._step: Optional[Dict[str, Any]] = None
        self._message: Optional[Dict[str, Any]] = None
        self._text: Any = None
        self._content: Any = None
        self._tool: Any = None
        self._ended = False

    def _init(self, raw: Any) -> None:
        if self._raw is not None:
            raise RuntimeError("A single event handler cannot be shared between multiple streams")
        self._raw = raw
        self._api = raw._api

    # What happens. Those of an async handler are coroutines.

    def on_event(self, event: Any) -> Any:
        """Every event."""
        return _NOTHING

    def on_run_step_created(self, run_step: Any) -> Any:
        return _NOTHING

    def on_run_step_delta(self, delta: Any, snapshot: Any) -> Any:
        return _NOTHING

    def on_run_step_done(self, run_step: Any) -> Any:
        return _NOTHING

    def on_message_created(self, message: Any) -> Any:
        return _NOTHING

    def on_message_delta(self, delta: Any, snapshot: Any) -> Any:
        return _NOTHING

    def on_message_done(self, message: Any) -> Any:
        return _NOTHING

    def on_text_created(self, text: Any) -> Any:
        return _NOTHING

    def on_text_delta(self, delta: Any, snapshot: Any) -> Any:
        return _NOTHING

    def on_text_done(self, text: Any) -> Any:
        return _NOTHING

    def on_image_file_done(self, image_file: Any) -> Any:
        return _NOTHING

    def on_tool_call_created(self, tool_call: Any) -> Any:
        return _NOTHING

    def on_tool_call_delta(self, delta: Any, snapshot: Any) -> Any:
        return _NOTHING

    def on_tool_call_done(self, tool_call: Any) -> Any:
        return _NOTHING

    def on_exception(self, exception: Exception) -> Any:
        """The stream failed."""
        return _NOTHING

    def on_timeout(self) -> Any:
        """The stream failed since nothing came in time."""
        return _NOTHING

    def on_end(self) -> Any:
        """The stream is over, however it ended."""
        return _NOTHING

    # What is known.

    @property
    def current_event(self) -> Optional[ApiObject]:
        return self._event

    @property
    def current_run(self) -> Optional[ApiObject]:
        return self._run

    @property
    def current_run_step_snapshot(self) -> Optional[ApiObject]:
        return _step(self._step)

    @property
    def current_message_snapshot(self) -> Optional[ApiObject]:
        return _message(self._message)

    # How it goes on.

    async def _tell(self, name: str, *told: Any) -> None:
        result = getattr(self, name)(*told)
        if result is not _NOTHING and inspect.isawaitable(result):
            await result

    async def _next(self) -> Optional[ApiObject]:
        if self._raw is None:
            raise RuntimeError("the stream has not begun")
        if self._ended:
            return None
        try:
            event: Optional[ApiObject] = await self._raw._next()
            if event is not None:
                self._event = event
                await self._tell("on_event", event)
                await self._follow(event)
                return event
            await self._finish_text()
            await self._finish_tool()
        except Exception as error:
            if isinstance(error, APITimeoutError) or type(error).__name__ == "APITimeoutError":
                await self._tell("on_timeout")
            await self._tell("on_exception", error)
            await self._end()
            raise
        await self._end()
        return None

    async def _end(self) -> None:
        if not self._ended:
            self._ended = True
            await self._tell("on_end")

    async def _drain(self) -> None:
        while await self._next() is not None:
            pass

    async def _finals(self, what: str) -> Any:
        await self._drain()
        if what == "run":
            if self._run is None:
                raise RuntimeError("No final run object found")
            return self._run
        found = self._steps if what == "run steps" else self._messages
        if not found:
            raise RuntimeError(f"No final {what} found")
        return [(_step if what == "run steps" else _message)(item) for item in found.values()]

    async def _follow(self, event: ApiObject) -> None:
        name = str(event.event)
        data: Dict[str, Any] = event._data.get("data") or {}
        if name.startswith("thread.run.step."):
            await self._follow_step(name[len("thread.run.step.") :], data)
        elif name.startswith("thread.run."):
            self._run = kind("Run")(data)
        elif name.startswith("thread.message."):
            await self._follow_message(name[len("thread.message.") :], data)

    async def _follow_message(self, what: str, data: Dict[str, Any]) -> None:
        if what in ("created", "in_progress"):
            self._message = self._messages.setdefault(data["id"], copy.deepcopy(data))
            if what == "created":
                await self._tell("on_message_created", _message(self._message))
        elif what == "delta":
            message = self._message = self._messages.setdefault(data["id"], {"id": data["id"], "content": []})
            delta = data.get("delta") or {}
            held = message.get("content") or []
            message["content"] = held
            for piece in delta.get("content") or []:
                index = piece["index"]
                begins = not any(part.get("index") == index for part in held)
                accumulate(message, {"content": [copy.deepcopy(piece)]})
                held = message["content"]
                part = next(part for part in held if part.get("index") == index)
                if part is not self._content and begins:
                    await self._finish_text()
                    self._content = part
                    if part.get("type") == "text":
                        self._text = part
                        await self._tell("on_text_created", kind("Text")(part.get("text") or {}))
                if piece.get("type") == "text":
                    text = kind("TextDelta")(piece.get("text") or {})
                    await self._tell("on_text_delta", text, kind("Text")(part.get("text") or {}))
            await self._tell("on_message_delta", kind("MessageDelta")(delta), _message(message))
        else:
            self._messages[data["id"]] = data
            await self._finish_text()
            self._message = data
            await self._tell("on_message_done", _message(data))
            self._message = None

    async def _finish_text(self) -> None:
        part, self._content, self._text = self._content, None, None
        if part is None:
            return
        if part.get("type") == "text":
            await self._tell("on_text_done", kind("Text")(part.get("text") or {}))
        elif part.get("type") == "image_file":
            await self._tell("on_image_file_done", kind("ImageFile")(part.get("image_file") or {}))

    async def _follow_step(self, what: str, data: Dict[str, Any]) -> None:
        if what in ("created", "in_progress"):
            self._step = self._steps.setdefault(data["id"], copy.deepcopy(data))
            if what == "created":
                await self._tell("on_run_step_created", _step(self._step))
        elif what == "delta":
            step = self._step = self._steps.setdefault(data["id"], {"id": data["id"]})
            delta = data.get("delta") or {}
            accumulate(step, copy.deepcopy(delta))
            details = step.get("step_details") or {}
            for piece in (delta.get("step_details") or {}).get("tool_calls") or []:
                index = piece["index"]
                call = next(call for call in details["tool_calls"] if call.get("index") == index)
                if self._tool is None or self._tool.get("index") != index:
                    await self._finish_tool()
                    self._tool = call
                    await self._tell("on_tool_call_created", kind("ToolCall")(call))
                else:
                    self._tool = call
                    await self._tell("on_tool_call_delta", kind("ToolCallDelta")(piece), kind("ToolCall")(call))
            await self._tell("on_run_step_delta", kind("RunStepDelta")(delta), _step(step))
        else:
            await self._finish_tool()
            self._steps[data["id"]] = data
            self._step = data
            await self._tell("on_run_step_done", _step(data))
            self._step = None

    async def _finish_tool(self) -> None:
        call, self._tool = self._tool, None
        if call is not None:
            await self._tell("on_tool_call_done", kind("ToolCall")(call))

    @staticmethod
    def _text_of(event: ApiObject) -> List[str]:
        if event.event != "thread.message.delta":
            return []
        parts = (event._data["data"].get("delta") or {}).get("content") or []
        return [part["text"]["value"] for part in parts if part.get("type") == "text" and part["text"].get("value")]


class AssistantEventHandler(_Handler):
    """Follows the events of a run: by its call-backs, or by iterating over it."""

    def __next__(self) -> ApiObject:
        event: Optional[ApiObject] = self._api.runner.finish(self._next())
        if event is None:
            raise StopIteration
        return event

    def __iter__(self) -> Iterator[ApiObject]:
        return self

    @property
    def text_deltas(self) -> Iterator[str]:
        """The texts as they come."""
        for event in self:
            yield from self._text_of(event)

    def until_done(self) -> None:
        """Reads the rest."""
        self._api.runner.finish(self._drain())

    def get_final_run(self) -> ApiObject:
        return self._api.runner.finish(self._finals("run"))  # type: ignore[no-any-return]

    def get_final_run_steps(self) -> List[ApiObject]:
        return self._api.runner.finish(self._finals("run steps"))  # type: ignore[no-any-return]

    def get_final_messages(self) -> List[ApiObject]:
        return self._api.runner.finish(self._finals("messages"))  # type: ignore[no-any-return]

    def close(self) -> None:
        """Ends the call."""
        self._raw._end()


class AsyncAssistantEventHandler(_Handler):
    """Follows the events of a run: by its call-backs, which may be coroutines, or by iterating over it."""

    async def __anext__(self) -> ApiObject:
        event = await self._next()
        if event is None:
            raise StopAsyncIteration
        return event

    def __aiter__(self) -> AsyncIterator[ApiObject]:
        return self

    @property
    async def text_deltas(self) -> AsyncIterator[str]:
        """The texts as they come."""
        async for event in self:
            for text in self._text_of(event):
                yield text

    async def until_done(self) -> None:
        """Reads the rest."""
        await self._drain()

    async def get_final_run(self) -> ApiObject:
        return await self._finals("run")  # type: ignore[no-any-return]

    async def get_final_run_steps(self) -> List[ApiObject]:
        return await self._finals("run steps")  # type: ignore[no-any-return]

    async def get_final_messages(self) -> List[ApiObject]:
        return await self._finals("messages")  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Ends the call."""
        self._raw._end()


def handling(api: Any, handler: Any) -> Any:
    """What makes a handler of a stream: the caller's own, or a plain one."""

    def wrap(raw: Any) -> Any:
        made = handler
        if made is None or isinstance(made, NotGiven):
            made = AsyncAssistantEventHandler() if api.runner.is_async else AssistantEventHandler()
        made._init(raw)
        return made

    return wrap


def _message(data: Optional[Dict[str, Any]]) -> Optional[ApiObject]:
    return kind("Message")(data) if data is not None else None


def _step(data: Optional[Dict[str, Any]]) -> Optional[ApiObject]:
    return kind("RunStep")(data) if data is not None else None
