//! What the configuration says about where a call can go, in the form that the request path reads.
//!
//! Invariant: immutable once built; a reload builds a new one and swaps it in.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use sabir_providers::Provider;
use sabir_types::{Map, Secret, Value};

use crate::price::Price;
pub use crate::token::Identity;

/// A model of the configuration, or one made up on the spot for `provider::model`.
#[derive(Debug)]
pub struct Model {
    /// Its name: the configuration's, or `provider::model`.
    pub name: Arc<str>,
    /// Where a call for it can go, in order of preference.
    pub routing: Vec<Arc<Endpoint>>,
    /// Its own timeouts, around all targets.
    pub timeouts: Timeouts,
    /// How often the whole routing is tried.
    pub retries: Retries,
}

/// One provider of a model.
#[derive(Debug)]
pub struct Endpoint {
    /// Its name in the model's routing.
    pub name: Arc<str>,
    /// The model that it belongs to.
    pub model: Arc<str>,
    /// The translator.
    pub provider: &'static dyn Provider,
    /// The provider's own model name.
    pub upstream_model: String,
    /// Where the provider listens, if not at its usual place.
    pub api_base: Option<String>,
    /// Where the credential comes from.
    pub credential: Credential,
    /// Provider-specific settings.
    pub options: Map<String, Value>,
    /// Timeouts of one try.
    pub timeouts: Timeouts,
    /// Changes to the body.
    pub extra_body: Vec<BodyChange>,
    /// Changes to the headers.
    pub extra_headers: Vec<HeaderChange>,
    /// How to compute money from the provider's answer; empty means unknown.
    pub cost: Vec<CostRule>,
    /// What calls cost by list, where `cost` says nothing.
    pub price: Option<Arc<Price>>,
    /// The circuit breaker's key: provider, address, credential, model.
    pub circuit: Arc<str>,
}

/// Where a credential comes from.
#[derive(Debug, Clone)]
pub enum Credential {
    /// None is sent.
    None,
    /// Known since start (from `env::`, `path::`, `path_from_env::` or the usual variable).
    Static(Secret),
    /// From the caller's `credentials` map, under this key (`dynamic::`).
    Dynamic(String),
    /// In several parts, each with its name: they become one text, a JSON object.
    Parts(Vec<(&'static str, Credential)>),
    /// Good for a while only: this identity is given one when a call needs it.
    Token(Arc<Identity>),
    /// The first that is there.
    Fallback(Box<Credential>, Box<Credential>),
    /// It should be there but is not; the text says where it was looked for.
    Missing(String),
}

/// How long things may take. `None` means: the outer or default limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection.
    pub connect: Option<Duration>,
    /// To the first event of a stream (`streaming.ttft_ms`).
    pub first_event: Option<Duration>,
    /// Between two events of a stream.
    pub between_events: Option<Duration>,
    /// All of an answer that is not streamed (`non_streaming.total_ms`).
    pub total: Option<Duration>,
    /// All of a stream (`streaming.total_ms`).
    pub stream_total: Option<Duration>,
}

/// How often to try again, and how long to wait between two tries at the most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retries {
    /// Tries after the first.
    pub num_retries: u32,
    /// The longest pause.
    pub max_delay: Duration,
}

/// One change to a body by JSON pointer (`/-` appends to an array).
#[derive(Debug, Clone, PartialEq)]
pub struct BodyChange {
    /// Where.
    pub pointer: String,
    /// What; `None` deletes.
    pub value: Option<Value>,
}

/// One change to the headers.
#[derive(Debug, Clone, PartialEq)]
pub struct HeaderChange {
    /// Which.
    pub name: HeaderName,
    /// What; `None` removes.
    pub value: Option<HeaderValue>,
}

/// Money from one figure of the provider's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct CostRule {
    /// Where the figure stands in a whole answer (`/usage/prompt_tokens`).
    pub pointer: String,
    /// Where it stands in the last event of a stream that has it; the same unless told otherwise.
    pub pointer_streaming: String,
    /// Money for one unit.
    pub per_unit: f64,
    /// Whether the cost is unknown when the figure is missing.
    pub required: bool,
}

/// All models of a configuration.
#[derive(Debug, Default)]
pub struct Models {
    /// By name.
    pub chat: HashMap<Arc<str>, Arc<Model>>,
    /// Embedding models, by name.
    pub embed: HashMap<Arc<str>, Arc<Model>>,
}
