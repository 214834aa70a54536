//! Embeddings on Gemini's wire, all directions.
//!
//! Invariant: one text goes as `embedContent`, several as `batchEmbedContents`, and vectors come in
//! the order of the texts.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sabir_types::{
    EmbedInput, EmbedRequest, EmbedResponse, Error, Map, Protocol, Rest, Result, Usage, Value, Vector, Warning,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{camel, error, part, predict, short, take, usage};

/// Whether a request goes as `batchEmbedContents`.
pub fn is_batch(req: &EmbedRequest) -> bool {
    matches!(req.input, EmbedInput::Texts(_))
}

/// Writes the body of a call to `model`.
pub fn emit(req: &EmbedRequest, model: &str, warnings: &mut Vec<Warning>) -> Result<Vec<u8>> {
    let ours = req.rest.protocol == Some(Protocol::Gemini);
    let one = |text: &str| {
        let mut out = Map::new();
        out.insert("model".into(), Value::from(format!("models/{}", short(model))));
        out.insert("content".into(), json!({"parts": [{"text": text}]}));
        if let Some(dimensions) = req.dimensions {
            out.insert("outputDimensionality".into(), Value::from(dimensions));
        }
        if ours {
            for (name, value) in &req.rest.members {
                out.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        Value::Object(out)
    };
    let body = match &req.input {
        EmbedInput::Text(text) => one(text),
        EmbedInput::Texts(texts) => json!({"requests": texts.iter().map(|text| one(text)).collect::<Vec<_>>()}),
        EmbedInput::Tokens(_) | EmbedInput::TokenLists(_) => {
            return Err(Error::unsupported("input", "token ids: gemini takes texts only"));
        }
    };
    let mut warn = |param: &str, message: &str| {
        warnings.push(Warning { param: param.to_owned(), message: message.to_owned() });
    };
    if req.user.is_some() {
        warn("user", "gemini has no such parameter");
    }
    if !ours {
        req.rest.members.keys().for_each(|name| warn(name, "gemini has no such member"));
    }
    serde_json::to_vec(&body).map_err(|e| Error::internal("the request cannot be written as JSON").with_source(e))
}

/// Reads an answer of `model`, which the answer does not name.
pub fn decode(body: &[u8], model: &str) -> Result<EmbedResponse> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|e| Error::bad_upstream(format!("answer with vectors cannot be read: {e}")))?;
    if answer.predictions.is_some() {
        return predict::decode(body, model);
    }
    let vectors = match (answer.error, answer.embeddings, answer.embedding) {
        (None, Some(list), _) => list,
        (None, None, Some(one)) => vec![one],
        _ => return Err(error::decode(200, body)),
    };
    Ok(EmbedResponse {
        model: short(model).to_owned(),
        vectors: vectors.into_iter().map(|vector| Vector::Floats(vector.values)).collect(),
        usage: answer.usage_metadata.map(usage::read).unwrap_or_default(),
        rest: Map::new(),
    })
}

/// Reads a request, single or batch. The model stands in the URL.
pub fn parse(body: &[u8]) -> Result<EmbedRequest> {
    let mut body: Map<String, Value> =
        serde_json::from_slice(body).map_err(|e| Error::bad_request(format!("the body is not a JSON object: {e}")))?;
    let (batch, requests) = match take(&mut body, "requests") {
        Some(Value::Array(list)) if !list.is_empty() => (true, list),
        Some(_) => {
            return Err(Error::bad_request("`requests` is not a list with something in it").with_param("requests"));
        }
        None => (false, vec![Value::Object(body)]),
    };
    let mut texts = Vec::with_capacity(requests.len());
    let mut shared: Option<Map<String, Value>> = None;
    for request in requests {
        let mut request = part::object(Some(request));
        take(&mut request, "model");
        texts.push(one_text(part::object(take(&mut request, "content")))?);
        let settings = request.into_iter().map(|(key, value)| (camel(&key).into_owned(), value)).collect();
        match &shared {
            Some(first) if *first != settings => {
                let message = "the requests of a batch differ in more than their content";
                return Err(Error::unsupported("requests", message));
            }
            _ => shared = Some(settings),
        }
    }
    let mut members = shared.unwrap_or_default();
    let dimensions = match take(&mut members, "outputDimensionality") {
        None => None,
        Some(number) => Some(number.as_u64().and_then(|number| u32::try_from(number).ok()).ok_or_else(|| {
            Error::bad_request("`outputDimensionality` is not a whole number").with_param("outputDimensionality")
        })?),
    };
    let input = match texts.pop() {
        Some(text) if !batch => EmbedInput::Text(text),
        last => EmbedInput::Texts(texts.into_iter().chain(last).collect()),
    };
    let rest = Rest { protocol: Some(Protocol::Gemini), members };
    Ok(EmbedRequest { input, dimensions, format: None, user: None, rest })
}

/// Writes an answer: to `batchEmbedContents` or to `embedContent`.
pub fn render(answer: &EmbedResponse, batch: bool) -> Result<Vec<u8>> {
    let mut vectors = answer.vectors.iter().map(values).collect::<Result<Vec<_>>>()?;
    let figures = &answer.usage;
    let out = Out {
        embedding: if batch { None } else { vectors.pop() },
        embeddings: batch.then_some(vectors),
        usage_metadata: (*figures != Usage::default()).then(|| usage::write(figures, None)),
    };
    serde_json::to_vec(&out).map_err(|e| Error::internal("the answer cannot be written as JSON").with_source(e))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    embeddings: Option<Vec<Values>>,
    embedding: Option<Values>,
    usage_metadata: Option<Value>,
    error: Option<serde::de::IgnoredAny>,
    /// As the cloud answers.
    predictions: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Values {
    #[serde(default)]
    values: Vec<f32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Out<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    embeddings: Option<Vec<OutValues<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<OutValues<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<Value>,
}

#[derive(Serialize)]
struct OutValues<'a> {
    values: Cow<'a, [f32]>,
}

/// The wire has numbers only.
fn values(vector: &Vector) -> Result<OutValues<'_>> {
    let values = match vector {
        Vector::Floats(floats) => Cow::Borrowed(floats.as_slice()),
        Vector::Base64(text) => {
            let bytes =
                STANDARD.decode(text).map_err(|e| Error::bad_upstream("vector is not base64").with_source(e))?;
            let (floats, _) = bytes.as_chunks::<4>();
            Cow::Owned(floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
        }
    };
    Ok(OutValues { values })
}

/// The one text of a content. Pictures, and several parts that make one vector, have no word.
fn one_text(mut content: Map<String, Value>) -> Result<String> {
    let mut parts = match take(&mut content, "parts") {
        Some(Value::Array(parts)) => parts,
        Some(part @ Value::Object(_)) => vec![part],
        _ => return Err(Error::bad_request("`content` has no `parts`").with_param("content")),
    };
    match (parts.len(), parts.pop().map(part::lone_text)) {
        (1, Some(Some(text))) => Ok(text),
        _ => Err(Error::unsupported("content", "a content that is not a single text cannot be embedded")),
    }
}
