//! What the gateway keeps and a provider may keep as well: files, batches, answers, conversations.
//!
//! Invariant: an id tells whose it is. What has no id yet is the gateway's, unless the caller or
//! the configuration says that it shall be the provider's, or it is a file that only a provider has
//! a use for.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use http::Method;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use memchr::memmem;
use sabir_engine::config::Family;
use sabir_types::{Error, Result, Uuid};

use super::{anthropic, fallback, openai, pass_through, responses};
use crate::app::App;

/// What says whose batches and files are meant.
const HEADER: &str = "x-sabir-batch";

/// The routes of all doors to such things.
pub fn routes(app: &App) -> Router<App> {
    openai::kept_routes()
        .merge(responses::kept_routes())
        .merge(anthropic::kept_routes())
        .route_layer(middleware::from_fn_with_state(app.clone(), choose))
}

async fn choose(State(app): State<App>, mut request: Request<Body>, next: Next) -> Response {
    let family = if request.uri().path().contains("/messages/batches") { Family::Anthropic } else { Family::OpenAi };
    let theirs = match whose(&app, &request, family) {
        Ok(Whose::Ours) => false,
        Ok(Whose::TheProviders) => true,
        Ok(Whose::AsItsPurpose) => {
            let (parts, body) = request.into_parts();
            let (purpose, body) = purpose(body).await;
            request = Request::from_parts(parts, body);
            purpose.is_some_and(|purpose| purpose != "batch")
        }
        Err(error) => return pass_through::shaped(family, &error),
    };
    if theirs { fallback::unknown(State(app), request).await } else { next.run(request).await }
}

/// Whose a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    TheProviders,
    /// A file that is uploaded: ours if it is for a batch.
    AsItsPurpose,
}

fn whose(app: &App, request: &Request<Body>, family: Family) -> Result<Whose> {
    let path = request.uri().path();
    let mut parts = path.rsplit_once("/v1/").map_or(path, |(_, rest)| rest).split('/');
    // What stands between the version and the id.
    let thing = parts.find(|part| *part != "messages").unwrap_or_default();
    // Anthropic's files are its own.
    if thing == "files" && request.headers().contains_key("anthropic-version") {
        return Ok(Whose::TheProviders);
    }
    let config = app.engine().config();
    let is_open = config.pass_through.is_open(family);
    if let Some(id) = parts.next() {
        return Ok(if is_open && !is_ours(id) { Whose::TheProviders } else { Whose::Ours });
    }
    match request.headers().get(HEADER).map(|value| value.as_bytes()) {
        Some(b"own") => return Ok(Whose::Ours),
        Some(b"provider") => return Ok(Whose::TheProviders),
        Some(_) => {
            let message = format!("header `{HEADER}`: expected `own` or `provider`");
            return Err(Error::bad_request(message).with_param(HEADER));
        }
        None => {}
    }
    // Where nothing is kept, a provider may.
    if config.gateway.batches.provider || (is_open && app.engine().tasks().is_none()) {
        return Ok(Whose::TheProviders);
    }
    let is_upload = thing == "files" && request.method() == Method::POST;
    Ok(if is_upload && is_open { Whose::AsItsPurpose } else { Whose::Ours })
}

/// How far into a form to look for the purpose of a file.
const LOOK: usize = 64 * 1024;

/// What a file is for, if its form says so before the file itself, and the form as it came.
async fn purpose(mut body: Body) -> (Option<String>, Body) {
    let mut held = BytesMut::new();
    let found = loop {
        if let Some(purpose) = said(&held) {
            break Some(purpose);
        }
        if held.len() > LOOK {
            break None;
        }
        match body.frame().await {
            Some(Ok(frame)) => held.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            // Who reads the rest meets the error again.
            Some(Err(_)) | None => break None,
        }
    };
    (found, Body::new(Begun { held: held.freeze(), rest: body }))
}

/// The value of the form's `purpose`, when all of it is there.
fn said(form: &[u8]) -> Option<String> {
    let at = memmem::find(form, b"name=\"purpose\"")?;
    let value = &form[at + memmem::find(&form[at..], b"\r\n\r\n")? + 4..];
    let value = &value[..memmem::find(value, b"\r\n")?];
    String::from_utf8(value.to_vec()).ok()
}

/// A body whose beginning was read already.
struct Begun {
    held: Bytes,
    rest: Body,
}

impl HttpBody for Begun {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, axum::Error>>> {
        if self.held.is_empty() {
            return Pin::new(&mut self.rest).poll_frame(cx);
        }
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.held)))))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (held, rest) = (self.held.len() as u64, self.rest.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(held + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(held + upper);
        }
        hint
    }
}

/// Ids of ours hold a moment in a way that nobody else's do.
fn is_ours(id: &str) -> bool {
    let hex = id.split_once(['_', '-']).map_or(id, |(_, hex)| hex);
    hex.len() == 32 && Uuid::try_parse(hex).is_ok_and(|id| id.get_version_num() == 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_whose_it_is() {
        let own = sabir_types::new_id().simple();
        for prefix in ["file-", "batch_", "msgbatch_", "resp_", "conv_"] {
            assert!(is_ours(&format!("{prefix}{own}")));
        }
        for other in ["file-abc123", "batch_6712ae5c1b848190b6a5ff3d8b1d0a73", "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d", "x"]
        {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[tokio::test]
    async fn a_form_is_looked_into_and_stays_as_it_is() {
        let form = b"--e\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nvision\r\n--e\r\nrest";
        for (size, expected) in [(1, Some("vision")), (7, Some("vision")), (form.len(), Some("vision"))] {
            let pieces: Vec<_> =
                form.chunks(size).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
            let (found, body) = purpose(Body::from_stream(futures_util::stream::iter(pieces))).await;
            assert_eq!(found.as_deref(), expected);
            assert_eq!(body.collect().await.unwrap().to_bytes(), form.as_slice());
        }
        let (found, body) = purpose(Body::from(vec![b'x'; 10])).await;
        assert_eq!((found, body.size_hint().exact()), (None, Some(10)));
    }
}
