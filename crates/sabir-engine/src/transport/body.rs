//! An answer's body, piece by piece.
//!
//! Invariant: an HTTP/1 connection goes back to the pool only after the whole body was read.

use std::{
    fmt,
    io::Write as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use hyper::body::Incoming;
use sabir_types::{Error, Result};

use super::pool::{Driver, Key, Pool};
use crate::hide::Hide;

type Http1Send = hyper::client::conn::http1::SendRequest<super::Outgoing>;

/// An HTTP/1 connection in use, and where it goes afterwards.
type Borrowed = (Http1Send, Driver, Arc<Pool>, Key);

/// An answer's body. Dropping it before the end gives up the exchange.
pub(crate) struct Body {
    incoming: Incoming,
    link: Option<Box<Borrowed>>,
    inflate: Option<Box<Inflate>>,
    hide: Option<Hide>,
    done: bool,
}

/// Undoes a content encoding that a provider used without being asked.
enum Inflate {
    Gzip(flate2::write::MultiGzDecoder<Vec<u8>>),
    Deflate(flate2::write::ZlibDecoder<Vec<u8>>),
}

impl Inflate {
    fn feed(&mut self, bytes: &[u8]) -> std::io::Result<Bytes> {
        let out = match self {
            Self::Gzip(decoder) => {
                decoder.write_all(bytes)?;
                decoder.flush()?;
                decoder.get_mut()
            }
            Self::Deflate(decoder) => {
                decoder.write_all(bytes)?;
                decoder.flush()?;
                decoder.get_mut()
            }
        };
        Ok(std::mem::take(out).into())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("done", &self.done).finish_non_exhaustive()
    }
}

impl Body {
    pub(super) fn http1(incoming: Incoming, send: Http1Send, driver: Driver, pool: Arc<Pool>, key: Key) -> Self {
        Self { incoming, link: Some(Box::new((send, driver, pool, key))), inflate: None, hide: None, done: false }
    }

    /// A body whose connection somebody else drives.
    pub(super) fn shared(incoming: Incoming) -> Self {
        Self { incoming, link: None, inflate: None, hide: None, done: false }
    }

    /// Undoes this content encoding from now on.
    pub(super) fn decoded(mut self, encoding: &[u8]) -> Result<Self> {
        self.inflate = match encoding {
            b"" | b"identity" => None,
            b"gzip" | b"x-gzip" => Some(Box::new(Inflate::Gzip(flate2::write::MultiGzDecoder::new(Vec::new())))),
            b"deflate" => Some(Box::new(Inflate::Deflate(flate2::write::ZlibDecoder::new(Vec::new())))),
            other => {
                let other = String::from_utf8_lossy(other);
                return Err(Error::bad_upstream(format!(
                    "the answer has content encoding `{other}`, which nobody asked for"
                )));
            }
        };
        Ok(self)
    }

    /// Keeps a credential out of it from now on.
    pub(crate) fn hide(&mut self, hide: Option<Hide>) {
        self.hide = hide;
    }

    /// The next piece; `None` at the end.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            let piece = self.poll_raw(cx);
            let Some(hide) = &mut self.hide else { return piece };
            let piece = match piece {
                Poll::Ready(Some(Ok(piece))) => hide.feed(piece),
                Poll::Ready(None) => match hide.rest() {
                    rest if rest.is_empty() => return Poll::Ready(None),
                    rest => rest,
                },
                other => return other,
            };
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(piece)));
            }
        }
    }

    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if self.done {
            return Poll::Ready(None);
        }
        loop {
            let incoming = &mut self.incoming;
            let frame = match &mut self.link {
                Some(link) => link.1.with(cx, |cx| Pin::new(&mut *incoming).poll_frame(cx)),
                None => Pin::new(incoming).poll_frame(cx),
            };
            return match frame {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if data.is_empty() => continue,
                    Ok(data) => {
                        // A body of known length may be over with this piece.
                        if self.incoming.is_end_stream() {
                            self.end(cx);
                        }
                        let Some(inflate) = &mut self.inflate else { return Poll::Ready(Some(Ok(data))) };
                        match inflate.feed(&data) {
                            Ok(data) if data.is_empty() && !self.done => continue,
                            Ok(data) if data.is_empty() => Poll::Ready(None),
                            Ok(data) => Poll::Ready(Some(Ok(data))),
                            Err(error) => {
                                self.done = true;
                                let text = "the answer is not what its content encoding says";
                                Poll::Ready(Some(Err(Error::bad_upstream(text).with_source(error))))
                            }
                        }
                    }
                    // Trailers say nothing that anybody here needs.
                    Err(_) => continue,
                },
                Poll::Ready(Some(Err(error))) => {
                    self.done = true;
                    let key = self.link.take().map_or_else(|| "the provider".to_owned(), |link| link.3.to_string());
                    Poll::Ready(Some(Err(Error::new(
                        sabir_types::ErrorKind::Connection,
                        format!("{key} broke off its answer: {}", super::chain(&error)),
                    ))))
                }
                Poll::Ready(None) => {
                    self.end(cx);
                    Poll::Ready(None)
                }
            };
        }
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Option<Result<Bytes>> {
        std::future::poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// All of it, if it is not more than `limit` bytes.
    pub(crate) async fn all(&mut self, limit: usize) -> Result<Bytes> {
        let Some(first) = self.chunk().await.transpose()? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await.transpose()? else { return Ok(first) };
        let expected = self.incoming.size_hint().lower() as usize;
        let mut all = BytesMut::with_capacity((first.len() + second.len()).saturating_add(expected).min(limit));
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
        while let Some(more) = self.chunk().await.transpose()? {
            if all.len() + more.len() > limit {
                return Err(Error::bad_upstream(format!("the answer is over the limit of {limit} bytes")));
            }
            all.extend_from_slice(&more);
        }
        Ok(all.freeze())
    }

    fn end(&mut self, cx: &mut Context<'_>) {
        self.done = true;
        if let Some(link) = self.link.take() {
            let (send, mut driver, pool, key) = *link;
            // The connection notices only now that it is free for the next request.
            driver.turn(cx);
            pool.put(key, send, driver);
        }
    }
}
