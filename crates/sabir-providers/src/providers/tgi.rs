//! Hugging Face's Text Generation Inference.
//!
//! Facts: <https://huggingface.co/docs/text-generation-inference/messages_api>, checked 2026-11: errors are a string
//! with `error_type`; finish reasons `eos_token` and `stop_sequence`.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::Protocol;

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "tgi",
        title: "Text Generation Inference",
        protocol: Protocol::OpenAi,
        base_url: None,
        key_env: &["HF_TOKEN"],
        key_required: false,
        shorthand: false,
        can: Capabilities { custom_tools: false, n: false, logit_bias: false, ..USUAL },
        docs: "https://huggingface.co/docs/text-generation-inference/messages_api",
    },
    quirks: Quirks { lists_models: false, ..Quirks::NONE },
};
