//! The examples run, and say what the documents say that they say.
//!
//! Invariant: they run as a user runs them, in a process of their own and without a network.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{path::PathBuf, process::Command};

fn run(name: &str, arguments: &[&str]) -> String {
    // Cargo builds the examples for the tests, beside them.
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let path: PathBuf = path.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let output = Command::new(&path).args(arguments).output();
    let output = output.unwrap_or_else(|e| panic!("{}: {e}: build the examples with the tests", path.display()));
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}\n{errors}");
    said
}

#[test]
fn hello() {
    let said = run("hello", &[]);
    assert!(said.starts_with("Hello there (") && said.contains("piece: \"Hello \""), "{said}");
}

#[test]
fn chat() {
    let said = run("chat", &[]);
    let wanted = "user: What is the weather in Oslo?\nWhat is the weather in Oslo?\n\
                  user: And what did I ask before?\nAnd what did I ask before?\n4 messages\n";
    assert_eq!(said, wanted);
}

#[test]
fn many() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("results.jsonl");
    let said = run("many", &[file.to_str().unwrap()]);
    assert!(
        said.contains("3 of 3\n") && said.contains("0: Hello, my name is\n") && said.ends_with("2: Why?\n"),
        "{said}"
    );
    let kept = std::fs::read_to_string(&file).unwrap();
    run("many", &[file.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&file).unwrap().len(), kept.len());
}

#[test]
fn blocking() {
    let said = run("blocking", &[]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines[0], lines[2]), ("Hello there (0 tries again)", "|Hello |there||"));
    assert!(lines[3].starts_with('{'), "{said}");
}
