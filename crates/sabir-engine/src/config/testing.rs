//! Providers and shortcuts for the tests of the configuration.
//!
//! Invariant: no test here depends on which providers there really are.

use sabir_providers::{Capabilities, CredentialScheme, Decoder, Encoded, HttpResponse, Provider, Spec, Target};
use sabir_types::{Error, Operation, Protocol, Request, Response, Result};

use super::{Config, Source, env::Env, load, problem::Problems};

#[derive(Debug)]
struct Fake(Spec, CredentialScheme);

impl Provider for Fake {
    fn spec(&self) -> &Spec {
        &self.0
    }
    fn credentials(&self) -> CredentialScheme {
        self.1
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

const fn key(spec: Spec) -> Fake {
    Fake(spec, CredentialScheme::Key)
}

const fn cloud(id: &'static str, key_env: &'static [&'static str]) -> Spec {
    Spec { base_url: None, shorthand: false, ..spec(id, key_env, BOTH) }
}

pub(super) static PROVIDERS: &[&dyn Provider] = &[
    &key(Spec { base_url: None, ..spec("dummy", &[], BOTH) }),
    &key(spec("openai", &["OPENAI_API_KEY"], BOTH)),
    &key(spec("anthropic", &["ANTHROPIC_API_KEY"], &[Operation::Chat])),
    &key(spec("google_ai_studio_gemini", &["GEMINI_API_KEY", "GOOGLE_API_KEY"], BOTH)),
    &key(spec("ranker", &[], &[Operation::Embed, Operation::Rerank])),
    &key(spec("vectors", &[], &[Operation::Embed])),
    &Fake(cloud("azure", &["AZURE_API_KEY"]), CredentialScheme::Entra),
    &Fake(cloud("bedrock", &["AWS_BEARER_TOKEN_BEDROCK"]), CredentialScheme::Aws),
    &Fake(cloud("vertex", &["GCP_VERTEX_CREDENTIALS_PATH"]), CredentialScheme::Google),
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
