//! Who may call: a token signed with one of the configured secrets, or one of the gateway's keys.
//!
//! Invariant: as soon as there is a secret or a key, nobody is let in without.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use futures_util::future::{Either, Ready, ready};
use http::{HeaderMap, Request, header};
use tonic::Status;
use tower::Service;

use super::jwt;
use crate::{app::App, doors::shared::now, gate};

/// Who is calling, as a handler finds it among a request's extensions.
#[derive(Debug, Clone)]
pub(super) struct Caller(pub(super) Option<Arc<str>>);

/// Lets callers through to a service before anything that they sent is read.
#[derive(Debug, Clone)]
pub(super) struct Guarded<S> {
    pub(super) app: App,
    pub(super) inner: S,
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = http::Response<tonic::body::Body>>,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Self::Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match admit(&self.app, request.headers(), now()) {
            Ok(caller) => {
                request.extensions_mut().insert(Caller(caller));
                Either::Left(self.inner.call(request))
            }
            Err(why) => Either::Right(ready(Ok(Status::unauthenticated(why).into_http()))),
        }
    }
}

/// The name of the secret or key that a caller has.
pub(super) fn admit(app: &App, headers: &HeaderMap, now: u64) -> Result<Option<Arc<str>>, String> {
    let config = app.engine().config();
    let (secrets, keys) = (&config.gateway.grpc.jwt_secrets, &config.gateway.api_keys);
    if secrets.is_empty() && keys.is_empty() {
        return Ok(None);
    }
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = match given.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err("a token is missing: send `authorization: Bearer TOKEN`".to_owned()),
    };
    let why = if secrets.is_empty() {
        "the token is not one of this gateway's keys, and it has no secret that tokens are signed with"
    } else {
        match jwt::verify(token, secrets, now, config.gateway.grpc.leeway.as_secs()) {
            Ok(name) => return Ok(Some(name)),
            Err(why) => why,
        }
    };
    if !keys.is_empty()
        && let Ok(name) = gate::admit(app, headers)
    {
        return Ok(name);
    }
    Err(why.to_owned())
}

/// The answer to a path that nobody serves.
pub(super) async fn unknown(request: Request<Body>) -> Response {
    let message = format!("no method `{}`", request.uri().path());
    Status::unimplemented(message).into_http::<Body>()
}
