//! The client: how it is made, and the one path that every call takes.
//!
//! Invariants: a call is sent again only before anything of its answer was handed out; dropping a
//! call or a stream ends it at the gateway too; no `Debug` output holds a key.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use sabir_types::Value;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    answer::{Answer, Meta},
    error::{Error, Result},
    link::{Body, Link, http::HttpLink},
    retry,
    stream::RawStream,
};

/// How long a gateway may say nothing, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(600);
/// How often a call is tried again, unless told otherwise.
const RETRIES: u32 = 2;

/// A client of a gateway: at an address, or in this process. Cheap to clone.
#[derive(Clone)]
pub struct Sabir {
    link: Arc<Mutex<Option<Arc<Link>>>>,
    settings: Arc<Settings>,
}

#[derive(Clone)]
pub(crate) struct Settings {
    headers: HeaderMap,
    timeout: Duration,
    retries: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let mut headers = HeaderMap::new();
        let agent = concat!("sabir-rust/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        Self { headers, timeout: TIMEOUT, retries: RETRIES }
    }
}

/// Makes a client of a gateway at an address.
#[derive(Clone)]
pub struct HttpBuilder {
    url: String,
    roots: Vec<u8>,
    settings: Settings,
    problem: Option<String>,
}

impl Sabir {
    /// A client of the gateway at this address, like `http://127.0.0.1:3000`. A path that ends in
    /// `/v1`, as OpenAI's clients want it, is understood as well.
    pub fn http(url: impl Into<String>) -> HttpBuilder {
        HttpBuilder { url: url.into(), roots: Vec::new(), settings: Settings::default(), problem: None }
    }

    pub(crate) fn over(link: Link, settings: Settings) -> Self {
        Self { link: Arc::new(Mutex::new(Some(Arc::new(link)))), settings: Arc::new(settings) }
    }

    /// The same client with another timeout; see [`HttpBuilder::timeout`].
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        self.with(|settings| settings.timeout = timeout)
    }

    /// The same client with another number of retries.
    pub fn with_retries(&self, retries: u32) -> Self {
        self.with(|settings| settings.retries = retries)
    }

    /// The same client with one more header on each request.
    pub fn with_header(&self, name: &str, value: &str) -> Result<Self> {
        let (name, value) = header(name, value).map_err(Error::Request)?;
        Ok(self.with(|settings| drop(settings.headers.insert(name, value))))
    }

    fn with(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::clone(&self.settings);
        change(&mut settings);
        Self { link: self.link.clone(), settings: Arc::new(settings) }
    }

    /// Closes the client and all of its clones: later calls fail with [`Error::Closed`]. An
    /// embedded gateway writes what its ledger has queued and closes it.
    pub async fn close(&self) -> Result<()> {
        let link = self.link.lock().take();
        match link {
            None => Ok(()),
            Some(link) => link.close().await,
        }
    }

    /// Whether the client is closed.
    pub fn is_closed(&self) -> bool {
        self.link.lock().is_none()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Any call that this client has no method for; the answer's value is the body as it came.
    pub async fn request(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Answer<Bytes>> {
        let (meta, inbound) = self.send(method, path, body).await?;
        let body = read(inbound, self.settings.timeout).await?;
        Ok(Answer::new(body.clone(), meta, body))
    }

    /// Any call whose answer is a stream of events; each item is the data of one.
    pub async fn request_stream(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<RawStream> {
        let (meta, inbound) = self.send(method, path, body).await?;
        let kind = meta.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        if !kind.starts_with(b"text/event-stream") {
            let message = format!("expected a stream of events, not `{}`", String::from_utf8_lossy(kind));
            return Err(Error::Decode { message, body: read(inbound, self.settings.timeout).await? });
        }
        Ok(RawStream::new(meta, inbound, self.settings.timeout))
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>> {
        decoded(self.request(Method::GET, path, None).await?)
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: Bytes) -> Result<Answer<T>> {
        decoded(self.request(Method::POST, path, Some(body)).await?)
    }

    /// Sends a request, again if need be, until its answer is a success.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<(Meta, Body)> {
        let Settings { timeout, retries, .. } = *self.settings;
        let mut done = 0;
        loop {
            let link = self.link.lock().clone().ok_or(Error::Closed)?;
            let request = self.outgoing(&method, path, body.clone(), done)?;
            let wait = match within(timeout, link.send(request)).await {
                Ok(response) if response.status().is_success() => {
                    let (parts, body) = response.into_parts();
                    return Ok((Meta::new(parts.status, parts.headers, done), body));
                }
                Ok(response) => {
                    let (parts, body) = response.into_parts();
                    let wait = (done < retries).then(|| again(parts.status, &parts.headers, done)).flatten();
                    match wait {
                        Some(wait) => wait,
                        None => {
                            let meta = Meta::new(parts.status, parts.headers, done);
                            return Err(Error::status(meta, read(body, timeout).await?));
                        }
                    }
                }
                Err(Error::Connection { .. } | Error::Timeout(_)) if done < retries => {
                    retry::backoff(done, rand::random())
                }
                Err(error) => return Err(error),
            };
            tokio::time::sleep(wait).await;
            done += 1;
        }
    }

    fn outgoing(&self, method: &Method, path: &str, body: Option<Bytes>, done: u32) -> Result<Request<Full<Bytes>>> {
        let is_path = path.starts_with('/') && !path.starts_with("//");
        let uri = path.parse::<http::Uri>().ok().filter(|_| is_path);
        let uri = uri.ok_or_else(|| Error::Request(format!("`{path}` is not a path")))?;
        let has_body = body.is_some();
        let mut request = Request::new(Full::new(body.unwrap_or_default()));
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.clone_from(&self.settings.headers);
        if has_body && !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if done > 0 {
            headers.insert("x-sabir-retry-count", HeaderValue::from(done));
        }
        Ok(request)
    }
}

impl fmt::Debug for Sabir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sabir").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl HttpBuilder {
    /// The key to send.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// A header to send with each request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match header(name, value) {
            Ok((name, value)) => drop(self.settings.headers.insert(name, value)),
            Err(problem) => drop(self.problem.get_or_insert(problem)),
        }
        self
    }

    /// How long the gateway may say nothing, before an answer as well as within one. 10 minutes
    /// unless told otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// How often a call is tried again after a connection that broke, a timeout, and the statuses
    /// 408, 409, 429 and 5xx. Twice unless told otherwise.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.settings.retries = retries;
        self
    }

    /// Certificates in PEM to trust beside the usual ones.
    #[must_use]
    pub fn root_certificates(mut self, pem: &[u8]) -> Self {
        self.roots.extend_from_slice(pem);
        self.roots.push(b'\n');
        self
    }

    /// The client. Nothing is sent yet.
    pub fn build(self) -> Result<Sabir> {
        if let Some(problem) = self.problem {
            return Err(Error::Config(problem));
        }
        Ok(Sabir::over(Link::Http(Box::new(HttpLink::new(&self.url, &self.roots)?)), self.settings))
    }
}

impl fmt::Debug for HttpBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpBuilder").finish_non_exhaustive()
    }
}

/// How a client of a gateway in this process is made.
#[cfg(feature = "embedded")]
mod embedded {
    use std::path::PathBuf;

    use sabir_engine::config::{Source, env::Env};

    use super::{Duration, Result, Sabir, Settings, fmt};
    use crate::link::{Link, embedded::EmbeddedLink};

    /// Makes a client with a gateway of its own in this process.
    #[derive(Clone, Default)]
    pub struct EmbeddedBuilder {
        sources: Vec<Source>,
        variables: Option<Vec<(String, String)>>,
        data_dir: Option<PathBuf>,
        settings: Settings,
    }

    impl Sabir {
        /// A client with a gateway of its own in this process, configured by this TOML; an empty
        /// text gives the defaults. Needs a tokio runtime when it is called, as every call does.
        pub fn embedded(toml: impl Into<String>) -> EmbeddedBuilder {
            let text = toml.into();
            let sources = match text.trim() {
                "" => Vec::new(),
                _ => vec![Source::Text { name: "configuration".to_owned(), text }],
            };
            EmbeddedBuilder { sources, ..EmbeddedBuilder::default() }
        }

        /// The same, configured by files: a path or a pattern.
        pub fn embedded_files(pattern: impl Into<String>) -> EmbeddedBuilder {
            EmbeddedBuilder { sources: vec![Source::Files(pattern.into())], ..EmbeddedBuilder::default() }
        }
    }

    impl EmbeddedBuilder {
        /// Keeps a ledger in this folder. Without it, the configuration's `gateway.data_dir`
        /// counts; without that, nothing is kept.
        #[must_use]
        pub fn ledger(mut self, folder: impl Into<PathBuf>) -> Self {
            self.data_dir = Some(folder.into());
            self
        }

        /// The variables that the configuration sees, instead of the environment's.
        #[must_use]
        pub fn variables<K: Into<String>, V: Into<String>>(mut self, all: impl IntoIterator<Item = (K, V)>) -> Self {
            self.variables = Some(all.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
            self
        }

        /// How long the engine may say nothing, before an answer as well as within one. 10 minutes
        /// unless told otherwise.
        #[must_use]
        pub fn timeout(mut self, timeout: Duration) -> Self {
            self.settings.timeout = timeout;
            self
        }

        /// How often a call is tried again that failed with 408, 409, 429 or 5xx. Twice unless
        /// told otherwise.
        #[must_use]
        pub fn retries(mut self, retries: u32) -> Self {
            self.settings.retries = retries;
            self
        }

        /// The client. The configuration is read and the ledger opened now.
        pub fn build(self) -> Result<Sabir> {
            let env = self.variables.map_or_else(Env::snapshot, Env::of);
            let link = EmbeddedLink::new(&self.sources, &env, self.data_dir)?;
            Ok(Sabir::over(Link::Embedded(link), self.settings))
        }
    }

    impl fmt::Debug for EmbeddedBuilder {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("EmbeddedBuilder").finish_non_exhaustive()
        }
    }
}

#[cfg(feature = "embedded")]
pub use embedded::EmbeddedBuilder;

/// A request's body; `stream` says whether the answer is a stream.
pub(crate) fn encoded(request: impl Serialize, stream: Option<bool>) -> Result<Bytes> {
    let mut value =
        serde_json::to_value(request).map_err(|e| Error::Request(format!("the request is not JSON: {e}")))?;
    let Value::Object(members) = &mut value else {
        return Err(Error::Request("the request is not a JSON object".to_owned()));
    };
    match (stream, members.get("stream")) {
        (None, _) | (Some(false), None | Some(Value::Null | Value::Bool(false))) => {}
        (Some(false), Some(_)) => {
            return Err(Error::Request("`stream` is set: use the method that gives a stream".to_owned()));
        }
        (Some(true), None | Some(Value::Null | Value::Bool(true))) => {
            drop(members.insert("stream".into(), true.into()))
        }
        (Some(true), Some(_)) => {
            return Err(Error::Request("`stream` is false: use the method that gives a whole answer".to_owned()));
        }
    }
    Ok(value.to_string().into())
}

fn decoded<T: DeserializeOwned>(answer: Answer<Bytes>) -> Result<Answer<T>> {
    let (meta, body) = (answer.meta().clone(), answer.into_inner());
    match serde_json::from_slice(&body) {
        Ok(value) => Ok(Answer::new(value, meta, body)),
        Err(error) => Err(Error::Decode { message: error.to_string(), body }),
    }
}

fn again(status: StatusCode, headers: &HeaderMap, done: u32) -> Option<Duration> {
    retry::after_answer(status, headers, done, rand::random(), SystemTime::now())
}

async fn within<T>(timeout: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(timeout, call).await.unwrap_or(Err(Error::Timeout(timeout)))
}

/// The whole body.
async fn read(mut body: Body, timeout: Duration) -> Result<Bytes> {
    let mut all = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(timeout, body.frame()).await.map_err(|_| Error::Timeout(timeout))?;
        match frame {
            None => return Ok(all.freeze()),
            Some(Ok(frame)) => all.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
            Some(Err(error)) => return Err(Error::connection("the connection broke within the answer", error)),
        }
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = |what: &str| format!("header `{name}`: the {what} cannot be sent");
    let parsed = HeaderName::try_from(name).map_err(|_| wrong("name"))?;
    let mut value = HeaderValue::try_from(value).map_err(|_| wrong("value"))?;
    // Any header can hold a key.
    value.set_sensitive(true);
    Ok((parsed, value))
}
