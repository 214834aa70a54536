//! The binary `sabir`.
//!
//! Invariant: what it does is in [`sabir_server::cli`], for whoever else runs it.

use std::{env, process::ExitCode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(sabir_server::cli::run(env::args_os(), None))
}
