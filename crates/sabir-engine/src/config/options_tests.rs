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

#[test]
fn a_cloud_s_place_comes_from_the_file_the_environment_or_the_credential() {
    let place = |lines: &str, variables: &[(&str, &str)]| {
        let text = format!("[models.m.providers.p]\n{lines}\napi_key_location = 'none'\n");
        load(&text, &Env::of(variables.iter().copied()))
            .map(|config| {
                let endpoint = config.models.chat["m"].routing[0].clone();
                (cloud(&endpoint.options).join(" "), endpoint.circuit.to_string())
            })
            .map_err(|problems| problems.to_string())
    };
    let own = "type = 'aws_bedrock'\nmodel_id = 'n'";
    let (region, circuit) = place(&format!("{own}\nregion = 'eu-west-1'"), &[("AWS_REGION", "x")]).unwrap();
    assert_eq!((region.as_str(), circuit.as_str()), ("eu-west-1", "bedrock eu-west-1 none n"));
    assert_eq!(place(own, &[("AWS_DEFAULT_REGION", "us-east-2")]).unwrap().0, "us-east-2");
    assert_eq!(place(&format!("{own}\nregion = 'sdk'"), &[("AWS_REGION", "r")]).unwrap().0, "r");
    assert!(place(own, &[]).unwrap_err().ends_with("missing key `region`"));
    assert_eq!(place(&format!("{own}\nendpoint_url = 'http://h'"), &[]).unwrap().0, "");
    let own = "type = 'gcp_vertex_gemini'\nmodel_id = 'g'";
    let both = [("GOOGLE_CLOUD_PROJECT", "p"), ("GOOGLE_CLOUD_LOCATION", "us")];
    assert_eq!(place(own, &both).unwrap().0, "us p");
    assert_eq!(place(&format!("{own}\nproject_id = 'q'\nlocation = 'eu'"), &both).unwrap().0, "eu q");
    let said = place(own, &[]).unwrap_err();
    assert!(said.contains("missing key `project_id`") && said.contains("missing key `location`"), "{said}");
}
