//! How long to wait before the next try.
//!
//! Invariant: what the provider asks for is honoured exactly or the call gives up; it is never
//! tried again sooner.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use sabir_types::Error;

/// The longest wait that a provider may ask for; a call that would have to wait longer fails at once.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first pause; it doubles with each try.
const FIRST: Duration = Duration::from_millis(500);

/// Full jitter: anything between nothing and a limit that doubles with each try, up to `max`.
/// `None` if the provider asks for more patience than there is.
pub(crate) fn pause(error: &Error, tries: u32, max: Duration, random: f64) -> Option<Duration> {
    if let Some(asked) = error.retry_after() {
        return (asked <= PATIENCE).then_some(asked);
    }
    let limit = FIRST.saturating_mul(2_u32.saturating_pow(tries.min(16))).min(max);
    Some(limit.mul_f64(random.clamp(0.0, 1.0)))
}

/// Adds what the answer's headers say about trying again: `retry-after-ms`, `retry-after` in
/// seconds or as a date, `x-should-retry`.
pub(crate) fn advised(mut error: Error, headers: &HeaderMap, now: SystemTime) -> Error {
    if let Some(wait) = retry_after(headers, now) {
        error = error.with_retry_after(Some(wait));
    }
    match headers.get("x-should-retry").map(http::HeaderValue::as_bytes) {
        Some(b"true") => error.with_should_retry(true),
        Some(b"false") => error.with_should_retry(false),
        _ => error,
    }
}

fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let seconds = |text: &str, unit: f64| {
        let number: f64 = text.parse().ok()?;
        Duration::try_from_secs_f64(number * unit).ok()
    };
    if let Some(wait) = text("retry-after-ms").and_then(|ms| seconds(ms, 0.001)) {
        return Some(wait);
    }
    let text = text("retry-after")?;
    seconds(text, 1.0).or_else(|| {
        // A date that has passed means: now.
        httpdate::parse_http_date(text).ok().map(|date| date.duration_since(now).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use sabir_types::ErrorKind;

    use super::*;

    fn after(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        let now = httpdate::parse_http_date("Fri, 29 Sep 2023 16:26:37 GMT").unwrap();
        advised(Error::new(ErrorKind::RateLimited, "slow down"), &headers, now).retry_after()
    }

    #[test]
    fn every_form_of_retry_after_is_read() {
        assert_eq!(after("retry-after", "20"), Some(Duration::from_secs(20)));
        assert_eq!(after("retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(after("retry-after-ms", "1500"), Some(Duration::from_millis(1500)));
        assert_eq!(after("retry-after", "Fri, 29 Sep 2023 16:26:57 GMT"), Some(Duration::from_secs(20)));
        assert_eq!(after("retry-after", "Fri, 29 Sep 2023 16:26:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("retry-after", "-3"), None);
        assert_eq!(after("retry-after", "soon"), None);
    }

    #[test]
    fn a_provider_that_asks_for_too_much_is_not_waited_for() {
        let error = |secs| Error::new(ErrorKind::RateLimited, "x").with_retry_after(Some(Duration::from_secs(secs)));
        let max = Duration::from_secs(8);
        assert_eq!(pause(&error(30), 0, max, 0.5), Some(Duration::from_secs(30)));
        assert_eq!(pause(&error(61), 0, max, 0.5), None);
    }

    #[test]
    fn pauses_double_up_to_the_limit() {
        let error = Error::new(ErrorKind::Upstream, "x");
        let max = Duration::from_secs(3);
        let pauses: Vec<_> = (0..5).map(|tries| pause(&error, tries, max, 1.0).unwrap().as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 3000, 3000]);
        assert_eq!(pause(&error, 4, max, 0.0), Some(Duration::ZERO));
    }

    #[test]
    fn the_provider_may_overrule_the_kind() {
        let mut headers = HeaderMap::new();
        headers.insert("x-should-retry", "false".parse().unwrap());
        let error = Error::new(ErrorKind::Upstream, "x");
        assert!(error.is_retryable() && !advised(error, &headers, SystemTime::now()).is_retryable());
    }
}
