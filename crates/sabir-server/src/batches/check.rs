//! What is wrong with the requests of a batch, told before any of them is run.
//!
//! Invariant: every message names its line.

use std::{borrow::Cow, collections::HashSet};

use sabir_engine::tasks::Running;
use sabir_types::{Operation, Result, Value};
use serde_json::{Map, value::RawValue};

use super::{Asked, LineError, Lines, Progress};
use crate::app::App;

/// How many requests a batch may have, and how many errors are told.
const MOST: u64 = 50_000;
const TOLD: usize = 100;

/// A line of a batch of OpenAI's shape.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    pub(super) custom_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) body: &'a RawValue,
}

/// Looks at all lines; says what is wrong with them and how many there are in `progress`.
pub(super) async fn file(app: &App, task: &Running, asked: &Asked, progress: &mut Progress) -> Result<()> {
    let mut lines = Lines::new(task.state().clone(), asked.input);
    let mut ids = HashSet::new();
    progress.total = 0;
    progress.errors.clear();
    while let Some((at, line)) = lines.next().await? {
        progress.total += 1;
        if progress.total > MOST {
            let message = format!("the file has more than {MOST} requests");
            progress.errors.push(error("too_many_requests", message, None, Some(at)));
            break;
        }
        if let Err(mut wrong) = check(app, asked, &line, &mut ids, progress) {
            wrong.line = Some(at);
            progress.errors.push(wrong);
            if progress.errors.len() >= TOLD {
                break;
            }
        }
    }
    if progress.total == 0 {
        progress.errors.push(error("empty_file", "the file holds no requests", None, None));
    }
    Ok(())
}

fn check(
    app: &App,
    asked: &Asked,
    line: &[u8],
    ids: &mut HashSet<String>,
    progress: &mut Progress,
) -> std::result::Result<(), LineError> {
    let members: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(Value::Object(members)) => members,
        Ok(_) => return Err(error("invalid_json_line", "the line is not a JSON object", None, None)),
        Err(e) => return Err(error("invalid_json_line", format!("the line is not valid JSON: {e}"), None, None)),
    };
    let text = |name: &str| match members.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.as_str()),
        None | Some(Value::Null) => {
            Err(error("missing_required_parameter", format!("`{name}` is missing"), Some(name), None))
        }
        Some(_) => Err(error("invalid_type", format!("`{name}`: expected a string"), Some(name), None)),
    };
    let id = text("custom_id")?;
    if !ids.insert(id.to_owned()) {
        let message = format!("`custom_id`: another request of this file has the id `{id}`");
        return Err(error("duplicate_custom_id", message, Some("custom_id"), None));
    }
    let method = text("method")?;
    if method != "POST" {
        return Err(error("invalid_method", format!("`method`: expected POST, not `{method}`"), Some("method"), None));
    }
    let url = text("url")?;
    if url != asked.endpoint {
        let message = format!("`url`: this batch is for `{}`, not for `{url}`", asked.endpoint);
        return Err(error("mismatched_endpoint", message, Some("url"), None));
    }
    let body = match members.get("body") {
        Some(Value::Object(body)) => body,
        None | Some(Value::Null) => {
            return Err(error("missing_required_parameter", "`body` is missing", Some("body"), None));
        }
        Some(_) => return Err(error("invalid_type", "`body`: expected an object", Some("body"), None)),
    };
    if body.get("stream") == Some(&Value::Bool(true)) {
        return Err(error("invalid_value", "`body.stream`: a batch has no streams", Some("body.stream"), None));
    }
    if body.get("background") == Some(&Value::Bool(true)) {
        let message = "`body.background`: what a batch asks for is not made in the background once more";
        return Err(error("invalid_value", message, Some("body.background"), None));
    }
    if body.get("tensorzero::credentials").is_some_and(|given| !given.is_null()) {
        let message = "`body.tensorzero::credentials`: a batch takes no credentials, since files are kept as they are";
        return Err(error("invalid_value", message, Some("body.tensorzero::credentials"), None));
    }
    let Some(Value::String(model)) = body.get("model") else {
        return Err(error("missing_required_parameter", "`body.model` is missing", Some("body.model"), None));
    };
    progress.model.get_or_insert_with(|| model.clone());
    let operation = match asked.endpoint.as_str() {
        "/v1/chat/completions" | "/v1/responses" => Operation::Chat,
        "/v1/embeddings" => Operation::Embed,
        // Its door knows.
        _ => return Ok(()),
    };
    // TensorZero's dialect says what a name is; the door reads it.
    if model.starts_with("tensorzero::") {
        return Ok(());
    }
    match app.engine().config().model(operation, model) {
        Ok(_) => Ok(()),
        Err(e) => Err(error("model_not_found", e.message(), Some("body.model"), None)),
    }
}

fn error(code: &str, message: impl Into<String>, param: Option<&str>, line: Option<u64>) -> LineError {
    LineError { code: code.into(), message: message.into(), param: param.map(str::to_owned), line }
}
