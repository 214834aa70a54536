//! Costs by list, and when there is none.

use serde_json::json;

use super::*;

fn price(models: &[&str], is_own: bool) -> Price {
    Price {
        provider: "anthropic",
        models: models.iter().map(|model| (*model).to_owned()).collect(),
        rates: Rates { input: Some(3.0), output: Some(15.0), cache_read: Some(0.3), ..Rates::default() },
        above: None,
        up_to: None,
        batch: None,
        stated: None,
        until: None,
        as_of: None,
        source: None,
        is_own,
    }
}

fn usage(input: u64, output: u64) -> Usage {
    Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() }
}

#[track_caller]
fn costs(price: &Price, usage: &Usage, expected: Option<f64>) {
    let cost = price.cost(usage, b"{}", 0);
    let same = match (cost, expected) {
        (Some(cost), Some(expected)) => (cost - expected).abs() < 1e-12,
        (cost, expected) => cost == expected,
    };
    assert!(same, "{cost:?} instead of {expected:?}");
}

#[test]
fn every_kind_of_token_has_its_price() {
    let price = price(&["m"], false);
    costs(&price, &usage(1000, 100), Some(0.0045));
    let cached = Usage { cache_read_tokens: Some(600), ..usage(1000, 100) };
    costs(&price, &cached, Some(400.0 * 3e-6 + 600.0 * 0.3e-6 + 0.0015));
    // Writing to the cache has no price here, and neither has sound.
    costs(&price, &Usage { cache_write_tokens: Some(1), ..usage(1000, 100) }, None);
    costs(&price, &Usage { input_audio_tokens: Some(1), ..usage(1000, 100) }, None);
    costs(&price, &Usage { output_audio_tokens: Some(1), ..usage(1000, 100) }, None);
    // Parts that are more than the whole are nobody's figures.
    costs(&price, &Usage { cache_read_tokens: Some(1001), ..usage(1000, 100) }, None);
    costs(&price, &Usage::default(), None);
    costs(&price, &Usage { output_tokens: None, ..usage(1000, 0) }, None);
    costs(&price, &usage(0, 0), Some(0.0));
}

#[test]
fn an_hour_in_the_cache_has_its_own_price() {
    let mut price = price(&["m"], false);
    price.rates.cache_write = Some(3.75);
    let raw = json!({"cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 300}});
    let written = Usage { cache_write_tokens: Some(400), raw: Some(raw), ..usage(400, 0) };
    costs(&price, &written, None);
    price.rates.cache_write_1h = Some(6.0);
    costs(&price, &written, Some(100.0 * 3.75e-6 + 300.0 * 6e-6));
}

#[test]
fn long_input_costs_more_or_nobody_knows_what() {
    let mut price = price(&["m"], false);
    price.up_to = Some(1000);
    costs(&price, &usage(1000, 0), Some(0.003));
    costs(&price, &usage(1001, 0), None);
    (price.up_to, price.above) =
        (None, Some((1000, Rates { input: Some(6.0), output: Some(22.5), ..Rates::default() })));
    costs(&price, &usage(1000, 10), Some(0.00315));
    costs(&price, &usage(1001, 10), Some(1001.0 * 6e-6 + 10.0 * 22.5e-6));
}

#[test]
fn embeddings_have_no_output_to_pay_for() {
    let mut price = price(&["m"], false);
    price.rates.output = None;
    costs(&price, &Usage { output_tokens: None, ..usage(1_000_000, 0) }, Some(3.0));
    costs(&price, &usage(1, 1), None);
}

#[test]
fn what_the_provider_says_itself_counts() {
    let mut price = price(&["*"], false);
    price.stated = Some("/cost".to_owned());
    let said = |raw: Value| Usage { raw: Some(raw), ..usage(5, 5) };
    costs(&price, &said(json!({"cost": 0.0125})), Some(0.0125));
    costs(&price, &said(json!({"cost": null})), None);
    // The caller's own key at OpenRouter: the figure is the fee alone.
    costs(&price, &said(json!({"cost": 0.0125, "is_byok": true})), None);
    costs(&price, &usage(5, 5), None);
}

#[test]
fn unusual_calls_have_no_list_price() {
    let price = price(&["m"], false);
    for raw in [
        json!({"service_tier": "priority"}),
        json!({"service_tier": "batch"}),
        json!({"speed": "fast"}),
        json!({"inference_geo": "us"}),
        json!({"server_tool_use": {"web_search_requests": 1}}),
    ] {
        costs(&price, &Usage { raw: Some(raw), ..usage(1000, 100) }, None);
    }
    let usual = json!({"service_tier": "standard", "inference_geo": "not_available", "server_tool_use": {"x": 0}});
    costs(&price, &Usage { raw: Some(usual), ..usage(1000, 100) }, Some(0.0045));
    let said = |raw: &str| price.cost(&usage(1000, 100), raw.as_bytes(), 0).is_some();
    assert!(said(r#"{"service_tier": "default"}"#) && said(r#"{"service_tier":null}"#) && said("not JSON"));
    assert!(!said(r#"data: {"id":1,"service_tier" : "flex"}"#));
    // In a text it is a text.
    assert!(said(r#"{"content":"\"service_tier\": \"flex\""}"#));
}

#[test]
fn a_price_ends_with_its_last_second() {
    let price = Price { until: Some(100), ..price(&["m"], false) };
    let at = |now| price.cost(&usage(1, 1), b"", now).is_some();
    assert!(at(100) && !at(101));
}

#[test]
fn the_nearest_name_wins_and_the_user_before_all() {
    let prices = Prices::new(vec![
        price(&["claude-own*"], true),
        price(&["claude-*"], false),
        price(&["claude-sonnet-4"], false),
        price(&["claude-sonnet-4-20250514", "claude-own-1"], false),
    ]);
    let found = |model: &str, at_home| {
        let price = prices.find("anthropic", model, at_home)?;
        prices.0.iter().position(|one| Arc::ptr_eq(one, &price))
    };
    assert_eq!(found("claude-sonnet-4", true), Some(2));
    assert_eq!(found("claude-sonnet-4-20250514", true), Some(3));
    assert_eq!(found("claude-sonnet-4-2025-05-15", true), Some(2));
    // Not a date, so it may be another model: only the beginning fits.
    assert_eq!(found("claude-sonnet-4-5", true), Some(1));
    assert_eq!(found("claude-own-1", true), Some(0));
    assert_eq!(found("gpt", true), None);
    // Elsewhere (a proxy, a server of one's own) only the user knows prices.
    assert_eq!((found("claude-sonnet-4", false), found("claude-own-1", false)), (None, Some(0)));
    assert!(prices.find("openai", "claude-sonnet-4", true).is_none());
}
