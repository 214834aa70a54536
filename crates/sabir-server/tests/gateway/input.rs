//! Requests that are wrong, too large, too slow or odd, and callers without a key.

use std::{io::Write, time::Duration};

use crate::{mock::*, support::*};

/// Small limits, so that they are easy to reach.
const LIMITS: &str = "[gateway.limits]\nrequest_body_bytes = 2048\nrequest_body_timeout_ms = 200\n";

async fn limited() -> (Upstream, Gateway) {
    let upstream = Upstream::always(vec![good("ok")]).await;
    let gateway = Gateway::start(&format!("{LIMITS}{}", model(&upstream, ""))).await;
    (upstream, gateway)
}

#[tokio::test]
async fn wrong_bodies_are_refused_with_the_place() {
    let (upstream, gateway) = limited().await;
    let good = r#"[{"role":"user","content":"hi"}]"#;
    for (body, param) in [
        (String::new(), None),
        ("not json".into(), None),
        ("{\"model\":\"m\",".into(), None),
        ("[1]".into(), None),
        ("\"text\"".into(), None),
        ("{}".into(), Some("model")),
        (format!("{{\"messages\":{good}}}"), Some("model")),
        (format!("{{\"model\":\"\",\"messages\":{good}}}"), Some("model")),
        (format!("{{\"model\":7,\"messages\":{good}}}"), Some("model")),
        (format!("{{\"model\":\"m\",\"model\":\"n\",\"messages\":{good}}}"), Some("model")),
        ("{\"model\":\"m\"}".into(), Some("messages")),
        ("{\"model\":\"m\",\"messages\":[]}".into(), Some("messages")),
        ("{\"model\":\"m\",\"messages\":\"hi\"}".into(), Some("messages")),
        (format!("{{\"model\":\"m\",\"stream\":\"yes\",\"messages\":{good}}}"), Some("stream")),
        (format!("{{\"model\":\"m\",\"messages\":{good}}} trailing"), None),
        ("{\"model\":\"m\",\"messages\":[".to_owned() + &"[".repeat(500), None),
    ] {
        let answer = gateway.chat(&body).await;
        let error = answer.error(400);
        assert_eq!(error["type"], "invalid_request_error", "{body}");
        if let Some(param) = param {
            assert_eq!(error["param"], param, "{body}: {error}");
        }
    }
    let mut client = gateway.client().await;
    client
        .write(&post("/v1/chat/completions", "", b"{\"model\":\"m\",\"messages\":[{\"content\":\"\xff\xfe\"}]}"))
        .await;
    assert!(client.answer().await.error(400)["message"].as_str().unwrap().contains("UTF-8"));
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn wrong_types_deep_inside_are_named_when_the_body_is_read() {
    let (upstream, gateway) = limited().await;
    for (messages, place) in [
        (r#"[{"role":"user","content":7}]"#, "messages[0].content"),
        (r#"[{"role":7,"content":"hi"}]"#, "messages[0].role"),
        (r#"[{"role":"wizard","content":"hi"}]"#, "messages[0].role"),
        (r#"[{"content":"hi"}]"#, "messages[0]"),
        (r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":5}}]}]"#, "messages[0].content[0]"),
        (
            r#"[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":5}]}]"#,
            "messages[1].tool_calls[0]",
        ),
        (r#"[{"role":"user","content":"hi"},{"role":"tool","content":"x"}]"#, "messages[1]"),
        (r#"[7]"#, "messages[0]"),
    ] {
        let body = format!(r#"{{"model":"tensorzero::model_name::m","messages":{messages}}}"#);
        let answer = gateway.chat(&body).await;
        assert_eq!(answer.status, 400, "{messages}: {}", answer.text());
        let error = answer.error(400);
        let param = error["param"].as_str().unwrap_or_default();
        assert!(param.starts_with(place) || place.starts_with(param) && !param.is_empty(), "{messages}: {error}");
    }
    assert_eq!(upstream.count(), 0);
    let body =
        r#"{"model":"tensorzero::model_name::m","temperature":"hot","messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(gateway.chat(body).await.error(400)["param"], "temperature");
}

#[tokio::test]
async fn unknown_things_are_named() {
    let (_upstream, gateway) = limited().await;
    let answer = gateway.chat(&CALL.replace("\"m\"", "\"nobody\"")).await;
    let error = answer.error(404);
    assert!(error["message"].as_str().unwrap().contains("nobody"), "{error}");
    assert_eq!(error["code"], "model_not_found");
    assert!(answer.header("x-sabir-inference-id").is_some());
    let answer = gateway.chat(&CALL.replace("\"m\"", "\"openai::gpt\"")).await;
    let error = answer.error(401);
    assert!(error["message"].as_str().unwrap().contains("OPENAI_API_KEY"), "{error}");
    let body = r#"{"model":"m","tensorzero::no_such":1,"messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(gateway.chat(body).await.error(400)["param"], "tensorzero::no_such");
    let mut client = gateway.client().await;
    client.write(&post("/openai/v1/no/such", "", b"{}")).await;
    client.answer().await.error(404);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let (upstream, gateway) = limited().await;
    let large = CALL.replace("\"hi\"", &format!("\"{}\"", "x".repeat(4000)));
    let mut client = gateway.client().await;
    let error = client.chat(&large).await.error(413);
    assert!(error["message"].as_str().unwrap().contains("2048 bytes"), "{error}");
    assert_eq!(error["code"], "request_too_large");
    // In chunks nobody declares how much is coming.
    let mut client = gateway.client().await;
    client.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for part in large.as_bytes().chunks(1000) {
        client.write(format!("{:x}\r\n", part.len()).as_bytes()).await;
        client.write(part).await;
        client.write(b"\r\n").await;
    }
    client.write(b"0\r\n\r\n").await;
    client.answer().await.error(413);
    // Packed, it is small.
    let mut client = gateway.client().await;
    client.write(&post("/v1/chat/completions", "content-encoding: gzip\r\n", &gzip(large.as_bytes()))).await;
    client.answer().await.error(413);
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_caller_who_asks_first_is_not_made_to_send_too_much() {
    let (_upstream, gateway) = limited().await;
    let mut client = gateway.client().await;
    client
        .write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 999999\r\n\r\n",
        )
        .await;
    client.answer().await.error(413);
}

#[tokio::test]
async fn a_hundred_megabytes_are_the_usual_limit() {
    let upstream = Upstream::always(vec![good("ok")]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let body = CALL.replace("\"hi\"", &format!("\"{}\"", "x".repeat(101 << 20)));
    let (mut read, mut write) = gateway.client().await.stream.into_split();
    let writing = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        write.write_all(&post("/v1/chat/completions", "", body.as_bytes())).await.map(|()| write)
    });
    let mut head = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut read, &mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 413");
    drop(writing.await.unwrap().unwrap());
    assert_eq!(upstream.count(), 0);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn odd_but_right_requests_are_read() {
    let (upstream, gateway) = limited().await;
    let wanted = CALL.replace("\"m\"", "\"up-1\"");
    // Packed.
    let mut client = gateway.client().await;
    client.write(&post("/v1/chat/completions", "content-encoding: gzip\r\n", &gzip(CALL.as_bytes()))).await;
    assert_eq!(client.answer().await.status, 200);
    // In chunks, byte by byte.
    client.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for byte in CALL.as_bytes() {
        client.write(&[b"1\r\n".as_slice(), &[*byte], b"\r\n"].concat()).await;
    }
    client.write(b"0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    // Asking first.
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        CALL.len()
    );
    client.write(head.as_bytes()).await;
    assert_eq!(client.head().await.unwrap().status, 100);
    client.write(CALL.as_bytes()).await;
    assert_eq!(client.answer().await.status, 200);
    // As HTTP/1.0, with the content type left out.
    let mut client = gateway.client().await;
    client
        .write(format!("POST /v1/chat/completions HTTP/1.0\r\ncontent-length: {}\r\n\r\n{CALL}", CALL.len()).as_bytes())
        .await;
    assert_eq!(client.answer().await.status, 200);
    // Two at once on one connection.
    let mut client = gateway.client().await;
    let both =
        [post("/v1/chat/completions", "", CALL.as_bytes()), post("/v1/chat/completions", "", CALL.as_bytes())].concat();
    client.write(&both).await;
    assert_eq!((client.answer().await.status, client.answer().await.status), (200, 200));
    let seen = upstream.seen();
    assert_eq!(seen.len(), 6);
    for request in seen {
        assert_eq!(request.text(), wanted);
        assert_eq!(request.header("content-encoding"), None);
    }
}

#[tokio::test]
async fn encodings_that_are_wrong_are_refused() {
    let (upstream, gateway) = limited().await;
    for (encoding, body) in [
        ("br", CALL.as_bytes().to_vec()),
        ("gzip", CALL.as_bytes().to_vec()),
        ("gzip", gzip(CALL.as_bytes())[..20].to_vec()),
    ] {
        let mut client = gateway.client().await;
        client.write(&post("/v1/chat/completions", &format!("content-encoding: {encoding}\r\n"), &body)).await;
        let error = client.answer().await.error(400);
        assert!(error["message"].as_str().unwrap().contains("encoding"), "{error}");
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn half_a_request_is_408_and_a_lost_one_is_nothing() {
    let (upstream, gateway) = limited().await;
    let whole = post("/v1/chat/completions", "", CALL.as_bytes());
    let mut slow = gateway.client().await;
    slow.write(&whole[..whole.len() - 5]).await;
    let error = slow.answer().await.error(408);
    assert!(error["message"].as_str().unwrap().contains("200 ms"), "{error}");
    for cut in [10, whole.len() - 5] {
        let mut lost = gateway.client().await;
        lost.write(&whole[..cut]).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(gateway.chat(CALL).await.status, 200);
    assert_eq!(upstream.count(), 1);
    assert_eq!(gateway.rows().await.len(), 1);
}

#[tokio::test]
async fn garbage_on_the_line_harms_nobody() {
    let (_upstream, gateway) = limited().await;
    for garbage in [
        b"\x16\x03\x01\x02\x00\x01\x00".as_slice(),
        b"hello\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    ] {
        let mut client = gateway.client().await;
        client.write(garbage).await;
        let answer = tokio::time::timeout(PATIENCE, client.try_answer()).await.unwrap();
        assert!(answer.is_none_or(|answer| answer.status >= 400));
    }
    assert_eq!(gateway.chat(CALL).await.status, 200);
}

#[tokio::test]
async fn callers_need_one_of_the_keys() {
    let upstream = Upstream::always(vec![good("ok")]).await;
    let gateway =
        Gateway::with_env(&model(&upstream, ""), &[("SABIR_API_KEY", "gateway-key-one,gateway-key-two")]).await;
    for (header, status) in [
        ("", 401),
        ("authorization: Bearer wrong\r\n", 401),
        ("authorization: Bearer gateway-key-on\r\n", 401),
        ("authorization: Basic gateway-key-one\r\n", 401),
        ("authorization: Bearer \r\n", 401),
        ("authorization: Bearer gateway-key-one\r\n", 200),
        ("Authorization: bearer gateway-key-two\r\n", 200),
        ("api-key: gateway-key-one\r\n", 200),
        ("x-api-key: gateway-key-two\r\n", 200),
    ] {
        let answer = gateway.client().await.chat_with(header, CALL).await;
        assert_eq!(answer.status, status, "{header}");
        if status == 401 {
            let error = answer.error(401);
            assert_eq!((&error["type"], &error["code"]), (&"authentication_error".into(), &"invalid_api_key".into()));
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    assert_eq!(upstream.count(), 4);
    assert_eq!(gateway.rows().await[0].inference.caller.as_deref(), Some("SABIR_API_KEY"));
    let mut client = gateway.client().await;
    client.write(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.answer().await.error(401);
}
