//! Answers that nobody waits for.

use std::sync::Arc;

use sabir_store::{InferenceQuery, Ledger, Status};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{mock::*, responses::*, support::*};

fn asked(stream: bool) -> Value {
    json!({"model": "m", "input": "hi", "background": true, "stream": stream, "metadata": {"a": "b"}})
}

fn path(answer: &Value) -> String {
    format!("/v1/responses/{}", answer["id"].as_str().unwrap())
}

/// The answer when it has come to an end.
async fn ended(gateway: &Gateway, answer: &Value) -> Value {
    for _ in 0..1000 {
        let now = bare(gateway, &format!("GET {}", path(answer)), "").await.json();
        if !matches!(now["status"].as_str(), Some("queued" | "in_progress")) {
            return now;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it does not end");
}

/// What comes up to these words.
async fn until(client: &mut Client, words: &str) -> Vec<u8> {
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).contains(words) {
        got.extend_from_slice(&client.piece().await.unwrap());
    }
    got
}

#[tokio::test]
async fn any_provider_makes_an_answer_in_the_background() {
    let gate = Arc::new(Notify::new());
    let upstream = Upstream::always(vec![Step::Gate(gate.clone()), good("fine")]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let queued = ask_as(&gateway, "x-sabir-tags: {\"team\":\"red\"}\r\n", &asked(false)).await;
    assert_eq!(queued.status, 200, "{}", queued.text());
    let queued = queued.json();
    assert_eq!((&queued["status"], &queued["background"]), (&json!("queued"), &json!(true)));
    assert_eq!((&queued["output"], &queued["metadata"]), (&json!([]), &json!({"a": "b"})));
    upstream.arrived(1).await;
    let running = bare(&gateway, &format!("GET {}", path(&queued)), "").await.json();
    assert_eq!((&running["status"], &running["created_at"]), (&json!("in_progress"), &queued["created_at"]));
    // What was asked is there already; what will be answered is not.
    let items = bare(&gateway, &format!("GET {}/input_items", path(&queued)), "").await.json();
    assert_eq!(items["data"][0]["content"][0]["text"], "hi");
    let early = json!({"model": "m", "input": "and?", "previous_response_id": queued["id"]});
    assert_eq!(ask(&gateway, &early).await.error(400)["param"], "previous_response_id");
    gate.notify_one();
    let done = ended(&gateway, &queued).await;
    assert_eq!((&done["status"], &done["id"]), (&json!("completed"), &queued["id"]));
    assert_eq!((&done["background"], &done["output"][0]["content"][0]["text"]), (&json!(true), &json!("fine")));
    assert_eq!(done["usage"]["total_tokens"], 10);
    // The provider is asked like by anybody who waits.
    let sent: Value = serde_json::from_str(upstream.seen()[0].text()).unwrap();
    let messages = json!([{"role": "user", "content": "hi"}]);
    assert_eq!(sent, json!({"model": "up-1", "messages": messages, "metadata": {"a": "b"}}));
    let row = gateway.rows().await.remove(0).inference;
    let tag = |name: &str| row.tags.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    assert_eq!(tag("team").as_deref(), Some("red"));
    assert_eq!(tag("sabir::response_id").as_deref(), done["id"].as_str());
    // It can be gone on from, and an item of it named.
    gate.notify_one();
    let next = ask(&gateway, &json!({"model": "m", "input": "and?", "previous_response_id": done["id"]})).await;
    assert_eq!(next.status, 200, "{}", next.text());
    let sent: Value = serde_json::from_str(upstream.seen()[1].text()).unwrap();
    assert_eq!(sent["messages"].as_array().unwrap().len(), 3);
    gate.notify_one();
    let reference =
        json!([{"type": "item_reference", "id": done["output"][0]["id"]}, {"role": "user", "content": "so?"}]);
    ask(&gateway, &json!({"model": "m", "input": reference})).await;
    let sent: Value = serde_json::from_str(upstream.seen()[2].text()).unwrap();
    assert_eq!(sent["messages"][0], json!({"role": "assistant", "content": "fine"}));
}

#[tokio::test]
async fn events_are_told_again_from_any_number() {
    let gate = Arc::new(Notify::new());
    let mut steps = vec![stream_head(), chunk(delta("fi")), Step::Gate(gate.clone())];
    steps.extend([chunk(delta("ne")), chunk(finish()), chunk(DONE), last_chunk()]);
    let upstream = Upstream::always(steps).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    // The one who asked leaves at the first word.
    let mut client = gateway.client().await;
    client.write(&post("/v1/responses", "", asked(true).to_string().as_bytes())).await;
    client.head().await.unwrap();
    let got = until(&mut client, "\"fi\"").await;
    drop(client);
    let begun = named(&got);
    let names: Vec<&str> = begun.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..3], ["response.created", "response.queued", "response.in_progress"]);
    let response = &begun[0].1["response"];
    assert_eq!((&response["status"], &begun[2].1["response"]["id"]), (&json!("queued"), &response["id"]));
    // Another one comes while it is still being made, and stays to the end.
    let last = begun.len() - 1;
    let mut client = gateway.client().await;
    let line = format!("GET {}?stream=true&starting_after={last}", path(response));
    client.write(format!("{line} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
    client.head().await.unwrap();
    gate.notify_one();
    let rest = until(&mut client, "response.completed").await;
    let all: Vec<_> = begun.iter().cloned().chain(named(&rest)).collect();
    for (at, (name, data)) in all.iter().enumerate() {
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(at)));
    }
    let (name, completed) = all.last().unwrap();
    assert_eq!((name.as_str(), &completed["response"]["id"]), ("response.completed", &response["id"]));
    assert_eq!(completed["response"]["output"][0]["content"][0]["text"], "fine");
    assert_eq!(ended(&gateway, response).await, completed["response"]);
    let again = bare(&gateway, &format!("GET {}?stream=true", path(response)), "").await;
    assert_eq!(named(&again.body), all);
    bare(&gateway, &format!("GET {}?stream=true&starting_after=x", path(response)), "").await.error(400);
}

#[tokio::test]
async fn a_provider_of_the_protocol_is_asked_as_by_somebody_who_waits() {
    let reply = said_natively("fine").to_string();
    let upstream = Upstream::start(move |_, seen| {
        if seen.text().contains("\"stream\":true") {
            return vec![stream_head(), chunk(streamed_natively("fine")), last_chunk()];
        }
        vec![json(200, &reply)]
    })
    .await;
    let gateway = Gateway::start(&native(&upstream)).await;
    for stream in [false, true] {
        let answer = ask(&gateway, &asked(stream)).await;
        let id = if stream { named(&answer.body)[0].1["response"]["id"].clone() } else { answer.json()["id"].clone() };
        let done = ended(&gateway, &json!({"id": id})).await;
        assert_eq!((&done["id"], &done["background"], &done["status"]), (&id, &json!(true), &json!("completed")));
        assert_eq!(done["output"], said_natively("fine")["output"]);
        let sent: Value = serde_json::from_str(upstream.seen()[usize::from(stream)].text()).unwrap();
        assert!(sent.get("background").is_none() && sent["metadata"]["a"] == "b", "{sent}");
    }
}

#[tokio::test]
async fn a_call_that_fails_is_a_failed_answer() {
    let upstream = Upstream::always(vec![failure(400, "bad", "that was wrong")]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let queued = ask(&gateway, &asked(false)).await.json();
    let failed = ended(&gateway, &queued).await;
    assert_eq!((&failed["status"], &failed["id"]), (&json!("failed"), &queued["id"]));
    assert!(failed["error"]["message"].as_str().unwrap().contains("that was wrong"), "{failed}");
    let events = named(&ask(&gateway, &asked(true)).await.body);
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["response.created", "response.queued", "response.failed"]);
    // What can be told at once is told at once.
    let mut wrong = asked(false);
    wrong["store"] = false.into();
    assert_eq!(ask(&gateway, &wrong).await.error(400)["param"], "background");
    wrong = asked(false);
    wrong["model"] = "nobody".into();
    ask(&gateway, &wrong).await.error(404);
}

#[tokio::test]
async fn an_answer_is_cancelled_at_its_provider() {
    let upstream = Upstream::always(vec![stream_head(), chunk(delta("fi")), Step::Hang]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    for stream in [false, true] {
        let mut client = gateway.client().await;
        client.write(&post("/v1/responses", "", asked(stream).to_string().as_bytes())).await;
        let first = client.head().await.unwrap();
        let response = if stream {
            named(&client.piece().await.unwrap())[0].1["response"].clone()
        } else {
            assert_eq!(first.status, 200);
            let rows = gateway.engine.tasks().unwrap().state().tasks(Default::default()).await.unwrap();
            json!({"id": format!("resp_{}", rows[0].id.simple())})
        };
        let calls = usize::from(stream) + 1;
        upstream.arrived(calls).await;
        let cancelled = bare(&gateway, &format!("POST {}/cancel", path(&response)), "").await;
        assert_eq!((cancelled.status, &cancelled.json()["status"]), (200, &json!("cancelled")), "{}", cancelled.text());
        upstream.closed(calls).await;
        assert_eq!(gateway.until_rows(calls).await[calls - 1].inference.status, Status::Cancelled);
        // Once more changes nothing.
        let again = bare(&gateway, &format!("POST {}/cancel", path(&response)), "").await.json();
        assert_eq!(again["status"], "cancelled");
    }
}

#[tokio::test]
async fn what_is_deleted_is_found_by_no_door() {
    let upstream =
        Upstream::start(|_, seen| if seen.text().contains("stay") { vec![Step::Hang] } else { vec![good("fine")] })
            .await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let waited = ask(&gateway, &json!({"model": "m", "input": "hi"})).await.json();
    let queued = ask(&gateway, &asked(false)).await.json();
    ended(&gateway, &queued).await;
    for answer in [&waited, &queued] {
        let gone = bare(&gateway, &format!("DELETE {}", path(answer)), "").await;
        assert_eq!(gone.json(), json!({"id": answer["id"], "object": "response", "deleted": true}));
        for line in [format!("GET {}", path(answer)), format!("DELETE {}", path(answer))] {
            bare(&gateway, &line, "").await.error(404);
        }
        let next = json!({"model": "m", "input": "and?", "previous_response_id": answer["id"]});
        assert_eq!(ask(&gateway, &next).await.error(400)["param"], "previous_response_id");
    }
    assert!(gateway.rows().await.is_empty(), "the listing of another door would show them");
    let all = InferenceQuery { include_failed: true, include_hidden: true, ..InferenceQuery::default() };
    assert_eq!(gateway.ledger.inferences(all).await.unwrap().len(), 2, "the ledger keeps its rows");
    // One that is still being made is stopped.
    let mut running = asked(false);
    running["input"] = "stay".into();
    let running = ask(&gateway, &running).await.json();
    upstream.arrived(3).await;
    bare(&gateway, &format!("DELETE {}", path(&running)), "").await;
    upstream.closed(1).await;
    bare(&gateway, &format!("GET {}", path(&running)), "").await.error(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_makes_the_answer_after_its_restart() {
    let upstream = Upstream::start(|n, _| {
        if n == 0 { vec![stream_head(), chunk(delta("lost")), Step::Hang] } else { good_stream(&["fi", "ne"]) }
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let (config, data) = (dir.path().join("sabir.toml"), dir.path().join("data"));
    std::fs::write(&config, model(&upstream, "")).unwrap();
    let mut first = Process::start(&config, &data, &[]);
    let mut client = Client::connect(first.addr).await;
    client.write(&post("/v1/responses", "", asked(true).to_string().as_bytes())).await;
    client.head().await.unwrap();
    let got = until(&mut client, "lost").await;
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    let id = named(&got)[0].1["response"]["id"].as_str().unwrap().to_owned();
    let second = Process::start(&config, &data, &[]);
    let mut client = Client::connect(second.addr).await;
    client.write(format!("GET /v1/responses/{id}?stream=true HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
    client.head().await.unwrap();
    let all = until(&mut client, "response.completed").await;
    let all: Vec<_> = named(&all).into_iter().filter(|(name, _)| name == "response.completed").collect();
    assert_eq!(all[0].1["response"]["output"][0]["content"][0]["text"], "fine");
    assert_eq!(upstream.count(), 2);
}
