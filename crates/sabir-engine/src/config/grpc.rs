//! The `[gateway.grpc]` table: the Model Manager door.
//!
//! Invariant: where secrets were asked for and cannot be had, the configuration is wrong; the door
//! never falls back to letting everybody in.

use std::{path::PathBuf, sync::Arc, time::Duration};

use sabir_types::Secret;

use super::{
    Grpc, credential,
    env::Env,
    gateway,
    reader::{Log, Reader},
};

/// Where the clients of this door look for the secret, too.
const SECRET_VARIABLE: &str = "MODEL_MANAGER_SERVER_JWT_SECRET_KEY";

impl Default for Grpc {
    fn default() -> Self {
        Self { bind_address: None, jwt_secrets: Vec::new(), leeway: Duration::from_secs(30), tls: None }
    }
}

/// Reads the table; `None` stands for a file that has none.
pub(super) fn read(table: Option<Reader<'_>>, env: &Env, log: &Log) -> Grpc {
    let mut grpc = Grpc::default();
    let usual = env.get(SECRET_VARIABLE).filter(|secret| !secret.is_empty());
    grpc.jwt_secrets.extend(usual.map(|secret| (Arc::from(SECRET_VARIABLE), Secret::new(secret))));
    let Some(mut r) = table else { return grpc };
    grpc.bind_address = gateway::bind_address(&mut r, "127.0.0.1:50051");
    grpc.leeway = r.integer("leeway_s", 0, 3600).map_or(grpc.leeway, Duration::from_secs);
    let path = r.path_of("jwt_secrets");
    for (at, node) in r.list("jwt_secrets").into_iter().flatten().enumerate() {
        let Some((location, secret)) = credential::named_secret(node, &format!("{path}[{at}]"), env, log) else {
            continue;
        };
        let name = location.split_once("::").map_or(location.as_str(), |(_, name)| name);
        // The usual variable may be named as well: it is one secret then.
        if grpc.jwt_secrets.iter().all(|(known, _)| &**known != name) {
            grpc.jwt_secrets.push((name.into(), secret));
        }
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
