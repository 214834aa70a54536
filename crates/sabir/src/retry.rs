//! Whether a call is tried again, and when.
//!
//! Invariant: what the gateway says about it (`x-should-retry`, `retry-after-ms`, `retry-after`)
//! wins over what its status means; a wait that is too long to be worth it ends the call.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

/// How long the waits before another try are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The first wait; each one after it is twice as long. Half a second unless told otherwise.
    pub first: Duration,
    /// The longest wait. 8 seconds unless told otherwise.
    pub longest: Duration,
    /// How long a wait the other side may ask for; if it asks for more, the call is not tried
    /// again. 2 minutes unless told otherwise.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let (first, longest) = (Duration::from_millis(500), Duration::from_secs(8));
        Self { first, longest, patience: Duration::from_secs(120) }
    }
}

/// How long to wait before a call is tried again that was tried again `done` times already and whose
/// answer has this status and these headers; `None` if it is not. Without a status, the connection
/// broke or nothing came in time. For those who do their own retries; the client's need no help.
pub fn delay(status: Option<StatusCode>, headers: &HeaderMap, done: u32) -> Option<Duration> {
    match status {
        Some(status) => after_answer(status, headers, done, rand::random(), SystemTime::now(), &Pace::default()),
        None => Some(backoff(done, rand::random(), &Pace::default())),
    }
}

/// How long to wait before the call is tried again; `None` if it is not. `jitter` is between 0 and 1.
pub(crate) fn after_answer(
    status: StatusCode,
    headers: &HeaderMap,
    done: u32,
    jitter: f64,
    now: SystemTime,
    pace: &Pace,
) -> Option<Duration> {
    let asked = asked(headers, now);
    if asked.is_some_and(|seconds| seconds > pace.patience.as_secs_f64()) {
        return None;
    }
    let again = match headers.get("x-should-retry").map(|value| value.as_bytes()) {
        Some(b"true") => true,
        Some(b"false") => false,
        _ => matches!(status.as_u16(), 408 | 409 | 429 | 500..),
    };
    if !again {
        return None;
    }
    Some(match asked {
        Some(seconds) if seconds > 0.0 => Duration::from_secs_f64(seconds),
        _ => backoff(done, jitter, pace),
    })
}

/// How long to wait after a connection that broke or a timeout.
pub(crate) fn backoff(done: u32, jitter: f64, pace: &Pace) -> Duration {
    let doublings = i32::try_from(done.min(16)).unwrap_or(16);
    let wait = pace.first.as_secs_f64() * 2f64.powi(doublings);
    Duration::from_secs_f64(wait.min(pace.longest.as_secs_f64()) * (1.0 - 0.25 * jitter))
}

/// The seconds that the gateway asks for. Not a number counts as not asked.
fn asked(headers: &HeaderMap, now: SystemTime) -> Option<f64> {
    let number = |name: &str| {
        let text = headers.get(name)?.to_str().ok()?.trim();
        // A number that is too large is infinite, but the word `inf` is no number.
        text.parse::<f64>().ok().filter(|_| !text.contains(['i', 'I', 'a', 'A']))
    };
    if let Some(ms) = number("retry-after-ms") {
        return Some(ms / 1000.0);
    }
    if let Some(seconds) = number("retry-after") {
        return Some(seconds);
    }
    let date = httpdate::parse_http_date(headers.get(header::RETRY_AFTER)?.to_str().ok()?).ok()?;
    date.duration_since(now).ok().map(|wait| wait.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_696_004_797;

    fn wait(status: u16, headers: &[(&'static str, &str)], done: u32) -> Option<f64> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        after_answer(StatusCode::from_u16(status).unwrap(), &headers, done, 0.0, now, &Pace::default())
            .map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn the_status_decides_unless_the_gateway_does() {
        for status in [408, 409, 429, 500, 503, 529] {
            assert_eq!(wait(status, &[], 0), Some(0.5), "{status}");
            assert_eq!(wait(status, &[("x-should-retry", "false")], 0), None, "{status}");
        }
        for status in [400, 401, 404, 413, 422] {
            assert_eq!(wait(status, &[], 0), None, "{status}");
            assert_eq!(wait(status, &[("x-should-retry", "true")], 0), Some(0.5), "{status}");
        }
    }

    #[test]
    fn the_wait_doubles_up_to_eight_seconds_and_gets_shorter_by_chance() {
        let waits: Vec<_> = (0..6).map(|done| wait(500, &[], done).unwrap()).collect();
        assert_eq!(waits, [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]);
        assert_eq!(backoff(u32::MAX, 1.0, &Pace::default()).as_secs_f64(), 6.0);
    }

    #[test]
    fn the_gateway_says_how_long() {
        assert_eq!(wait(429, &[("retry-after", "20")], 0), Some(20.0));
        assert_eq!(wait(429, &[("retry-after", "20"), ("retry-after-ms", "70")], 0), Some(0.07));
        assert_eq!(wait(429, &[("retry-after", "Fri, 29 Sep 2023 16:26:57 GMT")], 0), Some(20.0));
        for no_wait in ["0", "-10", "garbage", "", "nan", "inf", "-1e999", "Fri, 29 Sep 2023 16:26:27 GMT"] {
            assert_eq!(wait(429, &[("retry-after", no_wait)], 0), Some(0.5), "{no_wait}");
        }
        for too_long in ["121", "1e999", "Fri, 29 Sep 2023 17:26:37 GMT"] {
            assert_eq!(wait(429, &[("retry-after", too_long), ("x-should-retry", "true")], 0), None, "{too_long}");
        }
    }
}
