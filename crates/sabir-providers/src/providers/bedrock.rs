//! AWS Bedrock, by its Converse API.
//!
//! Facts: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>, checked 2026-11:
//! the model stands in the path, as one segment; a bearer key is sent as it is, other keys sign.
//!
//! Invariant: a request is signed after everything else about it is decided.

use bytes::Bytes;
use http::{HeaderValue, Method, header, request::Parts};
use sabir_types::{ChatRequest, Error, Event, Operation, Protocol, Request, Response, Result, UpstreamError};
use sabir_wire::bedrock::{decode, emit, error};

use crate::{
    Capabilities, CredentialScheme, Decoder, Encoded, HttpRequest, HttpResponse, Provider, Spec, Target, parts,
    sign::sigv4::{self, Keys, Scope},
};

/// The provider type `bedrock`.
#[derive(Debug)]
pub(super) struct Bedrock;

static SPEC: Spec = Spec {
    id: "bedrock",
    title: "AWS Bedrock",
    protocol: Protocol::Bedrock,
    base_url: None,
    key_env: &["AWS_BEARER_TOKEN_BEDROCK"],
    key_required: true,
    shorthand: false,
    can: Capabilities {
        operations: &[Operation::Chat],
        stream: true,
        tools: true,
        image: true,
        audio: true,
        file: true,
        video: true,
        json: true,
        json_schema: true,
        reasoning: true,
        top_k: true,
        stop: true,
        ..Capabilities::NONE
    },
    docs: "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
};

impl Provider for Bedrock {
    fn spec(&self) -> &Spec {
        &SPEC
    }

    fn credentials(&self) -> CredentialScheme {
        CredentialScheme::Aws
    }

    fn head(&self, operation: Operation, stream: bool, to: &Target<'_>) -> Result<Parts> {
        if operation != Operation::Chat {
            return Err(no_such(operation));
        }
        let base = match to.api_base {
            Some(base) => base.trim_end_matches('/').to_owned(),
            None => format!("https://bedrock-runtime.{}", host(region(to)?)),
        };
        let method = if stream { "converse-stream" } else { "converse" };
        let url = format!("{base}/model/{}/{method}", parts::segment(to.model));
        let mut request = parts::request(Method::POST, &url)?;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = to.key.filter(|key| Keys::from_secret(key).is_none()) {
            headers.insert(header::AUTHORIZATION, parts::credential(SPEC.id, "Bearer ", key)?);
        }
        Ok(request.into_parts().0)
    }

    fn body(&self, req: &Request, to: &Target<'_>) -> Result<Encoded> {
        let mut warnings = Vec::new();
        let body = emit::chat(chat(req)?, to.model, &mut warnings)?;
        Ok(Encoded { body: Bytes::from(body), warnings })
    }

    fn sign(&self, request: &mut HttpRequest, to: &Target<'_>) -> Result<()> {
        let Some(keys) = to.key.and_then(Keys::from_secret) else { return Ok(()) };
        sigv4::sign(request, &keys, &Scope { region: region(to)?, service: "bedrock", now: to.now })
    }

    fn decode(&self, req: &Request, to: &Target<'_>, resp: &HttpResponse) -> Result<Response> {
        let mut answer = decode::chat(&resp.body, to.model, emit::wraps_json(chat(req)?, to.model))?;
        answer.id = request_id(resp);
        Ok(Response::Chat(Box::new(answer)))
    }

    fn decoder(&self, req: &Request, to: &Target<'_>) -> Box<dyn Decoder> {
        let wrapped = chat(req).is_ok_and(|req| emit::wraps_json(req, to.model));
        Box::new(Stream(decode::ChatStream::new(to.model, wrapped)))
    }

    fn passes(&self, _operation: Operation, _body: &[u8]) -> bool {
        // There is no door of this protocol.
        false
    }

    fn error(&self, resp: &HttpResponse) -> Error {
        let header = |name: &str| resp.headers.get(name)?.to_str().ok();
        let error = error::decode(resp.status.as_u16(), header("x-amzn-errortype"), &resp.body);
        let Some(upstream) = error.upstream().cloned() else { return error };
        let content_type = header("content-type").map(str::to_owned);
        error.with_upstream(UpstreamError { request_id: request_id(resp), content_type, ..upstream })
    }
}

#[derive(Debug)]
struct Stream(decode::ChatStream);

impl Decoder for Stream {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<()> {
        self.0.feed(bytes, out)
    }

    fn finish(&mut self, _out: &mut Vec<Event>) -> Result<()> {
        self.0.finish()
    }
}

fn chat(req: &Request) -> Result<&ChatRequest> {
    match req {
        Request::Chat(chat) => Ok(chat),
        other => Err(no_such(other.operation())),
    }
}

fn no_such(operation: Operation) -> Error {
    Error::unsupported("model", format!("provider `{}` has no {}", SPEC.id, operation.as_str()))
}

fn region<'t>(to: &Target<'t>) -> Result<&'t str> {
    parts::label(SPEC.id, "region", parts::required(SPEC.id, to.options, "region")?)
}

/// The end of the host's name: China has one of its own.
fn host(region: &str) -> String {
    let end = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("{region}.{end}")
}

fn request_id(resp: &HttpResponse) -> Option<String> {
    resp.headers.get("x-amzn-requestid")?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
#[path = "bedrock_tests.rs"]
mod tests;
