//! A model with parameters of its own, ready to be asked.
//!
//! Invariant: what is out of range is refused before anything is sent, and named.

use std::{collections::BTreeMap, fmt};

#[cfg(feature = "embedded")]
use sabir_engine::config::{OLD_MODELS, OldModels};
use sabir_types::{Map, Value};

use crate::{
    accumulate::ChatEventStream,
    answer::Answer,
    call::Pending,
    client::Sabir,
    error::{Error, Result},
    tool::Tool,
    types::{ChatCompletion, ChatCompletionRequest, Message, Usage},
};

/// A model of a client, with its default parameters.
#[derive(Clone)]
pub struct Model {
    client: Sabir,
    id: String,
    name: String,
    parameters: Parameters,
}

/// How a model answers. What is not said is the provider's choice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters(BTreeMap<String, Value>);

/// What the known parameters may be.
const RANGES: [(&str, f64, f64); 5] = [
    ("temperature", 0.0, 2.0),
    ("top_p", 0.0, 1.0),
    ("presence_penalty", -2.0, 2.0),
    ("frequency_penalty", -2.0, 2.0),
    ("top_logprobs", 0.0, 20.0),
];
/// Parameters that are a number of something.
const COUNTS: [&str; 3] = ["max_tokens", "max_completion_tokens", "n"];
/// Members that are not for parameters to say.
const OTHERS: [&str; 4] = ["model", "messages", "stream", "tools"];

impl Parameters {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How much chance there is in the answer, from 0 to 2.
    #[must_use]
    pub fn temperature(self, value: f64) -> Self {
        self.with("temperature", value)
    }

    /// From which part of the probability a token is taken, from 0 to 1.
    #[must_use]
    pub fn top_p(self, value: f64) -> Self {
        self.with("top_p", value)
    }

    /// The most tokens of the answer, from 1.
    #[must_use]
    pub fn max_tokens(self, value: u64) -> Self {
        self.with("max_tokens", value)
    }

    /// Texts that end the answer.
    #[must_use]
    pub fn stop(self, texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with("stop", texts.into_iter().map(Into::into).collect::<Vec<String>>())
    }

    /// A number that makes answers repeatable where the model can.
    #[must_use]
    pub fn seed(self, value: i64) -> Self {
        self.with("seed", value)
    }

    /// Any other member of the request.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// These, and where they say nothing, those.
    #[must_use]
    pub fn over(&self, defaults: &Self) -> Self {
        let mut all = defaults.0.clone();
        all.extend(self.0.clone());
        Self(all)
    }

    /// Whether they can be sent.
    pub fn check(&self) -> Result<()> {
        for (name, value) in &self.0 {
            let wrong = |expected: &str| Err(Error::Request(format!("`{name}` is {value}: expected {expected}")));
            if OTHERS.contains(&name.as_str()) {
                return Err(Error::Request(format!("`{name}` is no parameter of a model")));
            }
            if value.is_null() {
                continue;
            }
            if let Some((_, low, high)) = RANGES.iter().find(|(known, ..)| known == name)
                && !value.as_f64().is_some_and(|value| (*low..=*high).contains(&value))
            {
                return wrong(&format!("a number from {low} to {high}"));
            }
            if COUNTS.contains(&name.as_str()) && value.as_u64().is_none_or(|count| count == 0) {
                return wrong("a whole number from 1");
            }
        }
        Ok(())
    }
}

/// What a model is asked: a text, a message, or several.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt(pub Vec<Message>);

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Self(vec![Message::new("user", text)])
    }
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Message> for Prompt {
    fn from(message: Message) -> Self {
        Self(vec![message])
    }
}

impl From<Vec<Message>> for Prompt {
    fn from(messages: Vec<Message>) -> Self {
        Self(messages)
    }
}

/// What a model answered.
#[derive(Debug, Clone)]
pub struct ModelOutput {
    /// The model, like `openai/gpt-4`.
    pub model_id: String,
    /// What it says; empty if it calls tools.
    pub reply: String,
    /// The message, as it goes into the conversation.
    pub message: Message,
    /// Why it stopped.
    pub finish_reason: Option<String>,
    /// The tokens that it took.
    pub usage: Option<Usage>,
    /// The answer, with its headers and its body.
    pub answer: Answer<ChatCompletion>,
}

/// What providers are called elsewhere.
#[cfg(feature = "embedded")]
const OTHER_NAMES: [(&str, &str); 6] = [
    ("gemini", "google_ai_studio_gemini"),
    ("google", "google_ai_studio_gemini"),
    ("minimax_pro", "minimax"),
    ("qwen", "dashscope"),
    ("wenxin", "qianfan"),
    ("zhipu-character", "zhipu"),
];

impl Model {
    /// A model of a provider by an id like `openai/gpt-4`, straight and without a server. The
    /// provider's key is in the environment. Needs a tokio runtime when it is called.
    #[cfg(feature = "embedded")]
    pub fn from_id(id: &str) -> Result<Self> {
        Self::made(id, |builder| builder)
    }

    /// The same with a client that is told more, like its key.
    #[cfg(feature = "embedded")]
    pub fn made(id: &str, change: impl FnOnce(crate::EmbeddedBuilder) -> crate::EmbeddedBuilder) -> Result<Self> {
        let (provider, name) = parts(id)?;
        // What LMClient's users wrote years ago has other names now.
        let old = |old: &&OldModels| old.provider == provider && old.then.contains(&name);
        let now = OLD_MODELS.iter().find(old).and_then(|old| old.now.split_once("::"));
        let (provider, name) = now.unwrap_or((provider, name));
        let provider = OTHER_NAMES.iter().find(|(other, _)| *other == provider).map_or(provider, |(_, ours)| ours);
        let client = change(Sabir::provider(provider)).build()?;
        Ok(Self { client, id: id.to_owned(), name: name.to_owned(), parameters: Parameters::new() })
    }

    /// A model of a client, by the name that the client's service knows.
    pub fn of(client: &Sabir, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { client: client.clone(), id: name.clone(), name, parameters: Parameters::new() }
    }

    /// With these parameters, unless a call says otherwise.
    pub fn with_parameters(mut self, parameters: Parameters) -> Result<Self> {
        parameters.check()?;
        self.parameters = parameters;
        Ok(self)
    }

    /// Its id, like `openai/gpt-4`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its default parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The client that it is asked with.
    pub fn client(&self) -> &Sabir {
        &self.client
    }

    /// Asks it.
    pub fn complete(&self, prompt: impl Into<Prompt>) -> Pending<ModelOutput> {
        self.complete_with(prompt, &Parameters::new())
    }

    /// Asks it with other parameters.
    pub fn complete_with(&self, prompt: impl Into<Prompt>, parameters: &Parameters) -> Pending<ModelOutput> {
        let (model, request) = (self.clone(), self.request(prompt.into().0, parameters, &[]));
        Pending::new(async move {
            let answer = model.client.chat().create(request?).await?;
            Ok(model.output(answer))
        })
    }

    /// Asks it, for events as they come.
    pub fn stream(&self, prompt: impl Into<Prompt>, parameters: &Parameters) -> Pending<ChatEventStream> {
        let (client, request) = (self.client.clone(), self.request(prompt.into().0, parameters, &[]));
        Pending::new(async move { client.chat().events(request?).await })
    }

    pub(crate) fn request(
        &self,
        messages: Vec<Message>,
        parameters: &Parameters,
        tools: &[Tool],
    ) -> Result<ChatCompletionRequest> {
        if messages.is_empty() {
            return Err(Error::Request("the prompt has no message".to_owned()));
        }
        let known = |role: &str| matches!(role, "system" | "developer" | "user" | "assistant" | "tool" | "function");
        if let Some(message) = messages.iter().find(|message| !known(&message.role)) {
            return Err(Error::Request(format!("there is no role `{}`", message.role)));
        }
        let all = parameters.over(&self.parameters);
        all.check()?;
        let mut request = ChatCompletionRequest::new(&self.name);
        request.messages = messages;
        request.tools = tools.iter().map(Tool::definition).collect();
        request.rest = all.0.into_iter().collect::<Map<String, Value>>();
        Ok(request)
    }

    pub(crate) fn output(&self, answer: Answer<ChatCompletion>) -> ModelOutput {
        let choice = answer.choices.first().cloned().unwrap_or_default();
        ModelOutput {
            model_id: self.id.clone(),
            reply: choice.message.text(),
            message: choice.message,
            finish_reason: choice.finish_reason,
            usage: answer.usage.clone(),
            answer,
        }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("id", &self.id).field("parameters", &self.parameters).finish_non_exhaustive()
    }
}

#[cfg(feature = "embedded")]
fn parts(id: &str) -> Result<(&str, &str)> {
    let parts = id.split_once('/').filter(|(provider, name)| !provider.is_empty() && !name.is_empty());
    parts.ok_or_else(|| {
        Error::Config(format!("`{id}` is no model: expected a provider and a name, like `openai/gpt-4`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_named() {
        for (parameters, message) in [
            (Parameters::new().temperature(2.5), "`temperature` is 2.5: expected a number from 0 to 2"),
            (Parameters::new().with("top_p", "high"), "`top_p` is \"high\": expected a number from 0 to 1"),
            (Parameters::new().max_tokens(0), "`max_tokens` is 0: expected a whole number from 1"),
            (Parameters::new().with("model", "other"), "`model` is no parameter of a model"),
        ] {
            assert_eq!(parameters.check().unwrap_err().to_string(), message);
        }
        Parameters::new().temperature(0.0).top_p(1.0).with("top_k", 3).with("max_tokens", Value::Null).check().unwrap();
    }

    #[test]
    fn a_call_wins_over_the_model() {
        let ours = Parameters::new().temperature(0.5).max_tokens(9);
        let all = Parameters::new().temperature(1.0).over(&ours);
        assert_eq!(all, Parameters::new().temperature(1.0).max_tokens(9));
    }
}
