//! Where the clouds' own tools look for credentials: what `sdk` means, and what a provider of a
//! cloud gets that is told nothing.
//!
//! Invariant: nothing is asked over the network here; what can only be had that way becomes an
//! identity, which is asked when a call needs it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sabir_providers::CredentialScheme;
use sabir_types::Secret;

use super::{credential::Found, env::Env, sdk_aws};
use crate::{
    plan::Credential,
    token::{self, Identity},
};

/// What `sdk` means to a provider that takes credentials in this way; `None` if it means nothing.
pub(super) fn sdk(scheme: CredentialScheme, env: &Env) -> Option<Found> {
    let found = match scheme {
        CredentialScheme::Key => return None,
        CredentialScheme::Google => google(env),
        CredentialScheme::Aws => sdk_aws::keys(env),
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
    if let (None, Some(file)) = (env.get("AZURE_CLIENT_SECRET"), env.get("AZURE_FEDERATED_TOKEN_FILE")) {
        let identity = token::entra_workload(env.get("AZURE_AUTHORITY_HOST"), tenant, client, file);
        return Some(Found::token("path_from_env::AZURE_FEDERATED_TOKEN_FILE", Ok(identity)));
    }
    let secret = env.get("AZURE_CLIENT_SECRET")?;
    let identity = token::entra_client(env.get("AZURE_AUTHORITY_HOST"), tenant, client, secret);
    Some(Found::token("env::AZURE_CLIENT_SECRET", Ok(identity)))
}

fn entra_machine(env: &Env) -> Result<Identity, String> {
    let service = env.get("IDENTITY_ENDPOINT").zip(env.get("IDENTITY_HEADER"));
    token::entra_machine(service, env.get("AZURE_CLIENT_ID")).map_err(str::to_owned)
}

#[cfg(test)]
#[path = "sdk_tests.rs"]
mod tests;
