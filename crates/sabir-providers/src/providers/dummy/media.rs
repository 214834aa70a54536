//! What the built-in provider answers beside chats and vectors: tiny pictures, short sounds, a
//! fixed transcript, no flags, and an order by the words in common.
//!
//! Invariant: the same request gets the same answer, and every file is one that programs can open.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sabir_types::{
    Error, ErrorKind, ImageRequest, ImageResponse, Map, ModerateInput, ModerateRequest, ModerateResponse, Picture,
    Ranked, Request, RerankRequest, RerankResponse, Response, Result, SpeechRequest, SpeechResponse, TranscribeRequest,
    TranscribeResponse, TranscriptFormat, Usage, Value, Verdict,
};
use serde_json::json;

use super::seed;

/// What is heard in every sound.
const WORDS: &str = "The quick brown fox jumps over the lazy dog.";
/// How long every sound is said to be.
const SECONDS: f64 = 2.5;
/// How many samples a second of speech has.
const RATE: u32 = 8000;
/// How long a side of a picture is.
const SIDE: u32 = 16;

/// The answer; `None` if it is not one of these.
pub(super) fn answer(req: &Request, model: &str) -> Option<Result<Response>> {
    Some(Ok(match req {
        Request::Image(image) => Response::Image(Box::new(pictures(image, model))),
        Request::Speech(speech) => match sound(speech) {
            Ok(sound) => Response::Speech(Box::new(sound)),
            Err(error) => return Some(Err(error)),
        },
        Request::Transcribe(sound) => Response::Transcribe(Box::new(transcript(sound))),
        Request::Moderate(input) => Response::Moderate(Box::new(verdicts(input, model))),
        Request::Rerank(documents) => Response::Rerank(Box::new(order(documents, model))),
        _ => return None,
    }))
}

fn pictures(req: &ImageRequest, model: &str) -> ImageResponse {
    let images: Vec<Picture> = (0..req.n.unwrap_or(1).min(10))
        .map(|at| {
            let [red, green, blue, ..] = seed(format!("{} {at}", req.prompt).as_bytes()).to_le_bytes();
            Picture::base64(STANDARD.encode(png([red, green, blue])), Some("image/png".to_owned()))
        })
        .collect();
    let usage = Usage::of_units("images", images.len());
    ImageResponse { created: None, model: model.to_owned(), images, usage, rest: Map::new() }
}

/// A picture of one colour.
fn png([red, green, blue]: [u8; 3]) -> Vec<u8> {
    let mut rows = Vec::new();
    for _ in 0..SIDE {
        // Each row begins with its filter: none.
        rows.push(0);
        rows.extend([red, green, blue].repeat(SIDE as usize));
    }
    let size = u16::try_from(rows.len()).unwrap_or(u16::MAX);
    // One block that is stored as it is.
    let mut data = vec![0x78, 0x01, 0x01];
    data.extend(size.to_le_bytes());
    data.extend((!size).to_le_bytes());
    data.extend(&rows);
    data.extend(adler(&rows).to_be_bytes());
    let mut head = Vec::new();
    head.extend(SIDE.to_be_bytes());
    head.extend(SIDE.to_be_bytes());
    // Eight bits for each of three colours.
    head.extend([8, 2, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, body) in [(b"IHDR", head.as_slice()), (b"IDAT", data.as_slice()), (b"IEND", &[])] {
        let mut chunk = name.to_vec();
        chunk.extend(body);
        out.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(&chunk);
        out.extend(crc(&chunk).to_be_bytes());
    }
    out
}

fn adler(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

/// A beep for every character, as a WAV file or as bare samples.
fn sound(req: &SpeechRequest) -> Result<SpeechResponse> {
    let count = req.input.chars().count();
    // 20 ms each, at most a minute.
    let samples: Vec<u8> = req
        .input
        .chars()
        .take(3000)
        .flat_map(|letter| {
            let half = 4 + u32::from(letter) % 13;
            (0..RATE / 50).flat_map(move |at| {
                let level: i16 = if at / half % 2 == 0 { 4000 } else { -4000 };
                level.to_le_bytes()
            })
        })
        .collect();
    let (bytes, mime) = match req.format.as_deref() {
        Some("pcm") => (samples, "audio/pcm"),
        // Whoever asks for nothing, or for what only an encoder can make, gets what every player plays.
        None | Some("wav" | "mp3" | "opus" | "aac" | "flac") => (wav(&samples), "audio/wav"),
        Some(other) => {
            let message = format!("response_format: the built-in provider has no `{other}`");
            return Err(Error::new(ErrorKind::BadRequest, message).with_param("response_format"));
        }
    };
    let usage = Usage::of_units("characters", count);
    Ok(SpeechResponse { audio: STANDARD.encode(bytes), mime: mime.to_owned(), usage })
}

fn wav(samples: &[u8]) -> Vec<u8> {
    let size = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    let mut out = b"RIFF".to_vec();
    out.extend((36 + size).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16_u32.to_le_bytes());
    // Bare samples, one channel.
    out.extend([1, 0, 1, 0]);
    out.extend(RATE.to_le_bytes());
    out.extend((RATE * 2).to_le_bytes());
    // Two bytes a sample.
    out.extend([2, 0, 16, 0]);
    out.extend(b"data");
    out.extend(size.to_le_bytes());
    out.extend(samples);
    out
}

fn transcript(req: &TranscribeRequest) -> TranscribeResponse {
    let words: Vec<Value> = WORDS
        .split(' ')
        .enumerate()
        .map(|(at, word)| json!({"word": word, "start": at as f64 * 0.25, "end": (at + 1) as f64 * 0.25}))
        .collect();
    let wants_words = req.timestamps.iter().any(|kind| kind == "word");
    TranscribeResponse {
        text: WORDS.to_owned(),
        format: TranscriptFormat::Json,
        language: Some(req.language.clone().unwrap_or_else(|| "english".to_owned())),
        duration: Some(SECONDS),
        segments: vec![json!({"id": 0, "start": 0.0, "end": SECONDS, "text": WORDS})],
        words: if wants_words { words } else { Vec::new() },
        usage: Usage::of_units("seconds", SECONDS),
        rest: Map::new(),
    }
}

fn verdicts(req: &ModerateRequest, model: &str) -> ModerateResponse {
    const CATEGORIES: [&str; 13] = [
        "harassment",
        "harassment/threatening",
        "hate",
        "hate/threatening",
        "illicit",
        "illicit/violent",
        "self-harm",
        "self-harm/intent",
        "self-harm/instructions",
        "sexual",
        "sexual/minors",
        "violence",
        "violence/graphic",
    ];
    let all = |value: Value| CATEGORIES.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
    let verdict = Verdict {
        flagged: false,
        categories: all(false.into()),
        category_scores: all(0.0.into()),
        rest: [("category_applied_input_types".to_owned(), Value::Object(all(json!(["text"]))))].into_iter().collect(),
    };
    let count = match &req.input {
        ModerateInput::Texts(texts) => texts.len(),
        ModerateInput::Text(_) | ModerateInput::Parts(_) => 1,
    };
    ModerateResponse { model: model.to_owned(), results: vec![verdict; count], ..ModerateResponse::default() }
}

fn order(req: &RerankRequest, model: &str) -> RerankResponse {
    let asked = words(&req.query);
    let mut results: Vec<Ranked> = req
        .documents
        .iter()
        .zip(0..)
        .map(|(document, index)| {
            let text = RerankRequest::text(document);
            let common = words(&text).intersection(&asked).count();
            let document = (req.return_documents == Some(true)).then(|| json!({"text": text}));
            Ranked { index, relevance_score: common as f64 / asked.len().max(1) as f64, document }
        })
        .collect();
    results.sort_by(|a, b| b.relevance_score.total_cmp(&a.relevance_score));
    results.truncate(req.top_n.map_or(usize::MAX, |top| top as usize));
    let usage = Usage::of_units("search_units", 1);
    RerankResponse { model: model.to_owned(), results, usage, ..RerankResponse::default() }
}

fn words(text: &str) -> BTreeSet<String> {
    let letters = |c: char| !c.is_alphanumeric();
    text.split(letters).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_are_those_of_the_format() {
        assert_eq!(crc(b"IEND"), 0xAE42_6082);
        assert_eq!(adler(b"Wikipedia"), 0x11E6_0398);
    }

    #[test]
    fn pictures_and_sounds_have_their_heads() {
        let picture = png([1, 2, 3]);
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x02"));
        let speech = SpeechRequest { input: "ab".into(), ..SpeechRequest::default() };
        let answer = sound(&speech).unwrap();
        let bytes = STANDARD.decode(&answer.audio).unwrap();
        assert_eq!((&bytes[..4], &bytes[8..16], bytes.len()), (&b"RIFF"[..], &b"WAVEfmt "[..], 44 + 2 * 320));
        assert_eq!(answer.usage.raw, Some(json!({"characters": 2})));
        let odd = SpeechRequest { format: Some("midi".into()), ..speech };
        assert_eq!(sound(&odd).unwrap_err().param(), Some("response_format"));
    }

    #[test]
    fn documents_are_ordered_by_common_words() {
        let req = RerankRequest {
            query: "red fox".into(),
            documents: vec!["A blue dog".into(), json!({"text": "The red fox."}), "a fox".into()],
            top_n: Some(2),
            ..RerankRequest::default()
        };
        let results = order(&req, "m").results;
        let seen: Vec<_> = results.iter().map(|result| (result.index, result.relevance_score)).collect();
        assert_eq!(seen, [(1, 1.0), (2, 0.5)]);
    }
}
