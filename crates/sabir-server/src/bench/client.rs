//! The callers' own HTTP client: one connection, one prepared request, as little work as possible.
//!
//! Invariant: an answer counts only if all of it arrived; whatever is cut off is an error.

use std::{io, net::SocketAddr, time::Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const DATA: &[u8] = b"data:";
/// What the last event of a stream begins with; Google's have no such event.
const ENDS: [&[u8]; 3] = [b"[DONE]", b"{\"type\":\"message_stop\"", b"{\"type\":\"response.comple"];

/// A connection that is kept alive.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What was seen of an answer.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The status.
    pub(super) status: u16,
    /// The size of the body.
    pub(super) bytes: usize,
    /// When each event of a stream arrived.
    pub(super) events: Vec<Instant>,
    /// Whether the stream said that it is complete.
    pub(super) done: bool,
    line: Line,
    closes: bool,
}

impl Connection {
    /// Connects.
    pub(super) async fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and reads all of the answer; whether the connection may be used again.
    pub(super) async fn call(&mut self, request: &[u8], events: bool, seen: &mut Seen) -> io::Result<bool> {
        seen.clear();
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let body = loop {
            let before = self.buffer.len();
            self.more().await?;
            // The end of the head may be split over two reads.
            let from = before.saturating_sub(3);
            if let Some(at) = self.buffer[from..].windows(4).position(|four| four == b"\r\n\r\n") {
                break from + at + 4;
            }
        };
        let mut framing = head(&self.buffer[..body], seen)?;
        let mut now = Instant::now();
        let mut start = body;
        loop {
            framing.feed(&self.buffer[start..], &mut |payload| seen.take(payload, events, now))?;
            if framing.ended() {
                return Ok(!seen.closes);
            }
            self.buffer.clear();
            start = 0;
            match self.more().await {
                Ok(()) => now = Instant::now(),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && framing == Framing::Close => {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        self.buffer.reserve(16 * 1024);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended within an answer")),
            _ => Ok(()),
        }
    }
}

impl Seen {
    /// As before an answer, with the room that there is.
    pub(super) fn clear(&mut self) {
        *self = Self { events: std::mem::take(&mut self.events), ..Self::default() };
        self.events.clear();
    }

    fn take(&mut self, payload: &[u8], events: bool, now: Instant) {
        self.bytes += payload.len();
        if events {
            for &byte in payload {
                self.line.push(byte, &mut self.events, &mut self.done, now);
            }
        }
    }
}

/// Where in a line of an event stream the bytes are.
#[derive(Debug, Default)]
struct Line {
    length: usize,
    /// How far the line is `data:` so far; `None` once it is not.
    data: Option<usize>,
    /// The first bytes after `data:`, by which the end is known.
    value: Vec<u8>,
}

impl Line {
    fn push(&mut self, byte: u8, events: &mut Vec<Instant>, done: &mut bool, now: Instant) {
        if byte == b'\n' {
            self.length = 0;
            self.data = None;
            return;
        }
        if self.length == 0 {
            self.data = Some(0);
            self.value.clear();
        }
        if let Some(matched) = self.data {
            if matched == DATA.len() {
                if self.value.len() < 24 {
                    if byte != b' ' {
                        self.value.push(byte);
                    }
                    *done = ENDS.iter().any(|end| self.value.starts_with(end));
                }
            } else if byte == DATA[matched] {
                self.data = Some(matched + 1);
                if matched + 1 == DATA.len() {
                    events.push(now);
                }
            } else {
                self.data = None;
            }
        }
        self.length += 1;
    }
}

/// How the end of a body is known.
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked(Chunk),
    Close,
}

#[derive(Debug, PartialEq, Eq)]
enum Chunk {
    /// In the line with the size; whether its digits are over.
    Size(usize, bool),
    Data(usize),
    /// In the line end after the data.
    AfterData,
    /// In what follows the last chunk; whether the line is empty so far.
    Trailer(bool),
    End,
}

fn head(head: &[u8], seen: &mut Seen) -> io::Result<Framing> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "the answer's head is broken");
    let head = std::str::from_utf8(head).map_err(|_| broken())?;
    let mut lines = head.split("\r\n");
    seen.status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(broken)?;
    let mut framing = Framing::Close;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            framing = Framing::Length(value.parse().map_err(|_| broken())?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            framing = Framing::Chunked(Chunk::Size(0, false));
        } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
            seen.closes = true;
        }
    }
    Ok(framing)
}

impl Framing {
    fn ended(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::End))
    }

    fn feed(&mut self, mut bytes: &[u8], payload: &mut impl FnMut(&[u8])) -> io::Result<()> {
        let broken = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        match self {
            Self::Close => payload(bytes),
            Self::Length(left) => {
                if bytes.len() > *left {
                    return broken("more arrived than the answer's length");
                }
                *left -= bytes.len();
                payload(bytes);
            }
            Self::Chunked(state) => {
                while let Some((&byte, rest)) = bytes.split_first() {
                    match state {
                        Chunk::Data(left) => {
                            let (part, rest) = bytes.split_at((*left).min(bytes.len()));
                            payload(part);
                            *left -= part.len();
                            if *left == 0 {
                                *state = Chunk::AfterData;
                            }
                            bytes = rest;
                            continue;
                        }
                        Chunk::Size(size, over) => match byte {
                            b'\r' => {}
                            b'\n' if *size == 0 => *state = Chunk::Trailer(true),
                            b'\n' => *state = Chunk::Data(*size),
                            _ if *over => {}
                            b';' | b' ' => *over = true,
                            digit => match (char::from(digit).to_digit(16), size.checked_mul(16)) {
                                (Some(digit), Some(more)) => *size = more + digit as usize,
                                _ => return broken("a chunk's size is broken"),
                            },
                        },
                        Chunk::AfterData if byte == b'\n' => *state = Chunk::Size(0, false),
                        Chunk::AfterData if byte == b'\r' => {}
                        Chunk::AfterData => return broken("a chunk is longer than its size"),
                        Chunk::Trailer(true) if byte == b'\n' => *state = Chunk::End,
                        Chunk::Trailer(empty) => *empty = byte == b'\n' || (*empty && byte == b'\r'),
                        Chunk::End => return broken("more arrived after the last chunk"),
                    }
                    bytes = rest;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
