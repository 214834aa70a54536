//! Volcengine Ark (Doubao).
//!
//! Facts: <https://www.volcengine.com/docs/82379/1494384>, checked 2026-11 (abroad it is
//! `ark.ap-southeast.bytepluses.com/api/v3`): a model is a dated name or an endpoint `ep-…`; thinking by `thinking`; no
//! seed, one answer.
//! Images: <https://www.volcengine.com/docs/82379/1541523>.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::{ErrorKind, Operation, Protocol};
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
        id: "doubao",
        title: "Volcengine Ark (Doubao)",
        protocol: Protocol::OpenAi,
        base_url: Some("https://ark.cn-beijing.volces.com/api/v3"),
        key_env: &["ARK_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[Operation::Chat, Operation::Embed, Operation::Image],
            seed: false,
            n: false,
            video: true,
            ..USUAL
        },
        docs: "https://www.volcengine.com/docs/82379/1494384",
    },
    quirks: Quirks {
        dialect: Dialect { reasoning: ReasoningStyle::Thinking, lacks: &["n"], ..Dialect::COMPATIBLE },
        reading: Reading {
            codes: &[("QuotaExceeded", ErrorKind::QuotaExceeded), ("ServerOverloaded", ErrorKind::Upstream)],
            ..Reading::USUAL
        },
        lists_models: false,
        ..Quirks::NONE
    },
};
