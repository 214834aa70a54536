//! A gateway in this process: the very router that the server listens with, without a socket.
//!
//! Invariants: callers in this process need no key; the ledger is flushed before the link is closed.

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::Router;
use http::{Request, Response, uri::PathAndQuery};
use http_body_util::BodyExt;
use sabir_engine::{
    Engine,
    config::{Config, Durability, Source, env::Env},
};
use sabir_server::{app::App, ledger_command, serve};
use sabir_store::{Ledger, SqliteLedger, sqlite};
use tower::ServiceExt;

use super::{Incoming, Outgoing};
use crate::error::{Error, Result};

pub(crate) struct EmbeddedLink {
    engine: Arc<Engine>,
    router: Router,
    base: String,
    ledger: Option<Arc<SqliteLedger>>,
}

impl EmbeddedLink {
    /// Starts the engine. The ledger is in `data_dir`, or in the configuration's; without either,
    /// nothing is kept.
    pub(crate) fn new(sources: &[Source], env: &Env, data_dir: Option<PathBuf>) -> Result<Self> {
        let mut config = Config::load(sources, env)
            .map_err(|problems| Error::Config(format!("the configuration is wrong:\n{problems}")))?;
        // Keys are for callers from outside; who can start an engine needs none.
        config.gateway.api_keys.clear();
        let ledger = ledger(&config, data_dir)?;
        let base = config.gateway.base_path.clone();
        let rows = ledger.clone().map(|ledger| ledger as Arc<dyn Ledger>);
        let engine = Engine::new(config, env, rows)
            .map_err(|e| Error::Config(format!("the engine could not be started: {}", e.message())))?;
        Ok(Self { router: serve::router(App::new(engine.clone())), engine, base, ledger })
    }

    pub(super) async fn send(&self, mut request: Request<Outgoing>) -> Result<Response<Incoming>> {
        if !self.base.is_empty() {
            let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
            let whole = format!("{}{path}", self.base);
            let uri = whole.parse().map_err(|_| Error::Request(format!("`{path}` is not a path")))?;
            *request.uri_mut() = uri;
        }
        // The first call is the first to be in a runtime for certain.
        if let Some(tasks) = self.engine.tasks() {
            tasks.start();
        }
        let request = request.map(axum::body::Body::new);
        let response = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
    }

    pub(super) async fn close(&self) -> Result<()> {
        let Some(ledger) = self.ledger.clone() else { return Ok(()) };
        // What still runs goes on when the next engine opens the file.
        if let Some(tasks) = self.engine.tasks() {
            tasks.shutdown(Duration::ZERO).await;
        }
        let flushed = ledger.flush().await;
        // Closing waits for the threads of the ledger.
        let closed = tokio::task::spawn_blocking(move || ledger.close()).await;
        flushed.map_err(|e| Error::connection(format!("the ledger could not be flushed: {e}"), e))?;
        closed.map_err(|e| Error::connection("the ledger could not be closed", e))
    }
}

fn ledger(config: &Config, data_dir: Option<PathBuf>) -> Result<Option<Arc<SqliteLedger>>> {
    let Some(dir) = data_dir.or_else(|| config.gateway.data_dir.clone()) else { return Ok(None) };
    if config.gateway.durability == Durability::Off {
        return Ok(None);
    }
    let options = sqlite::Options {
        sync_to_disk: config.gateway.sync_to_disk,
        wait: config.gateway.durability == Durability::Durable,
    };
    let file = dir.join(ledger_command::FILE);
    let ledger = SqliteLedger::open(&file, options)
        .map_err(|e| Error::Config(format!("no ledger at {}: {e}", file.display())))?;
    Ok(Some(ledger))
}
