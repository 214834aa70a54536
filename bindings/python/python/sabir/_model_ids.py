"""Ids of models as LMClient's users write them, and what the gateway calls them.

The table is that of docs/providers.md, which the gateway's program writes; a test compares them.
"""

from __future__ import annotations

from typing import Dict, Tuple

#: What serves now instead of models that are gone, by provider and name of old.
SERVES_NOW: Dict[Tuple[str, str], str] = {
    ("minimax", "abab5-chat"): "minimax::MiniMax-M2.5",
    ("minimax", "abab5.5-chat"): "minimax::MiniMax-M2.5",
    ("minimax_pro", "abab5.5-chat"): "minimax::MiniMax-M2.5",
    ("minimax_pro", "abab6-chat"): "minimax::MiniMax-M2.5",
    ("wenxin", "ERNIE-Bot"): "qianfan::ernie-3.5-8k",
    ("wenxin", "ERNIE-Bot-turbo"): "qianfan::ernie-lite-8k",
    ("wenxin", "ERNIE-Bot-4"): "qianfan::ernie-4.0-8k",
    ("wenxin", "llama_2_7b"): "qianfan::ernie-4.5-turbo-128k",
    ("wenxin", "llama_2_13b"): "qianfan::ernie-4.5-turbo-128k",
    ("wenxin", "llama_2_70b"): "qianfan::ernie-4.5-turbo-128k",
    ("baichuan", "Baichuan2-53B"): "baichuan::Baichuan4-Turbo",
    ("zhipu", "chatglm_std"): "zhipu::glm-4.7",
    ("zhipu", "chatglm_lite"): "zhipu::glm-4.7",
    ("zhipu", "chatglm_pro"): "zhipu::glm-4.7",
    ("zhipu", "chatglm_turbo"): "zhipu::glm-4.7",
    ("zhipu-character", "characterglm"): "zhipu::charglm-4",
    ("hunyuan", "v1"): "hunyuan::hy3-preview",
}
#: LMClient's words for a provider that are not the provider's id.
PROVIDERS = {"minimax_pro": "minimax", "wenxin": "qianfan", "zhipu-character": "zhipu"}
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
    if not found or "::" in model_id:
        return model_id
    now = SERVES_NOW.get((provider, name))
    return now or f"{PROVIDERS.get(provider, provider)}::{name}"
