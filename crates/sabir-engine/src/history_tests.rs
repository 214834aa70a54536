//! Rows read back, one per protocol and way of answering.

use bytes::Bytes;
use sabir_store::{Status, conformance::plain};
use sabir_types::{Block, ChatRequest, ChatResponse, ErrorKind, FinishReason, Role};

use super::*;

fn row(protocol: Protocol, request: &str, response: &str) -> Record {
    let mut record = plain("history");
    record.inference.door = protocol;
    record.calls[0].protocol = protocol;
    record.calls[0].raw_request = Bytes::copy_from_slice(request.as_bytes());
    record.calls[0].raw_response = Bytes::copy_from_slice(response.as_bytes());
    record
}

fn streaming(mut record: Record) -> Record {
    record.inference.stream = true;
    record
}

fn failed(mut record: Record, kind: ErrorKind) -> Record {
    record.inference.status = Status::Error;
    record.inference.error = Some((kind, "it went wrong".into()));
    record
}

fn asked(record: &Record) -> ChatRequest {
    match input(record).unwrap() {
        Request::Chat(chat) => *chat,
        other => panic!("{other:?}"),
    }
}

fn answered(record: &Record) -> ChatResponse {
    match output(record).unwrap() {
        Some(Response::Chat(chat)) => *chat,
        other => panic!("{other:?}"),
    }
}

fn said(answer: &ChatResponse) -> &str {
    answer.choices[0].content[0].as_text().unwrap()
}

const OPENAI_ANSWER: &str = r#"{"id":"c1","object":"chat.completion","created":5,"model":"m1","choices":[{"index":0,
    "message":{"role":"assistant","content":"good day"},"finish_reason":"stop"}],
    "usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;

fn openai_event(content: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"m1\",\"choices\":[{{\"index\":0,\
         \"delta\":{{\"content\":\"{content}\"}},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

#[test]
fn openai_chat() {
    let record =
        row(Protocol::OpenAi, r#"{"model":"m","messages":[{"role":"user","content":"hello"}]}"#, OPENAI_ANSWER);
    let chat = asked(&record);
    assert_eq!((chat.messages[0].role, chat.messages[0].content[0].as_text()), (Role::User, Some("hello")));
    let answer = answered(&record);
    assert_eq!((said(&answer), answer.usage.output_tokens), ("good day", Some(2)));
}

#[test]
fn the_callers_own_body_and_the_kept_answer_come_first() {
    let mut record = row(Protocol::OpenAi, "not read", "not read");
    record.inference.input =
        Some(Bytes::from_static(br#"{"model":"m","messages":[{"role":"user","content":"mine"}]}"#));
    let kept = answered(&row(Protocol::OpenAi, "", OPENAI_ANSWER));
    record.inference.output = serde_json::to_string(&Response::Chat(Box::new(kept.clone()))).ok();
    assert_eq!(asked(&record).messages[0].content[0].as_text(), Some("mine"));
    assert_eq!(answered(&record), kept);
    record.inference.output = Some("{".into());
    assert_eq!(output(&record).unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn the_last_call_holds_the_answer_and_the_first_one_the_input() {
    let request = r#"{"model":"m","messages":[{"role":"user","content":"first"}]}"#;
    let mut record = row(Protocol::OpenAi, request, r#"{"error":{"message":"overloaded"}}"#);
    let mut last = row(Protocol::OpenAi, "changed", OPENAI_ANSWER).calls.remove(0);
    last.http_status = Some(200);
    record.calls[0].http_status = Some(503);
    record.calls.push(last);
    assert_eq!(asked(&record).messages[0].content[0].as_text(), Some("first"));
    assert_eq!(said(&answered(&record)), "good day");
}

#[test]
fn openai_streams() {
    let whole = [openai_event("good ", "null"), openai_event("day", "\"stop\""), "data: [DONE]\n\n".into()].concat();
    let answer = answered(&streaming(row(Protocol::OpenAi, "", &whole)));
    assert_eq!((said(&answer), answer.choices[0].finish_reason), ("good day", Some(FinishReason::Stop)));

    let cut = [&openai_event("good ", "null"), &openai_event("day", "null")[..30]].concat();
    let record = failed(streaming(row(Protocol::OpenAi, "", &cut)), ErrorKind::BadUpstream);
    let answer = answered(&record);
    assert_eq!((said(&answer), answer.choices[0].finish_reason), ("good ", None));
}

#[test]
fn responses() {
    let item = r#"{"type":"message","role":"assistant","content":[{"type":"output_text","text":"good day"}]}"#;
    let whole = format!(
        r#"{{"id":"r1","model":"m1","status":"completed","output":[{item}],"usage":{{"input_tokens":3,"output_tokens":2}}}}"#
    );
    let record = row(Protocol::Responses, r#"{"model":"m","input":"hello"}"#, &whole);
    assert_eq!(asked(&record).messages[0].content[0].as_text(), Some("hello"));
    let answer = answered(&record);
    assert_eq!((said(&answer), answer.usage.output_tokens), ("good day", Some(2)));

    let created = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r1\"}}\n\n";
    let delta = "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"good \"}\n\n";
    let end = format!("data: {{\"type\":\"response.completed\",\"response\":{whole}}}\n\n");
    let answer = answered(&streaming(row(
        Protocol::Responses,
        "",
        &[created, &delta.replace("good ", "good day"), &end].concat(),
    )));
    assert_eq!((said(&answer), answer.choices[0].finish_reason), ("good day", Some(FinishReason::Stop)));
    let record = failed(streaming(row(Protocol::Responses, "", &[created, delta].concat())), ErrorKind::BadUpstream);
    assert_eq!(said(&answered(&record)), "good ");
}

#[test]
fn openai_embeddings() {
    let mut record = row(
        Protocol::OpenAi,
        r#"{"model":"m","input":["a","b"]}"#,
        r#"{"object":"list","model":"m","data":[{"index":0,"embedding":[0.5]},{"index":1,"embedding":[1.5]}],
            "usage":{"prompt_tokens":2,"total_tokens":2}}"#,
    );
    record.inference.operation = Operation::Embed;
    assert!(matches!(input(&record).unwrap(), Request::Embed(embed) if embed.input.len() == 2));
    assert!(matches!(output(&record).unwrap(), Some(Response::Embed(embed)) if embed.vectors.len() == 2));
}

#[test]
fn anthropic_messages() {
    let record = row(
        Protocol::Anthropic,
        r#"{"model":"m","max_tokens":9,"system":"be short","messages":[{"role":"user","content":"hello"}]}"#,
        r#"{"id":"msg_1","type":"message","role":"assistant","model":"m1","content":[{"type":"text","text":"hi"}],
            "stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}"#,
    );
    let chat = asked(&record);
    assert_eq!((chat.system[0].as_text(), chat.params.max_tokens), (Some("be short"), Some(9)));
    assert_eq!(said(&answered(&record)), "hi");
}

#[test]
fn anthropic_streams_that_were_cut_off() {
    let events = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",",
        "\"role\":\"assistant\",\"model\":\"m1\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,",
        "\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,",
        "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,",
        "\"delta\":{\"type\":\"text_delta\",\"text\":\"hi th\"}}\n\n",
    );
    let answer = answered(&streaming(row(Protocol::Anthropic, "{}", events)));
    assert_eq!((said(&answer), answer.choices[0].finish_reason), ("hi th", None));
}

#[test]
fn the_tool_that_stands_for_json_is_text_again() {
    let answer = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m1","content":[{"type":"tool_use",
        "id":"t1","name":"json_answer","input":{"a":1}}],"stop_reason":"tool_use","stop_sequence":null,
        "usage":{"input_tokens":3,"output_tokens":1}}"#;
    let request = r#"{"tools":[{"name":"json_answer","input_schema":{"type":"object"}}]}"#;
    let mut record = row(Protocol::Anthropic, request, answer);
    assert!(matches!(answered(&record).choices[0].content[0], Block::ToolCall(_)));
    record.inference.door = Protocol::OpenAi;
    assert_eq!(said(&answered(&record)), "{\"a\":1}");
}

#[test]
fn gemini_contents() {
    let record = row(
        Protocol::Gemini,
        r#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#,
        r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"finishReason":"STOP","index":0}],
            "modelVersion":"m1","usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":1,"totalTokenCount":3}}"#,
    );
    assert_eq!(asked(&record).messages[0].content[0].as_text(), Some("hello"));
    assert_eq!(said(&answered(&record)), "hi");
    let event =
        "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"h\"}]},\"index\":0}]}\n\n";
    let record = streaming(row(Protocol::Gemini, r#"{"contents":[{"parts":[{"text":"hello"}]}]}"#, event));
    assert!(asked(&record).stream);
    assert_eq!(said(&answered(&record)), "h");
}

#[test]
fn gemini_embeddings() {
    let request = r#"{"content":{"parts":[{"text":"a"}]}}"#;
    let mut record = row(Protocol::Gemini, request, r#"{"embedding":{"values":[0.5,1.5]}}"#);
    record.inference.operation = Operation::Embed;
    assert!(matches!(input(&record).unwrap(), Request::Embed(embed) if embed.input.len() == 1));
    assert!(matches!(output(&record).unwrap(), Some(Response::Embed(embed)) if embed.vectors.len() == 1));
}

#[test]
fn tensorzero_inferences() {
    let mut record = row(Protocol::OpenAi, "changed", OPENAI_ANSWER);
    record.inference.door = Protocol::TensorZero;
    record.inference.input = Some(Bytes::from_static(
        br#"{"model_name":"m","input":{"system":"be short","messages":[{"role":"user","content":"hello"}]}}"#,
    ));
    let chat = asked(&record);
    assert_eq!((chat.system[0].as_text(), chat.messages[0].content[0].as_text()), (Some("be short"), Some("hello")));
    assert_eq!(said(&answered(&record)), "good day");
}

#[test]
fn no_answer_is_no_answer() {
    let mut refused = row(Protocol::OpenAi, "", r#"{"error":{"message":"no"}}"#);
    refused.calls[0].http_status = Some(400);
    let mut without = row(Protocol::OpenAi, "", "");
    without.calls.clear();
    for record in [
        refused,
        row(Protocol::OpenAi, "", ""),
        without,
        failed(row(Protocol::OpenAi, "", "<html>"), ErrorKind::BadUpstream),
        failed(streaming(row(Protocol::OpenAi, "", "data: {\"error\":{\"message\":\"no\"}}\n\n")), ErrorKind::Upstream),
        failed(row(Protocol::Dummy, "", "made up"), ErrorKind::Cancelled),
    ] {
        assert_eq!(output(&record).unwrap(), None, "{record:?}");
    }
}

#[test]
fn what_cannot_be_read_says_so() {
    let mut record = row(Protocol::OpenAi, "", "<html>");
    assert_eq!(output(&record).unwrap_err().kind(), ErrorKind::BadUpstream);
    record.inference.stream = true;
    assert_eq!(output(&record).unwrap_err().kind(), ErrorKind::BadUpstream);
    assert_eq!(input(&record).unwrap_err().kind(), ErrorKind::BadRequest);
    record.inference.door = Protocol::Dummy;
    assert_eq!(input(&record).unwrap_err().kind(), ErrorKind::Unsupported);
    record.calls[0].protocol = Protocol::TensorZero;
    assert_eq!(output(&record).unwrap_err().kind(), ErrorKind::Unsupported);
    record.calls.clear();
    assert_eq!(input(&record).unwrap_err().kind(), ErrorKind::Internal);
}
