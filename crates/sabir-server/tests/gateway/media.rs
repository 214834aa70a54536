//! Images, audio, moderations and reranking: same bytes, whole streams, and what the ledger keeps.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sabir_engine::history;
use sabir_store::Status;
use sabir_types::{Operation, Request, Response, Value};
use serde_json::json;
use tokio::sync::Notify;

use crate::{mock::*, support::*};

/// A form as a client writes it: with a file that holds whatever it likes.
fn form(model: &str) -> Vec<u8> {
    let mut out = b"--odd'b\r\nContent-Disposition: form-data; name=\"response_format\"\r\n\r\njson\r\n".to_vec();
    out.extend(format!("--odd'b\r\ncontent-disposition: form-data; name=model\r\n\r\n{model}\r\n").bytes());
    out.extend(b"--odd'b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.mp3\"\r\nX-Odd: 1\r\n\r\n");
    out.extend(b"\r\n--odd'bb\r\n\0\xff\r\n--odd'b--\r\n");
    out
}

const KIND: &str = "content-type: multipart/form-data; boundary=\"odd'b\"\r\n";

async fn send(gateway: &Gateway, path: &str, more: &str, body: &[u8]) -> Answer {
    let mut client = gateway.client().await;
    let request = if more.contains("content-type") {
        let head = format!("POST {path} HTTP/1.1\r\nhost: g\r\n{more}content-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    } else {
        post(path, more, body)
    };
    client.write(&request).await;
    client.answer().await
}

async fn call(gateway: &Gateway, path: &str, body: &Value) -> Answer {
    send(gateway, path, "", body.to_string().as_bytes()).await
}

fn head(kind: &str) -> Step {
    Step::Send(format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes())
}

#[tokio::test]
async fn a_form_goes_through_but_for_the_models_name() {
    let upstream = Upstream::always(vec![json(200, r#"{ "text":"h\u00e9", "odd":1.0}"#)]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let answer = send(&gateway, "/v1/audio/transcriptions", KIND, &form("m")).await;
    assert_eq!((answer.status, answer.text()), (200, r#"{ "text":"h\u00e9", "odd":1.0}"#));
    let seen = upstream.seen();
    assert_eq!(seen[0].body, form("up-1"));
    assert_eq!(seen[0].header("content-type"), Some("multipart/form-data; boundary=odd'b"));
    assert!(seen[0].head.starts_with("POST /v1/audio/transcriptions HTTP/1.1\r\n"), "{}", seen[0].head);
    let row = gateway.row(&answer).await;
    assert_eq!(row.inference.operation, Operation::Transcribe);
    assert_eq!(row.calls[0].raw_request, form("up-1"));
    let Request::Transcribe(asked) = history::input(&row).unwrap() else { panic!("no sound") };
    assert_eq!(asked.file.filename.as_deref(), Some("a b.mp3"));
    let Some(Response::Transcribe(said)) = history::output(&row).unwrap() else { panic!("no transcript") };
    assert_eq!(said.text, "hé");
}

#[tokio::test]
async fn a_form_goes_to_the_next_target_too() {
    let broken = Upstream::always(vec![json(500, "{}")]).await;
    let upstream = Upstream::always(vec![json(200, r#"{"text":"x"}"#)]).await;
    let gateway = Gateway::start(&two(&broken, &upstream, "")).await;
    let answer = send(&gateway, "/v1/audio/translations", KIND, &form("m")).await;
    assert_eq!(answer.json(), json!({"text": "x"}));
    assert_eq!((broken.count(), upstream.seen()[0].body.clone()), (1, form("up-1")));
    let row = gateway.row(&answer).await;
    assert_eq!((row.calls.len(), row.inference.operation), (2, Operation::Translate));
}

#[tokio::test]
async fn a_sound_is_handed_on_as_it_comes() {
    let sound: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let gate = Arc::new(Notify::new());
    let (first, rest) = sound.split_at(10);
    let steps = vec![head("audio/flac"), chunk(first), Step::Gate(gate.clone()), chunk(rest), last_chunk()];
    let upstream = Upstream::always(steps).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let body = r#"{ "voice":"alloy","input":"gr\u00fc\u00df", "model":"m","response_format":"flac" }"#;
    let mut client = gateway.client().await;
    client.write(&post("/v1/audio/speech", "", body.as_bytes())).await;
    let begun = client.head().await.unwrap();
    assert_eq!(begun.header("content-type"), Some("audio/flac"));
    let mut got = client.piece().await.unwrap();
    assert_eq!(got, first, "before the rest is there");
    gate.notify_one();
    loop {
        let piece = client.piece().await.unwrap();
        if piece.is_empty() {
            break;
        }
        got.extend(piece);
    }
    assert_eq!(got, sound);
    assert_eq!(upstream.seen()[0].text(), body.replace("\"m\"", "\"up-1\""));
    let row = gateway.row(&begun).await;
    assert_eq!((row.inference.status, row.calls[0].raw_response.len()), (Status::Ok, sound.len()));
    assert_eq!(row.inference.usage.raw, Some(json!({"characters": 4})));
    let Some(Response::Speech(kept)) = history::output(&row).unwrap() else { panic!("no sound") };
    assert_eq!((kept.audio, kept.mime.as_str()), (STANDARD.encode(&sound), "audio/flac"));
}

#[tokio::test]
async fn who_leaves_a_sound_stops_it() {
    let upstream = Upstream::always(vec![head("audio/mpeg"), chunk("one"), Step::Hang]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let mut client = gateway.client().await;
    client.write(&post("/v1/audio/speech", "", br#"{"model":"m","voice":"v","input":"x"}"#)).await;
    client.head().await.unwrap();
    assert_eq!(client.piece().await.unwrap(), b"one");
    drop(client);
    upstream.closed(1).await;
    let rows = gateway.until_rows(1).await;
    assert_eq!(rows[0].inference.status, Status::Cancelled);
    assert_eq!(rows[0].calls[0].raw_response, b"one".as_slice());
}

#[tokio::test]
async fn a_sound_that_breaks_off_is_not_complete() {
    let gate = Arc::new(Notify::new());
    let steps = vec![head("audio/mpeg"), chunk("one"), Step::Gate(gate.clone()), Step::Close];
    let upstream = Upstream::always(steps).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let mut client = gateway.client().await;
    client.write(&post("/v1/audio/speech", "", br#"{"model":"m","voice":"v","input":"x"}"#)).await;
    assert_eq!(client.head().await.unwrap().status, 200);
    assert_eq!(client.piece().await.unwrap(), b"one");
    gate.notify_one();
    assert_eq!(client.piece().await, None, "the connection ends without the end of the body");
    assert_eq!(gateway.until_rows(1).await[0].inference.status, Status::Error);
}

#[tokio::test]
async fn a_stream_of_pictures_is_complete_with_its_last_picture() {
    let picture = STANDARD.encode(vec![7; 300_000]);
    let usage = json!({"input_tokens": 5, "output_tokens": 6, "total_tokens": 11, "input_tokens_details": {}});
    let event = |kind: &str| {
        format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"b64_json\":\"{picture}\",\"usage\":{usage}}}\n\n")
    };
    let body = event("image_generation.partial_image") + &event("image_generation.completed");
    let whole = |body: &str| {
        let mut steps = vec![stream_head()];
        steps.extend(body.as_bytes().chunks(50_000).map(chunk));
        steps.push(last_chunk());
        steps
    };
    let asked = json!({"model": "m", "prompt": "p", "stream": true, "partial_images": 1});
    let upstream = Upstream::turns(vec![whole(&body), whole(&event("image_generation.partial_image"))]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let answer = call(&gateway, "/v1/images/generations", &asked).await;
    assert!(answer.complete && answer.text() == body);
    let row = gateway.row(&answer).await;
    assert_eq!((row.inference.status, row.inference.usage.output_tokens), (Status::Ok, Some(6)));
    let Some(Response::Image(kept)) = history::output(&row).unwrap() else { panic!("no pictures") };
    assert_eq!(kept.images.len(), 1, "unfinished ones do not count");
    let cut = call(&gateway, "/v1/images/generations", &asked).await;
    assert!(cut.text().contains("ended its stream before the answer was complete"), "an error at its end");
}

#[tokio::test]
async fn changes_to_objects_are_made_and_those_to_forms_refused() {
    let upstream = Upstream::always(vec![json(200, r#"{"created":1,"data":[{"url":"https://x"}],"odd":[1.0]}"#)]).await;
    let changed = model(&upstream, "") + "extra_body = [{ pointer = \"/style\", value = \"vivid\" }]\n";
    let gateway = Gateway::start(&changed).await;
    let answer = call(&gateway, "/v1/images/generations", &json!({"model": "m", "prompt": "p"})).await;
    assert_eq!(answer.text(), r#"{"created":1,"data":[{"url":"https://x"}],"odd":[1.0]}"#, "what came goes through");
    assert_eq!(upstream.seen()[0].text(), r#"{"model":"up-1","prompt":"p","style":"vivid"}"#);
    let row = gateway.row(&answer).await;
    assert_eq!(row.inference.usage.raw, Some(json!({"images": 1})));
    let refused = send(&gateway, "/v1/audio/transcriptions", KIND, &form("m")).await;
    assert_eq!(refused.error(400)["param"], "extra_body");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn members_for_the_gateway_are_taken_or_refused() {
    let upstream = Upstream::always(vec![json(200, r#"{"id":"x","model":"up","results":[]}"#)]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let asked = json!({"model": "tensorzero::model_name::m", "input": "x", "tensorzero::tags": {"a": "b"}});
    let answer = call(&gateway, "/v1/moderations", &asked).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.seen()[0].text(), r#"{"model":"up-1","input":"x"}"#);
    assert_eq!(gateway.row(&answer).await.inference.tags, [("a".to_owned(), "b".to_owned())]);
    let mut ours = b"--odd'b\r\nContent-Disposition: form-data; name=\"tensorzero::tags\"\r\n\r\n{}\r\n".to_vec();
    ours.extend(form("m"));
    let refused = send(&gateway, "/v1/audio/transcriptions", KIND, &ours).await;
    assert!(refused.error(400)["message"].as_str().unwrap().contains("x-sabir-"));
}

#[tokio::test]
async fn verdicts_are_kept_and_pictures_are_not() {
    let upstream = Upstream::start(|_, seen| match seen.text().contains("prompt") {
        true => vec![json(200, r#"{"created":1,"data":[{"url":"https://x"}]}"#)],
        false => vec![json(200, r#"{"id":"x","model":"up","results":[{"flagged":true}]}"#)],
    })
    .await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let cached = "x-sabir-cache: on\r\n";
    for (path, body, asked) in [
        ("/v1/moderations", r#"{"model":"m","input":"x"}"#, 1),
        ("/v1/images/generations", r#"{"model":"m","prompt":"p"}"#, 2),
    ] {
        let before = upstream.count();
        let first = send(&gateway, path, cached, body.as_bytes()).await;
        let second = send(&gateway, path, cached, body.as_bytes()).await;
        assert_eq!((first.status, first.body), (200, second.body));
        assert_eq!(upstream.count() - before, asked, "{path}");
    }
}
