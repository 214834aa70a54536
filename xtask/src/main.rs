//! The project's own chores: `cargo xtask ci`, `test`, `tidy`, `demo`, `bench`.
//!
//! Invariant: `.ci/run` and a developer's `cargo xtask ci` run the same steps; nothing of CI lives elsewhere.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal: what it prints is its result")]

mod ci;
mod clients;
mod demo;
mod http;
mod python;
mod shell;
mod tidy;

use std::{env, process::ExitCode};

use anyhow::Result;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  ci             everything that has to pass: fmt, clippy, tidy, docs, tests, client suites,
                 python package, deny
  test           the tests only: cargo test, the client suites, the python package
  clients        the client suites only
  python         build the python package, install it into an environment of its own, and test it
  tidy           the rules of docs/style.md that a program can check
  demo           build the gateway, start it, make a few calls through it, and leave it running
  bench [ARGS]   build the release binary and run `sabir bench ARGS`
  bench python [ARGS]
                 build the release binary and wheel and run `bindings/python/bench.py ARGS`";

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let command = args.next();
    let rest: Vec<String> = args.collect();
    let done = match (command.as_deref(), rest.is_empty()) {
        (Some("ci"), true) => ci::ci(),
        (Some("test"), true) => ci::test(),
        (Some("clients"), true) => clients::run(),
        (Some("python"), true) => python::run(),
        (Some("tidy"), true) => tidy::run(),
        (Some("demo"), true) => demo::run(),
        (Some("bench"), _) if rest.first().is_some_and(|what| what == "python") => python::bench(&rest[1..]),
        (Some("bench"), _) => bench(&rest),
        (Some("help" | "-h" | "--help"), _) => {
            println!("{USAGE}");
            Ok(())
        }
        (Some(command), true) => Err(anyhow::anyhow!("no command named `{command}`\n\n{USAGE}")),
        (Some(command), false) => Err(anyhow::anyhow!("`{command}` with arguments is not a command\n\n{USAGE}")),
        (None, _) => Err(anyhow::anyhow!("which command?\n\n{USAGE}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench(args: &[String]) -> Result<()> {
    shell::cargo(&["build", "--release", "-p", "sabir-server"]).run()?;
    shell::tool(shell::binary("release")?).arg("bench").args(args).run()
}
