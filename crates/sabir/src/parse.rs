//! Answers of a type of one's own.
//!
//! Invariant: a value is only ever read from an answer that is whole and that the model meant as
//! one; everything else is an error that says what happened.

use std::ops::Deref;

use bytes::Bytes;
use http::Method;
use sabir_types::{Map, Value};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    answer::Answer,
    call::{Surface, decoded, fetch},
    calls::{CHAT, RESPONSES},
    error::{Error, Result},
    resources::{Chat, Responses},
    schema,
    spec::{Spec, streamed},
    types::{ChatCompletion, Response},
};

/// A value, and the answer that it was in.
#[derive(Debug, Clone)]
pub struct Parsed<T, A> {
    value: T,
    answer: Answer<A>,
}

impl<T, A> Parsed<T, A> {
    /// The value alone.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The answer.
    pub fn answer(&self) -> &Answer<A> {
        &self.answer
    }
}

impl<T, A> Deref for Parsed<T, A> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<C: Surface> Chat<C> {
    /// Asks a model for an answer of this type: the request gets the type's strict JSON Schema as
    /// its `response_format`. A refusal and an answer that is not whole are errors.
    pub fn parse<T>(&self, request: impl Serialize) -> C::Reply<Parsed<T, ChatCompletion>>
    where
        T: JsonSchema + DeserializeOwned + 'static,
    {
        let client = self.0.client().clone();
        let body = streamed(request, false).map(|mut body| {
            let format = json!({"name": name::<T>(), "schema": schema::strict_of::<T>(), "strict": true});
            body.insert("response_format".into(), json!({"type": "json_schema", "json_schema": format}));
            body
        });
        self.0.reply(async move {
            let spec = Spec::api(Method::POST, CHAT).json(body?);
            let answer: Answer<ChatCompletion> = decoded(fetch(&client, &spec).await?)?;
            let value = said(&answer)?;
            Ok(Parsed { value, answer })
        })
    }
}

impl<C: Surface> Responses<C> {
    /// Asks a model for an answer of this type: the request gets the type's strict JSON Schema as
    /// its `text.format`. A refusal and an answer that is not whole are errors.
    pub fn parse<T>(&self, request: impl Serialize) -> C::Reply<Parsed<T, Response>>
    where
        T: JsonSchema + DeserializeOwned + 'static,
    {
        let client = self.0.client().clone();
        let body = streamed(request, false).map(|mut body| {
            let format = json!({
                "type": "json_schema", "name": name::<T>(), "schema": schema::strict_of::<T>(), "strict": true,
            });
            let text = body.entry("text").or_insert_with(|| Value::Object(Map::new()));
            match text {
                Value::Object(text) => drop(text.insert("format".into(), format)),
                other => *other = json!({"format": format}),
            }
            body
        });
        self.0.reply(async move {
            let spec = Spec::api(Method::POST, RESPONSES).json(body?);
            let answer: Answer<Response> = decoded(fetch(&client, &spec).await?)?;
            if let Some(refusal) = answer.refusal() {
                return Err(Error::Refused(refusal.to_owned()));
            }
            if let Some("incomplete" | "failed" | "cancelled") = answer.status.as_deref() {
                let details = answer.incomplete_details.as_ref().and_then(|details| details.get("reason"));
                let reason =
                    details.and_then(Value::as_str).or(answer.status.as_deref()).unwrap_or_default().to_owned();
                return Err(Error::Unfinished { reason, body: answer.body().clone() });
            }
            let value = read(&answer.text(), answer.body())?;
            Ok(Parsed { value, answer })
        })
    }
}

/// The value that a whole chat completion holds.
pub(crate) fn said<T: DeserializeOwned>(answer: &ChatCompletion) -> Result<T> {
    let body = || Bytes::from(json!(answer).to_string());
    let Some(choice) = answer.choices.first() else {
        return Err(Error::Decode { message: "the answer holds none".to_owned(), body: body() });
    };
    if let Some(refusal) = &choice.message.refusal {
        return Err(Error::Refused(refusal.clone()));
    }
    if let Some(reason @ ("length" | "content_filter")) = choice.finish_reason.as_deref() {
        return Err(Error::Unfinished { reason: reason.to_owned(), body: body() });
    }
    read(&choice.message.text(), &body())
}

fn read<T: DeserializeOwned>(text: &str, body: &Bytes) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::Decode {
        message: format!("what the model says is not of the type that was asked for: {e}"),
        body: body.clone(),
    })
}

/// The type's name, as far as it may be sent.
fn name<T: JsonSchema>() -> String {
    let is_fit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name: String = T::schema_name().chars().filter(is_fit).take(64).collect();
    if name.is_empty() { "answer".to_owned() } else { name }
}
