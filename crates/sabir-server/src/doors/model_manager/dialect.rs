//! In whose words the parameters of a call are, and which model it means.
//!
//! Invariant: a call that nothing here can be done for is refused by the names that it gave.

use sabir_engine::config::Config;
use sabir_types::{Error, ErrorKind, Map, Operation, Protocol, Result, Value};

/// The words that parameters and raw answers are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Google's `generateContent`.
    Gemini,
}

impl Dialect {
    /// The same as a protocol.
    pub(super) fn protocol(self) -> Protocol {
        match self {
            Self::Chat => Protocol::OpenAi,
            Self::Responses => Protocol::Responses,
            Self::Messages => Protocol::Anthropic,
            Self::Gemini => Protocol::Gemini,
        }
    }

    /// The words of a call. `generation` leaves it to the parameters: what is there says enough.
    pub(super) fn of(provider: &str, invoke_type: &str, extra: &Map<String, Value>) -> Result<Self> {
        match invoke_type {
            "chat-completions" => Ok(Self::Chat),
            "responses" => Ok(Self::Responses),
            "messages" => Ok(Self::Messages),
            "generation" | "" => {
                if extra.contains_key("contents") {
                    Ok(Self::Gemini)
                } else if extra.contains_key("input") {
                    Ok(Self::Responses)
                } else if extra.contains_key("messages") {
                    Ok(if matches!(provider, "anthropic" | "aws") { Self::Messages } else { Self::Chat })
                } else {
                    let message = "`messages`, `contents` or `input` is missing: there is nothing to answer to";
                    Err(Error::bad_request(message).with_param("extra"))
                }
            }
            other => {
                let message = format!(
                    "invoke type `{other}` is not supported (provider `{provider}`): models chat, make pictures, speak and listen here"
                );
                Err(Error::new(ErrorKind::NotImplemented, message).with_param("invoke_type"))
            }
        }
    }
}

/// The model's name here. A table of the configuration counts before the provider's own list:
/// `[models."PROVIDER/CHANNEL::MODEL"]`, `[models."PROVIDER::MODEL"]`, `[models.MODEL]`.
pub(super) fn model(
    config: &Config,
    operation: Operation,
    dialect: Dialect,
    provider: &str,
    channel: &str,
    model: &str,
) -> String {
    let known = if operation == Operation::Embed { &config.models.embed } else { &config.models.chat };
    let tables = [format!("{provider}/{channel}::{model}"), format!("{provider}::{model}"), model.to_owned()];
    if let Some(name) = tables.into_iter().find(|name| known.contains_key(name.as_str())) {
        return name;
    }
    let kind = match (provider, channel) {
        ("", _) => return model.to_owned(),
        ("openai", _) if dialect == Dialect::Responses => "openai::responses".to_owned(),
        ("google", "vertexai") => "gcp_vertex_gemini".to_owned(),
        ("google", _) => "google_ai_studio_gemini".to_owned(),
        ("anthropic", "vertexai") => "gcp_vertex_anthropic".to_owned(),
        ("aws", _) => "aws_bedrock".to_owned(),
        ("alibaba", _) => "dashscope".to_owned(),
        (other, _) => other.replace('-', "_"),
    };
    format!("{kind}::{model}")
}

/// Whether all targets of a model speak of responses, so that one can go on from another.
pub(super) fn keeps_responses(config: &Config, model: &str) -> bool {
    let Ok(model) = config.model(Operation::Chat, model) else { return false };
    model.routing.iter().all(|target| target.options.get("api_type").is_some_and(|kind| kind == "responses"))
}

#[cfg(test)]
mod tests {
    use sabir_engine::config::{Source, env::Env};

    use super::*;

    fn config(text: &str) -> Config {
        let source = Source::Text { name: "sabir.toml".into(), text: text.into() };
        Config::load(&[source], &Env::default()).unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn a_table_counts_before_a_providers_own_list() {
        let table = |name: &str| {
            format!(
                "[models.\"{name}\".providers.p]\ntype = 'dummy'\nmodel_name = 'good'\n[models.\"{name}\"]\nrouting = ['p']\n"
            )
        };
        let all = ["google/vertexai::m", "google::m", "m"];
        for (at, wanted) in all.into_iter().enumerate() {
            let config = config(&all[at..].iter().map(|name| table(name)).collect::<String>());
            assert_eq!(model(&config, Operation::Chat, Dialect::Gemini, "google", "vertexai", "m"), wanted);
        }
        let none = config("");
        assert_eq!(model(&none, Operation::Chat, Dialect::Responses, "openai", "openai", "m"), "openai::responses::m");
        for (provider, channel, wanted) in [
            ("openai", "normal", "openai::m"),
            ("google", "ai-studio", "google_ai_studio_gemini::m"),
            ("google", "vertexai", "gcp_vertex_gemini::m"),
            ("tencent-tokenhub", "", "tencent_tokenhub::m"),
            ("", "", "m"),
        ] {
            assert_eq!(model(&none, Operation::Chat, Dialect::Chat, provider, channel, "m"), wanted);
        }
    }

    #[test]
    fn the_parameters_say_what_a_generation_is() {
        let of = |provider: &str, kind: &str, extra: &str| {
            Dialect::of(provider, kind, &serde_json::from_str(extra).unwrap())
        };
        assert_eq!(of("openai", "generation", r#"{"input":"hi"}"#).unwrap(), Dialect::Responses);
        assert_eq!(of("openai", "", r#"{"messages":[]}"#).unwrap(), Dialect::Chat);
        assert_eq!(of("anthropic", "generation", r#"{"messages":[]}"#).unwrap(), Dialect::Messages);
        assert_eq!(of("anthropic", "chat-completions", r#"{"messages":[]}"#).unwrap(), Dialect::Chat);
        assert_eq!(of("google", "generation", r#"{"contents":"hi"}"#).unwrap(), Dialect::Gemini);
        assert!(of("openai", "generation", "{}").unwrap_err().message().contains("`messages`"));
        let refused = of("kling-ai", "video-generation", r#"{"prompt":"x"}"#).unwrap_err();
        assert!(refused.message().contains("`video-generation`") && refused.kind() == ErrorKind::NotImplemented);
    }
}
