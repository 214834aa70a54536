//! xAI.
//!
//! Facts: <https://docs.x.ai/docs/api-reference>, checked 2026-11: a wrong key is 400 with a string as `error`; usage
//! counts thinking apart.
//! Images: <https://docs.x.ai/docs/guides/image-generations>.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::{Operation, Protocol};
use sabir_wire::openai::emit::Dialect;

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "xai",
        title: "xAI",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.x.ai/v1"),
        key_env: &["XAI_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[Operation::Chat, Operation::Embed, Operation::Image],
            logit_bias: false,
            ..USUAL
        },
        docs: "https://docs.x.ai/docs/api-reference",
    },
    quirks: Quirks {
        dialect: Dialect {
            max_tokens: "max_completion_tokens",
            replay: Some("reasoning_content"),
            ..Dialect::COMPATIBLE
        },
        ..Quirks::NONE
    },
};
