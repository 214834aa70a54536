//! Whatever text stands in the configuration, loading it is an answer and not a crash.
//!
//! Invariant: the body is that of the fuzz target `config`; the inputs are the same in every run
//! of the smoke test.

#[cfg(test)]
#[path = "../../../fuzz/src/config.rs"]
pub mod config;
#[cfg(test)]
#[path = "../../../fuzz/src/mutate.rs"]
pub mod mutate;

use proptest::prelude::*;

const GOOD: &[&str] = &[
    r#"
[gateway]
bind_address = "127.0.0.1:${PORT:-3000}"
base_path = "/llm/"
auth.keys = ["env::OPENAI_API_KEY"]
observability = { enabled = true, async_writes = true }

[models.fast]
routing = ["main", "spare"]
timeouts = { connect_ms = 500, non_streaming.total_ms = 9000, streaming = { ttft_ms = 700 } }
retries = { num_retries = 2, max_delay_s = 0.5 }

[models.fast.providers.main]
type = "openai"
model_name = "gpt-4.1-mini"
api_key_location = "env::OPENAI_API_KEY"

[models.fast.providers.spare]
type = "anthropic"
model_name = "claude-haiku-4-5"
api_key_location = { default = "dynamic::key", fallback = "env::ANTHROPIC_API_KEY" }
"#,
    r#"
[embedding_models.small]
routing = ["a"]

[embedding_models.small.providers.a]
type = "mistral"
model_name = "mistral-embed"
cost = [{ pointer = "/prompt_tokens", cost_per_million = 0.1 }]

[metrics.good]
type = "boolean"
level = "inference"
optimize = "max"

[provider_types.anthropic]
defaults = { api_key_location = "file::/nowhere" }

[functions.f]
type = "chat"

[tools.t]
name = "x"
"#,
];

#[test]
fn smoke() {
    let seeds: Vec<Vec<u8>> = GOOD.iter().map(|text| text.as_bytes().to_vec()).collect();
    mutate::smoke("config", config::config, &seeds, 2000);
}

/// Lines of a configuration, of its words.
fn lines() -> impl Strategy<Value = String> {
    let name = || {
        prop::sample::select(vec![
            "gateway",
            "models",
            "providers",
            "a",
            "b",
            "routing",
            "type",
            "model_name",
            "api_key_location",
            "timeouts",
            "retries",
            "bind_address",
            "metrics",
            "level",
            "cost",
            "cache",
            "auth",
            "keys",
            "embedding_models",
            "provider_types",
            "defaults",
            "circuit",
            "\"ü\"",
            "data_dir",
            "body_limit",
        ])
    };
    let path = || prop::collection::vec(name(), 1..5).prop_map(|names| names.join("."));
    let value = prop::sample::select(vec![
        "1",
        "-1",
        "1e400",
        "nan",
        "true",
        "\"\"",
        "\"openai\"",
        "\"env::X\"",
        "\"${PORT}\"",
        "\"${\"",
        "[]",
        "[\"a\"]",
        "{}",
        "{ a = 1 }",
        "[{}]",
        "1979-05-27",
        "\"\"\"\n\"\"\"",
        "9223372036854775807",
        "\"file::\"",
        "'x'",
        "]",
    ]);
    let line = prop_oneof![
        path().prop_map(|path| format!("[{path}]")),
        path().prop_map(|path| format!("[[{path}]]")),
        (path(), value).prop_map(|(path, value)| format!("{path} = {value}")),
        "[ -~]{0,20}",
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_loaded_or_refused(text in ".{0,200}") {
        config::config(text.as_bytes());
    }

    #[test]
    fn any_lines_are_loaded_or_refused(text in lines()) {
        config::config(text.as_bytes());
    }
}
