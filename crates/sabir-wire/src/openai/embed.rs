//! Embeddings, both directions.
//!
//! Invariant: vectors leave in the order of the input and in the format that the caller asked for,
//! whatever the provider sent; base64 holds little-endian 32-bit floats (OpenAI's API reference).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sabir_types::{
    EmbedFormat, EmbedInput, EmbedRequest, EmbedResponse, Error, Map, Protocol, Request, Rest, Result, Value, Vector,
    Warning,
};
use serde_json::json;

use super::{decode::input_usage, error, parse};

/// Reads an embeddings request.
pub fn parse(body: &[u8]) -> Result<Request> {
    let mut all = parse::members(body)?;
    all.retain(|name, value| !name.starts_with("tensorzero::") && !value.is_null());
    all.remove("model");
    let input = match all.remove("input") {
        None => return Err(parse::wrong("input", "missing")),
        Some(value) => self::input(value)?,
    };
    let dimensions = match all.remove("dimensions") {
        None => None,
        Some(value) => match value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0) {
            Some(dimensions) => Some(dimensions),
            None => return Err(parse::wrong("dimensions", "expected a whole number from 1")),
        },
    };
    let format = match all.remove("encoding_format") {
        None => None,
        Some(value) => Some(format(value.as_str())?),
    };
    let user = match all.remove("user") {
        None => None,
        Some(Value::String(user)) => Some(user),
        Some(_) => return Err(parse::wrong("user", "expected a string")),
    };
    let rest = Rest { protocol: Some(Protocol::OpenAi), members: all };
    Ok(Request::Embed(Box::new(EmbedRequest { input, dimensions, format, user, rest })))
}

/// Reads `encoding_format`.
pub fn format(word: Option<&str>) -> Result<EmbedFormat> {
    match word {
        Some("float") => Ok(EmbedFormat::Float),
        Some("base64") => Ok(EmbedFormat::Base64),
        _ => Err(parse::wrong("encoding_format", "expected `float` or `base64`")),
    }
}

fn input(value: Value) -> Result<EmbedInput> {
    const WANTED: &str = "expected a text, an array of texts, an array of token ids or an array of such arrays";
    let wrong = || parse::wrong("input", WANTED);
    let token = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or_else(wrong);
    let items = match value {
        Value::String(text) => return Ok(EmbedInput::Text(text)),
        Value::Array(items) if items.is_empty() => {
            return Err(parse::wrong("input", "is empty: expected at least one text"));
        }
        Value::Array(items) => items,
        _ => return Err(wrong()),
    };
    match items[0] {
        Value::String(_) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(wrong()),
            })
            .collect::<Result<_>>()
            .map(EmbedInput::Texts),
        Value::Number(_) => items.iter().map(token).collect::<Result<_>>().map(EmbedInput::Tokens),
        Value::Array(_) => items
            .iter()
            .map(|item| item.as_array().ok_or_else(wrong)?.iter().map(token).collect())
            .collect::<Result<_>>()
            .map(EmbedInput::TokenLists),
        _ => Err(wrong()),
    }
}

/// How a provider's embeddings differ from OpenAI's.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The member that says how long a vector should be.
    pub dimensions: &'static str,
    /// The member that says how vectors are written.
    pub format: &'static str,
    /// Whether numbers may be asked for by name; otherwise they are what comes unasked.
    pub names_float: bool,
    /// Whether `user` is known.
    pub user: bool,
}

impl Dialect {
    /// As OpenAI has it.
    pub const OPENAI: Self =
        Self { dimensions: "dimensions", format: "encoding_format", names_float: true, user: true };

    /// Whether a body can go to the provider as it is.
    pub fn fits(&self, body: &[u8]) -> bool {
        let has = |name: &str| memchr::memmem::find(body, format!("\"{name}\"").as_bytes()).is_some();
        let other = |own: &str, openai: &str| own != openai && has(openai);
        !other(self.dimensions, "dimensions")
            && !other(self.format, "encoding_format")
            && (self.names_float || !has("encoding_format") || !has("float"))
            && (self.user || !has("user"))
    }
}

/// Writes an embeddings request.
pub fn emit(req: &EmbedRequest, model: &str, dialect: &Dialect, warnings: &mut Vec<Warning>) -> Result<Vec<u8>> {
    let mut out = Map::new();
    out.insert("model".into(), model.into());
    out.insert("input".into(), json!(req.input));
    if let Some(dimensions) = req.dimensions {
        out.insert(dialect.dimensions.into(), dimensions.into());
    }
    if let Some(format) = req.format.filter(|format| dialect.names_float || *format != EmbedFormat::Float) {
        out.insert(dialect.format.into(), json!(format));
    }
    match &req.user {
        Some(user) if dialect.user => drop(out.insert("user".into(), user.as_str().into())),
        Some(_) => warnings
            .push(Warning { param: "user".into(), message: "left out: the provider has no such parameter".into() }),
        None => {}
    }
    if req.rest.protocol == Some(Protocol::OpenAi) {
        for (name, value) in &req.rest.members {
            out.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    serde_json::to_vec(&out).map_err(|e| Error::internal("an embeddings request could not be written").with_source(e))
}

/// Reads an answer with a success status.
pub fn decode(body: &[u8]) -> Result<EmbedResponse> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|e| Error::bad_upstream(format!("the provider's answer is not JSON: {e}")))?;
    if let Some(error) = error::embedded(&value) {
        return Err(error);
    }
    let Value::Object(mut all) = value else {
        return Err(Error::bad_upstream("the provider's answer is not a JSON object"));
    };
    let Some(Value::Array(data)) = all.remove("data") else {
        return Err(Error::bad_upstream("the provider's answer has no `data`"));
    };
    let mut vectors = Vec::with_capacity(data.len());
    for (at, item) in data.into_iter().enumerate() {
        let index = item.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
        vectors.push((index, vector(item, at)?));
    }
    vectors.sort_by_key(|(index, _)| *index);
    let usage = all.remove("usage").filter(Value::is_object).map(|raw| input_usage(&raw)).unwrap_or_default();
    let model = match all.remove("model") {
        Some(Value::String(model)) => model,
        _ => String::new(),
    };
    all.remove("object");
    Ok(EmbedResponse { model, vectors: vectors.into_iter().map(|(_, vector)| vector).collect(), usage, rest: all })
}

fn vector(mut item: Value, at: usize) -> Result<Vector> {
    let bad = || Error::bad_upstream(format!("data[{at}].embedding of the provider's answer is not a vector"));
    match item.get_mut("embedding").map(Value::take) {
        Some(Value::String(text)) => Ok(Vector::Base64(text)),
        Some(Value::Array(numbers)) => numbers
            .iter()
            .map(|number| number.as_f64().map(|number| number as f32).ok_or_else(bad))
            .collect::<Result<_>>()
            .map(Vector::Floats),
        _ => Err(bad()),
    }
}

/// Writes an answer. `model` is the name that the caller shall see.
pub fn render(answer: &EmbedResponse, format: EmbedFormat, model: &str) -> Result<Vec<u8>> {
    let mut data = Vec::with_capacity(answer.vectors.len());
    for (index, vector) in answer.vectors.iter().enumerate() {
        data.push(json!({"object": "embedding", "index": index, "embedding": written(vector, format)?}));
    }
    let input = answer.usage.input_tokens.unwrap_or(0);
    let out = json!({
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": input, "total_tokens": answer.usage.total().unwrap_or(input)},
    });
    serde_json::to_vec(&out).map_err(|e| Error::internal("an answer could not be written").with_source(e))
}

fn written(vector: &Vector, format: EmbedFormat) -> Result<Value> {
    Ok(match (vector, format) {
        (Vector::Base64(text), EmbedFormat::Base64) => text.as_str().into(),
        (Vector::Base64(_), EmbedFormat::Float) => json!(floats(vector)?),
        (Vector::Floats(floats), EmbedFormat::Float) => json!(floats),
        (Vector::Floats(floats), EmbedFormat::Base64) => {
            STANDARD.encode(floats.iter().flat_map(|float| float.to_le_bytes()).collect::<Vec<u8>>()).into()
        }
    })
}

/// The numbers of a vector.
pub fn floats(vector: &Vector) -> Result<Vec<f32>> {
    match vector {
        Vector::Floats(floats) => Ok(floats.clone()),
        Vector::Base64(text) => {
            let bytes = STANDARD
                .decode(text)
                .map_err(|e| Error::bad_upstream("a vector of the provider's answer is not base64").with_source(e))?;
            let (floats, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return Err(Error::bad_upstream("a vector of the provider's answer is not made of 32-bit floats"));
            }
            Ok(floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_input_comes_back() {
        for input in [r#""a""#, r#"["a","b"]"#, "[1,2]", "[[1],[2,3]]"] {
            let body = format!(r#"{{"model":"m","input":{input},"dimensions":3,"encoding_format":"base64","new":1}}"#);
            let Request::Embed(req) = parse(body.as_bytes()).unwrap() else { panic!("not an embedding") };
            let emitted: Value =
                serde_json::from_slice(&emit(&req, "m", &Dialect::OPENAI, &mut Vec::new()).unwrap()).unwrap();
            assert_eq!(emitted, serde_json::from_str::<Value>(&body).unwrap());
        }
        for input in ["[]", "{}", "5", r#"["a",1]"#, "[1,-2]"] {
            let error = parse(format!(r#"{{"input":{input}}}"#).as_bytes()).unwrap_err();
            assert_eq!(error.param(), Some("input"), "{input}");
        }
    }

    #[test]
    fn a_dialect_renames_members() {
        let dialect = Dialect { dimensions: "output_dimension", names_float: false, user: false, ..Dialect::OPENAI };
        let body = br#"{"model":"m","input":"a","dimensions":3,"encoding_format":"float","user":"u"}"#;
        let Request::Embed(req) = parse(body).unwrap() else { panic!("not an embedding") };
        let mut warnings = Vec::new();
        let emitted: Value = serde_json::from_slice(&emit(&req, "m", &dialect, &mut warnings).unwrap()).unwrap();
        assert_eq!(emitted, json!({"model": "m", "input": "a", "output_dimension": 3}));
        assert_eq!((warnings.len(), warnings[0].param.as_str()), (1, "user"));
        assert!(!dialect.fits(body) && Dialect::OPENAI.fits(body));
        assert!(dialect.fits(br#"{"model":"m","input":"a","encoding_format":"base64"}"#));
    }

    #[test]
    fn vectors_change_format_without_loss() {
        let body = r#"{"data":[{"index":1,"embedding":[0.5]},{"index":0,"embedding":[1.25,-3.0]}],"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}}"#;
        let answer = decode(body.as_bytes()).unwrap();
        assert_eq!(answer.vectors[0], Vector::Floats(vec![1.25, -3.0]));
        assert_eq!(answer.usage.total(), Some(2));
        let base64 = render(&answer, EmbedFormat::Base64, "x").unwrap();
        let again = decode(&base64).unwrap();
        assert_eq!(floats(&again.vectors[0]).unwrap(), [1.25, -3.0]);
        let plain: Value = serde_json::from_slice(&render(&again, EmbedFormat::Float, "x").unwrap()).unwrap();
        assert_eq!(plain["data"][1]["embedding"][0], 0.5);
    }
}
