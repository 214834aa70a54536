//! The documents against the loader: what they show loads, and what the loader knows they name.
//!
//! Invariant: an example that a user copies is right, and a setting without a word about it fails here.

#![expect(clippy::panic, reason = "a test that cannot read its files, or whose example is wrong, has failed")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use sabir_engine::{
    Answer, Call, CallOptions, Engine,
    config::{Config, Source, env::Env},
};
use sabir_types::{ChatRequest, Message, Operation, Protocol, Request, new_id};

/// Documents whose examples are configurations.
const DOCUMENTS: [&str; 4] = ["README.md", "docs/configuration.md", "docs/model-manager.md", "docs/providers/dummy.md"];
/// Sources of the loader that name keys.
const SOURCES: [&str; 11] = [
    "change.rs",
    "credential.rs",
    "gateway.rs",
    "grpc.rs",
    "load.rs",
    "metric.rs",
    "model.rs",
    "options.rs",
    "pass_through.rs",
    "price.rs",
    "registry.rs",
];
/// How an example begins whose settings have no effect yet.
const NOTED: &str = "# noted";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The blocks of TOML in a document, each with the number of its first line.
fn blocks(document: &str) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, line) in document.lines().enumerate() {
        match (&mut open, line) {
            (None, "```toml") => open = Some((at + 2, String::new())),
            (Some(_), "```") => all.extend(open.take()),
            (Some((_, text)), line) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    assert!(open.is_none(), "a block of TOML is not closed");
    all
}

/// The file of prices on the page is one.
#[test]
fn the_example_of_prices_loads() {
    let page = read("docs/configuration.md");
    let (_, example) = page.split_once("```toml prices\n").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("prices.toml");
    std::fs::write(&file, example.split("```").next().unwrap()).unwrap();
    let config = load("prices.md", &format!("[gateway.prices]\nfile = '{}'\nbuilt_in = false\n", file.display()));
    assert_eq!(config.gateway.prices.all().map(|price| price.models.len()).collect::<Vec<_>>(), [2]);
}

/// An environment with every variable that the text names, and the usual keys of all providers.
fn env(text: &str) -> Env {
    let named = text.split('"').filter_map(|part| part.strip_prefix("env::"));
    let usual = sabir_providers::all().iter().flat_map(|provider| provider.spec().key_env.iter().copied());
    // Google's names a file: one that holds no credentials file is a token.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let value = |name: &str| match name {
        "GCP_VERTEX_CREDENTIALS_PATH" => file,
        "BACKEND_PUBLIC_KEY" => key,
        _ => "value",
    };
    Env::of(named.chain(usual).map(|name| (name, value(name))))
}

fn load(name: &str, text: &str) -> Config {
    let source = Source::Text { name: name.to_owned(), text: text.to_owned() };
    Config::load(&[source], &env(text)).unwrap_or_else(|problems| panic!("{name}:\n{problems}"))
}

#[test]
fn every_example_loads() {
    for path in DOCUMENTS {
        let blocks = blocks(&read(path));
        assert!(!blocks.is_empty(), "{path} has no examples");
        for (line, text) in blocks {
            let config = load(&format!("{path}, the block at line {line}"), &text);
            let notes: Vec<_> = config.notes.iter().map(ToString::to_string).collect();
            assert_eq!(text.starts_with(NOTED), !notes.is_empty(), "{path}:{line}: {notes:?}");
        }
    }
}

#[test]
fn the_example_file_loads() {
    let config = load("examples/sabir.toml", &read("examples/sabir.toml"));
    assert!(config.notes.is_empty(), "{:?}", config.notes);
    assert_eq!(config.models.chat["fast"].routing.len(), 2);
    assert_eq!(config.gateway.api_keys.len(), 2);
}

/// Words like keys among the string literals of a source, without its tests.
fn literals(source: &str) -> BTreeSet<String> {
    let code: Vec<&str> = source
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let text = code.join("\n").replace("\\\"", "");
    let is_key = |word: &&str| {
        word.len() > 2
            && word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    text.split('"').skip(1).step_by(2).filter(is_key).map(str::to_owned).collect()
}

/// Words in code spans and blocks.
fn words(document: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut add = |code: &str| {
        all.extend(code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map(str::to_owned));
    };
    blocks(document).iter().for_each(|(_, text)| add(text));
    document.lines().for_each(|line| line.split('`').skip(1).step_by(2).for_each(&mut add));
    all
}

#[test]
fn every_key_of_the_loader_is_documented() {
    let pages = ["docs/configuration.md", "docs/providers.md", "docs/providers/dummy.md"];
    let document = words(&pages.map(read).join("\n"));
    let mut known = BTreeSet::new();
    for name in SOURCES {
        known.extend(literals(&read(&format!("crates/sabir-engine/src/config/{name}"))));
    }
    // The scan sees what it should: a key of a table, one of a list, one that a helper is given.
    for sure in ["bind_address", "deployment_id", "pointer_streaming", "cost", "fallback"] {
        assert!(known.contains(sure), "{sure} is not among {known:?}");
    }
    let missing: Vec<_> = known.iter().filter(|key| !document.contains(*key)).collect();
    assert!(missing.is_empty(), "no word about these in docs/configuration.md: {missing:?}");
}

#[test]
fn every_provider_is_documented() {
    // A test of the server holds the page to the registry word by word; this one holds it to its purpose.
    let document = read("docs/providers.md");
    for provider in sabir_providers::all() {
        let spec = provider.spec();
        let begin = format!("| `{}`", spec.id);
        let row = document.lines().find(|line| line.starts_with(&begin));
        let row = row.unwrap_or_else(|| panic!("no row for provider `{}`", spec.id));
        for name in spec.key_env.iter().chain(spec.base_url.as_ref()) {
            assert!(row.contains(&format!("`{name}`")), "{name} is not in {row}");
        }
        assert_eq!(row.contains("embed"), spec.can.operations.contains(&Operation::Embed), "{row}");
    }
}

/// The example of the built-in provider has prices, so its calls cost something.
#[tokio::test(start_paused = true)]
async fn practice_costs_what_its_example_says() {
    let (_, text) = blocks(&read("docs/providers/dummy.md")).remove(0);
    let engine = Engine::new(load("dummy.md", &text), &Env::default(), None).unwrap();
    let request = ChatRequest { messages: vec![Message::user("hi")], ..ChatRequest::default() };
    let call = Call {
        id: new_id(),
        episode_id: new_id(),
        started: Instant::now(),
        door: Protocol::TensorZero,
        operation: Operation::Chat,
        asked: "practice".to_owned(),
        model: "practice".to_owned(),
        stream: false,
        source: sabir_engine::Source::Neutral {
            body: Vec::new().into(),
            request: Box::new(Request::Chat(Box::new(request))),
        },
        caller: None,
        options: CallOptions::default(),
    };
    let Ok(Answer::Whole { summary, .. }) = engine.run(call).await else { panic!("a whole answer") };
    let (input, output) = (summary.usage.input_tokens, summary.usage.output_tokens);
    assert_eq!((input, output), (Some(10), Some(1)));
    let cost = summary.cost.unwrap();
    assert!((cost - 12e-6).abs() < 1e-12, "{cost}");
}
