//! Fireworks AI.
//!
//! Facts: <https://docs.fireworks.ai>, checked 2026-11.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::Protocol;
use sabir_wire::openai::emit::Dialect;

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "fireworks",
        title: "Fireworks AI",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.fireworks.ai/inference/v1"),
        key_env: &["FIREWORKS_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities { top_k: true, ..USUAL },
        docs: "https://docs.fireworks.ai/tools-sdks/openai-compatibility",
    },
    quirks: Quirks { dialect: Dialect { replay: Some("reasoning_content"), ..Dialect::COMPATIBLE }, ..Quirks::NONE },
};
