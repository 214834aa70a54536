//! A streamed answer as a body of server-sent events.
//!
//! Invariants: nothing waits in a buffer; a silent stream is kept alive by what its readers pass
//! over; dropping the body drops the call.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderValue, header};
use http_body::{Body as HttpBody, Frame as BodyFrame};
use sabir_engine::Frame;
use tokio::time::Sleep;

/// How long a stream may be silent before a comment says that it is still there.
pub const SILENCE: Duration = Duration::from_secs(15);

/// Turns frames into a door's own events.
pub trait FrameWriter: Send + Unpin + 'static {
    /// The bytes for one frame; nothing if there is nothing to say.
    fn frame(&mut self, frame: Frame) -> Bytes;

    /// What says that a silent stream is still there.
    fn keep_alive(&self) -> &'static [u8] {
        b": keep-alive\n\n"
    }

    /// The body's content type.
    fn content_type(&self) -> &'static str {
        "text/event-stream"
    }
}

/// The response to a streamed call.
pub fn respond(frames: impl Stream<Item = Frame> + Send + Unpin + 'static, writer: impl FrameWriter) -> Response {
    let kind = HeaderValue::from_static(writer.content_type());
    let body = Events { frames, writer, sleep: None, last: Instant::now(), over: false };
    let mut response = Body::new(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies of nginx's kind hold streams back unless they are told not to.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

struct Events<S, W> {
    frames: S,
    writer: W,
    sleep: Option<Pin<Box<Sleep>>>,
    last: Instant,
    over: bool,
}

impl<S: Stream<Item = Frame> + Unpin, W: FrameWriter> HttpBody for Events<S, W> {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        loop {
            match Pin::new(&mut this.frames).poll_next(cx) {
                Poll::Ready(Some(frame)) => {
                    let is_end = matches!(frame, Frame::End(_));
                    let bytes = this.writer.frame(frame);
                    this.last = Instant::now();
                    this.over = is_end;
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(BodyFrame::data(bytes))));
                    }
                    if is_end {
                        return Poll::Ready(None);
                    }
                }
                Poll::Ready(None) => {
                    this.over = true;
                    return Poll::Ready(None);
                }
                Poll::Pending => return this.keep_alive(cx),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over
    }
}

impl<S, W: FrameWriter> Events<S, W> {
    fn keep_alive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Bytes>, std::convert::Infallible>>> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(SILENCE)));
        loop {
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            // The timer is not moved for each frame: when it rings, it is seen how long the silence was.
            let silent = self.last.elapsed();
            if silent >= SILENCE {
                self.last = Instant::now();
                sleep.as_mut().reset(tokio::time::Instant::now() + SILENCE);
                return Poll::Ready(Some(Ok(BodyFrame::data(Bytes::from_static(self.writer.keep_alive())))));
            }
            sleep.as_mut().reset(tokio::time::Instant::now() + (SILENCE - silent));
        }
    }
}
