//! A client of Gemini's `generateContent`.

use serde_json::{Value, json};

use super::super::talk::{END, LIMIT, PICTURE, Said, Talk, Turn, end, parameters, schema};

pub(super) fn body(talk: &Talk) -> Value {
    let content = |turn: &Turn| match turn {
        Turn::User(said) => json!({"role": "user", "parts": [{"text": said}]}),
        Turn::Picture(said) => {
            let data = json!({"mimeType": "image/png", "data": PICTURE});
            json!({"role": "user", "parts": [{"text": said}, {"inlineData": data}]})
        }
        Turn::Assistant(said) => json!({"role": "model", "parts": [{"text": said}]}),
        Turn::Echo(content) => content.clone(),
        Turn::Results(results) => {
            let result = |(id, name, said): &(String, String, &str)| {
                let mut result = json!({"name": name, "response": {"result": said}});
                if !id.is_empty() {
                    result["id"] = id.as_str().into();
                }
                json!({"functionResponse": result})
            };
            json!({"role": "user", "parts": results.iter().map(result).collect::<Vec<_>>()})
        }
    };
    let mut body = json!({"contents": talk.turns.iter().map(content).collect::<Vec<_>>()});
    if let Some(said) = talk.system {
        body["systemInstruction"] = json!({"parts": [{"text": said}]});
    }
    if !talk.tools.is_empty() {
        let tool = |name: &&str| json!({"name": name, "parametersJsonSchema": parameters()});
        body["tools"] = json!([{"functionDeclarations": talk.tools.iter().map(tool).collect::<Vec<_>>()}]);
    }
    let mut config = json!({});
    if talk.schema {
        config["responseMimeType"] = "application/json".into();
        config["responseJsonSchema"] = schema();
    }
    if talk.stop {
        config["stopSequences"] = json!([END]);
    }
    if talk.limit {
        config["maxOutputTokens"] = LIMIT.into();
    }
    if talk.effort {
        config["thinkingConfig"] = json!({"thinkingLevel": "medium", "includeThoughts": true});
    }
    if config != json!({}) {
        body["generationConfig"] = config;
    }
    body
}

pub(super) fn understood(answers: &[Value]) -> Said {
    let mut said = Said::default();
    let mut parts = Vec::new();
    for answer in answers {
        assert!(answer.get("error").is_none(), "{answer}");
        let candidate = &answer["candidates"][0];
        if let Some(reason) = candidate["finishReason"].as_str() {
            said.end = end(reason);
        }
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            if let Some(text) = part["text"].as_str() {
                let slot = if part["thought"] == true { &mut said.thought } else { &mut said.text };
                slot.push_str(text);
            } else if let Some(call) = part.get("functionCall") {
                let text = |name: &str| call[name].as_str().unwrap_or_default().to_owned();
                said.calls.push((text("id"), text("name"), call["args"].clone()));
            }
            parts.push(part.clone());
        }
    }
    if !said.calls.is_empty() && said.end == "stop" {
        said.end = "calls";
    }
    said.raw = json!({"role": "model", "parts": parts});
    said
}
