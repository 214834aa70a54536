//! A process that is killed under load loses nothing that was acknowledged, and leaves no half rows.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sabir_store::sqlite::Options;
use sabir_store::{Ledger, SqliteLedger};

/// Cargo builds the examples with the tests, beside them.
fn victim() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples/ledger_victim")
}

/// Runs the victim for that long after its first acknowledgement, kills it and returns what it had printed.
fn run_and_kill(file: &Path, time: Duration) -> Vec<String> {
    let victim = victim();
    assert!(victim.exists(), "{} is missing: `cargo test -p sabir-store` without `--test` builds it", victim.display());
    let mut child = Command::new(victim).arg(file).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    let reader = std::thread::spawn(move || lines.lines().map_while(Result::ok).collect::<Vec<_>>());
    std::thread::sleep(time);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    let mut printed = reader.join().unwrap();
    printed.insert(0, first.trim_end().to_owned());
    assert_eq!(status.code(), None, "it ended by itself: {:?}", printed.last());
    printed
}

fn ids(connection: &rusqlite::Connection, table: &str) -> HashSet<String> {
    let mut statement = connection.prepare(&format!("SELECT lower(hex(id)) FROM {table}")).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    let mut total = 0;
    for round in 0..12 {
        // Each file is killed three times: also a file that was recovered must hold.
        let file = folder.path().join(format!("{}.db", round / 3));
        if round % 3 == 0 {
            total += acknowledged.len();
            acknowledged.clear();
        }
        // Different moments: in the middle of a batch, of a checkpoint, right after the start.
        let jitter = u64::from(sabir_types::new_id().as_bytes()[15]);
        acknowledged.extend(run_and_kill(&file, Duration::from_millis(round % 3 * 50 + jitter / 4)));
        let ledger = SqliteLedger::open(&file, Options::default()).unwrap();
        ledger.health().await.unwrap();
        ledger.close();
        let connection = rusqlite::Connection::open(&file).unwrap();
        let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok", "round {round}");
        let (inferences, feedback) = (ids(&connection, "inference"), ids(&connection, "feedback"));
        for line in &acknowledged {
            let (kind, id) = line.split_once(' ').unwrap();
            let there = if kind == "inference" { &inferences } else { &feedback };
            assert!(there.contains(id), "round {round}: {line} was acknowledged and is gone");
        }
        let torn: i64 = connection
            .query_row(
                "SELECT (SELECT count(*) FROM inference) - (SELECT count(*) FROM model_call c \
                 WHERE EXISTS (SELECT 1 FROM inference i WHERE i.seq * 65536 = c.key))",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(torn, 0, "round {round}: an inference without its model call, or the reverse");
    }
    total += acknowledged.len();
    assert!(total > 1_000, "only {total} were acknowledged");
}
