//! Where the clouds' own tools look for credentials: what `sdk` means, and what a provider of a
//! cloud gets that is told nothing.
//!
//! Invariant: nothing is asked over the network here; what can only be had that way becomes an
//! identity, which is asked when a call needs it.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use sabir_providers::{CredentialScheme, sign::sigv4::Keys};
use sabir_types::Secret;

use super::{credential::Found, env::Env};
use crate::{
    plan::Credential,
    token::{self, Identity},
};

/// What `sdk` means to a provider that takes credentials in this way; `None` if it means nothing.
pub(super) fn sdk(scheme: CredentialScheme, env: &Env) -> Option<Found> {
    let found = match scheme {
        CredentialScheme::Key => return None,
        CredentialScheme::Google => google(env),
        CredentialScheme::Aws => aws(env),
        CredentialScheme::Entra => entra(env).unwrap_or_else(|| Found::token("sdk", entra_machine(env))),
    };
    Some(found)
}

/// The same for a provider that is told nothing, where that is not an ordinary key.
pub(super) fn usual(scheme: CredentialScheme, env: &Env) -> Option<Found> {
    match scheme {
        // A machine of Azure's is not asked unless somebody says so: elsewhere that takes long.
        CredentialScheme::Entra => entra(env),
        other => sdk(other, env),
    }
}

/// A file of Google's, or a token, as text.
pub(super) fn google_text(location: &str, secret: Secret) -> Found {
    if !secret.expose().trim_start().starts_with('{') {
        return Found { credential: Credential::Static(secret), location: location.to_owned(), project: None };
    }
    match token::google(secret.expose()) {
        Ok((identity, project)) => Found { project, ..Found::token(location, Ok(identity)) },
        Err(why) => Found::missing(location, format!("the credentials of `{location}` cannot be used: {why}")),
    }
}

fn google(env: &Env) -> Found {
    let known = "application_default_credentials.json";
    let file = match env.get("GOOGLE_APPLICATION_CREDENTIALS") {
        Some(file) => Some(PathBuf::from(file)),
        None => [
            env.get("CLOUDSDK_CONFIG").map(|folder| Path::new(folder).join(known)),
            env.get("HOME").map(|home| Path::new(home).join(".config/gcloud").join(known)),
            env.get("APPDATA").map(|folder| Path::new(folder).join("gcloud").join(known)),
        ]
        .into_iter()
        .flatten()
        .find(|file| file.is_file()),
    };
    let Some(file) = file else { return Found::token("sdk", Ok(token::google_machine(env.get("GCE_METADATA_HOST")))) };
    match fs::read_to_string(&file) {
        Ok(text) => google_text(&format!("path::{}", file.display()), Secret::new(text)),
        Err(error) => Found::missing("sdk", format!("the file `{}` cannot be read: {}", file.display(), error.kind())),
    }
}

/// An application of Entra ID, if the environment has one.
fn entra(env: &Env) -> Option<Found> {
    let (tenant, client) = (env.get("AZURE_TENANT_ID")?, env.get("AZURE_CLIENT_ID")?);
    let secret = env.get("AZURE_CLIENT_SECRET")?;
    let identity = token::entra_client(env.get("AZURE_AUTHORITY_HOST"), tenant, client, secret);
    Some(Found::token("env::AZURE_CLIENT_SECRET", Ok(identity)))
}

fn entra_machine(env: &Env) -> Result<Identity, String> {
    let service = env.get("IDENTITY_ENDPOINT").zip(env.get("IDENTITY_HEADER"));
    token::entra_machine(service, env.get("AZURE_CLIENT_ID")).map_err(str::to_owned)
}

fn aws(env: &Env) -> Found {
    if let (Some(id), Some(secret)) = (env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")) {
        let keys = Keys {
            access_key_id: id.to_owned(),
            secret_access_key: secret.to_owned(),
            session_token: env.get("AWS_SESSION_TOKEN").map(str::to_owned),
        };
        return Found::secret("env::AWS_ACCESS_KEY_ID", keys.to_secret());
    }
    let profile = env.get("AWS_PROFILE").unwrap_or("default");
    if let Some(keys) = profile_keys(env, profile) {
        return Found::secret(&format!("profile {profile}"), keys.to_secret());
    }
    if let Some(container) = container(env) {
        return Found::token("the container", Ok(Identity::container(container)));
    }
    if env.flag("AWS_EC2_METADATA_DISABLED") == Ok(Some(true)) {
        let looked = "neither `AWS_BEARER_TOKEN_BEDROCK` nor `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY` is set";
        return Found::missing("sdk", format!("{looked}, and there is no profile `{profile}` with keys"));
    }
    let base = env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or("http://169.254.169.254").to_owned();
    Found::token("the machine", Ok(Identity::machine(token::Machine { base })))
}

fn container(env: &Env) -> Option<token::Container> {
    let url = match (env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
        (Some(path), _) => format!("http://169.254.170.2{path}"),
        (None, full) => full?.to_owned(),
    };
    Some(token::Container {
        url,
        auth: env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Secret::new),
        auth_file: env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(PathBuf::from),
    })
}

/// The keys of a profile in the shared files.
fn profile_keys(env: &Env, profile: &str) -> Option<Keys> {
    ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"].iter().find_map(|variable| {
        let section = section(env, variable, profile)?;
        let own = |name: &str| section.get(name).cloned();
        Some(Keys {
            access_key_id: own("aws_access_key_id")?,
            secret_access_key: own("aws_secret_access_key")?,
            session_token: own("aws_session_token"),
        })
    })
}

/// The region that AWS's tools would take.
pub(super) fn aws_region(env: &Env) -> Option<String> {
    let profile = env.get("AWS_PROFILE").unwrap_or("default");
    let told = env.get("AWS_REGION").or_else(|| env.get("AWS_DEFAULT_REGION")).map(str::to_owned);
    told.or_else(|| section(env, "AWS_CONFIG_FILE", profile)?.remove("region"))
}

/// A profile's section of a shared file.
fn section(env: &Env, variable: &str, profile: &str) -> Option<HashMap<String, String>> {
    let (usual, prefix) =
        if variable == "AWS_CONFIG_FILE" { (".aws/config", "profile ") } else { (".aws/credentials", "") };
    let file = match env.get(variable) {
        Some(file) => PathBuf::from(file),
        None => Path::new(env.get("HOME")?).join(usual),
    };
    let text = fs::read_to_string(file).ok()?;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            if found.is_some() {
                break;
            }
            let name = name.trim();
            let is_it = name == profile || name.strip_prefix(prefix).is_some_and(|name| name.trim() == profile);
            found = is_it.then(HashMap::new);
        } else if let (Some(found), Some((name, value))) = (&mut found, line.split_once('='))
            && !line.starts_with(['#', ';'])
            && !value.trim().is_empty()
        {
            found.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
#[path = "sdk_tests.rs"]
mod tests;
