//! A whole configuration, several files, problems with their exact places, the hash.

use std::time::Duration;

use sabir_types::Operation;

use super::{
    super::{
        Level, MetricKind,
        testing::{self, PROVIDERS, bad, good, notes},
    },
    *,
};
use crate::plan::Credential;

const FULL: &str = r#"
[gateway]
bind_address = "0.0.0.0:3000"
base_path = "/llm/"
debug = true
observability = { enabled = true, async_writes = true, batch_writes = { enabled = false } }
export.otlp.traces = { enabled = false }

[models.fast]
routing = ["main", "spare"]
timeouts = { connect_ms = 500, non_streaming.total_ms = 9000, streaming = { ttft_ms = 700, idle_ms = 800 } }
retries = { num_retries = 2, max_delay_s = 0.5 }

[models.fast.providers.main]
type = "openai"
model_name = "gpt-x"
api_key_location = "env::MAIN_KEY"
extra_body = [{ pointer = "/a/b", value = { c = 1 } }, { pointer = "/x", delete = true }]
extra_headers = [{ name = "X-A", value = "v" }, { name = "X-B", delete = true }]
cost = [
    { pointer = "/usage/prompt_tokens", cost_per_million = 3.0, required = true },
    { pointer_nonstreaming = "/a", pointer_streaming = "/b", cost_per_unit = 2 },
]

[models.fast.providers.spare]
type = "dummy"
model_name = "good"
delay_ms = 5
timeouts.streaming.total_ms = 1000

[models.blue]
[models.blue.providers.az]
type = "azure"
deployment_id = "d1"
endpoint = "https://blue.example"
api_version = "2024-10-21"

[embedding_models.vectors]
routing = ["e"]
timeout_ms = 1234
providers.e = { type = "openai", model_name = "emb", api_base = "http://127.0.0.1:9/v1" }

[metrics.good]
type = "boolean"
level = "inference"
optimize = "max"
description = "was it good"

[functions.greet]
type = "chat"
variants.a = { type = "chat_completion", model = "fast" }

[object_storage]
type = "disabled"
"#;

#[test]
fn a_whole_configuration_becomes_a_plan() {
    let config = testing::load(FULL, &Env::of([("MAIN_KEY", "k-1"), ("OPENAI_API_KEY", "k-2")])).unwrap();
    assert_eq!(config.gateway.bind_address.unwrap().to_string(), "0.0.0.0:3000");
    assert_eq!(config.gateway.base_path, "/llm");
    assert_eq!(config.gateway.durability, super::super::Durability::Async);
    let fast = config.model(Operation::Chat, "fast").unwrap();
    assert_eq!(fast.timeouts.total, Some(Duration::from_secs(9)));
    assert_eq!((fast.retries.num_retries, fast.retries.max_delay), (2, Duration::from_millis(500)));
    let [main, spare] = &*fast.routing else { panic!("two targets") };
    assert_eq!((&*main.name, &*main.upstream_model, &*main.model), ("main", "gpt-x", "fast"));
    assert!(matches!(&main.credential, Credential::Static(key) if key.expose() == "k-1"));
    assert_eq!(main.extra_body.len(), 2);
    assert_eq!(main.extra_body[0].value.as_ref().unwrap()["c"], 1);
    assert_eq!(main.extra_headers[1].value, None);
    assert_eq!((main.cost[0].per_unit * 1e6).round(), 3.0);
    assert!(main.cost[0].required && main.cost[0].pointer_streaming == "/usage/prompt_tokens");
    assert_eq!((&*main.cost[1].pointer, &*main.cost[1].pointer_streaming, main.cost[1].per_unit), ("/a", "/b", 2.0));
    assert_eq!(main.timeouts.between_events, Some(Duration::from_millis(800)), "taken over from the model");
    assert_eq!(&*main.circuit, "openai https://api.example/v1 env::MAIN_KEY gpt-x");
    assert_eq!(spare.options["delay_ms"], 5);
    assert_eq!(spare.timeouts.stream_total, Some(Duration::from_secs(1)));
    let blue = config.model(Operation::Chat, "blue").unwrap();
    assert_eq!(blue.routing[0].api_base.as_deref(), Some("https://blue.example"));
    assert_eq!(blue.routing[0].upstream_model, "d1");
    assert_eq!(blue.routing[0].options["deployment_id"], "d1");
    assert_eq!(blue.routing[0].options["api_version"], "2024-10-21");
    let vectors = config.model(Operation::Embed, "vectors").unwrap();
    assert_eq!(vectors.timeouts.total, Some(Duration::from_millis(1234)));
    let metric = &config.metrics["good"];
    assert_eq!((metric.kind, metric.level, metric.maximize), (MetricKind::Boolean, Level::Inference, true));
    assert_eq!(config.functions, ["greet"]);
    assert_eq!(
        notes(&config),
        [
            "sabir.toml:32:24: models.blue.providers.az: no credential: the environment variable `AZURE_API_KEY` is not set",
            "sabir.toml:49:12: functions.greet: accepted, but not supported yet: it has no effect",
        ]
    );
}

#[test]
fn nothing_at_all_is_fine() {
    let config = load(&[], &Env::default(), PROVIDERS).unwrap();
    assert!(config.models.chat.is_empty() && config.notes.is_empty());
    assert_eq!(config.gateway.durability, super::super::Durability::Durable);
    assert_eq!(config.model(Operation::Chat, "dummy::good").unwrap().routing[0].upstream_model, "good");
}

/// Every line is one mistake; every message says where it is and what would be right.
#[test]
fn every_problem_is_told_with_its_place() {
    let text = r#"gatway.debug = true
[gateway]
bind_adress = "x"
debug = "yes"
base_path = "llm"
limits.request_body_bytes = 3
cache.mode = "offf"
relay.gateway_url = "http://x"
[models.a]
routing = ["p", "spare", "p", 1]
[models.a.providers.p]
type = "opnai"
[models.b.providers.p]
type = "openai"
modle_name = "m"
api_key_location = "sk-hunter2"
timeouts = { total_ms = 1 }
[models.c]
routing = []
[models.d.providers]
x = { type = "azure", model_name = "" }
y = { type = "openai", model_name = "m", api_base = "ftp://u:hunter2@h" }
[embedding_models.e.providers.p]
type = "anthropic"
model_name = "m"
api_key_location = "sdk"
[metrics.m]
type = "bool"
level = "inference"
[metrics.comment]
type = "float"
level = "episode"
optimize = "min"
"#;
    let said = bad(text);
    let expected = [
        "sabir.toml:1:1: gatway: unknown key; did you mean `gateway`?",
        "sabir.toml:3:1: gateway.bind_adress: unknown key; did you mean `bind_address`?",
        "sabir.toml:4:9: gateway.debug: expected a boolean, got a string",
        "sabir.toml:5:13: gateway.base_path: expected a path like `/llm`: it starts with `/` and holds letters, digits and `-_.~`",
        "sabir.toml:6:29: gateway.limits.request_body_bytes: expected an integer from 1024 to 4294967296",
        "sabir.toml:7:14: gateway.cache.mode: expected `off`, `on`, `read_only` or `write_only`; did you mean `off`?",
        "sabir.toml:8:1: gateway.relay: relaying to another gateway is not supported yet",
        "sabir.toml:10:17: models.a.routing[1]: the model has no provider `spare`",
        "sabir.toml:10:26: models.a.routing[2]: `p` is in the routing twice",
        "sabir.toml:10:31: models.a.routing[3]: expected a string, got an integer",
        "sabir.toml:12:8: models.a.providers.p.type: unknown provider type; did you mean `openai`?",
        "sabir.toml:13:21: models.b.providers.p: missing key `model_name`",
        "sabir.toml:15:1: models.b.providers.p.modle_name: unknown key; did you mean `model_name`?",
        "sabir.toml:16:20: models.b.providers.p.api_key_location: expected `env::VARIABLE`, `path::FILE`, `path_from_env::VARIABLE`, `dynamic::NAME` or `none`; a key itself does not belong into a file",
        "sabir.toml:17:14: models.b.providers.p.timeouts.total_ms: unknown key",
        "sabir.toml:18:9: models.c: missing key `providers`",
        "sabir.toml:19:11: models.c.routing: a routing has at least one provider",
        "sabir.toml:21:1: models.d.providers.x: missing key `api_base`",
        "sabir.toml:21:36: models.d.providers.x.model_name: a model's name is not empty",
        "sabir.toml:22:53: models.d.providers.y.api_base: expected an address that starts with `http://` or `https://`",
        "sabir.toml:24:8: embedding_models.e.providers.p.type: provider type `anthropic` has no embed",
        "sabir.toml:26:20: embedding_models.e.providers.p.api_key_location: `sdk` is for the clouds' own credentials: this is a key",
        "sabir.toml:27:10: metrics.m: missing key `optimize`",
        "sabir.toml:28:8: metrics.m.type: expected `boolean` or `float`; did you mean `boolean`?",
        "sabir.toml:30:10: metrics.comment: `comment` is built in and cannot be the name of a metric",
    ];
    for (said, expected) in said.lines().zip(expected) {
        assert_eq!(said, expected);
    }
    assert_eq!(said.lines().count(), expected.len());
    assert!(!said.contains("hunter2"));
}

#[test]
fn files_grow_together_and_say_things_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    file("b.toml", "[models.m]\nrouting = ['q', 'p']\n[models.m.providers.q]\ntype = 'dummy'\nmodel_name = 'good'\n");
    file("a.toml", "[gateway]\ndebug = true\n[models.m.providers.p]\ntype = 'dummy'\nmodel_name = 'slow'\n");
    fs::create_dir(dir.path().join("c.toml")).unwrap();
    let pattern = Source::Files(dir.path().join("*.toml").to_str().unwrap().to_owned());
    let config = load(std::slice::from_ref(&pattern), &Env::default(), PROVIDERS).unwrap();
    let names: Vec<_> = config.models.chat["m"].routing.iter().map(|endpoint| endpoint.name.to_string()).collect();
    assert_eq!(names, ["q", "p"]);
    assert!(config.gateway.debug);
    let again = Source::Files(dir.path().join("a.toml").to_str().unwrap().to_owned());
    load(&[pattern.clone(), again], &Env::default(), PROVIDERS).expect("a file counts once");
    file("z.toml", "[gateway]\ndebug = true\n");
    let said = load(&[pattern], &Env::default(), PROVIDERS).unwrap_err().to_string();
    let at = |name: &str| dir.path().join(name).display().to_string();
    assert_eq!(
        said,
        format!("{}:2:1: gateway.debug: duplicate key: it is also set at {}:2:1", at("z.toml"), at("a.toml"))
    );
}

#[test]
fn files_that_are_not_there_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let of = |name: &str| {
        let path = dir.path().join(name).to_str().unwrap().to_owned();
        let said = load(&[Source::Files(path.clone())], &Env::default(), PROVIDERS).unwrap_err().to_string();
        said.replace(&path, "PATH")
    };
    assert_eq!(of("no.toml"), "`PATH` cannot be read: entity not found");
    assert_eq!(of("*.toml"), "no file matches `PATH`");
    assert_eq!(of("***"), "`PATH` is not a pattern: wildcards are either regular `*` or recursive `**`");
    assert_eq!(of(""), "`PATH` is not a file");
    fs::write(dir.path().join("bytes.toml"), [0xff]).unwrap();
    assert_eq!(of("bytes.toml"), "`PATH` cannot be read: stream did not contain valid UTF-8");
}

#[test]
fn a_text_that_is_not_toml_is_told_once() {
    let said = bad("[gateway]\ndebug = \nunknown = 1\n");
    assert!(said.starts_with("sabir.toml:2:"), "{said}");
    assert!(!said.contains("unknown"), "{said}");
    assert_eq!(bad("a = 1\na = 2\n").lines().count(), 1);
}

#[test]
fn the_same_settings_have_the_same_hash() {
    let one = good("[gateway]\ndebug = true\nstrict = false\n[models]\n");
    let other = good("# a comment\nmodels = {}\ngateway = { strict = false, debug = true }\n");
    assert_eq!(one.hash, other.hash);
    assert_eq!(one.hash.len(), 32);
    assert!(one.hash.chars().all(|digit| digit.is_ascii_hexdigit()));
    assert_ne!(one.hash, good("[gateway]\ndebug = false\nstrict = false\n[models]\n").hash);
}

#[test]
fn providers_outside_the_routing_are_noted() {
    let config = good(
        "[models.m]\nrouting = ['a']\nproviders = { a = { type = 'dummy', model_name = 'x' }, b = { type = 'dummy', model_name = 'x' } }\n",
    );
    assert_eq!(
        notes(&config),
        ["sabir.toml:2:1: models.m.routing: provider `b` is not in the routing and is never used"]
    );
}
