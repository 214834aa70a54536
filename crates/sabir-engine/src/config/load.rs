//! Files and texts in, one configuration or everything that is wrong with it out.
//!
//! Invariant: the order of the files decides nothing but the order of messages.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use sabir_providers::Provider;
use sabir_types::Operation;

use super::{
    Config, Source,
    env::Env,
    gateway, metric,
    model::{self, Around},
    pass_through,
    problem::{Problem, Problems, SourceFile},
    reader::{Log, NOT_YET, Reader},
    registry::Registry,
    tree::{self, Kind, Node, Table},
};
use crate::plan::Models;

/// Tables that are understood elsewhere and do nothing here yet.
const PASSIVE: [&str; 8] =
    ["autopilot", "clickhouse", "evaluations", "object_storage", "optimizers", "postgres", "rate_limiting", "tools"];

/// Loads a configuration against these providers.
pub(super) fn load(
    sources: &[Source],
    env: &Env,
    providers: &'static [&'static dyn Provider],
) -> Result<Config, Problems> {
    let mut problems = Vec::new();
    let table = merged(sources, &mut problems);
    // Half a tree would only give misleading messages about what is missing.
    if let Some(problems) = Problems::of(problems) {
        return Err(problems);
    }
    let hash = hash(&table);
    let log = Log::default();
    let mut root = Reader::root(&table, &log);
    let gateway = root.table("gateway");
    let gateway = gateway::read(gateway, env, &log);
    let mut registry = Registry::new(providers, env, gateway.retries, gateway.prices.clone());
    if let Some(types) = root.table("provider_types") {
        registry.read(&types, env);
    }
    let around = Around { env, registry: &registry, retries: gateway.retries };
    let mut models = |name, operation| match root.table(name) {
        Some(table) => model::read(&table, operation, &around),
        None => HashMap::new(),
    };
    let models =
        Models { chat: models("models", Operation::Chat), embed: models("embedding_models", Operation::Embed) };
    let pass_through = pass_through::read(root.table("pass_through"), &around);
    let metrics = root.table("metrics").map(|table| metric::read(&table)).unwrap_or_default();
    let functions = root.table("functions").map(|table| functions(&table, &log)).unwrap_or_default();
    for name in PASSIVE {
        if root.table(name).is_some() {
            root.passive(name);
        }
    }
    root.finish();
    let (problems, mut notes) = log.into_parts();
    if let Some(problems) = Problems::of(problems) {
        return Err(problems);
    }
    notes = Problems::of(notes).map(|notes| notes.0).unwrap_or_default();
    Ok(Config { gateway, models, pass_through, metrics, functions, hash, notes, registry })
}

/// The files that a pattern stands for, sorted. A file of exactly that name comes first of all.
pub(super) fn files(pattern: &str) -> Result<Vec<PathBuf>, String> {
    let exact = Path::new(pattern);
    if exact.is_file() {
        return Ok(vec![exact.to_owned()]);
    }
    if !pattern.contains(['*', '?', '[']) {
        return match fs::metadata(exact) {
            Ok(_) => Err(format!("`{pattern}` is not a file")),
            Err(error) => Err(format!("`{pattern}` cannot be read: {}", error.kind())),
        };
    }
    let paths = glob::glob(pattern).map_err(|error| format!("`{pattern}` is not a pattern: {}", error.msg))?;
    let mut found = Vec::new();
    for path in paths {
        let path = path.map_err(|error| format!("`{}` cannot be read: {}", error.path().display(), error.error()))?;
        if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found.dedup();
    if found.is_empty() { Err(format!("no file matches `{pattern}`")) } else { Ok(found) }
}

/// All sources as one tree.
fn merged(sources: &[Source], problems: &mut Vec<Problem>) -> Table {
    let mut all = Table::default();
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut add = |name: String, dir: PathBuf, text: &str, problems: &mut Vec<Problem>| {
        let table = tree::parse(text, &Arc::new(SourceFile { name, dir }), problems);
        all.merge(table, "", problems);
    };
    for source in sources {
        match source {
            Source::Text { name, text } => add(name.clone(), PathBuf::new(), text, problems),
            Source::Files(pattern) => {
                let files = files(pattern).unwrap_or_else(|message| {
                    problems.push(Problem { place: None, key: String::new(), message });
                    Vec::new()
                });
                for path in files {
                    if seen.contains(&path) {
                        continue;
                    }
                    let name = path.display().to_string();
                    match fs::read_to_string(&path) {
                        Ok(text) => {
                            let dir = path.parent().map(Path::to_owned).unwrap_or_default();
                            add(name, dir, &text, problems);
                        }
                        Err(error) => {
                            let message = format!("`{name}` cannot be read: {error}");
                            problems.push(Problem { place: None, key: String::new(), message });
                        }
                    }
                    seen.push(path);
                }
            }
        }
    }
    all
}

/// The first half of the BLAKE3 hash over the settings, in hexadecimal digits.
fn hash(table: &Table) -> String {
    let root = Node { place: root_place(), kind: Kind::Table(table.clone()) };
    let mut hex = blake3::hash(root.normal().to_string().as_bytes()).to_hex().to_string();
    hex.truncate(32);
    hex
}

fn root_place() -> super::problem::Place {
    let file = SourceFile { name: String::new(), dir: PathBuf::new() };
    super::problem::Place::start(&Arc::new(file))
}

/// Functions are known by name only.
fn functions(table: &Reader<'_>, log: &Log) -> Vec<String> {
    let mut names = Vec::new();
    for entry in table.entries() {
        let path = table.path_of(&entry.name);
        if Reader::of(entry, path.clone(), log).is_some() {
            log.note(Some(&entry.place), &path, NOT_YET);
            names.push(entry.name.clone());
        }
    }
    names
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
