//! `sabir serve`: the listener, its connections, and how they end.
//!
//! Invariants: after a signal no new call is taken, running ones get their grace period, and the
//! ledger is flushed last.

use std::{convert::Infallible, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use axum::{Router, body::Body};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::{app::App, doors, patient::Patient};

/// How long a caller may take to send the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// How long a caller may read nothing of what waits for them.
const STALL: Duration = Duration::from_secs(120);
/// How long conversations may take to say goodbye when the grace period is over.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Conversations that outlive the request that opened them (WebSockets). Requests carry it along.
#[derive(Debug, Clone, Default)]
pub struct Conversations {
    running: TaskTracker,
    stop: CancellationToken,
}

impl Conversations {
    /// Runs one; it is told when it has to end.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, run: impl FnOnce(CancellationToken) -> F) {
        self.running.spawn(run(self.stop.clone()));
    }
}

/// All doors on one router, below the configuration's base path.
pub fn router(app: App) -> Router {
    let base = app.engine().config().gateway.base_path.clone();
    let doors = Router::new()
        .merge(doors::openai::routes())
        .merge(doors::responses::routes())
        .merge(doors::anthropic::routes())
        .merge(doors::kept_routes(&app))
        .merge(doors::gemini::routes())
        .merge(doors::tensorzero::routes())
        .merge(doors::model_manager::routes())
        .method_not_allowed_fallback(doors::not_allowed)
        .fallback(doors::unknown);
    let router = if base.is_empty() { doors } else { Router::new().nest(&base, doors) };
    router.with_state(app)
}

/// Serves until `stop` resolves; then gives running calls `grace` to end.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>, grace: Duration) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).half_close(false);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .max_concurrent_streams(1024);
    accept(listener, None, server, router, stop, grace).await;
}

/// The same for gRPC: HTTP/2 only, over TLS if there is a certificate; `max_streams` calls at once on a connection.
pub async fn serve_grpc(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    max_streams: u32,
    router: Router,
    stop: impl Future<Output = ()>,
    grace: Duration,
) {
    let mut server = auto::Builder::new(TokioExecutor::new()).http2_only();
    // What the clients of this door are tuned for: many streams on few connections, large messages.
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .max_concurrent_streams(max_streams)
        .max_frame_size(4 * 1024 * 1024)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(16 * 1024 * 1024);
    accept(listener, tls, server, router, stop, grace).await;
}

/// A certificate and its key, for [`serve_grpc`].
pub fn tls(cert: &Path, key: &Path) -> Result<TlsAcceptor> {
    let certs = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("no certificate can be read from {}", cert.display()))?;
    let key =
        PrivateKeyDer::from_pem_file(key).with_context(|| format!("no key can be read from {}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS has no versions")?
        .with_no_client_auth()
        .with_single_cert(certs, key)
        .with_context(|| format!("the key does not belong to the certificate {}", cert.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    server: auto::Builder<TokioExecutor>,
    router: Router,
    stop: impl Future<Output = ()>,
    grace: Duration,
) {
    let server = Arc::new(server);
    let graceful = GracefulShutdown::new();
    let conversations = Conversations::default();
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: wait for some to come back.
                tracing::error!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let (server, watcher, tls) = (server.clone(), graceful.watcher(), tls.clone());
        let router = (router.clone(), conversations.clone());
        // The listener's task does not wait for connections: `graceful` does.
        connections.spawn(async move {
            match tls {
                None => connection(&server, watcher, stream, peer, router).await,
                Some(tls) => match tokio::time::timeout(HEAD_TIME, tls.accept(stream)).await {
                    Ok(Ok(stream)) => connection(&server, watcher, stream, peer, router).await,
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
                },
            }
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    tracing::info!(grace_ms = grace.as_millis() as u64, "shutting down: no new calls, running ones may end");
    conversations.running.close();
    let all = async {
        tokio::join!(graceful.shutdown(), conversations.running.wait());
    };
    if tokio::time::timeout(grace, all).await.is_err() {
        tracing::warn!("the grace period is over: calls that still run are cut off");
        // What they had so far is recorded as they are dropped, so before anybody flushes the ledger.
        connections.shutdown().await;
        conversations.stop.cancel();
        if tokio::time::timeout(LAST_WORDS, conversations.running.wait()).await.is_err() {
            tracing::warn!("conversations do not end: they are left");
        }
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    server: &auto::Builder<TokioExecutor>,
    watcher: Watcher,
    stream: S,
    peer: SocketAddr,
    (router, conversations): (Router, Conversations),
) {
    let service = hyper::service::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        let router = router.clone();
        request.extensions_mut().insert(conversations.clone());
        async move {
            Ok::<_, Infallible>(router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {}))
        }
    });
    let connection =
        server.serve_connection_with_upgrades(TokioIo::new(Patient::new(stream, STALL)), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%peer, %error, "a connection ended with an error");
    }
}
