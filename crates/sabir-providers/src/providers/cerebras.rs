//! Cerebras.
//!
//! Facts: <https://inference-docs.cerebras.ai/api-reference/chat-completions>, checked 2026-11: no penalties, no
//! `logit_bias`; thoughts come and go back as `reasoning`.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::{Operation, Protocol};
use sabir_wire::openai::emit::Dialect;

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "cerebras",
        title: "Cerebras",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.cerebras.ai/v1"),
        key_env: &["CEREBRAS_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[Operation::Chat],
            image: false,
            penalties: false,
            logit_bias: false,
            n: false,
            ..USUAL
        },
        docs: "https://inference-docs.cerebras.ai/api-reference/chat-completions",
    },
    quirks: Quirks {
        dialect: Dialect {
            max_tokens: "max_completion_tokens",
            replay: Some("reasoning"),
            lacks: &["n"],
            ..Dialect::COMPATIBLE
        },
        ..Quirks::NONE
    },
};
