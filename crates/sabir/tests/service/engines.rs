//! Conversations with tools, and many prompts at once.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sabir::{
    Bar, ChatEngine, ChatStep, CompletionEngine, Error, ErrorMode, Limits, Model, Parameters, Progress, tool,
    tool::Tool,
};
use serde_json::{Value, json};

use crate::script::{Reply, Script};

/// The weather of a city.
#[tool]
async fn weather(
    /// Its name.
    city: String,
    days: Option<u32>,
) -> Result<String, String> {
    match city.as_str() {
        "Atlantis" => Err("it is under water".to_owned()),
        _ => Ok(format!("sunny in {city} for {} days", days.unwrap_or(1))),
    }
}

/// Adds numbers.
///
/// All of them.
#[tool]
fn sum(numbers: Vec<i64>) -> i64 {
    numbers.iter().sum()
}

fn body(seen: &str) -> Value {
    serde_json::from_str(seen.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn answer(message: Value) -> Reply {
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    Reply::json(200, "", &json!({"id": "c", "choices": [choice], "usage": {"total_tokens": 10}}).to_string())
}

fn says(text: &str) -> Reply {
    answer(json!({"role": "assistant", "content": text}))
}

fn calls(name: &str, arguments: &str) -> Reply {
    let call = json!({"id": "call-1", "type": "function", "function": {"name": name, "arguments": arguments}});
    answer(json!({"role": "assistant", "content": null, "tool_calls": [call]}))
}

fn model(script: &Script) -> Model {
    Model::of(&script.client().retries(0).build().unwrap(), "m")
}

#[test]
fn a_tool_is_made_of_its_function() {
    let tool = weather::tool();
    assert_eq!((tool.name(), tool.description()), ("weather", "The weather of a city."));
    let schema = tool.parameters();
    assert_eq!(schema["required"], json!(["city"]));
    assert_eq!(schema["properties"]["city"], json!({"type": "string", "description": "Its name."}));
    assert_eq!(sum::tool().description(), "Adds numbers.\n\nAll of them.");
    // The function is still one.
    assert_eq!(sum(vec![1, 2]), 3);
}

#[tokio::test]
async fn tools_run_and_the_model_goes_on() {
    let script = Script::serve(|_, index| match index {
        0 => calls("weather", r#"{"city": "Oslo"}"#),
        1 => says("Sunny."),
        2 => calls("weather", r#"{"city": "Atlantis"}"#),
        3 => calls("sum", r#"{"numbers": "many"}"#),
        4 => calls("nothing", ""),
        _ => says("I do not know."),
    });
    let steps = Arc::new(Mutex::new(Vec::new()));
    let told = steps.clone();
    let mut chat = ChatEngine::new(model(&script))
        .system("Be brief.")
        .tools([weather::tool(), sum::tool()])
        .parameters(Parameters::new().temperature(0.0))
        .on_step(move |step| told.lock().unwrap().push(format!("{step:?}")));
    assert_eq!(chat.chat("Oslo?").await.unwrap(), "Sunny.");
    let request = body(&script.seen()[1]);
    let roles: Vec<_> = request["messages"].as_array().unwrap().iter().map(|m| m["role"].clone()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
    assert_eq!(request["messages"][3]["content"], "sunny in Oslo for 1 days");
    assert_eq!(request["messages"][3]["tool_call_id"], "call-1");
    assert_eq!((request["tools"].as_array().unwrap().len(), &request["temperature"]), (2, &json!(0.0)));
    assert_eq!(chat.chat("Atlantis?").await.unwrap(), "I do not know.");
    let messages = body(&script.seen()[5])["messages"].clone();
    assert_eq!(messages[messages.as_array().unwrap().len() - 5]["content"], "it is under water");
    let content = |back: usize| messages[messages.as_array().unwrap().len() - back]["content"].to_string();
    assert!(content(3).contains("the arguments are wrong"), "{}", content(3));
    assert!(content(1).contains("there is no tool `nothing`"), "{}", content(1));
    assert_eq!(chat.history().len(), 12);
    let steps = steps.lock().unwrap().clone();
    assert_eq!(steps[0], format!("{:?}", ChatStep::User("Oslo?")));
    assert_eq!(steps[2], format!("{:?}", ChatStep::Result { name: "weather", content: "sunny in Oslo for 1 days" }));
    chat.reset();
    assert!(chat.history().is_empty());
}

#[tokio::test]
async fn a_turn_that_fails_leaves_nothing_behind() {
    let script = Script::serve(|_, index| match index {
        0 => says("Hello."),
        1 => Reply::json(500, "", "{}"),
        _ => calls("sum", r#"{"numbers": [1]}"#),
    });
    let mut chat = ChatEngine::new(model(&script)).tools([sum::tool()]).max_rounds(2);
    chat.chat("Hi").await.unwrap();
    assert!(matches!(chat.chat("Fail").await, Err(Error::Server(_))));
    let error = chat.chat("Loop").await.unwrap_err();
    assert_eq!(error.to_string(), "the model called tools more than 2 times in one turn");
    assert_eq!(chat.history().len(), 2);
    assert_eq!(script.seen().len(), 5);
    let raising = Tool::new("sum", "", json!({}), |_| async { Err("broken".to_owned()) });
    let mut chat = ChatEngine::new(model(&script)).tools([raising]).raise_tool_errors();
    assert_eq!(chat.chat("Loop").await.unwrap_err().to_string(), "the tool `sum` failed: broken");
}

#[tokio::test]
async fn what_is_oldest_goes_when_there_is_no_room() {
    let script = Script::serve(|_, index| match index {
        0 => calls("sum", r#"{"numbers": [1]}"#),
        _ => says("Yes."),
    });
    let mut chat =
        ChatEngine::new(model(&script)).system("s").tools([sum::tool()]).count_tokens(|_| 1).max_context_tokens(5);
    for question in ["one", "two", "three"] {
        chat.chat(question).await.unwrap();
    }
    let said = |index: usize| {
        let messages = body(&script.seen()[index])["messages"].clone();
        messages.as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    // The first turn has four messages, and goes as one.
    assert_eq!(said(2), ["s", "two"]);
    assert_eq!(said(3), ["s", "two", "Yes.", "three"]);
    assert_eq!(chat.history().len(), 8);
    let mut small = ChatEngine::new(model(&script)).max_context_tokens(3);
    let error = small.chat("This is much too long for so little room.").await.unwrap_err();
    assert!(error.to_string().contains("there is room for 3"), "{error}");
}

#[tokio::test]
async fn what_the_model_says_can_be_heard_as_it_comes() {
    let piece = |delta: Value| format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta}]}));
    let call = json!([{"index": 0, "id": "x", "function": {"name": "sum", "arguments": "{\"numbers\": [1, 2]}"}}]);
    let first = piece(json!({"role": "assistant", "tool_calls": call})) + "data: [DONE]\n\n";
    let second = piece(json!({"content": "It is "})) + &piece(json!({"content": "3."})) + "data: [DONE]\n\n";
    let script = Script::serve(move |_, index| Reply::Bytes(Reply::events(if index == 0 { &first } else { &second })));
    let heard = Arc::new(Mutex::new(String::new()));
    let told = heard.clone();
    let mut chat = ChatEngine::new(model(&script)).tools([sum::tool()]).streaming().on_step(move |step| {
        if let ChatStep::Delta(text) = step {
            told.lock().unwrap().push_str(&format!("{text}|"));
        }
    });
    assert_eq!(chat.chat("1 + 2?").await.unwrap(), "It is 3.");
    assert_eq!(*heard.lock().unwrap(), "It is |3.|");
    assert_eq!(body(&script.seen()[1])["messages"][2]["content"], "3");
}

/// Answers with the number that was asked, the small ones last; tells how many were asked at once.
fn numbers(most: Arc<AtomicUsize>) -> Script {
    let now = AtomicUsize::new(0);
    Script::serve(move |seen, _| {
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let asked = body(seen)["messages"][0]["content"].as_str().unwrap().to_owned();
        let number: u64 = asked.parse().unwrap_or(0);
        std::thread::sleep(Duration::from_millis(40 - number.min(8) * 4));
        now.fetch_sub(1, Ordering::SeqCst);
        if asked == "bad" { Reply::json(400, "", "{}") } else { says(&format!("<{asked}>")) }
    })
}

#[tokio::test]
async fn results_come_in_order_and_so_many_at_once() {
    let most = Arc::new(AtomicUsize::new(0));
    let script = numbers(most.clone());
    let progress = Arc::new(Mutex::new(Vec::new()));
    let told = progress.clone();
    let engine = CompletionEngine::new(model(&script))
        .at_once(3)
        .bar(Bar::Never)
        .on_progress(move |progress| told.lock().unwrap().push(progress));
    let all = engine.run_all((0..8).map(|number| number.to_string())).await.unwrap();
    let replies: Vec<String> = all.into_iter().map(|result| result.reply).collect();
    assert_eq!(replies, (0..8).map(|number| format!("<{number}>")).collect::<Vec<_>>());
    assert_eq!(most.load(Ordering::SeqCst), 3);
    assert_eq!(progress.lock().unwrap().last(), Some(&Progress { total: 8, done: 8, failed: 0 }));
}

#[tokio::test]
async fn an_error_ends_all_or_is_a_result() {
    let script = numbers(Arc::default());
    let engine = CompletionEngine::new(model(&script)).at_once(1);
    let mut stream = engine.run(["1", "bad", "2", "3"]).unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().reply, "<1>");
    assert!(matches!(stream.next().await, Some(Err(Error::BadRequest(_)))));
    assert!(stream.next().await.is_none());
    assert!(script.seen().len() <= 3);
    let all = engine.on_error(ErrorMode::Keep).run_all(["1", "bad", "2"]).await.unwrap();
    assert_eq!((all[1].error.as_deref(), all[2].reply.as_str()), (Some("status 400"), "<2>"));
}

#[tokio::test]
async fn no_window_has_more_than_it_may() {
    let script = numbers(Arc::default());
    let window = Duration::from_millis(300);
    let limits = Limits { at_once: 9, requests: Some(2), window, ..Limits::default() };
    let begun = Instant::now();
    CompletionEngine::new(model(&script)).limits(limits).run_all(["8"; 5]).await.unwrap();
    assert!(begun.elapsed() >= window * 2, "{:?}", begun.elapsed());
    let none = CompletionEngine::new(model(&script)).at_once(0).run(["1"]);
    assert!(matches!(none, Err(Error::Config(_))));
}

#[tokio::test]
async fn what_is_done_is_not_asked_again() {
    let script = numbers(Arc::default());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("results.jsonl");
    let engine = CompletionEngine::new(model(&script)).resume(&file).on_error(ErrorMode::Keep);
    engine.run_all(["1", "bad", "2"]).await.unwrap();
    assert_eq!(script.seen().len(), 3);
    // As if a program had been stopped while it wrote.
    let mut text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 2);
    text.push_str("{\"index\": 9, \"ke");
    std::fs::write(&file, text).unwrap();
    let all = engine.run_all(["1", "4", "2", "5"]).await.unwrap();
    assert_eq!(all.iter().map(|result| result.reply.as_str()).collect::<Vec<_>>(), ["<1>", "<4>", "<2>", "<5>"]);
    assert_eq!(script.seen().len(), 5);
    let other = engine.clone().parameters(Parameters::new().temperature(1.0));
    other.run_all(["1"]).await.unwrap();
    assert_eq!(script.seen().len(), 6);
    engine.run_all(["1", "4", "2", "5"]).await.unwrap();
    assert_eq!(script.seen().len(), 7);
}

#[tokio::test]
async fn what_is_wrong_is_not_sent() {
    let script = numbers(Arc::default());
    let model = model(&script).with_parameters(Parameters::new().max_tokens(5)).unwrap();
    let error = model.complete_with("a", &Parameters::new().temperature(3.0)).await.unwrap_err();
    assert_eq!(error.to_string(), "`temperature` is 3.0: expected a number from 0 to 2");
    assert!(model.clone().with_parameters(Parameters::new().top_p(-1.0)).is_err());
    let stranger = sabir::types::Message::new("stranger", "hi");
    assert_eq!(model.complete(stranger).await.unwrap_err().to_string(), "there is no role `stranger`");
    assert!(script.seen().is_empty());
    assert_eq!(model.complete("1").await.unwrap().reply, "<1>");
    assert_eq!(body(&script.seen()[0])["max_tokens"], 5);
}
