//! The models that can be called.

use axum::{
    body::Body,
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use http::StatusCode;
use sabir_engine::CatalogEntry;
use sabir_types::{Error, ErrorKind, Operation, Value};
use serde_json::json;

use super::{
    parse::admitted,
    render::{error, give_request_id},
};
use crate::{
    app::App,
    doors::{
        anthropic, gemini,
        shared::{json_response, now},
    },
};

/// What every request of Anthropic's clients carries.
const ANTHROPIC: &str = "anthropic-version";
/// What requests of Google's clients carry.
const GOOGLE: &str = "x-goog-api-key";

/// `GET /v1/models`. Anthropic's and Google's clients ask at the same path, and say who they are.
pub(super) async fn list(State(app): State<App>, asked: RawQuery, headers: HeaderMap) -> Response {
    if headers.contains_key(ANTHROPIC) {
        return anthropic::list_models(State(app), asked, headers).await;
    }
    if headers.contains_key(GOOGLE) {
        return gemini::list_models(State(app), asked, headers).await;
    }
    if let Err(e) = admitted(&app, &headers) {
        return error(&e);
    }
    let catalog = app.engine().catalog().await;
    let data: Vec<Value> = catalog.iter().map(object).collect();
    ok(&json!({"object": "list", "data": data}))
}

/// `GET /v1/models/{model}`
pub(super) async fn retrieve(
    State(app): State<App>,
    Path(model): Path<String>,
    asked: RawQuery,
    headers: HeaderMap,
) -> Response {
    if headers.contains_key(ANTHROPIC) {
        return anthropic::retrieve_model(State(app), Path(model), headers).await;
    }
    if headers.contains_key(GOOGLE) {
        return gemini::retrieve_model(State(app), Path(model), asked, headers).await;
    }
    if let Err(e) = admitted(&app, &headers) {
        return error(&e);
    }
    let catalog = app.engine().catalog().await;
    if let Some(entry) = catalog.iter().find(|entry| entry.id == model) {
        return ok(&object(entry));
    }
    // A name that can be called is there, whether its provider lists it or not.
    let config = app.engine().config();
    match Operation::TRANSLATED.into_iter().find_map(|operation| config.model(operation, &model).ok()) {
        Some(known) => {
            let owner = known.routing.first().map_or("sabir", |endpoint| endpoint.provider.spec().id);
            let entry = CatalogEntry { id: model, created: now() as i64, owned_by: owner.to_owned() };
            ok(&object(&entry))
        }
        None => {
            let message = format!("The model '{model}' does not exist");
            error(&Error::new(ErrorKind::NotFound, message).with_param("model"))
        }
    }
}

fn object(entry: &CatalogEntry) -> Value {
    json!({"id": entry.id, "object": "model", "created": entry.created, "owned_by": entry.owned_by})
}

fn ok(value: &Value) -> Response {
    let mut response = json_response(StatusCode::OK, Body::from(value.to_string()), None);
    give_request_id(&mut response);
    response
}
