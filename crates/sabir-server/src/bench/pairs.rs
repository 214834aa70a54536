//! What translation costs: every door to every protocol of an upstream.
//!
//! Invariant: each door's rows stand beside the one that goes through untouched, measured in the same
//! rounds; the gateway keeps no ledger here, so that the difference is the translation alone.

use std::fs;

use anyhow::{Context, Result};

use super::{
    Options,
    load::Shot,
    mock,
    process::Process,
    report::Table,
    scenarios::{self, CHUNKS, CPU, Columns, FAILED, Folder, How, P50, READY, Target, by, column},
};

/// The protocols, by the name that the upstream has for it, and the provider's type.
const PROTOCOLS: [(&str, &str); 4] =
    [("openai", "openai"), ("responses", "openai"), ("anthropic", "anthropic"), ("gemini", "google_ai_studio_gemini")];

const COLUMNS: Columns = &[
    P50,
    (column("p50_ratio", "x untouched", 2), |it, untouched| by(it.p50, untouched.p50)),
    CPU,
    (column("cpu_ratio", "x untouched", 2), |it, untouched| by(it.cpu[0], untouched.cpu[0])),
    FAILED,
];

/// Measures all of them: a table for each door, whole and streamed.
pub(super) async fn measure(options: &Options, folder: &Folder, tables: &mut Vec<Table>) -> Result<()> {
    let mut upstreams = Vec::new();
    for (protocol, _) in PROTOCOLS {
        let args = ["bench", "mock", "--port", "0", "--protocol", protocol, "--chunks", &CHUNKS.to_string()];
        upstreams.push(Process::start(&args, mock::READY, &folder.sub(&format!("pairs-{protocol}"))?)?);
    }
    let home = folder.sub("pairs")?;
    let config = home.join("sabir.toml");
    fs::write(&config, configuration(&upstreams))
        .with_context(|| format!("{} could not be written", config.display()))?;
    let gateway = Process::start(&["serve", "--config", "sabir.toml", "--bind", "127.0.0.1:0"], READY, &home)?;
    let host = gateway.address.to_string();
    for stream in [false, true] {
        let how = How::One(if stream { (options.requests / 10).max(1) } else { options.requests });
        for (door, _) in PROTOCOLS {
            let mut targets: Vec<_> = PROTOCOLS
                .iter()
                .zip(&upstreams)
                .map(|((to, _), upstream)| Target {
                    name: if *to == door { format!("{door}, untouched") } else { format!("{door} to {to}") },
                    address: gateway.address,
                    shot: shot(&host, door, to, stream),
                    gateway: Some(gateway.pid()),
                    upstream: upstream.pid(),
                })
                .collect();
            // The untouched one first: the others are compared with it.
            targets.sort_by_key(|target| !target.name.ends_with("untouched"));
            let kind = if stream { format!("streams of {CHUNKS} chunks") } else { "whole answers".to_owned() };
            let key = format!("pairs_{door}{}", if stream { "_stream" } else { "" });
            let title = format!("The door of `{door}` to each protocol, {kind}");
            tables.push(scenarios::table(&key, title, &targets, how, options.rounds, COLUMNS).await?);
        }
    }
    Ok(())
}

/// A model for each upstream, named after its protocol.
fn configuration(upstreams: &[Process]) -> String {
    let mut text = String::from("[gateway]\nobservability.durability = \"off\"\n");
    for ((protocol, kind), upstream) in PROTOCOLS.iter().zip(upstreams) {
        let version = if *protocol == "gemini" { "v1beta" } else { "v1" };
        let more = if *protocol == "responses" { "api_type = \"responses\"\n" } else { "" };
        text.push_str(&format!(
            "\n[models.{protocol}]\nrouting = [\"up\"]\n\n[models.{protocol}.providers.up]\ntype = \"{kind}\"\n{more}\
             model_name = \"bench\"\napi_base = \"http://{}/{version}\"\napi_key_location = \"none\"\n",
            upstream.address
        ));
    }
    text
}

/// A call at a door, in its words.
fn shot(host: &str, door: &str, model: &str, stream: bool) -> Shot {
    let text = "Tell me, in a few sentences, what a harbour town sounds like before dawn.";
    let streamed = if stream { r#","stream":true"# } else { "" };
    let events = stream.then_some(CHUNKS);
    match door {
        "responses" => {
            let json = format!(r#"{{"model":"{model}","input":"{text}","max_output_tokens":256{streamed}}}"#);
            Shot::new(host, "/v1/responses", &json, events)
        }
        "gemini" => {
            let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            let json = format!(
                r#"{{"contents":[{{"role":"user","parts":[{{"text":"{text}"}}]}}],"generationConfig":{{"maxOutputTokens":256}}}}"#
            );
            let shot = Shot::new(host, &format!("/v1beta/models/{model}:{method}"), &json, events);
            Shot { marked: false, ..shot }
        }
        door => {
            let path = if door == "anthropic" { "/v1/messages" } else { "/v1/chat/completions" };
            let json = format!(
                r#"{{"model":"{model}","max_tokens":256,"messages":[{{"role":"user","content":"{text}"}}]{streamed}}}"#
            );
            Shot::new(host, path, &json, events)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_door_has_its_words() {
        for (door, _) in PROTOCOLS {
            for stream in [false, true] {
                let shot = shot("x", door, "m", stream);
                let text = std::str::from_utf8(&shot.request).unwrap();
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                let body: serde_json::Value = serde_json::from_str(body).unwrap();
                assert_eq!(body.get("model").is_some(), door != "gemini", "{door}");
                assert_eq!(head.contains("stream") || body.get("stream").is_some(), stream, "{door}");
                assert_eq!(shot.events.is_some(), stream);
            }
        }
    }
}
