//! `cargo xtask ci` and `cargo xtask test`: the steps, one after another, with a table at the end.
//!
//! Invariant: the first failure ends the run, and the table says of each step what became of it;
//! a step that was not run never reads as passed.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{
    clients, python,
    shell::{cargo, tool},
    tidy,
};

/// What became of a step that did not fail.
#[derive(Debug)]
enum Ran {
    Passed,
    NotRun(String),
}

type Step = (&'static str, fn() -> Result<Ran>);

/// Everything that has to pass.
pub(crate) fn ci() -> Result<()> {
    run(&[
        ("fmt", || passed(cargo(&["fmt", "--all", "--check"]).run())),
        ("clippy", || passed(cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).run())),
        ("tidy", || passed(tidy::run())),
        ("docs", || passed(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").run())),
        ("tests", || passed(cargo(&["test", "--workspace"]).run())),
        ("client suites", || passed(clients::run())),
        ("python package", || passed(python::run())),
        ("deny", deny),
    ])
}

/// The tests only.
pub(crate) fn test() -> Result<()> {
    run(&[
        ("tests", || passed(cargo(&["test", "--workspace"]).run())),
        ("client suites", || passed(clients::run())),
        ("python package", || passed(python::run())),
    ])
}

fn passed(result: Result<()>) -> Result<Ran> {
    result.map(|()| Ran::Passed)
}

fn deny() -> Result<Ran> {
    if !tool("cargo-deny").arg("--version").works() {
        return Ok(Ran::NotRun("cargo-deny is not installed".to_owned()));
    }
    // Advisories are fetched from elsewhere, and not every machine may: `cargo deny check advisories`.
    passed(cargo(&["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]).run())
}

fn run(steps: &[Step]) -> Result<()> {
    let mut table = Vec::new();
    let mut failure = None;
    for (index, (name, step)) in steps.iter().enumerate() {
        if failure.is_some() {
            table.push(row(name, "not run: an earlier step failed", None));
            continue;
        }
        println!("\n== [{}/{}] {name}", index + 1, steps.len());
        let start = Instant::now();
        let result = step();
        let took = start.elapsed();
        println!("== {name}: {:.1} s", took.as_secs_f64());
        match result {
            Ok(Ran::Passed) => table.push(row(name, "passed", Some(took))),
            Ok(Ran::NotRun(why)) => {
                println!("{why}: not run");
                table.push(row(name, &format!("not run: {why}"), None));
            }
            Err(error) => {
                table.push(row(name, "FAILED", Some(took)));
                failure = Some((*name, error));
            }
        }
    }
    println!("\n{}", table.join("\n"));
    match failure {
        Some((name, error)) => bail!("the step `{name}` failed: {error:#}"),
        None => Ok(()),
    }
}

fn row(name: &str, what: &str, took: Option<Duration>) -> String {
    let took = took.map(|took| format!("{:.1} s", took.as_secs_f64())).unwrap_or_default();
    format!("{name:<16} {took:>9}  {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_ends_the_run_and_is_named() {
        let steps: [Step; 3] = [
            ("one", || Ok(Ran::Passed)),
            ("two", || bail!("it broke")),
            ("three", || panic!("a step after a failure must not run")),
        ];
        assert_eq!(run(&steps).unwrap_err().to_string(), "the step `two` failed: it broke");
    }

    #[test]
    fn a_step_that_was_not_run_does_not_fail() {
        run(&[("one", || Ok(Ran::NotRun("the tool is not installed".to_owned())))]).unwrap();
    }

    #[test]
    fn a_row_says_the_name_the_time_and_the_result() {
        assert_eq!(row("fmt", "passed", Some(Duration::from_millis(1250))), "fmt                  1.2 s  passed");
    }
}
