//! Whole answers.
//!
//! Invariant: see [`super`].

use std::borrow::Cow;

use sabir_types::{Block, ChatResponse, Choice, Error, FinishReason, Map, Result, Value};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{JSON_TOOL, block, error, usage};

/// Reads an answer with a success status.
pub fn chat(body: &[u8]) -> Result<ChatResponse> {
    let message: Message<'_> = serde_json::from_slice(body)
        .map_err(|e| Error::bad_upstream(format!("answer is not a message: {e}")).with_source(e))?;
    if message.kind.as_deref() == Some("error") {
        return Err(error::decode(200, body));
    }
    let content =
        message.content.ok_or_else(|| Error::bad_upstream("answer is not a message: `content` is missing"))?;
    let mut content = block::content(content)
        .map_err(|fault| fault.under("content"))
        .map_err(|fault| Error::bad_upstream(format!("answer cannot be read: `{}`: {}", fault.path, fault.message)))?;
    let mut details = Map::new();
    if let Some(stop) = message.stop_details {
        content.extend(explanation(&stop).map(|text| Block::Refusal { text }));
        details.insert("stop_details".to_owned(), stop);
    }
    let figures = message.usage.unwrap_or_default();
    Ok(ChatResponse {
        id: message.id,
        model: message.model.unwrap_or_default(),
        choices: vec![Choice {
            content,
            finish_reason: message.stop_reason.as_deref().map(finish_reason),
            raw_finish_reason: message.stop_reason,
            stop_sequence: message.stop_sequence,
            rest: details,
            ..Choice::default()
        }],
        service_tier: usage::service_tier(&figures),
        usage: usage::read(figures),
        rest: message.rest,
        ..ChatResponse::default()
    })
}

/// Turns the call of [`JSON_TOOL`] back into the text that it stands for.
pub fn unwrap_json(answer: &mut ChatResponse) {
    for choice in &mut answer.choices {
        let mut others = false;
        for block in &mut choice.content {
            match block {
                Block::ToolCall(call) if call.name == JSON_TOOL => {
                    *block = Block::text(std::mem::take(&mut call.arguments));
                }
                Block::ToolCall(_) => others = true,
                _ => {}
            }
        }
        if !others && choice.finish_reason == Some(FinishReason::ToolCalls) {
            choice.finish_reason = Some(FinishReason::Stop);
        }
    }
}

/// Why the model stopped.
pub fn finish_reason(word: &str) -> FinishReason {
    match word {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

/// What the provider says about a refusal.
pub(super) fn explanation(details: &Value) -> Option<String> {
    let text = details.get("explanation")?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    id: Option<String>,
    model: Option<String>,
    #[serde(rename = "role", borrow)]
    _role: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    stop_details: Option<Value>,
    usage: Option<Map<String, Value>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}
