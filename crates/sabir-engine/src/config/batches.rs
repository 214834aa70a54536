//! The `[gateway.batches]` table: files and batches that the gateway keeps and runs itself.
//!
//! Invariant: every number is within what the store and a caller can bear.

use std::time::Duration;

use super::{BatchMode, Batches, reader::Reader};

impl Default for Batches {
    fn default() -> Self {
        Self {
            mode: BatchMode::Auto,
            concurrency: 8,
            requests_per_minute: None,
            retries: 3,
            expiry: Duration::from_secs(24 * 3600),
            file_limit: 512 * 1024 * 1024,
        }
    }
}

/// Reads the table; `None` stands for a file that has none.
pub(super) fn read(table: Option<Reader<'_>>) -> Batches {
    let mut batches = Batches::default();
    let Some(mut r) = table else { return batches };
    let modes = [("auto", BatchMode::Auto), ("own", BatchMode::Own), ("provider", BatchMode::Provider)];
    batches.mode = r.one_of("mode", &modes).unwrap_or(batches.mode);
    batches.concurrency = r.integer("concurrency", 1, 1024).map_or(batches.concurrency, |number| number as usize);
    batches.requests_per_minute = r.integer("requests_per_minute", 1, 10_000_000).map(|number| number as u32);
    batches.retries = r.integer("retries", 0, 20).map_or(batches.retries, |number| number as u32);
    batches.expiry = r.integer("expiry_s", 1, 30 * 24 * 3600).map_or(batches.expiry, Duration::from_secs);
    batches.file_limit = r.integer("file_bytes", 1, 1 << 40).unwrap_or(batches.file_limit);
    r.finish();
    batches
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{bad, good},
        *,
    };

    #[test]
    fn settings_are_taken_over() {
        let batches = good("").gateway.batches;
        assert_eq!(batches, Batches::default());
        let text = "[gateway.batches]\nmode = 'provider'\nconcurrency = 2\nrequests_per_minute = 60\nretries = 0\nexpiry_s = 5\nfile_bytes = 1000\n";
        let expected = Batches {
            mode: BatchMode::Provider,
            concurrency: 2,
            requests_per_minute: Some(60),
            retries: 0,
            expiry: Duration::from_secs(5),
            file_limit: 1000,
        };
        assert_eq!(good(text).gateway.batches, expected);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_path() {
        for (line, path) in [
            ("mode = 'both'", "gateway.batches.mode"),
            ("concurrency = 0", "gateway.batches.concurrency"),
            ("requests_per_minute = 0", "gateway.batches.requests_per_minute"),
            ("expiry = 1", "gateway.batches.expiry"),
        ] {
            let problems = bad(&format!("[gateway.batches]\n{line}\n"));
            assert!(problems.contains(path), "{line}: {problems}");
        }
    }
}
