"""Webhooks: whether a call comes from who it says, and what it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any, Mapping, Optional, Union

from .objects import ApiObject, kind


def unwrap(
    api: Any, payload: Union[str, bytes], headers: Mapping[str, str], *, secret: Optional[str] = None
) -> ApiObject:
    """The event of a webhook, whose signature is checked first."""
    verify_signature(api, payload, headers, secret=secret)
    event = json.loads(payload)
    name = "".join(part.capitalize() for part in str(event.get("type", "")).replace("_", ".").split("."))
    return kind(f"{name}WebhookEvent" if name.isidentifier() else "UnwrapWebhookEvent")(event)


def verify_signature(
    api: Any,
    payload: Union[str, bytes],
    headers: Mapping[str, str],
    *,
    secret: Optional[str] = None,
    tolerance: int = 300,
) -> None:
    """Raises unless the call was signed with the secret, and not long ago."""
    key = secret if secret is not None else api.webhook_secret()
    if not key:
        raise ValueError("the webhook secret must be given, to this call or to the client (OPENAI_WEBHOOK_SECRET)")
    told = {name.lower(): value for name, value in headers.items()}
    values = []
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        if not told.get(name):
            raise ValueError(f"Could not find {name} header")
        values.append(told[name])
    id, timestamp, signatures = values
    wrong = api.invalid_signature
    try:
        sent = int(timestamp)
    except ValueError:
        raise wrong("Invalid webhook timestamp format") from None
    now = time.time()
    if now - sent > tolerance:
        raise wrong("Webhook timestamp is too old")
    if sent - now > tolerance:
        raise wrong("Webhook timestamp is too new")
    secret_bytes = base64.b64decode(key[len("whsec_") :]) if key.startswith("whsec_") else key.encode()
    body = payload.encode() if isinstance(payload, str) else payload
    digest = hmac.new(secret_bytes, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = base64.b64encode(digest)
    for entry in signatures.split():
        given = entry[3:] if entry.startswith("v1,") else entry
        if hmac.compare_digest(expected, given.encode()):
            return
    raise wrong("The given webhook signature does not match the expected signature")
