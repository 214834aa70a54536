//! Azure OpenAI and the models of Azure AI Foundry: OpenAI's bodies at other addresses.
//!
//! Facts: <https://learn.microsoft.com/azure/ai-foundry/openai/reference>, checked 2026-11.
//! * A deployment's name stands where OpenAI has the model's: in the path
//!   (`/openai/deployments/NAME/…?api-version=DATE`) or, in the v1 form, in the body.
//! * `api-key` carries a key of the resource, `Authorization` an Entra ID token.
//! * Pictures and sound have the same methods; moderation is not among them.
//! * The first event of a stream may have no choice, and an answer that the filter took has no message.
//!
//! Invariant: which form a call has depends on the configuration alone; exactly one of the two
//! headers carries the credential.

use http::{HeaderMap, HeaderValue, Method, header, request::Parts};
use sabir_types::{Error, Operation, Protocol, Request, Response, Result, Secret};
use sabir_wire::openai::emit::Dialect;

use crate::{
    Capabilities, CredentialScheme, Decoder, Encoded, Glance, HttpResponse, Passage, Provider, Spec, Target,
    openai_compat::{OpenAiCompat, Quirks, USUAL},
    parts,
};

/// The provider type `azure`.
#[derive(Debug)]
pub(super) struct Azure;

/// The version that calls name which the configuration gives none: the last one with a date.
const VERSION: &str = "2025-04-01-preview";
/// The same for the Foundry's own address.
const FOUNDRY_VERSION: &str = "2024-05-01-preview";

/// What has the deployment in its path, where that is the form.
const DEPLOYED: [&str; 8] = [
    "completions",
    "chat/completions",
    "embeddings",
    "audio/transcriptions",
    "audio/translations",
    "audio/speech",
    "images/generations",
    "images/edits",
];

/// What all forms have in common; the dialect of versions from `2024-12-01` on, and of the v1 form.
static COMPAT: OpenAiCompat = compat(Dialect { max_tokens: "max_completion_tokens", ..DIALECT });
/// Versions before `2024-12-01` know `max_tokens` only.
static OLD: OpenAiCompat = compat(DIALECT);
/// Versions before `2024-09-01` cannot be asked for usage on a stream either.
static OLDEST: OpenAiCompat = compat(Dialect { stream_usage: false, ..DIALECT });
/// The Foundry's own address, where models of many makers are.
static FOUNDRY: OpenAiCompat = compat(DIALECT);

// A deployment's name does not say what model it has, so nothing can depend on it.
const DIALECT: Dialect = Dialect { many_systems: true, ..Dialect::COMPATIBLE };

const fn compat(dialect: Dialect) -> OpenAiCompat {
    OpenAiCompat {
        spec: Spec {
            id: "azure",
            title: "Azure OpenAI",
            protocol: Protocol::OpenAi,
            base_url: None,
            key_env: &["AZURE_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"],
            key_required: true,
            shorthand: false,
            can: Capabilities {
                operations: &[
                    Operation::Chat,
                    Operation::Embed,
                    Operation::Image,
                    Operation::ImageEdit,
                    Operation::Speech,
                    Operation::Transcribe,
                    Operation::Translate,
                ],
                custom_tools: true,
                audio: true,
                file: true,
                ..USUAL
            },
            docs: "https://learn.microsoft.com/azure/ai-foundry/openai/reference",
        },
        quirks: Quirks { dialect, lists_models: false, ..Quirks::NONE },
    }
}

/// How a call is addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form<'t> {
    /// The deployment stands in the path, and the version is a date.
    Deployment { version: &'t str },
    /// The deployment stands in the body; the version is `preview` or not said.
    V1 { version: Option<&'t str> },
    /// The model stands in the body, at the Foundry's own address.
    Foundry { version: &'t str },
}

impl<'t> Form<'t> {
    /// The form, and the resource's address.
    fn of(to: &Target<'t>) -> Result<(Self, &'t str)> {
        let base = to.api_base.ok_or_else(|| parts::config("provider `azure` needs `endpoint`"))?;
        let base = base.trim_end_matches('/');
        let version = parts::option(to.options, "api_version");
        if let Some(resource) = base.strip_suffix("/openai/v1") {
            return match version {
                Some("v1") | None => Ok((Self::V1 { version: None }, resource)),
                version => Ok((Self::V1 { version }, resource)),
            };
        }
        if let Some(resource) = base.strip_suffix("/models") {
            return Ok((Self::Foundry { version: version.unwrap_or(FOUNDRY_VERSION) }, resource));
        }
        let resource = base.strip_suffix("/openai").unwrap_or(base).trim_end_matches('/');
        let form = match version {
            Some("v1" | "latest") => Self::V1 { version: None },
            Some("preview") => Self::V1 { version },
            version => Self::Deployment { version: version.unwrap_or(VERSION) },
        };
        Ok((form, resource))
    }

    /// The address of a request that goes through as it came.
    fn passage(self, resource: &str, passage: &Passage<'_>, model: &str) -> String {
        let named = |into: &'static str| {
            move |name: &str| match name {
                "model" | "deployment" if !model.is_empty() => Some(format!("{into}={}", parts::segment(model))),
                _ => None,
            }
        };
        let given = passage.query.unwrap_or_default();
        let (path, query, version) = match self {
            Self::Deployment { version } => {
                let deployment = match (model, passage.deployment) {
                    ("", deployment) => deployment.map(str::to_owned),
                    (_, None) if !DEPLOYED.contains(&passage.path) => None,
                    (model, _) => Some(parts::segment(model)),
                };
                let path = match deployment {
                    Some(deployment) => format!("openai/deployments/{deployment}/{}", passage.path),
                    None => format!("openai/{}", passage.path),
                };
                // Realtime names the deployment in the query; a caller's body is in the caller's version.
                let query = parts::query(given, &[], |name| match name {
                    "model" if passage.path == "realtime" && model.is_empty() => {
                        let member = given.split('&').find(|member| member.starts_with("model="))?;
                        Some(member.replacen("model", "deployment", 1))
                    }
                    _ => named("deployment")(name),
                });
                let has = given.split('&').any(|member| member.starts_with("api-version="));
                (path, query, (!has).then_some(version))
            }
            Self::V1 { version } => {
                let query = parts::query(given, &["api-version"], named("model"));
                (format!("openai/v1/{}", passage.path), query, version)
            }
            Self::Foundry { version } => {
                let query = parts::query(given, &["api-version"], named("model"));
                (format!("models/{}", passage.path), query, Some(version))
            }
        };
        let version = version.map(|version| format!("api-version={}", parts::segment(version)));
        let query = query.into_iter().chain(version).collect::<Vec<_>>().join("&");
        format!("{resource}/{}", parts::with_query(&path, Some(&query)))
    }

    fn url(self, resource: &str, method: &str, deployment: &str) -> String {
        match self {
            Self::Deployment { version } => {
                let (deployment, version) = (parts::segment(deployment), parts::segment(version));
                format!("{resource}/openai/deployments/{deployment}/{method}?api-version={version}")
            }
            Self::V1 { version: None } => format!("{resource}/openai/v1/{method}"),
            Self::V1 { version: Some(version) } => {
                format!("{resource}/openai/v1/{method}?api-version={}", parts::segment(version))
            }
            Self::Foundry { version } => {
                format!("{resource}/models/{method}?api-version={}", parts::segment(version))
            }
        }
    }

    fn compat(self) -> &'static OpenAiCompat {
        match self {
            Self::Foundry { .. } => &FOUNDRY,
            // Dates compare as texts do.
            Self::Deployment { version } if version < "2024-09-01" => &OLDEST,
            Self::Deployment { version } if version < "2024-12-01" => &OLD,
            _ => &COMPAT,
        }
    }
}

impl Provider for Azure {
    fn spec(&self) -> &Spec {
        &COMPAT.spec
    }

    fn credentials(&self) -> CredentialScheme {
        CredentialScheme::Entra
    }

    fn head(&self, operation: Operation, _stream: bool, to: &Target<'_>) -> Result<Parts> {
        let method = match operation {
            Operation::Moderate | Operation::Rerank => None,
            operation => parts::path(operation),
        };
        let method = method.ok_or_else(|| parts::lacks("azure", operation))?;
        let (form, resource) = Form::of(to)?;
        let mut request = parts::request(Method::POST, &form.url(resource, method, to.model))?;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        authorize(headers, to)?;
        Ok(request.into_parts().0)
    }

    fn has_passage(&self) -> bool {
        true
    }

    fn passage(&self, passage: &Passage<'_>, to: &Target<'_>) -> Result<Parts> {
        let (form, resource) = Form::of(to)?;
        let mut request = parts::request(passage.method.clone(), &form.passage(resource, passage, to.model))?;
        authorize(request.headers_mut(), to)?;
        Ok(request.into_parts().0)
    }

    fn body(&self, req: &Request, to: &Target<'_>) -> Result<Encoded> {
        Form::of(to)?.0.compat().body(req, to)
    }

    fn decode(&self, req: &Request, to: &Target<'_>, resp: &HttpResponse) -> Result<Response> {
        COMPAT.decode(req, to, resp)
    }

    fn decoder(&self, req: &Request, to: &Target<'_>) -> Box<dyn Decoder> {
        COMPAT.decoder(req, to)
    }

    fn glance(&self, operation: Operation, body: &[u8]) -> Result<Glance> {
        COMPAT.glance(operation, body)
    }

    fn glance_event(&self, event: Option<&str>, data: &str) -> Result<Glance> {
        COMPAT.glance_event(event, data)
    }

    fn error(&self, resp: &HttpResponse) -> Error {
        COMPAT.error(resp)
    }
}

fn authorize(headers: &mut HeaderMap, to: &Target<'_>) -> Result<()> {
    match to.key {
        Some(key) if is_token(key) => {
            headers.insert(header::AUTHORIZATION, parts::credential("azure", "Bearer ", key)?);
        }
        Some(key) => {
            headers.insert("api-key", parts::credential("azure", "", key)?);
        }
        None => {}
    }
    Ok(())
}

/// Whether a credential is an Entra ID token rather than a key of the resource: tokens are JWTs,
/// keys are letters and digits.
fn is_token(key: &Secret) -> bool {
    let text = key.expose();
    text.starts_with("eyJ") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

#[cfg(test)]
#[path = "azure_tests.rs"]
mod tests;
