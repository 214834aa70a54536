//! Opening connections: straight, through a proxy's tunnel, or to a proxy that forwards.
//!
//! Invariants: certificates are always checked; a proxy's password is in no message; whatever
//! opening a connection needs, it is over within the connect timeout.

use std::{
    error::Error as StdError,
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::{
        legacy::connect::{Connected, Connection, HttpConnector, proxy::Tunnel},
        proxy::matcher::Matcher,
    },
    rt::TokioIo,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::net::TcpStream;
use tower::{Service, ServiceExt};

use crate::{
    environment::Proxies,
    error::{Error, Result},
};

type BoxError = Box<dyn StdError + Send + Sync>;
type Io = MaybeHttpsStream<TokioIo<TcpStream>>;

/// The way to an address.
pub(crate) enum Route {
    /// Straight.
    Direct,
    /// Through a proxy's CONNECT tunnel.
    Tunnel { proxy: Uri, auth: Option<HeaderValue> },
    /// By asking a proxy to forward a plain request.
    Forward { proxy: Uri, auth: Option<HeaderValue> },
}

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Connector {
    http: HttpConnector,
    tls: Arc<ClientConfig>,
    proxies: Option<Arc<Matcher>>,
    loopback: bool,
    timeout: Duration,
}

impl Connector {
    /// `roots` are certificates in PEM to trust beside the usual ones.
    pub(crate) fn new(roots: &[u8], proxies: Proxies, timeout: Duration) -> Result<Self> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(timeout));
        let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in CertificateDer::pem_slice_iter(roots) {
            let added = certificate.map_err(|e| e.to_string()).and_then(|c| store.add(c).map_err(|e| e.to_string()));
            added.map_err(|why| Error::Config(format!("the certificates cannot be read: {why}")))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::Config(format!("TLS cannot be set up: {e}")))?
            .with_root_certificates(store)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let loopback = proxies.loopback;
        Ok(Self { http, tls: Arc::new(tls), proxies: matcher(proxies)?, loopback, timeout })
    }

    /// How to get there.
    pub(crate) fn route(&self, uri: &Uri) -> Route {
        let Some(proxies) = &self.proxies else { return Route::Direct };
        if !self.loopback && uri.host().is_some_and(is_loopback) {
            return Route::Direct;
        }
        let Some(found) = proxies.intercept(uri) else { return Route::Direct };
        let (proxy, auth) = (found.uri().clone(), found.basic_auth().cloned());
        match uri.scheme_str() {
            Some("https") => Route::Tunnel { proxy, auth },
            _ => Route::Forward { proxy, auth },
        }
    }

    async fn open(self, uri: Uri) -> Result<Channel, BoxError> {
        let route = self.route(&uri);
        let is_forwarded = matches!(route, Route::Forward { .. });
        let Self { http, tls, timeout, .. } = self;
        let opened = async {
            match route {
                Route::Direct => finish(HttpsConnector::from((http, tls)), uri).await,
                Route::Forward { proxy, .. } => finish(HttpsConnector::from((http, tls)), proxy).await,
                Route::Tunnel { proxy, auth } => {
                    let mut tunnel = Tunnel::new(proxy, http);
                    if let Some(auth) = auth {
                        tunnel = tunnel.with_auth(auth);
                    }
                    finish(HttpsConnector::from((tunnel, tls)), uri).await
                }
            }
        };
        match tokio::time::timeout(timeout, opened).await {
            Ok(io) => Ok(Channel { io: io?, is_forwarded }),
            Err(_) => Err(Box::new(TooSlow)),
        }
    }
}

fn matcher(proxies: Proxies) -> Result<Option<Arc<Matcher>>> {
    let Proxies { http, https, all, none, .. } = proxies;
    if http.is_none() && https.is_none() && all.is_none() {
        return Ok(None);
    }
    for address in [&http, &https, &all].into_iter().flatten() {
        // Without a scheme it is HTTP, as everywhere.
        match address.split_once("://") {
            None | Some(("http", _)) => {}
            Some((scheme, _)) => {
                return Err(Error::Config(format!("proxies of scheme `{scheme}` are not supported: use http")));
            }
        }
    }
    let mut builder = Matcher::builder();
    if let Some(all) = all {
        builder = builder.all(all);
    }
    if let Some(http) = http {
        builder = builder.http(http);
    }
    if let Some(https) = https {
        builder = builder.https(https);
    }
    if let Some(none) = none {
        builder = builder.no(none);
    }
    Ok(Some(Arc::new(builder.build())))
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

async fn finish<C>(mut connector: C, uri: Uri) -> Result<Io, BoxError>
where
    C: Service<Uri, Response = Io, Error = BoxError>,
{
    connector.ready().await?.call(uri).await
}

/// No connection within the connect timeout.
#[derive(Debug)]
pub(crate) struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it took too long")
    }
}

impl StdError for TooSlow {}

impl Service<Uri> for Connector {
    type Response = Channel;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Channel, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().open(uri))
    }
}

/// A connection that knows whether a proxy forwards what it carries.
pub(crate) struct Channel {
    io: Io,
    is_forwarded: bool,
}

impl Connection for Channel {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.is_forwarded)
    }
}

impl Read for Channel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<(), io::Error>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl Write for Channel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }
}
