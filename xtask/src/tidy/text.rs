//! Rules about words: no keys, no registries' hosts, no reminders, no paths outside of the repository.
//!
//! Invariant: the words that are looked for are never spelled out here, or this file would break its own rules.

use super::{Problem, Tree};

/// Whether a character can be a part of a key.
type Part = fn(char) -> bool;

/// What keys start with, which characters follow, and at least how many of them.
const KEYS: &[(&str, Part, usize)] = &[
    (concat!("sk", "-"), |c| c.is_ascii_alphanumeric() || c == '-' || c == '_', 20),
    (concat!("AK", "IA"), |c| c.is_ascii_uppercase() || c.is_ascii_digit(), 16),
    (concat!("AI", "za"), |c| c.is_ascii_alphanumeric() || c == '-' || c == '_', 30),
    (concat!("gh", "p_"), |c| c.is_ascii_alphanumeric(), 30),
    (concat!("gs", "k_"), |c| c.is_ascii_alphanumeric(), 30),
    (concat!("h", "f_"), |c| c.is_ascii_alphanumeric(), 30),
    (concat!("xa", "i-"), |c| c.is_ascii_alphanumeric(), 30),
];

const HOSTS: &[&str] = &[concat!("crates", ".io"), concat!("pypi", ".org"), concat!("npm", "js")];

const REMINDERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// Folders of somebody's machine.
const ELSEWHERE: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// The one thing outside of the repository that a document may name: the optional corpus.
const CORPUS: &str = "../shared/wire";

/// Nothing is shaped like a key.
pub(super) fn keys(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in &tree.files {
        for (number, line) in file.lines() {
            if let Some(prefix) = key(line) {
                // The key itself stays out of the log.
                problems.push(file.problem(number, format!("this looks like a key: `{prefix}…`")));
            }
        }
    }
}

/// No file names the host of a package registry; the lock file has to.
pub(super) fn hosts(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in tree.files.iter().filter(|file| !file.path.ends_with("Cargo.lock")) {
        for (number, line) in file.lines() {
            if let Some(host) = HOSTS.iter().find(|host| line.contains(**host)) {
                problems.push(file.problem(number, format!("names the package registry `{host}`")));
            }
        }
    }
}

/// Nothing is left for later.
pub(super) fn reminders(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in tree.files.iter().filter(|file| !file.path.ends_with("Cargo.lock")) {
        for (number, line) in file.lines() {
            if let Some(word) = REMINDERS.iter().find(|word| has_word(line, word)) {
                problems.push(file.problem(number, format!("`{word}`: do it or drop it")));
            }
        }
    }
}

/// Documents and comments name nothing outside of the repository.
pub(super) fn paths(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in tree.files.iter().filter(|file| file.is_markdown() || file.is_rust()) {
        let depth = file.path.matches('/').count();
        for (number, line) in file.lines() {
            // In code, a path may be an example's; what counts is what is written for people.
            let words = if file.is_rust() { line.split_once("//").map_or("", |(_, comment)| comment) } else { line };
            if let Some(folder) = ELSEWHERE.iter().find(|folder| starts_path(words, folder)) {
                problems.push(file.problem(number, format!("names a folder outside of the repository: `{folder}`")));
            }
            if file.is_markdown() && climbs_out(line, depth) {
                problems.push(file.problem(number, "names a path outside of the repository"));
            }
        }
    }
}

/// The prefix of the first thing on the line that is shaped like a key.
fn key(line: &str) -> Option<&'static str> {
    for (prefix, part, least) in KEYS {
        for (start, _) in line.match_indices(prefix) {
            // `task-…` is not a key.
            if line[..start].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
                continue;
            }
            let rest = &line[start + prefix.len()..];
            let rest = &rest[..rest.find(|c| !part(c)).unwrap_or(rest.len())];
            let mixed = rest.contains(|c: char| c.is_ascii_digit()) && rest.contains(|c: char| c.is_ascii_alphabetic());
            // AWS's documentation marks the keys that it made up.
            if rest.len() >= *least && mixed && !rest.ends_with("EXAMPLE") {
                return Some(prefix);
            }
        }
    }
    None
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let letter = |c: char| c.is_alphanumeric() || c == '_';
        !line[..start].ends_with(letter) && !line[start + word.len()..].starts_with(letter)
    })
}

/// Whether the folder is there as the start of a path, not as a part of an address.
fn starts_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(start, _)| {
        !line[..start].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '/' | '*'))
    })
}

/// Whether a relative path on the line leaves the repository, seen from a file at that depth.
fn climbs_out(line: &str, depth: usize) -> bool {
    let mut rest = line;
    while let Some(start) = rest.find("../") {
        let path = &rest[start..];
        let ups = path.as_bytes().chunks(3).take_while(|part| *part == b"../").count();
        let inside = rest[..start].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '.'));
        if ups > depth && !inside && !path.starts_with(CORPUS) {
            return true;
        }
        rest = &path[3 * ups..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::found;

    #[test]
    fn keys_are_found_and_not_repeated() {
        for (prefix, part, least) in KEYS {
            let body: String = "A1B2C3D4E5".chars().filter(|c| part(*c)).cycle().take(*least).collect();
            let problems = found(keys, &[("a.json", &format!("{{}}\n\"{prefix}{body}\"\n"))]);
            assert_eq!(problems, [format!("a.json:2: this looks like a key: `{prefix}…`")]);
            let short: String = body.chars().take(least - 1).collect();
            assert_eq!(found(keys, &[("a.json", &format!("\"{prefix}{short}\""))]), [""; 0]);
            assert_eq!(found(keys, &[("a.json", &format!("\"di{prefix}{body}\""))]), [""; 0]);
        }
    }

    #[test]
    fn placeholders_are_not_keys() {
        let slug = concat!("sk", "-", "and-then-some-more-words-of-prose");
        let example = concat!("AK", "IA", "IOSFODNN7EXAMPLE");
        assert_eq!(found(keys, &[("a.md", slug), ("b.md", example), ("c.md", "sk-test, sk-…")]), [""; 0]);
    }

    #[test]
    fn registries_are_named_in_the_lock_file_only() {
        let index = format!("source = \"https://github.com/rust-lang/{}-index\"", HOSTS[0]);
        assert_eq!(found(hosts, &[("Cargo.lock", &index), ("a.md", "see docs.rs/bytes")]), [""; 0]);
        for host in HOSTS {
            let problems = found(hosts, &[("a.md", &format!("\nhttps://{host}/x"))]);
            assert_eq!(problems, [format!("a.md:2: names the package registry `{host}`")]);
        }
    }

    #[test]
    fn reminders_are_whole_words() {
        for word in REMINDERS {
            let problems = found(reminders, &[("a.rs", &format!("// {word}: later"))]);
            assert_eq!(problems, [format!("a.rs:1: `{word}`: do it or drop it")]);
            assert_eq!(found(reminders, &[("a.rs", &format!("// MAS{word}N, {word}_LIST"))]), [""; 0]);
        }
    }

    #[test]
    fn folders_of_a_machine_are_found() {
        for folder in ELSEWHERE {
            let problems = found(paths, &[("docs/a.md", &format!("see `{folder}notes`"))]);
            assert_eq!(problems, [format!("docs/a.md:1: names a folder outside of the repository: `{folder}`")]);
            let address = format!("https://acme.example{folder}x and a{folder}x");
            assert_eq!(found(paths, &[("docs/a.md", &address)]), [""; 0]);
        }
    }

    #[test]
    fn only_the_corpus_may_be_outside() {
        let good = "[a](../README.md), ../crates/x and `../shared/wire/openai`, crates/../docs";
        assert_eq!(found(paths, &[("docs/a.md", good)]), [""; 0]);
        assert_eq!(found(paths, &[("README.md", "SABIR_WIRE_CORPUS=../shared/wire")]), [""; 0]);
        for bad in ["see ../shared/design", "[x](../../notes.md)"] {
            assert_eq!(
                found(paths, &[("docs/a.md", bad), ("README.md", bad)]).last().map(String::as_str),
                Some("README.md:1: names a path outside of the repository")
            );
        }
        let deep = found(paths, &[("docs/a.md", "[x](../../notes.md)")]);
        assert_eq!(deep, ["docs/a.md:1: names a path outside of the repository"]);
    }
}
