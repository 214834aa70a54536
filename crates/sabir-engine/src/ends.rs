//! Where events and whole streams end, in bytes that go through unread.
//!
//! Invariant: how the bytes are cut never changes what is found; a caller is never left with a
//! part of an event, so that an error or a comment can follow at any time.

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use sabir_types::Protocol;

/// Finds the end of a stream in a protocol's bytes, however they are cut.
pub(crate) struct Marker {
    needles: &'static [&'static [u8]],
    /// How far from the end of a piece it may begin.
    tail: usize,
    /// The last bytes that were seen, as long as the longest marker.
    carry: Vec<u8>,
}

impl Marker {
    /// The marker of a protocol's streams.
    pub(crate) fn of(protocol: Protocol) -> Self {
        // A line end inside a JSON text is escaped, so these cannot be part of an answer.
        let needles: &[&[u8]] = match protocol {
            Protocol::OpenAi => &[b"\ndata: [DONE]", b"\ndata:[DONE]"],
            Protocol::Anthropic => &[b"\nevent: message_stop", b"\nevent:message_stop"],
            Protocol::Responses => &[
                b"\nevent: response.completed",
                b"\nevent: response.incomplete",
                b"\nevent: response.failed",
                b"\nevent:response.completed",
                b"\nevent:response.incomplete",
                b"\nevent:response.failed",
            ],
            _ => &[],
        };
        // The last event of the Responses API repeats the whole answer: its name is far from the end.
        let tail = if protocol == Protocol::Responses { usize::MAX } else { 1024 };
        Self { needles, tail, carry: vec![b'\n'] }
    }

    /// Whether these bytes complete the end.
    pub(crate) fn ends(&mut self, bytes: &[u8]) -> bool {
        const REACH: usize = 32;
        if self.needles.is_empty() {
            return false;
        }
        let from = bytes.len().saturating_sub(self.tail);
        if from > 0 {
            self.carry.clear();
        }
        self.carry.extend_from_slice(&bytes[from..]);
        let found = self.needles.iter().any(|needle| memmem::find(&self.carry, needle).is_some());
        let keep = self.carry.len().saturating_sub(REACH);
        self.carry.drain(..keep);
        found
    }
}

/// Holds back the event that has not ended yet.
#[derive(Default)]
pub(crate) struct Holder(BytesMut);

impl Holder {
    /// Takes more bytes and gives back those up to the end of the last event.
    pub(crate) fn whole(&mut self, bytes: Bytes) -> Option<Bytes> {
        if self.0.is_empty() {
            let end = last_end(&bytes);
            self.0.extend_from_slice(&bytes[end..]);
            return (end > 0).then(|| bytes.slice(..end));
        }
        // The blank line may lie across the cut.
        let from = self.0.len().saturating_sub(2);
        self.0.extend_from_slice(&bytes);
        match last_end(&self.0[from..]) {
            0 => None,
            end => Some(self.0.split_to(from + end).freeze()),
        }
    }

    /// What was held back.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        (!self.0.is_empty()).then(|| self.0.split().freeze())
    }
}

/// How many bytes there are up to the end of the last blank line.
fn last_end(bytes: &[u8]) -> usize {
    if bytes.ends_with(b"\n\n") {
        return bytes.len();
    }
    [b"\n\n".as_slice(), b"\n\r\n", b"\r\r"]
        .iter()
        .filter_map(|end| memmem::rfind(bytes, end).map(|at| at + end.len()))
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_however_it_is_cut() {
        let whole = b"data: {\"a\":\"data: [DONE]\"}\n\ndata: [DONE]\n\n";
        let end = whole.len() - 2;
        for size in 1..whole.len() {
            let mut marker = Marker::of(Protocol::OpenAi);
            let mut at = 0;
            let found = whole.chunks(size).position(|chunk| {
                at += chunk.len();
                marker.ends(chunk)
            });
            assert!(found.is_some() && at >= end, "cut at {size}: seen at byte {at}, ends at {end}");
        }
        assert!(Marker::of(Protocol::OpenAi).ends(b"data: [DONE]\n\n"));
        assert!(!Marker::of(Protocol::OpenAi).ends(b"data: {\"x\":\"[DONE]\"}\n\n"));
        let last = format!("event: response.completed\ndata: {{\"text\":\"{}\"}}\n\n", "x".repeat(5000));
        assert!(Marker::of(Protocol::Responses).ends(last.as_bytes()));
        assert!(!Marker::of(Protocol::Responses).ends(b"event: response.output_text.delta\ndata: {}\n\n"));
    }

    #[test]
    fn only_whole_events_go_out_however_they_are_cut() {
        for body in ["data: a\n\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\n\r\n", "data: a\r\rdata: b\r\r"] {
            let first = body.len() / 2;
            for size in 1..=body.len() {
                let mut holder = Holder::default();
                let mut out = Vec::new();
                for chunk in body.as_bytes().chunks(size) {
                    if let Some(whole) = holder.whole(Bytes::copy_from_slice(chunk)) {
                        out.extend_from_slice(&whole);
                    }
                    assert!([0, first, body.len()].contains(&out.len()), "{body:?} by {size}: {} bytes", out.len());
                }
                assert_eq!(out, body.as_bytes(), "{body:?} by {size}");
                assert_eq!(holder.rest(), None);
            }
        }
        let mut holder = Holder::default();
        assert_eq!(holder.whole(Bytes::from_static(b"data: a\n\ndata: b")).as_deref(), Some(b"data: a\n\n".as_slice()));
        assert_eq!(holder.rest().as_deref(), Some(b"data: b".as_slice()));
    }
}
