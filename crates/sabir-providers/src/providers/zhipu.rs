//! Zhipu AI (Z.ai).
//!
//! Facts: <https://docs.bigmodel.cn/api-reference>, checked 2026-11 (abroad it is `api.z.ai`): a key `id.secret` signs a
//! token; `tool_choice` is `auto`; temperature and top_p lie between 0 and 1; one stop text; JSON mode, but no schema;
//! thoughts go back as `reasoning_content`; what an error means is in its number.
//! Images, speech, transcripts and `/rerank` have OpenAI's paths below `/v4`; its moderation has another form.
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
    sign,
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "zhipu",
        title: "Zhipu AI (Z.ai)",
        protocol: Protocol::OpenAi,
        base_url: Some("https://open.bigmodel.cn/api/paas/v4"),
        key_env: &["ZHIPUAI_API_KEY", "ZHIPU_API_KEY", "ZAI_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[
                Operation::Chat,
                Operation::Embed,
                Operation::Image,
                Operation::Speech,
                Operation::Transcribe,
                Operation::Rerank,
            ],
            seed: false,
            penalties: false,
            logit_bias: false,
            logprobs: false,
            n: false,
            parallel_tool_calls: false,
            json_schema: false,
            video: true,
            ..USUAL
        },
        docs: "https://docs.bigmodel.cn/api-reference",
    },
    quirks: Quirks {
        dialect: Dialect {
            names: false,
            reasoning: ReasoningStyle::Thinking,
            replay: Some("reasoning_content"),
            choices: Choices { none: false, ..Choices::AUTO_OR_NONE },
            temperature: Some((0.01, 1.0)),
            top_p: Some((0.01, 0.99)),
            max_stops: Some(1),
            lacks: &["n", "store", "user"],
            ..Dialect::COMPATIBLE
        },
        reading: Reading {
            codes: &[
                ("1000", ErrorKind::Authentication),
                ("1001", ErrorKind::Authentication),
                ("1002", ErrorKind::Authentication),
                ("1003", ErrorKind::Authentication),
                ("1004", ErrorKind::Authentication),
                ("1110", ErrorKind::Permission),
                ("1111", ErrorKind::Permission),
                ("1112", ErrorKind::Permission),
                ("1113", ErrorKind::QuotaExceeded),
                ("1120", ErrorKind::Permission),
                ("1200", ErrorKind::Upstream),
                ("1211", ErrorKind::NotFound),
                ("1212", ErrorKind::NotFound),
                ("1220", ErrorKind::Permission),
                ("1222", ErrorKind::NotFound),
                ("1230", ErrorKind::Upstream),
                ("1234", ErrorKind::Upstream),
                ("1261", ErrorKind::ContextLength),
                ("1300", ErrorKind::ContentFilter),
                ("1301", ErrorKind::ContentFilter),
                ("1302", ErrorKind::RateLimited),
                ("1303", ErrorKind::RateLimited),
                ("1304", ErrorKind::QuotaExceeded),
                ("1305", ErrorKind::RateLimited),
                ("1308", ErrorKind::QuotaExceeded),
                ("1309", ErrorKind::QuotaExceeded),
                ("1310", ErrorKind::QuotaExceeded),
                ("1312", ErrorKind::RateLimited),
            ],
            ..Reading::USUAL
        },
        token: Some(sign::jwt::of_key),
        lists_models: false,
        ..Quirks::NONE
    },
};
