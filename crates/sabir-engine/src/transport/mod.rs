//! Requests out, answers in: connections, their pool, and bodies that arrive piece by piece.
//!
//! Invariant: dropping an answer before its end closes the connection (or resets the HTTP/2
//! stream), so a caller who leaves stops the provider at once.

mod body;
mod connect;
mod outgoing;
mod pool;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, StatusCode, header, uri::PathAndQuery};
use hyper_util::rt::TokioIo;
use sabir_providers::HttpRequest;
use sabir_types::{Error, ErrorKind, Result};

pub(crate) use body::Body;
use connect::{Connector, Route};
pub(crate) use outgoing::{Outgoing, Pieces};
use pool::{Key, Link, Pool, Sender};

use crate::config::env::Env;

/// An answer whose body has not been read yet.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

/// The answer to [`Transport::upgrade`].
pub(crate) enum Upgrade {
    /// The connection is the other protocol's now.
    Switched { headers: HeaderMap, io: TokioIo<hyper::upgrade::Upgraded> },
    /// It stays HTTP.
    Refused(Inbound),
}

/// Everything that is needed to reach providers.
#[derive(Debug)]
pub(crate) struct Transport {
    connector: Connector,
    pool: Arc<Pool>,
}

impl Transport {
    /// Proxies and extra certificates are taken from this environment.
    pub(crate) fn new(env: &Env) -> Result<Self> {
        Ok(Self { connector: Connector::new(env)?, pool: Arc::new(Pool::default()) })
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// A pooled connection that turns out to be closed before anything of the answer came is
    /// replaced by a fresh one; everything else that goes wrong is an error of kind `Connection`,
    /// or `Timeout` if opening the connection took longer than `connect`.
    pub(crate) async fn send(&self, request: HttpRequest, connect: Duration) -> Result<Inbound> {
        self.send_body(request.map(Outgoing::from), connect, true).await
    }

    /// The same for a body that need not be whole. One that is not is sent once, so it gets a
    /// connection that cannot turn out to be closed already. Without `again` nothing is sent twice
    /// that may have arrived.
    pub(crate) async fn send_body(
        &self,
        request: http::Request<Outgoing>,
        connect: Duration,
        again: bool,
    ) -> Result<Inbound> {
        let route = self.connector.route(request.uri())?;
        let key = Key::of(request.uri(), &route)?;
        let mut request = outgoing(request, &route)?;
        let is_whole = matches!(request.body(), Outgoing::Whole(_));
        while is_whole && let Some(link) = self.pool.take(&key) {
            match self.exchange(link, request, &key).await {
                Ok(inbound) => return Ok(inbound),
                Err(Lost { error, request: Some(spare), unsent, stale: true }) if again || unsent => {
                    tracing::debug!(host = %key, %error, "a pooled connection was closed; trying another");
                    request = *spare;
                }
                Err(lost) => return Err(lost.error),
            }
        }
        // Opening is rare, and its state is large: calls on open connections do not carry it around.
        let opening = self.pool.open(&key, self.connector.connect(request_uri(&key)?, &route, connect));
        let link = Box::pin(opening).await?;
        self.exchange(link, request, &key).await.map_err(|lost| lost.error)
    }

    /// Asks for another protocol on a connection of its own, and hands the connection out if the
    /// other side agrees.
    pub(crate) async fn upgrade(&self, request: http::Request<Outgoing>, connect: Duration) -> Result<Upgrade> {
        let route = self.connector.route(request.uri())?;
        let key = Key::of(request.uri(), &route)?;
        let request = outgoing(request, &route)?;
        let opened = Box::pin(self.connector.connect_http1(request_uri(&key)?, &route, connect)).await?;
        let (mut send, connection) = hyper::client::conn::http1::Builder::new()
            .max_headers(200)
            .handshake(opened.io)
            .await
            .map_err(|error| broken(&key, error))?;
        let host = key.clone();
        // It ends with the answer, or becomes the other protocol's.
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%host, %error, "a connection that was to become another ended");
            }
        });
        let mut response = send.send_request(request).await.map_err(|error| broken(&key, error))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (parts, incoming) = response.into_parts();
            return inbound(parts, Body::shared(incoming)).map(Upgrade::Refused).map_err(|lost| lost.error);
        }
        let io = hyper::upgrade::on(&mut response).await.map_err(|error| broken(&key, error))?;
        Ok(Upgrade::Switched { headers: response.into_parts().0.headers, io: TokioIo::new(io) })
    }

    async fn exchange(&self, link: Link, request: http::Request<Outgoing>, key: &Key) -> Result<Inbound, Lost> {
        let reused = link.reused;
        // The body is a reference-counted slice: a copy of the request is cheap, and only pooled
        // connections can need it.
        let spare = if reused { again(&request).map(Box::new) } else { None };
        let lose = |error: hyper::Error| {
            let stale = reused
                && (error.is_canceled() || error.is_closed() || error.is_incomplete_message() || is_reset(&error));
            Lost { unsent: error.is_canceled(), error: broken(key, error), request: spare, stale }
        };
        match link.sender {
            Sender::Http1 { mut send, mut driver } => {
                let mut answer = std::pin::pin!(send.send_request(request));
                let answer = std::future::poll_fn(|cx| driver.with(cx, |cx| answer.as_mut().poll(cx))).await;
                let (parts, incoming) = answer.map_err(lose)?.into_parts();
                let body = Body::http1(incoming, send, driver, self.pool.clone(), key.clone());
                inbound(parts, body)
            }
            Sender::Http2(mut send) => {
                let (parts, incoming) = send.send_request(http2(request)).await.map_err(lose)?.into_parts();
                inbound(parts, Body::shared(incoming))
            }
        }
    }
}

fn inbound(parts: http::response::Parts, mut body: Body) -> Result<Inbound, Lost> {
    if let Some(encoding) = parts.headers.get(header::CONTENT_ENCODING) {
        body = body.decoded(encoding.as_bytes()).map_err(|error| Lost {
            error,
            request: None,
            unsent: false,
            stale: false,
        })?;
    }
    Ok(Inbound { status: parts.status, headers: parts.headers, body })
}

/// A request that got no answer.
struct Lost {
    error: Error,
    request: Option<Box<http::Request<Outgoing>>>,
    /// Whether nothing of it was sent.
    unsent: bool,
    stale: bool,
}

/// The request once more, if its body is whole.
fn again(request: &http::Request<Outgoing>) -> Option<http::Request<Outgoing>> {
    let body = request.body().again()?;
    let mut copy = http::Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    copy.headers_mut().clone_from(request.headers());
    copy.extensions_mut().clone_from(request.extensions());
    Some(copy)
}

fn outgoing(request: http::Request<Outgoing>, route: &Route) -> Result<http::Request<Outgoing>> {
    let (mut parts, body) = request.into_parts();
    let authority = parts.uri.authority().ok_or_else(|| no_host(&parts.uri))?;
    if !parts.headers.contains_key(header::HOST) {
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        let host = HeaderValue::from_str(host).map_err(|_| no_host(&parts.uri))?;
        parts.headers.insert(header::HOST, host);
    }
    if let Route::Forward { auth, .. } = route {
        if let Some(auth) = auth {
            parts.headers.insert(header::PROXY_AUTHORIZATION, auth.clone());
        }
    } else {
        let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let full = std::mem::take(&mut parts.uri);
        let mut origin = http::uri::Parts::default();
        origin.path_and_query = Some(path);
        parts.uri = http::Uri::from_parts(origin).map_err(|_| no_host(&full))?;
        parts.extensions.insert(FullUri(full));
    }
    Ok(http::Request::from_parts(parts, body))
}

/// The absolute address, which HTTP/2 wants in its pseudo headers.
#[derive(Clone)]
struct FullUri(http::Uri);

fn http2(mut request: http::Request<Outgoing>) -> http::Request<Outgoing> {
    if let Some(FullUri(uri)) = request.extensions_mut().remove::<FullUri>() {
        *request.uri_mut() = uri;
    }
    request.headers_mut().remove(header::HOST);
    *request.version_mut() = http::Version::HTTP_2;
    request
}

fn request_uri(key: &Key) -> Result<http::Uri> {
    key.uri().ok_or_else(|| Error::new(ErrorKind::Config, format!("`{key}` is not an address")))
}

fn no_host(uri: &http::Uri) -> Error {
    Error::new(ErrorKind::Config, format!("`{uri}` is not an absolute http or https address"))
}

fn is_reset(error: &hyper::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return matches!(io.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe);
        }
        source = inner.source();
    }
    false
}

/// What became of a connection, in words.
fn broken(key: &Key, error: hyper::Error) -> Error {
    if error.is_parse() {
        return Error::bad_upstream(format!("{key} sent something that is not HTTP: {}", chain(&error)));
    }
    let what = if error.is_incomplete_message() {
        "closed the connection before the answer was complete".to_owned()
    } else {
        format!("broke the connection: {}", chain(&error))
    };
    Error::new(ErrorKind::Connection, format!("{key} {what}")).with_source(error)
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = inner.source();
    }
    text
}
