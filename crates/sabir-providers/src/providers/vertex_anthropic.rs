//! Anthropic's models in Google's cloud.
//!
//! Facts: <https://platform.claude.com/docs/en/api/claude-on-vertex-ai>, checked 2026-11: the bodies are the
//! Messages API's, but the model stands in the URL and the version in the body; whether it streams
//! is said twice, by the method and by the body.
//!
//! Invariant: what is the same is done by the translator of the Messages API, once.

use bytes::Bytes;
use http::request::Parts;
use sabir_types::{Error, Map, Operation, Protocol, Request, Response, Result, Value};
use sabir_wire::gemini;

use super::anthropic::{self, Anthropic};
use crate::{
    Capabilities, CredentialScheme, Decoder, Encoded, Glance, HttpRequest, HttpResponse, Provider, Spec, Target,
    google_cloud, parts,
};

/// The provider type `vertex_anthropic`.
#[derive(Debug)]
pub(super) struct VertexAnthropic;

const VERSION: &str = "vertex-2023-10-16";

static SPEC: Spec = Spec {
    id: "vertex_anthropic",
    title: "Google Vertex AI (Anthropic)",
    protocol: Protocol::Anthropic,
    base_url: None,
    key_env: &["GCP_VERTEX_CREDENTIALS_PATH"],
    key_required: true,
    shorthand: false,
    can: Capabilities {
        operations: &[Operation::Chat],
        stream: true,
        tools: true,
        parallel_tool_calls: true,
        image: true,
        file: true,
        json: true,
        json_schema: true,
        reasoning: true,
        top_k: true,
        stop: true,
        ..Capabilities::NONE
    },
    docs: "https://platform.claude.com/docs/en/api/claude-on-vertex-ai",
};

impl Provider for VertexAnthropic {
    fn spec(&self) -> &Spec {
        &SPEC
    }

    fn credentials(&self) -> CredentialScheme {
        CredentialScheme::Google
    }

    fn head(&self, operation: Operation, stream: bool, to: &Target<'_>) -> Result<Parts> {
        if operation != Operation::Chat {
            return Err(no_such(operation));
        }
        let method = if stream { "streamRawPredict" } else { "rawPredict" };
        Ok(call(to.model, method, to)?.into_parts().0)
    }

    fn body(&self, req: &Request, to: &Target<'_>) -> Result<Encoded> {
        if !matches!(req, Request::Chat(_)) {
            return Err(no_such(req.operation()));
        }
        let Encoded { body, warnings } = Anthropic.body(req, to)?;
        let mut body = object(&body)?;
        body.shift_remove("model");
        body.insert("anthropic_version".to_owned(), VERSION.into());
        Ok(Encoded { body: Bytes::from(Value::Object(body).to_string()), warnings })
    }

    fn count_tokens(&self, body: &[u8], to: &Target<'_>) -> Result<Option<HttpRequest>> {
        let mut body = object(body)?;
        body.insert("model".to_owned(), to.model.into());
        body.insert("anthropic_version".to_owned(), VERSION.into());
        let mut request = call("count-tokens", "rawPredict", to)?;
        *request.body_mut() = Bytes::from(Value::Object(body).to_string());
        Ok(Some(request))
    }

    fn decode(&self, req: &Request, to: &Target<'_>, resp: &HttpResponse) -> Result<Response> {
        Anthropic.decode(req, to, resp)
    }

    fn decoder(&self, req: &Request, to: &Target<'_>) -> Box<dyn Decoder> {
        Anthropic.decoder(req, to)
    }

    fn passes(&self, _operation: Operation, _body: &[u8]) -> bool {
        // Every body has to be written anew: it names the model, and lacks the version.
        false
    }

    fn glance(&self, operation: Operation, body: &[u8]) -> Result<Glance> {
        Anthropic.glance(operation, body)
    }

    fn glance_event(&self, event: Option<&str>, data: &str) -> Result<Glance> {
        Anthropic.glance_event(event, data)
    }

    fn error(&self, resp: &HttpResponse) -> Error {
        // What stops a call before it reaches the model is said in Google's words.
        if is_google(&resp.body) {
            gemini::error::decode(resp.status.as_u16(), &resp.body)
        } else {
            Anthropic.error(resp)
        }
    }
}

/// Google's errors have a status where Anthropic's have a type; some come in a list.
fn is_google(body: &[u8]) -> bool {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let first = value.get(0).unwrap_or(&value);
    first.pointer("/error/status").is_some_and(Value::is_string)
}

fn object(body: &[u8]) -> Result<Map<String, Value>> {
    serde_json::from_slice(body).map_err(|e| Error::bad_request(format!("body is not a JSON object: {e}")))
}

/// A call of a model's method, without its body.
fn call(model: &str, method: &str, to: &Target<'_>) -> Result<HttpRequest> {
    let resource = format!("publishers/anthropic/models/{}:{method}", parts::model(model));
    let mut request = google_cloud::call(SPEC.id, &resource, to)?;
    if let Some(betas) = anthropic::betas(to)? {
        request.headers_mut().insert("anthropic-beta", betas);
    }
    Ok(request)
}

fn no_such(operation: Operation) -> Error {
    Error::unsupported("model", format!("provider `{}` has no {}", SPEC.id, operation.as_str()))
}

#[cfg(test)]
#[path = "vertex_anthropic_tests.rs"]
mod tests;
