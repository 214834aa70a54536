//! Transcripts, both directions: `/audio/transcriptions` and `/audio/translations`.
//!
//! Invariant: a provider is asked for the form that the caller asked for, so that texts and
//! subtitles are never written anew where the provider wrote them.

use sabir_types::{
    Error, Map, Protocol, Request, Result, TranscribeRequest, TranscribeResponse, TranscriptFormat, Usage, Value,
};
use serde_json::json;

use super::{
    fields::{Fields, Out, answer, consumed, said, written},
    parse::wrong,
};
use crate::sse;

/// Reads a request for a transcript.
pub fn parse(body: &[u8]) -> Result<Request> {
    read(body, false)
}

/// Reads a request for a translation.
pub fn parse_translation(body: &[u8]) -> Result<Request> {
    read(body, true)
}

fn read(body: &[u8], translate: bool) -> Result<Request> {
    let mut fields = Fields::read(body)?;
    let file = fields.files("file").into_iter().next();
    let format = match fields.text("response_format")? {
        None => None,
        Some(word) => {
            let wanted = "expected `json`, `verbose_json`, `diarized_json`, `text`, `srt` or `vtt`";
            Some(TranscriptFormat::parse(&word).ok_or_else(|| wrong("response_format", wanted))?)
        }
    };
    let request = TranscribeRequest {
        file: file.ok_or_else(|| wrong("file", "missing: expected a file in a form"))?,
        translate,
        language: fields.text("language")?,
        prompt: fields.text("prompt")?,
        format,
        temperature: fields.number("temperature")?,
        timestamps: fields.texts("timestamp_granularities")?,
        stream: fields.flag("stream")?.unwrap_or(false) && !translate,
        rest: fields.rest(Protocol::OpenAi)?,
    };
    Ok(Request::Transcribe(Box::new(request)))
}

/// Writes a request.
pub fn emit(req: &TranscribeRequest, model: &str) -> Result<Vec<u8>> {
    let mut out = Out::form(model);
    out.add("language", req.language.as_deref());
    out.add("prompt", req.prompt.as_deref());
    out.add("response_format", req.format.map(TranscriptFormat::as_str));
    out.add("temperature", req.temperature);
    if !req.timestamps.is_empty() {
        out.add("timestamp_granularities", Some(req.timestamps.clone()));
    }
    out.add("stream", req.stream.then_some(true));
    out.rest(&req.rest, Protocol::OpenAi);
    out.file("file", &req.file, ("audio.mp3", "application/octet-stream"))?;
    out.finish()
}

/// Reads an answer with a success status that is in this form.
pub fn decode(body: &[u8], format: TranscriptFormat) -> Result<TranscribeResponse> {
    if !format.is_json() {
        // An error in disguise is an object all the same.
        if super::speech::is_object(body) {
            let all = answer(body)?;
            return Ok(object(all, format));
        }
        let text = std::str::from_utf8(body)
            .map_err(|e| Error::bad_upstream("the provider's transcript is not UTF-8 text").with_source(e))?;
        return Ok(TranscribeResponse { text: text.to_owned(), format, ..TranscribeResponse::default() });
    }
    let all = answer(body)?;
    if !all.contains_key("text") {
        return Err(Error::bad_upstream("the provider's answer has no `text`"));
    }
    Ok(object(all, format))
}

fn object(mut all: Map<String, Value>, format: TranscriptFormat) -> TranscribeResponse {
    let mut list = |name: &str| match all.shift_remove(name) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let (segments, words) = (list("segments"), list("words"));
    let duration = all.shift_remove("duration").and_then(|value| number(&value));
    TranscribeResponse {
        text: said(&mut all, "text").unwrap_or_default(),
        format,
        language: said(&mut all, "language"),
        duration,
        segments,
        words,
        usage: consumed(&mut all, "seconds", duration.map(Value::from)),
        rest: all,
    }
}

/// A number; whisper's own server writes the duration as a text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// Reads a stream whose bytes are all there.
pub fn decode_stream(body: &[u8]) -> Result<TranscribeResponse> {
    let mut whole = TranscribeResponse::default();
    let mut done = None;
    for event in sse::collect(body)? {
        let mut event = answer(event.as_bytes())?;
        match said(&mut event, "type").as_deref() {
            Some("transcript.text.delta") => whole.text.push_str(&said(&mut event, "delta").unwrap_or_default()),
            Some("transcript.text.segment") => whole.segments.push(Value::Object(event)),
            Some("transcript.text.done") => done = Some(object(event, TranscriptFormat::Json)),
            _ => {}
        }
    }
    if let Some(done) = done {
        whole.text = done.text;
        (whole.usage, whole.rest) = (done.usage, done.rest);
    }
    Ok(whole)
}

/// Writes an answer in the form that was asked for: its media type, and the bytes.
pub fn render(
    answer: &TranscribeResponse,
    format: TranscriptFormat,
    translate: bool,
) -> Result<(&'static str, Vec<u8>)> {
    const PLAIN: &str = "text/plain; charset=utf-8";
    let as_it_is = answer.format == format;
    match format {
        TranscriptFormat::Text if as_it_is => Ok((PLAIN, answer.text.clone().into_bytes())),
        TranscriptFormat::Text => Ok((PLAIN, format!("{}\n", answer.text).into_bytes())),
        TranscriptFormat::Srt if as_it_is => Ok((PLAIN, answer.text.clone().into_bytes())),
        TranscriptFormat::Vtt if as_it_is => Ok(("text/vtt; charset=utf-8", answer.text.clone().into_bytes())),
        TranscriptFormat::Srt => Ok((PLAIN, subtitles(answer, ',').into_bytes())),
        TranscriptFormat::Vtt => {
            Ok(("text/vtt; charset=utf-8", format!("WEBVTT\n\n{}", subtitles(answer, '.')).into_bytes()))
        }
        _ => Ok(("application/json", written(&json_form(answer, format, translate))?)),
    }
}

fn json_form(answer: &TranscribeResponse, format: TranscriptFormat, translate: bool) -> Value {
    let mut out = Map::new();
    if format != TranscriptFormat::Json {
        out.insert("task".into(), if translate { "translate" } else { "transcribe" }.into());
        if let Some(language) = &answer.language {
            out.insert("language".into(), language.as_str().into());
        }
        out.insert("duration".into(), json!(answer.duration.unwrap_or(0.0)));
    }
    out.insert("text".into(), answer.text.as_str().into());
    if format != TranscriptFormat::Json {
        out.insert("segments".into(), answer.segments.clone().into());
        if !answer.words.is_empty() {
            out.insert("words".into(), answer.words.clone().into());
        }
    }
    for (name, value) in &answer.rest {
        out.entry(name.clone()).or_insert_with(|| value.clone());
    }
    if let Some(usage) = usage(&answer.usage) {
        out.insert("usage".into(), usage);
    }
    Value::Object(out)
}

/// Usage in this protocol's two forms.
fn usage(usage: &Usage) -> Option<Value> {
    let raw = usage.raw.as_ref()?;
    if raw.get("type").is_some() {
        return Some(raw.clone());
    }
    raw.get("seconds").map(|seconds| json!({"type": "duration", "seconds": seconds}))
}

fn subtitles(answer: &TranscribeResponse, point: char) -> String {
    let mut out = String::new();
    let whole = json!({"start": 0.0, "end": answer.duration.unwrap_or(0.0), "text": answer.text});
    let cues = if answer.segments.is_empty() { std::slice::from_ref(&whole) } else { &answer.segments };
    for (at, cue) in cues.iter().enumerate() {
        let time = |name: &str| clock(cue.get(name).and_then(number).unwrap_or(0.0), point);
        let text = cue.get("text").and_then(Value::as_str).unwrap_or_default().trim();
        if point == ',' {
            out.push_str(&format!("{}\n", at + 1));
        }
        out.push_str(&format!("{} --> {}\n{text}\n\n", time("start"), time("end")));
    }
    out
}

/// `00:01:02,500`
fn clock(seconds: f64, point: char) -> String {
    let ms = (seconds.max(0.0) * 1000.0).round() as u64;
    let (s, ms) = (ms / 1000, ms % 1000);
    format!("{:02}:{:02}:{:02}{point}{ms:03}", s / 3600, s / 60 % 60, s % 60)
}

/// Writes an answer as a stream, for a provider that sends none.
pub fn render_stream(answer: &TranscribeResponse) -> Vec<u8> {
    let mut out = Vec::new();
    let delta = json!({"type": "transcript.text.delta", "delta": answer.text});
    sse::encode(&mut out, None, &delta.to_string());
    let mut done = json!({"type": "transcript.text.done", "text": answer.text});
    if let Some(usage) = usage(&answer.usage) {
        done["usage"] = usage;
    }
    sse::encode(&mut out, None, &done.to_string());
    out.extend_from_slice(b"data: [DONE]\n\n");
    out
}
