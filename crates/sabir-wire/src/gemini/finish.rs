//! Why a model stopped, in Gemini's words and ours.
//!
//! Invariant: a word that is not known is [`FinishReason::Other`], never an error.

use sabir_types::FinishReason;

/// Our word. The wire has none for calls: it says `STOP` there too.
pub(super) fn read(reason: &str, calls: bool) -> FinishReason {
    match reason {
        "STOP" if calls => FinishReason::ToolCalls,
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "LANGUAGE"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "JAILBREAK" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

/// Gemini's word: the one that came if it was Gemini's own, else the nearest.
pub(super) fn write(reason: FinishReason, raw: Option<&str>) -> &str {
    match raw {
        // Its words are in capitals, which no other protocol's are.
        Some(raw) if !raw.is_empty() && raw.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => raw,
        _ => match reason {
            FinishReason::Stop | FinishReason::StopSequence | FinishReason::ToolCalls => "STOP",
            FinishReason::Length => "MAX_TOKENS",
            FinishReason::ContentFilter => "SAFETY",
            _ => "OTHER",
        },
    }
}
