//! The ledger in one SQLite file.
//!
//! Invariant: one thread writes, others read; what was acknowledged is in the write-ahead log, and
//! so survives the end of this process (with `sync_to_disk` also the machine's).

mod conversations;
mod files;
mod query;
mod reader;
mod row;
mod tasks;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use sabir_types::Uuid;

use self::reader::Readers;
use self::writer::Writer;
use crate::{Ack, Answer, Entry, FeedbackRow, InferenceQuery, Ledger, Record, State, StoreError, TargetKind};

/// The steps from an empty file to the tables of today. Steps are only added.
const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_ledger.sql"), include_str!("migrations/0002_state.sql")];
/// How long to wait for another process that writes to the file.
const BUSY: Duration = Duration::from_secs(1);
const READERS: usize = 2;

/// How safely to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Wait for the disk at each commit: rows survive a power cut, not only the end of the process.
    pub sync_to_disk: bool,
    /// Acknowledge an entry when it is committed rather than at once.
    pub wait: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { sync_to_disk: false, wait: true }
    }
}

/// The ledger in one SQLite file (and its `-wal` and `-shm` beside it).
pub struct SqliteLedger {
    writer: Writer,
    readers: Readers,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    writer: Option<JoinHandle<()>>,
    readers: Vec<JoinHandle<()>>,
}

impl SqliteLedger {
    /// Opens the file, makes it (for this user only) if it is not there, and brings its tables up to date.
    pub fn open(path: &Path, options: Options) -> Result<Arc<Self>, StoreError> {
        create(path).map_err(|e| StoreError::Open { file: path.display().to_string(), reason: e.to_string() })?;
        let mut connection = connect(path)?;
        connection.pragma_update(None, "page_size", PAGE as i64)?;
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            let reason = format!("its folder allows no write-ahead log (journal mode `{mode}`)");
            return Err(StoreError::Open { file: path.display().to_string(), reason });
        }
        migrate(&mut connection, path)?;
        let synchronous = if options.sync_to_disk { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        // The writer has its log copied when it likes.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        connection.pragma_update(None, "cache_size", -2_000)?;
        let (readers, reading) = Readers::start(path, READERS)?;
        let (writer, writing) = Writer::start(connection, readers.clone(), options.wait)?;
        let threads = Mutex::new(Threads { writer: Some(writing), readers: reading });
        Ok(Arc::new(Self { writer, readers, threads }))
    }

    /// Writes what is queued, answers what was asked and closes the file. Blocks until that is
    /// done; from then on entries are refused.
    pub fn close(&self) {
        let Threads { writer, readers } = std::mem::take(&mut *self.threads.lock());
        self.readers.close();
        self.writer.close();
        // The log can be emptied only when nobody reads it.
        for thread in readers.into_iter().chain(writer) {
            if thread.join().is_err() {
                tracing::error!("a thread of the ledger panicked");
            }
        }
    }
}

impl Drop for SqliteLedger {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for SqliteLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteLedger").finish_non_exhaustive()
    }
}

impl Ledger for SqliteLedger {
    fn append(&self, entry: Entry) -> Ack {
        self.writer.append(entry)
    }

    fn inferences(&self, query: InferenceQuery) -> Answer<'_, Vec<Record>> {
        self.readers.ask(move |connection| reader::inferences(connection, &query))
    }

    fn feedback(&self, targets: Vec<Uuid>) -> Answer<'_, Vec<FeedbackRow>> {
        self.readers.ask(move |connection| reader::feedback(connection, &targets))
    }

    fn exists(&self, kind: TargetKind, id: Uuid) -> Answer<'_, bool> {
        self.readers.ask(move |connection| reader::exists(connection, kind, id))
    }

    fn hide(&self, id: Uuid) -> Answer<'_, bool> {
        self.writer.change(SMALL, move |connection| {
            let text = "INSERT OR IGNORE INTO hidden (id, at) VALUES (?,?)";
            let is_new = connection.prepare_cached(text)?.execute(params![id.as_bytes(), now()])? > 0;
            Ok(is_new && reader::exists(connection, TargetKind::Inference, id)?)
        })
    }

    fn flush(&self) -> Answer<'_, ()> {
        Box::pin(self.writer.flush())
    }

    fn health(&self) -> Answer<'_, ()> {
        let reading = self.readers.ask(reader::health);
        Box::pin(async move {
            self.writer.health().await?;
            reading.await
        })
    }

    fn state(self: Arc<Self>) -> Option<Arc<dyn State>> {
        Some(self)
    }
}

impl State for SqliteLedger {
    fn sweep(&self, now: i64) -> Answer<'_, u64> {
        self.writer.change(SMALL, move |connection| {
            let tasks = connection.execute("DELETE FROM task WHERE expires <= ? AND state >= 2", [now])?;
            let files = connection.execute("DELETE FROM file WHERE expires <= ?", [now])?;
            let broken = "DELETE FROM file WHERE complete = 0 AND created <= ?";
            let broken = connection.execute(broken, [now.saturating_sub(UPLOAD_MS)])?;
            Ok((tasks + files + broken) as u64)
        })
    }
}

/// About what a change without a body takes in the queue.
const SMALL: usize = 256;
/// How far the keys of two rows' parts are from each other.
const PARTS: i64 = 1 << 24;
/// How long an upload may take.
const UPLOAD_MS: i64 = 24 * 3600 * 1000;

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Bodies are a few kilobytes: on small pages each would need a chain of overflow pages.
const PAGE: usize = 8_192;

fn create(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // SQLite gives the files beside it the same mode.
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|e| StoreError::Open { file: path.display().to_string(), reason: e.to_string() })?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    // The lock comes before the look: two processes may start at once.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(StoreError::Newer { file: path.display().to_string(), found, known });
    }
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}
