//! Speech, both directions: `/audio/speech`.
//!
//! Invariant: the sound is never changed, only written otherwise (bytes, base64, events).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sabir_types::{Error, Map, Protocol, Request, Result, SpeechRequest, SpeechResponse, Usage, Value};
use serde_json::json;

use super::{
    fields::{Fields, Out, answer, base64, said},
    parse::wrong,
};
use crate::sse;

/// Reads a request.
pub fn parse(body: &[u8]) -> Result<Request> {
    let mut fields = Fields::object(body)?;
    let events = match fields.text("stream_format")?.as_deref() {
        None | Some("audio") => false,
        Some("sse") => true,
        Some(_) => return Err(wrong("stream_format", "expected `audio` or `sse`")),
    };
    let request = SpeechRequest {
        input: fields.required("input")?,
        voice: fields.take("voice").ok_or_else(|| wrong("voice", "missing"))?,
        instructions: fields.text("instructions")?,
        format: fields.text("response_format")?,
        speed: fields.number("speed")?,
        stream: true,
        events,
        rest: fields.rest(Protocol::OpenAi)?,
    };
    Ok(Request::Speech(Box::new(request)))
}

/// Writes a request.
pub fn emit(req: &SpeechRequest, model: &str) -> Result<Vec<u8>> {
    let mut out = Out::object(model);
    out.add("input", Some(req.input.as_str()));
    out.add("voice", Some(req.voice.clone()));
    out.add("instructions", req.instructions.as_deref());
    out.add("response_format", req.format.as_deref());
    out.add("speed", req.speed);
    out.add("stream_format", req.events.then_some("sse"));
    out.rest(&req.rest, Protocol::OpenAi);
    out.finish()
}

/// What a request costs where the provider does not say.
pub fn characters(req: &SpeechRequest) -> Usage {
    Usage::of_units("characters", req.input.chars().count())
}

/// The media type of a format.
pub fn mime(format: Option<&str>) -> &'static str {
    match format {
        None | Some("mp3") => "audio/mpeg",
        Some("opus") => "audio/opus",
        Some("aac") => "audio/aac",
        Some("flac") => "audio/flac",
        Some("wav") => "audio/wav",
        Some("pcm") => "audio/pcm",
        Some(_) => "application/octet-stream",
    }
}

/// Reads an answer with a success status: the sound, or events that hold it.
pub fn decode(req: &SpeechRequest, body: &[u8]) -> Result<SpeechResponse> {
    let mime = mime(req.format.as_deref()).to_owned();
    if is_object(body) {
        answer(body)?;
        return Err(Error::bad_upstream("the provider's answer is an object instead of sound"));
    }
    if !req.events {
        return Ok(SpeechResponse { audio: STANDARD.encode(body), mime, usage: characters(req) });
    }
    let mut sound = Vec::new();
    let mut usage = characters(req);
    for event in sse::collect(body)? {
        let mut event = answer(event.as_bytes())?;
        if let Some(piece) = said(&mut event, "audio") {
            let piece = STANDARD.decode(base64(piece, "audio")?);
            sound.extend(piece.map_err(|_| Error::bad_upstream("a piece of the provider's sound is not base64"))?);
        }
        if let Some(raw) = event.get("usage").filter(|raw| raw.is_object()) {
            usage = super::decode::usage(raw);
        }
    }
    Ok(SpeechResponse { audio: STANDARD.encode(sound), mime, usage })
}

/// Whether a body is an object rather than sound.
pub fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<Map<String, Value>>(body).is_ok()
}

/// The sound's bytes.
pub fn render(answer: &SpeechResponse) -> Result<Vec<u8>> {
    STANDARD.decode(&answer.audio).map_err(|_| Error::bad_upstream("the provider's sound is not base64"))
}

/// The sound as events.
pub fn render_events(answer: &SpeechResponse) -> Vec<u8> {
    let mut out = Vec::new();
    let delta = json!({"type": "speech.audio.delta", "audio": answer.audio});
    sse::encode(&mut out, None, &delta.to_string());
    let usage = &answer.usage;
    let (input, output) = (usage.input_tokens.unwrap_or(0), usage.output_tokens.unwrap_or(0));
    let usage = json!({"input_tokens": input, "output_tokens": output, "total_tokens": input.saturating_add(output)});
    sse::encode(&mut out, None, &json!({"type": "speech.audio.done", "usage": usage}).to_string());
    out
}
