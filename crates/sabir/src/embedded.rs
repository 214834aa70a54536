//! How a client of a gateway in this process is made.
//!
//! Invariant: no `Debug` output holds a key.

use std::{fmt, path::PathBuf, time::Duration};

use sabir_engine::config::{Source, env::Env};

use crate::{
    client::Sabir,
    environment::Environment,
    error::{Error, Result},
    link::{Link, embedded::EmbeddedLink},
    settings::{Options, Settings},
};

/// Makes a client with a gateway of its own in this process.
#[derive(Clone, Default)]
pub struct EmbeddedBuilder {
    sources: Vec<Source>,
    variables: Option<Environment>,
    key: Option<(&'static str, String)>,
    data_dir: Option<PathBuf>,
    settings: Settings,
    problem: Option<String>,
}

impl Sabir {
    /// A client with a gateway of its own in this process, configured by this TOML; an empty
    /// text gives the defaults. Needs a tokio runtime when it is called, as every call does.
    pub fn embedded(toml: impl Into<String>) -> EmbeddedBuilder {
        let text = toml.into();
        let sources = match text.trim() {
            "" => Vec::new(),
            _ => vec![Source::Text { name: "configuration".to_owned(), text }],
        };
        EmbeddedBuilder { sources, ..EmbeddedBuilder::default() }
    }

    /// The same, configured by files: a path or a pattern.
    pub fn embedded_files(pattern: impl Into<String>) -> EmbeddedBuilder {
        EmbeddedBuilder { sources: vec![Source::Files(pattern.into())], ..EmbeddedBuilder::default() }
    }

    /// A client that goes straight to a provider, like `anthropic`, without a server: the engine
    /// in this process speaks the provider's protocol. A model is named as the provider names it.
    pub fn provider(name: &str) -> EmbeddedBuilder {
        let mut builder = EmbeddedBuilder::default();
        match sabir_providers::find(name) {
            Some(provider) if provider.spec().shorthand => builder.settings.provider = Some(name.to_owned()),
            Some(_) => {
                builder.problem = Some(format!("the provider `{name}` needs a configuration: use `Sabir::embedded`"));
            }
            None => builder.problem = Some(format!("no provider named `{name}`")),
        }
        builder
    }
}

impl EmbeddedBuilder {
    /// The provider's key, in the place of the variable that would hold it. Only for
    /// [`Sabir::provider`].
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        let spec = self.settings.provider.as_deref().and_then(sabir_providers::find).map(|provider| provider.spec());
        match spec.and_then(|spec| spec.key_env.first()) {
            Some(variable) => self.key = Some((variable, key.to_owned())),
            None => {
                self.problem.get_or_insert_with(|| "a key is for a provider that takes one".to_owned());
            }
        }
        self
    }

    /// Keeps a ledger in this folder. Without it, the configuration's `gateway.data_dir`
    /// counts; without that, nothing is kept.
    #[must_use]
    pub fn ledger(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// The variables that the configuration sees, instead of the environment's.
    #[must_use]
    pub fn variables<K: Into<String>, V: Into<String>>(mut self, all: impl IntoIterator<Item = (K, V)>) -> Self {
        self.variables = Some(Environment::of(all));
        self
    }

    /// How long the engine may say nothing, before an answer as well as within one. 10 minutes
    /// unless told otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.silence(timeout);
        self
    }

    /// How often a call is tried again that failed with 408, 409, 429 or 5xx. Twice unless
    /// told otherwise.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.settings.retries = retries;
        self
    }

    /// Other settings for every call.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        if let Err(error) = self.settings.apply(options) {
            self.problem.get_or_insert(error.to_string());
        }
        self
    }

    /// The client. The configuration is read and the ledger opened now.
    pub fn build(self) -> Result<Sabir> {
        if let Some(problem) = self.problem {
            return Err(Error::Config(problem));
        }
        let mut variables = self.variables.unwrap_or_else(Environment::process);
        if let Some((name, key)) = &self.key {
            variables = variables.with(name, key);
        }
        let env = Env::of(variables.into_pairs());
        let link = EmbeddedLink::new(&self.sources, &env, self.data_dir)?;
        Ok(Sabir::over(Link::Embedded(link), self.settings))
    }
}

impl fmt::Debug for EmbeddedBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedBuilder").finish_non_exhaustive()
    }
}
