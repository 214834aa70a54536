//! What is kept within a provider's limits, and what is refused.

use sabir_types::{Block, ErrorKind, Message, Params, Role, ToolKind};
use serde_json::json;

use super::{
    super::{ReasoningStyle, chat},
    *,
};

const NARROW: Dialect = Dialect {
    choices: Choices::AUTO_OR_NONE,
    temperature: Some((0.01, 1.0)),
    top_p: Some((0.01, 0.99)),
    max_stops: Some(1),
    alternate: true,
    always: &[("apart", true)],
    lacks: &["n"],
    ..Dialect::COMPATIBLE
};

fn asked(change: impl FnOnce(&mut ChatRequest)) -> ChatRequest {
    let tool = |name: &str| Tool {
        name: name.into(),
        description: None,
        kind: ToolKind::Function { parameters: Some(json!({"type": "object"})), strict: None },
        cache: None,
    };
    let mut request = ChatRequest {
        messages: vec![Message::user("Tide?")],
        tools: vec![tool("tide"), tool("moon")],
        ..ChatRequest::default()
    };
    change(&mut request);
    request
}

fn written(request: &ChatRequest, dialect: &Dialect) -> Result<(Value, Vec<String>)> {
    let mut warnings = Vec::new();
    let body = chat(request, "m", dialect, &mut warnings)?;
    Ok((serde_json::from_slice(&body).unwrap(), warnings.into_iter().map(|warning| warning.param).collect()))
}

fn with(choices: Choices) -> Dialect {
    Dialect { choices, ..NARROW }
}

#[test]
fn numbers_move_into_their_range() {
    let params = Params { temperature: Some(0.0), top_p: Some(1.0), n: Some(1), ..Params::default() };
    let (body, warnings) = written(&asked(|r| r.params = params), &NARROW).unwrap();
    assert_eq!((&body["temperature"], &body["top_p"], &body["apart"]), (&json!(0.01), &json!(0.99), &json!(true)));
    assert_eq!((body.get("n"), warnings), (None, vec!["temperature".to_owned(), "top_p".to_owned()]));
    let (body, warnings) = written(&asked(|r| r.params.temperature = Some(0.5)), &NARROW).unwrap();
    assert_eq!((&body["temperature"], warnings.len()), (&json!(0.5), 0));
}

#[test]
fn stop_texts_are_counted() {
    let (body, _) = written(&asked(|r| r.params.stop = vec!["END".into()]), &NARROW).unwrap();
    assert_eq!(body["stop"], json!(["END"]));
    let error = written(&asked(|r| r.params.stop = vec!["a".into(), "b".into()]), &NARROW).unwrap_err();
    assert_eq!((error.kind(), error.param()), (ErrorKind::Unsupported, Some("stop")));
}

#[test]
fn turns_alternate() {
    let messages = [("user", "a"), ("user", "b"), ("assistant", "c"), ("user", "d")].map(|(role, text)| {
        let role = if role == "user" { Role::User } else { Role::Assistant };
        Message::new(role, vec![sabir_types::Block::text(text)])
    });
    let (body, _) = written(&asked(|r| r.messages = messages.to_vec()), &NARROW).unwrap();
    let said: Vec<_> = body["messages"].as_array().unwrap().iter().map(|message| &message["content"]).collect();
    assert_eq!(said, ["a\n\nb", "c", "d"]);
}

#[test]
fn choices_that_mean_the_same_are_said_otherwise() {
    let named = |name: &str| ToolChoice::Tool { name: name.into(), kind: CallKind::Function };
    let told = |choice: ToolChoice, dialect: &Dialect| {
        let (body, _) = written(&asked(|r| r.tool_choice = Some(choice)), dialect).unwrap();
        let names: Vec<String> = body["tools"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|tool| tool["function"]["name"].as_str().unwrap().to_owned())
            .collect();
        (names.join(" "), body.get("tool_choice").cloned())
    };
    let required = with(Choices { required: true, ..Choices::AUTO_OR_NONE });
    assert_eq!(told(named("moon"), &required), ("moon".into(), Some(json!("required"))));
    assert_eq!(told(ToolChoice::Auto, &NARROW), ("tide moon".into(), Some(json!("auto"))));
    assert_eq!(told(ToolChoice::None, &NARROW), ("tide moon".into(), Some(json!("none"))));
    let auto = with(Choices { none: false, ..Choices::AUTO_OR_NONE });
    assert_eq!(told(ToolChoice::None, &auto), (String::new(), None));
    let some = ToolChoice::Allowed { required: false, names: vec!["tide".into()] };
    assert_eq!(told(some, &NARROW), ("tide".into(), Some(json!("auto"))));
    let names = with(Choices { named: true, ..Choices::AUTO_OR_NONE });
    let (body, _) = written(
        &asked(|r| {
            r.tools.truncate(1);
            r.tool_choice = Some(ToolChoice::Required);
        }),
        &names,
    )
    .unwrap();
    assert_eq!(body["tool_choice"]["function"]["name"], "tide");
}

#[test]
fn choices_that_cannot_be_said_are_refused() {
    for (choice, kind) in [
        (ToolChoice::Required, ErrorKind::Unsupported),
        (ToolChoice::Tool { name: "tide".into(), kind: CallKind::Function }, ErrorKind::Unsupported),
        (ToolChoice::Allowed { required: true, names: vec!["tide".into()] }, ErrorKind::Unsupported),
        (ToolChoice::Allowed { required: false, names: vec!["sun".into()] }, ErrorKind::BadRequest),
    ] {
        let error = written(&asked(|r| r.tool_choice = Some(choice.clone())), &NARROW).unwrap_err();
        assert_eq!((error.kind(), error.param()), (kind, Some("tool_choice")), "{choice:?}");
    }
}

#[test]
fn bodies_go_as_they_are_while_they_fit() {
    let fits = |body: Value| super::fits(body.to_string().as_bytes(), &NARROW);
    let message = |role: &str| json!({"role": role, "content": "x"});
    let good = json!({"apart": false, "temperature": 1, "tool_choice": "auto", "messages": [message("user")]});
    assert!(fits(good.clone()));
    for (name, value) in [
        ("temperature", json!(0)),
        ("top_p", json!(1)),
        ("tool_choice", json!("required")),
        ("tool_choice", json!({"type": "function", "function": {"name": "x"}})),
        ("stop", json!("x")),
        ("messages", json!([message("user"), message("user")])),
        ("messages", json!(7)),
    ] {
        let mut body = good.clone();
        body[name] = value;
        assert!(!fits(body.clone()), "{body}");
    }
    assert!(!fits(json!({"messages": []})), "the switch is missing");
    assert!(super::fits(b"anything", &Dialect::COMPATIBLE), "who has no limits is not looked at");
}

#[test]
fn hidden_thoughts_of_a_stream_go_back_as_they_came() {
    let dialect =
        Dialect { replay: Some("reasoning_details"), reasoning: ReasoningStyle::Object, ..Dialect::COMPATIBLE };
    let details = json!([{"type": "reasoning.encrypted", "data": "AABB", "index": 0}]);
    let thought = |opaque: &str| {
        let thinking =
            sabir_types::Thinking { text: Some("hm".into()), opaque: Some(opaque.into()), ..Default::default() };
        asked(|request| {
            request.messages.push(Message::new(Role::Assistant, vec![Block::Thinking(thinking), Block::text("Ahoy.")]));
            request.messages.push(Message::user("and now?"));
        })
    };
    let (body, _) = written(&thought(&details.to_string()), &dialect).unwrap();
    assert_eq!(body["messages"][1]["reasoning_details"], details);
    // Another provider's state is none of these lists: then the words go back.
    let (body, _) = written(&thought("c2VhbA=="), &dialect).unwrap();
    assert_eq!((&body["messages"][1]["reasoning"], body["messages"][1].get("reasoning_details")), (&json!("hm"), None));
}
