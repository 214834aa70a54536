//! Configuration: files and environment in, an immutable plan out.
//!
//! Invariant: what is wrong is refused as a whole, with file, line and column; nothing is guessed.

use std::{collections::HashMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use sabir_types::{Error, ErrorKind, Operation, Result, Secret};

use self::{
    env::Env,
    problem::{Problem, Problems},
};
use crate::{
    plan::{Model, Models},
    price::Prices,
    verify::PublicKey,
};

mod batches;
mod change;
pub mod cost;
mod credential;
pub mod env;
mod gateway;
mod grpc;
mod lmclient;
mod load;
mod metric;
mod model;
mod near;
mod options;
mod pass_through;
mod price;
pub mod problem;
mod reader;
mod registry;
mod sdk;
mod sdk_aws;
mod tree;
mod watch;

pub use lmclient::{OLD_MODELS, OldModels};
pub use pass_through::{Family, PassThrough, Upstream};
pub use registry::ALIASES;
pub use watch::{Watcher, watch};

/// Where a part of the configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A path or a pattern (`conf/*.toml`); all files that match are merged in the order of their names.
    Files(String),
    /// A text, with the name that messages give it.
    Text {
        /// The name.
        name: String,
        /// The text.
        text: String,
    },
}

/// How sure a row is when its answer goes out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// Committed: a killed process loses nothing that was answered.
    #[default]
    Durable,
    /// On its way to the writer.
    Async,
    /// Nothing is kept.
    Off,
}

/// Whether a metric is about one inference or a whole episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// One inference.
    Inference,
    /// A whole episode.
    Episode,
}

/// What a metric's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// True or false.
    Boolean,
    /// A number.
    Float,
}

/// A metric of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// What its values are.
    pub kind: MetricKind,
    /// What it is about.
    pub level: Level,
    /// Whether more is better.
    pub maximize: bool,
    /// For people.
    pub description: Option<String>,
}

/// The `[gateway]` table and what belongs to it.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// `bind_address`, if set.
    pub bind_address: Option<SocketAddr>,
    /// `base_path` without a trailing slash; empty for the root.
    pub base_path: String,
    /// `debug`: bodies in the log.
    pub debug: bool,
    /// `unstable_error_json`.
    pub error_json: bool,
    /// `observability.durability`; `observability.enabled = false` means off.
    pub durability: Durability,
    /// `observability.sync`: also wait for the disk, against power loss.
    pub sync_to_disk: bool,
    /// `unstable_disable_feedback_target_validation`.
    pub skip_feedback_target_check: bool,
    /// The gateway's own bearer tokens: `auth.keys`, `SABIR_API_KEY`. Each with its public name.
    pub api_keys: Vec<(Arc<str>, Secret)>,
    /// `data_dir`, if set.
    pub data_dir: Option<PathBuf>,
    /// `limits.request_body_bytes`.
    pub body_limit: usize,
    /// `limits.request_body_timeout_ms`: how long a caller may take to send a request.
    pub body_timeout: Duration,
    /// `shutdown_grace_ms`.
    pub shutdown_grace: Duration,
    /// `strict`: refuse what a provider lacks even where leaving it out is harmless.
    pub strict: bool,
    /// `cache`.
    pub cache: CacheSettings,
    /// `circuit_breaker`.
    pub circuit: crate::circuit::CircuitPolicy,
    /// What a model's own timeouts fall back to.
    pub timeouts: crate::plan::Timeouts,
    /// What a model's own retries fall back to.
    pub retries: crate::plan::Retries,
    /// `grpc`: the Model Manager door.
    pub grpc: Grpc,
    /// `batches`: files and batches.
    pub batches: Batches,
    /// `prices`: what providers charge by list.
    pub prices: Arc<Prices>,
}

/// Files and batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    /// `batches.mode`: whose files and batches are, unless a call says so.
    pub mode: BatchMode,
    /// `batches.concurrency`: how many requests of all batches run at once.
    pub concurrency: usize,
    /// `batches.requests_per_minute`: how many of them begin in a minute.
    pub requests_per_minute: Option<u32>,
    /// `batches.retries`: how many times a request is made again that failed for a reason that may pass.
    pub retries: u32,
    /// `batches.expiry_s`: how long a batch may take.
    pub expiry: Duration,
    /// `batches.file_bytes`: how long an uploaded file may be.
    pub file_limit: u64,
}

/// Whose files and batches are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BatchMode {
    /// The provider's where its API passes through, but for batches that name models of the gateway's.
    #[default]
    Auto,
    /// The gateway's.
    Own,
    /// The provider's.
    Provider,
}

/// The Model Manager door.
#[derive(Debug, Clone)]
pub struct Grpc {
    /// `grpc.bind_address`, if set.
    pub bind_address: Option<SocketAddr>,
    /// What tokens may be signed with: `MODEL_MANAGER_SERVER_JWT_SECRET_KEY`, `grpc.jwt_secrets`. Each with its
    /// public name.
    pub jwt_secrets: Vec<(Arc<str>, Secret)>,
    /// `grpc.jwt_keys`: public keys that tokens may be signed for. Each with the name of where it is from.
    pub jwt_keys: Vec<(Arc<str>, PublicKey)>,
    /// `grpc.jwks_url`: where an issuer publishes its keys.
    pub jwks_url: Option<Arc<str>>,
    /// `grpc.jwt_issuer`: whose tokens count; empty for anybody's.
    pub jwt_issuers: Vec<String>,
    /// `grpc.jwt_audience`: for whom tokens have to be; empty for whomever.
    pub jwt_audiences: Vec<String>,
    /// `grpc.leeway_s`: how long after its end a token still counts.
    pub leeway: Duration,
    /// `grpc.batch_concurrency`: how many items of a batch run at once.
    pub batch_concurrency: usize,
    /// `grpc.max_concurrent_streams`: how many calls may run at once on one connection.
    pub max_concurrent_streams: u32,
    /// `grpc.tls_cert` and `grpc.tls_key`: PEM files; without them the port speaks plain HTTP/2.
    pub tls: Option<(PathBuf, PathBuf)>,
}

impl Grpc {
    /// Whether there is anything that a token can be checked with.
    pub fn takes_tokens(&self) -> bool {
        !self.jwt_secrets.is_empty() || !self.jwt_keys.is_empty() || self.jwks_url.is_some()
    }
}

/// The cache as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSettings {
    /// `cache.mode`: what a call gets that does not say.
    pub default: crate::call::CacheOptions,
    /// `cache.enabled = false` switches it off whatever a call says.
    pub enabled: bool,
    /// `cache.max_bytes`.
    pub max_bytes: usize,
    /// `cache.ttl_s`.
    pub ttl: Duration,
}

/// A whole configuration, ready to use.
#[derive(Debug)]
pub struct Config {
    /// The `[gateway]` table.
    pub gateway: Gateway,
    /// `[models]` and `[embedding_models]`.
    pub models: Models,
    /// `[pass_through]`.
    pub pass_through: PassThrough,
    /// `[metrics]`.
    pub metrics: HashMap<String, Metric>,
    /// Names of `[functions]`: known, not supported yet.
    pub functions: Vec<String>,
    /// A hash over the normalized configuration, for `/status` and the ledger.
    pub hash: String,
    /// What is not wrong but worth knowing: settings without effect, credentials that are missing.
    pub notes: Vec<Problem>,
    registry: registry::Registry,
}

impl Config {
    /// Loads a configuration; no source at all gives the defaults. Everything that is wrong is
    /// reported, not only the first.
    pub fn load(sources: &[Source], env: &Env) -> std::result::Result<Self, Problems> {
        load::load(sources, env, sabir_providers::all())
    }

    /// The model of that name: of the configuration, or `provider::model` / `provider/model`.
    pub fn model(&self, operation: Operation, name: &str) -> Result<Arc<Model>> {
        let (models, others) = match operation {
            Operation::Embed => (&self.models.embed, &self.models.chat),
            _ => (&self.models.chat, &self.models.embed),
        };
        if let Some(model) = models.get(name) {
            return Ok(model.clone());
        }
        if let Some(answer) = self.registry.shorthand(operation, name) {
            return answer;
        }
        let message = if others.contains_key(name) {
            format!("model `{name}` is configured, but not for {}", operation.as_str())
        } else if let Some(hint) = self.similar(models, name) {
            format!("model `{name}` is not known{hint}")
        } else {
            format!("model `{name}` is not known: write `provider::model`, or add it to the configuration")
        };
        Err(Error::new(ErrorKind::NotFound, message).with_param("model"))
    }

    /// "Did you mean", from the configured models and, before a `::` or `/`, from the providers.
    fn similar(&self, models: &HashMap<Arc<str>, Arc<Model>>, name: &str) -> Option<String> {
        let hint = near::did_you_mean(name, models.keys().map(|name| &**name));
        if !hint.is_empty() {
            return Some(hint);
        }
        let (provider, upstream) = name.split_once("::").or_else(|| name.split_once('/'))?;
        let ids = near::near(provider, self.registry.ids(), 3);
        let names: Vec<String> = ids.iter().map(|id| format!("{id}::{upstream}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("; did you mean {}?", near::any_of(&names)))
    }
}

#[cfg(test)]
mod tensorzero_tests;
#[cfg(test)]
mod testing;
