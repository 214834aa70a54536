//! Recorded exchanges with Anthropic, if there are any: `$SABIR_WIRE_CORPUS/anthropic/fixtures/*`.
//!
//! Invariant: a request that is read and written again is the recorded one but for the differences
//! that [`normalize`] lists; an answer that is read, written for a client and read again is the same.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use libtest_mimic::{Arguments, Failed, Trial};
use sabir_types::{Accumulator, Block, ChatResponse, Delta, ErrorKind, Event, Rest, Usage};
use sabir_wire::{
    anthropic::{
        decode, emit, error, glance, parse,
        render::{self, EventWriter, Face},
    },
    sse::SseDecoder,
};
use serde_json::{Value, json};

fn main() {
    let args = Arguments::from_args();
    let Some(corpus) = corpus() else {
        let ignored = Trial::test("anthropic_corpus (SABIR_WIRE_CORPUS is not set)", || Ok(())).with_ignored_flag(true);
        libtest_mimic::run(&args, vec![ignored]).exit();
    };
    libtest_mimic::run(&args, trials(&PathBuf::from(corpus).join("anthropic/fixtures"))).exit();
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
            return vec![Trial::test("anthropic_corpus", move || Err(message.into()))];
        }
    };
    let mut trials = Vec::new();
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for (file, check) in CHECKS {
            let path = folder.join(file);
            if path.exists() {
                trials.push(Trial::test(format!("{name}::{file}"), move || check(&path)));
            }
        }
    }
    trials
}

fn request(path: &Path) -> Result<(), Failed> {
    let body = fs::read(path)?;
    let mut recorded: Value = serde_json::from_slice(&body)?;
    let model = recorded["model"].as_str().unwrap_or_default().to_owned();
    let mut read = parse::chat(&body)?;
    let mut warnings = Vec::new();
    let written = emit::chat(&read, &model, &mut warnings)?;
    let mut written: Value = serde_json::from_slice(&written)?;
    normalize(&mut recorded);
    normalize(&mut written);
    same("request", &written, &recorded)?;
    same("warnings", &warnings, &Vec::new())?;

    // The same request from another door is fitted to its model; what fits already stays as it is.
    read.rest = Rest::default();
    let fitted = emit::chat(&read, &model, &mut warnings)?;
    let mut fitted: Value = serde_json::from_slice(&fitted)?;
    normalize(&mut fitted);
    if fitted != recorded && warnings.is_empty() {
        same("request from another door", &fitted, &recorded)?;
    }
    Ok(())
}

/// The differences that do not matter, all of them:
/// - a content that is one plain text may stand as the text itself or as the one block;
/// - `stream: false` and `is_error: false` are the defaults;
/// - `1` and `1.0` are the same temperature.
fn normalize(request: &mut Value) {
    if request["stream"] == json!(false) {
        request.as_object_mut().map(|members| members.shift_remove("stream"));
    }
    if let Some(temperature) = request["temperature"].as_f64() {
        request["temperature"] = json!(temperature);
    }
    if request.get("system").is_some() {
        unfold(&mut request["system"]);
    }
    for message in request["messages"].as_array_mut().into_iter().flatten() {
        unfold(&mut message["content"]);
        for block in message["content"].as_array_mut().into_iter().flatten() {
            if block["type"] == "tool_result" {
                if block.get("content").is_some() {
                    unfold(&mut block["content"]);
                }
                if block["is_error"] == json!(false) {
                    block.as_object_mut().map(|members| members.shift_remove("is_error"));
                }
            }
        }
    }
}

fn unfold(content: &mut Value) {
    if let Value::String(text) = content {
        *content = json!([{"type": "text", "text": text}]);
    }
}

const FACE: Face<'static> = Face { id: "msg_test", model: "test", provider: Some("anthropic") };

fn response(path: &Path) -> Result<(), Failed> {
    let body = fs::read(path)?;
    let recorded: Value = serde_json::from_slice(&body)?;
    let read = decode::chat(&body)?;
    sane(&read)?;
    let blocks = read.choices[0].content.iter().filter(|block| !matches!(block, Block::Refusal { .. })).count();
    same("blocks", &blocks, &recorded["content"].as_array().map_or(0, Vec::len))?;
    let look = glance::chat(&body)?;
    same("usage at a glance", &look.usage, &read.usage)?;
    same("finish reason at a glance", &look.finish_reason, &read.choices[0].finish_reason)?;

    let written = render::chat(&read, FACE);
    let again = decode::chat(&written)?;
    same("content written and read again", &again.choices[0].content, &read.choices[0].content)?;
    same("ending written and read again", &again.choices[0].raw_finish_reason, &read.choices[0].raw_finish_reason)?;
    same("usage written and read again", &figures(&again.usage), &figures(&read.usage))?;
    let written: Value = serde_json::from_slice(&written)?;
    same("texts", &texts(&written["content"]), &texts(&recorded["content"]))
}

fn stream(path: &Path) -> Result<(), Failed> {
    let bytes = fs::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("event: error") {
        let error = events(&bytes, bytes.len()).err().ok_or("the stream has an error, but it was read")?;
        same("kind", &error.kind(), &ErrorKind::Upstream)?;
        return Ok(());
    }
    let whole = events(&bytes, bytes.len())?;
    for size in [1, 2, 3, 7, 64] {
        same(&format!("events in pieces of {size} bytes"), &events(&bytes, size)?, &whole)?;
    }
    numbered(&whole)?;
    let answer = add_up(&whole);
    sane(&answer)?;

    let cut = text.rfind("event: message_stop").ok_or("no `message_stop`")?;
    let error = events(&bytes[..cut], bytes.len()).err().ok_or("a stream that was cut off was read")?;
    same("kind", &error.kind(), &ErrorKind::BadUpstream)?;

    let (mut usage, mut finish, mut done) = (Usage::default(), None, false);
    let mut sse = SseDecoder::new();
    sse.feed(&bytes, &mut |event| {
        let look = glance::event(event.event, event.data)?;
        usage.update(look.usage);
        finish = finish.or(look.finish_reason);
        done |= look.done;
        Ok(())
    })?;
    same("usage at a glance", &figures(&usage), &figures(&answer.usage))?;
    same("finish reason at a glance", &finish, &answer.choices[0].finish_reason)?;
    same("done at a glance", &done, &true)?;

    let mut writer = EventWriter::new(FACE);
    let mut written = Vec::new();
    for event in &whole {
        writer.write(event, &mut written);
    }
    writer.finish(&mut written);
    let again = add_up(&events(&written, written.len())?);
    same("content written and read again", &again.choices[0].content, &answer.choices[0].content)?;
    same("ending written and read again", &again.choices[0].finish_reason, &answer.choices[0].finish_reason)?;
    same("stop text written and read again", &again.choices[0].stop_sequence, &answer.choices[0].stop_sequence)?;
    same("usage written and read again", &figures(&again.usage), &figures(&answer.usage))
}

fn failure(path: &Path) -> Result<(), Failed> {
    let body = fs::read(path)?;
    let meta: Value = serde_json::from_slice(&fs::read(path.with_file_name("meta.json"))?)?;
    let status = u16::try_from(meta["status"].as_u64().unwrap_or_default())?;
    let expected = match status {
        400 => ErrorKind::BadRequest,
        401 => ErrorKind::Authentication,
        403 => ErrorKind::Permission,
        404 => ErrorKind::NotFound,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited,
        500..=599 => ErrorKind::Upstream,
        other => return Err(format!("no kind is known for the status {other}").into()),
    };
    let error = error::decode(status, &body);
    same("kind", &error.kind(), &expected)?;
    let recorded: Value = serde_json::from_slice(&body)?;
    same("message", &Some(error.message()), &recorded["error"]["message"].as_str())?;
    let upstream = error.upstream().ok_or("the provider's own words are lost")?;
    same("type", &upstream.kind.as_deref(), &recorded["error"]["type"].as_str())?;
    same("request id", &upstream.request_id.as_deref(), &recorded["request_id"].as_str())
}

fn events(bytes: &[u8], size: usize) -> sabir_types::Result<Vec<Event>> {
    let mut stream = decode::ChatStream::new();
    let mut events = Vec::new();
    for piece in bytes.chunks(size.max(1)) {
        stream.feed(piece, &mut events)?;
    }
    stream.finish(&mut events)?;
    Ok(events)
}

fn add_up(events: &[Event]) -> ChatResponse {
    let mut all = Accumulator::new();
    events.iter().for_each(|event| all.push(event));
    all.finish()
}

/// The beginning comes first and once; blocks are numbered from 0 without gaps.
fn numbered(events: &[Event]) -> Result<(), Failed> {
    let starts = events.iter().filter(|event| matches!(event, Event::Start { .. })).count();
    same("beginnings", &(starts, matches!(events.first(), Some(Event::Start { .. }))), &(1, true))?;
    let mut next = 0;
    for event in events {
        if let Event::Delta { block, delta, .. } = event {
            if *block == next {
                next += 1;
            } else if *block > next {
                return Err(format!("block {block} comes where {next} is due").into());
            } else if matches!(delta, Delta::ToolCall { .. }) {
                return Err(format!("a call begins in block {block}, which is there already").into());
            }
        }
    }
    Ok(())
}

fn sane(answer: &ChatResponse) -> Result<(), Failed> {
    if answer.id.as_deref().is_none_or(str::is_empty) || answer.model.is_empty() {
        return Err("no id or no model".into());
    }
    if answer.usage.input_tokens.is_none() || answer.usage.output_tokens.is_none() {
        return Err("usage is not known".into());
    }
    let cached = answer.usage.cache_read_tokens.unwrap_or(0) + answer.usage.cache_write_tokens.unwrap_or(0);
    if answer.usage.input_tokens < Some(cached) {
        return Err("more input came from the cache than there was".into());
    }
    let [choice] = &answer.choices[..] else { return Err("not exactly one answer".into()) };
    if choice.finish_reason.is_none() {
        return Err("no reason for the end".into());
    }
    for block in &choice.content {
        match block {
            Block::ToolCall(call) => {
                let arguments: Value = serde_json::from_str(&call.arguments)?;
                if !arguments.is_object() || call.id.is_empty() || call.name.is_empty() {
                    return Err(format!("a call is not whole: {call:?}").into());
                }
            }
            Block::Thinking(thought) if thought.signature.is_none() && thought.opaque.is_none() => {
                return Err("a thought has no signature".into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// All texts of a list of blocks.
fn texts(content: &Value) -> Vec<&str> {
    content.as_array().into_iter().flatten().filter_map(|block| block["text"].as_str()).collect()
}

/// The figures alone.
fn figures(usage: &Usage) -> Usage {
    Usage { raw: None, ..usage.clone() }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, expected: &T) -> Result<(), Failed> {
    if got == expected { Ok(()) } else { Err(format!("{what}\n     got: {got:?}\nexpected: {expected:?}").into()) }
}
