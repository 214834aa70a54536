"""The command `sabir`: `python -m sabir`, and the script of that name."""

from __future__ import annotations

import signal
import sys

from ._native import run_command


def main() -> int:
    """Runs the command with the process's arguments; what it gives is the exit code."""
    # The interpreter notices Ctrl-C only when it runs, and here it does not: the command has the signal to itself.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run_command(["sabir", *sys.argv[1:]], [sys.executable, "-m", "sabir"])


if __name__ == "__main__":
    sys.exit(main())
