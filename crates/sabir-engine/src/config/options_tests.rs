//! Settings of single provider types, and the provider's own model name.

use super::{
    super::testing::{bad, good, load, notes},
    *,
};

fn provider(kind: &str, line: &str) -> String {
    format!("[models.m.providers.p]\ntype = '{kind}'\napi_base = 'http://h'\napi_key_location = 'none'\n{line}\n")
}

#[test]
fn settings_go_to_the_provider() {
    let env = Env::of([("VERSION", "2024")]);
    let config = load(&provider("azure", "deployment_id = 'd'\napi_version = 'env::VERSION'"), &env).unwrap();
    let endpoint = &config.models.chat["m"].routing[0];
    assert_eq!(
        Value::Object(endpoint.options.clone()),
        serde_json::json!({"api_version": "2024", "deployment_id": "d"})
    );
    assert_eq!(endpoint.upstream_model, "d");
    let lines = "model_name = 'd'\norganization = 'env::VERSION'";
    let config = load(&provider("openai", lines), &env).unwrap();
    assert_eq!(config.models.chat["m"].routing[0].options["organization"], "2024");
    assert!(config.notes.is_empty(), "{:?}", notes(&config));
    for (beta, read) in [("'a'", serde_json::json!("a")), ("['a', 'b']", serde_json::json!(["a", "b"]))] {
        let config = good(&provider("anthropic", &format!("model_name = 'd'\nbeta = {beta}")));
        assert_eq!(config.models.chat["m"].routing[0].options["beta"], read);
    }
    let config = good(&provider("dummy", "model_name = 'd'\ndelay_ms = 5\ntokens_per_second = 0.5"));
    let options = &config.models.chat["m"].routing[0].options;
    assert_eq!(Value::Object(options.clone()), serde_json::json!({"delay_ms": 5, "tokens_per_second": 0.5}));
}

#[test]
fn settings_are_checked() {
    for (kind, line, expected) in [
        ("dummy", "model_name = 'd'\ndelay_ms = 'x'", "delay_ms: expected a number, got a string"),
        ("dummy", "model_name = 'd'\ndelay_ms = -1", "delay_ms: expected a number that is not negative"),
        ("dummy", "model_name = 'd'\nregion = 'x'", "region: unknown key"),
        ("openai", "model_name = 'd'\napi_type = 'x'", "api_type: expected `chat_completions` or `responses`"),
        ("dummy", "model_name = 7", "model_name: expected a string, got an integer"),
        ("azure", "model_name = 'd'\napi_version = 'env::V'", "api_version: the environment variable `V` is not set"),
        ("azure", "model_name = 'd'\napi_version = 'dynamic::v'", "api_version: `dynamic::` is not supported here"),
    ] {
        let said = bad(&provider(kind, line));
        assert!(said.ends_with(&format!(": models.m.providers.p.{expected}")) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn what_no_provider_looks_at_is_noted() {
    let of = |line: &str| notes(&good(&provider("openai", &format!("model_name = 'd'\n{line}"))));
    assert!(of("api_type = 'chat_completions'\ndiscard_unknown_chunks = false").is_empty());
    assert!(of("api_type = 'responses'\ninclude_encrypted_reasoning = true").is_empty());
    assert_eq!(
        notes(&good(&provider("azure", "deployment_id = 'd'\napi_type = 'responses'"))),
        ["sabir.toml:6:1: models.m.providers.p.api_type: accepted, but not supported yet: it has no effect"]
    );
    let lines = "model_name = 'd'\napi_version = '1'";
    assert_eq!(
        notes(&good(&provider("anthropic", lines))),
        ["sabir.toml:6:1: models.m.providers.p.api_version: accepted, but not supported yet: it has no effect"]
    );
}
