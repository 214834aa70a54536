//! Hugging Face Inference Providers.
//!
//! Facts: <https://huggingface.co/docs/inference-providers/tasks/chat-completion>, checked 2026-11: a router before many
//! providers; a model may name one (`model:provider`); thoughts may stand in the text.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::{Operation, Protocol};
use sabir_wire::openai::{decode::Reading, emit::Dialect};

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "huggingface",
        title: "Hugging Face Inference Providers",
        protocol: Protocol::OpenAi,
        base_url: Some("https://router.huggingface.co/v1"),
        key_env: &["HF_TOKEN"],
        key_required: true,
        shorthand: true,
        can: Capabilities { operations: &[Operation::Chat], n: false, ..USUAL },
        docs: "https://huggingface.co/docs/inference-providers/tasks/chat-completion",
    },
    quirks: Quirks {
        dialect: Dialect { lacks: &["n"], ..Dialect::COMPATIBLE },
        reading: Reading { inline_thoughts: true, ..Reading::USUAL },
        ..Quirks::NONE
    },
};
