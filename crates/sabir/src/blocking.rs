//! The same client for programs without an async runtime.
//!
//! Invariant: every call here is the async one, driven by a runtime of the client's own; it refuses
//! to run inside of another runtime, where it would block what drives it.

use std::{future::IntoFuture, mem, ops::Deref, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_core::Stream;
use http::Method;
use tokio::runtime::{Handle, Runtime};

use crate::{
    AzureBuilder, HttpBuilder, Options, Pieces,
    answer::Answer,
    call::Surface,
    error::{Error, Result},
    stream::{AnswerStream, RawStream},
};

/// A client of a gateway: at an address, or in this process. Cheap to clone.
///
/// It has the calls of [`crate::Sabir`]: what is awaited there is [sent](crate::Call::send) here,
/// and what is a stream there is an iterator here. What is left is run by [`wait`](Self::wait).
#[derive(Debug, Clone)]
pub struct Sabir {
    client: crate::Sabir,
    driver: Driver,
}

/// What comes piece by piece: an iterator. Dropping it ends the call.
#[derive(Debug)]
pub struct Flow<S> {
    stream: S,
    driver: Driver,
}

impl Sabir {
    /// Makes a blocking client of what would make an async one: [`crate::Sabir::http`].
    pub fn http(builder: HttpBuilder) -> Result<Self> {
        Self::new(|| builder.build())
    }

    /// Makes a blocking client of what would make an async one: [`crate::Sabir::azure`].
    pub fn azure(builder: AzureBuilder) -> Result<Self> {
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

    /// The async client within, for [`wait`](Self::wait).
    pub fn client(&self) -> &crate::Sabir {
        &self.client
    }

    /// Waits for anything async, like what a chat engine does.
    pub fn wait<F: IntoFuture>(&self, future: F) -> Result<F::Output> {
        self.driver.run(future.into_future())
    }

    /// An iterator over any stream.
    pub fn iterate<S: Stream + Unpin + 'static>(&self, stream: S) -> Flow<S> {
        self.flow(stream)
    }

    /// The same client with other settings.
    pub fn with_options(&self, options: Options) -> Result<Self> {
        Ok(Self { client: self.client.with_options(options)?, driver: self.driver.clone() })
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

    /// Any call that this client has no method for.
    pub fn request(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Answer<Bytes>> {
        self.driver.run(self.client.request(method, path, body))?
    }

    /// Any call whose answer is a stream of events.
    pub fn request_stream(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Flow<RawStream>> {
        Ok(self.flow(self.driver.run(self.client.request_stream(method, path, body))??))
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

impl Surface for Sabir {
    type Reply<T> = Result<T>;
    type Flow<S: 'static> = Flow<S>;

    fn client(&self) -> &crate::Sabir {
        &self.client
    }

    fn reply<T: 'static>(&self, future: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        self.driver.run(future)?
    }

    fn flow<S: 'static>(&self, stream: S) -> Flow<S> {
        Flow { stream, driver: self.driver.clone() }
    }
}

impl<S> Flow<S> {
    /// The stream within.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S> Deref for Flow<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.stream
    }
}

impl<K: Pieces> Flow<AnswerStream<K>> {
    /// Reads the rest and gives the whole answer.
    pub fn whole(self) -> Result<K::Whole> {
        let Self { stream, driver } = self;
        driver.run(stream.whole())?
    }
}

impl Flow<crate::BodyStream> {
    /// Writes what is left into a file while it comes; how much that was.
    pub fn write_to(self, path: impl AsRef<std::path::Path>) -> Result<u64> {
        let Self { stream, driver } = self;
        driver.run(stream.write_to(path))?
    }
}

impl<S, T> Iterator for Flow<S>
where
    S: Stream<Item = Result<T>> + Unpin,
{
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        let stream = &mut self.stream;
        let next = std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx));
        self.driver.run(next).unwrap_or_else(|error| Some(Err(error)))
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
