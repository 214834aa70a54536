//! Credentials that are good for a while only: fetched when first needed, kept, and fetched again
//! before they expire.
//!
//! Invariant: for one identity there is one fetch at a time, and whoever waits for it gets its
//! outcome, good or bad; a caller that leaves takes nothing from the others.

mod answer;
mod aws;
mod aws_role;
mod google;
mod google_other;
mod jwt;
mod oauth;

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::StatusCode;
use parking_lot::Mutex;
use sabir_providers::HttpRequest;
use sabir_types::{Error, ErrorKind, Result, Secret};

use crate::transport::Transport;

pub(crate) use aws::{Container, Machine};
pub(crate) use aws_role::{Asks, Program, Role, SignOn};
pub(crate) use google::{from_caller as google_of_caller, from_text as google, machine as google_machine};
pub(crate) use oauth::{entra_client, entra_machine, entra_workload, request};

/// How many identities' credentials are kept.
const KEPT: usize = 1000;
/// How long fetching one may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long it may take while the old one is still good.
const SHORT_PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait after a failure while the old one is still good.
const PAUSE: u64 = 10;
/// How long before its end a credential is replaced, in seconds.
const EARLY: u64 = 225;
/// How long before its end one is no longer used: the call has to arrive.
const MARGIN: u64 = 10;
/// The largest answer.
const LIMIT: usize = 256 * 1024;

/// Who calls: what it takes to get a credential.
pub struct Identity {
    /// Tells two identities apart without telling what they are.
    id: [u8; 32],
    /// Where it comes from, for messages.
    what: String,
    kind: Kind,
}

enum Kind {
    OAuth(oauth::Grant),
    AwsContainer(Container),
    AwsMachine(Machine),
    AwsRole(Role),
    AwsSignOn(SignOn),
    AwsProgram(Program),
    GoogleWorkload(google_other::Workload),
    GoogleImpersonated(google_other::Impersonated),
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("what", &self.what).finish_non_exhaustive()
    }
}

impl Identity {
    /// An identity; `parts` are all that it depends on.
    fn new(what: impl Into<String>, kind: Kind, parts: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        Self { id: *hasher.finalize().as_bytes(), what: what.into(), kind }
    }

    pub(crate) fn container(container: Container) -> Self {
        let parts = [container.url.clone(), container.auth.as_ref().map_or("", Secret::expose).to_owned()];
        Self::new(
            "the container's credentials",
            Kind::AwsContainer(container),
            &["aws-container", &parts[0], &parts[1]],
        )
    }

    pub(crate) fn machine(machine: Machine) -> Self {
        let base = machine.base.clone();
        Self::new("the machine's credentials", Kind::AwsMachine(machine), &["aws-machine", &base])
    }

    async fn fetch(&self, transport: &Transport, now: u64) -> Result<Fresh> {
        match &self.kind {
            Kind::OAuth(grant) => grant.fetch(transport, now).await,
            Kind::AwsContainer(container) => container.fetch(transport, now).await,
            Kind::AwsMachine(machine) => machine.fetch(transport, now).await,
            Kind::AwsRole(role) => role.fetch(transport, now).await,
            Kind::AwsSignOn(login) => login.fetch(transport, now).await,
            Kind::AwsProgram(program) => program.fetch(now).await,
            Kind::GoogleWorkload(workload) => workload.fetch(transport, now).await,
            Kind::GoogleImpersonated(account) => account.fetch(transport, now).await,
        }
        .map_err(|error| {
            let message = format!("no credential from {}: {}", self.what, error.message());
            Error::new(error.kind(), message).with_source(error)
        })
    }
}

/// A credential that was just fetched.
struct Fresh {
    secret: Secret,
    /// How long it is good, in seconds.
    lifetime: u64,
}

/// The credentials that are there.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<[u8; 32], Arc<Slot>>>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tokens").field(&self.0.lock().len()).finish()
    }
}

#[derive(Default)]
struct Slot {
    held: Mutex<Option<Held>>,
    /// Whoever fetches holds this. Inside is how the last fetch failed, if it did.
    turn: tokio::sync::Mutex<Option<(Instant, Error)>>,
}

#[derive(Clone)]
struct Held {
    secret: Secret,
    /// When to look for another one.
    replace: u64,
    /// When it is no longer used.
    end: u64,
}

impl Tokens {
    /// The credential of an identity, fetched if need be.
    pub(crate) async fn get(&self, identity: &Identity, transport: &Transport) -> Result<Secret> {
        let asked = Instant::now();
        let slot = self.slot(identity);
        let now = seconds();
        let held = slot.held.lock().clone();
        match held {
            Some(held) if now < held.replace => return Ok(held.secret),
            Some(held) if now < held.end => {
                // Still good: whoever finds nobody at it gets another one, the others go on.
                if let Ok(mut turn) = slot.turn.try_lock() {
                    match slot.fetch(identity, transport, SHORT_PATIENCE, &mut turn).await {
                        Ok(secret) => return Ok(secret),
                        Err(error) => {
                            tracing::warn!(%error, "a credential could not be replaced early; the old one is still good");
                            if let Some(held) = &mut *slot.held.lock() {
                                held.replace = (now + PAUSE).min(held.end);
                            }
                        }
                    }
                }
                return Ok(held.secret);
            }
            _ => {}
        }
        let mut turn = slot.turn.lock().await;
        if let Some(held) = &*slot.held.lock()
            && seconds() < held.end
        {
            return Ok(held.secret.clone());
        }
        if let Some((when, error)) = &*turn
            && *when >= asked
        {
            return Err(error.clone());
        }
        slot.fetch(identity, transport, PATIENCE, &mut turn).await
    }

    /// The provider refused this credential: the next call gets another one. Whether there was
    /// anything to forget.
    pub(crate) fn refused(&self, identity: &Identity, secret: &Secret) -> bool {
        let slot = self.slot(identity);
        let mut held = slot.held.lock();
        let is_it = held.as_ref().is_some_and(|held| held.secret == *secret);
        if is_it {
            *held = None;
        }
        is_it
    }

    fn slot(&self, identity: &Identity) -> Arc<Slot> {
        let mut slots = self.0.lock();
        if slots.len() >= KEPT && !slots.contains_key(&identity.id) {
            slots.clear();
        }
        slots.entry(identity.id).or_default().clone()
    }
}

impl Slot {
    async fn fetch(
        &self,
        identity: &Identity,
        transport: &Transport,
        patience: Duration,
        turn: &mut Option<(Instant, Error)>,
    ) -> Result<Secret> {
        let now = seconds();
        let fetched = match tokio::time::timeout(patience, Box::pin(identity.fetch(transport, now))).await {
            Ok(fetched) => fetched,
            Err(_) => {
                let what = &identity.what;
                Err(Error::new(ErrorKind::Timeout, format!("no credential from {what}: it took too long")))
            }
        };
        match fetched {
            Ok(Fresh { secret, lifetime }) => {
                let replace = now + lifetime.saturating_sub(EARLY).max(lifetime / 2);
                let end = now + lifetime.saturating_sub(MARGIN).max(1);
                *self.held.lock() = Some(Held { secret: secret.clone(), replace: replace.min(end), end });
                *turn = None;
                Ok(secret)
            }
            Err(error) => {
                *turn = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }
}

/// Seconds since 1970.
pub(crate) fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Sends a request and reads its answer whole.
pub(crate) async fn exchange(
    transport: &Transport,
    request: HttpRequest,
    connect: Duration,
) -> Result<(StatusCode, Bytes)> {
    let mut inbound = transport.send(request, connect).await?;
    let body = inbound.body.all(LIMIT).await?;
    Ok((inbound.status, body))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
