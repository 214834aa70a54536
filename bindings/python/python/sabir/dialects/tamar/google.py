"""As much of `google.genai.types` as requests need: parts, contents and a configuration.

Objects of that package itself are taken too.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Union


class _Members:
    """JSON by attributes."""

    def __init__(self, **members: Any) -> None:
        self._members = {name: value for name, value in members.items() if value is not None}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._members.get(name)

    def model_dump(self, **_: Any) -> Dict[str, Any]:
        """The members that were said."""
        return dict(self._members)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, _Members) and self._members == other._members

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._members.items())})"


class Part(_Members):
    """A part of a message."""

    @classmethod
    def from_text(cls, *, text: str) -> Part:
        """A text."""
        return cls(text=text)

    @classmethod
    def from_uri(cls, *, file_uri: str, mime_type: Optional[str] = None) -> Part:
        """A file at an address."""
        told = {"file_uri": file_uri, "mime_type": mime_type}
        return cls(file_data={name: value for name, value in told.items() if value is not None})

    @classmethod
    def from_bytes(cls, *, data: bytes, mime_type: str) -> Part:
        """A file's bytes."""
        return cls(inline_data={"data": data, "mime_type": mime_type})

    @classmethod
    def from_function_call(cls, *, name: str, args: Mapping[str, Any]) -> Part:
        """A call of a function."""
        return cls(function_call={"name": name, "args": dict(args)})

    @classmethod
    def from_function_response(cls, *, name: str, response: Mapping[str, Any]) -> Part:
        """What a function gave back."""
        return cls(function_response={"name": name, "response": dict(response)})


class Content(_Members):
    """A message."""


class GenerateContentConfig(_Members):
    """How the model is to answer."""


ContentUnion = Union[str, Part, Content, Mapping[str, Any]]
