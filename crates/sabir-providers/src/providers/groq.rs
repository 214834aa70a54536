//! Groq.
//!
//! Facts: <https://console.groq.com/docs/openai>, checked 2026-11: no `logit_bias`, `logprobs`, `messages[].name` (400);
//! `n` is 1; usage also comes as `x_groq.usage`.
//! Transcripts, translations and speech: <https://console.groq.com/docs/speech-to-text>, `/docs/text-to-speech`.
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
        id: "groq",
        title: "Groq",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.groq.com/openai/v1"),
        key_env: &["GROQ_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[Operation::Chat, Operation::Speech, Operation::Transcribe, Operation::Translate],
            logit_bias: false,
            logprobs: false,
            n: false,
            ..USUAL
        },
        docs: "https://console.groq.com/docs/openai",
    },
    quirks: Quirks {
        dialect: Dialect {
            max_tokens: "max_completion_tokens",
            names: false,
            replay: Some("reasoning"),
            ..Dialect::COMPATIBLE
        },
        ..Quirks::NONE
    },
};
