//! What a request asks for, held against what a provider can do.
//!
//! Invariant: what is missing is an error that names it, or, where leaving it out does no harm, a
//! warning that names it; never silence.

use std::borrow::Cow;

use sabir_providers::Spec;
use sabir_types::{
    Block, ChatRequest, Error, Protocol, Request, ResponseFormat, Result, Tool, ToolChoice, ToolKind, Warning,
};

use crate::free_text;

/// The request as this provider can take it in this protocol. `strict` turns every warning into an error.
pub(crate) fn fit<'r>(
    req: &'r Request,
    spec: &Spec,
    protocol: Protocol,
    strict: bool,
    warnings: &mut Vec<Warning>,
) -> Result<Cow<'r, Request>> {
    let operation = req.operation();
    if !spec.can.operations.contains(&operation) {
        return Err(Error::unsupported("model", format!("provider `{}` has no {}", spec.id, operation.as_str())));
    }
    let Request::Chat(chat) = req else { return Ok(Cow::Borrowed(req)) };
    needs(chat, spec, protocol)?;
    let lacking = lacking(chat, spec);
    let foreign: Vec<_> = chat.tools.iter().filter(|tool| is_foreign(tool, protocol)).collect();
    let wraps = free_text::wraps(chat, spec);
    if lacking.is_empty() && foreign.is_empty() && !wraps {
        return Ok(Cow::Borrowed(req));
    }
    if strict && (!lacking.is_empty() || !foreign.is_empty()) {
        let names: Vec<_> = lacking
            .iter()
            .map(|l| format!("`{}`", l.param))
            .chain(foreign.iter().map(|tool| format!("tool `{}`", tool.name)))
            .collect();
        return Err(Error::unsupported(
            lacking.first().map_or("tools", |l| l.param),
            format!("provider `{}` has no {}", spec.id, names.join(", ")),
        ));
    }
    // A tool that a server would run is an offer: the model answers without it.
    warnings.extend(foreign.iter().map(|tool| Warning {
        param: "tools".to_owned(),
        message: format!("left out: provider `{}` cannot run the tool `{}` of another one", spec.id, tool.name),
    }));
    let mut fitted = chat.clone();
    fitted.tools.retain(|tool| !is_foreign(tool, protocol));
    if wraps {
        free_text::wrap(&mut fitted);
    }
    for Lacking { param, clear } in lacking {
        clear(&mut fitted);
        warnings.push(Warning {
            param: param.to_owned(),
            message: format!("left out: provider `{}` has no such parameter", spec.id),
        });
    }
    Ok(Cow::Owned(Request::Chat(fitted)))
}

/// What cannot be left out without changing what the caller would get.
fn needs(chat: &ChatRequest, spec: &Spec, protocol: Protocol) -> Result<()> {
    let can = &spec.can;
    let refuse = |param: &str, what: &str| {
        Err(Error::unsupported(param, format!("provider `{}` cannot do this: {what}", spec.id)))
    };
    if chat.stream && !can.stream {
        return refuse("stream", "streaming");
    }
    if !chat.tools.is_empty() && !can.tools {
        return refuse("tools", "tools");
    }
    if let Some(tool) = chat.tools.iter().find(|tool| is_foreign(tool, protocol))
        && (must_call(chat) || chat.tools.iter().all(|tool| is_foreign(tool, protocol)))
    {
        return refuse("tools", &format!("the provider tool `{}` of another protocol", tool.name));
    }
    match &chat.response_format {
        Some(ResponseFormat::Json) if !can.json => return refuse("response_format", "JSON mode"),
        Some(ResponseFormat::Schema(_)) if !can.json_schema => {
            return refuse("response_format", "JSON after a schema");
        }
        _ => {}
    }
    if chat.params.n.is_some_and(|n| n > 1) && !can.n {
        return refuse("n", "several answers to one request");
    }
    if !chat.params.stop.is_empty() && !can.stop {
        return refuse("stop", "stop texts");
    }
    if chat.params.logprobs == Some(true) && !can.logprobs {
        return refuse("logprobs", "log probabilities");
    }
    for (at, message) in chat.messages.iter().enumerate() {
        for block in &message.content {
            let missing = match block {
                Block::Image(_) => !can.image,
                Block::Audio(_) => !can.audio,
                Block::Video(_) => !can.video,
                Block::File(_) => !can.file,
                _ => false,
            };
            if missing {
                return refuse(&format!("messages[{at}].content"), &format!("{} input", block.kind()));
            }
        }
    }
    Ok(())
}

/// Whether a tool is run by a provider of another protocol.
fn is_foreign(tool: &Tool, protocol: Protocol) -> bool {
    matches!(&tool.kind, ToolKind::Provider { protocol: written, .. } if *written != protocol)
}

/// Whether the caller says which tool is to be called, or that one has to be.
fn must_call(chat: &ChatRequest) -> bool {
    matches!(
        chat.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Tool { .. } | ToolChoice::Allowed { required: true, .. })
    )
}

struct Lacking {
    param: &'static str,
    clear: fn(&mut ChatRequest),
}

/// What can be left out: hints about sampling and effort that not every model has.
fn lacking(chat: &ChatRequest, spec: &Spec) -> Vec<Lacking> {
    let (can, params) = (&spec.can, &chat.params);
    let mut all = Vec::new();
    let mut check = |asked: bool, able: bool, param: &'static str, clear: fn(&mut ChatRequest)| {
        if asked && !able {
            all.push(Lacking { param, clear });
        }
    };
    check(params.seed.is_some(), can.seed, "seed", |c| c.params.seed = None);
    check(params.presence_penalty.is_some(), can.penalties, "presence_penalty", |c| c.params.presence_penalty = None);
    check(params.frequency_penalty.is_some(), can.penalties, "frequency_penalty", |c| {
        c.params.frequency_penalty = None
    });
    check(!params.logit_bias.is_empty(), can.logit_bias, "logit_bias", |c| c.params.logit_bias.clear());
    check(params.logprobs == Some(false), can.logprobs, "logprobs", |c| c.params.logprobs = None);
    check(params.top_logprobs.is_some(), can.logprobs, "top_logprobs", |c| c.params.top_logprobs = None);
    check(params.top_k.is_some(), can.top_k, "top_k", |c| c.params.top_k = None);
    check(chat.reasoning.is_some(), can.reasoning, "reasoning_effort", |c| c.reasoning = None);
    check(chat.parallel_tool_calls.is_some(), can.parallel_tool_calls, "parallel_tool_calls", |c| {
        c.parallel_tool_calls = None;
    });
    all
}

#[cfg(test)]
mod tests {
    use sabir_providers::Capabilities;
    use sabir_types::{Media, Message, Operation, Params, Role, Source};

    use super::*;

    const SPEC: Spec = Spec {
        id: "acme",
        title: "Acme",
        protocol: Protocol::OpenAi,
        base_url: None,
        key_env: &[],
        key_required: false,
        shorthand: false,
        can: Capabilities { operations: &[Operation::Chat], ..Capabilities::NONE },
        docs: "",
    };

    fn chat(change: impl FnOnce(&mut ChatRequest)) -> Request {
        let mut chat = ChatRequest { messages: vec![Message::user("hi")], ..ChatRequest::default() };
        change(&mut chat);
        Request::Chat(Box::new(chat))
    }

    #[test]
    fn harmless_things_are_left_out_with_a_warning() {
        let req = chat(|c| c.params = Params { seed: Some(1), top_k: Some(2), ..Params::default() });
        let mut warnings = Vec::new();
        let fitted = fit(&req, &SPEC, Protocol::OpenAi, false, &mut warnings).unwrap();
        let Request::Chat(fitted) = &*fitted else { unreachable!() };
        assert_eq!((fitted.params.seed, fitted.params.top_k), (None, None));
        assert_eq!(warnings.iter().map(|w| w.param.as_str()).collect::<Vec<_>>(), ["seed", "top_k"]);
        let error = fit(&req, &SPEC, Protocol::OpenAi, true, &mut Vec::new()).unwrap_err();
        assert_eq!(error.message(), "provider `acme` has no `seed`, `top_k`");
    }

    #[test]
    fn what_matters_is_refused_by_name() {
        let image = Block::Image(Media::new(Source::Url("http://x/y.png".into()), None));
        let req = chat(|c| c.messages.push(Message::new(Role::User, vec![image])));
        let error = fit(&req, &SPEC, Protocol::OpenAi, false, &mut Vec::new()).unwrap_err();
        assert_eq!(error.param(), Some("messages[1].content"));
        assert_eq!(error.message(), "provider `acme` cannot do this: image input");
        let error = fit(&chat(|c| c.params.n = Some(2)), &SPEC, Protocol::OpenAi, false, &mut Vec::new()).unwrap_err();
        assert_eq!(error.param(), Some("n"));
    }
}
