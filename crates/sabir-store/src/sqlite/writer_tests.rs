//! The writer when it cannot write: a full disk, a full queue.

use bytes::Bytes;

use super::*;
use crate::conformance::plain;
use crate::sqlite::{connect, create, migrate};

struct Started {
    writer: Writer,
    readers: Readers,
    threads: Vec<JoinHandle<()>>,
    folder: tempfile::TempDir,
}

/// A writer on a file that may have only so many pages, as on a full disk; it has none of the
/// other settings of a real one.
fn start(pages: u32, wait: bool) -> Started {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    create(&path).unwrap();
    let mut connection = connect(&path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    migrate(&mut connection, &path).unwrap();
    connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    let (readers, mut threads) = Readers::start(&path, 1).unwrap();
    let (writer, thread) = Writer::start(connection, readers.clone(), wait).unwrap();
    threads.push(thread);
    Started { writer, readers, threads, folder }
}

impl Started {
    fn other(&self) -> Connection {
        Connection::open(self.folder.path().join("ledger.db")).unwrap()
    }

    fn end(self) {
        self.readers.close();
        self.writer.close();
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

fn entry(response: &Bytes) -> Entry {
    let mut record = plain("f");
    record.calls[0].raw_response = response.clone();
    Entry::Inference(Box::new(record))
}

#[tokio::test]
async fn a_full_disk_is_an_error_until_there_is_room() {
    let started = start(40, true);
    let response = Bytes::from(vec![b'x'; 8 << 10]);
    let mut written = 0;
    let error = loop {
        match started.writer.append(entry(&response)).wait().await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("full"), "{error}");
    assert!(written > 3, "{written}");
    assert!(started.writer.shared.failing.load(Ordering::Relaxed), "health tries again");
    // Of those that come together, the ones for which there is room are written.
    let large: Vec<_> = (0..3).map(|_| started.writer.append(entry(&response))).collect();
    for ack in large {
        assert!(ack.wait().await.is_err());
    }
    let other = started.other();
    let count = |what: &str| other.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get::<_, i64>(0));
    assert_eq!((count("inference"), count("model_call")), (Ok(written), Ok(written)), "nothing by halves");
    other.execute("DELETE FROM inference WHERE seq > 1", []).unwrap();
    assert_eq!(count("model_call"), Ok(1), "calls go with their inference");
    started.writer.append(entry(&response)).wait().await.unwrap();
    started.writer.health().await.unwrap();
    drop(other);
    started.end();
}

#[tokio::test]
async fn what_is_queued_is_bounded() {
    let started = start(1 << 30, false);
    let other = started.other();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The bodies share their memory: what counts is what they would take.
    let response = Bytes::from(vec![b'x'; 40 << 20]);
    let free = started.writer.append(entry(&response));
    assert!(free.0.is_none(), "a short queue: nobody waits");
    let slow: Vec<_> = (0..11).map(|_| started.writer.append(entry(&response))).collect();
    assert!(slow.iter().all(|ack| ack.0.is_some()), "a long queue: everybody waits");
    let refused = started.writer.append(entry(&response)).wait().await;
    assert!(matches!(refused, Err(StoreError::Full { bytes }) if bytes > 480 << 20), "{refused:?}");
    for ack in slow {
        assert!(matches!(ack.wait().await, Err(StoreError::Busy(_))));
    }
    assert!(matches!(started.writer.flush().await, Err(StoreError::Busy(_))), "the first is lost, and it is said");
    other.execute_batch("ROLLBACK").unwrap();
    started.writer.append(entry(&Bytes::new())).wait().await.unwrap();
    started.writer.flush().await.unwrap();
    // What was written last is taken off when the writer comes back for more.
    assert!(started.writer.shared.queue.lock().bytes < 10_000);
    drop(other);
    started.end();
}
