//! The models that can be called, as Anthropic's clients list them.

use axum::{
    body::Body,
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use http::StatusCode;
use sabir_engine::CatalogEntry;
use sabir_types::{Error, ErrorKind, Operation, Result, Value};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::render::error;
use crate::{
    app::App,
    doors::shared::{json_response, now, query},
    gate,
};

/// How many models are on a page unless the caller says otherwise.
const PAGE: usize = 20;
/// How many there may be.
const MOST: usize = 1000;

/// `GET …/models`, page by page.
pub async fn list(State(app): State<App>, RawQuery(asked): RawQuery, headers: HeaderMap) -> Response {
    if let Err(e) = gate::admit(&app, &headers) {
        return error(&e);
    }
    match page(&app.engine().catalog().await, asked.as_deref().unwrap_or_default()) {
        Ok(page) => ok(&page),
        Err(e) => error(&e),
    }
}

/// `GET …/models/{model}`
pub async fn retrieve(State(app): State<App>, Path(model): Path<String>, headers: HeaderMap) -> Response {
    if let Err(e) = gate::admit(&app, &headers) {
        return error(&e);
    }
    let catalog = app.engine().catalog().await;
    if let Some(entry) = catalog.iter().find(|entry| entry.id == model) {
        return ok(&object(&entry.id, entry.created));
    }
    // A name that can be called is there, whether its provider lists it or not.
    match app.engine().config().model(Operation::Chat, &model) {
        Ok(_) => ok(&object(&model, now() as i64)),
        Err(_) => error(&Error::new(ErrorKind::NotFound, format!("model: {model}"))),
    }
}

fn page(catalog: &[CatalogEntry], asked: &str) -> Result<Value> {
    let limit = match query(asked, "limit") {
        None => PAGE,
        Some(text) => text.parse().ok().filter(|limit| (1..=MOST).contains(limit)).ok_or_else(|| {
            Error::bad_request(format!("`limit`: expected a number from 1 to {MOST}")).with_param("limit")
        })?,
    };
    let place = |name: &str| match query(asked, name) {
        None => Ok(None),
        Some(id) => match catalog.iter().position(|entry| entry.id == id) {
            Some(at) => Ok(Some(at)),
            None => Err(Error::bad_request(format!("`{name}`: no model `{id}` is in the list")).with_param(name)),
        },
    };
    let (entries, has_more) = match (place("after_id")?, place("before_id")?) {
        (Some(_), Some(_)) => return Err(Error::bad_request("`after_id` and `before_id` exclude each other")),
        (None, Some(before)) => (&catalog[before.saturating_sub(limit)..before], before > limit),
        (after, None) => {
            let rest = &catalog[after.map_or(0, |at| at + 1)..];
            (&rest[..rest.len().min(limit)], rest.len() > limit)
        }
    };
    let id = |entry: Option<&CatalogEntry>| entry.map(|entry| entry.id.clone());
    Ok(json!({
        "data": entries.iter().map(|entry| object(&entry.id, entry.created)).collect::<Vec<_>>(),
        "has_more": has_more,
        "first_id": id(entries.first()),
        "last_id": id(entries.last()),
    }))
}

fn object(id: &str, created: i64) -> Value {
    let created = OffsetDateTime::from_unix_timestamp(created).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let created = created.format(&Rfc3339).unwrap_or_default();
    json!({"type": "model", "id": id, "display_name": id, "created_at": created})
}

fn ok(value: &Value) -> Response {
    json_response(StatusCode::OK, Body::from(value.to_string()), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(page: &Value) -> Vec<&str> {
        page["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect()
    }

    #[test]
    fn pages_add_up_in_both_directions() {
        let entry = |id: &str| CatalogEntry { id: id.into(), created: 0, owned_by: "x".into() };
        let all: Vec<_> = ["a", "b", "c/d", "e::f"].into_iter().map(entry).collect();
        let first = page(&all, "limit=3").unwrap();
        assert_eq!((ids(&first), first["has_more"].as_bool()), (vec!["a", "b", "c/d"], Some(true)));
        let next = page(&all, "limit=3&after_id=c%2Fd").unwrap();
        assert_eq!((ids(&next), next["has_more"].as_bool()), (vec!["e::f"], Some(false)));
        let back = page(&all, "limit=2&before_id=e::f").unwrap();
        assert_eq!((ids(&back), back["has_more"].as_bool()), (vec!["b", "c/d"], Some(true)));
        assert_eq!(page(&all, "limit=0").unwrap_err().param(), Some("limit"));
        assert_eq!(page(&all, "after_id=z").unwrap_err().param(), Some("after_id"));
        assert_eq!(first["data"][0]["created_at"], "1970-01-01T00:00:00Z");
    }
}
