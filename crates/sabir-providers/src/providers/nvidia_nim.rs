//! NVIDIA NIM.
//!
//! Facts: <https://docs.api.nvidia.com/nim/reference/llm-apis>, checked 2026-11: servers of many makes behind one address;
//! thinking is switched by `chat_template_kwargs`; thoughts come apart or stand in the text.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::Protocol;
use sabir_wire::openai::{
    decode::Reading,
    emit::{Dialect, ReasoningStyle},
};

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "nvidia_nim",
        title: "NVIDIA NIM",
        protocol: Protocol::OpenAi,
        base_url: Some("https://integrate.api.nvidia.com/v1"),
        key_env: &["NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities { logit_bias: false, n: false, ..USUAL },
        docs: "https://docs.api.nvidia.com/nim/reference/llm-apis",
    },
    quirks: Quirks {
        dialect: Dialect { reasoning: ReasoningStyle::Template, lacks: &["n"], ..Dialect::COMPATIBLE },
        reading: Reading { inline_thoughts: true, ..Reading::USUAL },
        ..Quirks::NONE
    },
};
