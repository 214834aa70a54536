//! Voyage AI.
//!
//! Facts: <https://docs.voyageai.com/reference>, read 2026-11: embeddings and reranking only; a vector's length is
//! `output_dimension`, numbers come unasked (`encoding_format` knows `base64` only), no `user`; usage is a total; the
//! order has `top_k`, and comes as `data`.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::{Operation, Protocol};
use sabir_wire::{openai::embed, rerank::Style};

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "voyage",
        title: "Voyage AI",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.voyageai.com/v1"),
        key_env: &["VOYAGE_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities { operations: &[Operation::Embed, Operation::Rerank], ..Capabilities::NONE },
        docs: "https://docs.voyageai.com/reference/reranker-api",
    },
    quirks: Quirks {
        embed: embed::Dialect {
            dimensions: "output_dimension",
            names_float: false,
            user: false,
            ..embed::Dialect::OPENAI
        },
        rerank: Style::Voyage,
        translated: &[Operation::Rerank],
        lists_models: false,
        ..Quirks::NONE
    },
};
