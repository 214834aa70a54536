//! Moderations, both directions.
//!
//! Invariant: a verdict always says whether it is one, also where the provider leaves that to the
//! reader of its categories.

use sabir_types::{
    Error, Map, ModerateInput, ModerateRequest, ModerateResponse, Protocol, Request, Result, Value, Verdict,
};

use super::{
    fields::{Fields, Out, answer, said, written},
    parse::wrong,
};

/// The model of a request that names none.
pub const DEFAULT_MODEL: &str = "omni-moderation-latest";

/// Reads a request.
pub fn parse(body: &[u8]) -> Result<Request> {
    let mut fields = Fields::object(body)?;
    let input = match fields.take("input") {
        None => return Err(wrong("input", "missing")),
        Some(value) => self::input(value)?,
    };
    Ok(Request::Moderate(Box::new(ModerateRequest { input, rest: fields.rest(Protocol::OpenAi)? })))
}

fn input(value: Value) -> Result<ModerateInput> {
    let wanted = "expected a text, an array of texts, or an array of objects with a `type`";
    match value {
        Value::String(text) => Ok(ModerateInput::Text(text)),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let texts = items.into_iter().filter_map(|item| item.as_str().map(str::to_owned));
            Ok(ModerateInput::Texts(texts.collect()))
        }
        Value::Array(items) if items.iter().all(|item| item.get("type").is_some()) => Ok(ModerateInput::Parts(items)),
        _ => Err(wrong("input", wanted)),
    }
}

/// Writes a request.
pub fn emit(req: &ModerateRequest, model: &str) -> Result<Vec<u8>> {
    let mut out = Out::object(model);
    let input = match &req.input {
        ModerateInput::Text(text) => text.as_str().into(),
        ModerateInput::Texts(texts) => texts.clone().into(),
        ModerateInput::Parts(parts) => Value::from(parts.clone()),
    };
    out.add("input", Some(input));
    out.rest(&req.rest, Protocol::OpenAi);
    out.finish()
}

/// Reads an answer with a success status.
pub fn decode(body: &[u8]) -> Result<ModerateResponse> {
    let mut all = answer(body)?;
    let Some(Value::Array(results)) = all.shift_remove("results") else {
        return Err(Error::bad_upstream("the provider's answer has no `results`"));
    };
    let results = results.into_iter().map(verdict).collect::<Result<_>>()?;
    let usage = all.shift_remove("usage").filter(Value::is_object);
    Ok(ModerateResponse {
        id: said(&mut all, "id"),
        model: said(&mut all, "model").unwrap_or_default(),
        results,
        usage: usage.map(|raw| super::decode::input_usage(&raw)).unwrap_or_default(),
        rest: all,
    })
}

fn verdict(value: Value) -> Result<Verdict> {
    let Value::Object(mut all) = value else {
        return Err(Error::bad_upstream("a verdict of the provider's answer is not an object"));
    };
    let mut map = |name: &str| match all.shift_remove(name) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let (categories, category_scores) = (map("categories"), map("category_scores"));
    let found = categories.values().any(|found| found == &Value::Bool(true));
    let flagged = all.shift_remove("flagged").and_then(|flagged| flagged.as_bool()).unwrap_or(found);
    Ok(Verdict { flagged, categories, category_scores, rest: all })
}

/// Writes an answer. `id` and `model` stand for those that the provider did not say.
pub fn render(answer: &ModerateResponse, id: &str, model: &str) -> Result<Vec<u8>> {
    let mut out = Map::new();
    out.insert("id".into(), answer.id.as_deref().unwrap_or(id).into());
    out.insert("model".into(), if answer.model.is_empty() { model } else { &answer.model }.into());
    let results: Vec<Value> = answer.results.iter().map(shown).collect();
    out.insert("results".into(), results.into());
    for (name, value) in &answer.rest {
        out.entry(name.clone()).or_insert_with(|| value.clone());
    }
    written(&Value::Object(out))
}

fn shown(verdict: &Verdict) -> Value {
    let mut out = Map::new();
    out.insert("flagged".into(), verdict.flagged.into());
    out.insert("categories".into(), Value::Object(verdict.categories.clone()));
    out.insert("category_scores".into(), Value::Object(verdict.category_scores.clone()));
    for (name, value) in &verdict.rest {
        out.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Value::Object(out)
}
