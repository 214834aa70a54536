//! Google's identities: service accounts, people who logged in with `gcloud`, and machines.
//!
//! Facts: <https://google.aip.dev/auth/4110>, <https://google.aip.dev/auth/4112>,
//! <https://google.aip.dev/auth/4113>, <https://google.aip.dev/auth/4115>, checked 2026-11.
//!
//! Invariant: a file that is no identity is refused when it is read, by what is wrong with it and
//! not by what it says.

use http::{HeaderName, HeaderValue};
use sabir_types::{Map, Secret, Value};

use super::{Identity, Kind, google_other, jwt::Signer, oauth::Grant};

/// What tokens are for.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
const METADATA: &str = "metadata.google.internal";

/// Who wrote a credentials file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Configuration,
    Caller,
}

/// Reads a credentials file. The second value is the project that it names.
pub(crate) fn from_text(text: &str) -> Result<(Identity, Option<String>), String> {
    read(text, From::Configuration)
}

/// The same for a file that a caller brings.
pub(crate) fn from_caller(text: &str) -> Result<(Identity, Option<String>), String> {
    read(text, From::Caller)
}

fn read(text: &str, from: From) -> Result<(Identity, Option<String>), String> {
    // The parser's own message may quote what it did not understand.
    let file: Map<String, Value> = serde_json::from_str(text).map_err(|_| "it is not a JSON object".to_owned())?;
    let own = |name: &str| file.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let member = |name: &str| own(name).ok_or_else(|| format!("it has no `{name}`"));
    let url = own("token_uri").unwrap_or(TOKEN_URL).to_owned();
    let identity = match member("type")? {
        "service_account" => {
            let (issuer, key) = (member("client_email")?, member("private_key")?);
            let signer = Signer::from_pem(key).map_err(|why| format!("its `private_key` {why}"))?;
            let mut header = Map::new();
            header.insert("alg".into(), "RS256".into());
            header.insert("typ".into(), "JWT".into());
            if let Some(id) = own("private_key_id") {
                header.insert("kid".into(), id.into());
            }
            let header = Value::Object(header).to_string();
            let (issuer, scope) = (issuer.to_owned(), SCOPE.to_owned());
            let what = format!("the service account `{issuer}`");
            let parts = ["google-account".to_owned(), issuer.clone(), key.to_owned(), url.clone()];
            let grant = Grant::Claims { url, signer: Box::new(signer), header, issuer, scope };
            Identity::new(what, Kind::OAuth(grant), &parts.each_ref().map(String::as_str))
        }
        "authorized_user" => {
            let mut members = vec![("grant_type", Secret::new("refresh_token"))];
            for name in ["client_id", "client_secret", "refresh_token"] {
                members.push((name, Secret::new(member(name)?)));
            }
            let parts = ["google-user", &url, member("client_id")?, member("refresh_token")?];
            let grant = Grant::Form { url: url.clone(), members };
            Identity::new("the login of `gcloud`", Kind::OAuth(grant), &parts)
        }
        // These say what to read on this machine, or whom to ask from here.
        kind @ ("external_account" | "impersonated_service_account") if from == From::Caller => {
            return Err(format!("its type `{kind}` is for the configuration only"));
        }
        "external_account" => google_other::workload(&file)?,
        "impersonated_service_account" => google_other::impersonation(&file, |inner| Ok(read(inner, from)?.0))?,
        kind @ "external_account_authorized_user" => {
            return Err(format!("its type `{kind}` is not supported: use a service account or the metadata server"));
        }
        _ => return Err("its `type` is not known".to_owned()),
    };
    Ok((identity, own("project_id").or_else(|| own("quota_project_id")).map(str::to_owned)))
}

/// The service account of the machine that this runs on; `host` is where its metadata server is.
pub(crate) fn machine(host: Option<&str>) -> Identity {
    let host = host.unwrap_or(METADATA);
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
    let header = (HeaderName::from_static("metadata-flavor"), HeaderValue::from_static("Google"));
    let parts = ["google-machine".to_owned(), url.clone()];
    let kind = Kind::OAuth(Grant::Machine { url, header });
    Identity::new(format!("the metadata server `{host}`"), kind, &[&parts[0], &parts[1]])
}
