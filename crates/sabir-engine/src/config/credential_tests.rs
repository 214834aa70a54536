//! Every place that a credential can come from, and that none is ever shown.

use std::fs;

use sabir_types::Operation;

use super::{
    super::testing::{bad, load, notes},
    *,
};

fn model(location: &str) -> String {
    format!("[models.m.providers.p]\ntype = \"openai\"\nmodel_name = \"x\"\n{location}\n")
}

fn found(location: &str, env: &Env) -> Credential {
    let config = load(&model(location), env).unwrap();
    config.model(Operation::Chat, "m").unwrap().routing[0].credential.clone()
}

fn shown(credential: &Credential) -> String {
    match credential {
        Credential::None => "none".into(),
        Credential::Static(secret) => format!("static {}", secret.expose()),
        Credential::Dynamic(name) => format!("dynamic {name}"),
        Credential::Fallback(default, fallback) => format!("({} or {})", shown(default), shown(fallback)),
        Credential::Parts(parts) => {
            let parts: Vec<String> = parts.iter().map(|(name, part)| format!("{name} {}", shown(part))).collect();
            parts.join(", ")
        }
        Credential::Token(identity) => format!("{identity:?}"),
        Credential::Missing(why) => format!("missing: {why}"),
    }
}

#[test]
fn a_credential_is_found_where_the_file_says() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    fs::write(&file, "from-file\r\n").unwrap();
    let file = file.to_str().unwrap();
    let env = Env::of([("K", "from-env\n"), ("F", file), ("OPENAI_API_KEY", "usual")]);
    let cases = [
        ("", "static usual"),
        ("api_key_location = 'env::K'", "static from-env"),
        (&format!("api_key_location = 'path::{file}'"), "static from-file"),
        ("api_key_location = 'path_from_env::F'", "static from-file"),
        ("api_key_location = 'dynamic::mine'", "dynamic mine"),
        ("api_key_location = 'none'", "none"),
        ("credential_location = 'env::K'", "static from-env"),
        ("api_key_location = { default = 'dynamic::k', fallback = 'env::K' }", "(dynamic k or static from-env)"),
        ("api_key_location = 'env::L'", "missing: the environment variable `L` is not set"),
        (
            "api_key_location = 'path::/nowhere/key'",
            "missing: the file `/nowhere/key` cannot be read: entity not found",
        ),
    ];
    for (location, expected) in cases {
        assert_eq!(shown(&found(location, &env)), expected, "{location}");
    }
}

#[test]
fn a_file_is_looked_for_beside_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("key"), "beside").unwrap();
    let file = dir.path().join("sabir.toml");
    fs::write(&file, model("api_key_location = 'path::key'")).unwrap();
    let source = super::super::Source::Files(file.to_str().unwrap().into());
    let config = super::super::load::load(&[source], &Env::default(), super::super::testing::PROVIDERS).unwrap();
    let model = config.model(Operation::Chat, "m").unwrap();
    assert_eq!(shown(&model.routing[0].credential), "static beside");
}

#[test]
fn missing_credentials_are_noted_and_do_not_stop_the_load() {
    let env = Env::default();
    let noted = |location: &str| notes(&load(&model(location), &env).unwrap());
    assert_eq!(
        noted(""),
        ["sabir.toml:1:21: models.m.providers.p: no credential: the environment variable `OPENAI_API_KEY` is not set"]
    );
    assert_eq!(
        noted("api_key_location = { default = 'env::A', fallback = 'env::B' }"),
        ["sabir.toml:4:1: models.m.providers.p.api_key_location: no credential: the environment variable `A` is not \
          set, and the environment variable `B` is not set"]
    );
    assert!(noted("api_key_location = { default = 'env::A', fallback = 'dynamic::B' }").is_empty());
    let gemini = model("").replace("openai", "gemini");
    assert_eq!(
        notes(&load(&gemini, &env).unwrap()),
        ["sabir.toml:1:21: models.m.providers.p: no credential: no environment variable `GEMINI_API_KEY` or \
          `GOOGLE_API_KEY` is set"]
    );
}

#[test]
fn a_type_of_provider_has_a_default_of_its_own() {
    let text = format!(
        "{}[provider_types.openai.defaults]\napi_key_location = 'env::K'\napi_base = 'http://127.0.0.1:1/v1'\n",
        model("")
    );
    let config = load(&text, &Env::of([("K", "k"), ("OPENAI_API_KEY", "usual")])).unwrap();
    for name in ["m", "openai::any"] {
        let model = config.model(Operation::Chat, name).unwrap();
        assert_eq!(shown(&model.routing[0].credential), "static k");
        assert_eq!(model.routing[0].api_base.as_deref(), Some("http://127.0.0.1:1/v1"));
    }
}

#[test]
fn wrong_locations_are_refused_without_repeating_them() {
    for (location, expected) in [
        ("'hunter2'", "expected `env::VARIABLE`"),
        ("'vault::hunter2'", "expected `env::VARIABLE`"),
        ("'env::'", "a name is missing after `::`"),
        ("'sdk'", "`sdk` is for the clouds' own credentials: this is a key"),
        ("7", "expected a string, got an integer"),
        ("{ default = 'hunter2', fallback = 'none' }", "api_key_location.default: expected `env::VARIABLE`"),
        ("{ default = 'none' }", "missing key `fallback`"),
        ("'none'\ncredential_location = 'none'", "credential_location: the credential is said twice"),
    ] {
        let said = bad(&model(&format!("api_key_location = {location}")));
        assert!(said.contains(expected) && !said.contains("hunter2"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn nothing_shows_a_secret() {
    let text = format!(
        "{}extra_headers = [{{ name = 'authorization', value = 'Bearer hunter2' }}]\n\
         [gateway.auth.keys]\nme = 'env::K'\n",
        model("api_key_location = { default = 'env::K', fallback = 'none' }")
    );
    let env = Env::of([("K", "hunter2"), ("OPENAI_API_KEY", "hunter2"), ("SABIR_API_KEY", "hunter2")]);
    let config = load(&text, &env).unwrap();
    config.model(Operation::Chat, "openai::x").unwrap();
    let shown = format!("{config:?} {:?}", config.model(Operation::Chat, "openai::x").unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("***"));
}
