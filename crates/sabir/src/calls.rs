//! The calls that a gateway takes.

use std::fmt::Write;

use sabir_types::Value;
use serde::Serialize;
use serde_json::json;

use crate::{
    accumulate,
    answer::Answer,
    client::{Sabir, encoded},
    error::{Error, Result},
    stream::AnswerStream,
    types::{ChatCompletion, EmbeddingList, FeedbackResponse, InferenceList, InferenceResponse, Model, ModelList},
};

pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const EMBEDDINGS: &str = "/v1/embeddings";
pub(crate) const MODELS: &str = "/v1/models";
pub(crate) const INFERENCE: &str = "/inference";

/// A streamed chat completion.
pub type ChatStream = AnswerStream<accumulate::Chat>;
/// A streamed inference.
pub type InferenceStream = AnswerStream<accumulate::Inference>;

/// Chat completions.
#[derive(Debug)]
pub struct Chat<'a>(&'a Sabir);

/// Embeddings.
#[derive(Debug)]
pub struct Embeddings<'a>(&'a Sabir);

/// The models that can be called.
#[derive(Debug)]
pub struct Models<'a>(&'a Sabir);

impl Sabir {
    /// Chat completions, in OpenAI's shape.
    pub fn chat(&self) -> Chat<'_> {
        Chat(self)
    }

    /// Embeddings, in OpenAI's shape.
    pub fn embeddings(&self) -> Embeddings<'_> {
        Embeddings(self)
    }

    /// The models that can be called.
    pub fn models(&self) -> Models<'_> {
        Models(self)
    }

    /// Calls a model in TensorZero's shape: [`InferenceRequest`](crate::types::InferenceRequest)
    /// or any JSON object.
    pub async fn inference(&self, request: impl Serialize) -> Result<Answer<InferenceResponse>> {
        let body = encoded(request, Some(false))?;
        self.post(INFERENCE, body).await
    }

    /// The same, piece by piece.
    pub async fn inference_stream(&self, request: impl Serialize) -> Result<InferenceStream> {
        let body = encoded(request, Some(true))?;
        Ok(AnswerStream::new(self.request_stream(http::Method::POST, INFERENCE, Some(body)).await?))
    }

    /// Says something about an inference or an episode:
    /// [`FeedbackRequest`](crate::types::FeedbackRequest) or any JSON object.
    pub async fn feedback(&self, request: impl Serialize) -> Result<Answer<FeedbackResponse>> {
        let body = encoded(request, None)?;
        self.post("/feedback", body).await
    }

    /// Finds inferences in the ledger:
    /// [`ListInferencesRequest`](crate::types::ListInferencesRequest) or any JSON object.
    pub async fn list_inferences(&self, request: impl Serialize) -> Result<Answer<InferenceList>> {
        let body = encoded(request, None)?;
        self.post("/v1/inferences/list_inferences", body).await
    }

    /// The inferences with these ids.
    pub async fn get_inferences(
        &self,
        ids: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Answer<InferenceList>> {
        let ids: Vec<Value> = ids.into_iter().map(|id| id.into().into()).collect();
        let body = encoded(json!({"ids": ids}), None)?;
        self.post("/v1/inferences/get_inferences", body).await
    }
}

impl Chat<'_> {
    /// Asks a model: [`ChatCompletionRequest`](crate::types::ChatCompletionRequest) or any JSON
    /// object.
    pub async fn create(&self, request: impl Serialize) -> Result<Answer<ChatCompletion>> {
        let body = encoded(request, Some(false))?;
        self.0.post(CHAT, body).await
    }

    /// The same, piece by piece. Dropping the stream ends the call.
    pub async fn stream(&self, request: impl Serialize) -> Result<ChatStream> {
        let body = encoded(request, Some(true))?;
        Ok(AnswerStream::new(self.0.request_stream(http::Method::POST, CHAT, Some(body)).await?))
    }
}

impl Embeddings<'_> {
    /// Turns texts into vectors: [`EmbeddingRequest`](crate::types::EmbeddingRequest) or any JSON
    /// object.
    pub async fn create(&self, request: impl Serialize) -> Result<Answer<EmbeddingList>> {
        let body = encoded(request, None)?;
        self.0.post(EMBEDDINGS, body).await
    }
}

impl Models<'_> {
    /// All of them.
    pub async fn list(&self) -> Result<Answer<ModelList>> {
        self.0.get(MODELS).await
    }

    /// One by its name.
    pub async fn retrieve(&self, model: &str) -> Result<Answer<Model>> {
        self.0.get(&model_path(model)?).await
    }
}

fn model_path(model: &str) -> Result<String> {
    if model.is_empty() {
        return Err(Error::Request("the model has no name".to_owned()));
    }
    let mut path = format!("{MODELS}/");
    for byte in model.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' | b':' => path.push(byte.into()),
            // Writing to a string cannot fail.
            _ => drop(write!(path, "%{byte:02X}")),
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_path() {
        assert_eq!(model_path("dummy::good").unwrap(), "/v1/models/dummy::good");
        assert_eq!(model_path("a b/ü?").unwrap(), "/v1/models/a%20b/%C3%BC%3F");
        assert!(matches!(model_path(""), Err(Error::Request(_))));
    }
}
