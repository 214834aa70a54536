//! Connections that wait for their next request.
//!
//! Invariant: an HTTP/1 connection is owned by one request at a time and driven by it, without a
//! task of its own; HTTP/2 connections are shared and driven by a task. A connection that waited
//! too long is not handed out.

use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::Uri;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use parking_lot::Mutex;
use sabir_types::Result;

use super::{
    Outgoing,
    connect::{Connected, Io, Route},
};

/// How long a connection may wait. Most servers close theirs after 60 seconds or more.
const IDLE: Duration = Duration::from_secs(50);

/// Where a connection leads: connections with the same key are interchangeable.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key(Arc<str>);

impl Key {
    pub(super) fn of(uri: &Uri, route: &Route) -> Result<Self> {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(super::no_host(uri));
        };
        let authority = authority.as_str().rsplit('@').next().unwrap_or_default();
        Ok(Self(match route.proxy() {
            None => format!("{scheme}://{authority}").into(),
            Some(proxy) => format!("{scheme}://{authority} via {proxy}").into(),
        }))
    }

    pub(super) fn uri(&self) -> Option<Uri> {
        self.0.split(' ').next()?.parse().ok()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Http1Send = http1::SendRequest<Outgoing>;
type Http1Connection = http1::Connection<Io, Outgoing>;

/// The half of an HTTP/1 connection that reads and writes the socket.
pub(super) struct Driver(Option<Pin<Box<Http1Connection>>>);

impl Driver {
    /// Polls `inner`, lets the connection make progress, and polls again: both live in the
    /// caller's task, so no other task has to be woken for a request.
    pub(super) fn with<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut inner: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if let Poll::Ready(value) = inner(cx) {
            return Poll::Ready(value);
        }
        self.turn(cx);
        inner(cx)
    }

    /// Lets the connection make progress. When it is over, that shows in its other half.
    pub(super) fn turn(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.0
            && let Poll::Ready(result) = connection.as_mut().poll(cx)
        {
            if let Err(error) = result {
                tracing::trace!(%error, "a provider's connection ended");
            }
            self.0 = None;
        }
    }

    fn is_open(&self) -> bool {
        self.0.is_some()
    }
}

/// A connection ready for a request.
pub(super) struct Link {
    pub(super) sender: Sender,
    pub(super) reused: bool,
}

pub(super) enum Sender {
    Http1 { send: Http1Send, driver: Driver },
    Http2(http2::SendRequest<Outgoing>),
}

struct Waiting {
    send: Http1Send,
    driver: Driver,
    since: Instant,
}

#[derive(Default)]
struct Host {
    http1: Vec<Waiting>,
    http2: Option<http2::SendRequest<Outgoing>>,
}

/// All waiting connections.
#[derive(Default)]
pub(super) struct Pool {
    hosts: Mutex<HashMap<Key, Host>>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("hosts", &self.hosts.lock().len()).finish()
    }
}

impl Pool {
    /// The connection that was used last, if there is one that still looks open.
    pub(super) fn take(&self, key: &Key) -> Option<Link> {
        loop {
            let mut waiting = {
                let mut hosts = self.hosts.lock();
                let host = hosts.get_mut(key)?;
                if let Some(shared) = &host.http2 {
                    if !shared.is_closed() {
                        return Some(Link { sender: Sender::Http2(shared.clone()), reused: true });
                    }
                    host.http2 = None;
                }
                host.http1.pop()?
            };
            if waiting.since.elapsed() > IDLE {
                // All below it on the stack have waited longer.
                self.hosts.lock().get_mut(key)?.http1.clear();
                return None;
            }
            // A close that arrived meanwhile shows at the first poll; the waker is set again by
            // whoever uses the connection.
            waiting.driver.turn(&mut Context::from_waker(std::task::Waker::noop()));
            if waiting.driver.is_open() && waiting.send.is_ready() {
                let Waiting { send, driver, .. } = waiting;
                return Some(Link { sender: Sender::Http1 { send, driver }, reused: true });
            }
        }
    }

    /// Gives an HTTP/1 connection back after a whole exchange.
    pub(super) fn put(&self, key: Key, send: Http1Send, driver: Driver) {
        if !driver.is_open() || !send.is_ready() {
            return;
        }
        let now = Instant::now();
        let mut hosts = self.hosts.lock();
        let host = hosts.entry(key).or_default();
        // The stack's bottom is the oldest: forget what nobody will want any more.
        let stale = host.http1.iter().take_while(|waiting| now - waiting.since > IDLE).count();
        host.http1.drain(..stale);
        host.http1.push(Waiting { send, driver, since: now });
    }

    /// Opens a connection; one that speaks HTTP/2 is shared from then on.
    pub(super) async fn open(&self, key: &Key, connect: impl Future<Output = Result<Connected>>) -> Result<Link> {
        let Connected { io, http2: shared } = connect.await?;
        if shared {
            let (send, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .adaptive_window(true)
                .keep_alive_interval(Duration::from_secs(30))
                .keep_alive_timeout(Duration::from_secs(20))
                .handshake(io)
                .await
                .map_err(|error| super::broken(key, error))?;
            let host = key.clone();
            // It ends when the last sender is gone or the server closes.
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%host, %error, "an HTTP/2 connection ended");
                }
            });
            self.hosts.lock().entry(key.clone()).or_default().http2 = Some(send.clone());
            return Ok(Link { sender: Sender::Http2(send), reused: false });
        }
        let (send, connection) =
            http1::Builder::new().max_headers(200).handshake(io).await.map_err(|error| super::broken(key, error))?;
        Ok(Link { sender: Sender::Http1 { send, driver: Driver(Some(Box::pin(connection))) }, reused: false })
    }
}
