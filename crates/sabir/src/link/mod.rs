//! How a request gets to a gateway: over HTTP, or straight into one in this process.
//!
//! Invariant: both give the same answer to the same request; whoever is above cannot tell them apart.

#[cfg(feature = "embedded")]
pub(crate) mod embedded;
pub(crate) mod http;

use std::error::Error as StdError;

use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{Full, combinators::UnsyncBoxBody};

use crate::error::Result;

/// The body of an answer that has not been read yet. Dropping it ends the call.
pub(crate) type Body = UnsyncBoxBody<Bytes, Box<dyn StdError + Send + Sync>>;

/// A way to a gateway.
pub(crate) enum Link {
    Http(Box<http::HttpLink>),
    #[cfg(feature = "embedded")]
    Embedded(embedded::EmbeddedLink),
}

impl Link {
    /// Sends a request whose address is a path, and waits for the head of the answer.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>> {
        match self {
            Self::Http(link) => link.send(request).await,
            #[cfg(feature = "embedded")]
            Self::Embedded(link) => link.send(request).await,
        }
    }

    /// Lets go of everything that it holds.
    pub(crate) async fn close(&self) -> Result<()> {
        match self {
            Self::Http(_) => Ok(()),
            #[cfg(feature = "embedded")]
            Self::Embedded(link) => link.close().await,
        }
    }
}
