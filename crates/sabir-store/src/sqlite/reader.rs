//! Reading: a few threads, each with its own connection, so that no question holds up the writer.
//!
//! Invariant: these connections change no row (`query_only`); each question sees one snapshot.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};
use sabir_types::Uuid;
use tokio::sync::oneshot;

use super::query::{self, Sql};
use super::row::{self, CALLS};
use crate::{Answer, FeedbackRow, InferenceQuery, Record, StoreError, TargetKind};

/// After how many of SQLite's steps to look whether the asker is still there.
const STEPS: std::ffi::c_int = 1_000;

/// Says, when dropped, that nobody waits for the answer.
struct Asker(Arc<AtomicBool>);

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

type Job = Box<dyn FnOnce(&Connection) + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
}

/// The reading threads.
#[derive(Clone)]
pub(super) struct Readers(Arc<Shared>);

impl Readers {
    /// Starts `threads` of them.
    pub(super) fn start(path: &Path, threads: usize) -> Result<(Self, Vec<JoinHandle<()>>), StoreError> {
        let readers = Self(Arc::default());
        let mut handles = Vec::new();
        for _ in 0..threads {
            let connection = super::connect(path)?;
            connection
                .execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000")?;
            let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
            connection.create_scalar_function("sabir_holds", 2, flags, holds)?;
            let shared = readers.0.clone();
            let thread = std::thread::Builder::new().name("ledger-read".into());
            let handle = thread.spawn(move || shared.run(&connection));
            handles.push(handle.map_err(|e| StoreError::Database(format!("no thread to read with: {e}")))?);
        }
        Ok((readers, handles))
    }

    /// Runs this as soon as a thread is free; says whether it will.
    pub(super) fn run(&self, job: impl FnOnce(&Connection) + Send + 'static) -> bool {
        let mut queue = self.0.queue.lock();
        if queue.closed {
            return false;
        }
        queue.jobs.push_back(Box::new(job));
        drop(queue);
        self.0.ready.notify_one();
        true
    }

    /// Asks something. When the asker leaves, the question ends: it would keep others waiting.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'static, T> {
        let (sender, receiver) = oneshot::channel();
        let asker = Asker(Arc::default());
        let left = asker.0.clone();
        self.run(move |connection| {
            if sender.is_closed() {
                return;
            }
            connection.progress_handler(STEPS, Some(move || left.load(Ordering::Relaxed)));
            // Nobody may be there any more to take the answer.
            drop(sender.send(question(connection)));
            connection.progress_handler(0, None::<fn() -> bool>);
        });
        Box::pin(async move {
            let _asker = asker;
            receiver.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    /// Takes no more questions; those that were asked are still answered.
    pub(super) fn close(&self) {
        self.0.queue.lock().closed = true;
        self.0.ready.notify_all();
    }
}

impl Shared {
    fn run(&self, connection: &Connection) {
        loop {
            let mut queue = self.queue.lock();
            let job = loop {
                match queue.jobs.pop_front() {
                    Some(job) => break job,
                    None if queue.closed => return,
                    None => self.ready.wait(&mut queue),
                }
            };
            drop(queue);
            job(connection);
        }
    }
}

/// The inferences that fit, with their calls.
pub(super) fn inferences(connection: &Connection, query: &InferenceQuery) -> Result<Vec<Record>, StoreError> {
    let Sql { text, values } = query::inferences(query);
    // One snapshot for the calls and their inferences; a transaction that only read rolls back when dropped.
    let _snapshot = connection.unchecked_transaction()?;
    let mut statement = connection.prepare_cached(&text)?;
    let mut calls = connection.prepare_cached(row::SELECT_CALLS)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut records = Vec::new();
    while let Some(found) = rows.next()? {
        let (seq, inference) = row::inference(found)?;
        let mut record = Record { inference, calls: Vec::new() };
        let mut found = calls.query([seq * CALLS, seq * CALLS + CALLS - 1])?;
        while let Some(call) = found.next()? {
            record.calls.push(row::model_call(call, record.inference.id)?);
        }
        records.push(record);
    }
    Ok(records)
}

/// The feedback on any of these.
pub(super) fn feedback(connection: &Connection, targets: &[Uuid]) -> Result<Vec<FeedbackRow>, StoreError> {
    let Sql { text, values } = query::feedback(targets);
    let mut statement = connection.prepare_cached(&text)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut list = Vec::new();
    while let Some(found) = rows.next()? {
        list.push(row::feedback(found)?);
    }
    Ok(list)
}

/// Whether that is there.
pub(super) fn exists(connection: &Connection, kind: TargetKind, id: Uuid) -> Result<bool, StoreError> {
    let text = match kind {
        TargetKind::Inference => "SELECT 1 FROM inference WHERE id = ?",
        TargetKind::Episode => "SELECT 1 FROM inference WHERE episode_id = ?",
    };
    Ok(connection.prepare_cached(text)?.exists([id.as_bytes()])?)
}

/// Whether rows can be read.
pub(super) fn health(connection: &Connection) -> Result<(), StoreError> {
    connection.prepare_cached("SELECT 1 FROM inference LIMIT 1")?.exists([])?;
    Ok(())
}

/// Copies what is in the write-ahead log into the database; says how many pages of the log are not copied yet.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> Result<u64, StoreError> {
    let (busy, log, copied): (bool, i64, i64) = connection
        .prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if busy {
        return Err(StoreError::Database("another checkpoint is running".into()));
    }
    Ok(u64::try_from(log - copied).unwrap_or(0))
}

/// SQL function: whether a body (1) contains a text (2), without regard to case. SQLite's LIKE
/// knows upper and lower case for ASCII only, and a body is JSON, where a quote is written `\"`.
fn holds(context: &Context<'_>) -> rusqlite::Result<bool> {
    let forms = context
        .get_or_create_aux(1, |value| -> Result<_, rusqlite::types::FromSqlError> { Ok(forms(value.as_str()?)) })?;
    let (ValueRef::Text(body) | ValueRef::Blob(body)) = context.get_raw(0) else { return Ok(false) };
    let body = String::from_utf8_lossy(body).to_lowercase();
    Ok(forms.iter().any(|form| body.contains(form.as_str())))
}

/// The ways in which a text may be written in JSON, in lower case: as it is, with escaped quotes
/// and line ends, and with everything escaped that is not ASCII.
fn forms(text: &str) -> Vec<String> {
    let mut forms = vec![text.to_lowercase()];
    let escaped = serde_json::Value::from(text).to_string();
    let escaped = escaped.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
    for form in [escaped.to_lowercase(), ascii(escaped), ascii(&escaped.to_lowercase())] {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c.to_ascii_lowercase());
        } else {
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}
