//! Requests that no door knows: they go to a provider as they came, and the answer comes back so.
//!
//! Invariants: method, path, query and body are the caller's, address and credential the
//! configuration's; nothing is held in memory but what the ledger keeps and the beginning of a JSON
//! body that may name a model; one relayed call leaves one row.

mod answer;
mod frames;
mod headers;
mod keep;
mod realtime;
mod sending;
mod transcript;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use sabir_providers::{Passage, Target};
use sabir_store::{InferenceRow, Status};
use sabir_types::{Error, ErrorKind, Operation, Result, Uuid};
use sabir_wire::openai::named;

pub use answer::RelayedBody;
pub use headers::decoded;
pub(crate) use realtime::connect;
pub use realtime::{Connection, KEY_PROTOCOL, Tunnel};
pub use sending::RelayBody;

use self::{answer::Session, keep::Keep, sending::Sent};
use crate::{
    attempt, backoff,
    call::{Facts, Failure},
    config::{Config, Family},
    engine::Engine,
    hide::Hide,
    key::{self, Key},
    patch,
    pipeline::{self, CONNECT},
    plan::{Endpoint, Timeouts},
    record::{Outcome, Recorder, blank},
    transport::{Inbound, Outgoing},
};

/// How long a provider may say nothing unless the configuration says otherwise.
const PATIENCE: Duration = Duration::from_secs(900);
/// How much of a JSON body is looked at for the name of a model.
const PEEK: usize = 1024 * 1024;

/// A request to be relayed.
#[derive(Debug)]
pub struct Relay {
    /// The inference id.
    pub id: Uuid,
    /// The episode that it belongs to.
    pub episode_id: Uuid,
    /// When the gateway began to work on it.
    pub started: Instant,
    /// Whose API the path belongs to.
    pub family: Family,
    /// The method.
    pub method: Method,
    /// The path below the API's version, percent-encoded as it came, without a slash before it.
    /// Google's holds the version.
    pub path: String,
    /// The query as it came.
    pub query: Option<String>,
    /// The deployment that the path named (Azure's `deployments/NAME/…`), as it came.
    pub deployment: Option<String>,
    /// The model that the caller named outside of the body: in the path or in the query.
    pub model: Option<String>,
    /// The path that the caller asked for, for the ledger.
    pub asked: String,
    /// All of the caller's headers: what is not for the provider is taken out here.
    pub headers: HeaderMap,
    /// Where it goes.
    pub to: RelayTo,
    /// Who is calling.
    pub caller: Option<Arc<str>>,
    /// Labels.
    pub tags: Vec<(String, String)>,
}

/// Where a request goes.
#[derive(Debug, Clone, Default)]
pub enum RelayTo {
    /// To the provider of the model that it names, otherwise to the family's (`[pass_through]`).
    #[default]
    Named,
    /// To the provider of this type, whatever the body names.
    Provider(String),
    /// To this target of a model, by whose name the model's is replaced.
    Endpoint(Arc<Endpoint>),
}

/// The answer to a relayed request.
#[derive(Debug)]
pub struct Relayed {
    /// The provider's status.
    pub status: StatusCode,
    /// What every answer carries; the headers are those that go on to the caller.
    pub facts: Box<Facts>,
    /// The body. Its row is committed before its end.
    pub body: RelayedBody,
}

/// A target, and what the request becomes for it.
struct Chosen {
    endpoint: Arc<Endpoint>,
    /// The model as the caller named it; empty if none was named.
    model: String,
}

/// Relays one request.
pub(crate) async fn run(engine: Arc<Engine>, relay: Relay, mut body: RelayBody) -> Result<Relayed, Box<Failure>> {
    let config = engine.config();
    let mut recorder = open(&engine, &config, &relay, Operation::Relay);
    let prepared = async {
        let named = look(&config, &relay, &mut body).await?;
        let chosen = choose(&config, &relay, &mut body, named)?;
        Ok(chosen)
    };
    let chosen = match prepared.await {
        Ok(chosen) => chosen,
        Err(error) => return Err(failed(&relay, error, recorder, None).await),
    };
    recorder.about(&chosen.model, &chosen.endpoint);
    let (pieces, sent) = body.sending(&relay.headers);
    let session = Session::new(recorder, sent, pipeline::is_durable(&config));
    match exchange(&engine, &config, &relay, &chosen, pieces, session).await {
        Ok(relayed) => Ok(relayed),
        Err((error, session)) => {
            let (recorder, sent) = session.into_parts();
            Err(failed(&relay, error, recorder, Some(sent)).await)
        }
    }
}

/// Opens the row of a relayed call.
fn open(engine: &Engine, config: &Config, relay: &Relay, operation: Operation) -> Recorder {
    let mut tags = relay.tags.clone();
    tags.push(("sabir::method".to_owned(), relay.method.to_string()));
    let query =
        relay.query.as_deref().and_then(headers::shown_query).map_or_else(String::new, |query| format!("?{query}"));
    tags.push(("sabir::path".to_owned(), format!("{}{query}", relay.asked)));
    let row = InferenceRow {
        id: relay.id,
        episode_id: relay.episode_id,
        door: relay.family.protocol(),
        operation,
        function_name: "tensorzero::default".to_owned(),
        model: relay.model.clone().unwrap_or_default(),
        tags,
        caller: relay.caller.as_deref().map(str::to_owned),
        ..blank()
    };
    let keeps = config.gateway.durability != crate::config::Durability::Off;
    Recorder::of(row, relay.started, Bytes::new(), if keeps { engine.ledger().cloned() } else { None })
}

/// Looks at the beginning of a JSON body for the model that it names.
async fn look(config: &Config, relay: &Relay, body: &mut RelayBody) -> Result<Option<named::Named>> {
    let text = |name: header::HeaderName| relay.headers.get(name).and_then(|value| value.to_str().ok());
    let is_json = text(header::CONTENT_TYPE).is_some_and(keep::is_json);
    if !is_json || text(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Ok(None);
    }
    body.read(PEEK, config.gateway.body_timeout).await?;
    named::model(body.beginning())
}

/// Where a request goes; the model's name in the body is replaced if it is one of ours.
fn choose(config: &Config, relay: &Relay, body: &mut RelayBody, named: Option<named::Named>) -> Result<Chosen> {
    let in_body = named.as_ref().map(|(name, _)| name.clone());
    let outside = relay.model.clone();
    let model = outside.clone().or_else(|| in_body.clone()).unwrap_or_default();
    let endpoint = match &relay.to {
        RelayTo::Endpoint(endpoint) => endpoint.clone(),
        RelayTo::Provider(id) => config.provider(id)?,
        RelayTo::Named => {
            let ours =
                [&outside, &in_body].into_iter().flatten().find_map(|name| config.passage_to(relay.family, name));
            match ours {
                Some(endpoint) => endpoint?,
                None => {
                    let upstream = config.pass_through.upstream(relay.family).map_err(|error| {
                        let message = format!("Route not found: {} {}: {}", relay.method, relay.asked, error.message());
                        Error::new(error.kind(), message)
                    })?;
                    if !upstream.lets(&headers::decoded(&relay.path)) {
                        let message =
                            format!("`{}` is not passed through: the configuration does not allow it", relay.asked);
                        return Err(Error::new(ErrorKind::Permission, message));
                    }
                    upstream.endpoint.clone()
                }
            }
        }
    };
    if !endpoint.upstream_model.is_empty() {
        match named {
            Some((_, span)) => body.rename(Some(span), &endpoint.upstream_model),
            // Azure's clients may leave it to the path.
            None if relay.deployment.is_some() && !body.beginning().is_empty() => {
                body.rename(None, &endpoint.upstream_model);
            }
            None => {}
        }
    }
    Ok(Chosen { endpoint, model })
}

/// Sends the request, and takes the head of the answer.
async fn exchange(
    engine: &Engine,
    config: &Config,
    relay: &Relay,
    chosen: &Chosen,
    body: Outgoing,
    mut session: Session,
) -> Result<Relayed, (Error, Session)> {
    let endpoint = &*chosen.endpoint;
    let none = std::collections::HashMap::new();
    let key = match key::get(engine, endpoint, &none).await {
        Ok(key) => key,
        Err(error) => return Err((error, session)),
    };
    session.recorder().begin(endpoint, relay.family.protocol());
    let inbound = match send(engine, config, relay, endpoint, &key, body, &session).await {
        Ok(inbound) => inbound,
        Err(error) => return Err((error, session)),
    };
    received(engine, config, relay, chosen, &key, inbound, session).await
}

/// Hands on an answer whose head is there.
async fn received(
    engine: &Engine,
    config: &Config,
    relay: &Relay,
    chosen: &Chosen,
    key: &Key<'_>,
    inbound: Inbound,
    mut session: Session,
) -> Result<Relayed, (Error, Session)> {
    let endpoint = &*chosen.endpoint;
    let Inbound { status, mut headers, mut body } = inbound;
    let request_id =
        ["x-request-id", "request-id", "apim-request-id"].iter().find_map(|name| headers.get(*name)?.to_str().ok());
    session.recorder().answered(status.as_u16(), request_id.map(str::to_owned));
    if status == StatusCode::UNAUTHORIZED {
        // What a provider says about a key that it refuses stays here.
        let bytes = body.all(PEEK).await.unwrap_or_default();
        let error = endpoint.provider.error(&sabir_providers::HttpResponse { status, headers, body: bytes });
        return Err((key.judged(engine, error), session));
    }
    let was_encoded = headers.contains_key(header::CONTENT_ENCODING);
    let is_empty = relay.method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let length = length.filter(|_| !was_encoded);
    headers::answer(&mut headers);
    let kept = Keep::new(&headers);
    if kept.is_text() {
        let hide = Hide::new(key.secret());
        if let Some(hide) = &hide {
            hide.headers(&mut headers);
        }
        body.hide(hide);
    }
    let is_whole = kept.is_text() && !kept.is_stream() && length.is_some_and(|length| length <= keep::LIMIT as u64);
    // A text may change its length, where a credential is taken out.
    let length = if kept.is_text() && !is_empty { None } else { length };
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let tables = [&endpoint.timeouts, &config.gateway.timeouts];
    let idle = tables.iter().find_map(|t| t.between_events).unwrap_or(PATIENCE);
    session.answered(kept, chosen.endpoint.clone(), status);
    let facts = facts(relay, chosen, headers, &mut session);
    let body = if is_empty || length == Some(0) {
        RelayedBody::whole(Bytes::new(), session).await
    } else if is_whole {
        match tokio::time::timeout(idle, body.all(keep::LIMIT)).await {
            Ok(Ok(bytes)) => RelayedBody::whole(bytes, session).await,
            Ok(Err(error)) => return Err((error, session)),
            Err(_) => return Err((late(endpoint, idle, "the rest of its answer"), session)),
        }
    } else {
        Ok(RelayedBody::streamed(body, session, length, idle))
    };
    body.map(|body| Relayed { status, facts, body })
}

fn facts(relay: &Relay, chosen: &Chosen, headers: HeaderMap, session: &mut Session) -> Box<Facts> {
    let endpoint = &chosen.endpoint;
    Box::new(Facts {
        inference_id: relay.id,
        episode_id: relay.episode_id,
        variant_name: chosen.model.clone(),
        model_name: endpoint.model.clone(),
        provider_name: endpoint.name.clone(),
        provider_type: endpoint.provider.spec().id,
        headers,
        cached: false,
        warnings: Vec::new(),
        overhead_us: session.recorder().overhead_us(),
    })
}

/// The request for an endpoint: its address and credential, the caller's headers.
fn head(relay: &Relay, endpoint: &Endpoint, key: &Key<'_>) -> Result<http::request::Parts> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let to = Target {
        model: &endpoint.upstream_model,
        api_base: endpoint.api_base.as_deref(),
        key: key.secret(),
        options: &endpoint.options,
        now,
    };
    if !relay.family.has(endpoint.provider) {
        let message = format!("provider `{}` does not have the `{}` API", endpoint.name, relay.family.as_str());
        return Err(Error::unsupported("model", message));
    }
    let passage = Passage {
        method: &relay.method,
        path: &relay.path,
        query: relay.query.as_deref(),
        deployment: relay.deployment.as_deref(),
    };
    let mut parts = endpoint.provider.passage(&passage, &to)?;
    headers::request(&relay.headers, &mut parts.headers);
    patch::headers(&mut parts.headers, endpoint, &crate::call::CallOptions::default());
    Ok(parts)
}

async fn send(
    engine: &Engine,
    config: &Config,
    relay: &Relay,
    endpoint: &Endpoint,
    key: &Key<'_>,
    body: Outgoing,
    session: &Session,
) -> Result<Inbound> {
    let tables: [&Timeouts; 2] = [&endpoint.timeouts, &config.gateway.timeouts];
    let connect = tables.iter().find_map(|t| t.connect).unwrap_or(CONNECT);
    let first = tables.iter().find_map(|t| t.first_event).unwrap_or(PATIENCE);
    let parts = head(relay, endpoint, key)?;
    let mut spare = match &body {
        Outgoing::Whole(body) if relay.method.is_safe() => Some(body.clone()),
        _ => None,
    };
    let mut body = Some(body);
    let mut tries = 0;
    loop {
        let Some(now) = body.take() else { return Err(Error::internal("a relayed body is gone")) };
        let request = http::Request::from_parts(parts.clone(), now);
        let sending = engine.transport().send_body(request, connect, relay.method.is_safe());
        let answer = session.sent().until_late(sending, first, config.gateway.body_timeout).await;
        let error = match answer {
            Ok(Ok(inbound)) => return Ok(inbound),
            Ok(Err(error)) => session.sent().broken().unwrap_or(error),
            Err(sending::Late::Caller) => {
                let ms = config.gateway.body_timeout.as_millis();
                return Err(Error::new(
                    ErrorKind::Timeout,
                    format!("nothing of the request's body arrived for {ms} ms"),
                ));
            }
            Err(sending::Late::Provider) => late(endpoint, first, "the head of its answer"),
        };
        let is_worth_it = tries < config.gateway.retries.num_retries && error.kind().is_retryable();
        let pause = backoff::pause(&error, tries, config.gateway.retries.max_delay, rand::random());
        let (true, Some(again), Some(pause)) = (is_worth_it, &mut spare, pause) else { return Err(error) };
        body = Some(Outgoing::Whole(again.clone()));
        tries += 1;
        attempt::pause(pause).await;
    }
}

fn late(endpoint: &Endpoint, limit: Duration, what: &str) -> Error {
    Error::new(ErrorKind::Timeout, format!("`{}` took longer than {} ms for {what}", endpoint.name, limit.as_millis()))
}

/// Closes the row of a request that came to nothing.
async fn failed(relay: &Relay, error: Error, mut recorder: Recorder, sent: Option<Sent>) -> Box<Failure> {
    if let Some(sent) = sent {
        recorder.sent(sent.kept(), true);
    }
    let outcome = Outcome { error: Some(error.clone()), ..Outcome::default() };
    recorder.end(&outcome);
    if let Err(lost) = recorder.close(Status::Error, None, &outcome).wait().await {
        tracing::error!(error = %lost, "a failed call could not be recorded");
    }
    tracing::debug!(method = %relay.method, path = %relay.asked, %error, "a relayed call failed");
    Box::new(Failure {
        error,
        inference_id: relay.id,
        episode_id: relay.episode_id,
        attempts: Vec::new(),
        protocol: None,
        headers: HeaderMap::new(),
        calls: Vec::new(),
    })
}

impl fmt::Debug for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chosen").field("endpoint", &self.endpoint.name).field("model", &self.model).finish()
    }
}
