//! Perplexity.
//!
//! Facts: <https://docs.perplexity.ai/api-reference/chat-completions-post>, checked 2026-11: no version in the address; turns
//! alternate; thoughts stand in the text; no tools, stop texts, seed, penalties, log probabilities, JSON mode (but
//! schemas); usage, and the text so far, come with every event of a stream.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::{ErrorKind, Operation, Protocol};
use sabir_wire::openai::{decode::Reading, emit::Dialect};

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "perplexity",
        title: "Perplexity",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.perplexity.ai"),
        key_env: &["PERPLEXITY_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[Operation::Chat],
            seed: false,
            penalties: false,
            logit_bias: false,
            logprobs: false,
            n: false,
            tools: false,
            parallel_tool_calls: false,
            json: false,
            stop: false,
            ..USUAL
        },
        docs: "https://docs.perplexity.ai/api-reference/chat-completions-post",
    },
    quirks: Quirks {
        dialect: Dialect { alternate: true, lacks: &["n"], ..Dialect::COMPATIBLE },
        reading: Reading {
            inline_thoughts: true,
            codes: &[("too_many_prompt_tokens", ErrorKind::ContextLength)],
            ..Reading::USUAL
        },
        lists_models: false,
        ..Quirks::NONE
    },
};
