//! Invoke types that are no conversation: vectors, pictures, speech, transcripts.
//!
//! Invariants: files arrive with their bytes, however the clients pack them; a raw answer is an
//! object in the words of the invoke type, whoever answered; such an answer comes whole.

use sabir_engine::Facts;
use sabir_types::{
    EmbedFormat, Error, ImageResponse, Map, Operation, Picture, Request, Response, Result, Source, SpeechResponse,
    TranscribeResponse, Value,
};
use sabir_wire::{
    multipart::Writer,
    openai::{embed, image, speech, transcript},
};
use serde_json::json;

use super::{
    dialect::Dialect,
    files::{self, File},
};
use crate::doors::shared::now;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// OpenAI's embeddings.
    Embeddings,
    /// OpenAI's pictures.
    Images,
    /// OpenAI's changed pictures.
    Edits,
    /// Google's pictures.
    GoogleImages,
    /// OpenAI's speech.
    Speech,
    /// OpenAI's transcripts.
    Transcripts,
    /// OpenAI's translations.
    Translations,
}

/// Google's names for what OpenAI has other names for.
const GOOGLES: [(&str, &str); 4] = [
    ("number_of_images", "n"),
    ("output_mime_type", "output_format"),
    ("output_compression_quality", "output_compression"),
    ("include_rai_reason", ""),
];
/// Names that makers of voices have for what OpenAI has other names for.
const VOICES: [(&str, &str); 3] = [("text_prompt", "input"), ("reference_id", "voice"), ("format", "response_format")];

impl Media {
    /// What an invoke type asks for, if it is one of these.
    pub(super) fn of(provider: &str, invoke_type: &str) -> Option<Self> {
        Some(match invoke_type {
            "embeddings" => Self::Embeddings,
            "image-generation" if provider == "google" => Self::GoogleImages,
            "image-generation" => Self::Images,
            "image-generation-genai" => Self::GoogleImages,
            "image-edit-generation" => Self::Edits,
            "audio-generation" => Self::Speech,
            "audio-transcription" => Self::Transcripts,
            "audio-translation" => Self::Translations,
            _ => return None,
        })
    }

    /// What kind of work it is.
    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Embeddings => Operation::Embed,
            Self::Images | Self::GoogleImages => Operation::Image,
            Self::Edits => Operation::ImageEdit,
            Self::Speech => Operation::Speech,
            Self::Transcripts => Operation::Transcribe,
            Self::Translations => Operation::Translate,
        }
    }

    /// Whose words the parameters and the raw answer are in.
    pub(super) fn dialect(self) -> Dialect {
        match self {
            Self::GoogleImages => Dialect::Gemini,
            _ => Dialect::Chat,
        }
    }

    /// The body, and what it asks for.
    pub(super) fn read(self, mut body: Map<String, Value>, left_out: &mut Vec<String>) -> Result<(Vec<u8>, Request)> {
        // Nothing of it would be of use in pieces to these clients.
        for name in ["stream", "partial_images", "stream_options", "stream_format"] {
            if body.shift_remove(name).is_some_and(|value| value != false) {
                left_out.push(name.to_owned());
            }
        }
        let bytes = match self {
            Self::Transcripts | Self::Translations => form(body)?,
            Self::Embeddings | Self::Images => written(body)?,
            Self::Edits => written(pointed(body)?)?,
            Self::GoogleImages => written(googles(body)?)?,
            Self::Speech => written(renamed(body, &VOICES))?,
        };
        let request = match self {
            Self::Embeddings => embed::parse(&bytes)?,
            Self::Images | Self::GoogleImages => image::parse(&bytes)?,
            Self::Edits => image::parse_edit(&bytes)?,
            Self::Speech => whole(speech::parse(&bytes)?),
            Self::Transcripts => transcript::parse(&bytes)?,
            Self::Translations => transcript::parse_translation(&bytes)?,
        };
        Ok((bytes, request))
    }

    /// An answer's text and its raw form. `own` is what the provider said, if it speaks the dialect.
    pub(super) fn shown(
        self,
        answer: &Response,
        own: Option<Map<String, Value>>,
        facts: &Facts,
        model: &str,
    ) -> Result<(String, Value)> {
        let created = now() as i64;
        let (content, needed, raw) = match answer {
            Response::Embed(vectors) => (String::new(), "data", embed::render(vectors, EmbedFormat::Float, model)?),
            Response::Image(pictures) if self == Self::GoogleImages => {
                let own = own.filter(|own| own.contains_key("predictions") || own.contains_key("candidates"));
                let raw = own.map_or_else(|| predictions(pictures), Value::Object);
                return Ok((addresses(pictures), raw));
            }
            Response::Image(pictures) => (addresses(pictures), "data", image::render(pictures, created)?),
            Response::Speech(sound) => return Ok((address(&sound.mime, &sound.audio), spoken(sound, facts))),
            Response::Transcribe(said) => (said.text.clone(), "text", transcribed(said, self == Self::Translations)?),
            _ => return Err(Error::internal("this door cannot write such an answer")),
        };
        let raw = match own.filter(|own| own.contains_key(needed)) {
            Some(own) => Value::Object(own),
            None => serde_json::from_slice(&raw).unwrap_or_default(),
        };
        Ok((content, raw))
    }
}

fn written(body: Map<String, Value>) -> Result<Vec<u8>> {
    serde_json::to_vec(&body).map_err(|e| Error::internal("a request could not be written").with_source(e))
}

/// Speech that is waited for.
fn whole(mut request: Request) -> Request {
    if let Request::Speech(speech) = &mut request {
        (speech.stream, speech.events) = (false, false);
    }
    request
}

/// A body whose members have other names; one that has none is left out.
fn renamed(body: Map<String, Value>, names: &[(&str, &str)]) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in body {
        match names.iter().find(|(known, _)| *known == name) {
            None => drop(out.insert(name, value)),
            Some((_, "")) => {}
            Some((_, other)) => drop(out.entry(*other).or_insert(value)),
        }
    }
    out
}

/// Google's parameters, some of which stand in a `config`.
fn googles(mut body: Map<String, Value>) -> Result<Map<String, Value>> {
    match body.shift_remove("config") {
        None => {}
        Some(Value::Object(config)) => {
            body.extend(config.into_iter().map(|(name, value)| (files::snake(&name), value)))
        }
        Some(_) => return Err(Error::bad_request("`config`: expected an object").with_param("config")),
    }
    let mut body = renamed(body, &GOOGLES);
    if let Some(Value::String(mime)) = body.get_mut("output_format")
        && let Some(format) = mime.strip_prefix("image/")
    {
        *mime = format.to_owned();
    }
    Ok(body)
}

/// A body whose pictures are named as references.
fn pointed(mut body: Map<String, Value>) -> Result<Map<String, Value>> {
    let reference = |file: File| match file {
        File::Bytes { mime, data, .. } => json!({"image_url": address(mime.as_deref().unwrap_or("image/png"), &data)}),
        File::Address(url) => json!({ "image_url": url }),
        File::Kept(id) => json!({ "file_id": id }),
    };
    let pictures = files::all(body.shift_remove("image").unwrap_or_default(), "image")?;
    if !pictures.is_empty() {
        body.insert("images".into(), pictures.into_iter().map(reference).collect());
    }
    if let Some(mask) = body.shift_remove("mask") {
        let mask = files::all(mask, "mask")?.into_iter().next();
        body.extend(mask.map(|mask| ("mask".to_owned(), reference(mask))));
    }
    Ok(body)
}

/// The same as a form with a file.
fn form(mut body: Map<String, Value>) -> Result<Vec<u8>> {
    let mut form = Writer::new();
    match files::all(body.shift_remove("file").unwrap_or_default(), "file")?.into_iter().next() {
        None => {}
        Some(File::Bytes { name, mime, data }) => {
            let name = name.as_deref().unwrap_or("audio.mp3");
            let data = files::decoded(&data, "file")?;
            form.file("file", name, mime.as_deref().unwrap_or("application/octet-stream"), data);
        }
        Some(File::Address(_) | File::Kept(_)) => {
            return Err(Error::bad_request("`file`: expected bytes").with_param("file"));
        }
    }
    body.into_iter().for_each(|(name, value)| field(&mut form, &name, value));
    Ok(form.finish())
}

fn field(form: &mut Writer<'_>, name: &str, value: Value) {
    match value {
        Value::Null => {}
        Value::String(text) => form.text(name, text),
        Value::Array(values) => values.into_iter().for_each(|value| field(form, &format!("{name}[]"), value)),
        Value::Object(members) => {
            members.into_iter().for_each(|(key, value)| field(form, &format!("{name}[{key}]"), value));
        }
        other => form.text(name, other.to_string()),
    }
}

fn address(mime: &str, data: &str) -> String {
    format!("data:{mime};base64,{data}")
}

fn place(picture: &Picture) -> String {
    match &picture.source {
        Source::Base64(data) => address(picture.mime.as_deref().unwrap_or("image/png"), data),
        Source::Url(text) | Source::FileId(text) | Source::Text(text) => text.clone(),
    }
}

/// Where the pictures are, one on a line.
fn addresses(pictures: &ImageResponse) -> String {
    pictures.images.iter().map(place).collect::<Vec<_>>().join("\n")
}

/// The pictures as Google's method `predict` answers.
fn predictions(pictures: &ImageResponse) -> Value {
    let shown = |picture: &Picture| {
        let mut out = Map::new();
        match &picture.source {
            Source::Base64(data) => {
                out.insert("mimeType".into(), picture.mime.as_deref().unwrap_or("image/png").into());
                out.insert("bytesBase64Encoded".into(), data.as_str().into());
            }
            Source::Url(text) | Source::FileId(text) | Source::Text(text) => {
                out.insert("gcsUri".into(), text.as_str().into());
            }
        }
        if let Some(prompt) = &picture.revised_prompt {
            out.insert("prompt".into(), prompt.as_str().into());
        }
        Value::Object(out)
    };
    json!({"predictions": pictures.images.iter().map(shown).collect::<Vec<_>>()})
}

/// Sound as an object: the vendor's own answer is nothing but the sound.
fn spoken(sound: &SpeechResponse, facts: &Facts) -> Value {
    json!({
        "id": facts.inference_id,
        "object": "audio.speech",
        "audio": {"data": sound.audio, "mime_type": sound.mime},
    })
}

fn transcribed(said: &TranscribeResponse, translate: bool) -> Result<Vec<u8>> {
    let format = match said.format {
        format if format.is_json() => format,
        _ => Default::default(),
    };
    transcript::render(said, format, translate).map(|(_, bytes)| bytes)
}

#[cfg(test)]
#[path = "media_tests.rs"]
mod tests;
