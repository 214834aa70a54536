//! An upstream that speaks Converse of AWS Bedrock.

use sabir_wire::event_stream::{self, HeaderValue};
use serde_json::{Value, json};

use super::{fails, limit, list, stops, text};
use crate::{
    matrix::talk::{Failure, MARK, Reply, pieces},
    mock::{Seen, Step, chunk, json as whole, last_chunk, send},
};

pub(super) fn understands(body: &Value) -> Vec<String> {
    let mut lines: Vec<String> =
        list(&body["system"]).iter().map(|block| format!("system: {}", text(&block["text"]))).collect();
    let mut calls = Vec::new();
    for message in list(&body["messages"]) {
        let role = text(&message["role"]);
        for block in list(&message["content"]) {
            let (kind, inner) = block.as_object().unwrap().iter().next().unwrap();
            match kind.as_str() {
                "text" => lines.push(format!("{role}: {}", text(inner))),
                "image" => {
                    lines.push(format!("image: image/{} {}", text(&inner["format"]), text(&inner["source"]["bytes"])));
                }
                "reasoningContent" => lines.push("thought back".to_owned()),
                "toolUse" => {
                    calls.push(text(&inner["toolUseId"]).to_owned());
                    lines.push(format!("call: {} {}", text(&inner["name"]), inner["input"]));
                }
                "toolResult" => {
                    let id = text(&inner["toolUseId"]);
                    assert!(calls.iter().any(|call| call == id), "a result of no call: {id}");
                    lines.extend(list(&inner["content"]).iter().map(|part| format!("result: {}", text(&part["text"]))));
                }
                other => panic!("an unknown block: {other}"),
            }
        }
    }
    let specs = list(&body["toolConfig"]["tools"]).iter().map(|tool| &tool["toolSpec"]);
    let tools = specs.filter(|tool| tool["inputSchema"]["json"]["properties"][MARK].is_null());
    lines.extend(tools.map(|tool| format!("tool: {}", text(&tool["name"]))));
    lines.extend(stops(&body["inferenceConfig"]["stopSequences"]));
    lines.extend(limit(&body["inferenceConfig"]["maxTokens"]));
    let more = &body["additionalModelRequestFields"];
    if !more["thinking"].is_null() || !more["reasoningConfig"].is_null() || !more["output_config"]["effort"].is_null() {
        lines.push("thinks".to_owned());
    }
    lines
}

pub(super) fn answers(seen: &Seen, body: &Value, reply: &Reply) -> Vec<Step> {
    let say = |said: &str| json!({"text": said});
    let call = |id: usize, name: &Value, input: &Value| json!({"toolUse": {"toolUseId": format!("tooluse_{id}"), "name": name, "input": input}});
    let error = |status: u16, kind: &str, message: &str| {
        fails(status, &format!("x-amzn-errortype: {kind}\r\n"), &json!({"message": message}))
    };
    let specs = || list(&body["toolConfig"]["tools"]).iter().map(|tool| &tool["toolSpec"]);
    let forced = specs().find(|tool| !tool["inputSchema"]["json"]["properties"][MARK].is_null());
    let (content, reason) = match (reply, forced) {
        (Reply::Text(said), Some(tool)) => {
            (vec![call(0, &tool["name"], &serde_json::from_str(said).unwrap())], "tool_use")
        }
        (Reply::Text(said), None) => (vec![say(said)], "end_turn"),
        (Reply::Stopped(said), _) => (vec![say(said)], "stop_sequence"),
        (Reply::Cut(said), _) => (vec![say(said)], "max_tokens"),
        (Reply::Thought(thought, said), _) => {
            let thought = json!({"reasoningText": {"text": thought, "signature": "c2VhbA=="}});
            (vec![json!({"reasoningContent": thought}), say(said)], "end_turn")
        }
        (Reply::Calls(made), _) => {
            let calls = made.iter().enumerate();
            let calls = calls.map(|(at, (name, args))| call(at, &json!(name), &serde_json::from_str(args).unwrap()));
            (calls.collect(), "tool_use")
        }
        (Reply::Fail(Failure::Limited), _) => {
            let more = "x-amzn-errortype: ThrottlingException\r\nretry-after: 7\r\n";
            return fails(429, more, &json!({"message": "slow down"}));
        }
        (Reply::Fail(Failure::Long), _) => {
            return error(400, "ValidationException", "Input is too long for requested model.");
        }
        (Reply::Fail(Failure::Down), _) => return error(503, "ServiceUnavailableException", "busy"),
    };
    let usage = json!({"inputTokens": 7, "outputTokens": 3, "totalTokens": 10});
    if !seen.head.lines().next().unwrap().contains("/converse-stream") {
        let output = json!({"message": {"role": "assistant", "content": content}});
        let answer = json!({"output": output, "stopReason": reason, "usage": usage, "metrics": {"latencyMs": 1}});
        return vec![whole(200, answer.to_string())];
    }
    let mut bytes = Vec::new();
    let mut event = |name: &str, payload: Value| {
        let headers = [
            (":message-type", HeaderValue::String("event")),
            (":event-type", HeaderValue::String(name)),
            (":content-type", HeaderValue::String("application/json")),
        ];
        event_stream::encode(&mut bytes, &headers, payload.to_string().as_bytes()).unwrap();
    };
    event("messageStart", json!({"role": "assistant"}));
    for (at, block) in content.iter().enumerate() {
        let deltas: Vec<Value> = if let Some(said) = block["text"].as_str() {
            pieces(said).into_iter().map(|piece| json!({"text": piece})).collect()
        } else if let Some(thought) = block.get("reasoningContent") {
            let said = pieces(text(&thought["reasoningText"]["text"])).into_iter();
            let mut deltas: Vec<Value> = said.map(|piece| json!({"reasoningContent": {"text": piece}})).collect();
            deltas.push(json!({"reasoningContent": {"signature": "c2VhbA=="}}));
            deltas
        } else {
            let call = &block["toolUse"];
            let start = json!({"toolUse": {"toolUseId": call["toolUseId"], "name": call["name"]}});
            event("contentBlockStart", json!({"contentBlockIndex": at, "start": start}));
            let pieces = pieces(&call["input"].to_string()).into_iter();
            pieces.map(|piece| json!({"toolUse": {"input": piece}})).collect()
        };
        for delta in deltas {
            event("contentBlockDelta", json!({"contentBlockIndex": at, "delta": delta}));
        }
        event("contentBlockStop", json!({"contentBlockIndex": at}));
    }
    event("messageStop", json!({"stopReason": reason}));
    event("metadata", json!({"usage": usage, "metrics": {"latencyMs": 1}}));
    let kind = "content-type: application/vnd.amazon.eventstream";
    let mut steps = vec![send(format!("HTTP/1.1 200 OK\r\n{kind}\r\ntransfer-encoding: chunked\r\n\r\n"))];
    steps.extend(bytes.chunks(501).map(chunk));
    steps.push(last_chunk());
    steps
}
