//! Names that stand for a provider's model.

use std::sync::Arc;

use sabir_types::{ErrorKind, Operation};

use super::{
    super::{
        OLD_MODELS,
        testing::{good, load},
    },
    *,
};

#[test]
fn a_provider_and_a_model_make_a_name() {
    let config = load("", &Env::of([("OPENAI_API_KEY", "k")])).unwrap();
    let model = config.model(Operation::Chat, "openai::ft:gpt/x::y").unwrap();
    assert_eq!((&*model.name, &*model.routing[0].upstream_model), ("openai::ft:gpt/x::y", "ft:gpt/x::y"));
    assert_eq!(&*model.routing[0].circuit, "openai https://api.example/v1 env::OPENAI_API_KEY ft:gpt/x::y");
    let slash = config.model(Operation::Chat, "openai/gpt/x").unwrap();
    assert_eq!((&*slash.name, &*slash.routing[0].upstream_model), ("openai::gpt/x", "gpt/x"));
    let other = config.model(Operation::Chat, "openai::responses::gpt/x").unwrap();
    assert_eq!((&*other.name, &*other.routing[0].upstream_model), ("openai::responses::gpt/x", "gpt/x"));
    assert_eq!(other.routing[0].options["api_type"], "responses");
    let elsewhere = config.model(Operation::Chat, "dummy::responses::x").unwrap();
    assert_eq!(&*elsewhere.routing[0].upstream_model, "responses::x");
    let alias = config.model(Operation::Chat, "gemini::flash").unwrap();
    assert_eq!(&*alias.name, "google_ai_studio_gemini::flash");
    assert!(Arc::ptr_eq(&slash, &config.model(Operation::Chat, "openai/gpt/x").unwrap()), "made once");
}

#[test]
fn other_names_stand_for_providers_that_there_are() {
    for (alias, id) in ALIASES {
        assert!(sabir_providers::find(alias).is_none(), "`{alias}` is a provider of its own");
        assert!(sabir_providers::find(id).is_some(), "`{alias}` stands for `{id}`");
    }
}

#[test]
fn models_of_old_are_served_by_what_there_is() {
    let config = crate::config::Config::load(&[], &Env::default()).unwrap();
    for old in OLD_MODELS {
        assert!(!old.then.is_empty(), "{old:?}");
        for model in old.then {
            let asked = format!("{}/{model}", old.provider);
            let found = config.model(Operation::Chat, &asked).unwrap();
            assert_eq!(&*found.name, old.now, "{asked}");
            assert_eq!(found.routing[0].upstream_model, old.now.split_once("::").unwrap().1, "{asked}");
        }
    }
    // A name of the day goes out as it stands.
    let today = config.model(Operation::Chat, "wenxin::ernie-5.0").unwrap();
    assert_eq!((&*today.name, &*today.routing[0].upstream_model), ("qianfan::ernie-5.0", "ernie-5.0"));
}

#[test]
fn the_configuration_wins() {
    let config = good("[models.'openai::gpt-x'.providers.p]\ntype = 'dummy'\nmodel_name = 'good'\n");
    let model = config.model(Operation::Chat, "openai::gpt-x").unwrap();
    assert_eq!(model.routing[0].provider.spec().id, "dummy");
}

#[test]
fn what_there_is_not_is_told() {
    let config = good("[models.gpt-fast.providers.p]\ntype = 'dummy'\nmodel_name = 'good'\n");
    let error = |operation, name: &str| config.model(operation, name).unwrap_err();
    let chat = |name: &str| {
        let error = error(Operation::Chat, name);
        assert_eq!((error.kind(), error.param()), (ErrorKind::NotFound, Some("model")));
        error.message().to_owned()
    };
    assert_eq!(chat("gpt-fats"), "model `gpt-fats` is not known; did you mean `gpt-fast`?");
    assert_eq!(chat("opnai::gpt"), "model `opnai::gpt` is not known; did you mean `openai::gpt`?");
    assert_eq!(chat("zzzzz"), "model `zzzzz` is not known: write `provider::model`, or add it to the configuration");
    assert_eq!(chat("openai::"), "`openai::` lacks the name of a model after the provider's");
    assert_eq!(chat("azure::gpt"), "provider `azure` needs a model in the configuration");
    let wrong = error(Operation::Embed, "anthropic::x");
    assert_eq!((wrong.kind(), wrong.message()), (ErrorKind::Unsupported, "provider `anthropic` has no embed"));
    assert_eq!(error(Operation::Embed, "gpt-fast").message(), "model `gpt-fast` is configured, but not for embed");
}

#[test]
fn invented_names_do_not_pile_up() {
    let config = good("");
    for number in 0..2 * KEPT + 5 {
        config.model(Operation::Chat, &format!("dummy::{number}")).unwrap();
    }
    assert!(config.registry.made.read().len() <= KEPT);
}

#[test]
fn unknown_types_are_told() {
    let said = super::super::testing::bad("[provider_types.opnai.defaults]\n[provider_types.openai]\ndefalts = 1\n");
    assert_eq!(
        said,
        "sabir.toml:1:17: provider_types.opnai: unknown provider type; did you mean `openai`?\n\
         sabir.toml:3:1: provider_types.openai.defalts: unknown key; did you mean `defaults`?"
    );
}

#[test]
fn models_of_one_table_may_be_for_other_things_than_chats() {
    let table = |kind: &str| format!("[models.m.providers.p]\ntype = '{kind}'\nmodel_name = 'x'\n");
    let config = good(&table("ranker"));
    let model = config.model(Operation::Rerank, "m").unwrap();
    assert_eq!(model.routing[0].provider.spec().id, "ranker");
    let made = config.model(Operation::Rerank, "ranker::x").unwrap();
    assert_eq!(&*made.name, "ranker::x");
    let error = config.model(Operation::Speech, "ranker::x").unwrap_err();
    assert_eq!(error.message(), "provider `ranker` has no speech");
    let error = config.model(Operation::Embed, "m").unwrap_err();
    assert_eq!(error.message(), "model `m` is configured, but not for embed");
    // Vectors have a table of their own.
    assert!(super::super::testing::bad(&table("vectors")).contains("provider type `vectors` has no chat"));
}
