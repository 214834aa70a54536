//! `POST /feedback`
//!
//! Invariant: the row is committed when the id comes back.

use axum::{body::Body, extract::State, http::Request, response::Response};
use http::StatusCode;
use sabir_engine::feedback::FeedbackCall;
use sabir_types::{Error, Map, Result, Uuid, Value};
use serde_json::json;

use super::{inference::READER, render};
use crate::{app::App, gate};

const MEMBERS: [&str; 7] = ["episode_id", "inference_id", "metric_name", "value", "internal", "tags", "dryrun"];

pub(super) async fn handle(State(app): State<App>, request: Request<Body>) -> Response {
    let error_json = app.engine().config().gateway.error_json;
    match give(&app, request).await {
        Ok(id) => {
            app.metrics().feedback();
            render::json(StatusCode::OK, &json!({"feedback_id": id}))
        }
        Err(error) => {
            app.metrics().failed("feedback", error.kind());
            render::error(&error, error_json)
        }
    }
}

async fn give(app: &App, request: Request<Body>) -> Result<Uuid> {
    let (parts, body) = request.into_parts();
    gate::admit(app, &parts.headers)?;
    let body = gate::read(app, &parts.headers, body).await?;
    let members = members(&body)?;
    if let Some(name) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(Error::bad_request(format!("{name}: no such member")).with_param(name.clone()));
    }
    let metric_name = READER.text(&members, "metric_name")?;
    let metric_name =
        metric_name.ok_or_else(|| Error::bad_request("metric_name: missing").with_param("metric_name"))?;
    let value = members.get("value").filter(|value| !value.is_null());
    let value = value.ok_or_else(|| Error::bad_request("value: missing").with_param("value"))?;
    let internal = READER.flag(&members, "internal")?;
    let call = FeedbackCall {
        metric_name: metric_name.to_owned(),
        inference_id: id(&members, "inference_id")?,
        episode_id: id(&members, "episode_id")?,
        value: value.clone(),
        tags: READER.tags(&members, internal)?,
        dryrun: READER.flag(&members, "dryrun")?,
    };
    app.engine().feedback(call).await
}

/// The body as an object.
pub(super) fn members(body: &[u8]) -> Result<Map<String, Value>> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Error::bad_request("the body is not a JSON object")),
        Err(e) => Err(Error::bad_request(format!("the body is not valid JSON: {e}"))),
    }
}

/// Reads an id; absent and null mean none.
pub(super) fn id(members: &Map<String, Value>, name: &str) -> Result<Option<Uuid>> {
    let Some(text) = READER.text(members, name)? else { return Ok(None) };
    Uuid::parse_str(text).map(Some).map_err(|_| Error::bad_request(format!("{name}: expected a UUID")).with_param(name))
}
