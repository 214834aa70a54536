//! An upstream that speaks OpenAI's chat completions, or something near it.

use serde_json::{Value, json};

use super::{fails, limit, list, stops, streams, text};
use crate::{
    matrix::talk::{Failure, Reply, pieces},
    mock::{Step, json as whole},
};

/// Members by which the family asks for thinking.
const THINKS: [&str; 6] =
    ["reasoning_effort", "thinking", "reasoning", "enable_thinking", "chat_template_kwargs", "thinking_budget"];

pub(super) fn understands(body: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let mut calls = Vec::new();
    for message in list(&body["messages"]) {
        let role = match text(&message["role"]) {
            "developer" => "system",
            role => role,
        };
        // Some want the member even where there was no thought.
        let holds = |name: &&str| !message[*name].is_null() && message[*name] != "" && message[*name] != " ";
        let thought = ["reasoning_content", "reasoning", "reasoning_details"].iter().any(holds);
        let parts = list(&message["content"]);
        if thought || parts.iter().any(|part| part["type"] == "thinking") {
            lines.push("thought back".to_owned());
        }
        if let Some(said) = message["content"].as_str().filter(|said| !said.is_empty()) {
            match role {
                "tool" => lines.push(format!("result: {said}")),
                // Thoughts that stand inline.
                "assistant" if said.starts_with("<think>") => {
                    lines.push("thought back".to_owned());
                    let rest = said.split_once("</think>").unwrap().1.trim();
                    lines.push(format!("assistant: {rest}"));
                }
                _ => lines.push(format!("{role}: {said}")),
            }
        }
        for part in parts {
            match text(&part["type"]) {
                "text" if role == "tool" => lines.push(format!("result: {}", text(&part["text"]))),
                "text" => lines.push(format!("{role}: {}", text(&part["text"]))),
                "image_url" => {
                    let url = part["image_url"]["url"].as_str().or(part["image_url"].as_str()).unwrap();
                    let (kind, data) = url.strip_prefix("data:").unwrap().split_once(";base64,").unwrap();
                    lines.push(format!("image: {kind} {data}"));
                }
                "thinking" => {}
                other => panic!("an unknown part: {other}"),
            }
        }
        for call in list(&message["tool_calls"]) {
            calls.push(text(&call["id"]).to_owned());
            let arguments: Value = serde_json::from_str(text(&call["function"]["arguments"])).unwrap();
            lines.push(format!("call: {} {arguments}", text(&call["function"]["name"])));
        }
        if role == "tool" {
            let id = text(&message["tool_call_id"]);
            assert!(calls.iter().any(|call| call == id), "a result of no call: {id}");
        }
    }
    lines.extend(list(&body["tools"]).iter().map(|tool| format!("tool: {}", text(&tool["function"]["name"]))));
    lines.extend(stops(&body["stop"]));
    lines.extend(limit(&body["max_tokens"]).or_else(|| limit(&body["max_completion_tokens"])));
    if THINKS.iter().any(|name| !body[*name].is_null()) {
        lines.push("thinks".to_owned());
    }
    lines
}

pub(super) fn answers(body: &Value, reply: &Reply) -> Vec<Step> {
    let mut message = json!({"role": "assistant", "content": null});
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    let mut say = |name: &str, said: &str, message: &mut Value| {
        message[name] = said.into();
        deltas.extend(pieces(said).into_iter().map(|piece| json!({name: piece})));
    };
    let mut calls = Vec::new();
    let reason = match reply {
        Reply::Text(said) | Reply::Stopped(said) => {
            say("content", said, &mut message);
            "stop"
        }
        Reply::Cut(said) => {
            say("content", said, &mut message);
            "length"
        }
        Reply::Thought(thought, said) => {
            say("reasoning_content", thought, &mut message);
            say("content", said, &mut message);
            "stop"
        }
        Reply::Calls(made) => {
            for (index, (name, arguments)) in made.iter().enumerate() {
                let id = format!("call_{index}");
                let function = json!({"name": name, "arguments": ""});
                let begin = json!({"index": index, "id": id, "type": "function", "function": function});
                deltas.push(json!({"tool_calls": [begin]}));
                deltas.extend(
                    pieces(arguments)
                        .into_iter()
                        .map(|piece| json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})),
                );
                let function = json!({"name": name, "arguments": arguments});
                calls.push(json!({"id": id, "type": "function", "function": function}));
            }
            message["tool_calls"] = calls.into();
            "tool_calls"
        }
        Reply::Fail(Failure::Limited) => {
            let error =
                json!({"message": "slow down", "type": "requests", "param": null, "code": "rate_limit_exceeded"});
            return fails(429, "retry-after: 7\r\n", &json!({"error": error}));
        }
        Reply::Fail(Failure::Long) => {
            let message = "This model's maximum context length is 10 tokens.";
            let error = json!({"message": message, "type": "invalid_request_error", "param": "messages",
                "code": "context_length_exceeded"});
            return fails(400, "", &json!({"error": error}));
        }
        Reply::Fail(Failure::Down) => {
            let error = json!({"message": "busy", "type": "server_error", "param": null, "code": null});
            return fails(503, "", &json!({"error": error}));
        }
    };
    let usage = json!({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10});
    let frame = |object: &str, choices: Value| json!({"id": "chatcmpl-1", "object": object, "created": 1_700_000_000, "model": "up-1", "choices": choices});
    if body["stream"] != true {
        let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": reason});
        let mut answer = frame("chat.completion", json!([choice]));
        answer["usage"] = usage;
        return vec![whole(200, answer.to_string())];
    }
    let mut events = String::new();
    let mut event = |value: &Value| events.push_str(&format!("data: {value}\n\n"));
    for delta in deltas {
        event(&frame("chat.completion.chunk", json!([{"index": 0, "delta": delta, "finish_reason": null}])));
    }
    event(&frame("chat.completion.chunk", json!([{"index": 0, "delta": {}, "finish_reason": reason}])));
    let mut last = frame("chat.completion.chunk", json!([]));
    last["usage"] = usage;
    event(&last);
    events.push_str("data: [DONE]\n\n");
    streams(&events)
}
