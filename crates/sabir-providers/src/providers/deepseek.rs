//! DeepSeek.
//!
//! Facts: <https://api-docs.deepseek.com>, checked 2026-11: thinking wants `reasoning_content` on every assistant turn
//! with tool calls; JSON mode, but no schema; usage rides on the last choice.
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
        id: "deepseek",
        title: "DeepSeek",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.deepseek.com"),
        key_env: &["DEEPSEEK_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[Operation::Chat],
            image: false,
            json_schema: false,
            seed: false,
            logit_bias: false,
            n: false,
            ..USUAL
        },
        docs: "https://api-docs.deepseek.com",
    },
    quirks: Quirks {
        dialect: Dialect {
            reasoning: ReasoningStyle::Thinking,
            replay: Some("reasoning_content"),
            replay_always: true,
            ..Dialect::COMPATIBLE
        },
        ..Quirks::NONE
    },
};
