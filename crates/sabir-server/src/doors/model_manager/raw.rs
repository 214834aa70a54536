//! Pieces of a stream in the words of the call's dialect.
//!
//! Invariant: every piece is one JSON object, as the dialect's own service would send it; the
//! marker at the end of a stream is not one.

use sabir_engine::Facts;
use sabir_types::{Event, Map, Usage, Value};
use sabir_wire::{anthropic, gemini, openai, responses, sse::SseDecoder};

use super::{dialect::Dialect, parse::Ask};

/// How an answer presents itself.
#[derive(Debug, Clone)]
pub(super) struct Names {
    id: String,
    created: i64,
    model: String,
    provider: &'static str,
    echo: Map<String, Value>,
}

impl Names {
    /// The names of an answer; its own where it has some.
    pub(super) fn of(facts: &Facts, ask: &Ask, id: Option<&str>, created: Option<i64>) -> Self {
        let prefix = match ask.dialect {
            Dialect::Chat => "chatcmpl-",
            Dialect::Responses => "resp_",
            Dialect::Messages => "msg_",
            Dialect::Gemini => "",
        };
        Self {
            // A name that another protocol gave it would say that this is that one's answer.
            id: match id.filter(|id| id.starts_with(prefix)) {
                Some(id) => id.to_owned(),
                None => format!("{prefix}{}", facts.inference_id.simple()),
            },
            created: created.unwrap_or_else(|| crate::doors::shared::now() as i64),
            model: ask.model.clone(),
            provider: facts.provider_type,
            echo: ask.echo.clone(),
        }
    }

    pub(super) fn frame(&self) -> openai::render::Frame {
        openai::render::Frame {
            id: self.id.clone(),
            created: self.created,
            model: self.model.clone(),
            legacy_functions: false,
            maker: Some(self.provider.to_owned()),
            extra: Map::new(),
        }
    }

    pub(super) fn responses(&self) -> responses::render::Frame {
        responses::render::Frame {
            id: self.id.clone(),
            created: self.created,
            model: self.model.clone(),
            maker: Some(self.provider.to_owned()),
            echo: self.echo.clone(),
        }
    }

    pub(super) fn face(&self) -> anthropic::render::Face<'_> {
        anthropic::render::Face { id: &self.id, model: &self.model, provider: Some(self.provider) }
    }
}

/// Writes pieces.
#[derive(Debug)]
pub(super) enum Pieces {
    Chat(Box<openai::render::ChunkWriter>),
    Messages(Box<anthropic::render::EventWriter>),
    Gemini(Box<gemini::render::EventWriter>),
    Responses(Box<responses::render::EventWriter>),
}

impl Pieces {
    pub(super) fn new(dialect: Dialect, names: Names) -> Self {
        match dialect {
            Dialect::Chat => Self::Chat(Box::new(openai::render::ChunkWriter::new(names.frame(), true))),
            Dialect::Messages => Self::Messages(Box::new(anthropic::render::EventWriter::new(names.face()))),
            Dialect::Gemini => Self::Gemini(Box::new(gemini::render::EventWriter::new(Some(names.provider)))),
            Dialect::Responses => Self::Responses(Box::new(responses::render::EventWriter::new(names.responses()))),
        }
    }

    /// The pieces for an event: none, one or several.
    pub(super) fn event(&mut self, event: &Event) -> Vec<String> {
        let mut out = Vec::new();
        match self {
            Self::Chat(writer) => writer.events(std::slice::from_ref(event), &mut out),
            Self::Messages(writer) => writer.write(event, &mut out),
            Self::Gemini(writer) => writer.push(event, &mut out),
            Self::Responses(writer) => writer.events(std::slice::from_ref(event), &mut out),
        }
        split(&out)
    }

    /// The pieces at the end.
    pub(super) fn end(&mut self, usage: &Usage) -> Vec<String> {
        let mut out = Vec::new();
        match self {
            Self::Chat(writer) => writer.end(usage, &mut out),
            Self::Messages(writer) => writer.finish(&mut out),
            Self::Gemini(writer) => writer.finish(&mut out),
            Self::Responses(writer) => writer.end(usage, &mut out),
        }
        split(&out)
    }
}

/// The data of server-sent events.
fn split(bytes: &[u8]) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut take = |event: sabir_wire::sse::SseEvent<'_>| {
        if event.data.starts_with('{') {
            pieces.push(event.data.to_owned());
        }
        Ok(())
    };
    let mut decoder = SseDecoder::new();
    // They were written a moment ago: nothing in them can be wrong.
    drop(decoder.feed(bytes, &mut take));
    drop(decoder.finish(&mut take));
    pieces
}

#[cfg(test)]
mod tests {
    use sabir_types::{Delta, FinishReason};

    use super::*;

    #[test]
    fn pieces_are_objects_and_add_up() {
        let delta = |block, delta| Event::Delta { choice: 0, block, delta };
        let usage = Usage { input_tokens: Some(1), output_tokens: Some(2), ..Usage::default() };
        let events = [
            Event::Start { id: Some("x".into()), model: "m".into(), created: Some(1) },
            delta(0, Delta::Text { text: "Hel".into() }),
            delta(0, Delta::Text { text: "lo".into() }),
            Event::Finish { choice: 0, reason: FinishReason::Stop, raw: None, stop_sequence: None },
            Event::Usage(usage.clone()),
        ];
        for (dialect, pointer, last, figure) in [
            (Dialect::Chat, "/choices/0/delta/content", "/usage/total_tokens", 3),
            (Dialect::Messages, "/delta/text", "/usage/output_tokens", 2),
            (Dialect::Gemini, "/candidates/0/content/parts/0/text", "/usageMetadata/totalTokenCount", 3),
            (Dialect::Responses, "/delta", "/response/usage/total_tokens", 3),
        ] {
            let names = Names { id: "x".into(), created: 1, model: "m".into(), provider: "dummy", echo: Map::new() };
            let mut pieces = Pieces::new(dialect, names);
            let mut all: Vec<String> = events.iter().flat_map(|event| pieces.event(event)).collect();
            all.extend(pieces.end(&usage));
            let all: Vec<Value> = all.iter().map(|piece| serde_json::from_str(piece).unwrap()).collect();
            assert!(all.iter().all(Value::is_object));
            let text: String = all.iter().filter_map(|piece| piece.pointer(pointer)?.as_str()).collect();
            assert_eq!(text, "Hello", "{dialect:?}");
            let found = all.iter().rev().find_map(|piece| piece.pointer(last)?.as_u64());
            assert_eq!(found, Some(figure), "{dialect:?}: {all:?}");
        }
    }
}
