//! WebSockets: what one side sends the other side gets, and the ledger has the conversation.

use std::time::Duration;

use sabir_store::{Record, Status};
use sabir_types::{ErrorKind, Operation};
use serde_json::{Value, json as value};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::*;

const KEY: &str = "key-of-the-provider-0123456789";

/// One side of a WebSocket, frame by frame.
struct Side {
    stream: TcpStream,
    held: Vec<u8>,
    mask: Option<[u8; 4]>,
}

impl Side {
    /// Sends a frame: the first byte holds its kind and whether it is the last of its message.
    async fn send(&mut self, first: u8, payload: &[u8]) {
        let bit = if self.mask.is_some() { 0x80 } else { 0 };
        let mut out = vec![first];
        match payload.len() {
            short @ 0..=125 => out.push(bit | short as u8),
            middle @ 126..=65535 => {
                out.push(bit | 126);
                out.extend((middle as u16).to_be_bytes());
            }
            long => {
                out.push(bit | 127);
                out.extend((long as u64).to_be_bytes());
            }
        }
        out.extend(self.mask.iter().flatten());
        out.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ self.mask.map_or(0, |mask| mask[at % 4])));
        self.stream.write_all(&out).await.unwrap();
    }

    async fn say(&mut self, event: &Value) {
        self.send(0x81, event.to_string().as_bytes()).await;
    }

    async fn close(&mut self, code: u16, reason: &str) {
        self.send(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat()).await;
    }

    /// The next frame, unmasked; `None` at the end.
    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (first, second) = (self.byte(0).await?, self.byte(1).await?);
        let (mut at, length) = match second & 0x7f {
            126 => (4, usize::from(self.byte(2).await?) << 8 | usize::from(self.byte(3).await?)),
            127 => {
                self.byte(9).await?;
                (10, u64::from_be_bytes(self.held[2..10].try_into().unwrap()) as usize)
            }
            short => (2, usize::from(short)),
        };
        let mut mask = [0; 4];
        if second & 0x80 != 0 {
            self.byte(at + 3).await?;
            mask.copy_from_slice(&self.held[at..at + 4]);
            at += 4;
        }
        if length > 0 {
            self.byte(at + length - 1).await?;
        }
        let payload = self.held[at..at + length].iter().enumerate().map(|(n, byte)| byte ^ mask[n % 4]).collect();
        self.held.drain(..at + length);
        Some((first, payload))
    }

    async fn hear(&mut self) -> Value {
        let (first, payload) = self.frame().await.expect("the connection ended");
        assert_eq!(first, 0x81, "{}", String::from_utf8_lossy(&payload));
        serde_json::from_slice(&payload).unwrap()
    }

    /// The code and the reason of a close frame.
    async fn closed(&mut self) -> (u16, String) {
        let (first, payload) = self.frame().await.expect("the connection ended without a word");
        assert_eq!(first, 0x88);
        (u16::from_be_bytes([payload[0], payload[1]]), String::from_utf8(payload[2..].to_vec()).unwrap())
    }

    async fn byte(&mut self, at: usize) -> Option<u8> {
        while self.held.len() <= at {
            let read =
                tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.held)).await.expect("nothing came");
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
        Some(self.held[at])
    }
}

async fn head(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut held = Vec::new();
    loop {
        if let Some(at) = held.windows(4).position(|w| w == b"\r\n\r\n") {
            let rest = held.split_off(at + 4);
            return (String::from_utf8(held).unwrap(), rest);
        }
        let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut held)).await.expect("no head came").unwrap();
        assert!(read > 0, "the connection ended: {}", String::from_utf8_lossy(&held));
    }
}

fn config(addr: impl std::fmt::Display, more: &str) -> String {
    format!(
        "[provider_types.openai.defaults]\napi_base = \"http://{addr}/v1\"\napi_key_location = \"env::KEY\"\n{more}"
    )
}

fn asking(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: gateway\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-extensions: permessage-deflate\r\n{headers}\r\n"
    )
}

const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: realtime\r\nx-request-id: req_ws\r\n\r\n";

/// A gateway with both sides of an open conversation, and the heads that arrived at each.
async fn open(listener: &TcpListener, gateway: &Gateway, path: &str, headers: &str) -> (Side, Side, String, String) {
    let mut caller = TcpStream::connect(gateway.addr).await.unwrap();
    caller.write_all(asking(path, headers).as_bytes()).await.unwrap();
    let (mut provider, _) = listener.accept().await.unwrap();
    let (asked, _) = head(&mut provider).await;
    provider.write_all(AGREED.as_bytes()).await.unwrap();
    let (agreed, held) = head(&mut caller).await;
    assert!(agreed.starts_with("HTTP/1.1 101 "), "{agreed}");
    let caller = Side { stream: caller, held, mask: Some([1, 2, 3, 4]) };
    (caller, Side { stream: provider, held: Vec::new(), mask: None }, asked, agreed)
}

async fn start(more: &str) -> (TcpListener, Gateway) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = Gateway::with_env(&config(listener.local_addr().unwrap(), more), &[("KEY", KEY)]).await;
    (listener, gateway)
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    std::str::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn only_row(gateway: &Gateway) -> Record {
    gateway.until_rows(1).await.remove(0)
}

#[tokio::test]
async fn a_conversation_goes_both_ways_and_is_recorded() {
    let (listener, gateway) = start("").await;
    let headers = "authorization: Bearer sk-caller\r\nopenai-beta: realtime=v1\r\n\
        sec-websocket-protocol: realtime, openai-insecure-api-key.sk-caller, openai-beta.realtime-v1\r\n";
    let (mut caller, mut provider, asked, agreed) =
        open(&listener, &gateway, "/v1/realtime?model=gpt-realtime&x=%20", headers).await;
    assert!(asked.starts_with("GET /v1/realtime?model=gpt-realtime&x=%20 HTTP/1.1\r\n"), "{asked}");
    let header = |head: &str, name: &str| crate::mock::header(head, name).map(str::to_owned);
    assert_eq!(header(&asked, "authorization"), Some(format!("Bearer {KEY}")));
    assert_eq!(header(&asked, "sec-websocket-protocol").as_deref(), Some("realtime, openai-beta.realtime-v1"));
    assert_eq!(header(&asked, "openai-beta").as_deref(), Some("realtime=v1"));
    assert_eq!(header(&asked, "sec-websocket-key").as_deref(), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    assert!(header(&asked, "sec-websocket-extensions").is_none() && !asked.contains("sk-caller"), "{asked}");
    assert_eq!(header(&agreed, "sec-websocket-accept").as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(header(&agreed, "sec-websocket-protocol").as_deref(), Some("realtime"));

    caller.say(&value!({"type": "input_audio_buffer.append", "audio": "A".repeat(200_000)})).await;
    assert_eq!(provider.hear().await["audio"].as_str().unwrap().len(), 200_000);
    // Frames of one message, with a ping between them, arrive as such.
    caller.send(0x01, br#"{"type":"#).await;
    caller.send(0x89, b"are you there").await;
    caller.send(0x80, br#""response.create"}"#).await;
    assert_eq!(provider.frame().await, Some((0x01, br#"{"type":"#.to_vec())));
    assert_eq!(provider.frame().await, Some((0x89, b"are you there".to_vec())));
    assert_eq!(provider.frame().await, Some((0x80, br#""response.create"}"#.to_vec())));
    provider.send(0x8a, b"are you there").await;
    assert_eq!(caller.frame().await, Some((0x8a, b"are you there".to_vec())));
    provider.send(0x82, &[7; 1000]).await;
    assert_eq!(caller.frame().await, Some((0x82, vec![7; 1000])));
    let usage = value!({"total_tokens": 5, "input_tokens": 2, "output_tokens": 3});
    for _ in 0..2 {
        provider.say(&value!({"type": "response.done", "response": {"usage": usage}})).await;
        caller.hear().await;
    }
    caller.close(1000, "bye").await;
    assert_eq!(provider.closed().await, (1000, "bye".into()));
    provider.close(1000, "bye").await;
    assert_eq!(caller.closed().await, (1000, "bye".into()));
    // Whoever has seen the end finds the row.
    let rows = gateway.rows().await;
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.inference.operation, row.inference.status), (Operation::Realtime, Status::Ok));
    assert_eq!((row.inference.model.as_str(), row.inference.usage.total()), ("gpt-realtime", Some(10)));
    assert_eq!((row.calls[0].http_status, row.calls[0].request_id.as_deref()), (Some(101), Some("req_ws")));
    let said = lines(&row.calls[0].raw_request);
    assert_eq!(said[0]["event"]["audio"], value!({"sabir::not_kept": {"base64_bytes": 200_000}}));
    assert_eq!((&said[1]["event"]["type"], &said[2]["close"]["code"]), (&value!("response.create"), &value!(1000)));
    let heard = lines(&row.calls[0].raw_response);
    assert_eq!((heard.len(), &heard[0]["binary"]), (4, &value!({"sabir::not_kept": {"bytes": 1000}})));
    assert!(!format!("{row:?}").contains("sk-caller") && !format!("{row:?}").contains(KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_64_mib_passes_and_who_reads_slowly_slows_the_other() {
    let (listener, gateway) = start("").await;
    let (mut caller, mut provider, ..) = open(&listener, &gateway, "/v1/realtime?model=m", "").await;
    let large = vec![b'x'; 64 * 1024 * 1024];
    let sending = tokio::spawn(async move {
        provider.send(0x82, &large).await;
        provider
    });
    // Nobody reads yet: it cannot have been taken.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!sending.is_finished(), "64 MiB were swallowed");
    let (first, payload) = caller.frame().await.unwrap();
    assert_eq!((first, payload.len()), (0x82, 64 * 1024 * 1024));
    let mut provider = sending.await.unwrap();
    let ((), frame) = tokio::join!(caller.send(0x82, &payload), provider.frame());
    assert_eq!(frame.unwrap().1.len(), 64 * 1024 * 1024);
}

#[tokio::test]
async fn a_model_goes_to_its_provider() {
    let (_usual, gateway_listener) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let addr = gateway_listener.local_addr().unwrap().to_string();
    let azure = format!(
        "[models.az.providers.a]\ntype = \"azure\"\ndeployment_id = \"my-rt\"\nendpoint = \"http://{addr}\"\napi_version = \"2025-04-01-preview\"\napi_key_location = \"env::KEY\"\n"
    );
    let toml = format!("[models.mine]\n{}{azure}", provider("mine", "a", &addr, ""));
    let gateway = Gateway::with_env(&toml, &[("KEY", KEY)]).await;
    for (path, arrived) in [
        ("/v1/realtime?model=mine", "/v1/realtime?model=up-1"),
        ("/openai/realtime?api-version=2024-10-01-preview&deployment=mine", "/v1/realtime?model=up-1"),
        ("/v1/realtime/translations?model=mine", "/v1/realtime/translations?model=up-1"),
        ("/v1/live?model=mine", "/v1/live?model=up-1"),
        ("/v1/responses?model=mine", "/v1/responses?model=up-1"),
        ("/v1/realtime?model=az", "/openai/realtime?deployment=my-rt&api-version=2025-04-01-preview"),
        (
            "/openai/realtime?api-version=2024-10-01-preview&deployment=az",
            "/openai/realtime?api-version=2024-10-01-preview&deployment=my-rt",
        ),
    ] {
        let (_caller, _provider, asked, _) = open(&gateway_listener, &gateway, path, "").await;
        assert!(asked.starts_with(&format!("GET {arrived} HTTP/1.1\r\n")), "{path}: {asked}");
    }
    // Without a model of ours there is nowhere to go.
    let mut client = gateway.client().await;
    client.write(asking("/v1/realtime?model=gpt", "").as_bytes()).await;
    assert!(client.answer().await.error(404)["message"].as_str().unwrap().contains("OPENAI_API_KEY"));
}

#[tokio::test]
async fn a_handshake_that_is_refused_is_an_answer() {
    let (listener, gateway) = start("").await;
    let mut client = gateway.client().await;
    client.write(asking("/v1/realtime?model=m", "").as_bytes()).await;
    let (mut provider, _) = listener.accept().await.unwrap();
    head(&mut provider).await;
    let body =
        r#"{"error":{"message":"no such model","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#;
    let said = format!(
        "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    provider.write_all(said.as_bytes()).await.unwrap();
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (404, body));
    let row = gateway.row(&answer).await;
    assert_eq!((row.inference.operation, row.inference.error.unwrap().0), (Operation::Realtime, ErrorKind::NotFound));
}

#[tokio::test]
async fn a_browsers_key_is_a_key() {
    let (listener, gateway) = start("[gateway.auth.keys]\nweb = \"env::KEY\"\n").await;
    let mut client = gateway.client().await;
    client.write(asking("/v1/realtime?model=m", "").as_bytes()).await;
    client.answer().await.error(401);
    let headers = format!("sec-websocket-protocol: realtime, openai-insecure-api-key.{KEY}\r\n");
    let (mut caller, _provider, ..) = open(&listener, &gateway, "/v1/realtime?model=m", &headers).await;
    caller.close(1000, "").await;
    drop((caller, _provider));
    assert_eq!(only_row(&gateway).await.inference.caller.as_deref(), Some("web"));
}

#[tokio::test]
async fn whoever_ends_it_the_row_says_how() {
    for (who, status, kind) in [
        ("provider closes with 1011", Status::Error, Some(ErrorKind::Upstream)),
        ("provider breaks off", Status::Error, Some(ErrorKind::Connection)),
        ("caller breaks off", Status::Cancelled, Some(ErrorKind::Cancelled)),
        ("caller closes", Status::Ok, None),
    ] {
        let (listener, gateway) = start("").await;
        let (mut caller, mut provider, ..) = open(&listener, &gateway, "/v1/realtime?model=m", "").await;
        caller.say(&value!({"type": "hello"})).await;
        provider.hear().await;
        match who {
            "provider closes with 1011" => {
                provider.close(1011, "broken").await;
                assert_eq!(caller.closed().await, (1011, "broken".into()));
                caller.close(1011, "").await;
                assert_eq!(provider.closed().await.0, 1011);
                drop(provider);
            }
            "provider breaks off" => {
                drop(provider);
                assert_eq!(caller.frame().await, None);
            }
            "caller breaks off" => {
                drop(caller);
                assert_eq!(provider.frame().await, None);
                drop(provider);
            }
            _ => {
                caller.close(1000, "").await;
                assert_eq!(provider.closed().await.0, 1000);
                drop((caller, provider));
            }
        }
        let row = only_row(&gateway).await.inference;
        assert_eq!((row.status, row.error.map(|error| error.0)), (status, kind), "{who}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_and_then_says_goodbye() {
    let (listener, mut gateway) = start("[gateway]\nshutdown_grace_ms = 400\n").await;
    let (mut caller, mut provider, ..) = open(&listener, &gateway, "/v1/realtime?model=m", "").await;
    let talk = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(150)).await;
        caller.say(&value!({"type": "still here"})).await;
        (provider.hear().await, caller.closed().await, provider.closed().await)
    });
    gateway.stop().await;
    let (heard, to_caller, to_provider) = talk.await.unwrap();
    assert_eq!(heard["type"], "still here");
    assert_eq!((to_caller.0, to_provider.0), (1001, 1001));
    let row = only_row(&gateway).await;
    assert_eq!(row.inference.status, Status::Cancelled);
    assert_eq!(lines(&row.calls[0].raw_request)[0]["event"]["type"], "still here");
}
