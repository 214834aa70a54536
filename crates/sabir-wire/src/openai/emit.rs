//! A chat request, written for a provider of the OpenAI family.
//!
//! Invariant: what the dialect has no word for is an error or a warning that names it.

mod dialect;
mod limits;
mod reasoning;

pub use dialect::{Choices, Dialect, ReasoningStyle, is_reasoning_model};
pub use limits::fits;
pub(crate) use reasoning::effort_for;

use std::borrow::Cow;

use sabir_types::{
    Block, CallKind, ChatRequest, Error, Map, Media, Message, Protocol, ResponseFormat, Result, Role, Source, Thinking,
    Tool, ToolCall, ToolChoice, ToolKind, ToolResult, Value, Warning,
};
use serde_json::json;

/// The body of a chat request.
pub fn chat(req: &ChatRequest, model: &str, dialect: &Dialect, warnings: &mut Vec<Warning>) -> Result<Vec<u8>> {
    let mut out = Map::new();
    out.insert("model".into(), model.into());
    let foreign = req.rest.protocol.is_some_and(|protocol| protocol != Protocol::OpenAi);
    let mut messages = Writer { model, dialect, warnings, foreign }.messages(req)?;
    if dialect.alternate {
        messages = limits::alternating(messages);
    }
    out.insert("messages".into(), messages.into());
    if marks_cache(req) {
        warnings.push(left_out("cache_control"));
    }
    tools(req, dialect, &mut out, warnings)?;
    format(req, &mut out);
    params(req, model, dialect, &mut out);
    limits::limit(req, dialect, &mut out, warnings)?;
    reasoning::reasoning(req, dialect, &mut out, warnings);
    if req.stream {
        out.insert("stream".into(), true.into());
        let wanted = req.stream_usage.unwrap_or(dialect.stream_usage);
        if wanted && dialect.stream_usage {
            out.insert("stream_options".into(), json!({"include_usage": true}));
        }
    }
    put(&mut out, "service_tier", req.service_tier.as_deref());
    put(&mut out, "verbosity", req.verbosity.as_deref());
    if !req.metadata.is_empty() {
        out.insert("metadata".into(), Value::Object(req.metadata.clone()));
    }
    put(&mut out, "user", req.user.as_deref());
    put(&mut out, "store", req.store);
    put(&mut out, "prompt_cache_key", req.prompt_cache_key.as_deref());
    if !req.modalities.is_empty() {
        out.insert("modalities".into(), json!(req.modalities));
    }
    if let Some(audio) = &req.audio {
        out.insert("audio".into(), json!({"voice": audio.voice, "format": audio.format}));
    }
    if req.rest.protocol == Some(Protocol::OpenAi) {
        for (name, value) in &req.rest.members {
            match (out.get_mut(name), value) {
                // `stream_options` may already be there with our part of it.
                (Some(Value::Object(mine)), Value::Object(more)) => {
                    mine.extend(more.iter().map(|(k, v)| (k.clone(), v.clone())));
                }
                (Some(_), _) => {}
                (None, value) => {
                    out.insert(name.clone(), value.clone());
                }
            }
        }
    }
    if foreign {
        for name in req.rest.members.keys() {
            warnings.push(left_out(name));
        }
    }
    for name in dialect.lacks {
        match out.shift_remove(*name) {
            // One answer is what everybody gives.
            Some(value) if *name == "n" && value == 1 => {}
            Some(_) => warnings.push(left_out(name)),
            None => {}
        }
    }
    for (name, switch) in dialect.always {
        out.entry(*name).or_insert_with(|| (*switch).into());
    }
    serde_json::to_vec(&out).map_err(|e| Error::internal("a chat request could not be written").with_source(e))
}

/// Whether the caller marked what is to be kept in the provider's cache: there are no marks here.
fn marks_cache(req: &ChatRequest) -> bool {
    let marked = |block: &Block| match block {
        Block::Text(text) => text.cache.is_some(),
        Block::Image(media) | Block::Audio(media) | Block::Video(media) | Block::File(media) => media.cache.is_some(),
        Block::ToolResult(result) => result.cache.is_some(),
        _ => false,
    };
    let mut blocks = req.system.iter().chain(req.messages.iter().flat_map(|message| &message.content));
    blocks.any(marked) || req.tools.iter().any(|tool| tool.cache.is_some())
}

fn left_out(param: &str) -> Warning {
    Warning { param: param.to_owned(), message: "left out: the provider has no such parameter".into() }
}

struct Writer<'a> {
    model: &'a str,
    dialect: &'a Dialect,
    warnings: &'a mut Vec<Warning>,
    /// The request came in another protocol: members of its messages mean nothing here.
    foreign: bool,
}

impl Writer<'_> {
    fn messages(&mut self, req: &ChatRequest) -> Result<Vec<Value>> {
        let mut out = Vec::with_capacity(req.messages.len() + 1);
        self.system(&req.system, &mut out)?;
        for (at, message) in req.messages.iter().enumerate() {
            let path = format!("messages[{at}]");
            match message.role {
                Role::Assistant => out.push(self.assistant(message, &path)?),
                Role::User => self.user(message, &path, &mut out)?,
                Role::System => {
                    let content = self.content(&message.content.iter().collect::<Vec<_>>(), &path)?;
                    out.push(self.named(message, self.system_role(), content));
                }
            }
        }
        if out.is_empty() {
            return Err(Error::bad_request("messages: nothing in them can be sent").with_param("messages"));
        }
        Ok(out)
    }

    fn system_role(&self) -> &'static str {
        if self.dialect.developer.is_some_and(|like| like(self.model)) { "developer" } else { "system" }
    }

    fn system(&mut self, blocks: &[Block], out: &mut Vec<Value>) -> Result<()> {
        let role = self.system_role();
        if self.dialect.many_systems || blocks.len() < 2 || blocks.iter().any(|block| block.as_text().is_none()) {
            for (at, block) in blocks.iter().enumerate() {
                let content = self.content(&[block], &format!("system[{at}]"))?;
                out.push(json!({"role": role, "content": content}));
            }
            return Ok(());
        }
        let texts: Vec<&str> = blocks.iter().filter_map(Block::as_text).collect();
        out.push(json!({"role": role, "content": texts.join("\n\n")}));
        Ok(())
    }

    /// A user's turn: tool results become messages of their own, before what the user says.
    fn user(&mut self, message: &Message, path: &str, out: &mut Vec<Value>) -> Result<()> {
        let mut said = Vec::new();
        for (at, block) in message.content.iter().enumerate() {
            match block {
                Block::ToolResult(result) => {
                    let carried = self.result(result, &format!("{path}.content[{at}]"), out)?;
                    said.extend(carried);
                }
                other => said.push(self.part(other, &format!("{path}.content[{at}]"))?),
            }
        }
        let said: Vec<Value> = said.into_iter().flatten().collect();
        // A turn that says nothing is still a turn; one of tool results alone became their messages.
        if !said.is_empty() || message.content.is_empty() {
            let content = if said.is_empty() { "".into() } else { plain(said) };
            out.push(self.named(message, "user", content));
        }
        Ok(())
    }

    /// A tool's answer. Pictures cannot stand in it: they go to the user's turn that follows.
    fn result(&mut self, result: &ToolResult, path: &str, out: &mut Vec<Value>) -> Result<Vec<Option<Value>>> {
        let mut texts = Vec::new();
        let mut carried = Vec::new();
        for (at, block) in result.content.iter().enumerate() {
            let part = self.part(block, &format!("{path}.content[{at}]"))?;
            if block.as_text().is_some() { texts.extend(part) } else { carried.push(part) }
        }
        if result.is_error {
            self.left_out("messages.is_error");
        }
        if !carried.is_empty() && texts.is_empty() {
            texts.push(json!({"type": "text", "text": "The result is in the user message that follows."}));
        }
        let content = if texts.is_empty() { "".into() } else { plain(texts) };
        out.push(json!({"role": "tool", "tool_call_id": fitting(&result.id, self.dialect), "content": content}));
        Ok(carried)
    }

    fn assistant(&mut self, message: &Message, path: &str) -> Result<Value> {
        let mut said = Vec::new();
        let mut calls = Vec::new();
        let mut out = Map::new();
        out.insert("role".into(), "assistant".into());
        let mut refusal = String::new();
        for (at, block) in message.content.iter().enumerate() {
            match block {
                Block::Thinking(thinking) => self.thinking(thinking, &mut out),
                Block::ToolCall(call) => calls.push(tool_call(call, self.dialect)),
                Block::Refusal { text } => refusal.push_str(text),
                Block::Unknown(unknown) if unknown.data.get("audio").is_some() => {
                    out.insert("audio".into(), unknown.data["audio"].clone());
                }
                other => said.extend(self.part(other, &format!("{path}.content[{at}]"))?),
            }
        }
        let content = match (said.is_empty(), calls.is_empty() && refusal.is_empty()) {
            (true, true) => "".into(),
            (true, false) => Value::Null,
            (false, _) => plain(said),
        };
        out.insert("content".into(), content);
        if !refusal.is_empty() {
            out.insert("refusal".into(), refusal.into());
        }
        if !calls.is_empty() {
            if let (Some(name), true) = (self.dialect.replay, self.dialect.replay_always) {
                out.entry(name).or_insert_with(|| "".into());
            }
            out.insert("tool_calls".into(), calls.into());
        }
        self.name(message, &mut out);
        self.rest(message, &mut out);
        Ok(Value::Object(out))
    }

    fn thinking(&mut self, thinking: &Thinking, out: &mut Map<String, Value>) {
        let Some(name) = self.dialect.replay else { return self.left_out("messages.thinking") };
        if name == "reasoning_details" {
            if let Some(details) = thinking.rest.get("reasoning_details") {
                out.insert(name.into(), details.clone());
            } else if let Some(details) = thinking.opaque.as_deref().and_then(details_of) {
                out.insert(name.into(), details);
            } else if let Some(text) = &thinking.text {
                if self.dialect.reasoning == ReasoningStyle::Object {
                    out.insert("reasoning".into(), text.as_str().into());
                } else {
                    out.insert(name.into(), json!([{"type": "reasoning.text", "text": text}]));
                }
            }
        } else if let Some(text) = &thinking.text {
            out.insert(name.into(), text.as_str().into());
        }
    }

    fn named(&mut self, message: &Message, role: &str, content: Value) -> Value {
        let mut out = Map::new();
        out.insert("role".into(), role.into());
        out.insert("content".into(), content);
        self.name(message, &mut out);
        self.rest(message, &mut out);
        Value::Object(out)
    }

    fn name(&mut self, message: &Message, out: &mut Map<String, Value>) {
        let Some(name) = &message.name else { return };
        if self.dialect.names {
            out.insert("name".into(), name.as_str().into());
        } else {
            self.left_out("messages.name");
        }
    }

    fn rest(&mut self, message: &Message, out: &mut Map<String, Value>) {
        if self.foreign {
            message.rest.keys().for_each(|name| self.left_out(&format!("messages.{name}")));
        } else {
            out.extend(message.rest.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }

    fn left_out(&mut self, param: &str) {
        let warning = left_out(param);
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn content(&mut self, blocks: &[&Block], path: &str) -> Result<Value> {
        let mut parts = Vec::with_capacity(blocks.len());
        for (at, block) in blocks.iter().enumerate() {
            parts.extend(self.part(block, &format!("{path}.content[{at}]"))?);
        }
        Ok(if parts.is_empty() { "".into() } else { plain(parts) })
    }

    /// One part; `None` if there is nothing to write.
    fn part(&mut self, block: &Block, path: &str) -> Result<Option<Value>> {
        let refuse = |what: &str| Err(Error::unsupported(path, format!("{path}: {what}")));
        Ok(Some(match block {
            Block::Text(text) => json!({"type": "text", "text": text.text}),
            Block::Refusal { text } => json!({"type": "refusal", "refusal": text}),
            Block::Image(media) => {
                let mut image = Map::new();
                image.insert("url".into(), location(media, "image/png", path)?.into());
                put(&mut image, "detail", media.detail.as_deref());
                image.extend(media.rest.iter().map(|(name, value)| (name.clone(), value.clone())));
                json!({"type": "image_url", "image_url": image})
            }
            Block::Video(media) => {
                json!({"type": "video_url", "video_url": {"url": location(media, "video/mp4", path)?}})
            }
            Block::Audio(media) => {
                let Source::Base64(data) = &media.source else {
                    return refuse("sound can only be sent as bytes (base64)");
                };
                json!({"type": "input_audio", "input_audio": {"data": data, "format": sound(media.mime.as_deref())}})
            }
            Block::File(media) => self.file(media, path)?,
            Block::Unknown(unknown) => match unknown.protocol {
                Some(Protocol::OpenAi) | None => unknown.data.clone(),
                Some(other) => return refuse(&format!("a block of the {other} protocol cannot be translated")),
            },
            Block::Thinking(_) => return Ok(None),
            Block::ToolCall(_) => return refuse("a tool call can only stand in an assistant message"),
            Block::ToolResult(_) => return refuse("a tool result can only stand in a user message"),
        }))
    }

    fn file(&mut self, media: &Media, path: &str) -> Result<Value> {
        if self.dialect.document_url {
            let url = location(media, "application/pdf", path)?;
            let mut part = Map::new();
            part.insert("type".into(), "document_url".into());
            part.insert("document_url".into(), url.into());
            put(&mut part, "document_name", media.filename.as_deref());
            return Ok(Value::Object(part));
        }
        Ok(match &media.source {
            Source::FileId(id) => json!({"type": "file", "file": {"file_id": id}}),
            Source::Base64(data) => {
                let mime = media.mime.as_deref().unwrap_or("application/pdf");
                let name = media.filename.as_deref().unwrap_or("document.pdf");
                json!({"type": "file", "file": {"filename": name, "file_data": format!("data:{mime};base64,{data}")}})
            }
            Source::Text(text) => json!({"type": "text", "text": text}),
            Source::Url(_) => {
                return Err(Error::unsupported(
                    path,
                    format!("{path}: the provider takes documents as bytes or file id, not by URL"),
                ));
            }
        })
    }
}

/// A single text stands as a string: every server reads that.
fn plain(mut parts: Vec<Value>) -> Value {
    match parts.as_mut_slice() {
        [Value::Object(part)] if part.len() == 2 && part.get("type").is_some_and(|kind| kind == "text") => {
            part.remove("text").unwrap_or_default()
        }
        _ => parts.into(),
    }
}

fn location(media: &Media, usual: &str, path: &str) -> Result<String> {
    match &media.source {
        Source::Url(url) => Ok(url.clone()),
        Source::Base64(data) => Ok(format!("data:{};base64,{data}", media.mime.as_deref().unwrap_or(usual))),
        Source::FileId(_) => Err(Error::unsupported(path, format!("{path}: a file id of another provider's store"))),
        Source::Text(_) => Err(Error::unsupported(path, format!("{path}: expected a URL or bytes, got text"))),
    }
}

fn sound(mime: Option<&str>) -> &str {
    match mime.and_then(|mime| mime.strip_prefix("audio/")) {
        Some("mpeg" | "mp3") => "mp3",
        Some("x-wav" | "wave" | "wav") | None => "wav",
        Some(other) => other,
    }
}

/// An id as the provider takes it. The same id always becomes the same other id.
fn fitting<'i>(id: &'i str, dialect: &Dialect) -> Cow<'i, str> {
    let Some(length) = dialect.id_length else { return id.into() };
    if id.len() == length && id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return id.into();
    }
    // FNV-1a, written in base 36: an id is unique within its conversation, more is not needed.
    let mut hash =
        id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let digits = (0..length).map(|_| {
        let digit = char::from_digit((hash % 36) as u32, 36).unwrap_or('0');
        hash /= 36;
        digit
    });
    digits.collect::<String>().into()
}

fn tool_call(call: &ToolCall, dialect: &Dialect) -> Value {
    let id = fitting(&call.id, dialect);
    match call.kind {
        CallKind::Function => {
            let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
            json!({"id": id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
        }
        CallKind::Custom => {
            json!({"id": id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}})
        }
    }
}

fn tools(
    req: &ChatRequest,
    dialect: &Dialect,
    out: &mut Map<String, Value>,
    warnings: &mut Vec<Warning>,
) -> Result<()> {
    let (list, choice) = limits::choose(req, dialect)?;
    if !list.is_empty() {
        out.insert("tools".into(), list.iter().copied().map(tool).collect());
    }
    if let Some(choice) = &choice {
        out.insert("tool_choice".into(), self::choice(choice, dialect));
    }
    match req.parallel_tool_calls {
        Some(yes) if !list.is_empty() => {
            out.insert("parallel_tool_calls".into(), yes.into());
        }
        // Without tools the API answers 400, and without tools it means nothing.
        Some(_) => warnings.push(Warning {
            param: "parallel_tool_calls".into(),
            message: "left out: it means nothing without tools".into(),
        }),
        None => {}
    }
    Ok(())
}

fn tool(tool: &Tool) -> Value {
    match &tool.kind {
        ToolKind::Function { parameters, strict } => {
            let mut function = Map::new();
            function.insert("name".into(), tool.name.as_str().into());
            put(&mut function, "description", tool.description.as_deref());
            put(&mut function, "parameters", parameters.clone());
            put(&mut function, "strict", *strict);
            json!({"type": "function", "function": function})
        }
        ToolKind::Custom { format } => {
            let mut custom = Map::new();
            custom.insert("name".into(), tool.name.as_str().into());
            put(&mut custom, "description", tool.description.as_deref());
            put(&mut custom, "format", format.clone());
            json!({"type": "custom", "custom": custom})
        }
        ToolKind::Provider { data, .. } => data.clone(),
    }
}

fn choice(choice: &ToolChoice, dialect: &Dialect) -> Value {
    match choice {
        ToolChoice::None => "none".into(),
        ToolChoice::Auto => "auto".into(),
        ToolChoice::Required => dialect.required.into(),
        ToolChoice::Tool { name, kind: CallKind::Function } => json!({"type": "function", "function": {"name": name}}),
        ToolChoice::Tool { name, kind: CallKind::Custom } => json!({"type": "custom", "custom": {"name": name}}),
        ToolChoice::Allowed { required, names } => {
            let tools: Vec<Value> =
                names.iter().map(|name| json!({"type": "function", "function": {"name": name}})).collect();
            let mode = if *required { "required" } else { "auto" };
            json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})
        }
    }
}

fn format(req: &ChatRequest, out: &mut Map<String, Value>) {
    let format = match &req.response_format {
        None => return,
        Some(ResponseFormat::Text) => json!({"type": "text"}),
        Some(ResponseFormat::Json) => json!({"type": "json_object"}),
        Some(ResponseFormat::Schema(schema)) => {
            let mut inner = Map::new();
            inner.insert("name".into(), schema.name.as_str().into());
            put(&mut inner, "description", schema.description.as_deref());
            inner.insert("schema".into(), schema.schema.clone());
            put(&mut inner, "strict", schema.strict);
            json!({"type": "json_schema", "json_schema": inner})
        }
    };
    out.insert("response_format".into(), format);
}

fn params(req: &ChatRequest, model: &str, dialect: &Dialect, out: &mut Map<String, Value>) {
    let params = &req.params;
    put(out, "temperature", params.temperature);
    put(out, "top_p", params.top_p);
    put(out, "top_k", params.top_k);
    let completion = dialect.completion_tokens.is_some_and(|like| like(model));
    put(out, if completion { "max_completion_tokens" } else { dialect.max_tokens }, params.max_tokens);
    match params.stop.as_slice() {
        [] => {}
        [one] => put(out, "stop", Some(one.as_str())),
        many => put(out, "stop", Some(json!(many))),
    }
    put(out, dialect.seed, params.seed);
    put(out, "presence_penalty", params.presence_penalty);
    put(out, "frequency_penalty", params.frequency_penalty);
    if !params.logit_bias.is_empty() {
        out.insert("logit_bias".into(), Value::Object(params.logit_bias.clone()));
    }
    put(out, "logprobs", params.logprobs);
    put(out, "top_logprobs", params.top_logprobs);
    put(out, "n", params.n);
}

fn put(out: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        out.insert(name.to_owned(), value.into());
    }
}

/// The list of a stream's hidden thoughts, as the reader of streams kept it.
fn details_of(opaque: &str) -> Option<Value> {
    serde_json::from_str(opaque).ok().filter(Value::is_array)
}
