//! Appends as fast as it can and prints the id of each entry that was acknowledged, until it is
//! killed: `ledger_victim FILE`. The test that a killed process loses nothing starts it.
//!
//! Invariant: an id is printed only after its acknowledgement.

use std::io::Write;
use std::path::PathBuf;

use bytes::Bytes;
use sabir_store::conformance::{feedback, plain};
use sabir_store::sqlite::Options;
use sabir_store::{Entry, FeedbackKind, Ledger, SqliteLedger, StoreError};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).map(PathBuf::from).ok_or("usage: ledger_victim FILE")?;
    let ledger = SqliteLedger::open(&file, Options::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let tasks = tokio::task::LocalSet::new();
    for appender in 0..32 {
        let ledger = ledger.clone();
        tasks.spawn_local(async move {
            if let Err(error) = append(&*ledger, appender).await {
                // The test sees that this process ended by itself.
                say(&format!("failed {error}"));
                std::process::exit(1);
            }
        });
    }
    runtime.block_on(tasks);
    Ok(())
}

async fn append(ledger: &dyn Ledger, appender: usize) -> Result<(), StoreError> {
    loop {
        let mut record = plain("victim");
        // From a part of a page to many pages.
        record.calls[0].raw_response = Bytes::from("x".repeat(100 << (appender % 7)));
        let id = record.inference.id;
        ledger.append(Entry::Inference(Box::new(record))).wait().await?;
        say(&format!("inference {}", id.simple()));
        let row = feedback(id, "score", FeedbackKind::Float(0.5));
        let id = row.id;
        ledger.append(Entry::Feedback(Box::new(row))).wait().await?;
        say(&format!("feedback {}", id.simple()));
    }
}

/// One write per line, so that a kill cannot keep back half of what was acknowledged.
fn say(line: &str) {
    if std::io::stdout().lock().write_all(format!("{line}\n").as_bytes()).is_err() {
        std::process::exit(2);
    }
}
