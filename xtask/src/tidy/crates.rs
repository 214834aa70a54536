//! Rules about crates: who may depend on whom, and what no crate may depend on.
//!
//! Invariant: an edge that is not in the table is a problem, and so is a crate without a row.

use super::{File, Problem, Tree};

/// The crates of this workspace, and the folders of bindings, and those crates that each may depend on.
const EDGES: &[(&str, &[&str])] = &[
    ("sabir-types", &[]),
    ("sabir-wire", &["sabir-types"]),
    ("sabir-providers", &["sabir-types", "sabir-wire"]),
    ("sabir-store", &["sabir-types"]),
    // `sabir-wire` for the framing of streams, which the engine reads without knowing the protocol.
    ("sabir-engine", &["sabir-types", "sabir-wire", "sabir-providers", "sabir-store"]),
    ("sabir-server", &["sabir-types", "sabir-wire", "sabir-providers", "sabir-store", "sabir-engine"]),
    // `sabir-server` for its router: see `docs/adr/0004-embedded-is-the-router.md`.
    // `sabir-providers` for the names of the providers and of the variables that hold their keys.
    (
        "sabir",
        &[
            "sabir-types",
            "sabir-wire",
            "sabir-macros",
            "sabir-providers",
            "sabir-store",
            "sabir-engine",
            "sabir-server",
        ],
    ),
    ("sabir-macros", &[]),
    // Bindings see what a Rust program sees, and bring the command along (`sabir-server`).
    ("bindings/python", &["sabir", "sabir-server"]),
];

/// Crates without I/O, and what would give them some.
const PURE: &[&str] = &["sabir-types", "sabir-wire", "sabir-providers"];
const IMPURE: &[&str] = &["tokio", "hyper", "hyper-util", "reqwest"];

/// What may not be in the lock file, and why.
const BANNED: &[(&str, &str)] = &[
    ("reqwest", "hyper is the only HTTP stack"),
    ("openssl", "rustls is the only TLS stack"),
    ("openssl-sys", "rustls is the only TLS stack"),
    ("native-tls", "rustls is the only TLS stack"),
];

/// Dependencies between our crates go one way.
pub(super) fn edges(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in &tree.files {
        let Some(folder) = file.path.strip_suffix("/Cargo.toml") else { continue };
        let name = match folder.strip_prefix("crates/") {
            Some(name) => name,
            None if folder.starts_with("bindings/") => folder,
            None => continue,
        };
        let Some((_, allowed)) = EDGES.iter().find(|(from, _)| *from == name) else {
            problems.push(file.problem(1, format!("the crate `{name}` has no row in the table in tidy/crates.rs")));
            continue;
        };
        for dependency in dependencies(file) {
            let Dependency { name: to, line, dev } = dependency;
            let ours = to == "sabir" || to.starts_with("sabir-");
            if ours && !allowed.contains(&to) {
                problems.push(file.problem(line, format!("`{name}` may not depend on `{to}`")));
            }
            if !dev && PURE.contains(&name) && IMPURE.contains(&to) {
                problems.push(file.problem(line, format!("`{name}` does no I/O: it may not depend on `{to}`")));
            }
        }
    }
}

/// The lock file is free of what we decided against.
pub(super) fn lock(tree: &Tree, problems: &mut Vec<Problem>) {
    let Some(file) = tree.file("Cargo.lock") else { return };
    for (number, line) in file.lines() {
        let Some(name) = line.strip_prefix("name = \"").and_then(|rest| rest.strip_suffix('"')) else { continue };
        if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            problems.push(file.problem(number, format!("`{name}` is in the tree of dependencies: {why}")));
        }
    }
}

struct Dependency<'a> {
    name: &'a str,
    line: usize,
    dev: bool,
}

/// The dependencies that a manifest names, in any of the tables that can.
fn dependencies(file: &File) -> Vec<Dependency<'_>> {
    let mut found = Vec::new();
    // Whether the lines are dependencies, and if so, for tests only.
    let mut table = None;
    for (line, text) in file.lines() {
        let text = text.trim();
        if let Some(header) = text.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or(header).trim();
            table = None;
            // `dependencies`, `target.'cfg(…)'.dependencies`, `dependencies.name`
            for (kind, dev) in [("build-dependencies", false), ("dev-dependencies", true), ("dependencies", false)] {
                if header == kind || header.ends_with(&format!(".{kind}")) {
                    table = Some(dev);
                    break;
                }
                if let Some((before, name)) = header.rsplit_once('.')
                    && (before == kind || before.ends_with(&format!(".{kind}")))
                {
                    found.push(Dependency { name: name.trim_matches('"'), line, dev });
                    break;
                }
            }
        } else if let Some(dev) = table
            && !text.starts_with('#')
            && let Some((key, value)) = text.split_once('=')
        {
            // A dependency may go by another name here: `package` says which it really is.
            let renamed = value.split_once("package").and_then(|(_, rest)| rest.split('"').nth(1));
            let name = renamed.unwrap_or_else(|| key.split('.').next().unwrap_or(key).trim().trim_matches('"'));
            found.push(Dependency { name, line, dev });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::{found, tree};

    fn names(manifest: &str) -> Vec<(String, bool)> {
        let tree = tree(&[("Cargo.toml", manifest)]);
        dependencies(&tree.files[0]).into_iter().map(|found| (found.name.to_owned(), found.dev)).collect()
    }

    #[test]
    fn dependencies_are_found_however_they_are_written() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = \"1\"\n# c = \"1\"\n\
            d = { package = \"real\", version = \"1\" }\n[dev-dependencies]\ne = { workspace = true }\n\
            [target.'cfg(unix)'.dependencies]\nf = \"1\"\n[dependencies.g]\nversion = \"1\"\n[lints]\nworkspace = true\n";
        let expected = [("a", false), ("b", false), ("real", false), ("e", true), ("f", false), ("g", false)];
        assert_eq!(names(manifest), expected.map(|(name, dev)| (name.to_owned(), dev)));
    }

    #[test]
    fn edges_go_one_way() {
        let good = "[dependencies]\nsabir-types.workspace = true\nserde.workspace = true\n";
        assert_eq!(found(edges, &[("crates/sabir-wire/Cargo.toml", good)]), [""; 0]);
        let bad = found(edges, &[("crates/sabir-types/Cargo.toml", "[dependencies]\nsabir-wire.workspace = true\n")]);
        assert_eq!(bad, ["crates/sabir-types/Cargo.toml:2: `sabir-types` may not depend on `sabir-wire`"]);
        let store = found(
            edges,
            &[("crates/sabir-store/Cargo.toml", "[dev-dependencies]\nsabir-engine = { workspace = true }\n")],
        );
        assert_eq!(store, ["crates/sabir-store/Cargo.toml:2: `sabir-store` may not depend on `sabir-engine`"]);
    }

    #[test]
    fn bindings_see_the_sdk_only() {
        let path = "bindings/python/Cargo.toml";
        assert_eq!(found(edges, &[(path, "[dependencies]\nsabir = { workspace = true }\n")]), [""; 0]);
        let bad = found(edges, &[(path, "[dependencies]\nsabir-engine.workspace = true\n")]);
        assert_eq!(bad, ["bindings/python/Cargo.toml:2: `bindings/python` may not depend on `sabir-engine`"]);
    }

    #[test]
    fn a_new_crate_needs_a_row() {
        let bad = found(edges, &[("crates/sabir-new/Cargo.toml", "[dependencies]\n")]);
        assert_eq!(
            bad,
            ["crates/sabir-new/Cargo.toml:1: the crate `sabir-new` has no row in the table in tidy/crates.rs"]
        );
    }

    #[test]
    fn pure_crates_do_no_io() {
        let path = "crates/sabir-providers/Cargo.toml";
        assert_eq!(found(edges, &[(path, "[dev-dependencies]\ntokio.workspace = true\n")]), [""; 0]);
        let bad = found(edges, &[(path, "[dependencies]\ntokio.workspace = true\n")]);
        assert_eq!(
            bad,
            ["crates/sabir-providers/Cargo.toml:2: `sabir-providers` does no I/O: it may not depend on `tokio`"]
        );
    }

    #[test]
    fn the_lock_file_has_one_tls_stack() {
        let good = "[[package]]\nname = \"openssl-probe\"\n";
        assert_eq!(found(lock, &[("Cargo.lock", good)]), [""; 0]);
        let bad = found(lock, &[("Cargo.lock", "[[package]]\nname = \"native-tls\"\n")]);
        let expected =
            "Cargo.lock:2: `native-tls` is in the tree of dependencies: rustls is the only TLS stack".to_owned();
        assert_eq!(bad, [expected]);
    }
}
