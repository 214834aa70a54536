//! Keeps a credential out of what a provider sends back.
//!
//! Invariant: a credential never leaves here whole, however the bytes are cut; bytes without it are
//! handed on as they are.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use memchr::memmem;
use sabir_providers::sign::sigv4::Keys;
use sabir_types::{Secret, Value};

/// What stands in its place.
const STARS: &[u8] = b"***";
/// Shorter ones are placeholders (`none`, `lm-studio`), and ordinary words would fall victim.
const SHORTEST: usize = 16;

/// Replaces one credential in bytes that arrive in pieces.
pub(crate) struct Hide {
    secret: Box<[u8]>,
    /// The end of the last piece, if the credential may begin there.
    held: BytesMut,
}

impl Hide {
    /// For this credential; `None` if it is too short to be one.
    pub(crate) fn new(secret: Option<&Secret>) -> Option<Self> {
        let secret = secret?;
        // Of keys that sign, only what goes along with them is sent.
        let keys = secret.expose().starts_with('{').then(|| Keys::from_secret(secret)).flatten();
        let secret: Box<[u8]> = match keys {
            Some(keys) => keys.session_token.unwrap_or(keys.secret_access_key).into_bytes().into(),
            None => secret.expose().as_bytes().into(),
        };
        (secret.len() >= SHORTEST).then(|| Self { secret, held: BytesMut::new() })
    }

    /// Takes the next piece and gives back what can go on.
    pub(crate) fn feed(&mut self, piece: Bytes) -> Bytes {
        let piece = if self.held.is_empty() {
            piece
        } else {
            self.held.extend_from_slice(&piece);
            self.held.split().freeze()
        };
        let piece = replace(piece, &self.secret, STARS, |_| true);
        let safe = piece.len() - self.begun(&piece);
        self.held.extend_from_slice(&piece[safe..]);
        piece.slice(..safe)
    }

    /// The last piece.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.held.split().freeze()
    }

    /// Replaces it in headers.
    pub(crate) fn headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            if memmem::find(value.as_bytes(), &self.secret).is_some() {
                *value = HeaderValue::from_static("***");
            }
        }
    }

    /// How many bytes at the end may be its beginning.
    fn begun(&self, piece: &[u8]) -> usize {
        let most = piece.len().min(self.secret.len() - 1);
        let tail = &piece[piece.len() - most..];
        memchr::memchr_iter(self.secret[0], tail)
            .map(|at| most - at)
            .find(|length| tail[most - length..] == self.secret[..*length])
            .unwrap_or(0)
    }
}

/// Replaces credentials in a request's body: each as the member of its name, however short, and
/// those that cannot be mistaken for something else wherever they stand.
pub(crate) fn in_request(mut body: Bytes, credentials: &HashMap<String, Secret>) -> Bytes {
    for (name, secret) in credentials {
        let (name, value) = (Value::from(name.as_str()).to_string(), Value::from(secret.expose()).to_string());
        body = replace(body, value.as_bytes(), b"\"***\"", |before| {
            let before = before.trim_ascii_end().strip_suffix(b":").unwrap_or_default();
            before.trim_ascii_end().ends_with(name.as_bytes())
        });
        if secret.expose().len() >= SHORTEST {
            body = replace(body, secret.expose().as_bytes(), STARS, |_| true);
        }
    }
    body
}

/// Replaces one text by another wherever `fits` says so, which is shown what stands before it.
fn replace(bytes: Bytes, secret: &[u8], stars: &[u8], fits: impl Fn(&[u8]) -> bool) -> Bytes {
    let mut found = memmem::find_iter(&bytes, secret).filter(|at| fits(&bytes[..*at])).peekable();
    if found.peek().is_none() {
        return bytes;
    }
    let mut out = BytesMut::with_capacity(bytes.len());
    let mut from = 0;
    for at in found {
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(stars);
        from = at + secret.len();
    }
    out.extend_from_slice(&bytes[from..]);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_replaced_however_it_is_cut() {
        let secret = Secret::new("kk-kkk-0123456789");
        let text = b"kk-a kk-kkk-0123456789 and kk-kkk-kk-kkk-0123456789, kk-kkk-012345678";
        for size in 1..=text.len() {
            let mut hide = Hide::new(Some(&secret)).unwrap();
            let mut out = Vec::new();
            for piece in text.chunks(size) {
                out.extend_from_slice(&hide.feed(Bytes::copy_from_slice(piece)));
            }
            out.extend_from_slice(&hide.rest());
            assert_eq!(String::from_utf8(out).unwrap(), "kk-a *** and kk-kkk-***, kk-kkk-012345678", "by {size}");
        }
    }

    #[test]
    fn placeholders_are_no_credentials() {
        assert!(Hide::new(Some(&Secret::new("lm-studio"))).is_none() && Hide::new(None).is_none());
    }

    #[test]
    fn a_body_keeps_everything_else() {
        let named = |name: &str, secret: &str| (name.to_owned(), Secret::new(secret));
        let secrets = [named("k", "a\"b"), named("l", "key-0123456789abcdef"), named("m", "user")].into();
        let body =
            br#"{"k" : "a\"b", "l":"key-0123456789abcdef","m":"user","role":"user","x":"Bearer key-0123456789abcdef"}"#;
        let hidden = in_request(Bytes::from_static(body), &secrets);
        assert_eq!(hidden, br#"{"k" : "***", "l":"***","m":"***","role":"user","x":"Bearer ***"}"#.as_slice());
    }
}
