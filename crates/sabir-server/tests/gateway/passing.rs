//! Bytes of the same protocol go through as they are, and are kept as they are.

use crate::{mock::*, support::*};
use sabir_store::Status;

/// A body with everything that a translator would lose.
fn odd(model: &str, stream: bool) -> String {
    format!(
        "{{ \"seed\" :9007199254740993,\n\t\"zz_nobody_knows\": {{\"b\":1e2, \"a\":[ 1.50,-0, {{}} ]}},\r\n \"stream\":{stream}, \"model\" : \"{model}\", \"messages\":[{{\"content\":\"gr\\u00fc\\u00df \\\"dich\\\" \\/ \\ud83d\\ude00 ünï\",\"role\":\"user\",\"name_of_odd\":null}}],\"n\":1, \"metadata\":{{\"z\":\"1\",\"a\":\"2\"}} }}\n"
    )
}

#[tokio::test]
async fn a_body_and_its_answer_go_through_byte_by_byte() {
    let reply = "{ \"id\" : \"chatcmpl-1\",\"object\":\"chat.completion\", \"created\":9007199254740993,\n\"model\":\"up-1-2024\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"a\\u0041\\/\",\"role\":\"assistant\",\"odd\":[ ]},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10,\"zz\":1.0},\"zz\":{\"b\":1,\"a\":2} }\n";
    let upstream = Upstream::always(vec![json(200, reply)]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let answer = gateway.chat(&odd("m", false)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), reply);
    let seen = upstream.seen();
    assert_eq!(seen[0].text(), odd("up-1", false), "only the model's name is another");
    assert!(seen[0].head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", seen[0].head);
    let row = gateway.row(&answer).await;
    assert_eq!(row.calls.len(), 1);
    assert_eq!(row.calls[0].raw_request, odd("up-1", false).as_bytes());
    assert_eq!(row.calls[0].raw_response, reply.as_bytes());
    assert_eq!(row.inference.model, "m");
    assert_eq!((row.inference.usage.input_tokens, row.inference.usage.output_tokens), (Some(7), Some(3)));
    assert_eq!(row.inference.status, Status::Ok);
}

#[tokio::test]
async fn a_stream_goes_through_byte_by_byte_however_it_is_cut() {
    let mut body = String::from(": hello\n\nretry: 100\n\n");
    body.push_str("data: {\"id\":\"x\", \"zz\":9007199254740993,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"gr\\u00fc\\u00df data: [DONE] ü😀\"}}]}\r\n\r\n");
    body.push_str(&delta("more"));
    body.push_str(&finish());
    body.push_str(DONE);
    for size in [1, 2, 3, 7, 64, body.len()] {
        let mut steps = vec![stream_head()];
        steps.extend(body.as_bytes().chunks(size).map(chunk));
        steps.push(last_chunk());
        let upstream = Upstream::always(steps).await;
        let gateway = Gateway::start(&model(&upstream, "")).await;
        let answer = gateway.chat(&odd("m", true)).await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert!(answer.complete, "cut by {size}");
        assert_eq!(answer.text(), body, "cut by {size}");
        assert_eq!(upstream.seen()[0].text(), odd("up-1", true));
        let row = gateway.row(&answer).await;
        assert_eq!(row.calls[0].raw_response, body.as_bytes());
        assert_eq!(row.inference.status, Status::Ok, "{:?}", row.inference.error);
        assert_eq!((row.inference.usage.input_tokens, row.inference.usage.output_tokens), (Some(7), Some(3)));
        assert!(row.inference.ttft_us.is_some());
    }
}

#[tokio::test]
async fn a_priced_stream_is_counted_whether_the_caller_asks_or_not() {
    let upstream = Upstream::always(good_stream(&["a", "b"])).await;
    let price = "cost = [{ pointer = \"/usage/prompt_tokens\", cost_per_unit = 2.0, required = true }]\n";
    let toml = format!("[models.m]\n{}", provider("m", "a", &upstream.addr.to_string(), price));
    let gateway = Gateway::start(&toml).await;
    let quiet = gateway.chat(STREAM).await;
    let asking = STREAM.replacen('{', "{\"stream_options\":{\"include_usage\":true},", 1);
    let loud = gateway.chat(&asking).await;
    let seen = upstream.seen();
    assert!(seen.iter().all(|seen| seen.text().contains("\"include_usage\":true")), "{}", seen[0].text());
    assert!(!quiet.text().contains("usage") && quiet.text().ends_with(DONE), "{}", quiet.text());
    assert_eq!((said(&quiet.body), said(&loud.body)), ("ab".to_owned(), "ab".to_owned()));
    for answer in [quiet, loud] {
        let row = gateway.row(&answer).await;
        assert_eq!((row.inference.usage.input_tokens, row.inference.cost), (Some(7), Some(14.0)));
    }
}

#[tokio::test]
async fn a_model_in_the_path_becomes_the_first_member() {
    let upstream = Upstream::always(vec![good("ok")]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let mut client = gateway.client().await;
    let body = "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
    client.write(&post("/openai/deployments/m/chat/completions", "", body.as_bytes())).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(upstream.seen()[0].text(), "{\"model\":\"up-1\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
}

#[tokio::test]
async fn embeddings_go_through_byte_by_byte() {
    let reply = "{\"object\":\"list\", \"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[0.10,-1e-7]}],\"model\":\"up-1\",\"usage\":{\"prompt_tokens\":2,\"total_tokens\":2},\"zz\":9007199254740993}";
    let upstream = Upstream::always(vec![json(200, reply)]).await;
    let toml = provider("m", "a", &upstream.addr.to_string(), "").replace("[models.", "[embedding_models.");
    let gateway = Gateway::start(&toml).await;
    let mut client = gateway.client().await;
    let body = "{\"input\" : [\"a\\u0041\"],\"zz\":9007199254740993, \"model\":\"m\"}";
    client.write(&post("/v1/embeddings", "", body.as_bytes())).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (200, reply));
    assert_eq!(upstream.seen()[0].text(), body.replace("\"m\"", "\"up-1\""));
    let row = gateway.row(&answer).await;
    assert_eq!(row.calls[0].raw_response, reply.as_bytes());
    assert_eq!(row.inference.usage.input_tokens, Some(2));
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let upstream = Upstream::always(vec![good("ok")]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let mut client = gateway.client().await;
    for _ in 0..5 {
        assert_eq!(client.chat(CALL).await.status, 200);
    }
    assert_eq!((upstream.count(), upstream.connections()), (5, 1));
}

#[tokio::test]
async fn what_the_caller_must_not_pass_on_stays_here() {
    let upstream = Upstream::always(vec![good("ok")]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let headers = "authorization: Bearer caller-secret\r\ncookie: a=b\r\nx-sabir-tags: {\"k\":\"v\"}\r\nidempotency-key: once\r\n";
    let answer = gateway.client().await.chat_with(headers, CALL).await;
    assert_eq!(answer.status, 200);
    let head = upstream.seen()[0].head.to_lowercase();
    assert!(!head.contains("caller-secret") && !head.contains("cookie") && !head.contains("x-sabir"), "{head}");
    assert!(head.contains("idempotency-key: once"), "{head}");
    assert_eq!(gateway.row(&answer).await.inference.tags, [("k".to_owned(), "v".to_owned())]);
}
