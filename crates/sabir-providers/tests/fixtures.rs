//! Recorded and documented exchanges with every provider, each as one named test.
//!
//! Invariant: `provider/case/request` asks whether we would have sent what the client sent,
//! `…/answer` and `…/stream@SIZE` whether we understand what came back (and can say it again to a
//! client), `…/error` whether we know what went wrong. The cases of this repository lie in
//! `fixtures/<provider>/<case>/`; more are read from `$SABIR_WIRE_CORPUS`, if it is set.
//! `UPDATE=1` writes what was understood into the `expect.json` of the repository's own cases.

#[path = "fixtures/answer.rs"]
mod answer;
#[path = "fixtures/case.rs"]
mod case;
#[path = "fixtures/converse.rs"]
mod converse;
#[path = "fixtures/corpus.rs"]
mod corpus;
#[path = "fixtures/door.rs"]
mod door;
#[path = "fixtures/registry.rs"]
mod registry;
#[path = "fixtures/request.rs"]
mod request;

use std::{fmt::Debug, path::PathBuf, sync::Arc};

use libtest_mimic::{Arguments, Conclusion, Failed, Trial};

use case::Case;
use sabir_types::Operation;

/// In what pieces a stream is fed; 0 stands for pieces of random sizes.
const SIZES: [usize; 6] = [1, 2, 3, 7, 64, 0];

fn main() {
    let args = Arguments::from_args();
    let mut trials = registry::trials();
    for case in case::own() {
        add(case, &mut trials);
    }
    let mut report = Vec::new();
    match variable("SABIR_WIRE_CORPUS") {
        Some(root) => {
            let root = PathBuf::from(root);
            let found = corpus::read(&root);
            trials.push(Trial::test("corpus/zhipu-token", move || corpus::token(&root)));
            for case in found.cases {
                add(case, &mut trials);
            }
            trials.push(Trial::test("corpus/every-case-is-accounted-for", move || match found.problems.as_slice() {
                [] => Ok(()),
                problems => Err(problems.join("\n").into()),
            }));
            report = found.uncovered;
        }
        None => trials
            .push(Trial::test("corpus/exchanges (SABIR_WIRE_CORPUS is not set)", || Ok(())).with_ignored_flag(true)),
    }
    let conclusion = libtest_mimic::run(&args, trials);
    if !args.list {
        tell(&conclusion, &report);
    }
    conclusion.exit();
}

#[expect(clippy::print_stdout, reason = "the report is for whoever runs the tests")]
fn tell(conclusion: &Conclusion, report: &[corpus::Uncovered]) {
    if !report.is_empty() {
        println!("{} tests ran; {} recorded cases are not covered here:", conclusion.num_passed, report.len());
        for one in report {
            println!("  {} ({})", one.case, one.why);
        }
    }
}

type Check = Box<dyn FnOnce(&Case) -> Result<(), Failed> + Send>;

/// The tests of a case: what it has files for.
fn add(case: Result<Case, String>, trials: &mut Vec<Trial>) {
    let case = match case {
        Ok(case) => Arc::new(case),
        Err(problem) => {
            let name = problem.split(':').next().unwrap_or_default().to_owned();
            return trials.push(Trial::test(name, move || Err(problem.into())));
        }
    };
    let kind = if case.own { "own" } else { "recorded" };
    let mut push = |name: String, check: Check| {
        let (full, case) = (format!("{}/{name}", case.name()), Arc::clone(&case));
        trials.push(Trial::test(full, move || check(&case)).with_kind(kind));
    };
    if case.has_request() && case.speaks_http() {
        push("request".into(), Box::new(request::check));
    }
    if case.has(case.answer_file()) || (case.has_request() && !case.speaks_http()) {
        push("answer".into(), Box::new(answer::whole));
    }
    if case.has(case.stream_file()) && case.operation != Operation::Chat {
        push("stream".into(), Box::new(answer::passing));
    } else if case.has(case.stream_file()) {
        for size in SIZES {
            let name = if size == 0 { "stream@random".to_owned() } else { format!("stream@{size}") };
            push(name, Box::new(move |case| answer::stream(case, size)));
        }
    }
    if case.has("error.json") {
        push("error".into(), Box::new(answer::failure));
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration; the corpus is not part of the repository")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Fails unless both are equal, and shows them.
fn same<T: PartialEq + Debug>(what: &str, got: &T, expected: &T) -> Result<(), Failed> {
    if got == expected { Ok(()) } else { Err(format!("{what}\n     got: {got:?}\nexpected: {expected:?}").into()) }
}
