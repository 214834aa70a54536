//! The engine as its users see it.
//!
//! Invariant: a call sees one configuration from beginning to end, whatever reloads meanwhile.

use std::sync::Arc;

use arc_swap::ArcSwap;
use sabir_providers::HttpResponse;
use sabir_store::Ledger;
use sabir_types::{Error, ErrorKind, Result};

use crate::{
    cache::Cache,
    call::{Answer, Call, Failure},
    catalog::{Catalog, CatalogEntry},
    circuit::Circuits,
    config::{Config, env::Env},
    counting::{self, Counting},
    pipeline,
    plan::Endpoint,
    relay::{self, Relay, RelayBody, Relayed},
    tasks::Tasks,
    token::Tokens,
    transport::Transport,
    verify::{Issuer, PublicKey},
};

/// One engine: configuration, connections, ledger.
#[derive(Debug)]
pub struct Engine {
    config: ArcSwap<Config>,
    ledger: Option<Arc<dyn Ledger>>,
    transport: Transport,
    circuits: Circuits,
    catalog: Catalog,
    cache: Cache,
    tokens: Tokens,
    tasks: Option<Arc<Tasks>>,
    issuer: Issuer,
}

impl Engine {
    /// An engine. Rows go to `ledger`; `None` keeps nothing.
    pub fn new(config: Config, env: &Env, ledger: Option<Arc<dyn Ledger>>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            cache: Cache::new(&config.gateway.cache),
            config: ArcSwap::from_pointee(config),
            tasks: ledger.clone().and_then(Ledger::state).map(Tasks::new),
            ledger,
            transport: Transport::new(env)?,
            circuits: Circuits::default(),
            catalog: Catalog::default(),
            tokens: Tokens::default(),
            issuer: Issuer::default(),
        }))
    }

    /// The configuration now.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Takes another configuration; calls that run keep theirs.
    pub fn replace_config(&self, config: Config) {
        self.config.store(Arc::new(config));
        self.catalog.forget();
        self.cache.forget();
    }

    /// Where rows go; `None` if nothing is kept (`observability.durability = "off"`).
    pub fn ledger(&self) -> Option<&Arc<dyn Ledger>> {
        self.ledger.as_ref()
    }

    /// What goes on when its caller has gone; `None` where nothing is kept.
    pub fn tasks(&self) -> Option<&Arc<Tasks>> {
        self.tasks.as_ref()
    }

    /// Runs a call from beginning to end.
    pub async fn run(self: &Arc<Self>, call: Call) -> Result<Answer, Box<Failure>> {
        pipeline::run(self.clone(), call).await
    }

    /// Has a provider of the door's protocol count the tokens of a request.
    pub async fn count_tokens(&self, wanted: &Counting) -> Result<HttpResponse> {
        counting::count(self, wanted).await
    }

    /// Relays a request to a provider of its family as it came: another address, another
    /// credential, the rest untouched.
    pub async fn relay(self: &Arc<Self>, relay: Relay, body: RelayBody) -> Result<Relayed, Box<Failure>> {
        relay::run(self.clone(), relay, body).await
    }

    /// Opens a WebSocket to a provider as [`Engine::relay`] sends a request.
    pub async fn connect(self: &Arc<Self>, relay: Relay) -> Result<relay::Connection, Box<Failure>> {
        relay::connect(self.clone(), relay).await
    }

    /// The keys at that address, for a token that names one of them; kept, and fetched again when they are old
    /// or do not know the name.
    pub async fn issuer_keys(&self, url: &str, id: Option<&str>) -> Result<Arc<Vec<PublicKey>>> {
        self.issuer.keys(url, id, &self.transport).await
    }

    /// Has a provider count the tokens of a request, in whichever protocol it counts.
    pub async fn input_tokens(&self, wanted: &Counting, read: counting::Read) -> Result<u64> {
        counting::number(self, wanted, read).await
    }

    /// The models that can be called: those of the configuration and those of the providers that
    /// have a key. Kept for a few minutes.
    pub async fn catalog(&self) -> Arc<Vec<CatalogEntry>> {
        self.catalog.get(self).await
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Whether an endpoint's circuit lets a call through.
    pub(crate) fn allows(&self, endpoint: &Endpoint) -> bool {
        self.circuits.allows(&endpoint.circuit)
    }

    /// Tells an endpoint's circuit how a try went.
    pub(crate) fn verdict(&self, endpoint: &Endpoint, error: Option<&Error>) {
        match error.map(Error::kind) {
            None => self.circuits.succeeded(&endpoint.circuit),
            Some(ErrorKind::Upstream | ErrorKind::BadUpstream | ErrorKind::Connection | ErrorKind::Timeout) => {
                self.circuits.failed(&endpoint.circuit, self.config.load().gateway.circuit);
            }
            Some(_) => self.circuits.undecided(&endpoint.circuit),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(tasks) = &self.tasks {
            tasks.halt();
        }
    }
}
