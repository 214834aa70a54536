//! vLLM's server.
//!
//! Facts: <https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>, checked 2026-11: thinking is
//! switched by `chat_template_kwargs`; thoughts come as `reasoning`.
//! Transcripts, translations and `/rerank` of models that have them.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::{Operation, Protocol};
use sabir_wire::openai::emit::{Dialect, ReasoningStyle};

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "vllm",
        title: "vLLM",
        protocol: Protocol::OpenAi,
        base_url: None,
        key_env: &["VLLM_API_KEY"],
        key_required: false,
        shorthand: false,
        can: Capabilities {
            operations: &[
                Operation::Chat,
                Operation::Embed,
                Operation::Transcribe,
                Operation::Translate,
                Operation::Rerank,
            ],
            top_k: true,
            audio: true,
            video: true,
            ..USUAL
        },
        docs: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
    },
    quirks: Quirks {
        dialect: Dialect { reasoning: ReasoningStyle::Template, replay: Some("reasoning"), ..Dialect::COMPATIBLE },
        ..Quirks::NONE
    },
};
