"""A gateway in a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Iterator, Mapping, Optional

import pytest


@contextlib.contextmanager
def serving(config: str, folder: Path, variables: Optional[Mapping[str, str]] = None) -> Iterator[str]:
    """The address of a gateway with this configuration; its ledger is in the folder."""
    binary = os.environ.get("SABIR_BINARY")
    if not binary:
        pytest.fail("SABIR_BINARY has to be the path of the gateway's binary")
    file = Path(folder, "sabir.toml")
    file.write_text(config)
    process = subprocess.Popen(
        [binary, "serve", "--bind", "127.0.0.1:0", "--config", str(file), "--data-dir", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=dict(variables or {}),
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("sabir listening on "), line
        yield line.split()[-1]
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
