//! Rules about a Rust file as a whole: how it opens, and how long it is.
//!
//! Invariant: the list of exceptions only gets shorter; an entry that is no longer needed is a problem.

use super::{File, Problem, Tree};

/// The most lines of production code that a file may have.
const LIMIT: usize = 800;

/// Files that are longer, with the length that they may not exceed. Nothing is added here.
const EXCEPTIONS: &[(&str, usize)] = &[];

/// Every Rust file opens with `//!`.
pub(super) fn opening(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        if !file.text.starts_with("//!") {
            problems.push(file.problem(1, "the file does not open with `//!`: what it is, and the invariant it keeps"));
        }
    }
}

/// No Rust file is too long.
pub(super) fn length(tree: &Tree, problems: &mut Vec<Problem>) {
    lengths(tree, EXCEPTIONS, problems);
}

fn lengths(tree: &Tree, exceptions: &[(&str, usize)], problems: &mut Vec<Problem>) {
    for file in tree.files.iter().filter(|file| file.is_rust() && !is_test(&file.path)) {
        let lines = production(file);
        let exception = exceptions.iter().find(|(path, _)| *path == file.path);
        match exception {
            None if lines > LIMIT => {
                let message = format!("{lines} lines of production code: {LIMIT} are the limit, split the file");
                problems.push(file.problem(LIMIT + 1, message));
            }
            Some(_) if lines <= LIMIT => {
                problems.push(file.problem(1, "the file is short enough now: take it off the list in tidy/files.rs"));
            }
            Some((_, ceiling)) if lines > *ceiling => {
                problems.push(file.problem(ceiling + 1, format!("{lines} lines: this exception may not grow")));
            }
            _ => {}
        }
    }
    for (path, _) in exceptions.iter().filter(|(path, _)| tree.file(path).is_none()) {
        let message = "the file is gone: take it off the list in tidy/files.rs".to_owned();
        problems.push(Problem { path: (*path).to_owned(), line: 1, message });
    }
}

fn is_test(path: &str) -> bool {
    path.ends_with("_tests.rs") || path.ends_with("/tests.rs") || path.split('/').any(|part| part == "tests")
}

/// The lines before the module with the tests.
fn production(file: &File) -> usize {
    let lines: Vec<_> = file.text.lines().collect();
    let opens = |pair: &[&str]| {
        pair[0] == "#[cfg(test)]" && pair[1].split_whitespace().any(|word| word == "mod") && pair[1].ends_with('{')
    };
    lines.windows(2).position(opens).unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::{found, tree};

    #[test]
    fn a_file_opens_with_its_purpose() {
        assert_eq!(found(opening, &[("a.rs", "//! What it is.\n"), ("a.py", "import os\n")]), [""; 0]);
        let bad = found(opening, &[("a.rs", "use std::fs;\n//! Too late.\n")]);
        assert_eq!(bad, ["a.rs:1: the file does not open with `//!`: what it is, and the invariant it keeps"]);
    }

    #[test]
    fn only_production_code_counts() {
        let tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "x\n".repeat(800), "y\n".repeat(900));
        let long = "x\n".repeat(801);
        assert_eq!(found(length, &[("a.rs", &tests), ("b_tests.rs", &long), ("tests/c.rs", &long)]), [""; 0]);
        assert_eq!(
            found(length, &[("a.rs", &long)]),
            ["a.rs:801: 801 lines of production code: 800 are the limit, split the file"]
        );
    }

    #[test]
    fn an_exception_may_only_shrink() {
        let check = |lines: usize, ceiling| {
            let mut problems = Vec::new();
            lengths(&tree(&[("a.rs", &"x\n".repeat(lines))]), &[("a.rs", ceiling)], &mut problems);
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(check(900, 900), [""; 0]);
        assert_eq!(check(901, 900), ["a.rs:901: 901 lines: this exception may not grow"]);
        assert_eq!(check(700, 900), ["a.rs:1: the file is short enough now: take it off the list in tidy/files.rs"]);
        let mut problems = Vec::new();
        lengths(&tree(&[]), &[("a.rs", 900)], &mut problems);
        assert_eq!(problems[0].message, "the file is gone: take it off the list in tidy/files.rs");
    }
}
