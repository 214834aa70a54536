//! `sabir providers`: which providers there are and what each can do.
//!
//! Invariant: everything comes from the registry, so that it cannot be out of date; of a key it says only whether there
//! is one.

use std::io::Write;

use anyhow::Result;
use sabir_engine::config::{ALIASES, OLD_MODELS, env::Env};
use sabir_providers::{Capabilities, CredentialScheme, Spec, all, find};
use sabir_types::{Protocol, Value};
use serde_json::json;

/// How to show the providers.
#[derive(Debug, Default, clap::Args)]
pub struct ProvidersArgs {
    /// As JSON.
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// As the page `docs/providers.md`, which says nothing about this machine.
    #[arg(long)]
    pub markdown: bool,
}

/// Writes all providers.
pub fn run(args: &ProvidersArgs, env: &Env, out: &mut dyn Write) -> Result<()> {
    let specs = all().iter().map(|provider| provider.spec());
    if args.json {
        let list: Vec<Value> = specs.map(|spec| object(spec, env)).collect();
        serde_json::to_writer_pretty(&mut *out, &list)?;
        writeln!(out)?;
    } else if args.markdown {
        markdown(&specs.collect::<Vec<_>>(), out)?;
    } else {
        table(specs.map(|spec| row(spec, env)), out)?;
    }
    Ok(())
}

/// A word for each ability that the specification has.
fn abilities(can: &Capabilities) -> Vec<&'static str> {
    switches(can).into_iter().filter(|(_, able)| *able).map(|(name, _)| name).collect()
}

fn switches(can: &Capabilities) -> [(&'static str, bool); 18] {
    [
        ("stream", can.stream),
        ("tools", can.tools),
        ("parallel_tool_calls", can.parallel_tool_calls),
        ("custom_tools", can.custom_tools),
        ("image", can.image),
        ("audio", can.audio),
        ("file", can.file),
        ("video", can.video),
        ("json", can.json),
        ("json_schema", can.json_schema),
        ("reasoning", can.reasoning),
        ("seed", can.seed),
        ("penalties", can.penalties),
        ("logit_bias", can.logit_bias),
        ("logprobs", can.logprobs),
        ("n", can.n),
        ("top_k", can.top_k),
        ("stop", can.stop),
    ]
}

fn operations(spec: &Spec) -> Vec<&'static str> {
    spec.can.operations.iter().map(|operation| operation.as_str()).collect()
}

fn aliases(spec: &Spec) -> Vec<&'static str> {
    ALIASES.iter().filter(|(_, id)| *id == spec.id).map(|(alias, _)| *alias).collect()
}

/// The variable that holds a key, if one does.
fn present(spec: &Spec, env: &Env) -> Option<&'static str> {
    spec.key_env.iter().copied().find(|name| env.get(name).is_some_and(|value| !value.trim().is_empty()))
}

fn object(spec: &Spec, env: &Env) -> Value {
    let abilities: serde_json::Map<_, _> =
        switches(&spec.can).into_iter().map(|(name, able)| (name.to_owned(), able.into())).collect();
    json!({
        "id": spec.id,
        "aliases": aliases(spec),
        "title": spec.title,
        "protocol": spec.protocol.as_str(),
        "base_url": spec.base_url,
        "operations": operations(spec),
        "abilities": abilities,
        "key": {
            "variables": spec.key_env,
            "required": spec.key_required,
            "present": present(spec, env).is_some(),
        },
        "shorthand": spec.shorthand,
        "docs": spec.docs,
    })
}

const HEAD: [&str; 8] = ["ID", "TITLE", "PROTOCOL", "OPERATIONS", "KEY VARIABLE", "KEY", "ABILITIES", "DOCUMENTATION"];

fn row(spec: &Spec, env: &Env) -> [String; 8] {
    let key = present(spec, env);
    let variable = key.or(spec.key_env.first().copied()).unwrap_or("-");
    [
        spec.id.to_owned(),
        spec.title.to_owned(),
        spec.protocol.to_string(),
        operations(spec).join(" "),
        variable.to_owned(),
        match (key, spec.key_required) {
            (Some(_), _) => "present".to_owned(),
            (None, true) => "missing".to_owned(),
            (None, false) => "not needed".to_owned(),
        },
        abilities(&spec.can).join(" "),
        spec.docs.to_owned(),
    ]
}

fn table(rows: impl Iterator<Item = [String; 8]>, out: &mut dyn Write) -> Result<()> {
    let rows: Vec<_> = std::iter::once(HEAD.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &rows {
        let line: String = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}  ")).collect();
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn address(spec: &Spec) -> String {
    let scheme = find(spec.id).map(|provider| provider.credentials());
    match spec.base_url {
        Some(base) => format!("`{base}`"),
        None if spec.protocol == Protocol::Dummy => "built in".to_owned(),
        None if scheme == Some(CredentialScheme::Aws) => "follows from `region`".to_owned(),
        None if scheme == Some(CredentialScheme::Google) => "follows from `location`".to_owned(),
        None => "none: set `api_base`".to_owned(),
    }
}

const INTRODUCTION: &str = "\
# Providers

<!-- Written by `sabir providers --markdown`; a test compares this page with the program. -->

`sabir providers` shows this list, and for each provider whether this machine has a key; `--json` is for programs.
`ID::MODEL` works as a model's name without configuration where the list says so; everything else is in `configuration.md`.
What a provider cannot do is refused by name, or left out with a warning where that does no harm.
";

/// What a test found out, and wrote down.
const SCENARIOS: &str = include_str!("providers_matrix.md");

const OLD_NAMES: &str = "
## Names of LMClient

LMClient's words for a provider are taken as they are; the models of its time are gone, and this is what serves now.
`wenxin/ERNIE-Bot` or `wenxin::ERNIE-Bot` as a model's name is the name in the last column, unless the configuration has a model of that name.
`openai` and `azure` are the same words here and there.
Its keys were of other makes too: one variable is enough today (`ZHIPU_API_KEY` still holds `id.secret`), and application ids, group ids and second secrets have no use any more.
A provider's list of models (`GET /v1/models` there) has the names of the day.

| LMClient | Model then | Now |
|---|---|---|
";

fn markdown(specs: &[&Spec], out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{INTRODUCTION}")?;
    writeln!(out, "| ID | Name | Protocol | Operations | Key | Address | `ID::MODEL` |")?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for spec in specs {
        let id = std::iter::once(spec.id).chain(aliases(spec)).map(|name| format!("`{name}`"));
        let key = match spec.key_env {
            [] => "none".to_owned(),
            names => {
                let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                names.join(" or ") + if spec.key_required { "" } else { ", not needed" }
            }
        };
        writeln!(
            out,
            "| {} | [{}]({}) | {} | {} | {key} | {} | {} |",
            id.collect::<Vec<_>>().join(", "),
            spec.title,
            spec.docs.trim_start_matches("docs/"),
            spec.protocol,
            operations(spec).join(", "),
            address(spec),
            if spec.shorthand { "yes" } else { "no" },
        )?;
    }
    writeln!(out, "\n## Abilities\n")?;
    let names = switches(&Capabilities::NONE).map(|(name, _)| format!("`{name}`"));
    writeln!(out, "| ID | {} |", names.join(" | "))?;
    writeln!(out, "|---|{}", "---|".repeat(names.len()))?;
    for spec in specs {
        let cells = switches(&spec.can).map(|(_, able)| if able { "yes" } else { "–" });
        writeln!(out, "| `{}` | {} |", spec.id, cells.join(" | "))?;
    }
    write!(out, "{SCENARIOS}{OLD_NAMES}")?;
    for old in OLD_MODELS {
        let models: Vec<_> = old.then.iter().map(|model| format!("`{model}`")).collect();
        writeln!(out, "| `{}` | {} | `{}` |", old.provider, models.join(", "), old.now)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "providers_command_tests.rs"]
mod tests;
