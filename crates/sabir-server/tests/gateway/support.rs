//! A gateway in this process or in one of its own, and a caller that writes raw bytes.
//!
//! Invariant: every wait has an end, so a test that hangs fails instead.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

use parking_lot::Mutex;
use sabir_engine::{
    Engine,
    config::{Config, Source, env::Env},
};
use sabir_server::{app::App, serve};
use sabir_store::{InferenceQuery, Ledger, Record, SqliteLedger, sqlite::Options};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::mock::{self, Upstream};

/// The longest that anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway in this process.
pub(crate) struct Gateway {
    pub(crate) addr: SocketAddr,
    pub(crate) engine: Arc<Engine>,
    pub(crate) ledger: Arc<SqliteLedger>,
    /// Where the ledger is, as long as this is here.
    _dir: TempDir,
    stop: Option<oneshot::Sender<()>>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Gateway {
    /// One with this configuration and an empty environment.
    pub(crate) async fn start(toml: &str) -> Self {
        Self::with_env(toml, &[]).await
    }

    pub(crate) async fn with_env(toml: &str, env: &[(&str, &str)]) -> Self {
        let env = Env::of(env.iter().copied());
        let source = Source::Text { name: "sabir.toml".into(), text: toml.into() };
        let config = Config::load(&[source], &env).unwrap_or_else(|problems| panic!("{problems}"));
        let dir = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(&dir.path().join("ledger.sqlite"), Options::default()).unwrap();
        let grace = config.gateway.shutdown_grace;
        let engine = Engine::new(config, &env, Some(ledger.clone() as Arc<dyn Ledger>)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let router = serve::router(App::new(engine.clone()));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            serve::serve(
                listener,
                router,
                async {
                    drop(stopped.await);
                },
                grace,
            )
            .await;
        });
        Self { addr, engine, ledger, _dir: dir, stop: Some(stop), task: Some(task) }
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take() {
            tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
        }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.addr).await
    }

    /// One chat call on a connection of its own.
    pub(crate) async fn chat(&self, body: &str) -> Answer {
        self.client().await.chat(body).await
    }

    /// The row of the call that this answer belongs to.
    pub(crate) async fn row(&self, answer: &Answer) -> Record {
        let id = answer.header("x-sabir-inference-id").unwrap_or_else(|| panic!("no id in {}", answer.head));
        let query =
            InferenceQuery { ids: Some(vec![id.parse().unwrap()]), include_failed: true, ..InferenceQuery::default() };
        let mut rows = self.ledger.inferences(query).await.unwrap();
        assert_eq!(rows.len(), 1, "one row for {id}");
        rows.remove(0)
    }

    /// All rows, oldest first.
    pub(crate) async fn rows(&self) -> Vec<Record> {
        self.ledger.flush().await.unwrap();
        let query = InferenceQuery { include_failed: true, ..InferenceQuery::default() };
        let mut rows = self.ledger.inferences(query).await.unwrap();
        rows.sort_by_key(|row| row.inference.id);
        rows
    }

    /// Waits until there are so many rows.
    pub(crate) async fn until_rows(&self, count: usize) -> Vec<Record> {
        for _ in 0..500 {
            let rows = self.rows().await;
            if rows.len() >= count {
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} rows did not come");
    }
}

/// A model `m` with one OpenAI provider `a`, and more lines for the model.
pub(crate) fn model(upstream: &Upstream, lines: &str) -> String {
    model_at(&upstream.addr.to_string(), lines)
}

/// The same for any address.
pub(crate) fn model_at(addr: &str, lines: &str) -> String {
    format!("[models.m]\n{lines}\n{}", provider("m", "a", addr, ""))
}

/// One OpenAI provider of a model.
pub(crate) fn provider(model: &str, name: &str, addr: &str, lines: &str) -> String {
    format!(
        "[models.{model}.providers.{name}]\ntype = \"openai\"\nmodel_name = \"up-1\"\napi_base = \"http://{addr}/v1\"\n{}{lines}\n",
        if lines.contains("api_key_location") { "" } else { "api_key_location = \"none\"\n" }
    )
}

/// A model `m` with two providers: first `a`, then `b`.
pub(crate) fn two(a: &Upstream, b: &Upstream, lines: &str) -> String {
    format!(
        "[models.m]\nrouting = [\"a\", \"b\"]\n{lines}\n{}{}",
        provider("m", "a", &a.addr.to_string(), ""),
        provider("m", "b", &b.addr.to_string(), "")
    )
}

/// A plain call.
pub(crate) const CALL: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
/// The same, streamed.
pub(crate) const STREAM: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
/// A call that has to be read and written anew.
pub(crate) const REWRITTEN: &str =
    r#"{"model":"tensorzero::model_name::m","messages":[{"role":"user","content":"hi"}]}"#;
/// The same, streamed.
pub(crate) const REWRITTEN_STREAM: &str =
    r#"{"model":"tensorzero::model_name::m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

/// A connection of a caller.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    held: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its proper end.
    pub(crate) complete: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        mock::header(&self.head, name)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The error object of an answer in OpenAI's shape: all four members are there.
    #[track_caller]
    pub(crate) fn error(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}{}", self.head, String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), Some("application/json"));
        error_of(&self.json())
    }
}

/// The error object in OpenAI's shape: all four members are there, message and type with words.
#[track_caller]
pub(crate) fn error_of(value: &Value) -> Value {
    let error = &value["error"];
    let members = error.as_object().unwrap_or_else(|| panic!("no error object in {value}"));
    for name in ["message", "type", "param", "code"] {
        assert!(members.contains_key(name), "`{name}` is missing in {value}");
    }
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{value}");
    assert!(error["type"].as_str().is_some_and(|text| !text.is_empty()), "{value}");
    error.clone()
}

/// The JSON events of a stream, without the end marker.
pub(crate) fn events(body: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(body)
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap_or_else(|e| panic!("{e}: {data}")))
        .collect()
}

/// The texts of a stream, joined.
pub(crate) fn said(body: &[u8]) -> String {
    events(body)
        .iter()
        .filter_map(|event| event.pointer("/choices/0/delta/content")?.as_str().map(str::to_owned))
        .collect()
}

/// A request's bytes.
pub(crate) fn post(path: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    out.extend_from_slice(body);
    out
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, held: Vec::new() }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// A chat call from beginning to end.
    pub(crate) async fn chat(&mut self, body: &str) -> Answer {
        self.chat_with("", body).await
    }

    /// The same with more header lines (each with its line end).
    pub(crate) async fn chat_with(&mut self, headers: &str, body: &str) -> Answer {
        self.write(&post("/v1/chat/completions", headers, body.as_bytes())).await;
        self.answer().await
    }

    /// Reads a whole answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        tokio::time::timeout(PATIENCE, self.try_answer()).await.expect("no answer came").expect("the connection broke")
    }

    /// Reads a whole answer; `None` if the connection ends before its head.
    pub(crate) async fn try_answer(&mut self) -> Option<Answer> {
        let mut answer = self.head().await?;
        let chunked = answer.header("transfer-encoding").is_some_and(|v| v.contains("chunked"));
        let length: Option<usize> = answer.header("content-length").map(|v| v.parse().unwrap());
        if chunked {
            while let Some(piece) = self.piece().await {
                if piece.is_empty() {
                    answer.complete = true;
                    break;
                }
                answer.body.extend_from_slice(&piece);
            }
        } else if let Some(length) = length {
            while self.held.len() < length {
                if !self.more().await {
                    break;
                }
            }
            answer.complete = self.held.len() >= length;
            answer.body = self.held.drain(..length.min(self.held.len())).collect();
        } else {
            while self.more().await {}
            answer.body = std::mem::take(&mut self.held);
            answer.complete = true;
        }
        Some(answer)
    }

    /// Reads an answer's head.
    pub(crate) async fn head(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(at) = self.held.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more().await {
                return None;
            }
        };
        let head = String::from_utf8(self.held.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some(Answer { status, head, body: Vec::new(), complete: false })
    }

    /// Reads one chunk of a chunked body: empty at its end, `None` if the connection ends first.
    pub(crate) async fn piece(&mut self) -> Option<Vec<u8>> {
        let line = loop {
            if let Some(at) = self.held.windows(2).position(|w| w == b"\r\n") {
                break at;
            }
            if !self.more().await {
                return None;
            }
        };
        let size = usize::from_str_radix(std::str::from_utf8(&self.held[..line]).unwrap(), 16).unwrap();
        while self.held.len() < line + 2 + size + 2 {
            if !self.more().await {
                return None;
            }
        }
        let piece = self.held[line + 2..line + 2 + size].to_vec();
        self.held.drain(..line + 2 + size + 2);
        Some(piece)
    }

    async fn more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.held).await, Ok(read) if read > 0)
    }
}

/// The binary, in a process of its own. Killed when dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) addr: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Process {
    /// Serves this configuration file with the ledger in that folder, and nothing of our environment.
    pub(crate) fn start(config: &Path, data: &Path, env: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sabir"))
            .args(["serve", "--bind", "127.0.0.1:0", "--config"])
            .arg(config)
            .arg("--data-dir")
            .arg(data)
            .env_clear()
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut errors = child.stderr.take().unwrap();
        let written = log.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = errors.read(&mut buffer) {
                written.lock().push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, told) = mpsc::channel();
        let all = log.clone();
        std::thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                if let Some(addr) = line.strip_prefix("sabir listening on http://") {
                    tell.send(addr.parse().unwrap()).unwrap();
                }
                all.lock().push_str(&line);
            }
        });
        let addr = told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it does not listen: {}", log.lock()));
        Self { child, addr, log }
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().clone()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let done = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success(), "SIG{name} could not be sent");
    }

    /// Waits for its end; its exit code, or nothing if a signal ended it.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        for _ in 0..2000 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it does not end: {}", self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The rows of a ledger that nobody has open any more.
pub(crate) async fn rows_in(data: &Path) -> Vec<Record> {
    let ledger = SqliteLedger::open(&data.join("ledger.sqlite"), Options::default()).unwrap();
    let query = InferenceQuery { include_failed: true, ..InferenceQuery::default() };
    let rows = ledger.inferences(query).await.unwrap();
    ledger.close();
    rows
}
