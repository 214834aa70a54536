//! A gateway at an address.
//!
//! Invariants: certificates are always checked; dropping an answer's body before its end closes
//! the connection, so that the gateway stops the call.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, Uri, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::Body;
use crate::error::{Error, Result};

/// How long opening a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection without calls is kept.
const IDLE: Duration = Duration::from_secs(60);

pub(crate) struct HttpLink {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: Uri,
}

impl HttpLink {
    /// A link to the gateway at `url`; `roots` are certificates in PEM to trust beside the usual ones.
    pub(crate) fn new(url: &str, roots: &[u8]) -> Result<Self> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT));
        let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in CertificateDer::pem_slice_iter(roots) {
            let added = certificate.map_err(|e| e.to_string()).and_then(|c| store.add(c).map_err(|e| e.to_string()));
            added.map_err(|why| Error::Config(format!("the certificates cannot be read: {why}")))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::Config(format!("TLS cannot be set up: {e}")))?
            .with_root_certificates(store)
            .with_no_client_auth();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { client, base: base(url)? })
    }

    pub(super) async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Body>> {
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        *request.uri_mut() = self.uri(path)?;
        let host = self.base.authority().map_or("", |authority| authority.as_str());
        let response = self.client.request(request).await.map_err(|error| {
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

/// The address of the gateway itself: OpenAI's clients are given `…/v1`, and so this one may be.
fn base(url: &str) -> Result<Uri> {
    let wrong = |what: &str| Error::Config(format!("the gateway's address {what}: expected `http://HOST:PORT`"));
    let trimmed = url.trim_end_matches('/');
    let trimmed = trimmed.strip_suffix("/v1").unwrap_or(trimmed);
    let trimmed = trimmed.strip_suffix("/openai").unwrap_or(trimmed);
    let uri: Uri = trimmed.parse().map_err(|_| wrong("cannot be read"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("has no scheme"));
    }
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(wrong("may not hold a name or a password"));
    }
    if uri.query().is_some() {
        return Err(wrong("may not have a query"));
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_may_be_what_other_clients_are_given() {
        for (url, path) in [
            ("http://gateway:3000", "http://gateway:3000/v1/models"),
            ("http://gateway:3000/", "http://gateway:3000/v1/models"),
            ("http://gateway:3000/v1", "http://gateway:3000/v1/models"),
            ("http://gateway:3000/openai/v1/", "http://gateway:3000/v1/models"),
            ("https://gateway/llm/", "https://gateway/llm/v1/models"),
        ] {
            let link = HttpLink::new(url, b"").unwrap();
            assert_eq!(link.uri("/v1/models").unwrap().to_string(), path);
        }
    }

    #[test]
    fn a_wrong_address_is_refused_without_repeating_it() {
        for url in ["", "gateway:3000", "ftp://gateway", "http://me:secret@gateway", "http://gateway?key=secret"] {
            let Err(Error::Config(message)) = HttpLink::new(url, b"") else { panic!("{url} was taken") };
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
