//! The bytes of a stream that passes, cut where its events end.
//!
//! Invariant: what goes out ends with a blank line, so that a comment or an error can follow it;
//! only the rest at the end of the stream may be half an event.

use bytes::{Bytes, BytesMut};

/// Where an event ends: a line's end, and another one. The second also ends with `\r\n\r\n`.
const ENDS: [&[u8]; 3] = [b"\n\n", b"\n\r\n", b"\r\r"];
/// How much of an end may have come before.
const OVERLAP: usize = 2;

/// Holds back what comes after the last whole event.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    held: BytesMut,
}

impl Cutter {
    /// What may go out now that these bytes have come.
    pub(super) fn take(&mut self, bytes: Bytes) -> Bytes {
        if self.held.is_empty() {
            // Nearly always the provider sends whole events: nothing is copied then.
            let end = end(&bytes);
            if end < bytes.len() {
                self.held.extend_from_slice(&bytes[end..]);
            }
            return bytes.slice(..end);
        }
        let from = self.held.len().saturating_sub(OVERLAP);
        self.held.extend_from_slice(&bytes);
        match end(&self.held[from..]) {
            0 => Bytes::new(),
            end => self.held.split_to(from + end).freeze(),
        }
    }

    /// What is left at the end of the stream.
    pub(super) fn rest(&mut self) -> Bytes {
        self.held.split().freeze()
    }

    /// Drops half an event that will never be whole.
    pub(super) fn forget(&mut self) {
        self.held.clear();
    }
}

/// Where the last event ends; 0 if none does.
fn end(bytes: &[u8]) -> usize {
    let ends_at = |end: &usize| ENDS.iter().any(|pattern| bytes[..*end].ends_with(pattern));
    (OVERLAP..=bytes.len()).rev().find(ends_at).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_events_go_out_however_they_come() {
        for line_end in ["\n", "\r\n", "\r"] {
            let text = "data: one\n\n: ping\n\ndata: two\ndata: three\n\ndata: [DONE]\n\n".replace('\n', line_end);
            let whole = text.as_bytes();
            for size in 1..=whole.len() {
                let mut cutter = Cutter::default();
                let mut out = Vec::new();
                for piece in whole.chunks(size) {
                    let passed = cutter.take(Bytes::copy_from_slice(piece));
                    assert!(passed.is_empty() || end(&passed) == passed.len(), "{line_end:?}, {size}: {passed:?}");
                    out.extend_from_slice(&passed);
                }
                // With `\r\n` the last byte of an end may come too late to be waited for.
                out.extend_from_slice(&cutter.rest());
                assert_eq!(out, whole, "{line_end:?}, {size}");
            }
        }
    }

    #[test]
    fn half_an_event_is_held_back() {
        let mut cutter = Cutter::default();
        assert_eq!(cutter.take(Bytes::from_static(b"data: 1\n\ndata")), "data: 1\n\n");
        assert_eq!(cutter.take(Bytes::from_static(b": 2\n")), "");
        assert_eq!(cutter.take(Bytes::from_static(b"\ndata: 3")), "data: 2\n\n");
        cutter.forget();
        assert_eq!(cutter.take(Bytes::from_static(b"data: 4")), "");
        assert_eq!(cutter.rest(), "data: 4");
        assert_eq!(cutter.rest(), "");
    }
}
