//! The door of the Responses API, and models that are reached by it.

use sabir_store::Status;
use serde_json::{Value, json};

use crate::{mock::*, support::*};

/// A model `m` whose provider speaks the Responses API.
pub(crate) fn native(upstream: &Upstream) -> String {
    format!("[models.m]\n{}", provider("m", "a", &upstream.addr.to_string(), "api_type = \"responses\""))
}

/// An answer in the protocol, with this text.
pub(crate) fn said_natively(text: &str) -> Value {
    json!({
        "id": "resp_0d4b654a05c1a7a70069deb79f81b88197a19f61e394151ecc",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "error": null,
        "incomplete_details": null,
        "model": "up-1",
        "output": [
            {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
            {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "phase": "final_answer",
             "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]},
        ],
        "usage": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10,
                  "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 1}},
    })
}

fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap())
}

/// The same as a stream.
pub(crate) fn streamed_natively(text: &str) -> String {
    let whole = said_natively(text);
    let mut begun = whole.clone();
    begun["status"] = "in_progress".into();
    begun["output"] = json!([]);
    [
        json!({"type": "response.created", "sequence_number": 0, "response": begun}),
        json!({"type": "response.output_item.added", "sequence_number": 1, "output_index": 1,
               "item": {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []}}),
        json!({"type": "response.output_text.delta", "sequence_number": 2, "item_id": "msg_1", "output_index": 1,
               "content_index": 0, "delta": text, "logprobs": []}),
        json!({"type": "response.completed", "sequence_number": 3, "response": whole}),
    ]
    .iter()
    .map(event)
    .collect()
}

pub(crate) async fn ask(gateway: &Gateway, body: &Value) -> Answer {
    ask_as(gateway, "", body).await
}

pub(crate) async fn ask_as(gateway: &Gateway, headers: &str, body: &Value) -> Answer {
    let mut client = gateway.client().await;
    client.write(&post("/v1/responses", headers, body.to_string().as_bytes())).await;
    client.answer().await
}

/// A request without a body.
pub(crate) async fn bare(gateway: &Gateway, line: &str, headers: &str) -> Answer {
    let mut client = gateway.client().await;
    client.write(format!("{line} HTTP/1.1\r\nhost: x\r\n{headers}content-length: 0\r\n\r\n").as_bytes()).await;
    client.answer().await
}

/// The events of a stream, by name and data.
pub(crate) fn named(body: &[u8]) -> Vec<(String, Value)> {
    let text = String::from_utf8_lossy(body).into_owned();
    text.split("\n\n")
        .filter(|event| !event.is_empty())
        .map(|event| {
            let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            (name.to_owned(), serde_json::from_str(data).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn an_answer_of_any_provider_can_be_gone_on_from() {
    let upstream = Upstream::always(vec![good("fine")]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let first =
        ask(&gateway, &json!({"model": "m", "input": "hi", "instructions": "be kind", "temperature": 0.5})).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let told = first.json();
    let id = told["id"].as_str().unwrap().to_owned();
    let inference = first.header("x-sabir-inference-id").unwrap().replace('-', "");
    assert_eq!(id, format!("resp_{inference}"));
    assert_eq!(
        (&told["object"], &told["status"], &told["model"]),
        (&json!("response"), &json!("completed"), &json!("m"))
    );
    assert_eq!((&told["temperature"], &told["instructions"]), (&json!(0.5), &json!("be kind")));
    assert_eq!(told["output"][0]["content"][0]["text"], "fine");
    assert_eq!(told["usage"]["total_tokens"], 10);
    assert!(upstream.seen()[0].head.starts_with("POST /v1/chat/completions "));

    // It is kept.
    let again = bare(&gateway, &format!("GET /v1/responses/{id}"), "").await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!((&again.json()["output"], &again.json()["usage"]), (&told["output"], &told["usage"]));
    let items = bare(&gateway, &format!("GET /openai/v1/responses/{id}/input_items?order=asc"), "").await.json();
    assert_eq!(items["data"][0]["content"], json!([{"type": "input_text", "text": "hi"}]));

    // And what was said stands in front of what is said next, the instructions apart.
    let second = ask(&gateway, &json!({"model": "m", "input": "and?", "previous_response_id": id})).await;
    assert_eq!(second.status, 200, "{}", second.text());
    assert_eq!(second.json()["previous_response_id"], id.as_str());
    let sent: Value = serde_json::from_str(upstream.seen()[1].text()).unwrap();
    assert_eq!(
        sent["messages"],
        json!([
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "fine"},
            {"role": "user", "content": "and?"},
        ])
    );
    let third = json!({"model": "m", "input": "so?", "previous_response_id": second.json()["id"]});
    ask(&gateway, &third).await;
    let sent: Value = serde_json::from_str(upstream.seen()[2].text()).unwrap();
    assert_eq!(sent["messages"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_stream_of_any_provider_has_all_events() {
    let upstream = Upstream::always(good_stream(&["fi", "ne"])).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let answer = ask(&gateway, &json!({"model": "m", "input": "hi", "stream": true})).await;
    assert!(answer.complete);
    let events = named(&answer.body);
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    for (at, (name, data)) in events.iter().enumerate() {
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(at)));
    }
    let last = &events.last().unwrap().1["response"];
    assert_eq!((&last["id"], &last["usage"]["output_tokens"]), (&events[0].1["response"]["id"], &json!(3)));
    // It is kept when its last event is there.
    let kept = bare(&gateway, &format!("GET /v1/responses/{}", last["id"].as_str().unwrap()), "").await;
    assert_eq!(kept.json()["output"], last["output"]);
}

#[tokio::test]
async fn a_stream_that_breaks_says_that_it_failed() {
    let broken = vec![stream_head(), chunk(delta("fi")), Step::Close];
    let upstream = Upstream::always(broken).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let answer = ask(&gateway, &json!({"model": "m", "input": "hi", "stream": true})).await;
    let events = named(&answer.body);
    let [.., (first, error), (second, failed)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((first.as_str(), second.as_str()), ("error", "response.failed"));
    assert_eq!(error["error"]["message"], error["message"]);
    let id = failed["response"]["id"].as_str().unwrap();
    let kept = bare(&gateway, &format!("GET /v1/responses/{id}"), "").await;
    assert_eq!(kept.json()["status"], "failed");
    let next = ask(&gateway, &json!({"model": "m", "input": "hi", "previous_response_id": id})).await;
    assert_eq!(next.error(400)["param"], "previous_response_id");
}

#[tokio::test]
async fn bytes_of_the_same_protocol_go_through() {
    let reply = said_natively("fine").to_string();
    let upstream = Upstream::always(vec![json(200, &reply)]).await;
    let gateway = Gateway::start(&native(&upstream)).await;
    let body = "{ \"input\":[ {\"role\":\"user\",\"content\":\"h\\u0069\"}],\"zz\":1.50, \"background\": false, \"model\" : \"m\",\n\"previous_response_id\":\"resp_0d4b654a05c1a7a70069deb79f81b88197a19f61e394151ecc\" }";
    let mut client = gateway.client().await;
    client.write(&post("/v1/responses", "", body.as_bytes())).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (200, reply.as_str()));
    let seen = upstream.seen();
    assert!(seen[0].head.starts_with("POST /v1/responses "), "{}", seen[0].head);
    assert_eq!(seen[0].text(), body.replace("\"m\"", "\"up-1\""));
    let row = gateway.row(&answer).await;
    assert_eq!((row.inference.usage.input_tokens, row.inference.usage.reasoning_tokens), (Some(7), Some(1)));
    // By our own id, it is there as it came; to go on from it, what it said is sent again.
    let id = format!("resp_{}", row.inference.id.simple());
    let kept = bare(&gateway, &format!("GET /v1/responses/{id}"), "").await.json();
    assert_eq!((&kept["id"], &kept["output"]), (&json!(id), &said_natively("fine")["output"]));
    let next = ask(&gateway, &json!({"model": "m", "input": "and?", "previous_response_id": id})).await;
    assert_eq!(next.status, 200, "{}", next.text());
    let sent: Value = serde_json::from_str(upstream.seen()[1].text()).unwrap();
    assert_eq!(
        sent["input"],
        json!([
            {"role": "user", "content": "hi"},
            {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
            {"type": "message", "role": "assistant", "phase": "final_answer",
             "content": [{"type": "output_text", "text": "fine", "annotations": []}]},
            {"role": "user", "content": "and?"},
        ])
    );
}

#[tokio::test]
async fn a_stream_of_the_same_protocol_goes_through_however_it_is_cut() {
    // The last event repeats the whole answer, so it may be long.
    let body = streamed_natively(&"long ".repeat(8000));
    for size in [97, 4096, body.len()] {
        let mut steps = vec![stream_head()];
        steps.extend(body.as_bytes().chunks(size).map(chunk));
        steps.push(last_chunk());
        let upstream = Upstream::always(steps).await;
        let gateway = Gateway::start(&native(&upstream)).await;
        let answer = ask(&gateway, &json!({"model": "m", "input": "hi", "stream": true})).await;
        assert!(answer.complete && answer.text() == body, "cut by {size}");
        let row = gateway.row(&answer).await;
        assert_eq!(row.inference.status, Status::Ok, "cut by {size}: {:?}", row.inference.error);
        assert_eq!((row.inference.usage.input_tokens, row.inference.usage.output_tokens), (Some(7), Some(3)));
        let id = row.inference.id.simple();
        let kept = bare(&gateway, &format!("GET /v1/responses/resp_{id}"), "").await.json();
        assert_eq!((&kept["status"], &kept["output"][1]["id"]), (&json!("completed"), &json!("msg_1")));
    }
}

#[tokio::test]
async fn other_doors_reach_models_by_the_responses_api() {
    let reply = said_natively("fine").to_string();
    let upstream = Upstream::start(move |_, seen| {
        if seen.text().contains("\"stream\":true") {
            return vec![stream_head(), chunk(streamed_natively("fine")), last_chunk()];
        }
        vec![json(200, &reply)]
    })
    .await;
    let gateway = Gateway::start(&native(&upstream)).await;
    let answer = gateway.chat(CALL).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "fine");
    assert_eq!(answer.json()["usage"]["total_tokens"], 10);
    let seen = upstream.seen();
    assert!(seen[0].head.starts_with("POST /v1/responses "), "{}", seen[0].head);
    let sent: Value = serde_json::from_str(seen[0].text()).unwrap();
    assert_eq!(sent, json!({"model": "up-1", "input": [{"role": "user", "content": "hi"}]}));
    let stream = gateway.chat(STREAM).await;
    assert_eq!(said(&stream.body), "fine");
    let refused = gateway.chat(r#"{"model":"m","stop":"x","messages":[{"role":"user","content":"hi"}]}"#).await;
    assert_eq!(refused.error(400)["param"], "stop");
}

#[tokio::test]
async fn what_is_not_kept_or_not_done_here_is_told() {
    let upstream = Upstream::always(vec![good("fine")]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let nobody = "resp_00000000000000000000000000000000";
    let elsewhere = "resp_0d4b654a05c1a7a70069deb79f81b88197a19f61e394151ecc";
    for (member, value) in [
        ("conversation", json!("conv_1")),
        ("previous_response_id", json!(nobody)),
        // Another server's id, and a provider that keeps nothing.
        ("previous_response_id", json!(elsewhere)),
        ("prompt", json!({"id": "pmpt_1"})),
    ] {
        let mut body = json!({"model": "m", "input": "hi"});
        body[member] = value;
        assert_eq!(ask(&gateway, &body).await.error(400)["param"], member);
    }
    let reference = json!({"model": "m", "input": [{"type": "item_reference", "id": "msg_1"}]});
    assert_eq!(ask(&gateway, &reference).await.error(400)["param"], "input[0]");
    assert_eq!(upstream.count(), 0);

    let error = bare(&gateway, &format!("GET /v1/responses/{nobody}"), "").await.error(404);
    assert_eq!(error["code"], Value::Null);
    let kept = ask(&gateway, &json!({"model": "m", "input": "hi"})).await.json();
    let id = kept["id"].as_str().unwrap();
    bare(&gateway, &format!("POST /v1/responses/{id}/cancel"), "").await.error(400);
    bare(&gateway, &format!("GET /v1/responses/{id}?stream=true"), "").await.error(400);
    bare(&gateway, "POST /v1/responses/input_tokens", "").await.error(400);
    // What the caller did not want to have kept is not given back.
    let forgotten = ask(&gateway, &json!({"model": "m", "input": "hi", "store": false})).await.json();
    bare(&gateway, &format!("GET /v1/responses/{}", forgotten["id"].as_str().unwrap()), "").await.error(404);
}

#[tokio::test]
async fn an_answer_belongs_to_its_caller() {
    let upstream = Upstream::always(vec![good("fine")]).await;
    let keys = "[gateway.auth.keys]\none = 'env::ONE'\ntwo = 'env::TWO'\n";
    let env = [("ONE", "key-of-one"), ("TWO", "key-of-two")];
    let gateway = Gateway::with_env(&format!("{keys}{}", model(&upstream, "")), &env).await;
    let (one, two) = ("authorization: Bearer key-of-one\r\n", "authorization: Bearer key-of-two\r\n");
    let id = ask_as(&gateway, one, &json!({"model": "m", "input": "hi"})).await.json()["id"].clone();
    let path = format!("GET /v1/responses/{}", id.as_str().unwrap());
    assert_eq!(bare(&gateway, &path, one).await.status, 200);
    bare(&gateway, &path, two).await.error(404);
    bare(&gateway, &path, "").await.error(401);
    let next = json!({"model": "m", "input": "and?", "previous_response_id": id});
    assert_eq!(ask_as(&gateway, two, &next).await.error(400)["param"], "previous_response_id");
}

#[tokio::test]
async fn tokens_are_counted_by_whoever_counts() {
    let upstream = Upstream::start(|_, seen| {
        let path = seen.head.split(' ').nth(1).unwrap();
        match path {
            "/v1/responses/input_tokens" => vec![json(200, r#"{"object":"response.input_tokens","input_tokens":11}"#)],
            "/v1/messages/count_tokens" => vec![json(200, r#"{"input_tokens":12}"#)],
            path if path.contains(":countTokens") => vec![json(200, r#"{"totalTokens":13}"#)],
            _ => vec![failure(500, "wrong", path)],
        }
    })
    .await;
    let addr = upstream.addr;
    let other = |model: &str, kind: &str, base: &str| {
        format!(
            "[models.{model}.providers.{kind}]\ntype = \"{kind}\"\nmodel_name = \"up-1\"\napi_base = \"http://{addr}{base}\"\napi_key_location = \"env::KEY\"\n"
        )
    };
    let toml = [
        native(&upstream),
        other("claude", "anthropic", "/v1/"),
        other("gemini", "google_ai_studio_gemini", "/v1beta/"),
        format!("[models.plain]\n{}", provider("plain", "a", &addr.to_string(), "")),
    ]
    .join("\n");
    let gateway = Gateway::with_env(&toml, &[("KEY", "key-of-provider")]).await;
    let count = |model: &str| {
        let body = json!({"model": model, "input": "hi", "instructions": "be kind", "max_output_tokens": 50});
        let bytes = post("/v1/responses/input_tokens", "", body.to_string().as_bytes());
        let gateway = &gateway;
        async move {
            let mut client = gateway.client().await;
            client.write(&bytes).await;
            client.answer().await
        }
    };
    for (model, number) in [("m", 11), ("claude", 12), ("gemini", 13)] {
        let answer = count(model).await;
        assert_eq!(
            answer.json(),
            json!({"object": "response.input_tokens", "input_tokens": number}),
            "{}",
            answer.text()
        );
    }
    let sent: Vec<Value> = upstream.seen().iter().map(|seen| serde_json::from_str(seen.text()).unwrap()).collect();
    assert_eq!((&sent[0]["model"], &sent[0]["input"]), (&json!("up-1"), &json!("hi")));
    assert_eq!(sent[1]["messages"][0]["role"], "user");
    assert!(sent[1].get("max_tokens").is_none() && !sent[1]["system"].is_null(), "{}", sent[1]);
    assert!(sent[2]["generateContentRequest"]["contents"].is_array(), "{}", sent[2]);
    assert_eq!(count("plain").await.error(400)["param"], "model");
    assert_eq!(upstream.count(), 3);
}

#[tokio::test]
async fn a_conversation_is_compacted_by_a_provider_of_the_protocol() {
    let compacted = r#"{"id":"resp_x","object":"response.compaction","output":[],"created_at":1,"usage":{"input_tokens":7,"output_tokens":3,"total_tokens":10}}"#;
    let reply = said_natively("fine").to_string();
    let upstream = Upstream::start(move |_, seen| {
        let is_compact = seen.head.starts_with("POST /v1/responses/compact ");
        vec![json(200, if is_compact { compacted.to_owned() } else { reply.clone() })]
    })
    .await;
    let toml =
        format!("{}\n[models.plain]\n{}", native(&upstream), provider("plain", "a", &upstream.addr.to_string(), ""));
    let gateway = Gateway::start(&toml).await;
    let first = ask(&gateway, &json!({"model": "m", "input": "hi"})).await;
    let id = format!("resp_{}", gateway.row(&first).await.inference.id.simple());
    let compact = |body: Value| {
        let bytes = post("/v1/responses/compact", "", body.to_string().as_bytes());
        let gateway = &gateway;
        async move {
            let mut client = gateway.client().await;
            client.write(&bytes).await;
            client.answer().await
        }
    };
    let answer = compact(json!({"model": "m", "previous_response_id": id})).await;
    assert_eq!((answer.status, answer.text()), (200, compacted));
    let sent: Value = serde_json::from_str(upstream.seen()[1].text()).unwrap();
    assert_eq!((&sent["model"], sent["input"].as_array().unwrap().len()), (&json!("up-1"), 3));
    let row = gateway.row(&answer).await.inference;
    assert_eq!((row.usage.input_tokens, row.usage.output_tokens), (Some(7), Some(3)));
    assert_eq!(compact(json!({"model": "plain", "input": "hi"})).await.error(400)["param"], "model");
}
