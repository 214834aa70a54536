//! The same rules at TensorZero's door: failures, callers who leave, keys, odd paths.

use sabir_store::Status;
use serde_json::Value;

use crate::{mock::*, support::*};

const WHOLE: &str = r#"{"model_name":"m","input":{"messages":[{"role":"user","content":"hi"}]}}"#;
const STREAMED: &str = r#"{"model_name":"m","stream":true,"input":{"messages":[{"role":"user","content":"hi"}]}}"#;

async fn infer(gateway: &Gateway, body: &str) -> Answer {
    let mut client = gateway.client().await;
    client.write(&post("/inference", "", body.as_bytes())).await;
    client.answer().await
}

/// This door's error: one string.
fn message(value: &Value) -> &str {
    value["error"].as_str().unwrap_or_else(|| panic!("no error in {value}"))
}

#[tokio::test]
async fn answers_are_translated_and_recorded() {
    let upstream = Upstream::turns(vec![vec![good("fine")], good_stream(&["fi", "ne"])]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let answer = infer(&gateway, WHOLE).await;
    assert_eq!((answer.status, &answer.json()["content"][0]["text"]), (200, &"fine".into()), "{}", answer.text());
    let answer = infer(&gateway, STREAMED).await;
    assert!(answer.complete && answer.text().ends_with(DONE), "{}", answer.text());
    let text: String = events(&answer.body)
        .iter()
        .filter_map(|event| event["content"][0]["text"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(text, "fine");
    let rows = gateway.rows().await;
    assert!(rows.len() == 2 && rows.iter().all(|row| row.inference.status == Status::Ok));
    assert!(rows.iter().all(|row| row.inference.output.as_ref().is_some_and(|output| output.contains("fine"))));
}

#[tokio::test]
async fn failures_fall_back_and_are_told() {
    let (a, b) = (
        Upstream::always(vec![failure(500, "x", "first")]).await,
        Upstream::turns(vec![vec![good("fine")], vec![failure(503, "x", "second")]]).await,
    );
    let gateway = Gateway::start(&two(&a, &b, "")).await;
    assert_eq!(infer(&gateway, WHOLE).await.status, 200);
    let answer = infer(&gateway, WHOLE).await;
    assert_eq!(answer.status, 502);
    let json = answer.json();
    assert!(message(&json).contains("a: first") && message(&json).contains("b: second"), "{json}");
}

#[tokio::test]
async fn a_stream_that_breaks_says_so_and_has_no_end() {
    let upstream = Upstream::always(vec![stream_head(), chunk(delta("be")), Step::Close]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let answer = infer(&gateway, STREAMED).await;
    let all = events(&answer.body);
    assert!(all.iter().any(|event| event.get("error").is_some()), "{}", answer.text());
    assert_eq!(gateway.rows().await[0].inference.status, Status::Error);
}

#[tokio::test]
async fn a_caller_may_leave() {
    for (steps, body) in [(vec![Step::Hang], WHOLE), (vec![stream_head(), chunk(delta("be")), Step::Hang], STREAMED)] {
        let upstream = Upstream::always(steps).await;
        let gateway = Gateway::start(&model(&upstream, "")).await;
        let mut client = gateway.client().await;
        client.write(&post("/inference", "", body.as_bytes())).await;
        upstream.arrived(1).await;
        if body == STREAMED {
            client.head().await.unwrap();
            client.piece().await.unwrap();
        }
        drop(client);
        upstream.closed(1).await;
        assert_eq!(gateway.until_rows(1).await[0].inference.status, Status::Cancelled);
    }
}

#[tokio::test]
async fn wrong_input_is_refused_in_this_doors_words() {
    let upstream = Upstream::always(vec![good("fine")]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    for (body, status) in [
        ("", 400),
        ("nonsense", 400),
        ("{}", 400),
        (r#"{"model_name":"m"}"#, 400),
        (r#"{"model_name":"m","input":{"messages":[{"role":"user","content":7}]}}"#, 400),
        (r#"{"model_name":"m","input":{"messages":[{"role":"wizard","content":"hi"}]}}"#, 400),
        (r#"{"model_name":"nobody","input":{"messages":[{"role":"user","content":"hi"}]}}"#, 404),
        (r#"{"function_name":"nobody","input":{"messages":[{"role":"user","content":"hi"}]}}"#, 404),
    ] {
        let answer = infer(&gateway, body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(!message(&answer.json()).is_empty());
    }
    assert_eq!(upstream.count(), 0);
    for (line, status) in [
        ("GET /nowhere", 404),
        ("POST /v1/nowhere", 404),
        ("GET /openai/v1/nowhere", 404),
        ("GET /inference", 405),
        ("GET /v1/chat/completions", 405),
    ] {
        let mut client = gateway.client().await;
        client.write(format!("{line} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status, "{line}");
        assert!(answer.json().get("error").is_some(), "{line}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_callers_key_reaches_the_provider_and_no_row() {
    const KEY: &str = "key-test-SECRET-0123456789";
    let upstream = Upstream::start(|_, seen| {
        vec![failure(500, "x", &format!("{} failed", seen.header("authorization").unwrap()))]
    })
    .await;
    let toml = format!(
        "[models.m]\n{}",
        provider("m", "a", &upstream.addr.to_string(), "api_key_location = \"dynamic::k\"\n")
    );
    let gateway = Gateway::start(&toml).await;
    for extra in ["", "\"include_raw_response\":true,"] {
        let body = WHOLE.replacen('{', &format!("{{{extra}\"credentials\":{{\"k\": \"{KEY}\"}},"), 1);
        let answer = infer(&gateway, &body).await;
        assert!(answer.status >= 500 && !answer.text().contains("SECRET"), "{}", answer.text());
        assert!(answer.text().contains("Bearer *** failed"), "{}", answer.text());
    }
    assert_eq!(upstream.seen()[0].header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    for row in gateway.rows().await {
        let input = String::from_utf8(row.inference.input.unwrap().to_vec()).unwrap();
        assert!(input.contains("{\"k\": \"***\"}") && !input.contains("SECRET"), "{input}");
    }
}
