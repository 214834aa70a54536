//! A provider of the OpenAI family that has the Responses API beside chat completions.
//!
//! Invariant: the option `api_type` of the target alone decides which of the two is spoken. An
//! answer that is looked at without a target tells by its shape which one it is in.

use bytes::Bytes;
use http::{Method, request::Parts};
use memchr::memmem;
use sabir_types::{Error, ErrorKind, Event, Map, Operation, Protocol, Request, Response, Result, Value};
use sabir_wire::responses;

use crate::{
    Decoder, Encoded, Glance, HttpRequest, HttpResponse, Passage, Provider, Spec, Target,
    openai_compat::{OpenAiCompat, seen},
};

/// A provider that speaks both; inside is its way with chat completions and embeddings.
#[derive(Debug)]
pub struct WithResponses(pub OpenAiCompat);

/// Whether a call goes to the Responses API.
fn wanted(operation: Operation, to: &Target<'_>) -> bool {
    operation == Operation::Chat && to.options.get("api_type").and_then(Value::as_str) == Some("responses")
}

impl Provider for WithResponses {
    fn spec(&self) -> &Spec {
        self.0.spec()
    }

    fn protocol(&self, operation: Operation, to: &Target<'_>) -> Protocol {
        if wanted(operation, to) { Protocol::Responses } else { self.0.protocol(operation, to) }
    }

    fn head(&self, operation: Operation, stream: bool, to: &Target<'_>) -> Result<Parts> {
        if wanted(operation, to) {
            return self.0.request(Method::POST, "/responses", to);
        }
        self.0.head(operation, stream, to)
    }

    fn body(&self, req: &Request, to: &Target<'_>) -> Result<Encoded> {
        match req {
            Request::Chat(chat) if wanted(Operation::Chat, to) => {
                let mut warnings = Vec::new();
                let thoughts = to.options.get("include_encrypted_reasoning") == Some(&Value::Bool(true));
                let emit = if thoughts { responses::emit::chat_with_thoughts } else { responses::emit::chat };
                let body = emit(chat, to.model, &mut warnings)?;
                Ok(Encoded { body: Bytes::from(body), warnings })
            }
            _ => self.0.body(req, to),
        }
    }

    fn count_tokens(&self, body: &[u8], to: &Target<'_>) -> Result<Option<HttpRequest>> {
        if !wanted(Operation::Chat, to) {
            return Ok(None);
        }
        let mut body: Map<String, Value> =
            serde_json::from_slice(body).map_err(|e| Error::bad_request(format!("body is not a JSON object: {e}")))?;
        body.insert("model".to_owned(), Value::from(to.model));
        let parts = self.0.request(Method::POST, "/responses/input_tokens", to)?;
        Ok(Some(HttpRequest::from_parts(parts, Bytes::from(Value::Object(body).to_string()))))
    }

    fn models(&self, to: &Target<'_>) -> Result<Option<HttpRequest>> {
        self.0.models(to)
    }

    fn model_names(&self, body: &[u8]) -> Result<Vec<String>> {
        self.0.model_names(body)
    }

    fn has_passage(&self) -> bool {
        true
    }

    fn passage(&self, passage: &Passage<'_>, to: &Target<'_>) -> Result<Parts> {
        self.0.passage(passage, to)
    }

    fn decode(&self, req: &Request, to: &Target<'_>, resp: &HttpResponse) -> Result<Response> {
        if wanted(req.operation(), to) {
            return Ok(Response::Chat(Box::new(responses::decode::chat(&resp.body)?)));
        }
        self.0.decode(req, to, resp)
    }

    fn decoder(&self, req: &Request, to: &Target<'_>) -> Box<dyn Decoder> {
        if wanted(req.operation(), to) {
            return Box::new(Stream(responses::decode::ChatStream::new()));
        }
        self.0.decoder(req, to)
    }

    fn passes(&self, operation: Operation, body: &[u8]) -> bool {
        self.0.passes(operation, body)
    }

    fn glance(&self, operation: Operation, body: &[u8]) -> Result<Glance> {
        let first = match self.0.glance(operation, body) {
            Err(error) if operation == Operation::Chat && error.kind() == ErrorKind::BadUpstream => error,
            glance => return glance,
        };
        // Not a chat completion.
        match responses::decode::glance(body) {
            Err(error) if error.kind() == ErrorKind::BadUpstream => Err(first),
            glimpse => glimpse.map(seen),
        }
    }

    fn glance_event(&self, event: Option<&str>, data: &str) -> Result<Glance> {
        // Pictures, sounds and transcripts have named events too.
        let is_media = event
            .is_some_and(|event| ["image_", "speech.", "transcript."].iter().any(|begin| event.starts_with(begin)));
        if !is_media && (event.is_some() || is_named(data)) {
            return responses::decode::glance_event(event, data).map(seen);
        }
        self.0.glance_event(event, data)
    }

    fn error(&self, resp: &HttpResponse) -> Error {
        self.0.error(resp)
    }
}

/// Whether the data of an event without a name is the Responses API's: chunks of a chat have no
/// `type`, and in a text of theirs the quotes would be escaped.
fn is_named(data: &str) -> bool {
    ["\"type\":\"response.", "\"type\": \"response.", "\"type\":\"error\"", "\"type\": \"error\""]
        .iter()
        .any(|needle| memmem::find(data.as_bytes(), needle.as_bytes()).is_some())
}

struct Stream(responses::decode::ChatStream);

impl Decoder for Stream {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<()> {
        self.0.feed(bytes, out)
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<()> {
        self.0.finish(out)
    }
}

#[cfg(test)]
mod tests {
    use sabir_types::{ChatRequest, FinishReason, Message, Secret};
    use serde_json::json;

    use super::*;
    use crate::find;

    fn with_target<T>(options: Value, f: impl FnOnce(&dyn Provider, &Target<'_>) -> T) -> T {
        let Value::Object(options) = options else { panic!("not an object") };
        let key = Secret::new("sk-test");
        let to = Target { model: "gpt-5", api_base: Some("http://h/v1"), key: Some(&key), options: &options, now: 0 };
        f(find("openai").unwrap(), &to)
    }

    fn request() -> Request {
        let messages = vec![Message::user("hi")];
        Request::Chat(Box::new(ChatRequest { messages, ..ChatRequest::default() }))
    }

    #[test]
    fn the_option_decides() {
        with_target(json!({"api_type": "responses", "include_encrypted_reasoning": true}), |provider, to| {
            assert_eq!(provider.protocol(Operation::Chat, to), Protocol::Responses);
            assert_eq!(provider.protocol(Operation::Embed, to), Protocol::OpenAi);
            let head = provider.head(Operation::Chat, false, to).unwrap();
            assert_eq!(head.uri, "http://h/v1/responses");
            assert!(head.headers.contains_key("authorization"));
            let body: Value = serde_json::from_slice(&provider.body(&request(), to).unwrap().body).unwrap();
            assert_eq!(
                body,
                json!({
                    "model": "gpt-5",
                    "input": [{"role": "user", "content": "hi"}],
                    "include": ["reasoning.encrypted_content"],
                })
            );
        });
        with_target(Value::Object(Map::new()), |provider, to| {
            assert_eq!(provider.protocol(Operation::Chat, to), Protocol::OpenAi);
            assert_eq!(provider.head(Operation::Chat, false, to).unwrap().uri, "http://h/v1/chat/completions");
            let body: Value = serde_json::from_slice(&provider.body(&request(), to).unwrap().body).unwrap();
            assert!(body["messages"].is_array());
        });
    }

    #[test]
    fn a_glance_tells_the_two_apart() {
        let provider = find("openai").unwrap();
        let whole = |body: Value| provider.glance(Operation::Chat, body.to_string().as_bytes());
        let chat = json!({"choices": [{"finish_reason": "length"}]});
        assert_eq!(whole(chat).unwrap().finish_reason, Some(FinishReason::Length));
        let response = json!({"status": "completed", "output": [{"type": "function_call"}], "error": null});
        assert_eq!(whole(response).unwrap().finish_reason, Some(FinishReason::ToolCalls));
        assert_eq!(whole(json!({"x": 1})).unwrap_err().kind(), ErrorKind::BadUpstream);
        let event = |name: Option<&str>, data: &str| provider.glance_event(name, data);
        let completed = r#"{"type":"response.completed","response":{"status":"completed","output":[]}}"#;
        assert!(event(Some("response.completed"), completed).unwrap().done);
        assert!(event(None, completed).unwrap().done);
        assert!(event(None, r#"{"type":"error","code":"x","message":"y"}"#).is_err());
        assert!(event(None, "[DONE]").unwrap().done);
        let chunk = r#"{"choices":[{"delta":{"content":"{\"type\":\"response.completed\"}"}}]}"#;
        assert!(!event(None, chunk).unwrap().done);
    }
}
