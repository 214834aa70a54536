//! Answers, written on Gemini's wire.
//!
//! Invariant: a call goes out whole, because most clients of this wire do not know pieces of calls;
//! thoughts of other providers carry what those want back as a packed signature.

use sabir_types::{
    Block, CallKind, ChatResponse, Choice, Delta, Error, Event, Map, Media, Protocol, Source, Thinking, ToolCall,
    Usage, Value,
};
use serde_json::json;

pub use super::error::render as error;
use super::{finish, ids, part, seal, usage};
use crate::sse;

/// Writes a whole answer.
pub fn chat(answer: &ChatResponse) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("candidates".into(), answer.choices.iter().map(candidate).collect());
    if answer.usage != Usage::default() {
        body.insert("usageMetadata".into(), usage::write(&answer.usage, answer.service_tier.as_deref()));
    }
    head(&mut body, answer.id.as_deref(), &answer.model);
    Value::Object(body).to_string().into_bytes()
}

/// Writes a streamed answer, event by event, as `alt=sse` has it.
#[derive(Debug, Default)]
pub struct EventWriter {
    id: Option<String>,
    model: String,
    usage: Usage,
    tier: Option<String>,
    /// The call whose arguments are coming, and where it belongs.
    call: Option<(u32, u32, ToolCall)>,
    /// The block of words that came last, and whether it is a thought: a signature may follow.
    words: Option<(u32, u32, bool)>,
    /// How the answer ended, which goes out beside the last usage.
    ended: Option<Value>,
    /// Usage that no chunk has said yet.
    fresh: bool,
    /// Who thinks, if it is another provider.
    thinker: Option<String>,
    /// What is hidden of the thought that is coming from another provider, and where it belongs.
    hidden: Option<(u32, u32, Box<Thinking>)>,
}

impl EventWriter {
    /// A writer at the beginning of a stream. `provider` is the provider type that answers: thoughts
    /// are packed if it is another one than this protocol's.
    pub fn new(provider: Option<&str>) -> Self {
        let thinker = provider.filter(|provider| seal::is_foreign(Some(provider))).map(str::to_owned);
        Self { thinker, ..Self::default() }
    }

    /// Writes one event; some only show in the next one.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, .. } => {
                self.id.clone_from(id);
                self.model.clone_from(model);
            }
            Event::Delta { choice, block, delta } => self.delta(*choice, *block, delta, out),
            Event::Logprobs { choice, data } => {
                self.end_call(out);
                if let Some(result) = logprobs(data) {
                    self.chunk(json!({"index": choice, "logprobsResult": result}), out);
                }
            }
            Event::Finish { choice, reason, raw, .. } => {
                self.end_call(out);
                self.end_choice(out);
                let word = finish::write(*reason, raw.as_deref());
                self.ended = Some(json!({"finishReason": word, "index": choice}));
            }
            Event::Usage(usage) => {
                self.usage.update(usage.clone());
                self.fresh = true;
            }
            Event::Meta { service_tier, .. } => self.tier = service_tier.clone().or(self.tier.take()),
            _ => {}
        }
    }

    /// Writes the end of the answer.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.end_call(out);
        self.end_choice(out);
        if self.fresh {
            sse::encode(out, None, &Value::Object(self.body()).to_string());
        }
    }

    fn end_choice(&mut self, out: &mut Vec<u8>) {
        if let Some(ended) = self.ended.take() {
            self.chunk(ended, out);
        }
    }

    /// Writes a failure into the stream, which ends with it.
    pub fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        sse::encode(out, None, &super::error::body(error));
    }

    fn delta(&mut self, choice: u32, block: u32, delta: &Delta, out: &mut Vec<u8>) {
        let other = |c: u32, b: u32| (c, b) != (choice, block);
        if self.call.as_ref().is_some_and(|(c, b, _)| other(*c, *b))
            || self.hidden.as_ref().is_some_and(|(c, b, _)| other(*c, *b))
        {
            self.end_call(out);
        }
        self.hide(choice, block, delta);
        let part = match delta {
            Delta::ToolCall { id, name, kind } => {
                let call = ToolCall { id: id.clone(), name: name.clone(), kind: *kind, ..ToolCall::default() };
                self.call = Some((choice, block, call));
                return;
            }
            Delta::Arguments { text } => {
                if let Some((_, _, call)) = &mut self.call {
                    call.arguments.push_str(text);
                }
                return;
            }
            Delta::Signature { .. } if self.hidden.is_some() => return,
            Delta::Signature { signature } => match (&mut self.call, self.words) {
                (Some((_, _, call)), _) => {
                    call.signature.get_or_insert_default().push_str(signature);
                    return;
                }
                // The words are out already; the provider itself lets an empty text carry it then.
                (None, Some((c, b, thought))) if (c, b) == (choice, block) => words("", thought, Some(signature)),
                (None, _) => words("", true, Some(signature)),
            },
            Delta::Text { text } | Delta::Refusal { text } => {
                self.words = Some((choice, block, false));
                words(text, false, None)
            }
            Delta::Thinking { text } | Delta::ThinkingSummary { text, .. } if text.is_empty() => return,
            Delta::Thinking { text } | Delta::ThinkingSummary { text, .. } => {
                self.words = Some((choice, block, true));
                words(text, true, None)
            }
            Delta::Citation { data } => {
                let mut candidate = Map::from_iter([("index".to_owned(), Value::from(choice))]);
                cite(&mut candidate, data);
                self.chunk(Value::Object(candidate), out);
                return;
            }
            Delta::Media { block } => match piece(block) {
                Some(part) => part,
                None => return,
            },
            Delta::Audio { data: Some(data), .. } => json!({"inlineData": {"mimeType": "audio/pcm", "data": data}}),
            Delta::Audio { transcript: Some(text), .. } => words(text, false, None),
            Delta::Unknown { block } if block.protocol == Some(Protocol::Gemini) => block.data.clone(),
            // Another protocol's state and ids, which a thought carries at its end.
            _ => return,
        };
        self.part(choice, part, out);
    }

    /// Keeps what another provider wants back with its thought.
    fn hide(&mut self, choice: u32, block: u32, delta: &Delta) {
        let Some(thinker) = &self.thinker else { return };
        let thinks = matches!(
            delta,
            Delta::Thinking { .. } | Delta::ThinkingSummary { .. } | Delta::Opaque { .. } | Delta::ThinkingId { .. }
        );
        let on_thought = self.call.is_none() && self.words != Some((choice, block, false));
        if !(thinks || on_thought && matches!(delta, Delta::Signature { .. })) {
            return;
        }
        let (_, _, hidden) = self.hidden.get_or_insert_with(|| {
            (choice, block, Box::new(Thinking { provider: Some(thinker.clone()), ..Thinking::default() }))
        });
        match delta {
            Delta::Signature { signature } => hidden.signature.get_or_insert_default().push_str(signature),
            Delta::Opaque { data } => hidden.opaque.get_or_insert_default().push_str(data),
            Delta::ThinkingId { id } => hidden.id = Some(id.clone()),
            Delta::ThinkingSummary { part, text } => {
                let part = *part as usize;
                if hidden.summary.len() <= part {
                    hidden.summary.resize(part + 1, String::new());
                }
                hidden.summary[part].push_str(text);
            }
            _ => {}
        }
    }

    /// Ends what a part of its own has to end: a thought of another provider, a call.
    fn end_call(&mut self, out: &mut Vec<u8>) {
        if let Some((choice, _, hidden)) = self.hidden.take() {
            self.part(choice, words("", true, Some(&seal::seal(&hidden))), out);
        }
        if let Some((choice, _, call)) = self.call.take() {
            self.part(choice, function_call(&call), out);
        }
    }

    fn part(&mut self, choice: u32, part: Value, out: &mut Vec<u8>) {
        self.chunk(json!({"content": {"parts": [part], "role": "model"}, "index": choice}), out);
    }

    fn chunk(&mut self, mut candidate: Value, out: &mut Vec<u8>) {
        self.fresh = false;
        if let Value::Object(candidate) = &mut candidate {
            // A client takes a chunk without parts for a broken answer, and forgets the whole turn.
            candidate.entry("content").or_insert_with(|| json!({"parts": [{"text": ""}], "role": "model"}));
        }
        let mut body = Map::from_iter([("candidates".to_owned(), Value::Array(vec![candidate]))]);
        body.extend(self.body());
        sse::encode(out, None, &Value::Object(body).to_string());
    }

    /// What every chunk says: usage so far, model, id.
    fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        if !self.usage.is_empty() {
            body.insert("usageMetadata".into(), usage::write(&self.usage, self.tier.as_deref()));
        }
        head(&mut body, self.id.as_deref(), &self.model);
        body
    }
}

fn head(body: &mut Map<String, Value>, id: Option<&str>, model: &str) {
    body.insert("modelVersion".into(), Value::from(model));
    if let Some(id) = id {
        body.insert("responseId".into(), Value::from(id));
    }
}

fn candidate(choice: &Choice) -> Value {
    let parts: Vec<_> = choice.content.iter().filter_map(piece).collect();
    let mut content = Map::new();
    if !parts.is_empty() {
        content.insert("parts".into(), Value::Array(parts));
    }
    content.insert("role".into(), Value::from("model"));
    let mut out = Map::from_iter([("content".to_owned(), Value::Object(content))]);
    if let Some(reason) = choice.finish_reason {
        out.insert("finishReason".into(), Value::from(finish::write(reason, choice.raw_finish_reason.as_deref())));
    }
    out.insert("index".into(), Value::from(choice.index));
    for block in &choice.content {
        if let Block::Text(text) = block {
            text.citations.iter().for_each(|data| cite(&mut out, data));
        }
    }
    if let Some(result) = choice.logprobs.as_ref().and_then(logprobs) {
        out.insert("logprobsResult".into(), result);
    }
    Value::Object(out)
}

/// A block as a part; `None` for what clients of this wire have no use for.
fn piece(block: &Block) -> Option<Value> {
    Some(match block {
        Block::Text(text) => words(&text.text, false, text.signature.as_deref()),
        Block::Refusal { text } => words(text, false, None),
        Block::Thinking(thinking) => return thought(thinking),
        Block::ToolCall(call) => function_call(call),
        Block::Image(media) | Block::Audio(media) | Block::Video(media) | Block::File(media) => self::media(media),
        Block::Unknown(unknown) if unknown.protocol == Some(Protocol::Gemini) => unknown.data.clone(),
        Block::ToolResult(_) | Block::Unknown(_) => return None,
    })
}

fn words(text: &str, thought: bool, signature: Option<&str>) -> Value {
    let mut out = Map::from_iter([("text".to_owned(), Value::from(text))]);
    if thought {
        out.insert("thought".into(), Value::Bool(true));
    }
    if let Some(signature) = signature {
        out.insert("thoughtSignature".into(), Value::from(signature));
    }
    Value::Object(out)
}

fn thought(thinking: &Thinking) -> Option<Value> {
    let text = thinking.text.clone().unwrap_or_else(|| thinking.summary.join("\n"));
    if seal::is_foreign(thinking.provider.as_deref()) {
        return Some(words(&text, true, Some(&seal::seal(thinking))));
    }
    let signature = thinking.signature.as_deref();
    (!text.is_empty() || signature.is_some()).then(|| words(&text, true, signature))
}

fn function_call(call: &ToolCall) -> Value {
    let mut out = Map::new();
    if !call.id.is_empty() && !ids::is_ours(&call.id) {
        out.insert("id".into(), Value::from(call.id.as_str()));
    }
    out.insert("name".into(), Value::from(call.name.as_str()));
    let args = match (call.kind, call.arguments.trim()) {
        (CallKind::Function, "") => Some(Map::new()),
        (CallKind::Function, text) => serde_json::from_str(text).ok(),
        (CallKind::Custom, _) => None,
    };
    // The wire wants an object; a text that is none still has to reach the client.
    let args = args.unwrap_or_else(|| Map::from_iter([("input".to_owned(), Value::from(call.arguments.as_str()))]));
    out.insert("args".into(), Value::Object(args));
    let mut part = Map::from_iter([("functionCall".to_owned(), Value::Object(out))]);
    if let Some(signature) = &call.signature {
        part.insert("thoughtSignature".into(), Value::from(signature.as_str()));
    }
    Value::Object(part)
}

fn media(media: &Media) -> Value {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mime = media.mime.as_deref().unwrap_or("application/octet-stream");
    let mut out = match &media.source {
        Source::Base64(data) => json!({"inlineData": {"mimeType": mime, "data": data}}),
        Source::Text(text) => json!({"inlineData": {"mimeType": "text/plain", "data": STANDARD.encode(text)}}),
        Source::Url(uri) | Source::FileId(uri) => json!({"fileData": {"mimeType": mime, "fileUri": uri}}),
    };
    if let Value::Object(out) = &mut out {
        let known = media.rest.iter().filter(|(key, _)| part::ON_MEDIA.contains(&key.as_str()));
        out.extend(known.map(|(key, value)| (key.clone(), value.clone())));
    }
    out
}

/// Puts a citation where this wire has it: its own objects as they are, others as a source.
fn cite(candidate: &mut Map<String, Value>, data: &Value) {
    for name in ["citationMetadata", "groundingMetadata"] {
        if let Some(own) = data.get(name) {
            candidate.insert(name.into(), own.clone());
            return;
        }
    }
    let data = data.get("url_citation").unwrap_or(data);
    let mut source = Map::new();
    for (name, theirs) in [("uri", "url"), ("title", "title"), ("startIndex", "start_index"), ("endIndex", "end_index")]
    {
        if let Some(value) = data.get(theirs).filter(|value| !value.is_null()) {
            source.insert(name.into(), value.clone());
        }
    }
    let all = candidate.entry("citationMetadata").or_insert_with(|| json!({}));
    let list = all.as_object_mut().map(|all| all.entry("citationSources").or_insert_with(|| json!([])));
    if let Some(Value::Array(list)) = list {
        list.push(Value::Object(source));
    }
}

/// Log probabilities, from OpenAI's form.
fn logprobs(data: &Value) -> Option<Value> {
    let entry = |item: &Value| json!({"token": item.get("token"), "logProbability": item.get("logprob")});
    let content = data.get("content")?.as_array()?;
    let chosen: Vec<_> = content.iter().map(entry).collect();
    let top: Vec<_> = content
        .iter()
        .map(|item| {
            let others = item.get("top_logprobs").and_then(Value::as_array);
            json!({"candidates": others.into_iter().flatten().map(entry).collect::<Vec<_>>()})
        })
        .collect();
    Some(json!({"chosenCandidates": chosen, "topCandidates": top}))
}
