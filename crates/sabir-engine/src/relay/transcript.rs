//! What the ledger keeps of a conversation over a WebSocket: a line for each message.
//!
//! Invariant: sound is never kept, only its size; the whole is bounded, and says so when something
//! is left out.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use sabir_types::{Map, Usage, Value};
use serde_json::json;

use super::{frames::Said, keep};

/// The most that is kept of one direction.
const LIMIT: usize = 1024 * 1024;
/// Events that say what an answer consumed.
const COUNTED: [&str; 2] = ["response.done", "response.completed"];

/// One direction of a conversation.
pub(super) struct Transcript {
    begun: Instant,
    lines: BytesMut,
    /// Messages that found no place.
    left_out: u64,
}

impl Transcript {
    pub(super) fn new(begun: Instant) -> Self {
        Self { begun, lines: BytesMut::new(), left_out: 0 }
    }

    /// Writes down what was said, and adds what it says of usage.
    pub(super) fn note(&mut self, said: &Said, usage: &mut Usage) {
        let mut line = Map::new();
        line.insert("at_ms".into(), json!(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)));
        match said {
            Said::Text { text: Some(text), .. } => match serde_json::from_slice::<Value>(text) {
                Ok(mut event) => {
                    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
                    if COUNTED.contains(&kind.as_str())
                        && let Some(more) = keep::of_event(text)
                    {
                        add(usage, more);
                    }
                    silence(&mut event, kind.contains("audio.delta"));
                    line.insert("event".into(), event);
                }
                Err(_) => drop(line.insert("text".into(), String::from_utf8_lossy(text).into())),
            },
            Said::Text { text: None, bytes } => drop(line.insert("text".into(), omitted(*bytes))),
            Said::Binary(bytes) => drop(line.insert("binary".into(), omitted(*bytes))),
            Said::Close(code, reason) => {
                line.insert("close".into(), json!({"code": code, "reason": reason}));
            }
        }
        let line = Value::Object(line).to_string();
        if self.left_out > 0 || self.lines.len() + line.len() + 1 > LIMIT {
            self.left_out += 1;
            return;
        }
        self.lines.extend_from_slice(line.as_bytes());
        self.lines.extend_from_slice(b"\n");
    }

    /// All lines.
    pub(super) fn take(&mut self) -> Bytes {
        if self.left_out > 0 {
            let note = json!({"sabir::not_kept": {"messages": self.left_out}});
            self.lines.extend_from_slice(format!("{note}\n").as_bytes());
        }
        self.lines.split().freeze()
    }
}

fn omitted(bytes: u64) -> Value {
    json!({"sabir::not_kept": {"bytes": bytes}})
}

/// Puts its size in the place of sound, which is text in base64.
fn silence(value: &mut Value, is_sound: bool) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "audio" || (is_sound && name == "delta") => {
                        *value = json!({"sabir::not_kept": {"base64_bytes": text.len()}});
                    }
                    _ => silence(value, is_sound),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| silence(item, is_sound)),
        _ => {}
    }
}

fn add(total: &mut Usage, more: Usage) {
    fn plus(total: &mut Option<u64>, more: Option<u64>) {
        if let Some(more) = more {
            *total = Some(total.unwrap_or(0).saturating_add(more));
        }
    }
    plus(&mut total.input_tokens, more.input_tokens);
    plus(&mut total.output_tokens, more.output_tokens);
    plus(&mut total.cache_read_tokens, more.cache_read_tokens);
    plus(&mut total.cache_write_tokens, more.cache_write_tokens);
    plus(&mut total.reasoning_tokens, more.reasoning_tokens);
    plus(&mut total.input_audio_tokens, more.input_audio_tokens);
    plus(&mut total.output_audio_tokens, more.output_audio_tokens);
    total.raw = more.raw.or_else(|| total.raw.take());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &str) -> Said {
        Said::Text { text: Some(words.into()), bytes: words.len() as u64 }
    }

    fn kept(all: &[Said]) -> (Vec<Value>, Usage) {
        let mut transcript = Transcript::new(Instant::now());
        let mut usage = Usage::default();
        all.iter().for_each(|said| transcript.note(said, &mut usage));
        let lines = String::from_utf8(transcript.take().to_vec()).unwrap();
        (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), usage)
    }

    #[test]
    fn sound_is_counted_and_words_are_kept() {
        let (lines, usage) = kept(&[
            text(r#"{"type":"input_audio_buffer.append","audio":"AAAA"}"#),
            text(r#"{"type":"response.output_audio.delta","delta":"AAAAAAAA"}"#),
            text(r#"{"type":"response.output_audio_transcript.delta","delta":"hi"}"#),
            text(r#"{"type":"conversation.item.create","item":{"content":[{"type":"input_audio","audio":"AA"}]}}"#),
            text("plain"),
            Said::Binary(9),
            Said::Close(Some(1000), "bye".into()),
        ]);
        assert_eq!(lines[0]["event"]["audio"], json!({"sabir::not_kept": {"base64_bytes": 4}}));
        assert_eq!(lines[1]["event"]["delta"], json!({"sabir::not_kept": {"base64_bytes": 8}}));
        assert_eq!(lines[2]["event"]["delta"], "hi");
        assert_eq!(lines[3]["event"]["item"]["content"][0]["audio"]["sabir::not_kept"]["base64_bytes"], 2);
        assert_eq!(
            (&lines[4]["text"], &lines[5]["binary"]),
            (&json!("plain"), &json!({"sabir::not_kept": {"bytes": 9}}))
        );
        assert_eq!(lines[6]["close"], json!({"code": 1000, "reason": "bye"}));
        assert!(lines.iter().all(|line| line["at_ms"].is_u64()) && usage.is_empty());
    }

    #[test]
    fn usage_is_summed() {
        let done = r#"{"type":"response.done","response":{"usage":{"total_tokens":5,"input_tokens":2,"output_tokens":3,"input_token_details":{"cached_tokens":1,"audio_tokens":1},"output_token_details":{"audio_tokens":2}}}}"#;
        let (_, usage) = kept(&[text(done), text(done), text(r#"{"type":"other","usage":{"input_tokens":9}}"#)]);
        assert_eq!((usage.input_tokens, usage.output_tokens, usage.cache_read_tokens), (Some(4), Some(6), Some(2)));
        assert_eq!((usage.input_audio_tokens, usage.output_audio_tokens), (Some(2), Some(4)));
    }

    #[test]
    fn the_whole_is_bounded() {
        let long = text(&"x".repeat(LIMIT / 3));
        let (lines, _) = kept(&[long.clone(), long.clone(), long.clone(), text("short")]);
        assert_eq!((lines.len(), &lines[2]), (3, &json!({"sabir::not_kept": {"messages": 2}})));
    }
}
