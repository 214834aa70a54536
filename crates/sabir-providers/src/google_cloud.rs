//! Google's cloud: where its models are, and how a call says who calls.
//!
//! Facts: <https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations>, checked 2026-11.
//!
//! Invariant: project and location come from the configuration; no caller can change the host.

use http::{HeaderValue, Method, header};
use sabir_types::Result;

use crate::{HttpRequest, Target, parts};

/// A call of a method (`publishers/google/models/M:generateContent`), without its body.
pub(crate) fn call(provider: &str, resource: &str, to: &Target<'_>) -> Result<HttpRequest> {
    let project = parts::segment(parts::required(provider, to.options, "project_id")?);
    let location = parts::label(provider, "location", parts::required(provider, to.options, "location")?)?;
    let base = match to.api_base.map(|base| base.trim_end_matches('/')) {
        // An address may already say which version it is.
        Some(base) if base.ends_with("/v1") || base.ends_with("/v1beta1") => base.to_owned(),
        Some(base) => format!("{base}/v1"),
        None => format!("https://{}/v1", host(location)),
    };
    let url = format!("{base}/projects/{project}/locations/{location}/{resource}");
    let mut request = parts::request(Method::POST, &url)?;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(key) = to.key {
        headers.insert(header::AUTHORIZATION, parts::credential(provider, "Bearer ", key)?);
    }
    Ok(request)
}

/// The host of a location.
fn host(location: &str) -> String {
    match location {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("aiplatform.{location}.rep.googleapis.com"),
        region => format!("{region}-aiplatform.googleapis.com"),
    }
}
