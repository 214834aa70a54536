//! Which provider a family's paths go to, and which paths go there.

use super::*;
use crate::config::{Source, env::Env};

fn load(toml: &str, env: &[(&str, &str)]) -> Result<Config, String> {
    let source = Source::Text { name: "t.toml".into(), text: toml.into() };
    Config::load(&[source], &Env::of(env.iter().copied())).map_err(|problems| problems.to_string())
}

fn to(config: &Config, family: Family) -> Result<(&str, Option<&str>), String> {
    let upstream = config.pass_through.upstream(family).map_err(|error| error.message().to_owned())?;
    Ok((upstream.endpoint.provider.spec().id, upstream.endpoint.api_base.as_deref()))
}

#[test]
fn a_key_opens_the_way() {
    let config = load("", &[("OPENAI_API_KEY", "k")]).unwrap();
    assert_eq!(to(&config, Family::OpenAi), Ok(("openai", None)));
    let why = "to pass it through to a provider, set ANTHROPIC_API_KEY or `[pass_through.anthropic]`";
    assert_eq!(to(&config, Family::Anthropic), Err(why.to_owned()));
    assert!(config.pass_through.upstream(Family::OpenAi).unwrap().lets("anything/at all"));
}

#[test]
fn a_table_says_where_and_what() {
    let toml = r#"
        [pass_through.openai]
        type = "azure"
        endpoint = "https://r.openai.azure.com"
        api_key_location = "none"
        allow = ["files", "files/**", "vector_stores/**"]
        deny = ["files/secret*"]
    "#;
    let config = load(toml, &[]).unwrap();
    assert_eq!(to(&config, Family::OpenAi), Ok(("azure", Some("https://r.openai.azure.com"))));
    let upstream = config.pass_through.upstream(Family::OpenAi).unwrap();
    let let_through = ["files", "files/f-1/content", "vector_stores/v/files"];
    assert!(let_through.iter().all(|path| upstream.lets(path)));
    assert!(["files/secret-1", "batches", "organization/users"].iter().all(|path| !upstream.lets(path)));
}

#[test]
fn it_can_be_switched_off() {
    for toml in ["pass_through.enabled = false", "[pass_through.openai]\nenabled = false"] {
        let config = load(toml, &[("OPENAI_API_KEY", "k")]).unwrap();
        assert_eq!(
            to(&config, Family::OpenAi),
            Err("`pass_through` is switched off for `openai`".to_owned()),
            "{toml}"
        );
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (toml, why) in [
        (
            "[pass_through.openai]\ntype = \"anthropic\"",
            "pass_through.openai.type: expected a provider type that has the `openai` API",
        ),
        ("[pass_through.openai]\nallow = [\"/files\"]", "pass_through.openai.allow[0]: expected a path below"),
        ("[pass_through.openai]\nmodel_name = \"x\"", "pass_through.openai.model_name: unknown key"),
        ("[pass_through.open]", "pass_through.open: unknown key; did you mean `openai`?"),
    ] {
        let problems = load(toml, &[]).unwrap_err();
        assert!(problems.contains(why), "{problems}");
    }
}

#[test]
fn a_name_goes_to_its_own_provider_only() {
    let toml = r#"
        [models.mine.providers.a]
        type = "groq"
        model_name = "llama"
        api_key_location = "none"
        [models.claude.providers.a]
        type = "anthropic"
        model_name = "c"
        api_key_location = "none"
    "#;
    let config = load(toml, &[]).unwrap();
    let goes = |name: &str| match config.passage_to(Family::OpenAi, name) {
        None => "nowhere".to_owned(),
        Some(Ok(endpoint)) => format!("{} {}", endpoint.provider.spec().id, endpoint.upstream_model),
        Some(Err(error)) => error.kind().as_str().to_owned(),
    };
    assert_eq!(goes("mine"), "groq llama");
    assert_eq!(goes("openai::gpt-x"), "openai gpt-x");
    assert_eq!((goes("claude"), goes("anthropic::c")), ("unsupported".to_owned(), "unsupported".to_owned()));
    // A provider's own names.
    assert!(["gpt-x", "ft:gpt-x:org::id", "org/model", "openai/x"].iter().all(|name| goes(name) == "nowhere"));
}
