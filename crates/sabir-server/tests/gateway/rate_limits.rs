//! What providers say about how much they still take: to callers of every door, and in the metrics.

use crate::{mock::*, support::*};

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"up-1","content":[{"type":"text","text":"fine"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":3}}"#;
const ASK: &str = r#"{"max_tokens":5,"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

async fn gateway(upstream: &Upstream, kind: &str) -> Gateway {
    let toml = model(upstream, "").replace("\"openai\"", &format!("\"{kind}\""));
    Gateway::start(&toml).await
}

async fn ask(gateway: &Gateway, path: &str, body: &str) -> Answer {
    let mut client = gateway.client().await;
    client.write(&post(path, "", body.as_bytes())).await;
    client.answer().await
}

#[tokio::test]
async fn a_providers_figures_reach_callers_of_other_protocols() {
    let says = "anthropic-ratelimit-requests-limit: 50\r\nanthropic-ratelimit-requests-remaining: 49\r\n\
                anthropic-ratelimit-requests-reset: 2999-01-01T00:00:00Z\r\nanthropic-ratelimit-tokens-remaining: 900\r\n";
    let upstream = Upstream::always(vec![answer(200, "application/json", says, MESSAGE)]).await;
    let gateway = gateway(&upstream, "anthropic").await;
    let contents = r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#;
    for (path, body) in [
        ("/v1/chat/completions", CALL),
        ("/v1/responses", r#"{"model":"m","input":"hi"}"#),
        ("/v1beta/models/m:generateContent", contents),
    ] {
        let answer = ask(&gateway, path, body).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("50"), "{path}");
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("49"), "{path}");
        assert_eq!(answer.header("x-ratelimit-remaining-tokens"), Some("900"), "{path}");
        assert!(answer.header("x-ratelimit-reset-requests").is_some_and(|text| text.ends_with('s')), "{path}");
        assert_eq!(answer.header("anthropic-ratelimit-requests-limit"), None, "{path}");
    }
    // At its own door they are as they came.
    let own = ask(&gateway, "/anthropic/v1/messages", ASK).await;
    assert_eq!(own.header("anthropic-ratelimit-requests-reset"), Some("2999-01-01T00:00:00Z"));
    assert_eq!(own.header("x-ratelimit-limit-requests"), None);
    let mut client = gateway.client().await;
    client.write(b"GET /metrics HTTP/1.1\r\nhost: gateway\r\n\r\n").await;
    let metrics = client.answer().await;
    for line in [
        "sabir_provider_remaining{model_name=\"m\",provider_name=\"a\",unit=\"requests\"} 49",
        "sabir_provider_remaining{model_name=\"m\",provider_name=\"a\",unit=\"tokens\"} 900",
    ] {
        assert!(metrics.text().contains(line), "{line} is not in\n{}", metrics.text());
    }
}

#[tokio::test]
async fn a_refusal_says_them_too_and_when_to_come_again() {
    let says = "x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 1m0s\r\nretry-after: 61\r\n";
    let error = r#"{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
    let upstream = Upstream::always(vec![answer(429, "application/json", says, error)]).await;
    let gateway = gateway(&upstream, "openai").await;
    let refused = ask(&gateway, "/anthropic/v1/messages", ASK).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("anthropic-ratelimit-requests-remaining"), Some("0"));
    assert!(refused.header("anthropic-ratelimit-requests-reset").is_some_and(|text| text.ends_with('Z')));
    assert_eq!(refused.header("retry-after"), Some("61"));
    let own = ask(&gateway, "/v1/chat/completions", CALL).await;
    assert_eq!((own.status, own.header("x-ratelimit-reset-requests")), (429, Some("1m0s")));
    assert_eq!(own.header("retry-after"), Some("61"));
}
