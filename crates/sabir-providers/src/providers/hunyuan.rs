//! Tencent Hunyuan (TokenHub).
//!
//! Facts: <https://cloud.tencent.com/document/product/1729/111007>, checked 2026-11: TokenHub took over from
//! `api.hunyuan.cloud.tencent.com/v1`, which spoke the same way; thinking by `enable_thinking`; JSON mode, but no schema;
//! usage on every event of a stream.
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
        id: "hunyuan",
        title: "Tencent Hunyuan (TokenHub)",
        protocol: Protocol::OpenAi,
        base_url: Some("https://tokenhub.tencentmaas.com/v1"),
        key_env: &["TENCENT_TOKENHUB_API_KEY", "HUNYUAN_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            penalties: false,
            logit_bias: false,
            logprobs: false,
            n: false,
            json_schema: false,
            video: true,
            ..USUAL
        },
        docs: "https://cloud.tencent.com/document/product/1729/111007",
    },
    quirks: Quirks {
        dialect: Dialect { reasoning: ReasoningStyle::Switch, lacks: &["n"], ..Dialect::COMPATIBLE },
        reading: Reading {
            codes: &[
                ("403004", ErrorKind::QuotaExceeded),
                ("content_filter_error", ErrorKind::ContentFilter),
                ("upstream_error", ErrorKind::Upstream),
            ],
            ..Reading::USUAL
        },
        ..Quirks::NONE
    },
};
