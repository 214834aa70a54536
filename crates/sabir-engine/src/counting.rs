//! How many tokens a request would take, as the provider itself counts them.
//!
//! Invariant: a number comes from a provider or not at all: nothing here estimates. Nothing was
//! inferred, so the ledger gets no row.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::HeaderMap;
use sabir_providers::{HttpResponse, Target};
use sabir_types::{Error, ErrorKind, Map, Operation, Protocol, Request, Result, Secret, Value};

use crate::{engine::Engine, hide::Hide, key, outgoing, plan::Endpoint};

/// How long a provider may take to count.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest answer that is read.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// A request whose tokens are to be counted.
#[derive(Debug)]
pub struct Counting {
    /// The protocol of the door, in which the body is.
    pub door: Protocol,
    /// The model to look up.
    pub model: String,
    /// The body.
    pub body: Bytes,
    /// The caller's headers that the provider should see.
    pub headers: HeaderMap,
    /// Values for `dynamic::` credentials.
    pub credentials: HashMap<String, Secret>,
}

/// Reads a request of the door's protocol, for a provider that counts in another one.
pub(crate) type Read = fn(&[u8]) -> Result<Request>;

/// Asks the first target of the model that speaks the door's protocol and can count.
pub(crate) async fn count(engine: &Engine, wanted: &Counting) -> Result<HttpResponse> {
    first(engine, wanted, None).await
}

/// Asks the first target of the model that can count, in whichever protocol; its number.
pub(crate) async fn number(engine: &Engine, wanted: &Counting, read: Read) -> Result<u64> {
    let answer = first(engine, wanted, Some(read)).await?;
    let body: Value = serde_json::from_slice(&answer.body)
        .map_err(|e| Error::bad_upstream("a number of tokens is not JSON").with_source(e))?;
    let number = ["input_tokens", "totalTokens"].iter().find_map(|name| body.get(name)?.as_u64());
    number.ok_or_else(|| Error::bad_upstream("the answer holds no number of tokens"))
}

async fn first(engine: &Engine, wanted: &Counting, read: Option<Read>) -> Result<HttpResponse> {
    let config = engine.config();
    let model = config.model(Operation::Chat, &wanted.model)?;
    let mut last = None;
    for endpoint in model.routing.iter().filter(|endpoint| engine.allows(endpoint)) {
        let asked = tokio::time::timeout(PATIENCE, ask(engine, endpoint, wanted, read)).await.unwrap_or_else(|_| {
            let message = format!("`{}` took longer than {} s to count", endpoint.name, PATIENCE.as_secs());
            Err(Error::new(ErrorKind::Timeout, message))
        });
        match asked {
            Ok(None) => {}
            Ok(Some(answer)) => return Ok(answer),
            Err(error) if !error.kind().may_fall_back() => return Err(error),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        let how = if read.is_some() { String::new() } else { format!(" in the protocol `{}`", wanted.door) };
        let message =
            format!("the tokens of model `{}` cannot be counted here: no provider of it counts them{how}", model.name);
        Error::unsupported("model", message)
    }))
}

/// Asks one target; `None` if it cannot count.
async fn ask(
    engine: &Engine,
    endpoint: &Endpoint,
    wanted: &Counting,
    read: Option<Read>,
) -> Result<Option<HttpResponse>> {
    let provider = endpoint.provider;
    let key = key::get(engine, endpoint, &wanted.credentials).await?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let to = Target {
        model: &endpoint.upstream_model,
        api_base: endpoint.api_base.as_deref(),
        key: key.secret(),
        options: &endpoint.options,
        now,
    };
    let protocol = provider.protocol(Operation::Chat, &to);
    let body = match read {
        _ if protocol == wanted.door => wanted.body.clone(),
        // A provider that does not count need not understand the request.
        Some(read) if provider.count_tokens(b"{}", &to)?.is_some() => {
            countable(protocol, &provider.body(&read(&wanted.body)?, &to)?.body)?
        }
        _ => return Ok(None),
    };
    let Some(mut request) = provider.count_tokens(&body, &to)? else { return Ok(None) };
    outgoing::forward(&wanted.headers, request.headers_mut());
    provider.sign(&mut request, &to)?;
    let mut inbound = engine.transport().send(request, endpoint.timeouts.connect.unwrap_or(PATIENCE)).await?;
    let hide = Hide::new(to.key);
    if let Some(hide) = &hide {
        hide.headers(&mut inbound.headers);
    }
    inbound.body.hide(hide);
    let body = inbound.body.all(ANSWER_LIMIT).await?;
    let answer = HttpResponse { status: inbound.status, headers: inbound.headers, body };
    if answer.status.is_success() { Ok(Some(answer)) } else { Err(key.judged(engine, provider.error(&answer))) }
}

/// What a provider counts of a request that it would answer.
fn countable(protocol: Protocol, body: &[u8]) -> Result<Bytes> {
    let unreadable = |e| Error::internal("a request cannot be read again").with_source(e);
    let mut members: Map<String, Value> = serde_json::from_slice(body).map_err(unreadable)?;
    match protocol {
        // It refuses members that change nothing about the number.
        Protocol::Anthropic => members.retain(|name, _| COUNTED.contains(&name.as_str())),
        Protocol::Gemini => {
            members = Map::from_iter([("generateContentRequest".to_owned(), Value::Object(members))]);
        }
        _ => {}
    }
    serde_json::to_vec(&members).map(Bytes::from).map_err(unreadable)
}

/// The members of a message that count.
const COUNTED: [&str; 6] = ["messages", "model", "system", "thinking", "tool_choice", "tools"];
