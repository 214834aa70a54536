//! The gateway's settings, its keys, and what is understood without being done.

use super::{
    super::testing::{bad, good, load, notes},
    *,
};

#[test]
fn own_settings_are_taken_over() {
    let gateway = good(
        "[gateway]\nstrict = true\ndata_dir = 'data'\nshutdown_grace_ms = 0\nobservability = { durability = 'async', sync = true }\n\
         limits = { request_body_bytes = 2048, request_body_timeout_ms = 5 }\n\
         cache = { mode = 'read_only', max_bytes = 10, ttl_s = 1.5 }\n\
         circuit_breaker = { failures = 2, window_ms = 3, open_ms = 4 }\n\
         retries = { num_retries = 1 }\ntimeouts.streaming.idle_ms = 6\nglobal_outbound_http_timeout_ms = 7000\n\
         [models.m.providers.p]\ntype = 'dummy'\nmodel_name = 'x'\n",
    );
    assert_eq!(gateway.models.chat["m"].retries.num_retries, 1, "a model's retries fall back to the gateway's");
    let gateway = gateway.gateway;
    assert!(gateway.strict && gateway.sync_to_disk);
    assert_eq!(gateway.durability, Durability::Async);
    assert_eq!(gateway.data_dir.unwrap(), std::path::Path::new("data"));
    assert_eq!((gateway.body_limit, gateway.body_timeout), (2048, Duration::from_millis(5)));
    assert_eq!(gateway.shutdown_grace, Duration::ZERO);
    assert_eq!(gateway.cache.default, CacheOptions { read: true, write: false, max_age_s: None });
    assert_eq!((gateway.cache.max_bytes, gateway.cache.ttl), (10, Duration::from_millis(1500)));
    assert_eq!((gateway.circuit.failures, gateway.circuit.open_for), (2, Duration::from_millis(4)));
    assert_eq!(gateway.timeouts.total, Some(Duration::from_secs(7)));
    assert_eq!(gateway.timeouts.stream_total, Some(Duration::from_secs(7)));
    assert_eq!(gateway.timeouts.between_events, Some(Duration::from_millis(6)));
}

#[test]
fn durability_follows_what_is_said() {
    let of = |text: &str| good(&format!("[gateway.observability]\n{text}\n")).gateway.durability;
    assert_eq!(of(""), Durability::Durable);
    assert_eq!(of("async_writes = true"), Durability::Async);
    assert_eq!(of("batch_writes.enabled = true"), Durability::Async);
    assert_eq!(of("async_writes = true\ndurability = 'durable'"), Durability::Durable);
    assert_eq!(of("enabled = false"), Durability::Off);
    assert_eq!(
        bad("[gateway.observability]\nenabled = true\ndurability = 'off'\n"),
        "sabir.toml:3:14: gateway.observability.durability: `off` contradicts `enabled = true`"
    );
}

#[test]
fn keys_come_from_the_environment_and_by_name() {
    let env = Env::of([("SABIR_API_KEY", "one, two,"), ("K", "three")]);
    let config = load("[gateway.auth.keys]\nme = 'env::K'\n", &env).unwrap();
    let keys: Vec<_> = config.gateway.api_keys.iter().map(|(name, key)| (&**name, key.expose())).collect();
    assert_eq!(keys, [("SABIR_API_KEY", "one"), ("SABIR_API_KEY", "two"), ("me", "three")]);
    assert_eq!(load("", &env).unwrap().gateway.api_keys.len(), 2);
    let off = load("[gateway.auth]\nenabled = false\n", &env).unwrap();
    assert!(off.gateway.api_keys.is_empty());
    assert_eq!(
        notes(&off),
        ["sabir.toml:1:10: gateway.auth: `enabled = false`: everybody is let in, the keys have no effect"]
    );
}

#[test]
fn a_gateway_that_should_have_keys_does_not_start_without() {
    assert_eq!(
        bad("[gateway.auth]\nenabled = true\n"),
        "sabir.toml:1:10: gateway.auth: `enabled = true` needs a key: set `gateway.auth.keys` or the environment \
         variable SABIR_API_KEY"
    );
    assert_eq!(
        bad("[gateway.auth]\nenabled = true\nkeys = { a = 'env::A', b = 'none', c = 'hunter2' }\n"),
        "sabir.toml:3:14: gateway.auth.keys.a: the environment variable `A` is not set\n\
         sabir.toml:3:28: gateway.auth.keys.b: expected `env::VARIABLE`, `path::FILE` or `path_from_env::VARIABLE`\n\
         sabir.toml:3:40: gateway.auth.keys.c: expected `env::VARIABLE`, `path::FILE`, `path_from_env::VARIABLE`, \
         `dynamic::NAME` or `none`; a key itself does not belong into a file"
    );
}

#[test]
fn what_does_nothing_is_noted() {
    let config = good(
        "[gateway]\nfetch_and_encode_input_files_before_inference = true\ndisable_pseudonymous_usage_analytics = true\n\
         template_filesystem_access = { enabled = true, base_path = '.' }\nexport.otlp.traces.enabled = true\n\
         observability = { backend = 'clickhouse', batch_writes = { enabled = false, max_rows = 5 } }\n\
         auth = { enabled = false, cache = { enabled = false } }\ncache = { backend = 'valkey', valkey.ttl_s = 5 }\n\
         [rate_limiting]\nenabled = true\n[[rate_limiting.rules]]\nalways = true\n[postgres]\n",
    );
    let keys: Vec<_> = config.notes.iter().map(|note| note.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "gateway.fetch_and_encode_input_files_before_inference",
            "gateway.template_filesystem_access",
            "gateway.export",
            "gateway.observability.backend",
            "gateway.observability.batch_writes.max_rows",
            "gateway.cache.backend",
            "gateway.cache.valkey",
            "rate_limiting",
        ]
    );
}
