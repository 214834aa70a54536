//! Baidu Qianfan.
//!
//! Facts: <https://cloud.baidu.com/doc/qianfan-api>, checked 2026-11: version 2 only (version 1 went in August 2026); turns
//! alternate; thinking by `enable_thinking` and `thinking_budget`; the application's id goes into a header; a model that
//! is not there is a 401.
//!
//! Invariant: data only; what differs from OpenAI is named here with its source.

use sabir_types::{ErrorKind, Protocol};
use sabir_wire::openai::{
    decode::Reading,
    emit::{Dialect, ReasoningStyle},
};

use crate::{
    Capabilities, Spec,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

pub(super) static PROVIDER: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "qianfan",
        title: "Baidu Qianfan",
        protocol: Protocol::OpenAi,
        base_url: Some("https://qianfan.baidubce.com/v2"),
        key_env: &["QIANFAN_API_KEY", "QIANFAN_BEARER_TOKEN"],
        key_required: true,
        shorthand: true,
        can: Capabilities { logit_bias: false, logprobs: false, n: false, ..USUAL },
        docs: "https://cloud.baidu.com/doc/qianfan-api",
    },
    quirks: Quirks {
        dialect: Dialect {
            reasoning: ReasoningStyle::Switch,
            alternate: true,
            temperature: Some((0.01, 1.0)),
            lacks: &["n"],
            ..Dialect::COMPATIBLE
        },
        reading: Reading {
            codes: &[
                ("account_overdue", ErrorKind::QuotaExceeded),
                ("characters_too_long", ErrorKind::ContextLength),
                ("invalid_appid", ErrorKind::Authentication),
                ("invalid_iam_token", ErrorKind::Authentication),
                ("invalid_model", ErrorKind::NotFound),
                ("no_model_access", ErrorKind::Permission),
                ("rpm_rate_limit_exceeded", ErrorKind::RateLimited),
                ("server_high_load", ErrorKind::Upstream),
                ("tokens_too_long", ErrorKind::ContextLength),
                ("tpm_rate_limit_exceeded", ErrorKind::RateLimited),
            ],
            ..Reading::USUAL
        },
        headers: &[("appid", "appid")],
        ..Quirks::NONE
    },
};
