//! Providers and shortcuts for the tests of the configuration.
//!
//! Invariant: no test here depends on which providers there really are.

use sabir_providers::{Capabilities, Decoder, Encoded, HttpResponse, Provider, Spec, Target};
use sabir_types::{Error, Operation, Protocol, Request, Response, Result};

use super::{Config, Source, env::Env, load, problem::Problems};

#[derive(Debug)]
struct Fake(Spec);

impl Provider for Fake {
    fn spec(&self) -> &Spec {
        &self.0
    }
    fn head(&self, _: Operation, _: bool, _: &Target<'_>) -> Result<http::request::Parts> {
        Err(Error::internal("a fake"))
    }
    fn body(&self, _: &Request, _: &Target<'_>) -> Result<Encoded> {
        Err(Error::internal("a fake"))
    }
    fn decode(&self, _: &Request, _: &Target<'_>, _: &HttpResponse) -> Result<Response> {
        Err(Error::internal("a fake"))
    }
    fn decoder(&self, _: &Request, _: &Target<'_>) -> Box<dyn Decoder> {
        unreachable!("nothing is called here")
    }
    fn error(&self, _: &HttpResponse) -> Error {
        Error::internal("a fake")
    }
}

const BOTH: &[Operation] = &[Operation::Chat, Operation::Embed];

const fn spec(id: &'static str, key_env: &'static [&'static str], operations: &'static [Operation]) -> Spec {
    Spec {
        id,
        title: id,
        protocol: Protocol::OpenAi,
        base_url: Some("https://api.example/v1"),
        key_env,
        key_required: !key_env.is_empty(),
        shorthand: true,
        can: Capabilities { operations, ..Capabilities::NONE },
        docs: "",
    }
}

pub(super) static PROVIDERS: &[&dyn Provider] = &[
    &Fake(Spec { base_url: None, ..spec("dummy", &[], BOTH) }),
    &Fake(spec("openai", &["OPENAI_API_KEY"], BOTH)),
    &Fake(spec("anthropic", &["ANTHROPIC_API_KEY"], &[Operation::Chat])),
    &Fake(spec("google_ai_studio_gemini", &["GEMINI_API_KEY", "GOOGLE_API_KEY"], BOTH)),
    &Fake(Spec { base_url: None, shorthand: false, ..spec("azure", &["AZURE_API_KEY"], BOTH) }),
];

/// Loads one text, named `sabir.toml`.
pub(super) fn load(text: &str, env: &Env) -> std::result::Result<Config, Problems> {
    load::load(&[Source::Text { name: "sabir.toml".into(), text: text.into() }], env, PROVIDERS)
}

/// Loads what has to be right.
pub(super) fn good(text: &str) -> Config {
    load(text, &Env::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Loads what has to be wrong and gives the problems, one a line.
pub(super) fn bad(text: &str) -> String {
    load(text, &Env::default()).map(|_| ()).unwrap_err().to_string()
}

/// The notes, one a line.
pub(super) fn notes(config: &Config) -> Vec<String> {
    config.notes.iter().map(ToString::to_string).collect()
}
