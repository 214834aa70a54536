//! The configuration changes while it runs.

use std::{path::Path, time::Duration};

use crate::{mock::*, support::*};

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..400 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what} did not happen");
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_takes_effect_and_a_broken_one_does_not() {
    let (a, b) = (Upstream::always(vec![good("a")]).await, Upstream::always(vec![good("b")]).await);
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("sabir.toml");
    write(&config, &model(&a, ""));
    let mut gateway = Process::start(&config, &dir.path().join("data"), &[]);
    let content = async || {
        let answer = Client::connect(gateway.addr).await.chat_with("x-sabir-cache: on\r\n", CALL).await;
        answer.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(content().await, "a");
    write(&config, &model(&b, ""));
    until("the change", async || content().await == "b").await;
    for broken in [
        "[models",
        "[models.m]\nno_such = 1\n",
        "[models.m]\nrouting = [\"nobody\"]\n[models.m.providers.a]\ntype = \"openai\"\n",
    ] {
        let told = gateway.log().matches("the old one stays").count();
        write(&config, broken);
        until("the complaint", async || gateway.log().matches("the old one stays").count() > told).await;
        assert_eq!(content().await, "b");
    }
    assert!(gateway.log().contains("no_such"), "{}", gateway.log());
    write(&config, &model(&a, ""));
    until("the repair", async || content().await == "a").await;
    gateway.signal("TERM");
    assert_eq!(gateway.ended().await, Some(0));
}

#[tokio::test]
async fn calls_that_run_keep_their_configuration() {
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let a = Upstream::always(vec![
        stream_head(),
        chunk(delta("o")),
        Step::Gate(gate.clone()),
        chunk(delta("ld") + &finish() + DONE),
        last_chunk(),
    ])
    .await;
    let gateway = Gateway::start(&model(&a, "")).await;
    let mut client = gateway.client().await;
    client.write(&post("/v1/chat/completions", "", STREAM.as_bytes())).await;
    a.arrived(1).await;
    let source = sabir_engine::config::Source::Text { name: "sabir.toml".into(), text: String::new() };
    let empty = sabir_engine::config::Config::load(&[source], &sabir_engine::config::env::Env::default()).unwrap();
    gateway.engine.replace_config(empty);
    gate.notify_one();
    let answer = client.answer().await;
    assert_eq!(said(&answer.body), "old");
    gateway.chat(CALL).await.error(404);
}
