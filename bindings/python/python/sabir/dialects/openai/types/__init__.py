"""The types of requests and answers by OpenAI's names.

Every name is there: those of requests (`…Param`, `…Params`) are plain dicts, all others are classes of
answers, whose members are as they came.
"""

from __future__ import annotations

from typing import Any, Dict

from ...._resources.objects import kind


def __getattr__(name: str) -> Any:
    if name.startswith("_") or not name[0].isupper():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name.endswith(("Param", "Params", "Union", "Role", "Format", "Model", "Input", "Effort")) and name != "Model":
        return Dict[str, Any] if "Param" in name else Any
    return kind(name)
