"""Python functions that a model may call: their JSON Schema comes from hints and docstrings.

What a model sends is checked against the hints before the function runs, so that a wrong argument
is an answer to the model and not a surprise in the function.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any, Callable, Dict, Generic, List, Mapping, Optional, TypeVar, Union, get_type_hints, overload

from ._docstrings import described
from ._errors import SabirError
from ._hints import schema_of, value_of

R = TypeVar("R")


class FunctionError(SabirError, ValueError):
    """A function that cannot be offered, or arguments that do not fit it."""


class Function(Generic[R]):
    """A function with its schema. Calling it calls the function."""

    def __init__(self, function: Callable[..., R], *, name: Optional[str] = None) -> None:
        self.function = function
        self.name: str = name or function.__name__
        self.docstring = inspect.getdoc(function) or ""
        self.description, texts = described(self.docstring)
        self.parameters = _parameters(function, texts)
        self.__name__ = self.name
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self._hints = _hints(function)
        self._signature = inspect.signature(function)

    @property
    def json_schema(self) -> Dict[str, Any]:
        """The function as models are told of it."""
        return {"name": self.name, "description": self.description, "parameters": self.parameters}

    @property
    def tool(self) -> Dict[str, Any]:
        """The function as a tool of a chat completion."""
        return {"type": "function", "function": self.json_schema}

    @property
    def is_async(self) -> bool:
        """Whether its result has to be awaited."""
        return inspect.iscoroutinefunction(self.function)

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        return self.function(*args, **kwargs)

    def call(self, arguments: Union[str, Mapping[str, Any], None]) -> R:
        """Calls it with arguments as a model writes them: JSON, checked against the hints."""
        return self.function(**self.checked(arguments))

    def call_with_message(self, message: Mapping[str, Any]) -> R:
        """Calls it with the arguments of a message whose content is a call of it."""
        content = message.get("content")
        if not isinstance(content, Mapping) or content.get("name") != self.name:
            raise FunctionError(f"the message is no call of `{self.name}`")
        return self.call(content.get("arguments"))

    def checked(self, arguments: Union[str, Mapping[str, Any], None]) -> Dict[str, Any]:
        """Arguments of the types that the function expects."""
        if isinstance(arguments, str):
            try:
                # Models write line ends into texts, which strict JSON forbids.
                arguments = json.loads(arguments or "{}", strict=False)
            except ValueError as error:
                raise FunctionError(f"the arguments of `{self.name}` are not JSON: {error}") from error
        if arguments is None:
            arguments = {}
        if not isinstance(arguments, Mapping):
            raise FunctionError(f"the arguments of `{self.name}` are not an object")
        known = self._signature.parameters
        for name in arguments:
            if name not in known:
                raise FunctionError(f"`{self.name}` has no parameter `{name}`")
        for name, parameter in known.items():
            if parameter.default is inspect.Parameter.empty and name not in arguments:
                raise FunctionError(f"`{self.name}` needs the parameter `{name}`")
        made = {}
        for name, value in arguments.items():
            try:
                made[name] = value_of(self._hints.get(name, Any), value)
            except (ValueError, TypeError) as error:
                raise FunctionError(f"parameter `{name}` of `{self.name}`: {error}") from error
        return made

    def __repr__(self) -> str:
        return f"Function({self.name!r})"


@overload
def function(target: Callable[..., R]) -> Function[R]: ...
@overload
def function(*, name: Optional[str] = None) -> Callable[[Callable[..., R]], Function[R]]: ...
def function(target: Optional[Callable[..., Any]] = None, *, name: Optional[str] = None) -> Any:
    """Makes a function one that a model may call: `@function` or `@function(name="…")`."""
    if target is not None:
        return Function(target, name=name)
    return lambda made: Function(made, name=name)


#: The newer word for the same thing.
tool = function


def as_function(given: Any) -> Function[Any]:
    """A function with its schema, whether it has been decorated or not."""
    if isinstance(given, Function):
        return given
    if callable(given):
        return Function(given)
    raise FunctionError(f"{type(given).__name__} is no function")


def _hints(target: Callable[..., Any]) -> Dict[str, Any]:
    try:
        return get_type_hints(target, include_extras=True)
    except NameError as error:
        raise FunctionError(f"the hints of `{target.__name__}` cannot be read: {error}") from error


def _parameters(target: Callable[..., Any], texts: Mapping[str, str]) -> Dict[str, Any]:
    hints = _hints(target)
    properties: Dict[str, Any] = {}
    required: List[str] = []
    for name, parameter in inspect.signature(target).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise FunctionError(f"parameter `{name}` of `{target.__name__}`: a model can only name its arguments")
        try:
            schema = schema_of(hints.get(name, Any))
        except TypeError as error:
            raise FunctionError(f"parameter `{name}` of `{target.__name__}`: {error}") from error
        if parameter.default is inspect.Parameter.empty:
            required.append(name)
        elif _is_json(parameter.default):
            schema["default"] = parameter.default
        if name in texts:
            schema["description"] = texts[name]
        properties[name] = schema
    return {"type": "object", "properties": properties, "required": sorted(required)}


def _is_json(value: Any) -> bool:
    if dataclasses.is_dataclass(value):
        return False
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
