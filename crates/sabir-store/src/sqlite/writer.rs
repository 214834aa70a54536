//! Writing: one thread that commits everything that waits in one transaction, then acknowledges it.
//!
//! Invariant: an entry is acknowledged with `Ok` only after its transaction is committed; an entry
//! that cannot be written does not take others with it; what is queued is bounded in bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::reader::{self, Readers};
use super::row::Statements;
use crate::{Ack, Answer, Entry, FeedbackKind, StoreError};

/// Above this, also those who would not wait for the disk are made to.
const SLOW_BYTES: usize = 64 << 20;
/// Above this, entries are refused.
const FULL_BYTES: usize = 512 << 20;
/// One transaction takes no more than this many entries, so that the first need not wait for the last.
const BATCH: usize = 256;
/// A commit costs as much as writing several entries, so while entries come one upon the other
/// the writer waits for this long to commit more of them at once. A lone entry never waits.
const GATHER: Duration = Duration::from_micros(300);
/// That many are company enough.
const COMPANY: usize = 8;
/// The pages in the write-ahead log at which it is copied into the database.
const CHECKPOINT_PAGES: usize = 4_000;
/// How many times that the log may grow before the writer copies it by itself.
const CHECKPOINT_SELF: usize = 4;

type Reply = oneshot::Sender<Result<(), StoreError>>;

/// What the writer is asked to do, and who waits for it.
struct Item {
    task: Task,
    reply: Option<Reply>,
}

enum Task {
    Write(Entry),
    /// Answer when everything before is committed.
    Flush,
    /// Try to write and answer how it went.
    Probe,
    /// Something else than an entry, in a transaction of its own, and about how much memory it
    /// holds. Gone once it is done.
    Change(Option<Change>, usize),
}

/// A change of rows that are not the ledger's.
type Change = Box<dyn FnOnce(&Connection) -> Result<(), StoreError> + Send>;

impl Item {
    fn entry(&self) -> Option<&Entry> {
        match &self.task {
            Task::Write(entry) => Some(entry),
            Task::Flush | Task::Probe | Task::Change(..) => None,
        }
    }

    fn size(&self) -> usize {
        match &self.task {
            Task::Change(_, size) => *size,
            _ => self.entry().map_or(0, size),
        }
    }
}

/// About how much memory an entry holds.
fn size(entry: &Entry) -> usize {
    const FIXED: usize = 512;
    match entry {
        Entry::Inference(record) => {
            let row = &record.inference;
            let own = row.input.as_ref().map_or(0, bytes::Bytes::len) + row.output.as_ref().map_or(0, String::len);
            let calls = record.calls.iter().map(|call| call.raw_request.len() + call.raw_response.len() + FIXED);
            own + calls.sum::<usize>() + FIXED
        }
        Entry::Feedback(row) => match &row.value {
            FeedbackKind::Comment(text) | FeedbackKind::Demonstration(text) => text.len() + FIXED,
            FeedbackKind::Boolean(_) | FeedbackKind::Float(_) => FIXED,
        },
    }
}

#[derive(Default)]
struct Queue {
    items: Vec<Item>,
    /// The size of what is queued or being written.
    bytes: usize,
    /// The writer sleeps until that many items are queued; 0 while it is awake.
    wake_at: usize,
    closed: bool,
}

impl Queue {
    /// Why something of that size is not taken.
    fn refusal(&self, bytes: usize) -> Option<StoreError> {
        if self.closed {
            Some(StoreError::Closed)
        } else if self.bytes + bytes > FULL_BYTES && self.bytes > 0 {
            Some(StoreError::Full { bytes: self.bytes })
        } else {
            None
        }
    }
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
    /// The last write failed.
    failing: AtomicBool,
    /// A reading thread has copied the log; only its tail is left to do.
    tail: AtomicBool,
}

/// The way to the writing thread.
#[derive(Clone)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    wait: bool,
}

impl Writer {
    /// Starts the thread. `wait`: acknowledge when committed rather than at once.
    pub(super) fn start(
        connection: Connection,
        readers: Readers,
        wait: bool,
    ) -> Result<(Self, JoinHandle<()>), StoreError> {
        let shared = Arc::<Shared>::default();
        let thread = std::thread::Builder::new().name("ledger-write".into());
        let handle = thread.spawn({
            let shared = shared.clone();
            move || {
                if let Err(error) = run(&shared, &connection, &readers) {
                    tracing::error!(%error, "the ledger's writer could not start");
                }
                shared.close();
                if let Err(error) = reader::checkpoint(&connection, "TRUNCATE") {
                    tracing::warn!(%error, "the write-ahead log stays for the next start");
                }
            }
        });
        let handle = handle.map_err(|e| StoreError::Database(format!("no thread to write with: {e}")))?;
        Ok((Self { shared, wait }, handle))
    }

    /// Queues an entry.
    pub(super) fn append(&self, entry: Entry) -> Ack {
        let bytes = size(&entry);
        let mut queue = self.shared.queue.lock();
        if let Some(error) = queue.refusal(bytes) {
            drop(queue);
            let (reply, receiver) = oneshot::channel();
            let _held = reply.send(Err(error));
            return Ack(Some(receiver));
        }
        queue.bytes += bytes;
        let (reply, ack) = if self.wait || queue.bytes > SLOW_BYTES {
            let (reply, receiver) = oneshot::channel();
            (Some(reply), Ack(Some(receiver)))
        } else {
            (None, Ack::done())
        };
        self.shared.push(queue, Item { task: Task::Write(entry), reply });
        ack
    }

    /// Runs this in a transaction of its own; what it gives comes back when that is committed.
    pub(super) fn change<T: Send + 'static>(
        &self,
        size: usize,
        change: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'static, T> {
        let given = Arc::new(Mutex::new(None));
        let slot = given.clone();
        let change: Change = Box::new(move |connection| {
            *slot.lock() = Some(change(connection)?);
            Ok(())
        });
        let (reply, receiver) = oneshot::channel();
        let mut queue = self.shared.queue.lock();
        let refusal = queue.refusal(size);
        if refusal.is_none() {
            queue.bytes += size;
            self.shared.push(queue, Item { task: Task::Change(Some(change), size), reply: Some(reply) });
        }
        Box::pin(async move {
            if let Some(error) = refusal {
                return Err(error);
            }
            receiver.await.unwrap_or(Err(StoreError::Closed))?;
            given.lock().take().ok_or(StoreError::Closed)
        })
    }

    /// Resolves when everything that was queued before is committed.
    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        self.request(Task::Flush).await
    }

    /// Whether entries can be written; tries it if the last one could not.
    pub(super) async fn health(&self) -> Result<(), StoreError> {
        if self.shared.failing.load(Ordering::Relaxed) {
            return self.request(Task::Probe).await;
        }
        if self.shared.queue.lock().closed { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// Takes no more; what is queued is still written.
    pub(super) fn close(&self) {
        self.shared.queue.lock().closed = true;
        self.shared.ready.notify_one();
    }

    async fn request(&self, task: Task) -> Result<(), StoreError> {
        let (reply, receiver) = oneshot::channel();
        {
            let queue = self.shared.queue.lock();
            if queue.closed {
                return Err(StoreError::Closed);
            }
            self.shared.push(queue, Item { task, reply: Some(reply) });
        }
        receiver.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Shared {
    fn push(&self, mut queue: parking_lot::MutexGuard<'_, Queue>, item: Item) {
        queue.items.push(item);
        let wake = queue.wake_at > 0 && queue.items.len() >= queue.wake_at;
        if wake {
            queue.wake_at = 0;
        }
        drop(queue);
        if wake {
            self.ready.notify_one();
        }
    }

    /// Swaps what is queued into `batch`; false when there will be no more. `crowd`: the last
    /// batch had company, so the next one is given a moment to gather some as well.
    fn take(&self, batch: &mut Vec<Item>, written: usize, crowd: bool) -> bool {
        let mut queue = self.queue.lock();
        queue.bytes -= written;
        let until = Instant::now() + GATHER;
        while crowd && queue.items.len() < COMPANY && !queue.closed {
            queue.wake_at = COMPANY;
            if self.ready.wait_until(&mut queue, until).timed_out() {
                break;
            }
        }
        while queue.items.is_empty() {
            if queue.closed {
                return false;
            }
            queue.wake_at = 1;
            self.ready.wait(&mut queue);
        }
        queue.wake_at = 0;
        std::mem::swap(&mut queue.items, batch);
        true
    }

    /// Whether something was queued meanwhile.
    fn is_waited_for(&self) -> bool {
        !self.queue.lock().items.is_empty()
    }

    /// After this nothing is queued; whoever still waits is told so by the dropped reply.
    fn close(&self) {
        let mut queue = self.queue.lock();
        queue.closed = true;
        queue.items.clear();
    }
}

fn run(shared: &Arc<Shared>, connection: &Connection, readers: &Readers) -> Result<(), StoreError> {
    let mut work = Work {
        statements: Statements::new(connection)?,
        connection,
        shared,
        readers,
        lost: None,
        lost_entries: 0,
        crowd: false,
        pages: 0,
        asked: false,
    };
    let mut items = Vec::new();
    let mut written = 0;
    while shared.take(&mut items, written, work.crowd) {
        written = items.iter().map(Item::size).sum();
        for batch in items.chunks_mut(BATCH) {
            work.batch(batch);
        }
        items.clear();
        work.checkpoint();
    }
    Ok(())
}

struct Work<'c> {
    statements: Statements<'c>,
    connection: &'c Connection,
    shared: &'c Arc<Shared>,
    readers: &'c Readers,
    /// Why an entry that nobody waited for is not there; the next flush says so.
    lost: Option<StoreError>,
    /// How many such entries there were since writing failed.
    lost_entries: u64,
    /// Entries come one upon the other.
    crowd: bool,
    /// About how many pages were written to the log since it was copied.
    pages: usize,
    /// The reading threads were asked to copy it.
    asked: bool,
}

impl Work<'_> {
    fn batch(&mut self, items: &mut [Item]) {
        let entries = items.iter().filter_map(Item::entry);
        // A commit writes the last page of each table and index again.
        self.pages += 5 + items.iter().map(Item::size).sum::<usize>() / super::PAGE;
        let result = match entries.clone().next() {
            Some(_) => self.statements.transact(entries),
            None => Ok(()),
        };
        // Looked at before anybody is answered: a lone caller's next entry is no company.
        self.crowd = items.len() > 1 || self.shared.is_waited_for();
        match result {
            Ok(()) => {
                self.succeeded();
                items.iter_mut().for_each(|item| self.answer(item, Ok(())));
            }
            Err(error) => self.one_by_one(items, error),
        }
    }

    /// Some entry of the batch cannot be written: it alone shall fail. While another process holds
    /// the file, none can, and each try would wait again.
    fn one_by_one(&mut self, items: &mut [Item], error: StoreError) {
        let entries = items.iter().filter(|item| item.entry().is_some()).count();
        let busy = matches!(error, StoreError::Busy(_));
        for item in items {
            let result = match item.entry() {
                None => Ok(()),
                Some(_) if busy || entries == 1 => Err(error.clone()),
                Some(entry) => self.statements.transact(std::iter::once(entry)),
            };
            match &result {
                Ok(()) if item.entry().is_some() => self.succeeded(),
                Ok(()) => {}
                Err(error) => self.failed(error),
            }
            self.answer(item, result);
        }
    }

    fn answer(&mut self, item: &mut Item, result: Result<(), StoreError>) {
        let result = match &mut item.task {
            Task::Write(_) => result,
            Task::Flush => self.lost.take().map_or(Ok(()), Err),
            Task::Probe => self.probe(),
            Task::Change(change, _) => change.take().map_or(Ok(()), |change| self.change(change)),
        };
        match (item.reply.take(), result) {
            // Whoever left does not want to know.
            (Some(reply), result) => drop(reply.send(result)),
            (None, Err(error)) => {
                self.lost_entries += 1;
                self.lost = Some(error);
            }
            (None, Ok(())) => {}
        }
    }

    /// Writes something that changes nothing: the version that the file has already.
    fn probe(&mut self) -> Result<(), StoreError> {
        let version = super::MIGRATIONS.len();
        let text = format!("BEGIN IMMEDIATE; PRAGMA user_version = {version}; COMMIT");
        let result = self.connection.execute_batch(&text).map_err(StoreError::from);
        match &result {
            Ok(()) => self.succeeded(),
            Err(_) if self.connection.is_autocommit() => {}
            Err(_) => drop(self.connection.execute_batch("ROLLBACK")),
        }
        result
    }

    fn change(&mut self, change: Change) -> Result<(), StoreError> {
        let begun = self.connection.execute_batch("BEGIN IMMEDIATE").map_err(StoreError::from);
        let result = begun.and_then(|()| change(self.connection)).and_then(|()| {
            self.connection.execute_batch("COMMIT")?;
            Ok(())
        });
        if result.is_err() && !self.connection.is_autocommit() {
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        result
    }

    fn succeeded(&mut self) {
        if self.shared.failing.load(Ordering::Relaxed) {
            self.shared.failing.store(false, Ordering::Relaxed);
            tracing::info!(lost = self.lost_entries, "the ledger can be written again");
            self.lost_entries = 0;
        }
    }

    fn failed(&mut self, error: &StoreError) {
        if !self.shared.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the ledger cannot be written");
        }
    }

    /// Has the log copied by a reading thread, which does not hold up writing. The log can start
    /// again from its beginning only when all of it is copied, so the pages that were written
    /// meanwhile are copied here.
    fn checkpoint(&mut self) {
        if self.shared.tail.swap(false, Ordering::Relaxed) || self.pages > CHECKPOINT_PAGES * CHECKPOINT_SELF {
            self.asked = false;
            // Where a long question still reads the log, the rest is left for the next time.
            self.pages = match reader::checkpoint(self.connection, "PASSIVE") {
                Ok(_) => 0,
                Err(error) => {
                    tracing::debug!(%error, "the write-ahead log is copied later");
                    // A reading thread is at it: soon again, so that the log stays within bounds.
                    CHECKPOINT_PAGES * (CHECKPOINT_SELF - 1)
                }
            };
        } else if self.pages > CHECKPOINT_PAGES && !self.asked {
            let shared = self.shared.clone();
            self.asked = self.readers.run(move |connection| {
                if let Err(error) = reader::checkpoint(connection, "PASSIVE") {
                    tracing::debug!(%error, "the write-ahead log is copied later");
                }
                shared.tail.store(true, Ordering::Relaxed);
            });
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
