"""Signals, threads, forks, and the ledger of a client that is closed."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from conftest import CONFIG, MESSAGES, native_threads

from sabir import RequestError, Sabir


@pytest.mark.parametrize("stream", [False, True])
def test_ctrl_c_ends_a_call_that_waits(stream: bool) -> None:
    # A shell that runs the tests in the background has its children ignore Ctrl-C.
    program = f"""
        import sabir, signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with sabir.Sabir.embedded({CONFIG!r}, variables={{}}) as client:
            print("ready", flush=True)
            try:
                answer = client.chat.completions.create(
                    model="late", messages={MESSAGES!r}, stream={stream!r})
                for piece in answer if {stream!r} else []:
                    pass
            except KeyboardInterrupt:
                print("interrupted", flush=True)
                print(client.chat.completions.create(model="echo", messages={MESSAGES!r}).choices[0].message.content)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert out == "interrupted\nHello there\n"
    assert process.returncode == 0


def test_a_program_that_forgets_to_close_still_ends(tmp_path: Path) -> None:
    program = f"""
        import asyncio, sabir
        client = sabir.Sabir.embedded({CONFIG!r}, variables={{}}, ledger={str(tmp_path)!r})
        client.chat.completions.create(model="echo", messages={MESSAGES!r})
        stream = client.chat.completions.create(model="trickle", messages={MESSAGES!r}, stream=True)
        waiting = sabir.AsyncSabir.embedded({CONFIG!r}, variables={{}})
        async def main():
            asyncio.ensure_future(waiting.chat.completions.create(model="late", messages={MESSAGES!r}))
            await asyncio.sleep(0.1)
        asyncio.run(main())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], timeout=20, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_closing_ends_the_threads_and_keeps_the_rows(tmp_path: Path) -> None:
    before = native_threads()
    with Sabir.embedded(CONFIG, ledger=tmp_path, variables={}) as client:
        inference = client.inference(model_name="echo", input={"messages": MESSAGES}).inference_id
        assert native_threads() > before
    assert until(lambda: native_threads() <= before)
    with Sabir.embedded(CONFIG, ledger=tmp_path, variables={}) as client:
        assert client.get_inferences([inference]).inferences[0].inference_id == inference


def test_a_client_that_is_let_go_of_ends_its_threads() -> None:
    before = native_threads()
    client = Sabir.embedded(CONFIG, variables={})
    client.chat.completions.create(model="echo", messages=MESSAGES)
    del client
    gc.collect()
    assert until(lambda: native_threads() <= before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_client_says_so() -> None:
    with Sabir.embedded(CONFIG, variables={}) as client:
        client.models.list()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                try:
                    client.models.list()
                except RequestError as error:
                    code = 0 if "forked" in str(error) else 2
                client.close()
                with Sabir.embedded(CONFIG, variables={}) as own:
                    own.models.list()
            except BaseException:
                code = 3
            os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.WEXITSTATUS(status) == 0
        client.models.list()


def until(true: object) -> bool:
    for _ in range(300):
        if true():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False
