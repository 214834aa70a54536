//! A file that was written for TensorZero loads as it is.

use sabir_types::Operation;

use super::testing::good;

const FILE: &str = r#"
[gateway]
bind_address = "0.0.0.0:3000"
base_path = "/"
disable_pseudonymous_usage_analytics = true
unstable_error_json = true
unstable_disable_feedback_target_validation = true
global_outbound_http_timeout_ms = 60000
observability = { enabled = true, backend = "auto", async_writes = false, batch_writes = { enabled = false, flush_interval_ms = 100, max_rows = 1000 } }
template_filesystem_access = { enabled = false }
export.otlp.traces = { enabled = false, format = "opentelemetry", extra_headers = {} }
auth = { enabled = false, cache = { enabled = true, ttl_ms = 1000 } }
cache = { enabled = true, backend = "auto", valkey.ttl_s = 86400 }

[clickhouse]
disable_automatic_migrations = false

[postgres]
connection_pool_size = 20

[models.chatty]
routing = ["good"]
skip_relay = false
timeouts = { non_streaming.total_ms = 1000, streaming.ttft_ms = 500, streaming.total_ms = 2000 }

[models.chatty.providers.good]
type = "dummy"
model_name = "good"
discard_unknown_chunks = false
api_key_location = "dynamic::DUMMY_API_KEY"

[provider_types.openai]
defaults.api_key_location = "none"

[embedding_models.vectors]
routing = ["o"]
[embedding_models.vectors.providers.o]
type = "openai"
model_name = "text-embedding"
timeout_ms = 500

[functions.greet]
type = "chat"
system_schema = "greet.json"
tools = ["weather"]
[functions.greet.variants.a]
type = "chat_completion"
model = "chatty"
weight = 1.0
retries = { num_retries = 1, max_delay_s = 10 }
[functions.greet.experimentation]
type = "static"
candidate_variants = { a = 1.0 }

[metrics.liked]
type = "boolean"
optimize = "max"
level = "inference"

[tools.weather]
description = "Tells the weather"
parameters = "weather.json"

[evaluations.check]
type = "inference"
function_name = "greet"

[rate_limiting]
enabled = true
[[rate_limiting.rules]]
tokens_per_minute = { capacity = 10, refill_rate = 5 }
always = true
scope = [{ tag_key = "user_id", tag_value = "tensorzero::each" }]

[object_storage]
type = "filesystem"
path = "files"

[optimizers.tuned]
type = "openai_sft"

[autopilot]
tool_whitelist = []
"#;

#[test]
fn a_file_for_tensorzero_loads_and_says_what_it_does_not_do() {
    let config = good(FILE);
    assert_eq!(config.gateway.base_path, "");
    assert!(config.gateway.error_json && config.gateway.skip_feedback_target_check);
    assert_eq!(config.model(Operation::Chat, "chatty").unwrap().routing[0].upstream_model, "good");
    assert_eq!(config.model(Operation::Embed, "vectors").unwrap().routing[0].upstream_model, "text-embedding");
    let noted: Vec<_> = config.notes.iter().map(|note| note.key.as_str()).collect();
    assert_eq!(
        noted,
        [
            "gateway.observability.batch_writes.flush_interval_ms",
            "gateway.observability.batch_writes.max_rows",
            "gateway.auth.cache",
            "gateway.cache.valkey",
            "postgres",
            "functions.greet",
            "tools",
            "evaluations",
            "rate_limiting",
            "object_storage",
            "optimizers",
            "autopilot",
        ]
    );
}
