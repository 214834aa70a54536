//! What happens in a streamed chat completion, said as events.
//!
//! Invariant: each text and each call is said to be done once, after its last piece; what the
//! events bring is what the whole answer has.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use sabir_types::Value;

use super::{Accumulator, Chat};
use crate::{
    error::Result,
    stream::{RawStream, read},
    types::{ChatCompletion, ChatCompletionChunk},
};

/// Something that happened. `choice` is the number of the answer that it happened to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ChatEvent {
    /// A piece came.
    Chunk(Box<ChatCompletionChunk>),
    /// More of the text.
    ContentDelta {
        /// The answer.
        choice: u64,
        /// What came.
        delta: String,
        /// All of it so far.
        snapshot: String,
    },
    /// The text is whole.
    ContentDone {
        /// The answer.
        choice: u64,
        /// The text.
        content: String,
    },
    /// More of why the model does not answer.
    RefusalDelta {
        /// The answer.
        choice: u64,
        /// What came.
        delta: String,
        /// All of it so far.
        snapshot: String,
    },
    /// The refusal is whole.
    RefusalDone {
        /// The answer.
        choice: u64,
        /// The refusal.
        refusal: String,
    },
    /// More of a call's arguments.
    ArgumentsDelta {
        /// The answer.
        choice: u64,
        /// The number of the call.
        index: u64,
        /// The function's name.
        name: String,
        /// What came.
        delta: String,
        /// All of it so far.
        snapshot: String,
    },
    /// A call is whole.
    ArgumentsDone {
        /// The answer.
        choice: u64,
        /// The number of the call.
        index: u64,
        /// The function's name.
        name: String,
        /// The arguments: JSON, if the model made no mistake.
        arguments: String,
    },
    /// More of how probable the tokens are.
    LogprobsDelta {
        /// The answer.
        choice: u64,
        /// What came, as the provider has it.
        logprobs: Value,
    },
    /// Why the model stopped.
    Finished {
        /// The answer.
        choice: u64,
        /// The reason.
        reason: String,
    },
}

/// Makes events of pieces.
#[derive(Debug, Default)]
pub struct ChatEvents {
    whole: Accumulator<Chat>,
    choices: BTreeMap<u64, State>,
}

#[derive(Debug, Default)]
struct State {
    texts_done: bool,
    /// The call that grows.
    call: Option<u64>,
    finished: bool,
}

impl ChatEvents {
    /// Without any piece.
    pub fn new() -> Self {
        Self::default()
    }

    /// What came so far.
    pub fn so_far(&self) -> Result<ChatCompletion> {
        self.whole.whole()
    }

    /// Takes the next piece; what happened with it.
    pub fn push(&mut self, piece: &Value) -> Vec<ChatEvent> {
        self.whole.push(piece);
        let mut events = Vec::new();
        if let Ok(chunk) = serde_json::from_value(piece.clone()) {
            events.push(ChatEvent::Chunk(Box::new(chunk)));
        }
        for choice in piece.get("choices").and_then(Value::as_array).into_iter().flatten() {
            self.put(choice, &mut events);
        }
        events
    }

    fn put(&mut self, piece: &Value, events: &mut Vec<ChatEvent>) {
        let choice = piece.get("index").and_then(Value::as_u64).unwrap_or(0);
        let whole = self.whole.whole.get("choices").and_then(Value::as_array);
        let whole =
            whole.and_then(|all| all.iter().find(|one| one.get("index").and_then(Value::as_u64) == Some(choice)));
        let Some(message) = whole.and_then(|whole| whole.get("message")) else { return };
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let state = self.choices.entry(choice).or_default();
        let nothing = Value::Null;
        let delta = piece.get("delta").unwrap_or(&nothing);
        if let Some(Value::String(more)) = delta.get("content").filter(|more| *more != "") {
            let (delta, snapshot) = (more.clone(), text(message, "content"));
            events.push(ChatEvent::ContentDelta { choice, delta, snapshot });
        }
        if let Some(Value::String(more)) = delta.get("refusal").filter(|more| *more != "") {
            let (delta, snapshot) = (more.clone(), text(message, "refusal"));
            events.push(ChatEvent::RefusalDelta { choice, delta, snapshot });
        }
        for (at, call) in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten().enumerate() {
            // Some providers do not number their calls.
            let index = call.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
            state.end_texts(choice, message, events);
            if state.call != Some(index) {
                state.end_call(choice, message, events);
                state.call = Some(index);
            }
            let more = call.get("function").map(|function| text(function, "arguments")).unwrap_or_default();
            if let (Some((name, snapshot)), false) = (called(message, index), more.is_empty()) {
                events.push(ChatEvent::ArgumentsDelta { choice, index, name, delta: more, snapshot });
            }
        }
        if let Some(logprobs @ Value::Object(_)) = piece.get("logprobs") {
            events.push(ChatEvent::LogprobsDelta { choice, logprobs: logprobs.clone() });
        }
        if let Some(Value::String(reason)) = piece.get("finish_reason")
            && !std::mem::replace(&mut state.finished, true)
        {
            state.end_texts(choice, message, events);
            state.end_call(choice, message, events);
            events.push(ChatEvent::Finished { choice, reason: reason.clone() });
        }
    }
}

impl State {
    fn end_texts(&mut self, choice: u64, message: &Value, events: &mut Vec<ChatEvent>) {
        if std::mem::replace(&mut self.texts_done, true) {
            return;
        }
        if let Some(Value::String(content)) = message.get("content").filter(|text| *text != "") {
            events.push(ChatEvent::ContentDone { choice, content: content.clone() });
        }
        if let Some(Value::String(refusal)) = message.get("refusal").filter(|text| *text != "") {
            events.push(ChatEvent::RefusalDone { choice, refusal: refusal.clone() });
        }
    }

    fn end_call(&mut self, choice: u64, message: &Value, events: &mut Vec<ChatEvent>) {
        let Some(index) = self.call.take() else { return };
        if let Some((name, arguments)) = called(message, index) {
            events.push(ChatEvent::ArgumentsDone { choice, index, name, arguments });
        }
    }
}

/// The name and the arguments of a call, as far as they are.
fn called(message: &Value, index: u64) -> Option<(String, String)> {
    let calls = message.get("tool_calls")?.as_array()?;
    let numbered = |call: &&Value| call.get("index").and_then(Value::as_u64) == Some(index);
    let call = calls.iter().find(numbered).or_else(|| calls.get(usize::try_from(index).ok()?))?;
    let text = |name: &str| call.get("function")?.get(name)?.as_str().map(str::to_owned);
    Some((text("name").unwrap_or_default(), text("arguments").unwrap_or_default()))
}

/// A chat completion that is streamed as events. Dropping it ends the call.
pub struct ChatEventStream {
    raw: RawStream,
    events: ChatEvents,
    held: VecDeque<ChatEvent>,
}

impl ChatEventStream {
    pub(crate) fn new(raw: RawStream) -> Self {
        Self { raw, events: ChatEvents::new(), held: VecDeque::new() }
    }

    /// What came before the first event.
    pub fn meta(&self) -> &crate::Meta {
        self.raw.meta()
    }

    /// What came so far, as a whole answer.
    pub fn so_far(&self) -> Result<ChatCompletion> {
        self.events.so_far()
    }

    /// What the model said, as a value of this type; after the last event of a request that asked
    /// for it with [`crate::schema::strict_of`].
    pub fn parsed<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        crate::parse::said(&self.so_far()?)
    }

    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<ChatEvent>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for ChatEventStream {
    type Item = Result<ChatEvent>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(event) = this.held.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            match ready!(Pin::new(&mut this.raw).poll_next(cx)) {
                None => return Poll::Ready(None),
                Some(data) => match data.and_then(|data| read(&data)) {
                    Ok(piece) => this.held.extend(this.events.push(&piece)),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
            }
        }
    }
}

impl fmt::Debug for ChatEventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatEventStream").field("raw", &self.raw).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_end_where_calls_begin_and_calls_one_after_another() {
        let mut events = ChatEvents::new();
        let choice =
            |delta: Value, reason: Value| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
        let call = |index: u64, name: Option<&str>, more: &str| json!({"tool_calls": [{"index": index, "function": {"name": name, "arguments": more}}]});
        let pieces = [
            choice(json!({"role": "assistant", "content": ""}), Value::Null),
            choice(json!({"content": "Let "}), Value::Null),
            choice(json!({"content": "me"}), Value::Null),
            choice(call(0, Some("f"), "{"), Value::Null),
            choice(call(0, None, "}"), Value::Null),
            choice(call(1, Some("g"), "[]"), Value::Null),
            choice(json!({}), "tool_calls".into()),
            json!({"choices": [], "usage": {"total_tokens": 3}}),
        ];
        let said: Vec<String> = pieces
            .iter()
            .flat_map(|piece| events.push(piece))
            .filter_map(|event| match event {
                ChatEvent::ContentDelta { delta, snapshot, .. } => Some(format!("{delta}|{snapshot}")),
                ChatEvent::ContentDone { content, .. } => Some(format!("done {content}")),
                ChatEvent::ArgumentsDelta { name, snapshot, .. } => Some(format!("{name} {snapshot}")),
                ChatEvent::ArgumentsDone { name, index, arguments, .. } => {
                    Some(format!("done {index} {name} {arguments}"))
                }
                ChatEvent::Finished { reason, .. } => Some(reason),
                _ => None,
            })
            .collect();
        assert_eq!(
            said,
            [
                "Let |Let ",
                "me|Let me",
                "done Let me",
                "f {",
                "f {}",
                "done 0 f {}",
                "g []",
                "done 1 g []",
                "tool_calls"
            ]
        );
        assert_eq!(events.so_far().unwrap().usage.unwrap().total_tokens, 3);
    }
}
