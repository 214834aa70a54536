//! llama.cpp server.
//!
//! Facts: <https://github.com/ggml-org/llama.cpp/tree/master/tools/server>, checked 2026-11: `tool_choice` is a word, so a
//! tool cannot be named (only that one is sent, and one is required); thinking is switched by `chat_template_kwargs`;
//! thoughts come apart or stand in the text, as the server was started.
//! `/rerank` of a model that was loaded for it.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::{ErrorKind, Operation, Protocol};
use sabir_wire::openai::{
    decode::Reading,
    emit::{Choices, Dialect, ReasoningStyle},
};

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "llama_cpp",
        title: "llama.cpp server",
        protocol: Protocol::OpenAi,
        base_url: Some("http://localhost:8080/v1"),
        key_env: &["LLAMA_API_KEY"],
        key_required: false,
        shorthand: true,
        can: Capabilities {
            operations: &[Operation::Chat, Operation::Embed, Operation::Rerank],
            audio: true,
            top_k: true,
            ..USUAL
        },
        docs: "https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
    },
    quirks: Quirks {
        dialect: Dialect {
            reasoning: ReasoningStyle::Template,
            replay: Some("reasoning_content"),
            choices: Choices { required: true, ..Choices::AUTO_OR_NONE },
            ..Dialect::COMPATIBLE
        },
        reading: Reading {
            inline_thoughts: true,
            codes: &[("exceed_context_size_error", ErrorKind::ContextLength)],
            ..Reading::USUAL
        },
        ..Quirks::NONE
    },
};
