"""Chat completions as they grow: events, and a snapshot of the whole."""

from __future__ import annotations

import copy
from types import TracebackType
from typing import TYPE_CHECKING, Any, AsyncIterator, Dict, Iterator, List, Mapping, Optional, Type

from .encode import NOT_GIVEN
from .objects import ApiObject, kind
from .parsing import accumulate, arguments_of, has_parseable, is_type, parsed_chat, partial_json, read

if TYPE_CHECKING:
    from .engine import Api

_KINDS = {
    "chunk": "ChunkEvent",
    "content.delta": "ContentDeltaEvent",
    "content.done": "ContentDoneEvent",
    "refusal.delta": "RefusalDeltaEvent",
    "refusal.done": "RefusalDoneEvent",
    "tool_calls.function.arguments.delta": "FunctionToolCallArgumentsDeltaEvent",
    "tool_calls.function.arguments.done": "FunctionToolCallArgumentsDoneEvent",
    "logprobs.content.delta": "LogprobsContentDeltaEvent",
    "logprobs.content.done": "LogprobsContentDoneEvent",
    "logprobs.refusal.delta": "LogprobsRefusalDeltaEvent",
    "logprobs.refusal.done": "LogprobsRefusalDoneEvent",
}


def event(type: str, **members: Any) -> ApiObject:
    """An event. What is an object already stays the one that it is."""
    made = kind(_KINDS.get(type))({"type": type})
    for name, value in members.items():
        made._made[name] = value
    return made


class ChatCompletionStreamState:
    """Puts the pieces of a chat completion together; made for a stream of your own, it is fed by `handle_chunk`."""

    def __init__(self, *, input_tools: Any = NOT_GIVEN, response_format: Any = NOT_GIVEN, api: Any = None) -> None:
        self._tools = input_tools or []
        self._wanted = response_format
        self._api = api
        self._whole: Optional[Dict[str, Any]] = None
        #: What was said to be done, by choice.
        self._done: Dict[int, Dict[str, Any]] = {}

    @property
    def current_completion_snapshot(self) -> ApiObject:
        """What came so far."""
        if self._whole is None:
            raise RuntimeError("nothing came yet")
        return kind("ParsedChatCompletion")(copy.deepcopy(self._whole))

    def get_final_completion(self) -> ApiObject:
        """What came, with its texts read."""
        if self._whole is None:
            raise RuntimeError("nothing came")
        return parsed_chat(self._api or _Bare, copy.deepcopy(self._whole), self._wanted, self._tools)

    def handle_chunk(self, chunk: Any) -> List[ApiObject]:
        """Takes a piece and gives the events that it is."""
        data: Mapping[str, Any] = chunk.to_dict() if isinstance(chunk, ApiObject) else dict(chunk)
        self._take(copy.deepcopy(dict(data)))
        assert self._whole is not None
        # Events see the very snapshot that grows: a copy for each would take long with long answers.
        snapshot = kind("ParsedChatCompletion")(self._whole)
        events = [event("chunk", chunk=kind("ChatCompletionChunk")(data), snapshot=snapshot)]
        for choice in data.get("choices") or []:
            whole = self._choice(choice.get("index", 0))
            events += self._deltas(choice, whole)
            events += self._finished(choice, whole)
        return events

    def _take(self, data: Dict[str, Any]) -> None:
        if self._whole is None:
            rest = {name: value for name, value in data.items() if name not in ("choices", "object")}
            self._whole = {**rest, "object": "chat.completion", "choices": []}
        else:
            for name in ("usage", "system_fingerprint", "service_tier"):
                if name in data:
                    self._whole[name] = data[name]
        for choice in data.get("choices") or []:
            whole = self._choice(choice.get("index", 0))
            delta = choice.get("delta") or {}
            if whole["message"].get("role") is not None:
                # Some servers say who speaks with each piece.
                delta = {name: value for name, value in delta.items() if name != "role"}
            calls = delta.get("tool_calls")
            for at, call in enumerate(calls or []):
                # Some servers do not say which call a piece belongs to.
                call.setdefault("index", at)
            accumulate(whole["message"], delta)
            if choice.get("finish_reason") is not None:
                whole["finish_reason"] = choice["finish_reason"]
            told = choice.get("logprobs")
            if told:
                held = whole.get("logprobs") or {}
                for name in ("content", "refusal"):
                    if told.get(name):
                        held[name] = (held.get(name) or []) + told[name]
                whole["logprobs"] = held
            for name, value in choice.items():
                if name not in ("index", "delta", "finish_reason", "logprobs"):
                    whole[name] = value

    def _choice(self, index: int) -> Dict[str, Any]:
        assert self._whole is not None
        choices: List[Dict[str, Any]] = self._whole["choices"]
        for choice in choices:
            if choice["index"] == index:
                return choice
        made: Dict[str, Any] = {"index": index, "finish_reason": None, "logprobs": None, "message": {}}
        choices.append(made)
        choices.sort(key=lambda choice: choice["index"])
        return made

    def _deltas(self, choice: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[ApiObject]:
        delta, message = choice.get("delta") or {}, whole["message"]
        if delta.get("content") is not None:
            parsed = partial_json(message["content"]) if is_type(self._wanted) and not message.get("refusal") else None
            yield event("content.delta", delta=delta["content"], snapshot=message["content"], parsed=parsed)
        if delta.get("refusal") is not None:
            yield event("refusal.delta", delta=delta["refusal"], snapshot=message["refusal"])
        for at, piece in enumerate(delta.get("tool_calls") or []):
            call = _call(message, piece.get("index", at))
            function = call.get("function") or {}
            text = function.get("arguments") or ""
            strict = arguments_strict(self._tools, function.get("name"))
            yield event(
                "tool_calls.function.arguments.delta",
                name=function.get("name"),
                index=call["index"],
                arguments=text,
                parsed_arguments=partial_json(text) if strict else None,
                arguments_delta=(piece.get("function") or {}).get("arguments") or "",
            )
        told = choice.get("logprobs") or {}
        for name in ("content", "refusal"):
            if told.get(name):
                yield event(f"logprobs.{name}.delta", **{name: told[name], "snapshot": whole["logprobs"][name]})

    def _finished(self, choice: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[ApiObject]:
        done = self._done.setdefault(whole["index"], {"said": set(), "tool": None})
        finish, message = choice.get("finish_reason"), whole["message"]
        pieces = (choice.get("delta") or {}).get("tool_calls") or []
        if finish is not None and has_parseable(self._wanted, self._tools) and self._api is not None:
            if finish == "length":
                raise self._api.cut_off(self.current_completion_snapshot)
            if finish == "content_filter":
                raise self._api.filtered(self.current_completion_snapshot)
        if finish is not None or pieces:
            yield from self._said(done["said"], whole, message)
        for at, piece in enumerate(pieces):
            index = piece.get("index", at)
            if done["tool"] is not None and done["tool"] != index:
                yield self._tool_done(message, done["tool"])
            done["tool"] = index
        if finish is not None and done["tool"] is not None:
            yield self._tool_done(message, done["tool"])
            done["tool"] = None

    def _said(self, said: Any, whole: Mapping[str, Any], message: Mapping[str, Any]) -> Iterator[ApiObject]:
        text = message.get("content")
        if text and "content" not in said:
            said.add("content")
            parsed = read(self._wanted, text) if is_type(self._wanted) and not message.get("refusal") else None
            yield event("content.done", content=text, parsed=parsed)
        if message.get("refusal") and "refusal" not in said:
            said.add("refusal")
            yield event("refusal.done", refusal=message["refusal"])
        for name in ("content", "refusal"):
            told = (whole.get("logprobs") or {}).get(name)
            if told and f"logprobs.{name}" not in said:
                said.add(f"logprobs.{name}")
                yield event(f"logprobs.{name}.done", **{name: told})

    def _tool_done(self, message: Mapping[str, Any], index: int) -> ApiObject:
        function = _call(message, index).get("function") or {}
        name, text = function.get("name"), function.get("arguments") or ""
        parsed = arguments_of(self._tools, name, text) if arguments_strict(self._tools, name) else None
        return event(
            "tool_calls.function.arguments.done", name=name, index=index, arguments=text, parsed_arguments=parsed
        )


def _call(message: Mapping[str, Any], index: int) -> Dict[str, Any]:
    calls: List[Dict[str, Any]] = message.get("tool_calls") or []
    return next((call for call in calls if call.get("index") == index), {"index": index})


def arguments_strict(tools: Any, name: Optional[str]) -> bool:
    """Whether the arguments of calls of this tool are read."""
    for tool in tools or []:
        function = (tool.get("function") or tool) if isinstance(tool, Mapping) else {}
        if function.get("name") == name:
            return function.get("strict") is True
    return False


class _Bare:
    """What is raised where there is no client."""

    @staticmethod
    def cut_off(_: Any) -> Exception:
        return ValueError("the answer was cut off: there is nothing to read")

    @staticmethod
    def filtered(_: Any) -> Exception:
        return ValueError("the answer was filtered: there is nothing to read")


class _Growing:
    """A stream of events of one kind of state."""

    def __init__(self, api: Api, raw: Any, state: Any) -> None:
        self._api = api
        self._raw = raw
        self._state = state
        self._held: List[Any] = []

    @property
    def response(self) -> Any:
        """The head of the answer."""
        return self._raw.response

    @property
    def request_id(self) -> Optional[str]:
        return self._raw.request_id  # type: ignore[no-any-return]

    async def _next(self) -> Any:
        while not self._held:
            piece = await self._raw._next()
            if piece is None:
                return None
            try:
                self._held = list(self._state.handle_chunk(piece))
            except BaseException:
                self._raw._end()
                raise
        return self._held.pop(0)

    async def _drain(self) -> None:
        while await self._next() is not None:
            pass

    async def _final(self, name: str) -> Any:
        await self._drain()
        return getattr(self._state, name)()

    @property
    def current_completion_snapshot(self) -> ApiObject:
        """What came so far."""
        return self._state.current_completion_snapshot  # type: ignore[no-any-return]


class GrowingStream(_Growing, Iterator[Any]):
    """Events of an answer that grows."""

    def __next__(self) -> Any:
        one = self._api.runner.finish(self._next())
        if one is None:
            raise StopIteration
        return one

    def __enter__(self) -> GrowingStream:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the call."""
        self._raw._end()

    def until_done(self) -> GrowingStream:
        """Reads the rest."""
        self._api.runner.finish(self._drain())
        return self

    def get_final_completion(self) -> Any:
        """Reads the rest and gives the whole chat completion."""
        return self._api.runner.finish(self._final("get_final_completion"))

    def get_final_response(self) -> Any:
        """Reads the rest and gives the whole answer of the Responses API."""
        return self._api.runner.finish(self._final("get_final_response"))


class AsyncGrowingStream(_Growing, AsyncIterator[Any]):
    """Events of an answer that grows."""

    async def __anext__(self) -> Any:
        one = await self._next()
        if one is None:
            raise StopAsyncIteration
        return one

    async def __aenter__(self) -> AsyncGrowingStream:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the call."""
        self._raw._end()

    async def until_done(self) -> AsyncGrowingStream:
        """Reads the rest."""
        await self._drain()
        return self

    async def get_final_completion(self) -> Any:
        """Reads the rest and gives the whole chat completion."""
        return await self._final("get_final_completion")

    async def get_final_response(self) -> Any:
        """Reads the rest and gives the whole answer of the Responses API."""
        return await self._final("get_final_response")


class GrowingManager:
    """A call that is made when `with` begins, and ended when it does."""

    def __init__(self, api: Api, request: Any, state: Any, wrap: Any = None) -> None:
        self._api = api
        self._request = request
        self._state = state
        self._wrap = wrap
        self._stream: Any = None

    async def _open(self) -> Any:
        raw = await self._api.asked(self._request)
        if self._wrap is not None:
            self._stream = self._wrap(raw)
        else:
            made = AsyncGrowingStream if self._api.runner.is_async else GrowingStream
            self._stream = made(self._api, raw, self._state)
        return self._stream

    def _end(self) -> None:
        if self._stream is not None:
            self._stream._raw._end()

    def __enter__(self) -> Any:
        return self._api.runner.finish(self._open())

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._end()

    async def __aenter__(self) -> Any:
        return await self._open()

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._end()
