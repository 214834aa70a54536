//! The command `sabir`, for the script of that name that the package installs.
//!
//! Invariant: it holds no lock of the interpreter while it runs.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs the command with these arguments, the first of which is its name; `program` is how it is
/// started again. What it gives is the process's exit code.
#[pyfunction]
pub(crate) fn run_command(py: Python<'_>, args: Vec<OsString>, program: Vec<OsString>) -> u8 {
    py.detach(move || sabir_server::cli::run(args, Some(program)))
}
