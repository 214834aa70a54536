"""Messages as callers write them, as they are sent, and as they are kept.

Two ways to write a call of a function are understood: OpenAI's `tool_calls`, and a message whose
content is the call (`{"name", "arguments"}`), which a message of role `function` answers. A
conversation may hold both.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional, Union

from ._errors import SabirError
from .types import Object

Message = Dict[str, Any]
#: One text, one message, or several.
Prompt = Union[str, Mapping[str, Any], Object, Iterable[Any]]

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


class MessageError(SabirError, ValueError):
    """A message that no model can be sent."""


def conversation(prompt: Prompt) -> List[Message]:
    """A prompt as messages, checked."""
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    if isinstance(prompt, (Mapping, Object)):
        prompt = [prompt]
    if not isinstance(prompt, Iterable):
        raise MessageError(f"a prompt is a text or messages, not {type(prompt).__name__}")
    return [_checked(index, message) for index, message in enumerate(prompt)]


def sent(messages: Iterable[Message], system_prompt: Optional[str]) -> List[Message]:
    """Messages as a chat completion takes them."""
    made: List[Message] = []
    # Calls whose answers are still to come, by their ids and names.
    open_calls: List[Dict[str, str]] = []
    count = 0
    for message in messages:
        content = message.get("content")
        if message["role"] == "assistant" and isinstance(content, Mapping):
            count += 1
            call = {"id": f"call_{count}", "name": content["name"]}
            open_calls.append(call)
            function = {"name": content["name"], "arguments": content.get("arguments") or "{}"}
            told = {"id": call["id"], "type": "function", "function": function}
            if made and made[-1]["role"] == "assistant" and made[-1].get("tool_calls"):
                # Calls in a row were one answer.
                made[-1]["tool_calls"].append(told)
            else:
                made.append({"role": "assistant", "content": None, "tool_calls": [told]})
        elif message["role"] == "function":
            call = _answered(open_calls, message)
            made.append({"role": "tool", "tool_call_id": call["id"], "content": content})
        else:
            made.append(dict(message))
    if system_prompt is not None and not (made and made[0]["role"] == "system"):
        made.insert(0, {"role": "system", "content": system_prompt})
    return made


def kept(message: Mapping[str, Any], as_content: bool) -> List[Message]:
    """What a model said as messages to keep: with calls as content, or as they came."""
    calls = message.get("tool_calls") or []
    if not as_content or not calls:
        members = {name: value for name, value in message.items() if value is not None or name == "content"}
        return [{**members, "role": "assistant", "content": message.get("content") if calls else text(message)}]
    said: List[Message] = [{"role": "assistant", "content": text(message)}] if text(message) else []
    for call in calls:
        function = call["function"]
        content = {"name": function["name"], "arguments": function["arguments"]}
        said.append({"role": "assistant", "content": content})
    return said


def calls_of(messages: Iterable[Mapping[str, Any]]) -> List[Dict[str, Any]]:
    """The calls of functions in what a model said: name, arguments, and the id if there is one."""
    found: List[Dict[str, Any]] = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, Mapping):
            found.append({"id": None, "name": content["name"], "arguments": content["arguments"]})
        for call in message.get("tool_calls") or []:
            found.append({"id": call.get("id"), **call["function"]})
    return found


def result_of(call: Mapping[str, Any], content: str) -> Message:
    """The message that answers a call."""
    if call["id"] is None:
        return {"role": "function", "name": call["name"], "content": content}
    return {"role": "tool", "tool_call_id": call["id"], "content": content}


def text(message: Mapping[str, Any]) -> str:
    """What a message says."""
    content = message.get("content")
    return content if isinstance(content, str) else ""


def _answered(open_calls: List[Dict[str, str]], message: Message) -> Dict[str, str]:
    for call in open_calls:
        if call["name"] == message["name"]:
            open_calls.remove(call)
            return call
    raise MessageError(f"a message of role `function` answers no call of `{message['name']}`")


def _checked(index: int, message: Any) -> Message:
    where = f"message {index}"
    if isinstance(message, Object):
        message = message.to_dict()
    if not isinstance(message, Mapping):
        raise MessageError(f"{where}: expected an object, not {type(message).__name__}")
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        raise MessageError(f"{where}: `{role}` is no role")
    if isinstance(content, Mapping):
        if role != "assistant" or not isinstance(content.get("name"), str):
            raise MessageError(f"{where}: only an assistant's message may hold a call, and it needs a name")
    elif isinstance(content, (list, tuple)):
        if not all(isinstance(part, Mapping) for part in content):
            raise MessageError(f"{where}: a part of the content is no object")
    elif not isinstance(content, str) and not (content is None and message.get("tool_calls")):
        raise MessageError(f"{where}: expected a text, not {type(content).__name__}")
    if role == "function" and not message.get("name"):
        raise MessageError(f"{where}: a message of role `function` needs a name")
    return dict(message)
