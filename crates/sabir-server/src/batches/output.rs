//! Results: how each is written, and the files that hold them.
//!
//! Invariant: a result is one line; a file that was half written when the process died is written
//! again from its beginning.

use bytes::{Bytes, BytesMut};
use sabir_engine::tasks::{Running, now_ms, stored};
use sabir_store::state::{FileRow, Part, PartQuery};
use sabir_types::{Result, Uuid, Value, new_id};
use serde_json::{json, value::RawValue};

use super::{Asked, CANCELED, ERRORED, EXPIRED, Progress, SUCCEEDED, Shape, inside::Answered};

/// How many bytes a chunk of a file has about.
const CHUNK: usize = 256 * 1024;
/// How many results are read at a time.
const PAGE: u32 = 64;

/// The result of a request that was run.
pub(super) fn answered(shape: Shape, custom_id: &str, answered: &Answered) -> (&'static str, Bytes) {
    let label = if answered.status.is_success() { SUCCEEDED } else { ERRORED };
    let body = one_line(&answered.body);
    let id = Value::from(custom_id);
    let line = match shape {
        Shape::OpenAi => format!(
            r#"{{"id":"batch_req_{}","custom_id":{id},"response":{{"status_code":{},"request_id":{},"body":{body}}},"error":null}}"#,
            new_id().simple(),
            answered.status.as_u16(),
            Value::from(answered.request_id()),
        ),
        Shape::Anthropic if label == SUCCEEDED => {
            format!(r#"{{"custom_id":{id},"result":{{"type":"succeeded","message":{body}}}}}"#)
        }
        Shape::Anthropic => format!(r#"{{"custom_id":{id},"result":{{"type":"errored","error":{body}}}}}"#),
    };
    (label, line.into())
}

/// The result of a request that was not run.
pub(super) fn not_run(shape: Shape, custom_id: &str, label: &'static str) -> Bytes {
    let line = match shape {
        Shape::OpenAi => {
            let (code, message) = if label == EXPIRED {
                ("batch_expired", "this request was not run before the batch expired")
            } else {
                ("batch_cancelled", "this request was not run before the batch was cancelled")
            };
            let id = format!("batch_req_{}", new_id().simple());
            json!({"id": id, "custom_id": custom_id, "response": null, "error": {"code": code, "message": message}})
        }
        Shape::Anthropic => json!({"custom_id": custom_id, "result": {"type": label}}),
    };
    line.to_string().into()
}

/// A body as JSON without line ends; what is no JSON becomes a text.
fn one_line(body: &[u8]) -> String {
    match serde_json::from_slice::<&RawValue>(body) {
        Ok(raw) if !raw.get().contains(['\n', '\r']) => raw.get().to_owned(),
        Ok(raw) => serde_json::from_str::<Value>(raw.get()).unwrap_or_default().to_string(),
        Err(_) => Value::from(String::from_utf8_lossy(body)).to_string(),
    }
}

/// Puts the results into files; their ids are known before, so that they are written once.
pub(super) async fn files(task: &Running, asked: &Asked, progress: &mut Progress) -> Result<()> {
    let counts = [progress.succeeded, progress.errored + progress.expired + progress.canceled];
    progress.output_file = progress.output_file.or_else(|| (counts[0] > 0).then(new_id));
    progress.error_file = progress.error_file.or_else(|| (counts[1] > 0).then(new_id));
    task.progress(progress.text()).await?;
    let name = |kind: &str| format!("{}_{kind}.jsonl", asked.name);
    if let Some(id) = progress.output_file {
        file(task, asked, id, name("output"), &[SUCCEEDED]).await?;
    }
    if let Some(id) = progress.error_file {
        file(task, asked, id, name("error"), &[ERRORED, EXPIRED, CANCELED]).await?;
    }
    Ok(())
}

async fn file(task: &Running, asked: &Asked, id: Uuid, name: String, labels: &[&str]) -> Result<()> {
    let state = task.state();
    if stored(state.file(id).await)?.is_some() {
        return Ok(());
    }
    stored(state.delete_file(id).await)?;
    let created = now_ms();
    let row = FileRow {
        id,
        name,
        purpose: "batch_output".into(),
        caller: task.task.caller.clone(),
        bytes: 0,
        created,
        expires: asked.keep.map(|seconds| created.saturating_add(seconds.saturating_mul(1000))),
    };
    stored(state.begin_file(row.clone()).await)?;
    let (mut chunk, mut number, mut bytes, mut from) = (BytesMut::new(), 0, 0_u64, 0);
    loop {
        let query = PartQuery { from, limit: Some(PAGE), without_data: false };
        let parts: Vec<Part> = stored(state.parts(task.task.id, query).await)?;
        let Some(last) = parts.last() else { break };
        from = last.number + 1;
        for part in parts.iter().filter(|part| labels.contains(&part.label.as_str())) {
            chunk.extend_from_slice(&part.data);
            chunk.extend_from_slice(b"\n");
            if chunk.len() >= CHUNK {
                bytes += chunk.len() as u64;
                stored(state.write_chunk(id, number, chunk.split().freeze()).await)?;
                number += 1;
            }
        }
    }
    if !chunk.is_empty() {
        bytes += chunk.len() as u64;
        stored(state.write_chunk(id, number, chunk.freeze()).await)?;
    }
    stored(state.finish_file(FileRow { bytes, ..row }).await)
}
