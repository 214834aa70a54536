//! Pictures, sound, moderations, reranking, files and batches of a gateway, with forms and bytes:
//! the same all ways.

use std::time::Duration;

use futures_util::TryStreamExt;
use sabir::{Binary, Form, Poll, Upload};
use serde_json::{Value, json};

use crate::support::{Client, PATIENCE, everywhere};

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
fn a_batch_goes_through() {
    let said = everywhere(|client| {
        let line = |id: &str, text: &str| {
            let body = json!({"model": "echo", "messages": [{"role": "user", "content": text}]});
            json!({"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body}).to_string()
        };
        let lines = format!("{}\n{}\n", line("one", "Hello"), line("two", "there"));
        let form = Form::new().text("purpose", "batch").file("file", Upload::bytes(lines.clone()).named("in.jsonl"));
        let file = on!(client, client => client.files().create(form.clone()));
        assert_eq!((file.purpose.as_str(), file.bytes), ("batch", i64::try_from(lines.len()).ok()));
        assert_eq!(on!(client, client => client.files().content(&file.id)).text(), Some(lines.as_str()));
        let request = json!({
            "input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h",
        });
        let batch = on!(client, client => client.batches().create(&request));
        let poll = Poll::new().every(Duration::from_millis(50)).at_most(PATIENCE);
        let done = match client {
            Client::Async(runtime, client) => runtime.block_on(client.batches().wait(&batch.id, poll)).unwrap(),
            Client::Blocking(client) => client.batches().wait(&batch.id, poll).unwrap(),
        };
        assert_eq!((done.status.as_str(), done.request_counts.as_ref().unwrap().completed), ("completed", 2));
        let ids: Vec<String> = match client {
            Client::Async(runtime, client) => runtime.block_on(async {
                let files: Vec<_> = client.files().list().query("limit", 1).items().try_collect().await.unwrap();
                files.into_iter().map(|file| file.id).collect()
            }),
            Client::Blocking(client) => {
                client.files().list().query("limit", 1).items().map(|file| file.unwrap().id).collect()
            }
        };
        let output = done.output_file_id.clone().unwrap();
        assert!(ids.contains(&file.id) && ids.contains(&output), "{ids:?}");
        let output = on!(client, client => client.files().content(&output));
        let mut said: Vec<(String, String)> = Vec::new();
        for line in output.text().unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let content = &line["response"]["body"]["choices"][0]["message"]["content"];
            said.push((line["custom_id"].as_str().unwrap().to_owned(), content.as_str().unwrap().to_owned()));
        }
        assert!(on!(client, client => client.files().delete(&file.id)).deleted);
        said.sort();
        said
    });
    let pair = |id: &str, text: &str| (id.to_owned(), text.to_owned());
    assert_eq!(said, [pair("one", "Hello"), pair("two", "there")]);
}

#[test]
fn a_verb_gets_where_no_method_does() {
    let health = everywhere(|client| {
        let health: Value = on!(client, client => client.get::<Value>("/health")).into_inner();
        health.is_object()
    });
    assert!(health);
}
