//! MiniMax.
//!
//! Facts: <https://platform.minimaxi.com/docs/api-reference/text-openai-api>, checked 2026-11 (abroad it is
//! `api.minimax.io`): thoughts stand in the text unless `reasoning_split` asks for them apart, and go back as
//! `reasoning_details`; errors may come with status 200, as `base_resp`; a tool cannot be forced; temperature and top_p
//! are above 0, at most 1; no stop texts, seed, penalties, log probabilities, response format; the last event of a stream
//! may repeat the whole answer.
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
        id: "minimax",
        title: "MiniMax",
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.minimaxi.com/v1"),
        key_env: &["MINIMAX_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[Operation::Chat],
            seed: false,
            penalties: false,
            logit_bias: false,
            logprobs: false,
            n: false,
            parallel_tool_calls: false,
            json: false,
            json_schema: false,
            stop: false,
            ..USUAL
        },
        docs: "https://platform.minimaxi.com/docs/api-reference/text-openai-api",
    },
    quirks: Quirks {
        dialect: Dialect {
            max_tokens: "max_completion_tokens",
            reasoning: ReasoningStyle::Adaptive,
            replay: Some("reasoning_details"),
            choices: Choices::AUTO_OR_NONE,
            temperature: Some((0.01, 1.0)),
            top_p: Some((0.01, 1.0)),
            always: &[("reasoning_split", true)],
            lacks: &["n"],
            ..Dialect::COMPATIBLE
        },
        reading: Reading {
            inline_thoughts: true,
            unopened: false,
            codes: &[
                ("1000", ErrorKind::Upstream),
                ("1001", ErrorKind::Timeout),
                ("1002", ErrorKind::RateLimited),
                ("1004", ErrorKind::Authentication),
                ("1008", ErrorKind::QuotaExceeded),
                ("1013", ErrorKind::Upstream),
                ("1024", ErrorKind::Upstream),
                ("1026", ErrorKind::ContentFilter),
                ("1027", ErrorKind::ContentFilter),
                ("1039", ErrorKind::RateLimited),
                ("1041", ErrorKind::RateLimited),
                ("1042", ErrorKind::BadRequest),
                ("2013", ErrorKind::BadRequest),
                ("2044", ErrorKind::Permission),
                ("2049", ErrorKind::Authentication),
                ("2056", ErrorKind::QuotaExceeded),
                ("20132", ErrorKind::BadRequest),
            ],
        },
        lists_models: false,
        ..Quirks::NONE
    },
};
