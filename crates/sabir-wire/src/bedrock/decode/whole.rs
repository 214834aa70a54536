//! An answer that came whole.

use sabir_types::{
    Block, ChatResponse, Choice, Error, FinishReason, Map, Media, Protocol, Result, Source, Text, Thinking, ToolCall,
    Unknown, Value,
};

use super::{finish_reason, usage};
use crate::anthropic::JSON_TOOL;

/// Reads an answer of `model`, which the answer does not name. `unwrap` says that a call of the
/// tool that stands for an answer in JSON is that answer.
pub fn chat(body: &[u8], model: &str, unwrap: bool) -> Result<ChatResponse> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|e| Error::bad_upstream(format!("the provider's answer is not JSON: {e}")))?;
    let Value::Object(mut all) = value else {
        return Err(Error::bad_upstream("the provider's answer is not a JSON object"));
    };
    let mut output = all.remove("output").unwrap_or_default();
    let Some(Value::Array(blocks)) = output.pointer_mut("/message/content").map(Value::take) else {
        return Err(Error::bad_upstream("the provider's answer has no message"));
    };
    let mut content = Vec::with_capacity(blocks.len());
    for one in blocks {
        content.push(block(one, unwrap)?);
    }
    let raw = all.remove("stopReason").and_then(|word| word.as_str().map(str::to_owned));
    let calls = content.iter().any(|block| matches!(block, Block::ToolCall(_)));
    let reason = raw.as_deref().map(finish_reason).map(|reason| match reason {
        FinishReason::ToolCalls if !calls => FinishReason::Stop,
        FinishReason::Stop if calls => FinishReason::ToolCalls,
        reason => reason,
    });
    let tier = all.get("serviceTier").and_then(|tier| tier.get("type")).and_then(Value::as_str).map(str::to_owned);
    let usage = all.remove("usage").filter(Value::is_object).map(|raw| usage(&raw)).unwrap_or_default();
    all.retain(|_, value| !value.is_null());
    Ok(ChatResponse {
        model: model.to_owned(),
        choices: vec![Choice { content, finish_reason: reason, raw_finish_reason: raw, ..Choice::default() }],
        usage,
        service_tier: tier,
        rest: all,
        ..ChatResponse::default()
    })
}

fn block(value: Value, unwrap: bool) -> Result<Block> {
    if let Some(text) = value.get("text").and_then(Value::as_str) {
        return Ok(Block::text(text));
    }
    if let Some(call) = value.get("toolUse") {
        let text = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (id, name) = (text("toolUseId"), text("name"));
        if name.is_empty() {
            return Err(Error::bad_upstream("a tool call of the provider's answer has no name"));
        }
        let arguments = match call.get("input") {
            None | Some(Value::Null) => String::new(),
            Some(input) => input.to_string(),
        };
        return Ok(if unwrap && name == JSON_TOOL {
            Block::text(arguments)
        } else {
            Block::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() })
        });
    }
    if let Some(thought) = value.get("reasoningContent") {
        let text = |path: &str| thought.pointer(path).and_then(Value::as_str).map(str::to_owned);
        return Ok(Block::Thinking(Thinking {
            text: text("/reasoningText/text"),
            signature: text("/reasoningText/signature"),
            opaque: text("/redactedContent"),
            provider: Some(super::super::SIGNERS[0].to_owned()),
            ..Thinking::default()
        }));
    }
    if let Some(cited) = value.get("citationsContent") {
        let texts = cited.get("content").and_then(Value::as_array).into_iter().flatten();
        let text = texts.filter_map(|part| part.get("text")?.as_str()).collect();
        let citations = cited.get("citations").and_then(Value::as_array).cloned().unwrap_or_default();
        return Ok(Block::Text(Text { text, citations, ..Text::default() }));
    }
    if let Some(image) = value.get("image")
        && let Some(bytes) = image.pointer("/source/bytes").and_then(Value::as_str)
    {
        let mime = image.get("format").and_then(Value::as_str).map(|format| format!("image/{format}"));
        return Ok(Block::Image(Media::new(Source::Base64(bytes.to_owned()), mime)));
    }
    Ok(Block::Unknown(Unknown { protocol: Some(Protocol::Bedrock), model: None, provider: None, data: value }))
}

/// The members of an object.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
