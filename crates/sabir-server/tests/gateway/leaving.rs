//! Callers who leave: the provider stops at once, and what had come is kept.

use std::time::{Duration, Instant};

use sabir_store::Status;
use sabir_types::ErrorKind;

use crate::{mock::*, support::*};

/// How soon the provider must notice.
const SOON: Duration = Duration::from_millis(200);

async fn sent(gateway: &Gateway, call: &str) -> Client {
    let mut client = gateway.client().await;
    client.write(&post("/v1/chat/completions", "", call.as_bytes())).await;
    client
}

#[tokio::test]
async fn before_the_answer() {
    for call in [CALL, STREAM, REWRITTEN, REWRITTEN_STREAM] {
        let upstream = Upstream::always(vec![Step::Hang]).await;
        let gateway = Gateway::start(&model(&upstream, "")).await;
        let client = sent(&gateway, call).await;
        upstream.arrived(1).await;
        let left = Instant::now();
        drop(client);
        let noticed = upstream.closed(1).await - left;
        assert!(noticed < SOON, "{noticed:?}");
        let rows = gateway.until_rows(1).await;
        assert_eq!(rows[0].inference.status, Status::Cancelled);
        assert_eq!(rows[0].inference.error.as_ref().unwrap().0, ErrorKind::Cancelled);
        assert_eq!(rows[0].calls.len(), 1);
        assert_eq!(rows[0].calls[0].status, Status::Cancelled);
        assert!(!rows[0].calls[0].raw_request.is_empty());
    }
}

#[tokio::test]
async fn in_the_middle_of_a_stream() {
    for call in [STREAM, REWRITTEN_STREAM] {
        let (one, two) = (delta("one"), delta("two"));
        let upstream = Upstream::always(vec![stream_head(), chunk(&one), chunk(&two), Step::Hang]).await;
        let gateway = Gateway::start(&model(&upstream, "")).await;
        let mut client = sent(&gateway, call).await;
        client.head().await.unwrap();
        let mut got = Vec::new();
        while !String::from_utf8_lossy(&got).contains("two") {
            got.extend_from_slice(&client.piece().await.unwrap());
        }
        let left = Instant::now();
        drop(client);
        let noticed = upstream.closed(1).await - left;
        assert!(noticed < SOON, "{noticed:?}");
        let rows = gateway.until_rows(1).await;
        assert_eq!(rows[0].inference.status, Status::Cancelled);
        assert_eq!(rows[0].calls[0].raw_response, format!("{one}{two}").as_bytes(), "what had come is kept");
        if call == REWRITTEN_STREAM {
            assert!(rows[0].inference.output.as_ref().unwrap().contains("onetwo"), "{:?}", rows[0].inference.output);
        }
    }
}

#[tokio::test]
async fn in_the_middle_of_a_flood() {
    let upstream = Upstream::always(vec![
        stream_head(),
        Step::Forever(match chunk(delta(&"x".repeat(1000))) {
            Step::Send(bytes) => bytes,
            _ => Vec::new(),
        }),
    ])
    .await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let mut client = sent(&gateway, STREAM).await;
    client.head().await.unwrap();
    client.piece().await.unwrap();
    let left = Instant::now();
    drop(client);
    let noticed = upstream.closed(1).await - left;
    assert!(noticed < SOON, "{noticed:?}");
    assert_eq!(gateway.until_rows(1).await[0].inference.status, Status::Cancelled);
}

#[tokio::test]
async fn while_the_gateway_waits_for_the_next_try() {
    let upstream = Upstream::always(vec![answer(503, "application/json", "retry-after: 30\r\n", "{}")]).await;
    let gateway = Gateway::start(&model(&upstream, "retries = { num_retries = 3, max_delay_s = 0.01 }")).await;
    let client = sent(&gateway, CALL).await;
    upstream.arrived(1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(client);
    let rows = gateway.until_rows(1).await;
    assert_eq!(rows[0].inference.status, Status::Cancelled);
    assert_eq!(rows[0].calls.len(), 1);
    assert_eq!((rows[0].calls[0].http_status, rows[0].calls[0].status), (Some(503), Status::Error));
    assert_eq!(upstream.count(), 1);
}
