//! Ollama's OpenAI-compatible surface; a key is needed for its cloud alone.
//!
//! Facts: <https://docs.ollama.com/api/openai-compatibility>, checked 2026-11.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::Protocol;
use sabir_wire::openai::emit::Dialect;

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "ollama",
        title: "Ollama",
        protocol: Protocol::OpenAi,
        base_url: Some("http://localhost:11434/v1"),
        key_env: &["OLLAMA_API_KEY"],
        key_required: false,
        shorthand: true,
        can: Capabilities { n: false, logit_bias: false, logprobs: false, ..USUAL },
        docs: "https://docs.ollama.com/api/openai-compatibility",
    },
    quirks: Quirks { dialect: Dialect { replay: Some("reasoning"), ..Dialect::COMPATIBLE }, ..Quirks::NONE },
};
