//! A stream as one JSON array, which is what Google's clients get who do not ask for events.
//!
//! Invariant: the array is complete JSON at its end, also after an error, and each element goes out
//! as soon as it is there.

use sabir_types::Result;
use sabir_wire::sse::SseDecoder;

/// Turns events into elements.
#[derive(Debug, Default)]
pub(super) struct Array {
    framing: SseDecoder,
    begun: bool,
}

impl Array {
    /// Takes bytes of events and writes the elements that they complete.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let begun = &mut self.begun;
        self.framing.feed(bytes, &mut |event| {
            element(begun, event.data, out);
            Ok(())
        })
    }

    /// Writes the end.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let begun = &mut self.begun;
        let rest = self.framing.finish(&mut |event| {
            element(begun, event.data, out);
            Ok(())
        });
        // Half an event that is no text is no element either.
        drop(rest);
        out.extend_from_slice(if self.begun { b"\n]\n" } else { b"[]\n" });
    }
}

fn element(begun: &mut bool, data: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(if *begun { b"\n,\n" } else { b"[" });
    *begun = true;
    out.extend_from_slice(data.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_become_elements_however_they_are_cut() {
        let whole = b"data: {\"a\":1}\n\n: ping\n\ndata: {\"b\":\ndata: 2}\n\ndata: {\"c\":3}\n\n";
        for size in 1..=whole.len() {
            let (mut array, mut out) = (Array::default(), Vec::new());
            whole.chunks(size).for_each(|chunk| array.feed(chunk, &mut out).unwrap());
            array.finish(&mut out);
            let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(read, serde_json::json!([{"a": 1}, {"b": 2}, {"c": 3}]), "by {size}");
        }
        let mut out = Vec::new();
        Array::default().finish(&mut out);
        assert_eq!(out, b"[]\n");
    }
}
