//! What providers say in headers about how much they still take, in one form and in the forms that doors' clients read.
//!
//! Invariant: figures are a provider's own; what it does not say is not made up. What stands there already in the
//! door's own words stays as it is.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// What a provider takes of one thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// So many in a window of time.
    pub limit: Option<u64>,
    /// So many are left.
    pub remaining: Option<u64>,
    /// When all are there again.
    pub reset: Option<Duration>,
}

/// What a provider takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests.
    pub requests: Window,
    /// Tokens.
    pub tokens: Window,
}

/// A header's name with each of the three figures: OpenAI's words (which most use), Anthropic's, Mistral's.
type Names = [[&'static str; 3]; 3];

const REQUESTS: Names = [
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
    [
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ],
    ["x-ratelimit-limit-req-minute", "x-ratelimit-remaining-req-minute", "x-ratelimit-reset-req-minute"],
];
const TOKENS: Names = [
    ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
    ["anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"],
    ["x-ratelimit-limit-tokens-minute", "x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute"],
];

/// Whose words to write them in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// `x-ratelimit-remaining-requests`, with times as `1m2s`.
    OpenAi,
    /// `anthropic-ratelimit-requests-remaining`, with times as points in time.
    Anthropic,
}

/// Reads a provider's headers; `None` if they say nothing of the kind.
pub fn read(headers: &HeaderMap, now: SystemTime) -> Option<RateLimits> {
    // Most say nothing, which one look at the names tells.
    if !headers.keys().any(|name| name.as_str().contains("ratelimit")) {
        return None;
    }
    let limits = RateLimits { requests: window(headers, &REQUESTS, now), tokens: window(headers, &TOKENS, now) };
    (limits != RateLimits::default()).then_some(limits)
}

fn window(headers: &HeaderMap, names: &Names, now: SystemTime) -> Window {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let mut window = Window::default();
    for [limit, remaining, reset] in names {
        // Some write whole numbers with a point.
        let count = |name: &str| {
            let text = text(name)?;
            text.parse().ok().or_else(|| text.strip_suffix(".0")?.parse().ok())
        };
        window.limit = window.limit.or_else(|| count(limit));
        window.remaining = window.remaining.or_else(|| count(remaining));
        window.reset = window.reset.or_else(|| time(text(reset)?, now));
    }
    window
}

/// How long it is until then: `1h2m3.5s`, `120ms`, a number of seconds, or a point in time.
fn time(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    if let Ok(then) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(SystemTime::from(then).duration_since(now).unwrap_or_default());
    }
    let mut sum = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit = rest[end..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| end + at);
        sum += number
            * match &rest[end..unit] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 0.001,
                "us" | "µs" => 0.000_001,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(sum).ok().filter(|_| !text.is_empty())
}

/// Says a provider's figures to a door's client in its words.
pub fn say(headers: &mut HeaderMap, from: &HeaderMap, words: Words) {
    let now = SystemTime::now();
    let Some(limits) = read(from, now) else { return };
    let at = match words {
        Words::OpenAi => 0,
        Words::Anthropic => 1,
    };
    for (names, window) in [(REQUESTS[at], limits.requests), (TOKENS[at], limits.tokens)] {
        let reset = window.reset.and_then(|wait| match words {
            Words::OpenAi => Some(short(wait)),
            Words::Anthropic => OffsetDateTime::from(now + wait).replace_nanosecond(0).ok()?.format(&Rfc3339).ok(),
        });
        let figures = [window.limit.map(|n| n.to_string()), window.remaining.map(|n| n.to_string()), reset];
        for (name, figure) in names.into_iter().zip(figures) {
            if let Some(value) = figure.and_then(|text| HeaderValue::try_from(text).ok()) {
                headers.entry(HeaderName::from_static(name)).or_insert(value);
            }
        }
    }
}

/// `1h2m3s`, `12s`, `120ms`.
fn short(wait: Duration) -> String {
    if wait < Duration::from_secs(1) {
        return format!("{}ms", wait.as_millis());
    }
    // A second that has begun is not over yet.
    let all = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn every_form_of_time_is_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for (text, millis) in [
            ("120ms", Some(120)),
            ("8.64s", Some(8640)),
            ("6m0s", Some(360_000)),
            ("1h2m3s", Some(3_723_000)),
            ("0s", Some(0)),
            ("60", Some(60_000)),
            ("0", Some(0)),
            ("2023-11-14T22:13:50Z", Some(30_000)),
            ("2020-01-01T00:00:00Z", Some(0)),
            ("soon", None),
            ("", None),
            ("-3", None),
            ("5x", None),
            ("5", Some(5000)),
        ] {
            assert_eq!(time(text, now).map(|wait| wait.as_millis()), millis, "{text}");
        }
    }

    #[test]
    fn each_providers_words_are_read() {
        let now = SystemTime::now();
        let openai = headers(&[("x-ratelimit-limit-requests", "100"), ("x-ratelimit-remaining-tokens", "7.0")]);
        let limits = read(&openai, now).unwrap();
        assert_eq!((limits.requests.limit, limits.tokens.remaining), (Some(100), Some(7)));
        let mistral = headers(&[("x-ratelimit-remaining-req-minute", "99")]);
        assert_eq!(read(&mistral, now).unwrap().requests.remaining, Some(99));
        assert_eq!(read(&headers(&[("retry-after", "3"), ("x-ratelimit-remaining-requests", "?")]), now), None);
    }

    #[test]
    fn one_providers_words_become_another_doors() {
        let claude = headers(&[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2999-01-01T00:00:00Z"),
        ]);
        let mut out = headers(&[("x-ratelimit-limit-requests", "1")]);
        say(&mut out, &claude, Words::OpenAi);
        assert_eq!(out["x-ratelimit-limit-requests"], "1");
        assert_eq!(out["x-ratelimit-remaining-requests"], "49");
        assert!(out["x-ratelimit-reset-requests"].to_str().unwrap().contains('h'), "{out:?}");
        assert_eq!(out.len(), 3);
        let mut back = HeaderMap::new();
        say(
            &mut back,
            &headers(&[("x-ratelimit-remaining-tokens", "5"), ("x-ratelimit-reset-tokens", "90s")]),
            Words::Anthropic,
        );
        assert_eq!(back["anthropic-ratelimit-tokens-remaining"], "5");
        let then = OffsetDateTime::parse(back["anthropic-ratelimit-tokens-reset"].to_str().unwrap(), &Rfc3339).unwrap();
        let wait = then - OffsetDateTime::now_utc();
        assert!((85..=90).contains(&wait.whole_seconds()), "{wait}");
    }

    #[test]
    fn times_are_short() {
        let said = |millis| short(Duration::from_millis(millis));
        assert_eq!(
            [said(0), said(120), said(1500), said(90_000), said(3_723_000)],
            ["0ms", "120ms", "2s", "1m30s", "1h2m3s"]
        );
    }
}
