//! The Model Manager door beside the OpenAI door of the same gateway, and the callers' gRPC client.
//!
//! Invariant: both doors carry the same conversation to the same upstream in the same rounds; what
//! HTTP/2 and its client cost by themselves is a row of its own.

use std::{fs, io, net::SocketAddr, time::Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;

use super::{
    Options,
    client::Seen,
    load::Shot,
    mock,
    process::Process,
    report::Table,
    scenarios::{CALLS, CHUNKS, Folder, How, READY, STREAMS, Target, body, config_for, table},
};
use crate::doors::model_manager;

/// What the gateway prints when its second port is ready, before the address.
const READY_GRPC: &str = "sabir grpc listening on ";
/// How durable the ledgers are.
const DURABILITIES: [&str; 2] = ["durable", "off"];
/// A call that does nothing, on the same port.
const HEALTH: &str = "/grpc.health.v1.Health/Check";
const INVOKE: &str = "/model_service.ModelService/Invoke";

/// Measures both doors of gateways with and without a ledger.
pub(super) async fn measure(options: &Options, folder: &Folder, tables: &mut Vec<Table>) -> Result<()> {
    let chunks = CHUNKS.to_string();
    let args = ["bench", "mock", "--port", "0", "--protocol", "openai", "--chunks", &chunks];
    let upstream = Process::start(&args, mock::READY, &folder.sub("grpc-upstream")?)?;
    let mut gateways = Vec::new();
    for durability in DURABILITIES {
        let home = folder.sub(&format!("grpc-{durability}"))?;
        let config = home.join("sabir.toml");
        fs::write(&config, config_for(durability, upstream.address))
            .with_context(|| format!("{} could not be written", config.display()))?;
        let args = ["serve", "--config", "sabir.toml", "--bind", "127.0.0.1:0", "--grpc-bind", "127.0.0.1:0"];
        let gateway = Process::start(&args, READY, &home)?;
        let second = gateway.listens(READY_GRPC)?;
        gateways.push((durability, gateway, second));
    }
    for stream in [false, true] {
        let events = stream.then_some(CHUNKS);
        let json = body("bench", stream, false);
        let http = |name: String, to: &Process, gateway| Target {
            name,
            address: to.address,
            shot: Shot::new(&to.address.to_string(), "/v1/chat/completions", &json, events),
            gateway,
            upstream: upstream.pid(),
        };
        let mut targets = vec![http("direct".to_owned(), &upstream, None)];
        for (durability, gateway, second) in &gateways {
            let pid = Some(gateway.pid());
            targets.push(http(format!("openai {durability}"), gateway, pid));
            let over_grpc = |name: String, path, message: Vec<u8>, events| Target {
                name,
                address: *second,
                shot: Shot { request: framed(&message).into(), events, marked: true, grpc: Some(path) },
                gateway: pid,
                upstream: upstream.pid(),
            };
            let message = model_manager::message("openai", "chat-completions", &json).encode_to_vec();
            targets.push(over_grpc(format!("grpc {durability}"), INVOKE, message, events));
            if !stream {
                targets.push(over_grpc(format!("grpc {durability}, empty call"), HEALTH, Vec::new(), None));
            }
        }
        let calls = options.requests;
        let (key, title, how, columns) = match stream {
            false => ("grpc", "The Model Manager door, one call after another".to_owned(), How::One(calls), CALLS),
            true => {
                let title = format!("The Model Manager door, a stream of {CHUNKS} chunks");
                ("grpc_stream", title, How::One((calls / 10).max(1)), STREAMS)
            }
        };
        tables.push(table(key, title, &targets, how, options.rounds, columns).await?);
    }
    Ok(())
}

/// A message as gRPC puts it into a body: not compressed, with its length before it.
fn framed(message: &[u8]) -> Vec<u8> {
    let mut out = vec![0];
    out.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(message);
    out
}

/// A connection that is kept.
#[derive(Debug)]
pub(super) struct Connection {
    send: SendRequest<Full<Bytes>>,
    authority: String,
}

impl Connection {
    /// Connects.
    pub(super) async fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let (send, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // It ends with the connection; a call that is cut off says why.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { send, authority: to.to_string() })
    }

    /// Sends a request and reads all of the answer. Each message is an event.
    pub(super) async fn call(&mut self, path: &str, message: &[u8], seen: &mut Seen) -> io::Result<bool> {
        seen.clear();
        let request = Request::post(format!("http://{}{path}", self.authority))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", "Bearer bench")
            .body(Full::new(Bytes::copy_from_slice(message)))
            .map_err(io::Error::other)?;
        let response = self.send.send_request(request).await.map_err(io::Error::other)?;
        seen.status = response.status().as_u16();
        let mut is_good = response.headers().get("grpc-status").is_none_or(|status| status == "0");
        let mut messages = Messages::default();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(io::Error::other)?;
            if let Some(trailers) = frame.trailers_ref() {
                is_good &= trailers.get("grpc-status").is_none_or(|status| status == "0");
                seen.done = true;
            } else if let Some(data) = frame.data_ref() {
                let now = Instant::now();
                seen.bytes += data.len();
                seen.events.extend((0..messages.feed(data)).map(|_| now));
            }
        }
        if !is_good {
            return Err(io::Error::other("the call ended with an error's status"));
        }
        Ok(true)
    }
}

/// Where in a message the bytes are.
#[derive(Debug, Default)]
struct Messages {
    head: Vec<u8>,
    left: usize,
}

impl Messages {
    /// How many messages these bytes complete.
    fn feed(&mut self, mut data: &[u8]) -> usize {
        let mut whole = 0;
        while !data.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(data.len());
                self.left -= taken;
                data = &data[taken..];
            } else {
                let taken = (5 - self.head.len()).min(data.len());
                self.head.extend_from_slice(&data[..taken]);
                data = &data[taken..];
                let [_, length @ ..] = &self.head[..] else { continue };
                let Ok(length) = <[u8; 4]>::try_from(length) else { continue };
                self.left = u32::from_be_bytes(length) as usize;
                self.head.clear();
            }
            if self.left == 0 && self.head.is_empty() {
                whole += 1;
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_however_they_are_cut() {
        let bytes = [framed(b"one"), framed(b""), framed(b"three")].concat();
        for size in 1..=bytes.len() {
            let mut messages = Messages::default();
            let whole: usize = bytes.chunks(size).map(|piece| messages.feed(piece)).sum();
            assert_eq!(whole, 3, "in pieces of {size}");
        }
    }

    #[test]
    fn the_message_is_the_same_conversation() {
        for stream in [false, true] {
            let message = model_manager::message("openai", "chat-completions", &body("bench", stream, false));
            assert_eq!((message.provider.as_str(), message.stream), ("openai", stream));
            let extra = message.extra.unwrap();
            assert_eq!(extra.fields["model"].kind, prost_types::Value::from("bench").kind);
            assert!(extra.fields.contains_key("messages") && extra.fields.contains_key("max_tokens"));
        }
    }

    #[tokio::test]
    async fn a_call_over_grpc_is_read_to_its_end() {
        use sabir_engine::{
            Engine,
            config::{Config, Source, env::Env},
        };
        let upstream = mock::spawn(mock::Protocol::Openai, 10, std::time::Duration::ZERO).await;
        let source = Source::Text { name: "sabir.toml".into(), text: config_for("off", upstream) };
        let env = Env::default();
        let config = Config::load(&[source], &env).unwrap_or_else(|problems| panic!("{problems}"));
        let app = crate::app::App::new(Engine::new(config, &env, None).unwrap());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = model_manager::router(app).await.unwrap();
        let grace = std::time::Duration::ZERO;
        tokio::spawn(crate::serve::serve_grpc(listener, None, 100, router, std::future::pending(), grace));

        let mut connection = Connection::open(address).await.unwrap();
        let mut seen = Seen::default();
        let ask = |stream| {
            framed(&model_manager::message("openai", "chat-completions", &body("bench", stream, false)).encode_to_vec())
        };
        connection.call(INVOKE, &ask(false), &mut seen).await.unwrap();
        assert_eq!((seen.status, seen.events.len(), seen.done), (200, 1, true));
        connection.call(INVOKE, &ask(true), &mut seen).await.unwrap();
        assert!(seen.events.len() >= 10 && seen.done);
        connection.call(HEALTH, &framed(b""), &mut seen).await.unwrap();
        assert!(seen.bytes > 5);
        assert!(connection.call("/model_service.ModelService/None", &framed(b""), &mut seen).await.is_err());
    }
}
