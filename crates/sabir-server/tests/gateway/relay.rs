//! What no door knows: it reaches the provider as it came, and so does the answer its caller.

use std::time::{Duration, Instant};

use sabir_store::{Record, Status};
use sabir_types::{ErrorKind, Operation};
use serde_json::{Value, json as value};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{mock::*, support::*};

const KEY: &str = "key-of-the-provider-0123456789";
const CALLERS: &str = "key-of-the-caller-0123456789";

/// A gateway whose unknown paths go to this upstream.
fn passing(addr: impl std::fmt::Display, more: &str) -> String {
    format!(
        "[provider_types.openai.defaults]\napi_base = \"http://{addr}/v1\"\napi_key_location = \"env::KEY\"\n\
         [provider_types.anthropic.defaults]\napi_base = \"http://{addr}/v1\"\napi_key_location = \"env::KEY\"\n\
         [provider_types.gemini.defaults]\napi_base = \"http://{addr}/v1beta\"\napi_key_location = \"env::KEY\"\n{more}"
    )
}

async fn start(upstream: &Upstream, more: &str) -> Gateway {
    Gateway::with_env(&passing(upstream.addr, more), &[("KEY", KEY)]).await
}

/// A request of any kind.
async fn ask(gateway: &Gateway, line: &str, headers: &str, body: &[u8]) -> Answer {
    let mut client = gateway.client().await;
    client.write(&request(line, headers, body)).await;
    client.answer().await
}

fn request(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let mut out = format!("{line} HTTP/1.1\r\nhost: gateway\r\n{headers}{length}\r\n").into_bytes();
    out.extend_from_slice(body);
    out
}

/// The first line of what arrived.
fn line(seen: &Seen) -> String {
    seen.head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned()
}

fn tag<'a>(row: &'a Record, name: &str) -> &'a str {
    &row.inference.tags.iter().find(|(tag, _)| tag == name).unwrap_or_else(|| panic!("no tag {name}")).1
}

#[tokio::test]
async fn method_path_query_headers_and_body_stay_as_they_are() {
    let upstream = Upstream::always(vec![json(200, r#"{"ok":1.50}"#)]).await;
    let gateway = start(&upstream, "").await;
    for (asked, arrived) in [
        (
            "GET /v1/things/a%2Fb%3Fc?limit=2&order=asc&x[]=1&x[]=2&e=%C3%A9+%20",
            "GET /v1/things/a%2Fb%3Fc?limit=2&order=asc&x[]=1&x[]=2&e=%C3%A9+%20",
        ),
        ("DELETE /openai/v1/things/f", "DELETE /v1/things/f"),
        ("PATCH /v1/made/up", "PATCH /v1/made/up"),
        ("OPTIONS /v1/vector_stores", "OPTIONS /v1/vector_stores"),
        ("POST /openai/deployments/my%20d/videos?api-version=2024-10-21&a=b", "POST /v1/videos?a=b"),
        // Paths of the doors, by methods that they do not take.
        ("GET /v1/chat/completions?limit=1", "GET /v1/chat/completions?limit=1"),
        ("DELETE /v1/models/ft:m:org::id", "DELETE /v1/models/ft:m:org::id"),
    ] {
        let headers = format!(
            "authorization: Bearer {CALLERS}\r\napi-key: {CALLERS}\r\ncookie: c=1\r\nopenai-beta: assistants=v2\r\n\
             idempotency-key: i-1\r\nx-stainless-lang: python\r\nuser-agent: me/1\r\naccept: application/binary\r\n\
             openai-organization: org\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\nx-sabir-tags: {{\"a\":\"b\"}}\r\n"
        );
        let answer = ask(&gateway, asked, &headers, b"").await;
        assert_eq!((answer.status, answer.text()), (200, r#"{"ok":1.50}"#), "{asked}");
        let seen = upstream.seen().pop().unwrap();
        assert_eq!(line(&seen), arrived);
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        for (name, said) in [
            ("openai-beta", "assistants=v2"),
            ("idempotency-key", "i-1"),
            ("x-stainless-lang", "python"),
            ("user-agent", "me/1"),
            ("accept", "application/binary"),
            ("openai-organization", "org"),
        ] {
            assert_eq!(seen.header(name), Some(said), "{asked}");
        }
        assert!(["cookie", "api-key", "x-hop", "x-sabir-tags"].iter().all(|name| seen.header(name).is_none()));
        assert!(!seen.head.contains(CALLERS), "{}", seen.head);
        let row = gateway.row(&answer).await;
        assert_eq!((row.inference.operation, row.inference.status), (Operation::Relay, Status::Ok));
        let (method, path) = asked.split_once(' ').unwrap();
        assert_eq!((tag(&row, "sabir::method"), tag(&row, "sabir::path"), tag(&row, "a")), (method, path, "b"));
        assert!(!format!("{row:?}").contains(CALLERS) && !format!("{row:?}").contains(KEY));
    }
}

#[tokio::test]
async fn the_row_says_what_there_is_to_say() {
    let upstream = Upstream::always(vec![answer(
        200,
        "application/json",
        "x-request-id: req_7\r\nset-cookie: a=b\r\nx-ratelimit-remaining-requests: 9\r\n",
        r#"{"id":"cmpl-1","usage":{"prompt_tokens":4,"completion_tokens":5,"total_tokens":9}}"#,
    )])
    .await;
    let gateway = start(&upstream, "").await;
    let body = br#"{ "model" : "gpt-x", "prompt":"h\u00e9", "seed":9007199254740993 }"#;
    let answer = ask(&gateway, "POST /v1/completions", "content-type: application/json\r\n", body).await;
    assert_eq!(answer.header("x-request-id"), Some("req_7"));
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("9"));
    assert_eq!((answer.header("set-cookie"), answer.header("x-sabir-provider")), (None, Some("openai")));
    assert_eq!(upstream.seen()[0].body, body);
    let row = gateway.row(&answer).await;
    assert_eq!((row.inference.model.as_str(), row.inference.usage.total()), ("gpt-x", Some(9)));
    let call = &row.calls[0];
    assert_eq!(
        (call.http_status, call.request_id.as_deref(), call.provider_type),
        (Some(200), Some("req_7"), "openai")
    );
    assert_eq!((&call.raw_request[..], &call.raw_response[..]), (&body[..], &answer.body[..]));
}

#[tokio::test]
async fn a_model_in_the_body_says_where_it_goes() {
    let (usual, other) = (Upstream::always(vec![good("usual")]).await, Upstream::always(vec![good("other")]).await);
    let more = format!("[models.mine]\n{}", provider("mine", "a", &other.addr.to_string(), ""));
    let gateway = start(&usual, &more).await;
    let ask = async |body: &str| {
        ask(&gateway, "POST /v1/videos?a=1", "content-type: application/json\r\n", body.as_bytes()).await
    };
    let answer = ask(r#"{"x":[1.0], "model" :"mine","n":1e3}"#).await;
    assert!(answer.text().contains("other"), "{}", answer.text());
    assert_eq!(
        (line(&other.seen()[0]).as_str(), other.seen()[0].text()),
        ("POST /v1/videos?a=1", r#"{"x":[1.0], "model" :"up-1","n":1e3}"#)
    );
    assert_eq!(other.seen()[0].header("authorization"), None);
    assert_eq!(gateway.row(&answer).await.calls[0].model_name, "mine");
    // A provider's own name, and a body that names none.
    for body in [r#"{"model":"openai::sora"}"#, r#"{"model":"sora"}"#, r#"{"prompt":"x"}"#, "[1]", "not json"] {
        assert!(ask(body).await.text().contains("usual"), "{body}");
    }
    assert_eq!(usual.seen()[0].text(), r#"{"model":"sora"}"#);
    // A provider that speaks otherwise.
    let error = ask(r#"{"model":"anthropic::claude"}"#).await.error(400);
    assert!(error["message"].as_str().unwrap().contains("`anthropic::claude`"), "{error}");
    assert!(
        ask(r#"{"model":"a","model":"openai::b"}"#).await.error(400)["message"].as_str().unwrap().contains("twice")
    );
    // Azure's form names it in the path.
    let line_of = "POST /openai/deployments/mine/videos?api-version=1";
    let answer = super::relay::ask(&gateway, line_of, "content-type: application/json\r\n", br#"{"input":"x"}"#).await;
    assert!(answer.text().contains("other"), "{}", answer.text());
    assert_eq!(
        (line(&other.seen()[1]).as_str(), other.seen()[1].text()),
        ("POST /v1/videos", r#"{"model":"up-1","input":"x"}"#)
    );
}

#[tokio::test]
async fn other_families_have_their_own_upstreams() {
    let upstream = Upstream::always(vec![json(200, "{}")]).await;
    let gateway = start(&upstream, "").await;
    for (asked, headers, arrived, credential) in [
        ("POST /v1/messages/others", "x-sabir-batch: provider\r\n", "POST /v1/messages/others", "x-api-key"),
        (
            "GET /v1/files?limit=1",
            "anthropic-version: 2024-01-01\r\nanthropic-beta: files-api\r\n",
            "GET /v1/files?limit=1",
            "x-api-key",
        ),
        ("GET /anthropic/v1/skills", "", "GET /v1/skills", "x-api-key"),
        ("GET /gemini/v1beta/files?key=KEY&pageSize=1", "", "GET /v1beta/files?pageSize=1", "x-goog-api-key"),
        ("POST /gemini/upload/v1beta/files", "", "POST /upload/v1beta/files", "x-goog-api-key"),
        (
            "POST /v1beta/models/veo:predictLongRunning",
            "",
            "POST /v1beta/models/veo:predictLongRunning",
            "x-goog-api-key",
        ),
        ("GET /v1beta/models/veo/operations/o", "", "GET /v1beta/models/veo/operations/o", "x-goog-api-key"),
    ] {
        let answer = ask(&gateway, &asked.replace("KEY", CALLERS), headers, b"").await;
        assert_eq!(answer.status, 200, "{asked} {}", answer.text());
        let seen = upstream.seen().pop().unwrap();
        assert_eq!((line(&seen).as_str(), seen.header(credential)), (arrived, Some(KEY)), "{asked}");
        assert!(!seen.head.contains(CALLERS));
        if let Some(version) = headers.split("\r\n").find_map(|line| line.strip_prefix("anthropic-version: ")) {
            assert_eq!(
                (seen.header("anthropic-version"), seen.header("anthropic-beta")),
                (Some(version), Some("files-api"))
            );
        }
        assert!(!format!("{:?}", gateway.row(&answer).await).contains(CALLERS));
    }
}

#[tokio::test]
async fn without_an_upstream_it_says_what_to_do() {
    let gateway = Gateway::start("").await;
    let error = ask(&gateway, "GET /v1/vector_stores", "", b"").await.error(404);
    let said = "Route not found: GET /v1/vector_stores: to pass it through to a provider, set OPENAI_API_KEY or `[pass_through.openai]`";
    assert_eq!(error["message"], said);
    let answer = ask(&gateway, "GET /v1/messages/others", "x-sabir-batch: provider\r\n", b"").await;
    assert_eq!((answer.status, &answer.json()["error"]["type"]), (404, &"not_found_error".into()));
    let json = "content-type: application/json\r\n";
    let answer = ask(&gateway, "POST /v1/videos", json, br#"{"model":"x"}"#).await.error(404);
    assert!(answer["message"].as_str().unwrap().contains("OPENAI_API_KEY"), "{answer}");
}

#[tokio::test]
async fn some_paths_may_be_kept_from_it() {
    let upstream = Upstream::always(vec![json(200, "{}")]).await;
    let more = format!(
        "[pass_through.openai]\napi_base = \"http://{}/v1\"\napi_key_location = \"env::KEY\"\ndeny = [\"organization/**\", \"things/f\"]\n",
        upstream.addr
    );
    let gateway = Gateway::with_env(&more, &[("KEY", KEY)]).await;
    assert_eq!(ask(&gateway, "GET /v1/vector_stores", "", b"").await.status, 200);
    for path in ["/v1/organization/users", "/openai/v1/things/f", "/v1/things/%66", "/v1/%6Frganization/users"] {
        ask(&gateway, &format!("GET {path}"), "", b"").await.error(403);
    }
    for path in ["/v1/../secret", "/v1/things/%2e%2E/x", "/v1/./x"] {
        ask(&gateway, &format!("GET {path}"), "", b"").await.error(400);
    }
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_key_of_the_gateways_opens_it() {
    let upstream = Upstream::always(vec![json(200, "{}")]).await;
    let gateway = start(&upstream, "[gateway.auth.keys]\nteam = \"env::KEY\"\n").await;
    ask(&gateway, "GET /v1/vector_stores", "", b"").await.error(401);
    ask(&gateway, "GET /v1/vector_stores", &format!("authorization: Bearer {CALLERS}\r\n"), b"").await.error(401);
    let answer = ask(&gateway, "GET /v1/vector_stores", &format!("authorization: Bearer {KEY}\r\n"), b"").await;
    assert_eq!(gateway.row(&answer).await.inference.caller.as_deref(), Some("team"));
}

#[tokio::test]
async fn failures_go_through_but_what_is_said_about_a_key() {
    let quoting = failure(404, "x", &format!("no such file, {KEY}"));
    let refused = failure(401, "invalid_api_key", "Incorrect API key provided: sk-of***");
    let upstream = Upstream::turns(vec![vec![quoting], vec![refused]]).await;
    let gateway = start(&upstream, "").await;
    let answer = ask(&gateway, "GET /v1/things/f", "", b"").await;
    assert_eq!(answer.error(404)["message"], "no such file, ***");
    let row = gateway.row(&answer).await;
    assert_eq!((row.inference.status, row.inference.error.as_ref().unwrap().0), (Status::Error, ErrorKind::NotFound));
    assert_eq!(row.calls[0].http_status, Some(404));
    let answer = ask(&gateway, "GET /v1/things/f", "", b"").await;
    assert_eq!(answer.error(401)["message"], "the provider refused the key that the gateway has for it");
}

#[tokio::test]
async fn answers_without_a_body_and_of_any_kind_come_as_they_are() {
    let binary: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    let sound = binary.clone();
    let upstream = Upstream::start(move |_, seen| match line(seen).split(' ').next().unwrap() {
        "DELETE" => vec![send("HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n")],
        "HEAD" => vec![send("HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 12345\r\n\r\n")],
        "PUT" => vec![send("HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/x\r\ncontent-length: 0\r\n\r\n")],
        _ => vec![answer(200, "audio/mpeg", "content-disposition: attachment\r\n", &sound)],
    })
    .await;
    let gateway = start(&upstream, "").await;
    let mut client = gateway.client().await;
    client.write(&request("DELETE /v1/x", "", b"")).await;
    let got = client.head().await.unwrap();
    assert_eq!((got.status, got.header("x-a"), got.header("transfer-encoding")), (204, Some("b"), None));
    client.write(&request("HEAD /v1/x", "", b"")).await;
    let got = client.head().await.unwrap();
    assert_eq!((got.status, got.header("content-length")), (200, Some("12345")));
    // The connection is still in step.
    client.write(&request("PUT /v1/x", "", b"")).await;
    let got = client.answer().await;
    assert_eq!((got.status, got.header("location")), (302, Some("https://elsewhere.example/x")));
    let got = ask(&gateway, "POST /v1/audio/speech2", "content-type: application/json\r\n", b"{}").await;
    assert!(got.complete && got.body == binary);
    assert_eq!(
        (got.header("content-length"), got.header("content-disposition")),
        (Some("3000000"), Some("attachment"))
    );
    let row = gateway.row(&got).await;
    let note: Value = serde_json::from_slice(&row.calls[0].raw_response).unwrap();
    assert_eq!(
        (&note["sabir::not_kept"]["bytes"], &note["sabir::not_kept"]["content_type"]),
        (&value!(3_000_000), &value!("audio/mpeg"))
    );
    assert_eq!(note["sabir::not_kept"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(gateway.rows().await.len(), 4);
}

#[tokio::test]
async fn events_come_one_by_one_however_they_are_cut() {
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let steps = vec![
        stream_head(),
        chunk("event: a\ndata: {\"x\":\"h\u{e9}".as_bytes().split_last().unwrap().1),
        Step::Gate(gate.clone()),
        chunk([0xa9]),
        chunk("\"}\n\n: ping\n\nid: 7\ndata: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n"),
        chunk(DONE),
        last_chunk(),
    ];
    let upstream = Upstream::always(steps).await;
    let gateway = start(&upstream, "").await;
    let mut client = gateway.client().await;
    client.write(&request("POST /v1/threads/t/runs", "content-type: application/json\r\n", b"{\"stream\":true}")).await;
    let head = client.head().await.unwrap();
    assert_eq!(head.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let first = client.piece().await.unwrap();
    assert!(first.ends_with(&[0xc3]), "the first piece waits for nothing");
    gate.notify_one();
    let mut rest = first;
    while let Some(piece) = client.piece().await.filter(|piece| !piece.is_empty()) {
        rest.extend_from_slice(&piece);
        if rest.ends_with(DONE.as_bytes()) {
            // Whoever has seen the end finds the row.
            assert_eq!(gateway.row(&head).await.inference.status, Status::Ok);
        }
    }
    let said = "event: a\ndata: {\"x\":\"h\u{e9}\"}\n\n: ping\n\nid: 7\ndata: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
    assert_eq!(String::from_utf8(rest).unwrap(), said);
    let row = gateway.row(&head).await;
    assert_eq!((row.inference.stream, row.inference.usage.output_tokens), (true, Some(2)));
    assert_eq!(row.calls[0].raw_response, said);
}

#[tokio::test]
async fn a_caller_who_leaves_stops_it() {
    let upstream = Upstream::turns(vec![vec![stream_head(), chunk("data: 1\n\n"), Step::Hang], vec![Step::Hang]]).await;
    let gateway = start(&upstream, "").await;
    let mut client = gateway.client().await;
    client.write(&request("GET /v1/events", "", b"")).await;
    let head = client.head().await.unwrap();
    client.piece().await.unwrap();
    drop(client);
    upstream.closed(1).await;
    let mut rows = gateway.until_rows(1).await;
    assert_eq!(rows[0].inference.id.to_string(), head.header("x-sabir-inference-id").unwrap());
    assert_eq!(
        (rows[0].inference.status, &rows[0].calls[0].raw_response[..]),
        (Status::Cancelled, &b"data: 1\n\n"[..])
    );
    // Before the answer's head, too.
    let mut client = gateway.client().await;
    client.write(&request("GET /v1/events", "", b"")).await;
    upstream.arrived(2).await;
    drop(client);
    upstream.closed(2).await;
    rows = gateway.until_rows(2).await;
    assert_eq!(rows[1].inference.status, Status::Cancelled);
}

#[tokio::test]
async fn an_upstream_that_is_gone_or_late_is_told() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = closed.local_addr().unwrap();
    drop(closed);
    let gateway = Gateway::with_env(&passing(addr, ""), &[("KEY", KEY)]).await;
    let answer = ask(&gateway, "GET /v1/vector_stores", "", b"").await;
    assert!(answer.error(502)["message"].as_str().unwrap().contains("cannot connect"));
    assert_eq!(gateway.row(&answer).await.inference.error.unwrap().0, ErrorKind::Connection);
    // Late with the head, and in the middle; cut off in the middle.
    let stream = vec![stream_head(), chunk("data: 1\n\n")];
    let hang = [stream.clone(), vec![Step::Hang]].concat();
    let upstream = Upstream::turns(vec![vec![Step::Hang], hang, [stream, vec![Step::Close]].concat()]).await;
    let more = "[gateway.timeouts.streaming]\nttft_ms = 150\nidle_ms = 150\n";
    let gateway = start(&upstream, more).await;
    let answer = ask(&gateway, "GET /v1/vector_stores", "", b"").await;
    assert!(answer.error(408)["message"].as_str().unwrap().contains("took longer than 150 ms"), "{}", answer.text());
    for kind in [ErrorKind::Timeout, ErrorKind::Connection] {
        let answer = ask(&gateway, "GET /v1/vector_stores", "", b"").await;
        assert!(!answer.complete && answer.text() == "data: 1\n\n");
        assert_eq!(gateway.row(&answer).await.inference.error.unwrap().0, kind);
    }
}

#[tokio::test]
async fn only_what_is_safe_is_tried_again() {
    let upstream =
        Upstream::turns(vec![vec![Step::Close], vec![json(200, "{}")], vec![Step::Close], vec![json(200, "{}")]]).await;
    let gateway = start(&upstream, "[gateway.retries]\nnum_retries = 2\nmax_delay_s = 0.01\n").await;
    assert_eq!(ask(&gateway, "GET /v1/vector_stores", "", b"").await.status, 200);
    ask(&gateway, "POST /v1/vector_stores", "content-type: application/json\r\n", b"{}").await.error(502);
    assert_eq!(upstream.count(), 3);
}

/// The most memory that a process has had, in bytes.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_is_not_held() {
    const SIZE: usize = 64 * 1024 * 1024;
    let upstream = Upstream::always(vec![json(200, r#"{"id":"file-1"}"#)]).await;
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("sabir.toml");
    std::fs::write(&config, passing(upstream.addr, "")).unwrap();
    let mut gateway = Process::start(&config, &dir.path().join("data"), &[("KEY", KEY)]);
    let head = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"big\"\r\n\r\n";
    let body = [head.as_bytes(), &vec![0xa5; SIZE], b"\r\n--b--\r\n"].concat();
    let before = peak(gateway.child.id());
    // With a length, then in chunks; then JSON that is too large to be read.
    let multipart = "content-type: multipart/form-data; boundary=b\r\n";
    let mut client = Client::connect(gateway.addr).await;
    client.write(&request("POST /v1/uploads/u/parts", multipart, &body)).await;
    assert_eq!(client.answer().await.text(), r#"{"id":"file-1"}"#);
    assert_eq!(upstream.seen()[0].header("content-length"), Some(body.len().to_string().as_str()));
    client
        .write(
            format!("POST /v1/uploads/u/parts HTTP/1.1\r\nhost: x\r\n{multipart}transfer-encoding: chunked\r\n\r\n")
                .as_bytes(),
        )
        .await;
    for piece in body.chunks(1 << 20) {
        client.write(format!("{:x}\r\n", piece.len()).as_bytes()).await;
        client.write(piece).await;
        client.write(b"\r\n").await;
    }
    client.write(b"0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    let json = [br#"{"model":"openai::big","data":""#.as_slice(), &vec![b'x'; SIZE], b"\"}"].concat();
    client.write(&request("POST /v1/videos", "content-type: application/json\r\n", &json)).await;
    assert_eq!(client.answer().await.status, 200);
    let seen = upstream.seen();
    assert!(seen[0].body == body && seen[1].body == body);
    let renamed = [br#"{"model":"big","data":""#.as_slice(), &json[31..]].concat();
    assert!(seen[2].body == renamed, "the model's name alone has changed");
    let grown = peak(gateway.child.id()) - before;
    assert!(grown < 24 * 1024 * 1024, "{grown} bytes more for a body of {SIZE}");
    gateway.signal("TERM");
    assert_eq!(gateway.ended().await, Some(0), "{}", gateway.log());
    let rows = rows_in(&dir.path().join("data")).await;
    let told = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sabir"));
        let out = command.arg("ledger").args(args).arg("--data-dir").arg(dir.path().join("data")).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let list = told(&["list"]);
    assert!(list.contains("POST /v1/uploads/u/parts") && list.contains("openai::big"), "{list}");
    let upload = rows.iter().find(|row| row.inference.model.is_empty()).unwrap();
    let shown = told(&["show", &upload.inference.id.to_string()]);
    for words in ["openai (relay)", "sabir::path = /v1/uploads/u/parts", "HTTP 200", "sabir::not_kept", "sha256"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let notes: Vec<Value> = rows.iter().map(|row| serde_json::from_slice(&row.calls[0].raw_request).unwrap()).collect();
    assert!(notes.len() == 3 && notes.iter().all(|note| note["sabir::not_kept"]["bytes"].as_u64() > Some(SIZE as u64)));
}

#[tokio::test]
async fn the_provider_gets_the_beginning_while_the_end_is_on_its_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = Gateway::with_env(&passing(listener.local_addr().unwrap(), ""), &[("KEY", KEY)]).await;
    let mut client = gateway.client().await;
    client.write(b"POST /v1/vector_stores HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 8\r\n\r\nbegi").await;
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b"begi") {
        assert!(stream.read_buf(&mut got).await.unwrap() > 0);
    }
    client.write(b"nend").await;
    while !got.ends_with(b"beginend") {
        assert!(stream.read_buf(&mut got).await.unwrap() > 0);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    assert_eq!(client.answer().await.text(), "ok");
    // Who breaks off in the middle leaves no half of a file behind.
    let mut client = gateway.client().await;
    client.write(b"POST /v1/vector_stores HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 8\r\n\r\nbegi").await;
    let (mut stream, _) = listener.accept().await.unwrap();
    assert!(stream.read_buf(&mut got).await.unwrap() > 0);
    drop(client);
    let end = async { while matches!(stream.read_buf(&mut got).await, Ok(read) if read > 0) {} };
    tokio::time::timeout(PATIENCE, end).await.expect("the provider's connection stays open");
    assert_ne!(gateway.until_rows(2).await[1].inference.status, Status::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_it_end() {
    let steps = vec![
        stream_head(),
        chunk("data: 1\n\n"),
        Step::Wait(Duration::from_millis(500)),
        chunk("data: 2\n\n"),
        last_chunk(),
    ];
    let upstream = Upstream::always(steps).await;
    let mut gateway = start(&upstream, "").await;
    let mut client = gateway.client().await;
    client.write(&request("GET /v1/events", "", b"")).await;
    client.head().await.unwrap();
    client.piece().await.unwrap();
    let begun = Instant::now();
    gateway.stop().await;
    assert!(begun.elapsed() < PATIENCE / 2);
    assert_eq!(client.piece().await.unwrap(), b"data: 2\n\n");
    assert_eq!(client.piece().await.unwrap(), b"");
    assert_eq!(gateway.rows().await[0].inference.status, Status::Ok);
}
