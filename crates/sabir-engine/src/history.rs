//! Reading a row of the ledger back: what was asked and what was answered, in Sabir's own words.
//!
//! Invariant: nothing is derived when a row is written; all that can be derived from the bytes that
//! travelled is derived here, by the readers that the doors and the providers use.

use sabir_store::{ModelCallRow, Record};
use sabir_types::{Accumulator, Error, Event, Map, Operation, Protocol, Request, Response, Result, Value};
use sabir_wire::{anthropic, bedrock, gemini, openai, rerank, responses, tensorzero};

use crate::free_text;

/// What was asked, as it came. A body that went through untouched stands with the model call.
pub fn body(record: &Record) -> Result<&[u8]> {
    let row = &record.inference;
    match (&row.input, record.calls.first()) {
        (Some(body), _) => Ok(body),
        (None, Some(call)) => Ok(&call.raw_request),
        (None, None) => Err(Error::internal(format!("inference {} holds no input", row.id))),
    }
}

/// The members of what was asked.
pub fn members(record: &Record) -> Result<Map<String, Value>> {
    serde_json::from_slice(body(record)?).map_err(|e| {
        Error::internal(format!("the input of inference {} cannot be read", record.inference.id)).with_source(e)
    })
}

/// What was asked, read.
pub fn input(record: &Record) -> Result<Request> {
    let row = &record.inference;
    let body = body(record)?;
    match (row.door, row.operation) {
        (Protocol::OpenAi, Operation::Chat) => openai::parse::chat(body),
        (Protocol::OpenAi | Protocol::TensorZero, Operation::Embed) => openai::embed::parse(body),
        (Protocol::Responses, Operation::Chat) => responses::parse::chat(body),
        (Protocol::Anthropic, Operation::Chat) => {
            anthropic::parse::chat(body).map(|chat| Request::Chat(Box::new(chat)))
        }
        (Protocol::Gemini, Operation::Chat) => gemini::parse::chat(body, &row.model, row.stream),
        (Protocol::Gemini, Operation::Embed) => gemini::embed::parse(body).map(|embed| Request::Embed(Box::new(embed))),
        (Protocol::TensorZero, Operation::Chat) => tensorzero::parse::inference(body),
        (Protocol::OpenAi, Operation::Image) => openai::image::parse(body),
        (Protocol::OpenAi, Operation::ImageEdit) => openai::image::parse_edit(body),
        (Protocol::OpenAi, Operation::Speech) => openai::speech::parse(body),
        (Protocol::OpenAi, Operation::Transcribe) => openai::transcript::parse(body),
        (Protocol::OpenAi, Operation::Translate) => openai::transcript::parse_translation(body),
        (Protocol::OpenAi, Operation::Moderate) => openai::moderation::parse(body),
        (Protocol::OpenAi, Operation::Rerank) => rerank::parse(body),
        (Protocol::Cohere, Operation::Rerank) => rerank::parse_cohere(body),
        (door, operation) => Err(unreadable("input", door, operation)),
    }
}

/// What was answered; `None` if there was no answer. A stream that was cut off gives what had come.
pub fn output(record: &Record) -> Result<Option<Response>> {
    let row = &record.inference;
    if let Some(json) = &row.output {
        return serde_json::from_str(json).map(Some).map_err(|e| {
            Error::internal(format!("the output of inference {} cannot be read: {e}", row.id)).with_source(e)
        });
    }
    let Some(call) = record.calls.last() else { return Ok(None) };
    let refused = call.http_status.is_some_and(|status| !(200..300).contains(&status));
    // The built-in provider's bytes are made up: what it said is in `output`, or nothing came.
    let made_up = call.protocol == Protocol::Dummy && row.error.is_some();
    if refused || made_up || call.raw_response.is_empty() {
        return Ok(None);
    }
    match row.operation {
        Operation::Embed => vectors(record, call),
        Operation::Chat => {
            let mut answer = if row.stream { streamed(record, call) } else { whole(record, call) }?;
            // Reading what was asked is only worth it where a tool may have been wrapped.
            let wrapping = sabir_providers::find(call.provider_type).filter(|it| !it.spec().can.custom_tools);
            if let (Some(answer), Some(provider)) = (&mut answer, wrapping) {
                let names = input(record).map(|asked| free_text::wrapped(&asked, provider.spec())).unwrap_or_default();
                free_text::unwrap(&names, answer);
            }
            Ok(answer)
        }
        _ => media(record, call),
    }
}

/// Pictures, sounds, transcripts, verdicts and orders. What form they are in, the request says.
fn media(record: &Record, call: &ModelCallRow) -> Result<Option<Response>> {
    let body = &call.raw_response;
    let is_events = [b"data:".as_slice(), b"event:", b":"].iter().any(|begin| body.starts_with(begin));
    let answer = match (call.protocol, input(record)?) {
        (Protocol::OpenAi, Request::Image(_)) if is_events => {
            openai::image::decode_stream(body).map(Box::new).map(Response::Image)
        }
        (Protocol::OpenAi, Request::Image(_)) => openai::image::decode(body).map(Box::new).map(Response::Image),
        (Protocol::Gemini, Request::Image(_)) => {
            gemini::image::decode(body, &call.model_name).map(Box::new).map(Response::Image)
        }
        (Protocol::OpenAi, Request::Speech(speech)) => {
            openai::speech::decode(&speech, body).map(Box::new).map(Response::Speech)
        }
        (Protocol::OpenAi, Request::Transcribe(_)) if is_events => {
            openai::transcript::decode_stream(body).map(Box::new).map(Response::Transcribe)
        }
        (Protocol::OpenAi, Request::Transcribe(sound)) => {
            let format = sound.format.unwrap_or_default();
            openai::transcript::decode(body, format).map(Box::new).map(Response::Transcribe)
        }
        (Protocol::OpenAi, Request::Moderate(_)) => {
            openai::moderation::decode(body).map(Box::new).map(Response::Moderate)
        }
        (Protocol::OpenAi | Protocol::Cohere, Request::Rerank(documents)) => {
            rerank::decode(Some(&documents), body).map(Box::new).map(Response::Rerank)
        }
        (protocol, _) => Err(unreadable("output", protocol, record.inference.operation)),
    };
    answered(record, answer)
}

fn vectors(record: &Record, call: &ModelCallRow) -> Result<Option<Response>> {
    let answer = match call.protocol {
        Protocol::OpenAi => openai::embed::decode(&call.raw_response),
        Protocol::Gemini => gemini::embed::decode(&call.raw_response, &call.model_name),
        protocol => Err(unreadable("output", protocol, Operation::Embed)),
    };
    answered(record, answer.map(|answer| Response::Embed(Box::new(answer))))
}

fn whole(record: &Record, call: &ModelCallRow) -> Result<Option<Response>> {
    let body = &call.raw_response;
    let answer = match call.protocol {
        Protocol::OpenAi => openai::decode::chat(body),
        Protocol::Responses => responses::decode::chat(body),
        Protocol::Anthropic => anthropic::decode::chat(body).map(|mut answer| {
            if wraps_json(record, call) {
                anthropic::decode::unwrap_json(&mut answer);
            }
            answer
        }),
        Protocol::Gemini => gemini::decode::chat_after(body, calls_before(record)),
        Protocol::Bedrock => bedrock::decode::chat(body, &call.model_name, wraps_json(record, call)),
        protocol => Err(unreadable("output", protocol, Operation::Chat)),
    };
    answered(record, answer.map(|answer| Response::Chat(Box::new(answer))))
}

/// What the engine could not read either is no answer.
fn answered(record: &Record, answer: Result<Response>) -> Result<Option<Response>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(_) if record.inference.error.is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

fn streamed(record: &Record, call: &ModelCallRow) -> Result<Option<Response>> {
    let body = &call.raw_response;
    let mut events = Vec::new();
    let read = match call.protocol {
        Protocol::OpenAi => {
            let mut stream = openai::decode::ChatStream::new();
            stream.feed(body, &mut events).and_then(|()| stream.finish(&mut events))
        }
        Protocol::Responses => {
            let mut stream = responses::decode::ChatStream::new();
            stream.feed(body, &mut events).and_then(|()| stream.finish(&mut events))
        }
        Protocol::Anthropic => {
            let mut stream = anthropic::decode::ChatStream::new();
            if wraps_json(record, call) {
                stream = stream.unwrapping_json();
            }
            stream.feed(body, &mut events).and_then(|()| stream.finish(&mut events))
        }
        Protocol::Gemini => {
            let mut stream = gemini::decode::ChatStream::new().after(calls_before(record));
            stream.feed(body, &mut events).and_then(|()| stream.finish(&mut events))
        }
        Protocol::Bedrock => {
            let wraps = wraps_json(record, call);
            let mut stream = bedrock::decode::ChatStream::new(&call.model_name, wraps);
            stream.feed(body, &mut events).and_then(|()| stream.finish())
        }
        protocol => return Err(unreadable("output", protocol, Operation::Chat)),
    };
    if !events.iter().any(|event| matches!(event, Event::Delta { .. } | Event::Finish { .. })) {
        // Not a word came: the row says how it ended.
        return match read {
            Err(error) if record.inference.error.is_none() => Err(error),
            _ => Ok(None),
        };
    }
    let mut answer = Accumulator::new();
    for event in &events {
        answer.push(event);
    }
    Ok(Some(Response::Chat(Box::new(answer.finish()))))
}

/// How many calls the conversation held before the answer.
fn calls_before(record: &Record) -> usize {
    match input(record) {
        Ok(Request::Chat(chat)) => gemini::decode::calls_in(&chat),
        _ => 0,
    }
}

/// Whether the model was made to call the tool that stands for JSON, for a caller who did not ask
/// for a tool.
fn wraps_json(record: &Record, call: &ModelCallRow) -> bool {
    let name = anthropic::JSON_TOOL.as_bytes();
    let native = record.inference.door == Protocol::Anthropic && call.protocol == Protocol::Anthropic;
    !native && memchr::memmem::find(&call.raw_request, name).is_some()
}

fn unreadable(what: &str, protocol: Protocol, operation: Operation) -> Error {
    let message =
        format!("the {what} of a call ({}) in the protocol `{protocol}` cannot be read back", operation.as_str());
    Error::unsupported(what, message)
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
