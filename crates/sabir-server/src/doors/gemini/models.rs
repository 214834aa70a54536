//! The models that can be called, as Google's clients list them.

use axum::{
    body::Body,
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use http::StatusCode;
use sabir_engine::config::Config;
use sabir_types::{Error, ErrorKind, Operation, Protocol, Result, Value};
use serde_json::json;

use super::{parse::admitted, render::error};
use crate::{
    app::App,
    doors::shared::{json_response, query},
};

/// How many models are on a page unless the caller says otherwise.
const PAGE: usize = 50;
/// How many there are at most.
const MOST: usize = 1000;

/// `GET …/models`, page by page.
pub async fn list(State(app): State<App>, RawQuery(asked): RawQuery, headers: HeaderMap) -> Response {
    let asked = asked.unwrap_or_default();
    if let Err(e) = admitted(&app, &headers, &asked) {
        return error(&e);
    }
    let (from, size) = match page(&asked) {
        Ok(page) => page,
        Err(e) => return error(&e),
    };
    let config = app.engine().config();
    let catalog = app.engine().catalog().await;
    let entries = catalog.iter().skip(from).take(size);
    let mut body = json!({"models": entries.map(|entry| object(&config, &entry.id)).collect::<Vec<_>>()});
    if from + size < catalog.len() {
        body["nextPageToken"] = (from + size).to_string().into();
    }
    ok(&body)
}

/// `GET …/models/{model}`
pub async fn retrieve(
    State(app): State<App>,
    Path(model): Path<String>,
    RawQuery(asked): RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Err(e) = admitted(&app, &headers, asked.as_deref().unwrap_or_default()) {
        return error(&e);
    }
    let config = app.engine().config();
    // A name that can be called is there, whether its provider lists it or not.
    if methods(&config, &model).is_empty() {
        return error(&Error::new(ErrorKind::NotFound, format!("models/{model} is not found")));
    }
    ok(&object(&config, &model))
}

/// Where the page begins, and how many models it has.
fn page(asked: &str) -> Result<(usize, usize)> {
    let number = |name: &str| match query(asked, name).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => match text.parse::<usize>() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Error::bad_request(format!("`{name}`: `{text}` is not one that was given")).with_param(name)),
        },
    };
    let size = number("pageSize")?.filter(|size| *size > 0).unwrap_or(PAGE).min(MOST);
    Ok((number("pageToken")?.unwrap_or(0), size))
}

fn object(config: &Config, model: &str) -> Value {
    json!({
        "name": format!("models/{model}"),
        "displayName": model,
        "supportedGenerationMethods": methods(config, model),
    })
}

/// What can be done with a model.
fn methods(config: &Config, model: &str) -> Vec<&'static str> {
    let mut methods = Vec::new();
    if let Ok(found) = config.model(Operation::Chat, model) {
        methods.extend(["generateContent", "streamGenerateContent"]);
        if found.routing.iter().any(|endpoint| endpoint.provider.spec().protocol == Protocol::Gemini) {
            methods.push("countTokens");
        }
    }
    if config.model(Operation::Embed, model).is_ok() {
        methods.extend(["embedContent", "batchEmbedContents"]);
    }
    methods
}

fn ok(value: &Value) -> Response {
    json_response(StatusCode::OK, Body::from(value.to_string()), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        assert_eq!(page("").unwrap(), (0, PAGE));
        assert_eq!(page("pageSize=3&pageToken=6").unwrap(), (6, 3));
        assert_eq!(page("pageSize=0&pageToken=").unwrap(), (0, PAGE));
        assert_eq!(page("pageToken=abc").unwrap_err().param(), Some("pageToken"));
    }
}
