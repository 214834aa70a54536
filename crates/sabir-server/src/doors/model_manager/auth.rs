//! Who may call: a token signed with one of the configured secrets or with an issuer's key, or one of
//! the gateway's own keys.
//!
//! Invariant: as soon as there is a secret or a key, nobody is let in without.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use http::{HeaderMap, Request, header};
use sabir_types::{Error, ErrorKind, Result};
use tonic::Status;
use tower::Service;

use super::jwt::Token;
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
    S: Service<Request<Body>, Response = http::Response<tonic::body::Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // The one that is ready is the one to call.
        let waiting = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, waiting);
        let app = self.app.clone();
        Box::pin(async move {
            match admit(&app, request.headers()).await {
                Ok(caller) => {
                    request.extensions_mut().insert(Caller(caller));
                    inner.call(request).await
                }
                Err(error) if error.kind() == ErrorKind::Authentication => {
                    Ok(Status::unauthenticated(error.message()).into_http())
                }
                // The caller may be right: it cannot be told now.
                Err(error) => Ok(Status::unavailable(error.message()).into_http()),
            }
        })
    }
}

/// The name of the secret or key that a caller has.
pub(super) async fn admit(app: &App, headers: &HeaderMap) -> Result<Option<Arc<str>>> {
    let config = app.engine().config();
    let has_keys = !config.gateway.api_keys.is_empty();
    if !config.gateway.grpc.takes_tokens() && !has_keys {
        return Ok(None);
    }
    let refused = |why: &str| Error::new(ErrorKind::Authentication, why);
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = match given.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(refused("a token is missing: send `authorization: Bearer TOKEN`")),
    };
    if has_keys && let Ok(name) = gate::admit(app, headers) {
        return Ok(name);
    }
    if !config.gateway.grpc.takes_tokens() {
        let why = "the token is not one of this gateway's keys, and it has no secret that tokens are signed with";
        return Err(refused(why));
    }
    let settings = &config.gateway.grpc;
    let token = Token::read(token).map_err(refused)?;
    let name = match (token.signer(settings), token.issuers_key(), &settings.jwks_url) {
        (Err(why), Some(id), Some(url)) => {
            let keys = app.engine().issuer_keys(url, id).await?;
            match keys.iter().any(|key| token.was_signed_for(key)) {
                true => url.clone(),
                false => return Err(refused(why)),
            }
        }
        (signer, ..) => signer.map_err(refused)?,
    };
    token.check(settings, now()).map_err(refused)?;
    Ok(Some(name))
}

/// The answer to a path that nobody serves.
pub(super) async fn unknown(request: Request<Body>) -> Response {
    let message = format!("no method `{}`", request.uri().path());
    Status::unimplemented(message).into_http::<Body>()
}
