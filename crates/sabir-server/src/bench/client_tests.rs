//! The callers' client: framings in every way of cutting them up, and a real connection.

use std::time::Duration;

use super::*;
use crate::bench::mock::{self, Protocol};

/// Feeds an answer in parts of some length; the body and whether it ended.
fn fed(answer: &str, part: usize) -> io::Result<(Vec<u8>, bool, Seen)> {
    let mut seen = Seen::default();
    let end = answer.find("\r\n\r\n").unwrap() + 4;
    let mut framing = head(&answer.as_bytes()[..end], &mut seen)?;
    let mut body = Vec::new();
    let now = Instant::now();
    for bytes in answer.as_bytes()[end..].chunks(part) {
        let mut take = |payload: &[u8]| {
            body.extend_from_slice(payload);
            seen.take(payload, true, now);
        };
        framing.feed(bytes, &mut take)?;
    }
    Ok((body, framing.ended(), seen))
}

#[test]
fn bodies_end_where_their_framing_says() {
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nhel\r\n2;x=1\r\nlo\r\n0\r\nt: 1\r\n\r\n";
    for part in [1, 2, 3, 7, 64] {
        for answer in [whole, chunked] {
            let (body, ended, seen) = fed(answer, part).unwrap();
            assert_eq!((&*body, ended, seen.status, seen.bytes), (&b"hello"[..], true, 200, 5));
            assert!(!fed(&answer[..answer.len() - 1], part).unwrap().1, "cut off, but taken for complete");
        }
    }
}

#[test]
fn a_body_past_its_end_is_broken() {
    for (answer, said) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab", "more arrived than the answer's length"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab", "a chunk is longer than its size"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", "a chunk's size is broken"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nx", "more arrived after the last chunk"),
    ] {
        assert_eq!(fed(answer, 64).unwrap_err().to_string(), said);
    }
    assert_eq!(fed("nonsense\r\n\r\n", 64).unwrap_err().to_string(), "the answer's head is broken");
}

#[test]
fn events_are_counted_at_the_start_of_a_line() {
    let body = "event: a\ndata: {\"text\":\"data: no\"}\n\ndata: x\n\ndata: [DONE]\n\n";
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for part in [1, 2, 3, 7, 64] {
        let (_, _, seen) = fed(&answer, part).unwrap();
        assert_eq!((seen.events.len(), seen.done), (3, true));
    }
    let body = "data: [DONE]\n\ndata: {\"more\":1}\n\n";
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    assert!(!fed(&answer, 64).unwrap().2.done, "the end has to come last");
}

#[tokio::test]
async fn a_connection_is_used_again() {
    for (protocol, path) in [(Protocol::Openai, "/v1/chat/completions"), (Protocol::Anthropic, "/v1/messages")] {
        let address = mock::spawn(protocol, 20, Duration::ZERO).await;
        let mut connection = Connection::open(address).await.unwrap();
        let mut seen = Seen::default();
        let request = |body: &str| {
            format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
        };
        for _ in 0..3 {
            assert!(connection.call(&request("{}"), false, &mut seen).await.unwrap());
            assert_eq!((seen.status, seen.events.len()), (200, 0));
            assert!(seen.bytes > 800);
            assert!(connection.call(&request("{\"stream\":true}"), true, &mut seen).await.unwrap());
            assert!(seen.done && seen.events.len() > 20, "{} events", seen.events.len());
        }
        let wrong = b"POST /elsewhere HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
        connection.call(wrong, false, &mut seen).await.unwrap();
        assert_eq!(seen.status, 404);
    }
}
