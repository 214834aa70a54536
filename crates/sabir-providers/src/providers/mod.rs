//! The registry of providers: one file each, one line here.

use crate::Provider;

mod anthropic;
mod azure;
mod baichuan;
mod bedrock;
mod cerebras;
mod cohere;
mod dashscope;
mod deepseek;
mod doubao;
mod dummy;
mod fireworks;
mod google_ai_studio_gemini;
mod groq;
mod huggingface;
mod hunyuan;
mod hyperbolic;
mod jina;
mod llama_cpp;
mod lm_studio;
mod minimax;
mod mistral;
mod moonshot;
mod nvidia_nim;
mod ollama;
mod openai;
mod openrouter;
mod perplexity;
mod qianfan;
mod sglang;
mod tgi;
mod together;
mod vertex;
mod vertex_anthropic;
mod vllm;
mod voyage;
mod xai;
mod zhipu;

/// Every provider, in the order in which people are shown them.
static ALL: &[&dyn Provider] = &[
    &dummy::PROVIDER,
    &openai::PROVIDER,
    &anthropic::Anthropic,
    &azure::Azure,
    &bedrock::Bedrock,
    &google_ai_studio_gemini::GoogleAiStudioGemini,
    &baichuan::PROVIDER,
    &cerebras::PROVIDER,
    &cohere::Cohere,
    &dashscope::PROVIDER,
    &deepseek::PROVIDER,
    &doubao::PROVIDER,
    &fireworks::PROVIDER,
    &groq::PROVIDER,
    &huggingface::PROVIDER,
    &hunyuan::PROVIDER,
    &hyperbolic::PROVIDER,
    &jina::PROVIDER,
    &llama_cpp::PROVIDER,
    &lm_studio::PROVIDER,
    &minimax::PROVIDER,
    &mistral::PROVIDER,
    &moonshot::PROVIDER,
    &nvidia_nim::PROVIDER,
    &ollama::PROVIDER,
    &openrouter::PROVIDER,
    &perplexity::PROVIDER,
    &qianfan::PROVIDER,
    &sglang::PROVIDER,
    &tgi::PROVIDER,
    &together::PROVIDER,
    &vertex::Vertex,
    &vertex_anthropic::VertexAnthropic,
    &vllm::PROVIDER,
    &voyage::PROVIDER,
    &xai::PROVIDER,
    &zhipu::PROVIDER,
];

/// Every provider, in the order in which people are shown them.
pub fn all() -> &'static [&'static dyn Provider] {
    ALL
}

/// The provider of that id.
pub fn find(id: &str) -> Option<&'static dyn Provider> {
    ALL.iter().copied().find(|provider| provider.spec().id == id)
}
