//! `[pass_through]`: where the parts of a provider's API go that no door knows.
//!
//! Invariant: without a word about it only a provider whose key is there is reached; what is
//! switched off or denied is never reached.

use std::{fmt, sync::Arc};

use sabir_providers::Provider;
use sabir_types::{Error, ErrorKind, Operation, Protocol, Result};

use super::{
    Config, change, credential,
    model::{self, Around},
    near, options,
    reader::Reader,
    registry,
};
use crate::plan::Endpoint;

/// Whose API a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// OpenAI's, and Azure's form of it.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google AI Studio's.
    Gemini,
}

impl Family {
    const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Gemini];

    /// The protocol of its doors.
    pub fn protocol(self) -> Protocol {
        match self {
            Self::OpenAi => Protocol::OpenAi,
            Self::Anthropic => Protocol::Anthropic,
            Self::Gemini => Protocol::Gemini,
        }
    }

    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        self.protocol().as_str()
    }

    /// The provider type unless the configuration says otherwise.
    fn usual(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "google_ai_studio_gemini",
        }
    }

    /// Whether a provider's API is of this family.
    pub(crate) fn has(self, provider: &dyn Provider) -> bool {
        provider.spec().protocol == self.protocol() && provider.has_passage()
    }
}

/// Where one family's paths go.
#[derive(Debug)]
pub struct Upstream {
    /// The provider; its model's name is empty.
    pub endpoint: Arc<Endpoint>,
    allow: Vec<glob::Pattern>,
    deny: Vec<glob::Pattern>,
}

impl Upstream {
    /// Whether a path, decoded, may go there.
    pub fn lets(&self, path: &str) -> bool {
        let fits = |patterns: &[glob::Pattern]| patterns.iter().any(|pattern| pattern.matches(path));
        (self.allow.is_empty() || fits(&self.allow)) && !fits(&self.deny)
    }
}

/// What the configuration says about a family.
#[derive(Debug, Clone, Default)]
enum Way {
    To(Arc<Upstream>),
    /// Switched off.
    Off,
    /// Nothing was said, and there is no key.
    #[default]
    None,
}

/// All families.
#[derive(Default)]
pub struct PassThrough([Way; 3]);

impl fmt::Debug for PassThrough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PassThrough").field(&self.0).finish()
    }
}

impl PassThrough {
    fn way(&self, family: Family) -> &Way {
        &self.0[family as usize]
    }

    /// Whether there is somewhere to go.
    pub fn is_open(&self, family: Family) -> bool {
        matches!(self.way(family), Way::To(_))
    }

    /// Where a family's paths go, or what to do about it.
    pub fn upstream(&self, family: Family) -> Result<&Arc<Upstream>> {
        let name = family.as_str();
        let message = match self.way(family) {
            Way::To(upstream) => return Ok(upstream),
            Way::Off => format!("`pass_through` is switched off for `{name}`"),
            Way::None => {
                let key = sabir_providers::find(family.usual()).and_then(|provider| provider.spec().key_env.first());
                let key = key.copied().unwrap_or_default();
                format!("to pass it through to a provider, set {key} or `[pass_through.{name}]`")
            }
        };
        Err(Error::new(ErrorKind::NotFound, message))
    }
}

impl Config {
    /// The first target of a model's that the family's requests can go to as they are, if `name` is
    /// a model of the configuration or `provider::model`; `None` if it is only the provider's own.
    pub fn passage_to(&self, family: Family, name: &str) -> Option<Result<Arc<Endpoint>>> {
        let mut refused = None;
        for operation in [Operation::Chat, Operation::Embed] {
            // `provider/model` is left alone: a provider's own names look like that.
            let is_named =
                name.contains("::") || self.models.chat.contains_key(name) || self.models.embed.contains_key(name);
            if !is_named {
                return None;
            }
            match self.model(operation, name) {
                Ok(model) => match model.routing.iter().find(|endpoint| family.has(endpoint.provider)) {
                    Some(endpoint) => return Some(Ok(endpoint.clone())),
                    None => {
                        let message = format!(
                            "model `{name}` has no provider that takes requests of the `{}` API as they are",
                            family.as_str()
                        );
                        refused = Some(Error::unsupported("model", message));
                    }
                },
                Err(error) if error.kind() == ErrorKind::NotFound && !self.knows(name) => return None,
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        refused.map(Err)
    }

    /// Whether a name is configured or begins with a provider's.
    fn knows(&self, name: &str) -> bool {
        let provider = name.split_once("::").is_some_and(|(id, _)| self.registry.find(id).is_some());
        provider || self.models.chat.contains_key(name) || self.models.embed.contains_key(name)
    }

    /// A provider as it is reached when no model is named.
    pub(crate) fn provider(&self, id: &str) -> Result<Arc<Endpoint>> {
        let unknown = || Error::new(ErrorKind::NotFound, format!("no provider named `{id}`"));
        let provider = self.registry.find(id).ok_or_else(unknown)?;
        usual(provider, &self.registry).map(Arc::new).ok_or_else(unknown)
    }
}

/// Reads the table; `None` stands for a file that has none.
pub(super) fn read(table: Option<Reader<'_>>, around: &Around<'_>) -> PassThrough {
    let mut all = PassThrough::default();
    for family in Family::ALL {
        let Some(provider) = around.registry.find(family.usual()) else { continue };
        let there = usual(provider, around.registry).filter(|end| credential::lacks(&end.credential).is_none());
        if let Some(endpoint) = there {
            let upstream = Upstream { endpoint: Arc::new(endpoint), allow: Vec::new(), deny: Vec::new() };
            all.0[family as usize] = Way::To(Arc::new(upstream));
        }
    }
    let Some(mut r) = table else { return all };
    let enabled = r.boolean("enabled").unwrap_or(true);
    for family in Family::ALL {
        if let Some(table) = r.table(family.as_str()) {
            all.0[family as usize] = one(table, family, around);
        }
        if !enabled {
            all.0[family as usize] = Way::Off;
        }
    }
    r.finish();
    all
}

fn one(mut r: Reader<'_>, family: Family, around: &Around<'_>) -> Way {
    let is_on = r.boolean("enabled").unwrap_or(true);
    let kind = r.text("type").unwrap_or(family.usual());
    let found = around.registry.find(kind).filter(|provider| family.has(*provider));
    let Some(provider) = found else {
        if let Some(entry) = r.entry("type") {
            let fitting = sabir_providers::all().iter().filter(|provider| family.has(**provider));
            let hint = near::did_you_mean(kind, fitting.map(|provider| provider.spec().id));
            let message = format!("expected a provider type that has the `{}` API{hint}", family.as_str());
            r.problem(entry, message);
        }
        return Way::Off;
    };
    let (allow, deny) = (patterns(&mut r, "allow"), patterns(&mut r, "deny"));
    let options = options::read(&mut r, provider.spec().id, around.env);
    let api_base = model::address(&mut r, provider, around);
    let key = model::key(&mut r, provider, around);
    let timeouts = model::timeouts(&mut r, Operation::Relay);
    let extra_headers = change::headers(&mut r);
    r.finish();
    let Some(key) = key else { return Way::Off };
    if !is_on {
        return Way::Off;
    }
    let endpoint = Endpoint {
        circuit: registry::circuit(provider, api_base.as_deref(), &key.location, ""),
        api_base,
        credential: key.credential,
        options,
        timeouts,
        extra_headers,
        ..blank(provider)
    };
    Way::To(Arc::new(Upstream { endpoint: Arc::new(endpoint), allow, deny }))
}

/// Paths below the version: `files`, `fine_tuning/**`.
fn patterns(r: &mut Reader<'_>, name: &'static str) -> Vec<glob::Pattern> {
    let path = r.path_of(name);
    let mut all = Vec::new();
    for (at, (text, node)) in r.texts(name).into_iter().flatten().enumerate() {
        let wrong = |why: &str| r.log().problem(Some(&node.place), &format!("{path}[{at}]"), why);
        match glob::Pattern::new(text) {
            Ok(_) if text.is_empty() || text.starts_with('/') => {
                wrong("expected a path below the API's version, like `files/*`, without a slash before it");
            }
            Ok(pattern) => all.push(pattern),
            Err(error) => wrong(&format!("`{text}` is not a pattern: {}", error.msg)),
        }
    }
    all
}

/// A provider as the configuration knows it without a model.
fn usual(provider: &'static dyn Provider, registry: &registry::Registry) -> Option<Endpoint> {
    let defaults = registry.defaults(provider)?;
    Some(Endpoint {
        circuit: registry::circuit(provider, defaults.api_base.as_deref(), &defaults.key.location, ""),
        api_base: defaults.api_base.clone(),
        credential: defaults.key.credential.clone(),
        ..blank(provider)
    })
}

fn blank(provider: &'static dyn Provider) -> Endpoint {
    let id = provider.spec().id;
    Endpoint {
        name: id.into(),
        model: "".into(),
        provider,
        upstream_model: String::new(),
        api_base: None,
        credential: crate::plan::Credential::None,
        options: sabir_types::Map::new(),
        timeouts: crate::plan::Timeouts::default(),
        extra_body: Vec::new(),
        extra_headers: Vec::new(),
        cost: Vec::new(),
        price: None,
        circuit: id.into(),
    }
}

#[cfg(test)]
#[path = "pass_through_tests.rs"]
mod tests;
