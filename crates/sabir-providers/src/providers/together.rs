//! Together AI.
//!
//! Facts: <https://docs.together.ai>, checked 2026-11: the list of models is a bare array; finish reason `eos`.
//! Images, speech, transcripts and `/rerank`: <https://docs.together.ai/reference>.
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
        id: "together",
        title: "Together AI",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.together.ai/v1"),
        key_env: &["TOGETHER_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[
                Operation::Chat,
                Operation::Embed,
                Operation::Image,
                Operation::Speech,
                Operation::Transcribe,
                Operation::Translate,
                Operation::Rerank,
            ],
            top_k: true,
            ..USUAL
        },
        docs: "https://docs.together.ai/docs/openai-api-compatibility",
    },
    quirks: Quirks { dialect: Dialect { replay: Some("reasoning"), ..Dialect::COMPATIBLE }, ..Quirks::NONE },
};
