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
    let body = "{ \"input\":[ {\"role\":\"user\",\"content\":\"h\\u0069\"}],\"zz\":1.50, \"model\" : \"m\",\n\"previous_response_id\":\"resp_0d4b654a05c1a7a70069deb79f81b88197a19f61e394151ecc\" }";
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
