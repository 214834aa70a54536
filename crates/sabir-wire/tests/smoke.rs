//! Every reader of the wire on 2,000 damaged inputs, without a fuzzer.
//!
//! Invariant: the inputs are the same in every run; the bodies are those of the fuzz targets.

#![expect(clippy::expect_used, reason = "what helps a test may fail as a test does")]

#[cfg(test)]
#[path = "../../../fuzz/src/mutate.rs"]
pub mod mutate;
#[cfg(test)]
#[path = "../../../fuzz/src/wire.rs"]
pub mod wire;

use std::{
    fs,
    path::{Path, PathBuf},
};

use sabir_wire::event_stream::{self, HeaderValue};

const RUNS: u64 = 2000;

/// The files of that name among the providers' cases.
fn fixtures(file: &str, of: &[&str]) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sabir-providers/fixtures");
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).expect("a folder of cases");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths
    };
    folders(&root)
        .iter()
        .filter(|provider| of.iter().any(|id| provider.ends_with(id)) || of.is_empty())
        .flat_map(|provider| folders(provider))
        .filter_map(|case| fs::read(case.join(file)).ok())
        .collect()
}

/// Frames with one header of every kind.
fn frames() -> Vec<Vec<u8>> {
    let headers = [
        (":event-type", HeaderValue::String("contentBlockDelta")),
        ("flag", HeaderValue::Bool(true)),
        ("id", HeaderValue::Uuid([7; 16])),
        ("at", HeaderValue::Timestamp(1)),
        ("raw", HeaderValue::Bytes(b"\x00\xff")),
        ("number", HeaderValue::Long(-1)),
    ];
    let mut one = Vec::new();
    event_stream::encode(&mut one, &headers, br#"{"delta":{"text":"ebb"}}"#).expect("a frame");
    let mut two = one.clone();
    event_stream::encode(&mut two, &headers[..1], b"").expect("a frame");
    vec![one, two]
}

fn run(name: &str, seeds: &[Vec<u8>]) {
    let (_, target) = wire::TARGETS.iter().find(|(known, _)| *known == name).expect("a target of that name");
    mutate::smoke(name, *target, seeds, RUNS);
}

const NOT_OPENAI: [&str; 2] = ["anthropic", "google_ai_studio_gemini"];
const OPENAI: [&str; 4] = ["openai", "mistral", "openrouter", "deepseek"];

#[test]
fn framings() {
    let streams = fixtures("stream.txt", &[]);
    run("sse", &streams);
    run("ndjson", &streams);
    run("event_stream", &frames());
}

#[test]
fn media() {
    let mut requests: Vec<Vec<u8>> = fixtures("request.txt", &[])
        .iter()
        .map(|form| String::from_utf8_lossy(form).replace('\n', "\r\n").into_bytes())
        .collect();
    run("multipart", &requests);
    let of = ["openai", "azure", "together", "cohere", "voyage", "jina", "zhipu"];
    requests.extend(fixtures("request.json", &of));
    run("media_parse", &requests);
    let mut answers = fixtures("response.json", &of);
    answers.extend(fixtures("response.txt", &of));
    answers.extend(fixtures("stream.txt", &["openai"]));
    run("media_answer", &answers);
}

#[test]
fn openai() {
    let requests = fixtures("request.json", &OPENAI);
    run("openai_peek", &requests);
    run("openai_parse", &requests);
    let mut answers = fixtures("stream.txt", &OPENAI);
    answers.extend(fixtures("response.json", &OPENAI));
    answers.extend(fixtures("error.json", &OPENAI));
    run("openai_stream", &answers);
}

#[test]
fn anthropic_and_gemini() {
    for (id, parse, stream) in
        [(NOT_OPENAI[0], "anthropic_parse", "anthropic_stream"), (NOT_OPENAI[1], "gemini_parse", "gemini_stream")]
    {
        run(parse, &fixtures("request.json", &[id]));
        let mut answers = fixtures("stream.txt", &[id]);
        answers.extend(fixtures("response.json", &[id]));
        answers.extend(fixtures("error.json", &[id]));
        run(stream, &answers);
    }
}

#[test]
fn responses() {
    let thought = serde_json::json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "tide"}], "encrypted_content": "gAAA"});
    let call = serde_json::json!({"type": "function_call", "id": "fc_1", "call_id": "c", "name": "tide_table", "arguments": "{}"});
    let message = serde_json::json!({"type": "message", "id": "msg_1", "role": "assistant", "phase": "final_answer", "status": "completed",
        "content": [{"type": "output_text", "text": "05:12", "annotations": [{"type": "url_citation", "url": "u"}], "logprobs": []}]});
    let request = serde_json::json!({
        "model": "m", "instructions": "be brief", "stream": false, "store": false, "max_output_tokens": 90, "temperature": 0.5,
        "input": [
            {"role": "developer", "content": "now"},
            {"role": "user", "content": [{"type": "input_text", "text": "tide?"}, {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}]},
            thought, call, {"type": "function_call_output", "call_id": "c", "output": "05:12"}, message,
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        ],
        "tools": [{"type": "function", "name": "tide_table", "parameters": {"type": "object"}, "strict": true}, {"type": "web_search"}],
        "tool_choice": {"type": "function", "name": "tide_table"}, "include": ["reasoning.encrypted_content"],
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}, "reasoning": {"effort": "low"},
    });
    run("responses_parse", &[request.to_string().into_bytes()]);
    let usage = serde_json::json!({"input_tokens": 3, "output_tokens": 2, "total_tokens": 5});
    let whole = serde_json::json!({"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
        "output": [thought, call, message], "usage": usage});
    let events = [
        serde_json::json!({"type": "response.created", "response": {"id": "resp_1", "model": "m", "created_at": 1}}),
        serde_json::json!({"type": "response.output_item.added", "output_index": 0, "item": thought}),
        serde_json::json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "tide"}),
        serde_json::json!({"type": "response.output_item.done", "output_index": 0, "item": thought}),
        serde_json::json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "call_id": "c", "name": "tide_table", "arguments": ""}}),
        serde_json::json!({"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{}"}),
        serde_json::json!({"type": "response.output_text.delta", "output_index": 2, "content_index": 0, "delta": "05:12", "logprobs": []}),
        serde_json::json!({"type": "response.completed", "response": whole}),
    ];
    let stream: String = events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default()))
        .collect();
    run("responses_stream", &[stream.into_bytes(), whole.to_string().into_bytes()]);
}

#[test]
fn tensorzero() {
    let seed = serde_json::json!({
        "model_name": "openai::m", "episode_id": null, "stream": false, "tags": {"a": "b"},
        "input": {"system": "be brief", "messages": [
            {"role": "user", "content": [{"type": "text", "text": "tide?"}, {"type": "file", "url": "https://example.com/a.png"}]},
            {"role": "assistant", "content": [{"type": "tool_call", "id": "c", "name": "tide_table", "arguments": {"harbour": "Brest"}}]},
            {"role": "user", "content": [{"type": "tool_result", "id": "c", "name": "tide_table", "result": "05:12"}]},
        ]},
        "params": {"chat_completion": {"temperature": 0.5, "max_tokens": 9, "stop_sequences": ["END"]}},
        "additional_tools": [{"name": "tide_table", "description": "d", "parameters": {"type": "object"}, "strict": true}],
        "tool_choice": {"specific": "tide_table"}, "parallel_tool_calls": true, "output_schema": {"type": "object"},
    });
    run("tensorzero_parse", &[seed.to_string().into_bytes()]);
}
