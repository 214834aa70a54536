//! Pictures, documents, sound and video.
//!
//! Invariant: nothing is fetched: bytes go out as they came, an object of S3 by its address, and
//! any other address is refused.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sabir_types::{Error, Media, Result, Source, Value};
use serde_json::json;

use super::Context;

/// Media types of documents, and Converse's words for them.
const DOCUMENTS: &[(&str, &str)] = &[
    ("application/pdf", "pdf"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/markdown", "md"),
    ("text/plain", "txt"),
];

/// A picture.
pub(super) fn image(media: &Media, place: &str, cx: &mut Context<'_>) -> Result<Value> {
    if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
        cx.warn(place, "`detail` of a picture is left out");
    }
    let mime = media.mime.as_deref().or_else(|| sniff(media));
    let format = match mime {
        Some("image/png") => "png",
        Some("image/jpeg" | "image/jpg") => "jpeg",
        Some("image/gif") => "gif",
        Some("image/webp") => "webp",
        Some(mime) => {
            return Err(Error::unsupported(place, format!("Converse takes no pictures of type `{mime}`")));
        }
        None => return refuse(media, place, "picture"),
    };
    extra(media, place, cx);
    Ok(json!({"image": {"format": format, "source": source(media, place, "picture")?}}))
}

/// A document; `count` numbers those of a request, since names may not repeat.
pub(super) fn document(media: &Media, count: &mut u32, place: &str, cx: &mut Context<'_>) -> Result<Value> {
    let name = media.filename.as_deref().unwrap_or_default();
    let by_name = || {
        let (_, ending) = name.rsplit_once('.')?;
        DOCUMENTS.iter().find(|(_, word)| word.eq_ignore_ascii_case(ending)).map(|(_, word)| *word)
    };
    let by_type = |mime: &str| {
        let known = DOCUMENTS.iter().find(|(known, _)| *known == mime).map(|(_, word)| *word);
        known.or_else(by_name).or_else(|| (mime.starts_with("text/") || mime == "application/json").then_some("txt"))
    };
    let format = match (media.mime.as_deref().or_else(|| sniff(media)), &media.source) {
        (_, Source::Text(_)) => by_name().unwrap_or("txt"),
        (Some(mime), _) => by_type(mime)
            .ok_or_else(|| Error::unsupported(place, format!("Converse takes no documents of type `{mime}`")))?,
        (None, _) => match by_name() {
            Some(format) => format,
            None => return refuse(media, place, "document"),
        },
    };
    extra(media, place, cx);
    *count += 1;
    let name = name_of(name, *count);
    Ok(json!({"document": {"format": format, "name": name, "source": source(media, place, "document")?}}))
}

/// Sound or video.
pub(super) fn other(kind: &'static str, media: &Media, place: &str, cx: &mut Context<'_>) -> Result<Value> {
    let Some(format) = media.mime.as_deref().and_then(|mime| mime.split_once('/')) else {
        return refuse(media, place, kind);
    };
    let format = match format.1 {
        "mpeg" if kind == "audio" => "mp3",
        "x-matroska" => "mkv",
        "quicktime" => "mov",
        "3gpp" => "three_gp",
        "x-wav" => "wav",
        other => other,
    };
    extra(media, place, cx);
    let body = json!({"format": format, "source": source(media, place, kind)?});
    Ok(Value::Object([(kind.to_owned(), body)].into_iter().collect()))
}

fn source(media: &Media, place: &str, what: &str) -> Result<Value> {
    match &media.source {
        Source::Base64(data) => Ok(json!({"bytes": data})),
        Source::Text(text) => Ok(json!({"bytes": STANDARD.encode(text)})),
        Source::Url(url) if url.starts_with("s3://") => Ok(json!({"s3Location": {"uri": url}})),
        Source::Url(_) | Source::FileId(_) => refuse(media, place, what),
    }
}

fn refuse(media: &Media, place: &str, what: &str) -> Result<Value> {
    Err(match &media.source {
        Source::Url(url) if !url.starts_with("s3://") => {
            Error::unsupported(place, format!("Converse fetches no {what} from an address: send its bytes"))
        }
        Source::FileId(_) => {
            Error::unsupported(place, format!("Converse has no store of files: send the {what}'s bytes"))
        }
        _ => Error::bad_request(format!("the media type of a {what} is missing")).with_param(place),
    })
}

/// A name that the API takes: letters, digits, blanks, hyphens and brackets, and no other like it.
fn name_of(name: &str, count: u32) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let safe: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() || "-()[]".contains(c) { c } else { ' ' }).collect();
    let safe = safe.split_whitespace().collect::<Vec<_>>().join(" ");
    match (safe.is_empty(), count) {
        (true, count) => format!("document {count}"),
        (false, 1) => safe,
        (false, count) => format!("{safe} ({count})"),
    }
}

fn extra(media: &Media, place: &str, cx: &mut Context<'_>) {
    media.rest.keys().for_each(|name| cx.left_out(&format!("{place}.{name}")));
}

/// The media type that base64 gives away by its first bytes.
fn sniff(media: &Media) -> Option<&'static str> {
    let Source::Base64(data) = &media.source else { return None };
    [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("JVBERi", "application/pdf"),
    ]
    .into_iter()
    .find_map(|(start, mime)| data.starts_with(start).then_some(mime))
}
