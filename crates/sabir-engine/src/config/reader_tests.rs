//! Numbers, durations and words at their limits.

use super::super::testing::{bad, good};

#[test]
fn numbers_keep_their_limits() {
    for (line, expected) in [
        ("shutdown_grace_ms = -1", "shutdown_grace_ms: expected an integer from 0 to 3600000"),
        ("shutdown_grace_ms = 1.0", "shutdown_grace_ms: expected an integer, got a float"),
        ("timeouts.connect_ms = 0", "timeouts.connect_ms: expected an integer from 1 to 31536000000"),
        (
            "observability.batch_writes.max_rows = 0",
            "observability.batch_writes.max_rows: expected an integer of at least 1",
        ),
        (
            "cache.ttl_s = -1",
            "cache.ttl_s: expected a number of seconds that is not negative and not longer than a year",
        ),
        ("cache.ttl_s = '1'", "cache.ttl_s: expected a number, got a string"),
        ("cache = 1979-05-27", "cache: expected a table, got a date"),
    ] {
        let said = bad(&format!("[gateway]\n{line}\n"));
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.ends_with(&format!(": gateway.{expected}")), "{said}");
    }
}

#[test]
fn what_is_switched_off_leaves_no_note() {
    let config =
        good("[gateway]\nexport.otlp.traces.enabled = false\n[object_storage]\ntype = 'disabled'\n[clickhouse]\n");
    assert!(config.notes.is_empty(), "{:?}", config.notes);
}
