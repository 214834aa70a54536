//! The client, and the one path that every call takes.
//!
//! Invariants: a call is sent again only before anything of its answer was handed out, and only if
//! its body can be sent again; dropping a call or a stream ends it at the gateway too; no `Debug`
//! output holds a key.

use std::{
    fmt,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::BodyExt;
use parking_lot::Mutex;

use crate::{
    answer::{Answer, Meta},
    call::{Call, Surface},
    error::{Elapsed, Error, Phase, Result},
    link::{Incoming, Link, Outgoing, Progress},
    path::with_query,
    retry,
    settings::{Clock, Options, Place, Settings, after, header},
    spec::{Payload, Spec},
    stream::RawStream,
};

/// A client of a gateway: at an address, or in this process. Cheap to clone.
#[derive(Clone)]
pub struct Sabir {
    link: Arc<Mutex<Option<Arc<Link>>>>,
    pub(crate) settings: Arc<Settings>,
}

/// An answer whose body is still to come.
pub(crate) struct Opened {
    pub(crate) meta: Meta,
    pub(crate) body: Incoming,
    pub(crate) clock: Clock,
}

impl Sabir {
    pub(crate) fn over(link: Link, settings: Settings) -> Self {
        Self { link: Arc::new(Mutex::new(Some(Arc::new(link)))), settings: Arc::new(settings) }
    }

    /// The same client with other settings, for one call or for many.
    pub fn with_options(&self, options: Options) -> Result<Self> {
        let mut settings = Settings::clone(&self.settings);
        settings.apply(options)?;
        Ok(Self { link: self.link.clone(), settings: Arc::new(settings) })
    }

    /// The same client with another timeout; see [`HttpBuilder::timeout`](crate::HttpBuilder::timeout).
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        self.with(|settings| settings.silence(timeout))
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

    /// Any call that this client has no method for; the answer's value is the body as it came.
    pub async fn request(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Answer<Bytes>> {
        self.plain(method, path, body).raw().await
    }

    /// Any call whose answer is a stream of events; each item is the data of one.
    pub async fn request_stream(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<RawStream> {
        self.plain(method, path, body).events().await
    }

    pub(crate) fn plain(&self, method: Method, path: &str, body: Option<Bytes>) -> Call<Bytes> {
        let mut spec = Spec::new(method, Place::Path(path.to_owned()));
        if let Some(body) = body {
            spec.payload = Payload::Bytes(body);
        }
        Call::new(self.clone(), Ok(spec))
    }

    /// Sends a request, again if need be, until its answer is a success.
    pub(crate) async fn open(&self, spec: &Spec) -> Result<Opened> {
        let settings = &self.settings;
        let model = spec.model(settings.target.wants_model());
        let path = settings.target.path(&spec.place, model.as_deref())?;
        let is_path = path.starts_with('/') && !path.starts_with("//");
        let path = with_query(path, settings.query.iter().chain(&spec.query));
        let uri = path.parse::<http::Uri>().ok().filter(|_| is_path);
        let uri = uri.ok_or_else(|| Error::Request(format!("`{path}` is not a path")))?;
        let payload = spec.payload.encoded(settings)?;
        let clock = Clock::start(settings.timeouts);
        let tries = self.tries(spec, &uri, &payload, &clock);
        match (clock.end, clock.timeouts.total) {
            (Some(end), Some(total)) => tokio::time::timeout_at(end, tries)
                .await
                .unwrap_or(Err(Error::Timeout(Elapsed { phase: Phase::Total, after: total }))),
            _ => tries.await,
        }
    }

    async fn tries(&self, spec: &Spec, uri: &http::Uri, payload: &Payload, clock: &Clock) -> Result<Opened> {
        let Settings { retries, pace, .. } = &*self.settings;
        let retries = if payload.can_repeat() { *retries } else { 0 };
        let mut done = 0;
        loop {
            let link = self.link.lock().clone().ok_or(Error::Closed)?;
            let request = self.outgoing(spec, uri, payload, done).await?;
            let progress = request.body().progress();
            let wait = match head(link.send(request), &progress, clock).await {
                Ok(response) if response.status().is_success() => {
                    let (parts, body) = response.into_parts();
                    return Ok(Opened { meta: Meta::new(parts.status, parts.headers, done), body, clock: *clock });
                }
                Ok(response) => {
                    let (parts, body) = response.into_parts();
                    let wait = (done < retries).then(|| {
                        let (status, now) = (parts.status, SystemTime::now());
                        retry::after_answer(status, &parts.headers, done, rand::random(), now, pace)
                    });
                    match wait.flatten() {
                        Some(wait) => wait,
                        None => {
                            let meta = Meta::new(parts.status, parts.headers, done);
                            return Err(Error::status(meta, read(body, clock).await?));
                        }
                    }
                }
                Err(Error::Connection { .. } | Error::Timeout(_)) if done < retries => {
                    retry::backoff(done, rand::random(), pace)
                }
                Err(error) => return Err(error),
            };
            tokio::time::sleep(wait).await;
            done += 1;
        }
    }

    async fn outgoing(&self, spec: &Spec, uri: &http::Uri, payload: &Payload, done: u32) -> Result<Request<Outgoing>> {
        let settings = &self.settings;
        let mut headers = settings.headers.clone();
        for (name, value) in &spec.headers {
            headers.insert(name, value.clone());
        }
        settings.auth.sign(uri.path(), &mut headers).await?;
        let (body, kind) = payload.open().await?;
        if let Some(kind) = kind
            // The boundary in a form's type is the one in its body.
            && (!headers.contains_key(header::CONTENT_TYPE) || matches!(payload, Payload::Form(_)))
        {
            let kind = HeaderValue::try_from(kind);
            headers.insert(
                header::CONTENT_TYPE,
                kind.map_err(|_| Error::Request("the body's type cannot be sent".to_owned()))?,
            );
        }
        if done > 0 {
            headers.insert("x-sabir-retry-count", HeaderValue::from(done));
        }
        let mut request = Request::new(body);
        *request.method_mut() = spec.method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl Surface for Sabir {
    type Reply<T> = crate::call::Pending<T>;
    type Flow<S: 'static> = S;

    fn client(&self) -> &Sabir {
        self
    }

    fn reply<T: 'static>(&self, future: impl Future<Output = Result<T>> + Send + 'static) -> Self::Reply<T> {
        crate::call::Pending::new(future)
    }

    fn flow<S: 'static>(&self, stream: S) -> S {
        stream
    }
}

impl fmt::Debug for Sabir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sabir").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// Waits for the head of an answer: for as long as the sending goes on, and then the silence.
async fn head(
    sending: impl Future<Output = Result<Response<Incoming>>>,
    progress: &Progress,
    clock: &Clock,
) -> Result<Response<Incoming>> {
    let mut sending = pin!(sending);
    let limit = || {
        let (at, is_sent) = progress.state();
        let (phase, allowed) = match is_sent {
            true => (Phase::Read, clock.timeouts.read),
            false => (Phase::Write, clock.timeouts.write),
        };
        (after(at, allowed), Elapsed { phase, after: allowed })
    };
    // What is waited for changes while nobody looks: the sending ends, and from then on the silence counts.
    let look = clock.timeouts.read.min(clock.timeouts.write);
    loop {
        let until = limit().0.min(after(tokio::time::Instant::now(), look));
        if let Ok(answer) = tokio::time::timeout_at(until, &mut sending).await {
            return answer;
        }
        let (until, elapsed) = limit();
        if until <= tokio::time::Instant::now() {
            return Err(Error::Timeout(elapsed));
        }
    }
}

/// The whole body.
pub(crate) async fn read(mut body: Incoming, clock: &Clock) -> Result<Bytes> {
    let mut all = BytesMut::new();
    loop {
        let (until, elapsed) = clock.silence();
        let frame = tokio::time::timeout_at(until, body.frame()).await.map_err(|_| Error::Timeout(elapsed))?;
        match frame {
            None => return Ok(all.freeze()),
            Some(Ok(frame)) => all.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
            Some(Err(error)) => return Err(Error::connection("the connection broke within the answer", error)),
        }
    }
}

/// A header of an answer as a number.
pub(crate) fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}
