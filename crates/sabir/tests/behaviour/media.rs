//! Pictures, sound, moderations and reranking of a gateway, with forms and bytes: the same all ways.

use sabir::{Binary, Form, Upload};
use serde_json::{Value, json};

use crate::support::{Client, everywhere};

/// Calls the same thing on whatever client it is.
macro_rules! on {
    ($client:expr, $inner:ident => $call:expr) => {
        match $client {
            Client::Async(runtime, $inner) => runtime.block_on(async { $call.await.unwrap() }),
            Client::Blocking($inner) => $call.send().unwrap(),
        }
    };
}

#[test]
fn pictures_come_whole() {
    let bytes = everywhere(|client| {
        let request = json!({"model": "dummy::image", "prompt": "a cat", "n": 2});
        let images = on!(client, client => client.images().generate(&request));
        assert_eq!(images.data.len(), 2);
        assert!(images.request_id().is_some());
        images.data[0].bytes().unwrap()
    });
    assert!(bytes.starts_with(b"\x89PNG"));
}

#[test]
fn speech_is_bytes_and_a_transcript_comes_of_a_form() {
    let (sound, said) = everywhere(|client| {
        let request = json!({"model": "dummy::speech", "voice": "alloy", "input": "Hi", "response_format": "wav"});
        let sound = on!(client, client => client.audio().speech().create(&request));
        let form = || {
            let file = Upload::bytes(sound.to_vec()).named("hi.wav");
            Form::new().text("model", "dummy::transcribe").file("file", file)
        };
        let said = on!(client, client => client.audio().transcriptions().create(form()));
        let plain = form().text("response_format", "text");
        let text = on!(client, client => client.audio().transcriptions().create(plain.clone()).as_type::<Binary>());
        assert_eq!(text.text().map(str::trim), Some(said.text.as_str()));
        (sound.to_vec(), said.text.clone())
    });
    assert!(sound.starts_with(b"RIFF"));
    assert!(said.starts_with("The quick brown fox"));
}

#[test]
fn texts_are_judged_and_put_in_order() {
    let (flagged, order) = everywhere(|client| {
        let judged = json!({"model": "dummy::moderation", "input": ["Hello", "there"]});
        let judged = on!(client, client => client.moderations().create(&judged));
        let documents = ["a house", "a red cat on a roof", "the cat"];
        let asked = json!({"model": "dummy::rerank", "query": "where is the cat", "documents": documents});
        let ranked = on!(client, client => client.rerank(&asked));
        let flagged: Vec<bool> = judged.results.iter().map(|result| result.flagged).collect();
        (flagged, ranked.results.iter().map(|result| result.index).collect::<Vec<_>>())
    });
    assert_eq!((flagged, order[0]), (vec![false, false], 2));
}

#[test]
fn a_verb_gets_where_no_method_does() {
    let health = everywhere(|client| {
        let health: Value = on!(client, client => client.get::<Value>("/health")).into_inner();
        health.is_object()
    });
    assert!(health);
}
