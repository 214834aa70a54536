//! A gateway, or another service, at an address.
//!
//! Invariants: dropping an answer's body before its end closes the connection, so that the gateway
//! stops the call; an address with a name, a password or a key is never repeated.

use std::{io, sync::Arc, time::Duration};

use http::{Request, Response, Uri, header, uri::PathAndQuery};
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};

use super::{
    Incoming, Outgoing, Transport,
    connect::{Connector, Route, TooSlow},
};
use crate::error::{Elapsed, Error, Phase, Result};

/// How long a connection without calls is kept.
const IDLE: Duration = Duration::from_secs(60);

pub(crate) struct HttpLink {
    sender: Sender,
    base: Uri,
}

/// What sends the requests.
pub(crate) enum Sender {
    Own(Box<Own>),
    Other(Arc<dyn Transport>),
}

/// The client's own way.
pub(crate) struct Own {
    client: Client<Connector, Outgoing>,
    connector: Connector,
    connect: Duration,
}

impl Sender {
    pub(crate) fn own(connector: Connector, connect: Duration) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector.clone());
        Self::Own(Box::new(Own { client, connector, connect }))
    }
}

impl HttpLink {
    /// A link to what is at `base`; see [`base`].
    pub(crate) fn new(base: Uri, sender: Sender) -> Self {
        Self { sender, base }
    }

    pub(super) async fn send(&self, mut request: Request<Outgoing>) -> Result<Response<Incoming>> {
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        *request.uri_mut() = self.uri(path)?;
        let Own { client, connector, connect } = match &self.sender {
            Sender::Own(own) => &**own,
            Sender::Other(transport) => return transport.send(request).await,
        };
        if let Route::Forward { auth: Some(auth), .. } = connector.route(request.uri()) {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, auth);
        }
        let host = self.base.authority().map_or("", |authority| authority.as_str());
        let response = client.request(request).await.map_err(|error| {
            if error.is_connect() && is_slow(&error) {
                return Error::Timeout(Elapsed { phase: Phase::Connect, after: *connect });
            }
            let what = if error.is_connect() { "cannot connect to" } else { "no answer came from" };
            Error::connection(format!("{what} {host}: {}", root_cause(&error)), error)
        })?;
        Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
    }

    fn uri(&self, path: &str) -> Result<Uri> {
        let mut parts = self.base.clone().into_parts();
        let whole = format!("{}{path}", self.base.path().trim_end_matches('/'));
        let path = PathAndQuery::try_from(whole).map_err(|_| Error::Request(format!("`{path}` is not a path")))?;
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).map_err(|_| Error::Request("the request has no address".to_owned()))
    }
}

/// What went wrong at the bottom of it.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn is_slow(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let is_late = error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::TimedOut);
        if is_late || error.is::<TooSlow>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// The address of a service, and the query that each of its requests has.
pub(crate) fn base(url: &str, what: &str) -> Result<(Uri, Vec<(String, String)>)> {
    let wrong = |problem: &str| Error::Config(format!("the {what}'s address {problem}: expected `http://HOST:PORT`"));
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let uri: Uri = address.trim_end_matches('/').parse().map_err(|_| wrong("cannot be read"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("has no scheme"));
    }
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(wrong("may not hold a name or a password"));
    }
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    Ok((uri, pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
}

/// The address of a gateway itself: OpenAI's clients are given `…/v1`, and so this one may be.
pub(crate) fn gateway(url: &str) -> Result<Uri> {
    let trimmed = url.trim_end_matches('/');
    let trimmed = trimmed.strip_suffix("/v1").unwrap_or(trimmed);
    let trimmed = trimmed.strip_suffix("/openai").unwrap_or(trimmed);
    let (uri, query) = base(trimmed, "gateway")?;
    match query.is_empty() {
        true => Ok(uri),
        false => Err(Error::Config("the gateway's address may not have a query".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Proxies;

    fn link(url: &str) -> Result<HttpLink> {
        let connect = Duration::from_secs(5);
        let connector = Connector::new(b"", Proxies::default(), connect)?;
        Ok(HttpLink::new(gateway(url)?, Sender::own(connector, connect)))
    }

    #[test]
    fn the_address_may_be_what_other_clients_are_given() {
        for (url, path) in [
            ("http://gateway:3000", "http://gateway:3000/v1/models"),
            ("http://gateway:3000/", "http://gateway:3000/v1/models"),
            ("http://gateway:3000/v1", "http://gateway:3000/v1/models"),
            ("http://gateway:3000/openai/v1/", "http://gateway:3000/v1/models"),
            ("https://gateway/llm/", "https://gateway/llm/v1/models"),
        ] {
            assert_eq!(link(url).unwrap().uri("/v1/models").unwrap().to_string(), path);
        }
    }

    #[test]
    fn a_wrong_address_is_refused_without_repeating_it() {
        for url in ["", "gateway:3000", "ftp://gateway", "http://me:secret@gateway", "http://gateway?key=secret"] {
            let Err(Error::Config(message)) = link(url) else { panic!("{url} was taken") };
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
