//! Bytes of Anthropic's and Gemini's protocols go through as they are, too; and one model behind
//! every door.

use sabir_store::Status;
use serde_json::Value;

use crate::{mock::*, support::*};

fn behind(kind: &str, upstream: &Upstream, base: &str) -> String {
    let at = upstream.addr.to_string();
    provider("m", "a", &at, "").replace("\"openai\"", &format!("\"{kind}\"")).replace("/v1\"", &format!("{base}\""))
}

async fn ask(gateway: &Gateway, path: &str, body: &str) -> Answer {
    let mut client = gateway.client().await;
    client.write(&post(path, "anthropic-version: 2023-06-01\r\n", body.as_bytes())).await;
    client.answer().await
}

const CLAUDE: &str = "{\"max_tokens\" : 9007199254740993,\n\"zz\":{\"b\":1e2,\"a\":\"\\u0041\\/\"}, \"model\": \"m\",\"messages\":[{\"role\":\"user\",\"content\":\"gr\\u00fc\\u00df ü\"}]}";

/// Anthropic's events, as it writes them, with odd members.
fn claude_events() -> Vec<String> {
    [
        ("message_start", r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"up-1","content":[],"stop_reason":null,"usage":{"input_tokens":7,"output_tokens":1},"zz":9007199254740993}}"#),
        ("content_block_start", r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#),
        ("content_block_delta", r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"fi\u006ee"} }"#),
        ("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
        ("message_delta", r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}}"#),
        ("message_stop", r#"{"type":"message_stop"}"#),
    ]
    .iter()
    .map(|(name, data)| format!("event: {name}\ndata: {data}\n\n"))
    .collect()
}

#[tokio::test]
async fn anthropics_bytes_go_through() {
    let reply = "{ \"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"up-1\",\"content\":[{\"type\":\"text\",\"text\":\"fi\\u006ee\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":7,\"output_tokens\":3},\"zz\":9007199254740993}";
    let upstream = Upstream::always(vec![json(200, reply)]).await;
    let gateway = Gateway::start(&behind("anthropic", &upstream, "/v1")).await;
    let answer = ask(&gateway, "/v1/messages", CLAUDE).await;
    assert_eq!((answer.status, answer.text()), (200, reply));
    assert_eq!(upstream.seen()[0].text(), CLAUDE.replace("\"m\"", "\"up-1\""));
    let rows = gateway.rows().await;
    assert_eq!(rows[0].calls[0].raw_response, reply.as_bytes());
    assert_eq!((rows[0].inference.usage.input_tokens, rows[0].inference.usage.output_tokens), (Some(7), Some(3)));
}

#[tokio::test]
async fn anthropics_streams_go_through_however_they_are_cut() {
    let whole = claude_events().concat();
    let call = CLAUDE.replacen('{', "{\"stream\":true,", 1);
    for size in [1, 5, 64, whole.len()] {
        for end in [last_chunk(), Step::Hang] {
            let mut steps = vec![stream_head()];
            steps.extend(whole.as_bytes().chunks(size).map(chunk));
            steps.push(end);
            let upstream = Upstream::always(steps).await;
            let gateway = Gateway::start(&behind("anthropic", &upstream, "/v1")).await;
            let answer = ask(&gateway, "/v1/messages", &call).await;
            assert!(answer.complete && answer.text() == whole, "cut by {size}: {}", answer.text());
            let rows = gateway.rows().await;
            assert_eq!(rows[0].inference.status, Status::Ok, "{:?}", rows[0].inference.error);
            assert_eq!(rows[0].calls[0].raw_response, whole.as_bytes());
            assert_eq!(
                (rows[0].inference.usage.input_tokens, rows[0].inference.usage.output_tokens),
                (Some(7), Some(3))
            );
        }
    }
}

#[tokio::test]
async fn anthropics_streams_that_break_say_so() {
    let events = claude_events();
    for (what, end) in
        [("a reset", Step::Reset), ("an early end", last_chunk()), ("half an event", chunk(&events[3][..20]))]
    {
        let upstream = Upstream::always(vec![stream_head(), chunk(events[..3].concat()), end, Step::Close]).await;
        let gateway = Gateway::start(&behind("anthropic", &upstream, "/v1")).await;
        let answer = ask(&gateway, "/v1/messages", &CLAUDE.replacen('{', "{\"stream\":true,", 1)).await;
        let text = answer.text();
        let last = text.trim_end().rsplit("\n\n").next().unwrap();
        assert!(last.starts_with("event: error\ndata: {\"type\":\"error\",\"error\":{"), "{what}: {text}");
        assert!(!text.contains("message_stop"), "{what}: {text}");
        assert_eq!(gateway.rows().await[0].inference.status, Status::Error, "{what}");
    }
}

const GEMINI: &str =
    "{\"contents\" : [{\"role\":\"user\",\"parts\":[{\"text\":\"gr\\u00fc\\u00df ü\"}]}],\n\"zz\":9007199254740993}";

fn gemini(text: &str, more: &str) -> String {
    format!(
        "{{\"candidates\": [{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}],\"role\":\"model\"}}{more},\"index\":0}}],\"usageMetadata\":{{\"promptTokenCount\":7,\"candidatesTokenCount\":3,\"totalTokenCount\":10}},\"zz\":9007199254740993}}"
    )
}

#[tokio::test]
async fn geminis_bytes_go_through() {
    let reply = gemini("fi\\u006ee", ",\"finishReason\":\"STOP\"");
    let stream =
        format!("data: {}\r\n\r\ndata: {}\r\n\r\n", gemini("fi", ""), gemini("ne", ",\"finishReason\":\"STOP\""));
    let streamed = stream.clone();
    let whole = reply.clone();
    let upstream = Upstream::start(move |_, seen| {
        if seen.head.contains(":streamGenerateContent?alt=sse") {
            let mut steps = vec![stream_head()];
            steps.extend(streamed.as_bytes().chunks(7).map(chunk));
            steps.push(last_chunk());
            steps
        } else {
            vec![json(200, &whole)]
        }
    })
    .await;
    let gateway = Gateway::start(&behind("google_ai_studio_gemini", &upstream, "/v1beta")).await;
    let answer = ask(&gateway, "/gemini/v1beta/models/m:generateContent", GEMINI).await;
    assert_eq!((answer.status, answer.text()), (200, reply.as_str()));
    let answer = ask(&gateway, "/gemini/v1beta/models/m:streamGenerateContent?alt=sse", GEMINI).await;
    assert!(answer.complete && answer.text() == stream, "{}", answer.text());
    let seen = upstream.seen();
    assert_eq!((seen[0].text(), seen[1].text()), (GEMINI, GEMINI));
    assert!(seen[0].head.starts_with("POST /v1beta/models/up-1:generateContent HTTP/1.1"), "{}", seen[0].head);
    let rows = gateway.rows().await;
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(row.inference.status, Status::Ok, "{:?}", row.inference.error);
        assert_eq!((row.inference.usage.input_tokens, row.inference.usage.output_tokens), (Some(7), Some(3)));
    }
}

#[tokio::test]
async fn one_model_behind_every_door() {
    let upstream = Upstream::start(|_, seen| {
        if seen.text().contains("\"stream\":true") { good_stream(&["fi", "ne"]) } else { vec![good("fine")] }
    })
    .await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let doors: [(&str, &str, &str); 4] = [
        ("/v1/chat/completions", CALL, "/choices/0/message/content"),
        ("/v1/messages", CLAUDE, "/content/0/text"),
        (
            "/gemini/v1beta/models/m:generateContent",
            "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}]}",
            "/candidates/0/content/parts/0/text",
        ),
        (
            "/inference",
            r#"{"model_name":"m","input":{"messages":[{"role":"user","content":"hi"}]}}"#,
            "/content/0/text",
        ),
    ];
    for (path, body, place) in doors {
        let body = body.replace("9007199254740993", "100").replace("\"zz\":{\"b\":1e2,\"a\":\"\\u0041\\/\"}, ", "");
        let answer = ask(&gateway, path, &body).await;
        assert_eq!(answer.json().pointer(place), Some(&Value::from("fine")), "{path}: {}", answer.text());
        let path = path.replace(":generateContent", ":streamGenerateContent?alt=sse");
        let body = if path.contains("gemini") { body } else { body.replacen('{', "{\"stream\":true,", 1) };
        let answer = ask(&gateway, &path, &body).await;
        assert!(
            answer.complete && answer.text().contains("fi") && answer.text().contains("ne"),
            "{path}: {}",
            answer.text()
        );
    }
    let rows = gateway.rows().await;
    assert!(rows.len() == 8 && rows.iter().all(|row| row.inference.status == Status::Ok), "{rows:#?}");
}
