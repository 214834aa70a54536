//! The providers that speak as OpenAI does: one implementation, and data for what differs.
//!
//! Invariant: no provider is named here; a difference is a field of [`Quirks`].

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header, request::Parts};
use memchr::memmem;
use sabir_types::{Error, Event, Operation, Protocol, Request, Response, Result, Value, Warning};
use sabir_wire::{
    openai::{
        self,
        decode::{Glimpse, Reading},
        embed,
        emit::Dialect,
    },
    rerank,
};

use crate::{
    Capabilities, Decoder, Encoded, Glance, HttpRequest, HttpResponse, Passage, Provider, Spec, Target, parts,
};

/// A provider of the OpenAI family.
#[derive(Debug)]
pub struct OpenAiCompat {
    /// What it is and can do.
    pub spec: Spec,
    /// How it differs.
    pub quirks: Quirks,
}

/// How a provider differs from OpenAI.
#[derive(Debug)]
pub struct Quirks {
    /// What it takes.
    pub dialect: Dialect,
    /// What it answers.
    pub reading: Reading,
    /// Makes the bearer token of a key, given the seconds since 1970; otherwise the key itself is the token.
    pub token: Option<fn(&str, u64) -> Cow<'_, str>>,
    /// Members of OpenAI's requests that it refuses: a body that holds one cannot go through untouched.
    pub refuses: &'static [&'static str],
    /// Options of the configuration that become headers: the option's name, the header's name.
    pub headers: &'static [(&'static str, &'static str)],
    /// Whether it lists its models.
    pub lists_models: bool,
    /// How its embeddings differ.
    pub embed: embed::Dialect,
    /// How it has reranking, if it does.
    pub rerank: rerank::Style,
    /// Operations whose answers are not as OpenAI's clients read them, so that nothing goes through untouched.
    pub translated: &'static [Operation],
}

impl Quirks {
    /// None at all.
    pub const NONE: Self = Self {
        dialect: Dialect::COMPATIBLE,
        reading: Reading::USUAL,
        token: None,
        refuses: &[],
        headers: &[],
        lists_models: true,
        embed: embed::Dialect::OPENAI,
        rerank: rerank::Style::Jina,
        translated: &[],
    };
}

/// What the family's servers have in common.
pub const USUAL: Capabilities = Capabilities {
    operations: &[Operation::Chat, Operation::Embed],
    stream: true,
    tools: true,
    parallel_tool_calls: true,
    custom_tools: false,
    image: true,
    audio: false,
    file: false,
    video: false,
    json: true,
    json_schema: true,
    reasoning: true,
    seed: true,
    penalties: true,
    logit_bias: true,
    logprobs: true,
    n: true,
    top_k: false,
    stop: true,
};

impl OpenAiCompat {
    fn base<'t>(&'t self, to: &Target<'t>) -> Result<&'t str> {
        let base = to.api_base.or(self.spec.base_url).ok_or_else(|| {
            let message = format!("provider `{}` has no usual address: set `api_base`", self.spec.id);
            Error::new(sabir_types::ErrorKind::Config, message)
        })?;
        Ok(base.trim_end_matches('/'))
    }

    pub(crate) fn request(&self, method: Method, path: &str, to: &Target<'_>) -> Result<Parts> {
        let url = format!("{}{path}", self.base(to)?);
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.method = method;
        parts.uri = url
            .parse()
            .map_err(|e| Error::new(sabir_types::ErrorKind::Config, format!("`{url}` is not a URL")).with_source(e))?;
        parts.headers = self.headers(to)?;
        Ok(parts)
    }

    /// How to read answers: a server of one's own may leave thoughts in the text.
    fn reading(&self, to: &Target<'_>) -> Reading {
        let reading = self.quirks.reading;
        match to.options.get("think_blocks").and_then(Value::as_str) {
            Some("tagged") => Reading { inline_thoughts: true, ..reading },
            Some("unopened") => Reading { inline_thoughts: true, unopened: true, ..reading },
            _ => reading,
        }
    }

    fn headers(&self, to: &Target<'_>) -> Result<HeaderMap> {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = to.key {
            let key = key.expose();
            let token = self.quirks.token.map_or(Cow::Borrowed(key), |token| token(key, to.now));
            let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
                let message =
                    format!("the key of provider `{}` holds characters that no header can carry", self.spec.id);
                Error::new(sabir_types::ErrorKind::Config, message)
            })?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        for (option, name) in self.quirks.headers {
            if let Some(Value::String(text)) = to.options.get(*option) {
                let value = HeaderValue::try_from(text.as_str()).map_err(|_| {
                    Error::new(sabir_types::ErrorKind::Config, format!("option `{option}` cannot stand in a header"))
                })?;
                headers.insert(http::HeaderName::from_static(name), value);
            }
        }
        Ok(headers)
    }
}

impl Provider for OpenAiCompat {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn head(&self, operation: Operation, _stream: bool, to: &Target<'_>) -> Result<Parts> {
        let path = parts::path(operation).ok_or_else(|| parts::lacks(self.spec.id, operation))?;
        self.request(Method::POST, &format!("/{path}"), to)
    }

    fn body(&self, req: &Request, to: &Target<'_>) -> Result<Encoded> {
        let mut warnings: Vec<Warning> = Vec::new();
        let body = match req {
            Request::Chat(chat) => openai::emit::chat(chat, to.model, &self.quirks.dialect, &mut warnings)?,
            Request::Embed(embed) => openai::embed::emit(embed, to.model, &self.quirks.embed, &mut warnings)?,
            Request::Image(image) => openai::image::emit(image, to.model)?,
            Request::Speech(speech) => openai::speech::emit(speech, to.model)?,
            Request::Transcribe(sound) => openai::transcript::emit(sound, to.model)?,
            Request::Moderate(input) => openai::moderation::emit(input, to.model)?,
            Request::Rerank(documents) => rerank::emit(documents, to.model, self.quirks.rerank, &mut warnings)?,
            other => return Err(parts::lacks(self.spec.id, other.operation())),
        };
        Ok(Encoded { body: Bytes::from(body), warnings })
    }

    fn models(&self, to: &Target<'_>) -> Result<Option<HttpRequest>> {
        if !self.quirks.lists_models {
            return Ok(None);
        }
        let parts = self.request(Method::GET, "/models", to)?;
        Ok(Some(HttpRequest::from_parts(parts, Bytes::new())))
    }

    fn model_names(&self, body: &[u8]) -> Result<Vec<String>> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|e| Error::bad_upstream(format!("the list of models is not JSON: {e}")))?;
        // Most answer with OpenAI's list object, some with the bare list.
        let list = value.get("data").unwrap_or(&value).as_array();
        let list = list.ok_or_else(|| Error::bad_upstream("the list of models is not a list"))?;
        Ok(list.iter().filter_map(|model| model.get("id")?.as_str()).map(str::to_owned).collect())
    }

    fn has_passage(&self) -> bool {
        true
    }

    fn passage(&self, passage: &Passage<'_>, to: &Target<'_>) -> Result<Parts> {
        let query = passage.query.and_then(|query| {
            // Azure's clients name a version, and a deployment where OpenAI's name a model.
            parts::query(query, &["api-version"], |name| match name {
                "model" | "deployment" if !to.model.is_empty() => Some(format!("model={}", parts::segment(to.model))),
                "deployment" => {
                    let member = query.split('&').find(|member| member.starts_with("deployment="))?;
                    Some(member.replacen("deployment", "model", 1))
                }
                _ => None,
            })
        });
        let path = format!("/{}", parts::with_query(passage.path, query.as_deref()));
        let mut request = self.request(passage.method.clone(), &path, to)?;
        // What the body is, the caller says.
        request.headers.remove(header::CONTENT_TYPE);
        Ok(request)
    }

    fn decode(&self, req: &Request, to: &Target<'_>, resp: &HttpResponse) -> Result<Response> {
        match req {
            Request::Embed(_) => Ok(Response::Embed(Box::new(openai::embed::decode(&resp.body)?))),
            Request::Image(_) => Ok(Response::Image(Box::new(openai::image::decode(&resp.body)?))),
            Request::Speech(speech) => {
                let mut answer = openai::speech::decode(speech, &resp.body)?;
                // What the provider says it sent counts more than what was asked for.
                let kind = resp.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                if let Some(kind) = kind.filter(|kind| kind.starts_with("audio/")) {
                    kind.clone_into(&mut answer.mime);
                }
                Ok(Response::Speech(Box::new(answer)))
            }
            Request::Transcribe(sound) => {
                let answer = openai::transcript::decode(&resp.body, sound.format.unwrap_or_default())?;
                Ok(Response::Transcribe(Box::new(answer)))
            }
            Request::Moderate(_) => Ok(Response::Moderate(Box::new(openai::moderation::decode(&resp.body)?))),
            Request::Rerank(documents) => Ok(Response::Rerank(Box::new(rerank::decode(Some(documents), &resp.body)?))),
            _ => Ok(Response::Chat(Box::new(self.reading(to).chat(&resp.body)?))),
        }
    }

    fn decoder(&self, _req: &Request, to: &Target<'_>) -> Box<dyn Decoder> {
        Box::new(Stream(self.reading(to).stream()))
    }

    fn passes(&self, operation: Operation, body: &[u8]) -> bool {
        let fits = match operation {
            Operation::Chat => openai::emit::fits(body, &self.quirks.dialect),
            Operation::Embed => self.quirks.embed.fits(body),
            // Members that a chat may not have say nothing about these.
            _ => return !self.quirks.translated.contains(&operation),
        };
        if !fits {
            return false;
        }
        // A text that merely mentions the name is translated needlessly, which does no harm.
        !self.quirks.refuses.iter().any(|name| memmem::find(body, name.as_bytes()).is_some())
    }

    fn glance(&self, operation: Operation, body: &[u8]) -> Result<Glance> {
        self.quirks.reading.glance(operation, body).map(seen)
    }

    fn glance_event(&self, _event: Option<&str>, data: &str) -> Result<Glance> {
        self.quirks.reading.glance_event(data).map(seen)
    }

    fn error(&self, resp: &HttpResponse) -> Error {
        self.quirks.reading.error(resp.status.as_u16(), &resp.body)
    }

    fn protocol(&self, _operation: Operation, _to: &Target<'_>) -> Protocol {
        Protocol::OpenAi
    }
}

pub(crate) fn seen(glimpse: Glimpse) -> Glance {
    Glance { usage: glimpse.usage, finish_reason: glimpse.finish_reason, done: glimpse.done }
}

struct Stream(openai::decode::ChatStream);

impl Decoder for Stream {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<()> {
        self.0.feed(bytes, out)
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<()> {
        self.0.finish(out)
    }
}
