//! Clients of every door: how each says a request and understands an answer, whole and streamed.
//!
//! Invariant: a client sends an answer back as it understood it, as the real ones do.

mod anthropic;
mod gemini;
mod manager;
mod openai;
mod responses;
mod tensorzero;

use serde_json::Value;

use super::talk::{Said, Talk};
use crate::support::{Answer, Gateway, post};

/// A door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    OpenAi,
    /// The same, with a name for the model that has everything written anew.
    Rewritten,
    Responses,
    Anthropic,
    Gemini,
    TensorZero,
    Manager,
}

/// What came out of a door.
pub(super) struct Came {
    pub(super) status: u16,
    /// What was left out on the way.
    pub(super) warnings: Vec<String>,
    pub(super) retry_after: Option<String>,
    /// The body, or the error's.
    pub(super) body: Vec<u8>,
}

impl Came {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }
}

impl Door {
    pub(super) const ALL: [Self; 6] =
        [Self::OpenAi, Self::Responses, Self::Anthropic, Self::Gemini, Self::TensorZero, Self::Manager];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Rewritten => "OpenAI",
            Self::Responses => "OpenAI Responses",
            Self::Anthropic => "Anthropic",
            Self::Gemini => "Gemini",
            Self::TensorZero => "TensorZero",
            Self::Manager => "Model Manager",
        }
    }

    /// Calls a model.
    pub(super) async fn call(self, gateway: &Gateway, model: &str, talk: &Talk, stream: bool) -> Came {
        let (path, body) = match self {
            Self::OpenAi => ("/v1/chat/completions".to_owned(), openai::body(model, talk, stream)),
            Self::Rewritten => {
                let model = format!("tensorzero::model_name::{model}");
                ("/v1/chat/completions".to_owned(), openai::body(&model, talk, stream))
            }
            Self::Responses => ("/v1/responses".to_owned(), responses::body(model, talk, stream)),
            Self::Anthropic => ("/anthropic/v1/messages".to_owned(), anthropic::body(model, talk, stream)),
            Self::Gemini => {
                let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                (format!("/gemini/v1beta/models/{model}:{method}"), gemini::body(talk))
            }
            Self::TensorZero => ("/inference".to_owned(), tensorzero::body(model, talk, stream)),
            Self::Manager => return manager::call(gateway, model, talk, stream).await,
        };
        let mut client = gateway.client().await;
        client.write(&post(&path, "anthropic-version: 2023-06-01\r\n", body.to_string().as_bytes())).await;
        let answer = client.answer().await;
        assert!(answer.complete, "half an answer: {}", answer.head);
        let warnings = answer.header("x-sabir-warnings").map(warnings).unwrap_or_default();
        let retry_after = answer.header("retry-after").map(str::to_owned);
        let Answer { status, body, .. } = answer;
        Came { status, warnings, retry_after, body }
    }

    /// What the client understands.
    pub(super) fn understands(self, came: &Came, stream: bool) -> Said {
        match (self, stream) {
            (Self::OpenAi | Self::Rewritten, false) => openai::whole(&came.json()),
            (Self::OpenAi | Self::Rewritten, true) => openai::stream(&events(&came.body)),
            (Self::Responses, false) => responses::whole(&came.json()),
            (Self::Responses, true) => responses::stream(&events(&came.body)),
            (Self::Anthropic, false) => anthropic::whole(&came.json()),
            (Self::Anthropic, true) => anthropic::stream(&events(&came.body)),
            (Self::Gemini, false) => gemini::understood(&[came.json()]),
            (Self::Gemini, true) => gemini::understood(&events(&came.body)),
            (Self::TensorZero, false) => tensorzero::whole(&came.json()),
            (Self::TensorZero, true) => tensorzero::stream(&events(&came.body)),
            (Self::Manager, _) => manager::understood(&came.body, stream),
        }
    }

    /// What an error says: the parameter that it names, and its words.
    pub(super) fn complains(self, came: &Came) -> (Option<String>, String) {
        if self == Self::Manager {
            return manager::complaint(&came.body);
        }
        let body = came.json();
        let error = if self == Self::TensorZero { &body } else { &body["error"] };
        let message = error["message"].as_str().or(error["error"].as_str());
        let message = message.unwrap_or_else(|| panic!("no words in {body}")).to_owned();
        (error["param"].as_str().map(str::to_owned), message)
    }
}

/// The names in a header of warnings.
fn warnings(header: &str) -> Vec<String> {
    let list: Vec<Value> = serde_json::from_str(header).unwrap();
    list.iter().map(|warning| warning["param"].as_str().unwrap().to_owned()).collect()
}

/// The data of a stream's events, without end markers.
fn events(body: &[u8]) -> Vec<Value> {
    let text = String::from_utf8(body.to_vec()).unwrap().replace("\r\n", "\n");
    let data = text.split("\n\n").filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")));
    let data = data.filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|e| panic!("{e}: {data}"))).collect()
}

/// Arguments as an object: what a client has put together must be JSON.
fn arguments(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("arguments that are no JSON ({e}): {text}"))
}
