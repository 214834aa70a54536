"""Ids of models as LMClient's users write them, and what the gateway calls them.

The gateway itself knows LMClient's words for providers, and what serves now instead of models that
are gone (docs/providers.md): here are only the models of ids that name none.
"""

from __future__ import annotations

#: The model of a provider whose id comes without one.
DEFAULTS = {
    "openai": "gpt-3.5-turbo",
    "minimax": "abab5.5-chat",
    "minimax_pro": "abab5.5-chat",
    "wenxin": "ERNIE-Bot",
    "zhipu": "chatglm_turbo",
    "zhipu-character": "characterglm",
    "hunyuan": "v1",
    "baichuan": "Baichuan2-53B",
}


def gateway_model(model_id: str) -> str:
    """The gateway's name for a model. What is not `provider/name` is the gateway's already."""
    if model_id in DEFAULTS:
        model_id = f"{model_id}/{DEFAULTS[model_id]}"
    provider, found, name = model_id.partition("/")
    return f"{provider}::{name}" if found and "::" not in model_id else model_id
