//! A stored inference, as the listings give it.
//!
//! Invariant: what was kept in another protocol's words is written in this one's.

use sabir_types::{Block, ChatRequest, Map, Media, ResponseFormat, Role, Source, ToolChoice, ToolKind, Value};
use serde_json::json;

use super::render::thought;

/// The input: system and messages.
pub fn input(request: &ChatRequest) -> Value {
    let mut out = Map::new();
    let system: Vec<&str> = request.system.iter().filter_map(Block::as_text).collect();
    if !system.is_empty() {
        out.insert("system".into(), system.join("\n").into());
    }
    let messages: Vec<Value> = request
        .messages
        .iter()
        .map(|message| {
            let role = if message.role == Role::Assistant { "assistant" } else { "user" };
            let content: Vec<Value> = message.content.iter().map(block).collect();
            json!({"role": role, "content": content})
        })
        .collect();
    out.insert("messages".into(), messages.into());
    Value::Object(out)
}

fn block(block: &Block) -> Value {
    match block {
        Block::Text(text) => json!({"type": "text", "text": text.text}),
        Block::Refusal { text } => json!({"type": "text", "text": text}),
        Block::Thinking(thinking) => thought(thinking),
        Block::ToolCall(call) => {
            json!({"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments})
        }
        Block::ToolResult(result) => {
            let text: Vec<&str> = result.content.iter().filter_map(Block::as_text).collect();
            let name = result.name.as_deref().unwrap_or_default();
            json!({"type": "tool_result", "id": result.id, "name": name, "result": text.join("\n")})
        }
        Block::Image(media) | Block::Audio(media) | Block::Video(media) | Block::File(media) => file(media),
        Block::Unknown(unknown) => json!({
            "type": "unknown", "data": unknown.data, "model_name": unknown.model, "provider_name": unknown.provider,
        }),
    }
}

fn file(media: &Media) -> Value {
    let mut out = Map::new();
    out.insert("type".into(), "file".into());
    let mut put = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            out.insert(name.into(), value.into());
        }
    };
    match &media.source {
        Source::Url(url) => {
            put("file_type", Some("url"));
            put("url", Some(url));
        }
        Source::Base64(data) | Source::Text(data) => {
            put("file_type", Some("base64"));
            put("data", Some(data));
        }
        Source::FileId(id) => {
            put("file_type", Some("url"));
            put("url", Some(id));
        }
    }
    put("mime_type", media.mime.as_deref());
    put("detail", media.detail.as_deref());
    put("filename", media.filename.as_deref());
    Value::Object(out)
}

/// The parameters: `inference_params`.
pub fn params(request: &ChatRequest) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            out.insert(name.into(), value);
        }
    };
    let params = &request.params;
    put("temperature", json!(params.temperature));
    put("max_tokens", json!(params.max_tokens));
    put("seed", json!(params.seed));
    put("top_p", json!(params.top_p));
    put("presence_penalty", json!(params.presence_penalty));
    put("frequency_penalty", json!(params.frequency_penalty));
    put("stop_sequences", if params.stop.is_empty() { Value::Null } else { json!(params.stop) });
    put("service_tier", json!(request.service_tier));
    put("verbosity", json!(request.verbosity));
    if let Some(reasoning) = &request.reasoning {
        put("reasoning_effort", json!(reasoning.effort));
        put("thinking_budget_tokens", json!(reasoning.budget_tokens));
    }
    put(
        "json_mode",
        match &request.response_format {
            Some(ResponseFormat::Json) => "on".into(),
            Some(ResponseFormat::Schema(_)) => "strict".into(),
            _ => Value::Null,
        },
    );
    json!({"chat_completion": out})
}

/// The tools that were offered: `additional_tools`.
pub fn tools(request: &ChatRequest) -> Value {
    request
        .tools
        .iter()
        .filter_map(|tool| match &tool.kind {
            ToolKind::Function { parameters, strict } => Some(json!({
                "type": "function",
                "name": tool.name,
                "description": tool.description.as_deref().unwrap_or_default(),
                "parameters": parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}})),
                "strict": strict.unwrap_or(false),
            })),
            ToolKind::Custom { format } => {
                let mut out = json!({"type": "openai_custom", "name": tool.name, "description": tool.description});
                if let Some(format) = format {
                    out["format"] = format.clone();
                }
                Some(out)
            }
            ToolKind::Provider { .. } => None,
        })
        .collect()
}

/// Which of them had to be called: `tool_choice`; null if nothing was said.
pub fn tool_choice(request: &ChatRequest) -> Value {
    match &request.tool_choice {
        None => Value::Null,
        Some(ToolChoice::None) => "none".into(),
        Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => "auto".into(),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => "required".into(),
        Some(ToolChoice::Tool { name, .. }) => json!({"specific": name}),
    }
}
