//! Names of models that LMClient's users wrote, and what serves them now.
//!
//! Invariant: this is the only place that knows them; whatever stands on the right can be called without configuration.

/// One provider of LMClient and models of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldModels {
    /// LMClient's word for the provider.
    pub provider: &'static str,
    /// The models then.
    pub then: &'static [&'static str],
    /// What serves them now: `provider::model`.
    pub now: &'static str,
}

/// All of them, in the order of the page `docs/providers.md`.
pub const OLD_MODELS: &[OldModels] = &[
    old("minimax", &["abab5-chat", "abab5.5-chat"], "minimax::MiniMax-M2.5"),
    old("minimax_pro", &["abab5.5-chat", "abab6-chat"], "minimax::MiniMax-M2.5"),
    old("wenxin", &["ERNIE-Bot"], "qianfan::ernie-3.5-8k"),
    old("wenxin", &["ERNIE-Bot-turbo"], "qianfan::ernie-lite-8k"),
    old("wenxin", &["ERNIE-Bot-4"], "qianfan::ernie-4.0-8k"),
    old(
        "wenxin",
        &["llama_2_7b", "llama_2_13b", "llama_2_70b", "llama-2-7b-chat", "llama-2-13b-chat", "llama-2-70b-chat"],
        "qianfan::ernie-4.5-turbo-128k",
    ),
    old("baichuan", &["Baichuan2-53B"], "baichuan::Baichuan4-Turbo"),
    // LMClient itself wrote `zhipu` before the name of Baichuan's model.
    old("zhipu", &["Baichuan2-53B"], "baichuan::Baichuan4-Turbo"),
    old("zhipu", &["chatglm_std", "chatglm_lite", "chatglm_pro", "chatglm_turbo"], "zhipu::glm-4.7"),
    old("zhipu-character", &["characterglm"], "zhipu::charglm-4"),
    old("hunyuan", &["v1"], "hunyuan::hy3-preview"),
];

const fn old(provider: &'static str, then: &'static [&'static str], now: &'static str) -> OldModels {
    OldModels { provider, then, now }
}

/// What serves a model of LMClient's time now, as provider and model.
pub(super) fn now(provider: &str, model: &str) -> Option<(&'static str, &'static str)> {
    OLD_MODELS.iter().find(|old| old.provider == provider && old.then.contains(&model))?.now.split_once("::")
}
