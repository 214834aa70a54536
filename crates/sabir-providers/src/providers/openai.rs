//! OpenAI, and any server that speaks exactly as it does (`api_base`).
//!
//! Facts: <https://platform.openai.com/docs/api-reference>, checked 2026-11.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::{Operation, Protocol};
use sabir_wire::openai::emit::Dialect;

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
    openai_responses::WithResponses,
};

pub(super) static PROVIDER: WithResponses = WithResponses(OpenAiCompat {
    spec: Spec {
        id: "openai",
        title: "OpenAI",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.openai.com/v1"),
        key_env: &["OPENAI_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[
                Operation::Chat,
                Operation::Embed,
                Operation::Image,
                Operation::ImageEdit,
                Operation::Speech,
                Operation::Transcribe,
                Operation::Translate,
                Operation::Moderate,
            ],
            custom_tools: true,
            audio: true,
            file: true,
            ..USUAL
        },
        docs: "https://platform.openai.com/docs/api-reference",
    },
    quirks: Quirks {
        dialect: Dialect::OPENAI,
        headers: &[("organization", "openai-organization"), ("project", "openai-project")],
        ..Quirks::NONE
    },
});
