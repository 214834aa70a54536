//! Embeddings as Google's cloud has them: the method `predict`.
//!
//! Invariant: every text is an instance, and vectors come in the order of the texts; what they took
//! is the sum over all.

use sabir_types::{EmbedInput, EmbedRequest, EmbedResponse, Error, Map, Result, Usage, Value, Vector, Warning};
use serde::Deserialize;
use serde_json::json;

use super::{error, short};

/// Members of a request that belong to every instance.
const OF_INSTANCES: [&str; 2] = ["task_type", "title"];

/// Writes the body of a call.
pub fn emit(req: &EmbedRequest, warnings: &mut Vec<Warning>) -> Result<Vec<u8>> {
    let texts: Vec<&str> = match &req.input {
        EmbedInput::Text(text) => vec![text],
        EmbedInput::Texts(texts) => texts.iter().map(String::as_str).collect(),
        EmbedInput::Tokens(_) | EmbedInput::TokenLists(_) => {
            return Err(Error::unsupported("input", "token ids: the method `predict` takes texts only"));
        }
    };
    let members = &req.rest.members;
    let instance = |text: &str| {
        let mut out = Map::new();
        out.insert("content".into(), text.into());
        for name in OF_INSTANCES {
            if let Some(value) = members.get(name) {
                out.insert(name.into(), value.clone());
            }
        }
        Value::Object(out)
    };
    let mut body = json!({"instances": texts.into_iter().map(instance).collect::<Vec<_>>()});
    let mut parameters = Map::new();
    if let Some(dimensions) = req.dimensions {
        parameters.insert("outputDimensionality".into(), dimensions.into());
    }
    if let Some(truncate) = members.get("autoTruncate") {
        parameters.insert("autoTruncate".into(), truncate.clone());
    }
    if !parameters.is_empty() {
        body["parameters"] = Value::Object(parameters);
    }
    let mut warn = |param: &str| {
        warnings.push(Warning { param: param.to_owned(), message: "the method `predict` has no such member".into() });
    };
    if req.user.is_some() {
        warn("user");
    }
    let known = |name: &&String| OF_INSTANCES.contains(&name.as_str()) || *name == "autoTruncate";
    members.keys().filter(|name| !known(name)).for_each(|name| warn(name));
    serde_json::to_vec(&body).map_err(|e| Error::internal("the request cannot be written as JSON").with_source(e))
}

/// Reads an answer of `model`, which the answer does not name.
pub fn decode(body: &[u8], model: &str) -> Result<EmbedResponse> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|e| Error::bad_upstream(format!("answer with vectors cannot be read: {e}")))?;
    let Some(predictions) = answer.predictions else { return Err(error::decode(200, body)) };
    let tokens: Option<u64> = predictions.iter().map(|one| one.embeddings.statistics.as_ref()?.token_count).sum();
    Ok(EmbedResponse {
        model: short(model).to_owned(),
        vectors: predictions.into_iter().map(|one| Vector::Floats(one.embeddings.values)).collect(),
        usage: Usage { input_tokens: tokens, ..Usage::default() },
        rest: Map::new(),
    })
}

#[derive(Deserialize)]
struct Answer {
    predictions: Option<Vec<Prediction>>,
}

#[derive(Deserialize)]
struct Prediction {
    embeddings: Embeddings,
}

#[derive(Deserialize)]
struct Embeddings {
    values: Vec<f32>,
    statistics: Option<Statistics>,
}

#[derive(Deserialize)]
struct Statistics {
    token_count: Option<u64>,
}

#[cfg(test)]
mod tests {
    use sabir_types::Rest;

    use super::*;

    fn request(input: EmbedInput) -> EmbedRequest {
        let mut rest = Rest::default();
        rest.members.insert("task_type".into(), "RETRIEVAL_QUERY".into());
        rest.members.insert("colour".into(), "blue".into());
        EmbedRequest { input, dimensions: Some(3), format: None, user: None, rest }
    }

    #[test]
    fn every_text_is_an_instance() {
        let mut warnings = Vec::new();
        let body = emit(&request(EmbedInput::Texts(vec!["ebb".into(), "flow".into()])), &mut warnings).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let expected = json!({
            "instances": [
                {"content": "ebb", "task_type": "RETRIEVAL_QUERY"},
                {"content": "flow", "task_type": "RETRIEVAL_QUERY"},
            ],
            "parameters": {"outputDimensionality": 3},
        });
        assert_eq!((body, warnings.len(), warnings[0].param.as_str()), (expected, 1, "colour"));
        let error = emit(&request(EmbedInput::Tokens(vec![1])), &mut warnings).unwrap_err();
        assert_eq!(error.param(), Some("input"));
    }

    #[test]
    fn tokens_add_up() {
        let one = |tokens: u64| json!({"embeddings": {"values": [0.5], "statistics": {"token_count": tokens}}});
        let body = json!({"predictions": [one(5), one(6)]}).to_string();
        let answer = decode(body.as_bytes(), "models/e").unwrap();
        assert_eq!((answer.model.as_str(), answer.vectors.len(), answer.usage.input_tokens), ("e", 2, Some(11)));
        let silent = decode(br#"{"predictions":[{"embeddings":{"values":[1]}}]}"#, "e").unwrap();
        assert_eq!(silent.usage.input_tokens, None);
        let error = decode(br#"{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}"#, "e").unwrap_err();
        assert_eq!(error.message(), "no");
    }
}
