//! Jina AI.
//!
//! Facts: <https://api.jina.ai/redoc>, read 2026-11: embeddings and reranking; how vectors are written is
//! `embedding_type`, no `user`.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::{Operation, Protocol};
use sabir_wire::openai::embed;

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "jina",
        title: "Jina AI",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.jina.ai/v1"),
        key_env: &["JINA_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities { operations: &[Operation::Embed, Operation::Rerank], ..Capabilities::NONE },
        docs: "https://api.jina.ai/redoc",
    },
    quirks: Quirks {
        embed: embed::Dialect { format: "embedding_type", user: false, ..embed::Dialect::OPENAI },
        lists_models: false,
        ..Quirks::NONE
    },
};
