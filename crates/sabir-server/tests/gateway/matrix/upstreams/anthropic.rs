//! An upstream that speaks Anthropic's messages.

use serde_json::{Value, json};

use super::{fails, limit, list, stops, streams, text};
use crate::{
    matrix::talk::{Failure, MARK, Reply, pieces},
    mock::{Step, json as whole},
};

pub(super) fn understands(body: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(body["system"].as_str().map(|said| format!("system: {said}")));
    lines.extend(list(&body["system"]).iter().map(|block| format!("system: {}", text(&block["text"]))));
    let mut calls = Vec::new();
    for message in list(&body["messages"]) {
        let role = text(&message["role"]);
        lines.extend(message["content"].as_str().map(|said| format!("{role}: {said}")));
        for block in list(&message["content"]) {
            match text(&block["type"]) {
                "text" => lines.push(format!("{role}: {}", text(&block["text"]))),
                "image" => {
                    let source = &block["source"];
                    assert_eq!(source["type"], "base64");
                    lines.push(format!("image: {} {}", text(&source["media_type"]), text(&source["data"])));
                }
                "thinking" => {
                    assert_eq!(block["signature"], "c2VhbA==", "only sealed thoughts may come back");
                    lines.push("thought back".to_owned());
                }
                "tool_use" => {
                    calls.push(text(&block["id"]).to_owned());
                    lines.push(format!("call: {} {}", text(&block["name"]), block["input"]));
                }
                "tool_result" => {
                    let id = text(&block["tool_use_id"]);
                    assert!(calls.iter().any(|call| call == id), "a result of no call: {id}");
                    lines.extend(block["content"].as_str().map(|said| format!("result: {said}")));
                    lines.extend(list(&block["content"]).iter().map(|part| format!("result: {}", text(&part["text"]))));
                }
                other => panic!("an unknown block: {other}"),
            }
        }
    }
    assert!(body["max_tokens"].is_u64(), "it has to say how much: {body}");
    let tools = list(&body["tools"]).iter().filter(|tool| tool["input_schema"]["properties"][MARK].is_null());
    lines.extend(tools.map(|tool| format!("tool: {}", text(&tool["name"]))));
    lines.extend(stops(&body["stop_sequences"]));
    lines.extend(limit(&body["max_tokens"]));
    if !body["thinking"].is_null() || !body["output_config"]["effort"].is_null() {
        lines.push("thinks".to_owned());
    }
    lines
}

pub(super) fn answers(body: &Value, reply: &Reply) -> Vec<Step> {
    let say = |said: &str| json!({"type": "text", "text": said});
    let error = |status: u16, more: &str, kind: &str, message: &str| {
        let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
        fails(status, more, &body)
    };
    // An answer by schema may be asked for as the input of a tool.
    let forced = list(&body["tools"]).iter().find(|tool| !tool["input_schema"]["properties"][MARK].is_null());
    let (content, reason) = match (reply, forced) {
        (Reply::Text(said), Some(tool)) => {
            let input: Value = serde_json::from_str(said).unwrap();
            (vec![json!({"type": "tool_use", "id": "toolu_1", "name": tool["name"], "input": input})], "tool_use")
        }
        (Reply::Text(said), None) => (vec![say(said)], "end_turn"),
        (Reply::Stopped(said), _) => (vec![say(said)], "stop_sequence"),
        (Reply::Cut(said), _) => (vec![say(said)], "max_tokens"),
        (Reply::Thought(thought, said), _) => {
            let thought = json!({"type": "thinking", "thinking": thought, "signature": "c2VhbA=="});
            (vec![thought, say(said)], "end_turn")
        }
        (Reply::Calls(made), _) => {
            let call = |(index, (name, arguments)): (usize, &(&str, &str))| {
                let input: Value = serde_json::from_str(arguments).unwrap();
                json!({"type": "tool_use", "id": format!("toolu_{index}"), "name": name, "input": input})
            };
            (made.iter().enumerate().map(call).collect(), "tool_use")
        }
        (Reply::Fail(Failure::Limited), _) => return error(429, "retry-after: 7\r\n", "rate_limit_error", "slow down"),
        (Reply::Fail(Failure::Long), _) => {
            return error(400, "", "invalid_request_error", "prompt is too long: 11 tokens > 10 maximum");
        }
        (Reply::Fail(Failure::Down), _) => return error(529, "", "overloaded_error", "Overloaded"),
    };
    let message = |content: &[Value], reason: Option<&str>| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "up-1", "content": content,
            "stop_reason": reason, "stop_sequence": null, "usage": {"input_tokens": 7, "output_tokens": 3}})
    };
    if body["stream"] != true {
        return vec![whole(200, message(&content, Some(reason)).to_string())];
    }
    let mut events = String::new();
    let mut event = |kind: &str, mut value: Value| {
        value["type"] = kind.into();
        events.push_str(&format!("event: {kind}\ndata: {value}\n\n"));
    };
    event("message_start", json!({"message": message(&[], None)}));
    for (index, block) in content.iter().enumerate() {
        let (empty, deltas): (Value, Vec<Value>) = match text(&block["type"]) {
            "text" => {
                let deltas = pieces(text(&block["text"])).into_iter();
                let deltas = deltas.map(|piece| json!({"type": "text_delta", "text": piece})).collect();
                (json!({"type": "text", "text": ""}), deltas)
            }
            "thinking" => {
                let deltas = pieces(text(&block["thinking"])).into_iter();
                let mut deltas: Vec<_> =
                    deltas.map(|piece| json!({"type": "thinking_delta", "thinking": piece})).collect();
                deltas.push(json!({"type": "signature_delta", "signature": block["signature"]}));
                (json!({"type": "thinking", "thinking": "", "signature": ""}), deltas)
            }
            _ => {
                let deltas = pieces(&block["input"].to_string()).into_iter();
                let deltas = deltas.map(|piece| json!({"type": "input_json_delta", "partial_json": piece})).collect();
                (json!({"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}}), deltas)
            }
        };
        event("content_block_start", json!({"index": index, "content_block": empty}));
        deltas.into_iter().for_each(|delta| event("content_block_delta", json!({"index": index, "delta": delta})));
        event("content_block_stop", json!({"index": index}));
    }
    let delta = json!({"stop_reason": reason, "stop_sequence": null});
    event("message_delta", json!({"delta": delta, "usage": {"output_tokens": 3}}));
    event("message_stop", json!({}));
    streams(&events)
}
