//! Where calls go and what they carry; the wire itself is tested with its translators.

use http::{HeaderMap, StatusCode};
use sabir_types::{ChatRequest, EmbedInput, EmbedRequest, Map, Message, Rest, Secret};
use serde_json::json;

use super::*;

const KEY: &str = "a-made-up-key";

fn with<T>(model: &str, api_base: Option<&str>, run: impl FnOnce(&Target<'_>) -> T) -> T {
    let (key, options) = (Secret::new(KEY), Map::new());
    run(&Target { model, api_base, key: Some(&key), options: &options, now: 0 })
}

fn chat(stream: bool) -> Request {
    let messages = vec![Message::user("hi")];
    Request::Chat(Box::new(ChatRequest { messages, stream, ..ChatRequest::default() }))
}

fn embed(input: EmbedInput) -> Request {
    let rest = Rest::default();
    Request::Embed(Box::new(EmbedRequest { input, dimensions: None, format: None, user: None, rest }))
}

fn sent(req: &Request, model: &str, api_base: Option<&str>) -> HttpRequest {
    with(model, api_base, |to| match GoogleAiStudioGemini.encode(req, to) {
        Ok((Outbound::Http(request), _)) => request,
        other => panic!("expected a request, got {other:?}"),
    })
}

fn reply(body: &Value) -> HttpResponse {
    HttpResponse { status: StatusCode::OK, headers: HeaderMap::new(), body: Bytes::from(body.to_string()) }
}

#[test]
fn calls_go_to_the_model_in_the_url() {
    for (req, model, base, url) in [
        (chat(false), "gemini-2.5-flash", None, format!("{BASE}/models/gemini-2.5-flash:generateContent")),
        (chat(true), "models/m", None, format!("{BASE}/models/m:streamGenerateContent?alt=sse")),
        (chat(false), "tunedModels/mine", None, format!("{BASE}/tunedModels/mine:generateContent")),
        (chat(false), "a/../b?c", Some("http://h/v1/"), "http://h/v1/models/a%2F..%2Fb%3Fc:generateContent".into()),
        (embed(EmbedInput::Text("a".into())), "e", None, format!("{BASE}/models/e:embedContent")),
        (embed(EmbedInput::Texts(vec!["a".into()])), "e", None, format!("{BASE}/models/e:batchEmbedContents")),
    ] {
        let request = sent(&req, model, base);
        assert_eq!(request.uri().to_string(), url);
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.headers()["x-goog-api-key"], KEY);
        assert!(!request.headers().contains_key(header::AUTHORIZATION), "a second credential is refused");
        assert!(!format!("{request:?}").contains(KEY), "the key shows itself");
    }
}

#[test]
fn models_are_listed_by_their_short_names() {
    let request = with("", None, |to| GoogleAiStudioGemini.models(to)).expect("a request").expect("one");
    assert_eq!(request.uri().to_string(), format!("{BASE}/models?pageSize=1000"));
    let body = json!({"models": [{"name": "models/gemini-2.5-flash"}, {"name": "models/gemma"}, {}]});
    let names = GoogleAiStudioGemini.model_names(body.to_string().as_bytes()).expect("a list");
    assert_eq!(names, ["gemini-2.5-flash", "gemma"]);
    assert!(GoogleAiStudioGemini.model_names(b"{}").is_err());
}

#[test]
fn answers_name_the_model_that_was_asked_if_the_provider_names_none() {
    let body = json!({"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}]});
    with("m", None, |to| {
        let Ok(Response::Chat(answer)) = GoogleAiStudioGemini.decode(&chat(false), to, &reply(&body)) else {
            panic!("expected an answer")
        };
        assert_eq!(answer.model, "m");
        let mut events = Vec::new();
        let mut decoder = GoogleAiStudioGemini.decoder(&chat(true), to);
        decoder.feed(format!("data: {body}\n\n").as_bytes(), &mut events).expect("an event");
        assert!(matches!(&events[0], Event::Start { model, .. } if model == "m"));
    });
}

#[test]
fn a_vector_for_every_text() {
    let req = embed(EmbedInput::Texts(vec!["a".into(), "b".into()]));
    with("e", None, |to| {
        let two = reply(&json!({"embeddings": [{"values": [0.5]}, {"values": [1]}]}));
        assert!(GoogleAiStudioGemini.decode(&req, to, &two).is_ok());
        let one = reply(&json!({"embeddings": [{"values": [0.5]}]}));
        let error = GoogleAiStudioGemini.decode(&req, to, &one).expect_err("one is missing");
        assert_eq!(error.kind(), ErrorKind::BadUpstream);
    });
}

#[test]
fn only_chats_that_name_no_model_pass() {
    let passes = |operation, body: &str| GoogleAiStudioGemini.passes(operation, body.as_bytes());
    assert!(passes(Operation::Chat, r#"{"contents":[{"parts":[{"text":"model"}]}]}"#));
    assert!(!passes(Operation::Chat, r#"{"contents":[],"model":"models/other"}"#));
    assert!(!passes(Operation::Chat, "no json"));
    assert!(!passes(Operation::Embed, r#"{"requests":[]}"#));
}

#[test]
fn errors_keep_their_content_type() {
    let mut resp = reply(&json!({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}));
    resp.status = StatusCode::SERVICE_UNAVAILABLE;
    resp.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let error = GoogleAiStudioGemini.error(&resp);
    assert_eq!(error.kind(), ErrorKind::Upstream);
    assert_eq!(error.upstream().and_then(|u| u.content_type.as_deref()), Some("application/json"));
}
