//! WebSockets: opened to the provider, then both sides are joined.
//!
//! Invariant: what one side sends is what the other side gets, frame by frame and byte by byte; what
//! a caller can take for the end of a conversation goes out when its row is committed.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use parking_lot::Mutex;
use sabir_store::{Ack, Status};
use sabir_types::{Error, ErrorKind, Operation, Result, Usage};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::{
    Chosen, Relay, RelayBody, Relayed,
    answer::Session,
    choose, facts, failed,
    frames::{Frames, Said},
    head, headers, late, open, received,
    transcript::Transcript,
};
use crate::{
    call::Failure,
    config::Config,
    engine::Engine,
    key, pipeline,
    record::{Outcome, Recorder},
    transport::{Outgoing, Upgrade},
};

/// A subprotocol that is a key in disguise: browsers cannot send headers.
pub const KEY_PROTOCOL: &str = "openai-insecure-api-key.";
/// How much is read at once.
const PIECE: usize = 64 * 1024;
/// How long one side may take to go after the other has gone.
const FAREWELL: Duration = Duration::from_secs(10);
/// Close frames that the gateway itself sends, without a mask and with one: 1001, going away.
const GOING: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];
const GOING_MASKED: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

/// The answer to a request for a WebSocket.
#[derive(Debug)]
pub enum Connection {
    /// The provider agrees: the answer with status 101, and what joins the two sides afterwards.
    Open(Box<Relayed>, Box<Tunnel>),
    /// It answers otherwise.
    Refused(Box<Relayed>),
}

/// The provider's side of a WebSocket.
pub struct Tunnel {
    io: hyper_util::rt::TokioIo<hyper::upgrade::Upgraded>,
    record: Arc<Mutex<Record>>,
    durable: bool,
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tunnel")
    }
}

/// Opens a WebSocket to a provider.
pub(crate) async fn connect(engine: Arc<Engine>, relay: Relay) -> Result<Connection, Box<Failure>> {
    let config = engine.config();
    let mut recorder = open(&engine, &config, &relay, Operation::Realtime);
    let chosen = match choose(&config, &relay, &mut RelayBody::default(), None) {
        Ok(chosen) => chosen,
        Err(error) => return Err(failed(&relay, error, recorder, None).await),
    };
    recorder.about(&chosen.model, &chosen.endpoint);
    recorder.streamed(true);
    let (_, sent) = RelayBody::default().sending(&HeaderMap::new());
    let session = Session::new(recorder, sent, pipeline::is_durable(&config));
    match handshake(&engine, &config, &relay, &chosen, session).await {
        Ok(connection) => Ok(connection),
        Err((error, session)) => {
            let (recorder, sent) = session.into_parts();
            Err(failed(&relay, error, recorder, Some(sent)).await)
        }
    }
}

async fn handshake(
    engine: &Engine,
    config: &Config,
    relay: &Relay,
    chosen: &Chosen,
    mut session: Session,
) -> Result<Connection, (Error, Session)> {
    let endpoint = &*chosen.endpoint;
    let none = std::collections::HashMap::new();
    let key = match key::get(engine, endpoint, &none).await {
        Ok(key) => key,
        Err(error) => return Err((error, session)),
    };
    session.recorder().begin(endpoint, relay.family.protocol());
    let tables = [&endpoint.timeouts, &config.gateway.timeouts];
    let connect = tables.iter().find_map(|t| t.connect).unwrap_or(pipeline::CONNECT);
    let first = tables.iter().find_map(|t| t.first_event).unwrap_or(super::PATIENCE);
    let opened = async {
        let mut parts = head(relay, endpoint, &key)?;
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Some(protocols) = protocols(&relay.headers) {
            parts.headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocols);
        }
        let request = http::Request::from_parts(parts, Outgoing::from(Bytes::new()));
        match tokio::time::timeout(first, engine.transport().upgrade(request, connect)).await {
            Ok(opened) => opened,
            Err(_) => Err(late(endpoint, first, "its handshake")),
        }
    };
    match opened.await {
        Err(error) => Err((error, session)),
        Ok(Upgrade::Refused(inbound)) => {
            let relayed = received(engine, config, relay, chosen, &key, inbound, session).await?;
            Ok(Connection::Refused(Box::new(relayed)))
        }
        Ok(Upgrade::Switched { headers: mut theirs, io }) => {
            let request_id = theirs.get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
            session.recorder().answered(StatusCode::SWITCHING_PROTOCOLS.as_u16(), request_id);
            headers::answer(&mut theirs);
            // Nobody was asked for any, so there are none.
            theirs.remove(header::SEC_WEBSOCKET_EXTENSIONS);
            theirs.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            theirs.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            let facts = facts(relay, chosen, theirs, &mut session);
            let (recorder, _) = session.into_parts();
            let record = Record {
                recorder: Some(recorder),
                caller: Transcript::new(relay.started),
                provider: Transcript::new(relay.started),
                usage: Usage::default(),
                closed: None,
            };
            let tunnel = Tunnel { io, record: Arc::new(Mutex::new(record)), durable: pipeline::is_durable(config) };
            let relayed = Relayed { status: StatusCode::SWITCHING_PROTOCOLS, facts, body: super::RelayedBody::none() };
            Ok(Connection::Open(Box::new(relayed), Box::new(tunnel)))
        }
    }
}

/// The subprotocols that the caller offers, without those that are keys.
fn protocols(headers: &HeaderMap) -> Option<HeaderValue> {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter().filter_map(|value| value.to_str().ok());
    let names = offered.flat_map(|value| value.split(',')).map(str::trim);
    let kept: Vec<&str> = names.filter(|name| !name.is_empty() && !name.starts_with(KEY_PROTOCOL)).collect();
    if kept.is_empty() { None } else { HeaderValue::from_str(&kept.join(", ")).ok() }
}

impl Tunnel {
    /// Joins the caller's side to the provider's until one of them ends it, or `stop` does.
    pub async fn join(self, caller: impl AsyncRead + AsyncWrite + Unpin, stop: CancellationToken) {
        let (mut from_caller, mut to_caller) = tokio::io::split(caller);
        let (mut from_provider, mut to_provider) = tokio::io::split(self.io);
        let record = &self.record;
        let durable = self.durable;
        let mut up = Frames::default();
        let mut down = Frames::default();
        let is_stopped = {
            let upwards = carry(&mut from_caller, &mut to_provider, &mut up, |said| {
                record.lock().note(said, Side::Caller);
                None
            });
            let downwards = carry(&mut from_provider, &mut to_caller, &mut down, |said| {
                let mut record = record.lock();
                record.note(said, Side::Provider);
                // The caller may take this for the end.
                if matches!(said, Said::Close(..)) && durable { record.settle(None) } else { None }
            });
            let (mut upwards, mut downwards) = (std::pin::pin!(upwards), std::pin::pin!(downwards));
            let (left, goes_on) = tokio::select! {
                () = stop.cancelled() => (None, None),
                gone = &mut upwards => {
                    let left = gone.of(Side::Caller, Side::Provider);
                    // What is still on its way back may end the conversation properly.
                    drop(tokio::time::timeout(FAREWELL, &mut downwards).await);
                    (Some(left), None)
                }
                gone = &mut downwards => (Some(gone.of(Side::Provider, Side::Caller)), Some(upwards)),
            };
            let is_closed = record.lock().closed.is_some();
            let error = match left {
                None => Some(Error::new(ErrorKind::Cancelled, "the gateway was stopped before the end")),
                Some(_) if is_closed => None,
                Some(Side::Caller) => Some(Error::new(ErrorKind::Cancelled, "the caller left before the end")),
                Some(Side::Provider) => {
                    Some(Error::new(ErrorKind::Connection, "the provider broke off the conversation"))
                }
            };
            let ack = record.lock().settle(error);
            if let Some(Err(lost)) = async { Some(ack?.wait().await) }.await {
                tracing::error!(error = %lost, "a conversation could not be recorded");
            }
            if let Some(rest) = goes_on {
                drop(tokio::time::timeout(FAREWELL, rest).await);
            }
            left.is_none()
        };
        if is_stopped {
            // Nobody wants to know whether they hear it.
            if down.is_between() {
                drop(tokio::time::timeout(FAREWELL, to_caller.write_all(&GOING)).await);
            }
            if up.is_between() {
                drop(tokio::time::timeout(FAREWELL, to_provider.write_all(&GOING_MASKED)).await);
            }
        }
        drop(to_caller.shutdown().await);
        drop(to_provider.shutdown().await);
    }
}

/// Carries bytes from one side to the other until there are no more. `tell` hears what was said
/// before it is passed on, and may have it wait.
async fn carry(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    frames: &mut Frames,
    mut tell: impl FnMut(&Said) -> Option<Ack>,
) -> Gone {
    let mut piece = vec![0; PIECE];
    let mut said = Vec::new();
    loop {
        let Ok(read @ 1..) = from.read(&mut piece).await else {
            drop(to.shutdown().await);
            return Gone::Source;
        };
        frames.feed(&piece[..read], &mut said);
        for said in said.drain(..) {
            if let Some(ack) = tell(&said)
                && let Err(lost) = ack.wait().await
            {
                // An end that is not written down is not told.
                tracing::error!(error = %lost, "a conversation could not be recorded");
                return Gone::Source;
            }
        }
        if to.write_all(&piece[..read]).await.is_err() || to.flush().await.is_err() {
            return Gone::Sink;
        }
    }
}

/// Who ended a direction: the side that it comes from, or the one that it goes to.
enum Gone {
    Source,
    Sink,
}

impl Gone {
    fn of(self, source: Side, sink: Side) -> Side {
        match self {
            Self::Source => source,
            Self::Sink => sink,
        }
    }
}

#[derive(Clone, Copy)]
enum Side {
    Caller,
    Provider,
}

/// The row of a conversation in the making.
struct Record {
    recorder: Option<Recorder>,
    caller: Transcript,
    provider: Transcript,
    usage: Usage,
    /// How it was ended, by whoever said so first.
    closed: Option<(bool, Option<u16>, String)>,
}

impl Record {
    fn note(&mut self, said: &Said, side: Side) {
        let is_provider = matches!(side, Side::Provider);
        if let Some(recorder) = self.recorder.as_mut().filter(|_| is_provider) {
            recorder.first_event();
        }
        if let (Said::Close(code, reason), None) = (said, &self.closed) {
            self.closed = Some((is_provider, *code, reason.clone()));
        }
        let transcript = if is_provider { &mut self.provider } else { &mut self.caller };
        transcript.note(said, &mut self.usage);
    }

    /// Closes the row; only the first time counts.
    fn settle(&mut self, error: Option<Error>) -> Option<Ack> {
        let mut recorder = self.recorder.take()?;
        recorder.sent(self.caller.take(), true);
        recorder.received(self.provider.take());
        let error = error.or_else(|| match &self.closed {
            // 1000 and 1001 are a good end, and no code at all is none of a bad one.
            Some((true, Some(code), reason)) if !matches!(code, 1000 | 1001) => Some(Error::new(
                ErrorKind::Upstream,
                format!("the provider ended the conversation with {code}: {reason}"),
            )),
            _ => None,
        });
        let status = match error.as_ref().map(Error::kind) {
            None => Status::Ok,
            Some(ErrorKind::Cancelled) => Status::Cancelled,
            Some(_) => Status::Error,
        };
        let outcome = Outcome { usage: std::mem::take(&mut self.usage), error, ..Outcome::default() };
        if status == Status::Cancelled {
            recorder.cancel(None, &outcome);
            return None;
        }
        recorder.end(&outcome);
        Some(recorder.close(status, None, &outcome))
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let left = Error::new(ErrorKind::Cancelled, "the conversation was cut off");
        drop(self.settle(Some(left)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_no_protocol() {
        let offered = |value: &'static str| {
            protocols(&[(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(value))].into_iter().collect())
        };
        let kept = offered("realtime, openai-insecure-api-key.sk-x,openai-beta.realtime-v1");
        assert_eq!(kept, Some(HeaderValue::from_static("realtime, openai-beta.realtime-v1")));
        assert_eq!(offered("openai-insecure-api-key.sk-x"), None);
    }
}
