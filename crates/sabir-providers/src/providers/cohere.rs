//! Cohere.
//!
//! Facts: <https://docs.cohere.com/docs/compatibility-api>, checked 2026-11: a tool cannot be named (only that one is sent,
//! and one is required); temperature is at most 1, top_p lies between 0.01 and 0.99; five stop texts; unknown members,
//! `stream_options` among them, are refused.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::Protocol;
use sabir_wire::openai::emit::{Choices, Dialect};

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "cohere",
        title: "Cohere",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.cohere.ai/compatibility/v1"),
        key_env: &["CO_API_KEY", "COHERE_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities { parallel_tool_calls: false, logit_bias: false, logprobs: false, n: false, ..USUAL },
        docs: "https://docs.cohere.com/docs/compatibility-api",
    },
    quirks: Quirks {
        dialect: Dialect {
            stream_usage: false,
            names: false,
            choices: Choices { required: true, ..Choices::AUTO_OR_NONE },
            temperature: Some((0.0, 1.0)),
            top_p: Some((0.01, 0.99)),
            max_stops: Some(5),
            lacks: &[
                "n",
                "store",
                "metadata",
                "modalities",
                "audio",
                "prompt_cache_key",
                "service_tier",
                "user",
                "verbosity",
            ],
            ..Dialect::COMPATIBLE
        },
        refuses: &["\"stream_options\""],
        lists_models: false,
        ..Quirks::NONE
    },
};
