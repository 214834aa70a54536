//! Which failures are tried again, where, and when it is too late.

use std::time::{Duration, Instant, SystemTime};

use sabir_store::Status;
use sabir_types::ErrorKind;

use crate::{mock::*, support::*};

/// Two more tries with no pause to speak of.
const TWICE: &str = "retries = { num_retries = 2, max_delay_s = 0.01 }";

#[tokio::test]
async fn passing_failures_are_tried_again_and_others_are_not() {
    for (status, tried) in [
        (408, 3),
        (409, 3),
        (429, 3),
        (500, 3),
        (502, 3),
        (503, 3),
        (529, 3),
        (400, 1),
        (401, 1),
        (403, 1),
        (404, 1),
        (413, 1),
        (422, 1),
    ] {
        let upstream = Upstream::always(vec![failure(status, "x", "no")]).await;
        let gateway = Gateway::start(&model(&upstream, TWICE)).await;
        let answer = gateway.chat(CALL).await;
        assert_eq!(upstream.count(), tried, "status {status}");
        let row = gateway.row(&answer).await;
        assert_eq!(row.calls.len(), tried, "status {status}: each try is a model call");
        assert!(row.calls.iter().all(|call| call.http_status == Some(status) && call.status == Status::Error));
        assert_eq!(row.inference.status, Status::Error);
        assert!(answer.status >= 400, "status {status}");
        error_of(&answer.json());
    }
}

#[tokio::test]
async fn a_try_that_works_ends_it() {
    let upstream = Upstream::turns(vec![vec![failure(503, "x", "busy")], vec![good("ok")]]).await;
    let gateway = Gateway::start(&model(&upstream, TWICE)).await;
    let answer = gateway.chat(CALL).await;
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.count(), 2);
    let row = gateway.row(&answer).await;
    assert_eq!(row.inference.status, Status::Ok);
    let statuses: Vec<_> = row.calls.iter().map(|call| (call.http_status, call.status)).collect();
    assert_eq!(statuses, [(Some(503), Status::Error), (Some(200), Status::Ok)]);
}

#[tokio::test]
async fn a_refused_connection_is_tried_again() {
    // A port that nobody listens on.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gateway = Gateway::start(&model_at(&free.to_string(), TWICE)).await;
    let answer = gateway.chat(CALL).await;
    let error = answer.error(502);
    assert!(error["message"].as_str().unwrap().contains("cannot connect to"), "{error}");
    let row = gateway.row(&answer).await;
    assert_eq!(row.calls.len(), 3);
    assert!(row.calls.iter().all(|call| call.error.as_ref().unwrap().0 == ErrorKind::Connection));
}

#[tokio::test]
async fn a_reset_and_a_silent_close_are_tried_again() {
    for end in [Step::Reset, Step::Close] {
        let upstream = Upstream::turns(vec![vec![end.clone()], vec![end], vec![good("ok")]]).await;
        let gateway = Gateway::start(&model(&upstream, TWICE)).await;
        let answer = gateway.chat(CALL).await;
        assert_eq!(answer.status, 200);
        let row = gateway.row(&answer).await;
        assert_eq!(row.calls.len(), 3);
        assert_eq!(row.calls[0].error.as_ref().unwrap().0, ErrorKind::Connection);
    }
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_no_failure() {
    let upstream = Upstream::start(|_, _| vec![good("ok"), Step::Close]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    for _ in 0..10 {
        let answer = gateway.chat(CALL).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(gateway.row(&answer).await.calls.len(), 1);
    }
}

async fn waited(more: &str) -> Duration {
    let first = answer(429, "application/json", more, r#"{"error":{"message":"slow down","type":"t","code":null}}"#);
    let upstream = Upstream::turns(vec![vec![first], vec![good("ok")]]).await;
    let gateway = Gateway::start(&model(&upstream, TWICE)).await;
    assert_eq!(gateway.chat(CALL).await.status, 200);
    let seen = upstream.seen();
    seen[1].at - seen[0].at
}

#[tokio::test]
async fn what_the_provider_asks_for_is_waited_for() {
    let waited_ms = waited("retry-after-ms: 250\r\n").await;
    assert!(waited_ms >= Duration::from_millis(250), "{waited_ms:?}");
    let seconds = waited("retry-after: 1\r\n").await;
    assert!(seconds >= Duration::from_secs(1), "{seconds:?}");
    let both = waited("retry-after: 5\r\nretry-after-ms: 100\r\n").await;
    assert!(both >= Duration::from_millis(100) && both < Duration::from_secs(4), "{both:?}");
    let date = httpdate(SystemTime::now() + Duration::from_secs(2));
    let date = waited(&format!("retry-after: {date}\r\n")).await;
    assert!(date >= Duration::from_millis(900), "{date:?}");
}

/// A date as HTTP writes it.
fn httpdate(at: SystemTime) -> String {
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    time::OffsetDateTime::from(at).format(format).unwrap()
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_left_to_the_caller() {
    let body = r#"{"error":{"message":"slow down","type":"t","param":null,"code":null}}"#;
    let upstream = Upstream::always(vec![answer(
        429,
        "application/json",
        "retry-after: 3600\r\nx-ratelimit-limit-requests: 9\r\n",
        body,
    )])
    .await;
    let gateway = Gateway::start(&model(&upstream, TWICE)).await;
    let answer = gateway.chat(CALL).await;
    assert_eq!(answer.error(429)["message"], "slow down");
    assert_eq!(upstream.count(), 1);
    assert_eq!(answer.header("retry-after"), Some("3600"));
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("9"));
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_not_tried_again() {
    let upstream = Upstream::always(vec![failure(429, "insufficient_quota", "pay first")]).await;
    let gateway = Gateway::start(&model(&upstream, TWICE)).await;
    let answer = gateway.chat(CALL).await;
    assert_eq!(answer.error(429)["code"], "insufficient_quota");
    assert_eq!(upstream.count(), 1);
    assert_eq!(gateway.row(&answer).await.inference.error.unwrap().0, ErrorKind::QuotaExceeded);
}

#[tokio::test]
async fn the_provider_may_forbid_another_try() {
    let body = r#"{"error":{"message":"no","type":"t","param":null,"code":null}}"#;
    let upstream = Upstream::always(vec![answer(500, "application/json", "x-should-retry: false\r\n", body)]).await;
    let gateway = Gateway::start(&model(&upstream, TWICE)).await;
    assert_eq!(gateway.chat(CALL).await.status, 500);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn failures_fall_back_unless_the_request_is_wrong() {
    for (status, falls) in [
        (500, true),
        (429, true),
        (401, true),
        (403, true),
        (404, true),
        (409, true),
        (400, false),
        (413, false),
        (422, false),
    ] {
        let (a, b) =
            (Upstream::always(vec![failure(status, "x", "no")]).await, Upstream::always(vec![good("ok")]).await);
        let gateway = Gateway::start(&two(&a, &b, "")).await;
        let answer = gateway.chat(CALL).await;
        assert_eq!((a.count(), b.count()), (1, usize::from(falls)), "status {status}");
        assert_eq!(answer.status == 200, falls, "status {status}");
        if falls {
            assert_eq!(answer.header("x-sabir-provider"), Some("b"));
            let row = gateway.row(&answer).await;
            let names: Vec<_> = row.calls.iter().map(|call| call.provider_name.as_str()).collect();
            assert_eq!(names, ["a", "b"]);
        }
    }
}

#[tokio::test]
async fn unreadable_answers_fall_back() {
    let whole: Vec<(&str, Vec<Step>)> = vec![
        ("garbage instead of HTTP", vec![send("\u{1}\u{2}garbage\r\n\r\n"), Step::Close]),
        ("nothing at all", vec![Step::Close]),
        ("an empty body", vec![json(200, "")]),
        ("not JSON", vec![json(200, "<html>hello</html>")]),
        ("half a JSON", vec![json(200, &chat("hello")[..60])]),
        (
            "half a body",
            vec![
                send(format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{}",
                    chat("x")
                )),
                Step::Close,
            ],
        ),
        ("half a chunk", vec![stream_head(), send("ff\r\n{\"id\""), Step::Close]),
        ("a bad chunk size", vec![stream_head(), send("zz\r\nhello\r\n"), Step::Close]),
        ("an error inside", vec![json(200, r#"{"error":{"message":"inside","code":500}}"#)]),
        ("an unknown encoding", vec![answer(200, "application/json", "content-encoding: br\r\n", chat("x"))]),
        ("a false encoding", vec![answer(200, "application/json", "content-encoding: gzip\r\n", chat("x"))]),
        ("a redirect", vec![answer(302, "text/html", "location: http://127.0.0.1:1/\r\n", "")]),
    ];
    for (what, steps) in whole {
        let (a, b) = (Upstream::always(steps).await, Upstream::always(vec![good("ok")]).await);
        let gateway = Gateway::start(&two(&a, &b, "")).await;
        let answer = gateway.chat(CALL).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        assert_eq!((a.count(), b.count()), (1, 1), "{what}");
        let row = gateway.row(&answer).await;
        let kind = row.calls[0].error.as_ref().unwrap().0;
        assert!(
            matches!(kind, ErrorKind::BadUpstream | ErrorKind::Connection | ErrorKind::Upstream),
            "{what} is {kind:?}"
        );
    }
}

#[tokio::test]
async fn streams_fall_back_before_the_first_event_only() {
    let before: Vec<(&str, Vec<Step>)> = vec![
        ("a failure", vec![failure(500, "x", "no")]),
        ("nothing at all", vec![Step::Close]),
        ("an end without an event", vec![stream_head(), last_chunk()]),
        ("comments alone", vec![stream_head(), chunk(": ping\n\n: ping\n\n"), last_chunk()]),
        ("a reset before the first event", vec![stream_head(), chunk(": ping\n\n"), Step::Reset]),
        (
            "an error as first event",
            vec![stream_head(), chunk("data: {\"error\":{\"message\":\"early\",\"code\":500}}\n\n"), last_chunk()],
        ),
        ("a whole answer with an error", vec![json(200, r#"{"error":{"message":"inside","code":500}}"#)]),
        ("a web page", vec![answer(200, "text/html", "", "<html></html>")]),
        ("garbage as first event", vec![stream_head(), chunk("data: {{{\n\n"), last_chunk()]),
    ];
    for (what, steps) in before {
        for call in [STREAM, REWRITTEN_STREAM] {
            let (a, b) = (Upstream::always(steps.clone()).await, Upstream::always(good_stream(&["o", "k"])).await);
            let gateway = Gateway::start(&two(&a, &b, "")).await;
            let answer = gateway.chat(call).await;
            assert_eq!((a.count(), b.count()), (1, 1), "{what}");
            assert_eq!(said(&answer.body), "ok", "{what}");
            assert!(answer.text().ends_with(DONE), "{what}");
            assert_eq!(answer.header("x-sabir-provider"), Some("b"));
        }
    }
}

#[tokio::test]
async fn a_failure_in_the_middle_of_a_stream_is_told_and_recorded() {
    let middle: Vec<(&str, Vec<Step>, ErrorKind)> = vec![
        ("a reset", vec![Step::Wait(Duration::from_millis(20)), Step::Reset], ErrorKind::Connection),
        ("a close", vec![Step::Close], ErrorKind::Connection),
        ("an end without a marker", vec![last_chunk()], ErrorKind::BadUpstream),
        ("half an event", vec![chunk("data: {\"id\":\"chatcm"), last_chunk()], ErrorKind::BadUpstream),
    ];
    for (what, end, kind) in middle {
        for call in [STREAM, REWRITTEN_STREAM] {
            let mut steps = vec![stream_head(), chunk(delta("be")), chunk(delta("gun"))];
            steps.extend(end.clone());
            let (a, b) = (Upstream::always(steps).await, Upstream::always(good_stream(&["other"])).await);
            let gateway = Gateway::start(&two(&a, &b, "")).await;
            let answer = gateway.chat(call).await;
            assert_eq!((a.count(), b.count()), (1, 0), "{what}");
            assert!(answer.complete, "{what}: the stream itself ends properly");
            let text = answer.text();
            assert!(!text.contains("[DONE]"), "{what}: {text}");
            let last = text.trim_end().rsplit("\n\n").next().unwrap().strip_prefix("data: ").unwrap();
            error_of(&serde_json::from_str(last).unwrap_or_else(|e| panic!("{what}: {e}: {text}")));
            assert!(text.contains("be") && text.contains("gun"), "{what}");
            let row = gateway.row(&answer).await;
            assert_eq!(row.inference.status, Status::Error, "{what}");
            assert_eq!(row.inference.error.as_ref().unwrap().0, kind, "{what}: {:?}", row.inference.error);
            assert!(row.calls[0].raw_response.starts_with(delta("be").as_bytes()), "{what}: what came is kept");
        }
    }
}

#[tokio::test]
async fn an_error_event_in_the_middle_is_told_once_and_recorded() {
    let error =
        "data: {\"error\":{\"message\":\"it broke\",\"type\":\"server_error\",\"param\":null,\"code\":\"500\"}}\n\n";
    for call in [STREAM, REWRITTEN_STREAM] {
        let upstream = Upstream::always(vec![stream_head(), chunk(delta("be")), chunk(error), last_chunk()]).await;
        let gateway = Gateway::start(&model(&upstream, TWICE)).await;
        let answer = gateway.chat(call).await;
        assert_eq!(answer.text().matches("it broke").count(), 1, "{}", answer.text());
        assert_eq!(upstream.count(), 1);
        let row = gateway.row(&answer).await;
        assert_eq!(row.inference.status, Status::Error);
        assert_eq!(row.inference.error.unwrap().1, "it broke");
    }
}

/// What a call comes to when the provider does this and the model has these limits.
async fn limited(steps: Vec<Step>, lines: &str, call: &str) -> (Answer, Duration, ErrorKind) {
    let upstream = Upstream::always(steps).await;
    let gateway = Gateway::start(&model(&upstream, lines)).await;
    let begun = Instant::now();
    let answer = gateway.chat(call).await;
    let took = begun.elapsed();
    let kind = gateway.row(&answer).await.inference.error.map_or(ErrorKind::Internal, |(kind, _)| kind);
    (answer, took, kind)
}

#[tokio::test]
async fn a_whole_answer_that_takes_too_long_is_given_up() {
    let lines = "timeouts = { non_streaming = { total_ms = 150 } }";
    for steps in [
        vec![Step::Hang],
        vec![send("HTTP/1.1 200 OK\r\n"), Step::Hang],
        vec![
            send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"id\""),
            Step::Hang,
        ],
    ] {
        let (answer, took, kind) = limited(steps, lines, CALL).await;
        let error = answer.error(408);
        assert!(error["message"].as_str().unwrap().contains("150 ms"), "{error}");
        assert_eq!(kind, ErrorKind::Timeout);
        assert!(took >= Duration::from_millis(150) && took < Duration::from_secs(3), "{took:?}");
    }
}

#[tokio::test]
async fn the_first_event_may_take_so_long() {
    let lines = "timeouts = { streaming = { ttft_ms = 150 } }";
    for call in [STREAM, REWRITTEN_STREAM] {
        for steps in [vec![Step::Hang], vec![stream_head(), chunk(": ping\n\n"), Step::Hang]] {
            let (answer, took, kind) = limited(steps, lines, call).await;
            let error = answer.error(408);
            assert!(error["message"].as_str().unwrap().contains("first event"), "{error}");
            assert_eq!(kind, ErrorKind::Timeout);
            assert!(took >= Duration::from_millis(150) && took < Duration::from_secs(3), "{took:?}");
        }
    }
}

#[tokio::test]
async fn silence_in_a_stream_may_take_so_long() {
    let lines = "timeouts = { streaming = { idle_ms = 150 } }";
    for call in [STREAM, REWRITTEN_STREAM] {
        let (answer, took, kind) = limited(vec![stream_head(), chunk(delta("be")), Step::Hang], lines, call).await;
        assert_eq!(answer.status, 200);
        assert_eq!(kind, ErrorKind::Timeout);
        let last = events(&answer.body).pop().unwrap();
        let error = error_of(&last);
        assert!(error["message"].as_str().unwrap().contains("sent nothing for 150 ms"), "{error}");
        assert!(took >= Duration::from_millis(150) && took < Duration::from_secs(3), "{took:?}");
    }
}

#[tokio::test]
async fn a_stream_in_all_may_take_so_long() {
    let lines = "timeouts = { streaming = { idle_ms = 5000, total_ms = 300 } }";
    let mut steps = vec![stream_head()];
    for _ in 0..200 {
        steps.extend([chunk(delta("x")), Step::Wait(Duration::from_millis(20))]);
    }
    for call in [STREAM, REWRITTEN_STREAM] {
        let (answer, took, kind) = limited(steps.clone(), lines, call).await;
        assert_eq!(kind, ErrorKind::Timeout);
        let error = error_of(&events(&answer.body).pop().unwrap());
        assert!(error["message"].as_str().unwrap().contains("longer than it may in all"), "{error}");
        assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(3), "{took:?}");
    }
}

#[tokio::test]
async fn the_total_holds_over_all_tries() {
    let lines =
        "timeouts = { non_streaming = { total_ms = 400 } }\nretries = { num_retries = 100, max_delay_s = 0.05 }";
    let upstream = Upstream::always(vec![Step::Wait(Duration::from_millis(30)), failure(503, "x", "busy")]).await;
    let gateway = Gateway::start(&model(&upstream, lines)).await;
    let begun = Instant::now();
    let answer = gateway.chat(CALL).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(upstream.count() > 1 && upstream.count() < 50, "{} tries", upstream.count());
    assert!(answer.status >= 400);
    error_of(&answer.json());
}

#[tokio::test]
async fn a_slow_target_falls_back() {
    let limits = "timeouts = { non_streaming = { total_ms = 150 }, streaming = { ttft_ms = 150 } }\n";
    for call in [CALL, STREAM, REWRITTEN, REWRITTEN_STREAM] {
        let a = Upstream::always(vec![Step::Hang]).await;
        let b = Upstream::always(if call.contains("stream") { good_stream(&["ok"]) } else { vec![good("ok")] }).await;
        let toml = format!(
            "[models.m]\nrouting = [\"a\", \"b\"]\n{}{}",
            provider("m", "a", &a.addr.to_string(), limits),
            provider("m", "b", &b.addr.to_string(), "")
        );
        let gateway = Gateway::start(&toml).await;
        let answer = gateway.chat(call).await;
        assert_eq!((answer.status, answer.header("x-sabir-provider")), (200, Some("b")), "{}", answer.text());
        a.closed(1).await;
        let row = gateway.row(&answer).await;
        assert_eq!(row.calls[0].error.as_ref().unwrap().0, ErrorKind::Timeout);
    }
}

#[tokio::test]
async fn a_targets_own_limit_begins_with_its_own_try() {
    let limits = "timeouts = { streaming = { total_ms = 600 } }\n";
    let a = Upstream::always(vec![Step::Wait(Duration::from_millis(400)), failure(500, "x", "no")]).await;
    let mut steps = vec![stream_head(), chunk(delta("fi")), Step::Wait(Duration::from_millis(400))];
    steps.extend([chunk(delta("ne") + &finish()), chunk(DONE), last_chunk()]);
    let b = Upstream::always(steps).await;
    let toml = format!(
        "[models.m]\nrouting = [\"a\", \"b\"]\n{}{}",
        provider("m", "a", &a.addr.to_string(), limits),
        provider("m", "b", &b.addr.to_string(), limits)
    );
    let gateway = Gateway::start(&toml).await;
    let answer = gateway.chat(STREAM).await;
    assert_eq!(said(&answer.body), "fine", "{}", answer.text());
}

#[tokio::test]
async fn a_wait_that_goes_beyond_the_limit_is_not_begun() {
    let first = answer(503, "application/json", "retry-after: 5\r\n", r#"{"error":{"message":"busy","type":"t"}}"#);
    let lines = "timeouts = { non_streaming = { total_ms = 2000 } }\nretries = { num_retries = 1, max_delay_s = 0.01 }";
    let upstream = Upstream::always(vec![first]).await;
    let gateway = Gateway::start(&model(&upstream, lines)).await;
    let begun = Instant::now();
    assert_eq!(gateway.chat(CALL).await.status, 503);
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn opening_a_connection_may_take_so_long() {
    // A listener whose queue is full lets nobody in and refuses nobody.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut full = Vec::new();
    for _ in 0..8 {
        full.push(tokio::spawn(tokio::net::TcpStream::connect(addr)));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let gateway = Gateway::start(&model_at(&addr.to_string(), "timeouts = { connect_ms = 150 }")).await;
    let begun = Instant::now();
    let answer = gateway.chat(CALL).await;
    let error = answer.error(408);
    assert!(error["message"].as_str().unwrap().contains("connecting to"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    full.iter().for_each(tokio::task::JoinHandle::abort);
}
