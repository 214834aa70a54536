//! Mistral AI.
//!
//! Facts: <https://docs.mistral.ai/api>, checked 2026-11: unknown members are refused (422), among them
//! `max_completion_tokens`, `stream_options`, `seed` (it is `random_seed`), `store`, `user`; tool call ids have nine
//! letters or digits; usage always comes on a stream.
//! Transcripts: `/audio/transcriptions`. A verdict of `/moderations` has categories of its own, and no `flagged`.
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
        id: "mistral",
        title: "Mistral AI",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.mistral.ai/v1"),
        key_env: &["MISTRAL_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[Operation::Chat, Operation::Embed, Operation::Transcribe, Operation::Moderate],
            file: true,
            audio: true,
            logit_bias: false,
            top_k: true,
            ..USUAL
        },
        docs: "https://docs.mistral.ai/api",
    },
    quirks: Quirks {
        dialect: Dialect {
            seed: "random_seed",
            required: "any",
            stream_usage: false,
            names: false,
            document_url: true,
            id_length: Some(9),
            lacks: &["user", "store", "verbosity", "modalities", "audio"],
            ..Dialect::COMPATIBLE
        },
        refuses: &[
            "\"max_completion_tokens\"",
            "\"stream_options\"",
            "\"seed\"",
            "\"store\"",
            "\"user\":",
            "\"logit_bias\"",
            "\"name\":null",
            "\"developer\"",
        ],
        translated: &[Operation::Moderate],
        ..Quirks::NONE
    },
};
