//! Keys of a model's provider that only some providers have.
//!
//! Invariant: such a key is known for its provider's type or it is a problem; what holds a
//! credential is never among them.

use std::sync::Arc;

use sabir_providers::CredentialScheme;
use sabir_types::{Map, Value};

use super::{env::Env, reader::Reader, sdk_aws, tree::Kind};

/// Keys that say where a provider listens.
pub(super) const ADDRESSES: [&str; 3] = ["api_base", "endpoint", "endpoint_url"];

/// Keys that hold the provider's own name for the model.
const NAMES: [&str; 5] = ["model_name", "model_id", "deployment_id", "endpoint_id", "endpoint_name"];

/// Provider types whose server has one model, whatever it is called.
const ONE_MODEL: &[&str] = &["llama_cpp", "sglang", "tgi"];

/// Provider types that speak the Responses API when `api_type` says so.
pub(super) const RESPONSES: &[&str] = &["openai"];

/// What kind of value a setting has.
#[derive(Clone, Copy)]
enum Want {
    /// A string; `env::VARIABLE` is replaced.
    Text,
    /// A string as with `Text`; no other types look at it.
    Of(&'static [&'static str]),
    /// A string or several; no variable is replaced.
    Texts,
    /// A number that is not negative.
    Number,
    /// True or false.
    Flag,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Whatever it is, no provider looks at it yet.
    Unread,
}

/// All settings, in the order in which they are read.
const SETTINGS: &[(&str, Want)] = &[
    ("allow_auto_detect_region", Want::Unread),
    ("api_type", Want::OneOf(&["chat_completions", "responses"])),
    ("api_version", Want::Of(&["azure"])),
    ("appid", Want::Text),
    ("beta", Want::Texts),
    ("beta_structured_outputs", Want::Unread),
    ("content_type_overrides", Want::Unread),
    ("delay_ms", Want::Number),
    (GENERAL, Want::Unread),
    ("group_id", Want::Of(&[])),
    ("hosted_provider", Want::Unread),
    ("http_referer", Want::Text),
    ("include_encrypted_reasoning", Want::Flag),
    ("location", Want::Of(GOOGLE)),
    ("organization", Want::Text),
    ("parse_think_blocks", Want::Unread),
    ("project", Want::Text),
    ("project_id", Want::Of(GOOGLE)),
    ("prompt_mode", Want::Unread),
    ("provider_tools", Want::Unread),
    ("reasoning_format", Want::Unread),
    ("region", Want::Of(&["bedrock"])),
    ("think_blocks", Want::OneOf(&["tagged", "unopened"])),
    ("tokens_per_second", Want::Number),
    ("x_title", Want::Text),
];

/// The types of Google's cloud.
const GOOGLE: &[&str] = &["vertex", "vertex_anthropic"];

/// The one that every type has.
const GENERAL: &str = "discard_unknown_chunks";

/// Which settings a provider type has; a type that is not listed has all of them.
fn of_type(id: &str) -> Option<&'static [&'static str]> {
    Some(match id {
        "anthropic" => &["api_version", "beta", "beta_structured_outputs", "provider_tools"],
        "azure" => &["api_type", "api_version", "provider_tools"],
        "bedrock" => &["allow_auto_detect_region", "region"],
        "vertex" => &["location", "project_id"],
        "vertex_anthropic" => &["beta", "beta_structured_outputs", "location", "project_id", "provider_tools"],
        "openai" => &[
            "api_type",
            "content_type_overrides",
            "include_encrypted_reasoning",
            "organization",
            "project",
            "provider_tools",
        ],
        "dummy" => &["delay_ms", "tokens_per_second"],
        "gemini" | "google_ai_studio_gemini" => &["api_version"],
        "groq" => &["reasoning_format"],
        "mistral" => &["prompt_mode"],
        "fireworks" | "together" => &["parse_think_blocks"],
        "openrouter" => &["http_referer", "x_title"],
        "qianfan" => &["appid"],
        "baichuan" | "cerebras" | "cohere" | "dashscope" | "deepseek" | "doubao" | "huggingface" | "hunyuan"
        | "hyperbolic" | "llama_cpp" | "lm_studio" | "minimax" | "moonshot" | "nvidia_nim" | "ollama"
        | "perplexity" | "tgi" | "xai" | "zhipu" => &[],
        "sglang" | "vllm" => &["think_blocks"],
        _ => return None,
    })
}

/// Reads the settings of this provider type.
pub(super) fn read(reader: &mut Reader<'_>, id: &str, env: &Env) -> Map<String, Value> {
    let mut options = Map::new();
    let listed = of_type(id);
    for (name, want) in SETTINGS.iter().copied() {
        if listed.is_some_and(|listed| name != GENERAL && !listed.contains(&name)) {
            continue;
        }
        let Some(entry) = reader.entry(name) else { continue };
        let value = match want {
            // The region that the tools of the cloud would take: as if nothing were said.
            Want::Of(_) if name == "region" && matches!(&entry.node.kind, Kind::Text(text) if text == "sdk") => None,
            Want::Text | Want::Of(_) => reader.text(name).and_then(|text| match resolved(text, env) {
                Ok(text) => {
                    if matches!(want, Want::Of(types) if !types.contains(&id)) {
                        reader.passive(name);
                    }
                    Some(Value::from(text))
                }
                Err(why) => {
                    reader.problem(entry, why);
                    None
                }
            }),
            Want::Texts if matches!(entry.node.kind, Kind::List(_)) => {
                reader.texts(name).map(|texts| texts.iter().map(|(text, _)| *text).collect::<Vec<_>>().into())
            }
            Want::Texts => reader.text(name).map(Value::from),
            Want::Number => reader.number(name).and_then(|number| {
                if number < 0.0 {
                    reader.problem(entry, "expected a number that is not negative");
                    return None;
                }
                Some(entry.node.json())
            }),
            Want::Flag => reader.boolean(name).map(Value::from),
            Want::OneOf(words) => reader.text(name).and_then(|word| {
                if !words.contains(&word) {
                    reader.problem(entry, format!("expected `{}`", words.join("` or `")));
                    return None;
                }
                if word == "responses" && !RESPONSES.contains(&id) {
                    reader.passive(name);
                }
                Some(Value::from(word))
            }),
            Want::Unread => {
                reader.passive(name);
                Some(entry.node.json())
            }
        };
        if let Some(value) = value {
            options.insert(name.to_owned(), value);
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

/// Where in a cloud a target is.
pub(super) fn cloud(options: &Map<String, Value>) -> Vec<&str> {
    ["region", "location", "project_id"].iter().filter_map(|name| options.get(*name)?.as_str()).collect()
}

/// What else a provider of a cloud has to know about where it is, from the environment and the
/// credential; what is missing is a problem.
pub(super) fn whereabouts(
    reader: &Reader<'_>,
    scheme: CredentialScheme,
    options: &mut Map<String, Value>,
    has_address: bool,
    project: Option<&str>,
    env: &Env,
) {
    let mut fill = |name: &str, value: Option<String>, needed: bool| {
        if options.contains_key(name) {
            return;
        }
        match value {
            Some(value) => {
                options.insert(name.to_owned(), value.into());
            }
            None if needed => reader.missing(name),
            None => {}
        }
    };
    let variable = |name: &str| env.get(name).map(str::to_owned);
    match scheme {
        CredentialScheme::Aws => fill("region", sdk_aws::region(env), !has_address),
        CredentialScheme::Google => {
            fill("project_id", variable("GOOGLE_CLOUD_PROJECT").or(project.map(str::to_owned)), true);
            fill("location", variable("GOOGLE_CLOUD_LOCATION"), true);
        }
        CredentialScheme::Key | CredentialScheme::Entra => {}
    }
}

fn resolved(text: &str, env: &Env) -> Result<String, String> {
    match text.split_once("::") {
        Some(("env", name)) => match env.get(name) {
            Some(value) => Ok(value.to_owned()),
            None => Err(format!("the environment variable `{name}` is not set")),
        },
        Some((kind @ ("dynamic" | "path" | "path_from_env"), _)) => Err(format!("`{kind}::` is not supported here")),
        _ if text == "sdk" => Err("`sdk` is not supported here".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
