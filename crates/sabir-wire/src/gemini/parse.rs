//! Requests, read from Gemini's wire.
//!
//! Invariant: every member that has no word in our vocabulary is kept in `rest` under its path, so
//! that `emit` writes it again; a member of the wrong kind is refused by name.

use std::collections::HashMap;

use sabir_types::{
    Block, CallKind, ChatRequest, Effort, Error, Map, Message, Params, Protocol, Reasoning, Request, ResponseFormat,
    Rest, Result, Role, Schema, Thinking, Tool, ToolChoice, ToolKind, Value,
};

use super::{camel, ids, part, schema, seal, take};

/// Reads a request. The model and whether to stream stand in the URL; the model only matters to
/// who routes the call.
pub fn chat(body: &[u8], model: &str, stream: bool) -> Result<Request> {
    let mut body: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|e| Error::bad_request(format!("the body for `{model}` is not a JSON object: {e}")))?;
    let mut req = ChatRequest { stream, ..ChatRequest::default() };
    // `countTokens` and some clients repeat the model here; the URL decides.
    take(&mut body, "model");
    if let Some(system) = take(&mut body, "systemInstruction") {
        req.system = system_blocks(system)?;
    }
    req.messages = contents(take(&mut body, "contents"))?;
    let mut rest = Map::new();
    for tool in list(take(&mut body, "tools"), "tools")? {
        tools(map(tool, "tools")?, &mut req.tools, &mut rest)?;
    }
    if let Some(config) = take(&mut body, "toolConfig") {
        let mut config = map(config, "toolConfig")?;
        if let Some(calling) = take(&mut config, "functionCallingConfig") {
            let (choice, left) = tool_choice(map(calling, "toolConfig.functionCallingConfig")?)?;
            req.tool_choice = choice;
            keep(&mut config, "functionCallingConfig", left);
        }
        keep(&mut rest, "toolConfig", config);
    }
    if let Some(config) = take(&mut body, "generationConfig") {
        let mut config = map(config, "generationConfig")?;
        req.params = params(&mut config)?;
        req.response_format = response_format(&mut config)?;
        if let Some(thinking) = take(&mut config, "thinkingConfig") {
            let (reasoning, left) = reasoning(map(thinking, "generationConfig.thinkingConfig")?)?;
            req.reasoning = Some(reasoning);
            keep(&mut config, "thinkingConfig", left);
        }
        for word in list(take(&mut config, "responseModalities"), "generationConfig.responseModalities")? {
            req.modalities.push(string(word, "generationConfig.responseModalities")?.to_ascii_lowercase());
        }
        keep(&mut rest, "generationConfig", config);
    }
    for (key, value) in body {
        rest.insert(camel(&key).into_owned(), value);
    }
    req.rest = Rest { protocol: Some(Protocol::Gemini), members: rest };
    Ok(Request::Chat(Box::new(req)))
}

/// Keeps what is left of an object, unless nothing is.
fn keep(rest: &mut Map<String, Value>, name: &str, left: Map<String, Value>) {
    if !left.is_empty() {
        let left = left.into_iter().map(|(key, value)| (camel(&key).into_owned(), value)).collect();
        rest.insert(name.into(), Value::Object(left));
    }
}

fn system_blocks(system: Value) -> Result<Vec<Block>> {
    if let Value::String(text) = system {
        return Ok(vec![Block::text(text)]);
    }
    let mut system = map(system, "systemInstruction")?;
    Ok(list(take(&mut system, "parts"), "systemInstruction.parts")?.into_iter().map(part::read).collect())
}

fn contents(contents: Option<Value>) -> Result<Vec<Message>> {
    let Some(contents) = contents else {
        return Err(Error::bad_request("`contents` is missing").with_param("contents"));
    };
    let mut calls = Calls::default();
    let mut messages: Vec<Message> = Vec::new();
    for (at, content) in list(Some(contents), "contents")?.into_iter().enumerate() {
        let name = format!("contents[{at}]");
        let mut content = map(content, &name)?;
        let role = match take(&mut content, "role") {
            None => Role::User,
            Some(role) => match role.as_str() {
                Some("user" | "function") => Role::User,
                Some("model") => Role::Assistant,
                _ => {
                    return Err(Error::bad_request(format!("`{name}.role` is {role}: expected `user` or `model`"))
                        .with_param("contents"));
                }
            },
        };
        let parts = list(take(&mut content, "parts"), &format!("{name}.parts"))?;
        let mut message = Message::new(role, parts.into_iter().map(part::read).collect());
        message.content.iter_mut().for_each(|block| calls.complete(block));
        message.rest = content;
        match messages.last_mut() {
            // A turn that was streamed comes back chunk by chunk.
            Some(last) if role == Role::Assistant && last.role == role && message.rest.is_empty() => {
                last.content.append(&mut message.content);
            }
            _ => messages.push(message),
        }
    }
    for message in messages.iter_mut().filter(|message| message.role == Role::Assistant) {
        message.content = join(std::mem::take(&mut message.content));
    }
    if messages.is_empty() {
        return Err(Error::bad_request("`contents` is empty").with_param("contents"));
    }
    Ok(messages)
}

/// Joins the pieces of what was streamed: texts, and another provider's thought, whose last piece
/// carries what was packed. Empty texts, which only carried an end, are nothing.
fn join(blocks: Vec<Block>) -> Vec<Block> {
    let mut out: Vec<Block> = Vec::with_capacity(blocks.len());
    for mut block in blocks {
        match &mut block {
            Block::Text(text) if text.signature.is_none() => {
                if text.text.is_empty() {
                    continue;
                }
                if let Some(Block::Text(last)) = out.last_mut()
                    && last.signature.is_none()
                {
                    last.text.push_str(&text.text);
                    continue;
                }
            }
            Block::Thinking(last) if seal::is_foreign(last.provider.as_deref()) && last.text.is_none() => {
                let text = pieces(&mut out);
                if last.summary.is_empty() {
                    last.text = text;
                }
            }
            _ => {}
        }
        out.push(block);
    }
    out
}

/// Takes the unsigned thoughts from the end.
fn pieces(blocks: &mut Vec<Block>) -> Option<String> {
    let mut from = blocks.len();
    while let Some(Block::Thinking(Thinking { text: Some(_), signature: None, provider, .. })) =
        from.checked_sub(1).map(|at| &blocks[at])
    {
        if seal::is_foreign(provider.as_deref()) {
            break;
        }
        from -= 1;
    }
    let text: String = blocks
        .drain(from..)
        .filter_map(|block| match block {
            Block::Thinking(thinking) => thinking.text,
            _ => None,
        })
        .collect();
    (!text.is_empty()).then_some(text)
}

/// The calls of a conversation so far, by which results without an id find theirs.
#[derive(Default)]
struct Calls {
    made: usize,
    /// Ids of calls without a result, in order, by name.
    open: HashMap<String, Vec<String>>,
}

impl Calls {
    /// Gives a call or a result the id that it lacks.
    fn complete(&mut self, block: &mut Block) {
        match block {
            Block::ToolCall(call) => {
                if call.id.is_empty() {
                    call.id = self.next();
                }
                self.open.entry(call.name.clone()).or_default().push(call.id.clone());
            }
            Block::ToolResult(result) => {
                let open = self.open.entry(result.name.clone().unwrap_or_default()).or_default();
                if result.id.is_empty() {
                    result.id = if open.is_empty() { self.next() } else { open.remove(0) };
                } else {
                    open.retain(|id| id != &result.id);
                }
            }
            _ => {}
        }
    }

    fn next(&mut self) -> String {
        self.made += 1;
        ids::of_request(self.made - 1)
    }
}

fn tools(mut tool: Map<String, Value>, out: &mut Vec<Tool>, rest: &mut Map<String, Value>) -> Result<()> {
    for declaration in list(take(&mut tool, "functionDeclarations"), "tools.functionDeclarations")? {
        let mut declaration = map(declaration, "tools.functionDeclarations")?;
        let name = match take(&mut declaration, "name") {
            Some(name) => string(name, "tools.functionDeclarations.name")?,
            None => return Err(Error::bad_request("a function declaration has no `name`").with_param("tools")),
        };
        let description = match take(&mut declaration, "description") {
            Some(text) => Some(string(text, "tools.functionDeclarations.description")?),
            None => None,
        };
        let parameters = match take(&mut declaration, "parametersJsonSchema") {
            Some(schema) => Some(schema),
            None => take(&mut declaration, "parameters").map(schema::from_wire),
        };
        // `response`, `behavior` and what may come: other providers can do without.
        for (key, value) in declaration.into_iter().filter(|(_, value)| !value.is_null()) {
            rest.insert(format!("tools.{name}.{}", camel(&key)), value);
        }
        out.push(Tool { name, description, kind: ToolKind::Function { parameters, strict: None }, cache: None });
    }
    for (key, value) in tool {
        if !value.is_null() {
            out.push(provider_tool(String::new(), &camel(&key), value));
        }
    }
    Ok(())
}

fn provider_tool(name: String, key: &str, value: Value) -> Tool {
    let data = Value::Object(Map::from_iter([(key.to_owned(), value)]));
    let kind = ToolKind::Provider { protocol: Protocol::Gemini, data };
    Tool { name, description: None, kind, cache: None }
}

/// The choice, and what of it has no word.
fn tool_choice(mut config: Map<String, Value>) -> Result<(Option<ToolChoice>, Map<String, Value>)> {
    const MODE: &str = "toolConfig.functionCallingConfig.mode";
    const NAMES: &str = "toolConfig.functionCallingConfig.allowedFunctionNames";
    let mut names = Vec::new();
    for name in list(take(&mut config, "allowedFunctionNames"), NAMES)? {
        names.push(string(name, NAMES)?);
    }
    let mode = match take(&mut config, "mode") {
        Some(mode) => string(mode, MODE)?,
        None => String::new(),
    };
    let choice = match (mode.as_str(), names.len()) {
        ("" | "MODE_UNSPECIFIED", 0) => None,
        ("NONE", 0) => Some(ToolChoice::None),
        ("AUTO", 0) => Some(ToolChoice::Auto),
        ("ANY", 0) => Some(ToolChoice::Required),
        ("ANY", 1) => names.pop().map(|name| ToolChoice::Tool { name, kind: CallKind::Function }),
        ("ANY", _) => Some(ToolChoice::Allowed { required: true, names: std::mem::take(&mut names) }),
        ("VALIDATED", 1..) => Some(ToolChoice::Allowed { required: false, names: std::mem::take(&mut names) }),
        _ => {
            config.insert("mode".into(), Value::String(mode));
            if !names.is_empty() {
                config.insert("allowedFunctionNames".into(), Value::from(names));
            }
            None
        }
    };
    Ok((choice, config))
}

fn params(config: &mut Map<String, Value>) -> Result<Params> {
    let mut params = Params {
        temperature: float(config, "temperature")?,
        top_p: float(config, "topP")?,
        top_k: whole(config, "topK")?,
        max_tokens: whole(config, "maxOutputTokens")?,
        seed: whole(config, "seed")?,
        presence_penalty: float(config, "presencePenalty")?,
        frequency_penalty: float(config, "frequencyPenalty")?,
        top_logprobs: whole(config, "logprobs")?,
        n: whole(config, "candidateCount")?,
        ..Params::default()
    };
    if let Some(yes) = take(config, "responseLogprobs") {
        let yes = yes.as_bool().ok_or_else(|| wrong("generationConfig.responseLogprobs", "true or false"))?;
        params.logprobs = Some(yes);
    }
    for text in list(take(config, "stopSequences"), "generationConfig.stopSequences")? {
        params.stop.push(string(text, "generationConfig.stopSequences")?);
    }
    Ok(params)
}

/// The form of the answer. Media types other than JSON and plain text stay as they are.
fn response_format(config: &mut Map<String, Value>) -> Result<Option<ResponseFormat>> {
    let Some(mime) = take(config, "responseMimeType") else { return Ok(None) };
    Ok(match mime.as_str() {
        Some("application/json") => {
            let schema = match take(config, "responseJsonSchema").or_else(|| take(config, "_responseJsonSchema")) {
                Some(schema) => Some(schema),
                None => take(config, "responseSchema").map(schema::from_wire),
            };
            Some(match schema {
                None => ResponseFormat::Json,
                Some(schema) => ResponseFormat::Schema(Schema {
                    name: schema
                        .get("title")
                        .and_then(Value::as_str)
                        .filter(|title| is_name(title))
                        .unwrap_or("response")
                        .to_owned(),
                    description: None,
                    schema,
                    strict: None,
                }),
            })
        }
        Some("text/plain") => Some(ResponseFormat::Text),
        _ => {
            config.insert("responseMimeType".into(), mime);
            None
        }
    })
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// How much to think, and what of it has no word.
fn reasoning(mut config: Map<String, Value>) -> Result<(Reasoning, Map<String, Value>)> {
    let mut reasoning = Reasoning { budget_tokens: whole(&mut config, "thinkingBudget")?, ..Reasoning::default() };
    if let Some(level) = take(&mut config, "thinkingLevel") {
        reasoning.effort = level.as_str().and_then(|level| Effort::parse(&level.to_ascii_lowercase()));
        if reasoning.effort.is_none() {
            config.insert("thinkingLevel".into(), level);
        }
    }
    if let Some(shown) = take(&mut config, "includeThoughts") {
        let shown =
            shown.as_bool().ok_or_else(|| wrong("generationConfig.thinkingConfig.includeThoughts", "true or false"))?;
        reasoning.summary = Some(if shown { "auto" } else { "omitted" }.to_owned());
    }
    Ok((reasoning, config))
}

fn float(config: &mut Map<String, Value>, name: &str) -> Result<Option<f64>> {
    let Some(value) = take(config, name) else { return Ok(None) };
    value.as_f64().map(Some).ok_or_else(|| wrong(&format!("generationConfig.{name}"), "a number"))
}

/// A whole number, which clients also write with a fraction of zero (`topK: 40.0`).
fn whole<T: TryFrom<i64>>(config: &mut Map<String, Value>, name: &str) -> Result<Option<T>> {
    let Some(value) = take(config, name) else { return Ok(None) };
    #[expect(clippy::cast_possible_truncation, reason = "the float was checked to be a whole number in range")]
    let number = value.as_i64().or_else(|| {
        value.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e15).map(|float| float as i64)
    });
    number
        .and_then(|number| T::try_from(number).ok())
        .map(Some)
        .ok_or_else(|| wrong(&format!("generationConfig.{name}"), "a whole number"))
}

/// A list. One value alone stands for a list of it, as in proto JSON.
fn list(value: Option<Value>, name: &str) -> Result<Vec<Value>> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list),
        Some(object @ Value::Object(_)) => Ok(vec![object]),
        Some(_) => Err(wrong(name, "a list")),
    }
}

fn map(value: Value, name: &str) -> Result<Map<String, Value>> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(wrong(name, "an object")),
    }
}

fn string(value: Value, name: &str) -> Result<String> {
    part::text(value).ok_or_else(|| wrong(name, "a text"))
}

fn wrong(name: &str, expected: &str) -> Error {
    Error::bad_request(format!("`{name}` is not {expected}")).with_param(name)
}
