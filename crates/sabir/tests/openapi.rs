//! The table of endpoints against OpenAI's own document, which `SABIR_OPENAPI` names.
//!
//! Invariant: an operation of the document is in the table, or in the list of those that are left
//! out with the reason; a row of the table that the document lacks is only reported.

#![expect(clippy::print_stderr, reason = "it reports what it compared")]

use std::collections::BTreeSet;

use libtest_mimic::{Arguments, Failed, Trial};
use sabir::resources::endpoints;

/// What the table leaves out, and why.
const LEFT_OUT: &[(&str, &str, &str)] =
    &[("POST", "/evals/{}/runs/{}", "a run is cancelled at `/evals/{}/runs/{}/cancel`, as OpenAI's own clients do it")];

fn main() {
    let arguments = Arguments::from_args();
    let document = std::env::vars_os().find(|(name, _)| name == "SABIR_OPENAPI").map(|(_, path)| path);
    let is_missing = document.is_none();
    let trial = |name: &str, check: fn(&str) -> Result<(), Failed>| {
        let document = document.clone();
        let run = move || {
            let path = document.ok_or("SABIR_OPENAPI does not name OpenAI's document")?;
            let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            check(&text)
        };
        Trial::test(name, run).with_ignored_flag(is_missing)
    };
    let trials = vec![
        trial("the_table_has_what_the_document_has", compared),
        trial("the_types_read_the_examples_of_the_document", examples),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

fn compared(document: &str) -> Result<(), Failed> {
    let wanted = operations(document);
    if wanted.len() < 100 {
        return Err(format!("only {} operations were found in the document", wanted.len()).into());
    }
    let here: BTreeSet<(String, String)> = endpoints()
        .map(|row| (row.method.to_owned(), row.path.split('?').next().unwrap_or_default().to_owned()))
        .collect();
    let left_out = |method: &str, path: &str| LEFT_OUT.iter().any(|(m, p, _)| *m == method && *p == path);
    let missing: Vec<_> = wanted.difference(&here).filter(|(method, path)| !left_out(method, path)).collect();
    let more = here.difference(&wanted).count();
    eprintln!("{} operations in the document, {} rows, {more} of them not in the document", wanted.len(), here.len());
    match missing.is_empty() {
        true => Ok(()),
        false => {
            let lines: Vec<String> = missing.iter().map(|(method, path)| format!("{method} {path}")).collect();
            Err(format!("the table lacks:\n{}", lines.join("\n")).into())
        }
    }
}

/// Every example of an answer that is JSON can be read as the type of its row.
fn examples(document: &str) -> Result<(), Failed> {
    let mut read = 0;
    let mut problems = Vec::new();
    let mut operation = (String::new(), String::new());
    let mut lines = document.lines().skip_while(|line| *line != "paths:").peekable();
    while let Some(line) = lines.next() {
        if line == "components:" {
            break;
        }
        if let Some(path) = line.strip_prefix("  /").and_then(|rest| rest.strip_suffix(':')) {
            operation.1 = unnamed(&format!("/{}", path.split('?').next().unwrap_or_default()));
        } else if let Some(method) = line.strip_prefix("    ").filter(|rest| !rest.starts_with(' ')) {
            operation.0 = method.trim_end_matches(':').to_uppercase();
        }
        if !line.trim_start().starts_with("response: |") {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let mut text = String::new();
        while let Some(next) = lines.peek()
            && (next.trim().is_empty() || next.len() - next.trim_start().len() > indent)
        {
            text.push_str(lines.next().unwrap_or_default());
            text.push('\n');
        }
        if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_err() {
            continue;
        }
        for row in endpoints().filter(|row| row.method == operation.0 && row.path == operation.1) {
            read += 1;
            if let Err(problem) = (row.reads)(text.as_bytes()) {
                problems.push(format!("{} {}.{}: {problem}", operation.0, row.resource, row.name));
            }
        }
    }
    eprintln!("{read} examples were read");
    match (read, problems.is_empty()) {
        (..100, _) => Err("too few examples were found in the document".into()),
        (_, true) => Ok(()),
        (_, false) => Err(problems.join("\n").into()),
    }
}

/// The operations of a document in YAML, by the indentation of its paths.
fn operations(document: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut path = None;
    for line in document.lines().skip_while(|line| *line != "paths:").skip(1) {
        if !line.is_empty() && !line.starts_with(' ') {
            break;
        }
        if let Some(name) = line.strip_prefix("  /").and_then(|rest| rest.strip_suffix(':')) {
            let bare = name.split('?').next().unwrap_or_default();
            path = Some(unnamed(&format!("/{bare}")));
        } else if let (Some(path), Some(method)) = (&path, line.strip_prefix("    ").and_then(|l| l.strip_suffix(':')))
            && ["get", "post", "put", "patch", "delete"].contains(&method)
        {
            found.insert((method.to_uppercase(), path.clone()));
        }
    }
    found
}

/// A path without the names of its parameters.
fn unnamed(path: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for sign in path.chars() {
        inside = (inside || sign == '{') && sign != '}';
        if sign == '}' {
            out.push_str("{}");
        } else if !inside {
            out.push(sign);
        }
    }
    out
}
