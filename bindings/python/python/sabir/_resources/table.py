"""The table of calls, read into rows; see `rows` for how it is written."""

from __future__ import annotations

import re
from typing import Dict, FrozenSet, List, Optional, Tuple

_PARAMETER = re.compile(r"{(\w+)}")


class Row:
    """One call."""

    __slots__ = (
        "accept", "admin", "bare", "beta", "files", "idempotent", "kind", "loose", "name", "needs", "page", "parameters", "path",
        "query", "resource", "stream", "verb",
    )  # fmt: skip

    def __init__(self, resource: str, beta: Optional[str], line: str) -> None:
        name, verb, path, answer, *special = line.split()
        flags = dict(flag.partition("=")[::2] for flag in special)

        def listed(flag: str) -> Tuple[str, ...]:
            return tuple(flags[flag].split(",")) if flag in flags else ()

        page, _, kind = answer.rpartition(":")
        self.resource = resource
        self.name = name
        self.verb = verb
        self.path = path
        #: What is answered, or what the items of a page are.
        self.kind = kind
        #: The kind of the page, if it is one.
        self.page: Optional[str] = page or None
        self.parameters: Tuple[str, ...] = tuple(_PARAMETER.findall(path))
        self.stream: Optional[str] = flags.get("stream")
        self.files = listed("files")
        self.query = listed("query")
        self.needs = listed("needs")
        self.accept: Optional[str] = flags.get("accept")
        self.beta: Optional[str] = flags.get("beta", beta)
        self.loose = "loose" in flags
        self.bare = "bare" in flags
        self.admin = "admin" in flags
        self.idempotent = "idempotent" in flags


class Table:
    """Rows by resource and name, and the resources below each resource."""

    def __init__(self) -> None:
        self.calls: Dict[str, Dict[str, Row]] = {}
        self.below: Dict[str, List[str]] = {}
        # Most programs import more than they call: the table is there when the first call is looked for.
        from . import rows

        self._aliases = rows.ALIASES
        self._read(rows.ROWS)
        for alias in rows.ALIASES:
            self._place(alias)
        # Those for administrators are many and seldom wanted: they are read when they are.
        self._place("admin")
        self._has_admin = False

    def rows(self, resource: str) -> Dict[str, Row]:
        """The calls of a resource by name."""
        return self.calls.get(self.found(resource), {})

    def children(self, resource: str) -> List[str]:
        """The names of the resources below one."""
        return self.below.get(self.found(resource), [])

    def names(self) -> FrozenSet[str]:
        """The names of all calls, with their resources; those for administrators too."""
        self.found("admin")
        return frozenset(f"{resource}.{name}" for resource, calls in self.calls.items() for name in calls)

    def found(self, resource: str) -> str:
        """The place of a resource, which may be known by another name."""
        top = resource.split(".", 1)[0]
        if top == "admin" and not self._has_admin:
            from . import rows_admin

            self._has_admin = True
            self._read(rows_admin.ROWS)
        for alias, place in self._aliases.items():
            if resource == alias or resource.startswith(alias + "."):
                return place + resource[len(alias) :]
        return resource

    def _read(self, text: str) -> None:
        resource, beta = "", None
        for line in text.splitlines():
            if line.startswith("["):
                head, _, more = line.partition("]")
                resource, beta = head[1:], more.strip().partition("=")[2] or None
                self._place(resource)
                continue
            row = Row(resource, beta, line)
            self.calls.setdefault(resource, {})[row.name] = row

    def _place(self, resource: str) -> None:
        above, _, name = resource.rpartition(".")
        if name not in self.below.setdefault(above, []):
            self.below[above].append(name)
            if above:
                self._place(above)


_TABLE: Optional[Table] = None


def table() -> Table:
    """The table, read once."""
    global _TABLE
    if _TABLE is None:
        _TABLE = Table()
    return _TABLE
