//! The four ways, behind one face; and a server that answers what a test wants.
//!
//! Invariant: every wait has an end, so a test that hangs fails instead.

use std::{fmt::Debug, net::SocketAddr, time::Duration};

use sabir::{
    Answer, Result, Sabir, blocking,
    types::{
        ChatCompletion, ChatCompletionChunk, EmbeddingList, FeedbackResponse, InferenceChunk, InferenceList,
        InferenceResponse, Model, ModelList,
    },
};
use sabir_engine::config::{Config, Source, env::Env};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) use crate::script::{PATIENCE, Reply, Script};

pub(crate) const CONFIG: &str = r#"
[gateway]
circuit_breaker.enabled = false

[metrics.helpful]
type = "boolean"
level = "inference"
optimize = "max"

[models.good.providers.dummy]
type = "dummy"
model_name = "good"
tokens_per_second = 10000

[models.echo.providers.dummy]
type = "dummy"
model_name = "echo"
tokens_per_second = 10000

[models.tool.providers.dummy]
type = "dummy"
model_name = "tool"
tokens_per_second = 10000

[models.thinker.providers.dummy]
type = "dummy"
model_name = "reasoner_with_signature"
tokens_per_second = 10000

[models.trickle.providers.dummy]
type = "dummy"
model_name = "good"
# Sixteen pieces: whoever waits for all of them waits longer than a test may.
tokens_per_second = 0.6

[models.late.providers.dummy]
type = "dummy"
model_name = "echo"
delay_ms = 60000

[embedding_models.vectors]
routing = ["dummy"]
[embedding_models.vectors.providers.dummy]
type = "dummy"
model_name = "vectors"
"#;

/// One of the four ways.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) client: Client,
    _gateway: Option<Gateway>,
    _ledger: TempDir,
}

pub(crate) enum Client {
    Async(Runtime, Sabir),
    Blocking(blocking::Sabir),
}

/// The pieces of a stream, and what they make together.
pub(crate) type Pieces<P, W> = (Vec<P>, W);

/// All four, each with a ledger of its own.
pub(crate) fn ways() -> Vec<Way> {
    let mut ways = Vec::new();
    for is_async in [true, false] {
        let ledger = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(CONFIG, &ledger);
        let builder = Sabir::http(format!("http://{}", gateway.address)).retries(0);
        let (name, client) = if is_async {
            ("http, async", Client::Async(runtime(), builder.build().unwrap()))
        } else {
            ("http, blocking", Client::Blocking(blocking::Sabir::http(builder).unwrap()))
        };
        ways.push(Way { name, client, _gateway: Some(gateway), _ledger: ledger });
    }
    for is_async in [true, false] {
        let ledger = tempfile::tempdir().unwrap();
        let builder = Sabir::embedded(CONFIG).variables([("", ""); 0]).ledger(ledger.path()).retries(0);
        let (name, client) = if is_async {
            let runtime = runtime();
            let client = runtime.block_on(async { builder.build().unwrap() });
            ("embedded, async", Client::Async(runtime, client))
        } else {
            ("embedded, blocking", Client::Blocking(blocking::Sabir::embedded(builder).unwrap()))
        };
        ways.push(Way { name, client, _gateway: None, _ledger: ledger });
    }
    ways
}

/// Runs a scenario all four ways; what it gives has to be the same each time.
#[track_caller]
pub(crate) fn everywhere<T: PartialEq + Debug>(scenario: impl Fn(&Client) -> T) -> T {
    let mut first = None;
    for way in ways() {
        let here = scenario(&way.client);
        match &first {
            None => first = Some(here),
            Some(first) => assert_eq!(&here, first, "{} differs", way.name),
        }
    }
    first.unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Calls the same thing on whatever client it is.
macro_rules! call {
    ($self:ident, $client:ident => $call:expr) => {
        match $self {
            Self::Async(runtime, $client) => {
                runtime.block_on(async { tokio::time::timeout(PATIENCE, $call).await.unwrap() })
            }
            Self::Blocking($client) => $call.send(),
        }
    };
}

impl Client {
    pub(crate) fn chat(&self, request: Value) -> Result<Answer<ChatCompletion>> {
        call!(self, client => client.chat().create(&request))
    }

    pub(crate) fn embed(&self, request: Value) -> Result<Answer<EmbeddingList>> {
        call!(self, client => client.embeddings().create(&request))
    }

    pub(crate) fn models(&self) -> Result<Answer<ModelList>> {
        call!(self, client => client.models().list())
    }

    pub(crate) fn model(&self, name: &str) -> Result<Answer<Model>> {
        call!(self, client => client.models().retrieve(name))
    }

    pub(crate) fn inference(&self, request: Value) -> Result<Answer<InferenceResponse>> {
        call!(self, client => client.inference(&request))
    }

    pub(crate) fn feedback(&self, request: Value) -> Result<Answer<FeedbackResponse>> {
        call!(self, client => client.feedback(&request))
    }

    pub(crate) fn list(&self, request: Value) -> Result<Answer<InferenceList>> {
        call!(self, client => client.list_inferences(&request))
    }

    pub(crate) fn get(&self, ids: &[&str]) -> Result<Answer<InferenceList>> {
        call!(self, client => client.get_inferences(ids.iter().copied()))
    }

    pub(crate) fn close(&self) -> Result<()> {
        match self {
            Self::Async(runtime, client) => runtime.block_on(client.close()),
            Self::Blocking(client) => client.close(),
        }
    }

    pub(crate) fn patient(&self, timeout: Duration) -> Result<Answer<ChatCompletion>> {
        let request = ask("late");
        match self {
            Self::Async(runtime, client) => {
                runtime.block_on(client.with_timeout(timeout).chat().create(&request).send())
            }
            Self::Blocking(client) => client.with_timeout(timeout).chat().create(&request).send(),
        }
    }

    /// A whole stream; an error within it is the result.
    pub(crate) fn chat_stream(&self, request: Value) -> Result<Pieces<ChatCompletionChunk, ChatCompletion>> {
        match self {
            Self::Async(runtime, client) => runtime.block_on(async {
                let mut stream = client.chat().stream(&request).await?;
                let mut pieces = Vec::new();
                while let Some(piece) = stream.next().await {
                    pieces.push(piece?);
                }
                Ok((pieces, stream.so_far()?))
            }),
            Self::Blocking(client) => {
                let mut stream = client.chat().stream(&request)?;
                let pieces = stream.by_ref().collect::<Result<_>>()?;
                Ok((pieces, stream.so_far()?))
            }
        }
    }

    pub(crate) fn inference_stream(&self, request: Value) -> Result<Pieces<InferenceChunk, InferenceResponse>> {
        match self {
            Self::Async(runtime, client) => runtime.block_on(async {
                let mut stream = client.inference_stream(&request).await?;
                let mut pieces = Vec::new();
                while let Some(piece) = stream.next().await {
                    pieces.push(piece?);
                }
                Ok((pieces, stream.so_far()?))
            }),
            Self::Blocking(client) => {
                let mut stream = client.inference_stream(&request)?;
                let pieces = stream.by_ref().collect::<Result<_>>()?;
                Ok((pieces, stream.so_far()?))
            }
        }
    }

    /// Reads one piece of a stream that would take minutes, and leaves; the id of the inference.
    pub(crate) fn leave(&self, request: Value) -> String {
        match self {
            Self::Async(runtime, client) => runtime.block_on(async {
                let mut stream = client.chat().stream(&request).await.unwrap();
                stream.next().await.unwrap().unwrap();
                stream.meta().inference_id().unwrap().to_owned()
            }),
            Self::Blocking(client) => {
                let mut stream = client.chat().stream(&request).unwrap();
                stream.next().unwrap().unwrap();
                stream.meta().inference_id().unwrap().to_owned()
            }
        }
    }
}

/// A plain question.
pub(crate) fn ask(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hello there"}]})
}

/// A gateway on a port of its own.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    _runtime: Runtime,
}

impl Gateway {
    pub(crate) fn start(toml: &str, ledger: &TempDir) -> Self {
        let env = Env::of([("", ""); 0]);
        let source = Source::Text { name: "sabir.toml".into(), text: toml.into() };
        let config = Config::load(&[source], &env).unwrap_or_else(|problems| panic!("{problems}"));
        let file = ledger.path().join("ledger.sqlite");
        let ledger = sabir_store::SqliteLedger::open(&file, sabir_store::sqlite::Options::default()).unwrap();
        let runtime = runtime();
        let address = runtime.block_on(async {
            let engine = sabir_engine::Engine::new(config, &env, Some(ledger)).unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let router = sabir_server::serve::router(sabir_server::app::App::new(engine));
            tokio::spawn(sabir_server::serve::serve(listener, router, std::future::pending(), PATIENCE));
            address
        });
        Self { address, _runtime: runtime }
    }
}
