//! The `[gateway.grpc]` table: the Model Manager door.
//!
//! Invariant: where secrets were asked for and cannot be had, the configuration is wrong; the door
//! never falls back to letting everybody in.

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::Uri;
use sabir_types::Secret;

use super::{
    Grpc, credential,
    env::Env,
    gateway,
    reader::{Log, Reader},
    tree::{Kind, Node},
};
use crate::verify::PublicKey;

/// Where the clients of this door look for the secret, too.
const SECRET_VARIABLE: &str = "MODEL_MANAGER_SERVER_JWT_SECRET_KEY";

/// Why a secret is none.
const PUBLIC: &str = "is a public key, which keeps nobody out as a secret: name it in `jwt_keys`";

impl Default for Grpc {
    fn default() -> Self {
        Self {
            bind_address: None,
            jwt_secrets: Vec::new(),
            jwt_keys: Vec::new(),
            jwks_url: None,
            jwt_issuers: Vec::new(),
            jwt_audiences: Vec::new(),
            leeway: Duration::from_secs(30),
            batch_concurrency: 64,
            max_concurrent_streams: 5000,
            tls: None,
        }
    }
}

/// Reads the table; `None` stands for a file that has none.
pub(super) fn read(table: Option<Reader<'_>>, env: &Env, log: &Log) -> Grpc {
    let mut grpc = Grpc::default();
    if let Some(secret) = env.get(SECRET_VARIABLE).filter(|secret| !secret.is_empty()) {
        if is_public(secret) {
            log.problem(None, SECRET_VARIABLE, PUBLIC);
        }
        grpc.jwt_secrets.push((SECRET_VARIABLE.into(), Secret::new(secret)));
    }
    let Some(mut r) = table else { return grpc };
    grpc.bind_address = gateway::bind_address(&mut r, "127.0.0.1:50051");
    grpc.leeway = r.integer("leeway_s", 0, 3600).map_or(grpc.leeway, Duration::from_secs);
    grpc.batch_concurrency =
        r.integer("batch_concurrency", 1, 10_000).map_or(grpc.batch_concurrency, |number| number as usize);
    grpc.max_concurrent_streams =
        r.integer("max_concurrent_streams", 1, 1_000_000).map_or(grpc.max_concurrent_streams, |number| number as u32);
    for (node, path, name, secret) in located(&mut r, "jwt_secrets", env) {
        if is_public(secret.expose()) {
            log.problem(Some(&node.place), &path, PUBLIC);
        } else if grpc.jwt_secrets.iter().all(|(known, _)| *known != name) {
            // The usual variable may be named as well: it is one secret then.
            grpc.jwt_secrets.push((name, secret));
        }
    }
    for (node, path, name, text) in located(&mut r, "jwt_keys", env) {
        match PublicKey::read(text.expose()) {
            Ok(keys) => grpc.jwt_keys.extend(keys.into_iter().map(|key| (name.clone(), key))),
            Err(what) => log.problem(Some(&node.place), &path, format!("`{name}` {what}")),
        }
    }
    grpc.jwks_url = jwks_url(&mut r);
    grpc.jwt_issuers = one_or_several(&mut r, "jwt_issuer");
    grpc.jwt_audiences = one_or_several(&mut r, "jwt_audience");
    if let Some(entry) = r.entry("jwks_url")
        && (grpc.jwt_issuers.is_empty() || grpc.jwt_audiences.is_empty())
    {
        let what = "without `jwt_issuer` and `jwt_audience` every token counts that is signed with these keys, also one that is meant for others";
        log.note(Some(&entry.place), &r.path_of("jwks_url"), what);
    }
    let (cert, key) = (file(&mut r, "tls_cert"), file(&mut r, "tls_key"));
    grpc.tls = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (cert, _) => {
            r.missing(if cert.is_some() { "tls_key" } else { "tls_cert" });
            None
        }
    };
    r.finish();
    grpc
}

/// What a list of places holds, each with its node, its path and its name.
fn located<'t>(r: &mut Reader<'t>, key: &'static str, env: &Env) -> Vec<(&'t Node, String, Arc<str>, Secret)> {
    let (path, log) = (r.path_of(key), r.log());
    let read = |(at, node): (usize, &'t Node)| {
        let path = format!("{path}[{at}]");
        let (location, secret) = credential::named_secret(node, &path, env, log)?;
        let name = location.split_once("::").map_or(location.as_str(), |(_, name)| name);
        Some((node, path, name.into(), secret))
    };
    r.list(key).into_iter().flatten().enumerate().filter_map(read).collect()
}

/// Whether everybody may know it, so that it keeps nobody out.
fn is_public(secret: &str) -> bool {
    ["-----BEGIN PUBLIC KEY", "-----BEGIN RSA PUBLIC KEY", "-----BEGIN CERTIFICATE"]
        .iter()
        .any(|head| secret.contains(head))
}

fn jwks_url(r: &mut Reader<'_>) -> Option<Arc<str>> {
    let url = r.text("jwks_url")?;
    let entry = r.entry("jwks_url")?;
    match url.parse::<Uri>().ok().as_ref().map(|uri| (uri.scheme_str(), uri.host())) {
        Some((Some("https"), Some(_))) => {}
        Some((Some("http"), Some(host))) => {
            if !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
                let what = "without TLS, whoever is on the way can put keys of their own in place of these";
                r.log().note(Some(&entry.place), &r.path_of("jwks_url"), what);
            }
        }
        _ => {
            r.problem(entry, "expected an address like `https://issuer.example/.well-known/jwks.json`");
            return None;
        }
    }
    Some(url.into())
}

/// A text or a list of texts.
fn one_or_several(r: &mut Reader<'_>, name: &'static str) -> Vec<String> {
    let is_list = r.entry(name).is_some_and(|entry| matches!(entry.node.kind, Kind::List(_)));
    if is_list {
        return r.texts(name).into_iter().flatten().map(|(text, _)| text.to_owned()).collect();
    }
    r.text(name).map(str::to_owned).into_iter().collect()
}

fn file(r: &mut Reader<'_>, name: &'static str) -> Option<PathBuf> {
    let text = r.text(name)?;
    let entry = r.entry(name)?;
    if text.is_empty() {
        r.problem(entry, "expected the path of a PEM file");
        return None;
    }
    Some(entry.node.place.file.dir.join(text))
}

#[cfg(test)]
#[path = "grpc_tests.rs"]
mod tests;
