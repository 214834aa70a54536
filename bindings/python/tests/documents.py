"""The code of documents that show other packages, run over this one with other import lines.

What may differ from the text: import lines (`IMPORTS`), what a reader fills in anyway (places like
an address or a path), a body that is nothing but a comment, and the mistakes that a document itself
makes, each with its reason. All are tables, so that nothing else can.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import os
import re
import textwrap
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

#: Old package, and the module that has its names here.
IMPORTS = {
    "tensorzero": "sabir.dialects.tensorzero",
    "lmclient": "sabir.dialects.lmclient",
    "tamar_model_client": "sabir.dialects.tamar",
    "google.genai.types": "sabir.dialects.tamar.google",
    "openai": "sabir.dialects.openai",
    # Its names that OpenAI's client is told things with; the library itself is not needed.
    "httpx": "sabir.dialects.openai.httpx",
}
#: For the summary at the end of a run: a document, how, how many blocks ran, and of how many.
RAN: List[Tuple[str, str, int, int]] = []

_FENCE = re.compile(r"^(\s*)```\s*([\w+-]*)\s*$")


@dataclass
class Block:
    """A piece of code of a document."""

    number: int
    line: int
    code: str


@dataclass
class Outcome:
    """How a block ran."""

    block: Block
    output: str
    error: Optional[str] = None


@dataclass
class Fix:
    """A mistake of a document: in which block, what stands there, what is meant, and why."""

    block: int
    wrong: str
    right: str
    reason: str


@dataclass
class Run:
    """All blocks of a document, one after another, with what earlier ones have defined."""

    places: Mapping[str, str] = field(default_factory=dict)
    fixes: Iterable[Fix] = ()
    #: Names that the text takes for granted, and code that makes them, by the block that needs them.
    names: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[int, str] = field(default_factory=dict)

    def all(self, blocks: Iterable[Block]) -> List[Outcome]:
        namespace: Dict[str, Any] = {"__name__": "__main__", **self.names}
        return [self._one(block, namespace) for block in blocks]

    def _one(self, block: Block, namespace: Dict[str, Any]) -> Outcome:
        code = block.code
        for fix in self.fixes:
            if fix.block == block.number:
                assert fix.wrong in code, f"block {block.number} has no {fix.wrong!r} any more"
                code = code.replace(fix.wrong, fix.right)
        code = with_bodies(with_imports(self.before.get(block.number, "") + code))
        for place, real in self.places.items():
            code = code.replace(place, real)
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                made = eval(compiled(code, f"block {block.number}"), namespace)
                if inspect.iscoroutine(made):
                    asyncio.run(made)
        except (Exception, SystemExit):
            return Outcome(block, said.getvalue(), traceback.format_exc(limit=-4))
        return Outcome(block, said.getvalue())


def folder() -> Optional[Path]:
    """Where the documents are, if they are."""
    told = os.environ.get("SABIR_SEEDS")
    if told:
        return Path(told)
    beside = Path(__file__).resolve().parents[4] / "shared" / "seeds"
    return beside if beside.is_dir() else None


def find(where: Path, number: str) -> Optional[str]:
    """A document by its number; one that was decoded wins over the raw one."""
    found = sorted(where.glob(f"{number}_*.txt"), key=lambda path: ".decoded" not in path.name)
    return found[0].read_text(encoding="utf-8") if found else None


def blocks(text: str) -> List[Block]:
    """The Python code of a document: what is fenced, or, without fences, what reads as code."""
    lines = text.splitlines()
    return _fenced(lines) if any(_FENCE.match(line) for line in lines) else _unfenced(lines)


def with_imports(code: str) -> str:
    """The code with its imports from elsewhere; no other line changes."""
    return "\n".join(_import(line) for line in code.split("\n"))


def with_bodies(code: str) -> str:
    """A block whose body is only a comment (`# ...`) gets one that does nothing."""
    lines = code.split("\n")
    made: List[str] = []
    for at, line in enumerate(lines):
        made.append(line)
        bare = line.strip()
        if not bare.startswith("#"):
            continue
        before = next((earlier for earlier in reversed(lines[:at]) if earlier.strip()), "")
        after = next((later for later in lines[at + 1 :] if later.strip()), "")
        indent = len(line) - len(line.lstrip())
        deeper = len(after) - len(after.lstrip()) >= indent and after != ""
        if before.rstrip().endswith(":") and indent > len(before) - len(before.lstrip()) and not deeper:
            made.append(line[:indent] + "...")
    return "\n".join(made)


def compiled(code: str, name: str = "block") -> Any:
    return compile(code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def _import(line: str) -> str:
    found = re.match(r"^(\s*)from\s+([\w.]+)(\s+import\s.*)$", line)
    if found:
        return f"{found[1]}from {_moved(found[2])}{found[3]}"
    found = re.match(r"^(\s*)import\s+([\w.]+)\s*$", line)
    if found and found[2] in IMPORTS:
        return f"{found[1]}import {IMPORTS[found[2]]} as {found[2]}"
    return line


def _moved(module: str) -> str:
    for old, new in sorted(IMPORTS.items(), key=lambda pair: -len(pair[0])):
        if module == old or module.startswith(f"{old}."):
            return new + module[len(old) :]
    return module


def _fenced(lines: List[str]) -> List[Block]:
    found: List[Block] = []
    start: Optional[Tuple[int, str]] = None
    for at, line in enumerate(lines):
        fence = _FENCE.match(line)
        if not fence:
            continue
        if start is None:
            start = (at, fence[2])
            continue
        if start[1] in ("python", "py"):
            code = textwrap.dedent("\n".join(lines[start[0] + 1 : at]))
            found.append(Block(len(found), start[0] + 2, code))
        start = None
    return found


def _unfenced(lines: List[str]) -> List[Block]:
    """Paragraphs that are code, and those that belong to one statement or block with them."""
    paragraphs: List[Tuple[int, List[str]]] = []
    for at, line in enumerate(lines):
        if not line.strip():
            continue
        follows = paragraphs and paragraphs[-1][0] + len(paragraphs[-1][1]) == at
        # Code may follow a line of text at once.
        if follows and line.isascii() == paragraphs[-1][1][-1].isascii():
            paragraphs[-1][1].append(line)
        else:
            paragraphs.append((at, [line]))
    found: List[Block] = []
    at = 0
    while at < len(paragraphs):
        end = at
        best: Optional[int] = None
        while end < len(paragraphs) and all(line.isascii() for line in paragraphs[end][1]):
            code = "\n\n".join("\n".join(paragraph) for _, paragraph in paragraphs[at : end + 1])
            if _is_code(code):
                best = end
            end += 1
        if best is None:
            at += 1
            continue
        code = "\n\n".join("\n".join(paragraph) for _, paragraph in paragraphs[at : best + 1])
        found.append(Block(len(found), paragraphs[at][0] + 1, code))
        at = best + 1
    return found


def _is_code(code: str) -> bool:
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return False
    # A word alone is a name to Python.
    return any(not isinstance(node, ast.Expr) or isinstance(node.value, (ast.Call, ast.Await)) for node in tree.body)
