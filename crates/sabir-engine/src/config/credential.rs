//! Where credentials come from: `env::`, `path::`, `path_from_env::`, `dynamic::`, `none`.
//!
//! Invariant: neither a credential nor what was written in the place of one is ever repeated in a
//! message.

use std::{fs, path::Path, sync::Arc};

use sabir_providers::{CredentialScheme, Provider};
use sabir_types::Secret;

use super::{
    env::Env,
    near::any_of,
    reader::{self, Log, Reader},
    sdk,
    tree::{Entry, Kind, Node},
};
use crate::plan::{Credential, Identity};

/// A credential and a name for where it comes from, which tells two credentials apart.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) credential: Credential,
    pub(super) location: String,
    /// The project that it belongs to, if it says so (Google).
    pub(super) project: Option<String>,
}

impl Found {
    pub(super) fn secret(location: &str, secret: Secret) -> Self {
        Self { credential: Credential::Static(secret), location: location.to_owned(), project: None }
    }

    pub(super) fn missing(location: &str, why: String) -> Self {
        Self { credential: Credential::Missing(why), location: location.to_owned(), project: None }
    }

    /// What an identity is given.
    pub(super) fn token(location: &str, identity: Result<Identity, String>) -> Self {
        match identity {
            Ok(identity) => {
                Self { credential: Credential::Token(Arc::new(identity)), location: location.to_owned(), project: None }
            }
            Err(why) => Self::missing(location, why),
        }
    }
}

const EXPECTED: &str = "expected `env::VARIABLE`, `path::FILE`, `path_from_env::VARIABLE`, `dynamic::NAME` or `none`";

/// The parts of a credential that signs.
pub(super) const PARTS: [&str; 3] = ["access_key_id", "secret_access_key", "session_token"];

/// The keys that say where a credential comes from; different provider types call it differently.
const KEYS: [&str; 3] = ["api_key_location", "credential_location", "api_key"];

/// What a table says about the credential.
pub(super) enum Given<'t> {
    /// Nothing: the usual place counts.
    Nothing,
    /// Something wrong, which has been reported.
    Wrong,
    /// This, with the entry that says so.
    Found(Found, &'t Entry),
}

/// Reads where the credential of a table comes from.
pub(super) fn given<'t>(reader: &mut Reader<'t>, scheme: CredentialScheme, env: &Env) -> Given<'t> {
    let mut given = Given::Nothing;
    for name in KEYS {
        let Some(entry) = reader.entry(name) else { continue };
        if !matches!(given, Given::Nothing) {
            reader.problem(entry, "the credential is said twice");
            given = Given::Wrong;
            continue;
        }
        given = match location(entry, &reader.path_of(name), scheme, env, reader.log()) {
            Some(found) => Given::Found(found, entry),
            None => Given::Wrong,
        };
    }
    match (scheme, &given) {
        (CredentialScheme::Aws, Given::Nothing) => parts(reader, env),
        _ => given,
    }
}

/// Reads the keys that sign, each from where it is.
fn parts<'t>(reader: &mut Reader<'t>, env: &Env) -> Given<'t> {
    let mut all = Vec::new();
    let mut locations = Vec::new();
    let mut first = None;
    let mut wrong = false;
    for name in PARTS {
        let Some(entry) = reader.entry(name) else { continue };
        first = first.or(Some(entry));
        match one(&entry.node, &reader.path_of(name), CredentialScheme::Key, env, reader.log()) {
            Some(found) => {
                all.push((name, found.credential));
                locations.push(found.location);
            }
            None => wrong = true,
        }
    }
    let Some(first) = first else { return Given::Nothing };
    for name in &PARTS[..2] {
        if reader.entry(name).is_none() {
            reader.missing(name);
            wrong = true;
        }
    }
    if wrong {
        return Given::Wrong;
    }
    Given::Found(Found { credential: Credential::Parts(all), location: locations.join("+"), project: None }, first)
}

fn location(entry: &Entry, path: &str, scheme: CredentialScheme, env: &Env, log: &Log) -> Option<Found> {
    match &entry.node.kind {
        Kind::Table(_) => {
            let mut reader = Reader::of(entry, path.to_owned(), log)?;
            let mut part = |name: &'static str| match reader.entry(name) {
                Some(part) => one(&part.node, &reader.path_of(name), scheme, env, log),
                None => {
                    reader.missing(name);
                    None
                }
            };
            let (default, fallback) = (part("default"), part("fallback"));
            reader.finish();
            let (default, fallback) = (default?, fallback?);
            Some(Found {
                location: format!("{}|{}", default.location, fallback.location),
                credential: Credential::Fallback(Box::new(default.credential), Box::new(fallback.credential)),
                project: default.project.or(fallback.project),
            })
        }
        _ => one(&entry.node, path, scheme, env, log),
    }
}

/// What a provider gets that is told nothing: the first of its usual variables that is set.
pub(super) fn usual(provider: &dyn Provider, env: &Env) -> Found {
    let (spec, scheme) = (provider.spec(), provider.credentials());
    for name in spec.key_env {
        if let Some(value) = env.get(name) {
            // Google's tools put the name of a file into the variable.
            if scheme == CredentialScheme::Google {
                return adapted(from_file(Path::new(value)), &format!("path_from_env::{name}"), scheme);
            }
            match trimmed(value) {
                "" => continue,
                value => return Found::secret(&format!("env::{name}"), Secret::new(value)),
            }
        }
    }
    if let Some(found) = sdk::usual(scheme, env) {
        return found;
    }
    let credential = match (spec.key_required, spec.key_env) {
        (false, _) => Credential::None,
        (true, []) => Credential::Missing("`api_key_location` is not set".to_owned()),
        (true, [name]) => Credential::Missing(format!("the environment variable `{name}` is not set")),
        (true, names) => Credential::Missing(format!("no environment variable {} is set", any_of(names))),
    };
    Found { credential, location: "none".to_owned(), project: None }
}

/// Where credentials are missing, in words; `None` if a call can have one.
pub(super) fn lacks(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Missing(why) => Some(why.clone()),
        Credential::Fallback(default, fallback) => match (lacks(default), lacks(fallback)) {
            (Some(default), Some(fallback)) => Some(format!("{default}, and {fallback}")),
            _ => None,
        },
        Credential::Parts(parts) => parts.iter().find_map(|(_, part)| lacks(part)),
        Credential::None | Credential::Static(_) | Credential::Dynamic(_) | Credential::Token(_) => None,
    }
}

/// A secret that must be there: one of the gateway's own keys.
pub(super) fn secret(entry: &Entry, path: &str, env: &Env, log: &Log) -> Option<Secret> {
    named_secret(&entry.node, path, env, log).map(|(_, secret)| secret)
}

/// The same, with a name that says where it comes from.
pub(super) fn named_secret(node: &Node, path: &str, env: &Env, log: &Log) -> Option<(String, Secret)> {
    let found = one(node, path, CredentialScheme::Key, env, log)?;
    match found.credential {
        Credential::Static(secret) => return Some((found.location, secret)),
        Credential::Missing(why) => log.problem(Some(&node.place), path, why),
        _ => {
            log.problem(Some(&node.place), path, "expected `env::VARIABLE`, `path::FILE` or `path_from_env::VARIABLE`")
        }
    }
    None
}

fn one(node: &Node, path: &str, scheme: CredentialScheme, env: &Env, log: &Log) -> Option<Found> {
    let Kind::Text(text) = &node.kind else {
        reader::wrong(log, node, path, "a string");
        return None;
    };
    let found = |credential| Some(adapted(credential, text, scheme));
    match text.split_once("::") {
        None if text == "none" => found(Credential::None),
        None if text == "sdk" => {
            let found = sdk::sdk(scheme, env);
            if found.is_none() {
                log.problem(Some(&node.place), path, "`sdk` is for the clouds' own credentials: this is a key");
            }
            found
        }
        Some(("env" | "path" | "path_from_env" | "dynamic", "")) => {
            log.problem(Some(&node.place), path, "a name is missing after `::`");
            None
        }
        Some(("env", name)) => found(variable(name, env).map_or_else(Credential::Missing, |value| key(value, name))),
        Some(("path", file)) => found(from_file(&node.place.file.dir.join(file))),
        Some(("path_from_env", name)) => match variable(name, env) {
            Ok(file) => found(from_file(Path::new(file))),
            Err(why) => found(Credential::Missing(why)),
        },
        Some(("dynamic", name)) => found(Credential::Dynamic(name.to_owned())),
        _ => {
            log.problem(Some(&node.place), path, format!("{EXPECTED}; a key itself does not belong into a file"));
            None
        }
    }
}

/// What stands there, as the provider takes it.
fn adapted(credential: Credential, location: &str, scheme: CredentialScheme) -> Found {
    match (scheme, credential) {
        (CredentialScheme::Google, Credential::Static(secret)) => sdk::google_text(location, secret),
        (_, credential) => Found { credential, location: location.to_owned(), project: None },
    }
}

fn key(value: &str, name: &str) -> Credential {
    match trimmed(value) {
        "" => Credential::Missing(format!("the environment variable `{name}` is empty")),
        value => Credential::Static(Secret::new(value)),
    }
}

fn variable<'e>(name: &str, env: &'e Env) -> Result<&'e str, String> {
    env.get(name).ok_or_else(|| format!("the environment variable `{name}` is not set"))
}

fn from_file(path: &Path) -> Credential {
    match fs::read_to_string(path) {
        Ok(text) => match trimmed(&text) {
            "" => Credential::Missing(format!("the file `{}` is empty", path.display())),
            text => Credential::Static(Secret::new(text)),
        },
        Err(error) => Credential::Missing(format!("the file `{}` cannot be read: {}", path.display(), error.kind())),
    }
}

/// Without the line end that editors add.
fn trimmed(text: &str) -> &str {
    text.trim_end_matches(['\n', '\r'])
}

#[cfg(test)]
#[path = "credential_tests.rs"]
mod tests;
