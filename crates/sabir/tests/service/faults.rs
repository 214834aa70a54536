//! Every rule about trying again, each timeout, and connections that break.

use std::{
    io::Read,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sabir::{Error, Form, HttpBuilder, Options, Pace, Phase, Result, Sabir, Timeouts, Upload, blocking};
use serde_json::{Value, json};

use crate::script::{PATIENCE, Reply, Script};

/// Waits that a test can afford.
fn quick(builder: HttpBuilder) -> blocking::Sabir {
    let pace = Pace { first: Duration::from_millis(2), longest: Duration::from_millis(8), ..Pace::default() };
    blocking::Sabir::http(builder.pace(pace)).unwrap()
}

/// How many requests a call takes that gets this answer first and a good one then.
fn requests(first: Reply) -> (usize, Result<u32>) {
    let script = Script::serve(move |_, index| match index {
        0 => first.clone(),
        _ => Reply::json(200, "", "{}"),
    });
    let answer = quick(script.client()).get::<Value>("/v1/things").send();
    (script.seen().len(), answer.map(|answer| answer.meta().retries()))
}

#[test]
fn the_statuses_that_may_pass() {
    for status in [408, 409, 429, 500, 502, 503, 504, 529] {
        assert_eq!(requests(Reply::json(status, "", "{}")).0, 2, "{status}");
    }
    for status in [400, 401, 402, 403, 404, 405, 413, 418, 422, 451] {
        let (count, error) = requests(Reply::json(status, "", "{}"));
        assert_eq!(count, 1, "{status}");
        assert_eq!(error.unwrap_err().answer().unwrap().status().as_u16(), status);
    }
}

#[test]
fn the_other_side_has_the_last_word() {
    assert_eq!(requests(Reply::json(400, "x-should-retry: true\r\n", "{}")).0, 2);
    assert_eq!(requests(Reply::json(500, "x-should-retry: false\r\n", "{}")).0, 1);
    assert_eq!(requests(Reply::json(500, "x-should-retry: perhaps\r\n", "{}")).0, 2);
}

#[test]
fn how_long_to_wait() {
    let begun = Instant::now();
    assert_eq!(requests(Reply::json(429, "retry-after-ms: 150\r\nretry-after: 60\r\n", "{}")).0, 2);
    assert!(begun.elapsed() >= Duration::from_millis(150));
    for soon in ["retry-after: 0", "retry-after: -5", "retry-after: soon", "retry-after: inf", "retry-after: nan"] {
        let begun = Instant::now();
        assert_eq!(requests(Reply::json(429, &format!("{soon}\r\n"), "{}")).0, 2, "{soon}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{soon}");
    }
    for late in ["retry-after: 121", "retry-after: 1e999", "retry-after-ms: 120001"] {
        let head = format!("{late}\r\nx-should-retry: true\r\n");
        assert_eq!(requests(Reply::json(429, &head, "{}")).0, 1, "{late}");
    }
}

#[test]
fn what_breaks_before_an_answer_is_tried_again() {
    let (count, retries) = requests(Reply::Nothing);
    assert_eq!((count, retries.unwrap()), (2, 1));
    let script = Script::serve(|_, index| match index {
        0 => Reply::Silence(String::new()),
        _ => Reply::json(200, "", "{}"),
    });
    let client = quick(script.client().timeout(Duration::from_millis(100)));
    assert_eq!(client.get::<Value>("/a").send().unwrap().meta().retries(), 1);
}

#[test]
fn what_breaks_within_an_answer_is_not() {
    let cut = "HTTP/1.1 200 X\r\ncontent-length: 100\r\ncontent-type: application/json\r\n\r\n{";
    let (count, error) = requests(Reply::Bytes(cut.to_owned()));
    assert_eq!(count, 1);
    assert!(matches!(error, Err(Error::Connection { .. })), "{error:?}");
    let piece = "data: {\"choices\":[]}\n\n";
    let script = Script::serve(move |_, _| Reply::Bytes(Reply::events(piece)));
    let mut stream = quick(script.client()).chat().stream(json!({"model": "m", "messages": []})).unwrap();
    stream.next().unwrap().unwrap();
    assert!(matches!(stream.next(), Some(Err(Error::Connection { .. }))));
    assert_eq!(script.seen().len(), 1);
}

#[test]
fn the_number_of_retries_is_the_callers() {
    for (retries, requests) in [(0, 1), (1, 2), (4, 5)] {
        let script = Script::serve(|_, _| Reply::json(500, "", "{}"));
        let client = quick(script.client());
        let call = client.get::<Value>("/a").options(Options::new().retries(retries));
        assert_eq!(call.send().unwrap_err().answer().unwrap().retries(), retries);
        assert_eq!(script.seen().len(), requests);
        let counts: Vec<_> = script.seen().iter().map(|seen| seen.contains("x-sabir-retry-count")).collect();
        assert_eq!(counts.iter().filter(|told| **told).count(), requests - 1);
    }
}

#[test]
fn only_what_can_be_sent_again_is() {
    for (upload, requests) in
        [(Upload::bytes("abc"), 2), (Upload::reader(&b"abc"[..], Some(3)), 1), (Upload::reader(&b"abc"[..], None), 1)]
    {
        let script = Script::serve(|_, index| match index {
            0 => Reply::json(503, "", "{}"),
            _ => Reply::json(200, "", r#"{"id": "f"}"#),
        });
        let answer = quick(script.client()).files().create(Form::new().file("file", upload)).send();
        assert_eq!(answer.is_ok(), requests == 2);
        assert_eq!(script.seen().len(), requests);
        assert!(script.seen().iter().all(|seen| seen.contains("\nabc\r\n")), "{:?}", script.seen());
    }
}

#[test]
fn a_key_is_asked_for_with_each_try() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let script = Script::serve(|_, index| match index {
        0 => Reply::json(500, "", "{}"),
        _ => Reply::json(200, "", "{}"),
    });
    let provider = move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        async move { Ok(format!("token-{number}")) }
    };
    quick(script.client().key_provider(provider)).get::<Value>("/a").send().unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert!(script.seen()[0].contains("authorization: Bearer token-0"));
    assert!(script.seen()[1].contains("authorization: Bearer token-1"));
    let script = Script::serve(|_, _| Reply::json(200, "", "{}"));
    let none = quick(script.client().key_provider(|| async { Ok(String::new()) }));
    assert!(none.get::<Value>("/a").send().is_err());
    assert!(script.seen().is_empty());
}

fn phase(error: Error) -> Phase {
    let Error::Timeout(elapsed) = error else { panic!("{error:?}") };
    elapsed.phase
}

#[test]
fn connecting_ends() {
    // It takes connections and never says a word of TLS.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let timeouts = Timeouts { connect: Duration::from_millis(100), ..Timeouts::default() };
    let client = quick(Sabir::http(url).timeouts(timeouts).retries(0));
    let error = client.get::<Value>("/a").send().unwrap_err();
    assert_eq!(error.to_string(), "no connection was there within 100 ms");
    assert_eq!(phase(error), Phase::Connect);
}

#[test]
fn waiting_for_an_answer_ends() {
    let script = Script::serve(|_, _| Reply::Silence(String::new()));
    let client = quick(script.client().retries(0));
    let call = client.get::<Value>("/a").options(Options::new().timeout(Duration::from_millis(50)));
    let error = call.send().unwrap_err();
    assert_eq!(error.to_string(), "nothing came within 50 ms");
    assert_eq!(phase(error), Phase::Read);
    script.left.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn sending_ends() {
    // It takes connections and reads nothing of what comes.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", deaf.local_addr().unwrap());
    let timeouts = Timeouts { write: Duration::from_millis(200), ..Timeouts::default() };
    let client = quick(Sabir::http(url).timeouts(timeouts).retries(0));
    let error = client.call::<Value>(sabir::Method::PUT, "/a").upload(vec![0; 32 << 20]).send().unwrap_err();
    assert_eq!(phase(error), Phase::Write);
}

#[test]
fn a_slow_upload_is_no_silence() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let size: usize = 8 << 20;
    std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = listener.accept().unwrap();
        let (mut left, mut buffer) = (size, vec![0; 1 << 20]);
        while left > 0 {
            std::thread::sleep(Duration::from_millis(40));
            left = left.saturating_sub(stream.read(&mut buffer).unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").unwrap();
        let _ = stream.read(&mut buffer);
    });
    let timeouts = Timeouts { read: Duration::from_millis(300), write: Duration::from_secs(10), ..Timeouts::default() };
    let client = quick(Sabir::http(url).timeouts(timeouts).retries(0));
    let begun = Instant::now();
    client.call::<Value>(sabir::Method::PUT, "/a").upload(vec![0; size]).send().unwrap();
    assert!(begun.elapsed() > Duration::from_millis(200));
}

#[test]
fn all_of_it_ends_even_if_something_always_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        stream.write_all(Reply::events("").as_bytes()).unwrap();
        while stream.write_all(b": still here\n\n").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let client = quick(Sabir::http(url).options(Options::new().total_timeout(Duration::from_millis(200))));
    let mut stream = client.chat().stream(json!({"model": "m", "messages": []})).unwrap();
    let Some(Err(error)) = stream.next() else { panic!("it went on") };
    assert_eq!(phase(error), Phase::Total);
    // The waits before other tries count too.
    let script = Script::serve(|_, _| Reply::json(500, "retry-after: 60\r\n", "{}"));
    let client = quick(script.client().options(Options::new().total_timeout(Duration::from_millis(100))));
    assert_eq!(phase(client.get::<Value>("/a").send().unwrap_err()), Phase::Total);
}
