//! Files and batches: kept and run by the gateway, over any provider.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use sabir_store::{Ledger, Status};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{mock::*, support::*};

/// A request to this address, whole.
pub(crate) async fn send(addr: SocketAddr, head: &str, headers: &str, body: &[u8]) -> Answer {
    let mut client = Client::connect(addr).await;
    let length = body.len();
    let mut bytes = format!("{head} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n").into_bytes();
    bytes.extend_from_slice(body);
    client.write(&bytes).await;
    client.answer().await
}

/// A form with a file.
fn form(purpose: &str, content: &[u8], more: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in [("purpose", purpose)].iter().chain(more) {
        out.extend_from_slice(
            format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes(),
        );
    }
    out.extend_from_slice(
        b"--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\ncontent-type: application/octet-stream\r\n\r\n",
    );
    out.extend_from_slice(content);
    out.extend_from_slice(b"\r\n--edge--\r\n");
    out
}

const FORM: &str = "content-type: multipart/form-data; boundary=edge\r\n";

async fn upload(addr: SocketAddr, headers: &str, content: &str) -> Value {
    let body = form("batch", content.as_bytes(), &[]);
    let answer = send(addr, "POST /v1/files", &format!("{FORM}{headers}"), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn line(id: &str, text: &str) -> String {
    json!({"custom_id": id, "method": "POST", "url": "/v1/chat/completions",
        "body": {"model": "m", "messages": [{"role": "user", "content": text}]}})
    .to_string()
}

fn lines(count: usize) -> String {
    (0..count).map(|at| line(&format!("r{at}"), &format!("say {at}")) + "\n").collect()
}

async fn order(addr: SocketAddr, headers: &str, file: &Value) -> Answer {
    let body = json!({"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h",
        "metadata": {"a": "b"}});
    send(addr, "POST /v1/batches", headers, body.to_string().as_bytes()).await
}

/// The batch when it has come to this.
async fn until(addr: SocketAddr, headers: &str, batch: &Value, ready: impl Fn(&Value) -> bool) -> Value {
    let head = format!("GET /v1/batches/{}", batch["id"].as_str().unwrap());
    for _ in 0..3000 {
        let now = send(addr, &head, headers, b"").await.json();
        if ready(&now) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the batch does not come to it");
}

async fn ended(addr: SocketAddr, headers: &str, batch: &Value) -> Value {
    let is_end = |now: &Value| matches!(now["status"].as_str(), Some("completed" | "failed" | "expired" | "cancelled"));
    until(addr, headers, batch, is_end).await
}

/// The lines of a file, by their ids.
async fn results(addr: SocketAddr, headers: &str, file: &Value) -> Vec<(String, Value)> {
    let content = send(addr, &format!("GET /v1/files/{}/content", file.as_str().unwrap()), headers, b"").await;
    assert_eq!(content.status, 200, "{}", content.text());
    let mut all: Vec<_> = content
        .text()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["custom_id"].as_str().unwrap().to_owned(), line))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn echo(seen: &Seen) -> String {
    let body: Value = serde_json::from_str(seen.text()).unwrap();
    body["messages"][0]["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_batch_runs_over_any_provider() {
    let upstream = Upstream::start(|_, seen| match echo(seen).as_str() {
        "bad" => vec![failure(400, "bad", "that was wrong")],
        text => vec![good(text)],
    })
    .await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let addr = gateway.addr;
    let content = format!("{}\r\n\n{}\n{}", line("a", "one"), line("\u{e9}", "bad"), line("c", "three"));
    let file = upload(addr, "", &content).await;
    assert_eq!(
        (&file["object"], &file["purpose"], &file["filename"]),
        (&json!("file"), &json!("batch"), &json!("in.jsonl"))
    );
    assert_eq!((&file["bytes"], &file["status"]), (&json!(content.len()), &json!("processed")));
    let batch = order(addr, "", &file).await.json();
    assert_eq!((&batch["object"], &batch["metadata"]), (&json!("batch"), &json!({"a": "b"})));
    let done = ended(addr, "", &batch).await;
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!(done["request_counts"], json!({"total": 3, "completed": 2, "failed": 1}));
    assert_eq!(
        (&done["usage"]["input_tokens"], &done["usage"]["total_tokens"], &done["model"]),
        (&json!(14), &json!(20), &json!("m"))
    );
    assert!(done["completed_at"].is_u64() && done["in_progress_at"].is_u64() && done["cancelled_at"].is_null());
    let output = results(addr, "", &done["output_file_id"]).await;
    let said: Vec<_> = output
        .iter()
        .map(|(id, line)| (id.as_str(), line["response"]["body"]["choices"][0]["message"]["content"].as_str().unwrap()))
        .collect();
    assert_eq!(said, [("a", "one"), ("c", "three")]);
    assert_eq!((&output[0].1["error"], &output[0].1["response"]["status_code"]), (&Value::Null, &json!(200)));
    let errors = results(addr, "", &done["error_file_id"]).await;
    assert_eq!((errors[0].0.as_str(), &errors[0].1["response"]["status_code"]), ("\u{e9}", &json!(400)));
    assert!(errors[0].1["response"]["body"]["error"]["message"].as_str().unwrap().contains("that was wrong"));
    // Each is a call like any other.
    let rows = gateway.rows().await;
    let mut tags: Vec<_> = rows.iter().map(|row| row.inference.tags.clone()).collect();
    tags.sort();
    let name = batch["id"].as_str().unwrap();
    for (tags, id) in tags.iter().zip(["a", "c", "\u{e9}"]) {
        assert_eq!(
            *tags,
            [("sabir::batch_id".to_owned(), name.to_owned()), ("sabir::custom_id".to_owned(), id.to_owned())]
        );
    }
    // What it made is listed like what was uploaded, and goes the same way.
    let listed = send(addr, "GET /v1/files?purpose=batch_output&order=asc", "", b"").await.json();
    assert_eq!((&listed["data"][0]["id"], &listed["has_more"]), (&done["output_file_id"], &json!(false)));
    let path = format!("/v1/files/{}", done["output_file_id"].as_str().unwrap());
    assert_eq!(send(addr, &format!("DELETE {path}"), "", b"").await.json()["deleted"], true);
    send(addr, &format!("GET {path}/content"), "", b"").await.error(404);
    let second = order(addr, "", &file).await.json();
    let page = send(addr, "GET /v1/batches?limit=1", "", b"").await.json();
    assert_eq!((&page["data"][0]["id"], &page["has_more"]), (&second["id"], &json!(true)));
    let after = format!("GET /v1/batches?after={}", second["id"].as_str().unwrap());
    assert_eq!(send(addr, &after, "", b"").await.json()["data"][0]["id"], batch["id"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_line_is_told_by_its_number() {
    let upstream = Upstream::always(vec![good("fine")]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let with = |path: &str, value: Value| {
        let mut line: Value = serde_json::from_str(&line(path, "x")).unwrap();
        *line.pointer_mut(path).unwrap() = value;
        line.to_string()
    };
    let mut stream: Value = serde_json::from_str(&line("s", "x")).unwrap();
    stream["body"]["stream"] = true.into();
    let mut secret: Value = serde_json::from_str(&line("t", "x")).unwrap();
    secret["body"]["tensorzero::credentials"] = json!({"key": "x"});
    let all = [
        line("same", "x"),
        "{".into(),
        line("same", "x"),
        with("/method", json!("GET")),
        String::new(),
        with("/url", json!("/v1/embeddings")),
        with("/body/model", json!("nobody")),
        with("/body", json!([])),
        stream.to_string(),
        secret.to_string(),
        "{\"method\":\"POST\"}".into(),
    ];
    let file = upload(gateway.addr, "", &all.join("\n")).await;
    let batch = order(gateway.addr, "", &file).await.json();
    let failed = ended(gateway.addr, "", &batch).await;
    assert_eq!(failed["status"], "failed");
    let told: Vec<_> = failed["errors"]["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["line"].as_u64().unwrap(), error["code"].as_str().unwrap(), error["param"].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (2, "invalid_json_line", None),
            (3, "duplicate_custom_id", Some("custom_id")),
            (4, "invalid_method", Some("method")),
            (6, "mismatched_endpoint", Some("url")),
            (7, "model_not_found", Some("body.model")),
            (8, "invalid_type", Some("body")),
            (9, "invalid_value", Some("body.stream")),
            (10, "invalid_value", Some("body.tensorzero::credentials")),
            (11, "missing_required_parameter", Some("custom_id")),
        ]
    );
    let empty = upload(gateway.addr, "", "\n\n").await;
    let batch = order(gateway.addr, "", &empty).await.json();
    assert_eq!(ended(gateway.addr, "", &batch).await["errors"]["data"][0]["code"], "empty_file");
    assert_eq!(upstream.count(), 0);
    // And what is wrong with an order, at once.
    let good = json!({"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"});
    for (member, value) in [
        ("input_file_id", json!("file-nobody")),
        ("input_file_id", Value::Null),
        ("endpoint", json!("/v1/videos")),
        ("completion_window", json!("1h")),
        ("metadata", json!({"a": 1})),
        ("output_expires_after", json!({"anchor": "created_at", "seconds": 5})),
        ("strange", json!(1)),
    ] {
        let mut body = good.clone();
        body[member] = value;
        let error = send(gateway.addr, "POST /v1/batches", "", body.to_string().as_bytes()).await.error(400);
        assert!(error["param"].as_str().unwrap().starts_with(member), "{error}");
    }
}

#[tokio::test]
async fn files_come_in_and_go_out_in_pieces() {
    let upstream = Upstream::always(vec![good("fine")]).await;
    let gateway = Gateway::start("[gateway.batches]\nfile_bytes = 3000000\n").await;
    drop(upstream);
    let content: Vec<u8> = (0..2_500_000_u32).map(|at| (at % 251) as u8).collect();
    let body =
        form("user_data", &content, &[("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3600")]);
    let file = send(gateway.addr, "POST /v1/files", FORM, &body).await.json();
    assert_eq!(file["expires_at"].as_i64().unwrap() - file["created_at"].as_i64().unwrap(), 3600);
    let path = format!("/v1/files/{}", file["id"].as_str().unwrap());
    let back = send(gateway.addr, &format!("GET {path}/content"), "", b"").await;
    assert!(back.complete && back.body == content);
    assert_eq!(send(gateway.addr, &format!("GET {path}"), "", b"").await.json(), file);
    let cases: [(Vec<u8>, u16, &str); 6] = [
        (form("user_data", &[b'x'; 3_000_001], &[]), 413, "file"),
        (form("nothing", b"x", &[]), 400, "purpose"),
        (form("batch", b"x", &[("expires_after[anchor]", "now")]), 400, "expires_after"),
        (form("batch", b"x", &[("strange", "1")]), 400, "strange"),
        (
            b"--edge\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--edge--\r\n".to_vec(),
            400,
            "file",
        ),
        (b"--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nx".to_vec(), 400, ""),
    ];
    for (body, status, param) in cases {
        let error = send(gateway.addr, "POST /v1/files", FORM, &body).await.error(status);
        assert_eq!(error["param"].as_str().unwrap_or_default(), param, "{error}");
    }
    send(gateway.addr, "POST /v1/files", "content-type: application/json\r\n", b"{}").await.error(400);
    let all = send(gateway.addr, "GET /v1/files", "", b"").await.json();
    assert_eq!(all["data"].as_array().unwrap().len(), 1, "nothing is left of what did not arrive");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_goes_on_where_it_was() {
    const COUNT: usize = 40;
    let upstream = Upstream::start(|_, seen| vec![Step::Wait(Duration::from_millis(20)), good(&echo(seen))]).await;
    let dir = tempfile::tempdir().unwrap();
    let (config, data) = (dir.path().join("sabir.toml"), dir.path().join("data"));
    std::fs::write(&config, format!("[gateway.batches]\nconcurrency = 2\n{}", model(&upstream, ""))).unwrap();
    let mut first = Process::start(&config, &data, &[]);
    let file = upload(first.addr, "", &lines(COUNT)).await;
    let batch = order(first.addr, "", &file).await.json();
    let half = until(first.addr, "", &batch, |now| now["request_counts"]["completed"].as_u64() >= Some(10)).await;
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    assert_eq!(half["status"], "in_progress");
    let mut second = Process::start(&config, &data, &[]);
    // A stop that leaves time to write things down loses nothing either.
    until(second.addr, "", &batch, |now| now["request_counts"]["completed"].as_u64() >= Some(20)).await;
    second.signal("TERM");
    assert_eq!(second.ended().await, Some(0));
    let third = Process::start(&config, &data, &[]);
    let done = ended(third.addr, "", &batch).await;
    assert_eq!((&done["status"], &done["request_counts"]["completed"]), (&json!("completed"), &json!(COUNT)));
    let output = results(third.addr, "", &done["output_file_id"]).await;
    assert_eq!(output.len(), COUNT);
    for (id, line) in &output {
        let said = line["response"]["body"]["choices"][0]["message"]["content"].as_str().unwrap();
        assert_eq!(said, format!("say {}", &id[1..]));
    }
    // What was under way at the moment of the kill is asked again; nothing else is.
    let asked = upstream.count();
    assert!((COUNT..=COUNT + 2).contains(&asked), "{asked} requests for {COUNT} lines");
}

#[tokio::test]
async fn a_batch_is_cancelled_and_what_is_done_stays() {
    let gate = Arc::new(Notify::new());
    let held = gate.clone();
    let upstream = Upstream::start(move |n, seen| {
        if n == 0 { vec![good(&echo(seen))] } else { vec![Step::Gate(held.clone()), good(&echo(seen))] }
    })
    .await;
    let gateway = Gateway::start(&format!("[gateway.batches]\nconcurrency = 1\n{}", model(&upstream, ""))).await;
    let file = upload(gateway.addr, "", &lines(5)).await;
    let batch = order(gateway.addr, "", &file).await.json();
    upstream.arrived(2).await;
    let path = format!("POST /v1/batches/{}/cancel", batch["id"].as_str().unwrap());
    assert_eq!(send(gateway.addr, &path, "", b"").await.json()["status"], "cancelling");
    gate.notify_one();
    let cancelled = ended(gateway.addr, "", &batch).await;
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["request_counts"], json!({"total": 5, "completed": 2, "failed": 0}));
    assert_eq!(results(gateway.addr, "", &cancelled["output_file_id"]).await.len(), 2);
    assert_eq!(send(gateway.addr, &path, "", b"").await.json()["status"], "cancelled");
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn a_batch_that_takes_too_long_expires() {
    let gate = Arc::new(Notify::new());
    let upstream = Upstream::always(vec![Step::Gate(gate.clone()), good("late")]).await;
    let toml = format!("[gateway.batches]\nconcurrency = 1\nexpiry_s = 1\n{}", model(&upstream, ""));
    let gateway = Gateway::start(&toml).await;
    let file = upload(gateway.addr, "", &lines(3)).await;
    let batch = order(gateway.addr, "", &file).await.json();
    upstream.arrived(1).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    gate.notify_one();
    let expired = ended(gateway.addr, "", &batch).await;
    assert_eq!((&expired["status"], expired["expired_at"].is_u64()), (&json!("expired"), true));
    assert_eq!(expired["request_counts"], json!({"total": 3, "completed": 1, "failed": 2}));
    let errors = results(gateway.addr, "", &expired["error_file_id"]).await;
    assert_eq!((&errors[0].1["error"]["code"], &errors[0].1["response"]), (&json!("batch_expired"), &Value::Null));
    let path = format!("POST /v1/batches/{}/cancel", batch["id"].as_str().unwrap());
    send(gateway.addr, &path, "", b"").await.error(409);
}

#[tokio::test]
async fn requests_keep_their_distance_and_are_made_again() {
    let upstream = Upstream::start(|n, seen| {
        if n == 0 { vec![failure(429, "rate_limit_exceeded", "slow down")] } else { vec![good(&echo(seen))] }
    })
    .await;
    let toml = format!("[gateway.batches]\nrequests_per_minute = 600\n{}", model(&upstream, ""));
    let gateway = Gateway::start(&toml).await;
    let file = upload(gateway.addr, "", &lines(4)).await;
    let begun = Instant::now();
    let batch = order(gateway.addr, "", &file).await.json();
    let done = ended(gateway.addr, "", &batch).await;
    assert_eq!(done["request_counts"], json!({"total": 4, "completed": 4, "failed": 0}));
    let mut seen: Vec<Instant> = upstream.seen().iter().map(|seen| seen.at).collect();
    seen.sort();
    assert_eq!(seen.len(), 5);
    let apart = seen[4].duration_since(begun);
    assert!(apart >= Duration::from_millis(395), "five requests in {apart:?}");
    let failed = gateway.rows().await.iter().filter(|row| row.inference.status == Status::Error).count();
    assert_eq!(failed, 1, "each try is in the ledger");
}

#[tokio::test]
async fn a_batch_runs_in_its_callers_name() {
    let upstream = Upstream::always(vec![good("fine")]).await;
    let keys = "[gateway.auth.keys]\none = 'env::ONE'\ntwo = 'env::TWO'\n";
    let env = [("ONE", "key-of-one"), ("TWO", "key-of-two")];
    let toml = format!("[gateway]\nbase_path = \"/llm\"\n{keys}{}", model(&upstream, ""));
    let gateway = Gateway::with_env(&toml, &env).await;
    let (one, two) = ("authorization: Bearer key-of-one\r\n", "authorization: Bearer key-of-two\r\n");
    let at = |path: &str| path.replace("/v1", "/llm/v1");
    let body = form("batch", lines(2).as_bytes(), &[]);
    send(gateway.addr, &at("POST /v1/files"), FORM, &body).await.error(401);
    let file = send(gateway.addr, &at("POST /v1/files"), &format!("{FORM}{one}"), &body).await.json();
    let asked = json!({"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"});
    let asked = asked.to_string();
    let error = send(gateway.addr, &at("POST /v1/batches"), two, asked.as_bytes()).await.error(400);
    assert_eq!(error["param"], "input_file_id");
    let batch = send(gateway.addr, &at("POST /v1/batches"), one, asked.as_bytes()).await.json();
    let path = at(&format!("GET /v1/batches/{}", batch["id"].as_str().unwrap()));
    let mut now = batch;
    while now["status"] != "completed" {
        tokio::time::sleep(Duration::from_millis(10)).await;
        now = send(gateway.addr, &path, one, b"").await.json();
        assert_ne!(now["status"], "failed", "{now}");
    }
    send(gateway.addr, &path, two, b"").await.error(404);
    assert_eq!(send(gateway.addr, &at("GET /v1/batches"), two, b"").await.json()["data"], json!([]));
    assert_eq!(now["request_counts"]["completed"], 2, "{now}");
    gateway.ledger.flush().await.unwrap();
    for row in gateway.rows().await {
        assert_eq!(row.inference.caller.as_deref(), Some("one"));
    }
    // Nobody gets in by the shape of the gateway's own pass.
    send(gateway.addr, &at("GET /v1/batches"), "authorization: Bearer inside-.6f6e65\r\n", b"").await.error(401);
}

/// What Anthropic's clients send with everything.
const VERSION: &str = "anthropic-version: 2023-06-01\r\n";

async fn messages(gateway: &Gateway, line: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(gateway.addr, line, VERSION, body.as_bytes()).await
}

fn message(id: &str, text: &str) -> Value {
    let messages = json!([{"role": "user", "content": text}]);
    json!({"custom_id": id, "params": {"model": "m", "max_tokens": 9, "messages": messages}})
}

async fn ended_messages(gateway: &Gateway, batch: &Value) -> Value {
    for _ in 0..3000 {
        let line = format!("GET /v1/messages/batches/{}", batch["id"].as_str().unwrap());
        let now = messages(gateway, &line, &Value::Null).await.json();
        if now["processing_status"] == "ended" {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the batch does not end");
}

#[tokio::test]
async fn message_batches_run_over_any_provider() {
    let gate = Arc::new(Notify::new());
    let held = gate.clone();
    let upstream = Upstream::start(move |_, seen| match echo(seen).as_str() {
        "bad" => vec![failure(400, "bad", "that was wrong")],
        "wait" => vec![Step::Gate(held.clone()), good("waited")],
        text => vec![good(text)],
    })
    .await;
    let gateway = Gateway::start(&format!("[gateway.batches]\nconcurrency = 1\n{}", model(&upstream, ""))).await;
    let order = json!({"requests": [message("a", "one"), message("b", "bad"), message("c", "wait")]});
    for door in ["/v1", "/anthropic/v1"] {
        let batch = messages(&gateway, &format!("POST {door}/messages/batches"), &order).await.json();
        assert_eq!((&batch["type"], &batch["processing_status"]), (&json!("message_batch"), &json!("in_progress")));
        assert_eq!((&batch["request_counts"]["processing"], &batch["results_url"]), (&json!(3), &Value::Null));
        let path = format!("{door}/messages/batches/{}", batch["id"].as_str().unwrap());
        let early = messages(&gateway, &format!("GET {path}/results"), &Value::Null).await;
        assert_eq!(early.status, 400, "{}", early.text());
        assert_eq!(messages(&gateway, &format!("DELETE {path}"), &Value::Null).await.status, 400);
        gate.notify_one();
        let done = ended_messages(&gateway, &batch).await;
        let counts = json!({"processing": 0, "succeeded": 2, "errored": 1, "canceled": 0, "expired": 0});
        assert_eq!(done["request_counts"], counts);
        let url = done["results_url"].as_str().unwrap();
        assert_eq!(url, format!("http://x/v1/messages/batches/{}/results", batch["id"].as_str().unwrap()));
        let results = messages(&gateway, &format!("GET {path}/results"), &Value::Null).await;
        assert_eq!(results.header("content-type"), Some("application/x-jsonl"));
        let lines: Vec<Value> = results.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let result = |id: &str| &lines.iter().find(|line| line["custom_id"] == id).unwrap()["result"];
        assert_eq!(
            (&result("a")["type"], &result("a")["message"]["content"][0]["text"]),
            (&json!("succeeded"), &json!("one"))
        );
        assert_eq!((&result("b")["type"], &result("b")["error"]["type"]), (&json!("errored"), &json!("error")));
        assert_eq!(result("b")["error"]["error"]["type"], "invalid_request_error");
        assert_eq!(lines.len(), 3);
        let gone = messages(&gateway, &format!("DELETE {path}"), &Value::Null).await.json();
        assert_eq!(gone, json!({"id": batch["id"], "type": "message_batch_deleted"}));
        assert_eq!(messages(&gateway, &format!("GET {path}"), &Value::Null).await.status, 404);
    }
    assert_eq!(send(gateway.addr, "GET /v1/files", "", b"").await.json()["data"], json!([]), "nobody's files");
    let row = gateway.rows().await.remove(0).inference;
    assert_eq!(row.tags.iter().find(|(name, _)| name == "sabir::custom_id").unwrap().1, "a");
}

#[tokio::test]
async fn message_batches_are_cancelled_and_listed() {
    let gate = Arc::new(Notify::new());
    let upstream = Upstream::always(vec![Step::Gate(gate.clone()), good("late")]).await;
    let gateway = Gateway::start(&format!("[gateway.batches]\nconcurrency = 1\n{}", model(&upstream, ""))).await;
    let order = json!({"requests": [message("a", "one"), message("b", "two")]});
    let mut batches = Vec::new();
    for _ in 0..3 {
        batches.push(messages(&gateway, "POST /v1/messages/batches", &order).await.json());
    }
    upstream.arrived(1).await;
    let line = format!("POST /v1/messages/batches/{}/cancel", batches[0]["id"].as_str().unwrap());
    let cancelled = messages(&gateway, &line, &Value::Null).await.json();
    assert_eq!(cancelled["processing_status"], "canceling");
    assert!(cancelled["cancel_initiated_at"].is_string());
    gate.notify_one();
    let done = ended_messages(&gateway, &batches[0]).await;
    assert_eq!((&done["request_counts"]["succeeded"], &done["request_counts"]["canceled"]), (&json!(1), &json!(1)));
    let list = |query: &str| {
        let line = format!("GET /v1/messages/batches?{query}");
        let gateway = &gateway;
        async move {
            let page = messages(gateway, &line, &Value::Null).await.json();
            let ids: Vec<Value> = page["data"].as_array().unwrap().iter().map(|batch| batch["id"].clone()).collect();
            (ids, page["has_more"].as_bool().unwrap())
        }
    };
    let id = |at: usize| batches[at]["id"].clone();
    assert_eq!(list("limit=2").await, (vec![id(2), id(1)], true));
    assert_eq!(list(&format!("after_id={}", id(1).as_str().unwrap())).await, (vec![id(0)], false));
    assert_eq!(list(&format!("limit=1&before_id={}", id(0).as_str().unwrap())).await, (vec![id(1)], true));
    for (body, path) in [
        (json!({"requests": []}), "requests"),
        (json!({"requests": [message("a", "x"), message("a", "x")]}), "requests.1.custom_id"),
        (json!({"requests": [message("a b", "x")]}), "requests.0.custom_id"),
        (
            json!({"requests": [{"custom_id": "a", "params": {"model": "m", "stream": true}}]}),
            "requests.0.params.stream",
        ),
    ] {
        let error = messages(&gateway, "POST /v1/messages/batches", &body).await;
        assert_eq!(error.status, 400);
        assert!(error.text().contains(&format!("{path}: ")), "{}", error.text());
    }
}

#[tokio::test]
async fn batches_are_the_providers_when_somebody_says_so() {
    let upstream = Upstream::start(|_, seen| {
        let line = seen.head.lines().next().unwrap().to_owned();
        vec![json(200, json!({"line": line, "key": seen.header("authorization")}).to_string())]
    })
    .await;
    let addr = upstream.addr;
    let own = format!(
        "[pass_through.openai]\napi_base = \"http://{addr}/v1\"\napi_key_location = \"env::KEY\"\n{}",
        model(&upstream, "")
    );
    let env = [("KEY", "key-of-provider")];
    let gateway = Gateway::with_env(&own, &env).await;
    let asked = |gateway: &Gateway, line: &'static str, headers: &'static str| {
        let addr = gateway.addr;
        async move { send(addr, line, headers, b"").await.json() }
    };
    let line = |path: &str| json!(format!("{path} HTTP/1.1"));
    assert_eq!(asked(&gateway, "GET /v1/batches", "x-sabir-batch: own\r\n").await["object"], "list");
    for headers in ["", "x-sabir-batch: provider\r\n"] {
        let theirs = asked(&gateway, "GET /v1/batches", headers).await;
        assert_eq!((&theirs["line"], &theirs["key"]), (&line("GET /v1/batches"), &json!("Bearer key-of-provider")));
    }
    // A batch of models that the gateway knows is the gateway's; everything else is the provider's.
    let sent = async |purpose: &str, content: &str| {
        send(gateway.addr, "POST /v1/files", FORM, &form(purpose, content.as_bytes(), &[])).await.json()
    };
    let ours = sent("batch", &lines(2)).await;
    assert_eq!((&ours["object"], &ours["purpose"]), (&json!("file"), &json!("batch")));
    for (purpose, content) in [("batch", lines(2).replace("\"m\"", "\"gpt-4o-mini\"")), ("assistants", lines(2))] {
        assert_eq!(sent(purpose, &content).await["line"], line("POST /v1/files"), "{purpose}");
    }
    assert_eq!(order(gateway.addr, "", &ours).await.json()["object"], "batch");
    assert_eq!(order(gateway.addr, "", &json!({"id": "file-abc"})).await.json()["line"], line("POST /v1/batches"));
    // What has a provider's name is the provider's.
    for path in ["GET /v1/batches/batch_abc", "GET /v1/files/file-abc/content", "DELETE /v1/responses/resp_abc"] {
        let head = path.to_owned();
        let answer = send(gateway.addr, &head, "", b"").await.json();
        assert_eq!(answer["line"], line(path));
    }
    // And a file that is of no use to the gateway itself.
    let vision = form("vision", b"x", &[]);
    let answer = send(gateway.addr, "POST /v1/files", FORM, &vision).await.json();
    assert_eq!(answer["line"], line("POST /v1/files"));
    let seen = upstream.seen().pop().unwrap();
    assert!(seen.body == vision && seen.header("content-length") == Some(&vision.len().to_string()));
    let kept = send(gateway.addr, "POST /v1/files", &format!("{FORM}x-sabir-batch: own\r\n"), &vision).await.json();
    assert_eq!(kept["purpose"], "vision");
    let wrong = send(gateway.addr, "GET /v1/files", "x-sabir-batch: both\r\n", b"").await.error(400);
    assert_eq!(wrong["param"], "x-sabir-batch");
    let provider = Gateway::with_env(&format!("[gateway.batches]\nmode = \"provider\"\n{own}"), &env).await;
    assert_eq!(asked(&provider, "GET /v1/files", "").await["line"], line("GET /v1/files"));
    assert_eq!(asked(&provider, "GET /v1/files", "x-sabir-batch: own\r\n").await["object"], "list");
}
