//! Images, both directions: `/images/generations` and `/images/edits`.
//!
//! Invariants: pictures leave in the order in which they came; an edit is a form unless a picture
//! has no bytes here, then it is an object.

use sabir_types::{Error, ImageRequest, ImageResponse, Map, Media, Picture, Protocol, Request, Result, Source, Value};
use serde_json::json;

use super::{
    fields::{Fields, Out, answer, base64, consumed, said, written},
    parse::{locate, wrong},
};
use crate::sse;

/// Reads a request for new pictures.
pub fn parse(body: &[u8]) -> Result<Request> {
    let mut fields = Fields::object(body)?;
    let request = common(&mut fields)?;
    finish(request, fields)
}

/// Reads a request for changed pictures: a form, or an object.
pub fn parse_edit(body: &[u8]) -> Result<Request> {
    let mut fields = Fields::read(body)?;
    let mut request = common(&mut fields)?;
    request.edit = true;
    request.images = fields.files("image");
    request.mask = fields.files("mask").into_iter().next();
    if let Some(Value::Array(images)) = fields.take("images") {
        for (at, image) in images.into_iter().enumerate() {
            request.images.push(reference(image, &format!("images[{at}]"))?);
        }
        request.mask = fields.take("mask").map(|mask| reference(mask, "mask")).transpose()?;
    }
    if request.images.is_empty() {
        return Err(wrong("image", "missing: expected at least one file"));
    }
    finish(request, fields)
}

fn common(fields: &mut Fields) -> Result<ImageRequest> {
    Ok(ImageRequest {
        prompt: fields.required("prompt")?,
        n: fields.count("n")?,
        size: fields.text("size")?,
        quality: fields.text("quality")?,
        background: fields.text("background")?,
        output_format: fields.text("output_format")?,
        output_compression: fields.count("output_compression")?,
        response_format: fields.text("response_format")?,
        stream: fields.flag("stream")?.unwrap_or(false),
        partial_images: fields.count("partial_images")?,
        user: fields.text("user")?,
        ..ImageRequest::default()
    })
}

fn finish(mut request: ImageRequest, fields: Fields) -> Result<Request> {
    request.rest = fields.rest(Protocol::OpenAi)?;
    Ok(Request::Image(Box::new(request)))
}

/// `{"image_url": …}` or `{"file_id": …}`.
fn reference(value: Value, path: &str) -> Result<Media> {
    let expected = || wrong(path, "expected an object with `image_url` or `file_id`");
    let Value::Object(mut members) = value else { return Err(expected()) };
    match (said(&mut members, "image_url"), said(&mut members, "file_id")) {
        (Some(url), None) => {
            let (source, mime) = locate(url, &format!("{path}.image_url"))?;
            Ok(Media::new(source, mime))
        }
        (None, Some(id)) => Ok(Media::new(Source::FileId(id), None)),
        _ => Err(expected()),
    }
}

/// Writes a request.
pub fn emit(req: &ImageRequest, model: &str) -> Result<Vec<u8>> {
    let has_bytes = |media: &Media| matches!(media.source, Source::Base64(_));
    let is_form = req.edit && req.images.iter().chain(&req.mask).all(has_bytes);
    let mut out = if is_form { Out::form(model) } else { Out::object(model) };
    out.add("prompt", Some(req.prompt.as_str()));
    out.add("n", req.n);
    out.add("size", req.size.as_deref());
    out.add("quality", req.quality.as_deref());
    out.add("background", req.background.as_deref());
    out.add("output_format", req.output_format.as_deref());
    out.add("output_compression", req.output_compression);
    out.add("response_format", req.response_format.as_deref());
    out.add("stream", req.stream.then_some(true));
    out.add("partial_images", req.partial_images);
    out.add("user", req.user.as_deref());
    out.rest(&req.rest, Protocol::OpenAi);
    if is_form {
        // One file may stand alone, several have the name of a list.
        let name = if req.images.len() == 1 { "image" } else { "image[]" };
        for image in &req.images {
            out.file(name, image, ("image.png", "image/png"))?;
        }
        if let Some(mask) = &req.mask {
            out.file("mask", mask, ("mask.png", "image/png"))?;
        }
    } else if req.edit {
        out.add("images", Some(req.images.iter().map(pointed).collect::<Result<Vec<Value>>>()?));
        out.add("mask", req.mask.as_ref().map(pointed).transpose()?);
    }
    out.finish()
}

fn pointed(media: &Media) -> Result<Value> {
    match &media.source {
        Source::Url(url) => Ok(json!({"image_url": url})),
        Source::FileId(id) => Ok(json!({"file_id": id})),
        Source::Base64(data) => {
            let mime = media.mime.as_deref().unwrap_or("image/png");
            Ok(json!({"image_url": format!("data:{mime};base64,{data}")}))
        }
        Source::Text(_) => Err(Error::unsupported("image", "a text is no picture")),
    }
}

/// Reads an answer with a success status.
pub fn decode(body: &[u8]) -> Result<ImageResponse> {
    let mut all = answer(body)?;
    let Some(Value::Array(data)) = all.shift_remove("data") else {
        return Err(Error::bad_upstream("the provider's answer has no `data`"));
    };
    let format = all.get("output_format").and_then(Value::as_str).map(|format| format!("image/{format}"));
    let images = data
        .into_iter()
        .enumerate()
        .map(|(at, item)| picture(item, at, format.as_deref()))
        .collect::<Result<Vec<_>>>()?;
    let usage = consumed(&mut all, "images", Some(images.len().into()));
    let created = all.shift_remove("created").and_then(|created| created.as_i64());
    let model = said(&mut all, "model").unwrap_or_default();
    Ok(ImageResponse { created, model, images, usage, rest: all })
}

fn picture(item: Value, at: usize, format: Option<&str>) -> Result<Picture> {
    let bad = || Error::bad_upstream(format!("data[{at}] of the provider's answer is no picture"));
    let Value::Object(mut members) = item else { return Err(bad()) };
    let source = match (said(&mut members, "b64_json"), said(&mut members, "url")) {
        (Some(data), _) if !data.is_empty() => Source::Base64(base64(data, &format!("data[{at}].b64_json"))?),
        (_, Some(url)) => Source::Url(url),
        _ => return Err(bad()),
    };
    let revised_prompt = said(&mut members, "revised_prompt");
    let mime = said(&mut members, "mime_type").or_else(|| format.map(str::to_owned));
    members.retain(|_, value| !value.is_null());
    Ok(Picture { source, mime, revised_prompt, rest: members })
}

/// Reads a stream whose bytes are all there: the finished pictures.
pub fn decode_stream(body: &[u8]) -> Result<ImageResponse> {
    let mut whole = ImageResponse::default();
    for event in sse::collect(body)? {
        let mut event = answer(event.as_bytes())?;
        let kind = said(&mut event, "type").unwrap_or_default();
        if !kind.ends_with(".completed") {
            continue;
        }
        whole.created = event.shift_remove("created_at").and_then(|created| created.as_i64());
        whole.usage = consumed(&mut event, "images", Some(1.into()));
        let format = event.get("output_format").and_then(Value::as_str).map(|format| format!("image/{format}"));
        let data = said(&mut event, "b64_json").unwrap_or_default();
        whole.images.push(Picture::base64(base64(data, "b64_json")?, format));
        whole.rest = event;
    }
    Ok(whole)
}

/// Writes an answer. `created` stands for a time that the provider did not say.
pub fn render(answer: &ImageResponse, created: i64) -> Result<Vec<u8>> {
    let mut out = Map::new();
    out.insert("created".into(), answer.created.unwrap_or(created).into());
    let data = answer.images.iter().map(shown).collect::<Result<Vec<Value>>>()?;
    out.insert("data".into(), data.into());
    for (name, value) in &answer.rest {
        out.entry(name.clone()).or_insert_with(|| value.clone());
    }
    if let Some(usage) = usage(answer) {
        out.insert("usage".into(), usage);
    }
    written(&Value::Object(out))
}

fn shown(picture: &Picture) -> Result<Value> {
    let mut out = Map::new();
    match &picture.source {
        Source::Base64(data) => out.insert("b64_json".into(), data.as_str().into()),
        Source::Url(url) => out.insert("url".into(), url.as_str().into()),
        Source::FileId(_) | Source::Text(_) => {
            return Err(Error::internal("a picture is neither bytes nor at a URL"));
        }
    };
    if let Some(prompt) = &picture.revised_prompt {
        out.insert("revised_prompt".into(), prompt.as_str().into());
    }
    Ok(Value::Object(out))
}

/// The tokens, where they are known; a number of pictures is no usage of this protocol.
fn usage(answer: &ImageResponse) -> Option<Value> {
    let usage = &answer.usage;
    if let Some(raw) =
        usage.raw.as_ref().filter(|raw| raw.get("total_tokens").is_some() && raw.get("input_tokens").is_some())
    {
        return Some(raw.clone());
    }
    let (input, output) = (usage.input_tokens?, usage.output_tokens?);
    Some(json!({
        "input_tokens": input,
        "output_tokens": output,
        "total_tokens": input.saturating_add(output),
        "input_tokens_details": {"text_tokens": input, "image_tokens": 0},
    }))
}

/// Writes an answer as a stream of finished pictures, for a provider that does not show unfinished ones.
pub fn render_stream(answer: &ImageResponse, edit: bool, created: i64) -> Result<Vec<u8>> {
    let kind = if edit { "image_edit.completed" } else { "image_generation.completed" };
    let mut out = Vec::new();
    for picture in &answer.images {
        let Source::Base64(data) = &picture.source else {
            return Err(Error::unsupported("stream", "the provider gave an address instead of a picture"));
        };
        let format = picture.mime.as_deref().and_then(|mime| mime.strip_prefix("image/")).unwrap_or("png");
        let mut event = json!({
            "type": kind,
            "b64_json": data,
            "created_at": answer.created.unwrap_or(created),
            "size": "auto",
            "quality": "auto",
            "background": "auto",
            "output_format": format,
        });
        for name in ["size", "quality", "background"] {
            if let Some(value) = answer.rest.get(name) {
                event[name] = value.clone();
            }
        }
        if let Some(usage) = usage(answer) {
            event["usage"] = usage;
        }
        sse::encode(&mut out, Some(kind), &event.to_string());
    }
    Ok(out)
}
