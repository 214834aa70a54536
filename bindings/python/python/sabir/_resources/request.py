"""A call that is about to be made: a row of the table with its arguments."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from .encode import NOT_GIVEN, NotGiven, filled
from .table import Row

Headers = Mapping[str, Any]


class Request:
    """What is sent, and what is wanted of the answer."""

    __slots__ = (
        "admin", "body", "cast", "files", "has_body", "headers", "keep_encoding", "kind", "max_retries",
        "page", "path", "query", "stream", "streamed", "timeout", "verb",
    )  # fmt: skip

    def __init__(self, verb: str, path: str) -> None:
        self.verb = verb
        self.path = path
        self.query: Dict[str, Any] = {}
        self.headers: Dict[str, Any] = {}
        self.body: Any = None
        self.has_body = False
        #: Which members are files, if it is sent as a form.
        self.files: Optional[Sequence[str]] = None
        self.kind: Optional[str] = None
        self.page: Optional[str] = None
        #: What is asked for in place of the kind.
        self.cast: Any = None
        #: What the pieces are.
        self.stream: Optional[str] = None
        #: Whether the answer is a stream of events.
        self.streamed = False
        self.timeout: Any = NOT_GIVEN
        self.max_retries: Optional[int] = None
        self.admin = False
        #: Whether vectors are left as they come.
        self.keep_encoding = True

    def again(self) -> Request:
        """The same call, to be changed."""
        other = Request(self.verb, self.path)
        for name in Request.__slots__:
            if hasattr(self, name):
                setattr(other, name, getattr(self, name))
        other.query, other.headers = dict(self.query), dict(self.headers)
        return other


def of(row: Row, args: Tuple[Any, ...], given: Dict[str, Any]) -> Request:
    """The call of a row. Path parameters come by name; the last one, or all in their order, also by position."""
    extra_headers: Optional[Headers] = given.pop("extra_headers", None)
    extra_query: Optional[Mapping[str, Any]] = given.pop("extra_query", None)
    extra_body: Any = given.pop("extra_body", None)
    timeout = given.pop("timeout", NOT_GIVEN)
    max_retries = given.pop("max_retries", None)
    key = given.pop("idempotency_key", None) if row.idempotent else None
    where = f"{row.resource}.{row.name}()"
    names = row.parameters
    if args:
        if len(args) not in (1, len(names)) or not names:
            raise TypeError(f"{where} takes {min(len(names), 1)} positional argument(s) but {len(args)} were given")
        for name, value in zip(names if len(args) == len(names) else names[-1:], args):
            if name in given:
                raise TypeError(f"{where} got multiple values for argument '{name}'")
            given[name] = value
    missing = [name for name in (*names, *row.needs) if name not in given or isinstance(given[name], NotGiven)]
    extra = extra_body if isinstance(extra_body, Mapping) else {}
    missing = [name for name in missing if name not in extra]
    if missing:
        listed = ", ".join(f"'{name}'" for name in missing)
        raise TypeError(f"Missing required arguments; {where} needs {listed}")
    path, _, fixed = filled(row.path, {name: given.pop(name) for name in names}).partition("?")
    members = {name: value for name, value in given.items() if not isinstance(value, NotGiven)}
    request = Request(row.verb, path)
    if fixed:
        name, _, value = fixed.partition("=")
        request.query[name] = value
    request.kind, request.page, request.admin = row.kind, row.page, row.admin
    if row.verb == "GET":
        request.streamed = bool(row.stream and (members.get("stream") or row.name == "stream"))
        request.query.update(members)
    else:
        request.streamed = bool(row.stream and {**members, **extra}.get("stream"))
        for name in row.query:
            if name in members:
                request.query[name] = members.pop(name)
        if members or not (row.bare or row.verb == "DELETE"):
            request.body, request.has_body = members, True
        # What may come without its files is JSON then.
        if row.files and (not row.loose or any(name in members for name in row.files)):
            request.files = row.files
    request.stream = row.stream
    if row.beta:
        request.headers["OpenAI-Beta"] = row.beta
    if row.accept:
        request.headers["Accept"] = row.accept
    if key:
        request.headers["Idempotency-Key"] = key
    extended(request, extra_headers, extra_query, extra_body)
    request.timeout, request.max_retries = timeout, max_retries
    return request


def extended(
    request: Request, headers: Optional[Headers], query: Optional[Mapping[str, Any]], body: Optional[Any]
) -> None:
    """Puts in what the caller wants beside the arguments; it wins over them."""
    request.headers.update(headers or {})
    request.query.update(query or {})
    if body is not None and not isinstance(body, NotGiven):
        merged = isinstance(body, Mapping) and (request.body is None or isinstance(request.body, Mapping))
        request.body = {**(request.body or {}), **body} if merged else body
        request.has_body = True
