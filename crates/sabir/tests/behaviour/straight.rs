//! Straight to a provider, and every resource of a real gateway that the client has a type for.

use sabir::{ChatEngine, Error, Model, Sabir, blocking, tool, tool::Tool};
use serde_json::json;

use crate::support::everywhere;

fn provider(name: &str) -> blocking::Sabir {
    blocking::Sabir::embedded(Sabir::provider(name).variables([("", ""); 0])).unwrap()
}

#[test]
fn a_provider_is_asked_without_a_gateway() {
    let client = provider("dummy");
    let request = json!({"model": "echo", "messages": [{"role": "user", "content": "Hello there"}]});
    assert_eq!(client.chat().create(&request).send().unwrap().text(), "Hello there");
    let whole = json!({"model": "dummy::echo", "messages": request["messages"]});
    assert_eq!(client.chat().create(&whole).send().unwrap().text(), "Hello there");
    let response = client.responses().create(json!({"model": "echo", "input": "Hello there"})).send().unwrap();
    assert_eq!(response.text(), "Hello there");
    let inference = json!({"model_name": "echo", "input": {"messages": [{"role": "user", "content": "Hello there"}]}});
    assert_eq!(client.inference(&inference).send().unwrap().text(), "Hello there");
}

#[test]
fn a_provider_has_to_be_one() {
    let made = |builder: sabir::EmbeddedBuilder| builder.variables([("", ""); 0]).build().unwrap_err().to_string();
    assert_eq!(made(Sabir::provider("nobody")), "no provider named `nobody`");
    assert!(made(Sabir::provider("azure")).contains("needs a configuration"));
    assert!(made(Sabir::embedded("").key("made-up")).starts_with("a key is for a provider"));
    // Without its key a provider cannot be asked, and nothing is sent.
    let client = provider("anthropic");
    let request = json!({"model": "claude", "messages": [{"role": "user", "content": "a"}]});
    let error = client.chat().create(&request).send().unwrap_err();
    assert!(error.to_string().contains("ANTHROPIC_API_KEY"), "{error}");
}

#[test]
fn a_model_has_an_id() {
    let waits = provider("dummy");
    let model = waits.wait(async { Model::made("dummy/echo", |builder| builder.variables([("", ""); 0])) });
    let model = model.unwrap().unwrap();
    let output = waits.wait(model.complete("Hello there")).unwrap().unwrap();
    assert_eq!((output.model_id.as_str(), output.reply.as_str()), ("dummy/echo", "Hello there"));
    assert!(output.usage.is_some());
    // An old name is that of what serves it now.
    let old = waits.wait(async { Model::made("wenxin/ERNIE-Bot", |builder| builder.variables([("", ""); 0])) });
    let error = waits.wait(old.unwrap().unwrap().complete("a")).unwrap().unwrap_err();
    assert!(error.to_string().contains("QIANFAN"), "{error}");
    for id in ["dummy", "/echo", "dummy/"] {
        assert!(matches!(waits.wait(async { Model::from_id(id) }).unwrap(), Err(Error::Config(_))), "{id}");
    }
}

/// The weather of a city.
#[tool]
fn get_temperature(location: String) -> String {
    format!("12 degrees in {location}")
}

#[test]
fn a_conversation_with_a_tool() {
    let said = everywhere(|client| {
        let inner = match client {
            crate::support::Client::Async(_, client) => client.clone(),
            crate::support::Client::Blocking(client) => client.client().clone(),
        };
        let tools: [Tool; 1] = [get_temperature::tool()];
        // This model calls its tool whatever it is told: the turn ends after so many rounds.
        let mut chat = ChatEngine::new(Model::of(&inner, "tool")).tools(tools).max_rounds(1);
        let outcome = match client {
            crate::support::Client::Async(runtime, _) => runtime.block_on(chat.chat("How warm is it?")),
            crate::support::Client::Blocking(client) => client.wait(chat.chat("How warm is it?")).unwrap(),
        };
        (outcome.map_err(|error| error.to_string()), chat.history().len())
    });
    assert_eq!(said, (Err("the model called tools more than 1 times in one turn".to_owned()), 0));
}

#[test]
fn the_responses_api_streams_everywhere() {
    let text = everywhere(|client| match client {
        crate::support::Client::Async(runtime, client) => runtime.block_on(async {
            let stream = client.responses().stream(json!({"model": "echo", "input": "Hello there"})).await.unwrap();
            stream.whole().await.unwrap().text()
        }),
        crate::support::Client::Blocking(client) => {
            let stream = client.responses().stream(json!({"model": "echo", "input": "Hello there"})).unwrap();
            stream.whole().unwrap().text()
        }
    });
    assert_eq!(text, "Hello there");
}
