//! The client.
//!
//! Invariants: each client has threads of its own, which end when it is closed, or when neither it
//! nor a stream of its answers is held any more; a client is of no use in a process that was forked
//! from the one that made it, and says so.

use std::{path::PathBuf, sync::Arc, time::Duration};

use parking_lot::Mutex;
use pyo3::{exceptions::PyValueError, prelude::*};
use sabir::{Error, HeaderMap, Method, Sabir, StatusCode, Timeouts};
use tokio::runtime::{Handle, Runtime};

use crate::{
    outcome::Outcome,
    stream::{Inside, Stream},
    upload::Payload,
    waiting::{self, Task},
};

/// How long what runs may take to end when the client is closed.
const CLOSING: Duration = Duration::from_secs(1);

type Pairs = Vec<(String, String)>;

/// A client: at an address, or with a gateway in this process.
#[pyclass(frozen)]
pub(crate) struct Client {
    shared: Arc<Shared>,
}

/// What a client and its streams hold together.
pub(crate) struct Shared {
    running: Mutex<Option<Running>>,
    process: u32,
}

struct Running {
    client: Sabir,
    runtime: Runtime,
}

/// What a call needs beside its path.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Options {
    headers: Pairs,
    timeout: Option<Silence>,
    retries: Option<u32>,
    /// `True` for the events of a stream with an end marker, `"events"` for those of any stream with
    /// their names, `"bytes"` for the body piece by piece.
    stream: Mode,
}

/// How many seconds of silence are allowed: of any kind, or when reading and when writing.
#[derive(FromPyObject)]
enum Silence {
    Any(f64),
    Each(f64, f64),
}

/// What a connection needs beside its address.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Connecting {
    roots: Option<Vec<u8>>,
    connect: Option<f64>,
    proxy: Option<String>,
    /// Whether the proxies count that the environment names.
    environment: bool,
}

/// How the answer is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Whole,
    Marked,
    Events,
    Bytes,
}

impl<'py> FromPyObject<'_, 'py> for Mode {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(stream) = value.extract::<bool>() {
            return Ok(if stream { Self::Marked } else { Self::Whole });
        }
        match &*value.extract::<String>()? {
            "events" => Ok(Self::Events),
            "bytes" => Ok(Self::Bytes),
            other => Err(PyValueError::new_err(format!("stream: `{other}` is no way to read an answer"))),
        }
    }
}

#[pymethods]
impl Client {
    /// A client of the gateway at an address; an outcome if there can be none.
    #[staticmethod]
    fn http(
        py: Python<'_>,
        url: &str,
        key: Option<&str>,
        headers: Pairs,
        connecting: Connecting,
    ) -> PyResult<(Option<Self>, Option<Outcome>)> {
        let mut builder = Sabir::http(url).header("user-agent", concat!("sabir-python/", env!("CARGO_PKG_VERSION")));
        if let Some(key) = key {
            builder = builder.key(key);
        }
        if let Some(roots) = &connecting.roots {
            builder = builder.root_certificates(roots);
        }
        match connecting.proxy {
            Some(proxy) => builder = builder.proxy(proxy),
            None if !connecting.environment => builder = builder.without_proxy(),
            None => {}
        }
        match connecting.connect.map(duration).transpose() {
            Ok(None) => {}
            Ok(Some(connect)) => builder = builder.timeouts(Timeouts { connect, ..Timeouts::default() }),
            Err(error) => return Ok((None, Some(Outcome::error(&error)))),
        }
        for (name, value) in &headers {
            builder = builder.header(name, value);
        }
        Self::made(py, move || builder.build())
    }

    /// A client with a gateway of its own; an outcome if there can be none.
    #[staticmethod]
    fn embedded(
        py: Python<'_>,
        config: Option<&str>,
        files: Option<&str>,
        ledger: Option<PathBuf>,
        variables: Option<Pairs>,
    ) -> PyResult<(Option<Self>, Option<Outcome>)> {
        let mut builder = match files {
            Some(files) => Sabir::embedded_files(files),
            None => Sabir::embedded(config.unwrap_or_default()),
        };
        if let Some(folder) = ledger {
            builder = builder.ledger(folder);
        }
        if let Some(variables) = variables {
            builder = builder.variables(variables);
        }
        Self::made(py, move || builder.build())
    }

    /// Calls, and waits for the answer.
    fn call(
        &self,
        py: Python<'_>,
        method: &str,
        path: String,
        body: Option<Payload<'_>>,
        options: Options,
    ) -> PyResult<Outcome> {
        match self.prepared(method, path, body, options) {
            Ok((runtime, call)) => waiting::wait(py, &runtime, call),
            Err(error) => Ok(Outcome::error(&error)),
        }
    }

    /// Calls, and tells `done` of the answer; an outcome if the call cannot begin.
    fn start(
        &self,
        method: &str,
        path: String,
        body: Option<Payload<'_>>,
        options: Options,
        done: Py<PyAny>,
    ) -> (Option<Task>, Option<Outcome>) {
        match self.prepared(method, path, body, options) {
            Ok((runtime, call)) => (Some(waiting::start(&runtime, call, done)), None),
            Err(error) => (None, Some(Outcome::error(&error))),
        }
    }

    /// Ends all calls, writes what the ledger has queued, and lets go of everything. Waits for it.
    fn close(&self, py: Python<'_>) -> Outcome {
        let running = self.shared.running.lock().take();
        match running {
            // The threads of another process are not here.
            Some(running) if self.shared.process != std::process::id() => {
                std::mem::forget(running);
                Outcome::end()
            }
            Some(Running { client, runtime }) => py.detach(move || {
                let closed = runtime.block_on(client.close());
                runtime.shutdown_timeout(CLOSING);
                closed.map_or_else(|error| Outcome::error(&error), |()| Outcome::end())
            }),
            None => Outcome::end(),
        }
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.shared.running.lock().is_none()
    }
}

impl Client {
    fn made(
        py: Python<'_>,
        build: impl FnOnce() -> sabir::Result<Sabir> + Send,
    ) -> PyResult<(Option<Self>, Option<Outcome>)> {
        let made = py.detach(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .thread_name("sabir")
                .enable_all()
                .build()
                .map_err(|e| Error::Config(format!("threads could not be started: {e}")))?;
            let client = {
                let _inside = runtime.enter();
                build()?
            };
            Ok(Running { client, runtime })
        });
        Ok(match made {
            Ok(running) => {
                let (running, process) = (Mutex::new(Some(running)), std::process::id());
                (Some(Self { shared: Arc::new(Shared { running, process }) }), None)
            }
            Err(error) => (None, Some(Outcome::error(&error))),
        })
    }

    /// A call that is ready to run, and where to.
    fn prepared(
        &self,
        method: &str,
        path: String,
        body: Option<Payload<'_>>,
        options: Options,
    ) -> sabir::Result<(Handle, impl Future<Output = Outcome> + Send + use<>)> {
        if self.shared.process != std::process::id() {
            let message = "the client was made before this process was forked: make one in each process";
            return Err(Error::Request(message.to_owned()));
        }
        let (mut client, runtime) = match &*self.shared.running.lock() {
            Some(running) => (running.client.clone(), running.runtime.handle().clone()),
            None => return Err(Error::Closed),
        };
        let mut settings = sabir::Options::new();
        match options.timeout {
            None => {}
            Some(Silence::Any(seconds)) => settings = settings.timeout(duration(seconds)?),
            Some(Silence::Each(read, write)) => {
                let (read, write) = (duration(read)?, duration(write)?);
                settings = settings.timeouts(Timeouts { read, write, ..Timeouts::default() });
            }
        }
        if let Some(retries) = options.retries {
            settings = settings.retries(retries);
        }
        for (name, value) in options.headers {
            settings = settings.header(name, value);
        }
        client = client.with_options(settings)?;
        let method: Method = method.parse().map_err(|_| Error::Request(format!("`{method}` is not a method")))?;
        let (body, mode, inside) = (body.map(Payload::bytes), options.stream, runtime.clone());
        // A call does not keep the client: who lets go of that ends its calls.
        let shared = Arc::downgrade(&self.shared);
        let call = async move {
            let answered = match mode {
                Mode::Whole => match client.request(method, &path, body).await {
                    Ok(answer) => return Outcome::answer(answer.meta(), Some(answer.body().to_vec()), None),
                    Err(error) => Err(error),
                },
                Mode::Marked => {
                    client.request_stream(method, &path, body).await.map(|stream| Inside::Marked(Box::new(stream)))
                }
                Mode::Events => client.request_body(method, &path, body).await.map(Inside::events),
                Mode::Bytes => client.request_body(method, &path, body).await.map(Inside::Bytes),
            };
            match (answered, shared.upgrade()) {
                (Ok(stream), Some(shared)) => Stream::opened(stream, inside, shared),
                (Ok(_), None) => Outcome::closed(),
                (Err(error), _) => Outcome::error(&error),
            }
        };
        Ok((runtime, call))
    }
}

fn duration(seconds: f64) -> sabir::Result<Duration> {
    // `inf` is how Python says that there is no limit; a century does.
    Duration::try_from_secs_f64(seconds.min(3.2e9))
        .map_err(|_| Error::Request("timeout: expected seconds, from 0".to_owned()))
}

impl Drop for Shared {
    fn drop(&mut self) {
        let Some(running) = self.running.get_mut().take() else { return };
        if self.process != std::process::id() {
            std::mem::forget(running);
            return;
        }
        // Python may let go of it in any thread: nobody waits for the calls that run.
        running.runtime.shutdown_background();
    }
}

/// The seconds to wait before a call is tried again that ended like this; nothing if it is not.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "what Python gives is made anew for the call")]
pub(crate) fn retry_delay(status: Option<u16>, headers: Pairs, done: u32) -> Option<f64> {
    let pair = |(name, value): &(String, String)| Some((name.parse().ok()?, value.parse().ok()?));
    let headers: HeaderMap = headers.iter().filter_map(pair).collect();
    let status = status.map(StatusCode::from_u16).transpose().ok()?;
    sabir::delay(status, &headers, done).map(|wait| wait.as_secs_f64())
}
