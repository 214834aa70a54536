//! Answers that are odd but good, and streams that end in odd ways.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use sabir_store::Status;

use crate::{mock::*, support::*};

fn gzip(bytes: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn odd_forms_of_a_good_answer_are_read() {
    let body = chat("fine");
    let forms: Vec<(&str, Vec<Step>)> = vec![
        (
            "HTTP/1.0",
            vec![send(format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{body}")), Step::Close],
        ),
        (
            "until the connection closes",
            vec![
                send(format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{body}")),
                Step::Close,
            ],
        ),
        ("chunked byte by byte", {
            let mut steps =
                vec![send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")];
            steps.extend(body.as_bytes().chunks(1).map(chunk));
            steps.push(send("0\r\nx-trailer: 1\r\n\r\n"));
            steps
        }),
        ("slow bytes", {
            let text = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            text.as_bytes().chunks(40).flat_map(|part| [send(part), Step::Wait(Duration::from_millis(3))]).collect()
        }),
        ("gzip", vec![answer(200, "application/json", "content-encoding: gzip\r\n", gzip(&body))]),
        ("no content type", vec![send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))]),
        ("with a hint before", vec![send("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"), good("fine")]),
        ("with trailing garbage on the connection", vec![good("fine"), send("garbage that nobody asked for")]),
    ];
    for (what, steps) in forms {
        for call in [CALL, REWRITTEN] {
            let upstream = Upstream::always(steps.clone()).await;
            let gateway = Gateway::start(&model(&upstream, "")).await;
            let mut client = gateway.client().await;
            for _ in 0..2 {
                let answer = client.chat(call).await;
                assert_eq!(answer.status, 200, "{what}: {}", answer.text());
                assert_eq!(answer.json()["choices"][0]["message"]["content"], "fine", "{what}");
                let row = gateway.row(&answer).await;
                assert_eq!(row.calls[0].raw_response, body.as_bytes(), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn odd_ends_of_a_good_stream_are_good() {
    let whole = format!("{}{}{DONE}", delta("fi"), delta("ne") + &finish());
    let ends: Vec<(&str, Vec<Step>)> = vec![
        ("the connection stays open", vec![stream_head(), chunk(&whole), Step::Hang]),
        (
            "a reset after the end",
            vec![stream_head(), chunk(&whole), Step::Wait(Duration::from_millis(30)), Step::Reset],
        ),
        ("no last chunk", vec![stream_head(), chunk(&whole), Step::Close]),
        (
            "until the connection closes",
            vec![send(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{whole}")), Step::Close],
        ),
        ("no content type", vec![send(format!("HTTP/1.1 200 OK\r\n\r\n{whole}")), Step::Close]),
        ("gzip", vec![answer(200, "text/event-stream", "content-encoding: gzip\r\n", gzip(&whole))]),
        ("carriage returns", vec![stream_head(), chunk(whole.replace('\n', "\r\n")), last_chunk()]),
        ("no blank line at the end", vec![stream_head(), chunk(whole.trim_end()), last_chunk()]),
        ("trailing garbage", vec![stream_head(), chunk(&whole), chunk("data: {garbage\n\n"), last_chunk()]),
        ("trailing garbage at once", vec![stream_head(), chunk(format!("{whole}data: {{garbage\n\n")), last_chunk()]),
        ("nothing but the finish reason", vec![stream_head(), chunk(whole.strip_suffix(DONE).unwrap()), last_chunk()]),
        (
            "keep-alive comments",
            vec![
                stream_head(),
                chunk(": a\n\n"),
                chunk(delta("fi")),
                chunk(": b\n\n"),
                chunk(delta("ne") + &finish() + DONE),
                last_chunk(),
            ],
        ),
    ];
    for (what, steps) in ends {
        for call in [STREAM, REWRITTEN_STREAM] {
            let upstream = Upstream::always(steps.clone()).await;
            let gateway = Gateway::start(&model(&upstream, "")).await;
            let begun = Instant::now();
            let answer = gateway.chat(call).await;
            assert!(begun.elapsed() < Duration::from_secs(3), "{what} took {:?}", begun.elapsed());
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
            let text = answer.text().replace('\r', "").replace("data: {garbage\n\n", "");
            assert_eq!(said(text.as_bytes()), "fine", "{what}");
            assert!(!text.contains("\"error\""), "{what}: {text}");
            let row = gateway.row(&answer).await;
            assert_eq!(row.inference.status, Status::Ok, "{what}: {:?}", row.inference.error);
            assert_eq!(row.inference.usage.output_tokens, Some(3), "{what}");
        }
    }
}

#[tokio::test]
async fn one_line_of_ten_megabytes() {
    let long = "x".repeat(10_000_000);
    let whole = format!("{}{}{DONE}", delta(&long), finish());
    for size in [whole.len(), 16 * 1024] {
        let mut steps = vec![stream_head()];
        steps.extend(whole.as_bytes().chunks(size).map(chunk));
        steps.push(last_chunk());
        let upstream = Upstream::always(steps).await;
        let gateway = Gateway::start(&model(&upstream, "")).await;
        let answer = gateway.chat(STREAM).await;
        assert!(
            answer.body == whole.as_bytes(),
            "{} bytes of {}: {:.300}",
            answer.body.len(),
            whole.len(),
            answer.text()
        );
        assert_eq!(gateway.row(&answer).await.inference.status, Status::Ok);
        let answer = gateway.chat(REWRITTEN_STREAM).await;
        assert_eq!(said(&answer.body).len(), long.len());
    }
}

#[tokio::test]
async fn an_event_that_is_too_long_to_be_read_is_refused() {
    let whole = format!("{}{}{DONE}", delta(&"x".repeat(11 << 20)), finish());
    let upstream = Upstream::always(vec![stream_head(), chunk(whole), last_chunk()]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    for call in [STREAM, REWRITTEN_STREAM] {
        let answer = gateway.chat(call).await;
        let error = answer.error(502);
        assert!(error["message"].as_str().unwrap().contains("over the limit of 10485760 bytes"), "{error}");
    }
}

#[tokio::test]
async fn events_come_as_soon_as_they_are_there() {
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let second = gate.clone();
    for call in [STREAM, REWRITTEN_STREAM] {
        let gate = gate.clone();
        let upstream = Upstream::always(vec![
            stream_head(),
            chunk(delta("one")),
            Step::Gate(gate),
            chunk(delta("two") + &finish() + DONE),
            last_chunk(),
        ])
        .await;
        let gateway = Gateway::start(&model(&upstream, "")).await;
        let mut client = gateway.client().await;
        client.write(&post("/v1/chat/completions", "", call.as_bytes())).await;
        assert_eq!(client.head().await.unwrap().status, 200);
        let mut got = Vec::new();
        while !String::from_utf8_lossy(&got).contains("one") {
            let piece = tokio::time::timeout(PATIENCE, client.piece()).await.unwrap().unwrap();
            got.extend_from_slice(&piece);
        }
        second.notify_one();
        while let Some(piece) = client.piece().await.filter(|piece| !piece.is_empty()) {
            got.extend_from_slice(&piece);
        }
        assert!(String::from_utf8_lossy(&got).ends_with(DONE));
    }
}
