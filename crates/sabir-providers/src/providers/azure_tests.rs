//! Where calls go, which words they use, and how they say who calls.

use sabir_types::{ChatRequest, Map, Message, Params, Value};
use serde_json::json;

use super::*;

fn with<T>(base: &str, version: Option<&str>, key: &str, run: impl FnOnce(&Target<'_>) -> T) -> T {
    let key = Secret::new(key);
    let options: Map<String, Value> = version.map(|v| ("api_version".to_owned(), v.into())).into_iter().collect();
    run(&Target { model: "my deploy", api_base: Some(base), key: Some(&key), options: &options, now: 0 })
}

fn url(base: &str, version: Option<&str>, operation: Operation) -> String {
    with(base, version, "k", |to| Azure.head(operation, false, to).unwrap().uri.to_string())
}

#[test]
fn every_form_has_its_address() {
    let chat = |base: &str, version| url(base, version, Operation::Chat);
    let classic = "https://r.openai.azure.com/openai/deployments/my%20deploy/chat/completions?api-version=";
    for base in ["https://r.openai.azure.com", "https://r.openai.azure.com//", "https://r.openai.azure.com/openai/"] {
        assert_eq!(chat(base, None), format!("{classic}{VERSION}"), "{base}");
        assert_eq!(chat(base, Some("2024-10-21")), format!("{classic}2024-10-21"), "{base}");
        assert_eq!(chat(base, Some("v1")), "https://r.openai.azure.com/openai/v1/chat/completions", "{base}");
    }
    let v1 = "https://r.services.ai.azure.com/openai/v1/chat/completions";
    assert_eq!(chat("https://r.services.ai.azure.com/openai/v1/", None), v1);
    assert_eq!(chat("https://r.services.ai.azure.com/openai/v1", Some("v1")), v1);
    assert_eq!(chat("https://r.services.ai.azure.com", Some("preview")), format!("{v1}?api-version=preview"));
    assert_eq!(
        chat("https://r.services.ai.azure.com/models", None),
        "https://r.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview"
    );
    assert_eq!(
        url("https://r.openai.azure.com", Some("2024-10-21"), Operation::Embed),
        "https://r.openai.azure.com/openai/deployments/my%20deploy/embeddings?api-version=2024-10-21"
    );
    assert_eq!(
        url("https://r.openai.azure.com", Some("2024&x=1"), Operation::Embed),
        "https://r.openai.azure.com/openai/deployments/my%20deploy/embeddings?api-version=2024%26x%3D1"
    );
}

#[test]
fn pictures_and_sound_have_methods_of_their_own() {
    let path = |operation| {
        let whole = url("https://r.openai.azure.com", Some("v1"), operation);
        whole.strip_prefix("https://r.openai.azure.com/openai/v1/").unwrap().to_owned()
    };
    let seen: Vec<_> = COMPAT.spec.can.operations.iter().map(|operation| path(*operation)).collect();
    let wanted = [
        "chat/completions",
        "embeddings",
        "images/generations",
        "images/edits",
        "audio/speech",
        "audio/transcriptions",
        "audio/translations",
    ];
    assert_eq!(seen, wanted);
    let error = with("https://r", None, "k", |to| Azure.head(Operation::Moderate, false, to)).unwrap_err();
    assert_eq!(error.message(), "provider `azure` has no moderate");
}

#[test]
fn what_passes_through_has_its_address() {
    let goes = |version, model: &str, path: &str, query: Option<&str>, deployment: Option<&str>| {
        with("https://r", version, "k", |to| {
            let passage = Passage { method: &Method::GET, path, query, deployment };
            Azure.passage(&passage, &Target { model, ..*to }).unwrap().uri.to_string()
        })
    };
    let dated = Some("2024-10-21");
    for (to, wanted) in [
        (goes(dated, "", "files/f%2F1", Some("limit=1"), None), "files/f%2F1?limit=1&api-version=2024-10-21"),
        (goes(dated, "", "files", Some("api-version=2023-05-15"), None), "files?api-version=2023-05-15"),
        (goes(dated, "", "audio/speech", None, Some("d%201")), "deployments/d%201/audio/speech?api-version=2024-10-21"),
        (goes(dated, "tts", "audio/speech", None, None), "deployments/tts/audio/speech?api-version=2024-10-21"),
        (goes(dated, "tts", "audio/speech", None, Some("mine")), "deployments/tts/audio/speech?api-version=2024-10-21"),
        (goes(dated, "m", "batches", None, None), "batches?api-version=2024-10-21"),
        (goes(dated, "", "realtime", Some("model=a%20b"), None), "realtime?deployment=a%20b&api-version=2024-10-21"),
        (goes(dated, "rt", "realtime", Some("model=x"), None), "realtime?deployment=rt&api-version=2024-10-21"),
        (goes(Some("v1"), "", "files", Some("api-version=2024-10-21&a=1"), None), "v1/files?a=1"),
        (goes(Some("preview"), "rt", "realtime", Some("model=x"), None), "v1/realtime?model=rt&api-version=preview"),
    ] {
        assert_eq!(to, format!("https://r/openai/{wanted}"));
    }
}

#[test]
fn keys_and_tokens_have_headers_of_their_own() {
    let headers = |key| with("https://r", None, key, |to| Azure.head(Operation::Chat, false, to).unwrap().headers);
    let key = headers("0123abc");
    assert_eq!((&key["api-key"], key.get("authorization")), (&HeaderValue::from_static("0123abc"), None));
    let token = headers("eyJh.eyJp.c2ln");
    assert_eq!(token["authorization"], "Bearer eyJh.eyJp.c2ln");
    assert!(token.get("api-key").is_none() && token["authorization"].is_sensitive());
}

#[test]
fn older_versions_have_older_words() {
    let params = Params { max_tokens: Some(5), ..Params::default() };
    let messages = vec![Message::user("hi")];
    let chat = ChatRequest { messages, stream: true, params, ..ChatRequest::default() };
    let req = Request::Chat(Box::new(chat));
    let body = |version| {
        let encoded = with("https://r", version, "k", |to| Azure.body(&req, to).unwrap());
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        (
            body.get("max_tokens").cloned(),
            body.get("max_completion_tokens").cloned(),
            body.get("stream_options").cloned(),
        )
    };
    let usage = Some(json!({"include_usage": true}));
    assert_eq!(body(Some("2024-02-01")), (Some(json!(5)), None, None));
    assert_eq!(body(Some("2024-10-21")), (Some(json!(5)), None, usage.clone()));
    for version in [None, Some("2024-12-01-preview"), Some("v1")] {
        assert_eq!(body(version), (None, Some(json!(5)), usage.clone()), "{version:?}");
    }
}

#[test]
fn a_stream_may_begin_without_a_choice() {
    let req = Request::Chat(Box::default());
    let stream = concat!(
        "data: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":[]}\n\n",
        "data: {\"id\":\"c1\",\"model\":\"gpt-4o\",\"created\":7,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n",
        "data: {\"id\":\"\",\"model\":\"\",\"choices\":[{\"index\":0,\"content_filter_offsets\":{\"end_offset\":2}}]}\n\n",
        "data: {\"id\":\"c1\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: [DONE]\n\n",
    );
    let mut events = Vec::new();
    let mut decoder = with("https://r", None, "k", |to| Azure.decoder(&req, to));
    decoder.feed(stream.as_bytes(), &mut events).unwrap();
    decoder.finish(&mut events).unwrap();
    let start = sabir_types::Event::Start { id: Some("c1".into()), model: "gpt-4o".into(), created: Some(7) };
    assert_eq!((events.len(), &events[0]), (3, &start));
}
