//! Temporary keys for AWS: those of a container (ECS, EKS) and those of a machine (EC2).
//!
//! Facts: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>,
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html>, checked 2026-11.
//!
//! Invariant: a machine is only asked with a session (version 2 of the protocol).

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use sabir_types::{Error, ErrorKind, Result, Secret};

use super::{Fresh, answer, exchange, oauth::request};
use crate::transport::Transport;

/// A service next door is there at once or not at all.
const CONNECT: Duration = Duration::from_secs(1);

/// A container's service.
pub(crate) struct Container {
    /// Where it is.
    pub(crate) url: String,
    /// What to say to it.
    pub(crate) auth: Option<Secret>,
    /// Where what to say is; it changes while we run.
    pub(crate) auth_file: Option<PathBuf>,
}

impl Container {
    pub(super) async fn fetch(&self, transport: &Transport, now: u64) -> Result<Fresh> {
        let mut request = request(Method::GET, &self.url, Bytes::new())?;
        let auth = match &self.auth_file {
            Some(file) => match tokio::fs::read_to_string(file).await {
                Ok(text) => Some(Secret::new(text.trim())),
                Err(error) => {
                    let (file, kind) = (file.display(), error.kind());
                    let message = format!("the file `{file}` cannot be read: {kind}");
                    return Err(Error::new(ErrorKind::Authentication, message));
                }
            },
            None => self.auth.clone(),
        };
        if let Some(auth) = auth {
            request.headers_mut().insert(header::AUTHORIZATION, value(&auth)?);
        }
        let (status, body) = exchange(transport, request, CONNECT).await?;
        answer::keys(status, &body, now)
    }
}

/// A machine's service.
pub(crate) struct Machine {
    /// Where it is.
    pub(crate) base: String,
}

impl Machine {
    pub(super) async fn fetch(&self, transport: &Transport, now: u64) -> Result<Fresh> {
        let base = self.base.trim_end_matches('/');
        let mut asked = request(Method::PUT, &format!("{base}/latest/api/token"), Bytes::new())?;
        let lifetime = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
        asked.headers_mut().insert(lifetime, HeaderValue::from_static("300"));
        let session = Secret::new(text(exchange(transport, asked, CONNECT).await?)?);
        let get = |path: String| {
            let mut request = request(Method::GET, &path, Bytes::new())?;
            request.headers_mut().insert(HeaderName::from_static("x-aws-ec2-metadata-token"), value(&session)?);
            Ok::<_, Error>(request)
        };
        let roles = format!("{base}/latest/meta-data/iam/security-credentials/");
        let names = text(exchange(transport, get(roles.clone())?, CONNECT).await?)?;
        let name = names.lines().next().map(str::trim).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Error::new(ErrorKind::Authentication, "the machine has no role"))?;
        let (status, body) = exchange(transport, get(format!("{roles}{name}"))?, CONNECT).await?;
        answer::keys(status, &body, now)
    }
}

fn text((status, body): (http::StatusCode, Bytes)) -> Result<String> {
    if !status.is_success() {
        return Err(answer::failure(status, &body));
    }
    String::from_utf8(body.to_vec()).map_err(|_| Error::bad_upstream("the answer is not text"))
}

fn value(secret: &Secret) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(secret.expose())
        .map_err(|_| Error::new(ErrorKind::Config, "what to say to the service cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}
