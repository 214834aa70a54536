//! An item as the engine takes it.
//!
//! Invariant: what an official SDK would send goes out the same; what only an SDK would act upon is
//! done here (headers, time, further members), refused, or named to the caller.

use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};
use sabir_engine::{Call, CallOptions, Source, call::Filtered, plan::HeaderChange};
use sabir_types::{Error, Map, Operation, Request, Result, Value, new_id};
use sabir_wire::{anthropic, gemini as google, openai, responses};

use super::{
    calls::Around,
    dialect::{self, Dialect},
    files, gemini,
    item::Item,
    media::Media,
    tools,
};
use crate::app::App;

/// What the answer has to look like.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) dialect: Dialect,
    /// What is asked for, if it is no conversation.
    pub(super) media: Option<Media>,
    /// The model as the caller wrote it.
    pub(super) model: String,
    pub(super) request_id: String,
    pub(super) custom_id: Option<String>,
    /// How long the caller gives it, beside the deadline of the call.
    pub(super) timeout: Option<Duration>,
    /// Names of what was left out.
    pub(super) left_out: Vec<String>,
    /// What an answer repeats of the request.
    pub(super) echo: Map<String, Value>,
}

/// Reads an item.
pub(super) fn call(app: &App, mut item: Item, around: &Around) -> Result<(Call, Ask)> {
    let started = Instant::now();
    let media = Media::of(&item.provider, &item.invoke_type);
    let stream = item.stream && media.is_none();
    let tags = tags(&item, around);
    let mut body = std::mem::take(&mut item.extra);
    body.retain(|_, value| !value.is_null());
    let mut left_out = Vec::new();
    refuse(&mut body, &mut left_out)?;
    let extra_headers = headers(body.remove("extra_headers"))?;
    let timeout = timeout(body.remove("timeout"))?;
    match body.remove("extra_body") {
        None => {}
        Some(Value::Object(more)) => body.extend(more),
        Some(_) => return Err(Error::bad_request("`extra_body`: expected an object").with_param("extra_body")),
    }
    let dialect = match media {
        Some(media) => media.dialect(),
        None => Dialect::of(&item.provider, &item.invoke_type, &body)?,
    };
    let operation = media.map_or(Operation::Chat, Media::operation);
    let asked = match body.get("model") {
        Some(Value::String(model)) if !model.is_empty() => model.strip_prefix("models/").unwrap_or(model).to_owned(),
        _ => return Err(Error::bad_request("`model` is missing").with_param("model")),
    };
    if media.is_none() {
        mend(&mut body);
        tools::normalise(dialect, &mut body);
    }
    let config = app.engine().config();
    let model = dialect::model(&config, operation, dialect, &item.provider, &item.channel, &asked);
    let mut echo = Map::new();
    if dialect == Dialect::Responses {
        stateless(&body, dialect::keeps_responses(&config, &model))?;
        echo = responses::render::echo(&body);
    }
    let (body, request) = match media {
        Some(media) => {
            body.insert("stream".into(), item.stream.into());
            media.read(body, &mut left_out)?
        }
        None => read(dialect, body, &asked, stream, &mut left_out)?,
    };
    let options = CallOptions { tags, extra_headers, include_raw: true, ..CallOptions::default() };
    let call = Call {
        id: new_id(),
        episode_id: new_id(),
        started,
        door: dialect.protocol(),
        operation,
        asked: asked.clone(),
        model,
        stream,
        source: Source::Neutral { body: body.into(), request: Box::new(request) },
        caller: around.caller.clone(),
        options,
    };
    let (request_id, custom_id) = (around.request_id.clone(), item.custom_id);
    let ask = Ask { dialect, media, model: asked, request_id, custom_id, timeout, left_out, echo };
    Ok((call, ask))
}

/// Puts right what the clients do to parameters: blank members of lists come as null, a blank text
/// not at all, and bytes with a mark.
fn mend(body: &mut Map<String, Value>) {
    let whole = |list: &mut Value| {
        if let Value::Array(items) = list {
            items.retain(|item| !item.is_null());
        }
    };
    body.values_mut().for_each(whole);
    if let Some(Value::Object(config)) = body.get_mut("config") {
        config.values_mut().for_each(whole);
    }
    for list in ["messages", "input", "system"] {
        let Some(Value::Array(items)) = body.get_mut(list) else { continue };
        for item in items.iter_mut() {
            files::unmark(item);
            let Value::Object(item) = item else { continue };
            if let Some(content) = item.get_mut("content") {
                whole(content);
            }
            let says = ["content", "tool_calls", "function_call", "refusal", "audio"];
            if list == "messages" && item.contains_key("role") && !says.iter().any(|name| item.contains_key(*name)) {
                item.insert("content".into(), "".into());
            }
        }
    }
}

/// The body in the dialect's own form, and what it asks for.
fn read(
    dialect: Dialect,
    mut body: Map<String, Value>,
    model: &str,
    stream: bool,
    left_out: &mut Vec<String>,
) -> Result<(Vec<u8>, Request)> {
    let write = |body: &Map<String, Value>| {
        serde_json::to_vec(body).map_err(|e| Error::internal("a request could not be written").with_source(e))
    };
    if dialect == Dialect::Gemini {
        body.remove("stream");
        let body = write(&gemini::body(body, left_out)?)?;
        let request = google::parse::chat(&body, model, stream)?;
        return Ok((body, request));
    }
    body.insert("stream".into(), stream.into());
    if !stream {
        body.remove("stream_options");
    }
    let bytes = write(&body)?;
    let request = match dialect {
        Dialect::Messages => Request::Chat(Box::new(anthropic::parse::chat(&bytes)?)),
        Dialect::Responses => responses::parse::chat(&bytes)?,
        Dialect::Chat | Dialect::Gemini => openai::parse::chat(&bytes)?,
    };
    Ok((bytes, request))
}

/// Refuses members that name what is kept elsewhere: the model may be one that keeps nothing.
fn stateless(body: &Map<String, Value>, kept: bool) -> Result<()> {
    if body.get("background").is_some_and(|background| background == true) {
        let message = "`background`: no answer is made in the background: wait for it or ask for a stream";
        return Err(Error::unsupported("background", message));
    }
    let names = ["previous_response_id", "conversation", "prompt"];
    match names.into_iter().find(|name| body.contains_key(*name)) {
        Some(name) if !kept => {
            Err(Error::unsupported(name, format!("`{name}` names something that this model's provider does not keep")))
        }
        _ => Ok(()),
    }
}

/// Who asked, and for whom, for the ledger.
fn tags(item: &Item, around: &Around) -> Vec<(String, String)> {
    [
        ("org_id", item.who.org_id.as_str()),
        ("user_id", &item.who.user_id),
        ("client_type", &item.who.client_type),
        ("region", &item.who.region),
        ("request_id", &around.request_id),
        ("custom_id", item.custom_id.as_deref().unwrap_or_default()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// Members that ask for something that is not here.
fn refuse(body: &mut Map<String, Value>, left_out: &mut Vec<String>) -> Result<()> {
    if body.contains_key("extra_query") {
        return Err(Error::unsupported("extra_query", "`extra_query`: a provider's address cannot be added to"));
    }
    body.remove("enable_async_task");
    // They are about calls in the background. Nobody is called back from here.
    for name in ["callback_url", "idempotency_key"] {
        if body.remove(name).is_some() {
            left_out.push(name.to_owned());
        }
    }
    Ok(())
}

fn headers(value: Option<Value>) -> Result<Vec<Filtered<HeaderChange>>> {
    let wrong = |name: &str, what: &str| {
        let path = format!("extra_headers.{name}");
        Error::bad_request(format!("`{path}`: {what}")).with_param(path)
    };
    let map = match value {
        None => return Ok(Vec::new()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(Error::bad_request("`extra_headers`: expected an object").with_param("extra_headers")),
    };
    map.into_iter()
        .map(|(name, value)| {
            let text = value.as_str().ok_or_else(|| wrong(&name, "expected a string"))?;
            let value = HeaderValue::from_str(text).map_err(|_| wrong(&name, "is not a header's value"))?;
            let known = HeaderName::try_from(name.as_str()).map_err(|_| wrong(&name, "is not a header's name"))?;
            let change = HeaderChange { name: known, value: Some(value) };
            Ok(Filtered { model: None, provider: None, variant: None, change })
        })
        .collect()
}

/// A number of seconds.
fn timeout(value: Option<Value>) -> Result<Option<Duration>> {
    let wrong = || Error::bad_request("`timeout`: expected a number of seconds").with_param("timeout");
    let seconds = match value {
        None => return Ok(None),
        Some(Value::Number(number)) => number.as_f64().ok_or_else(wrong)?,
        Some(_) => return Err(wrong()),
    };
    Duration::try_from_secs_f64(seconds).map(Some).map_err(|_| wrong())
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
