//! Opening connections: addresses, proxies, TLS.
//!
//! Invariant: certificates are always checked; every connection has TCP_NODELAY.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::{
        legacy::connect::{Connection, HttpConnector, proxy::Tunnel},
        proxy::matcher::Matcher,
    },
    rt::TokioIo,
};
use rustls::{ClientConfig, RootCertStore, pki_types::pem::PemObject};
use sabir_types::{Error, ErrorKind, Result};
use tokio::net::TcpStream;
use tower::{Service, ServiceExt};

use crate::config::env::Env;

pub(super) type Io = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A fresh connection.
pub(super) struct Connected {
    pub(super) io: Io,
    pub(super) http2: bool,
}

/// How to get there.
#[derive(Debug, Clone)]
pub(super) enum Route {
    /// Straight.
    Direct,
    /// Through a proxy's CONNECT tunnel.
    Tunnel { proxy: Uri, auth: Option<HeaderValue> },
    /// By asking a proxy to forward a plain request.
    Forward { proxy: Uri, auth: Option<HeaderValue> },
}

impl Route {
    pub(super) fn proxy(&self) -> Option<&str> {
        match self {
            Self::Direct => None,
            Self::Tunnel { proxy, .. } | Self::Forward { proxy, .. } => proxy.host(),
        }
    }
}

pub(super) struct Connector {
    http: HttpConnector,
    tls: Arc<ClientConfig>,
    /// The same, for connections that become something else: HTTP/2 has no such thing.
    tls_http1: Arc<ClientConfig>,
    proxies: Option<Matcher>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("proxies", &self.proxies.is_some()).finish_non_exhaustive()
    }
}

impl Connector {
    pub(super) fn new(env: &Env) -> Result<Self> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(Duration::from_secs(60)));
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(file) = env.get("SSL_CERT_FILE") {
            add_certificates(&mut roots, file)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::internal("TLS cannot be set up").with_source(e))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tls_http1 = tls.clone();
        tls_http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let wanted = env.proxies();
        let proxies = (wanted != crate::config::env::Proxies::default()).then(|| {
            let mut builder = Matcher::builder();
            if let Some(all) = wanted.all {
                builder = builder.all(all);
            }
            if let Some(http) = wanted.http {
                builder = builder.http(http);
            }
            if let Some(https) = wanted.https {
                builder = builder.https(https);
            }
            if let Some(none) = wanted.none {
                builder = builder.no(none);
            }
            builder.build()
        });
        Ok(Self { http, tls: Arc::new(tls), tls_http1: Arc::new(tls_http1), proxies })
    }

    pub(super) fn route(&self, uri: &Uri) -> Result<Route> {
        // Metadata services hand out credentials: no proxy has to do with them, and none reaches them.
        if uri.host().is_some_and(|host| host.starts_with("169.254.") || host == "metadata.google.internal") {
            return Ok(Route::Direct);
        }
        let Some(found) = self.proxies.as_ref().and_then(|proxies| proxies.intercept(uri)) else {
            return Ok(Route::Direct);
        };
        let (proxy, auth) = (found.uri().clone(), found.basic_auth().cloned());
        match (proxy.scheme_str(), uri.scheme_str()) {
            (Some("http" | "https"), Some("https")) => Ok(Route::Tunnel { proxy, auth }),
            (Some("http" | "https"), _) => Ok(Route::Forward { proxy, auth }),
            (scheme, _) => Err(Error::new(
                ErrorKind::Config,
                format!("proxies of scheme `{}` are not supported; use http", scheme.unwrap_or("?")),
            )),
        }
    }

    pub(super) async fn connect(&self, uri: Uri, route: &Route, timeout: Duration) -> Result<Connected> {
        self.connect_by(&self.tls, uri, route, timeout).await
    }

    /// A connection that speaks HTTP/1.1.
    pub(super) async fn connect_http1(&self, uri: Uri, route: &Route, timeout: Duration) -> Result<Connected> {
        self.connect_by(&self.tls_http1, uri, route, timeout).await
    }

    async fn connect_by(
        &self,
        tls: &Arc<ClientConfig>,
        uri: Uri,
        route: &Route,
        timeout: Duration,
    ) -> Result<Connected> {
        let target = uri.authority().map_or_else(|| uri.to_string(), ToString::to_string);
        let opened = async {
            match route {
                Route::Direct => finish(HttpsConnector::from((self.http.clone(), tls.clone())), uri).await,
                Route::Forward { proxy, .. } => {
                    finish(HttpsConnector::from((self.http.clone(), tls.clone())), proxy.clone()).await
                }
                Route::Tunnel { proxy, auth } => {
                    let mut tunnel = Tunnel::new(proxy.clone(), self.http.clone());
                    if let Some(auth) = auth {
                        tunnel = tunnel.with_auth(auth.clone());
                    }
                    finish(HttpsConnector::from((tunnel, tls.clone())), uri).await
                }
            }
        };
        match tokio::time::timeout(timeout, opened).await {
            Ok(Ok(connected)) => Ok(connected),
            Ok(Err(error)) => {
                let words = super::chain(error.as_ref());
                Err(Error::new(ErrorKind::Connection, format!("cannot connect to {target}: {words}")))
            }
            Err(_) => Err(Error::new(
                ErrorKind::Timeout,
                format!("connecting to {target} took longer than {} ms", timeout.as_millis()),
            )),
        }
    }
}

async fn finish<C>(mut connector: C, uri: Uri) -> Result<Connected, Box<dyn std::error::Error + Send + Sync>>
where
    C: Service<Uri, Response = Io, Error = Box<dyn std::error::Error + Send + Sync>>,
{
    let io = connector.ready().await?.call(uri).await?;
    let http2 = io.connected().is_negotiated_h2();
    Ok(Connected { io, http2 })
}

fn add_certificates(roots: &mut RootCertStore, file: &str) -> Result<()> {
    let unreadable = |e: rustls::pki_types::pem::Error| {
        Error::new(ErrorKind::Config, format!("SSL_CERT_FILE `{file}` cannot be read: {e:?}"))
    };
    for certificate in rustls::pki_types::CertificateDer::pem_file_iter(file).map_err(unreadable)? {
        roots.add(certificate.map_err(unreadable)?).map_err(|e| {
            Error::new(
                ErrorKind::Config,
                format!("SSL_CERT_FILE `{file}` holds a certificate that cannot be used: {e}"),
            )
        })?;
    }
    Ok(())
}
