//! Tests of reranking. Invariant: an answer of any style is read, and both styles of doors are written.

use super::*;

const BODY: &[u8] =
    br#"{"model":"m","query":"q","documents":["a",{"text":"b","x":1}],"top_n":1,"return_documents":true,
    "max_tokens_per_doc":9,"truncation":false}"#;

fn request(parsed: Result<Request>) -> RerankRequest {
    match parsed.unwrap() {
        Request::Rerank(request) => *request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_is_written_in_every_style() {
    let req = request(parse(BODY));
    let mut all = Vec::new();
    for style in [Style::Jina, Style::Cohere, Style::Voyage] {
        let mut warnings = Vec::new();
        let body: Value = serde_json::from_slice(&emit(&req, "n", style, &mut warnings).unwrap()).unwrap();
        all.push((body, warnings.into_iter().map(|warning| warning.param).collect::<Vec<_>>()));
    }
    let jina = json!({"model": "n", "query": "q", "documents": ["a", {"text": "b", "x": 1}], "top_n": 1,
        "return_documents": true, "truncation": false});
    assert_eq!(all[0], (jina, vec!["max_tokens_per_doc".to_owned()]));
    let cohere = json!({"model": "n", "query": "q", "documents": ["a", "b"], "top_n": 1, "max_tokens_per_doc": 9});
    assert_eq!(all[1], (cohere, vec!["truncation".to_owned()]));
    let voyage = json!({"model": "n", "query": "q", "documents": ["a", "b"], "top_k": 1, "return_documents": true,
        "truncation": false});
    assert_eq!(all[2].0, voyage);
}

#[test]
fn answers_of_all_styles_are_read() {
    let req = request(parse_cohere(BODY));
    let read = |body: Value| decode(Some(&req), body.to_string().as_bytes()).unwrap();
    let cohere = read(json!({"id": "1", "results": [{"index": 1, "relevance_score": 0.5}],
        "meta": {"billed_units": {"search_units": 1}}}));
    assert_eq!(cohere.results[0].document, Some(json!({"text": "b", "x": 1})), "the gateway has it");
    assert_eq!(cohere.usage.raw, Some(json!({"search_units": 1})));
    let voyage = read(json!({"object": "list", "data": [{"index": 0, "relevance_score": 0.5, "document": "a"}],
        "model": "v", "usage": {"total_tokens": 7}}));
    assert_eq!((voyage.usage.input_tokens, voyage.usage.output_tokens), (Some(7), Some(0)));
    let shown: Value = serde_json::from_slice(&render(&voyage, "i", "asked").unwrap()).unwrap();
    let wanted = json!({"id": "i", "object": "list", "model": "v", "usage": {"total_tokens": 7, "prompt_tokens": 7},
        "results": [{"index": 0, "relevance_score": 0.5, "document": {"text": "a"}}]});
    assert_eq!(shown, wanted);
    let shown: Value = serde_json::from_slice(&render_cohere(&cohere, "i").unwrap()).unwrap();
    assert_eq!((&shown["id"], &shown["meta"]), (&json!("1"), &json!({"billed_units": {"search_units": 1}})));
    assert!(decode(None, br#"{"results":[{"index":0}]}"#).unwrap_err().message().contains("results[0]"));
    assert_eq!(decode(None, br#"{"error":{"message":"no"}}"#).unwrap_err().message(), "no");
}

#[test]
fn a_wrong_request_is_refused_by_its_path() {
    for (body, param) in [
        (r#"{"query":"q"}"#, "documents"),
        (r#"{"query":"q","documents":[]}"#, "documents"),
        (r#"{"query":"q","documents":[1]}"#, "documents[0]"),
        (r#"{"documents":["a"]}"#, "query"),
        (r#"{"query":"q","documents":["a"],"top_n":"x"}"#, "top_n"),
    ] {
        assert_eq!(parse(body.as_bytes()).unwrap_err().param(), Some(param), "{body}");
    }
}
