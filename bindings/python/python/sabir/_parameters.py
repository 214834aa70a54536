"""What a model may be told beside its messages, checked before anything is sent."""

from __future__ import annotations

from typing import Any, Callable, ClassVar, Dict, Iterable, Mapping, Optional, Tuple, Type, TypeVar

from ._errors import SabirError
from ._functions import as_function

P = TypeVar("P", bound="Parameters")
#: Gives the value as it is sent, or raises a `ValueError` that says what was expected.
Check = Callable[[Any], Any]


class ParameterError(SabirError, ValueError):
    """A parameter that does not exist, or a value that it cannot have."""


def number(low: float, high: float, *, above: bool = False) -> Check:
    """A number within bounds; with `above`, the lower bound itself is too low."""

    def check(value: Any) -> Any:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not fits or not low <= value <= high or (above and value == low):
            raise ValueError(f"expected a number {'above' if above else 'from'} {low:g} to {high:g}")
        return value

    return check


def whole(low: int) -> Check:
    """A whole number from a bound on."""

    def check(value: Any) -> Any:
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise ValueError(f"expected a whole number from {low}")
        return value

    return check


def of_type(what: str, *kinds: type) -> Check:
    """A value of one of these types."""

    def check(value: Any) -> Any:
        if not isinstance(value, kinds):
            raise ValueError(f"expected {what}")
        return value

    return check


def raised_zero(check: Check) -> Check:
    """For models that take no zero: the least that they take instead."""
    return lambda value: 0.01 if check(value) == 0 else value


def gone(instead: str) -> Check:
    """A parameter of old that no model has any more."""

    def check(value: Any) -> Any:
        raise ValueError(f"is gone: {instead}")

    return check


def functions(value: Any) -> Any:
    """Functions, decorated or not, or their schemas."""
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise ValueError("expected a list of functions")
    return [dict(item) if isinstance(item, Mapping) else as_function(item).json_schema for item in value]


def biases(value: Any) -> Any:
    """Numbers by token."""
    within = number(-100, 100)
    if not isinstance(value, Mapping):
        raise ValueError("expected an object of numbers")
    return {str(token): within(bias) for token, bias in value.items()}


class Parameters:
    """Parameters of a chat, as attributes; one that is not said is `None`."""

    _checks: ClassVar[Dict[str, Check]] = {
        "temperature": number(0, 2),
        "top_p": number(0, 1),
        "max_tokens": whole(1),
        "functions": functions,
        "function_call": of_type("a text or an object", str, Mapping),
        "tools": of_type("a list", list, tuple),
        "tool_choice": of_type("a text or an object", str, Mapping),
        "parallel_tool_calls": of_type("true or false", bool),
        "stop": of_type("a text or a list", str, list, tuple),
        "presence_penalty": number(-2, 2),
        "frequency_penalty": number(-2, 2),
        "logit_bias": biases,
        "seed": of_type("a whole number", int),
        "response_format": of_type("an object", Mapping),
        "reasoning_effort": of_type("a text", str),
        "user": of_type("a text", str),
        "metadata": of_type("an object", Mapping),
        "extra_body": of_type("an object", Mapping),
    }
    #: What stands in the request under another name.
    _sent_as: ClassVar[Dict[str, str]] = {}

    def __init__(self, **values: Any) -> None:
        self._values: Dict[str, Any] = {}
        for name, value in values.items():
            check = self._checks.get(name)
            if check is None:
                raise ParameterError(f"{type(self).__name__} has no parameter `{name}`")
            if value is None:
                continue
            try:
                self._values[name] = check(value)
            except ValueError as error:
                raise ParameterError(f"parameter `{name}`: {error}") from error

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self._checks:
            return self._values.get(name)
        raise AttributeError(f"{type(self).__name__} has no parameter {name!r}")

    def to_dict(self) -> Dict[str, Any]:
        """Those that were said."""
        return dict(self._values)

    def merged(self: P, *others: Optional[Parameters], **more: Any) -> P:
        """These, with others over them. What is not said changes nothing."""
        values = self.to_dict()
        for other in others:
            values.update(other.to_dict() if other is not None else {})
        values.update({name: value for name, value in more.items() if value is not None})
        kind: Type[P] = type(self)
        return kind(**values)

    def members(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        """The members of a chat completion, and those that win over all others."""
        members = {self._sent_as.get(name, name): value for name, value in self._values.items()}
        extra = members.pop("extra_body", None) or {}
        offered = members.pop("functions", None)
        if offered is not None:
            tools = [{"type": "function", "function": schema} for schema in offered]
            members["tools"] = [*members.get("tools", []), *tools]
        choice = members.pop("function_call", None)
        if choice is not None:
            wanted = choice if isinstance(choice, str) else {"type": "function", "function": dict(choice)}
            members["tool_choice"] = wanted
        return members, dict(extra)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Parameters) and self._values == other._values

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"
