//! An upstream that speaks Gemini's `generateContent`.

use serde_json::{Value, json};

use super::{fails, limit, list, stops, streams, text};
use crate::{
    matrix::talk::{Failure, Reply, pieces},
    mock::{Seen, Step, json as whole},
};

pub(super) fn understands(body: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(
        list(&body["systemInstruction"]["parts"]).iter().map(|part| format!("system: {}", text(&part["text"]))),
    );
    let mut calls = Vec::new();
    for content in list(&body["contents"]) {
        let role = if content["role"] == "model" { "assistant" } else { "user" };
        let parts = list(&content["parts"]);
        // A thought comes back as the seal of what it led to.
        // Other seals ask not to be checked.
        let sealed = |part: &Value| part["thought"] == true || part["thoughtSignature"] == "c2VhbA==";
        if role == "assistant" && parts.iter().any(sealed) {
            lines.push("thought back".to_owned());
        }
        for part in parts {
            if let Some(said) = part["text"].as_str() {
                if part["thought"] != true && !said.is_empty() {
                    lines.push(format!("{role}: {said}"));
                }
            } else if let Some(data) = part.get("inlineData") {
                lines.push(format!("image: {} {}", text(&data["mimeType"]), text(&data["data"])));
            } else if let Some(call) = part.get("functionCall") {
                calls.push(text(&call["name"]).to_owned());
                lines.push(format!("call: {} {}", text(&call["name"]), call["args"]));
            } else if let Some(result) = part.get("functionResponse") {
                let name = text(&result["name"]);
                assert!(calls.iter().any(|call| call == name), "a result of no call: {name}");
                let said = result["response"].as_object().unwrap().values().next().unwrap();
                lines.push(format!("result: {}", text(said)));
            } else {
                panic!("an unknown part: {part}");
            }
        }
    }
    let tools = list(&body["tools"]).iter().flat_map(|tool| list(&tool["functionDeclarations"]));
    lines.extend(tools.map(|tool| format!("tool: {}", text(&tool["name"]))));
    let config = &body["generationConfig"];
    lines.extend(stops(&config["stopSequences"]));
    lines.extend(limit(&config["maxOutputTokens"]));
    if !config["thinkingConfig"].is_null() {
        lines.push("thinks".to_owned());
    }
    lines
}

pub(super) fn answers(seen: &Seen, reply: &Reply) -> Vec<Step> {
    let say = |said: &str| json!({"text": said});
    let error = |code: u16, status: &str, message: &str, details: Value| {
        let more = if code == 429 { "retry-after: 7\r\n" } else { "" };
        fails(code, more, &json!({"error": {"code": code, "message": message, "status": status, "details": details}}))
    };
    let (parts, cut, reason) = match reply {
        Reply::Text(said) | Reply::Stopped(said) => (vec![say(said)], pieces(said), "STOP"),
        Reply::Cut(said) => (vec![say(said)], pieces(said), "MAX_TOKENS"),
        Reply::Thought(thought, said) => {
            let thought = json!({"text": thought, "thought": true});
            let sealed = json!({"text": said, "thoughtSignature": "c2VhbA=="});
            (vec![thought, sealed], Vec::new(), "STOP")
        }
        Reply::Calls(made) => {
            let call = |(name, arguments): &(&str, &str)| {
                let args: Value = serde_json::from_str(arguments).unwrap();
                json!({"functionCall": {"name": name, "args": args}})
            };
            (made.iter().map(call).collect(), Vec::new(), "STOP")
        }
        Reply::Fail(Failure::Limited) => {
            let info = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]);
            return error(429, "RESOURCE_EXHAUSTED", "slow down", info);
        }
        Reply::Fail(Failure::Long) => {
            let message = "The input token count (11) exceeds the maximum number of tokens allowed (10).";
            return error(400, "INVALID_ARGUMENT", message, json!([]));
        }
        Reply::Fail(Failure::Down) => return error(503, "UNAVAILABLE", "The model is overloaded.", json!([])),
    };
    let answer = |parts: Vec<Value>, reason: Option<&str>| {
        let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
        if let Some(reason) = reason {
            candidate["finishReason"] = reason.into();
        }
        json!({"candidates": [candidate], "modelVersion": "up-1", "responseId": "r1", "usageMetadata":
            {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}})
    };
    if !seen.head.contains(":streamGenerateContent?alt=sse") {
        return vec![whole(200, answer(parts, Some(reason)).to_string())];
    }
    let mut steps: Vec<Value> = if cut.is_empty() { parts } else { cut.iter().map(|piece| say(piece)).collect() };
    let last = steps.pop().unwrap();
    let mut events: String =
        steps.into_iter().map(|part| format!("data: {}\r\n\r\n", answer(vec![part], None))).collect();
    events.push_str(&format!("data: {}\r\n\r\n", answer(vec![last], Some(reason))));
    streams(&events)
}
