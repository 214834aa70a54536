//! OpenRouter.
//!
//! Facts: <https://openrouter.ai/docs>, checked 2026-11: thinking by a `reasoning` object, replayed unmodified as
//! `reasoning_details`; errors may come inside a chunk that also has choices.
//! Reranking: <https://openrouter.ai/docs/api-reference/rerank>.
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
        id: "openrouter",
        title: "OpenRouter",
        protocol: Protocol::OpenAi,
        base_url: Some("https://openrouter.ai/api/v1"),
        key_env: &["OPENROUTER_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[Operation::Chat, Operation::Embed, Operation::Rerank],
            file: true,
            audio: true,
            top_k: true,
            ..USUAL
        },
        docs: "https://openrouter.ai/docs/api-reference/overview",
    },
    quirks: Quirks {
        dialect: Dialect {
            reasoning: ReasoningStyle::Object,
            replay: Some("reasoning_details"),
            ..Dialect::COMPATIBLE
        },
        headers: &[("http_referer", "http-referer"), ("x_title", "x-title")],
        ..Quirks::NONE
    },
};
