//! A provider that misbehaves by script: bytes on a raw socket, so that it can send anything.
//!
//! Invariant: it records every request byte for byte, and the moment at which a connection was
//! closed by the other side while a script was waiting.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// One step of a script.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Writes these bytes.
    Send(Vec<u8>),
    /// Waits.
    Wait(Duration),
    /// Waits until the test opens the gate.
    Gate(Arc<Notify>),
    /// Keeps the connection open until the other side closes it.
    Hang,
    /// Writes these bytes again and again until the other side closes.
    Forever(Vec<u8>),
    /// Closes with a reset.
    Reset,
    /// Closes.
    Close,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A header's value in a head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The server.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) addr: SocketAddr,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    seen: Mutex<Vec<Seen>>,
    closed: Mutex<Vec<Instant>>,
    connections: Mutex<usize>,
    news: Notify,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Upstream {
    /// Answers the n-th request (from 0, over all connections) with the script for it.
    pub(crate) async fn start(script: impl Fn(usize, &Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let script = Arc::new(script);
        let shared = state.clone();
        let task = tokio::spawn(async move {
            // Connections die with the server.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                *shared.connections.lock() += 1;
                let (state, script) = (shared.clone(), script.clone());
                connections.spawn(async move { connection(stream, &state, &*script).await });
            }
        });
        Self { addr, state, task }
    }

    /// Answers every request with the same script.
    pub(crate) async fn always(steps: Vec<Step>) -> Self {
        Self::start(move |_, _| steps.clone()).await
    }

    /// Answers the requests with these scripts in turn; the last one is repeated.
    pub(crate) async fn turns(scripts: Vec<Vec<Step>>) -> Self {
        Self::start(move |n, _| scripts[n.min(scripts.len() - 1)].clone()).await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.state.seen.lock().len()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.state.connections.lock()
    }

    /// Waits until so many requests have come.
    pub(crate) async fn arrived(&self, count: usize) {
        self.until(|state| state.seen.lock().len() >= count, "a request").await;
    }

    /// Waits until so many connections were closed by the other side; the moment of the last.
    pub(crate) async fn closed(&self, count: usize) -> Instant {
        self.until(|state| state.closed.lock().len() >= count, "the end of a connection").await;
        self.state.closed.lock()[count - 1]
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool, what: &str) {
        let wait = async {
            loop {
                let news = self.state.news.notified();
                if is_so(&self.state) {
                    return;
                }
                news.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap_or_else(|_| panic!("{what} did not come"));
    }
}

async fn connection(mut stream: TcpStream, state: &State, script: &(dyn Fn(usize, &Seen) -> Vec<Step> + Send + Sync)) {
    let mut held = Vec::new();
    loop {
        let Some(request) = read_request(&mut stream, &mut held).await else { return };
        let n = {
            let mut seen = state.seen.lock();
            seen.push(request.clone());
            seen.len() - 1
        };
        let steps = script(n, &request);
        state.news.notify_waiters();
        if !play(&mut stream, steps, state).await {
            return;
        }
    }
}

/// Plays a script; `false` if the connection is over.
async fn play(stream: &mut TcpStream, steps: Vec<Step>, state: &State) -> bool {
    let gone = || {
        state.closed.lock().push(Instant::now());
        state.news.notify_waiters();
        false
    };
    for step in steps {
        match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return gone();
                }
            }
            Step::Wait(time) => {
                tokio::select! {
                    () = tokio::time::sleep(time) => {}
                    () = closing(stream) => return gone(),
                }
            }
            Step::Gate(gate) => {
                tokio::select! {
                    () = gate.notified() => {}
                    () = closing(stream) => return gone(),
                }
            }
            Step::Hang => {
                closing(stream).await;
                return gone();
            }
            Step::Forever(bytes) => loop {
                if stream.write_all(&bytes).await.is_err() {
                    return gone();
                }
            },
            Step::Reset => {
                #[expect(deprecated, reason = "a reset needs a linger time of nothing")]
                stream.set_linger(Some(Duration::ZERO)).unwrap();
                return false;
            }
            Step::Close => return false,
        }
    }
    true
}

/// Resolves when the other side closes. A request that comes early stays where it is.
async fn closing(stream: &TcpStream) {
    let mut buffer = [0; 1];
    loop {
        match stream.peek(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

async fn read_request(stream: &mut TcpStream, held: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(at) = held.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(held).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(held[..end].to_vec()).unwrap();
    if header(&head, "transfer-encoding").is_some() {
        held.drain(..end);
        let body = read_chunks(stream, held).await?;
        return Some(Seen { head, body, at: Instant::now() });
    }
    let length: usize = header(&head, "content-length").map_or(0, |v| v.parse().unwrap());
    while held.len() < end + length {
        if stream.read_buf(held).await.ok()? == 0 {
            return None;
        }
    }
    let body = held[end..end + length].to_vec();
    held.drain(..end + length);
    Some(Seen { head, body, at: Instant::now() })
}

/// A body in chunks, put together.
async fn read_chunks(stream: &mut TcpStream, held: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = held.windows(2).position(|w| w == b"\r\n");
        let size = line.map(|at| usize::from_str_radix(std::str::from_utf8(&held[..at]).unwrap(), 16).unwrap());
        match (line, size) {
            (Some(at), Some(size)) if held.len() >= at + 2 + size + 2 => {
                body.extend_from_slice(&held[at + 2..at + 2 + size]);
                held.drain(..at + 2 + size + 2);
                if size == 0 {
                    return Some(body);
                }
            }
            _ => {
                if stream.read_buf(held).await.ok()? == 0 {
                    return None;
                }
            }
        }
    }
}

/// Writes these bytes.
pub(crate) fn send(bytes: impl AsRef<[u8]>) -> Step {
    Step::Send(bytes.as_ref().to_vec())
}

/// A whole answer of any status and content type.
pub(crate) fn answer(status: u16, kind: &str, more: &str, body: impl AsRef<[u8]>) -> Step {
    let body = body.as_ref();
    let mut out =
        format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{more}content-length: {}\r\n\r\n", body.len())
            .into_bytes();
    out.extend_from_slice(body);
    Step::Send(out)
}

/// A whole JSON answer.
pub(crate) fn json(status: u16, body: impl AsRef<[u8]>) -> Step {
    answer(status, "application/json", "", body)
}

/// A failure as OpenAI words it.
pub(crate) fn failure(status: u16, code: &str, message: &str) -> Step {
    json(status, format!(r#"{{"error":{{"message":"{message}","type":"t","param":null,"code":"{code}"}}}}"#))
}

/// A good whole answer with this text.
pub(crate) fn good(text: &str) -> Step {
    json(200, chat(text))
}

/// The body of a good whole answer.
pub(crate) fn chat(text: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"up-1","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}}}"#
    )
}

/// The head of a chunked event stream.
pub(crate) fn stream_head() -> Step {
    send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n")
}

/// One chunk of a chunked body.
pub(crate) fn chunk(bytes: impl AsRef<[u8]>) -> Step {
    let bytes = bytes.as_ref();
    let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    Step::Send(out)
}

/// The end of a chunked body.
pub(crate) fn last_chunk() -> Step {
    send("0\r\n\r\n")
}

/// An event with a piece of text.
pub(crate) fn delta(text: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"up-1\",\"choices\":[{{\"index\":0,\"delta\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
    )
}

/// The event that says why it ends, and the one with usage.
pub(crate) fn finish() -> String {
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"up-1\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\ndata: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"up-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10}}\n\n".to_owned()
}

/// The end marker.
pub(crate) const DONE: &str = "data: [DONE]\n\n";

/// A good stream with these pieces of text.
pub(crate) fn good_stream(texts: &[&str]) -> Vec<Step> {
    let mut steps = vec![stream_head()];
    steps.extend(texts.iter().map(|text| chunk(delta(text))));
    steps.extend([chunk(finish()), chunk(DONE), last_chunk()]);
    steps
}
