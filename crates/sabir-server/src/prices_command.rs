//! `sabir prices`: what calls cost by list.
//!
//! Invariant: it shows the prices that the gateway computes with, the user's before the built-in ones.

use std::io::Write;

use anyhow::{Result, bail};
use sabir_engine::{
    config::{Config, Source, env::Env},
    price::{Price, Rates},
};
use sabir_types::Value;
use serde_json::{Map, json};
use time::OffsetDateTime;

use crate::ledger_command::text::{Table, money};

/// Which prices to show, and how.
#[derive(Debug, Default, clap::Args)]
pub struct PricesArgs {
    /// Only those of this provider.
    pub provider: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Writes the prices of a configuration.
pub fn run(args: &PricesArgs, sources: &[Source], env: &Env, out: &mut dyn Write) -> Result<()> {
    let config = match Config::load(sources, env) {
        Ok(config) => config,
        Err(problems) => bail!("the configuration is wrong:\n{problems}"),
    };
    let prices = config.gateway.prices.all();
    let wanted = prices.filter(|price| args.provider.as_ref().is_none_or(|id| id == price.provider));
    if args.json {
        let list: Vec<Value> = wanted.map(object).collect();
        serde_json::to_writer_pretty(&mut *out, &list)?;
        writeln!(out)?;
        return Ok(());
    }
    let mut table = Table::new(&[
        ("PROVIDER", false),
        ("MODEL", false),
        ("INPUT", true),
        ("OUTPUT", true),
        ("CACHE READ", true),
        ("CACHE WRITE", true),
        ("BATCH", true),
        ("FOR", false),
        ("AS OF", false),
        ("FROM", false),
    ]);
    for price in wanted {
        for model in &price.models {
            table.push(row(price, model, &price.rates, &scope(price)));
            if let Some((limit, rates)) = &price.above {
                table.push(row(price, model, rates, &format!("over {limit} tokens")));
            }
        }
    }
    table.write(out)?;
    writeln!(out, "In the currency of the price list (built in: US dollars) for a million tokens.")?;
    Ok(())
}

fn row(price: &Price, model: &str, rates: &Rates, scope: &str) -> Vec<String> {
    let input = if price.stated.is_some() { "stated".to_owned() } else { money(rates.input) };
    vec![
        price.provider.to_owned(),
        model.to_owned(),
        input,
        money(rates.output),
        money(rates.cache_read),
        money(rates.cache_write),
        money(price.batch),
        scope.to_owned(),
        price.as_of.clone().unwrap_or_else(|| "-".to_owned()),
        if price.is_own { "your file".to_owned() } else { price.source.clone().unwrap_or_default() },
    ]
}

/// When and for how long an input a price holds.
fn scope(price: &Price) -> String {
    let limit = price.up_to.or(price.above.map(|(limit, _)| limit)).map(|limit| format!("up to {limit} tokens"));
    let until = day(price).map(|day| format!("until {day}"));
    let parts: Vec<String> = limit.into_iter().chain(until).collect();
    if parts.is_empty() { "all".to_owned() } else { parts.join(", ") }
}

fn day(price: &Price) -> Option<String> {
    Some(OffsetDateTime::from_unix_timestamp(price.until?).ok()?.date().to_string())
}

fn object(price: &Price) -> Value {
    let mut all = members(&price.rates);
    all.insert("provider".into(), price.provider.into());
    all.insert("models".into(), json!(price.models));
    if let Some((limit, rates)) = &price.above {
        let mut above = members(rates);
        above.insert("input_tokens".into(), json!(limit));
        all.insert("above".into(), above.into());
    }
    for (name, value) in [
        ("up_to_input_tokens", json!(price.up_to)),
        ("batch", json!(price.batch)),
        ("stated", json!(price.stated)),
        ("until", json!(day(price))),
        ("as_of", json!(price.as_of)),
        ("source", json!(price.source)),
    ] {
        if !value.is_null() {
            all.insert(name.into(), value);
        }
    }
    all.insert("built_in".into(), (!price.is_own).into());
    all.into()
}

fn members(rates: &Rates) -> Map<String, Value> {
    let all = [
        ("input", rates.input),
        ("output", rates.output),
        ("cache_read", rates.cache_read),
        ("cache_write", rates.cache_write),
        ("cache_write_1h", rates.cache_write_1h),
        ("audio_input", rates.audio_input),
        ("audio_output", rates.audio_output),
    ];
    all.into_iter().filter_map(|(name, rate)| Some((name.to_owned(), json!(rate?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(args: &PricesArgs, text: &str) -> String {
        let source = Source::Text { name: "sabir.toml".into(), text: text.into() };
        let mut out = Vec::new();
        run(args, &[source], &Env::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_table_has_a_line_for_each_model_and_each_tier() {
        let text = said(&PricesArgs { provider: Some("anthropic".into()), json: false }, "");
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("claude-haiku-5-5 ")).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("up to 100000 tokens") && lines[1].contains("over 100000 tokens"), "{text}");
        assert!(text.contains("claude-opus-4-5 ") && !text.contains("openai"), "{text}");
        let google = said(&PricesArgs { provider: Some("google_ai_studio_gemini".into()), json: false }, "");
        assert!(google.contains("until 2026-12-31"), "{google}");
    }

    #[test]
    fn programs_get_what_they_could_write_into_a_file() {
        let all: Vec<Value> = serde_json::from_str(&said(&PricesArgs { provider: None, json: true }, "")).unwrap();
        let haiku = all.iter().find(|price| price["models"] == json!(["claude-haiku-5-5"])).unwrap();
        assert_eq!((&haiku["input"], &haiku["above"]["input"]), (&json!(0.1), &json!(0.5)));
        assert_eq!((&haiku["above"]["input_tokens"], &haiku["built_in"]), (&json!(100_000), &json!(true)));
        let none = said(&PricesArgs { provider: None, json: true }, "[gateway.prices]\nbuilt_in = false\n");
        assert_eq!(none.trim(), "[]");
    }
}
