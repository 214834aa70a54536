//! What the ledger keeps of a body that goes by.
//!
//! Invariant: text is kept whole or not at all; what is not kept leaves its size, its content type
//! and its SHA-256 in a note that says so.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use ring::digest::{Context, SHA256};
use sabir_types::{Usage, Value};
use sabir_wire::openai::decode::usage;
use serde_json::json;

/// The most of a text that is kept.
pub(super) const LIMIT: usize = 1024 * 1024;
/// How much of the end of a long stream is looked at for usage.
const TAIL: usize = 64 * 1024;

/// A body that goes by.
pub(crate) struct Keep {
    kind: String,
    is_text: bool,
    /// What has come, as long as it is kept; of a stream that is not, its end.
    bytes: BytesMut,
    /// Set once the body is not kept.
    hash: Option<Context>,
    total: u64,
}

impl Keep {
    /// For a body with these headers.
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let encoded = headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
        let is_text = is_text(kind) && !encoded;
        let hash = (!is_text).then(|| Context::new(&SHA256));
        Self { kind: kind.to_owned(), is_text, bytes: BytesMut::new(), hash, total: 0 }
    }

    pub(super) fn is_text(&self) -> bool {
        self.is_text
    }

    /// Whether it comes as events.
    pub(super) fn is_stream(&self) -> bool {
        essence(&self.kind) == "text/event-stream"
    }

    /// More of it.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        self.total += piece.len() as u64;
        if self.hash.is_none() && self.bytes.len() + piece.len() > LIMIT {
            let mut hash = Context::new(&SHA256);
            hash.update(&self.bytes);
            self.hash = Some(hash);
        }
        match &mut self.hash {
            None => self.bytes.extend_from_slice(piece),
            Some(hash) => {
                hash.update(piece);
                if self.is_text {
                    self.bytes.extend_from_slice(&piece[piece.len().saturating_sub(TAIL)..]);
                    let over = self.bytes.len().saturating_sub(TAIL);
                    drop(self.bytes.split_to(over));
                }
            }
        }
    }

    /// What the provider says that it consumed, once all of it is there.
    pub(super) fn usage(&self) -> Usage {
        let found = if self.is_stream() {
            let text = String::from_utf8_lossy(&self.bytes);
            let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
            data.rev().filter(|data| data.contains("\"usage\"")).find_map(|data| of_event(data.trim().as_bytes()))
        } else if is_json(&self.kind) && self.hash.is_none() {
            of_event(&self.bytes)
        } else {
            None
        };
        found.unwrap_or_default()
    }

    /// What goes into the row.
    pub(super) fn row(&self) -> Bytes {
        match &self.hash {
            None => Bytes::copy_from_slice(&self.bytes),
            Some(hash) => {
                let digest = hash.clone().finish();
                let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                let note = json!({"sabir::not_kept": {"bytes": self.total, "content_type": self.kind, "sha256": hex}});
                note.to_string().into()
            }
        }
    }

    /// What is there of a text.
    pub(super) fn text(&self) -> &[u8] {
        if self.hash.is_none() { &self.bytes } else { b"" }
    }
}

/// The usage in an answer or an event: of its own, or of the answer in it.
pub(super) fn of_event(json: &[u8]) -> Option<Usage> {
    #[derive(serde::Deserialize)]
    struct Seen {
        usage: Option<Value>,
        response: Option<Inner>,
    }
    #[derive(serde::Deserialize)]
    struct Inner {
        usage: Option<Value>,
    }
    let seen: Seen = serde_json::from_slice(json).ok()?;
    let raw = seen.usage.or_else(|| seen.response?.usage)?;
    raw.is_object().then(|| usage(&raw))
}

/// A content type without its parameters.
fn essence(kind: &str) -> String {
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a content type is JSON's.
pub(super) fn is_json(kind: &str) -> bool {
    let kind = essence(kind);
    kind == "application/json" || kind.ends_with("+json")
}

fn is_text(kind: &str) -> bool {
    let essence = essence(kind);
    is_json(kind)
        || essence.starts_with("text/")
        || matches!(
            essence.as_str(),
            "" | "application/x-www-form-urlencoded" | "application/jsonl" | "application/sdp"
        )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn keep(kind: &'static str, pieces: &[&[u8]]) -> Keep {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let mut keep = Keep::new(&headers);
        pieces.iter().for_each(|piece| keep.feed(piece));
        keep
    }

    #[test]
    fn text_is_kept_and_the_rest_is_noted() {
        assert_eq!(keep("application/json; charset=utf-8", &[b"{\"a\"", b":1}"]).row(), "{\"a\":1}");
        let note: Value = serde_json::from_slice(&keep("audio/mpeg", &[b"ab", b"c"]).row()).unwrap();
        let sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let said = json!({"sabir::not_kept": {"bytes": 3, "content_type": "audio/mpeg", "sha256": sha}});
        assert_eq!(note, said);
        assert_eq!(keep("multipart/form-data; boundary=x", &[b"abc"]).text(), b"");
    }

    #[test]
    fn a_text_over_the_bound_is_noted_with_the_hash_of_all_of_it() {
        let piece = vec![b'a'; LIMIT];
        let long: Value = serde_json::from_slice(&keep("text/plain", &[b"b", &piece, b"c"]).row()).unwrap();
        let all = [b"b".as_slice(), &piece, b"c"].concat();
        let hex: String =
            ring::digest::digest(&SHA256, &all).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(long["sabir::not_kept"], json!({"bytes": all.len(), "content_type": "text/plain", "sha256": hex}));
    }

    #[test]
    fn usage_is_found_where_it_is() {
        let whole = keep("application/json", &[br#"{"usage":{"input_tokens":2,"output_tokens":3}}"#]).usage();
        assert_eq!((whole.input_tokens, whole.output_tokens), (Some(2), Some(3)));
        let filler = vec![b'x'; LIMIT + 10];
        let stream: [&[u8]; 4] = [
            b"data: ",
            &filler,
            b"\n\ndata: {\"response\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":6}}}\n\n",
            b"data: [DONE]\n\n",
        ];
        assert_eq!(keep("text/event-stream", &stream).usage().input_tokens, Some(5));
        assert!(keep("application/json", &[b"{\"usage\":null}"]).usage().is_empty());
        assert!(keep("application/json", &[b"[1]"]).usage().is_empty());
    }
}
