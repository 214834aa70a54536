"""The command `sabir` that comes with the package: what it prints, how it ends, and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, List

import pytest

COMMAND = [sys.executable, "-m", "sabir"]


def run(*args: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *args], capture_output=True, text=True, timeout=60, **more)


def test_what_it_says_about_itself() -> None:
    assert run("--version").stdout == "sabir 0.1.0\n"
    told = run("--help")
    assert told.returncode == 0
    for name in ("serve", "config", "ledger", "providers", "bench"):
        assert f"\n  {name} " in told.stdout
    wrong = run("nonsense")
    assert wrong.returncode == 2 and "unrecognized subcommand 'nonsense'" in wrong.stderr


def test_the_script_of_that_name() -> None:
    script = Path(sys.executable).parent / "sabir"
    if not script.exists():
        pytest.skip("the package was not installed into this environment: it has no scripts")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "sabir 0.1.0\n"


def test_a_configuration_is_checked(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text("[gateway]\n")
    bad.write_text("[gateway]\nno_such_member = 1\n")
    assert run("config", "check", "--config", str(good)).returncode == 0
    done = run("config", "check", "--config", str(bad))
    assert done.returncode == 1 and "no_such_member" in done.stdout + done.stderr


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, ending: signal.Signals) -> None:
    command: List[str] = [*COMMAND, "serve", "--bind", "127.0.0.1:0", "--data-dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("sabir listening on http://"), line
        with urllib.request.urlopen(line.split()[-1] + "/health", timeout=30) as answer:
            assert answer.status == 200
        process.send_signal(ending)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0 and "stopped" in log
    finally:
        process.kill()


def test_ctrl_c_ends_what_waits_for_nothing(tmp_path: Path) -> None:
    """The interpreter's own way with Ctrl-C would wait until the command is over."""
    command = [*COMMAND, "bench", "--seconds", "60", "--rounds", "9"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path, start_new_session=True
    )
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=3)
        # As a terminal does it: to the command and to what it started.
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=20) == -signal.SIGINT
    finally:
        process.kill()
