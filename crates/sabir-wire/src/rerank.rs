//! Reranking, both directions: `/v1/rerank` as Jina and those after it have it, Cohere's
//! `/v2/rerank`, and Voyage's.
//!
//! Facts: <https://docs.cohere.com/reference/rerank>, <https://jina.ai/reranker>,
//! <https://docs.voyageai.com/reference/reranker-api>, read 2026-11.
//!
//! Invariant: one reader for all of them, because a member never means two things; the writers differ.

use sabir_types::{
    Error, Map, Protocol, Ranked, Request, RerankRequest, RerankResponse, Result, Usage, Value, Warning,
};
use serde_json::json;

use crate::openai::{Fields, Out, answer, decode::input_usage, parse::wrong, said, written};

/// How a provider has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `top_n`, `return_documents`; documents may be objects.
    Jina,
    /// `top_n`, `max_tokens_per_doc`; documents are texts.
    Cohere,
    /// `top_k`, `return_documents`; documents are texts.
    Voyage,
}

/// Reads a request to `/v1/rerank`.
pub fn parse(body: &[u8]) -> Result<Request> {
    read(body, Protocol::OpenAi)
}

/// Reads a request to Cohere's `/v2/rerank`.
pub fn parse_cohere(body: &[u8]) -> Result<Request> {
    read(body, Protocol::Cohere)
}

fn read(body: &[u8], protocol: Protocol) -> Result<Request> {
    let mut fields = Fields::object(body)?;
    let Some(Value::Array(documents)) = fields.take("documents") else {
        return Err(wrong("documents", "expected an array of texts"));
    };
    if documents.is_empty() {
        return Err(wrong("documents", "is empty: expected at least one text"));
    }
    if let Some(at) = documents.iter().position(|document| !document.is_string() && !document.is_object()) {
        return Err(wrong(&format!("documents[{at}]"), "expected a text or an object with a `text`"));
    }
    let top_n = fields.count("top_n")?;
    let top_k = fields.count("top_k")?;
    let request = RerankRequest {
        query: fields.required("query")?,
        documents,
        top_n: top_n.or(top_k),
        return_documents: fields.flag("return_documents")?,
        max_tokens_per_doc: fields.whole("max_tokens_per_doc")?,
        rest: fields.rest(protocol)?,
    };
    Ok(Request::Rerank(Box::new(request)))
}

/// Writes a request.
pub fn emit(req: &RerankRequest, model: &str, style: Style, warnings: &mut Vec<Warning>) -> Result<Vec<u8>> {
    let mut out = Out::object(model);
    out.add("query", Some(req.query.as_str()));
    let documents: Vec<Value> = match style {
        Style::Jina => req.documents.clone(),
        Style::Cohere | Style::Voyage => {
            req.documents.iter().map(|document| RerankRequest::text(document).into()).collect()
        }
    };
    out.add("documents", Some(documents));
    out.add(if style == Style::Voyage { "top_k" } else { "top_n" }, req.top_n);
    let mut warn = |param: &str| {
        let message = "left out: the provider has no such parameter".to_owned();
        warnings.push(Warning { param: param.to_owned(), message });
    };
    match style {
        // The gateway has the documents, and adds them.
        Style::Cohere => out.add("max_tokens_per_doc", req.max_tokens_per_doc),
        Style::Jina | Style::Voyage => {
            out.add("return_documents", req.return_documents);
            if req.max_tokens_per_doc.is_some() {
                warn("max_tokens_per_doc");
            }
        }
    }
    let own = if style == Style::Cohere { Protocol::Cohere } else { Protocol::OpenAi };
    out.rest(&req.rest, own);
    if req.rest.protocol != Some(own) {
        req.rest.members.keys().for_each(|name| warn(name));
    }
    out.finish()
}

/// Reads an answer with a success status, and adds the documents if they were asked for.
pub fn decode(req: Option<&RerankRequest>, body: &[u8]) -> Result<RerankResponse> {
    let mut all = answer(body)?;
    let list = all.shift_remove("results").or_else(|| all.shift_remove("data"));
    let Some(Value::Array(list)) = list else {
        return Err(Error::bad_upstream("the provider's answer has no `results`"));
    };
    let mut results = list.into_iter().enumerate().map(|(at, item)| ranked(item, at)).collect::<Result<Vec<_>>>()?;
    if let Some(req) = req.filter(|req| req.return_documents == Some(true)) {
        for result in results.iter_mut().filter(|result| result.document.is_none()) {
            result.document = req.documents.get(result.index as usize).map(as_object);
        }
    }
    all.shift_remove("object");
    Ok(RerankResponse {
        id: said(&mut all, "id"),
        model: said(&mut all, "model").unwrap_or_default(),
        results,
        usage: usage(&mut all),
        rest: all,
    })
}

fn ranked(item: Value, at: usize) -> Result<Ranked> {
    let score = item.get("relevance_score").or_else(|| item.get("score")).and_then(Value::as_f64);
    let index = item.get("index").and_then(Value::as_u64).and_then(|index| u32::try_from(index).ok());
    let (Some(index), Some(relevance_score)) = (index, score) else {
        return Err(Error::bad_upstream(format!("results[{at}] of the provider's answer has no index or no score")));
    };
    let document = item.get("document").filter(|document| !document.is_null()).map(as_object);
    Ok(Ranked { index, relevance_score, document })
}

fn as_object(document: &Value) -> Value {
    match document {
        Value::String(text) => json!({"text": text}),
        other => other.clone(),
    }
}

/// Tokens (`usage`), or what Cohere counts (`meta.billed_units`).
fn usage(all: &mut Map<String, Value>) -> Usage {
    if let Some(raw) = all.shift_remove("usage").filter(|raw| raw.as_object().is_some_and(|raw| !raw.is_empty())) {
        return input_usage(&raw);
    }
    match all.get("meta").and_then(|meta| meta.get("billed_units")).filter(|units| units.is_object()) {
        Some(units) => sabir_types::Usage {
            input_tokens: units.get("input_tokens").and_then(Value::as_u64),
            output_tokens: units.get("output_tokens").and_then(Value::as_u64),
            raw: Some(units.clone()),
            ..Usage::default()
        },
        None => Usage::default(),
    }
}

/// What a whole answer that goes through untouched says of usage.
pub fn glance(body: &[u8]) -> Result<Usage> {
    Ok(decode(None, body)?.usage)
}

/// Writes an answer to `/v1/rerank`. `id` and `model` stand for those that the provider did not say.
pub fn render(answer: &RerankResponse, id: &str, model: &str) -> Result<Vec<u8>> {
    let mut out = common(answer, id);
    out.insert("object".into(), "list".into());
    out.insert("model".into(), if answer.model.is_empty() { model } else { &answer.model }.into());
    for (name, value) in &answer.rest {
        out.entry(name.clone()).or_insert_with(|| value.clone());
    }
    if let Some(total) = answer.usage.total().or(answer.usage.input_tokens) {
        out.insert("usage".into(), json!({"total_tokens": total, "prompt_tokens": answer.usage.input_tokens}));
    }
    written(&Value::Object(out))
}

/// Writes an answer to `/v2/rerank`.
pub fn render_cohere(answer: &RerankResponse, id: &str) -> Result<Vec<u8>> {
    let mut out = common(answer, id);
    let units = answer.usage.raw.as_ref().and_then(|raw| raw.get("search_units")).cloned();
    let mut meta = json!({"api_version": {"version": "2"}});
    if let Some(units) = units {
        meta["billed_units"] = json!({"search_units": units});
    }
    if let Some(tokens) = answer.usage.input_tokens {
        meta["tokens"] = json!({"input_tokens": tokens, "output_tokens": answer.usage.output_tokens.unwrap_or(0)});
    }
    out.insert("meta".into(), answer.rest.get("meta").cloned().unwrap_or(meta));
    written(&Value::Object(out))
}

fn common(answer: &RerankResponse, id: &str) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("id".into(), answer.id.as_deref().unwrap_or(id).into());
    let results: Vec<Value> = answer
        .results
        .iter()
        .map(|result| {
            let mut item = json!({"index": result.index, "relevance_score": result.relevance_score});
            if let Some(document) = &result.document {
                item["document"] = document.clone();
            }
            item
        })
        .collect();
    out.insert("results".into(), results.into());
    out
}

/// Writes an error in Cohere's form.
pub fn error_cohere(error: &Error, id: &str) -> Value {
    json!({"id": id, "message": error.message()})
}

#[cfg(test)]
#[path = "rerank_tests.rs"]
mod tests;
