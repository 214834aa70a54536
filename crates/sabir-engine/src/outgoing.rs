//! What goes out of a call to one target: the caller's own bytes, or a request written anew.
//!
//! Invariant: a body that can go through untouched is never built again; what is written anew was
//! held against what the target can do.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use sabir_providers::{HttpRequest, Outbound, Target, set_content_type};
use sabir_types::{Operation, Protocol, Request, Result, Warning};
use sabir_wire::multipart;

use crate::{
    call::{Call, Source},
    capability, patch,
    plan::Endpoint,
};

/// Anthropic's header for what is not in every version.
const BETA: &str = "anthropic-beta";

/// A caller's request in the forms that targets need, made when first needed.
pub(crate) struct Prepared {
    request: Option<Result<Request>>,
}

impl Prepared {
    pub(crate) fn new() -> Self {
        Self { request: None }
    }

    /// The request in our words.
    pub(crate) fn request<'a>(&'a mut self, source: &'a Source) -> Result<&'a Request> {
        match source {
            Source::Neutral { request, .. } => Ok(request),
            Source::Wire { body, parse, .. } => {
                self.request.get_or_insert_with(|| parse(body)).as_ref().map_err(Clone::clone)
            }
        }
    }
}

/// A request that is ready to be sent.
pub(crate) struct Ready {
    pub(crate) outbound: Outbound,
    /// The caller's own body but for the model's name.
    pub(crate) passed: bool,
    /// The answer goes through as it comes.
    pub(crate) passes: bool,
    pub(crate) warnings: Vec<Warning>,
}

/// Whether an untouched stream would end without usage although its price is to be computed: then
/// it is translated, which asks for usage and keeps it from the caller.
fn is_uncounted(call: &Call, endpoint: &Endpoint, protocol: Protocol) -> bool {
    let is_chat = call.operation == Operation::Chat;
    is_chat && call.stream && protocol == Protocol::OpenAi && !endpoint.cost.is_empty() && !call.options.usage_asked
}

pub(crate) fn prepare(
    call: &Call,
    prepared: &mut Prepared,
    endpoint: &Endpoint,
    to: &Target<'_>,
    protocol: Protocol,
    strict: bool,
) -> Result<Ready> {
    let provider = endpoint.provider;
    let mut warnings = Vec::new();
    let mut passed = false;
    // What nobody but the provider writes (pictures, sounds, transcripts) goes through even if the request
    // was changed on its way.
    let is_media = !matches!(call.operation, Operation::Chat | Operation::Embed);
    let mut passes = is_media
        && call.door == protocol
        && matches!(&call.source, Source::Wire { body, .. } if provider.passes(call.operation, body));
    let outbound = match &call.source {
        Source::Wire { body, model, headers, .. }
            if call.door == protocol
                && !call.options.rewrite
                && !is_uncounted(call, endpoint, protocol)
                && provider.spec().can.operations.contains(&call.operation)
                && provider.passes(call.operation, body) =>
        {
            let mut parts = provider.head(call.operation, call.stream, to)?;
            forward(headers, &mut parts.headers);
            passed = !patch::changes_body(endpoint, &call.options);
            passes |= passed;
            let body = match protocol {
                // The model stands in the URL.
                Protocol::Gemini => body.clone(),
                _ => rename(body, model.clone(), to.model),
            };
            set_content_type(&mut parts.headers, &body);
            Outbound::Http(HttpRequest::from_parts(parts, body))
        }
        source => {
            let req = prepared.request(source)?;
            let fitted = capability::fit(req, provider.spec(), protocol, strict, &mut warnings)?;
            let (mut outbound, more) = provider.encode(&fitted, to)?;
            warnings.extend(more);
            if let Source::Wire { headers, .. } = source {
                match &mut outbound {
                    Outbound::Http(request) if call.door == protocol => forward(headers, request.headers_mut()),
                    _ => warnings.extend(headers.contains_key(BETA).then(|| Warning {
                        param: BETA.to_owned(),
                        message: format!("left out: provider `{}` has no such header", provider.spec().id),
                    })),
                }
            }
            outbound
        }
    };
    let outbound = match outbound {
        Outbound::Http(request) => {
            let (mut parts, body) = request.into_parts();
            let body = patch::body(body, endpoint, &call.options)?;
            patch::headers(&mut parts.headers, endpoint, &call.options);
            let mut request = HttpRequest::from_parts(parts, body);
            provider.sign(&mut request, to)?;
            Outbound::Http(request)
        }
        script @ Outbound::Script(_) => script,
    };
    Ok(Ready { outbound, passed, passes, warnings })
}

/// Adds the caller's headers to those of the provider's protocol. The configuration's stay, but for
/// the version, which the caller's body was written for, and the betas, of which both lists count.
pub(crate) fn forward(from: &HeaderMap, to: &mut HeaderMap) {
    for (name, value) in from {
        match name.as_str() {
            "anthropic-version" => {
                to.insert(name.clone(), value.clone());
            }
            BETA => {
                let own = to.get(name).and_then(|own| own.to_str().ok()).unwrap_or_default();
                let given = value.to_str().unwrap_or_default();
                let both = [own, given].into_iter().filter(|list| !list.is_empty()).collect::<Vec<_>>().join(",");
                if let Ok(both) = HeaderValue::from_str(&both) {
                    to.insert(name.clone(), both);
                }
            }
            _ if to.contains_key(name) => {}
            _ => {
                to.insert(name.clone(), value.clone());
            }
        }
    }
}

/// The body with the provider's own model name in the place of the caller's.
pub(crate) fn rename(body: &Bytes, span: Option<std::ops::Range<usize>>, model: &str) -> Bytes {
    let is_form = multipart::boundary(body).is_some();
    let quoted = if is_form { model.to_owned() } else { serde_json::Value::from(model).to_string() };
    let splice = |from: usize, to: usize, text: &str| {
        let mut out = BytesMut::with_capacity(body.len() + text.len());
        out.extend_from_slice(&body[..from]);
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(&body[to..]);
        out.freeze()
    };
    match span {
        Some(span) if body[span.clone()] == *quoted.as_bytes() => body.clone(),
        Some(span) => splice(span.start, span.end, &quoted),
        // The model stood in the path: it becomes the first member.
        None if is_form => match multipart::prefix(body, "model", model) {
            Some(part) => [&part, &body[..]].concat().into(),
            None => body.clone(),
        },
        None => match body.iter().position(|b| *b == b'{') {
            None => body.clone(),
            Some(at) => {
                let empty = body[at + 1..].iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'}');
                splice(at + 1, at + 1, &format!("\"model\":{quoted}{}", if empty { "" } else { "," }))
            }
        },
    }
}
