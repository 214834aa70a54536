"""Results on disk, so that a run that was cut off goes on where it was.

Invariant: a line is a whole result of exactly this model, these parameters and these messages. A
line that a crash left unfinished counts as not there; errors are not kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from typing import IO, Any, Dict, List, Optional, Tuple

from ._errors import SabirError
from ._models import Model, ModelOutput
from ._parameters import Parameters
from ._requests import StrPath


class ResumeError(SabirError):
    """The file of results is no such file."""


class Results:
    """The results of a run; without a path, none are kept."""

    def __init__(
        self, path: Optional[StrPath], model: Model, parameters: Parameters, asked: List[List[Dict[str, Any]]]
    ) -> None:
        self._model = model
        self._parameters = parameters
        self._file: Optional[IO[str]] = None
        self._kept: Dict[str, Dict[str, Any]] = {}
        self._keys: List[str] = []
        if path is None:
            return
        seen: Counter[str] = Counter()
        told = parameters.to_dict()
        for messages in asked:
            whole = [model.gateway_model, model.system_prompt, told, messages]
            text = json.dumps(whole, sort_keys=True, ensure_ascii=False, default=str)
            key = hashlib.sha256(text.encode()).hexdigest()
            # The same prompt twice is two results.
            seen[key] += 1
            self._keys.append(f"{key}:{seen[key]}")
        torn = self._read(path)
        self._file = open(path, "a", encoding="utf-8")
        if torn:
            self._file.write("\n")

    def kept(self, index: int) -> Optional[ModelOutput]:
        """The result of a prompt, if it is there."""
        row = self._kept.get(self._keys[index]) if self._keys else None
        if row is None:
            return None
        return self._model._output(self._model.model_id, self._parameters, **row)

    def keep(self, index: int, output: ModelOutput) -> None:
        """Writes a result down at once."""
        if self._file is None or output.is_error:
            return
        row = {
            "messages": output.messages,
            "reply": output.reply,
            "extra_info": output.extra_info,
            "usage": output.usage,
        }
        self._file.write(json.dumps({"key": self._keys[index], "output": row}, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Ends writing."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self, path: StrPath) -> bool:
        """Reads what is there; says whether the last line was left unfinished."""
        if not os.path.exists(path):
            return False
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")
        last = lines.pop()
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            row = self._row(line)
            if row is None:
                # Where a run went on after a torn line, that line stays as it is.
                continue
            if not isinstance(row[1], dict):
                raise ResumeError(f"{os.fspath(path)!r}, line {number}: this is no result")
            self._kept[row[0]] = row[1]
        return bool(last)

    @staticmethod
    def _row(line: str) -> Optional[Tuple[str, Any]]:
        try:
            row = json.loads(line)
        except ValueError:
            return None
        return (row["key"], row.get("output")) if isinstance(row, dict) and "key" in row else ("", None)
