//! A chat request, read whole: for a provider that speaks another protocol.
//!
//! Invariant: every member is understood, kept in `rest` for providers of the same protocol, or
//! refused by its path; none is dropped.

mod message;
mod object;
mod part;
mod tool;

use sabir_types::{
    AudioOut, ChatRequest, Effort, Map, Params, Protocol, Reasoning, Request, Rest, Result, ToolChoice, Value,
};
use serde::Deserialize;

pub(crate) use self::object::wrong;
pub(crate) use self::part::{by_name, locate, standard};
use self::{
    message::{Conversation, MessageIn},
    object::{object, read},
    tool::{FunctionIn, ToolIn},
};

/// The prefix of members that are for the gateway, not for a provider.
const OURS: &str = "tensorzero::";

object!(RequestIn: "an object" {
    "model" => model: Value,
    "messages" => messages: Vec<MessageIn>,
    "tools" => tools: Vec<ToolIn>,
    "tool_choice" => tool_choice: Value,
    "parallel_tool_calls" => parallel_tool_calls: bool,
    "functions" => functions: Vec<FunctionIn>,
    "function_call" => function_call: Value,
    "response_format" => response_format: Value,
    "temperature" => temperature: f64,
    "top_p" => top_p: f64,
    "top_k" => top_k: u32,
    "max_tokens" => max_tokens: u64,
    "max_completion_tokens" => max_completion_tokens: u64,
    "stop" => stop: OneOrMany,
    "seed" => seed: i64,
    "presence_penalty" => presence_penalty: f64,
    "frequency_penalty" => frequency_penalty: f64,
    "logit_bias" => logit_bias: Map<String, Value>,
    "logprobs" => logprobs: bool,
    "top_logprobs" => top_logprobs: u32,
    "n" => n: u32,
    "reasoning_effort" => reasoning_effort: String,
    "stream" => stream: bool,
    "stream_options" => stream_options: Map<String, Value>,
    "service_tier" => service_tier: String,
    "verbosity" => verbosity: String,
    "metadata" => metadata: Map<String, Value>,
    "user" => user: String,
    "store" => store: bool,
    "prompt_cache_key" => prompt_cache_key: String,
    "modalities" => modalities: Vec<String>,
    "audio" => audio: AudioIn,
});

object!(AudioIn: "an object with `voice` and `format`" {
    "voice" => voice: Value,
    "format" => format: String,
});

/// A string or an array of strings.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a string or an array of strings")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Reads a chat request.
pub fn chat(body: &[u8]) -> Result<Request> {
    let it: RequestIn = read(super::peek::text(body)?)?;
    let mut rest = it.rest;
    rest.retain(|name, _| !name.starts_with(OURS));
    let mut chat = ChatRequest {
        parallel_tool_calls: it.parallel_tool_calls,
        stream: it.stream.unwrap_or(false),
        service_tier: it.service_tier,
        verbosity: it.verbosity,
        metadata: it.metadata.unwrap_or_default(),
        user: it.user,
        store: it.store,
        prompt_cache_key: it.prompt_cache_key,
        modalities: it.modalities.unwrap_or_default(),
        params: Params {
            temperature: it.temperature,
            top_p: it.top_p,
            top_k: it.top_k,
            max_tokens: it.max_completion_tokens.or(it.max_tokens),
            stop: match it.stop {
                None => Vec::new(),
                Some(OneOrMany::One(text)) => vec![text],
                Some(OneOrMany::Many(texts)) => texts,
            },
            seed: it.seed,
            presence_penalty: it.presence_penalty,
            frequency_penalty: it.frequency_penalty,
            logit_bias: it.logit_bias.unwrap_or_default(),
            logprobs: it.logprobs,
            top_logprobs: it.top_logprobs,
            n: it.n,
        },
        ..ChatRequest::default()
    };
    conversation(it.messages, &mut chat)?;
    tools(it.tools, it.functions, &mut chat)?;
    chat.tool_choice = match (it.tool_choice, it.function_call) {
        (Some(value), _) => choice(value, &mut rest)?,
        (None, Some(value)) => Some(tool::legacy_choice(&value)?),
        (None, None) => None,
    };
    if let Some(value) = it.response_format {
        chat.response_format = tool::format(&value)?;
        if chat.response_format.is_none() {
            rest.insert("response_format".into(), value);
        }
    }
    if let Some(word) = it.reasoning_effort {
        let Some(effort) = Effort::parse(&word) else {
            return Err(wrong("reasoning_effort", &format!("no such effort: `{}`", tool::shown(&word))));
        };
        chat.reasoning = Some(Reasoning { effort: Some(effort), ..Reasoning::default() });
    }
    if let Some(mut options) = it.stream_options {
        chat.stream_usage = options.remove("include_usage").and_then(|value| value.as_bool());
        if !options.is_empty() {
            rest.insert("stream_options".into(), Value::Object(options));
        }
    }
    chat.audio = match it.audio {
        None => None,
        Some(audio) => Some(AudioOut {
            voice: audio.voice.ok_or_else(|| wrong("audio.voice", "missing"))?,
            format: audio.format.ok_or_else(|| wrong("audio.format", "missing"))?,
        }),
    };
    chat.rest = Rest { protocol: Some(Protocol::OpenAi), members: rest };
    Ok(Request::Chat(Box::new(chat)))
}

/// The members of a body that is an object.
pub(super) fn members(body: &[u8]) -> Result<Map<String, Value>> {
    read(super::peek::text(body)?)
}

fn conversation(messages: Option<Vec<MessageIn>>, chat: &mut ChatRequest) -> Result<()> {
    let messages = messages.unwrap_or_default();
    if messages.is_empty() {
        return Err(wrong("messages", "is empty: expected at least one message"));
    }
    let mut conversation = Conversation::default();
    for (at, message) in messages.into_iter().enumerate() {
        conversation.push(message, &format!("messages[{at}]"))?;
    }
    (chat.system, chat.messages) = conversation.end();
    Ok(())
}

fn tools(tools: Option<Vec<ToolIn>>, functions: Option<Vec<FunctionIn>>, chat: &mut ChatRequest) -> Result<()> {
    if tools.is_some() && functions.is_some() {
        return Err(wrong("functions", "cannot be used together with `tools`"));
    }
    for (at, tool) in tools.unwrap_or_default().into_iter().enumerate() {
        chat.tools.push(tool.tool(&format!("tools[{at}]"))?);
    }
    for (at, function) in functions.unwrap_or_default().into_iter().enumerate() {
        chat.tools.push(function.tool(&format!("functions[{at}]"))?);
    }
    Ok(())
}

fn choice(value: Value, rest: &mut Map<String, Value>) -> Result<Option<ToolChoice>> {
    let choice = tool::choice(&value)?;
    if choice.is_none() {
        rest.insert("tool_choice".into(), value);
    }
    Ok(choice)
}

#[cfg(test)]
mod tests;
