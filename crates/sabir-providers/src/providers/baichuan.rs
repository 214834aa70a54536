//! Baichuan.
//!
//! Facts: <https://platform.baichuan-ai.com/docs/api>, checked 2026-11: a tool cannot be forced; temperature is at most 1,
//! top_p below 1; JSON mode, but no schema; no stop texts, seed, penalties, log probabilities; usage always comes on a
//! stream; some models take `thinking`.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::Protocol;
use sabir_wire::openai::emit::{Choices, Dialect, ReasoningStyle};

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "baichuan",
        title: "Baichuan",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.baichuan-ai.com/v1"),
        key_env: &["BAICHUAN_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            seed: false,
            penalties: false,
            logit_bias: false,
            logprobs: false,
            n: false,
            parallel_tool_calls: false,
            json_schema: false,
            top_k: true,
            stop: false,
            ..USUAL
        },
        docs: "https://platform.baichuan-ai.com/docs/api",
    },
    quirks: Quirks {
        dialect: Dialect {
            stream_usage: false,
            reasoning: ReasoningStyle::Thinking,
            choices: Choices::AUTO_OR_NONE,
            temperature: Some((0.0, 1.0)),
            top_p: Some((0.0, 0.99)),
            lacks: &["n", "reasoning_effort"],
            ..Dialect::COMPATIBLE
        },
        lists_models: false,
        ..Quirks::NONE
    },
};
