//! Whose a file or a batch is to be, by the beginning of the request that makes it.
//!
//! Invariant: the body goes on as it came, with its length; no more of it is held than what was looked at.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{body::Body, extract::Request};
use bytes::{Bytes, BytesMut};
use http::header;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use memchr::memmem;
use sabir_engine::config::Config;
use sabir_types::Operation;
use serde::Deserialize;

use super::kept;

/// How much of a body is looked at.
const LOOK: usize = 64 * 1024;

/// Whether a file is for a batch of models that the gateway knows by these names.
pub(super) async fn file(config: &Config, request: Request) -> (bool, Request) {
    let boundary = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let boundary = boundary.and_then(|kind| multer::parse_boundary(kind).ok());
    let (seen, request) = begin(request, |seen| first_line(seen).is_some()).await;
    let is_ours = boundary.is_some()
        && memmem::find(&seen, b"name=\"purpose\"\r\n\r\nbatch\r\n").is_some()
        && first_line(&seen).is_some_and(|line| names_ours(config, line));
    (is_ours, request)
}

/// Whether a batch is one of a file of ours.
pub(super) async fn batch(request: Request) -> (bool, Request) {
    #[derive(Deserialize)]
    struct Wanted {
        input_file_id: String,
    }
    let (seen, request) = begin(request, |_| false).await;
    let is_ours = serde_json::from_slice::<Wanted>(&seen).is_ok_and(|wanted| kept::is_ours(&wanted.input_file_id));
    (is_ours, request)
}

/// Whether the first message of a batch names a model that the gateway knows by this name.
pub(super) async fn messages(config: &Config, request: Request) -> (bool, Request) {
    let (seen, request) = begin(request, |seen| model(seen).is_some()).await;
    (names_ours(config, &seen), request)
}

fn names_ours(config: &Config, json: &[u8]) -> bool {
    model(json).is_some_and(|name| {
        [Operation::Chat, Operation::Embed, Operation::Image, Operation::Moderate]
            .into_iter()
            .any(|operation| config.model(operation, &name).is_ok())
    })
}

/// The first line of the file in a form that has come far enough.
fn first_line(form: &[u8]) -> Option<&[u8]> {
    let part = memmem::find(form, b"name=\"file\"")?;
    let start = part + memmem::find(&form[part..], b"\r\n\r\n")? + 4;
    let end = memchr::memchr(b'\n', &form[start..])?;
    Some(&form[start..start + end])
}

/// The first model that a JSON text names, however deep.
fn model(json: &[u8]) -> Option<String> {
    let after = memmem::find(json, b"\"model\"")? + b"\"model\"".len();
    let rest = json[after..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let end = rest.iter().skip(1).position(|byte| *byte == b'"')? + 2;
    serde_json::from_slice(&rest[..end]).ok()
}

/// The beginning of a body, and the request with all of it.
async fn begin(request: Request, enough: impl Fn(&[u8]) -> bool) -> (Bytes, Request) {
    let (parts, mut body) = request.into_parts();
    let length = http_body::Body::size_hint(&body);
    let mut seen = BytesMut::new();
    let mut trailing = None;
    while seen.len() < LOOK && !enough(&seen) {
        match body.frame().await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => seen.extend_from_slice(&data),
                Err(frame) => {
                    trailing = Some(Ok(frame));
                    break;
                }
            },
            Some(Err(error)) => {
                trailing = Some(Err(error));
                break;
            }
            None => break,
        }
    }
    let seen = seen.freeze();
    let begun = Begun { first: Some(seen.clone()).filter(|seen| !seen.is_empty()), then: trailing, rest: body, length };
    (seen, Request::from_parts(parts, Body::new(begun)))
}

/// A body of which the beginning was read.
struct Begun {
    first: Option<Bytes>,
    then: Option<Result<Frame<Bytes>, axum::Error>>,
    rest: Body,
    /// Of all of it.
    length: SizeHint,
}

impl http_body::Body for Begun {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match self.then.take() {
            Some(then) => Poll::Ready(Some(then)),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn size_hint(&self) -> SizeHint {
        if self.first.is_some() { self.length } else { self.rest.size_hint() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_and_its_model_are_seen() {
        let form = b"--e\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--e\r\n\
            content-disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n{\"body\":{\"model\" : \"m\\u0061\"}}\n{";
        let line = first_line(form).unwrap();
        assert_eq!(line, br#"{"body":{"model" : "m\u0061"}}"#);
        assert_eq!(model(line).as_deref(), Some("ma"));
        assert_eq!(first_line(&form[..form.len() - 2]), None, "the line may go on");
        for without in [&b"{}"[..], b"{\"model\"", b"{\"model\":", b"{\"model\":1}", b"{\"model\":\"a"] {
            assert_eq!(model(without), None);
        }
    }

    #[tokio::test]
    async fn the_body_goes_on_as_it_came() {
        let text = "x".repeat(LOOK) + "the rest";
        let request = Request::new(Body::from(text.clone()));
        let (seen, request) = begin(request, |seen| seen.len() > 3).await;
        assert!(text.as_bytes().starts_with(&seen) && !seen.is_empty());
        let body = request.into_body();
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(text.len() as u64));
        assert_eq!(body.collect().await.unwrap().to_bytes(), text);
    }
}
