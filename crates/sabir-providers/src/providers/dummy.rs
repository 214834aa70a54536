//! The built-in provider that needs no network and no key: to try things out, and to test.
//!
//! Invariant: the model's name alone decides the answer (for `flaky_…`: and how often it was asked).
//! The answers are those that TensorZero's provider of this name gives, so that its users' tests
//! find what they expect; `echo` and `slow` are there too.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use http::request::Parts;
use sabir_types::{
    Block, ChatRequest, ChatResponse, Delta, EmbedInput, EmbedRequest, EmbedResponse, Error, ErrorKind, Event,
    FinishReason, Operation, Protocol, Request, Response, Result, Role, Usage, Value, Vector, Warning,
};
use serde_json::json;

use crate::{
    Capabilities, Decoder, Encoded, HttpResponse, Outbound, Provider, Script, Spec, Step, StepOutcome, Target, parts,
};

mod media;
mod text;

pub(super) static PROVIDER: Dummy = Dummy {
    spec: Spec {
        id: "dummy",
        title: "Dummy (built in)",
        protocol: Protocol::Dummy,
        base_url: None,
        key_env: &[],
        key_required: false,
        shorthand: true,
        can: Capabilities {
            operations: &Operation::TRANSLATED,
            stream: true,
            tools: true,
            parallel_tool_calls: true,
            custom_tools: true,
            image: true,
            audio: true,
            file: true,
            video: true,
            json: true,
            json_schema: true,
            reasoning: true,
            seed: true,
            penalties: true,
            logit_bias: true,
            logprobs: true,
            n: false,
            top_k: true,
            stop: true,
        },
        docs: "docs/providers/dummy.md",
    },
    asked: AtomicU64::new(0),
};

/// The built-in provider.
#[derive(Debug)]
pub(super) struct Dummy {
    spec: Spec,
    /// How often a `flaky_…` model was asked.
    asked: AtomicU64,
}

/// What a model answers.
struct Answer {
    blocks: Vec<Block>,
    /// The pieces of a stream; empty means: the blocks, cut at spaces.
    pieces: Vec<Piece>,
    usage: (u64, u64),
    stream_usage: (u64, u64),
    cache_read: Option<u64>,
    finish: FinishReason,
    /// How long to wait before the second piece.
    pause: Duration,
}

/// One piece of a stream.
enum Piece {
    Delta(u32, Delta),
    Fail(Error),
}

impl Provider for Dummy {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn known_models(&self) -> &'static [&'static str] {
        &["echo", "good", "json", "tool", "reasoner", "slow", "error"]
    }

    fn head(&self, _operation: Operation, _stream: bool, _to: &Target<'_>) -> Result<Parts> {
        Err(Error::internal("the built-in provider sends no request"))
    }

    fn body(&self, _req: &Request, _to: &Target<'_>) -> Result<Encoded> {
        Err(Error::internal("the built-in provider sends no request"))
    }

    fn encode(&self, req: &Request, to: &Target<'_>) -> Result<(Outbound, Vec<Warning>)> {
        let script = match req {
            Request::Chat(chat) => self.chat(chat, to),
            Request::Embed(embed) => self.embed(embed, to),
            other => self.media(other, to)?,
        };
        Ok((Outbound::Script(script), Vec::new()))
    }

    fn decode(&self, _req: &Request, _to: &Target<'_>, _resp: &HttpResponse) -> Result<Response> {
        Err(Error::internal("the built-in provider gets no answer"))
    }

    fn decoder(&self, _req: &Request, _to: &Target<'_>) -> Box<dyn Decoder> {
        Box::new(Nothing)
    }

    fn error(&self, _resp: &HttpResponse) -> Error {
        Error::internal("the built-in provider gets no answer")
    }
}

struct Nothing;

impl Decoder for Nothing {
    fn feed(&mut self, _bytes: &[u8], _out: &mut Vec<Event>) -> Result<()> {
        Err(Error::internal("the built-in provider gets no answer"))
    }

    fn finish(&mut self, _out: &mut Vec<Event>) -> Result<()> {
        Err(Error::internal("the built-in provider gets no answer"))
    }
}

impl Dummy {
    fn chat(&self, chat: &ChatRequest, to: &Target<'_>) -> Script {
        let speed = Speed::of(to);
        let first = speed.first(to.model, chat.stream);
        let answer = match self.answer(chat, to) {
            Ok(answer) => answer,
            Err(error) => {
                return Script { steps: vec![Step { wait: first, outcome: Err(error) }], ..texts(to.model, "") };
            }
        };
        let start = Event::Start { id: None, model: to.model.to_owned(), created: None };
        let said: Vec<&str> = answer.blocks.iter().filter_map(Block::as_text).collect();
        let mut script = texts(to.model, &said.join("\n"));
        if !chat.stream {
            let response = whole(&answer, to.model);
            let mut events = vec![start];
            events.extend(answer.blocks.iter().enumerate().flat_map(|(at, block)| deltas(at as u32, block)));
            events.push(finish(answer.finish));
            events.push(Event::Usage(response.usage));
            script.steps.push(Step { wait: first, outcome: Ok(StepOutcome::Events(events)) });
            return script;
        }
        script.raw_response = String::new();
        script.steps.push(Step { wait: first, outcome: Ok(StepOutcome::Events(vec![start])) });
        let pieces = if answer.pieces.is_empty() { cut(&answer.blocks) } else { answer.pieces };
        for (at, piece) in pieces.into_iter().enumerate() {
            // The first piece comes with the answer's beginning: the pace is that of the others.
            let wait = match at {
                0 => Duration::ZERO,
                1 => speed.piece + answer.pause,
                _ => speed.piece,
            };
            let outcome = match piece {
                Piece::Delta(block, delta) => Ok(StepOutcome::Events(vec![Event::Delta { choice: 0, block, delta }])),
                Piece::Fail(error) => Err(error),
            };
            let is_fatal = outcome.is_err() && to.model == "fatal_stream_error";
            script.steps.push(Step { wait, outcome });
            if is_fatal {
                return script;
            }
        }
        let usage = counted(answer.stream_usage, answer.cache_read);
        let last = vec![finish(answer.finish), Event::Usage(usage)];
        script.steps.push(Step { wait: speed.piece, outcome: Ok(StepOutcome::Events(last)) });
        script
    }

    fn answer(&self, chat: &ChatRequest, to: &Target<'_>) -> Result<Answer> {
        self.fails(to)?;
        text::answer(chat, to.model)
    }

    /// What the names of models mean that fail.
    fn fails(&self, to: &Target<'_>) -> Result<()> {
        let model = to.model;
        if model.starts_with("error") {
            let message = format!("Error sending request to Dummy provider for model '{model}'.");
            return Err(Error::new(ErrorKind::Upstream, message));
        }
        if model.starts_with("flaky_") && self.asked.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            let message = format!("Flaky model '{model}' failed on this call.");
            return Err(Error::new(ErrorKind::Upstream, message));
        }
        if model == "test_key" && to.key.is_none_or(|key| key.expose() != "good_key") {
            return Err(Error::new(ErrorKind::Authentication, "Invalid API key for Dummy provider"));
        }
        Ok(())
    }

    /// Pictures, sound, transcripts, verdicts and orders.
    fn media(&self, req: &Request, to: &Target<'_>) -> Result<Script> {
        let answer = media::answer(req, to.model).ok_or_else(|| parts::lacks("dummy", req.operation()))?;
        let outcome = self.fails(to).and(answer).map(|answer| StepOutcome::Whole(Box::new(answer)));
        let mut script = texts(to.model, "");
        script.steps.push(Step { wait: Speed::of(to).first(to.model, false), outcome });
        Ok(script)
    }

    fn embed(&self, embed: &EmbedRequest, to: &Target<'_>) -> Script {
        let mut script = texts(to.model, "");
        let speed = Speed::of(to);
        let first = speed.first(to.model, false);
        if to.model.starts_with("error") {
            let message = format!("Error sending request to Dummy provider for model '{}'.", to.model);
            let outcome = Err(Error::new(ErrorKind::Upstream, message));
            script.steps.push(Step { wait: first, outcome });
            return script;
        }
        let length = embed.dimensions.unwrap_or(1536).clamp(1, 65_536) as usize;
        let seeds: Vec<u64> = match &embed.input {
            EmbedInput::Text(text) => vec![seed(text.as_bytes())],
            EmbedInput::Texts(texts) => texts.iter().map(|text| seed(text.as_bytes())).collect(),
            EmbedInput::Tokens(tokens) => vec![seed(&token_bytes(tokens))],
            EmbedInput::TokenLists(lists) => lists.iter().map(|tokens| seed(&token_bytes(tokens))).collect(),
        };
        let vectors: Vec<Vector> = seeds.into_iter().map(|seed| Vector::Floats(vector(seed, length))).collect();
        let usage = Usage { input_tokens: Some(10), output_tokens: Some(0), ..Usage::default() };
        let answer = EmbedResponse { model: to.model.to_owned(), vectors, usage, rest: sabir_types::Map::new() };
        let outcome = Ok(StepOutcome::Whole(Box::new(Response::Embed(Box::new(answer)))));
        script.steps.push(Step { wait: first, outcome });
        script
    }
}

/// How fast the answers come: `delay_ms` before the first piece, `tokens_per_second` after it.
struct Speed {
    delay: Option<Duration>,
    piece: Duration,
}

impl Speed {
    fn of(to: &Target<'_>) -> Self {
        let number = |name: &str| to.options.get(name).and_then(Value::as_f64).filter(|n| *n >= 0.0);
        let rate = number("tokens_per_second").filter(|rate| *rate > 0.0);
        Self {
            delay: number("delay_ms").map(|ms| Duration::from_secs_f64(ms.min(3_600_000.0) / 1000.0)),
            piece: rate.map_or(Duration::from_millis(10), |rate| Duration::from_secs_f64((1.0 / rate).min(60.0))),
        }
    }

    fn first(&self, model: &str, stream: bool) -> Duration {
        match (self.delay, model) {
            (Some(delay), _) => delay,
            (None, "slow") => Duration::from_secs(5),
            (None, _) if stream => Duration::ZERO,
            (None, _) => Duration::from_millis(1),
        }
    }
}

fn texts(model: &str, said: &str) -> Script {
    Script { raw_request: "raw request".into(), raw_response: text::raw_response(model, said), steps: Vec::new() }
}

fn counted((input, output): (u64, u64), cache_read: Option<u64>) -> Usage {
    let raw = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
    Usage {
        input_tokens: Some(input),
        output_tokens: Some(output),
        cache_read_tokens: cache_read,
        raw: Some(raw),
        ..Usage::default()
    }
}

fn whole(answer: &Answer, model: &str) -> ChatResponse {
    let usage = counted(answer.usage, answer.cache_read);
    ChatResponse { model: model.to_owned(), usage, ..ChatResponse::default() }
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish { choice: 0, reason, raw: Some(reason.as_str().to_owned()), stop_sequence: None }
}

/// A block as the pieces that add up to it.
fn deltas(at: u32, block: &Block) -> Vec<Event> {
    let delta = |delta| Event::Delta { choice: 0, block: at, delta };
    match block {
        Block::Text(text) => vec![delta(Delta::Text { text: text.text.clone() })],
        Block::Thinking(thinking) => {
            let text = thinking.text.clone().map(|text| delta(Delta::Thinking { text }));
            let signature = thinking.signature.clone().map(|signature| delta(Delta::Signature { signature }));
            text.into_iter().chain(signature).collect()
        }
        Block::ToolCall(call) => vec![
            delta(Delta::ToolCall { id: call.id.clone(), name: call.name.clone(), kind: call.kind }),
            delta(Delta::Arguments { text: call.arguments.clone() }),
        ],
        _ => Vec::new(),
    }
}

/// Blocks in pieces: text at its spaces.
fn cut(blocks: &[Block]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let at = at as u32;
        match block {
            Block::Text(text) => {
                for word in text.text.split_inclusive(' ') {
                    pieces.push(Piece::Delta(at, Delta::Text { text: word.to_owned() }));
                }
            }
            other => pieces.extend(deltas(at, other).into_iter().filter_map(|event| match event {
                Event::Delta { block, delta, .. } => Some(Piece::Delta(block, delta)),
                _ => None,
            })),
        }
    }
    pieces
}

/// The text of the last user message.
fn last_words(chat: &ChatRequest) -> String {
    let Some(message) = chat.messages.iter().rev().find(|message| message.role == Role::User) else {
        return String::new();
    };
    let texts: Vec<&str> = message.content.iter().filter_map(Block::as_text).collect();
    texts.join("\n")
}

fn token_bytes(tokens: &[u32]) -> Vec<u8> {
    tokens.iter().flat_map(|token| token.to_le_bytes()).collect()
}

/// FNV-1a: the same text gives the same vector.
fn seed(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// A vector of length one.
fn vector(mut seed: u64, length: usize) -> Vec<f32> {
    let mut numbers: Vec<f32> = (0..length)
        .map(|_| {
            // xorshift64: good enough to tell texts apart.
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .collect();
    let norm = numbers.iter().map(|n| n * n).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    numbers.iter_mut().for_each(|n| *n /= norm);
    numbers
}

#[cfg(test)]
mod tests;
