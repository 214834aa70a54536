//! Keys show up nowhere: not in answers, headers, logs, errors, nor in the ledger's files.

use std::path::Path;

use crate::{mock::*, support::*};

/// The provider's key, in the gateway's environment.
const OURS: &str = "key-test-SECRET-ours-0123456789abcdef";
/// The caller's own key for a provider.
const THEIRS: &str = "key-test-SECRET-theirs-fedcba9876543210";
/// The gateway's key.
const DOOR: &str = "key-test-SECRET-door-55555555";

/// The key as the provider was sent it.
fn sent(seen: &Seen) -> String {
    seen.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned()
}

/// Everything that a provider may do with a key that it should not.
fn indiscreet(n: usize, seen: &Seen) -> Vec<Step> {
    let key = sent(seen);
    let echo = seen.head.replace("\r\n", "\\n").replace('"', "'");
    let error =
        |message: &str| format!(r#"{{"error":{{"message":"{message}","type":"t","param":"{key}","code":"{key}"}}}}"#);
    let half = key.len() / 2;
    match n % 12 {
        0 => vec![json(400, error(&format!("your request was: {echo}")))],
        1 => {
            vec![json(401, error(&format!("Incorrect API key provided: {key}. You can find your API key somewhere.")))]
        }
        2 => vec![json(403, error(&format!("{key} may not do this")))],
        3 => vec![json(500, error(&format!("panic at {key}")))],
        4 => vec![answer(429, "text/plain", &format!("x-ratelimit-remaining: {key}\r\nx-request-id: {key}\r\n"), &key)],
        5 => vec![json(200, error(&key))],
        6 => vec![json(200, chat(&echo))],
        7 => vec![json(200, format!("not json {key}"))],
        8 => vec![stream_head(), chunk(delta(&key)), chunk(delta("x") + &finish()), chunk(DONE), last_chunk()],
        9 => vec![stream_head(), chunk(delta("x")), chunk(format!("data: {}\n\n", error(&key))), last_chunk()],
        10 => {
            let text = delta(&key);
            let at = text.find(&key).unwrap() + half;
            vec![
                stream_head(),
                chunk(&text[..at]),
                Step::Wait(std::time::Duration::from_millis(20)),
                chunk(&text[at..]),
                last_chunk(),
            ]
        }
        _ => vec![answer(302, "text/html", &format!("location: http://x/?key={key}\r\n"), "")],
    }
}

fn assert_clean(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    if let Some(at) = text.find("SECRET") {
        let from = text[..at].char_indices().rev().nth(100).map_or(0, |(at, _)| at);
        panic!("a key is in {what}: {}", &text[from..(at + 60).min(text.len())]);
    }
}

fn files_are_clean(dir: &Path) {
    let mut count = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        assert_clean(&path.display().to_string(), &std::fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count > 0, "no files in {}", dir.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_show_up_nowhere() {
    let upstream = Upstream::start(indiscreet).await;
    let at = upstream.addr.to_string();
    let config = format!(
        "[models.m]\n{}[models.own]\n{}",
        provider("m", "a", &at, "api_key_location = \"env::PROVIDER_KEY\"\n"),
        provider("own", "a", &at, "api_key_location = \"dynamic::theirs\"\n")
    );
    let dir = tempfile::tempdir().unwrap();
    let (file, data) = (dir.path().join("sabir.toml"), dir.path().join("data"));
    std::fs::write(&file, config).unwrap();
    let env = [("PROVIDER_KEY", OURS), ("SABIR_API_KEY", DOOR), ("SABIR_LOG", "debug")];
    let mut gateway = Process::start(&file, &data, &env);
    let credentials = format!("\"tensorzero::credentials\":{{\"theirs\":\"{THEIRS}\"}},\"messages\"");
    let with_own = |call: &str| {
        call.replace("model_name::m\"", "model_name::own\"").replace("\"m\"", "\"own\"").replacen(
            "\"messages\"",
            &credentials,
            1,
        )
    };
    let mut sent_ours = 0;
    for call in [CALL, STREAM, REWRITTEN, REWRITTEN_STREAM].iter().flat_map(|call| [(*call).to_owned(), with_own(call)])
    {
        for _ in 0..12 {
            let headers = format!("authorization: Bearer {DOOR}\r\n");
            let answer = Client::connect(gateway.addr).await.chat_with(&headers, &call).await;
            assert_clean("a head", answer.head.as_bytes());
            assert_clean("a body", &answer.body);
            sent_ours += 1;
        }
    }
    let seen = upstream.seen();
    assert_eq!(seen.len(), sent_ours);
    assert!(seen.iter().any(|seen| sent(seen) == OURS) && seen.iter().any(|seen| sent(seen) == THEIRS));
    assert!(seen.iter().all(|seen| !seen.text().contains("SECRET") && !seen.head.contains(DOOR)));
    for (headers, body) in [
        (format!("authorization: Bearer {DOOR}x\r\n"), CALL.to_owned()),
        (
            format!("authorization: Bearer {DOOR}\r\n"),
            with_own(CALL).replace("\"theirs\":", "\"theirs\":[").replace("\"},\"mess", "\"]},\"mess"),
        ),
        (format!("authorization: Bearer {DOOR}\r\n"), with_own(CALL).replace("\"theirs\":", "\"other\":")),
        (format!("authorization: Bearer {DOOR}\r\n"), with_own(CALL).replace("\"own\"", "\"nobody\"")),
    ] {
        let answer = Client::connect(gateway.addr).await.chat_with(&headers, &body).await;
        assert!(answer.status >= 400, "{body}");
        error_of(&answer.json());
        assert_clean("a head", answer.head.as_bytes());
        assert_clean("a body", &answer.body);
    }
    // While it runs the rows are in the write-ahead log, afterwards in the file.
    files_are_clean(&data);
    gateway.signal("TERM");
    assert_eq!(gateway.ended().await, Some(0));
    files_are_clean(&data);
    let log = gateway.log();
    assert!(log.contains("DEBUG"), "{log}");
    assert_clean("the log", log.as_bytes());
    assert_eq!(rows_in(&data).await.len(), sent_ours + 2);
}
