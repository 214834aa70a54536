//! Providers as the configuration knows them: their names, what they get when a model says
//! nothing, and the models that are made up for `provider::model`.
//!
//! Invariant: a made-up model is the same for the same name as long as the configuration lives;
//! however many names callers invent, only so many are kept.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use parking_lot::RwLock;
use sabir_providers::Provider;
use sabir_types::{Error, ErrorKind, Map, Operation, Result};

use super::{
    credential::{self, Found, Given},
    env::Env,
    lmclient, near, options,
    reader::Reader,
};
use crate::{
    plan::{Endpoint, Model, Retries, Timeouts},
    price::{Price, Prices},
};

/// How many made-up models are kept.
const KEPT: usize = 1000;

/// Names that others have for the same provider, and the id that they stand for.
pub const ALIASES: &[(&str, &str)] = &[
    ("aws_bedrock", "bedrock"),
    ("gcp_vertex_anthropic", "vertex_anthropic"),
    ("gcp_vertex_gemini", "vertex"),
    ("gemini", "google_ai_studio_gemini"),
    // What LMClient calls them, where its word is another.
    ("minimax_pro", "minimax"),
    ("wenxin", "qianfan"),
    ("zhipu-character", "zhipu"),
];

/// What a provider gets when a model says nothing.
#[derive(Debug, Clone)]
pub(super) struct Defaults {
    pub(super) key: Found,
    pub(super) api_base: Option<String>,
}

/// All providers with their defaults, and the made-up models.
pub(super) struct Registry {
    providers: &'static [&'static dyn Provider],
    defaults: HashMap<&'static str, Defaults>,
    /// How often a model is tried again that the configuration does not name.
    retries: Retries,
    /// What calls cost by list.
    prices: Arc<Prices>,
    made: RwLock<HashMap<Box<str>, Arc<Model>>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.providers.iter().map(|provider| provider.spec().id).collect();
        f.debug_struct("Registry").field("providers", &ids).field("defaults", &self.defaults).finish_non_exhaustive()
    }
}

impl Registry {
    pub(super) fn new(
        providers: &'static [&'static dyn Provider],
        env: &Env,
        retries: Retries,
        prices: Arc<Prices>,
    ) -> Self {
        let usual = |provider: &&'static dyn Provider| {
            let spec = provider.spec();
            (spec.id, Defaults { key: credential::usual(*provider, env), api_base: None })
        };
        let defaults = providers.iter().map(usual).collect();
        Self { providers, defaults, retries, prices, made: RwLock::default() }
    }

    /// The provider of that name, be it another gateway's.
    pub(super) fn find(&self, name: &str) -> Option<&'static dyn Provider> {
        named(self.providers, name)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &'static str> {
        self.providers.iter().map(|provider| provider.spec().id)
    }

    pub(super) fn defaults(&self, provider: &'static dyn Provider) -> Option<&Defaults> {
        self.defaults.get(provider.spec().id)
    }

    /// What a call costs by list; the built-in prices are those of the provider's own address.
    pub(super) fn price(&self, provider: &dyn Provider, model: &str, api_base: Option<&str>) -> Option<Arc<Price>> {
        let spec = provider.spec();
        let at_home = api_base.is_none_or(|base| spec.base_url.is_some_and(|usual| same_place(usual, base)));
        self.prices.find(spec.id, model, at_home)
    }

    /// Reads `[provider_types]`.
    pub(super) fn read(&mut self, types: &Reader<'_>, env: &Env) {
        let log = types.log();
        for entry in types.entries() {
            let path = types.path_of(&entry.name);
            let Some(provider) = self.find(&entry.name) else {
                let hint = near::did_you_mean(&entry.name, self.ids());
                log.problem(Some(&entry.place), &path, format!("unknown provider type{hint}"));
                continue;
            };
            let Some(mut reader) = Reader::of(entry, path, log) else { continue };
            if let Some(mut given) = reader.table("defaults") {
                let key = credential::given(&mut given, provider.credentials(), env);
                let api_base = api_base(&mut given, "api_base", env);
                given.finish();
                if let Some(defaults) = self.defaults.get_mut(provider.spec().id) {
                    if let Given::Found(key, _) = key {
                        defaults.key = key;
                    }
                    defaults.api_base = api_base.or(defaults.api_base.take());
                }
            }
            reader.passive("sft");
            reader.passive("batch");
            reader.finish();
        }
    }

    /// The model that `provider::model` or `provider/model` stands for; `None` if the name does not
    /// start with a provider.
    pub(super) fn shorthand(&self, operation: Operation, name: &str) -> Option<Result<Arc<Model>>> {
        if let Some(model) = self.made.read().get(name) {
            return Some(able(model, operation));
        }
        let (id, upstream) = name.split_once("::").or_else(|| name.split_once('/'))?;
        // A model that is gone would only be refused.
        let (id, upstream) = lmclient::now(id, upstream).unwrap_or((id, upstream));
        let provider = self.find(id)?;
        let spec = provider.spec();
        let refuse = |why: String| Some(Err(Error::new(ErrorKind::NotFound, why).with_param("model")));
        if !spec.shorthand {
            return refuse(format!("provider `{}` needs a model in the configuration", spec.id));
        }
        if upstream.is_empty() {
            return refuse(format!("`{name}` lacks the name of a model after the provider's"));
        }
        let defaults = self.defaults(provider)?;
        let full: Arc<str> = format!("{}::{upstream}", spec.id).into();
        let mut options = Map::new();
        // `openai::responses::gpt-5`: the same model by the other API.
        let upstream = match upstream.strip_prefix("responses::") {
            Some(model) if options::RESPONSES.contains(&spec.id) && !model.is_empty() => {
                options.insert("api_type".into(), "responses".into());
                model
            }
            _ => upstream,
        };
        let endpoint = Endpoint {
            name: spec.id.into(),
            model: full.clone(),
            provider,
            upstream_model: upstream.to_owned(),
            api_base: defaults.api_base.clone(),
            credential: defaults.key.credential.clone(),
            options,
            timeouts: Timeouts::default(),
            extra_body: Vec::new(),
            extra_headers: Vec::new(),
            cost: Vec::new(),
            price: self.price(provider, upstream, defaults.api_base.as_deref()),
            circuit: circuit(provider, defaults.api_base.as_deref(), &defaults.key.location, upstream),
        };
        let model = Arc::new(Model {
            name: full,
            routing: vec![Arc::new(endpoint)],
            timeouts: Timeouts::default(),
            retries: self.retries,
        });
        let answer = able(&model, operation);
        if answer.is_ok() {
            let mut made = self.made.write();
            if made.len() >= KEPT {
                made.clear();
            }
            made.insert(name.into(), model);
        }
        Some(answer)
    }
}

/// The provider of that name, be it another gateway's.
pub(super) fn named(providers: &[&'static dyn Provider], name: &str) -> Option<&'static dyn Provider> {
    let named = |name: &str| providers.iter().copied().find(|provider| provider.spec().id == name);
    named(name).or_else(|| named(ALIASES.iter().find(|(alias, _)| *alias == name)?.1))
}

/// One try, and the usual longest pause for who asks for more.
pub(super) const NO_RETRIES: Retries = Retries { num_retries: 0, max_delay: Duration::from_secs(10) };

/// The key that tells two targets apart. It holds where a credential comes from, never the credential.
pub(super) fn circuit(provider: &dyn Provider, api_base: Option<&str>, location: &str, model: &str) -> Arc<str> {
    let spec = provider.spec();
    let base = api_base.or(spec.base_url).unwrap_or_default();
    format!("{} {base} {location} {model}", spec.id).into()
}

/// Reads an address: as it is, or from `env::VARIABLE`.
pub(super) fn api_base(reader: &mut Reader<'_>, name: &'static str, env: &Env) -> Option<String> {
    let text = reader.text(name)?;
    let entry = reader.entry(name)?;
    let base = match text.strip_prefix("env::") {
        Some(variable) => match env.get(variable) {
            Some(value) => value,
            None => {
                reader.problem(entry, format!("the environment variable `{variable}` is not set"));
                return None;
            }
        },
        None if text.starts_with("dynamic::") => {
            reader.problem(entry, "an address from the caller (`dynamic::`) is not supported yet");
            return None;
        }
        None => text,
    };
    let uri: http::Uri = match base.parse() {
        Ok(uri) => uri,
        Err(_) => {
            reader.problem(entry, "expected an address like `https://host/path`");
            return None;
        }
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        reader.problem(entry, "expected an address that starts with `http://` or `https://`");
        return None;
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        reader.problem(entry, "an address holds no user name and no password: use `api_key_location`");
        return None;
    }
    Some(base.to_owned())
}

fn same_place(one: &str, other: &str) -> bool {
    one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
}

fn able(model: &Arc<Model>, operation: Operation) -> Result<Arc<Model>> {
    match model.routing.first().map(|endpoint| endpoint.provider.spec()) {
        Some(spec) if !spec.can.operations.contains(&operation) => {
            Err(Error::unsupported("model", format!("provider `{}` has no {}", spec.id, operation.as_str())))
        }
        _ => Ok(model.clone()),
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
