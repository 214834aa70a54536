"""Tokens as Tamar's client makes them: HS256, the caller's ids, and an end."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any, Dict, Mapping, Optional, Tuple

#: A token that ends sooner than this is made anew.
_SPARE_SECONDS = 60


class Tokens:
    """One token for as long as it is good; a given token, or none, where there is no secret."""

    def __init__(
        self,
        secret: Optional[str],
        token: Optional[str],
        payload: Optional[Mapping[str, Any]],
        expires_in: int,
    ) -> None:
        self._secret = secret
        self._token = token
        self._payload = payload
        self._expires_in = expires_in
        self._made: Dict[str, Tuple[str, float]] = {}

    def token(self, org_id: str, user_id: str, fresh: bool = False) -> Optional[str]:
        """The token for a caller; with `fresh`, one that has not been used."""
        if self._token is not None or self._secret is None:
            return self._token
        claims = dict(self._payload) if self._payload is not None else {"org_id": org_id, "user_id": user_id}
        key = json.dumps(claims, sort_keys=True)
        made, end = self._made.get(key, ("", 0.0))
        if fresh or end - time.time() < _SPARE_SECONDS:
            end = time.time() + self._expires_in
            made = signed({**claims, "exp": int(end)}, self._secret)
            self._made = {**({} if len(self._made) > 1000 else self._made), key: (made, end)}
        return made

    @property
    def renewable(self) -> bool:
        """Whether a token that was refused can be replaced."""
        return self._token is None and self._secret is not None


def signed(claims: Mapping[str, Any], secret: str) -> str:
    """A token with these claims."""
    head = _text({"alg": "HS256", "typ": "JWT"})
    text = f"{head}.{_text(claims)}"
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{_base64(signature)}"


def _text(value: Mapping[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
