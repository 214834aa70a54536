//! The native half of the Python package `sabir`: what the public half is built on, and private to it.
//!
//! Invariants: nobody waits while holding the interpreter; a call that is over is told of exactly
//! once, however it ended; errors are values here, and exceptions only in the public half.

mod client;
mod command;
mod outcome;
mod stream;
mod upload;
mod waiting;

use pyo3::pymodule;

#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::{
        client::{Client, retry_delay},
        command::run_command,
        outcome::{Accumulator, Outcome},
        stream::{EventReader, Stream},
        upload::Upload,
        waiting::Task,
    };
}
