//! Files of prices, and which one an endpoint gets.

use sabir_types::Operation;

use super::{
    super::{Config, Source, env::Env},
    *,
};

fn built_in_prices() -> Vec<Price> {
    let log = Log::default();
    let prices = built_in(&log);
    assert_eq!(log.into_parts(), (Vec::new(), Vec::new()));
    prices
}

#[test]
fn every_built_in_price_says_since_when_and_from_where() {
    let prices = built_in_prices();
    assert!(prices.len() > 30, "{}", prices.len());
    for price in &prices {
        let about = format!("{} {:?}", price.provider, price.models);
        assert!(!price.is_own && price.as_of.is_some(), "{about}");
        assert!(price.source.as_ref().is_some_and(|source| source.starts_with("https://")), "{about}");
        let provider = registry::named(sabir_providers::all(), price.provider).unwrap();
        let chat = provider.spec().can.operations.contains(&Operation::Chat);
        let embeds = price.models.iter().any(|model| model.contains("embedding"));
        assert!(price.stated.is_some() || embeds || chat && price.rates.output.is_some(), "{about} has no output");
        let order = |cheap: Option<f64>, dear: Option<f64>| cheap.zip(dear).is_none_or(|(cheap, dear)| cheap <= dear);
        for rates in std::iter::once(&price.rates).chain(price.above.iter().map(|(_, rates)| rates)) {
            // A slip of the decimal point would show here.
            assert!(order(rates.cache_read, rates.input) && order(rates.input, rates.output), "{about}");
            assert!(order(rates.input, rates.cache_write), "{about}");
            assert!(order(rates.cache_write, rates.cache_write_1h), "{about}");
        }
        assert!(price.batch.is_none_or(|batch| batch > 0.0 && batch < 1.0), "{about}");
    }
    let mut names: Vec<_> = prices.iter().flat_map(|p| p.models.iter().map(|m| (p.provider, m))).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "a model is there twice");
}

fn load(text: &str, env: &Env) -> Result<Config, String> {
    let source = Source::Text { name: "sabir.toml".into(), text: text.into() };
    Config::load(&[source], env).map_err(|problems| problems.to_string())
}

fn input(config: &Config, name: &str) -> Option<f64> {
    config.model(Operation::Chat, name).unwrap().routing[0].price.as_ref()?.rates.input
}

#[test]
fn an_endpoint_knows_its_price_from_the_start() {
    let text = "
        [models.home.providers.p]
        type = 'openai'
        model_name = 'gpt-4.1-2025-04-14'
        [models.away.providers.p]
        type = 'openai'
        model_name = 'gpt-4.1'
        api_base = 'http://localhost:8000/v1'
        [models.unknown.providers.p]
        type = 'openai'
        model_name = 'gpt-4.1-turbo'
    ";
    let config = load(text, &Env::default()).unwrap();
    assert_eq!(input(&config, "home"), Some(2.0));
    assert_eq!((input(&config, "away"), input(&config, "unknown")), (None, None));
    assert_eq!(input(&config, "openai::gpt-4.1"), Some(2.0));
    assert_eq!(input(&config, "anthropic::claude-haiku-4-5-20251001"), Some(1.0));
    let none = load("[gateway.prices]\nbuilt_in = false\n", &Env::default()).unwrap();
    assert_eq!(input(&none, "openai::gpt-4.1"), None);
}

#[test]
fn the_users_file_wins_and_adds() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("prices.toml");
    let own = "
        [[price]]
        provider = 'openai'
        models = ['gpt-4.1', 'local-*']
        input = 0.5
        output = 1
    ";
    std::fs::write(&file, own).unwrap();
    let text = format!(
        "[gateway.prices]\nfile = '{}'\n[models.m.providers.p]\ntype = 'openai'\nmodel_name = 'local-7b'\n\
         api_base = 'http://localhost:8000/v1'\n",
        file.display()
    );
    let config = load(&text, &Env::default()).unwrap();
    assert_eq!((input(&config, "openai::gpt-4.1"), input(&config, "m")), (Some(0.5), Some(0.5)));
    assert_eq!(input(&config, "openai::gpt-4o"), Some(2.5));
    std::fs::write(&file, "[[price]]\nprovider = 'opnai'\nmodels = []\ninput = -1\nas_of = 'today'\nx = 1\n").unwrap();
    let wrong = load(&text, &Env::default()).unwrap_err();
    for part in [
        "prices.toml:2:12: price[0].provider: unknown provider type; did you mean `openai`?",
        "prices.toml:3:10: price[0].models: a price is for at least one model",
        "prices.toml:4:9: price[0].input: a price is not negative",
        "prices.toml:5:9: price[0].as_of: expected a day like `2026-11-25`",
        "price[0].x: unknown key",
    ] {
        assert!(wrong.contains(part), "{part} is not in\n{wrong}");
    }
    let gone = load("[gateway.prices]\nfile = '/nowhere/prices.toml'\n", &Env::default()).unwrap_err();
    assert!(gone.contains("gateway.prices.file: the file of prices cannot be read: entity not found"), "{gone}");
}
