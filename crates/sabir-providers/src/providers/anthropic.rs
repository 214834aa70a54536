//! Anthropic: the Messages API at its own address, and whoever else speaks it (`api_base`).
//!
//! Invariant: every request names the version that the translators were written for.

use bytes::Bytes;
use http::{HeaderValue, Method, header, request::Parts};
use sabir_types::{
    ChatRequest, Error, ErrorKind, Event, Map, Operation, Protocol, Request, Response, Result, UpstreamError, Value,
};
use sabir_wire::anthropic::{decode, emit, error, glance};

use crate::{
    Capabilities, Decoder, Encoded, Glance, HttpRequest, HttpResponse, Passage, Provider, Spec, Target, parts,
};

/// The provider type `anthropic`.
#[derive(Debug)]
pub(super) struct Anthropic;

const VERSION: &str = "2023-06-01";
const BASE: &str = "https://api.anthropic.com/v1";

static SPEC: Spec = Spec {
    id: "anthropic",
    title: "Anthropic",
    protocol: Protocol::Anthropic,
    base_url: Some(BASE),
    key_env: &["ANTHROPIC_API_KEY"],
    key_required: true,
    shorthand: true,
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
    docs: "https://platform.claude.com/docs/en/api/messages",
};

impl Provider for Anthropic {
    fn spec(&self) -> &Spec {
        &SPEC
    }

    fn head(&self, operation: Operation, _stream: bool, to: &Target<'_>) -> Result<Parts> {
        if operation != Operation::Chat {
            return Err(no_such(operation));
        }
        let mut request = request(Method::POST, "messages", to)?;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(request.into_parts().0)
    }

    fn body(&self, req: &Request, to: &Target<'_>) -> Result<Encoded> {
        let mut warnings = Vec::new();
        let body = emit::chat(chat(req)?, to.model, &mut warnings)?;
        Ok(Encoded { body: Bytes::from(body), warnings })
    }

    fn count_tokens(&self, body: &[u8], to: &Target<'_>) -> Result<Option<HttpRequest>> {
        let mut body: Map<String, Value> =
            serde_json::from_slice(body).map_err(|e| Error::bad_request(format!("body is not a JSON object: {e}")))?;
        body.insert("model".to_owned(), Value::from(to.model));
        let mut request = request(Method::POST, "messages/count_tokens", to)?;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Bytes::from(Value::Object(body).to_string());
        Ok(Some(request))
    }

    fn models(&self, to: &Target<'_>) -> Result<Option<HttpRequest>> {
        request(Method::GET, "models?limit=1000", to).map(Some)
    }

    fn model_names(&self, body: &[u8]) -> Result<Vec<String>> {
        let list: Value = serde_json::from_slice(body)
            .map_err(|e| Error::bad_upstream("list of models is not JSON").with_source(e))?;
        let models = list.get("data").and_then(Value::as_array);
        let models = models.ok_or_else(|| Error::bad_upstream("list of models has no `data`"))?;
        Ok(models.iter().filter_map(|model| model.get("id")?.as_str()).map(str::to_owned).collect())
    }

    fn has_passage(&self) -> bool {
        true
    }

    fn passage(&self, passage: &Passage<'_>, to: &Target<'_>) -> Result<Parts> {
        let path = parts::with_query(passage.path, passage.query);
        Ok(request(passage.method.clone(), &path, to)?.into_parts().0)
    }

    fn decode(&self, req: &Request, to: &Target<'_>, resp: &HttpResponse) -> Result<Response> {
        let mut answer = decode::chat(&resp.body)?;
        if emit::wraps_json(chat(req)?, to.model) {
            decode::unwrap_json(&mut answer);
        }
        Ok(Response::Chat(Box::new(answer)))
    }

    fn decoder(&self, req: &Request, to: &Target<'_>) -> Box<dyn Decoder> {
        let stream = decode::ChatStream::new();
        let wrapped = chat(req).is_ok_and(|req| emit::wraps_json(req, to.model));
        Box::new(Stream(if wrapped { stream.unwrapping_json() } else { stream }))
    }

    fn glance(&self, operation: Operation, body: &[u8]) -> Result<Glance> {
        if operation != Operation::Chat {
            return Err(no_such(operation));
        }
        glance::chat(body).map(seen)
    }

    fn glance_event(&self, event: Option<&str>, data: &str) -> Result<Glance> {
        glance::event(event, data).map(seen)
    }

    fn error(&self, resp: &HttpResponse) -> Error {
        let error = error::decode(resp.status.as_u16(), &resp.body);
        let Some(upstream) = error.upstream().cloned() else { return error };
        let text = |name: &str| resp.headers.get(name)?.to_str().ok().map(str::to_owned);
        let request_id = upstream.request_id.clone().or_else(|| text("request-id"));
        error.with_upstream(UpstreamError { request_id, content_type: text("content-type"), ..upstream })
    }
}

#[derive(Debug)]
struct Stream(decode::ChatStream);

impl Decoder for Stream {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<()> {
        self.0.feed(bytes, out)
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<()> {
        self.0.finish(out)
    }
}

fn chat(req: &Request) -> Result<&ChatRequest> {
    match req {
        Request::Chat(chat) => Ok(chat),
        other => Err(no_such(other.operation())),
    }
}

fn no_such(operation: Operation) -> Error {
    Error::unsupported("model", format!("provider `anthropic` has no {}", operation.as_str()))
}

fn seen(look: glance::Look) -> Glance {
    Glance { usage: look.usage, finish_reason: look.finish_reason, done: look.done }
}

/// A request without a body, with the headers that every request has.
fn request(method: Method, path: &str, to: &Target<'_>) -> Result<HttpRequest> {
    let base = to.api_base.unwrap_or(BASE).trim_end_matches('/');
    let mut request = http::Request::builder()
        .method(method)
        .uri(format!("{base}/{path}"))
        .body(Bytes::new())
        .map_err(|e| config(format!("`api_base` is not a URL: `{base}`")).with_source(e))?;
    let headers = request.headers_mut();
    headers.insert("anthropic-version", HeaderValue::from_static(VERSION));
    if let Some(key) = to.key {
        let mut value = HeaderValue::from_str(key.expose())
            .map_err(|_| config("the key of provider `anthropic` has characters that a header cannot carry"))?;
        value.set_sensitive(true);
        headers.insert("x-api-key", value);
    }
    if let Some(betas) = betas(to)? {
        headers.insert("anthropic-beta", betas);
    }
    Ok(request)
}

/// The option `beta`: a name, names with commas between, or a list of names.
pub(super) fn betas(to: &Target<'_>) -> Result<Option<HeaderValue>> {
    let wrong = || config("option `beta` must be a name or a list of names");
    let names = match to.options.get("beta") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(names)) => names.clone(),
        Some(Value::Array(list)) => {
            let names: Option<Vec<_>> = list.iter().map(Value::as_str).collect();
            names.ok_or_else(wrong)?.join(",")
        }
        Some(_) => return Err(wrong()),
    };
    if names.is_empty() {
        return Ok(None);
    }
    HeaderValue::from_str(&names).map(Some).map_err(|_| wrong())
}

fn config(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
#[path = "anthropic_tests.rs"]
mod tests;
