//! The same client for programs without an async runtime.
//!
//! Invariant: every call here is the async one, driven by a runtime of the client's own; it refuses
//! to run inside of another runtime, where it would block what drives it.

use std::{mem, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Method;
use serde::Serialize;
use tokio::runtime::{Handle, Runtime};

use crate::{
    HttpBuilder, Pieces,
    answer::{Answer, Meta},
    error::{Error, Result},
    stream,
    types::{ChatCompletion, EmbeddingList, FeedbackResponse, InferenceList, InferenceResponse, Model, ModelList},
};

/// A client of a gateway: at an address, or in this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sabir {
    client: crate::Sabir,
    driver: Driver,
}

/// A streamed chat completion.
pub type ChatStream = AnswerStream<crate::ChatPieces>;
/// A streamed inference.
pub type InferenceStream = AnswerStream<crate::InferencePieces>;

/// A streamed answer: an iterator over its pieces. Dropping it ends the call.
#[derive(Debug)]
pub struct AnswerStream<K: Pieces> {
    stream: stream::AnswerStream<K>,
    driver: Driver,
}

/// A stream of events: each item is the data of one.
#[derive(Debug)]
pub struct RawStream {
    stream: stream::RawStream,
    driver: Driver,
}

/// Chat completions.
#[derive(Debug)]
pub struct Chat<'a>(&'a Sabir);

/// Embeddings.
#[derive(Debug)]
pub struct Embeddings<'a>(&'a Sabir);

/// The models that can be called.
#[derive(Debug)]
pub struct Models<'a>(&'a Sabir);

impl Sabir {
    /// Makes a blocking client of what would make an async one: [`crate::Sabir::http`].
    pub fn http(builder: HttpBuilder) -> Result<Self> {
        Self::new(|| builder.build())
    }

    /// Makes a blocking client of what would make an async one: [`crate::Sabir::embedded`].
    #[cfg(feature = "embedded")]
    pub fn embedded(builder: crate::EmbeddedBuilder) -> Result<Self> {
        Self::new(|| builder.build())
    }

    fn new(build: impl FnOnce() -> Result<crate::Sabir>) -> Result<Self> {
        let driver = Driver::new()?;
        let client = driver.run(async { build() })??;
        Ok(Self { client, driver })
    }

    /// The same client with another timeout.
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { client: self.client.with_timeout(timeout), driver: self.driver.clone() }
    }

    /// The same client with another number of retries.
    pub fn with_retries(&self, retries: u32) -> Self {
        Self { client: self.client.with_retries(retries), driver: self.driver.clone() }
    }

    /// The same client with one more header on each request.
    pub fn with_header(&self, name: &str, value: &str) -> Result<Self> {
        Ok(Self { client: self.client.with_header(name, value)?, driver: self.driver.clone() })
    }

    /// Chat completions, in OpenAI's shape.
    pub fn chat(&self) -> Chat<'_> {
        Chat(self)
    }

    /// Embeddings, in OpenAI's shape.
    pub fn embeddings(&self) -> Embeddings<'_> {
        Embeddings(self)
    }

    /// The models that can be called.
    pub fn models(&self) -> Models<'_> {
        Models(self)
    }

    /// Calls a model in TensorZero's shape.
    pub fn inference(&self, request: impl Serialize) -> Result<Answer<InferenceResponse>> {
        self.driver.run(self.client.inference(request))?
    }

    /// The same, piece by piece.
    pub fn inference_stream(&self, request: impl Serialize) -> Result<InferenceStream> {
        let stream = self.driver.run(self.client.inference_stream(request))??;
        Ok(AnswerStream { stream, driver: self.driver.clone() })
    }

    /// Says something about an inference or an episode.
    pub fn feedback(&self, request: impl Serialize) -> Result<Answer<FeedbackResponse>> {
        self.driver.run(self.client.feedback(request))?
    }

    /// Finds inferences in the ledger.
    pub fn list_inferences(&self, request: impl Serialize) -> Result<Answer<InferenceList>> {
        self.driver.run(self.client.list_inferences(request))?
    }

    /// The inferences with these ids.
    pub fn get_inferences(&self, ids: impl IntoIterator<Item = impl Into<String>>) -> Result<Answer<InferenceList>> {
        self.driver.run(self.client.get_inferences(ids))?
    }

    /// Any call that this client has no method for.
    pub fn request(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Answer<Bytes>> {
        self.driver.run(self.client.request(method, path, body))?
    }

    /// Any call whose answer is a stream of events.
    pub fn request_stream(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<RawStream> {
        let stream = self.driver.run(self.client.request_stream(method, path, body))??;
        Ok(RawStream { stream, driver: self.driver.clone() })
    }

    /// Closes the client and all of its clones.
    pub fn close(&self) -> Result<()> {
        self.driver.run(self.client.close())?
    }

    /// Whether the client is closed.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

impl Chat<'_> {
    /// Asks a model.
    pub fn create(&self, request: impl Serialize) -> Result<Answer<ChatCompletion>> {
        self.0.driver.run(self.0.client.chat().create(request))?
    }

    /// The same, piece by piece.
    pub fn stream(&self, request: impl Serialize) -> Result<ChatStream> {
        let stream = self.0.driver.run(self.0.client.chat().stream(request))??;
        Ok(AnswerStream { stream, driver: self.0.driver.clone() })
    }
}

impl Embeddings<'_> {
    /// Turns texts into vectors.
    pub fn create(&self, request: impl Serialize) -> Result<Answer<EmbeddingList>> {
        self.0.driver.run(self.0.client.embeddings().create(request))?
    }
}

impl Models<'_> {
    /// All of them.
    pub fn list(&self) -> Result<Answer<ModelList>> {
        self.0.driver.run(self.0.client.models().list())?
    }

    /// One by its name.
    pub fn retrieve(&self, model: &str) -> Result<Answer<Model>> {
        self.0.driver.run(self.0.client.models().retrieve(model))?
    }
}

impl<K: Pieces> AnswerStream<K> {
    /// What came before the first piece.
    pub fn meta(&self) -> &Meta {
        self.stream.meta()
    }

    /// What came so far, as a whole answer.
    pub fn so_far(&self) -> Result<K::Whole> {
        self.stream.so_far()
    }

    /// Reads the rest and gives the whole answer.
    pub fn whole(self) -> Result<K::Whole> {
        let Self { stream, driver } = self;
        driver.run(stream.whole())?
    }
}

impl<K: Pieces> Iterator for AnswerStream<K> {
    type Item = Result<K::Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        self.driver.run(self.stream.next()).unwrap_or_else(|error| Some(Err(error)))
    }
}

impl RawStream {
    /// What came before the first event.
    pub fn meta(&self) -> &Meta {
        self.stream.meta()
    }
}

impl Iterator for RawStream {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.driver.run(self.stream.next()).unwrap_or_else(|error| Some(Err(error)))
    }
}

/// What drives the calls of a client; its threads end with the last one who holds it.
#[derive(Debug, Clone)]
struct Driver(Arc<Threads>);

#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Driver {
    fn new() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("sabir")
            .enable_all()
            .build()
            .map_err(|e| Error::Config(format!("the runtime could not be started: {e}")))?;
        Ok(Self(Arc::new(Threads(Some(runtime)))))
    }

    fn run<T>(&self, call: impl Future<Output = T>) -> Result<T> {
        if Handle::try_current().is_ok() {
            let message = "the blocking client cannot be used inside of an async runtime: use the async one";
            return Err(Error::Request(message.to_owned()));
        }
        match &self.0.0 {
            Some(runtime) => Ok(runtime.block_on(call)),
            None => Err(Error::Closed),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Waiting for threads is not allowed inside of another runtime, where this may be dropped.
        if let Some(runtime) = mem::take(&mut self.0) {
            runtime.shutdown_background();
        }
    }
}
