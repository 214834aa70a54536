//! LM Studio.
//!
//! Facts: <https://lmstudio.ai/docs/developer/openai-compat>, checked 2026-11: `tool_choice` is a word, so a tool cannot be
//! named (only that one is sent, and one is required); schemas, but no JSON mode; thoughts come apart or stand in the
//! text, as the user chose.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::Protocol;
use sabir_wire::openai::{
    decode::Reading,
    emit::{Choices, Dialect},
};

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "lm_studio",
        title: "LM Studio",
        protocol: Protocol::OpenAi,
        base_url: Some("http://localhost:1234/v1"),
        key_env: &["LM_API_TOKEN"],
        key_required: false,
        shorthand: true,
        can: Capabilities { json: false, n: false, top_k: true, ..USUAL },
        docs: "https://lmstudio.ai/docs/developer/openai-compat",
    },
    quirks: Quirks {
        dialect: Dialect {
            choices: Choices { required: true, ..Choices::AUTO_OR_NONE },
            lacks: &["n"],
            ..Dialect::COMPATIBLE
        },
        reading: Reading { inline_thoughts: true, ..Reading::USUAL },
        ..Quirks::NONE
    },
};
