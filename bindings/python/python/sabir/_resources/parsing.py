"""Structured answers: types as strict JSON Schemas, and texts of models as values of those types.

A type is a pydantic model, a pydantic dataclass, or anything that `_hints` has a schema for (dataclasses,
`TypedDict`, enumerations, lists and unions of them).
"""

from __future__ import annotations

import json
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from .encode import NOT_GIVEN, NotGiven
from .objects import ApiObject, ParsedResponse, kind


def is_type(value: Any) -> bool:
    """Whether it names what is wanted, where a plain response format is a mapping."""
    return not (value is None or isinstance(value, (Mapping, NotGiven)))


def schema_for(wanted: Any) -> Dict[str, Any]:
    """The strict schema of a type."""
    if hasattr(wanted, "model_json_schema"):
        schema: Any = wanted.model_json_schema()
    elif hasattr(wanted, "__pydantic_validator__"):
        schema = _adapter(wanted).json_schema()
    else:
        from .._hints import schema_of

        schema = schema_of(wanted)
    made: Dict[str, Any] = strict(schema, schema)
    return made


def read(wanted: Any, text: str) -> Any:
    """A text as a value of a type."""
    if hasattr(wanted, "model_validate_json"):
        return wanted.model_validate_json(text)
    if hasattr(wanted, "__pydantic_validator__"):
        return _adapter(wanted).validate_json(text)
    from .._hints import value_of

    return value_of(wanted, json.loads(text))


_ADAPTERS: Dict[Any, Any] = {}


def _adapter(wanted: Any) -> Any:
    # Pydantic builds a validator for each: one for each type is enough.
    if wanted not in _ADAPTERS:
        # Whoever has such a type has pydantic.
        from pydantic import TypeAdapter  # type: ignore[import-not-found, unused-ignore]

        _ADAPTERS[wanted] = TypeAdapter(wanted)
    return _ADAPTERS[wanted]


def strict(schema: Any, root: Mapping[str, Any]) -> Any:
    """A schema as strict mode wants it: every member required, and no others."""
    if not isinstance(schema, dict):
        raise TypeError(f"expected a JSON Schema, not {schema!r}")
    schema = dict(schema)
    for name in ("$defs", "definitions"):
        if isinstance(schema.get(name), dict):
            schema[name] = {key: strict(item, root) for key, item in schema[name].items()}
    if schema.get("type") == "object" and "additionalProperties" not in schema:
        schema["additionalProperties"] = False
    properties = schema.get("properties")
    if isinstance(properties, dict):
        schema["required"] = list(properties)
        schema["properties"] = {key: strict(item, root) for key, item in properties.items()}
    if isinstance(schema.get("items"), dict):
        schema["items"] = strict(schema["items"], root)
    if isinstance(schema.get("anyOf"), list):
        schema["anyOf"] = [strict(item, root) for item in schema["anyOf"]]
    arms = schema.get("allOf")
    if isinstance(arms, list):
        if len(arms) == 1:
            del schema["allOf"]
            schema.update(strict(arms[0], root))
        else:
            schema["allOf"] = [strict(item, root) for item in arms]
    if "default" in schema and schema["default"] is None:
        del schema["default"]
    reference = schema.get("$ref")
    if isinstance(reference, str) and len(schema) > 1:
        # Nothing may stand beside a reference: what it means is put in its place.
        del schema["$ref"]
        return strict({**_resolved(reference, root), **schema}, root)
    return schema


def _resolved(reference: str, root: Mapping[str, Any]) -> Dict[str, Any]:
    found: Any = root
    if not reference.startswith("#/"):
        raise ValueError(f"the reference {reference!r} is not within the schema")
    for key in reference[2:].split("/"):
        found = found[key]
    if not isinstance(found, dict):
        raise ValueError(f"the reference {reference!r} is no schema")
    return found


def _name(wanted: Any) -> str:
    return getattr(wanted, "__name__", None) or "answer"


def response_format(wanted: Any) -> Any:
    """What a chat completion is asked for, so that its text is a value of this type."""
    if not is_type(wanted):
        return wanted
    schema = {"schema": schema_for(wanted), "name": _name(wanted), "strict": True}
    return {"type": "json_schema", "json_schema": schema}


def text_format(wanted: Any) -> Dict[str, Any]:
    """The same for the Responses API."""
    return {"type": "json_schema", "strict": True, "name": _name(wanted), "schema": schema_for(wanted)}


class FunctionTool(Dict[str, Any]):
    """A tool that knows the type of its arguments."""

    model: Any


def pydantic_function_tool(
    model: Any, *, name: Optional[str] = None, description: Optional[str] = None
) -> FunctionTool:
    """A strict tool whose arguments are values of a type, for chat completions."""
    tool = FunctionTool(type="function", function=_function(model, name, description))
    tool.model = model
    return tool


def pydantic_responses_function_tool(
    model: Any, *, name: Optional[str] = None, description: Optional[str] = None, defer_loading: Any = NOT_GIVEN
) -> FunctionTool:
    """A strict tool whose arguments are values of a type, for the Responses API."""
    tool = FunctionTool(type="function", **_function(model, name, description))
    if not isinstance(defer_loading, NotGiven):
        tool["defer_loading"] = defer_loading
    tool.model = model
    return tool


def _function(model: Any, name: Optional[str], description: Optional[str]) -> Dict[str, Any]:
    function = {"name": name or _name(model), "strict": True, "parameters": schema_for(model)}
    told = description if description is not None else getattr(model, "__doc__", None)
    if told:
        function["description"] = told
    return function


def checked_tools(tools: Any) -> None:
    """Refuses tools whose arguments cannot be read."""
    for tool in tools or []:
        if not isinstance(tool, Mapping) or tool.get("type") != "function":
            told = tool.get("type") if isinstance(tool, Mapping) else tool
            raise ValueError(f"Currently only `function` tool types support auto-parsing; Received `{told}`")
        if not _is_strict(tool):
            name = (tool.get("function") or tool).get("name")
            raise ValueError(f"`{name}` is not strict. Only `strict` function tools can be auto-parsed")


def _is_strict(tool: Mapping[str, Any]) -> bool:
    return (tool.get("function") or tool).get("strict") is True


def arguments_of(tools: Any, name: Optional[str], text: str) -> Any:
    """The arguments of a call: as a value of the tool's type, as JSON if it is strict, else nothing."""
    for tool in tools or []:
        if isinstance(tool, Mapping) and (tool.get("function") or tool).get("name") == name:
            if isinstance(tool, FunctionTool):
                return read(tool.model, text)
            return json.loads(text) if _is_strict(tool) else None
    return None


def has_parseable(wanted: Any, tools: Any) -> bool:
    """Whether there is something to be read in an answer."""
    return is_type(wanted) or any(isinstance(tool, Mapping) and _is_strict(tool) for tool in tools or [])


def parsed_chat(api: Any, completion: Mapping[str, Any], wanted: Any, tools: Any, meta: Any = None) -> ApiObject:
    """A chat completion with its texts and the arguments of its calls read."""
    made = kind("ParsedChatCompletion")(dict(completion), meta)
    for choice in made.choices or []:
        if choice.finish_reason == "length":
            raise api.cut_off(made)
        if choice.finish_reason == "content_filter":
            raise api.filtered(made)
        message = choice.message
        if message is None:
            continue
        text = message.content
        message._made["parsed"] = read(wanted, text) if is_type(wanted) and text and not message.refusal else None
        for call in message.tool_calls or []:
            if call.type in (None, "function") and call.function is not None:
                found = arguments_of(tools, call.function.name, call.function.arguments)
                call.function._made["parsed_arguments"] = found
    return made


def parsed_response(response: Mapping[str, Any], wanted: Any, tools: Any, meta: Any = None) -> ParsedResponse:
    """An answer of the Responses API with its texts and the arguments of its calls read."""
    made = ParsedResponse(dict(response), meta)
    for item in made.output or []:
        if item.type == "message" and item.phase in (None, "final_answer"):
            for part in item.content or []:
                if part.type == "output_text":
                    part._made["parsed"] = read(wanted, part.text) if is_type(wanted) and part.text else None
        elif item.type == "function_call":
            item._made["parsed_arguments"] = arguments_of(tools, item.name, item.arguments)
    return made


def partial_json(text: str) -> Any:
    """What of a JSON text is there already; nothing if that is nothing. A text that is cut off is left out."""
    closed, keep = _closed(text)
    while keep:
        try:
            return json.loads(closed)
        except ValueError:
            # The end is half of something: a key without a value, a number, a word.
            keep = _shorter(text[:keep])
            closed, keep = _closed(text[:keep])
    return None


def _closed(text: str) -> Tuple[str, int]:
    """A text with what closes it, and how much of it counts."""
    stack: List[str] = []
    start = -1
    escaped = False
    for at, char in enumerate(text):
        if start >= 0:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                start = -1
        elif char == '"':
            start = at
        elif char in "{[":
            stack.append("}" if char == "{" else "]")
        elif char in "}]" and stack:
            stack.pop()
    kept = (text if start < 0 else text[:start]).rstrip().rstrip(",").rstrip()
    return kept + "".join(reversed(stack)), len(kept)


def _shorter(text: str) -> int:
    """Where the last whole thing ends."""
    inside = False
    escaped = False
    last = 0
    for at, char in enumerate(text):
        if inside:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                inside = False
        elif char == '"':
            inside = True
        elif char in ",":
            last = at
        elif char in "{[" and at + 1 < len(text):
            last = at + 1
    return last


def chosen(tools: Any) -> Any:
    """Tools as they are sent."""
    return tools if isinstance(tools, NotGiven) or tools is None else list(tools)


def accumulate(held: Dict[str, Any], delta: Mapping[str, Any]) -> Dict[str, Any]:
    """Adds a piece to what came so far: texts and numbers are added, lists are merged by `index`."""
    for key, value in delta.items():
        before = held.get(key)
        if before is None and not (
            isinstance(value, list) and any(isinstance(v, dict) and "index" in v for v in value)
        ):
            held[key] = value
        elif key in ("index", "type") or value is None:
            held[key] = value if value is not None else before
        elif isinstance(before, str) and isinstance(value, str):
            held[key] = before + value
        elif isinstance(before, (int, float)) and isinstance(value, (int, float)):
            held[key] = before + value
        elif isinstance(before, dict) and isinstance(value, dict):
            held[key] = accumulate(before, value)
        elif isinstance(value, list):
            held[key] = _merged(before or [], value)
        else:
            held[key] = value
    return held


def _merged(held: List[Any], more: Iterable[Any]) -> List[Any]:
    for item in more:
        if not isinstance(item, dict) or not isinstance(item.get("index"), int):
            held.append(item)
            continue
        found = next((old for old in held if isinstance(old, dict) and old.get("index") == item["index"]), None)
        if found is None:
            held.append(accumulate({}, item))
            held.sort(key=lambda old: old.get("index", 0) if isinstance(old, dict) else 0)
        else:
            accumulate(found, item)
    return held
