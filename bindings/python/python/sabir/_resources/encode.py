"""Requests as they go over the wire: JSON, queries, paths, and forms with files."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import io
import json
import mimetypes
import os
import secrets
from pathlib import PurePath
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import quote

from .._native import Upload
from ..types import Object
from .objects import ApiObject

_PIECE = 1 << 20


class NotGiven:
    """What an argument is that was not given; `None` is sent as `null`."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NOT_GIVEN"


class Omit(NotGiven):
    """The value of a header that is left out though the client would send it."""

    def __repr__(self) -> str:
        return "omit"


NOT_GIVEN = NotGiven()
omit = Omit()


class _Left(Exception):
    """Something is in the request that has to be left out."""


def json_bytes(body: object) -> bytes:
    """JSON; what was not given is not there."""
    try:
        return _dumped(body)
    except _Left:
        return _dumped(without(body))


def without(value: Any) -> Any:
    """The value without what was not given."""
    if isinstance(value, Mapping):
        return {name: without(item) for name, item in value.items() if not isinstance(item, NotGiven)}
    if isinstance(value, (list, tuple)):
        return [without(item) for item in value if not isinstance(item, NotGiven)]
    return value


def _dumped(body: object) -> bytes:
    return json.dumps(body, default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    """What `json` does not know."""
    if isinstance(value, NotGiven):
        raise _Left
    if isinstance(value, (ApiObject, Object)):
        return value.to_dict()
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    dump = getattr(value, "model_dump", None)
    if dump is not None and not isinstance(value, type):
        return dump(mode="json", exclude_unset=True, by_alias=True)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, memoryview, io.IOBase)):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def query_string(query: Mapping[str, Any]) -> str:
    """A query: `k[]=a` for the items of lists, `k[a]=b` for members; what is `None` is left out."""
    pairs = [pair for name, value in query.items() for pair in _flat(name, value)]
    return "&".join(f"{quote(name, safe='[]')}={quote(value, safe='')}" for name, value in pairs)


def _flat(name: str, value: Any) -> Iterator[Tuple[str, str]]:
    if value is None or isinstance(value, NotGiven):
        return
    if isinstance(value, bool):
        yield name, "true" if value else "false"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(f"{name}[{key}]", item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _flat(f"{name}[]", item)
    elif isinstance(value, (datetime.datetime, datetime.date)):
        yield name, value.isoformat()
    elif isinstance(value, enum.Enum):
        yield name, str(value.value)
    else:
        yield name, str(value)


def filled(path: str, values: Mapping[str, Any]) -> str:
    """A path with its parameters."""
    for name, value in values.items():
        if value is None or value == "" or isinstance(value, NotGiven):
            raise ValueError(f"Expected a non-empty value for `{name}` but received {value!r}")
        segment = quote(str(value), safe=":@!$&'()*+,;=~")
        if segment in (".", ".."):
            raise ValueError(f"`{name}` may not be {value!r}: it would change the path")
        path = path.replace("{" + name + "}", segment)
    return path


def is_file(value: object) -> bool:
    """Whether a value is a file: bytes, a path, something to read, or a tuple that begins with a name."""
    if isinstance(value, tuple):
        return 2 <= len(value) <= 4 and (value[0] is None or isinstance(value[0], str)) and is_file(value[1])
    return isinstance(value, (bytes, bytearray, memoryview, os.PathLike)) or hasattr(value, "read")


def multipart(members: Mapping[str, Any], files: Sequence[str]) -> Tuple[Upload, str]:
    """A form, and its content type: texts first, then files. Large files are in memory once."""
    texts: List[Tuple[str, str]] = []
    parts: List[Tuple[str, Any]] = []
    for name, value in members.items():
        if isinstance(value, NotGiven):
            continue
        if name in files and value is not None:
            parts += _files(name, value)
        elif is_file(value):
            parts.append((name, value))
        else:
            texts += _flat(name, without(value))
    boundary = secrets.token_hex(16)
    upload = Upload()
    for name, text in texts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
        upload.write(f"{head}{text}\r\n".encode())
    for name, value in parts:
        filename, content, kind, headers = _described(value)
        lines = [f"--{boundary}", f'Content-Disposition: form-data; name="{_quoted(name)}"']
        if filename is not None:
            lines[1] += f'; filename="{_quoted(filename)}"'
        lines += [f"{key}: {_single(item)}" for key, item in headers.items() if key.lower() != "content-type"]
        lines.append(f"Content-Type: {_single(kind)}")
        upload.write("\r\n".join([*lines, "", ""]).encode())
        _copy(content, upload)
        upload.write(b"\r\n")
    upload.write(f"--{boundary}--\r\n".encode())
    return upload, f"multipart/form-data; boundary={boundary}"


def _files(name: str, value: Any) -> List[Tuple[str, Any]]:
    if is_file(value):
        return [(name, value)]
    if isinstance(value, (list, tuple)) and all(is_file(item) for item in value):
        return [(f"{name}[]", item) for item in value]
    raise RuntimeError(
        f"Expected entry at `{name}` to be bytes, an io.IOBase instance, PathLike or a tuple "
        f"but received {type(value).__name__} instead"
    )


def _described(value: Any) -> Tuple[Optional[str], Any, str, Mapping[str, str]]:
    """The name, the content, the type and the further headers of a file."""
    filename: Optional[str] = None
    kind: Optional[str] = None
    headers: Mapping[str, str] = {}
    if isinstance(value, tuple):
        filename, content = value[0], value[1]
        kind = value[2] if len(value) > 2 else None
        headers = (value[3] if len(value) > 3 else None) or {}
    else:
        content = value
        if isinstance(content, os.PathLike):
            filename = PurePath(os.fspath(content)).name
        else:
            told = getattr(content, "name", None)
            filename = PurePath(told).name if isinstance(told, str) and told else "upload"
    if kind is None:
        told = {name.lower(): text for name, text in headers.items()}.get("content-type")
        kind = told or (mimetypes.guess_type(filename)[0] if filename else None) or "application/octet-stream"
    return filename, content, kind, headers


def _copy(content: Any, upload: Upload) -> None:
    if isinstance(content, (bytes, bytearray, memoryview)):
        upload.reserve(len(content) + 64)
        upload.write(bytes(content) if not isinstance(content, bytes) else content)
        return
    if isinstance(content, os.PathLike):
        upload.reserve(os.stat(content).st_size + 64)
        with open(content, "rb") as file:
            _copy(file, upload)
        return
    while True:
        piece = content.read(_PIECE)
        if not piece:
            return
        upload.write(piece.encode() if isinstance(piece, str) else piece)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _single(text: str) -> str:
    if "\r" in text or "\n" in text:
        raise ValueError("a header of a file has more than one line")
    return text
