//! The SQLite ledger: what every ledger does, and what a file adds to it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod kill;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use sabir_store::conformance::plain;
use sabir_store::sqlite::Options;
use sabir_store::{Entry, InferenceQuery, Ledger, SqliteLedger, State, StoreError};

struct Opened {
    ledger: Arc<SqliteLedger>,
    folder: tempfile::TempDir,
}

impl Opened {
    fn new(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(&folder.path().join("deep/er/ledger.db"), options).unwrap();
        Self { ledger, folder }
    }

    fn ledger(&self) -> &dyn Ledger {
        &*self.ledger
    }

    fn state(&self) -> &dyn State {
        &*self.ledger
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("deep/er/ledger.db")
    }
}

fn plainly() -> Opened {
    Opened::new(Options::default())
}

mod conformance {
    sabir_store::ledger_conformance!(super::plainly());
    sabir_store::state_conformance!(super::plainly());
}

fn entry() -> Entry {
    Entry::Inference(Box::new(plain("f")))
}

fn everything() -> InferenceQuery {
    InferenceQuery { include_failed: true, ..InferenceQuery::default() }
}

#[tokio::test]
async fn a_closed_ledger_keeps_its_rows_in_one_private_file() {
    let opened = plainly();
    opened.ledger().append(entry()).wait().await.unwrap();
    assert_eq!(std::fs::metadata(opened.file()).unwrap().permissions().mode() & 0o777, 0o600);
    opened.ledger.close();
    let names: Vec<_> =
        std::fs::read_dir(opened.file().parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["ledger.db"], "the write-ahead log is emptied");
    for _ in 0..2 {
        let again = SqliteLedger::open(&opened.file(), Options::default()).unwrap();
        assert_eq!(again.inferences(everything()).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_closed_ledger_refuses() {
    let opened = plainly();
    opened.ledger.close();
    opened.ledger.close();
    assert!(matches!(opened.ledger().append(entry()).wait().await, Err(StoreError::Closed)));
    assert!(matches!(opened.ledger().flush().await, Err(StoreError::Closed)));
    assert!(matches!(opened.ledger().health().await, Err(StoreError::Closed)));
    assert!(matches!(opened.ledger().inferences(everything()).await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn those_who_do_not_wait_are_written_before_the_end() {
    for sync_to_disk in [false, true] {
        let opened = Opened::new(Options { sync_to_disk, wait: false });
        for _ in 0..1_000 {
            opened.ledger().append(entry()).wait().await.unwrap();
        }
        opened.ledger().flush().await.unwrap();
        assert_eq!(opened.ledger().inferences(everything()).await.unwrap().len(), 1_000);
        for _ in 0..1_000 {
            drop(opened.ledger().append(entry()));
        }
        opened.ledger.close();
        let again = SqliteLedger::open(&opened.file(), Options::default()).unwrap();
        assert_eq!(again.inferences(everything()).await.unwrap().len(), 2_000);
    }
}

#[tokio::test]
async fn an_entry_that_nobody_waited_for_is_not_lost_silently() {
    let opened = Opened::new(Options { sync_to_disk: false, wait: false });
    let twice = entry();
    opened.ledger().append(twice.clone()).wait().await.unwrap();
    opened.ledger().append(twice).wait().await.unwrap();
    opened.ledger().append(entry()).wait().await.unwrap();
    assert!(opened.ledger().flush().await.is_err(), "the flush says so");
    opened.ledger().flush().await.unwrap();
    assert_eq!(opened.ledger().inferences(everything()).await.unwrap().len(), 2);
    opened.ledger().health().await.unwrap();
}

#[tokio::test]
async fn a_file_of_a_newer_binary_is_refused_and_left_alone() {
    let opened = plainly();
    opened.ledger.close();
    let file = rusqlite::Connection::open(opened.file()).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    drop(file);
    let error = SqliteLedger::open(&opened.file(), Options::default()).unwrap_err();
    assert!(matches!(&error, StoreError::Newer { found: 99, .. }), "{error}");
    let file = rusqlite::Connection::open(opened.file()).unwrap();
    let version: i64 = file.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

#[test]
fn what_is_no_ledger_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let error = SqliteLedger::open(folder.path(), Options::default()).unwrap_err();
    assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is a text and no database at all, ".repeat(300)).unwrap();
    let error = SqliteLedger::open(&text, Options::default()).unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_an_error_that_passes() {
    let opened = plainly();
    opened.ledger().append(entry()).wait().await.unwrap();
    let other = rusqlite::Connection::open(opened.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let acks: Vec<_> = (0..5).map(|_| opened.ledger().append(entry())).collect();
    for ack in acks {
        assert!(matches!(ack.wait().await, Err(StoreError::Busy(_))));
    }
    assert!(matches!(opened.ledger().health().await, Err(StoreError::Busy(_))));
    assert_eq!(opened.ledger().inferences(everything()).await.unwrap().len(), 1, "it can be read meanwhile");
    other.execute_batch("ROLLBACK").unwrap();
    opened.ledger().health().await.unwrap();
    opened.ledger().append(entry()).wait().await.unwrap();
    assert_eq!(opened.ledger().inferences(everything()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn many_appenders_share_a_commit() {
    let opened = plainly();
    let appenders: Vec<_> = (0..64)
        .map(|_| {
            let ledger = opened.ledger.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    ledger.append(entry()).wait().await.unwrap();
                }
            })
        })
        .collect();
    for appender in appenders {
        appender.await.unwrap();
    }
    assert_eq!(opened.ledger().inferences(everything()).await.unwrap().len(), 640);
    // One commit for each entry would have written 4 pages at least for each.
    let other = rusqlite::Connection::open(opened.file()).unwrap();
    let pages: i64 = other.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1)).unwrap();
    assert!(pages < 640, "{pages} pages were written");
}

#[tokio::test]
async fn the_log_does_not_grow_for_ever() {
    let opened = plainly();
    let mut record = plain("f");
    record.calls[0].raw_response = bytes::Bytes::from(vec![b'x'; 1 << 20]);
    for _ in 0..120 {
        record.inference.id = sabir_types::new_id();
        opened.ledger().append(Entry::Inference(Box::new(record.clone()))).wait().await.unwrap();
    }
    let log = std::fs::metadata(opened.file().with_extension("db-wal")).unwrap().len();
    assert!(log < 100 << 20, "120 MB of rows leave a log of {} MB", log >> 20);
}

#[tokio::test]
async fn a_question_that_nobody_waits_for_ends() {
    let opened = plainly();
    let mut record = plain("f");
    record.calls[0].raw_response = bytes::Bytes::from(vec![b'x'; 64 << 10]);
    for _ in 0..200 {
        record.inference.id = sabir_types::new_id();
        drop(opened.ledger().append(Entry::Inference(Box::new(record.clone()))));
    }
    opened.ledger().flush().await.unwrap();
    // Each would look through 13 MB; there are more of them than threads that read.
    for _ in 0..500 {
        let query = InferenceQuery { search: Some("nowhere".into()), ..everything() };
        // Polled once, so that it is asked, and dropped.
        drop(tokio::time::timeout(std::time::Duration::ZERO, opened.ledger().inferences(query)).await);
    }
    let soon = std::time::Duration::from_secs(5);
    tokio::time::timeout(soon, opened.ledger().health()).await.unwrap().unwrap();
}
