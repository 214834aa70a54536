//! Recorded exchanges with the Responses API, if there are any: `$SABIR_WIRE_CORPUS/openai-responses/fixtures/*`.
//!
//! Invariant: a request that is read and written again is the recorded one but for the differences
//! that [`normalize`] lists; a stream gives the same events however it is cut; an answer that is
//! read, written for a client and read again is the same.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use libtest_mimic::{Arguments, Failed, Trial};
use sabir_types::{Accumulator, Block, ChatResponse, Error, ErrorKind, Event, FinishReason, Request, Usage};
use sabir_wire::{
    openai::error,
    responses::{
        decode, emit, parse,
        render::{self, EventWriter, Frame},
    },
    sse::{SseDecoder, SseEvent},
};
use serde_json::{Map, Value, json};

fn main() {
    let args = Arguments::from_args();
    let Some(corpus) = corpus() else {
        let ignored = Trial::test("responses_corpus (SABIR_WIRE_CORPUS is not set)", || Ok(())).with_ignored_flag(true);
        libtest_mimic::run(&args, vec![ignored]).exit();
    };
    libtest_mimic::run(&args, trials(&PathBuf::from(corpus).join("openai-responses/fixtures"))).exit();
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration; the corpus is not part of the repository")]
fn corpus() -> Option<OsString> {
    std::env::var_os("SABIR_WIRE_CORPUS")
}

fn trials(fixtures: &Path) -> Vec<Trial> {
    type Check = fn(&Path) -> Result<(), Failed>;
    const CHECKS: &[(&str, Check)] =
        &[("request.json", request), ("response.json", response), ("stream.txt", stream), ("error.json", failure)];
    let folders: BTreeSet<PathBuf> = match fs::read_dir(fixtures) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(error) => {
            let message = format!("{}: {error}", fixtures.display());
            return vec![Trial::test("responses_corpus", move || Err(message.into()))];
        }
    };
    let mut trials = Vec::new();
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for (file, check) in CHECKS {
            if folder.join(file).exists() {
                let folder = folder.clone();
                trials.push(Trial::test(format!("{name}::{file}"), move || check(&folder)));
            }
        }
    }
    trials
}

fn request(folder: &Path) -> Result<(), Failed> {
    let mut recorded = json_file(&folder.join("request.json"))?;
    let model = recorded["model"].as_str().unwrap_or_default().to_owned();
    let Request::Chat(chat) = parse::chat(recorded.to_string().as_bytes()).map_err(failed)? else {
        return Err("not a chat".into());
    };
    let mut warnings = Vec::new();
    let written = emit::chat(&chat, &model, &mut warnings).map_err(failed)?;
    let mut written: Value = serde_json::from_slice(&written)?;
    if !warnings.is_empty() {
        return Err(format!("warnings: {warnings:?}").into());
    }
    normalize(&mut recorded)?;
    normalize(&mut written)?;
    same(&written, &recorded)
}

/// Every way in which the same request may be written:
/// - members and their members that are `null`, and empty instructions, say nothing;
/// - `stream: false` is what a body without it means;
/// - numbers are the same with and without a fraction of zero;
/// - `input` may be one text, and a message's content too;
/// - a message's `type` may be left out;
/// - the id of an item and its `status` mean nothing to another server;
/// - annotations and log probabilities of an answer that is sent back may be empty or not there.
fn normalize(body: &mut Value) -> Result<(), Failed> {
    plain(body);
    let Some(members) = body.as_object_mut() else { return Err("not an object".into()) };
    if members.get("stream") == Some(&json!(false)) {
        members.shift_remove("stream");
    }
    if members.get("instructions") == Some(&json!("")) {
        members.shift_remove("instructions");
    }
    for item in items(body)? {
        let Some(item) = item.as_object_mut() else { continue };
        let is_message = item.contains_key("role");
        let role = item.get("role").cloned();
        if is_message {
            item.shift_remove("type");
            item.shift_remove("status");
            item.shift_remove("id");
            let kind = if role == Some(json!("assistant")) { "output_text" } else { "input_text" };
            if let Some(text @ Value::String(_)) = item.get_mut("content") {
                *text = json!([{"type": kind, "text": text.take()}]);
            }
            for part in item.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
                let Some(part) = part.as_object_mut() else { continue };
                part.shift_remove("logprobs");
                if part.get("annotations") == Some(&json!([])) {
                    part.shift_remove("annotations");
                }
            }
        } else if ["function_call", "reasoning"].iter().any(|kind| item.get("type") == Some(&json!(kind))) {
            item.shift_remove("status");
            item.shift_remove("id");
        }
    }
    Ok(())
}

fn items(body: &mut Value) -> Result<&mut Vec<Value>, Failed> {
    if let Some(text @ Value::String(_)) = body.get_mut("input") {
        *text = json!([{"role": "user", "content": text.take()}]);
    }
    body.get_mut("input").and_then(Value::as_array_mut).ok_or_else(|| "no input".into())
}

fn plain(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(plain);
        }
        Value::Array(list) => list.iter_mut().for_each(plain),
        Value::Number(number) => {
            if let Some(float) = number.as_f64() {
                *value = json!(float);
            }
        }
        _ => {}
    }
}

fn frame() -> Frame {
    Frame { id: "resp_1".into(), created: 1, model: "m".into(), maker: None, echo: render::echo(&Map::new()) }
}

fn response(folder: &Path) -> Result<(), Failed> {
    let body = fs::read(folder.join("response.json"))?;
    let recorded: Value = serde_json::from_slice(&body)?;
    if recorded["object"] == "response.input_tokens" {
        return match decode::chat(&body) {
            Err(error) if error.kind() == ErrorKind::BadUpstream => Ok(()),
            other => Err(format!("a count is no answer, got {other:?}").into()),
        };
    }
    let answer = decode::chat(&body).map_err(failed)?;
    let usage = &recorded["usage"];
    same(&json!(answer.usage.total()), &usage["total_tokens"])?;
    same(&json!(answer.usage.cache_read_tokens), &usage["input_tokens_details"]["cached_tokens"])?;
    same(&json!(answer.usage.reasoning_tokens), &usage["output_tokens_details"]["reasoning_tokens"])?;
    same(&json!(answer.choices[0].finish_reason), &json!(expected(&recorded)?))?;
    let seen = decode::glance(&body).map_err(failed)?;
    same(&json!(seen.usage), &json!(answer.usage))?;
    same(&json!(seen.finish_reason), &json!(answer.choices[0].finish_reason))?;
    // Written for a client, the items are the recorded ones but for their ids.
    let written = render::response(&answer, &frame());
    same(&output(&written), &output(&recorded))?;
    same(&written["status"], &recorded["status"])?;
    same(&written["incomplete_details"], &recorded["incomplete_details"])?;
    let again = decode::chat(written.to_string().as_bytes()).map_err(failed)?;
    same(&json!(comparable(again)), &json!(comparable(answer)))
}

fn expected(recorded: &Value) -> Result<FinishReason, Failed> {
    let called = recorded["output"].as_array().into_iter().flatten().any(|item| item["type"] == "function_call");
    Ok(match (recorded["status"].as_str(), recorded["incomplete_details"]["reason"].as_str(), called) {
        (Some("completed"), _, true) => FinishReason::ToolCalls,
        (Some("completed"), _, false) => FinishReason::Stop,
        (Some("incomplete"), Some("max_output_tokens"), _) => FinishReason::Length,
        other => return Err(format!("no expectation for {other:?}").into()),
    })
}

/// The items of an answer: the ids of messages and calls are the gateway's, a phase has no word, and
/// whether an empty list of a thought's words is there means nothing.
fn output(response: &Value) -> Value {
    let mut output = response["output"].clone();
    for item in output.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        match item.get("type").and_then(Value::as_str) {
            Some("message") => {
                item.shift_remove("id");
                item.shift_remove("phase");
                // Older recordings have no log probabilities.
                for part in item.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
                    if let Some(part) = part.as_object_mut() {
                        part.shift_remove("logprobs");
                    }
                }
            }
            Some("function_call") => {
                item.shift_remove("id");
            }
            Some("reasoning") if item.get("content") == Some(&json!([])) => {
                item.shift_remove("content");
            }
            _ => {}
        }
    }
    plain(&mut output);
    output
}

/// An answer without what is not written again: the provider's own usage object, its name for the
/// answer and for the model, and extra members; who made a thought is not said on a stream.
fn comparable(mut answer: ChatResponse) -> ChatResponse {
    answer.usage.raw = None;
    answer.id = None;
    answer.model.clear();
    answer.created = None;
    answer.rest.clear();
    for block in answer.choices.iter_mut().flat_map(|choice| &mut choice.content) {
        if let Block::Thinking(thinking) = block {
            thinking.provider = None;
        }
    }
    answer
}

/// A thought is sealed anew each time that it is told.
fn unsealed(answer: ChatResponse) -> ChatResponse {
    let mut answer = comparable(answer);
    for block in answer.choices.iter_mut().flat_map(|choice| &mut choice.content) {
        if let Block::Thinking(thinking) = block {
            thinking.opaque = thinking.opaque.as_ref().map(|_| "sealed".into());
        }
    }
    answer
}

fn stream(folder: &Path) -> Result<(), Failed> {
    let bytes = first_answer(fs::read(folder.join("stream.txt"))?);
    if folder.ends_with("stream_error_event") {
        return failing(&bytes);
    }
    let whole = events(&bytes, bytes.len())?;
    for size in [1, 2, 3, 7, 64] {
        if events(&bytes, size)? != whole {
            return Err(format!("other events when cut every {size} bytes").into());
        }
    }
    // What the events add up to is the answer of the last one.
    let mut last = Value::Null;
    each(&bytes, &mut |_, data| {
        last = serde_json::from_str::<Value>(data).unwrap_or_default()["response"].take();
        Ok(())
    })?;
    let answer = sum(&whole);
    let told = decode::chat(last.to_string().as_bytes()).map_err(failed)?;
    same(&json!(unsealed(answer.clone())), &json!(unsealed(told)))?;
    same(&json!((&answer.id, &answer.model)), &json!((&last["id"], &last["model"])))?;
    same(&json!(answer.choices[0].finish_reason), &json!(expected(&last)?))?;
    glanced(&bytes, &answer)?;
    rewritten(&whole, &answer)?;
    cut_off(&bytes)
}

/// A recording may go on with the next answer.
fn first_answer(mut bytes: Vec<u8>) -> Vec<u8> {
    let find = |from: usize, needle: &[u8]| {
        bytes[from..].windows(needle.len()).position(|window| window == needle).map(|at| from + at)
    };
    if let Some(end) = find(0, b"\nevent: response.completed").and_then(|at| find(at, b"\n\n")) {
        bytes.truncate(end + 2);
    }
    bytes
}

/// Every event of a stream, by name and data.
/// What looks at each event: its name and its data.
type Look<'l> = &'l mut dyn FnMut(Option<&str>, &str) -> Result<(), Error>;

fn each(bytes: &[u8], on_event: Look<'_>) -> Result<(), Failed> {
    let mut framing = SseDecoder::new();
    let mut take = |event: SseEvent<'_>| on_event(event.event, event.data);
    framing.feed(bytes, &mut take).map_err(failed)?;
    framing.finish(&mut take).map_err(failed)
}

/// What a glance at every event sees is what the whole says.
fn glanced(bytes: &[u8], answer: &ChatResponse) -> Result<(), Failed> {
    let (mut usage, mut reason, mut done) = (Usage::default(), None, false);
    each(bytes, &mut |name, data| {
        let seen = decode::glance_event(name, data)?;
        usage.update(seen.usage);
        reason = seen.finish_reason.or(reason);
        done |= seen.done;
        Ok(())
    })?;
    same(&json!(usage), &json!(answer.usage))?;
    same(&json!((reason, done)), &json!((answer.choices[0].finish_reason, true)))
}

/// Written for a client and read again, the events make the same answer.
fn rewritten(whole: &[Event], answer: &ChatResponse) -> Result<(), Failed> {
    let (mut writer, mut out) = (EventWriter::new(frame()), Vec::new());
    whole.iter().for_each(|event| writer.events(std::slice::from_ref(event), &mut out));
    writer.end(&answer.usage, &mut out);
    same(&json!(comparable(sum(&events(&out, out.len())?))), &json!(comparable(answer.clone())))?;
    // The last event is the whole answer, and every event has its number.
    let (mut number, mut last) = (0, Value::Null);
    each(&out, &mut |name, data| {
        let event: Value = serde_json::from_str(data).unwrap_or_default();
        assert_eq!((name, event["sequence_number"].as_u64()), (event["type"].as_str(), Some(number)));
        number += 1;
        last = event["response"].clone();
        Ok(())
    })?;
    same(&last, &render::response(answer, &frame()))
}

/// Without its last event, the stream is an error.
fn cut_off(bytes: &[u8]) -> Result<(), Failed> {
    let body = bytes.trim_ascii_end();
    let last = body.windows(8).rposition(|window| window == b"\nevent: ").map_or(0, |at| at + 1);
    let (mut decoder, mut out) = (decode::ChatStream::new(), Vec::new());
    decoder.feed(&bytes[..last], &mut out).map_err(failed)?;
    match decoder.finish(&mut out) {
        Err(error) if error.kind() == ErrorKind::BadUpstream => Ok(()),
        other => Err(format!("a stream that was cut off gave {other:?}").into()),
    }
}

fn failing(bytes: &[u8]) -> Result<(), Failed> {
    let (mut decoder, mut out) = (decode::ChatStream::new(), Vec::new());
    match decoder.feed(bytes, &mut out) {
        Err(error) if error.kind() == ErrorKind::QuotaExceeded => Ok(()),
        other => Err(format!("a stream with an error gave {other:?}").into()),
    }
}

fn events(bytes: &[u8], size: usize) -> Result<Vec<Event>, Failed> {
    let (mut decoder, mut out) = (decode::ChatStream::new(), Vec::new());
    for piece in bytes.chunks(size.max(1)) {
        decoder.feed(piece, &mut out).map_err(failed)?;
    }
    decoder.finish(&mut out).map_err(failed)?;
    Ok(out)
}

fn sum(events: &[Event]) -> ChatResponse {
    let mut all = Accumulator::new();
    events.iter().for_each(|event| all.push(event));
    all.finish()
}

fn failure(folder: &Path) -> Result<(), Failed> {
    let meta = json_file(&folder.join("meta.json"))?;
    let status = meta["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
    let error = error::decode(status, &fs::read(folder.join("error.json"))?);
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let kind = match name.as_ref() {
        "error_400_context_length" => ErrorKind::ContextLength,
        "error_400_model_not_found" => ErrorKind::NotFound,
        "error_429_insufficient_quota" => ErrorKind::QuotaExceeded,
        name if name.starts_with("error_400_") => ErrorKind::BadRequest,
        other => return Err(format!("no expectation for `{other}`").into()),
    };
    same(&json!(error.kind()), &json!(kind))?;
    let upstream = error.upstream().ok_or("the provider's own words are gone")?;
    same(&json!(upstream.status), &json!(status))
}

fn json_file(path: &Path) -> Result<Value, Failed> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

fn same(got: &Value, expected: &Value) -> Result<(), Failed> {
    if got == expected {
        return Ok(());
    }
    Err(format!("got\n{got:#}\nexpected\n{expected:#}").into())
}

fn failed(error: Error) -> Failed {
    format!("{error:?}").into()
}
