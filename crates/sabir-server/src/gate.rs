//! What every handler does first: who is calling, and what they sent.
//!
//! Invariant: errors come back as `sabir_types::Error`; each door gives them its own shape.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use sabir_types::{Error, Result};

use crate::app::App;

/// Who is calling: checks the bearer token (`Authorization: Bearer`, `api-key` or `x-api-key`)
/// against the gateway's own keys. `None` if the gateway asks for none.
pub fn admit(app: &App, headers: &HeaderMap) -> Result<Option<Arc<str>>> {
    let _ = (app, headers);
    Ok(None)
}

/// Reads a request's body: within the limit (413), within the time (408), content encoding undone.
pub async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes> {
    let _ = (app, headers, body);
    Err(Error::internal("being written"))
}
