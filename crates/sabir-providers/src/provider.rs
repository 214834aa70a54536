//! The trait that every provider implements, and what goes in and out of it.
//!
//! Invariant: every method is a pure function of its arguments.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, request::Parts};
use sabir_types::{
    Error, Event, FinishReason, Map, Operation, Protocol, Request, Response, Result, Secret, Usage, Value, Warning,
};

use crate::parts::set_content_type;

/// A request to a provider, ready to send.
pub type HttpRequest = http::Request<Bytes>;

/// A provider's answer, read whole.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, content encoding undone.
    pub body: Bytes,
}

/// What a provider is and can do, as data that the engine checks before it encodes.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Its id: file name, fixture folder, configuration key, metric label.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The protocol that it speaks.
    pub protocol: Protocol,
    /// Where it listens unless told otherwise; `None` means the configuration must say.
    pub base_url: Option<&'static str>,
    /// The environment variables that usually hold its key; the first one set counts.
    pub key_env: &'static [&'static str],
    /// Whether a call without a key makes no sense.
    pub key_required: bool,
    /// Whether `id::model` works without configuration.
    pub shorthand: bool,
    /// What it can do.
    pub can: Capabilities,
    /// Its documentation.
    pub docs: &'static str,
}

/// What a provider can do. What is `false` is refused (or warned about) before the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The operations that it has.
    pub operations: &'static [Operation],
    /// Streams.
    pub stream: bool,
    /// Tools.
    pub tools: bool,
    /// `parallel_tool_calls` can be switched off.
    pub parallel_tool_calls: bool,
    /// Free-text tools.
    pub custom_tools: bool,
    /// Pictures in.
    pub image: bool,
    /// Sound in.
    pub audio: bool,
    /// Documents in.
    pub file: bool,
    /// Video in.
    pub video: bool,
    /// JSON mode.
    pub json: bool,
    /// JSON after a schema.
    pub json_schema: bool,
    /// Thinking can be asked for.
    pub reasoning: bool,
    /// `seed`.
    pub seed: bool,
    /// `presence_penalty`, `frequency_penalty`.
    pub penalties: bool,
    /// `logit_bias`.
    pub logit_bias: bool,
    /// Log probabilities.
    pub logprobs: bool,
    /// More than one answer.
    pub n: bool,
    /// `top_k`.
    pub top_k: bool,
    /// Stop texts.
    pub stop: bool,
}

impl Capabilities {
    /// Nothing at all.
    pub const NONE: Self = Self {
        operations: &[],
        stream: false,
        tools: false,
        parallel_tool_calls: false,
        custom_tools: false,
        image: false,
        audio: false,
        file: false,
        video: false,
        json: false,
        json_schema: false,
        reasoning: false,
        seed: false,
        penalties: false,
        logit_bias: false,
        logprobs: false,
        n: false,
        top_k: false,
        stop: false,
    };
}

/// What a provider takes as its credential: the engine gets it by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialScheme {
    /// One text, as it stands in the configuration.
    Key,
    /// A key of the resource, or a token of Entra ID (Azure).
    Entra,
    /// An OAuth token, made from a service account or another identity of Google's.
    Google,
    /// A bearer key, or parts that sign: then the text is [`crate::sign::sigv4::Keys`] as JSON.
    Aws,
}

/// Where one call goes: everything that the configuration and the caller say about it.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The provider's own model name.
    pub model: &'a str,
    /// Where the provider listens, if not at [`Spec::base_url`].
    pub api_base: Option<&'a str>,
    /// The credential.
    pub key: Option<&'a Secret>,
    /// Provider-specific settings of the configuration (`api_type`, `deployment_id`, `delay_ms`).
    pub options: &'a Map<String, Value>,
    /// Seconds since 1970, for signatures.
    pub now: u64,
}

impl fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("model", &self.model).field("api_base", &self.api_base).finish_non_exhaustive()
    }
}

/// A request that goes through as it came: where it goes and its credential are the provider's, the
/// rest is the caller's.
#[derive(Debug, Clone, Copy)]
pub struct Passage<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path below the protocol's version, percent-encoded as it came, without a slash before it
    /// (`files/file-1/content`). Google's holds the version, since uploads have it elsewhere.
    pub path: &'a str,
    /// The query as it came.
    pub query: Option<&'a str>,
    /// The deployment or model that the caller named in the path (`deployments/NAME/…`), as it came.
    pub deployment: Option<&'a str>,
}

/// A request's body in the provider's words.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The body.
    pub body: Bytes,
    /// What was left out because the provider has no such thing and leaving it out is harmless.
    pub warnings: Vec<Warning>,
}

/// What to do to get the answer.
#[derive(Debug)]
pub enum Outbound {
    /// Send this.
    Http(HttpRequest),
    /// Play this: the built-in provider needs no network.
    Script(Script),
}

/// An answer that needs no network, with its pauses.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// What the ledger keeps as the raw request.
    pub raw_request: String,
    /// What the ledger keeps as the raw answer.
    pub raw_response: String,
    /// What happens, in order. Without streaming, the events add up to the answer.
    pub steps: Vec<Step>,
}

/// One step of a [`Script`]: wait, then this happens.
#[derive(Debug, Clone)]
pub struct Step {
    /// How long to wait first.
    pub wait: Duration,
    /// What happens then. An error does not end the script: a stream may go on after it.
    pub outcome: Result<StepOutcome>,
}

/// What happens in a step.
#[derive(Debug, Clone)]
pub enum StepOutcome {
    /// Events of a chat answer.
    Events(Vec<Event>),
    /// A whole answer of another operation.
    Whole(Box<Response>),
}

/// What can be seen of an answer without reading all of it: enough for the ledger when the answer
/// goes through untouched.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Glance {
    /// What it consumed, as far as it says so.
    pub usage: Usage,
    /// Why the model stopped, if it says so.
    pub finish_reason: Option<FinishReason>,
    /// This event ends the stream (OpenAI's `[DONE]`, Anthropic's `message_stop`).
    pub done: bool,
}

/// Reads a provider's stream. Bytes may be cut anywhere.
pub trait Decoder: Send {
    /// Takes more bytes and adds the events that they complete. An error inside the stream is `Err`.
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<()>;

    /// The stream ended: adds what was held back, or says that the stream was cut off.
    fn finish(&mut self, out: &mut Vec<Event>) -> Result<()>;
}

/// A translator between Sabir's vocabulary and one provider's.
pub trait Provider: Send + Sync + fmt::Debug {
    /// What it is and can do.
    fn spec(&self) -> &Spec;

    /// What it takes as its credential.
    fn credentials(&self) -> CredentialScheme {
        CredentialScheme::Key
    }

    /// The protocol that it speaks for this operation and target.
    fn protocol(&self, operation: Operation, to: &Target<'_>) -> Protocol {
        let _ = (operation, to);
        self.spec().protocol
    }

    /// Method, URL and headers (the credential among them) of a call, whatever its body.
    fn head(&self, operation: Operation, stream: bool, to: &Target<'_>) -> Result<Parts>;

    /// The body of a call.
    fn body(&self, req: &Request, to: &Target<'_>) -> Result<Encoded>;

    /// Head and body together; the built-in provider answers with a script instead.
    fn encode(&self, req: &Request, to: &Target<'_>) -> Result<(Outbound, Vec<Warning>)> {
        let mut parts = self.head(req.operation(), req.is_stream(), to)?;
        let Encoded { body, warnings } = self.body(req, to)?;
        set_content_type(&mut parts.headers, &body);
        Ok((Outbound::Http(HttpRequest::from_parts(parts, body)), warnings))
    }

    /// How to ask for the number of tokens of a request, whose body is in this provider's protocol;
    /// `None` if the provider does not count.
    fn count_tokens(&self, body: &[u8], to: &Target<'_>) -> Result<Option<HttpRequest>> {
        let _ = (body, to);
        Ok(None)
    }

    /// The models that are always there: the built-in provider's.
    fn known_models(&self) -> &'static [&'static str] {
        &[]
    }

    /// How to ask which models there are; `None` if the provider cannot say.
    fn models(&self, to: &Target<'_>) -> Result<Option<HttpRequest>> {
        let _ = to;
        Ok(None)
    }

    /// The names of the models in the answer to [`Provider::models`].
    fn model_names(&self, body: &[u8]) -> Result<Vec<String>> {
        let _ = body;
        Ok(Vec::new())
    }

    /// Whether requests of the API that it speaks can go through to it as they came.
    fn has_passage(&self) -> bool {
        false
    }

    /// Method, URL and headers (the credential among them) of a request that goes through as it came.
    /// [`Target::model`] is empty if the call names no model of this provider.
    fn passage(&self, passage: &Passage<'_>, to: &Target<'_>) -> Result<Parts> {
        let _ = (passage, to);
        let message = format!("nothing can be passed through to provider `{}`", self.spec().id);
        Err(Error::unsupported("model", message))
    }

    /// Signs a request whose body is final (SigV4 and its like).
    fn sign(&self, request: &mut HttpRequest, to: &Target<'_>) -> Result<()> {
        let _ = (request, to);
        Ok(())
    }

    /// Reads a whole answer with a success status. Some providers report errors that way too.
    fn decode(&self, req: &Request, to: &Target<'_>, resp: &HttpResponse) -> Result<Response>;

    /// Reads a streamed answer.
    fn decoder(&self, req: &Request, to: &Target<'_>) -> Box<dyn Decoder>;

    /// Whether a body in this provider's protocol can go to it as it is. `false` where a member is
    /// known to be refused and has another name here.
    fn passes(&self, operation: Operation, body: &[u8]) -> bool {
        let _ = (operation, body);
        true
    }

    /// Looks at a whole answer with a success status that goes through untouched. `Err` if it is an
    /// error in disguise, or not an answer at all.
    fn glance(&self, operation: Operation, body: &[u8]) -> Result<Glance> {
        let _ = (operation, body);
        Ok(Glance::default())
    }

    /// Looks at one event of a stream that goes through untouched. `Err` if it is an error.
    fn glance_event(&self, event: Option<&str>, data: &str) -> Result<Glance> {
        let _ = (event, data);
        Ok(Glance::default())
    }

    /// Reads an answer with a failure status.
    fn error(&self, resp: &HttpResponse) -> Error;
}
