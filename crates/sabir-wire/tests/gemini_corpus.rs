//! Recorded exchanges with Gemini, if there are any: `$SABIR_WIRE_CORPUS/{gemini,vertex}/fixtures/*`.
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
use sabir_types::{Accumulator, Block, ChatResponse, Error, ErrorKind, Event, FinishReason, Request, Text, Usage};
use sabir_wire::{
    gemini::{
        decode, embed, emit, error, glance, parse, predict,
        render::{self, EventWriter},
    },
    sse::{SseDecoder, SseEvent},
};
use serde_json::{Map, Value, json};

fn main() {
    let args = Arguments::from_args();
    let Some(corpus) = corpus() else {
        let ignored = Trial::test("gemini_corpus (SABIR_WIRE_CORPUS is not set)", || Ok(())).with_ignored_flag(true);
        libtest_mimic::run(&args, vec![ignored]).exit();
    };
    let root = PathBuf::from(corpus);
    let all = ["gemini", "vertex"].into_iter().flat_map(|folder| trials(&root.join(folder).join("fixtures"))).collect();
    libtest_mimic::run(&args, all).exit();
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration; the corpus is not part of the repository")]
fn corpus() -> Option<OsString> {
    std::env::var_os("SABIR_WIRE_CORPUS")
}

/// Cases that are no exchange of this wire, and why.
const OTHER: &[(&str, &str)] = &[
    ("vertex/all_input_events/response.json", "words as numbers, which nobody here asks for"),
    ("vertex/error_400_invalid_role/request.json", "a role that there is not, which is refused"),
    ("vertex/extra_params/response.json", "words as numbers, which nobody here asks for"),
    ("vertex/oauth_token_authorized_user/response.json", "a token, which the engine reads"),
    ("vertex/oauth_token_error_invalid_grant/error.json", "a token, which the engine reads"),
    ("vertex/oauth_token_jwt_bearer/response.json", "a token, which the engine reads"),
];

fn trials(fixtures: &Path) -> Vec<Trial> {
    type Check = fn(&Path) -> Result<(), Failed>;
    const CHECKS: &[(&str, Check)] =
        &[("request.json", request), ("response.json", response), ("stream.txt", stream), ("error.json", failure)];
    let folders: BTreeSet<PathBuf> = match fs::read_dir(fixtures) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(error) => {
            let message = format!("{}: {error}", fixtures.display());
            return vec![Trial::test("gemini_corpus", move || Err(message.into()))];
        }
    };
    let mut trials = Vec::new();
    for folder in folders {
        let words: Vec<_> = folder.components().rev().map(|part| part.as_os_str().to_string_lossy()).collect();
        let name = format!("{}/{}", words[2], words[0]);
        for (file, check) in CHECKS {
            let name = format!("{name}/{file}");
            if let Some((_, why)) = OTHER.iter().find(|(other, _)| *other == name) {
                trials.push(Trial::test(format!("{name} ({why})"), || Ok(())).with_ignored_flag(true));
            } else if folder.join(file).exists() {
                let folder = folder.clone();
                trials.push(Trial::test(name, move || check(&folder)));
            }
        }
    }
    trials
}

/// Where the recorded call went: the model and the method of its URL.
fn target(folder: &Path) -> Result<(String, String), Failed> {
    let meta = json_file(&folder.join("meta.json"))?;
    let url = meta["url"].as_str().unwrap_or_default();
    let end = url.rsplit_once("models/").map_or("", |(_, end)| end);
    let (model, method) = end.split_once(':').unwrap_or((end, ""));
    Ok((model.to_owned(), method.split('?').next().unwrap_or_default().to_owned()))
}

fn request(folder: &Path) -> Result<(), Failed> {
    let (model, method) = target(folder)?;
    let mut recorded = json_file(&folder.join("request.json"))?;
    match method.as_str() {
        "generateContent" | "streamGenerateContent" => {}
        // A count is asked for with the request that is counted.
        "countTokens" => recorded = recorded["generateContentRequest"].take(),
        "batchEmbedContents" => return embed_request(&recorded, &model),
        other => return Err(format!("method `{other}` is not known").into()),
    }
    let stream = method == "streamGenerateContent";
    let Request::Chat(chat) = parse::chat(recorded.to_string().as_bytes(), &model, stream).map_err(failed)? else {
        return Err("not a chat".into());
    };
    same(&json!(chat.stream), &json!(stream))?;
    let mut warnings = Vec::new();
    let written = emit::chat(&chat, &model, &mut warnings).map_err(failed)?;
    if !warnings.is_empty() {
        return Err(format!("warnings: {warnings:?}").into());
    }
    let mut written: Value = serde_json::from_slice(&written)?;
    normalize(&mut recorded);
    normalize(&mut written);
    same(&written, &recorded)
}

/// The recorded embeddings join a text and a picture in one vector, which has no word.
fn embed_request(recorded: &Value, model: &str) -> Result<(), Failed> {
    match embed::parse(recorded.to_string().as_bytes()) {
        Err(error) if error.kind() == ErrorKind::Unsupported && error.param() == Some("content") => {}
        other => return Err(format!("expected a refusal, got {other:?}").into()),
    }
    let mut texts = recorded.clone();
    for request in texts["requests"].as_array_mut().into_iter().flatten() {
        if let Some(parts) = request["content"]["parts"].as_array_mut() {
            parts.retain(|part| part.get("text").is_some());
        }
    }
    let req = embed::parse(texts.to_string().as_bytes()).map_err(failed)?;
    let mut warnings = Vec::new();
    let written = embed::emit(&req, model, &mut warnings).map_err(failed)?;
    same(&json!(warnings.len()), &json!(0))?;
    same(&serde_json::from_slice(&written)?, &texts)
}

/// Every way in which the same request may be written:
/// - member names in snake case are the same as in camel case;
/// - numbers are the same with and without a fraction of zero;
/// - `tools` may be an object instead of a list of one;
/// - the instructions may have a role, which means nothing;
/// - a body may repeat the model of the URL;
/// - an empty `generationConfig` says nothing, and `text/plain` is the form of an answer unasked;
/// - a schema may stand in either of two members, with its types in capitals or not.
fn normalize(body: &mut Value) {
    names(body);
    let Some(body) = body.as_object_mut() else { return };
    body.shift_remove("model");
    if let Some(Value::Object(system)) = body.get_mut("systemInstruction") {
        system.shift_remove("role");
    }
    if let Some(tool @ Value::Object(_)) = body.get_mut("tools") {
        *tool = json!([tool.take()]);
    }
    for tool in body.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        for function in tool.get_mut("functionDeclarations").and_then(Value::as_array_mut).into_iter().flatten() {
            one_schema(function.as_object_mut(), "parameters", "parametersJsonSchema");
        }
    }
    if let Some(Value::Object(config)) = body.get_mut("generationConfig") {
        if config.get("responseMimeType") == Some(&json!("text/plain")) {
            config.shift_remove("responseMimeType");
        }
        one_schema(Some(config), "responseSchema", "responseJsonSchema");
        if config.is_empty() {
            body.shift_remove("generationConfig");
        }
    }
}

fn names(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, mut value) in std::mem::take(map) {
                names(&mut value);
                let mut words = key.split('_');
                let mut name = words.next().unwrap_or_default().to_owned();
                for word in words {
                    let mut letters = word.chars();
                    name.extend(letters.next().map(|c| c.to_ascii_uppercase()));
                    name.push_str(letters.as_str());
                }
                map.insert(name, value);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(names),
        Value::Number(number) => {
            if let Some(float) = number.as_f64() {
                *value = json!(float);
            }
        }
        _ => {}
    }
}

fn one_schema(holder: Option<&mut Map<String, Value>>, subset: &str, full: &str) {
    let Some(holder) = holder else { return };
    if let Some(mut schema) = holder.shift_remove(subset).or_else(|| holder.shift_remove(full)) {
        types(&mut schema);
        holder.insert("schema".into(), schema);
    }
}

fn types(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(name)) = map.get_mut("type") {
                *name = name.to_ascii_lowercase();
            }
            map.values_mut().for_each(types);
        }
        Value::Array(list) => list.iter_mut().for_each(types),
        _ => {}
    }
}

fn response(folder: &Path) -> Result<(), Failed> {
    let (model, method) = target(folder)?;
    let body = fs::read(folder.join("response.json"))?;
    let recorded: Value = serde_json::from_slice(&body)?;
    match method.as_str() {
        "generateContent" => {}
        "batchEmbedContents" => return embed_response(&body, &recorded, &model),
        "predict" => {
            let answer = predict::decode(&body, &model).map_err(failed)?;
            let figures = recorded["predictions"].as_array().into_iter().flatten();
            let tokens: u64 = figures.filter_map(|one| one["embeddings"]["statistics"]["token_count"].as_u64()).sum();
            return same(&json!([answer.usage.input_tokens, answer.vectors.len()]), &json!([tokens, 2]));
        }
        "countTokens" => {
            return match decode::chat(&body) {
                Err(error) if error.kind() == ErrorKind::BadUpstream => Ok(()),
                other => Err(format!("a count is no answer, got {other:?}").into()),
            };
        }
        other => return Err(format!("method `{other}` is not known").into()),
    }
    let answer = decode::chat(&body).map_err(failed)?;
    let usage = &recorded["usageMetadata"];
    let figure = |name: &str| usage[name].as_u64().unwrap_or(0);
    let is_blocked = recorded.get("candidates").is_none() && recorded["promptFeedback"].get("blockReason").is_some();
    if is_blocked {
        same(&json!(answer.choices[0].finish_reason), &json!(FinishReason::ContentFilter))?;
        return same(&json!(glance::chat(&body).map_err(failed)?.finish_reason), &json!(FinishReason::ContentFilter));
    }
    same(&json!(answer.usage.total()), &usage["totalTokenCount"])?;
    same(&json!(answer.usage.output_tokens), &json!(figure("candidatesTokenCount") + figure("thoughtsTokenCount")))?;
    let candidate = &recorded["candidates"][0];
    let parts = candidate["content"]["parts"].as_array().map_or(&[][..], Vec::as_slice);
    let calls = parts.iter().any(|part| part.get("functionCall").is_some());
    let expected = match (candidate["finishReason"].as_str(), calls) {
        (Some("STOP"), true) => FinishReason::ToolCalls,
        (Some("STOP"), false) => FinishReason::Stop,
        (Some("MAX_TOKENS"), _) => FinishReason::Length,
        (Some("SAFETY"), _) => FinishReason::ContentFilter,
        other => return Err(format!("no expectation for finish reason {other:?}").into()),
    };
    same(&json!(answer.choices[0].finish_reason), &json!(expected))?;
    let seen = glance::chat(&body).map_err(failed)?;
    same(&json!(seen.usage), &json!(answer.usage))?;
    same(&json!(seen.finish_reason), &json!(expected))?;
    // Written for a client, the parts are the recorded ones.
    let written = render::chat(&answer);
    let again: Value = serde_json::from_slice(&written)?;
    same(&again["candidates"][0]["content"], &candidate["content"])?;
    same(&json!(comparable(decode::chat(&written).map_err(failed)?)), &json!(comparable(answer)))
}

fn embed_response(body: &[u8], recorded: &Value, model: &str) -> Result<(), Failed> {
    let answer = embed::decode(body, model).map_err(failed)?;
    let written: Value = serde_json::from_slice(&embed::render(&answer, true).map_err(failed)?)?;
    same(&written["embeddings"], &recorded["embeddings"])?;
    same(&json!(answer.usage.input_tokens), &recorded["usageMetadata"]["promptTokenCount"])?;
    let seen = glance::embeddings(body).map_err(failed)?;
    same(&json!(seen.usage), &json!(answer.usage))
}

/// An answer without what is not written again: the provider's own usage object and extra members.
fn comparable(mut answer: ChatResponse) -> ChatResponse {
    answer.usage.raw = None;
    answer.rest.clear();
    answer.choices.iter_mut().for_each(|choice| choice.rest.clear());
    answer
}

fn stream(folder: &Path) -> Result<(), Failed> {
    let bytes = fs::read(folder.join("stream.txt"))?;
    if folder.ends_with("stream_error_mid_stream") {
        return broken_off(&bytes);
    }
    let whole = events(&bytes, bytes.len())?;
    for size in [1, 2, 3, 7, 64] {
        if events(&bytes, size)? != whole {
            return Err(format!("other events when cut every {size} bytes").into());
        }
    }
    let answer = sum(&whole);
    // What a filter ends may lack everything but that.
    let is_filtered = ["stream_finish_safety", "stream_prompt_blocked_safety", "stream_recitation_no_content"];
    if is_filtered.iter().any(|name| folder.ends_with(name)) {
        same(&json!(answer.choices[0].finish_reason), &json!(FinishReason::ContentFilter))?;
        return same_words(&bytes, &answer);
    }
    if answer.choices.len() != 1 || answer.usage.is_empty() || answer.model.is_empty() || answer.id.is_none() {
        return Err(format!("something is missing: {answer:?}").into());
    }
    let content = &answer.choices[0].content;
    let calls: Vec<_> =
        content.iter().filter_map(|b| if let Block::ToolCall(call) = b { Some(call) } else { None }).collect();
    let expected = if calls.is_empty() { FinishReason::Stop } else { FinishReason::ToolCalls };
    same(&json!(answer.choices[0].finish_reason), &json!(expected))?;
    let mut ids = BTreeSet::new();
    for call in calls {
        serde_json::from_str::<Map<String, Value>>(&call.arguments)?;
        same(&json!(!call.name.is_empty() && ids.insert(&call.id)), &json!(true))?;
    }
    same_words(&bytes, &answer)?;
    glanced(&bytes, &answer)?;
    rewritten(&whole)?;
    cut_off(&bytes)
}

/// An error in the middle of a stream, even without a `data:` before it.
fn broken_off(bytes: &[u8]) -> Result<(), Failed> {
    for size in [1, 2, 3, 7, 64, bytes.len()] {
        let mut stream = decode::ChatStream::new();
        let mut events = Vec::new();
        let fed = bytes.chunks(size).try_for_each(|piece| stream.feed(piece, &mut events));
        let error = fed.and_then(|()| stream.finish(&mut events)).err().ok_or("no error")?;
        same(&json!([error.kind().as_str(), error.message()]), &json!(["upstream", "The operation was cancelled."]))?;
    }
    Ok(())
}

/// Every data line of a stream.
fn each_chunk(bytes: &[u8], on_chunk: &mut dyn FnMut(&str) -> Result<(), Error>) -> Result<(), Failed> {
    let mut framing = SseDecoder::new();
    let mut take = |event: SseEvent<'_>| on_chunk(event.data);
    framing.feed(bytes, &mut take).map_err(failed)?;
    framing.finish(&mut take).map_err(failed)
}

/// Words, thoughts and signatures of the stream all arrive, and nothing else does.
fn same_words(bytes: &[u8], answer: &ChatResponse) -> Result<(), Failed> {
    let mut recorded = [String::new(), String::new(), String::new()];
    each_chunk(bytes, &mut |data| {
        let chunk: Value = serde_json::from_str(data).unwrap_or_default();
        for part in chunk["candidates"][0]["content"]["parts"].as_array().into_iter().flatten() {
            let to = usize::from(part["thought"] == json!(true));
            recorded[to].push_str(part["text"].as_str().unwrap_or_default());
            recorded[2].push_str(part["thoughtSignature"].as_str().unwrap_or_default());
        }
        Ok(())
    })?;
    let mut got = [String::new(), String::new(), String::new()];
    for block in &answer.choices[0].content {
        let signature = match block {
            Block::Text(text) => {
                got[0].push_str(&text.text);
                &text.signature
            }
            Block::Thinking(thinking) => {
                got[1].push_str(thinking.text.as_deref().unwrap_or_default());
                &thinking.signature
            }
            Block::ToolCall(call) => &call.signature,
            other => return Err(format!("unexpected {}", other.kind()).into()),
        };
        got[2].push_str(signature.as_deref().unwrap_or_default());
    }
    same(&json!(got), &json!(recorded))
}

/// What a glance at every event sees is what the whole says.
fn glanced(bytes: &[u8], answer: &ChatResponse) -> Result<(), Failed> {
    let (mut usage, mut reason) = (Usage::default(), None);
    each_chunk(bytes, &mut |data| {
        let seen = glance::event(data)?;
        usage.update(seen.usage);
        reason = seen.finish_reason.or(reason);
        Ok(())
    })?;
    same(&json!(usage), &json!(answer.usage))?;
    // An end without a call beside it looks like any other there.
    same(&json!(reason.is_some()), &json!(true))
}

/// Written for a client and read again, the events make the same answer.
fn rewritten(whole: &[Event]) -> Result<(), Failed> {
    let (mut writer, mut out) = (EventWriter::new(None), Vec::new());
    whole.iter().for_each(|event| writer.push(event, &mut out));
    writer.finish(&mut out);
    let again = events(&out, out.len())?;
    let plain = |events: &[Event]| {
        let mut answer = comparable(sum(events));
        // On a stream, an empty text carries the signature of words that are out already.
        for choice in &mut answer.choices {
            choice.content = choice.content.iter().flat_map(signature_apart).collect();
        }
        json!(answer)
    };
    same(&plain(&again), &plain(whole))
}

fn signature_apart(block: &Block) -> Vec<Block> {
    match block {
        Block::Text(text) if text.signature.is_some() && !text.text.is_empty() => vec![
            Block::Text(Text { signature: None, ..text.clone() }),
            Block::Text(Text { signature: text.signature.clone(), ..Text::default() }),
        ],
        other => vec![other.clone()],
    }
}

/// Without its last event, the stream is an error.
fn cut_off(bytes: &[u8]) -> Result<(), Failed> {
    let body = bytes.trim_ascii_end();
    let last = body.windows(7).rposition(|window| window == b"\ndata: ").map_or(0, |at| at + 1);
    let (mut decoder, mut out) = (decode::ChatStream::new(), Vec::new());
    decoder.feed(&bytes[..last], &mut out).map_err(failed)?;
    match decoder.finish(&mut out) {
        Err(error) if error.kind() == ErrorKind::BadUpstream => Ok(()),
        other => Err(format!("a stream that was cut off gave {other:?}").into()),
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
    let is_cloud = folder.components().any(|part| part.as_os_str() == "vertex");
    let (kind, wait) = match name.as_ref() {
        "error_400_api_key" => (ErrorKind::Authentication, None),
        "error_400_invalid_role" | "error_400_invalid_temperature" => (ErrorKind::BadRequest, None),
        "error_400_unsupported_location" | "error_403_api_not_enabled" | "error_403_iam_permission_denied" => {
            (ErrorKind::Permission, None)
        }
        "error_429_quota" if is_cloud => (ErrorKind::RateLimited, None),
        "error_400_invalid_key" | "error_400_multiple_credentials" => (ErrorKind::Authentication, None),
        "error_404_model" | "error_404_unknown_model_vendor" => (ErrorKind::NotFound, None),
        "error_429_quota" => (ErrorKind::RateLimited, Some(48.0)),
        "error_429_retry_info" => (ErrorKind::RateLimited, Some(34.4)),
        other => return Err(format!("no expectation for `{other}`").into()),
    };
    same(&json!(error.kind()), &json!(kind))?;
    same(&json!(error.retry_after().map(|wait| wait.as_secs_f64())), &json!(wait))?;
    let upstream = error.upstream().ok_or("the provider's own words are gone")?;
    same(&json!(upstream.status), &json!(status))?;
    same(&json!(error.message().is_empty()), &json!(false))
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
