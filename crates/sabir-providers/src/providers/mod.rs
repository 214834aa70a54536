//! The registry of providers: one file each, one line here.

use crate::Provider;

mod anthropic;
mod azure;
mod deepseek;
mod dummy;
mod fireworks;
mod google_ai_studio_gemini;
mod groq;
mod hyperbolic;
mod mistral;
mod ollama;
mod openai;
mod openrouter;
mod sglang;
mod tgi;
mod together;
mod vllm;
mod xai;

/// Every provider, in the order in which people are shown them.
static ALL: &[&dyn Provider] = &[
    &dummy::PROVIDER,
    &openai::PROVIDER,
    &anthropic::Anthropic,
    &azure::Azure,
    &google_ai_studio_gemini::GoogleAiStudioGemini,
    &deepseek::PROVIDER,
    &fireworks::PROVIDER,
    &groq::PROVIDER,
    &hyperbolic::PROVIDER,
    &mistral::PROVIDER,
    &ollama::PROVIDER,
    &openrouter::PROVIDER,
    &sglang::PROVIDER,
    &tgi::PROVIDER,
    &together::PROVIDER,
    &vllm::PROVIDER,
    &xai::PROVIDER,
];

/// Every provider, in the order in which people are shown them.
pub fn all() -> &'static [&'static dyn Provider] {
    ALL
}

/// The provider of that id.
pub fn find(id: &str) -> Option<&'static dyn Provider> {
    ALL.iter().copied().find(|provider| provider.spec().id == id)
}
