//! Identities that get an OAuth token: a form that is posted, or a machine's metadata service.
//!
//! Facts: RFC 6749, RFC 7523; <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>,
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>, checked 2026-11.
//!
//! Invariant: a failure never repeats a secret that was sent, whatever the service says.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use sabir_providers::HttpRequest;
use sabir_types::{Error, ErrorKind, Map, Result, Secret, Value};

use super::{Fresh, Identity, Kind, answer, exchange, jwt::Signer};
use crate::transport::Transport;

/// How an identity asks for its token.
pub(super) enum Grant {
    /// Signed claims (RFC 7523).
    Claims {
        url: String,
        signer: Box<Signer>,
        /// The header of the claims.
        header: String,
        issuer: String,
        scope: String,
    },
    /// A form whose members do not change.
    Form { url: String, members: Vec<(&'static str, Secret)> },
    /// A form to which a token is added that is in a file, anew each time.
    Assertion { url: String, members: Vec<(&'static str, Secret)>, file: std::path::PathBuf },
    /// A question to the machine that this runs on.
    Machine { url: String, header: (HeaderName, HeaderValue) },
}

impl Grant {
    /// Asks for a token.
    pub(super) async fn fetch(&self, transport: &Transport, now: u64) -> Result<Fresh> {
        let near = matches!(self, Self::Machine { .. });
        // A metadata service is next door or not there at all.
        let connect = Duration::from_secs(if near { 2 } else { 10 });
        if let Self::Assertion { url, members, file } = self {
            let token = match tokio::fs::read_to_string(file).await {
                Ok(text) => Secret::new(text.trim()),
                Err(error) => {
                    let message = format!("the file `{}` cannot be read: {}", file.display(), error.kind());
                    return Err(Error::new(ErrorKind::Authentication, message));
                }
            };
            let mut members = members.clone();
            members.push(("client_assertion", token));
            return Box::pin(Self::Form { url: url.clone(), members }.fetch(transport, now)).await;
        }
        let (status, body) = exchange(transport, self.request(now)?, connect).await?;
        answer::token(status, &body, now).map_err(|error| self.without_secrets(error))
    }

    /// The question.
    pub(super) fn request(&self, now: u64) -> Result<HttpRequest> {
        match self {
            Self::Claims { url, signer, header, issuer, scope } => {
                let mut claims = Map::new();
                claims.insert("iss".into(), issuer.as_str().into());
                claims.insert("scope".into(), scope.as_str().into());
                claims.insert("aud".into(), url.as_str().into());
                claims.insert("iat".into(), now.into());
                claims.insert("exp".into(), (now + 3600).into());
                let assertion = signer.sign(header, &Value::Object(claims).to_string())?;
                let kind = "urn:ietf:params:oauth:grant-type:jwt-bearer";
                post(url, &form([("grant_type", kind), ("assertion", assertion.as_str())].into_iter()))
            }
            Self::Form { url, members } | Self::Assertion { url, members, .. } => {
                post(url, &form(members.iter().map(|(name, value)| (*name, value.expose()))))
            }
            Self::Machine { url, header } => {
                let mut request = request(Method::GET, url, Bytes::new())?;
                request.headers_mut().insert(header.0.clone(), header.1.clone());
                Ok(request)
            }
        }
    }

    fn without_secrets(&self, error: Error) -> Error {
        let Self::Form { members, .. } = self else { return error };
        let mut message = error.message().to_owned();
        for (_, value) in members.iter().filter(|(_, value)| value.expose().len() >= 16) {
            message = message.replace(value.expose(), "***");
        }
        Error::new(error.kind(), message)
    }
}

/// Where Entra ID is unless the environment says otherwise.
const AUTHORITY: &str = "https://login.microsoftonline.com";

/// What tokens for Azure's models are for, by where they are given.
fn resource(authority: &str) -> &'static str {
    match authority.trim_end_matches('/').rsplit('.').next() {
        Some("us") => "https://cognitiveservices.azure.us",
        Some("cn") => "https://cognitiveservices.azure.cn",
        _ => "https://cognitiveservices.azure.com",
    }
}

/// An application of Entra ID with its secret.
pub(crate) fn entra_client(authority: Option<&str>, tenant: &str, client: &str, secret: &str) -> Identity {
    let authority = authority.unwrap_or(AUTHORITY).trim_end_matches('/');
    let url = format!("{authority}/{}/oauth2/v2.0/token", escaped(tenant));
    let scope = format!("{}/.default", resource(authority));
    let members = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_secret", secret),
        ("scope", scope.as_str()),
    ];
    let members = members.iter().map(|(name, value)| (*name, Secret::new(*value))).collect();
    let parts = ["entra", &url, client, secret];
    Identity::new("Entra ID", Kind::OAuth(Grant::Form { url: url.clone(), members }), &parts)
}

/// An application of Entra ID for which a token of the cluster's stands (AKS).
pub(crate) fn entra_workload(authority: Option<&str>, tenant: &str, client: &str, file: &str) -> Identity {
    let authority = authority.unwrap_or(AUTHORITY).trim_end_matches('/');
    let url = format!("{authority}/{}/oauth2/v2.0/token", escaped(tenant));
    let scope = format!("{}/.default", resource(authority));
    let members = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("scope", scope.as_str()),
    ];
    let members = members.iter().map(|(name, value)| (*name, Secret::new(*value))).collect();
    let parts = ["entra-workload", &url, client, file];
    let grant = Grant::Assertion { url: url.clone(), members, file: file.into() };
    Identity::new("Entra ID", Kind::OAuth(grant), &parts)
}

/// The managed identity of the machine, or of the App Service that says where and with which word
/// to ask. `client` picks one of several.
pub(crate) fn entra_machine(service: Option<(&str, &str)>, client: Option<&str>) -> Result<Identity, &'static str> {
    let resource = escaped(resource(AUTHORITY));
    let (mut url, header) = match service {
        Some((endpoint, word)) => {
            let mut word = HeaderValue::try_from(word).map_err(|_| "`IDENTITY_HEADER` cannot stand in a header")?;
            word.set_sensitive(true);
            let url = format!("{endpoint}?api-version=2019-08-01&resource={resource}");
            (url, (HeaderName::from_static("x-identity-header"), word))
        }
        None => {
            let url = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=";
            (format!("{url}{resource}%2F"), (HeaderName::from_static("metadata"), HeaderValue::from_static("true")))
        }
    };
    if let Some(client) = client {
        url.push_str("&client_id=");
        url.push_str(&escaped(client));
    }
    let parts = ["entra-machine".to_owned(), url.clone()];
    let kind = Kind::OAuth(Grant::Machine { url, header });
    Ok(Identity::new("the managed identity", kind, &[&parts[0], &parts[1]]))
}

/// A form to that address.
pub(super) fn post(url: &str, body: &str) -> Result<HttpRequest> {
    let mut request = request(Method::POST, url, Bytes::from(body.to_owned()))?;
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(request)
}

/// A request to that address.
pub(crate) fn request(method: Method, url: &str, body: Bytes) -> Result<HttpRequest> {
    let mut request = HttpRequest::new(body);
    *request.method_mut() = method;
    *request.uri_mut() =
        url.parse().map_err(|_| Error::new(ErrorKind::Config, format!("`{url}` is not an address")))?;
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    Ok(request)
}

/// A form's body.
pub(super) fn form<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    members.map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}

/// A text as a value of a form or one segment of a path.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' | b'.' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
