//! Moonshot AI (Kimi).
//!
//! Facts: <https://platform.moonshot.cn/docs/api/chat>, checked 2026-11 (abroad it is `api.moonshot.ai`): a tool cannot be
//! forced; turns alternate; temperature is at most 1; thinking by `thinking`, and thoughts go back as `reasoning_content`.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::{Operation, Protocol};
use sabir_wire::openai::emit::{Choices, Dialect, ReasoningStyle};

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "moonshot",
        title: "Moonshot AI (Kimi)",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.moonshot.cn/v1"),
        key_env: &["MOONSHOT_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[Operation::Chat],
            parallel_tool_calls: false,
            video: true,
            seed: false,
            logit_bias: false,
            logprobs: false,
            ..USUAL
        },
        docs: "https://platform.moonshot.cn/docs/api/chat",
    },
    quirks: Quirks {
        dialect: Dialect {
            reasoning: ReasoningStyle::Thinking,
            replay: Some("reasoning_content"),
            choices: Choices::AUTO_OR_NONE,
            alternate: true,
            temperature: Some((0.0, 1.0)),
            lacks: &["reasoning_effort"],
            ..Dialect::COMPATIBLE
        },
        ..Quirks::NONE
    },
};
