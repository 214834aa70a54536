//! A client of the Model Manager: chat completions inside of gRPC.

use axum::body::Body;
use http_body_util::BodyExt;
use prost::Message;
use prost_types::{ListValue, Struct, Value as Any, value::Kind};
use sabir_server::{app::App, doors::model_manager};
use serde_json::Value;
use tower::ServiceExt;

use super::{Came, openai};
use crate::{
    matrix::talk::{Said, Talk},
    support::{Gateway, PATIENCE},
};

/// What the client sends; the numbers are those of its schema.
#[derive(Clone, PartialEq, Message)]
struct Asked {
    #[prost(string, tag = "1")]
    provider: String,
    #[prost(string, tag = "2")]
    channel: String,
    #[prost(string, tag = "3")]
    invoke_type: String,
    #[prost(bool, tag = "4")]
    stream: bool,
    #[prost(message, optional, tag = "10")]
    extra: Option<Struct>,
}

/// What it gets.
#[derive(Clone, PartialEq, Message)]
struct Item {
    #[prost(string, tag = "1")]
    content: String,
    #[prost(string, tag = "3")]
    raw_response: String,
    #[prost(string, tag = "4")]
    error: String,
}

fn any(value: &Value) -> Any {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(yes) => Kind::BoolValue(*yes),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(list) => Kind::ListValue(ListValue { values: list.iter().map(any).collect() }),
        Value::Object(_) => Kind::StructValue(object(value)),
    };
    Any { kind: Some(kind) }
}

fn object(value: &Value) -> Struct {
    Struct { fields: value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), any(value))).collect() }
}

pub(super) async fn call(gateway: &Gateway, model: &str, talk: &Talk, stream: bool) -> Came {
    let mut extra = openai::body(model, talk, false);
    extra["stream"] = stream.into();
    let asked = Asked {
        provider: "openai".into(),
        channel: "openai".into(),
        invoke_type: "chat-completions".into(),
        stream,
        extra: Some(object(&extra)),
    };
    let message = asked.encode_to_vec();
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&message);
    let request = http::Request::post("/model_service.ModelService/Invoke")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::from(frame))
        .unwrap();
    let router = model_manager::router(App::new(gateway.engine.clone())).await.unwrap();
    let answer = tokio::time::timeout(PATIENCE, router.oneshot(request)).await.unwrap().unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let warnings = header("x-sabir-warnings").map(|text| super::warnings(&text)).unwrap_or_default();
    let retry_after = header("retry-after");
    let body = tokio::time::timeout(PATIENCE, answer.into_body().collect()).await.unwrap().unwrap().to_bytes();
    let failed = items(&body).iter().any(|item| !item.error.is_empty());
    // The item fails, not the call: there is no status.
    Came { status: if failed { 400 } else { 200 }, warnings, retry_after, body: body.to_vec() }
}

fn items(mut body: &[u8]) -> Vec<Item> {
    let mut all = Vec::new();
    while let [0, a, b, c, d, rest @ ..] = body {
        let (message, rest) = rest.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        all.push(Item::decode(message).unwrap());
        body = rest;
    }
    assert!(body.is_empty() && !all.is_empty(), "no items");
    all
}

pub(super) fn understood(body: &[u8], stream: bool) -> Said {
    let items = items(body);
    let raw = items.iter().filter(|item| !item.raw_response.is_empty());
    let raw: Vec<Value> = raw.map(|item| serde_json::from_str(&item.raw_response).unwrap()).collect();
    let said = if stream { openai::stream(&raw) } else { openai::whole(&raw[0]) };
    // Contents of all items add up to the text.
    assert_eq!(items.iter().map(|item| item.content.as_str()).collect::<String>(), said.text);
    said
}

pub(super) fn complaint(body: &[u8]) -> (Option<String>, String) {
    (None, items(body).iter().map(|item| item.error.as_str()).collect())
}
