"""The gateway as a process: started with a configuration, stopped as an init system stops it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

START = "sabir listening on http://"
START_GRPC = "sabir grpc listening on "
# How the ledger writes down how a call ended.
STATUS = ("ok", "error", "cancelled")


@dataclass
class Raw:
    """An answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Gateway:
    process: subprocess.Popen
    address: str
    folder: Path
    log: list[str] = field(default_factory=list)
    # Where the Model Manager door listens, if it was asked for.
    grpc: str = ""

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @classmethod
    def start(cls, folder: Path, config: str, env: dict[str, str] | None = None, grpc: bool = False) -> Gateway:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sabir.toml").write_text(config)
        binary = os.environ.get("SABIR_BINARY")
        assert binary, "SABIR_BINARY must hold the path of the binary"
        # Nothing of the machine's own keys and settings may change what is tested.
        plain = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        process = subprocess.Popen(
            [binary, "serve", "--config", "sabir.toml", "--data-dir", "data", "--bind", "127.0.0.1:0"]
            + (["--grpc-bind", "127.0.0.1:0"] if grpc else []),
            cwd=folder,
            env={**plain, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        log: list[str] = []
        threading.Thread(target=lambda: log.extend(process.stderr), daemon=True).start()
        line = process.stdout.readline()
        if not line.startswith(START):
            process.wait(10)
            raise AssertionError(f"the gateway did not start: {line!r}\n{''.join(log)}")
        gateway = cls(process, line.removeprefix(START).strip(), folder, log)
        if grpc:
            line = process.stdout.readline()
            assert line.startswith(START_GRPC), f"no second port: {line!r}"
            gateway.grpc = line.removeprefix(START_GRPC).strip()
        return gateway

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("the gateway did not stop after SIGTERM") from None
        finally:
            self.process.stdout.close()
        assert code == 0, f"exit code {code}\n{''.join(self.log)}"
        assert not any("panicked" in line for line in self.log), "".join(self.log)

    def check(self) -> None:
        """Fails if the process is gone: the test that was its last is the one to blame."""
        code = self.process.poll()
        assert code is None, f"the gateway ended with {code}\n{''.join(self.log)}"

    def ask(self, method: str, path: str, body=None, headers: dict[str, str] | None = None) -> Raw:
        """A request without any client library."""
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, data, {"content-type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            read = answer.read()
            return Raw(answer.status, {name.lower(): value for name, value in answer.getheaders()}, read)
        finally:
            connection.close()

    def post(self, path: str, body, headers: dict[str, str] | None = None) -> Raw:
        return self.ask("POST", path, body, headers)

    def get(self, path: str, headers: dict[str, str] | None = None) -> Raw:
        return self.ask("GET", path, None, headers)

    def row(self, inference_id: str, until: float = 5.0) -> dict:
        """The ledger's row of a call; it is written after the answer has gone out."""
        end = time.monotonic() + until
        while True:
            with sqlite3.connect(f"file:{self.folder}/data/ledger.sqlite?mode=ro", uri=True) as db:
                db.row_factory = sqlite3.Row
                key = uuid.UUID(inference_id).bytes
                row = db.execute("SELECT * FROM inference WHERE id = ?", (key,)).fetchone()
            if row is not None:
                return {**dict(row), "status": STATUS[row["status"]]}
            assert time.monotonic() < end, f"the ledger has no row {inference_id}"
            time.sleep(0.01)


def events(raw: bytes) -> list[str]:
    """The data of a stream's events; anything but `data:` lines and comments is refused."""
    found = []
    text = raw.decode()
    assert text.endswith("\n\n"), f"the stream ends in the middle of an event: {text[-80:]!r}"
    for block in text.removesuffix("\n\n").split("\n\n"):
        for line in block.split("\n"):
            if line.startswith(":"):
                continue
            assert line.startswith("data: "), f"clients of this protocol break on the line {line!r}"
            found.append(line.removeprefix("data: "))
    return found
