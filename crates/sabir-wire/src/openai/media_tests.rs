//! Tests of images, audio and moderations. Invariant: what one side writes the other side reads.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sabir_types::{Map, ModerateInput, Operation, Request, Source, TranscriptFormat, Value};
use serde_json::json;

use super::{image, moderation, speech, transcript};
use crate::multipart::{self, Writer};

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn fields(form: &[u8]) -> Vec<(String, String)> {
    let text = |part: &multipart::Part<'_>| String::from_utf8_lossy(part.data).into_owned();
    multipart::parse(form).unwrap().iter().map(|part| (part.name.to_string(), text(part))).collect()
}

#[test]
fn a_request_for_pictures_comes_back() {
    let body = json!({"model": "m", "prompt": "p", "n": 2, "size": "1x1", "quality": "low", "background": "auto",
        "output_format": "png", "output_compression": 5, "response_format": "b64_json", "stream": true,
        "partial_images": 1, "user": "u", "style": "vivid"});
    let Request::Image(req) = image::parse(body.to_string().as_bytes()).unwrap() else { panic!("no picture") };
    assert!(!req.edit && req.stream);
    assert_eq!(value(&image::emit(&req, "m").unwrap()), body);
    let error = image::parse(br#"{"prompt":"p","n":"2"}"#).unwrap_err();
    assert_eq!(error.message(), "n: expected a whole number from 0");
}

#[test]
fn a_form_with_pictures_comes_back() {
    let mut form = Writer::new();
    form.text("prompt", "p");
    form.text("n", "2");
    form.file("image[]", "a.png", "image/png", b"\x89PNG".as_slice());
    form.file("image[]", "b", "image/webp", b"RIFF".as_slice());
    form.file("mask", "m.png", "image/png", b"mask".as_slice());
    form.text("input_fidelity", "high");
    let Request::Image(req) = image::parse_edit(&form.finish()).unwrap() else { panic!("no picture") };
    assert_eq!((req.edit, req.images.len(), req.n), (true, 2, Some(2)));
    assert_eq!(req.mask.as_ref().unwrap().source, Source::Base64(STANDARD.encode("mask")));
    let out = image::emit(&req, "gpt-image-1").unwrap();
    let names = "model prompt n input_fidelity image[] image[] mask";
    assert_eq!(fields(&out).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" "), names);
    assert_eq!(fields(&out)[0].1, "gpt-image-1");
}

#[test]
fn pictures_elsewhere_stand_in_an_object() {
    let body = json!({"model": "m", "prompt": "p", "images": [{"image_url": "https://x/y.png"}, {"file_id": "f"}],
        "mask": {"file_id": "g"}});
    let Request::Image(req) = image::parse_edit(body.to_string().as_bytes()).unwrap() else { panic!("no picture") };
    assert_eq!(value(&image::emit(&req, "m").unwrap()), body);
    let error = image::parse_edit(br#"{"prompt":"p","images":[{"image_url":"x"}]}"#).unwrap_err();
    assert_eq!(error.param(), Some("images[0].image_url"));
}

#[test]
fn pictures_are_counted_where_no_tokens_are() {
    let body = br#"{"created":1,"data":[{"b64_json":"aGk="},{"url":"https://x","revised_prompt":"r"}]}"#;
    let answer = image::decode(body).unwrap();
    assert_eq!(answer.usage.raw, Some(json!({"images": 2})));
    let seen = super::decode::glance(Operation::Image, body).unwrap();
    assert_eq!(seen.usage, answer.usage);
    let shown = value(&image::render(&answer, 5).unwrap());
    let wanted = json!({"created": 1, "data": [{"b64_json": "aGk="}, {"url": "https://x", "revised_prompt": "r"}]});
    assert_eq!(shown, wanted);
    let tokens = r#"{"input_tokens":2,"output_tokens":3,"total_tokens":5,"input_tokens_details":{}}"#;
    let body = format!(r#"{{"created":1,"data":[{{"b64_json":"aGk="}}],"output_format":"webp","usage":{tokens}}}"#);
    let answer = image::decode(body.as_bytes()).unwrap();
    assert_eq!((answer.usage.total(), answer.images[0].mime.as_deref()), (Some(5), Some("image/webp")));
    assert_eq!(value(&image::render(&answer, 5).unwrap()), value(body.as_bytes()));
}

#[test]
fn a_stream_of_pictures_is_read_as_it_is_written() {
    let body = br#"{"created":7,"data":[{"b64_json":"aGk="}],"size":"1x1","output_format":"png"}"#;
    let answer = image::decode(body).unwrap();
    let stream = image::render_stream(&answer, false, 5).unwrap();
    assert!(stream.starts_with(b"event: image_generation.completed\ndata: {"));
    let again = image::decode_stream(&stream).unwrap();
    assert_eq!((again.images, again.created), (answer.images, Some(7)));
    let text = String::from_utf8(stream).unwrap();
    let event = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    assert!(super::decode::glance_event(event).unwrap().done);
}

#[test]
fn speech_is_bytes_or_events() {
    let body = json!({"model": "m", "input": "hé", "voice": "alloy", "response_format": "wav", "speed": 1.5,
        "stream_format": "sse", "instructions": "slowly"});
    let Request::Speech(mut req) = speech::parse(body.to_string().as_bytes()).unwrap() else { panic!("no speech") };
    assert_eq!(value(&speech::emit(&req, "m").unwrap()), body);
    let stream = b"data: {\"type\":\"speech.audio.delta\",\"audio\":\"aGk=\"}\n\n\
        data: {\"type\":\"speech.audio.delta\",\"audio\":\"IQ==\"}\n\n\
        data: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":1,\"output_tokens\":2,\"total_tokens\":3}}\n\n";
    let answer = speech::decode(&req, stream).unwrap();
    assert_eq!((speech::render(&answer).unwrap().as_slice(), answer.usage.total()), (b"hi!".as_slice(), Some(3)));
    assert_eq!(speech::decode(&req, &speech::render_events(&answer)).unwrap().audio, answer.audio);
    req.events = false;
    let answer = speech::decode(&req, b"hi").unwrap();
    assert_eq!((answer.mime.as_str(), answer.usage.raw), ("audio/wav", Some(json!({"characters": 2}))));
    let error = speech::decode(&req, br#"{"error":{"message":"no"}}"#).unwrap_err();
    assert_eq!(error.message(), "no");
}

#[test]
fn a_transcript_is_asked_for_in_a_form() {
    let mut form = Writer::new();
    form.file("file", "a.mp3", "audio/mpeg", b"ID3".as_slice());
    form.text("model", "whisper-1");
    form.text("response_format", "verbose_json");
    form.text("temperature", "0.5");
    form.text("timestamp_granularities[]", "word");
    form.text("timestamp_granularities[]", "segment");
    form.text("chunking_strategy[type]", "server_vad");
    let Request::Transcribe(req) = transcript::parse(&form.finish()).unwrap() else { panic!("no sound") };
    assert_eq!((req.format, req.timestamps.len()), (Some(TranscriptFormat::VerboseJson), 2));
    let again = transcript::emit(&req, "m").unwrap();
    let Request::Transcribe(second) = transcript::parse(&again).unwrap() else { panic!("no sound") };
    assert_eq!(req, second);
    let error = transcript::parse(b"{\"model\":\"m\"}").unwrap_err();
    assert_eq!(error.param(), Some("file"));
}

#[test]
fn transcripts_change_their_form() {
    let body = json!({"text": "one two", "language": "en", "duration": 2.5, "usage": {"type": "duration", "seconds": 3},
        "segments": [{"start": 0.0, "end": 1.0, "text": " one"}, {"start": 1.0, "end": 61.25, "text": " two"}]});
    let answer = transcript::decode(body.to_string().as_bytes(), TranscriptFormat::VerboseJson).unwrap();
    assert_eq!(answer.usage.raw, Some(json!({"type": "duration", "seconds": 3})));
    let shown = |format| {
        let (kind, bytes) = transcript::render(&answer, format, false).unwrap();
        (kind, String::from_utf8(bytes).unwrap())
    };
    assert_eq!(shown(TranscriptFormat::Text).1, "one two\n");
    let (_, srt) = shown(TranscriptFormat::Srt);
    assert_eq!(srt, "1\n00:00:00,000 --> 00:00:01,000\none\n\n2\n00:00:01,000 --> 00:01:01,250\ntwo\n\n");
    assert!(shown(TranscriptFormat::Vtt).1.starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\none\n"));
    let verbose: Value = serde_json::from_str(&shown(TranscriptFormat::VerboseJson).1).unwrap();
    let mut wanted = body;
    wanted["task"] = "transcribe".into();
    assert_eq!(verbose, wanted);
    let plain = transcript::decode(b"1\n00:\n", TranscriptFormat::Srt).unwrap();
    assert_eq!(transcript::render(&plain, TranscriptFormat::Srt, false).unwrap().1, b"1\n00:\n");
}

#[test]
fn a_streamed_transcript_is_read_as_it_is_written() {
    let usage = json!({"type": "tokens", "input_tokens": 4, "output_tokens": 2, "total_tokens": 6,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 4}});
    let body = json!({"text": "one", "usage": usage}).to_string();
    let answer = transcript::decode(body.as_bytes(), TranscriptFormat::Json).unwrap();
    assert_eq!(answer.usage.input_audio_tokens, Some(4));
    let again = transcript::decode_stream(&transcript::render_stream(&answer)).unwrap();
    assert_eq!((again.text, again.usage), (answer.text, answer.usage));
}

#[test]
fn a_verdict_is_always_said() {
    let body = json!({"model": "m", "input": [{"type": "text", "text": "x"}]});
    let Request::Moderate(req) = moderation::parse(body.to_string().as_bytes()).unwrap() else { panic!("no input") };
    assert!(matches!(req.input, ModerateInput::Parts(_)));
    assert_eq!(value(&moderation::emit(&req, "m").unwrap()), body);
    let answer =
        moderation::decode(br#"{"results":[{"categories":{"pii":true},"category_scores":{"pii":0.9}}]}"#).unwrap();
    assert!(answer.results[0].flagged);
    let shown: Map<String, Value> = serde_json::from_slice(&moderation::render(&answer, "i", "n").unwrap()).unwrap();
    assert_eq!(
        (&shown["id"], &shown["model"], &shown["results"][0]["flagged"]),
        (&"i".into(), &"n".into(), &true.into())
    );
    assert_eq!(moderation::parse(br#"{"input":[1]}"#).unwrap_err().param(), Some("input"));
}
