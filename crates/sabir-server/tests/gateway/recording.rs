//! What is written down, what is not, and what happens when it cannot be.

use crate::{mock::*, support::*};

#[tokio::test]
async fn an_answer_that_cannot_be_recorded_does_not_go_out() {
    let upstream = Upstream::start(|_, seen| {
        if seen.text().contains("\"stream\":true") { good_stream(&["fi", "ne"]) } else { vec![good("fine")] }
    })
    .await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    gateway.ledger.close();
    for call in [CALL, REWRITTEN] {
        let error = gateway.chat(call).await.error(503);
        assert!(error["message"].as_str().unwrap().contains("could not be recorded"), "{error}");
    }
    for call in [STREAM, REWRITTEN_STREAM] {
        let answer = gateway.chat(call).await;
        assert!(answer.complete && !answer.text().contains("[DONE]"), "{}", answer.text());
        let error = error_of(&events(&answer.body).pop().unwrap());
        assert!(error["message"].as_str().unwrap().contains("could not be recorded"), "{error}");
    }
}

#[tokio::test]
async fn a_dry_run_leaves_nothing() {
    let upstream = Upstream::always(vec![good("fine")]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let call = CALL.replacen('{', "{\"tensorzero::dryrun\":true,", 1);
    let answer = gateway.chat(&call).await;
    assert_eq!(answer.status, 200);
    assert!(!upstream.seen()[0].text().contains("dryrun"));
    assert!(gateway.rows().await.is_empty());
}

#[tokio::test]
async fn without_durability_nothing_is_kept_and_all_works() {
    let upstream = Upstream::always(vec![good("fine")]).await;
    let toml = format!("[gateway.observability]\ndurability = \"off\"\n{}", model(&upstream, ""));
    let gateway = Gateway::start(&toml).await;
    gateway.ledger.close();
    for call in [CALL, REWRITTEN] {
        assert_eq!(gateway.chat(call).await.status, 200);
    }
}

#[tokio::test]
async fn a_row_says_who_what_and_how_long() {
    let upstream =
        Upstream::always(vec![answer(200, "application/json", "x-request-id: req-7\r\n", chat("fine"))]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let call = REWRITTEN.replacen('{', "{\"tensorzero::tags\":{\"a\":\"b\"},", 1);
    let answer = gateway.chat(&call).await;
    assert_eq!(answer.header("x-request-id"), Some("req-7"));
    let row = gateway.row(&answer).await;
    assert_eq!(row.inference.input.as_deref(), Some(call.as_bytes()), "what was written anew is kept as it came");
    assert_eq!(row.inference.tags, [("a".to_owned(), "b".to_owned())]);
    assert_eq!(row.inference.episode_id.to_string(), answer.header("x-sabir-episode-id").unwrap());
    assert!(row.inference.output.unwrap().contains("fine"));
    assert!(row.inference.total_us >= row.calls[0].total_us && row.calls[0].total_us > 0);
    let call = &row.calls[0];
    assert_eq!((call.request_id.as_deref(), call.http_status), (Some("req-7"), Some(200)));
    assert_eq!((call.model_name.as_str(), call.provider_name.as_str(), call.provider_type), ("m", "a", "openai"));
}

#[tokio::test]
async fn retries_add_up() {
    let upstream = Upstream::turns(vec![vec![failure(500, "x", "no")], vec![good("fine")]]).await;
    let gateway = Gateway::start(&model(&upstream, "retries = { num_retries = 1, max_delay_s = 0.01 }")).await;
    let answer = gateway.chat(CALL).await;
    let row = gateway.row(&answer).await;
    assert_eq!(row.calls.len(), 2);
    assert_eq!((row.inference.usage.input_tokens, row.inference.usage.output_tokens), (Some(7), Some(3)));
}
