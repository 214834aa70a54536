//! The upstream of the benchmark: it answers the same words to everyone, as fast as it can.
//!
//! Invariant: nothing is computed per call but which of four prepared answers is asked for.

use std::{
    convert::Infallible,
    io::{self, Write},
    net::Ipv4Addr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep, sleep_until},
};

/// What the upstream prints when it is ready, before its address.
pub(super) const READY: &str = "mock listening on http://";

/// A request with this word in it gets its stream chunk by chunk.
pub(super) const PACED: &str = "[paced]";

/// The arguments of the hidden `sabir bench mock`.
#[derive(Debug, clap::Args)]
pub(super) struct MockArgs {
    /// Where to listen on the loopback address; 0 picks a free port.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The protocol that it speaks.
    #[arg(long, value_enum)]
    protocol: Protocol,
    /// How many chunks of text a stream has.
    #[arg(long, default_value_t = 200)]
    chunks: usize,
    /// How far apart they are in a stream that is paced.
    #[arg(long, default_value_t = 5)]
    gap_ms: u64,
}

/// A protocol of the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Protocol {
    /// OpenAI's chat completions.
    Openai,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's messages.
    Anthropic,
    /// Google's generateContent.
    Gemini,
}

impl Protocol {
    /// What the path of a call ends with.
    fn is_asked_by(self, path: &str) -> bool {
        match self {
            Self::Openai => path.ends_with("/chat/completions"),
            Self::Responses => path.ends_with("/responses"),
            Self::Anthropic => path.ends_with("/messages"),
            Self::Gemini => path.ends_with("enerateContent"),
        }
    }
}

/// Serves until the process is ended.
pub(super) fn run(args: &MockArgs) -> Result<()> {
    let answers = Arc::new(Answers::new(args.protocol, args.chunks, Duration::from_millis(args.gap_ms)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("no runtime for the upstream")?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await;
        let listener = listener.with_context(|| format!("port {} is not free", args.port))?;
        let address = listener.local_addr().context("the listener has no address")?;
        let mut out = io::stdout();
        writeln!(out, "{READY}{address}").and_then(|()| out.flush()).context("the address could not be printed")?;
        loop {
            let (stream, _) = listener.accept().await.context("a connection could not be accepted")?;
            tokio::spawn(connection(stream, answers.clone()));
        }
    })
}

async fn connection(stream: TcpStream, answers: Arc<Answers>) {
    // Without it the figures are those of Nagle's algorithm; a kernel that refuses is not worth an end.
    drop(stream.set_nodelay(true));
    let service = hyper::service::service_fn(|request| answer(request, answers.clone()));
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

async fn answer(request: Request<Incoming>, answers: Arc<Answers>) -> Result<Response<Answer>, Infallible> {
    let known = answers.protocol.is_asked_by(request.uri().path());
    let streams = request.uri().path().ends_with(":streamGenerateContent");
    let body = match request.into_body().collect().await {
        Ok(body) if known => body.to_bytes(),
        Ok(_) => return Ok(plain(StatusCode::NOT_FOUND)),
        Err(_) => return Ok(plain(StatusCode::BAD_REQUEST)),
    };
    let stream = streams || contains(&body, b"\"stream\":true") || contains(&body, b"\"stream\": true");
    let (frames, kind) = if stream {
        (answers.stream.clone(), HeaderValue::from_static("text/event-stream"))
    } else {
        (answers.whole.clone(), HeaderValue::from_static("application/json"))
    };
    let gap = (stream && contains(&body, PACED.as_bytes())).then_some(answers.gap);
    let mut response = Response::new(Answer::new(frames, stream, gap));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

fn plain(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Answer::new(Arc::new([]), false, None));
    *response.status_mut() = status;
    response
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The prepared answers.
#[derive(Debug)]
struct Answers {
    protocol: Protocol,
    whole: Arc<[Bytes]>,
    stream: Arc<[Bytes]>,
    gap: Duration,
}

impl Answers {
    fn new(protocol: Protocol, chunks: usize, gap: Duration) -> Self {
        let (whole, stream) = match protocol {
            Protocol::Openai => (openai(), openai_stream(chunks)),
            Protocol::Responses => (responses(&words(), 144), responses_stream(chunks)),
            Protocol::Anthropic => (anthropic(), anthropic_stream(chunks)),
            Protocol::Gemini => (gemini(&words(), Some(144)), gemini_stream(chunks)),
        };
        let whole = Arc::new([Bytes::from(whole.to_string())]);
        Self { protocol, whole, stream: stream.into_iter().map(Bytes::from).collect(), gap }
    }
}

/// About as much text as makes the whole answer a kilobyte.
fn words() -> String {
    "The harbour wakes before the town does, and the first ship is always in a hurry. ".repeat(8)
}

fn openai() -> Value {
    json!({
        "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_700_000_000, "model": "bench",
        "choices": [{
            "index": 0, "finish_reason": "stop", "logprobs": null,
            "message": {"role": "assistant", "content": words(), "refusal": null},
        }],
        "usage": {
            "prompt_tokens": 24, "completion_tokens": 144, "total_tokens": 168,
            "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0},
        },
    })
}

fn openai_stream(chunks: usize) -> Vec<String> {
    let event = |delta: Value, finish: Value| {
        let chunk = json!({
            "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "bench",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        });
        format!("data: {chunk}\n\n")
    };
    let mut events = vec![event(json!({"role": "assistant", "content": ""}), Value::Null)];
    events.extend((0..chunks).map(|n| event(json!({"content": format!(" word{n}")}), Value::Null)));
    events.push(event(json!({}), json!("stop")));
    let usage = json!({
        "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "bench",
        "choices": [], "usage": {"prompt_tokens": 24, "completion_tokens": chunks, "total_tokens": 24 + chunks},
    });
    events.push(format!("data: {usage}\n\n"));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn anthropic() -> Value {
    json!({
        "id": "msg_bench", "type": "message", "role": "assistant", "model": "bench",
        "content": [{"type": "text", "text": words()}],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 24, "output_tokens": 144},
    })
}

fn anthropic_stream(chunks: usize) -> Vec<String> {
    let event = |data: Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default());
    let mut events = vec![
        event(json!({"type": "message_start", "message": {
            "id": "msg_bench", "type": "message", "role": "assistant", "model": "bench", "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 24, "output_tokens": 1},
        }})),
        event(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
    ];
    events.extend((0..chunks).map(|n| {
        let delta = json!({"type": "text_delta", "text": format!(" word{n}")});
        event(json!({"type": "content_block_delta", "index": 0, "delta": delta}))
    }));
    events.push(event(json!({"type": "content_block_stop", "index": 0})));
    events.push(event(json!({
        "type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
        "usage": {"output_tokens": chunks},
    })));
    events.push(event(json!({"type": "message_stop"})));
    events
}

fn responses(text: &str, tokens: usize) -> Value {
    json!({
        "id": "resp_bench", "object": "response", "created_at": 1_700_000_000, "status": "completed", "error": null,
        "incomplete_details": null, "instructions": null, "metadata": {}, "model": "bench",
        "output": [{
            "id": "msg_bench", "type": "message", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
        }],
        "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
        "usage": {
            "input_tokens": 24, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": tokens,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 24 + tokens,
        },
    })
}

fn responses_stream(chunks: usize) -> Vec<String> {
    let mut number = 0;
    let mut event = |kind: &str, members: Value| {
        // The kind comes first, as on the real wire.
        let mut data = serde_json::Map::new();
        data.insert("type".into(), kind.into());
        data.insert("sequence_number".into(), number.into());
        number += 1;
        if let Value::Object(members) = members {
            data.extend(members);
        }
        format!("event: {kind}\ndata: {}\n\n", Value::Object(data))
    };
    let texts: Vec<String> = (0..chunks).map(|n| format!(" word{n}")).collect();
    let whole = responses(&texts.concat(), chunks);
    let (item, part) = (&whole["output"][0], &whole["output"][0]["content"][0]);
    let place = json!({"item_id": "msg_bench", "output_index": 0, "content_index": 0});
    let with = |name: &str, value: Value| {
        let mut place = place.clone();
        place[name] = value;
        place
    };
    let mut begun = whole.clone();
    begun["status"] = "in_progress".into();
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    let mut opened = item.clone();
    opened["status"] = "in_progress".into();
    opened["content"] = json!([]);
    let empty = json!({"type": "output_text", "text": "", "annotations": [], "logprobs": []});
    let mut events = vec![
        event("response.created", json!({"response": begun})),
        event("response.output_item.added", json!({"output_index": 0, "item": opened})),
        event("response.content_part.added", with("part", empty)),
    ];
    for text in &texts {
        events.push(event("response.output_text.delta", with("delta", text.as_str().into())));
    }
    events.push(event("response.output_text.done", with("text", part["text"].clone())));
    events.push(event("response.content_part.done", with("part", part.clone())));
    events.push(event("response.output_item.done", json!({"output_index": 0, "item": item})));
    events.push(event("response.completed", json!({"response": whole})));
    events
}

/// `tokens`: how long the answer is, if this ends it.
fn gemini(text: &str, tokens: Option<usize>) -> Value {
    let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": [{"text": text}]}});
    let mut usage = json!({"promptTokenCount": 24});
    if let Some(tokens) = tokens {
        candidate["finishReason"] = "STOP".into();
        usage["candidatesTokenCount"] = tokens.into();
        usage["totalTokenCount"] = (24 + tokens).into();
    }
    json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "bench", "responseId": "bench"})
}

fn gemini_stream(chunks: usize) -> Vec<String> {
    let last = chunks.saturating_sub(1);
    let event = |n: usize| gemini(&format!(" word{n}"), (n == last).then_some(chunks));
    (0..chunks).map(|n| format!("data: {}\n\n", event(n))).collect()
}

/// A body of prepared frames: all at once, or with a gap before each but the first.
#[derive(Debug)]
struct Answer {
    frames: Arc<[Bytes]>,
    next: usize,
    stream: bool,
    pace: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Answer {
    fn new(frames: Arc<[Bytes]>, stream: bool, gap: Option<Duration>) -> Self {
        let pace = gap.map(|gap| (gap, Box::pin(sleep_until(Instant::now()))));
        Self { frames, next: 0, stream, pace }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let Some(frame) = this.frames.get(this.next) else { return Poll::Ready(None) };
        if let Some((gap, sleep)) = &mut this.pace {
            ready!(sleep.as_mut().poll(context));
            sleep.as_mut().reset(Instant::now() + *gap);
        }
        this.next += 1;
        Poll::Ready(Some(Ok(Frame::data(frame.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.frames.len()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        // A stream goes out in chunks, as one does whose end is not known.
        if self.stream {
            return http_body::SizeHint::new();
        }
        http_body::SizeHint::with_exact(self.frames[self.next..].iter().map(|frame| frame.len() as u64).sum())
    }
}

/// Serves the answers from within a test; where.
#[cfg(test)]
pub(super) async fn spawn(protocol: Protocol, chunks: usize, gap: Duration) -> std::net::SocketAddr {
    let answers = Arc::new(Answers::new(protocol, chunks, gap));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, answers.clone()));
        }
    });
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_about_a_kilobyte() {
        for answer in [openai(), anthropic(), responses(&words(), 144), gemini(&words(), Some(144))] {
            let length = answer.to_string().len();
            assert!((800..1500).contains(&length), "{length}");
        }
    }

    #[test]
    fn streams_have_their_chunks_and_an_end() {
        let openai = openai_stream(7);
        assert_eq!(openai.iter().filter(|event| event.contains(" word")).count(), 7);
        assert_eq!(openai.last().map(String::as_str), Some("data: [DONE]\n\n"));
        let anthropic = anthropic_stream(7);
        assert_eq!(anthropic.iter().filter(|event| event.contains(" word")).count(), 7);
        assert!(anthropic.last().unwrap().starts_with("event: message_stop\n"));
        let responses = responses_stream(7);
        assert_eq!(
            responses.iter().filter(|event| event.starts_with("event: response.output_text.delta\n")).count(),
            7
        );
        assert!(responses.last().unwrap().starts_with("event: response.completed\ndata: {\"type\":"));
        let gemini = gemini_stream(7);
        assert_eq!(gemini.iter().filter(|event| event.contains(" word")).count(), 7);
        assert!(gemini.last().unwrap().contains("\"finishReason\":\"STOP\""));
    }
}
