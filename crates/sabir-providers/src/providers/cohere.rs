//! Cohere.
//!
//! Facts: <https://docs.cohere.com/docs/compatibility-api>, checked 2026-11: a tool cannot be named (only that one is sent,
//! and one is required); temperature is at most 1, top_p lies between 0.01 and 0.99; five stop texts; unknown members,
//! `stream_options` among them, are refused. Reranking is at Cohere's own address: <https://docs.cohere.com/reference/rerank>.
//!
//! Invariant: chats and embeddings go by the compatible API, where what differs from OpenAI is data; only reranking
//! speaks Cohere's own protocol.

use http::{Method, request::Parts};
use sabir_types::{Error, Operation, Protocol, Request, Response, Result};
use sabir_wire::{
    openai::emit::{Choices, Dialect},
    rerank::Style,
};

use crate::{
    Capabilities, Decoder, Encoded, Glance, HttpResponse, Provider, Spec, Target,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
};

/// The provider type `cohere`.
#[derive(Debug)]
pub(super) struct Cohere;

const BASE: &str = "https://api.cohere.ai/compatibility/v1";

impl Provider for Cohere {
    fn spec(&self) -> &Spec {
        &COMPAT.spec
    }

    fn protocol(&self, operation: Operation, _to: &Target<'_>) -> Protocol {
        if operation == Operation::Rerank { Protocol::Cohere } else { Protocol::OpenAi }
    }

    fn head(&self, operation: Operation, stream: bool, to: &Target<'_>) -> Result<Parts> {
        if operation != Operation::Rerank {
            return COMPAT.head(operation, stream, to);
        }
        let base = to.api_base.unwrap_or(BASE).trim_end_matches('/');
        let root = ["/compatibility/v1", "/v1", "/v2"].iter().find_map(|end| base.strip_suffix(end)).unwrap_or(base);
        COMPAT.request(Method::POST, "/v2/rerank", &Target { api_base: Some(root), ..*to })
    }

    fn body(&self, req: &Request, to: &Target<'_>) -> Result<Encoded> {
        COMPAT.body(req, to)
    }

    fn decode(&self, req: &Request, to: &Target<'_>, resp: &HttpResponse) -> Result<Response> {
        COMPAT.decode(req, to, resp)
    }

    fn decoder(&self, req: &Request, to: &Target<'_>) -> Box<dyn Decoder> {
        COMPAT.decoder(req, to)
    }

    fn passes(&self, operation: Operation, body: &[u8]) -> bool {
        COMPAT.passes(operation, body)
    }

    fn glance(&self, operation: Operation, body: &[u8]) -> Result<Glance> {
        COMPAT.glance(operation, body)
    }

    fn glance_event(&self, event: Option<&str>, data: &str) -> Result<Glance> {
        COMPAT.glance_event(event, data)
    }

    fn error(&self, resp: &HttpResponse) -> Error {
        COMPAT.error(resp)
    }
}

static COMPAT: OpenAiCompat = OpenAiCompat {
    spec: Spec {
        id: "cohere",
        title: "Cohere",
        protocol: Protocol::OpenAi,
        base_url: Some(BASE),
        key_env: &["CO_API_KEY", "COHERE_API_KEY"],
        key_required: true,
        shorthand: true,
        can: Capabilities {
            operations: &[Operation::Chat, Operation::Embed, Operation::Rerank],
            parallel_tool_calls: false,
            logit_bias: false,
            logprobs: false,
            n: false,
            ..USUAL
        },
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
        rerank: Style::Cohere,
        ..Quirks::NONE
    },
};

#[cfg(test)]
mod tests {
    use sabir_types::Map;

    use super::*;

    #[test]
    fn reranking_has_its_own_address() {
        let url = |api_base, operation| {
            let to = Target { model: "m", api_base, key: None, options: &Map::new(), now: 0 };
            Cohere.head(operation, false, &to).unwrap().uri.to_string()
        };
        assert_eq!(url(None, Operation::Chat), "https://api.cohere.ai/compatibility/v1/chat/completions");
        assert_eq!(url(None, Operation::Rerank), "https://api.cohere.ai/v2/rerank");
        assert_eq!(url(Some("http://localhost:1/v1/"), Operation::Rerank), "http://localhost:1/v2/rerank");
        assert_eq!(url(Some("http://localhost:1"), Operation::Rerank), "http://localhost:1/v2/rerank");
    }
}
