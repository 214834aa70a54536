//! One JSON text per line: bytes to lines and back.
//!
//! Invariant: how the bytes are cut never changes the lines; a line that lies whole in one chunk
//! is handed out without a copy.

use memchr::{memchr, memchr2};
use sabir_types::{Error, Result};

use crate::FRAME_LIMIT;

/// Reads lines from bytes that may be cut anywhere. Blank lines are skipped, and white space
/// around a line (a CR before the LF) is left out. After an error it is empty.
#[derive(Debug)]
pub struct NdjsonDecoder {
    limit: usize,
    held: Vec<u8>,
    begun: bool,
}

impl Default for NdjsonDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl NdjsonDecoder {
    /// A decoder with the usual limit.
    pub fn new() -> Self {
        Self::with_limit(FRAME_LIMIT)
    }

    /// A decoder that refuses lines of more than `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, held: Vec::new(), begun: false }
    }

    /// Takes more bytes and hands out the lines that they complete.
    pub fn feed(&mut self, mut bytes: &[u8], on_line: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        if !self.held.is_empty() {
            let Some(end) = memchr(b'\n', bytes) else {
                return self.hold(bytes);
            };
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(&bytes[..end]);
            self.line(&held, on_line)?;
            held.clear();
            self.held = held;
            bytes = &bytes[end + 1..];
        }
        while let Some(end) = memchr(b'\n', bytes) {
            self.line(&bytes[..end], on_line)?;
            bytes = &bytes[end + 1..];
        }
        self.hold(bytes)
    }

    /// The stream ended: hands out the last line, even without its line feed.
    pub fn finish(&mut self, on_line: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let held = std::mem::take(&mut self.held);
        let result = self.line(&held, on_line);
        self.begun = false;
        result
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<()> {
        if self.held.len() + bytes.len() > self.limit {
            self.held = Vec::new();
            return Err(self.too_large());
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    fn line(&mut self, raw: &[u8], on_line: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        if raw.len() > self.limit {
            return Err(self.too_large());
        }
        let mut text = std::str::from_utf8(raw)
            .map_err(|e| Error::bad_upstream("line of the stream is not UTF-8").with_source(e))?;
        if !self.begun {
            self.begun = true;
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        let text = text.trim_matches([' ', '\t', '\r']);
        if text.is_empty() { Ok(()) } else { on_line(text) }
    }

    fn too_large(&self) -> Error {
        Error::bad_upstream(format!("line of the stream is over the limit of {} bytes", self.limit))
    }
}

/// Writes one JSON text as a line. Line breaks in it can only be white space between tokens and
/// become spaces.
pub fn encode(out: &mut Vec<u8>, mut json: &str) {
    while let Some(end) = memchr2(b'\n', b'\r', json.as_bytes()) {
        out.extend_from_slice(&json.as_bytes()[..end]);
        out.push(b' ');
        json = &json[end + 1..];
    }
    out.extend_from_slice(json.as_bytes());
    out.push(b'\n');
}
