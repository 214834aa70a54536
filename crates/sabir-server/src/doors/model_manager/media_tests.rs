//! What is asked for, and in which words it is answered.

use sabir_types::{EmbedResponse, TranscriptFormat, Vector, new_id};

use super::*;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is not an object"),
    }
}

fn read(media: Media, body: Value) -> (Request, Vec<String>) {
    let mut left_out = Vec::new();
    let (_, request) = media.read(object(body), &mut left_out).unwrap();
    assert_eq!(request.operation(), media.operation());
    (request, left_out)
}

fn facts() -> Facts {
    Facts {
        inference_id: new_id(),
        episode_id: new_id(),
        variant_name: "m".into(),
        model_name: "m".into(),
        provider_name: "p".into(),
        provider_type: "dummy",
        headers: http::HeaderMap::new(),
        cached: false,
        warnings: Vec::new(),
        overhead_us: 0,
    }
}

fn shown(media: Media, answer: Response, own: Option<Value>) -> (String, Value) {
    media.shown(&answer, own.map(object), &facts(), "m").unwrap()
}

#[test]
fn invoke_types_are_known() {
    for (provider, invoke_type, wanted) in [
        ("openai", "image-generation", Some(Media::Images)),
        ("azure", "image-generation", Some(Media::Images)),
        ("google", "image-generation", Some(Media::GoogleImages)),
        ("google", "image-generation-genai", Some(Media::GoogleImages)),
        ("openai", "image-edit-generation", Some(Media::Edits)),
        ("azure", "audio-transcription", Some(Media::Transcripts)),
        ("fish-audio", "audio-generation", Some(Media::Speech)),
        ("openai", "embeddings", Some(Media::Embeddings)),
        ("openai", "chat-completions", None),
        ("kling-ai", "video-generation", None),
    ] {
        assert_eq!(Media::of(provider, invoke_type), wanted, "{provider} {invoke_type}");
    }
}

#[test]
fn pictures_are_asked_for_in_two_vendors_words() {
    let (request, left_out) = read(
        Media::Images,
        json!({"model": "m", "prompt": "a cat", "n": 2, "size": "1024x1024", "stream": true, "style": "vivid"}),
    );
    let Request::Image(image) = request else { panic!("not a picture") };
    assert_eq!((image.prompt.as_str(), image.n, image.size.as_deref()), ("a cat", Some(2), Some("1024x1024")));
    assert_eq!((image.stream, image.rest.members["style"].as_str()), (false, Some("vivid")));
    assert_eq!(left_out, ["stream"]);

    for body in [
        json!({"model": "m", "prompt": "a cat", "config": {"number_of_images": 2, "aspectRatio": "16:9", "output_mime_type": "image/jpeg"}}),
        json!({"model": "m", "prompt": "a cat", "number_of_images": 2, "aspect_ratio": "16:9", "output_mime_type": "image/jpeg"}),
    ] {
        let (Request::Image(image), _) = read(Media::GoogleImages, body) else { panic!("not a picture") };
        assert_eq!((image.n, image.output_format.as_deref()), (Some(2), Some("jpeg")));
        assert_eq!(image.rest.members["aspect_ratio"], "16:9");
    }
}

#[test]
fn files_are_handed_over() {
    let (request, _) = read(
        Media::Edits,
        json!({"model": "m", "prompt": "a hat", "image": ["a.png", "bytes:YWJj", "image/png"], "mask": "bytes:eHl6"}),
    );
    let Request::Image(image) = request else { panic!("not a picture") };
    assert!(image.edit && image.images.len() == 1);
    assert_eq!(image.images[0].source, Source::Base64("YWJj".into()));
    assert_eq!(image.mask.unwrap().source, Source::Base64("eHl6".into()));
    let (Request::Image(image), _) =
        read(Media::Edits, json!({"model": "m", "prompt": "a hat", "image": [{"file_id": "f1"}, "bytes:YWJj"]}))
    else {
        panic!("not a picture")
    };
    assert_eq!(image.images[0].source, Source::FileId("f1".into()));

    for (media, translate) in [(Media::Transcripts, false), (Media::Translations, true)] {
        let body = json!({"model": "m", "file": ["a.mp3", "bytes:eHl6", "audio/mpeg"], "temperature": 0.5,
            "timestamp_granularities": ["word", "segment"], "response_format": "verbose_json",
            "chunking_strategy": {"type": "server_vad"}});
        let (Request::Transcribe(sound), _) = read(media, body) else { panic!("not a sound") };
        assert_eq!((sound.file.source, sound.file.filename.as_deref()), (Source::Base64("eHl6".into()), Some("a.mp3")));
        assert_eq!((sound.temperature, sound.translate), (Some(0.5), translate));
        assert_eq!(sound.timestamps, ["word", "segment"]);
        assert_eq!(sound.format, Some(TranscriptFormat::VerboseJson));
        assert_eq!(sound.rest.members["chunking_strategy[type]"], "server_vad");
    }
    for (media, body, param) in [
        (Media::Edits, json!({"prompt": "x"}), "image"),
        (Media::Edits, json!({"prompt": "x", "image": 1}), "image"),
        (Media::Transcripts, json!({"model": "m"}), "file"),
        (Media::Transcripts, json!({"file": {"file_id": "f1"}}), "file"),
        (Media::Images, json!({"model": "m"}), "prompt"),
        (Media::GoogleImages, json!({"prompt": "x", "config": 1}), "config"),
    ] {
        let error = media.read(object(body.clone()), &mut Vec::new()).unwrap_err();
        assert_eq!(error.param(), Some(param), "{body}: {error}");
    }
}

#[test]
fn a_voice_is_asked_for_in_several_words() {
    for body in [
        json!({"model": "m", "input": "Hi.", "voice": "alloy", "response_format": "wav"}),
        json!({"model": "m", "text_prompt": "Hi.", "reference_id": "alloy", "format": "wav"}),
    ] {
        let (Request::Speech(speech), _) = read(Media::Speech, body) else { panic!("not speech") };
        assert_eq!((speech.input.as_str(), &speech.voice, speech.stream), ("Hi.", &json!("alloy"), false));
        assert_eq!(speech.format.as_deref(), Some("wav"));
    }
}

#[test]
fn answers_are_in_the_words_of_the_invoke_type() {
    let pictures = |source| {
        let picture = Picture { source, ..Picture::base64("", Some("image/png".into())) };
        Response::Image(Box::new(ImageResponse { created: Some(1), images: vec![picture], ..ImageResponse::default() }))
    };
    let bytes = || pictures(Source::Base64("YWJj".into()));
    let (content, raw) = shown(Media::Images, bytes(), None);
    assert_eq!(content, "data:image/png;base64,YWJj");
    assert_eq!(raw, json!({"created": 1, "data": [{"b64_json": "YWJj"}]}));
    let own = json!({"created": 2, "data": [{"url": "https://x.example/1.png"}], "more": 1});
    let (content, raw) =
        shown(Media::Images, pictures(Source::Url("https://x.example/1.png".into())), Some(own.clone()));
    assert_eq!((content.as_str(), raw), ("https://x.example/1.png", own));
    let (_, raw) = shown(Media::GoogleImages, bytes(), Some(json!({"data": []})));
    assert_eq!(raw, json!({"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": "YWJj"}]}));
    let own = json!({"candidates": []});
    assert_eq!(shown(Media::GoogleImages, bytes(), Some(own.clone())).1, own);

    let vectors = EmbedResponse {
        model: "m".into(),
        vectors: vec![Vector::Floats(vec![0.5, -1.0])],
        usage: Default::default(),
        rest: Map::new(),
    };
    let (content, raw) = shown(Media::Embeddings, Response::Embed(Box::new(vectors)), None);
    assert_eq!((content.as_str(), &raw["data"][0]["embedding"]), ("", &json!([0.5, -1.0])));

    let sound = SpeechResponse { audio: "YWJj".into(), mime: "audio/wav".into(), ..SpeechResponse::default() };
    let (content, raw) = shown(Media::Speech, Response::Speech(Box::new(sound)), None);
    assert_eq!(content, "data:audio/wav;base64,YWJj");
    assert_eq!(raw["audio"], json!({"data": "YWJj", "mime_type": "audio/wav"}));

    for format in [TranscriptFormat::Json, TranscriptFormat::Srt] {
        let said = TranscribeResponse { text: "Hi.".into(), format, ..TranscribeResponse::default() };
        let (content, raw) = shown(Media::Transcripts, Response::Transcribe(Box::new(said)), None);
        assert_eq!((content.as_str(), raw), ("Hi.", json!({"text": "Hi."})));
    }
}
