//! A chat answer that came whole.

use sabir_types::{
    Block, CallKind, ChatResponse, Choice, Error, ErrorKind, FinishReason, Map, Media, Result, Source, Text, Thinking,
    ToolCall, Value,
};

use super::{
    Reading, finish_reason,
    inline::{Inline, Piece},
    is_failure, usage,
};
use crate::openai::error;

/// Reads a chat answer with a success status.
pub fn chat(body: &[u8]) -> Result<ChatResponse> {
    read(body, &Reading::USUAL)
}

pub(super) fn read(body: &[u8], reading: &Reading) -> Result<ChatResponse> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|e| Error::bad_upstream(format!("the provider's answer is not JSON: {e}")))?;
    if let Some(error) = error::embedded_with(&value, reading.codes) {
        return Err(error);
    }
    let Value::Object(mut all) = value else {
        return Err(Error::bad_upstream("the provider's answer is not a JSON object"));
    };
    let Some(Value::Array(choices)) = all.remove("choices") else {
        return Err(Error::bad_upstream("the provider's answer has no `choices`"));
    };
    if choices.is_empty() {
        return Err(Error::bad_upstream("the provider's answer has an empty `choices`"));
    }
    let mut answer = ChatResponse {
        id: take_text(&mut all, "id"),
        model: take_text(&mut all, "model").unwrap_or_default(),
        created: all.remove("created").and_then(|value| value.as_i64()),
        service_tier: take_text(&mut all, "service_tier"),
        system_fingerprint: take_text(&mut all, "system_fingerprint"),
        ..ChatResponse::default()
    };
    let sources = sources(&all);
    for (at, choice) in choices.into_iter().enumerate() {
        let mut choice = self::choice(choice, at, reading)?;
        if is_withheld(&all) {
            choice.finish_reason = Some(FinishReason::ContentFilter);
        }
        if let Some(Block::Text(text)) = choice.content.iter_mut().rev().find(|block| matches!(block, Block::Text(_)))
            && text.citations.is_empty()
        {
            text.citations.clone_from(&sources);
        }
        answer.choices.push(choice);
    }
    if let Some(raw) = all.remove("usage").filter(Value::is_object) {
        answer.usage = usage(&raw);
    }
    all.remove("object");
    all.retain(|_, value| !value.is_null());
    answer.rest = all;
    Ok(answer)
}

fn choice(choice: Value, at: usize, reading: &Reading) -> Result<Choice> {
    let Value::Object(mut choice) = choice else {
        return Err(Error::bad_upstream(format!("choices[{at}] of the provider's answer is not an object")));
    };
    let mut message = match choice.remove("message") {
        Some(Value::Object(message)) => message,
        // Azure's filter takes the message away and leaves the word.
        None if choice.get("finish_reason").is_some_and(|word| word == "content_filter") => Map::new(),
        _ => return Err(Error::bad_upstream(format!("choices[{at}] of the provider's answer has no `message`"))),
    };
    if let Some(verdict) = choice.remove("content_filter_results") {
        message.insert("content_filter_results".into(), verdict);
    }
    let mut content = Vec::new();
    thinking(&mut message, &mut content);
    text(&mut message, &mut content, reading);
    if let Some(text) = take_text(&mut message, "refusal").filter(|text| !text.is_empty()) {
        content.push(Block::Refusal { text });
    }
    if let Some(Value::Object(audio)) = message.remove("audio") {
        content.push(sound(audio));
    }
    let before = content.len();
    if let Some(Value::Array(calls)) = message.remove("tool_calls") {
        for (index, call) in calls.into_iter().enumerate() {
            content.push(Block::ToolCall(tool_call(&call, index)?));
        }
    }
    if let Some(call) = message.remove("function_call").filter(Value::is_object) {
        content.push(Block::ToolCall(tool_call(&serde_json::json!({"function": call}), 0)?));
    }
    let called = content.len() > before;
    message.remove("role");
    message.retain(|_, value| !value.is_null());
    let raw = take_text(&mut choice, "finish_reason");
    if let Some(word) = raw.as_deref().filter(|word| is_failure(word)) {
        return Err(Error::new(ErrorKind::Upstream, format!("the model broke off: finish reason `{word}`")));
    }
    let reason = raw.as_deref().map(finish_reason);
    Ok(Choice {
        index: choice.get("index").and_then(Value::as_u64).map_or(at as u32, |index| index as u32),
        content,
        // A forced call ends with `stop`: the call is what counts.
        finish_reason: match reason {
            Some(FinishReason::Stop) | None if called => Some(FinishReason::ToolCalls),
            reason => reason,
        },
        raw_finish_reason: raw,
        stop_sequence: stop_text(&choice),
        logprobs: choice.remove("logprobs").filter(|value| !value.is_null()),
        rest: message,
    })
}

/// Whether the provider says beside the choices that it kept something back (MiniMax).
pub(super) fn is_withheld(all: &Map<String, Value>) -> bool {
    ["output_sensitive", "input_sensitive"].iter().any(|name| all.get(*name) == Some(&Value::Bool(true)))
}

/// What an answer rests on, where it stands beside the choices (Perplexity), in the form of OpenAI's annotations.
pub(super) fn sources(all: &Map<String, Value>) -> Vec<Value> {
    let list = |name: &str| all.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let cited = |url: &str, title: Option<&str>| {
        let mut citation = Map::new();
        citation.insert("url".into(), url.into());
        if let Some(title) = title {
            citation.insert("title".into(), title.into());
        }
        serde_json::json!({"type": "url_citation", "url_citation": citation})
    };
    let found = list("search_results")
        .iter()
        .filter_map(|result| Some(cited(result.get("url")?.as_str()?, result.get("title").and_then(Value::as_str))));
    let found: Vec<Value> = found.collect();
    if found.is_empty() {
        return list("citations").iter().filter_map(Value::as_str).map(|url| cited(url, None)).collect();
    }
    found
}

/// The stop text that the model wrote, where the server says which.
pub(super) fn stop_text(choice: &Map<String, Value>) -> Option<String> {
    ["stop_reason", "matched_stop"].iter().find_map(|name| choice.get(*name)?.as_str()).map(str::to_owned)
}

fn thinking(message: &mut Map<String, Value>, content: &mut Vec<Block>) {
    let details = message.remove("reasoning_details").filter(|value| !value.is_null());
    let first = take_text(message, "reasoning_content");
    let second = take_text(message, "reasoning");
    let text = first.or(second).filter(|text| !text.is_empty());
    if text.is_some() || details.is_some() {
        let mut rest = Map::new();
        if let Some(details) = details {
            rest.insert("reasoning_details".into(), details);
        }
        content.push(Block::Thinking(Thinking { text, rest, ..Thinking::default() }));
    }
}

/// Text, as a string or as chunks (Mistral, which puts thoughts among them).
fn text(message: &mut Map<String, Value>, content: &mut Vec<Block>, reading: &Reading) {
    let citations = match message.remove("annotations") {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    match message.remove("content") {
        Some(Value::String(text)) if !text.is_empty() => {
            let text = match reading.inline() {
                Some(inline) => without_thoughts(&text, inline, content),
                None => text,
            };
            if text.is_empty() {
                return;
            }
            content.push(Block::Text(Text { text, citations, ..Text::default() }));
        }
        Some(Value::Array(chunks)) => {
            for chunk in chunks {
                push_chunk(&chunk, content);
            }
        }
        _ => {}
    }
}

/// The text alone; thoughts that stand before it become a block.
fn without_thoughts(said: &str, mut inline: Inline, content: &mut Vec<Block>) -> String {
    let mut pieces = Vec::new();
    inline.push(said, &mut pieces);
    inline.flush(&mut pieces);
    let (mut thought, mut text) = (String::new(), String::new());
    for piece in pieces {
        match piece {
            Piece::Thought(more) => thought.push_str(&more),
            Piece::Text(more) => text.push_str(&more),
        }
    }
    if !thought.is_empty() {
        content.push(Block::Thinking(Thinking { text: Some(thought), ..Thinking::default() }));
    }
    text
}

fn push_chunk(chunk: &Value, content: &mut Vec<Block>) {
    let (thought, text) = chunk_text(chunk);
    if thought {
        content.push(Block::Thinking(Thinking { text: Some(text), ..Thinking::default() }));
    } else if !text.is_empty() {
        content.push(Block::text(text));
    } else {
        content.push(Block::Unknown(sabir_types::Unknown {
            protocol: Some(sabir_types::Protocol::OpenAi),
            model: None,
            provider: None,
            data: chunk.clone(),
        }));
    }
}

/// The text of a content chunk, and whether it is a thought.
pub(super) fn chunk_text(chunk: &Value) -> (bool, String) {
    match chunk.get("thinking") {
        Some(Value::Array(parts)) => {
            (true, parts.iter().filter_map(|part| part.get("text")?.as_str()).collect::<String>())
        }
        Some(Value::String(text)) => (true, text.clone()),
        _ => (false, chunk.get("text").and_then(Value::as_str).unwrap_or_default().to_owned()),
    }
}

fn sound(mut audio: Map<String, Value>) -> Block {
    let data = take_text(&mut audio, "data").unwrap_or_default();
    let mut media = Media::new(Source::Base64(data), None);
    media.rest = audio;
    Block::Audio(media)
}

fn tool_call(call: &Value, index: usize) -> Result<ToolCall> {
    let text = |pointer: &str| call.pointer(pointer).and_then(Value::as_str);
    // An id must be there for the result to answer: servers without one get the call's number.
    let id = text("/id").filter(|id| !id.is_empty()).map_or_else(|| format!("call_{index}"), str::to_owned);
    if let Some(name) = text("/custom/name") {
        let arguments = text("/custom/input").unwrap_or_default().to_owned();
        return Ok(ToolCall { id, name: name.to_owned(), arguments, kind: CallKind::Custom, ..ToolCall::default() });
    }
    let Some(name) = text("/function/name") else {
        return Err(Error::bad_upstream("a tool call of the provider's answer has no name"));
    };
    let arguments = match call.pointer("/function/arguments") {
        Some(Value::String(text)) => text.clone(),
        Some(object @ Value::Object(_)) => object.to_string(),
        _ => String::new(),
    };
    Ok(ToolCall { id, name: name.to_owned(), arguments, ..ToolCall::default() })
}

fn take_text(map: &mut Map<String, Value>, name: &str) -> Option<String> {
    match map.remove(name)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}
