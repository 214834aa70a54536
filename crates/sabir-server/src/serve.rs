//! `sabir serve`: the listener, its connections, and how they end.
//!
//! Invariants: after a signal no new call is taken, running ones get their grace period, and the
//! ledger is flushed last.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tower::ServiceExt;

use crate::{app::App, doors, patient::Patient};

/// How long a caller may take to send the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// How long a caller may read nothing of what waits for them.
const STALL: Duration = Duration::from_secs(120);

/// All doors on one router, below the configuration's base path.
pub fn router(app: App) -> Router {
    let base = app.engine().config().gateway.base_path.clone();
    let doors = Router::new()
        .merge(doors::openai::routes())
        .merge(doors::responses::routes())
        .merge(doors::anthropic::routes())
        .merge(doors::gemini::routes())
        .merge(doors::tensorzero::routes())
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
    let server = Arc::new(server);
    let graceful = GracefulShutdown::new();
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
        connection(&server, &graceful, &mut connections, stream, peer, router.clone());
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    tracing::info!(grace_ms = grace.as_millis() as u64, "shutting down: no new calls, running ones may end");
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("the grace period is over: calls that still run are cut off");
        // What they had so far is recorded as they are dropped, so before anybody flushes the ledger.
        connections.shutdown().await;
    }
}

fn connection(
    server: &Arc<auto::Builder<TokioExecutor>>,
    graceful: &GracefulShutdown,
    connections: &mut JoinSet<()>,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) {
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move {
            Ok::<_, Infallible>(router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {}))
        }
    });
    let connection =
        server.serve_connection_with_upgrades(TokioIo::new(Patient::new(stream, STALL)), service).into_owned();
    let connection = graceful.watch(connection);
    // The listener's task does not wait for connections: `graceful` does.
    connections.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%peer, %error, "a connection ended with an error");
        }
    });
}
