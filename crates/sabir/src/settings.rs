//! What a client and a call can be told: headers, timeouts, retries, and who is asked.
//!
//! Invariant: no `Debug` output holds a key or a header's value.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use sabir_types::{Map, Value};
use tokio::time::Instant;

use crate::{
    error::{Elapsed, Error, Phase, Result},
    path,
    retry::Pace,
};

/// How long the other side may say nothing, unless told otherwise.
const SILENCE: Duration = Duration::from_secs(600);
/// How long opening a connection may take, unless told otherwise.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a call is tried again, unless told otherwise.
const RETRIES: u32 = 2;

/// How long the parts of a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Opening a connection, with everything that belongs to it. 5 seconds unless told otherwise;
    /// it is the client's, and cannot be changed for one call.
    pub connect: Duration,
    /// Silence before an answer and within one. 10 minutes unless told otherwise.
    pub read: Duration,
    /// A connection that takes nothing more of the request. 10 minutes unless told otherwise.
    pub write: Duration,
    /// All of the call, with its retries and its answer. Without limit unless told otherwise.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: CONNECT, read: SILENCE, write: SILENCE, total: None }
    }
}

impl Timeouts {
    /// The same time for silence before an answer, within one, and while sending.
    pub fn silence(timeout: Duration) -> Self {
        Self { read: timeout, write: timeout, ..Self::default() }
    }
}

/// Something else for one call, or for a client: see [`Sabir::with_options`](crate::Sabir::with_options).
#[derive(Clone, Default)]
pub struct Options {
    changes: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Header(String, Option<String>),
    Query(String, Value),
    Member(String, Value),
    Timeouts(Timeouts),
    Silence(Duration),
    Total(Duration),
    Retries(u32),
    Pace(Pace),
    Key(Key),
}

impl Options {
    /// Nothing else yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A header, in the place of one of its name.
    #[must_use]
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(Change::Header(name.into(), Some(value.into())))
    }

    /// Leaves a header out.
    #[must_use]
    pub fn without_header(self, name: impl Into<String>) -> Self {
        self.with(Change::Header(name.into(), None))
    }

    /// A member of the query: an object's members become `name[member]`, a list's items `name[]`.
    #[must_use]
    pub fn query(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.with(Change::Query(name.into(), value.into()))
    }

    /// A member of the body, in the place of one of its name.
    #[must_use]
    pub fn member(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.with(Change::Member(name.into(), value.into()))
    }

    /// How long the other side may say or take nothing.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(Change::Silence(timeout))
    }

    /// How long all of a call may take, with its retries and its answer.
    #[must_use]
    pub fn total_timeout(self, timeout: Duration) -> Self {
        self.with(Change::Total(timeout))
    }

    /// All timeouts. The one for connecting is the client's and stays.
    #[must_use]
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.with(Change::Timeouts(timeouts))
    }

    /// How often a call is tried again.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        self.with(Change::Retries(retries))
    }

    /// How long the waits before another try are.
    #[must_use]
    pub fn pace(self, pace: Pace) -> Self {
        self.with(Change::Pace(pace))
    }

    /// Another key.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        self.with(Change::Key(Key::fixed(key)))
    }

    fn with(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}

/// What every call of a client begins with.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) headers: HeaderMap,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) members: Map<String, Value>,
    pub(crate) timeouts: Timeouts,
    pub(crate) retries: u32,
    pub(crate) pace: Pace,
    pub(crate) target: Target,
    pub(crate) auth: Auth,
    pub(crate) webhook_secret: Option<String>,
    /// What stands before the name of a model that names no provider.
    pub(crate) provider: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let mut headers = HeaderMap::new();
        let agent = concat!("sabir-rust/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        Self {
            headers,
            query: Vec::new(),
            members: Map::new(),
            timeouts: Timeouts::default(),
            retries: RETRIES,
            pace: Pace::default(),
            target: Target::Gateway,
            auth: Auth::default(),
            webhook_secret: None,
            provider: None,
        }
    }
}

impl Settings {
    pub(crate) fn apply(&mut self, options: Options) -> Result<()> {
        for change in options.changes {
            match change {
                Change::Header(name, Some(value)) => {
                    let (name, value) = header(&name, &value).map_err(Error::Request)?;
                    self.headers.insert(name, value);
                }
                Change::Header(name, None) => drop(self.headers.remove(name.as_str())),
                Change::Query(name, value) => {
                    let nested = format!("{name}[");
                    self.query.retain(|(known, _)| *known != name && !known.starts_with(&nested));
                    path::pairs(&name, &value, &mut self.query);
                }
                Change::Member(name, value) => drop(self.members.insert(name, value)),
                Change::Silence(timeout) => self.silence(timeout),
                Change::Total(timeout) => self.timeouts.total = Some(timeout),
                Change::Timeouts(timeouts) => {
                    self.timeouts = Timeouts { connect: self.timeouts.connect, ..timeouts };
                }
                Change::Retries(retries) => self.retries = retries,
                Change::Pace(pace) => self.pace = pace,
                Change::Key(key) => {
                    self.headers.remove(header::AUTHORIZATION);
                    self.auth.key = Some(key);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn silence(&mut self, timeout: Duration) {
        (self.timeouts.read, self.timeouts.write) = (timeout, timeout);
    }
}

/// A key, or what gives one for each try.
#[derive(Clone)]
pub(crate) enum Key {
    Fixed(String),
    Given(Arc<dyn KeyProvider>),
}

/// Gives the key for each try of a call, so that one that expires can be renewed. A function
/// without parameters that returns a future of a `Result<String>` is one.
pub trait KeyProvider: Send + Sync {
    /// The key.
    fn key(&self) -> KeyFuture<'_>;
}

/// What a [`KeyProvider`] gives.
pub type KeyFuture<'a> = Pin<Box<dyn Future<Output = Result<String>> + Send + 'a>>;

impl<F, R> KeyProvider for F
where
    F: Fn() -> R + Send + Sync,
    R: Future<Output = Result<String>> + Send + 'static,
{
    fn key(&self) -> KeyFuture<'_> {
        Box::pin(self())
    }
}

impl Key {
    pub(crate) fn fixed(key: impl Into<String>) -> Self {
        Self::Fixed(key.into())
    }

    pub(crate) async fn get(&self) -> Result<String> {
        match self {
            Self::Fixed(key) => Ok(key.clone()),
            Self::Given(provider) => match provider.key().await? {
                key if key.is_empty() => Err(Error::Request("the key's provider gave none".to_owned())),
                key => Ok(key),
            },
        }
    }
}

/// How a client shows who it is.
#[derive(Clone, Default)]
pub(crate) struct Auth {
    pub(crate) key: Option<Key>,
    /// For what an organization's keeper may do.
    pub(crate) admin: Option<Key>,
    /// Whether the key goes into Azure's header of its own.
    pub(crate) is_api_key: bool,
}

impl Auth {
    /// Puts the key where it belongs, if no header says otherwise.
    pub(crate) async fn sign(&self, path: &str, headers: &mut HeaderMap) -> Result<()> {
        let is_admin = ["/organization/", "/projects/"].iter().any(|start| path.starts_with(start));
        let admin = self.admin.as_ref().filter(|_| is_admin);
        let Some(key) = admin.or(self.key.as_ref()) else { return Ok(()) };
        if headers.contains_key(header::AUTHORIZATION) || headers.contains_key("api-key") {
            return Ok(());
        }
        let key = key.get().await?;
        let (name, value) = match self.is_api_key {
            true => header("api-key", &key),
            false => header("authorization", &format!("Bearer {key}")),
        }
        .map_err(Error::Request)?;
        headers.insert(name, value);
        Ok(())
    }
}

/// Who is asked, and so where its paths are.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A gateway: OpenAI's paths are below `/v1`.
    Gateway,
    /// A service that speaks OpenAI's protocol: its address holds the `/v1`.
    Compatible,
    /// Azure: some paths are below the deployment.
    Azure {
        /// The deployment that all calls go to; without it, the model's name is the deployment's.
        deployment: Option<String>,
    },
}

/// What a call asks for.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A path of OpenAI's protocol, without the `/v1`.
    Api(String),
    /// A path as it is, from the service's address.
    Path(String),
    /// What only a gateway has.
    Gateway(&'static str),
}

/// What Azure has below a deployment.
const OF_DEPLOYMENTS: [&str; 8] = [
    "/completions",
    "/chat/completions",
    "/embeddings",
    "/audio/transcriptions",
    "/audio/translations",
    "/audio/speech",
    "/images/generations",
    "/images/edits",
];

impl Target {
    /// The path to ask for.
    pub(crate) fn path(&self, place: &Place, model: Option<&str>) -> Result<String> {
        match (self, place) {
            (Self::Gateway, Place::Api(path)) => Ok(format!("/v1{path}")),
            (Self::Gateway, Place::Gateway(path)) => Ok((*path).to_owned()),
            (_, Place::Gateway(path)) => {
                Err(Error::Request(format!("`{path}` is a gateway's, and this client speaks to another service")))
            }
            (Self::Azure { deployment }, Place::Api(path) | Place::Path(path)) => {
                let (bare, query) = path.split_at(path.find('?').unwrap_or(path.len()));
                let deployment = deployment.as_deref().or(model).filter(|_| OF_DEPLOYMENTS.contains(&bare));
                match deployment {
                    Some(name) => Ok(path::path("/deployments/{}", &[("model", name)])? + bare + query),
                    None => Ok(path.clone()),
                }
            }
            (_, Place::Api(path) | Place::Path(path)) => Ok(path.clone()),
        }
    }

    pub(crate) fn wants_model(&self) -> bool {
        matches!(self, Self::Azure { deployment: None })
    }
}

/// Until when something may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) timeouts: Timeouts,
    pub(crate) end: Option<Instant>,
}

impl Clock {
    pub(crate) fn start(timeouts: Timeouts) -> Self {
        Self { timeouts, end: timeouts.total.map(|total| after(Instant::now(), total)) }
    }

    /// Until when the next piece may take, and what it is when it does not come.
    pub(crate) fn silence(&self) -> (Instant, Elapsed) {
        self.sooner(after(Instant::now(), self.timeouts.read), Phase::Read, self.timeouts.read)
    }

    /// The earlier of this moment and the end of all.
    pub(crate) fn sooner(&self, at: Instant, phase: Phase, allowed: Duration) -> (Instant, Elapsed) {
        match (self.end, self.timeouts.total) {
            (Some(end), Some(total)) if end <= at => (end, Elapsed { phase: Phase::Total, after: total }),
            _ => (at, Elapsed { phase, after: allowed }),
        }
    }
}

/// A time after a moment; one that is too far away is a century.
pub(crate) fn after(start: Instant, wait: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(3_200_000_000);
    start + wait.min(CENTURY)
}

pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = |what: &str| format!("header `{name}`: the {what} cannot be sent");
    let parsed = HeaderName::try_from(name).map_err(|_| wrong("name"))?;
    let mut value = HeaderValue::try_from(value).map_err(|_| wrong("value"))?;
    // Any header can hold a key.
    value.set_sensitive(true);
    Ok((parsed, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn azure(deployment: Option<&str>, path: &str, model: Option<&str>) -> String {
        let target = Target::Azure { deployment: deployment.map(str::to_owned) };
        target.path(&Place::Api(path.to_owned()), model).unwrap()
    }

    #[test]
    fn azure_has_some_paths_below_the_deployment() {
        assert_eq!(azure(None, "/chat/completions", Some("gpt 4")), "/deployments/gpt%204/chat/completions");
        assert_eq!(azure(Some("mine"), "/images/edits", Some("other")), "/deployments/mine/images/edits");
        assert_eq!(azure(Some("mine"), "/files?a=1", None), "/files?a=1");
        assert_eq!(azure(None, "/responses", Some("m")), "/responses");
        assert_eq!(azure(None, "/embeddings", None), "/embeddings");
    }

    #[test]
    fn a_gateway_has_what_others_lack() {
        let inference = Place::Gateway("/inference");
        assert_eq!(Target::Gateway.path(&inference, None).unwrap(), "/inference");
        assert!(Target::Compatible.path(&inference, None).unwrap_err().to_string().contains("`/inference`"));
        let files = Place::Api("/files".to_owned());
        assert_eq!(Target::Gateway.path(&files, None).unwrap(), "/v1/files");
        assert_eq!(Target::Compatible.path(&files, None).unwrap(), "/files");
    }

    #[tokio::test]
    async fn the_organization_is_asked_with_the_admin_key() {
        let auth = Auth { key: Some(Key::fixed("a")), admin: Some(Key::fixed("b")), is_api_key: false };
        for (path, sent) in [("/files", "Bearer a"), ("/organization/users", "Bearer b")] {
            let mut headers = HeaderMap::new();
            auth.sign(path, &mut headers).await.unwrap();
            assert_eq!(headers[header::AUTHORIZATION], sent);
        }
    }
}
