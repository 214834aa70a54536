//! `generationConfig`: sampling, length, the form of the answer, thinking.
//!
//! Invariant: absent stays absent, so that the provider's defaults hold.

use sabir_types::{AudioOut, ChatRequest, Error, Map, Params, Reasoning, ResponseFormat, Result, Value, Warning};
use serde_json::json;

use super::{super::model::Model, super::schema, warn};

/// The most stop texts that the wire takes.
const STOPS: usize = 5;

pub(super) fn generation(req: &ChatRequest, model: Model, warnings: &mut Vec<Warning>) -> Result<Map<String, Value>> {
    let mut out = Map::new();
    sampling(&req.params, &mut out)?;
    match &req.response_format {
        // Text is what comes unasked.
        None | Some(ResponseFormat::Text) => {}
        Some(ResponseFormat::Json) => {
            out.insert("responseMimeType".into(), Value::from("application/json"));
        }
        Some(ResponseFormat::Schema(wanted)) => {
            out.insert("responseMimeType".into(), Value::from("application/json"));
            let mut wanted_schema = wanted.schema.clone();
            if let (Some(text), Value::Object(map)) = (&wanted.description, &mut wanted_schema) {
                map.entry("description").or_insert_with(|| Value::from(text.as_str()));
            }
            match schema::to_wire(&wanted_schema) {
                Some(subset) => out.insert("responseSchema".into(), subset),
                None => out.insert("responseJsonSchema".into(), wanted_schema),
            };
        }
    }
    if let Some(reasoning) = &req.reasoning {
        let thinking = thinking(reasoning, model, warnings);
        if !thinking.is_empty() {
            out.insert("thinkingConfig".into(), Value::Object(thinking));
        }
    }
    if !req.modalities.is_empty() {
        let words: Vec<_> = req.modalities.iter().map(|word| word.to_ascii_uppercase()).collect();
        out.insert("responseModalities".into(), Value::from(words));
    }
    if let Some(audio) = &req.audio {
        out.insert("speechConfig".into(), speech(audio)?);
    }
    Ok(out)
}

fn sampling(params: &Params, out: &mut Map<String, Value>) -> Result<()> {
    if !params.logit_bias.is_empty() {
        return Err(Error::unsupported("logit_bias", "gemini takes no `logit_bias`"));
    }
    if params.stop.len() > STOPS {
        let message = format!("{} stop texts: gemini takes no more than {STOPS}", params.stop.len());
        return Err(Error::unsupported("stop", message));
    }
    let seed = match params.seed {
        None => None,
        Some(seed) => Some(
            i32::try_from(seed)
                .map_err(|_| Error::unsupported("seed", format!("seed {seed}: gemini's have 32 bits")))?,
        ),
    };
    let stop = (!params.stop.is_empty()).then(|| Value::from(params.stop.clone()));
    for (name, value) in [
        ("temperature", params.temperature.map(Value::from)),
        ("topP", params.top_p.map(Value::from)),
        ("topK", params.top_k.map(Value::from)),
        ("maxOutputTokens", params.max_tokens.map(Value::from)),
        ("stopSequences", stop),
        ("seed", seed.map(Value::from)),
        ("presencePenalty", params.presence_penalty.map(Value::from)),
        ("frequencyPenalty", params.frequency_penalty.map(Value::from)),
        ("candidateCount", params.n.map(Value::from)),
        ("responseLogprobs", params.logprobs.map(Value::from)),
        ("logprobs", params.top_logprobs.map(Value::from)),
    ] {
        if let Some(value) = value {
            out.insert(name.into(), value);
        }
    }
    Ok(())
}

/// How much to think. The wire takes a level or a budget, never both.
fn thinking(reasoning: &Reasoning, model: Model, warnings: &mut Vec<Warning>) -> Map<String, Value> {
    let mut out = Map::new();
    match (reasoning.effort, reasoning.budget_tokens) {
        (Some(effort), budget) if model.takes_level() => {
            let (level, exact) = model.level(effort);
            out.insert("thinkingLevel".into(), Value::from(level));
            if !exact {
                let message = format!("effort `{}` became thinking level `{level}`", effort.as_str());
                warn(warnings, "reasoning_effort", &message);
            }
            if budget.is_some() {
                warn(warnings, "reasoning.budget_tokens", "gemini takes an effort or a budget: the effort counts");
            }
        }
        (effort, Some(budget)) => {
            out.insert("thinkingBudget".into(), Value::from(budget));
            if effort.is_some() {
                warn(warnings, "reasoning_effort", "gemini takes an effort or a budget: the budget counts");
            }
        }
        (Some(effort), None) => {
            let (budget, exact) = model.budget(effort);
            out.insert("thinkingBudget".into(), Value::from(budget));
            if !exact {
                let message = format!("effort `{}` became a budget of {budget} tokens", effort.as_str());
                warn(warnings, "reasoning_effort", &message);
            }
        }
        (None, None) if reasoning.adaptive && !model.takes_level() => {
            out.insert("thinkingBudget".into(), Value::from(-1));
        }
        (None, None) => {}
    }
    if let Some(summary) = &reasoning.summary {
        out.insert("includeThoughts".into(), Value::from(summary != "omitted"));
    }
    out
}

/// The voice. The sound always comes as raw 16-bit samples.
fn speech(audio: &AudioOut) -> Result<Value> {
    if audio.format != "pcm16" {
        return Err(Error::unsupported("audio.format", format!("`{}`: gemini speaks `pcm16` only", audio.format)));
    }
    Ok(match &audio.voice {
        Value::String(name) => json!({"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": name}}}),
        object => object.clone(),
    })
}
