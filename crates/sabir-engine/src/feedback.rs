//! Feedback: what somebody says about an inference or an episode afterwards.
//!
//! Invariant: a row of feedback has a known name, a value of that name's type and (unless the
//! configuration says not to look) a target that exists; it is committed when its id is given out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sabir_store::{Entry, FeedbackKind, FeedbackRow, Ledger, TargetKind};
use sabir_types::{Error, ErrorKind, Result, Uuid, Value, new_id};
use serde_json::json;

use crate::{
    config::{Config, Durability, Level, Metric, MetricKind},
    engine::Engine,
};

/// How long to wait for a target whose row may still be on its way to the writer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// The name of a remark in words.
const COMMENT: &str = "comment";
/// The name of a better answer.
const DEMONSTRATION: &str = "demonstration";

/// One piece of feedback, as a door hands it over.
#[derive(Debug, Clone)]
pub struct FeedbackCall {
    /// A configured metric, `comment` or `demonstration`.
    pub metric_name: String,
    /// The inference that it is about, if it is about one.
    pub inference_id: Option<Uuid>,
    /// The episode that it is about, if it is about one.
    pub episode_id: Option<Uuid>,
    /// What it says.
    pub value: Value,
    /// Labels.
    pub tags: Vec<(String, String)>,
    /// Check it, but keep nothing.
    pub dryrun: bool,
}

impl Engine {
    /// Checks feedback and keeps it; gives its id when its row is committed.
    pub async fn feedback(&self, call: FeedbackCall) -> Result<Uuid> {
        let config = self.config();
        let ledger = self.ledger().filter(|_| config.gateway.durability != Durability::Off);
        let Some(ledger) = ledger.cloned() else {
            return Err(Error::bad_request(
                "feedback cannot be kept: observability is off (`gateway.observability` in the configuration)",
            ));
        };
        let (target_kind, target_id) = target(&call)?;
        let value = value(&config, &call, target_kind)?;
        // A demonstration without its inference would be of no use to anybody.
        let skips = config.gateway.skip_feedback_target_check && call.metric_name != DEMONSTRATION;
        if !skips && !exists(&ledger, config.gateway.durability, target_kind, target_id).await? {
            let word = if target_kind == TargetKind::Inference { "Inference" } else { "Episode" };
            return Err(Error::bad_request(format!("{word} ID: {target_id} does not exist")));
        }
        let id = new_id();
        if call.dryrun {
            return Ok(id);
        }
        let row = FeedbackRow { id, target_kind, target_id, metric_name: call.metric_name, value, tags: call.tags };
        ledger.append(Entry::Feedback(Box::new(row))).wait().await.map_err(|e| {
            Error::new(ErrorKind::Unavailable, format!("the feedback could not be recorded: {e}")).with_source(e)
        })?;
        Ok(id)
    }
}

fn target(call: &FeedbackCall) -> Result<(TargetKind, Uuid)> {
    match (call.inference_id, call.episode_id) {
        (Some(id), None) => Ok((TargetKind::Inference, id)),
        (None, Some(id)) => Ok((TargetKind::Episode, id)),
        (Some(_), Some(_)) => {
            Err(Error::bad_request("feedback is about one thing: give `inference_id` or `episode_id`, not both"))
        }
        (None, None) => Err(Error::bad_request("feedback is about something: give `inference_id` or `episode_id`")),
    }
}

fn value(config: &Config, call: &FeedbackCall, target: TargetKind) -> Result<FeedbackKind> {
    match (call.metric_name.as_str(), &call.value) {
        (COMMENT, Value::String(text)) => Ok(FeedbackKind::Comment(text.clone())),
        (COMMENT, _) => Err(wrong_type(COMMENT, "a string")),
        (DEMONSTRATION, _) if target == TargetKind::Episode => {
            Err(Error::bad_request("a demonstration is about an inference: give `inference_id`, not `episode_id`")
                .with_param("episode_id"))
        }
        (DEMONSTRATION, value) => demonstration(value).map(|blocks| FeedbackKind::Demonstration(blocks.to_string())),
        (name, value) => match config.metrics.get(name) {
            Some(metric) => measured(name, metric, value, target),
            None => Err(Error::new(ErrorKind::NotFound, format!("Unknown metric: {name}")).with_param("metric_name")),
        },
    }
}

fn measured(name: &str, metric: &Metric, value: &Value, target: TargetKind) -> Result<FeedbackKind> {
    let (level, about, give, instead) = match metric.level {
        Level::Inference => (TargetKind::Inference, "an inference", "inference_id", "episode_id"),
        Level::Episode => (TargetKind::Episode, "an episode", "episode_id", "inference_id"),
    };
    if level != target {
        let message = format!("metric `{name}` is about {about}: give `{give}`, not `{instead}`");
        return Err(Error::bad_request(message).with_param(instead));
    }
    match metric.kind {
        MetricKind::Boolean => value.as_bool().map(FeedbackKind::Boolean).ok_or_else(|| wrong_type(name, "a boolean")),
        MetricKind::Float => value.as_f64().map(FeedbackKind::Float).ok_or_else(|| wrong_type(name, "a number")),
    }
}

fn wrong_type(name: &str, wanted: &str) -> Error {
    Error::bad_request(format!("Feedback value for metric `{name}` must be {wanted}")).with_param("value")
}

/// A demonstration as a list of answer blocks, whichever way it was given.
fn demonstration(value: &Value) -> Result<Value> {
    match value {
        Value::String(text) => Ok(json!([{ "type": "text", "text": text }])),
        Value::Array(blocks) => blocks
            .iter()
            .enumerate()
            .map(|(at, block)| demonstrated(block, at))
            .collect::<Result<Vec<_>>>()
            .map(Value::Array),
        _ => Err(wrong_type(DEMONSTRATION, "a string or a list of blocks")),
    }
}

fn demonstrated(block: &Value, at: usize) -> Result<Value> {
    let wrong = |message: String| Error::bad_request(message).with_param("value");
    let place = format!("block {at} of the demonstration");
    let Some(members) = block.as_object() else { return Err(wrong(format!("{place} is not an object"))) };
    let text = |name: &str| {
        members.get(name).and_then(Value::as_str).ok_or_else(|| wrong(format!("{place} needs a string `{name}`")))
    };
    let known: &[&str] = match text("type")? {
        "text" => &["type", "text"],
        "tool_call" => &["type", "id", "name", "arguments"],
        other => {
            return Err(wrong(format!("{place} has type `{other}`: only `text` and `tool_call` can be demonstrated")));
        }
    };
    if let Some(other) = members.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(wrong(format!("{place} has a member `{other}` that is not known")));
    }
    if text("type")? == "text" {
        return Ok(json!({ "type": "text", "text": text("text")? }));
    }
    let name = text("name")?;
    let id = match members.get("id") {
        None | Some(Value::Null) => "",
        Some(id) => id.as_str().ok_or_else(|| wrong(format!("{place} has an `id` that is not a string")))?,
    };
    let (raw, parsed) = match members.get("arguments") {
        Some(object @ Value::Object(_)) => (object.to_string(), object.clone()),
        Some(Value::String(raw)) => {
            let parsed = serde_json::from_str(raw)
                .map_err(|e| wrong(format!("{place} has `arguments` that are not JSON: {e}")))?;
            (raw.clone(), parsed)
        }
        _ => return Err(wrong(format!("{place} needs `arguments`: an object, or JSON in a string"))),
    };
    Ok(json!({
        "type": "tool_call",
        "id": id,
        "name": name,
        "arguments": parsed,
        "raw_name": name,
        "raw_arguments": raw,
    }))
}

/// Whether the target is there. What was acknowledged at once may still be on its way.
async fn exists(ledger: &Arc<dyn Ledger>, durability: Durability, kind: TargetKind, id: Uuid) -> Result<bool> {
    let begun = Instant::now();
    loop {
        let found = ledger.exists(kind, id).await.map_err(|e| {
            Error::new(ErrorKind::Unavailable, format!("the ledger could not be asked: {e}")).with_source(e)
        })?;
        if found || durability == Durability::Durable || begun.elapsed() >= PATIENCE {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
#[path = "feedback_tests.rs"]
mod tests;
