//! SGLang's server.
//!
//! Facts: <https://docs.sglang.ai>, checked 2026-11: thinking is switched by `chat_template_kwargs`.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::Protocol;
use sabir_wire::openai::emit::{Dialect, ReasoningStyle};

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "sglang",
        title: "SGLang",
        protocol: Protocol::OpenAi,
        base_url: None,
        key_env: &["SGLANG_API_KEY"],
        key_required: false,
        shorthand: false,
        can: Capabilities { top_k: true, ..USUAL },
        docs: "https://docs.sglang.ai/basic_usage/openai_api.html",
    },
    quirks: Quirks {
        dialect: Dialect {
            reasoning: ReasoningStyle::Template,
            replay: Some("reasoning_content"),
            ..Dialect::COMPATIBLE
        },
        ..Quirks::NONE
    },
};
