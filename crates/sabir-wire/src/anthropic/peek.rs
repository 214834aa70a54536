//! A quick look at a request's body: what the door must know before the engine takes over.
//!
//! Invariant: the whole body is checked to be JSON, but no value of it is built; a member that the
//! door decides by stands in the body exactly once, so that a provider cannot read another one.

use std::ops::Range;

use sabir_types::Result;

use crate::openai::peek;

/// What the door must know of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peek {
    /// The model, as the caller wrote it.
    pub model: String,
    /// Where the model's name stands in the body, quotes included.
    pub model_at: Option<Range<usize>>,
    /// Whether the answer should come as events.
    pub stream: bool,
}

/// Looks at a request. What matters has the same names in OpenAI's protocol.
pub fn peek(body: &[u8]) -> Result<Peek> {
    let peek::Peek { model, model_at, stream, .. } = peek::peek(body)?;
    Ok(Peek { model, model_at, stream })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_door_needs_is_seen() {
        let body =
            br#"{"max_tokens":5,"model":"dummy::echo","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
        let seen = peek(body).unwrap();
        assert_eq!((seen.model.as_str(), seen.stream), ("dummy::echo", true));
        assert_eq!(&body[seen.model_at.unwrap()], br#""dummy::echo""#);
        assert_eq!(peek(br#"{"messages":[{}]}"#).unwrap_err().param(), Some("model"));
        assert_eq!(peek(br#"{"model":"a","model":"b","messages":[{}]}"#).unwrap_err().param(), Some("model"));
    }
}
