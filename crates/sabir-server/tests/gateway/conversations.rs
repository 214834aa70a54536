//! Conversations: what was said is kept and sent along.

use serde_json::{Value, json};

use crate::{mock::*, responses::*, support::*};

async fn send(gateway: &Gateway, path: &str, body: &Value) -> Answer {
    let mut client = gateway.client().await;
    client.write(&post(path, "", body.to_string().as_bytes())).await;
    client.answer().await
}

async fn get(gateway: &Gateway, path: &str) -> Answer {
    bare(gateway, &format!("GET {path}"), "").await
}

fn texts(items: &Value) -> Vec<String> {
    let items = items["data"].as_array().unwrap();
    items.iter().map(|item| item["content"][0]["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_answer_joins_its_conversation() {
    let upstream = Upstream::start(|n, seen| {
        if seen.text().contains("\"stream\":true") {
            good_stream(&["an", "swer"])
        } else {
            vec![good(&format!("answer {n}"))]
        }
    })
    .await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let first = json!({"items": [{"role": "user", "content": "before"}], "metadata": {"a": "b"}});
    let talk = send(&gateway, "/v1/conversations", &first).await.json();
    assert_eq!((&talk["object"], &talk["metadata"]), (&json!("conversation"), &json!({"a": "b"})));
    let path = format!("/v1/conversations/{}", talk["id"].as_str().unwrap());
    let turn = |text: &str, more: &str| {
        let mut body = json!({"model": "m", "input": text, "conversation": talk["id"]});
        if !more.is_empty() {
            body[more] = true.into();
        }
        body
    };
    let answer = ask(&gateway, &turn("one", "")).await;
    assert_eq!(answer.json()["conversation"], json!({"id": talk["id"]}), "{}", answer.text());
    let stream = ask(&gateway, &turn("two", "stream")).await;
    assert!(stream.text().contains("response.completed"));
    let queued = ask(&gateway, &turn("three", "background")).await.json();
    for _ in 0..500 {
        if get(&gateway, &format!("/v1/responses/{}", queued["id"].as_str().unwrap())).await.json()["status"]
            == "completed"
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let items = get(&gateway, &format!("{path}/items?order=asc")).await.json();
    assert_eq!(texts(&items), ["before", "one", "answer 0", "two", "answer", "three", "answer 2"]);
    let sent: Value = serde_json::from_str(upstream.seen()[2].text()).unwrap();
    let roles: Vec<_> = sent["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "user", "assistant", "user", "assistant", "user"]);
    assert!(sent.get("conversation").is_none());
    // In pages, one by one, and one less.
    let page = get(&gateway, &format!("{path}/items?limit=2")).await.json();
    assert_eq!((texts(&page), &page["has_more"]), (vec!["answer 2".into(), "three".into()], &json!(true)));
    let item = items["data"][1]["id"].as_str().unwrap();
    assert_eq!(get(&gateway, &format!("{path}/items/{item}")).await.json(), items["data"][1]);
    let named = json!({"model": "m", "input": [{"type": "item_reference", "id": item}]});
    ask(&gateway, &named).await;
    let sent: Value = serde_json::from_str(upstream.seen()[3].text()).unwrap();
    assert_eq!(sent["messages"], json!([{"role": "user", "content": "one"}]));
    assert_eq!(bare(&gateway, &format!("DELETE {path}/items/{item}"), "").await.json()["id"], talk["id"]);
    get(&gateway, &format!("{path}/items/{item}")).await.error(404);
    let added =
        send(&gateway, &format!("{path}/items"), &json!({"items": [{"role": "user", "content": "more"}]})).await;
    assert_eq!((added.json()["object"].clone(), texts(&added.json())), (json!("list"), vec!["more".to_owned()]));
    let changed = send(&gateway, &path, &json!({"metadata": {"c": "d"}})).await.json();
    assert_eq!((&changed["metadata"], &get(&gateway, &path).await.json()), (&json!({"c": "d"}), &changed));
    let gone = bare(&gateway, &format!("DELETE {path}"), "").await.json();
    assert_eq!((&gone["object"], &gone["deleted"]), (&json!("conversation.deleted"), &json!(true)));
    get(&gateway, &path).await.error(404);
    assert_eq!(ask(&gateway, &turn("four", "")).await.error(400)["param"], "conversation");
}

#[tokio::test]
async fn an_answer_that_failed_does_not_join() {
    let upstream = Upstream::turns(vec![vec![failure(400, "bad", "wrong")], vec![good("fine")]]).await;
    let gateway = Gateway::start(&model(&upstream, "")).await;
    let talk = send(&gateway, "/v1/conversations", &json!({})).await.json();
    let turn = json!({"model": "m", "input": "hi", "conversation": {"id": talk["id"]}});
    ask(&gateway, &turn).await.error(400);
    assert_eq!(ask(&gateway, &turn).await.status, 200);
    let path = format!("/v1/conversations/{}/items?order=asc", talk["id"].as_str().unwrap());
    assert_eq!(texts(&get(&gateway, &path).await.json()), ["hi", "fine"]);
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let upstream = Upstream::always(vec![good("fine")]).await;
    let keys = "[gateway.auth.keys]\none = 'env::ONE'\ntwo = 'env::TWO'\n";
    let env = [("ONE", "key-of-one"), ("TWO", "key-of-two")];
    let gateway = Gateway::with_env(&format!("{keys}{}", model(&upstream, "")), &env).await;
    let (one, two) = ("authorization: Bearer key-of-one\r\n", "authorization: Bearer key-of-two\r\n");
    bare(&gateway, "POST /v1/conversations", "").await.error(401);
    let talk = bare(&gateway, "POST /v1/conversations", one).await.json();
    let path = format!("/v1/conversations/{}", talk["id"].as_str().unwrap());
    assert_eq!(bare(&gateway, &format!("GET {path}"), one).await.status, 200);
    bare(&gateway, &format!("GET {path}"), two).await.error(404);
    let turn = json!({"model": "m", "input": "hi", "conversation": talk["id"]});
    assert_eq!(ask_as(&gateway, two, &turn).await.error(400)["param"], "conversation");
    let both = json!({"model": "m", "input": "hi", "conversation": talk["id"],
        "previous_response_id": "resp_00000000000000000000000000000000"});
    assert_eq!(ask_as(&gateway, one, &both).await.error(400)["param"], "conversation");
    for (member, value) in [("metadata", json!({"a": 1})), ("items", json!("x")), ("items", json!([1]))] {
        let mut client = gateway.client().await;
        client.write(&post("/v1/conversations", one, json!({ member: value }).to_string().as_bytes())).await;
        assert_eq!(client.answer().await.error(400)["param"], member);
    }
}
