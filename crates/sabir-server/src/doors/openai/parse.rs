//! A request as the engine takes it.
//!
//! Invariant: a body without members for the gateway is not touched; one with such members is read
//! whole, and they never reach a provider.

use std::{sync::Arc, time::Instant};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header, request::Parts};
use sabir_engine::{Call, CallOptions, Source};
use sabir_types::{EmbedFormat, Error, ErrorKind, Map, Operation, Protocol, Request, Result, Value, new_id};
use sabir_wire::{
    holds_packed_thoughts, multipart,
    openai::{embed, image, moderation, parse, peek, speech, transcript},
    rerank,
};

use crate::{
    app::App,
    doors::{
        extension::Reader,
        shared::{forwarded, from_headers, now},
    },
    gate,
};

/// The caller's headers that a provider of the same protocol sees.
const FORWARDED: [&str; 5] = ["openai-beta", "idempotency-key", "x-client-request-id", "http-referer", "x-title"];
/// Members that this door understands beside OpenAI's own.
const PREFIX: &str = "tensorzero::";

/// The largest form: files are read whole.
const FORM_LIMIT: usize = 64 * 1024 * 1024;

/// The way that a request came.
pub(super) struct Way {
    pub(super) operation: Operation,
    /// The protocol that the caller speaks there.
    pub(super) door: Protocol,
    /// The model, if it stands in the path.
    pub(super) deployment: Option<String>,
}

/// A request, and what its answer has to look like.
pub(super) struct Parsed {
    pub(super) call: Call,
    pub(super) ask: Ask,
    pub(super) reread: Reread,
}

/// What it takes to read the request once more, for an answer that has to be written as it asks.
pub(super) struct Reread {
    body: Bytes,
    parse: fn(&[u8]) -> Result<Request>,
}

impl Reread {
    /// All that the request says.
    pub(super) fn read(&self) -> Result<Request> {
        (self.parse)(&self.body)
    }
}

/// What the answer has to look like.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// The model as the caller wrote it.
    pub(super) model: String,
    pub(super) legacy_functions: bool,
    pub(super) usage_wanted: bool,
    pub(super) format: EmbedFormat,
    /// The caller speaks TensorZero's dialect: the answer carries ids in its body.
    pub(super) extended: Option<Extended>,
}

/// What a caller of TensorZero's dialect wants to see.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extended {
    pub(super) raw_usage: bool,
    pub(super) raw_response: bool,
    pub(super) original_response: bool,
}

pub(super) async fn call(app: &App, parts: &Parts, body: Body, way: Way) -> Result<Parsed> {
    let started = Instant::now();
    let Way { operation, door, deployment } = way;
    let caller = gate::admit(app, &parts.headers)?;
    let takes_form = matches!(operation, Operation::ImageEdit | Operation::Transcribe | Operation::Translate);
    let limit = if takes_form { FORM_LIMIT } else { usize::MAX };
    let mut bytes = gate::read_within(app, &parts.headers, body, limit).await?;
    if takes_form {
        bytes = form(bytes, &parts.headers)?;
    }
    let seen = match (operation, deployment.is_some()) {
        (Operation::Embed, false) => peek::embedding(&bytes)?,
        (Operation::Embed, true) => peek::embedding_deployment(&bytes)?,
        (Operation::Chat, false) => peek::peek(&bytes)?,
        (Operation::Chat, true) => peek::deployment(&bytes)?,
        (Operation::Moderate, _) => peek::media(operation, &bytes, true)?,
        (_, named) => peek::media(operation, &bytes, named)?,
    };
    let mut asked = deployment.unwrap_or(seen.model);
    if asked.is_empty() {
        asked = usual(app, operation);
    }
    let (model, prefixed) = name(&asked, operation)?;
    let model = model.to_owned();
    let mut options = CallOptions::default();
    let mut episode_id = None;
    let mut extended = prefixed.then(Extended::default);
    if seen.extended && multipart::boundary(&bytes).is_some() {
        let message = format!("members that begin with `{PREFIX}` cannot stand in a form: use the headers `x-sabir-…`");
        return Err(Error::bad_request(message));
    }
    if seen.extended {
        let members = members(&bytes)?;
        let reader = Reader { prefix: PREFIX };
        refuse(&members)?;
        options = reader.options(&members)?;
        episode_id = reader.episode(&members, now())?;
        let flag = |name: &str| reader.flag(&members, name);
        extended = Some(Extended {
            raw_usage: flag("include_raw_usage")?,
            raw_response: flag("include_raw_response")?,
            original_response: flag("include_original_response")?,
        });
    }
    options.rewrite = extended.is_some() || holds_packed_thoughts(&bytes);
    options.usage_asked = seen.include_usage == Some(true);
    from_headers(&parts.headers, &mut options, &mut episode_id)?;
    let stream = match operation {
        // A sound goes on as it comes.
        Operation::Speech => true,
        Operation::Chat | Operation::Image | Operation::ImageEdit | Operation::Transcribe => seen.stream,
        _ => false,
    };
    let parse = reader(operation, door);
    let reread = Reread { body: bytes.clone(), parse };
    let raw_usage = extended.is_some_and(|extended| extended.raw_usage);
    if raw_usage && seen.include_usage == Some(false) {
        let message = "`tensorzero::include_raw_usage` contradicts `stream_options.include_usage: false`";
        return Err(Error::bad_request(message).with_param("stream_options.include_usage"));
    }
    let id = new_id();
    let ask = Ask {
        model: asked.clone(),
        legacy_functions: seen.legacy_functions,
        usage_wanted: seen.include_usage.unwrap_or(false) || raw_usage,
        format: match seen.encoding_format.as_deref() {
            None => EmbedFormat::Float,
            Some(word) => embed::format(Some(word))?,
        },
        extended,
    };
    let call = Call {
        id,
        episode_id: episode_id.unwrap_or_else(new_id),
        started,
        door,
        operation,
        asked,
        model,
        stream,
        source: Source::Wire {
            body: bytes,
            model: seen.model_at,
            parse,
            headers: forwarded(&parts.headers, &FORWARDED),
        },
        caller,
        options,
    };
    Ok(Parsed { call, ask, reread })
}

/// What reads all of a request.
fn reader(operation: Operation, door: Protocol) -> fn(&[u8]) -> Result<Request> {
    match operation {
        Operation::Embed => embed::parse,
        Operation::Image => image::parse,
        Operation::ImageEdit => image::parse_edit,
        Operation::Speech => speech::parse,
        Operation::Transcribe => transcript::parse,
        Operation::Translate => transcript::parse_translation,
        Operation::Moderate => moderation::parse,
        Operation::Rerank if door == Protocol::Cohere => rerank::parse_cohere,
        Operation::Rerank => rerank::parse,
        _ => parse::chat,
    }
}

/// The form from its first boundary on, which its content type names.
fn form(body: Bytes, headers: &HeaderMap) -> Result<Bytes> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let Some(boundary) = multipart::named_boundary(kind) else {
        if kind.trim_start().to_ascii_lowercase().starts_with("multipart/") {
            return Err(Error::bad_request("header `content-type`: names no boundary that a form can have"));
        }
        return Ok(body);
    };
    match multipart::begin(&body, &boundary) {
        Some(at) => Ok(body.slice(at..)),
        None => Err(Error::bad_request("the form does not hold the boundary that its content type names")),
    }
}

/// The model of a request that names none: OpenAI's own, under its bare name if the configuration has it.
fn usual(app: &App, operation: Operation) -> String {
    let usual = moderation::DEFAULT_MODEL;
    match app.engine().config().model(operation, usual) {
        Ok(_) => usual.to_owned(),
        Err(_) => format!("openai::{usual}"),
    }
}

/// The model's own name, and whether it was written in TensorZero's form.
fn name(asked: &str, operation: Operation) -> Result<(&str, bool)> {
    let Some(rest) = asked.strip_prefix(PREFIX) else { return Ok((asked, false)) };
    let form = if operation == Operation::Embed { "embedding_model_name::" } else { "model_name::" };
    if let Some(model) = rest.strip_prefix(form).filter(|model| !model.is_empty()) {
        return Ok((model, true));
    }
    if let Some(function) = rest.strip_prefix("function_name::") {
        let message = format!("functions are not supported yet (function `{function}`): name a model");
        return Err(Error::new(ErrorKind::NotImplemented, message).with_param("model"));
    }
    let message = format!("model `{asked}` is not known: after `{PREFIX}` comes `{form}`");
    Err(Error::bad_request(message).with_param("model"))
}

/// The members with the prefix, without it.
fn members(body: &[u8]) -> Result<Map<String, Value>> {
    let all: Map<String, Value> =
        serde_json::from_slice(body).map_err(|e| Error::bad_request(format!("the body is not valid JSON: {e}")))?;
    Ok(all.into_iter().filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_owned(), value))).collect())
}

/// Members that change nothing here, or would change what the caller gets.
fn refuse(members: &Map<String, Value>) -> Result<()> {
    const KNOWN: [&str; 14] = [
        "dryrun",
        "episode_id",
        "namespace",
        "cache_options",
        "extra_body",
        "extra_headers",
        "tags",
        "deny_unknown_fields",
        "credentials",
        "internal_dynamic_variant_config",
        "provider_tools",
        "include_raw_usage",
        "include_original_response",
        "include_raw_response",
    ];
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        let path = format!("{PREFIX}{name}");
        match name.as_str() {
            "variant_name" => {
                let message = format!("`{path}` needs a function, and this call names a model");
                return Err(Error::bad_request(message).with_param(path));
            }
            "params" if value.as_object().is_some_and(Map::is_empty) => {}
            "params" => {
                let message = format!("`{path}` is not supported yet: write the members of the OpenAI API");
                return Err(Error::new(ErrorKind::NotImplemented, message).with_param(path));
            }
            name if KNOWN.contains(&name) => {}
            _ => return Err(Error::bad_request(format!("no member `{path}` is known")).with_param(path)),
        }
    }
    Reader { prefix: PREFIX }.refuse_later(members, &[])
}

/// The public name of who is calling, for a call that needs no body.
pub(super) fn admitted(app: &App, headers: &HeaderMap) -> Result<Option<Arc<str>>> {
    gate::admit(app, headers)
}
