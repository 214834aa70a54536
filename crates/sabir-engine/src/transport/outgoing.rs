//! A request's body on its way out: whole, or piece by piece as the caller sends it.
//!
//! Invariant: a body that is sent piece by piece is never kept, so it is sent once.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::Full;
use sabir_types::{Error, Result};

/// The pieces of a body.
pub(crate) type Pieces = Pin<Box<dyn futures_core::Stream<Item = Result<Bytes>> + Send>>;

/// A request's body.
pub(crate) enum Outgoing {
    /// All of it, which can be sent again.
    Whole(Full<Bytes>),
    /// What is still to come, and how much that is, if it is known.
    Streamed {
        /// The pieces.
        pieces: Pieces,
        /// How many bytes are left.
        left: Option<u64>,
        /// Whether the last piece was there.
        ended: bool,
    },
}

impl Outgoing {
    pub(crate) fn streamed(pieces: Pieces, length: Option<u64>) -> Self {
        Self::Streamed { pieces, left: length, ended: false }
    }

    /// The same body once more, if it is whole.
    pub(super) fn again(&self) -> Option<Self> {
        match self {
            Self::Whole(body) => Some(Self::Whole(body.clone())),
            Self::Streamed { .. } => None,
        }
    }
}

impl From<Bytes> for Outgoing {
    fn from(body: Bytes) -> Self {
        Self::Whole(Full::new(body))
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Whole(_)) { "Whole" } else { "Streamed" })
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Whole(body) => {
                Pin::new(body).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
            }
            Self::Streamed { pieces, left, ended } => {
                let piece = std::task::ready!(pieces.as_mut().poll_next(cx));
                match &piece {
                    Some(Ok(piece)) => *left = left.map(|left| left.saturating_sub(piece.len() as u64)),
                    _ => *ended = true,
                }
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Streamed { left, ended, .. } => *ended || *left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Streamed { left, .. } => left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
