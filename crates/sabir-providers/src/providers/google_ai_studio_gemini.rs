//! Google AI Studio: the Gemini API at its public address.
//!
//! Invariant: exactly one credential goes out, in a header: the service refuses two, and a key in
//! a URL ends up in logs.

use bytes::Bytes;
use http::{HeaderValue, Method, Uri, header, request::Parts};
use sabir_types::{
    Error, ErrorKind, Event, Map, Operation, Protocol, Request, Response, Result, UpstreamError, Value, Warning,
};
use sabir_wire::gemini::{decode, embed, emit, error, glance, image};

use crate::{
    Capabilities, Decoder, Encoded, Glance, HttpRequest, HttpResponse, Outbound, Passage, Provider, Spec, Target, parts,
};

/// The provider type `google_ai_studio_gemini`.
#[derive(Debug)]
pub(super) struct GoogleAiStudioGemini;

const BASE: &str = "https://generativelanguage.googleapis.com/v1beta";

static SPEC: Spec = Spec {
    id: "google_ai_studio_gemini",
    title: "Google AI Studio (Gemini)",
    protocol: Protocol::Gemini,
    base_url: Some(BASE),
    key_env: &["GOOGLE_AI_STUDIO_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"],
    key_required: true,
    shorthand: true,
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
    docs: "https://ai.google.dev/api/generate-content",
};

impl Provider for GoogleAiStudioGemini {
    fn spec(&self) -> &Spec {
        &SPEC
    }

    fn head(&self, operation: Operation, stream: bool, to: &Target<'_>) -> Result<Parts> {
        let method = match operation {
            Operation::Chat if stream => "streamGenerateContent?alt=sse",
            Operation::Chat => "generateContent",
            Operation::Embed => "batchEmbedContents",
            Operation::Image | Operation::ImageEdit if image::is_imagen(to.model) => "predict",
            Operation::Image | Operation::ImageEdit => "generateContent",
            other => return Err(no_such(other)),
        };
        call(method, to)
    }

    fn body(&self, req: &Request, to: &Target<'_>) -> Result<Encoded> {
        let mut warnings = Vec::new();
        let body = match req {
            Request::Chat(chat) => emit::chat(chat, to.model, &mut warnings)?,
            Request::Embed(embed) => embed::emit(embed, to.model, &mut warnings)?,
            Request::Image(picture) => image::emit(picture, to.model, &mut warnings)?,
            other => return Err(no_such(other.operation())),
        };
        Ok(Encoded { body: Bytes::from(body), warnings })
    }

    fn encode(&self, req: &Request, to: &Target<'_>) -> Result<(Outbound, Vec<Warning>)> {
        let parts = match req {
            // One text has a method of its own, which more models know.
            Request::Embed(embed) if !embed::is_batch(embed) => call("embedContent", to)?,
            _ => self.head(req.operation(), req.is_stream(), to)?,
        };
        let Encoded { body, warnings } = self.body(req, to)?;
        Ok((Outbound::Http(HttpRequest::from_parts(parts, body)), warnings))
    }

    fn count_tokens(&self, body: &[u8], to: &Target<'_>) -> Result<Option<HttpRequest>> {
        let mut body: Map<String, Value> =
            serde_json::from_slice(body).map_err(|e| Error::bad_request(format!("body is not a JSON object: {e}")))?;
        // A whole request names the model once more, which the provider compares with the URL.
        for name in ["generateContentRequest", "generate_content_request"] {
            if let Some(Value::Object(whole)) = body.get_mut(name) {
                whole.insert("model".to_owned(), Value::from(resource(to.model)));
            }
        }
        body.shift_remove("model");
        let parts = call("countTokens", to)?;
        Ok(Some(HttpRequest::from_parts(parts, Bytes::from(Value::Object(body).to_string()))))
    }

    fn models(&self, to: &Target<'_>) -> Result<Option<HttpRequest>> {
        request(Method::GET, "models?pageSize=1000", to).map(Some)
    }

    fn model_names(&self, body: &[u8]) -> Result<Vec<String>> {
        let list: Value = serde_json::from_slice(body)
            .map_err(|e| Error::bad_upstream("list of models is not JSON").with_source(e))?;
        let models = list.get("models").and_then(Value::as_array);
        let models = models.ok_or_else(|| Error::bad_upstream("list of models has no `models`"))?;
        let name = |model: &Value| {
            let name = model.get("name")?.as_str()?;
            Some(name.strip_prefix("models/").unwrap_or(name).to_owned())
        };
        Ok(models.iter().filter_map(name).collect())
    }

    fn has_passage(&self) -> bool {
        true
    }

    fn passage(&self, passage: &Passage<'_>, to: &Target<'_>) -> Result<Parts> {
        // The caller's key may stand in the query.
        let query = passage.query.and_then(|query| parts::query(query, &["key"], |_| None));
        let path = parts::with_query(passage.path, query.as_deref());
        let base = to.api_base.unwrap_or(BASE).trim_end_matches('/');
        // Uploads have the version elsewhere, so the path brings it.
        let root = base.rsplit_once('/').filter(|(_, last)| last.starts_with("v1")).map_or(base, |(root, _)| root);
        let at = Target { api_base: Some(root), ..*to };
        Ok(request(passage.method.clone(), &path, &at)?.into_parts().0)
    }

    fn decode(&self, req: &Request, to: &Target<'_>, resp: &HttpResponse) -> Result<Response> {
        match req {
            Request::Chat(chat) => {
                let mut answer = decode::chat_after(&resp.body, decode::calls_in(chat))?;
                if answer.model.is_empty() {
                    to.model.clone_into(&mut answer.model);
                }
                Ok(Response::Chat(Box::new(answer)))
            }
            Request::Embed(embed) => {
                let answer = embed::decode(&resp.body, to.model)?;
                let (wanted, got) = (embed.input.len(), answer.vectors.len());
                if wanted != got {
                    return Err(Error::bad_upstream(format!("answer has {got} vectors for {wanted} texts")));
                }
                Ok(Response::Embed(Box::new(answer)))
            }
            Request::Image(_) => Ok(Response::Image(Box::new(image::decode(&resp.body, to.model)?))),
            other => Err(no_such(other.operation())),
        }
    }

    fn decoder(&self, req: &Request, to: &Target<'_>) -> Box<dyn Decoder> {
        let before = if let Request::Chat(chat) = req { decode::calls_in(chat) } else { 0 };
        Box::new(Stream { wire: decode::ChatStream::new().after(before), model: to.model.to_owned() })
    }

    fn passes(&self, operation: Operation, body: &[u8]) -> bool {
        // The model stands in the URL; a body that names one as well may name another. Embeddings
        // name it in every request, and have one method for one text and another for several.
        operation == Operation::Chat && !glance::names_model(body)
    }

    fn glance(&self, operation: Operation, body: &[u8]) -> Result<Glance> {
        match operation {
            Operation::Chat => glance::chat(body).map(seen),
            Operation::Embed => glance::embeddings(body).map(seen),
            Operation::Image | Operation::ImageEdit => Ok(Glance { usage: image::glance(body)?, ..Glance::default() }),
            other => Err(no_such(other)),
        }
    }

    fn glance_event(&self, _event: Option<&str>, data: &str) -> Result<Glance> {
        glance::event(data).map(seen)
    }

    fn error(&self, resp: &HttpResponse) -> Error {
        let error = error::decode(resp.status.as_u16(), &resp.body);
        let Some(upstream) = error.upstream().cloned() else { return error };
        let content_type = resp.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        error.with_upstream(UpstreamError { content_type: content_type.map(str::to_owned), ..upstream })
    }
}

#[derive(Debug)]
struct Stream {
    wire: decode::ChatStream,
    model: String,
}

impl Stream {
    /// Names the model that was asked where the provider names none.
    fn name(&self, events: &mut [Event]) {
        for event in events {
            if let Event::Start { model, .. } = event
                && model.is_empty()
            {
                model.clone_from(&self.model);
            }
        }
    }
}

impl Decoder for Stream {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<()> {
        let before = out.len();
        let result = self.wire.feed(bytes, out);
        self.name(&mut out[before..]);
        result
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<()> {
        let before = out.len();
        let result = self.wire.finish(out);
        self.name(&mut out[before..]);
        result
    }
}

fn no_such(operation: Operation) -> Error {
    Error::unsupported("model", format!("provider `{}` has no {}", SPEC.id, operation.as_str()))
}

fn seen(seen: glance::Seen) -> Glance {
    Glance { usage: seen.usage, finish_reason: seen.finish_reason, done: false }
}

/// A call of a model's method, without its body.
fn call(method: &str, to: &Target<'_>) -> Result<Parts> {
    let path = match to.model.split_once('/') {
        Some((kind @ ("models" | "tunedModels"), name)) => format!("{kind}/{}", escaped(name)),
        _ => format!("models/{}", escaped(to.model)),
    };
    let mut request = request(Method::POST, &format!("{path}:{method}"), to)?;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(request.into_parts().0)
}

/// The resource's name in a body.
fn resource(model: &str) -> String {
    match model.split_once('/') {
        Some(("models" | "tunedModels", _)) => model.to_owned(),
        _ => format!("models/{model}"),
    }
}

/// A name as one segment of a path: nothing in it can change where the request goes.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' | b'.' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A request without a body, with the headers that every request has.
fn request(method: Method, path: &str, to: &Target<'_>) -> Result<HttpRequest> {
    let base = to.api_base.unwrap_or(BASE).trim_end_matches('/');
    let uri: Uri = format!("{base}/{path}")
        .parse()
        .map_err(|e| config(format!("`api_base` is not a URL: `{base}`")).with_source(e))?;
    let mut request = http::Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    if let Some(key) = to.key {
        let mut value = HeaderValue::from_str(key.expose()).map_err(|_| {
            config(format!("the key of provider `{}` has characters that a header cannot carry", SPEC.id))
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert("x-goog-api-key", value);
    }
    Ok(request)
}

fn config(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
#[path = "google_ai_studio_gemini_tests.rs"]
mod tests;
