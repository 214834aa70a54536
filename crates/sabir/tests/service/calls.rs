//! Every kind of call: verbs, resources, forms, pages, bytes, streams, and typed answers.

use futures_util::TryStreamExt;
use sabir::{
    ChatEvent, Error, Form, Member, Nothing, Upload, blocking,
    types::{FileObject, VectorStore},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::script::{Reply, Script};

fn blocking(script: &Script) -> blocking::Sabir {
    blocking::Sabir::http(script.client()).unwrap()
}

fn body(seen: &str) -> Value {
    serde_json::from_str(seen.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn verbs_take_everything() {
    let script = Script::serve(|_, _| Reply::json(200, "x-request-id: r\r\n", r#"{"a": null, "b": 1, "odd": [2]}"#));
    let client = blocking(&script);
    let call = client.patch::<Value>("/v1/things/1", json!({"x": 1, "y": 2}));
    let answer = call.member("x", Value::Null).member("z", 3).query("q", "a b").header("x-more", "yes").send().unwrap();
    assert_eq!(answer.request_id(), Some("r"));
    assert_eq!(answer.member("/a").unwrap(), Member::Null);
    assert_eq!(answer.member("/b").unwrap(), Member::Value(json!(1)));
    assert_eq!(answer.member("/c").unwrap(), Member::Missing);
    let seen = script.seen().pop().unwrap();
    assert!(seen.starts_with("PATCH /v1/things/1?q=a%20b HTTP/1.1"), "{seen}");
    assert!(seen.contains("x-more: yes"));
    assert_eq!(body(&seen), json!({"x": null, "y": 2, "z": 3}));
    client.put::<Value>("/v1/things/1", json!({})).send().unwrap();
    client.delete::<Nothing>("/v1/things/1").send().unwrap();
    let raw = client.get::<Value>("/v1/things/1").raw().unwrap();
    assert_eq!((raw.meta().status().as_u16(), raw.len()), (200, raw.body().len()));
    let methods: Vec<String> = script.seen().iter().map(|seen| seen.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(methods, ["PATCH", "PUT", "DELETE", "GET"]);
    let error = client.get::<Value>("//elsewhere").send().unwrap_err();
    assert_eq!(error.to_string(), "`//elsewhere` is not a path");
}

#[test]
fn resources_make_their_paths() {
    let script = Script::serve(|_, _| Reply::json(200, "", r#"{"id": "x", "created_at": 1.0, "usage_bytes": null}"#));
    let client = blocking(&script);
    let store = client.vector_stores().create(json!({"name": "n"})).send().unwrap();
    assert_eq!((store.id.as_str(), store.created_at, store.usage_bytes), ("x", 1, 0));
    client.vector_stores().file_batches().cancel("vs/1", "b").send().unwrap();
    client.fine_tuning().checkpoints().permissions().delete("ft:m", "p").send().unwrap();
    client.responses().cancel("r").send().unwrap();
    client.beta().threads().runs().steps().retrieve("t", "r", "s").send().unwrap();
    client.containers().files().content().retrieve("c", "f").send().unwrap();
    client.conversations().items().delete("c", "i").send().unwrap();
    let lines: Vec<String> = script.seen().iter().map(|seen| seen.lines().next().unwrap().to_owned()).collect();
    assert_eq!(
        lines,
        [
            "POST /v1/vector_stores HTTP/1.1",
            "POST /v1/vector_stores/vs%2F1/file_batches/b/cancel HTTP/1.1",
            "DELETE /v1/fine_tuning/checkpoints/ft%3Am/permissions/p HTTP/1.1",
            "POST /v1/responses/r/cancel HTTP/1.1",
            "GET /v1/threads/t/runs/r/steps/s HTTP/1.1",
            "GET /v1/containers/c/files/f/content HTTP/1.1",
            "DELETE /v1/conversations/c/items/i HTTP/1.1",
        ]
    );
    assert!(script.seen()[4].contains("openai-beta: assistants=v2"));
    assert!(script.seen()[5].contains("accept: */*"));
    assert_eq!(client.files().retrieve("").send().unwrap_err().to_string(), "`file` cannot be ``");
    assert_eq!(script.seen().len(), 7);
}

#[test]
fn a_form_goes_out_and_bytes_come_back() {
    let script = Script::serve(|_, index| match index {
        0 => Reply::json(200, "", r#"{"id": "f", "bytes": 5, "status": "odd", "new": {"a": 1}}"#),
        _ => Reply::json(200, "content-disposition: attachment\r\n", "not JSON"),
    });
    let client = blocking(&script);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.jsonl");
    std::fs::write(&path, "lines").unwrap();
    let file = client.files().create(Form::new().text("purpose", "batch").file("file", path)).send().unwrap();
    assert_eq!((file.id.as_str(), file.status.as_deref(), &file.rest["new"]), ("f", Some("odd"), &json!({"a": 1})));
    let seen = script.seen().pop().unwrap();
    assert!(seen.contains("content-type: multipart/form-data; boundary=sabir-"), "{seen}");
    assert!(seen.contains("filename=\"in.jsonl\"") && seen.contains("\r\n\r\nlines\r\n"), "{seen}");
    assert_eq!(client.files().content("f").send().unwrap().text(), Some("not JSON"));
    let out = dir.path().join("out");
    let stream = client.audio().speech().create(json!({"model": "m", "input": "hi", "voice": "v"})).open().unwrap();
    assert!(stream.meta().headers().contains_key("content-disposition"));
    assert_eq!(stream.write_to(&out).unwrap(), 8);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "not JSON");
}

fn page(seen: &str) -> Reply {
    let (ids, more) = match seen.lines().next().unwrap() {
        line if line.contains("after=b") => (["c", "d"], true),
        line if line.contains("after=d") => (["e", "f"], false),
        _ => (["a", "b"], true),
    };
    let data: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    Reply::json(200, "", &json!({"object": "list", "data": data, "has_more": more}).to_string())
}

#[test]
fn lists_go_on_by_themselves() {
    let script = Script::serve(|seen, _| page(seen));
    let client = blocking(&script);
    let ids = |items: Vec<FileObject>| items.into_iter().map(|file| file.id).collect::<String>();
    let all: Vec<FileObject> = client.files().list().query("limit", 2).items().collect::<Result<_, _>>().unwrap();
    assert_eq!((ids(all), script.seen().len()), ("abcdef".to_owned(), 3));
    assert!(script.seen()[2].starts_with("GET /v1/files?limit=2&after=d HTTP/1.1"), "{}", script.seen()[2]);
    let some: Vec<FileObject> = client.files().list().at_most(3).items().collect::<Result<_, _>>().unwrap();
    assert_eq!((ids(some), script.seen().len()), ("abc".to_owned(), 5));
    let first = client.files().list().first().unwrap();
    assert!(first.has_next() && first.rest["object"] == "list");
    let second = first.next().unwrap().unwrap();
    let third = second.next().unwrap().unwrap();
    assert!(!third.has_next() && third.next().unwrap().is_none());
    assert_eq!(client.files().list().pages().count(), 3);
}

#[tokio::test]
async fn lists_are_streams_and_end_when_they_do_not_go_on() {
    let script = Script::serve(|seen, _| page(seen));
    let client = script.client().build().unwrap();
    let all: Vec<Value> = client.beta().assistants().list().items().try_collect().await.unwrap();
    assert_eq!(all.len(), 6);
    assert_eq!(client.beta().assistants().list().await.unwrap().data.len(), 2);
    let stuck = Script::serve(|_, _| Reply::json(200, "", r#"{"data": [{"id": "a"}], "has_more": true}"#));
    let client = stuck.client().build().unwrap();
    let error = client.vector_stores().list().items().try_collect::<Vec<VectorStore>>().await.unwrap_err();
    assert!(error.to_string().contains("does not go on"), "{error}");
    assert_eq!(stuck.seen().len(), 2);
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Step {
    what: String,
    minutes: Option<u32>,
}

fn completion(content: &str, reason: &str, refusal: Option<&str>) -> Reply {
    let message = json!({"role": "assistant", "content": content, "refusal": refusal});
    let choice = json!({"index": 0, "message": message, "finish_reason": reason});
    Reply::json(200, "", &json!({"id": "c", "choices": [choice]}).to_string())
}

#[test]
fn a_typed_answer_or_what_happened_instead() {
    let script = Script::serve(|_, index| match index {
        0 => completion(r#"{"what": "boil", "minutes": 3}"#, "stop", None),
        1 => completion("", "stop", Some("I will not")),
        2 => completion("{\"wh", "length", None),
        3 => completion("", "content_filter", None),
        _ => completion("[]", "stop", None),
    });
    let client = blocking(&script);
    let ask = || client.chat().parse::<Step>(json!({"model": "m", "messages": []}));
    let step = ask().unwrap();
    assert_eq!((step.what.as_str(), step.minutes, step.answer().id.as_str()), ("boil", Some(3), "c"));
    let format = &body(&script.seen()[0])["response_format"]["json_schema"];
    assert_eq!((&format["name"], &format["strict"]), (&json!("Step"), &json!(true)));
    assert_eq!(format["schema"]["required"], json!(["what", "minutes"]));
    assert!(matches!(ask(), Err(Error::Refused(why)) if why == "I will not"));
    assert!(matches!(ask(), Err(Error::Unfinished { reason, .. }) if reason == "length"));
    assert!(matches!(ask(), Err(Error::Unfinished { reason, .. }) if reason == "content_filter"));
    assert!(matches!(ask(), Err(Error::Decode { .. })));
}

#[test]
fn a_typed_answer_of_the_responses_api() {
    let say = |part: Value, status: &str| {
        let message = json!({"type": "message", "content": [part]});
        let reason = json!({"reason": "max_output_tokens"});
        let details = if status == "incomplete" { reason } else { Value::Null };
        let response = json!({"id": "r", "status": status, "incomplete_details": details, "output": [message]});
        Reply::json(200, "", &response.to_string())
    };
    let script = Script::serve(move |_, index| match index {
        0 => say(json!({"type": "output_text", "text": "{\"what\": \"boil\", \"minutes\": null}"}), "completed"),
        1 => say(json!({"type": "refusal", "refusal": "no"}), "completed"),
        _ => say(json!({"type": "output_text", "text": "{"}), "incomplete"),
    });
    let client = blocking(&script);
    let ask = || client.responses().parse::<Step>(json!({"model": "m", "input": "a", "text": {"verbosity": "low"}}));
    assert_eq!(*ask().unwrap(), Step { what: "boil".to_owned(), minutes: None });
    let text = &body(&script.seen()[0])["text"];
    assert_eq!((&text["verbosity"], &text["format"]["type"]), (&json!("low"), &json!("json_schema")));
    assert!(matches!(ask(), Err(Error::Refused(why)) if why == "no"));
    assert!(matches!(ask(), Err(Error::Unfinished { reason, .. }) if reason == "max_output_tokens"));
}

#[test]
fn a_streamed_response_ends_with_its_last_event() {
    let events = [
        json!({"type": "response.created", "response": {"id": "r", "output": []}, "sequence_number": 0}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "content": []}}),
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hel"}),
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "lo"}),
        json!({"type": "response.completed", "response": {"id": "r", "status": "completed"}}),
    ];
    let lines: String =
        events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect();
    let cut = lines.split_once("event: response.completed").unwrap().0.to_owned();
    let failed = format!("{cut}event: error\ndata: {{\"type\":\"error\",\"message\":\"broken\"}}\n\n");
    let script = Script::serve(move |_, index| {
        Reply::Bytes(Reply::events(match index {
            0 => &lines,
            1 => &cut,
            _ => &failed,
        }))
    });
    let client = blocking(&script);
    let ask = || client.responses().stream(json!({"model": "m", "input": "a"})).unwrap();
    let mut stream = ask();
    let text: String = stream.by_ref().map(|event| event.unwrap().text().to_owned()).collect();
    assert_eq!((text.as_str(), stream.so_far().unwrap().text().as_str()), ("Hello", "Hello"));
    assert_eq!(body(&script.seen()[0])["stream"], true);
    assert!(matches!(ask().last(), Some(Err(Error::Connection { .. }))));
    let Some(Err(Error::Stream { message, .. })) = ask().last() else { panic!("it went well") };
    assert_eq!(message, "broken");
}

#[test]
fn other_streams_have_names_and_ends() {
    let events = "event: thread.created\ndata: {\"id\":\"t\"}\n\nevent: done\ndata: [DONE]\n\n";
    let pictures = "event: image_generation.partial_image\ndata: {\"type\":\"image_generation.partial_image\"}\n\n\
                    event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\"}\n\n";
    let script = Script::serve(move |seen, _| {
        Reply::Bytes(Reply::events(if seen.contains("/images/") { pictures } else { events }))
    });
    let client = blocking(&script);
    let all: Vec<_> = client.beta().threads().create_and_run_stream(json!({})).unwrap().map(Result::unwrap).collect();
    assert_eq!((all.len(), all[0].name.as_deref(), &all[0].data["id"]), (1, Some("thread.created"), &json!("t")));
    assert_eq!(client.images().generate_stream(json!({"prompt": "a"})).unwrap().map(Result::unwrap).count(), 2);
}

#[test]
fn a_chat_can_be_events() {
    let piece = |delta: Value, reason: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        format!("data: {}\n\n", json!({"choices": [choice]}))
    };
    let pieces = piece(json!({"content": "Hi"}), Value::Null) + &piece(json!({}), "stop".into()) + "data: [DONE]\n\n";
    let script = Script::serve(move |_, _| Reply::Bytes(Reply::events(&pieces)));
    let mut stream = blocking(&script).chat().events(json!({"model": "m", "messages": []})).unwrap();
    let events: Vec<ChatEvent> = stream.by_ref().map(Result::unwrap).collect();
    assert!(events.contains(&ChatEvent::ContentDone { choice: 0, content: "Hi".to_owned() }), "{events:?}");
    assert!(events.contains(&ChatEvent::Finished { choice: 0, reason: "stop".to_owned() }), "{events:?}");
    assert_eq!(stream.so_far().unwrap().text(), "Hi");
}

#[test]
fn an_upload_is_a_body() {
    let script = Script::serve(|_, _| Reply::json(200, "", "{}"));
    let call = blocking(&script).call::<Value>(sabir::Method::PUT, "/v1/raw");
    call.upload(Upload::reader(&b"abc"[..], None).of_type("text/plain")).send().unwrap();
    let seen = script.seen().pop().unwrap();
    assert!(seen.contains("content-type: text/plain") && seen.contains("transfer-encoding: chunked"), "{seen}");
}
