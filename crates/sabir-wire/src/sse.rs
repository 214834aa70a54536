//! Server-sent events: bytes to events and back.
//!
//! Invariant: how the bytes are cut never changes the events. An event that lies whole in one
//! chunk is handed out as slices of that chunk, without a copy.

use memchr::memchr2;
use sabir_types::{Error, Result};

use crate::FRAME_LIMIT;

/// One event. Only events with a `data` line exist, as the standard has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The `event` field.
    pub event: Option<&'a str>,
    /// The `data` lines, joined with a line feed.
    pub data: &'a str,
    /// The `id` field of this very event.
    pub id: Option<&'a str>,
}

/// Where a decoder stands in the bytes that it holds.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    /// Where the event begins; leading comments are already passed.
    start: usize,
    /// Where the line begins that has not ended yet.
    line: usize,
    /// Up to where there is no line end: the search goes on here, so that a long line that comes
    /// in small pieces is not searched again and again.
    searched: usize,
    /// The last line ended with a CR that was the last byte: a LF that follows belongs to it.
    after_cr: bool,
}

/// Reads server-sent events from bytes that may be cut anywhere. After an error it is empty.
#[derive(Debug)]
pub struct SseDecoder {
    limit: usize,
    held: Vec<u8>,
    cursor: Cursor,
    joined: String,
    begun: bool,
    retry: Option<u64>,
}

impl Default for SseDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl SseDecoder {
    /// A decoder with the usual limit.
    pub fn new() -> Self {
        Self::with_limit(FRAME_LIMIT)
    }

    /// A decoder that refuses events of more than `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, held: Vec::new(), cursor: Cursor::default(), joined: String::new(), begun: false, retry: None }
    }

    /// The last `retry` field that was a number, in milliseconds.
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// Takes more bytes and hands out the events that they complete.
    pub fn feed(&mut self, bytes: &[u8], on_event: &mut dyn FnMut(SseEvent<'_>) -> Result<()>) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.begun && self.held.is_empty() {
            let after_cr = self.cursor.after_cr;
            self.cursor = Cursor::default();
            let cursor = self.run(bytes, Cursor { after_cr, ..Cursor::default() }, on_event)?;
            self.held.extend_from_slice(&bytes[cursor.start..]);
            self.cursor = cursor.rebased();
            return Ok(());
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        if !self.begun {
            if held.len() < BOM.len() && BOM.starts_with(&held) {
                self.held = held;
                return Ok(());
            }
            self.begun = true;
            if held.starts_with(BOM) {
                held.drain(..BOM.len());
            }
        }
        let cursor = std::mem::take(&mut self.cursor);
        let cursor = self.run(&held, cursor, on_event)?;
        held.drain(..cursor.start);
        self.held = held;
        self.cursor = cursor.rebased();
        Ok(())
    }

    /// The stream ended: hands out the last event if it has data, even without its blank line.
    pub fn finish(&mut self, on_event: &mut dyn FnMut(SseEvent<'_>) -> Result<()>) -> Result<()> {
        self.cursor = Cursor::default();
        self.begun = false;
        let held = std::mem::take(&mut self.held);
        if held.is_empty() { Ok(()) } else { self.dispatch(&held, on_event) }
    }

    fn run(
        &mut self,
        bytes: &[u8],
        mut at: Cursor,
        on_event: &mut dyn FnMut(SseEvent<'_>) -> Result<()>,
    ) -> Result<Cursor> {
        while let Some(found) = memchr2(b'\n', b'\r', &bytes[at.searched..]) {
            let end = at.searched + found;
            let lf = bytes[end] == b'\n';
            if lf && at.after_cr && end == at.line {
                if at.start == at.line {
                    at.start = end + 1;
                }
                at = Cursor { line: end + 1, searched: end + 1, after_cr: false, ..at };
                continue;
            }
            let pair = !lf && bytes.get(end + 1) == Some(&b'\n');
            let next = end + 1 + usize::from(pair);
            if end == at.line {
                if at.start < end {
                    self.dispatch(&bytes[at.start..end], on_event)?;
                }
                at.start = next;
            } else if at.line == at.start && bytes[at.line] == b':' {
                at.start = next;
            }
            at = Cursor { line: next, searched: next, after_cr: !lf && next == bytes.len() && !pair, ..at };
        }
        at.searched = bytes.len();
        if bytes.len() - at.start > self.limit {
            return Err(self.too_large());
        }
        Ok(at)
    }

    fn dispatch(&mut self, raw: &[u8], on_event: &mut dyn FnMut(SseEvent<'_>) -> Result<()>) -> Result<()> {
        // The line ends of the event count too, so two more bytes than the limit may still be cut
        // in a way that passes; the exact border does not matter, that there is one does.
        if raw.len() > self.limit {
            return Err(self.too_large());
        }
        let text =
            std::str::from_utf8(raw).map_err(|e| Error::bad_upstream("event stream is not UTF-8").with_source(e))?;
        let mut joined = std::mem::take(&mut self.joined);
        let (mut event, mut id, mut data, mut lines) = (None, None, "", 0_usize);
        let mut rest = text;
        while !rest.is_empty() {
            let line = match memchr2(b'\n', b'\r', rest.as_bytes()) {
                Some(end) => {
                    let line = &rest[..end];
                    rest = &rest[end + 1..];
                    line
                }
                None => std::mem::take(&mut rest),
            };
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => {
                    if lines == 0 {
                        data = value;
                    } else {
                        if lines == 1 {
                            joined.clear();
                            joined.push_str(data);
                        }
                        joined.push('\n');
                        joined.push_str(value);
                    }
                    lines += 1;
                }
                "event" => event = Some(value),
                "id" if !value.contains('\0') => id = Some(value),
                "retry" if value.bytes().all(|b| b.is_ascii_digit()) => self.retry = value.parse().ok().or(self.retry),
                _ => {}
            }
        }
        let result = match lines {
            0 => Ok(()),
            1 => on_event(SseEvent { event, data, id }),
            _ => on_event(SseEvent { event, data: &joined, id }),
        };
        self.joined = joined;
        result
    }

    fn too_large(&self) -> Error {
        Error::bad_upstream(format!("event of the stream is over the limit of {} bytes", self.limit))
    }
}

impl Cursor {
    /// The same place when the bytes before `start` are gone.
    fn rebased(self) -> Self {
        Self { start: 0, line: self.line - self.start, searched: self.searched - self.start, after_cr: self.after_cr }
    }
}

/// The data of all events of a stream whose bytes are all there, but for OpenAI's `[DONE]`.
pub fn collect(body: &[u8]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    let mut take = |event: SseEvent<'_>| {
        if event.data.trim() != "[DONE]" {
            all.push(event.data.to_owned());
        }
        Ok(())
    };
    let mut framing = SseDecoder::with_limit(usize::MAX);
    framing.feed(body, &mut take)?;
    framing.finish(&mut take)?;
    Ok(all)
}

/// Writes one event. A line break in `data` (LF, CR or CRLF) starts another `data` line; what
/// follows a line break in `event` is left out, because the format cannot say it.
pub fn encode(out: &mut Vec<u8>, event: Option<&str>, data: &str) {
    if let Some(event) = event {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(first_line(event).as_bytes());
        out.push(b'\n');
    }
    each_line(data, |line| {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    });
    out.push(b'\n');
}

/// Writes a comment, which clients skip: the way to keep a connection alive.
pub fn comment(out: &mut Vec<u8>, text: &str) {
    each_line(text, |line| {
        out.extend_from_slice(b": ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    });
    out.push(b'\n');
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

fn first_line(text: &str) -> &str {
    memchr2(b'\n', b'\r', text.as_bytes()).map_or(text, |end| &text[..end])
}

fn each_line(mut text: &str, mut on_line: impl FnMut(&str)) {
    while let Some(end) = memchr2(b'\n', b'\r', text.as_bytes()) {
        on_line(&text[..end]);
        let pair = text.as_bytes()[end] == b'\r' && text.as_bytes().get(end + 1) == Some(&b'\n');
        text = &text[end + 1 + usize::from(pair)..];
    }
    on_line(text);
}
