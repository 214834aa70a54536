//! Where credentials come from: `env::`, `path::`, `path_from_env::`, `dynamic::`, `none`.
//!
//! Invariant: neither a credential nor what was written in the place of one is ever repeated in a
//! message.

use std::{fs, path::Path};

use sabir_providers::Spec;
use sabir_types::Secret;

use super::{
    env::Env,
    near::any_of,
    reader::{self, Log, Reader},
    tree::{Entry, Kind, Node},
};
use crate::plan::Credential;

/// A credential and a name for where it comes from, which tells two credentials apart.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) credential: Credential,
    pub(super) location: String,
}

const EXPECTED: &str = "expected `env::VARIABLE`, `path::FILE`, `path_from_env::VARIABLE`, `dynamic::NAME` or `none`";

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
pub(super) fn given<'t>(reader: &mut Reader<'t>, env: &Env) -> Given<'t> {
    let mut given = Given::Nothing;
    for name in KEYS {
        let Some(entry) = reader.entry(name) else { continue };
        if !matches!(given, Given::Nothing) {
            reader.problem(entry, "the credential is said twice");
            given = Given::Wrong;
            continue;
        }
        given = match location(entry, &reader.path_of(name), env, reader.log()) {
            Some(found) => Given::Found(found, entry),
            None => Given::Wrong,
        };
    }
    given
}

fn location(entry: &Entry, path: &str, env: &Env, log: &Log) -> Option<Found> {
    match &entry.node.kind {
        Kind::Table(_) => {
            let mut reader = Reader::of(entry, path.to_owned(), log)?;
            let mut part = |name: &'static str| match reader.entry(name) {
                Some(part) => one(&part.node, &reader.path_of(name), env, log),
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
            })
        }
        _ => one(&entry.node, path, env, log),
    }
}

/// What a provider gets that is told nothing: the first of its usual variables that is set.
pub(super) fn usual(spec: &Spec, env: &Env) -> Found {
    for name in spec.key_env {
        if let Some(value) = env.get(name) {
            let credential = match trimmed(value) {
                "" => continue,
                value => Credential::Static(Secret::new(value)),
            };
            return Found { credential, location: format!("env::{name}") };
        }
    }
    let credential = match (spec.key_required, spec.key_env) {
        (false, _) => Credential::None,
        (true, []) => Credential::Missing("`api_key_location` is not set".to_owned()),
        (true, [name]) => Credential::Missing(format!("the environment variable `{name}` is not set")),
        (true, names) => Credential::Missing(format!("no environment variable {} is set", any_of(names))),
    };
    Found { credential, location: "none".to_owned() }
}

/// Where credentials are missing, in words; `None` if a call can have one.
pub(super) fn lacks(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Missing(why) => Some(why.clone()),
        Credential::Fallback(default, fallback) => match (lacks(default), lacks(fallback)) {
            (Some(default), Some(fallback)) => Some(format!("{default}, and {fallback}")),
            _ => None,
        },
        Credential::None | Credential::Static(_) | Credential::Dynamic(_) => None,
    }
}

/// A secret that must be there: one of the gateway's own keys.
pub(super) fn secret(entry: &Entry, path: &str, env: &Env, log: &Log) -> Option<Secret> {
    named_secret(&entry.node, path, env, log).map(|(_, secret)| secret)
}

/// The same, with a name that says where it comes from.
pub(super) fn named_secret(node: &Node, path: &str, env: &Env, log: &Log) -> Option<(String, Secret)> {
    let found = one(node, path, env, log)?;
    match found.credential {
        Credential::Static(secret) => return Some((found.location, secret)),
        Credential::Missing(why) => log.problem(Some(&node.place), path, why),
        _ => {
            log.problem(Some(&node.place), path, "expected `env::VARIABLE`, `path::FILE` or `path_from_env::VARIABLE`")
        }
    }
    None
}

fn one(node: &Node, path: &str, env: &Env, log: &Log) -> Option<Found> {
    let Kind::Text(text) = &node.kind else {
        reader::wrong(log, node, path, "a string");
        return None;
    };
    let found = |credential| Some(Found { credential, location: text.clone() });
    match text.split_once("::") {
        None if text == "none" => found(Credential::None),
        None if text == "sdk" => {
            log.problem(Some(&node.place), path, "`sdk` is not supported yet");
            None
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
