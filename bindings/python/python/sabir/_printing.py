"""Conversations, streams and progress as they are shown in a terminal."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any, AsyncIterator, Iterator, Mapping, Optional, Protocol, TextIO, TypeVar

from ._messages import calls_of, text
from ._models import ModelStreamOutput

#: From how many prompts on a bar is worth showing.
PROGRESS_BAR_THRESHOLD = 20

S = TypeVar("S", bound=ModelStreamOutput)


class Printer(Protocol):
    """What shows a conversation."""

    def print_message(self, message: Mapping[str, Any]) -> None:
        """Shows a whole message."""

    def print_stream(self, stream: Iterator[ModelStreamOutput]) -> ModelStreamOutput:
        """Shows an answer as it comes, and gives its last piece."""

    async def async_print_stream(self, stream: AsyncIterator[ModelStreamOutput]) -> ModelStreamOutput:
        """The same, within an event loop."""


class SimplePrinter:
    """Shows who says what; streams letter by letter if `smooth`, `interval` seconds apart."""

    def __init__(self, smooth: bool = True, interval: float = 0.03) -> None:
        self.smooth = smooth
        self.interval = interval

    def print_message(self, message: Mapping[str, Any]) -> None:
        """Shows a whole message."""
        calls = calls_of([message])
        if text(message) or not calls:
            self._line(str(message["role"]), text(message))
        for call in calls:
            self._call(call["name"], call["arguments"])

    def print_stream(self, stream: Iterator[S]) -> S:
        """Shows an answer as it comes, and gives its last piece."""
        self._begin("assistant")
        last: Optional[S] = None
        for last in stream:
            for part in self._parts(last.stream.delta):
                self._write(part)
                if self.smooth:
                    time.sleep(self.interval)
        return self._end(last)

    async def async_print_stream(self, stream: AsyncIterator[S]) -> S:
        """The same, within an event loop."""
        self._begin("assistant")
        last: Optional[S] = None
        async for last in stream:
            for part in self._parts(last.stream.delta):
                self._write(part)
                if self.smooth:
                    await asyncio.sleep(self.interval)
        return self._end(last)

    def _parts(self, delta: str) -> Iterator[str]:
        return iter(delta) if self.smooth else iter([delta])

    def _end(self, last: Optional[S]) -> S:
        self._write("\n")
        if last is None:
            raise ValueError("the stream is empty")
        for call in calls_of(last.messages):
            self._call(call["name"], call["arguments"])
        return last

    def _begin(self, role: str) -> None:
        self._write(f"{role}: ")

    def _line(self, role: str, said: str) -> None:
        self._write(f"{role}: {said}\n")

    def _call(self, name: str, arguments: str) -> None:
        self._write(f"Function call: {name}\nArguments: {arguments}\n")

    @staticmethod
    def _write(said: str) -> None:
        print(said, end="", flush=True)


class RichPrinter(SimplePrinter):
    """The same with faces, and with colours where a terminal has them."""

    _FACES = {"user": "🤠", "assistant": "🤖", "function": "🔧", "tool": "🔧", "system": "📌"}

    def _begin(self, role: str) -> None:
        self._write(f"{self._FACES.get(role, role)} : ")

    def _line(self, role: str, said: str) -> None:
        self._begin(role)
        coloured = role == "user" and sys.stdout.isatty()
        self._write(f"\x1b[32m{said}\x1b[0m\n" if coloured else f"{said}\n")

    def _call(self, name: str, arguments: str) -> None:
        self._begin("assistant")
        self._write(f"[Function call] {name}\nArguments: {arguments}\n")


def stream_print(stream: Iterator[S], *, smooth: bool = False, interval: float = 0.03) -> S:
    """Shows what a model says as it comes, and gives the whole answer."""
    return SimplePrinter(smooth, interval).print_stream(stream)


async def async_stream_print(stream: AsyncIterator[S], *, smooth: bool = False, interval: float = 0.03) -> S:
    """Shows what a model says as it comes, within an event loop, and gives the whole answer."""
    return await SimplePrinter(smooth, interval).async_print_stream(stream)


class ProgressBar:
    """How many of how many, on standard error; `mode` is `auto`, `never` or `always`."""

    def __init__(self, mode: str, total: int, title: str, out: Optional[TextIO] = None) -> None:
        if mode not in ("auto", "never", "always"):
            raise ValueError(f"progress_bar_mode: `{mode}` is none of auto, never and always")
        self._shown = mode == "always" or (mode == "auto" and total > PROGRESS_BAR_THRESHOLD)
        self._total = total
        self._title = title
        self._done = 0
        self._failed = 0
        self._began = time.monotonic()
        self._out = out if out is not None else sys.stderr
        self._show()

    def advance(self, failed: bool = False) -> None:
        """One more is done."""
        self._done += 1
        self._failed += failed
        self._show()

    def close(self) -> None:
        """Leaves the bar as it is, and goes to the next line."""
        if self._shown:
            print(file=self._out, flush=True)
            self._shown = False

    def _show(self) -> None:
        if not self._shown:
            return
        filled = 30 * self._done // self._total if self._total else 30
        rate = self._done / max(time.monotonic() - self._began, 1e-9)
        failed = f", {self._failed} failed" if self._failed else ""
        bar = "█" * filled + " " * (30 - filled)
        line = f"\r{self._title}: |{bar}| {self._done}/{self._total} [{rate:.1f}/s{failed}]"
        print(line, end="", file=self._out, flush=True)
