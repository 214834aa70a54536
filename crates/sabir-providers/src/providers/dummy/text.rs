//! What each model of the built-in provider says.
//!
//! Invariant: a pure table from the model's name (and the request, for `echo`) to an answer.

use std::time::Duration;

use sabir_types::{Block, ChatRequest, Delta, Error, ErrorKind, FinishReason, Result, Thinking, ToolCall, Value};
use serde_json::json;

use super::{Answer, Piece, last_words};

const SPELL: &str = "Megumin gleefully chanted her spell, unleashing a thunderous explosion that lit up the sky and left a massive crater in its wake.";
const WALLY: [&str; 16] = [
    "Wally,",
    " the",
    " golden",
    " retriever,",
    " wagged",
    " his",
    " tail",
    " excitedly",
    " as",
    " he",
    " devoured",
    " a",
    " slice",
    " of",
    " cheese",
    " pizza.",
];
const JOHN: [&str; 5] = [r#"{"name""#, r#":"John""#, r#","age""#, ":30", "}"];

/// What the model answers.
pub(super) fn answer(chat: &ChatRequest, model: &str) -> Result<Answer> {
    let blocks = blocks(chat, model)?;
    let pieces = pieces(model);
    let count = blocks.len() as u64;
    let finish = if model.contains("tool") { FinishReason::ToolCalls } else { FinishReason::Stop };
    let (usage, cache_read) = match model {
        "input_tokens_zero" => ((0, count), None),
        "output_tokens_zero" => ((10, 0), None),
        "input_five_output_six" => ((5, 6), None),
        "cache_read" => ((10, count), Some(7)),
        _ => ((10, count), None),
    };
    // A call's name and a signature are not counted: they come with a piece that is.
    let counts = |piece: &&Piece| !matches!(piece, Piece::Delta(_, Delta::ToolCall { .. } | Delta::Signature { .. }));
    let streamed = if pieces.is_empty() { usage.1 } else { pieces.iter().filter(counts).count() as u64 };
    let stream_usage = match model {
        "input_tokens_zero" => (0, streamed),
        "output_tokens_zero" => (10, 0),
        "input_five_output_six" => (5, 6),
        _ => (10, streamed),
    };
    let pause = if model == "slow_second_chunk" { Duration::from_secs(2) } else { Duration::ZERO };
    Ok(Answer { blocks, pieces, usage, stream_usage, cache_read, finish, pause })
}

fn blocks(chat: &ChatRequest, model: &str) -> Result<Vec<Block>> {
    let text = |text: &str| vec![Block::text(text)];
    Ok(match model {
        "null" => Vec::new(),
        "empty" => text(""),
        "echo" | "slow" | "cache_read" => text(&last_words(chat)),
        "echo_request_messages" => {
            let system: Vec<&str> = chat.system.iter().filter_map(Block::as_text).collect();
            let system = if system.is_empty() { Value::Null } else { system.join("\n").into() };
            text(&json!({"system": system, "messages": chat.messages}).to_string())
        }
        "json" => text(r#"{"answer":"Hello"}"#),
        "json_goodbye" => text(r#"{"answer":"Goodbye"}"#),
        "json_diff_schema" => text(r#"{"response":"Hello"}"#),
        "json_cot" => text(r#"{"thinking":"hmmm", "response": {"answer":"tokyo!"}}"#),
        "json_beatles_1" => text(r#"{"names":["John", "George"]}"#),
        "json_beatles_2" => text(r#"{"names":["Paul", "Ringo"]}"#),
        "best_of_n_0" => text(r#"{"thinking": "hmmm", "answer_choice": 0}"#),
        "best_of_n_1" => text(r#"{"thinking": "hmmm", "answer_choice": 1}"#),
        "best_of_n_big" => text(r#"{"thinking": "hmmm", "answer_choice": 100}"#),
        "llm_judge::true" => text(r#"{"score": true}"#),
        "llm_judge::false" => text(r#"{"score": false}"#),
        "llm_judge::zero" => text(r#"{"score": 0}"#),
        "llm_judge::one" => text(r#"{"score": 1}"#),
        "llm_judge::error" => {
            return Err(Error::new(ErrorKind::Upstream, "Dummy error in inference"));
        }
        "tool" | "tool_split_name" => call("get_temperature", r#"{"location":"Brooklyn","units":"celsius"}"#),
        "bad_tool" => call("get_temperature", r#"{"location":"Brooklyn","units":"Celsius"}"#),
        "invalid_tool_arguments" => call("get_temperature", "Not valid 'JSON'"),
        "good_tool" => call("output_schema_tool", r#"{"sentiment":"positive","confidence":0.95}"#),
        "reasoner" => vec![thought(None), Block::text(SPELL)],
        "reasoner_with_signature" => vec![thought(Some("my_signature")), Block::text(SPELL)],
        "json_reasoner" => vec![thought(None), Block::text(r#"{"answer":"Hello"}"#)],
        "multiple-text-blocks" => {
            let texts = chat
                .messages
                .first()
                .map_or(0, |message| message.content.iter().filter(|block| block.as_text().is_some()).count());
            if texts != 2 {
                return Err(Error::new(ErrorKind::BadRequest, "First message must have exactly two text blocks"));
            }
            text(SPELL)
        }
        _ => text(SPELL),
    })
}

fn pieces(model: &str) -> Vec<Piece> {
    let texts = |block: u32, words: &[&str]| -> Vec<Piece> {
        words.iter().map(|word| Piece::Delta(block, Delta::Text { text: (*word).to_owned() })).collect()
    };
    let thoughts =
        || -> Vec<Piece> { (0..2).map(|_| Piece::Delta(0, Delta::Thinking { text: "hmmm".into() })).collect() };
    match model {
        "null" | "empty" | "echo" | "slow" | "cache_read" | "echo_request_messages" => Vec::new(),
        "tool" | "tool_split_name" => {
            let begin = Delta::ToolCall {
                id: "0".into(),
                name: "get_temperature".into(),
                kind: sabir_types::CallKind::Function,
            };
            let arguments = [r#"{"location""#, r#":"Brooklyn""#, r#","units""#, r#":"celsius"#, r#""}"#];
            let arguments = arguments.iter().map(|text| Piece::Delta(0, Delta::Arguments { text: (*text).to_owned() }));
            std::iter::once(Piece::Delta(0, begin)).chain(arguments).collect()
        }
        "bad_tool" | "invalid_tool_arguments" | "good_tool" => Vec::new(),
        "reasoner" => [thoughts(), texts(1, &WALLY)].into_iter().flatten().collect(),
        "reasoner_with_signature" => {
            let mut all = thoughts();
            all.push(Piece::Delta(0, Delta::Signature { signature: "my_signature".into() }));
            all.extend(texts(1, &WALLY));
            all
        }
        "json_reasoner" => [thoughts(), texts(1, &JOHN)].into_iter().flatten().collect(),
        "err_in_stream" | "fatal_stream_error" => {
            let mut all = texts(0, &WALLY);
            let at = if model == "err_in_stream" { 3 } else { 2 };
            all[at] = Piece::Fail(Error::new(ErrorKind::Upstream, "Dummy error in stream"));
            all
        }
        name if name.starts_with("json") => texts(0, &JOHN),
        _ => texts(0, &WALLY),
    }
}

fn call(name: &str, arguments: &str) -> Vec<Block> {
    vec![Block::ToolCall(ToolCall {
        id: "0".into(),
        name: name.into(),
        arguments: arguments.into(),
        ..ToolCall::default()
    })]
}

fn thought(signature: Option<&str>) -> Block {
    Block::Thinking(Thinking {
        text: Some("hmmm".into()),
        signature: signature.map(str::to_owned),
        ..Thinking::default()
    })
}

/// What the ledger keeps as the raw answer.
pub(super) fn raw_response(model: &str, said: &str) -> String {
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20});
    let value = match model {
        "json" => json!({"answer": "Hello", "usage": usage}),
        "tool" | "tool_split_name" => json!({"location": "Brooklyn", "units": "celsius", "usage": usage}),
        _ => {
            let text = json!([{"text": said, "index": 0, "logprobs": null, "finish_reason": null}]);
            let value = json!({
                "id": "id", "object": "text.completion", "created": 1_618_870_400, "model": "text-davinci-002",
                "choices": text, "usage": usage,
            });
            return serde_json::to_string_pretty(&value).unwrap_or_default();
        }
    };
    value.to_string()
}
