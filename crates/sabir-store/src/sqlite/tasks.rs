//! Tasks in SQLite.
//!
//! Invariant: each change is one transaction of the writing thread, and looks at the worker before
//! it touches the row.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};
use sabir_types::Uuid;

use super::row::{Body, body, id_value, tags, tags_text, unknown, uuid};
use super::{PARTS, SMALL, SqliteLedger, now};
use crate::state::{End, Hold, NewTask, Part, PartQuery, TaskQuery, TaskRow, TaskState, TaskStore};
use crate::{Answer, StoreError};

/// The columns that [`task`] reads.
const TASK: &str = "id, kind, state, caller, tags, attempt, cancel, created, started, ended, expires, progress, \
    request, result";

impl TaskStore for SqliteLedger {
    fn add_task(&self, task: NewTask) -> Answer<'_, ()> {
        let size = SMALL + task.request.len() + size(&task.parts);
        self.writer.change(size, move |connection| {
            let text = "INSERT INTO task (id, kind, state, caller, tags, created, expires, progress, request) \
                VALUES (?,?,?,?,?,?,?,?,?)";
            connection.prepare_cached(text)?.execute(params![
                task.id.as_bytes(),
                task.kind,
                code(TaskState::Queued),
                task.caller,
                tags_text(&task.tags),
                now(),
                task.expires,
                task.progress,
                Body(&task.request),
            ])?;
            add_parts(connection, connection.last_insert_rowid(), &task.parts)
        })
    }

    fn claim_task(&self, kinds: Vec<String>, worker: Uuid, lease: Duration) -> Answer<'_, Option<TaskRow>> {
        // `state < 2` lets the index of open tasks be used.
        let free = format!(
            "SELECT seq FROM task WHERE kind IN ({}) AND state < 2 \
             AND (state = 0 OR (lease <= ? AND worker <> ?)) ORDER BY id LIMIT 1",
            vec!["?"; kinds.len()].join(",")
        );
        Box::pin(async move {
            // Who only looks does not hold up those who write.
            let (question, wanted) = (free.clone(), claimable(&kinds, now(), worker));
            let looked = self
                .readers
                .ask(move |connection| Ok(connection.prepare_cached(&question)?.exists(params_from_iter(wanted))?));
            if !looked.await? {
                return Ok(None);
            }
            let claim = self.writer.change(SMALL, move |connection| {
                let now = now();
                let text = format!(
                    "UPDATE task SET state = 1, worker = ?, lease = ?, attempt = attempt + 1, \
                     started = coalesce(started, ?) WHERE seq = ({free}) RETURNING {TASK}"
                );
                let mut values: Vec<Value> = vec![id_value(worker), until(now, lease).into(), now.into()];
                values.extend(claimable(&kinds, now, worker));
                first(connection, &text, params_from_iter(values))
            });
            claim.await
        })
    }

    fn beat(&self, id: Uuid, worker: Uuid, lease: Duration) -> Answer<'_, Hold> {
        self.writer.change(SMALL, move |connection| {
            let Some((seq, hold)) = held(connection, id, worker)? else { return Ok(Hold::Lost) };
            let text = "UPDATE task SET lease = ? WHERE seq = ?";
            connection.prepare_cached(text)?.execute([until(now(), lease), seq])?;
            Ok(hold)
        })
    }

    fn write_parts(&self, id: Uuid, worker: Uuid, parts: Vec<Part>, progress: Option<String>) -> Answer<'_, Hold> {
        self.writer.change(SMALL + size(&parts), move |connection| {
            let Some((seq, hold)) = held(connection, id, worker)? else { return Ok(Hold::Lost) };
            add_parts(connection, seq, &parts)?;
            if let Some(progress) = progress {
                let text = "UPDATE task SET progress = ? WHERE seq = ?";
                connection.prepare_cached(text)?.execute(params![progress, seq])?;
            }
            Ok(hold)
        })
    }

    fn cut_parts(&self, id: Uuid, worker: Uuid, from: u32) -> Answer<'_, Hold> {
        self.writer.change(SMALL, move |connection| {
            let Some((seq, hold)) = held(connection, id, worker)? else { return Ok(Hold::Lost) };
            let text = "DELETE FROM task_part WHERE key BETWEEN ? AND ?";
            connection.prepare_cached(text)?.execute([key(seq, from), key(seq, u32::MAX)])?;
            Ok(hold)
        })
    }

    fn end_task(&self, id: Uuid, worker: Uuid, end: End) -> Answer<'_, bool> {
        let size = SMALL + end.result.as_ref().map_or(0, Bytes::len);
        self.writer.change(size, move |connection| {
            if !end.state.is_end() {
                return Err(StoreError::Database("a task ends as done, failed or cancelled".into()));
            }
            let Some((seq, _)) = held(connection, id, worker)? else { return Ok(false) };
            let text = "UPDATE task SET state = ?, ended = ?, result = ?, progress = coalesce(?, progress), \
                worker = NULL, lease = NULL WHERE seq = ?";
            connection.prepare_cached(text)?.execute(params![
                code(end.state),
                now(),
                end.result.as_deref().map(Body),
                end.progress,
                seq
            ])?;
            Ok(true)
        })
    }

    fn give_back(&self, id: Uuid, worker: Uuid) -> Answer<'_, bool> {
        self.writer.change(SMALL, move |connection| {
            let Some((seq, _)) = held(connection, id, worker)? else { return Ok(false) };
            let text = "UPDATE task SET state = 0, worker = NULL, lease = NULL WHERE seq = ?";
            connection.prepare_cached(text)?.execute([seq])?;
            Ok(true)
        })
    }

    fn task(&self, id: Uuid) -> Answer<'_, Option<TaskRow>> {
        self.readers
            .ask(move |connection| first(connection, &format!("SELECT {TASK} FROM task WHERE id = ?"), [id.as_bytes()]))
    }

    fn tasks(&self, query: TaskQuery) -> Answer<'_, Vec<TaskRow>> {
        self.readers.ask(move |connection| {
            let (text, values) = list(&query);
            let mut statement = connection.prepare_cached(&text)?;
            let mut rows = statement.query(params_from_iter(values))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(task(row)?);
            }
            // The nearest before something were found in the other order.
            if query.before.is_some() {
                found.reverse();
            }
            Ok(found)
        })
    }

    fn parts(&self, id: Uuid, query: PartQuery) -> Answer<'_, Vec<Part>> {
        self.readers.ask(move |connection| {
            let Some(seq) = seq(connection, id)? else { return Ok(Vec::new()) };
            let data = if query.without_data { "NULL" } else { "data" };
            let text =
                format!("SELECT key, label, {data} FROM task_part WHERE key BETWEEN ? AND ? ORDER BY key LIMIT ?");
            let mut statement = connection.prepare_cached(&text)?;
            let limit = query.limit.map_or(-1, i64::from);
            let mut rows = statement.query([key(seq, query.from), key(seq, u32::MAX), limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let number = u32::try_from(row.get::<_, i64>(0)? % PARTS).unwrap_or_default();
                found.push(Part { number, label: row.get(1)?, data: body(row, 2)?.unwrap_or_default() });
            }
            Ok(found)
        })
    }

    fn cancel_task(&self, id: Uuid) -> Answer<'_, Option<TaskState>> {
        self.writer.change(SMALL, move |connection| {
            let text = "UPDATE task SET cancel = 1, ended = CASE state WHEN 0 THEN ? END, \
                state = CASE state WHEN 0 THEN 4 ELSE state END WHERE id = ? AND state < 2";
            connection.prepare_cached(text)?.execute(params![now(), id.as_bytes()])?;
            let text = "SELECT state FROM task WHERE id = ?";
            let found: Option<i64> =
                connection.prepare_cached(text)?.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
            found.map(state).transpose()
        })
    }

    fn delete_task(&self, id: Uuid) -> Answer<'_, bool> {
        self.writer.change(SMALL, move |connection| {
            Ok(connection.prepare_cached("DELETE FROM task WHERE id = ?")?.execute([id.as_bytes()])? > 0)
        })
    }
}

/// The values of the question for a task that can be claimed.
fn claimable(kinds: &[String], now: i64, worker: Uuid) -> Vec<Value> {
    let kinds = kinds.iter().cloned().map(Value::from);
    kinds.chain([now.into(), id_value(worker)]).collect()
}

fn list(query: &TaskQuery) -> (String, Vec<Value>) {
    let mut text = format!("SELECT {TASK} FROM task WHERE 1");
    let mut values = Vec::new();
    if let Some(kind) = &query.kind {
        text += " AND kind = ?";
        values.push(kind.clone().into());
    }
    if let Some(caller) = &query.caller {
        text += " AND caller = ?";
        values.push(caller.clone().into());
    }
    if !query.states.is_empty() {
        text += &format!(" AND state IN ({})", vec!["?"; query.states.len()].join(","));
        values.extend(query.states.iter().map(|state| Value::from(code(*state))));
    }
    let (further, back) = if query.ascending { (">", "<") } else { ("<", ">") };
    for (bound, sign) in [(query.after, further), (query.before, back)] {
        if let Some(id) = bound {
            text += &format!(" AND id {sign} ?");
            values.push(id_value(id));
        }
    }
    text +=
        if query.ascending == query.before.is_none() { " ORDER BY id LIMIT ?" } else { " ORDER BY id DESC LIMIT ?" };
    values.push(query.limit.map_or(-1, i64::from).into());
    (text, values)
}

/// The row of a task that this worker has.
fn held(connection: &Connection, id: Uuid, worker: Uuid) -> Result<Option<(i64, Hold)>, StoreError> {
    let text = "SELECT seq, cancel FROM task WHERE id = ? AND state = 1 AND worker = ?";
    let found = connection
        .prepare_cached(text)?
        .query_row([id.as_bytes(), worker.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.map(|(seq, cancel): (i64, bool)| (seq, if cancel { Hold::Cancelling } else { Hold::Held })))
}

fn seq(connection: &Connection, id: Uuid) -> Result<Option<i64>, StoreError> {
    let text = "SELECT seq FROM task WHERE id = ?";
    Ok(connection.prepare_cached(text)?.query_row([id.as_bytes()], |row| row.get(0)).optional()?)
}

fn add_parts(connection: &Connection, seq: i64, parts: &[Part]) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO task_part (key, label, data) VALUES (?,?,?)")?;
    for part in parts {
        if i64::from(part.number) >= PARTS {
            return Err(StoreError::Database(format!("a task has no part with the number {}", part.number)));
        }
        insert.execute(params![key(seq, part.number), part.label, Body(&part.data)])?;
    }
    Ok(())
}

fn key(seq: i64, number: u32) -> i64 {
    seq * PARTS + i64::from(number).min(PARTS - 1)
}

fn size(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.data.len() + SMALL).sum()
}

fn until(now: i64, lease: Duration) -> i64 {
    now.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

fn first(connection: &Connection, text: &str, values: impl rusqlite::Params) -> Result<Option<TaskRow>, StoreError> {
    let mut statement = connection.prepare_cached(text)?;
    let mut rows = statement.query(values)?;
    let found = rows.next()?.map(task).transpose()?;
    // An `UPDATE … RETURNING` is done when it has been read to its end.
    while rows.next()?.is_some() {}
    Ok(found)
}

fn task(row: &Row<'_>) -> Result<TaskRow, StoreError> {
    Ok(TaskRow {
        id: uuid(row, 0)?,
        kind: row.get(1)?,
        state: state(row.get(2)?)?,
        caller: row.get(3)?,
        tags: tags(row, 4)?,
        attempt: row.get(5)?,
        cancelling: row.get(6)?,
        created: row.get(7)?,
        started: row.get(8)?,
        ended: row.get(9)?,
        expires: row.get(10)?,
        progress: row.get(11)?,
        request: body(row, 12)?.unwrap_or_default(),
        result: body(row, 13)?,
    })
}

fn code(state: TaskState) -> i64 {
    match state {
        TaskState::Queued => 0,
        TaskState::Running => 1,
        TaskState::Done => 2,
        TaskState::Failed => 3,
        TaskState::Cancelled => 4,
    }
}

fn state(code: i64) -> Result<TaskState, StoreError> {
    match code {
        0 => Ok(TaskState::Queued),
        1 => Ok(TaskState::Running),
        2 => Ok(TaskState::Done),
        3 => Ok(TaskState::Failed),
        4 => Ok(TaskState::Cancelled),
        other => Err(unknown("task state", other)),
    }
}
