//! Waiting for a call: in a thread of Python's, or by being told.
//!
//! Invariants: a thread that waits holds no lock of the interpreter and sees Ctrl-C within moments;
//! who is to be told is told exactly once, even if the call was dropped half-way.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

use pyo3::prelude::*;
use tokio::{runtime::Handle, task::AbortHandle};

use crate::outcome::Outcome;

/// How long a signal may wait for the thread that handles it.
const LOOK: Duration = Duration::from_millis(50);

/// A call that runs.
#[pyclass(frozen)]
pub(crate) struct Task(AbortHandle);

#[pymethods]
impl Task {
    /// Ends the call, at the gateway too.
    fn cancel(&self) {
        self.0.abort();
    }
}

/// Runs a call and waits for it. A signal whose handler raises ends the call.
pub(crate) fn wait(
    py: Python<'_>,
    runtime: &Handle,
    call: impl Future<Output = Outcome> + Send + 'static,
) -> PyResult<Outcome> {
    let (tell, mut told) = mpsc::channel();
    let task = runtime.spawn(async move {
        // Who does not wait any more has cancelled it.
        drop(tell.send(call.await));
    });
    loop {
        let looked;
        (told, looked) = py.detach(move || {
            let looked = told.recv_timeout(LOOK);
            (told, looked)
        });
        match looked {
            Ok(outcome) => return Ok(outcome),
            Err(RecvTimeoutError::Disconnected) => return Ok(Outcome::closed()),
            Err(RecvTimeoutError::Timeout) => {
                if let Err(raised) = py.check_signals() {
                    task.abort();
                    return Err(raised);
                }
            }
        }
    }
}

/// Runs a call and tells `done` how it ended, from another thread.
pub(crate) fn start(runtime: &Handle, call: impl Future<Output = Outcome> + Send + 'static, done: Py<PyAny>) -> Task {
    let told = Told(Some(done));
    let task = runtime.spawn(async move { told.tell(call.await) });
    Task(task.abort_handle())
}

/// Who is to be told; if nobody did, that the client is closed.
struct Told(Option<Py<PyAny>>);

impl Told {
    fn tell(mut self, outcome: Outcome) {
        self.say(outcome);
    }

    fn say(&mut self, outcome: Outcome) {
        let Some(done) = self.0.take() else { return };
        // Neither an interpreter that ends nor an event loop that is closed wants to know.
        Python::try_attach(|py| drop(done.call1(py, (outcome,))));
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.say(Outcome::closed());
    }
}
