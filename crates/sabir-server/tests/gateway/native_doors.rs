//! The doors of Anthropic and of Google: what passes byte by byte, what is translated, and that the
//! ledger's rows can be read back either way.

use sabir_engine::history;
use sabir_store::{Record, Status};
use sabir_types::{Block, Operation, Protocol, Request, Response};
use serde_json::{Value, json};

use crate::{mock::*, support::*};

/// A model `m` at a provider of this type.
fn of(kind: &str, upstream: &Upstream) -> String {
    let path = if kind == "google_ai_studio_gemini" { "v1beta" } else { "v1" };
    format!(
        "[models.m.providers.a]\ntype = \"{kind}\"\nmodel_name = \"up-1\"\napi_base = \"http://{}/{path}\"\n\
         api_key_location = \"none\"\n",
        upstream.addr
    )
}

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"up-1","content":[{"type":"text","text":"fine"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":3}}"#;
const CANDIDATES: &str = r#"{"candidates":[{"content":{"parts":[{"text":"fine"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":10}}"#;

async fn send(gateway: &Gateway, path: &str, headers: &str, body: &str) -> Answer {
    let mut client = gateway.client().await;
    client.write(&post(path, headers, body.as_bytes())).await;
    client.answer().await
}

/// What the ledger's row says, read back.
fn read_back(row: &Record) -> (String, String) {
    let text = |blocks: &[Block]| blocks.iter().filter_map(text_of).collect::<String>();
    let Request::Chat(asked) = history::input(row).unwrap() else { panic!("not a chat") };
    let answered = match history::output(row).unwrap() {
        Some(Response::Chat(answer)) => text(&answer.choices[0].content),
        other => panic!("no answer: {other:?}"),
    };
    (text(&asked.messages[0].content), answered)
}

fn text_of(block: &Block) -> Option<&str> {
    match block {
        Block::Text(text) => Some(&text.text),
        _ => None,
    }
}

/// A stream of these bytes.
fn stream(body: &str) -> Vec<Step> {
    vec![stream_head(), chunk(body), last_chunk()]
}

fn message_events() -> String {
    let start = format!(
        "{{\"type\":\"message_start\",\"message\":{}}}",
        MESSAGE.replace(r#"[{"type":"text","text":"fine"}]"#, "[]")
    );
    let events = [
        ("message_start", start.as_str()),
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        ),
        (
            "content_block_delta",
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"fine"}}"#,
        ),
        ("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
        ("message_delta", r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}"#),
        ("message_stop", r#"{"type":"message_stop"}"#),
    ];
    events.iter().map(|(name, data)| format!("event: {name}\ndata: {data}\n\n")).collect()
}

#[tokio::test]
async fn messages_pass_byte_by_byte_and_are_read_back() {
    let events = message_events();
    let upstream = Upstream::turns(vec![vec![json(200, MESSAGE)], stream(&events)]).await;
    let gateway = Gateway::start(&of("anthropic", &upstream)).await;
    let headers = "anthropic-version: 2099-01-01\r\nanthropic-beta: one\r\n";
    let body = r#"{ "max_tokens":5,"zz":1e2, "model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let answer = send(&gateway, "/anthropic/v1/messages", headers, body).await;
    assert_eq!((answer.status, answer.text()), (200, MESSAGE));
    let seen = &upstream.seen()[0];
    assert_eq!(seen.text(), body.replace("\"m\"", "\"up-1\""));
    assert_eq!(seen.header("anthropic-version"), Some("2099-01-01"));
    assert_eq!(seen.header("anthropic-beta"), Some("one"));
    let row = gateway.row(&answer).await;
    assert_eq!((row.inference.door, row.inference.operation), (Protocol::Anthropic, Operation::Chat));
    assert_eq!(read_back(&row), ("hi".into(), "fine".into()));
    let answer = send(&gateway, "/v1/messages", "", &body.replace("\"zz\":1e2", "\"stream\":true")).await;
    assert_eq!(answer.text(), events);
    let row = gateway.row(&answer).await;
    assert_eq!((row.inference.usage.input_tokens, row.inference.usage.output_tokens), (Some(7), Some(3)));
    assert_eq!(read_back(&row), ("hi".into(), "fine".into()));
}

#[tokio::test]
async fn messages_are_translated_and_read_back() {
    let upstream = Upstream::turns(vec![vec![good("fine")], good_stream(&["fi", "ne"])]).await;
    let gateway = Gateway::start(&of("openai", &upstream)).await;
    let body = r#"{"max_tokens":5,"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let answer = send(&gateway, "/v1/messages", "", body).await;
    assert_eq!(answer.json()["content"], json!([{"type": "text", "text": "fine"}]), "{}", answer.text());
    assert!(answer.header("request-id").is_some_and(|id| id.starts_with("req_")));
    assert_eq!(read_back(&gateway.row(&answer).await), ("hi".into(), "fine".into()));
    let answer = send(&gateway, "/v1/messages", "", &body.replace("{\"max", "{\"stream\":true,\"max")).await;
    assert!(answer.complete && answer.text().ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
    assert_eq!(read_back(&gateway.row(&answer).await), ("hi".into(), "fine".into()));
}

#[tokio::test]
async fn contents_pass_byte_by_byte_and_are_read_back() {
    let events = format!("data: {CANDIDATES}\r\n\r\n");
    let turns = vec![vec![json(200, CANDIDATES)], stream(&events), stream(&events)];
    let upstream = Upstream::turns(turns).await;
    let gateway = Gateway::start(&of("google_ai_studio_gemini", &upstream)).await;
    let body = r#"{ "zz":1e2, "contents":[{"parts":[{"text":"hi"}]}]}"#;
    let answer = send(&gateway, "/gemini/v1beta/models/m:generateContent?key=any", "", body).await;
    assert_eq!((answer.status, answer.text()), (200, CANDIDATES));
    let seen = &upstream.seen()[0];
    assert_eq!(seen.text(), body);
    assert!(seen.head.starts_with("POST /v1beta/models/up-1:generateContent HTTP/1.1\r\n"), "{}", seen.head);
    let row = gateway.row(&answer).await;
    assert_eq!((row.inference.door, &*row.inference.model), (Protocol::Gemini, "m"));
    assert_eq!(read_back(&row), ("hi".into(), "fine".into()));
    let answer = send(&gateway, "/v1beta/models/m:streamGenerateContent?alt=sse", "", body).await;
    assert_eq!(answer.text(), events);
    assert_eq!(read_back(&gateway.row(&answer).await), ("hi".into(), "fine".into()));
    let answer = send(&gateway, "/v1beta/models/m:streamGenerateContent", "", body).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), json!([serde_json::from_str::<Value>(CANDIDATES).unwrap()]));
}

#[tokio::test]
async fn contents_are_translated_and_read_back() {
    let upstream = Upstream::turns(vec![vec![good("fine")], good_stream(&["fi", "ne"])]).await;
    let gateway = Gateway::start(&of("openai", &upstream)).await;
    let body = r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#;
    let answer = send(&gateway, "/v1/models/m:generateContent", "", body).await;
    assert_eq!(answer.json()["candidates"][0]["content"]["parts"], json!([{"text": "fine"}]), "{}", answer.text());
    assert_eq!(read_back(&gateway.row(&answer).await), ("hi".into(), "fine".into()));
    let answer = send(&gateway, "/v1beta/models/m:streamGenerateContent?alt=sse", "", body).await;
    let last = events(&answer.body).pop().unwrap();
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["usageMetadata"]["promptTokenCount"], 7);
    assert_eq!(read_back(&gateway.row(&answer).await), ("hi".into(), "fine".into()));
}

#[tokio::test]
async fn vectors_are_read_back() {
    let gateway = Gateway::start("").await;
    for (path, body) in [
        ("embedContent", r#"{"content":{"parts":[{"text":"hi"}]}}"#),
        ("batchEmbedContents", r#"{"requests":[{"model":"models/x","content":{"parts":[{"text":"hi"}]}}]}"#),
    ] {
        let answer = send(&gateway, &format!("/gemini/v1beta/models/dummy::good:{path}"), "", body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let row = gateway.row(&answer).await;
        assert!(matches!(history::input(&row), Ok(Request::Embed(_))));
        assert!(matches!(history::output(&row), Ok(Some(Response::Embed(_)))));
    }
}

#[tokio::test]
async fn a_failure_has_the_shape_of_its_door_and_a_row() {
    let upstream = Upstream::always(vec![failure(503, "x", "no luck")]).await;
    let gateway = Gateway::start(&of("openai", &upstream)).await;
    let answer =
        send(&gateway, "/v1/messages", "", r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#).await;
    let said = answer.json();
    assert_eq!((answer.status, &said["error"]["type"]), (529, &"overloaded_error".into()), "{said}");
    assert_eq!(said["request_id"].as_str(), answer.header("request-id"));
    assert_eq!(gateway.row(&answer).await.inference.status, Status::Error);
    let answer =
        send(&gateway, "/v1beta/models/m:generateContent", "", r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#).await;
    let said = answer.json();
    assert_eq!((answer.status, &said["error"]["status"]), (503, &"UNAVAILABLE".into()), "{said}");
    assert_eq!(gateway.row(&answer).await.inference.status, Status::Error);
}

#[tokio::test]
async fn tokens_are_counted_by_the_provider_alone() {
    let upstream = Upstream::always(vec![json(200, r#"{"input_tokens":42}"#)]).await;
    let gateway = Gateway::start(&of("anthropic", &upstream)).await;
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let answer = send(&gateway, "/v1/messages/count_tokens", "", body).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"input_tokens": 42})));
    assert!(upstream.seen()[0].head.starts_with("POST /v1/messages/count_tokens HTTP/1.1\r\n"));
    // Of another protocol: said, not guessed. Nothing was inferred, so there is no row.
    let answer =
        send(&gateway, "/v1beta/models/m:countTokens", "", r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!((upstream.count(), gateway.rows().await.len()), (1, 0));
}
