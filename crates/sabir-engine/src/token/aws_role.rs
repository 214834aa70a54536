//! Keys of AWS that somebody else gives: STS for a role (with keys, or with a token of the cluster's), the portal of
//! single sign-on, and a program of the user's own.
//!
//! Facts: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>,
//! <https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html>,
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>, checked 2026-11.
//!
//! Invariant: what is read from files is read when it is needed, since others write it anew; no message holds it.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use sabir_providers::sign::sigv4::{self, Keys, Scope};
use sabir_types::{Error, ErrorKind, Result, Secret, Value};

use super::{Fresh, Identity, Kind, answer, exchange, oauth};
use crate::transport::Transport;

const CONNECT: Duration = Duration::from_secs(10);
/// How long keys are good of which nobody says it.
const UNTOLD: u64 = 300;

/// Who asks for a role.
pub(crate) enum Asks {
    /// The holder of keys.
    Keys(Secret),
    /// Whoever is given keys itself.
    Identity(Box<Identity>),
    /// The holder of a token, which is in this file.
    Token(PathBuf),
}

/// A role to assume.
pub(crate) struct Role {
    pub(crate) asks: Asks,
    pub(crate) arn: String,
    pub(crate) session: String,
    pub(crate) external_id: Option<String>,
    pub(crate) seconds: Option<u64>,
    pub(crate) region: String,
    /// Where STS is.
    pub(crate) base: String,
}

impl Role {
    /// The identity that this role is.
    pub(crate) fn identity(self) -> Identity {
        let who = match &self.asks {
            Asks::Keys(keys) => keys.expose().to_owned(),
            Asks::Identity(identity) => format!("{:?}", identity.id),
            Asks::Token(file) => file.display().to_string(),
        };
        let (what, arn, session, base) =
            (format!("the role `{}`", self.arn), self.arn.clone(), self.session.clone(), self.base.clone());
        let external = self.external_id.clone().unwrap_or_default();
        Identity::new(what, Kind::AwsRole(self), &["aws-role", &who, &arn, &session, &external, &base])
    }

    pub(super) async fn fetch(&self, transport: &Transport, now: u64) -> Result<Fresh> {
        let seconds = self.seconds.map(|seconds| seconds.to_string());
        let mut members = vec![("Version", "2011-06-15"), ("RoleArn", &self.arn), ("RoleSessionName", &self.session)];
        members.extend(self.external_id.as_deref().map(|id| ("ExternalId", id)));
        members.extend(seconds.as_deref().map(|seconds| ("DurationSeconds", seconds)));
        let token;
        let keys = match &self.asks {
            Asks::Token(file) => {
                token = read(file).await?;
                members.extend([("Action", "AssumeRoleWithWebIdentity"), ("WebIdentityToken", token.expose())]);
                None
            }
            Asks::Keys(keys) => {
                members.push(("Action", "AssumeRole"));
                Some(keys.clone())
            }
            Asks::Identity(identity) => {
                members.push(("Action", "AssumeRole"));
                Some(Box::pin(identity.fetch(transport, now)).await?.secret)
            }
        };
        let mut request = oauth::post(&self.base, &oauth::form(members.into_iter()))?;
        if let Some(keys) = keys {
            let keys = Keys::from_secret(&keys).ok_or_else(|| Error::internal("what asks for a role are no keys"))?;
            sigv4::sign(&mut request, &keys, &Scope { region: &self.region, service: "sts", now })?;
        }
        let (status, body) = exchange(transport, request, CONNECT).await?;
        let body = String::from_utf8_lossy(&body);
        if !status.is_success() {
            return Err(refused(status, &body));
        }
        let part = |name: &str| element(&body, name).filter(|text| !text.is_empty());
        answer::temporary(part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken"), part("Expiration"), now)
    }
}

/// The text of the first element of that name.
fn element<'b>(body: &'b str, name: &str) -> Option<&'b str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.trim())
}

fn refused(status: StatusCode, body: &str) -> Error {
    let words: Vec<&str> = ["Code", "Message"].iter().filter_map(|name| element(body, name)).collect();
    if words.is_empty() {
        return answer::failure(status, body.as_bytes());
    }
    let kind = answer::kind(status);
    let words: String = words.join(": ").chars().take(300).collect();
    Error::new(kind, format!("HTTP status {}: {words}", status.as_u16()))
}

/// A role that somebody has who logged in with single sign-on.
pub(crate) struct SignOn {
    /// Where `aws sso login` leaves its token.
    pub(crate) cache: PathBuf,
    pub(crate) account: String,
    pub(crate) role: String,
    /// Where the portal is.
    pub(crate) base: String,
}

impl SignOn {
    /// The identity that this is.
    pub(crate) fn identity(self) -> Identity {
        let cache = self.cache.display().to_string();
        let (account, role, base) = (self.account.clone(), self.role.clone(), self.base.clone());
        let what = format!("single sign-on (role `{role}` of account {account})");
        Identity::new(what, Kind::AwsSignOn(self), &["aws-sso", &cache, &account, &role, &base])
    }

    pub(super) async fn fetch(&self, transport: &Transport, now: u64) -> Result<Fresh> {
        let again =
            |why: &str| Error::new(ErrorKind::Authentication, format!("{why}: `aws sso login` makes a new one"));
        let text = read(&self.cache).await.map_err(|_| again("there is no login"))?;
        // The parser's own message may quote what it did not understand.
        let login: Value = serde_json::from_str(text.expose()).map_err(|_| again("the login cannot be read"))?;
        let member = |name: &str| login.get(name).and_then(Value::as_str);
        let token = member("accessToken").ok_or_else(|| again("the login has no token"))?;
        if member("expiresAt").and_then(answer::moment).is_none_or(|end| end <= now) {
            return Err(again("the login has ended"));
        }
        let members = [("role_name", &*self.role), ("account_id", &*self.account)];
        let url =
            format!("{}/federation/credentials?{}", self.base.trim_end_matches('/'), oauth::form(members.into_iter()));
        let mut request = oauth::request(Method::GET, &url, Bytes::new())?;
        let mut value =
            HeaderValue::try_from(token).map_err(|_| again("the login's token cannot stand in a header"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(HeaderName::from_static("x-amz-sso_bearer_token"), value);
        request.headers_mut().remove(header::CONTENT_TYPE);
        let (status, body) = exchange(transport, request, CONNECT).await?;
        if !status.is_success() {
            return Err(answer::failure(status, &body));
        }
        let body = answer::json(&body)?;
        let part = |name: &str| body["roleCredentials"][name].as_str();
        // Milliseconds since 1970.
        let end = body["roleCredentials"]["expiration"].as_u64().map(|end| (end / 1000).to_string());
        answer::temporary(part("accessKeyId"), part("secretAccessKey"), part("sessionToken"), end.as_deref(), now)
    }
}

/// A program that writes keys to its standard output.
pub(crate) struct Program {
    /// Its name and its arguments.
    pub(crate) words: Vec<String>,
}

impl Program {
    /// The identity that this is.
    pub(crate) fn identity(self) -> Identity {
        let words = self.words.join("\0");
        let what = format!("the program `{}`", self.words.first().map_or("", String::as_str));
        Identity::new(what, Kind::AwsProgram(self), &["aws-program", &words])
    }

    pub(super) async fn fetch(&self, now: u64) -> Result<Fresh> {
        let failed = |why: String| Error::new(ErrorKind::Authentication, why);
        let [name, arguments @ ..] = &*self.words else { return Err(failed("it has no name".to_owned())) };
        let output = tokio::process::Command::new(name)
            .args(arguments)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| failed(format!("it cannot be started: {}", error.kind())))?;
        if !output.status.success() {
            // What it wrote may hold anything.
            return Err(failed(format!("it ended with {}", output.status)));
        }
        let body = answer::json(&output.stdout)?;
        if body["Version"] != 1 {
            return Err(Error::bad_upstream("its answer is not of version 1"));
        }
        let part = |name: &str| body[name].as_str();
        answer::temporary(part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken"), part("Expiration"), now)
    }
}

async fn read(file: &PathBuf) -> Result<Secret> {
    match tokio::fs::read_to_string(file).await {
        Ok(text) => Ok(Secret::new(text.trim())),
        Err(error) => {
            let message = format!("the file `{}` cannot be read: {}", file.display(), error.kind());
            Err(Error::new(ErrorKind::Authentication, message))
        }
    }
}

/// How long keys are good that end then.
pub(super) fn lifetime(end: Option<u64>, now: u64) -> u64 {
    end.map_or(UNTOLD, |end| end.saturating_sub(now))
}

#[cfg(test)]
#[path = "aws_role_tests.rs"]
mod tests;
