"""What comes with every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Iterator, List, Mapping, Optional, Tuple

if TYPE_CHECKING:
    from ._native import Outcome


class Headers(Mapping[str, str]):
    """Headers by name, in whatever case. Several of one name are joined with commas."""

    def __init__(self, pairs: List[Tuple[str, str]]) -> None:
        self._values: Dict[str, str] = {}
        for name, value in pairs:
            name = name.lower()
            self._values[name] = f"{self._values[name]}, {value}" if name in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({self._values!r})"


class Meta:
    """The status and the headers of an answer, and how often the call was tried again."""

    __slots__ = ("headers", "retries", "status_code")

    def __init__(self, status_code: int, headers: Headers, retries: int) -> None:
        self.status_code = status_code
        self.headers = headers
        self.retries = retries

    @classmethod
    def of(cls, outcome: Outcome) -> Meta:
        return cls(outcome.status or 0, Headers(outcome.headers), outcome.retries)

    @property
    def request_id(self) -> Optional[str]:
        """The id of the request: the provider's where it gave one, else the gateway's."""
        return self.headers.get("x-request-id") or self.inference_id

    @property
    def inference_id(self) -> Optional[str]:
        """The id under which the ledger keeps the call."""
        return self.headers.get("x-sabir-inference-id")

    @property
    def episode_id(self) -> Optional[str]:
        """The episode that the call belongs to."""
        return self.headers.get("x-sabir-episode-id")

    def __repr__(self) -> str:
        return f"Meta(status_code={self.status_code}, request_id={self.request_id!r})"
