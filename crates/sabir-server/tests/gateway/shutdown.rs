//! How it stops: what runs may end, what is late is cut off, and every row is there.

use std::time::{Duration, Instant};

use sabir_store::{Record, Status};

use crate::{mock::*, support::*};

/// A configuration file and a folder for the ledger.
fn files(toml: &str) -> (tempfile::TempDir, std::path::PathBuf, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("sabir.toml");
    std::fs::write(&config, toml).unwrap();
    let data = dir.path().join("data");
    (dir, config, data)
}

/// A provider that waits so long before the answer, and in the middle of a stream.
async fn slow(wait: Duration) -> Upstream {
    Upstream::start(move |_, seen| {
        if seen.text().contains("\"stream\":true") {
            vec![
                stream_head(),
                chunk(delta("fi")),
                Step::Wait(wait),
                chunk(delta("ne") + &finish()),
                chunk(DONE),
                last_chunk(),
            ]
        } else {
            vec![Step::Wait(wait), good("fine")]
        }
    })
    .await
}

async fn begin(addr: std::net::SocketAddr, call: &str) -> Client {
    let mut client = Client::connect(addr).await;
    client.write(&post("/v1/chat/completions", "", call.as_bytes())).await;
    client
}

fn row<'a>(rows: &'a [Record], answer: &Answer) -> &'a Record {
    let id = answer.header("x-sabir-inference-id").unwrap();
    rows.iter().find(|row| row.inference.id.to_string() == id).unwrap_or_else(|| panic!("no row for {id}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_may_end() {
    for signal in ["TERM", "INT"] {
        let upstream = slow(Duration::from_millis(700)).await;
        let (_dir, config, data) = files(&model(&upstream, ""));
        let mut gateway = Process::start(&config, &data, &[]);
        let mut idle = Client::connect(gateway.addr).await;
        assert_eq!(idle.chat(&CALL.replace("hi", "first")).await.status, 200);
        let calls = [CALL, STREAM, REWRITTEN, REWRITTEN_STREAM];
        let mut clients = Vec::new();
        for (at, call) in calls.iter().enumerate() {
            clients.push(begin(gateway.addr, call).await);
            upstream.arrived(at + 2).await;
        }
        gateway.signal(signal);
        // The listener goes first: from then on nobody gets in.
        let closed = async {
            while tokio::net::TcpStream::connect(gateway.addr).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_millis(500), closed).await.expect("the listener is still there");
        let mut answers = Vec::new();
        for client in &mut clients {
            let answer = client.answer().await;
            assert!(answer.status == 200 && answer.complete, "{}{}", answer.head, answer.text());
            answers.push(answer);
        }
        assert_eq!(gateway.ended().await, Some(0), "{}", gateway.log());
        let rows = rows_in(&data).await;
        assert_eq!(rows.len(), 5);
        for answer in &answers {
            assert_eq!(row(&rows, answer).inference.status, Status::Ok);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_late_is_cut_off_and_recorded() {
    let upstream = slow(Duration::from_secs(60)).await;
    let (_dir, config, data) = files(&format!("[gateway]\nshutdown_grace_ms = 300\n{}", model(&upstream, "")));
    let mut gateway = Process::start(&config, &data, &[]);
    let mut whole = begin(gateway.addr, CALL).await;
    let mut stream = begin(gateway.addr, STREAM).await;
    let mut shared = Client::connect(gateway.addr).await;
    shared.write(&post("/v1/chat/completions", "x-sabir-cache: on\r\n", STREAM.as_bytes())).await;
    upstream.arrived(3).await;
    let head = stream.head().await.unwrap();
    stream.piece().await.unwrap();
    let begun = Instant::now();
    gateway.signal("TERM");
    assert_eq!(gateway.ended().await, Some(0), "{}", gateway.log());
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(4), "{took:?}");
    assert!(whole.try_answer().await.is_none(), "it has no answer");
    while let Some(piece) = stream.piece().await {
        assert!(!piece.is_empty(), "a stream that is cut off does not end properly");
    }
    let rows = rows_in(&data).await;
    assert_eq!(rows.len(), 3, "{rows:#?}");
    assert!(rows.iter().all(|row| row.inference.status == Status::Cancelled), "{rows:#?}");
    assert_eq!(row(&rows, &head).calls[0].raw_response, delta("fi").as_bytes());
}

#[tokio::test]
async fn calls_that_are_cut_off_are_over_when_serving_is() {
    let upstream = slow(Duration::from_secs(60)).await;
    let mut gateway = Gateway::start(&format!("[gateway]\nshutdown_grace_ms = 100\n{}", model(&upstream, ""))).await;
    let _client = begin(gateway.addr, CALL).await;
    upstream.arrived(1).await;
    gateway.stop().await;
    upstream.closed(1).await;
    let rows = gateway.rows().await;
    assert_eq!(rows.len(), 1, "its row is written before `serve` returns");
    assert_eq!(rows[0].inference.status, Status::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_callers_hold_nothing_up() {
    let upstream = slow(Duration::ZERO).await;
    let (_dir, config, data) = files(&model(&upstream, ""));
    let mut gateway = Process::start(&config, &data, &[]);
    let _silent = Client::connect(gateway.addr).await;
    let mut kept = Client::connect(gateway.addr).await;
    assert_eq!(kept.chat(CALL).await.status, 200);
    let begun = Instant::now();
    gateway.signal("TERM");
    assert_eq!(gateway.ended().await, Some(0), "{}", gateway.log());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}
