//! What goes over the wire, and what a broken wire does.

use std::{net::TcpListener, time::Duration};

use sabir::{Error, HttpBuilder, Sabir, blocking};
use serde_json::json;

use crate::support::{Gateway, PATIENCE, Reply, Script, ask};

const OK: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop","seen":true}],"usage":null,"odd":{"a":1}}"#;

fn blocking(builder: HttpBuilder) -> blocking::Sabir {
    blocking::Sabir::http(builder).unwrap()
}

#[test]
fn headers_and_body_go_out_and_everything_comes_back() {
    let script = Script::start(vec![Reply::json(200, "x-request-id: r-1\r\nx-more: yes\r\n", OK)]);
    let client = blocking(script.client().key("made-up").header("x-team", "a"));
    let client = client.with_header("x-sabir-tags", "{}").unwrap();
    let answer = client.chat().create(ask("m")).send().unwrap();
    assert_eq!(answer.text(), "Hi");
    assert_eq!(answer.request_id(), Some("r-1"));
    assert_eq!(answer.headers()["x-more"], "yes");
    assert_eq!(answer.rest["odd"], json!({"a": 1}));
    assert_eq!(answer.choices[0].rest["seen"], true);
    let seen = &script.seen()[0];
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{head}");
    for line in [
        "authorization: Bearer made-up",
        "x-team: a",
        "x-sabir-tags: {}",
        "content-type: application/json",
        &format!("user-agent: sabir-rust/{}", env!("CARGO_PKG_VERSION")),
        &format!("host: {}", script.address),
    ] {
        assert!(head.lines().any(|have| have == line), "`{line}` is missing in {head}");
    }
    assert_eq!(body, ask("m").to_string());
    assert!(!format!("{client:?}").contains("made-up"));
}

#[test]
fn what_may_pass_is_tried_again() {
    let soon = "retry-after-ms: 5\r\n";
    let script =
        Script::start(vec![Reply::json(429, soon, "{}"), Reply::json(503, soon, "{}"), Reply::json(200, "", OK)]);
    let answer = blocking(script.client()).chat().create(ask("m")).send().unwrap();
    assert_eq!(answer.meta().retries(), 2);
    let seen = script.seen();
    assert!(!seen[0].contains("x-sabir-retry-count") && seen[2].contains("x-sabir-retry-count: 2"));
    assert_eq!(seen[0].split_once("\r\n\r\n").unwrap().1, seen[2].split_once("\r\n\r\n").unwrap().1);
}

#[test]
fn retries_end_with_the_last_error() {
    let busy = Reply::json(429, "retry-after-ms: 5\r\nx-request-id: r\r\n", r#"{"error":{"message":"slow down"}}"#);
    let script = Script::start(vec![busy; 3]);
    let error = blocking(script.client()).chat().create(ask("m")).send().unwrap_err();
    let Error::RateLimit(answer) = &error else { panic!("{error:?}") };
    assert_eq!((answer.retries(), answer.message(), answer.request_id()), (2, Some("slow down"), Some("r")));
    assert_eq!(script.seen().len(), 3);
}

#[test]
fn what_is_wrong_stays_wrong() {
    for (reply, status) in [
        (Reply::json(400, "", "{}"), 400),
        (Reply::json(500, "x-should-retry: false\r\n", "no JSON"), 500),
        (Reply::json(503, "retry-after: 600\r\n", "{}"), 503),
        (Reply::json(302, "location: http://elsewhere/\r\n", "{}"), 302),
        (Reply::json(401, "", "{}"), 401),
        (Reply::json(403, "", "{}"), 403),
        (Reply::json(409, "x-should-retry: false\r\n", "{}"), 409),
        (Reply::json(422, "", "{}"), 422),
    ] {
        let script = Script::start(vec![reply]);
        let error = blocking(script.client()).chat().create(ask("m")).send().unwrap_err();
        assert_eq!(error.answer().unwrap().status().as_u16(), status);
        let right = matches!(
            (&error, status),
            (Error::BadRequest(_), 400)
                | (Error::Server(_), 500 | 503)
                | (Error::Status(_), 302)
                | (Error::Authentication(_), 401)
                | (Error::PermissionDenied(_), 403)
                | (Error::Conflict(_), 409)
                | (Error::UnprocessableEntity(_), 422)
        );
        assert!(right, "{status}: {error:?}");
    }
}

#[test]
fn a_broken_connection_is_tried_again_and_then_an_error() {
    let script = Script::start(vec![Reply::Nothing, Reply::json(200, "", OK)]);
    assert_eq!(blocking(script.client()).chat().create(ask("m")).send().unwrap().meta().retries(), 1);
    let script = Script::start(vec![Reply::Nothing]);
    let error = blocking(script.client().retries(0)).chat().create(ask("m")).send().unwrap_err();
    assert!(matches!(error, Error::Connection { .. }), "{error:?}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = blocking(Sabir::http(format!("http://{closed}")).retries(0)).models().list().send().unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot connect to {closed}")), "{error}");
}

#[test]
fn an_answer_that_is_none() {
    let script = Script::start(vec![Reply::json(200, "", "<html>")]);
    let error = blocking(script.client()).models().list().send().unwrap_err();
    let Error::Decode { body, .. } = &error else { panic!("{error:?}") };
    assert_eq!(&body[..], b"<html>");
    let script = Script::start(vec![Reply::json(200, "", OK)]);
    let error = blocking(script.client()).chat().stream(ask("m")).unwrap_err();
    assert_eq!(error.to_string(), "the answer cannot be read: expected a stream of events, not `application/json`");
}

#[test]
fn a_stream_that_is_cut_off_is_an_error() {
    let piece = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    for (body, good) in [
        (format!(": silence\n\n{piece}data: [DONE]\n\n"), true),
        (format!("{piece}data: [DONE]"), true),
        (piece.to_owned(), false),
        (format!("{piece}data: {{\"choices\""), false),
    ] {
        let script = Script::start(vec![Reply::Bytes(Reply::events(&body))]);
        let mut stream = blocking(script.client()).chat().stream(ask("m")).unwrap();
        assert_eq!(stream.next().unwrap().unwrap().text(), "Hi");
        match stream.next() {
            None => assert!(good, "{body}"),
            Some(Err(Error::Connection { .. })) => assert!(!good, "{body}"),
            other => panic!("{other:?}"),
        }
        assert!(stream.next().is_none());
        assert_eq!(stream.so_far().unwrap().text(), "Hi");
    }
}

#[test]
fn a_silent_stream_times_out_and_a_dropped_call_closes_the_connection() {
    let piece = "data: {\"choices\":[]}\n\n";
    let script = Script::start(vec![Reply::Silence(Reply::events(piece)), Reply::Silence(String::new())]);
    let client = blocking(script.client().timeout(Duration::from_millis(300)).retries(0));
    let mut stream = client.chat().stream(ask("m")).unwrap();
    stream.next().unwrap().unwrap();
    assert!(matches!(stream.next(), Some(Err(Error::Timeout(_)))));
    drop(stream);
    script.left.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(client.chat().create(ask("m")).send(), Err(Error::Timeout(_))));
    script.left.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_key_is_asked_for_outside_and_not_inside() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key"), "made-up").unwrap();
    let key = format!("path::{}", dir.path().join("key").display());
    let toml = format!("[gateway]\nbase_path = \"/llm\"\n[gateway.auth.keys]\nteam = \"{key}\"\n");
    let gateway = Gateway::start(&toml, &dir);
    let url = format!("http://{}/llm/v1/", gateway.address);
    let request = ask("dummy::echo");
    let error = blocking(Sabir::http(&url)).chat().create(&request).send().unwrap_err();
    assert!(matches!(error, Error::Authentication(_)), "{error:?}");
    assert_eq!(
        blocking(Sabir::http(&url).key("made-up")).chat().create(&request).send().unwrap().text(),
        "Hello there"
    );
    let embedded = blocking::Sabir::embedded(Sabir::embedded(toml).variables([("", ""); 0])).unwrap();
    assert_eq!(embedded.chat().create(&request).send().unwrap().text(), "Hello there");
}

#[test]
fn a_client_that_cannot_be_made() {
    let error = Sabir::http("http://gateway").key("a\nb").build().unwrap_err();
    assert_eq!(error.to_string(), "header `authorization`: the value cannot be sent");
    let error = blocking::Sabir::embedded(Sabir::embedded("[gateway]\nport = 1")).unwrap_err();
    assert!(error.to_string().starts_with("the configuration is wrong:\nconfiguration:2:1: "), "{error}");
}

#[test]
fn the_blocking_client_refuses_to_block_a_runtime() {
    let client = blocking(Sabir::http("http://127.0.0.1:9"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(async move { client.models().list().send().unwrap_err() });
    assert!(error.to_string().contains("inside of an async runtime"), "{error}");
}
