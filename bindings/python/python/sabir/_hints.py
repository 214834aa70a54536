"""Type hints as JSON Schema, and JSON as values of the hinted types."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import types as python_types
from typing import Any, Dict, List, Literal, Mapping, Tuple, Type, Union, get_args, get_origin, get_type_hints

_UNIONS = (Union, getattr(python_types, "UnionType", Union))
_PLAIN: Dict[Any, Dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
}
_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}
_LISTS = (list, set, frozenset, tuple, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Set)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def schema_of(hint: Any, inside: Tuple[Any, ...] = ()) -> Dict[str, Any]:
    """The schema of what fits a hint; a `TypeError` if there is none."""
    if hint is Any or hint is object:
        return {}
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    origin, args = get_origin(hint), get_args(hint)
    if hasattr(hint, "__metadata__"):
        schema = schema_of(args[0], inside)
        texts = [word for word in hint.__metadata__ if isinstance(word, str)]
        return {**schema, "description": " ".join(texts)} if texts else schema
    if origin is Literal:
        return _enumeration(list(args))
    if origin in _UNIONS:
        return {"anyOf": [schema_of(arm, inside) for arm in args]}
    if hint in _LISTS or origin in _LISTS:
        items = [arm for arm in args if arm is not Ellipsis]
        if origin is tuple and len(items) > 1:
            arms = [schema_of(arm, inside) for arm in items]
            return {"type": "array", "prefixItems": arms, "minItems": len(arms), "maxItems": len(arms)}
        return {"type": "array", "items": schema_of(items[0], inside)} if items else {"type": "array"}
    if hint in _MAPPINGS or origin in _MAPPINGS:
        schema = {"type": "object"}
        if len(args) == 2 and args[1] is not Any:
            schema["additionalProperties"] = schema_of(args[1], inside)
        return schema
    if isinstance(hint, type):
        return _class(hint, inside)
    raise TypeError(f"{hint!r} has no JSON Schema")


def value_of(hint: Any, value: Any) -> Any:
    """JSON as a value of the hinted type; a `ValueError` if it does not fit."""
    if hint is Any or hint is object:
        return value
    if hint in _PLAIN:
        return _plain(hint, value)
    origin, args = get_origin(hint), get_args(hint)
    if hasattr(hint, "__metadata__"):
        return value_of(args[0], value)
    if origin is Literal:
        if value in args:
            return value
        raise ValueError(f"expected one of {', '.join(map(repr, args))}")
    if origin in _UNIONS:
        return _arm(args, value)
    if hint in _LISTS or origin in _LISTS:
        return _list(origin or hint, args, value)
    if hint in _MAPPINGS or origin in _MAPPINGS:
        if not isinstance(value, Mapping):
            raise ValueError("expected an object")
        return {name: value_of(args[1], item) for name, item in value.items()} if len(args) == 2 else dict(value)
    return _instance(hint, value)


def _enumeration(values: List[Any]) -> Dict[str, Any]:
    kinds = {type(value) for value in values}
    schema: Dict[str, Any] = {"enum": values}
    if len(kinds) == 1 and (kind := kinds.pop()) in _PLAIN:
        schema["type"] = _PLAIN[kind]["type"]
    return schema


def _class(hint: Type[Any], inside: Tuple[Any, ...]) -> Dict[str, Any]:
    if hint in inside:
        raise TypeError(f"{hint.__name__} holds itself")
    if issubclass(hint, enum.Enum):
        return _enumeration([member.value for member in hint])
    if hasattr(hint, "model_json_schema"):
        schema: Dict[str, Any] = hint.model_json_schema()
        return schema
    members, required = _members(hint)
    properties = {name: schema_of(kind, (*inside, hint)) for name, kind in members.items()}
    return {"type": "object", "properties": properties, "required": sorted(required)}


def _members(hint: Type[Any]) -> Tuple[Dict[str, Any], List[str]]:
    """The members of a dataclass or a `TypedDict`, and those that have to be there."""
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint, include_extras=True)
        fields = [field for field in dataclasses.fields(hint) if field.init]
        missing = dataclasses.MISSING
        required = [f.name for f in fields if f.default is missing and f.default_factory is missing]
        return {field.name: hints[field.name] for field in fields}, required
    if issubclass(hint, dict) and hasattr(hint, "__required_keys__"):
        return get_type_hints(hint), list(hint.__required_keys__)
    raise TypeError(f"{hint.__name__} has no JSON Schema")


def _plain(hint: Any, value: Any) -> Any:
    """Models write numbers as texts, and whole numbers with a point: both are taken."""
    if hint in (datetime.datetime, datetime.date):
        if not isinstance(value, str):
            raise ValueError("expected a text with a date")
        return hint.fromisoformat(value.replace("Z", "+00:00") if hint is datetime.datetime else value)
    if hint is bool and value in ("true", "false"):
        return value == "true"
    if hint in (int, float) and not isinstance(value, bool):
        try:
            if hint is float and isinstance(value, (int, float, str)):
                return float(value)
            if isinstance(value, (int, str)) or (isinstance(value, float) and value.is_integer()):
                return int(value)
        except ValueError:
            pass
        raise ValueError(f"expected {_NAMES[hint]}")
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"expected {_NAMES[hint]}")
    return value


def _arm(args: Tuple[Any, ...], value: Any) -> Any:
    """The arm of a union that fits: one that the value is of already comes first."""
    exact = [arm for arm in args if isinstance(arm, type) and type(value) is arm]
    errors = []
    for arm in [*exact, *args]:
        try:
            return value_of(arm, value)
        except (ValueError, TypeError) as error:
            errors.append(str(error))
    raise ValueError("; or ".join(dict.fromkeys(errors)))


def _list(kind: Any, args: Tuple[Any, ...], value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        raise ValueError("expected a list")
    items = [arm for arm in args if arm is not Ellipsis]
    if kind is tuple and len(items) > 1:
        if len(items) != len(value):
            raise ValueError(f"expected {len(items)} items")
        return tuple(value_of(arm, item) for arm, item in zip(items, value))
    made = [value_of(items[0], item) for item in value] if items else list(value)
    return kind(made) if kind in (set, frozenset, tuple) else made


def _instance(hint: Any, value: Any) -> Any:
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    if hasattr(hint, "model_validate"):
        return hint.model_validate(value)
    if not isinstance(value, Mapping):
        raise ValueError("expected an object")
    members, required = _members(hint)
    for name in required:
        if name not in value:
            raise ValueError(f"expected a member `{name}`")
    for name in value:
        if name not in members:
            raise ValueError(f"there is no member `{name}`")
    return hint(**{name: value_of(members[name], item) for name, item in value.items()})
