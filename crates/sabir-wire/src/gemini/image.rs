//! Pictures by Google's models: Gemini makes them in a conversation, Imagen by the method `predict`.
//!
//! Facts: <https://ai.google.dev/gemini-api/docs/image-generation>, <https://ai.google.dev/gemini-api/docs/imagen>,
//! read 2026-11.
//!
//! Invariant: what these models have no word for is refused where it decides what is shown, and
//! left out with a warning where it does not.

use sabir_types::{
    Block, ChatRequest, ChatResponse, Error, ErrorKind, FinishReason, ImageRequest, ImageResponse, Map, Message,
    Picture, Protocol, Rest, Result, Role, Source, Usage, Value, Warning,
};
use serde_json::json;

use super::{decode, emit, error, glance, short};

/// Whether a model is one of Imagen's, which have a method of their own.
pub fn is_imagen(model: &str) -> bool {
    short(model).rsplit('/').next().unwrap_or(model).starts_with("imagen")
}

/// Writes a request.
pub fn emit(req: &ImageRequest, model: &str, warnings: &mut Vec<Warning>) -> Result<Vec<u8>> {
    if req.mask.is_some() {
        return Err(Error::unsupported("mask", "google's models take no mask"));
    }
    let mut warn = |param: &str| {
        let message = "left out: google's models have no such parameter".to_owned();
        warnings.push(Warning { param: param.to_owned(), message });
    };
    for (name, asked) in [
        ("quality", req.quality.as_deref().is_some_and(|quality| quality != "auto")),
        ("background", req.background.as_deref().is_some_and(|background| background != "auto")),
        ("partial_images", req.partial_images.is_some_and(|count| count > 0)),
        ("user", req.user.is_some()),
        ("response_format", req.response_format.as_deref() == Some("url")),
    ] {
        if asked {
            warn(name);
        }
    }
    let mut members = req.rest.members.clone();
    let ratio = match members.shift_remove("aspect_ratio").and_then(|ratio| ratio.as_str().map(str::to_owned)) {
        Some(ratio) => Some(ratio),
        None => req.size.as_deref().filter(|size| *size != "auto").map(ratio).transpose()?.map(str::to_owned),
    };
    members.keys().for_each(|name| warn(name));
    if is_imagen(model) {
        return predict(req, ratio);
    }
    if req.n.is_some_and(|n| n > 1) {
        return Err(Error::unsupported("n", format!("model `{model}` makes one picture at a time")));
    }
    for (name, asked) in [
        ("output_format", req.output_format.as_deref().is_some_and(|format| format != "png")),
        ("output_compression", req.output_compression.is_some()),
    ] {
        if asked {
            warn(name);
        }
    }
    let mut content = vec![Block::text(req.prompt.as_str())];
    content.extend(req.images.iter().cloned().map(|mut image| {
        image.mime.get_or_insert_with(|| "image/png".to_owned());
        image.filename = None;
        Block::Image(image)
    }));
    let mut rest = Map::new();
    if let Some(ratio) = ratio {
        rest.insert("generationConfig".into(), json!({"imageConfig": {"aspectRatio": ratio}}));
    }
    let chat = ChatRequest {
        messages: vec![Message::new(Role::User, content)],
        modalities: vec!["text".into(), "image".into()],
        rest: Rest { protocol: Some(Protocol::Gemini), members: rest },
        ..ChatRequest::default()
    };
    emit::chat(&chat, model, warnings)
}

fn predict(req: &ImageRequest, ratio: Option<String>) -> Result<Vec<u8>> {
    if req.edit {
        return Err(Error::unsupported("image", "imagen makes new pictures only"));
    }
    let mut parameters = json!({"sampleCount": req.n.unwrap_or(1)});
    if let Some(ratio) = ratio {
        parameters["aspectRatio"] = ratio.into();
    }
    if req.output_format.is_some() || req.output_compression.is_some() {
        let mut options = Map::new();
        if let Some(format) = &req.output_format {
            options.insert("mimeType".into(), format!("image/{format}").into());
        }
        if let Some(quality) = req.output_compression {
            options.insert("compressionQuality".into(), quality.into());
        }
        parameters["outputOptions"] = Value::Object(options);
    }
    let body = json!({"instances": [{"prompt": req.prompt}], "parameters": parameters});
    serde_json::to_vec(&body).map_err(|e| Error::internal("the request cannot be written as JSON").with_source(e))
}

/// The nearest of the ratios that the models know.
fn ratio(size: &str) -> Result<&'static str> {
    const KNOWN: [(&str, f64); 5] =
        [("1:1", 1.0), ("3:4", 0.75), ("4:3", 4.0 / 3.0), ("9:16", 0.5625), ("16:9", 16.0 / 9.0)];
    let sides = size.split_once('x').and_then(|(w, h)| Some((w.parse::<f64>().ok()?, h.parse::<f64>().ok()?)));
    let Some((width, height)) = sides.filter(|(width, height)| *width > 0.0 && *height > 0.0) else {
        return Err(
            Error::bad_request(format!("size: expected `WIDTHxHEIGHT` or `auto`, got `{size}`")).with_param("size")
        );
    };
    let far = |known: f64| (width / height / known).ln().abs();
    let nearest = KNOWN.iter().min_by(|(_, a), (_, b)| far(*a).total_cmp(&far(*b)));
    Ok(nearest.map_or("1:1", |(name, _)| name))
}

/// Reads an answer with a success status.
pub fn decode(body: &[u8], model: &str) -> Result<ImageResponse> {
    if is_imagen(model) { predictions(body, model) } else { pictures(decode::chat(body)?, model) }
}

/// What an answer says of usage; its form tells which method it is from.
pub fn glance(body: &[u8]) -> Result<Usage> {
    match glance::chat(body) {
        Ok(seen) => Ok(seen.usage),
        Err(_) => Ok(predictions(body, "imagen")?.usage),
    }
}

/// The pictures of a conversation's answer.
fn pictures(answer: ChatResponse, model: &str) -> Result<ImageResponse> {
    let mut images = Vec::new();
    let mut words = String::new();
    let mut filtered = false;
    for choice in answer.choices {
        filtered |= choice.finish_reason == Some(FinishReason::ContentFilter);
        for block in choice.content {
            match block {
                Block::Image(media) => images.push(Picture {
                    source: media.source,
                    mime: media.mime,
                    revised_prompt: None,
                    rest: Map::new(),
                }),
                Block::Text(text) => words.push_str(&text.text),
                _ => {}
            }
        }
    }
    if images.is_empty() {
        let kind = if filtered { ErrorKind::ContentFilter } else { ErrorKind::BadUpstream };
        let said = if words.is_empty() { String::new() } else { format!(": {words}") };
        return Err(Error::new(kind, format!("model `{model}` made no picture{said}")));
    }
    let model = if answer.model.is_empty() { short(model).to_owned() } else { answer.model };
    Ok(ImageResponse { created: answer.created, model, images, usage: answer.usage, rest: Map::new() })
}

fn predictions(body: &[u8], model: &str) -> Result<ImageResponse> {
    let mut answer: Value = serde_json::from_slice(body)
        .map_err(|e| Error::bad_upstream(format!("answer with pictures cannot be read: {e}")))?;
    if answer.get("error").is_some() {
        return Err(error::decode(200, body));
    }
    let list = match answer.get_mut("predictions").map(Value::take) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let mut images = Vec::new();
    let mut reason = None;
    for mut one in list {
        let mut text = |name: &str| match one.get_mut(name).map(Value::take) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        reason = reason.or_else(|| text("raiFilteredReason"));
        let Some(data) = text("bytesBase64Encoded") else { continue };
        let (mime, revised_prompt) = (text("mimeType"), text("prompt"));
        images.push(Picture { source: Source::Base64(data), mime, revised_prompt, rest: Map::new() });
    }
    if images.is_empty() {
        return Err(Error::new(
            ErrorKind::ContentFilter,
            format!("model `{model}` made no picture: {}", reason.as_deref().unwrap_or("all were filtered")),
        ));
    }
    let usage = Usage::of_units("images", images.len());
    Ok(ImageResponse { created: None, model: short(model).to_owned(), images, usage, rest: Map::new() })
}

#[cfg(test)]
mod tests {
    use sabir_types::Media;

    use super::*;

    fn value(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn gemini_is_asked_in_a_conversation() {
        let image = Media::new(Source::Base64("aGk=".into()), None);
        let mut req = ImageRequest {
            prompt: "a cat".into(),
            edit: true,
            images: vec![image],
            size: Some("1536x1024".into()),
            quality: Some("high".into()),
            ..ImageRequest::default()
        };
        let mut warnings = Vec::new();
        let body = value(&emit(&req, "gemini-2.5-flash-image", &mut warnings).unwrap());
        assert_eq!(body["contents"][0]["parts"][0], json!({"text": "a cat"}));
        assert_eq!(body["contents"][0]["parts"][1], json!({"inlineData": {"mimeType": "image/png", "data": "aGk="}}));
        let config = json!({"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "4:3"}});
        assert_eq!(body["generationConfig"], config);
        assert_eq!(warnings.iter().map(|w| w.param.as_str()).collect::<Vec<_>>(), ["quality"]);
        req.n = Some(2);
        assert_eq!(emit(&req, "gemini-2.5-flash-image", &mut warnings).unwrap_err().param(), Some("n"));
        req.mask = req.images.first().cloned();
        assert_eq!(emit(&req, "gemini-2.5-flash-image", &mut warnings).unwrap_err().param(), Some("mask"));
    }

    #[test]
    fn imagen_predicts() {
        let req = ImageRequest {
            prompt: "a cat".into(),
            n: Some(2),
            size: Some("1024x1792".into()),
            output_format: Some("jpeg".into()),
            ..ImageRequest::default()
        };
        let body = value(&emit(&req, "imagen-4.0-generate-001", &mut Vec::new()).unwrap());
        let wanted = json!({"instances": [{"prompt": "a cat"}], "parameters": {"sampleCount": 2, "aspectRatio": "9:16",
            "outputOptions": {"mimeType": "image/jpeg"}}});
        assert_eq!(body, wanted);
        let answer = br#"{"predictions":[{"bytesBase64Encoded":"aGk=","mimeType":"image/png"}]}"#;
        let answer = decode(answer, "models/imagen-4.0-generate-001").unwrap();
        assert_eq!((answer.images.len(), answer.usage.raw), (1, Some(json!({"images": 1}))));
        let error = decode(br#"{"predictions":[{"raiFilteredReason":"no"}]}"#, "imagen-4").unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::ContentFilter, "model `imagen-4` made no picture: no"));
    }

    #[test]
    fn words_instead_of_a_picture_are_an_error() {
        let body = br#"{"candidates":[{"content":{"parts":[{"text":"I would rather not."}]},"finishReason":"STOP"}]}"#;
        let error = decode(body, "gemini-2.5-flash-image").unwrap_err();
        assert_eq!(error.message(), "model `gemini-2.5-flash-image` made no picture: I would rather not.");
    }
}
