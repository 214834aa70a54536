//! Answers that were given before, and calls that share one.

use std::{sync::Arc, time::Duration};

use sabir_store::Status;
use tokio::sync::Notify;

use crate::{mock::*, support::*};

const ON: &str = "x-sabir-cache: on\r\n";

async fn with(gateway: &Gateway, mode: &str, call: &str) -> Answer {
    let headers = if mode.is_empty() { String::new() } else { format!("x-sabir-cache: {mode}\r\n") };
    gateway.client().await.chat_with(&headers, call).await
}

/// A provider that counts in its answers.
async fn counting() -> (Upstream, Gateway) {
    let upstream = Upstream::start(|n, seen| {
        let text = format!("answer{n}");
        if seen.text().contains("\"stream\":true") {
            good_stream(&["answer", &n.to_string()])
        } else {
            vec![good(&text)]
        }
    })
    .await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    (upstream, gateway)
}

#[tokio::test]
async fn nothing_is_kept_unless_asked_for() {
    let (upstream, gateway) = counting().await;
    for call in [CALL, STREAM] {
        for _ in 0..3 {
            assert_eq!(with(&gateway, "", call).await.header("x-sabir-cached"), None);
            assert_eq!(with(&gateway, "off", call).await.header("x-sabir-cached"), None);
        }
    }
    assert_eq!(upstream.count(), 12);
}

#[tokio::test]
async fn the_same_call_again_costs_nothing() {
    for call in [CALL, REWRITTEN] {
        let (upstream, gateway) = counting().await;
        let first = with(&gateway, "on", call).await;
        let second = with(&gateway, "on", call).await;
        assert_eq!(upstream.count(), 1);
        assert_eq!((first.header("x-sabir-cached"), second.header("x-sabir-cached")), (None, Some("true")));
        assert_ne!(first.header("x-sabir-inference-id"), second.header("x-sabir-inference-id"));
        assert_eq!(first.json()["choices"], second.json()["choices"]);
        if call == CALL {
            assert_eq!(first.body, second.body);
        }
        let row = gateway.row(&second).await;
        assert!(row.inference.cached && row.calls.len() == 1 && row.calls[0].cached);
        assert_eq!((row.inference.usage.input_tokens, row.inference.cost), (Some(0), Some(0.0)));
        let fresh = gateway.row(&first).await;
        assert!(!fresh.inference.cached && fresh.inference.usage.input_tokens == Some(7));
        // What decides the answer decides the key.
        let other = call.replace("\"hi\"", "\"ho\"");
        assert_eq!(with(&gateway, "on", &other).await.header("x-sabir-cached"), None);
    }
}

#[tokio::test]
async fn streams_are_kept_too_and_apart_from_whole_answers() {
    for call in [STREAM, REWRITTEN_STREAM] {
        let (upstream, gateway) = counting().await;
        let first = with(&gateway, "on", call).await;
        let second = with(&gateway, "on", call).await;
        assert_eq!(upstream.count(), 1);
        assert_eq!((said(&first.body).as_str(), said(&second.body).as_str()), ("answer0", "answer0"));
        assert!(second.complete && second.text().ends_with(DONE));
        if call == STREAM {
            assert_eq!(first.body, second.body);
        }
        let row = gateway.row(&second).await;
        assert!(row.inference.cached && row.inference.stream && row.inference.status == Status::Ok);
        assert_eq!(with(&gateway, "on", CALL).await.header("x-sabir-cached"), None);
    }
}

#[tokio::test]
async fn reading_and_keeping_can_be_asked_for_alone() {
    let (upstream, gateway) = counting().await;
    assert_eq!(with(&gateway, "read_only", CALL).await.header("x-sabir-cached"), None);
    assert_eq!(with(&gateway, "read_only", CALL).await.header("x-sabir-cached"), None);
    assert_eq!(with(&gateway, "write_only", CALL).await.header("x-sabir-cached"), None);
    assert_eq!(with(&gateway, "write_only", CALL).await.header("x-sabir-cached"), None);
    assert_eq!(upstream.count(), 4);
    let read = with(&gateway, "read_only", CALL).await;
    assert_eq!(read.header("x-sabir-cached"), Some("true"));
    assert_eq!(read.json()["choices"][0]["message"]["content"], "answer3", "the newest counts");
    let wrong = with(&gateway, "sometimes", CALL).await;
    assert_eq!(wrong.error(400)["param"], "x-sabir-cache");
}

#[tokio::test]
async fn an_answer_may_be_too_old() {
    let (upstream, gateway) = counting().await;
    let call = |options: &str| {
        format!(
            "{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}],\"tensorzero::cache_options\":{options}}}"
        )
    };
    gateway.chat(&call("{\"enabled\":\"on\"}")).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let old = gateway.chat(&call("{\"enabled\":\"on\",\"max_age_s\":1}")).await;
    assert_eq!((old.header("x-sabir-cached"), upstream.count()), (None, 2));
    let fresh = gateway.chat(&call("{\"enabled\":\"on\",\"max_age_s\":60}")).await;
    assert_eq!((fresh.header("x-sabir-cached"), upstream.count()), (Some("true"), 2));
}

#[tokio::test]
async fn failures_are_not_kept() {
    let bad: Vec<Vec<Step>> = vec![
        vec![failure(500, "x", "no")],
        vec![failure(400, "x", "no")],
        vec![json(200, r#"{"error":{"message":"inside","code":500}}"#)],
        vec![json(200, "{")],
    ];
    for steps in bad {
        let upstream = Upstream::turns(vec![steps, vec![good("fine")]]).await;
        let gateway = Gateway::start(&model(&upstream, "")).await;
        assert!(with(&gateway, "on", CALL).await.status >= 400);
        let second = with(&gateway, "on", CALL).await;
        assert_eq!((second.status, second.header("x-sabir-cached"), upstream.count()), (200, None, 2));
    }
    for end in
        [vec![Step::Reset], vec![last_chunk()], vec![chunk("data: {\"error\":{\"message\":\"x\"}}\n\n"), last_chunk()]]
    {
        let mut steps = vec![stream_head(), chunk(delta("half"))];
        steps.extend(end);
        let upstream = Upstream::turns(vec![steps, good_stream(&["fine"])]).await;
        let gateway = Gateway::start(&model(&upstream, "")).await;
        with(&gateway, "on", STREAM).await;
        let second = with(&gateway, "on", STREAM).await;
        assert_eq!((said(&second.body).as_str(), upstream.count()), ("fine", 2));
    }
}

/// A provider that waits at a gate before it answers, or in the middle of its stream.
async fn gated(stream: bool) -> (Upstream, Gateway, Arc<Notify>) {
    let gate = Arc::new(Notify::new());
    let wait = Step::Gate(gate.clone());
    let steps = if stream {
        vec![stream_head(), chunk(delta("sha")), wait, chunk(delta("red") + &finish()), chunk(DONE), last_chunk()]
    } else {
        vec![wait, good("shared")]
    };
    let upstream = Upstream::always(steps).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    (upstream, gateway, gate)
}

#[tokio::test]
async fn identical_calls_in_flight_share_one() {
    for (stream, call) in [(false, CALL), (false, REWRITTEN), (true, STREAM), (true, REWRITTEN_STREAM)] {
        let (upstream, gateway, gate) = gated(stream).await;
        let mut clients = Vec::new();
        for _ in 0..5 {
            let mut client = gateway.client().await;
            client.write(&post("/v1/chat/completions", ON, call.as_bytes())).await;
            clients.push(client);
            upstream.arrived(1).await;
        }
        // All have been taken in when an uncached call that came after them has been answered.
        tokio::time::sleep(Duration::from_millis(100)).await;
        gate.notify_one();
        let mut ids = std::collections::HashSet::new();
        for client in &mut clients {
            let answer = client.answer().await;
            assert_eq!(answer.status, 200);
            let text = if stream {
                said(&answer.body)
            } else {
                answer.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
            };
            assert_eq!(text, "shared");
            let row = gateway.row(&answer).await;
            assert_eq!(row.inference.status, Status::Ok);
            assert_eq!(row.calls.len(), 1);
            if let Some(output) = &row.inference.output {
                assert!(output.contains("shared"), "{output}");
            }
            ids.insert(row.inference.id);
        }
        assert_eq!((ids.len(), upstream.count()), (5, 1));
        let rows = gateway.rows().await;
        assert_eq!(rows.iter().filter(|row| row.inference.cached).count(), 4, "one paid");
    }
}

#[tokio::test]
async fn the_first_caller_may_leave() {
    for (stream, call) in [(false, CALL), (true, STREAM)] {
        let (upstream, gateway, gate) = gated(stream).await;
        let mut first = gateway.client().await;
        first.write(&post("/v1/chat/completions", ON, call.as_bytes())).await;
        upstream.arrived(1).await;
        let mut second = gateway.client().await;
        second.write(&post("/v1/chat/completions", ON, call.as_bytes())).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(first);
        tokio::time::sleep(Duration::from_millis(100)).await;
        gate.notify_one();
        let answer = second.answer().await;
        assert!(answer.complete && answer.status == 200);
        assert_eq!(upstream.count(), 1);
        assert_eq!(gateway.until_rows(2).await.len(), 2);
    }
}

#[tokio::test]
async fn when_all_leave_the_provider_stops() {
    for (stream, call) in [(false, CALL), (true, STREAM)] {
        let (upstream, gateway, _gate) = gated(stream).await;
        let mut clients = Vec::new();
        for _ in 0..2 {
            let mut client = gateway.client().await;
            client.write(&post("/v1/chat/completions", ON, call.as_bytes())).await;
            clients.push(client);
            upstream.arrived(1).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        clients.clear();
        upstream.closed(1).await;
        let rows = gateway.until_rows(2).await;
        assert!(rows.iter().all(|row| row.inference.status == Status::Cancelled), "{rows:#?}");
    }
}

#[tokio::test]
async fn a_shared_failure_is_everybodys() {
    let gate = Arc::new(Notify::new());
    let upstream = Upstream::always(vec![Step::Gate(gate.clone()), failure(400, "bad_thing", "no good")]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = gateway.client().await;
        client.write(&post("/v1/chat/completions", ON, CALL.as_bytes())).await;
        clients.push(client);
        upstream.arrived(1).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    gate.notify_one();
    for client in &mut clients {
        let answer = client.answer().await;
        assert_eq!(answer.error(400)["message"], "no good");
        assert_eq!(gateway.row(&answer).await.inference.status, Status::Error);
    }
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_stream_that_breaks_breaks_for_all_who_share_it() {
    let error = "data: {\"error\":{\"message\":\"it broke\",\"code\":500}}\n\n";
    for call in [STREAM, REWRITTEN_STREAM] {
        let gate = Arc::new(Notify::new());
        let steps = vec![stream_head(), chunk(delta("be")), Step::Gate(gate.clone()), chunk(error), last_chunk()];
        let upstream = Upstream::always(steps).await;
        let gateway = Gateway::start(&model(&upstream, "")).await;
        let mut clients = Vec::new();
        for _ in 0..2 {
            let mut client = gateway.client().await;
            client.write(&post("/v1/chat/completions", ON, call.as_bytes())).await;
            clients.push(client);
            upstream.arrived(1).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        gate.notify_one();
        for client in &mut clients {
            let answer = client.answer().await;
            assert_eq!(answer.text().matches("it broke").count(), 1, "{}", answer.text());
            assert_eq!(gateway.row(&answer).await.inference.status, Status::Error);
        }
        assert_eq!(upstream.count(), 1);
    }
}
