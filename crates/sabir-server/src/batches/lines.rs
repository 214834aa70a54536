//! The lines of a file, one at a time.
//!
//! Invariant: no more is held than a chunk and a line, and a line has a bound.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;
use sabir_engine::tasks::stored;
use sabir_store::State;
use sabir_types::{Error, ErrorKind, Result, Uuid};

/// The most bytes of a line.
const LONGEST: usize = 64 * 1024 * 1024;

/// Reads a file line by line; blank lines are passed over.
#[derive(Debug)]
pub struct Lines {
    state: Arc<dyn State>,
    file: Uuid,
    chunk: u32,
    held: BytesMut,
    searched: usize,
    line: u64,
    over: bool,
}

impl Lines {
    /// Of this file.
    pub fn new(state: Arc<dyn State>, file: Uuid) -> Self {
        Self { state, file, chunk: 0, held: BytesMut::new(), searched: 0, line: 0, over: false }
    }

    /// The next line and its number, counted from 1; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<(u64, Bytes)>> {
        loop {
            let line = match memchr(b'\n', &self.held[self.searched..]) {
                Some(at) => {
                    let line = self.held.split_to(self.searched + at);
                    self.held.advance(1);
                    line.freeze()
                }
                None if self.over && self.held.is_empty() => return Ok(None),
                None if self.over => std::mem::take(&mut self.held).freeze(),
                None => {
                    self.searched = self.held.len();
                    if self.searched > LONGEST {
                        let message = format!("line {} is longer than {LONGEST} bytes", self.line + 1);
                        return Err(Error::new(ErrorKind::TooLarge, message));
                    }
                    match stored(self.state.chunk(self.file, self.chunk).await)? {
                        Some(chunk) => self.held.extend_from_slice(&chunk),
                        None => self.over = true,
                    }
                    self.chunk += 1;
                    continue;
                }
            };
            self.searched = 0;
            self.line += 1;
            // Editors of one kind put a mark at the beginning of a file.
            let line = if self.line == 1 && line.starts_with(b"\xef\xbb\xbf") { line.slice(3..) } else { line };
            if !line.trim_ascii().is_empty() {
                return Ok(Some((self.line, line)));
            }
        }
    }
}
