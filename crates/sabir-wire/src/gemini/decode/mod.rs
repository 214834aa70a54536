//! Answers, read from Gemini's wire.
//!
//! Invariant: a call has an id even if the provider gave it none, and the same answer in the same
//! place always gets the same ids; an answer that says neither anything nor why is an error.

mod partial;
mod stream;

use sabir_types::{Block, ChatRequest, ChatResponse, Choice, Error, FinishReason, Map, Result, Value};

pub use self::stream::ChatStream;
use super::{error, finish, ids, part, short, usage};

/// How many calls a conversation holds, for [`chat_after`] and [`ChatStream::after`].
pub fn calls_in(request: &ChatRequest) -> usize {
    let blocks = request.messages.iter().flat_map(|message| &message.content);
    blocks.filter(|block| matches!(block, Block::ToolCall(_))).count()
}

/// Reads a whole answer.
pub fn chat(body: &[u8]) -> Result<ChatResponse> {
    chat_after(body, 0)
}

/// The same, of an answer whose conversation held so many calls already.
pub fn chat_after(body: &[u8], before: usize) -> Result<ChatResponse> {
    let mut body: Map<String, Value> = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(map)) if !map.contains_key("error") => map,
        Ok(_) => return Err(error::decode(200, body)),
        Err(e) => return Err(Error::bad_upstream(format!("answer is not JSON: {e}"))),
    };
    let id = body.shift_remove("responseId").and_then(part::text);
    let mut answer = ChatResponse { id, ..ChatResponse::default() };
    if let Some(model) = body.shift_remove("modelVersion").and_then(part::text) {
        answer.model = short(&model).to_owned();
    }
    if let Some(raw) = body.shift_remove("usageMetadata") {
        answer.service_tier = usage::service_tier(&raw);
        answer.usage = usage::read(raw);
    }
    if let Some(Value::Array(candidates)) = body.shift_remove("candidates") {
        for (at, candidate) in candidates.into_iter().enumerate() {
            answer.choices.push(choice(part::object(Some(candidate)), at, answer.id.as_deref(), before));
        }
    }
    if answer.choices.is_empty() {
        let Some(reason) = block_reason(&body) else {
            return Err(Error::bad_upstream("answer has neither candidates nor a reason why"));
        };
        answer.choices.push(Choice {
            finish_reason: Some(FinishReason::ContentFilter),
            raw_finish_reason: Some(reason),
            ..Choice::default()
        });
    }
    answer.rest = body;
    Ok(answer)
}

fn choice(mut candidate: Map<String, Value>, at: usize, response: Option<&str>, before: usize) -> Choice {
    let mut choice = Choice { index: index(&candidate, at), ..Choice::default() };
    candidate.shift_remove("index");
    let mut calls = 0;
    for value in parts(&mut candidate) {
        let mut block = read(value);
        match &mut block {
            // An empty text that carries no signature says nothing.
            Block::Text(text) if text.text.is_empty() && text.signature.is_none() => continue,
            Block::ToolCall(call) => {
                if call.id.is_empty() {
                    call.id = ids::of_answer(response, before, choice.index, calls);
                }
                calls += 1;
            }
            _ => {}
        }
        choice.content.push(block);
    }
    let cited = citations(&mut candidate);
    if !cited.is_empty() {
        match choice
            .content
            .iter_mut()
            .rev()
            .find_map(|block| if let Block::Text(text) = block { Some(text) } else { None })
        {
            Some(text) => text.citations.extend(cited),
            None => choice.content.push(Block::Text(sabir_types::Text { citations: cited, ..Default::default() })),
        }
    }
    if let Some(reason) = candidate.shift_remove("finishReason").and_then(part::text) {
        choice.finish_reason = Some(finish::read(&reason, calls > 0));
        choice.raw_finish_reason = Some(reason);
    }
    choice.logprobs = candidate.shift_remove("logprobsResult").and_then(|result| logprobs(&result));
    choice.rest = candidate;
    choice
}

/// One part of an answer. A result in an answer is the provider's own tool's, and stays whole.
fn read(value: Value) -> Block {
    if value.get("functionResponse").is_some() { part::unknown(value) } else { part::read(value) }
}

fn index(candidate: &Map<String, Value>, at: usize) -> u32 {
    let given = candidate.get("index").and_then(Value::as_u64);
    u32::try_from(given.unwrap_or(at as u64)).unwrap_or_default()
}

/// The parts of a candidate; there may be none, or no content at all.
fn parts(candidate: &mut Map<String, Value>) -> Vec<Value> {
    match part::object(candidate.shift_remove("content")).shift_remove("parts") {
        Some(Value::Array(parts)) => parts,
        _ => Vec::new(),
    }
}

/// Where the answer's words come from, under the names that the provider has for it.
fn citations(candidate: &mut Map<String, Value>) -> Vec<Value> {
    ["citationMetadata", "groundingMetadata"]
        .into_iter()
        .filter_map(|name| {
            let data = candidate.shift_remove(name)?;
            let says = data.as_object().is_some_and(|map| !map.is_empty());
            says.then(|| Value::Object(Map::from_iter([(name.to_owned(), data)])))
        })
        .collect()
}

fn block_reason(body: &Map<String, Value>) -> Option<String> {
    body.get("promptFeedback")?.get("blockReason")?.as_str().map(str::to_owned)
}

/// Log probabilities in OpenAI's form.
fn logprobs(result: &Value) -> Option<Value> {
    let entry = |candidate: &Value| {
        let token = candidate.get("token").and_then(Value::as_str).unwrap_or_default();
        let mut out = Map::new();
        out.insert("token".into(), Value::from(token));
        out.insert("logprob".into(), candidate.get("logProbability").cloned().unwrap_or(Value::Null));
        out.insert("bytes".into(), Value::from(token.as_bytes()));
        out
    };
    let chosen = result.get("chosenCandidates")?.as_array()?;
    let top = result.get("topCandidates").and_then(Value::as_array);
    let content = chosen.iter().enumerate().map(|(at, candidate)| {
        let others = top.and_then(|top| top.get(at)?.get("candidates")?.as_array());
        let others: Vec<_> = others.into_iter().flatten().map(|other| Value::Object(entry(other))).collect();
        let mut out = entry(candidate);
        out.insert("top_logprobs".into(), Value::from(others));
        Value::Object(out)
    });
    Some(Value::Object(Map::from_iter([("content".to_owned(), content.collect())])))
}

#[cfg(test)]
mod tests;
