//! What is asked and what is answered, in no protocol's words.
//!
//! Invariant: a scenario is written once, here; doors and upstreams only say it in their own way.

use serde_json::{Value, json};

/// A picture, small and whole.
pub(super) const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// The member that tells the schema from all others.
pub(super) const MARK: &str = "knots_in_schema";
/// How many tokens an answer may have, where a scenario says so.
pub(super) const LIMIT: u64 = 77;
/// What ends an answer, where a scenario says so.
pub(super) const END: &str = "LAND";

/// One request.
#[derive(Debug, Clone, Default)]
pub(super) struct Talk {
    pub(super) system: Option<&'static str>,
    pub(super) turns: Vec<Turn>,
    pub(super) tools: &'static [&'static str],
    pub(super) schema: bool,
    pub(super) stop: bool,
    pub(super) limit: bool,
    pub(super) effort: bool,
}

/// One turn of a request.
#[derive(Debug, Clone)]
pub(super) enum Turn {
    User(&'static str),
    /// A picture and a question about it.
    Picture(&'static str),
    /// A text of the assistant, as a client writes it itself.
    Assistant(&'static str),
    /// An answer, sent back as the door gave it.
    Echo(Value),
    /// What tools said: the call's id, its name, the result.
    Results(Vec<(String, String, &'static str)>),
}

/// What a provider answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    Text(&'static str),
    /// A thought, then a text.
    Thought(&'static str, &'static str),
    /// Name and arguments of each call.
    Calls(Vec<(&'static str, &'static str)>),
    /// A text that a stop text ended.
    Stopped(&'static str),
    /// A text that was cut off.
    Cut(&'static str),
    Fail(Failure),
}

/// How a provider fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Too many requests; seven seconds to wait.
    Limited,
    /// The conversation is too long.
    Long,
    /// Too much to do.
    Down,
}

/// What a client understood.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) thought: String,
    /// Id, name and arguments of each call.
    pub(super) calls: Vec<(String, String, Value)>,
    /// `stop`, `calls` or `length`.
    pub(super) end: &'static str,
    /// The answer as a client sends it back.
    pub(super) raw: Value,
}

/// The words for why an answer ended, of all protocols.
pub(super) fn end(word: &str) -> &'static str {
    match word {
        "tool_calls" | "tool_use" | "tool_call" => "calls",
        "length" | "max_tokens" | "MAX_TOKENS" | "max_output_tokens" | "incomplete" => "length",
        "stop" | "end_turn" | "stop_sequence" | "STOP" | "completed" => "stop",
        other => panic!("an unknown end: {other:?}"),
    }
}

/// What a tool takes.
pub(super) fn parameters() -> Value {
    json!({"type": "object", "properties": {"harbour": {"type": "string"}, "metres": {"type": "number"}},
        "required": ["harbour"]})
}

/// What an answer by schema looks like.
pub(super) fn schema() -> Value {
    json!({"type": "object", "properties": {MARK: {"type": "integer"}}, "required": [MARK], "additionalProperties": false})
}

/// The step of a scenario: what is asked, what the upstream must understand, what it answers.
pub(super) struct Step {
    pub(super) talk: Talk,
    pub(super) lines: Vec<String>,
    pub(super) reply: Reply,
}

/// The scenarios: a word for the table, and how many steps.
pub(super) const SCENARIOS: [(&str, usize); 13] = [
    ("plain", 1),
    ("system", 1),
    ("turns", 1),
    ("tools", 2),
    ("parallel tools", 2),
    ("image", 1),
    ("schema", 1),
    ("thoughts", 2),
    ("stop", 1),
    ("length", 1),
    ("rate limit", 1),
    ("too long", 1),
    ("overload", 1),
];

/// The calls of the scenarios with tools.
const ONE: &[(&str, &str)] = &[("tide", r#"{"harbour":"Saint-Malo – 🗼 \"est\"","metres":12.5}"#)];
const TWO: &[(&str, &str)] = &[ONE[0], ("wind", r#"{"harbour":"Brest"}"#)];

/// One step; `before` is what the client understood of the step before.
pub(super) fn step(scenario: &str, at: usize, before: &Said) -> Step {
    let hello = || Talk { turns: vec![Turn::User("hello")], ..Talk::default() };
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let plain = |talk: Talk, also: &[&str], reply: Reply| {
        let mut all = lines(&["user: hello"]);
        all.extend(lines(also));
        Step { talk, lines: all, reply }
    };
    match (scenario, at) {
        ("plain", _) => plain(hello(), &[], Reply::Text("Ahoy – 🗼.")),
        ("system", _) => Step {
            talk: Talk { system: Some("be brief"), ..hello() },
            lines: lines(&["system: be brief", "user: hello"]),
            reply: Reply::Text("Ahoy."),
        },
        ("turns", _) => Step {
            talk: Talk {
                turns: vec![Turn::User("hello"), Turn::Assistant("Ahoy."), Turn::User("and now?")],
                ..Talk::default()
            },
            lines: lines(&["user: hello", "assistant: Ahoy.", "user: and now?"]),
            reply: Reply::Text("Cast off."),
        },
        ("tools" | "parallel tools", at) => {
            let calls = if scenario == "tools" { ONE } else { TWO };
            let mut talk = Talk { turns: vec![Turn::User("when?")], tools: &["tide", "wind"], ..Talk::default() };
            let mut all = lines(&["user: when?"]);
            let mut reply = Reply::Calls(calls.to_vec());
            if at == 1 {
                const SAID: [&str; 2] = ["at 05:12", "from the west"];
                let results = before.calls.iter().zip(SAID);
                let results = results.map(|((id, name, _), said)| (id.clone(), name.clone(), said)).collect();
                talk.turns.extend([Turn::Echo(before.raw.clone()), Turn::Results(results)]);
                for (name, arguments) in calls {
                    let arguments: Value = serde_json::from_str(arguments).unwrap();
                    all.push(format!("call: {name} {arguments}"));
                }
                all.extend(SAID.iter().take(calls.len()).map(|said| format!("result: {said}")));
                reply = Reply::Text("At five.");
            }
            all.extend(lines(&["tool: tide", "tool: wind"]));
            Step { talk, lines: all, reply }
        }
        ("image", _) => Step {
            talk: Talk { turns: vec![Turn::Picture("what is it?")], ..Talk::default() },
            lines: lines(&["user: what is it?", &format!("image: image/png {PICTURE}")]),
            reply: Reply::Text("A dot."),
        },
        ("schema", _) => plain(Talk { schema: true, ..hello() }, &["schema"], Reply::Text(r#"{"knots_in_schema":7}"#)),
        ("thoughts", 0) => plain(Talk { effort: true, ..hello() }, &["thinks"], Reply::Thought("It greets.", "Ahoy.")),
        ("thoughts", _) => Step {
            talk: Talk {
                turns: vec![Turn::User("hello"), Turn::Echo(before.raw.clone()), Turn::User("and now?")],
                effort: true,
                ..Talk::default()
            },
            lines: lines(&["user: hello", "thought back", "assistant: Ahoy.", "user: and now?", "thinks"]),
            reply: Reply::Thought("It asks.", "Cast off."),
        },
        ("stop", _) => plain(Talk { stop: true, ..hello() }, &["stop: LAND"], Reply::Stopped("Ahoy, ")),
        ("length", _) => plain(Talk { limit: true, ..hello() }, &["limit: 77"], Reply::Cut("Ahoy, a")),
        ("rate limit", _) => plain(hello(), &[], Reply::Fail(Failure::Limited)),
        ("too long", _) => plain(hello(), &[], Reply::Fail(Failure::Long)),
        ("overload", _) => plain(hello(), &[], Reply::Fail(Failure::Down)),
        (other, _) => panic!("no scenario {other}"),
    }
}

/// A text in pieces of odd sizes, as a stream brings it.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(3).map(|piece| piece.iter().collect()).collect()
}
