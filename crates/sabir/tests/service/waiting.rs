//! Waiting for something, and uploading in parts and together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sabir::{Error, Poll, Upload, blocking};
use serde_json::{Value, json};

use crate::script::{Reply, Script};

fn blocking(script: &Script) -> blocking::Sabir {
    blocking::Sabir::http(script.client()).unwrap()
}

#[test]
fn a_run_is_waited_for_as_the_service_says() {
    let script = Script::serve(|_, index| {
        let status = if index < 3 { "in_progress" } else { "completed" };
        Reply::json(200, "openai-poll-after-ms: 20\r\n", &json!({"id": "run", "status": status}).to_string())
    });
    let begun = Instant::now();
    let runs = blocking(&script).beta().threads().runs();
    let run = runs.create_and_poll("t", json!({"assistant_id": "a"}), Poll::new()).unwrap();
    assert_eq!(run["status"], "completed");
    assert!(begun.elapsed() >= Duration::from_millis(40) && begun.elapsed() < Duration::from_secs(3));
    let seen = script.seen();
    assert!(seen[0].starts_with("POST /v1/threads/t/runs HTTP/1.1"));
    assert!(seen[1].starts_with("GET /v1/threads/t/runs/run HTTP/1.1"));
    assert!(seen[1].contains("x-stainless-poll-helper: true"));
    assert_eq!(seen.len(), 4);
}

#[test]
fn waiting_has_an_end() {
    let script = Script::serve(|_, _| Reply::json(200, "", r#"{"id": "f", "status": "uploaded"}"#));
    let poll = Poll::new().every(Duration::from_millis(10)).at_most(Duration::from_millis(60));
    let error = blocking(&script).files().wait_for_processing("f", poll).unwrap_err();
    assert_eq!(error.to_string(), "the file `f` was not done within 60 ms");
    assert!(script.seen()[0].contains("x-stainless-custom-poll-interval: 10"));
    let script = Script::start(vec![Reply::json(404, "", "{}")]);
    let error = blocking(&script).batches().wait("b", poll).unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
}

#[test]
fn files_are_uploaded_together_but_not_all_at_once() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (here, highest) = (now.clone(), most.clone());
    let script = Script::serve(move |seen, _| {
        if seen.starts_with("POST /v1/files ") {
            highest.fetch_max(here.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(30));
            here.fetch_sub(1, Ordering::SeqCst);
            let name = seen.split("filename=\"").nth(1).unwrap().split('"').next().unwrap();
            return Reply::json(200, "", &json!({"id": format!("id-{name}")}).to_string());
        }
        let counts = json!({"in_progress": 0, "completed": 9, "failed": 1, "total": 10});
        let batch = json!({"id": "b", "status": "completed", "file_counts": counts});
        Reply::json(200, "", &batch.to_string())
    });
    let files: Vec<Upload> = (0..9).map(|number| Upload::bytes("x").named(format!("{number}.txt"))).collect();
    let batches = blocking(&script).vector_stores().file_batches();
    let batch = batches.upload_some_and_poll("vs", files, ["known"], 3, Poll::new()).unwrap();
    assert_eq!((batch.id.as_str(), batch.file_counts.failed), ("b", 1));
    assert_eq!(most.load(Ordering::SeqCst), 3);
    let created = script.seen().into_iter().find(|seen| seen.contains("/vector_stores/vs/file_batches HTTP")).unwrap();
    let body: Value = serde_json::from_str(created.split_once("\r\n\r\n").unwrap().1).unwrap();
    let mut wanted = vec!["known".to_owned()];
    wanted.extend((0..9).map(|number| format!("id-{number}.txt")));
    assert_eq!(body["file_ids"], json!(wanted));
    let none = batches.upload_and_poll("vs", [] as [Upload; 0], [] as [&str; 0], Poll::new());
    assert!(matches!(none, Err(Error::Request(_))));
}

#[test]
fn a_large_file_goes_in_parts() {
    let script = Script::serve(|seen, index| {
        let line = seen.lines().next().unwrap();
        let id = if line.contains("/parts") { format!("part-{index}") } else { "up".to_owned() };
        Reply::json(200, "", &json!({"id": id, "status": "completed", "file": {"id": "f"}}).to_string())
    });
    let file = Upload::reader(&b"0123456789"[..], Some(10)).named("big.bin");
    let upload = blocking(&script).uploads().upload_in_parts(file, "user_data", 4).unwrap();
    assert_eq!(upload.file.as_ref().unwrap().id, "f");
    let seen = script.seen();
    let body = |seen: &str| serde_json::from_str::<Value>(seen.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(
        body(&seen[0]),
        json!({"filename": "big.bin", "bytes": 10, "mime_type": "application/octet-stream", "purpose": "user_data"})
    );
    for (seen, part) in seen[1..4].iter().zip(["0123", "4567", "89"]) {
        assert!(seen.starts_with("POST /v1/uploads/up/parts ") && seen.contains(&format!("\r\n\r\n{part}\r\n")));
    }
    assert_eq!(body(&seen[4]), json!({"part_ids": ["part-1", "part-2", "part-3"]}));
    let unknown = Upload::reader(&b"abc"[..], None);
    assert!(blocking(&script).uploads().upload_file_chunked(unknown, "user_data").is_err());
}
