//! What a provider takes only within limits.
//!
//! Invariant: what means the same within the limits is said so; what does not is an error that names it; a number
//! that is moved leaves a warning.

use std::borrow::Cow;

use memchr::memmem;
use sabir_types::{CallKind, ChatRequest, Error, Map, Result, Tool, ToolChoice, Value, Warning};
use serde::Deserialize;

use super::{Choices, Dialect};

/// The tools to send, and how the model may choose among them.
pub(super) fn choose<'r>(
    req: &'r ChatRequest,
    dialect: &Dialect,
) -> Result<(Vec<&'r Tool>, Option<Cow<'r, ToolChoice>>)> {
    let can = dialect.choices;
    let all = || req.tools.iter().collect::<Vec<_>>();
    let Some(choice) = &req.tool_choice else { return Ok((all(), None)) };
    let refuse = |what: &str| {
        Err(Error::unsupported("tool_choice", format!("tool_choice: the provider cannot {what}: it knows `auto` only")))
    };
    Ok(match choice {
        ToolChoice::None if !can.none => (Vec::new(), None),
        ToolChoice::Required if !can.required => match req.tools.as_slice() {
            // To need one of one is to need that one.
            [only] if can.named => {
                let choice = ToolChoice::Tool { name: only.name.clone(), kind: CallKind::Function };
                (vec![only], Some(Cow::Owned(choice)))
            }
            _ => return refuse("be made to call a tool"),
        },
        ToolChoice::Tool { name, .. } if !can.named => {
            if !can.required {
                return refuse("be made to call a tool");
            }
            (named(req, std::slice::from_ref(name))?, Some(Cow::Owned(ToolChoice::Required)))
        }
        ToolChoice::Allowed { required, names } if !can.allowed => {
            if *required && !can.required {
                return refuse("be made to call a tool");
            }
            let choice = if *required { ToolChoice::Required } else { ToolChoice::Auto };
            (named(req, names)?, Some(Cow::Owned(choice)))
        }
        other => (all(), Some(Cow::Borrowed(other))),
    })
}

fn named<'r>(req: &'r ChatRequest, names: &[String]) -> Result<Vec<&'r Tool>> {
    if let Some(name) = names.iter().find(|name| !req.tools.iter().any(|tool| tool.name == **name)) {
        return Err(
            Error::bad_request(format!("tool_choice: there is no tool `{name}` in `tools`")).with_param("tool_choice")
        );
    }
    Ok(req.tools.iter().filter(|tool| names.contains(&tool.name)).collect())
}

/// Moves numbers into their ranges, and counts the stop texts.
pub(super) fn limit(
    req: &ChatRequest,
    dialect: &Dialect,
    out: &mut Map<String, Value>,
    warnings: &mut Vec<Warning>,
) -> Result<()> {
    for (name, asked, range) in
        [("temperature", req.params.temperature, dialect.temperature), ("top_p", req.params.top_p, dialect.top_p)]
    {
        let (Some(asked), Some((least, most))) = (asked, range) else { continue };
        let taken = asked.clamp(least, most);
        if taken != asked {
            out.insert(name.into(), taken.into());
            let message = format!("{taken} in place of {asked}: the provider takes {least} to {most}");
            warnings.push(Warning { param: name.into(), message });
        }
    }
    match dialect.max_stops {
        Some(most) if req.params.stop.len() > most => {
            Err(Error::unsupported("stop", format!("stop: the provider takes no more than {most}")))
        }
        // Who limits their number wants a list.
        Some(_) if !req.params.stop.is_empty() => {
            out.insert("stop".into(), req.params.stop.iter().map(String::as_str).collect());
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Joins successive turns of one speaker.
pub(super) fn alternating(messages: Vec<Value>) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::with_capacity(messages.len());
    for message in messages {
        if let Some(last) = out.last_mut().filter(|last| joins(last, &message)) {
            let (first, second) = (last["content"].take(), content(message));
            last["content"] = join(first, second);
        } else {
            out.push(message);
        }
    }
    out
}

/// Whether two messages are the same speaker's and hold nothing but what they say.
fn joins(first: &Value, second: &Value) -> bool {
    let plain = |message: &Value| {
        message
            .as_object()
            .is_some_and(|members| members.keys().all(|name| matches!(name.as_str(), "role" | "content")))
            && !message["content"].is_null()
    };
    first["role"] == second["role"]
        && (first["role"] == "user" || first["role"] == "assistant")
        && plain(first)
        && plain(second)
}

fn content(mut message: Value) -> Value {
    message["content"].take()
}

fn join(first: Value, second: Value) -> Value {
    match (first, second) {
        (Value::String(first), Value::String(second)) => format!("{first}\n\n{second}").into(),
        (first, second) => parts(first).into_iter().chain(parts(second)).collect(),
    }
}

fn parts(content: Value) -> Vec<Value> {
    match content {
        Value::Array(parts) => parts,
        text => vec![serde_json::json!({"type": "text", "text": text})],
    }
}

/// What has to be seen of a body to know whether it keeps within the limits.
#[derive(Deserialize)]
struct Seen<'a> {
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    top_p: Option<f64>,
    #[serde(default)]
    tool_choice: Option<Value>,
    #[serde(default)]
    stop: Option<Value>,
    #[serde(borrow, default)]
    messages: Vec<SeenMessage<'a>>,
}

#[derive(Deserialize)]
struct SeenMessage<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
}

/// Whether a chat body can go to the provider as it is, as far as limits are concerned.
pub fn fits(body: &[u8], dialect: &Dialect) -> bool {
    if !has_limits(dialect) {
        return true;
    }
    // A body that cannot be read is translated: then the error says why.
    let Ok(seen) = serde_json::from_slice::<Seen<'_>>(body) else { return false };
    let within = |number: Option<f64>, range: Option<(f64, f64)>| match (number, range) {
        (Some(number), Some((least, most))) => (least..=most).contains(&number),
        _ => true,
    };
    let speakers: Vec<&str> = seen.messages.iter().map(|message| &*message.role).collect();
    let alternates = speakers.windows(2).all(|pair| pair[0] != pair[1] || !matches!(pair[0], "user" | "assistant"));
    within(seen.temperature, dialect.temperature)
        && within(seen.top_p, dialect.top_p)
        && seen.tool_choice.as_ref().is_none_or(|choice| knows(choice, dialect.choices))
        && seen.stop.as_ref().is_none_or(|stop| dialect.max_stops.is_none() || stop.is_null() || stop.is_array())
        && (alternates || !dialect.alternate)
        && dialect.always.iter().all(|(name, _)| memmem::find(body, name.as_bytes()).is_some())
}

fn has_limits(dialect: &Dialect) -> bool {
    dialect.temperature.is_some()
        || dialect.top_p.is_some()
        || dialect.max_stops.is_some()
        || dialect.alternate
        || dialect.choices != Choices::ALL
        || !dialect.always.is_empty()
}

fn knows(choice: &Value, can: Choices) -> bool {
    match choice {
        Value::Null => true,
        Value::String(word) => match word.as_str() {
            "none" => can.none,
            "required" => can.required,
            _ => true,
        },
        other if other["type"] == "allowed_tools" => can.allowed,
        _ => can.named,
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
