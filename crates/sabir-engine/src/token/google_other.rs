//! Google's tokens for whom another identity stands: a workload elsewhere (federation), and somebody who may act as a
//! service account (impersonation).
//!
//! Facts: <https://google.aip.dev/auth/4117>, <https://docs.cloud.google.com/iam/docs/workload-identity-federation>,
//! <https://docs.cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken>,
//! checked 2026-11.
//!
//! Invariant: only a file of the configuration may say what is read on this machine; a caller's file may not.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use sabir_types::{Error, ErrorKind, Map, Result, Secret, Value};

use super::{Fresh, Identity, Kind, answer, exchange, google::SCOPE, oauth};
use crate::transport::Transport;

const CONNECT: Duration = Duration::from_secs(10);
/// How long an impersonated token is to be good, in seconds.
const LIFETIME: u64 = 3600;

/// A workload that proves who it is by a token of another issuer.
pub(crate) struct Workload {
    token_url: String,
    audience: String,
    token_type: String,
    proof: Proof,
}

/// Where the other issuer's token is.
struct Proof {
    from: From,
    /// The member that holds it, if what is there is JSON.
    member: Option<String>,
}

enum From {
    File(PathBuf),
    Url(String, Vec<(HeaderName, HeaderValue)>),
}

/// A service account that another identity acts as.
pub(crate) struct Impersonated {
    by: Box<Identity>,
    url: String,
    delegates: Vec<Value>,
}

/// Reads a file of type `external_account`.
pub(super) fn workload(file: &Map<String, Value>) -> Result<Identity, String> {
    let text = |name: &str| member(file, name);
    let source = file.get("credential_source").and_then(Value::as_object).ok_or("it has no `credential_source`")?;
    for kind in ["environment_id", "executable", "certificate"] {
        if source.contains_key(kind) {
            return Err(format!(
                "its `credential_source` is an `{kind}`, which is not supported: use a file or an address"
            ));
        }
    }
    let own = |name: &str| source.get(name).and_then(Value::as_str);
    let from = match (own("file"), own("url")) {
        (Some(file), _) => From::File(PathBuf::from(file)),
        (None, Some(url)) => From::Url(url.to_owned(), headers(source.get("headers"))?),
        (None, None) => return Err("its `credential_source` has neither `file` nor `url`".to_owned()),
    };
    let format = source.get("format").and_then(Value::as_object);
    let format = |name: &str| format.and_then(|format| format.get(name)).and_then(Value::as_str);
    let member = match format("type") {
        None | Some("text") => None,
        Some("json") => {
            Some(format("subject_token_field_name").ok_or("its `format` has no `subject_token_field_name`")?.to_owned())
        }
        Some(_) => return Err("its `format` is neither `text` nor `json`".to_owned()),
    };
    let (token_url, audience) = (text("token_url")?, text("audience")?);
    let parts =
        ["google-workload".to_owned(), token_url.clone(), audience.clone(), Value::Object(source.clone()).to_string()];
    let proof = Proof { from, member };
    let workload = Workload { token_url, audience, token_type: text("subject_token_type")?, proof };
    let identity = Identity::new(
        "the workload's federation",
        Kind::GoogleWorkload(workload),
        &parts.each_ref().map(String::as_str),
    );
    match file.get("service_account_impersonation_url").and_then(Value::as_str) {
        None => Ok(identity),
        Some(url) => Ok(impersonated(identity, url, Vec::new())),
    }
}

/// Reads a file of type `impersonated_service_account`; `read` reads the one inside of it.
pub(super) fn impersonation(
    file: &Map<String, Value>,
    read: impl FnOnce(&str) -> Result<Identity, String>,
) -> Result<Identity, String> {
    let source = file.get("source_credentials").filter(|source| source.is_object());
    let source = source.ok_or("it has no `source_credentials`")?.to_string();
    let by = read(&source).map_err(|why| format!("its `source_credentials` cannot be used: {why}"))?;
    let delegates = file.get("delegates").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(impersonated(by, &member(file, "service_account_impersonation_url")?, delegates))
}

fn impersonated(by: Identity, url: &str, delegates: Vec<Value>) -> Identity {
    let who = format!("{:?}", by.id);
    // `…/serviceAccounts/NAME:generateAccessToken`
    let name = url.rsplit('/').next().and_then(|last| last.split(':').next()).unwrap_or_default();
    let what = format!("the service account `{name}` by way of {}", by.what);
    let chain = Value::from(delegates.clone()).to_string();
    let kind = Kind::GoogleImpersonated(Impersonated { by: Box::new(by), url: url.to_owned(), delegates });
    Identity::new(what, kind, &["google-impersonated", &who, url, &chain])
}

fn member(file: &Map<String, Value>, name: &str) -> Result<String, String> {
    let text = file.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| format!("it has no `{name}`"))
}

fn headers(given: Option<&Value>) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let all = given.and_then(Value::as_object).into_iter().flatten();
    all.map(|(name, value)| {
        let name = HeaderName::try_from(name.as_str()).ok();
        let value = value.as_str().and_then(|text| HeaderValue::try_from(text).ok());
        name.zip(value).ok_or_else(|| "its `credential_source` has a header that is none".to_owned())
    })
    .collect()
}

impl Workload {
    pub(super) async fn fetch(&self, transport: &Transport, now: u64) -> Result<Fresh> {
        let proof = self.proof.read(transport).await?;
        let members = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("audience", &self.audience),
            ("scope", SCOPE),
            ("subject_token_type", &self.token_type),
            ("subject_token", proof.expose()),
        ];
        let request = oauth::post(&self.token_url, &oauth::form(members.into_iter()))?;
        let (status, body) = exchange(transport, request, CONNECT).await?;
        answer::token(status, &body, now)
            .map_err(|error| Error::new(error.kind(), error.message().replace(proof.expose(), "***")))
    }
}

impl Proof {
    async fn read(&self, transport: &Transport) -> Result<Secret> {
        let wrong = |why: String| Error::new(ErrorKind::Authentication, why);
        let text = match &self.from {
            From::File(file) => tokio::fs::read_to_string(file)
                .await
                .map_err(|error| wrong(format!("the file `{}` cannot be read: {}", file.display(), error.kind())))?,
            From::Url(url, headers) => {
                let mut request = oauth::request(Method::GET, url, Bytes::new())?;
                for (name, value) in headers {
                    request.headers_mut().insert(name.clone(), value.clone());
                }
                let (status, body) = exchange(transport, request, CONNECT).await?;
                if !status.is_success() {
                    return Err(answer::failure(status, &body));
                }
                String::from_utf8(body.to_vec()).map_err(|_| wrong("the proof is not text".to_owned()))?
            }
        };
        let text = match &self.member {
            None => text.trim().to_owned(),
            Some(name) => {
                let body = answer::json(text.as_bytes())?;
                body[name.as_str()].as_str().unwrap_or_default().to_owned()
            }
        };
        if text.is_empty() {
            return Err(wrong("the proof of who the workload is is empty".to_owned()));
        }
        Ok(Secret::new(text))
    }
}

impl Impersonated {
    pub(super) async fn fetch(&self, transport: &Transport, now: u64) -> Result<Fresh> {
        let by = Box::pin(self.by.fetch(transport, now)).await?.secret;
        let mut body = Map::new();
        body.insert("scope".into(), Value::from(vec![SCOPE]));
        body.insert("lifetime".into(), format!("{LIFETIME}s").into());
        if !self.delegates.is_empty() {
            body.insert("delegates".into(), self.delegates.clone().into());
        }
        let mut request = oauth::request(Method::POST, &self.url, Bytes::from(Value::Object(body).to_string()))?;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut value = HeaderValue::try_from(format!("Bearer {}", by.expose()))
            .map_err(|_| Error::bad_upstream("the token of who acts cannot stand in a header"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
        let (status, body) = exchange(transport, request, CONNECT).await?;
        if !status.is_success() {
            return Err(answer::failure(status, &body));
        }
        let body = answer::json(&body)?;
        let token = body["accessToken"].as_str().filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| Error::bad_upstream("the answer has no `accessToken`"))?;
        let end = body["expireTime"].as_str().and_then(answer::moment);
        Ok(Fresh { secret: Secret::new(token), lifetime: end.map_or(LIFETIME, |end| end.saturating_sub(now)) })
    }
}

#[cfg(test)]
#[path = "google_other_tests.rs"]
mod tests;
