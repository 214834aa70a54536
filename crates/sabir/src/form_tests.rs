//! Forms: what goes over the wire, and how a file is read.

use http_body_util::BodyExt;
use serde_json::json;

use super::*;

async fn sent(form: &Form) -> (String, String) {
    let (body, kind) = form.open().await.unwrap();
    let boundary = kind.split_once("boundary=").unwrap().1.to_owned();
    let exact = body.size_hint().exact();
    let bytes = body.collect().await.unwrap().to_bytes();
    assert!(exact.is_none_or(|exact| exact == bytes.len() as u64), "{exact:?}");
    (String::from_utf8(bytes.to_vec()).unwrap().replace(&boundary, "B"), kind)
}

#[tokio::test]
async fn texts_come_before_files() {
    let form = Form::new()
        .file("file", Upload::bytes("one").named("a\"b.jsonl"))
        .text("purpose", "batch")
        .value("expires_after", json!({"anchor": "created_at", "seconds": 60}))
        .value("kinds", json!(["word", "segment"]));
    let (body, kind) = sent(&form).await;
    assert!(kind.starts_with("multipart/form-data; boundary=sabir-"));
    let names: Vec<_> = body.lines().filter_map(|line| line.strip_prefix("content-disposition: form-data; ")).collect();
    assert_eq!(
        names,
        [
            "name=\"purpose\"",
            "name=\"expires_after[anchor]\"",
            "name=\"expires_after[seconds]\"",
            "name=\"kinds[]\"",
            "name=\"kinds[]\"",
            "name=\"file\"; filename=\"a%22b.jsonl\""
        ]
    );
    assert!(body.ends_with("content-type: application/jsonl\r\n\r\none\r\n--B--\r\n"), "{body}");
}

#[tokio::test]
async fn a_file_is_read_in_pieces_and_can_be_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.txt");
    std::fs::write(&path, vec![b'x'; 3 * PIECE + 1]).unwrap();
    let form = Form::new().file("file", path.as_path());
    assert!(form.can_repeat());
    for _ in 0..2 {
        let (mut body, _) = form.open().await.unwrap();
        let mut longest = 0;
        while let Some(frame) = body.frame().await {
            longest = longest.max(frame.unwrap().into_data().unwrap().len());
        }
        assert_eq!(longest, PIECE);
    }
    let gone = Form::new().file("file", dir.path().join("none"));
    assert!(gone.open().await.unwrap_err().to_string().contains("cannot be read"));
}

#[tokio::test]
async fn a_reader_is_sent_once() {
    let form = Form::new().file("file", Upload::reader(&b"abc"[..], None));
    assert!(!form.can_repeat());
    assert!(sent(&form).await.0.contains("filename=\"upload\"\r\ncontent-type: application/octet-stream\r\n\r\nabc"));
    assert!(matches!(form.open().await, Err(Error::Request(_))));
    let short = Form::new().file("file", Upload::reader(&b"abc"[..], Some(4)));
    let (body, _) = short.open().await.unwrap();
    assert!(body.collect().await.unwrap_err().to_string().contains("shorter"));
}
