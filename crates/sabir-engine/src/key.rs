//! The credential of one call: from the configuration, the caller, or a service that hands it out.
//!
//! Invariant: a credential that a provider refused is not sent again if another one can be had.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use sabir_providers::CredentialScheme;
use sabir_types::{Error, ErrorKind, Map, Result, Secret, Value};

use crate::{
    engine::Engine,
    plan::{Credential, Endpoint},
    token::{self, Identity},
};

/// A credential, and whom it was given to if it is good for a while only.
#[derive(Debug)]
pub(crate) struct Key<'a> {
    secret: Option<Cow<'a, Secret>>,
    identity: Option<Arc<Identity>>,
}

impl Key<'_> {
    /// The credential, if there is one.
    pub(crate) fn secret(&self) -> Option<&Secret> {
        self.secret.as_deref()
    }

    /// Looks at how a try with it went. If the provider refused it and another one can be had, the
    /// next call gets that, and the error says that it is worth it.
    pub(crate) fn judged(&self, engine: &Engine, error: Error) -> Error {
        let refused = error.kind() == ErrorKind::Authentication && error.upstream().is_some();
        match (&self.identity, self.secret()) {
            (Some(identity), Some(secret)) if refused && engine.tokens().refused(identity, secret) => {
                error.with_should_retry(true)
            }
            _ => error,
        }
    }
}

/// The credential for an endpoint; `given` are the caller's.
pub(crate) async fn get<'a>(
    engine: &Engine,
    endpoint: &'a Endpoint,
    given: &'a HashMap<String, Secret>,
) -> Result<Key<'a>> {
    let identity = match find(&endpoint.credential, given)? {
        None => return Ok(Key { secret: None, identity: None }),
        Some(Found::Token(identity)) => identity.clone(),
        Some(Found::Secret(secret)) => match whom(&secret, endpoint)? {
            None => return Ok(Key { secret: Some(secret), identity: None }),
            Some(identity) => Arc::new(identity),
        },
    };
    let secret = Box::pin(engine.tokens().get(&identity, engine.transport())).await?;
    Ok(Key { secret: Some(Cow::Owned(secret)), identity: Some(identity) })
}

enum Found<'a> {
    Secret(Cow<'a, Secret>),
    Token(&'a Arc<Identity>),
}

fn find<'a>(credential: &'a Credential, given: &'a HashMap<String, Secret>) -> Result<Option<Found<'a>>> {
    match credential {
        Credential::None => Ok(None),
        Credential::Static(secret) => Ok(Some(Found::Secret(Cow::Borrowed(secret)))),
        Credential::Dynamic(name) => match given.get(name) {
            Some(secret) => Ok(Some(Found::Secret(Cow::Borrowed(secret)))),
            None => Err(Error::new(ErrorKind::Authentication, format!("the call brings no credential named `{name}`"))
                .with_param("credentials")),
        },
        Credential::Fallback(first, second) => find(first, given).or_else(|_| find(second, given)),
        Credential::Parts(parts) => {
            let mut all = Map::new();
            for (name, part) in parts {
                match find(part, given)? {
                    Some(Found::Secret(secret)) => all.insert((*name).to_owned(), secret.expose().into()),
                    _ => {
                        let message = format!("the credential's part `{name}` is missing");
                        return Err(Error::new(ErrorKind::Authentication, message));
                    }
                };
            }
            Ok(Some(Found::Secret(Cow::Owned(Secret::new(Value::Object(all).to_string())))))
        }
        Credential::Token(identity) => Ok(Some(Found::Token(identity))),
        Credential::Missing(where_) => {
            Err(Error::new(ErrorKind::Authentication, format!("no API key for this provider: {where_}")))
        }
    }
}

/// A caller may bring a credentials file of Google's in the place of a token.
fn whom(secret: &Secret, endpoint: &Endpoint) -> Result<Option<Identity>> {
    let is_file = secret.expose().trim_start().starts_with('{');
    if endpoint.provider.credentials() != CredentialScheme::Google || !is_file {
        return Ok(None);
    }
    match token::google_of_caller(secret.expose()) {
        Ok((identity, _)) => Ok(Some(identity)),
        Err(why) => {
            let message = format!("the credential is no credentials file of Google's: {why}");
            Err(Error::new(ErrorKind::Authentication, message).with_param("credentials"))
        }
    }
}
