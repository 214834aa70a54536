//! Many prompts: three at once, in their order, with a file to go on from.
//!
//! Invariant: a second run with the same file asks nothing again.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use sabir::{CompletionEngine, ErrorMode, Model, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let file = std::env::args().nth(1);
    let mut engine = CompletionEngine::new(Model::from_id("dummy/echo")?)
        .at_once(3)
        .requests_per_minute(600)
        .on_error(ErrorMode::Keep)
        .on_progress(|progress| println!("{} of {}", progress.done, progress.total));
    if let Some(file) = file {
        engine = engine.resume(file);
    }
    let mut results = engine.run(["Hello, my name is", "What is your name?", "Why?"])?;
    while let Some(result) = results.next().await {
        let result = result?;
        println!("{}: {}", result.index, result.error.unwrap_or(result.reply));
    }
    Ok(())
}
