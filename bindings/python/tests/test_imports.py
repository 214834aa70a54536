"""What importing costs: counted in modules, since a clock says something else on every machine."""

from __future__ import annotations

import subprocess
import sys
from typing import List

import pytest


def imported(statement: str) -> List[str]:
    """The modules that a statement brings in, beside those that the interpreter starts with."""
    program = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


# What asyncio, typing, json and logging bring in themselves is about 130 modules.
@pytest.mark.parametrize("module", ["sabir", "sabir.dialects.openai"])
def test_importing_is_cheap(module: str) -> None:
    modules = imported(f"import {module}")
    ours = [name for name in modules if name.split(".")[0] == "sabir"]
    assert len(ours) <= 55, ours
    assert len(modules) <= 220, len(modules)
    seldom = ("rows_admin", "words", "helpers", "assistants", "chat_stream", "parsing", "webhooks", "_httpx_link")
    assert not [name for name in ours if name.rpartition(".")[2] in seldom]
    others = {name.split(".")[0] for name in modules} - set(sys.stdlib_module_names) - {"sabir"}
    assert not others, others


def test_a_first_call_reads_the_table_once() -> None:
    modules = imported("import sabir.dialects.openai as o; o.OpenAI(api_key='k').chat.completions.create")
    assert "sabir._resources.rows" in modules and "sabir._resources.rows_admin" not in modules
