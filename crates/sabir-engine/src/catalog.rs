//! Which models can be called.
//!
//! Invariant: a provider that does not answer costs a few seconds at the most and hides only its
//! own models.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use sabir_providers::{Provider, Target};
use sabir_types::{Error, Operation, Result};

use crate::{
    config::Config,
    engine::Engine,
    plan::{Credential, Endpoint},
};

/// One model that can be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogEntry {
    /// The name to call it by.
    pub id: String,
    /// Seconds since 1970; when the list was made, where nothing better is known.
    pub created: i64,
    /// The provider's id, or `sabir` for a model of the configuration.
    pub owned_by: String,
}

/// How long a list is good for.
const FRESH: Duration = Duration::from_secs(300);
/// How long one provider may take to list its models.
const PATIENCE: Duration = Duration::from_secs(4);

/// The list as it was last made.
#[derive(Debug, Default)]
pub(crate) struct Catalog(Mutex<Option<(Instant, Arc<Vec<CatalogEntry>>)>>);

impl Catalog {
    pub(crate) fn forget(&self) {
        *self.0.lock() = None;
    }

    pub(crate) async fn get(&self, engine: &Engine) -> Arc<Vec<CatalogEntry>> {
        if let Some((made, entries)) = &*self.0.lock()
            && made.elapsed() < FRESH
        {
            return entries.clone();
        }
        let entries = Arc::new(list(engine, &engine.config()).await);
        *self.0.lock() = Some((Instant::now(), entries.clone()));
        entries
    }
}

async fn list(engine: &Engine, config: &Config) -> Vec<CatalogEntry> {
    let created = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
    let mut names: Vec<&Arc<str>> = config.models.chat.keys().chain(config.models.embed.keys()).collect();
    names.sort();
    names.dedup();
    let mut entries: Vec<CatalogEntry> = names
        .into_iter()
        .map(|name| CatalogEntry { id: name.to_string(), created, owned_by: "sabir".into() })
        .collect();
    let mut asked: FuturesUnordered<_> = sabir_providers::all()
        .iter()
        .filter(|provider| provider.spec().shorthand)
        .map(|provider| async move { (provider.spec().id, ask(engine, config, *provider).await) })
        .collect();
    let mut found = Vec::new();
    while let Some((id, names)) = asked.next().await {
        match names {
            Ok(names) => found.extend(names.into_iter().map(|name| (id, name))),
            Err(error) => tracing::warn!(provider = id, %error, "a provider did not list its models"),
        }
    }
    found.sort();
    let known: HashSet<String> = entries.iter().map(|entry| entry.id.clone()).collect();
    entries.extend(
        found
            .into_iter()
            .map(|(id, name)| CatalogEntry { id: format!("{id}::{name}"), created, owned_by: id.to_owned() })
            .filter(|entry| !known.contains(&entry.id)),
    );
    entries
}

/// A provider's own list; empty if it has no key or no list.
async fn ask(engine: &Engine, config: &Config, provider: &'static dyn Provider) -> Result<Vec<String>> {
    let spec = provider.spec();
    if !provider.known_models().is_empty() {
        return Ok(provider.known_models().iter().map(|name| (*name).to_owned()).collect());
    }
    // Any name will do: what counts is where the provider listens and with which key.
    let Ok(model) = config.model(Operation::Chat, &format!("{}::any", spec.id)) else { return Ok(Vec::new()) };
    let Some(endpoint) = model.routing.first() else { return Ok(Vec::new()) };
    let key = match &endpoint.credential {
        Credential::Static(secret) => Some(secret),
        Credential::None if !spec.key_required && spec.base_url.is_none() => None,
        _ => return Ok(Vec::new()),
    };
    let Endpoint { api_base, options, .. } = &**endpoint;
    let to = Target { model: "any", api_base: api_base.as_deref(), key, options, now: 0 };
    let Some(request) = provider.models(&to)? else { return Ok(Vec::new()) };
    let answer = async {
        let mut inbound = engine.transport().send(request, PATIENCE).await?;
        let body = inbound.body.all(16 * 1024 * 1024).await?;
        if !inbound.status.is_success() {
            let resp = sabir_providers::HttpResponse { status: inbound.status, headers: inbound.headers, body };
            return Err(provider.error(&resp));
        }
        provider.model_names(&body)
    };
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(names) => names,
        Err(_) => Err(Error::new(sabir_types::ErrorKind::Timeout, "listing its models took too long")),
    }
}
