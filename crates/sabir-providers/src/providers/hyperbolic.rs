//! Hyperbolic.
//!
//! Facts: <https://docs.hyperbolic.xyz>, checked 2026-11.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::{Operation, Protocol};

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "hyperbolic",
        title: "Hyperbolic",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.hyperbolic.xyz/v1"),
        key_env: &["HYPERBOLIC_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities { operations: &[Operation::Chat], top_k: true, ..USUAL },
        docs: "https://docs.hyperbolic.xyz",
    },
    quirks: Quirks::NONE,
};
