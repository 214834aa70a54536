//! Alibaba DashScope (Qwen).
//!
//! Facts: <https://help.aliyun.com/zh/model-studio/compatibility-of-openai-with-dashscope>, checked 2026-11 (abroad it is
//! `dashscope-intl.aliyuncs.com`): thinking by `enable_thinking` and `thinking_budget`; a tool can be named, but not "any"
//! demanded.
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
        id: "dashscope",
        title: "Alibaba DashScope (Qwen)",
        protocol: Protocol::OpenAi,
        base_url: Some("https://dashscope.aliyuncs.com/compatible-mode/v1"),
        key_env: &["DASHSCOPE_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities { audio: true, video: true, logit_bias: false, top_k: true, ..USUAL },
        docs: "https://help.aliyun.com/zh/model-studio/compatibility-of-openai-with-dashscope",
    },
    quirks: Quirks {
        dialect: Dialect {
            reasoning: ReasoningStyle::Switch,
            choices: Choices { named: true, ..Choices::AUTO_OR_NONE },
            ..Dialect::COMPATIBLE
        },
        ..Quirks::NONE
    },
};
