//! `cargo xtask tidy`: the rules of `docs/style.md` that a program can check.
//!
//! Invariant: a rule is a pure function over a [`Tree`]; everything it finds has a file and a line.

mod crates;
mod files;
mod providers;
mod text;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::shell::{root, tool};

/// One file of the repository.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path from the root, with forward slashes.
    pub(crate) path: String,
    /// What is in it; bytes that are not UTF-8 are replaced.
    pub(crate) text: String,
}

/// The files that are checked: those that git tracks, or will once they are added.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

impl File {
    /// A problem at a line, counted from one.
    pub(crate) fn problem(&self, line: usize, message: impl Into<String>) -> Problem {
        Problem { path: self.path.clone(), line, message: message.into() }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// The lines with their numbers, counted from one.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

impl Tree {
    /// The file at a path.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    fn read(root: &Path) -> Result<Self> {
        let paths = match tracked() {
            Some(paths) => paths,
            None => {
                let mut paths = Vec::new();
                walk(root, Path::new(""), &mut paths)?;
                paths
            }
        };
        let mut files = Vec::new();
        for path in paths {
            // A file that git still lists may have been deleted, or be a link to a folder.
            if let Ok(bytes) = fs::read(root.join(&path)) {
                files.push(File { path, text: String::from_utf8_lossy(&bytes).into_owned() });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        if files.is_empty() {
            bail!("no files found in {}", root.display());
        }
        Ok(Self { files })
    }
}

/// Checks the tree and prints every problem.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::read(&root()?)?;
    let problems = check(&tree);
    for problem in &problems {
        println!("{problem}");
    }
    match problems.len() {
        0 => {
            println!("{} files are tidy", tree.files.len());
            Ok(())
        }
        1 => bail!("tidy: 1 problem"),
        n => bail!("tidy: {n} problems"),
    }
}

/// Everything in the tree that breaks a rule.
pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let rules = [
        files::opening,
        files::length,
        crates::edges,
        crates::lock,
        providers::registry,
        text::keys,
        text::hosts,
        text::reminders,
        text::paths,
    ];
    for rule in rules {
        rule(tree, &mut problems);
    }
    problems.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    problems
}

fn tracked() -> Option<Vec<String>> {
    let listed = tool("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).output().ok()?;
    let paths = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    let paths: Vec<_> = paths.map(|path| String::from_utf8_lossy(path).into_owned()).collect();
    (!paths.is_empty()).then_some(paths)
}

/// What git would list, for a tree that was unpacked from an archive.
fn walk(root: &Path, folder: &Path, paths: &mut Vec<String>) -> Result<()> {
    const SKIPPED: [&str; 6] = ["target", ".git", ".venv", "node_modules", "__pycache__", ".sabir"];
    let here = root.join(folder);
    for entry in fs::read_dir(&here).with_context(|| format!("{} is unreadable", here.display()))? {
        let entry = entry.with_context(|| format!("{} is unreadable", here.display()))?;
        let name = entry.file_name();
        if SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        let path: PathBuf = folder.join(&name);
        let kind = entry.file_type().with_context(|| format!("{} is unreadable", path.display()))?;
        if kind.is_dir() {
            walk(root, &path, paths)?;
        } else {
            paths.push(path.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A tree of paths and texts.
    pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        Tree { files: files.iter().map(file).collect() }
    }

    /// What one rule says about a tree.
    pub(crate) fn found(rule: fn(&Tree, &mut Vec<Problem>), files: &[(&str, &str)]) -> Vec<String> {
        let mut problems = Vec::new();
        rule(&tree(files), &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn problems_are_sorted_by_place() {
        let problems = check(&tree(&[("b.rs", "fn b() {}\n"), ("a.rs", "fn a() {}\n")]));
        let places: Vec<_> = problems.iter().map(|problem| (&*problem.path, problem.line)).collect();
        assert_eq!(places, [("a.rs", 1), ("b.rs", 1)]);
    }

    #[test]
    fn a_tree_without_git_is_walked_past_what_is_built() {
        let root = std::env::temp_dir().join(format!("sabir-tidy-{}", std::process::id()));
        for (path, text) in [("src/a.rs", "a"), ("target/b.rs", "b"), ("c.md", "c")] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        let mut paths = Vec::new();
        walk(&root, Path::new(""), &mut paths).unwrap();
        paths.sort();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(paths, ["c.md", "src/a.rs"]);
    }

    #[test]
    fn the_tree_is_this_repository() {
        let tree = Tree::read(&root().unwrap()).unwrap();
        assert!(tree.file("xtask/src/tidy/mod.rs").is_some_and(|file| file.text.starts_with("//! `cargo xtask tidy`")));
    }
}
