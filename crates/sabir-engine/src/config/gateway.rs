//! The `[gateway]` table.
//!
//! Invariant: nobody gets a gateway without keys who asked for one with keys.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sabir_types::{Operation, Secret};

use super::{
    CacheSettings, Durability, Gateway, batches, credential,
    env::Env,
    grpc, model, price,
    reader::{Log, NOT_YET, Reader},
    registry::NO_RETRIES,
};
use crate::{call::CacheOptions, circuit::CircuitPolicy, plan::Timeouts, price::Prices};

/// Where the gateway's own key is usually found; also that key's public name.
const KEY_VARIABLE: &str = "SABIR_API_KEY";
/// How long a call may take in all unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(900);

impl Default for Gateway {
    fn default() -> Self {
        Self {
            bind_address: None,
            base_path: String::new(),
            debug: false,
            error_json: false,
            durability: Durability::default(),
            sync_to_disk: false,
            skip_feedback_target_check: false,
            api_keys: Vec::new(),
            data_dir: None,
            body_limit: 100 * 1024 * 1024,
            body_timeout: Duration::from_secs(60),
            shutdown_grace: Duration::from_secs(30),
            strict: false,
            cache: CacheSettings::default(),
            circuit: CircuitPolicy { failures: 5, window: Duration::from_secs(30), open_for: Duration::from_secs(15) },
            timeouts: Timeouts { total: Some(PATIENCE), stream_total: Some(PATIENCE), ..Timeouts::default() },
            retries: NO_RETRIES,
            grpc: super::Grpc::default(),
            batches: super::Batches::default(),
            prices: Arc::default(),
        }
    }
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            default: CacheOptions::default(),
            enabled: true,
            max_bytes: 128 * 1024 * 1024,
            ttl: Duration::from_secs(24 * 3600),
        }
    }
}

/// Reads `[gateway]`; `None` stands for a file that has none.
pub(super) fn read(table: Option<Reader<'_>>, env: &Env, log: &Log) -> Gateway {
    let mut gateway = Gateway::default();
    let Some(mut reader) = table else {
        gateway.api_keys = from_env(env);
        gateway.grpc = grpc::read(None, env, log);
        gateway.prices = Arc::new(Prices::new(price::built_in(log)));
        return gateway;
    };
    let r = &mut reader;
    gateway.bind_address = bind_address(r, "127.0.0.1:3000");
    gateway.base_path = base_path(r).unwrap_or_default();
    gateway.debug = r.boolean("debug").unwrap_or(gateway.debug);
    gateway.error_json = r.boolean("unstable_error_json").unwrap_or(gateway.error_json);
    gateway.skip_feedback_target_check =
        r.boolean("unstable_disable_feedback_target_validation").unwrap_or(gateway.skip_feedback_target_check);
    gateway.strict = r.boolean("strict").unwrap_or(gateway.strict);
    gateway.shutdown_grace =
        r.integer("shutdown_grace_ms", 0, 3_600_000).map_or(gateway.shutdown_grace, Duration::from_millis);
    gateway.data_dir = data_dir(r);
    (gateway.durability, gateway.sync_to_disk) = observability(r);
    gateway.api_keys = auth(r, env, log);
    limits(r, &mut gateway);
    gateway.cache = cache(r);
    gateway.circuit = circuit(r, gateway.circuit);
    gateway.timeouts = timeouts(r);
    gateway.grpc = grpc::read(r.table("grpc"), env, log);
    gateway.batches = batches::read(r.table("batches"));
    gateway.retries = model::retries(r, gateway.retries);
    gateway.prices = Arc::new(price::read(r));
    if let Some(entry) = r.entry("relay") {
        // To leave it out would send calls and keys to other places than the user wants.
        log.problem(Some(&entry.place), &r.path_of("relay"), "relaying to another gateway is not supported yet");
    }
    // There are no analytics to switch off.
    r.boolean("disable_pseudonymous_usage_analytics");
    r.passive_boolean("fetch_and_encode_input_files_before_inference");
    r.passive("template_filesystem_access");
    r.passive("export");
    r.passive("metrics");
    reader.finish();
    gateway
}

/// Reads where to listen.
pub(super) fn bind_address(r: &mut Reader<'_>, example: &str) -> Option<SocketAddr> {
    let text = r.text("bind_address")?;
    let entry = r.entry("bind_address")?;
    let address = text.parse().ok();
    if address.is_none() {
        r.problem(entry, format!("expected an address and a port like `{example}`"));
    }
    address
}

fn base_path(r: &mut Reader<'_>) -> Option<String> {
    let text = r.text("base_path")?;
    let entry = r.entry("base_path")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
    if !text.starts_with('/') || text.contains("//") || !text.chars().all(plain) {
        r.problem(entry, "expected a path like `/llm`: it starts with `/` and holds letters, digits and `-_.~`");
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

fn data_dir(r: &mut Reader<'_>) -> Option<std::path::PathBuf> {
    let text = r.text("data_dir")?;
    let entry = r.entry("data_dir")?;
    if text.is_empty() {
        r.problem(entry, "expected the path of a directory");
        return None;
    }
    Some(entry.node.place.file.dir.join(text))
}

fn observability(r: &mut Reader<'_>) -> (Durability, bool) {
    let Some(mut r) = r.table("observability") else { return (Durability::default(), false) };
    let enabled = r.boolean("enabled");
    let wanted = r.one_of(
        "durability",
        &[("durable", Durability::Durable), ("async", Durability::Async), ("off", Durability::Off)],
    );
    let sync = r.boolean("sync").unwrap_or(false);
    let mut later = r.boolean("async_writes").unwrap_or(false);
    if let Some(mut batch) = r.table("batch_writes") {
        later |= batch.boolean("enabled").unwrap_or(false);
        // The writer batches by itself, as much as fits into one commit.
        for name in ["flush_interval_ms", "max_rows", "max_rows_postgres", "write_queue_capacity"] {
            if batch.integer(name, 1, u64::MAX).is_some() {
                batch.passive(name);
            }
        }
        batch.finish();
    }
    r.passive_boolean("disable_automatic_migrations");
    if let Some(entry) = r.entry("backend")
        && r.text("backend").is_some_and(|backend| !matches!(backend, "auto" | "sqlite"))
    {
        r.log().note(Some(&entry.place), &r.path_of("backend"), NOT_YET);
    }
    if enabled == Some(true)
        && wanted == Some(Durability::Off)
        && let Some(entry) = r.entry("durability")
    {
        r.problem(entry, "`off` contradicts `enabled = true`");
    }
    r.finish();
    let durability = match (enabled, wanted, later) {
        (Some(false), ..) => Durability::Off,
        (_, Some(wanted), _) => wanted,
        (_, None, true) => Durability::Async,
        (_, None, false) => Durability::Durable,
    };
    (durability, sync)
}

fn from_env(env: &Env) -> Vec<(Arc<str>, Secret)> {
    let keys = env.get(KEY_VARIABLE).unwrap_or_default().split(',').map(str::trim);
    keys.filter(|key| !key.is_empty()).map(|key| (KEY_VARIABLE.into(), Secret::new(key))).collect()
}

fn auth(r: &mut Reader<'_>, env: &Env, log: &Log) -> Vec<(Arc<str>, Secret)> {
    let mut keys = from_env(env);
    let Some(entry) = r.entry("auth") else { return keys };
    let Some(mut r) = r.table("auth") else { return keys };
    let enabled = r.boolean("enabled");
    r.passive("cache");
    let mut wrong = false;
    if let Some(table) = r.table("keys") {
        for entry in table.entries() {
            match credential::secret(entry, &table.path_of(&entry.name), env, log) {
                Some(secret) => keys.push((entry.name.as_str().into(), secret)),
                None => wrong = true,
            }
        }
    }
    let path = r.path().to_owned();
    r.finish();
    match enabled {
        Some(true) if keys.is_empty() && !wrong => {
            let message =
                format!("`enabled = true` needs a key: set `{path}.keys` or the environment variable {KEY_VARIABLE}");
            log.problem(Some(&entry.place), &path, message);
        }
        Some(false) if !keys.is_empty() => {
            log.note(Some(&entry.place), &path, "`enabled = false`: everybody is let in, the keys have no effect");
            keys.clear();
        }
        _ => {}
    }
    keys
}

fn limits(r: &mut Reader<'_>, gateway: &mut Gateway) {
    let Some(mut r) = r.table("limits") else { return };
    if let Some(bytes) = r.integer("request_body_bytes", 1024, 1 << 32) {
        gateway.body_limit = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    gateway.body_timeout = r.millis("request_body_timeout_ms").unwrap_or(gateway.body_timeout);
    r.finish();
}

fn cache(r: &mut Reader<'_>) -> CacheSettings {
    let mut settings = CacheSettings::default();
    let Some(mut r) = r.table("cache") else { return settings };
    settings.enabled = r.boolean("enabled").unwrap_or(settings.enabled);
    if let Some((read, write)) = r.one_of(
        "mode",
        &[("off", (false, false)), ("on", (true, true)), ("read_only", (true, false)), ("write_only", (false, true))],
    ) {
        settings.default = CacheOptions { read, write, max_age_s: None };
    }
    if let Some(bytes) = r.integer("max_bytes", 0, 1 << 40) {
        settings.max_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    settings.ttl = r.seconds("ttl_s").unwrap_or(settings.ttl);
    if let Some(entry) = r.entry("backend")
        && r.text("backend").is_some_and(|backend| !matches!(backend, "auto" | "memory"))
    {
        r.log().note(Some(&entry.place), &r.path_of("backend"), NOT_YET);
    }
    r.passive("valkey");
    r.finish();
    settings
}

fn circuit(r: &mut Reader<'_>, mut policy: CircuitPolicy) -> CircuitPolicy {
    let Some(mut r) = r.table("circuit_breaker") else { return policy };
    policy.failures = r.integer("failures", 0, 1_000_000).map_or(policy.failures, |number| number as u32);
    policy.window = r.millis("window_ms").unwrap_or(policy.window);
    policy.open_for = r.millis("open_ms").unwrap_or(policy.open_for);
    if r.boolean("enabled") == Some(false) {
        policy.failures = 0;
    }
    r.finish();
    policy
}

/// The gateway's own `timeouts`, then the two settings that TensorZero has for all calls.
fn timeouts(r: &mut Reader<'_>) -> Timeouts {
    let mut own = model::timeouts(r, Operation::Chat);
    let all = r.millis("global_outbound_http_timeout_ms").unwrap_or(PATIENCE);
    own.total = own.total.or(Some(all));
    own.stream_total = own.stream_total.or(Some(all));
    own.between_events = own.between_events.or(r.millis("global_outbound_http_intra_stream_read_timeout_ms"));
    own
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
