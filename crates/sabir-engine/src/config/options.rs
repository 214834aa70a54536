//! Keys of a model's provider that only some providers have.
//!
//! Invariant: such a key is known for its provider's type or it is a problem; what holds a
//! credential is never among them.

use std::sync::Arc;

use sabir_types::{Map, Value};

use super::{
    env::Env,
    reader::{NOT_YET, Reader},
    tree::Kind,
};

/// Keys that say where a provider listens.
pub(super) const ADDRESSES: [&str; 3] = ["api_base", "endpoint", "endpoint_url"];

/// Keys that hold the provider's own name for the model.
const NAMES: [&str; 5] = ["model_name", "model_id", "deployment_id", "endpoint_id", "endpoint_name"];

/// Provider types whose server has one model, whatever it is called.
const ONE_MODEL: &[&str] = &["tgi", "huggingface-tgi", "huggingface_tgi", "sglang"];

/// Settings that are handed to the provider as they are, `env::VARIABLE` replaced.
const SETTINGS: &[&str] = &[
    "api_type",
    "api_version",
    "delay_ms",
    "group_id",
    "location",
    "organization",
    "parse_think_blocks",
    "project",
    "project_id",
    "prompt_mode",
    "reasoning_format",
    "region",
];

/// Settings of which a provider is told as well, but that mostly do nothing.
const NOTED: &[&str] = &[
    "allow_auto_detect_region",
    "beta_structured_outputs",
    "content_type_overrides",
    "discard_unknown_chunks",
    "hosted_provider",
    "include_encrypted_reasoning",
    "provider_tools",
];

/// Credentials in several parts.
const IN_PARTS: &[&str] = &["access_key_id", "secret_access_key", "session_token"];

/// Which settings a provider type has; a type that is not listed has all of them.
fn of_type(id: &str) -> Option<&'static [&'static str]> {
    Some(match id {
        "anthropic" => &["api_version", "beta_structured_outputs", "provider_tools"],
        "azure" => &["api_type", "api_version", "provider_tools"],
        "openai" => &[
            "api_type",
            "content_type_overrides",
            "include_encrypted_reasoning",
            "organization",
            "project",
            "provider_tools",
        ],
        "dummy" => &["delay_ms"],
        "gemini" | "google_ai_studio_gemini" => &["api_version"],
        "groq" => &["reasoning_format"],
        "mistral" => &["prompt_mode"],
        "fireworks" | "together" => &["parse_think_blocks"],
        "deepseek" | "hyperbolic" | "openrouter" | "vllm" | "sglang" | "tgi" | "xai" => &[],
        _ => return None,
    })
}

/// Reads the settings of this provider type.
pub(super) fn read(reader: &mut Reader<'_>, id: &str, env: &Env) -> Map<String, Value> {
    let log = reader.log();
    let mut options = Map::new();
    let listed = of_type(id);
    for name in SETTINGS.iter().chain(NOTED).copied() {
        let general = name == "discard_unknown_chunks";
        if listed.is_some_and(|listed| !general && !listed.contains(&name)) {
            continue;
        }
        let Some(entry) = reader.entry(name) else { continue };
        if NOTED.contains(&name) && !matches!(entry.node.kind, Kind::Bool(false)) {
            log.note(Some(&entry.place), &reader.path_of(name), NOT_YET);
        }
        let value = match &entry.node.kind {
            Kind::Text(text) => match resolved(text, env) {
                Ok(text) => Value::from(text),
                Err(why) => {
                    reader.problem(entry, why);
                    continue;
                }
            },
            _ => entry.node.json(),
        };
        options.insert(name.to_owned(), value);
    }
    if listed.is_none() {
        for name in IN_PARTS.iter().copied() {
            if let Some(entry) = reader.entry(name) {
                reader.problem(entry, "a credential in several parts is not supported yet: use `api_key_location`");
            }
        }
    }
    options
}

/// The provider's own name for the model. Other keys than `model_name` also become settings.
pub(super) fn upstream_model(
    reader: &mut Reader<'_>,
    id: &str,
    model: &Arc<str>,
    options: &mut Map<String, Value>,
) -> Option<String> {
    let mut given = None;
    let mut any = false;
    for name in NAMES {
        let Some(entry) = reader.entry(name) else { continue };
        any = true;
        match reader.text(name) {
            Some("") => reader.problem(entry, "a model's name is not empty"),
            Some(text) => {
                given = given.or(Some(text.to_owned()));
                if name != "model_name" {
                    options.insert(name.to_owned(), Value::from(text));
                }
            }
            None => {}
        }
    }
    if given.is_none() && !any {
        if ONE_MODEL.contains(&id) {
            return Some(model.to_string());
        }
        reader.missing("model_name");
    }
    given
}

fn resolved(text: &str, env: &Env) -> Result<String, String> {
    match text.split_once("::") {
        Some(("env", name)) => match env.get(name) {
            Some(value) => Ok(value.to_owned()),
            None => Err(format!("the environment variable `{name}` is not set")),
        },
        Some((kind @ ("dynamic" | "path" | "path_from_env"), _)) => Err(format!("`{kind}::` is not supported here")),
        _ if text == "sdk" => Err("`sdk` is not supported yet".to_owned()),
        _ => Ok(text.to_owned()),
    }
}
