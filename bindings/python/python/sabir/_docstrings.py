"""What a docstring says about a function and its parameters, in the three usual styles."""

from __future__ import annotations

import re
from typing import Dict, List, Tuple

_GOOGLE = re.compile(r"^(Args|Arguments|Parameters|Params):\s*$")
_SECTION = re.compile(r"^[A-Z][A-Za-z ]*:\s*$")
_REST = re.compile(r"^:(?:param|parameter|arg|argument)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$")
_ENTRY = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_NUMPY_ENTRY = re.compile(r"^\*{0,2}(\w+)\s*(?::.*)?$")


def described(docstring: str) -> Tuple[str, Dict[str, str]]:
    """The first paragraph, and a text for each parameter that has one."""
    lines = docstring.splitlines()
    texts: Dict[str, str] = {}
    first: List[str] = []
    for line in lines:
        if not line.strip() or _REST.match(line.strip()) or _GOOGLE.match(line.strip()):
            if first or line.strip():
                break
            continue
        first.append(line.strip())
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        if _REST.match(line):
            at = _rest(lines, at, texts)
        elif _GOOGLE.match(line):
            at = _google(lines, at + 1, texts)
        elif line in ("Parameters", "Args") and at + 1 < len(lines) and set(lines[at + 1].strip()) == {"-"}:
            at = _numpy(lines, at + 2, texts)
        else:
            at += 1
    return " ".join(first), {name: text for name, text in texts.items() if text}


def _rest(lines: List[str], at: int, texts: Dict[str, str]) -> int:
    found = _REST.match(lines[at].strip())
    assert found is not None
    words = [found.group(2).strip()]
    at += 1
    while at < len(lines) and lines[at].strip() and not lines[at].strip().startswith(":"):
        words.append(lines[at].strip())
        at += 1
    texts[found.group(1)] = " ".join(words).strip()
    return at


def _google(lines: List[str], at: int, texts: Dict[str, str]) -> int:
    """Entries are indented once, what continues them further."""
    margin = None
    name = None
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
            continue
        indent = len(line) - len(line.lstrip())
        if margin is None:
            margin = indent
        if indent < margin or indent == 0 or (indent <= margin and _SECTION.match(line.strip())):
            return at
        entry = _ENTRY.match(line.strip()) if indent == margin else None
        if entry is not None:
            name = entry.group(1)
            texts[name] = entry.group(2).strip()
        elif name is not None:
            texts[name] = f"{texts[name]} {line.strip()}".strip()
        at += 1
    return at


def _numpy(lines: List[str], at: int, texts: Dict[str, str]) -> int:
    """Names stand at the margin, texts are indented; an underlined word begins another section."""
    name = None
    while at < len(lines):
        line = lines[at]
        if at + 1 < len(lines) and line.strip() and set(lines[at + 1].strip()) == {"-"}:
            return at
        if line.strip() and not line[0].isspace():
            entry = _NUMPY_ENTRY.match(line.strip())
            if entry is None:
                return at
            name = entry.group(1)
            texts[name] = ""
        elif line.strip() and name is not None:
            texts[name] = f"{texts[name]} {line.strip()}".strip()
        at += 1
    return at
