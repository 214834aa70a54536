"""Answers of the Responses API as they grow: events with snapshots, and the whole."""

from __future__ import annotations

import copy
from typing import Any, Dict, List, Mapping, Optional

from .encode import NOT_GIVEN
from .objects import ApiObject, ParsedResponse
from .parsing import is_type, parsed_response, read

_ENDS = ("response.completed", "response.incomplete", "response.failed")


class ResponseStreamState:
    """Puts the events of an answer together."""

    def __init__(self, *, text_format: Any = NOT_GIVEN, input_tools: Any = NOT_GIVEN, api: Any = None) -> None:
        self._wanted = text_format
        self._tools = input_tools or []
        self._api = api
        self._whole: Optional[Dict[str, Any]] = None
        self._items: Dict[int, Dict[str, Any]] = {}
        self._final: Optional[ParsedResponse] = None

    @property
    def current_completion_snapshot(self) -> ParsedResponse:
        """What came so far."""
        if self._whole is None:
            raise RuntimeError("nothing came yet")
        return ParsedResponse(copy.deepcopy(self._snapshot()))

    def get_final_response(self) -> ParsedResponse:
        """The whole answer."""
        if self._final is None:
            raise RuntimeError("the stream ended before its answer was complete")
        return self._final

    def handle_chunk(self, piece: Any) -> List[ApiObject]:
        """Takes an event and gives it back with what it adds up to."""
        data: Dict[str, Any] = piece.to_dict()
        name = data.get("type")
        if self._whole is None:
            if "response" not in data:
                raise RuntimeError(f"Expected to have received `response.created` before `{name}`")
            self._whole = copy.deepcopy(data["response"])
            for at, item in enumerate(self._whole.get("output") or []):
                self._items[at] = item
        made = type(piece)(data)
        if name in _ENDS:
            whole = dict(data["response"])
            if whole.get("id") not in (None, self._whole.get("id")):
                raise RuntimeError("an event belongs to another answer")
            if not whole.get("output"):
                whole["output"] = self._snapshot()["output"]
            if name == "response.completed":
                self._final = parsed_response(whole, self._wanted, self._tools)
                made._made["response"] = self._final
            else:
                self._final = ParsedResponse(whole)
        else:
            self._add(str(name), data, made)
        return [made]

    def _snapshot(self) -> Dict[str, Any]:
        return {**(self._whole or {}), "output": [item for _, item in sorted(self._items.items())]}

    def _add(self, name: str, data: Mapping[str, Any], made: ApiObject) -> None:
        index = data.get("output_index")
        if not isinstance(index, int):
            return
        if name == "response.output_item.added":
            if index in self._items:
                raise RuntimeError(f"there is an item {index} already")
            self._items[index] = copy.deepcopy(data["item"])
            return
        if name == "response.output_item.done":
            self._items[index] = copy.deepcopy(data["item"])
            return
        item = self._items.get(index)
        if item is None:
            return
        if name == "response.content_part.added":
            parts = item.setdefault("content", [])
            parts[data["content_index"] :] = [copy.deepcopy(data["part"])]
        elif name in ("response.output_text.delta", "response.output_text.done"):
            part = self._part(item, data.get("content_index", 0))
            if name.endswith("delta"):
                part["text"] = (part.get("text") or "") + data["delta"]
                made._made["snapshot"] = part["text"]
            else:
                part["text"] = data.get("text", part.get("text"))
                made._made["parsed"] = read(self._wanted, part["text"]) if is_type(self._wanted) else None
        elif name in ("response.refusal.delta", "response.refusal.done"):
            part = self._part(item, data.get("content_index", 0))
            before = part.get("refusal") or ""
            part["refusal"] = before + data["delta"] if name.endswith("delta") else data.get("refusal", before)
        elif name in ("response.function_call_arguments.delta", "response.function_call_arguments.done"):
            if name.endswith("delta"):
                item["arguments"] = (item.get("arguments") or "") + data["delta"]
                made._made["snapshot"] = item["arguments"]
            else:
                item["arguments"] = data.get("arguments", item.get("arguments"))

    @staticmethod
    def _part(item: Dict[str, Any], index: int) -> Dict[str, Any]:
        parts: List[Dict[str, Any]] = item.setdefault("content", [])
        while len(parts) <= index:
            parts.append({"type": "output_text", "text": "", "annotations": []})
        return parts[index]
