//! The calls that a gateway takes.

use http::Method;
use sabir_types::Value;
use serde::Serialize;
use serde_json::json;

use crate::{
    accumulate::{self, ChatEventStream},
    blocking,
    call::{Call, Surface},
    client::Sabir,
    error::{Error, Result},
    path,
    resources::{Chat, Embeddings, Models, Responses},
    settings::Place,
    spec::{Spec, members, streamed},
    stream::AnswerStream,
    types::{
        ChatCompletion, Deleted, EmbeddingList, FeedbackResponse, InferenceList, InferenceResponse, Model, ModelList,
        RerankList, Response,
    },
};

pub(crate) const CHAT: &str = "/chat/completions";
pub(crate) const RESPONSES: &str = "/responses";
const EMBEDDINGS: &str = "/embeddings";
const MODELS: &str = "/models";
const INFERENCE: &str = "/inference";

/// A streamed chat completion.
pub type ChatStream = AnswerStream<accumulate::Chat>;
/// A streamed answer of the Responses API.
pub type ResponseStream = AnswerStream<accumulate::Responses>;
/// A streamed inference.
pub type InferenceStream = AnswerStream<accumulate::Inference>;

/// The calls of one surface.
macro_rules! calls {
    ($surface:ty) => {
        impl $surface {
            /// Calls a model in TensorZero's shape:
            /// [`InferenceRequest`](crate::types::InferenceRequest) or any JSON object.
            pub fn inference(&self, request: impl Serialize) -> Call<InferenceResponse, Self> {
                gateway(self, INFERENCE, streamed(request, false))
            }

            /// The same, piece by piece.
            pub fn inference_stream(
                &self,
                request: impl Serialize,
            ) -> <Self as Surface>::Reply<<Self as Surface>::Flow<InferenceStream>> {
                gateway::<Value, _>(self, INFERENCE, streamed(request, true)).stream_as(AnswerStream::new)
            }

            /// Puts documents in the order in which they fit a question: any JSON object with `model`,
            /// `query` and `documents`.
            pub fn rerank(&self, request: impl Serialize) -> Call<RerankList, Self> {
                let spec = members(request).map(|body| Spec::api(Method::POST, "/rerank").json(body));
                Call::new(self.clone(), spec)
            }

            /// Says something about an inference or an episode:
            /// [`FeedbackRequest`](crate::types::FeedbackRequest) or any JSON object.
            pub fn feedback(&self, request: impl Serialize) -> Call<FeedbackResponse, Self> {
                gateway(self, "/feedback", members(request))
            }

            /// Finds inferences in the ledger:
            /// [`ListInferencesRequest`](crate::types::ListInferencesRequest) or any JSON object.
            pub fn list_inferences(&self, request: impl Serialize) -> Call<InferenceList, Self> {
                gateway(self, "/v1/inferences/list_inferences", members(request))
            }

            /// The inferences with these ids.
            pub fn get_inferences(
                &self,
                ids: impl IntoIterator<Item = impl Into<String>>,
            ) -> Call<InferenceList, Self> {
                let ids: Vec<Value> = ids.into_iter().map(|id| id.into().into()).collect();
                gateway(self, "/v1/inferences/get_inferences", members(json!({"ids": ids})))
            }
        }
    };
}

calls!(Sabir);
calls!(blocking::Sabir);

fn gateway<T, C: Surface>(
    surface: &C,
    path: &'static str,
    body: Result<sabir_types::Map<String, Value>>,
) -> Call<T, C> {
    let spec = body.map(|body| Spec::new(Method::POST, Place::Gateway(path)).json(body));
    Call::new(surface.clone(), spec)
}

impl<C: Surface> Chat<C> {
    /// Asks a model: [`ChatCompletionRequest`](crate::types::ChatCompletionRequest) or any JSON
    /// object.
    pub fn create(&self, request: impl Serialize) -> Call<ChatCompletion, C> {
        let body = streamed(request, false);
        Call::new(self.0.clone(), body.map(|body| Spec::api(Method::POST, CHAT).json(body)))
    }

    /// The same, piece by piece. Dropping the stream ends the call.
    pub fn stream(&self, request: impl Serialize) -> C::Reply<C::Flow<ChatStream>> {
        let body = streamed(request, true);
        let call: Call<Value, C> = Call::new(self.0.clone(), body.map(|body| Spec::api(Method::POST, CHAT).json(body)));
        call.stream_as(AnswerStream::new)
    }

    /// The same as events: what a text or a call of a tool gained, and when it is whole.
    pub fn events(&self, request: impl Serialize) -> C::Reply<C::Flow<ChatEventStream>> {
        let body = streamed(request, true);
        let call: Call<Value, C> = Call::new(self.0.clone(), body.map(|body| Spec::api(Method::POST, CHAT).json(body)));
        call.stream_as(ChatEventStream::new)
    }
}

impl<C: Surface> Responses<C> {
    /// Asks a model by the Responses API, with anything that serializes to a JSON object.
    pub fn create(&self, request: impl Serialize) -> Call<Response, C> {
        let body = streamed(request, false);
        Call::new(self.0.clone(), body.map(|body| Spec::api(Method::POST, RESPONSES).json(body)))
    }

    /// The same, piece by piece. Dropping the stream ends the call.
    pub fn stream(&self, request: impl Serialize) -> C::Reply<C::Flow<ResponseStream>> {
        let body = streamed(request, true);
        let spec = body.map(|body| Spec::api(Method::POST, RESPONSES).json(body));
        Call::<Value, C>::new(self.0.clone(), spec).stream_as(AnswerStream::new)
    }

    /// Goes on with an answer that is made in the background, after the event with this number.
    pub fn resume(&self, response: &str, starting_after: u64) -> C::Reply<C::Flow<ResponseStream>> {
        let path = path::path("/responses/{}", &[("response", response)]);
        let call = Call::<Value, C>::new(self.0.clone(), path.map(|path| Spec::api(Method::GET, path)));
        call.query("stream", true).query("starting_after", starting_after).stream_as(AnswerStream::new)
    }
}

impl<C: Surface> Embeddings<C> {
    /// Turns texts into vectors: [`EmbeddingRequest`](crate::types::EmbeddingRequest) or any JSON
    /// object.
    pub fn create(&self, request: impl Serialize) -> Call<EmbeddingList, C> {
        let body = members(request);
        Call::new(self.0.clone(), body.map(|body| Spec::api(Method::POST, EMBEDDINGS).json(body)))
    }
}

impl<C: Surface> Models<C> {
    /// All of them.
    pub fn list(&self) -> Call<ModelList, C> {
        Call::new(self.0.clone(), Ok(Spec::api(Method::GET, MODELS)))
    }

    /// One by its name.
    pub fn retrieve(&self, model: &str) -> Call<Model, C> {
        Call::new(self.0.clone(), model_path(model).map(|path| Spec::api(Method::GET, path)))
    }

    /// Deletes one that was fine-tuned.
    pub fn delete(&self, model: &str) -> Call<Deleted, C> {
        Call::new(self.0.clone(), model_path(model).map(|path| Spec::api(Method::DELETE, path)))
    }
}

/// Names of models have slashes at some providers, and their paths have them too.
fn model_path(model: &str) -> Result<String> {
    if model.is_empty() {
        return Err(Error::Request("the model has no name".to_owned()));
    }
    let mut path = format!("{MODELS}/");
    path::encode(&mut path, model, b"/:");
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_path() {
        assert_eq!(model_path("dummy::good").unwrap(), "/models/dummy::good");
        assert_eq!(model_path("a b/ü?").unwrap(), "/models/a%20b/%C3%BC%3F");
        assert!(matches!(model_path(""), Err(Error::Request(_))));
    }
}
