//! Rows to and from SQLite.
//!
//! Invariant: what `Statements::write` stores, `record` and `feedback` read back unchanged. The
//! column lists below are used by both, in one order.

use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Row, Statement, ToSql, params};
use sabir_types::{ErrorKind, FinishReason, Operation, Protocol, Usage, Uuid};

use crate::{Entry, FeedbackKind, FeedbackRow, InferenceRow, ModelCallRow, Record, Status, StoreError, TargetKind};

/// How far apart the keys of two inferences' model calls are.
pub(super) const CALLS: i64 = 65_536;

/// The columns of `inference` that [`inference`] reads; the table is called `i`.
pub(super) const INFERENCE: &str = "i.seq, i.id, i.episode_id, i.status, i.door, i.operation, i.function_name, \
    i.variant_name, i.model, i.caller, i.tags, i.stream, i.cached, i.ttft_us, i.total_us, i.finish_reason, \
    i.error_kind, i.error_message, i.cost, i.input_tokens, i.output_tokens, i.cache_read_tokens, \
    i.cache_write_tokens, i.reasoning_tokens, i.input_audio_tokens, i.output_audio_tokens, i.usage_raw, i.input, \
    i.output";

const INSERT_INFERENCE: &str = "INSERT INTO inference (id, episode_id, status, door, operation, function_name, \
    variant_name, model, caller, tags, stream, cached, ttft_us, total_us, finish_reason, error_kind, error_message, \
    cost, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, input_audio_tokens, \
    output_audio_tokens, usage_raw, input, output) \
    VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

/// The calls of one inference in order; [`model_call`] reads them.
pub(super) const SELECT_CALLS: &str = "SELECT id, status, model_name, provider_name, provider_type, protocol, \
    http_status, request_id, cached, ttft_us, total_us, finish_reason, error_kind, error_message, cost, \
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, input_audio_tokens, \
    output_audio_tokens, usage_raw, raw_request, raw_response FROM model_call WHERE key BETWEEN ? AND ? ORDER BY key";

const INSERT_CALL: &str = "INSERT INTO model_call (key, id, status, model_name, provider_name, provider_type, \
    protocol, http_status, request_id, cached, ttft_us, total_us, finish_reason, error_kind, error_message, cost, \
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, input_audio_tokens, \
    output_audio_tokens, usage_raw, raw_request, raw_response) \
    VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

/// The columns of `feedback` that [`feedback`] reads.
pub(super) const FEEDBACK: &str = "id, target_kind, target_id, metric_name, kind, value, tags";

const INSERT_FEEDBACK: &str =
    "INSERT INTO feedback (id, target_kind, target_id, metric_name, kind, value, tags) VALUES (?,?,?,?,?,?,?)";

/// The writer's statements, prepared once.
pub(super) struct Statements<'c> {
    connection: &'c Connection,
    begin: Statement<'c>,
    commit: Statement<'c>,
    inference: Statement<'c>,
    call: Statement<'c>,
    feedback: Statement<'c>,
}

impl<'c> Statements<'c> {
    pub(super) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            inference: connection.prepare(INSERT_INFERENCE)?,
            call: connection.prepare(INSERT_CALL)?,
            feedback: connection.prepare(INSERT_FEEDBACK)?,
        })
    }

    /// Writes all of them in one transaction, or none.
    pub(super) fn transact<'e>(&mut self, entries: impl Iterator<Item = &'e Entry>) -> Result<(), StoreError> {
        self.begin.execute([])?;
        let done = self.write_all(entries).and_then(|()| Ok(self.commit.execute([])?));
        // Some errors (a full disk) roll back by themselves.
        if done.is_err() && !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        done.map(|_| ())
    }

    fn write_all<'e>(&mut self, mut entries: impl Iterator<Item = &'e Entry>) -> Result<(), StoreError> {
        entries.try_for_each(|entry| match entry {
            Entry::Inference(record) => self.write_record(record),
            Entry::Feedback(row) => self.write_feedback(row),
        })
    }

    fn write_record(&mut self, record: &Record) -> Result<(), StoreError> {
        if record.calls.len() > CALLS as usize {
            let calls = record.calls.len();
            return Err(StoreError::Database(format!("an inference with {calls} model calls is more than {CALLS}")));
        }
        let row = &record.inference;
        let usage = &row.usage;
        self.inference.execute(params![
            row.id.as_bytes(),
            row.episode_id.as_bytes(),
            status_code(row.status),
            row.door.as_str(),
            row.operation.as_str(),
            row.function_name,
            row.variant_name,
            row.model,
            row.caller,
            tags_text(&row.tags),
            row.stream,
            row.cached,
            row.ttft_us.map(signed),
            signed(row.total_us),
            row.finish_reason.map(FinishReason::as_str),
            row.error.as_ref().map(|e| e.0.as_str()),
            row.error.as_ref().map(|e| e.1.as_str()),
            row.cost,
            usage.input_tokens.map(signed),
            usage.output_tokens.map(signed),
            usage.cache_read_tokens.map(signed),
            usage.cache_write_tokens.map(signed),
            usage.reasoning_tokens.map(signed),
            usage.input_audio_tokens.map(signed),
            usage.output_audio_tokens.map(signed),
            usage.raw.as_ref().map(ToString::to_string),
            row.input.as_deref().map(Body),
            row.output,
        ])?;
        let first = self.connection.last_insert_rowid() * CALLS;
        for (key, call) in (first..).zip(&record.calls) {
            self.write_call(key, call)?;
        }
        Ok(())
    }

    fn write_call(&mut self, key: i64, row: &ModelCallRow) -> Result<(), StoreError> {
        let usage = &row.usage;
        self.call.execute(params![
            key,
            row.id.as_bytes(),
            status_code(row.status),
            row.model_name,
            row.provider_name,
            row.provider_type,
            row.protocol.as_str(),
            row.http_status,
            row.request_id,
            row.cached,
            row.ttft_us.map(signed),
            signed(row.total_us),
            row.finish_reason.map(FinishReason::as_str),
            row.error.as_ref().map(|e| e.0.as_str()),
            row.error.as_ref().map(|e| e.1.as_str()),
            row.cost,
            usage.input_tokens.map(signed),
            usage.output_tokens.map(signed),
            usage.cache_read_tokens.map(signed),
            usage.cache_write_tokens.map(signed),
            usage.reasoning_tokens.map(signed),
            usage.input_audio_tokens.map(signed),
            usage.output_audio_tokens.map(signed),
            usage.raw.as_ref().map(ToString::to_string),
            Body(&row.raw_request),
            Body(&row.raw_response),
        ])?;
        Ok(())
    }

    fn write_feedback(&mut self, row: &FeedbackRow) -> Result<(), StoreError> {
        let (kind, value) = match &row.value {
            FeedbackKind::Boolean(yes) => (0, ValueRef::Integer(i64::from(*yes))),
            FeedbackKind::Float(number) => (1, ValueRef::Real(*number)),
            FeedbackKind::Comment(text) => (2, ValueRef::Text(text.as_bytes())),
            FeedbackKind::Demonstration(json) => (3, ValueRef::Text(json.as_bytes())),
        };
        self.feedback.execute(params![
            row.id.as_bytes(),
            target_code(row.target_kind),
            row.target_id.as_bytes(),
            row.metric_name,
            kind,
            ToSqlOutput::Borrowed(value),
            tags_text(&row.tags),
        ])?;
        Ok(())
    }
}

/// Reads one row of [`INFERENCE`]: its `seq` and the call.
pub(super) fn inference(row: &Row<'_>) -> Result<(i64, InferenceRow), StoreError> {
    let inference = InferenceRow {
        id: uuid(row, 1)?,
        episode_id: uuid(row, 2)?,
        status: status(row, 3)?,
        door: word(row, 4, "protocol", Protocol::parse)?,
        operation: word(row, 5, "operation", Operation::parse)?,
        function_name: row.get(6)?,
        variant_name: row.get(7)?,
        model: row.get(8)?,
        caller: row.get(9)?,
        tags: tags(row, 10)?,
        stream: row.get(11)?,
        cached: row.get(12)?,
        ttft_us: count(row, 13)?,
        total_us: count(row, 14)?.unwrap_or_default(),
        finish_reason: optional(row, 15, "finish reason", FinishReason::parse)?,
        error: error(row, 16)?,
        cost: row.get(18)?,
        usage: usage(row, 19)?,
        input: body(row, 27)?,
        output: row.get(28)?,
    };
    Ok((row.get(0)?, inference))
}

/// Reads one row of [`SELECT_CALLS`].
pub(super) fn model_call(row: &Row<'_>, inference_id: Uuid) -> Result<ModelCallRow, StoreError> {
    Ok(ModelCallRow {
        id: uuid(row, 0)?,
        inference_id,
        status: status(row, 1)?,
        model_name: row.get(2)?,
        provider_name: row.get(3)?,
        provider_type: lasting(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?),
        protocol: word(row, 5, "protocol", Protocol::parse)?,
        http_status: row.get(6)?,
        request_id: row.get(7)?,
        cached: row.get(8)?,
        ttft_us: count(row, 9)?,
        total_us: count(row, 10)?.unwrap_or_default(),
        finish_reason: optional(row, 11, "finish reason", FinishReason::parse)?,
        error: error(row, 12)?,
        cost: row.get(14)?,
        usage: usage(row, 15)?,
        raw_request: body(row, 23)?.unwrap_or_default(),
        raw_response: body(row, 24)?.unwrap_or_default(),
    })
}

/// Reads one row of [`FEEDBACK`].
pub(super) fn feedback(row: &Row<'_>) -> Result<FeedbackRow, StoreError> {
    Ok(FeedbackRow {
        id: uuid(row, 0)?,
        target_kind: match row.get(1)? {
            0 => TargetKind::Inference,
            1 => TargetKind::Episode,
            other => return Err(unknown("feedback target", other)),
        },
        target_id: uuid(row, 2)?,
        metric_name: row.get(3)?,
        value: match row.get(4)? {
            0 => FeedbackKind::Boolean(row.get(5)?),
            1 => FeedbackKind::Float(row.get::<_, Option<f64>>(5)?.unwrap_or(f64::NAN)),
            2 => FeedbackKind::Comment(row.get(5)?),
            3 => FeedbackKind::Demonstration(row.get(5)?),
            other => return Err(unknown("feedback kind", other)),
        },
        tags: tags(row, 6)?,
    })
}

/// How [`TargetKind`] is stored.
pub(super) fn target_code(kind: TargetKind) -> i64 {
    match kind {
        TargetKind::Inference => 0,
        TargetKind::Episode => 1,
    }
}

/// An id as a value to bind.
pub(super) fn id_value(id: Uuid) -> Value {
    Value::Blob(id.as_bytes().to_vec())
}

/// A body: text where it is text, so that SQLite's own functions can read it.
pub(super) struct Body<'a>(pub(super) &'a [u8]);

impl ToSql for Body<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = if std::str::from_utf8(self.0).is_ok() { ValueRef::Text(self.0) } else { ValueRef::Blob(self.0) };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

fn status_code(status: Status) -> i64 {
    match status {
        Status::Ok => 0,
        Status::Error => 1,
        Status::Cancelled => 2,
    }
}

fn status(row: &Row<'_>, at: usize) -> Result<Status, StoreError> {
    match row.get(at)? {
        0 => Ok(Status::Ok),
        1 => Ok(Status::Error),
        2 => Ok(Status::Cancelled),
        other => Err(unknown("status", other)),
    }
}

pub(super) fn unknown(what: &str, code: i64) -> StoreError {
    StoreError::Database(format!("unknown {what} `{code}`"))
}

/// SQLite knows no unsigned numbers; nothing real is that large.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn count(row: &Row<'_>, at: usize) -> Result<Option<u64>, StoreError> {
    Ok(row.get::<_, Option<i64>>(at)?.and_then(|n| u64::try_from(n).ok()))
}

pub(super) fn uuid(row: &Row<'_>, at: usize) -> Result<Uuid, StoreError> {
    Ok(Uuid::from_bytes(row.get(at)?))
}

pub(super) fn body(row: &Row<'_>, at: usize) -> Result<Option<Bytes>, StoreError> {
    match row.get_ref(at)? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Some(Bytes::copy_from_slice(bytes))),
        other => Err(StoreError::Database(format!("a body is stored as {}", other.data_type()))),
    }
}

fn optional<T>(
    row: &Row<'_>,
    at: usize,
    what: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    let Some(name) = row.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from)? else { return Ok(None) };
    match parse(name) {
        Some(value) => Ok(Some(value)),
        None => Err(StoreError::Database(format!("unknown {what} `{name}`"))),
    }
}

fn word<T>(row: &Row<'_>, at: usize, what: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    optional(row, at, what, parse)?.ok_or_else(|| StoreError::Database(format!("no {what} is stored")))
}

fn error(row: &Row<'_>, at: usize) -> Result<Option<(ErrorKind, String)>, StoreError> {
    let Some(kind) = optional(row, at, "error kind", ErrorKind::parse)? else { return Ok(None) };
    Ok(Some((kind, row.get::<_, Option<String>>(at + 1)?.unwrap_or_default())))
}

fn usage(row: &Row<'_>, at: usize) -> Result<Usage, StoreError> {
    Ok(Usage {
        input_tokens: count(row, at)?,
        output_tokens: count(row, at + 1)?,
        cache_read_tokens: count(row, at + 2)?,
        cache_write_tokens: count(row, at + 3)?,
        reasoning_tokens: count(row, at + 4)?,
        input_audio_tokens: count(row, at + 5)?,
        output_audio_tokens: count(row, at + 6)?,
        raw: match row.get_ref(at + 7)?.as_str_or_null().map_err(rusqlite::Error::from)? {
            Some(text) => Some(json(text)?),
            None => None,
        },
    })
}

/// Labels as a JSON object. They are a map: of a key that is there twice, the last value is kept.
pub(super) fn tags_text(tags: &[(String, String)]) -> Option<String> {
    if tags.is_empty() {
        return None;
    }
    let object: serde_json::Map<_, _> =
        tags.iter().map(|(key, value)| (key.clone(), serde_json::Value::from(value.as_str()))).collect();
    Some(serde_json::Value::Object(object).to_string())
}

pub(super) fn tags(row: &Row<'_>, at: usize) -> Result<Vec<(String, String)>, StoreError> {
    let Some(text) = row.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from)? else {
        return Ok(Vec::new());
    };
    let serde_json::Value::Object(object) = json(text)? else {
        return Err(StoreError::Database("tags are stored as something else than an object".into()));
    };
    let text = |value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(object.into_iter().map(|(key, value)| (key, text(value))).collect())
}

fn json(text: &str) -> Result<serde_json::Value, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Database(format!("stored JSON is not JSON: {e}")))
}

/// The same text for as long as the process lives: there are only as many as provider types.
fn lasting(name: &str) -> &'static str {
    static NAMES: parking_lot::Mutex<Vec<&'static str>> = parking_lot::Mutex::new(Vec::new());
    let mut names = NAMES.lock();
    if let Some(known) = names.iter().find(|known| **known == name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.into());
    names.push(kept);
    kept
}
