//! Targets that fail are passed over for a while.

use std::time::Duration;

use crate::{mock::*, support::*};

/// Opens after two failures, for a short while.
const BREAKER: &str = "[gateway.circuit_breaker]\nfailures = 2\nwindow_ms = 60000\nopen_ms = 300\n";
/// Longer than it stays open.
const PAUSE: Duration = Duration::from_millis(350);

async fn pair(a: Vec<Vec<Step>>) -> (Upstream, Upstream, Gateway) {
    let (a, b) = (Upstream::turns(a).await, Upstream::always(vec![good("b")]).await);
    let gateway = Gateway::start(&format!("{BREAKER}{}", two(&a, &b, ""))).await;
    (a, b, gateway)
}

#[tokio::test]
async fn opens_after_failures_and_closes_after_a_good_probe() {
    let bad = vec![failure(500, "x", "no")];
    let (a, b, gateway) = pair(vec![bad.clone(), bad.clone(), bad, vec![good("a")]]).await;
    for _ in 0..6 {
        assert_eq!(gateway.chat(CALL).await.status, 200);
    }
    assert_eq!((a.count(), b.count()), (2, 6), "after two failures nobody asks it");
    tokio::time::sleep(PAUSE).await;
    assert_eq!(gateway.chat(CALL).await.header("x-sabir-provider"), Some("b"));
    assert_eq!(a.count(), 3, "one call probes it");
    gateway.chat(CALL).await;
    assert_eq!(a.count(), 3, "a bad probe opens it again");
    tokio::time::sleep(PAUSE).await;
    for _ in 0..3 {
        assert_eq!(gateway.chat(CALL).await.header("x-sabir-provider"), Some("a"));
    }
    assert_eq!(a.count(), 6, "a good probe closes it");
}

#[tokio::test]
async fn only_one_call_probes() {
    let bad = vec![failure(500, "x", "no")];
    let (a, _b, gateway) = pair(vec![bad.clone(), bad, vec![Step::Wait(Duration::from_millis(200)), good("a")]]).await;
    for _ in 0..2 {
        gateway.chat(CALL).await;
    }
    tokio::time::sleep(PAUSE).await;
    let calls: Vec<_> = (0..8).map(|_| gateway.chat(CALL)).collect();
    let answers = futures_util::future::join_all(calls).await;
    let from_a = answers.iter().filter(|answer| answer.header("x-sabir-provider") == Some("a")).count();
    assert_eq!((from_a, a.count()), (1, 3));
}

#[tokio::test]
async fn a_probe_whose_caller_leaves_is_followed_by_another() {
    let bad = vec![failure(500, "x", "no")];
    for (hang, call) in [(vec![Step::Hang], CALL), (vec![stream_head(), chunk(delta("x")), Step::Hang], STREAM)] {
        let (a, _b, gateway) = pair(vec![bad.clone(), bad.clone(), hang, vec![good("a")]]).await;
        for _ in 0..2 {
            gateway.chat(CALL).await;
        }
        tokio::time::sleep(PAUSE).await;
        let mut client = gateway.client().await;
        client.write(&post("/v1/chat/completions", "", call.as_bytes())).await;
        a.arrived(3).await;
        if call == STREAM {
            client.head().await.unwrap();
        }
        drop(client);
        a.closed(1).await;
        gateway.until_rows(3).await;
        assert_eq!(gateway.chat(CALL).await.header("x-sabir-provider"), Some("a"));
    }
}

#[tokio::test]
async fn a_target_that_was_not_reached_is_not_taken_for_probed() {
    // `b` opens its circuit while `a` is down; then `a` answers, and `b` must stay reachable.
    let bad = vec![failure(500, "x", "no")];
    let a = Upstream::turns(vec![bad.clone(), bad.clone(), vec![good("a")], vec![good("a")], bad.clone()]).await;
    let b = Upstream::turns(vec![bad.clone(), bad.clone(), vec![good("b")]]).await;
    let gateway = Gateway::start(&format!("{BREAKER}{}", two(&a, &b, ""))).await;
    for _ in 0..2 {
        assert_eq!(gateway.chat(CALL).await.status, 500);
    }
    tokio::time::sleep(PAUSE).await;
    for _ in 0..2 {
        assert_eq!(gateway.chat(CALL).await.header("x-sabir-provider"), Some("a"));
    }
    assert_eq!(gateway.chat(CALL).await.header("x-sabir-provider"), Some("b"));
}

#[tokio::test]
async fn the_only_target_is_always_tried() {
    let upstream = Upstream::always(vec![failure(500, "x", "no")]).await;
    let gateway = Gateway::start(&format!("{BREAKER}{}", model(&upstream, ""))).await;
    for count in 1..=5 {
        assert_eq!(gateway.chat(CALL).await.status, 500);
        assert_eq!(upstream.count(), count);
    }
}

#[tokio::test]
async fn what_the_caller_did_wrong_opens_nothing() {
    for status in [400, 401, 404, 429] {
        let (a, _b, gateway) = pair(vec![vec![failure(status, "x", "no")]]).await;
        for _ in 0..5 {
            gateway.chat(CALL).await;
        }
        assert_eq!(a.count(), 5, "status {status}");
    }
}

#[tokio::test]
async fn streams_that_break_count_too() {
    let broken = vec![stream_head(), chunk(delta("x")), Step::Reset];
    let (a, b, gateway) = pair(vec![broken]).await;
    for _ in 0..2 {
        gateway.chat(STREAM).await;
    }
    assert_eq!(gateway.chat(CALL).await.header("x-sabir-provider"), Some("b"));
    assert_eq!((a.count(), b.count()), (2, 1));
}
