//! Pictures, sounds, transcripts, verdicts and orders, in lines for people.
//!
//! Invariant: bytes are counted, never shown.

use sabir_types::{Media, ModerateInput, Picture, Request, RerankRequest, Response, Source, Usage, Value};

/// What is counted where there are no tokens.
const UNITS: [&str; 4] = ["images", "characters", "seconds", "search_units"];

/// What was asked; nothing for a chat and for vectors.
pub(super) fn asked(req: &Request) -> Vec<String> {
    match req {
        Request::Image(image) => {
            let mut lines = vec![image.prompt.clone()];
            lines.extend(image.images.iter().map(|media| format!("[image{}]", place(media))));
            lines.extend(image.mask.iter().map(|media| format!("[mask{}]", place(media))));
            lines
        }
        Request::Speech(speech) => vec![speech.input.clone(), format!("[voice {}]", plain(&speech.voice))],
        Request::Transcribe(sound) => {
            let mut lines = vec![format!("[audio{}]", place(&sound.file))];
            lines.extend(sound.prompt.iter().map(|prompt| format!("[prompt] {prompt}")));
            lines
        }
        Request::Moderate(input) => match &input.input {
            ModerateInput::Text(text) => vec![text.clone()],
            ModerateInput::Texts(texts) => texts.iter().map(|text| format!("- {text}")).collect(),
            ModerateInput::Parts(parts) => parts.iter().map(|part| format!("- {part}")).collect(),
        },
        Request::Rerank(rerank) => {
            let documents = rerank.documents.iter().enumerate();
            let lines = documents.map(|(at, document)| format!("{at}. {}", RerankRequest::text(document)));
            std::iter::once(rerank.query.clone()).chain(lines).collect()
        }
        _ => Vec::new(),
    }
}

/// What was answered; nothing for a chat and for vectors.
pub(super) fn answered(answer: &Response) -> Vec<String> {
    match answer {
        Response::Image(image) => image.images.iter().map(picture).collect(),
        Response::Speech(speech) => vec![format!("[audio {}, {} bytes]", speech.mime, size(&speech.audio))],
        Response::Transcribe(sound) => vec![sound.text.clone()],
        Response::Moderate(verdicts) => verdicts
            .results
            .iter()
            .map(|verdict| {
                let found = verdict.categories.iter().filter(|(_, found)| **found == Value::Bool(true));
                let found: Vec<&str> = found.map(|(name, _)| name.as_str()).collect();
                if verdict.flagged { format!("flagged: {}", found.join(", ")) } else { "not flagged".to_owned() }
            })
            .collect(),
        Response::Rerank(order) => {
            order.results.iter().map(|result| format!("{}. {}", result.index, result.relevance_score)).collect()
        }
        _ => Vec::new(),
    }
}

/// What was consumed, where it is not counted in tokens.
pub(super) fn units(usage: &Usage) -> Option<String> {
    let raw = usage.raw.as_ref().filter(|_| usage.is_empty())?;
    let found: Vec<String> =
        UNITS.iter().filter_map(|unit| Some(format!("{} {}", raw.get(*unit)?, unit.replace('_', " ")))).collect();
    (!found.is_empty()).then(|| found.join(", "))
}

/// What kind of media it is, and where.
pub(super) fn place(media: &Media) -> String {
    let mime = media.mime.as_ref().map(|mime| format!(" {mime}")).unwrap_or_default();
    let name = media.filename.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    format!("{mime}{name}{}", source(&media.source))
}

fn picture(picture: &Picture) -> String {
    let mime = picture.mime.as_ref().map(|mime| format!(" {mime}")).unwrap_or_default();
    let prompt = picture.revised_prompt.as_ref().map(|prompt| format!(" {prompt}")).unwrap_or_default();
    format!("[image{mime}{}]{prompt}", source(&picture.source))
}

fn source(source: &Source) -> String {
    match source {
        Source::Url(url) => format!(" at {url}"),
        Source::Base64(data) => format!(", {} bytes", size(data)),
        Source::FileId(id) => format!(" with the provider's id {id}"),
        Source::Text(text) => format!(", {} bytes of text", text.len()),
    }
}

/// How many bytes base64 stands for.
fn size(base64: &str) -> usize {
    base64.len() / 4 * 3 - base64.bytes().rev().take(2).filter(|byte| *byte == b'=').count().min(base64.len())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use sabir_types::{ImageRequest, ImageResponse, ModerateResponse, SpeechResponse, Verdict};

    use super::*;

    #[test]
    fn bytes_are_counted() {
        let mut mask = Media::new(Source::Base64("aGk=".into()), Some("image/png".into()));
        mask.filename = Some("m.png".into());
        let req = ImageRequest { prompt: "a cat".into(), mask: Some(mask), ..ImageRequest::default() };
        assert_eq!(asked(&Request::Image(Box::new(req))), ["a cat", "[mask image/png m.png, 2 bytes]"]);
        let images = vec![Picture::base64("aGkh", None)];
        let answer = ImageResponse { images, ..ImageResponse::default() };
        assert_eq!(answered(&Response::Image(Box::new(answer))), ["[image, 3 bytes]"]);
        let speech = SpeechResponse { audio: String::new(), mime: "audio/wav".into(), ..SpeechResponse::default() };
        assert_eq!(answered(&Response::Speech(Box::new(speech))), ["[audio audio/wav, 0 bytes]"]);
    }

    #[test]
    fn a_verdict_says_what_was_found() {
        let categories = [("hate".to_owned(), false.into()), ("violence".to_owned(), true.into())];
        let verdict = Verdict { flagged: true, categories: categories.into_iter().collect(), ..Verdict::default() };
        let answer = ModerateResponse { results: vec![verdict, Verdict::default()], ..ModerateResponse::default() };
        assert_eq!(answered(&Response::Moderate(Box::new(answer))), ["flagged: violence", "not flagged"]);
    }

    #[test]
    fn units_stand_where_tokens_do_not() {
        assert_eq!(units(&Usage::of_units("search_units", 2)).as_deref(), Some("2 search units"));
        assert_eq!(units(&Usage { input_tokens: Some(1), ..Usage::of_units("images", 2) }), None);
        assert_eq!(units(&Usage::default()), None);
    }
}
