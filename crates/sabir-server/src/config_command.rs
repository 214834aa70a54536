//! `sabir config check`.
//!
//! Invariant: says everything that is wrong, each with file, line and column, and no value of a secret.

use std::io::Write;

use sabir_engine::config::{Config, Source, env::Env};

/// Loads the configuration and writes what is wrong with it or what it holds. Returns whether it is good.
pub fn check(sources: &[Source], env: &Env, out: &mut dyn Write) -> std::io::Result<bool> {
    let config = match Config::load(sources, env) {
        Ok(config) => config,
        Err(problems) => {
            writeln!(out, "{problems}")?;
            return Ok(false);
        }
    };
    for note in &config.notes {
        writeln!(out, "note: {note}")?;
    }
    let models = count(config.models.chat.len(), "model");
    let embedding = count(config.models.embed.len(), "embedding model");
    let metrics = count(config.metrics.len(), "metric");
    writeln!(out, "the configuration is good: {models}, {embedding}, {metrics} (hash {})", config.hash)?;
    Ok(true)
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> (bool, String) {
        let source = Source::Text { name: "sabir.toml".into(), text: text.into() };
        let mut out = Vec::new();
        let is_good = check(&[source], &Env::of([("A", "b")]), &mut out).unwrap();
        (is_good, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_good_file_is_counted() {
        let (is_good, said) =
            run("[models.m]\nrouting = ['d']\n[models.m.providers.d]\ntype = 'dummy'\nmodel_name = 'echo'\n");
        assert!(is_good && said.contains("1 model, 0 embedding models, 0 metrics"), "{said}");
    }

    #[test]
    fn a_broken_file_is_told_with_its_place() {
        let (is_good, said) = run("[gateway]\nbind_adress = '127.0.0.1:1'\n");
        assert!(!is_good && said.starts_with("sabir.toml:2:1: gateway.bind_adress"), "{said}");
        assert!(said.contains("did you mean `bind_address`?"), "{said}");
    }
}
