//! What the configuration's loader must bear: every text.
//!
//! Invariant: a text is a configuration or a list of what is wrong with it, never a panic.

use sabir_engine::config::{Config, Source, env::Env};

/// Loads a text as the configuration.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let env = Env::of([("OPENAI_API_KEY", "k"), ("PORT", "1")]);
    match Config::load(&[Source::Text { name: "sabir.toml".into(), text }], &env) {
        Ok(config) => assert!(!config.hash.is_empty(), "a configuration has a hash"),
        Err(problems) => assert!(!problems.to_string().is_empty(), "a refusal says why"),
    }
}
