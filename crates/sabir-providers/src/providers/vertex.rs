//! Google Vertex AI: Gemini in Google's cloud.
//!
//! Facts: <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>, checked 2026-11:
//! the bodies are the Gemini API's; embeddings have a method of their own (`predict`), and a count
//! is asked for with the members of the request themselves.
//!
//! Invariant: what is the same is done by the translator of the Gemini API, once.

use bytes::Bytes;
use http::request::Parts;
use sabir_types::{Error, Map, Operation, Protocol, Request, Response, Result, Value};
use sabir_wire::gemini::{glance, image, predict};

use super::google_ai_studio_gemini::GoogleAiStudioGemini as Gemini;
use crate::{
    Capabilities, CredentialScheme, Decoder, Encoded, Glance, HttpRequest, HttpResponse, Provider, Spec, Target,
    google_cloud, parts,
};

/// The provider type `vertex`.
#[derive(Debug)]
pub(super) struct Vertex;

static SPEC: Spec = Spec {
    id: "vertex",
    title: "Google Vertex AI (Gemini)",
    protocol: Protocol::Gemini,
    base_url: None,
    key_env: &["GCP_VERTEX_CREDENTIALS_PATH"],
    key_required: true,
    shorthand: false,
    can: Capabilities {
        operations: &[Operation::Chat, Operation::Embed, Operation::Image, Operation::ImageEdit],
        stream: true,
        tools: true,
        image: true,
        audio: true,
        file: true,
        video: true,
        json: true,
        json_schema: true,
        reasoning: true,
        seed: true,
        penalties: true,
        logprobs: true,
        n: true,
        top_k: true,
        stop: true,
        ..Capabilities::NONE
    },
    docs: "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
};

impl Provider for Vertex {
    fn spec(&self) -> &Spec {
        &SPEC
    }

    fn credentials(&self) -> CredentialScheme {
        CredentialScheme::Google
    }

    fn head(&self, operation: Operation, stream: bool, to: &Target<'_>) -> Result<Parts> {
        let method = match operation {
            Operation::Chat if stream => "streamGenerateContent?alt=sse",
            Operation::Chat => "generateContent",
            Operation::Embed => "predict",
            Operation::Image | Operation::ImageEdit if image::is_imagen(to.model) => "predict",
            Operation::Image | Operation::ImageEdit => "generateContent",
            other => return Err(no_such(other)),
        };
        Ok(google_cloud::call(SPEC.id, &format!("{}:{method}", resource(to)), to)?.into_parts().0)
    }

    fn body(&self, req: &Request, to: &Target<'_>) -> Result<Encoded> {
        match req {
            Request::Embed(embed) => {
                let mut warnings = Vec::new();
                let body = predict::emit(embed, &mut warnings)?;
                Ok(Encoded { body: Bytes::from(body), warnings })
            }
            other => Gemini.body(other, to),
        }
    }

    fn count_tokens(&self, body: &[u8], to: &Target<'_>) -> Result<Option<HttpRequest>> {
        let mut body: Map<String, Value> =
            serde_json::from_slice(body).map_err(|e| Error::bad_request(format!("body is not a JSON object: {e}")))?;
        for name in ["generateContentRequest", "generate_content_request"] {
            if let Some(Value::Object(whole)) = body.shift_remove(name) {
                body.extend(whole);
            }
        }
        body.shift_remove("model");
        let mut request = google_cloud::call(SPEC.id, &format!("{}:countTokens", resource(to)), to)?;
        *request.body_mut() = Bytes::from(Value::Object(body).to_string());
        Ok(Some(request))
    }

    fn decode(&self, req: &Request, to: &Target<'_>, resp: &HttpResponse) -> Result<Response> {
        let Request::Embed(embed) = req else { return Gemini.decode(req, to, resp) };
        let answer = predict::decode(&resp.body, to.model)?;
        let (wanted, got) = (embed.input.len(), answer.vectors.len());
        if wanted != got {
            return Err(Error::bad_upstream(format!("answer has {got} vectors for {wanted} texts")));
        }
        Ok(Response::Embed(Box::new(answer)))
    }

    fn decoder(&self, req: &Request, to: &Target<'_>) -> Box<dyn Decoder> {
        Gemini.decoder(req, to)
    }

    fn passes(&self, operation: Operation, body: &[u8]) -> bool {
        // The model stands in the URL; embeddings have another form.
        operation == Operation::Chat && !glance::names_model(body)
    }

    fn glance(&self, operation: Operation, body: &[u8]) -> Result<Glance> {
        match operation {
            Operation::Embed => Ok(Glance { usage: predict::decode(body, "")?.usage, ..Glance::default() }),
            other => Gemini.glance(other, body),
        }
    }

    fn glance_event(&self, event: Option<&str>, data: &str) -> Result<Glance> {
        Gemini.glance_event(event, data)
    }

    fn error(&self, resp: &HttpResponse) -> Error {
        Gemini.error(resp)
    }
}

/// The model, or the endpoint that a model of one's own is deployed at.
fn resource(to: &Target<'_>) -> String {
    match parts::option(to.options, "endpoint_id") {
        Some(endpoint) => format!("endpoints/{}", parts::segment(endpoint)),
        None => {
            let model = to.model.strip_prefix("publishers/google/models/").unwrap_or(to.model);
            format!("publishers/google/models/{}", parts::segment(model))
        }
    }
}

fn no_such(operation: Operation) -> Error {
    Error::unsupported("model", format!("provider `{}` has no {}", SPEC.id, operation.as_str()))
}

#[cfg(test)]
#[path = "vertex_tests.rs"]
mod tests;
