"""What a call costs its caller: processor time of the Python process, client beside client.

    SABIR_BINARY=target/release/sabir python bench.py [--rounds N] [--calls N] [--streams N] [--clients NAME…]

One gateway answers everybody, with its built-in provider; the clients are called in turn, each in a
fresh process, in rounds, so that a slow moment of the machine hits all of them. What is counted is the
time that the process's threads ran (`time.process_time`), without that of its start. With a gateway
in the process, its work is in the figure too. Clients that are not installed are left out by name.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Awaitable, Callable, Dict, List, Tuple

PIECES = 1000
AT_ONCE = 32
CONFIG = """
[gateway.observability]
enabled = false

[models.echo.providers.dummy]
type = "dummy"
model_name = "echo"
tokens_per_second = 100000000
"""
SHORT = [{"role": "user", "content": "Hello there, how are you today?"}]
LONG = [{"role": "user", "content": " ".join(["word"] * PIECES)}]

#: A client's name and package, and what makes it of the gateway's address.
CLIENTS: Dict[str, str] = {
    "sabir": "sabir",
    "sabir embedded": "sabir",
    "sabir.dialects.openai": "sabir",
    "sabir.dialects.tensorzero": "sabir",
    "openai": "openai",
    "tensorzero": "tensorzero",
}
WAYS = ["sync", "async", f"async, {AT_ONCE} at once", "stream", "async stream"]


def made(client: str, is_async: bool, address: str, config: str) -> Any:
    """A client, of the gateway at an address or in this process."""
    if client.startswith("sabir"):
        import sabir
        from sabir.dialects import openai as names
        from sabir.dialects import tensorzero as t0

        if client == "sabir":
            return (sabir.AsyncSabir if is_async else sabir.Sabir).http(address)
        if client == "sabir embedded":
            return (sabir.AsyncSabir if is_async else sabir.Sabir).embedded(config_file=config, variables={})
        if client == "sabir.dialects.openai":
            return (names.AsyncOpenAI if is_async else names.OpenAI)(base_url=f"{address}/v1", api_key="any")
    elif client == "openai":
        import openai

        return (openai.AsyncOpenAI if is_async else openai.OpenAI)(base_url=f"{address}/v1", api_key="any")
    else:
        import tensorzero as t0  # type: ignore[import-not-found, no-redef]
    if is_async:
        return t0.AsyncTensorZeroGateway.build_http(gateway_url=address, async_setup=False)
    return t0.TensorZeroGateway.build_http(gateway_url=address)


def call(client: str, made_client: Any) -> Callable[..., Any]:
    """Makes a call, or with `stream=True` a stream, in the client's own words."""
    if "tensorzero" in client:
        return lambda messages, **more: made_client.inference(model_name="echo", input={"messages": messages}, **more)
    return lambda messages, **more: made_client.chat.completions.create(model="echo", messages=messages, **more)


def sync_way(ask: Callable[..., Any], way: str, calls: int) -> None:
    for _ in range(calls):
        if way == "stream":
            pieces = sum(1 for _ in ask(LONG, stream=True))
            assert pieces >= PIECES, pieces
        else:
            ask(SHORT)


async def async_way(ask: Callable[..., Awaitable[Any]], way: str, calls: int) -> None:
    async def some(count: int) -> None:
        for _ in range(count):
            if way == "async stream":
                pieces = 0
                async for _ in await ask(LONG, stream=True):
                    pieces += 1
                assert pieces >= PIECES, pieces
            else:
                await ask(SHORT)

    at_once = AT_ONCE if way.endswith("at once") else 1
    await asyncio.gather(*[some(calls // at_once) for _ in range(at_once)])


def measured(client: str, way: str, calls: int, address: str, config: str) -> Tuple[float, float]:
    """Microseconds of processor time and of the clock for a call, after some to get warm."""
    warm = max(calls // 10, AT_ONCE) if "stream" not in way else 2

    def taken(run: Callable[[int], Any]) -> Tuple[float, float]:
        run(warm)
        began, clock = time.process_time(), time.perf_counter()
        run(calls)
        return (time.process_time() - began) / calls * 1e6, (time.perf_counter() - clock) / calls * 1e6

    if not way.startswith("async"):
        ask = call(client, made(client, False, address, config))
        return taken(lambda count: sync_way(ask, way, count))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    async def ready() -> Callable[..., Any]:
        return call(client, made(client, True, address, config))

    later = loop.run_until_complete(ready())
    return taken(lambda count: loop.run_until_complete(async_way(later, way, count)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--clients", nargs="*", default=list(CLIENTS), choices=list(CLIENTS))
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.one:
        client, way, calls, address, config = told.one
        print(json.dumps(measured(client, way, int(calls), address, config)))
        sys.stdout.flush()
        # Threads of a client that is not closed do not delay the next one.
        os._exit(0)
    absent = [client for client, package in CLIENTS.items() if importlib.util.find_spec(package) is None]
    for client in absent:
        print(f"{client}: not installed, left out")
    with tempfile.TemporaryDirectory() as folder:
        config = str(Path(folder, "sabir.toml"))
        Path(config).write_text(CONFIG)
        binary = os.environ.get("SABIR_BINARY", "sabir")
        command = [binary, "serve", "--bind", "127.0.0.1:0", "--config", config, "--data-dir", folder]
        gateway = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={})
        try:
            assert gateway.stdout is not None
            address = gateway.stdout.readline().split()[-1]
            clients = [client for client in told.clients if client not in absent]
            table(clients, rounds(clients, told, address, config))
        finally:
            gateway.kill()
            gateway.wait()


def rounds(clients: List[str], told: Any, address: str, config: str) -> Dict[Tuple[str, str], List[List[float]]]:
    found: Dict[Tuple[str, str], List[List[float]]] = {}
    for _ in range(told.rounds):
        for way in WAYS:
            for client in clients:
                calls = told.streams if "stream" in way else told.calls
                one = ["--one", client, way, str(calls), address, config]
                ran = subprocess.run([sys.executable, __file__, *one], capture_output=True, text=True)
                if ran.returncode != 0:
                    sys.exit(f"{client}, {way}:\n{ran.stderr}")
                found.setdefault((client, way), []).append(json.loads(ran.stdout.splitlines()[-1]))
    return found


def table(clients: List[str], found: Dict[Tuple[str, str], List[List[float]]]) -> None:
    """Medians over the rounds, and ratios to the first client."""

    def cpu(client: str, way: str) -> float:
        return statistics.median(pair[0] for pair in found[client, way])

    def clock(client: str, way: str) -> float:
        return statistics.median(pair[1] for pair in found[client, way])

    print(f"\nprocessor time of the caller per call, and per stream of {PIECES} pieces (ratio to {clients[0]}):\n")
    print("| | " + " | ".join(clients) + " |")
    print("|---" * (len(clients) + 1) + "|")
    for way in WAYS:
        base = cpu(clients[0], way)
        cells = [f"{cpu(client, way):,.0f} µs ({cpu(client, way) / base:.2f})" for client in clients]
        print(f"| {way} | " + " | ".join(cells) + " |")
    print("\nby the clock:\n")
    for way in WAYS:
        cells = [f"{clock(client, way):,.0f} µs" for client in clients]
        print(f"| {way} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
