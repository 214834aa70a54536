//! Rules about providers: an id is its file name.
//!
//! Invariant: the files in the folder and the lines of the registry are the same set.

use std::collections::BTreeMap;

use super::{File, Problem, Tree};

const FOLDER: &str = "crates/sabir-providers/src/providers/";

/// Each provider's file is in the registry, and names the id that the file's name says.
pub(super) fn registry(tree: &Tree, problems: &mut Vec<Problem>) {
    let Some(registry) = tree.file(&format!("{FOLDER}mod.rs")) else { return };
    // A provider is a file, or a folder with its parts.
    let mut providers: BTreeMap<&str, Vec<&File>> = BTreeMap::new();
    for file in &tree.files {
        let Some(name) = file.path.strip_prefix(FOLDER).filter(|_| file.is_rust()) else { continue };
        if name == "mod.rs" || name.ends_with("_tests.rs") {
            continue;
        }
        let name = name.split_once('/').map_or(name.trim_end_matches(".rs"), |(folder, _)| folder);
        providers.entry(name).or_default().push(file);
    }
    for (name, files) in &providers {
        let first = files[0];
        if !registry.lines().any(|(_, line)| words(line).any(|word| word == *name)) {
            problems.push(first.problem(1, format!("the provider `{name}` is not in providers/mod.rs")));
        }
        let ids: Vec<_> = files.iter().flat_map(|file| ids(file)).collect();
        if ids.is_empty() {
            problems.push(first.problem(1, format!("the provider `{name}` has no `id: \"{name}\"`")));
        } else if !ids.iter().any(|(_, _, id)| id == name) {
            let (file, line, id) = ids[0];
            problems.push(file.problem(line, format!("the id `{id}` is not the file's name `{name}`")));
        }
    }
    for (line, text) in registry.lines() {
        let module = text.trim().trim_start_matches("pub ").strip_prefix("mod ").and_then(|m| m.strip_suffix(';'));
        if let Some(module) = module
            && !providers.contains_key(module)
            && !module.ends_with("tests")
        {
            problems.push(registry.problem(line, format!("there is no file for the provider `{module}`")));
        }
    }
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    let line = line.split("//").next().unwrap_or(line);
    line.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

/// The ids that a file gives outside of its tests.
fn ids(file: &File) -> Vec<(&File, usize, &str)> {
    let production = file.lines().take_while(|(_, line)| *line != "#[cfg(test)]");
    let id = |line: &str| -> Option<(usize, usize)> {
        let start = line.find("id: \"")?;
        // Not `call_id: "…"`.
        let whole = !line[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let start = start + "id: \"".len();
        let end = start + line[start..].find('"')?;
        whole.then_some((start, end))
    };
    production.filter_map(|(number, line)| id(line).map(|(start, end)| (file, number, &line[start..end]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::found;

    fn check(registry_text: &str, files: &[(&str, &str)]) -> Vec<String> {
        let paths: Vec<_> = files.iter().map(|(name, text)| (format!("{FOLDER}{name}"), *text)).collect();
        let registry_path = format!("{FOLDER}mod.rs");
        let mut all = vec![(&*registry_path, registry_text)];
        all.extend(paths.iter().map(|(path, text)| (&**path, *text)));
        found(registry, &all).into_iter().map(|problem| problem.replace(FOLDER, "")).collect()
    }

    const ACME: &str = "static ACME: Spec = Spec {\n    id: \"acme\",\n};\n";

    #[test]
    fn a_file_with_its_line_and_its_id_is_fine() {
        assert_eq!(check("mod acme;\n", &[("acme.rs", ACME), ("acme_tests.rs", "")]), [""; 0]);
        assert_eq!(check("mod acme;\n", &[("acme/mod.rs", "mod spec;\n"), ("acme/spec.rs", ACME)]), [""; 0]);
        assert_eq!(check("providers! { acme }\n", &[("acme.rs", ACME)]), [""; 0]);
    }

    #[test]
    fn a_file_that_is_not_registered_is_found() {
        assert_eq!(
            check("// acme\nmod acme_two;\n", &[("acme.rs", ACME), ("acme_two.rs", "id: \"acme_two\"\n")]),
            ["acme.rs:1: the provider `acme` is not in providers/mod.rs"]
        );
    }

    #[test]
    fn a_line_without_a_file_is_found() {
        assert_eq!(
            check("mod acme;\npub mod gone;\n", &[("acme.rs", ACME)]),
            ["mod.rs:2: there is no file for the provider `gone`"]
        );
    }

    #[test]
    fn an_id_that_differs_from_the_file_is_found() {
        let other = "call_id: \"acme\"\nid: \"other\"\n#[cfg(test)]\nid: \"acme\"\n";
        assert_eq!(
            check("mod acme;\n", &[("acme.rs", other)]),
            ["acme.rs:2: the id `other` is not the file's name `acme`"]
        );
        assert_eq!(
            check("mod acme;\n", &[("acme.rs", "//! Empty.\n")]),
            ["acme.rs:1: the provider `acme` has no `id: \"acme\"`"]
        );
    }
}
