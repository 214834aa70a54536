//! How a request gets to a gateway: over HTTP, or straight into one in this process.
//!
//! Invariant: both give the same answer to the same request; whoever is above cannot tell them apart.

mod body;
pub(crate) mod connect;
#[cfg(feature = "embedded")]
pub(crate) mod embedded;
pub(crate) mod http;

use std::pin::Pin;

use ::http::{Request, Response};

pub(crate) use self::body::Progress;
pub use self::body::{BodyError, Incoming, Outgoing};
use crate::error::Result;

/// A way to send requests in place of the client that the SDK has.
///
/// The request's address is whole. What it gives is the head of the answer; dropping the answer's
/// body has to end the call. Redirects, retries and timeouts are none of its business. A function
/// from a request to a future is one.
pub trait Transport: Send + Sync {
    /// Sends a request and waits for the head of the answer.
    fn send(&self, request: Request<Outgoing>) -> Sending<'_>;
}

/// What a [`Transport`] gives.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Incoming>>> + Send + 'a>>;

impl<F, R> Transport for F
where
    F: Fn(Request<Outgoing>) -> R + Send + Sync,
    R: Future<Output = Result<Response<Incoming>>> + Send + 'static,
{
    fn send(&self, request: Request<Outgoing>) -> Sending<'_> {
        Box::pin(self(request))
    }
}

/// A way to a gateway.
pub(crate) enum Link {
    Http(Box<http::HttpLink>),
    #[cfg(feature = "embedded")]
    Embedded(embedded::EmbeddedLink),
}

impl Link {
    /// Sends a request whose address is a path, and waits for the head of the answer.
    pub(crate) async fn send(&self, request: Request<Outgoing>) -> Result<Response<Incoming>> {
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
