//! Prices by list: which one is for a model, and what a call costs by it.
//!
//! Invariant: a cost is right or absent. Whatever a price does not speak about (a figure without a price, an unusual
//! tier, a tool that is charged besides) makes it absent.

use std::sync::Arc;

use memchr::memmem;
use sabir_types::{Usage, Value};

/// Money for a million tokens of each kind; absent means unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// Input that is neither from nor for the cache, and no sound.
    pub input: Option<f64>,
    /// Output that is no sound.
    pub output: Option<f64>,
    /// Input that was read from the provider's cache.
    pub cache_read: Option<f64>,
    /// Input that was written to the provider's cache.
    pub cache_write: Option<f64>,
    /// The same, to stay for an hour (Anthropic).
    pub cache_write_1h: Option<f64>,
    /// Sound that went in.
    pub audio_input: Option<f64>,
    /// Sound that came out.
    pub audio_output: Option<f64>,
}

/// The price of some models of one provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// The provider's id.
    pub provider: &'static str,
    /// The models: names, or beginnings of names with a `*` behind.
    pub models: Vec<String>,
    /// What tokens cost.
    pub rates: Rates,
    /// What they all cost when more than so many went in.
    pub above: Option<(u64, Rates)>,
    /// How many tokens may go in for this price to hold; what more of them cost is not known.
    pub up_to: Option<u64>,
    /// What the share of the price is for a call in a batch.
    pub batch: Option<f64>,
    /// Where the provider's usage says what the call cost; then the rates are not looked at.
    pub stated: Option<String>,
    /// The second after which the price does not hold, as Unix time.
    pub until: Option<i64>,
    /// The day on which it was looked up.
    pub as_of: Option<String>,
    /// Where it was looked up.
    pub source: Option<String>,
    /// Whether the user wrote it.
    pub is_own: bool,
}

/// All prices that there are; the user's stand before the built-in ones.
#[derive(Debug, Default)]
pub struct Prices(Vec<Arc<Price>>);

impl Prices {
    /// The list: who comes first wins where two fit equally well.
    pub(crate) fn new(list: Vec<Price>) -> Self {
        Self(list.into_iter().map(Arc::new).collect())
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Price> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// The price of a model. The built-in ones hold at the provider's own address only.
    pub(crate) fn find(&self, provider: &str, model: &str, at_home: bool) -> Option<Arc<Price>> {
        let of = |is_own: bool| {
            let fits = self.0.iter().filter(|price| price.provider == provider && price.is_own == is_own);
            fits.filter_map(|price| Some((price.fit(model)?, price)))
                .max_by_key(|(fit, _)| *fit)
                .map(|(_, price)| price)
        };
        of(true).or_else(|| of(false).filter(|_| at_home)).cloned()
    }
}

impl Price {
    /// How well a model's name fits: the name itself is best, then the name with a date, then the longest beginning.
    fn fit(&self, model: &str) -> Option<usize> {
        let one = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => model.starts_with(start).then_some(start.len()),
            None => match model.strip_prefix(pattern.as_str())? {
                "" => Some(usize::MAX),
                rest if is_date(rest) => Some(usize::MAX - 1),
                _ => None,
            },
        };
        self.models.iter().filter_map(one).max()
    }

    /// What a call cost that used so much; `raw` is the answer or its end, `now` is Unix time.
    pub(crate) fn cost(&self, usage: &Usage, raw: &[u8], now: i64) -> Option<f64> {
        if self.until.is_some_and(|until| now > until) || !is_usual(usage, raw) {
            return None;
        }
        if let Some(pointer) = &self.stated {
            return usage.raw.as_ref()?.pointer(pointer)?.as_f64();
        }
        let input = usage.input_tokens?;
        if self.up_to.is_some_and(|limit| input > limit) {
            return None;
        }
        let rates = match &self.above {
            Some((limit, above)) if input > *limit => above,
            _ => &self.rates,
        };
        rates.cost(usage, input)
    }
}

impl Rates {
    fn cost(&self, usage: &Usage, input: u64) -> Option<f64> {
        let count = |tokens: Option<u64>| tokens.unwrap_or(0);
        let (read, written) = (count(usage.cache_read_tokens), count(usage.cache_write_tokens));
        let (heard, said) = (count(usage.input_audio_tokens), count(usage.output_audio_tokens));
        if heard > 0 && read > 0 {
            // Nobody says whether sound was among what the cache had.
            return None;
        }
        let long = usage.raw.as_ref().and_then(|raw| raw.pointer("/cache_creation/ephemeral_1h_input_tokens"));
        let long = long.and_then(Value::as_u64).unwrap_or(0);
        // Without a price for output there is none to count: that is an embedding.
        let output = if self.output.is_some() { usage.output_tokens? } else { count(usage.output_tokens) };
        let figures = [
            (input.checked_sub(read)?.checked_sub(written)?.checked_sub(heard)?, self.input),
            (output.checked_sub(said)?, self.output),
            (read, self.cache_read),
            (written.checked_sub(long)?, self.cache_write),
            (long, self.cache_write_1h),
            (heard, self.audio_input),
            (said, self.audio_output),
        ];
        let mut sum = 0.0;
        for (tokens, rate) in figures {
            if tokens > 0 {
                #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
                let tokens = tokens as f64;
                sum += tokens * rate? / 1e6;
            }
        }
        Some(sum)
    }
}

/// Whether what follows a name is the date of a snapshot: `-2025-08-07`, `-20250929`.
fn is_date(rest: &str) -> bool {
    let Some(date) = rest.strip_prefix('-') else { return false };
    let digits = date.bytes().filter(u8::is_ascii_digit).count();
    let shape = |at: usize| date.as_bytes().get(at) == Some(&b'-');
    digits == 8 && (date.len() == 8 || date.len() == 10 && shape(4) && shape(7))
}

/// Members of a usage object that say how a call was served, and their usual values.
const USUAL: [(&str, &[&str]); 3] = [
    ("service_tier", &["standard", "default", "auto", "on_demand"]),
    ("speed", &["standard"]),
    ("inference_geo", &["global", "not_available"]),
];

/// Whether the call was served in the way that list prices are for, and nothing is charged besides.
fn is_usual(usage: &Usage, raw: &[u8]) -> bool {
    let told = usage.raw.as_ref().is_none_or(|raw| {
        let word = |name: &str| raw.get(name).and_then(Value::as_str);
        USUAL.iter().all(|(name, usual)| word(name).is_none_or(|word| usual.contains(&word)))
            && raw.get("is_byok") != Some(&Value::Bool(true))
            && raw
                .get("server_tool_use")
                .and_then(Value::as_object)
                .is_none_or(|tools| tools.values().all(|count| count.as_u64().unwrap_or(0) == 0))
    });
    told && tier(raw).is_none_or(|tier| USUAL[0].1.contains(&tier))
}

/// What an answer says of its tier, outside of all strings.
fn tier(raw: &[u8]) -> Option<&str> {
    const NAME: &[u8] = b"\"service_tier\"";
    let at = memmem::find(raw, NAME)? + NAME.len();
    let rest = raw[at..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    std::str::from_utf8(&rest[..memchr::memchr(b'"', rest)?]).ok()
}

#[cfg(test)]
#[path = "price_tests.rs"]
mod tests;
