//! `sabir ledger show`: one inference, readable.

use std::io::{self, Write};

use anyhow::{Result, bail};
use sabir_engine::history;
use sabir_store::{FeedbackKind, FeedbackRow, InferenceQuery, Ledger, ModelCallRow, Record, TargetKind};
use sabir_types::{
    Block, ChatRequest, ChatResponse, EmbedInput, ErrorKind, Request, Response, Role, Thinking, Usage, Uuid, Vector,
};

use super::{ShowArgs, list, media, newest, text};

/// How much of a raw body is shown unless all of it is asked for.
const SHORT: usize = 1_000;
/// How many inferences before an id are looked through for it.
const NEAR: usize = 5_000;

/// Runs the command.
pub(super) async fn run(args: &ShowArgs, ledger: &dyn Ledger, out: &mut dyn Write) -> Result<()> {
    let id = args.id;
    let query =
        InferenceQuery { ids: Some(vec![id]), include_failed: true, include_hidden: true, ..InferenceQuery::default() };
    if let Some(record) = ledger.inferences(query).await?.first() {
        return Ok(inference(record, &feedback(ledger, record).await?, args.raw, out)?);
    }
    if ledger.exists(TargetKind::Episode, id).await? {
        return episode(id, ledger, out).await;
    }
    match part_of(id, ledger).await? {
        Some((what, target)) => {
            writeln!(out, "{id} is {what}: `sabir ledger show {target}` shows it")?;
            Ok(())
        }
        None => bail!(
            "the ledger holds no inference and no episode {id}, and none of the {NEAR} inferences before it has a \
             model call or feedback of that id"
        ),
    }
}

async fn feedback(ledger: &dyn Ledger, record: &Record) -> Result<Vec<FeedbackRow>> {
    Ok(ledger.feedback(vec![record.inference.id, record.inference.episode_id]).await?)
}

async fn episode(id: Uuid, ledger: &dyn Ledger, out: &mut dyn Write) -> Result<()> {
    let query = InferenceQuery { episode_id: Some(id), include_hidden: true, ..InferenceQuery::default() };
    let mut records = Vec::new();
    newest(ledger, query, |record| {
        records.push(list::strip(record));
        true
    })
    .await?;
    writeln!(out, "episode {id}: {} inference(s), newest first", records.len())?;
    list::table(&records, out)?;
    opinions(&ledger.feedback(vec![id]).await?, out)?;
    Ok(())
}

/// What the id belongs to, if it is that of a model call or of feedback: both are made after their inference.
async fn part_of(id: Uuid, ledger: &dyn Ledger) -> Result<Option<(String, Uuid)>> {
    let mut call = None;
    let mut targets = Vec::new();
    let mut seen = 0;
    let query = InferenceQuery { before: Some(id), include_hidden: true, ..InferenceQuery::default() };
    newest(ledger, query, |record| {
        let inference = record.inference.id;
        if record.calls.iter().any(|row| row.id == id) {
            call = Some(("a model call of an inference".to_owned(), inference));
        }
        targets.extend([inference, record.inference.episode_id]);
        seen += 1;
        call.is_none() && seen < NEAR
    })
    .await?;
    if call.is_some() {
        return Ok(call);
    }
    targets.sort_unstable();
    targets.dedup();
    let rows = ledger.feedback(targets).await?;
    Ok(rows.into_iter().find(|row| row.id == id).map(|row| {
        let target = if row.target_kind == TargetKind::Inference { "an inference" } else { "an episode" };
        (format!("feedback (`{}`) on {target}", row.metric_name), row.target_id)
    }))
}

fn inference(record: &Record, feedback: &[FeedbackRow], raw: bool, out: &mut dyn Write) -> io::Result<()> {
    let row = &record.inference;
    writeln!(out, "inference {}", row.id)?;
    fact(out, "time", &text::time(row.id))?;
    fact(out, "episode", &row.episode_id.to_string())?;
    fact(out, "door", &format!("{} ({})", row.door, row.operation.as_str()))?;
    fact(out, "model", &text::subject(row))?;
    if row.variant_name != row.model && !row.variant_name.is_empty() {
        fact(out, "variant", &row.variant_name)?;
    }
    fact(out, "function", &row.function_name)?;
    let mut how = text::status(row.status).to_owned();
    for (is_so, word) in [(row.stream, "streamed"), (row.cached, "from the cache")] {
        if is_so {
            how = format!("{how}, {word}");
        }
    }
    fact(out, "status", &how)?;
    outcome(out, row.error.as_ref(), row.finish_reason.map(|reason| reason.as_str()))?;
    figures(out, &row.usage, row.cost, row.ttft_us, row.total_us)?;
    if let Some(caller) = &row.caller {
        fact(out, "caller", caller)?;
    }
    for (name, value) in &row.tags {
        fact(out, "tag", &format!("{name} = {value}"))?;
    }
    if text::is_passed(row) {
        writeln!(out, "\npassed through as it came: the model call holds what was kept of both sides")?;
    } else {
        said(record, out)?;
    }
    for (at, call) in record.calls.iter().enumerate() {
        writeln!(out, "\nmodel call {} of {}", at + 1, record.calls.len())?;
        model_call(call, raw, out)?;
    }
    opinions(feedback, out)
}

/// Input and output in our own words.
fn said(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\ninput")?;
    match history::input(record) {
        Ok(Request::Chat(chat)) => asked(&chat, out)?,
        Ok(Request::Embed(embed)) => match &embed.input {
            EmbedInput::Text(one) => text::indented(out, 2, one)?,
            EmbedInput::Texts(texts) => {
                for one in texts {
                    text::indented(out, 2, &format!("- {one}"))?;
                }
            }
            EmbedInput::Tokens(_) | EmbedInput::TokenLists(_) => {
                writeln!(out, "  {} text(s) as token ids", embed.input.len())?;
            }
        },
        Ok(other) => lines(&media::asked(&other), out)?,
        Err(error) => text::indented(out, 2, &format!("(cannot be read: {error})"))?,
    }
    writeln!(out, "\noutput")?;
    match history::output(record) {
        Ok(Some(Response::Chat(chat))) => answered(&chat, out)?,
        Ok(Some(Response::Embed(embed))) => {
            for vector in &embed.vectors {
                match vector {
                    Vector::Floats(floats) => writeln!(out, "  a vector of {} numbers", floats.len())?,
                    // Four characters are three bytes, a number is four.
                    Vector::Base64(text) => writeln!(out, "  a vector of about {} numbers", text.len() * 3 / 16)?,
                }
            }
        }
        Ok(Some(other)) => lines(&media::answered(&other), out)?,
        Ok(None) => writeln!(out, "  (none)")?,
        Err(error) => text::indented(out, 2, &format!("(cannot be read: {error})"))?,
    }
    Ok(())
}

fn model_call(call: &ModelCallRow, raw: bool, out: &mut dyn Write) -> io::Result<()> {
    fact(out, "id", &call.id.to_string())?;
    fact(out, "time", &text::time(call.id))?;
    fact(out, "model", &call.model_name)?;
    fact(out, "provider", &format!("{} ({}, speaks {})", call.provider_name, call.provider_type, call.protocol))?;
    let http = call.http_status.map(|status| format!(", HTTP {status}")).unwrap_or_default();
    let cached = if call.cached { ", from the cache" } else { "" };
    fact(out, "status", &format!("{}{http}{cached}", text::status(call.status)))?;
    outcome(out, call.error.as_ref(), call.finish_reason.map(|reason| reason.as_str()))?;
    if let Some(id) = &call.request_id {
        fact(out, "request id", id)?;
    }
    figures(out, &call.usage, call.cost, call.ttft_us, call.total_us)?;
    body("raw request", &call.raw_request, raw, out)?;
    body("raw response", &call.raw_response, raw, out)
}

fn body(title: &str, bytes: &[u8], raw: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  {title} ({} bytes)", bytes.len())?;
    let shown = if raw { bytes } else { bytes.get(..SHORT).unwrap_or(bytes) };
    let words = String::from_utf8_lossy(shown);
    // A picture or a sound; a form is words with a little of that.
    if !raw && words.matches('\u{fffd}').count() * 4 > words.chars().count() {
        return writeln!(out, "    (not text: --raw shows it all the same)");
    }
    text::indented(out, 4, &words)?;
    if shown.len() < bytes.len() {
        writeln!(out, "    … {} more bytes: --raw shows all of them", bytes.len() - shown.len())?;
    }
    Ok(())
}

fn opinions(rows: &[FeedbackRow], out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nfeedback")?;
    for row in rows {
        let value = match &row.value {
            FeedbackKind::Boolean(value) => value.to_string(),
            FeedbackKind::Float(value) => value.to_string(),
            FeedbackKind::Comment(text) | FeedbackKind::Demonstration(text) => text.clone(),
        };
        let on = if row.target_kind == TargetKind::Episode { " (on the episode)" } else { "" };
        let tags: String = row.tags.iter().map(|(name, value)| format!(" [{name} = {value}]")).collect();
        text::indented(out, 2, &format!("{} {}{on}: {value}{tags}", text::time(row.id), row.metric_name))?;
    }
    Ok(())
}

fn fact(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {name:<12}{}", text::word(value))
}

fn outcome(out: &mut dyn Write, error: Option<&(ErrorKind, String)>, finish: Option<&str>) -> io::Result<()> {
    if let Some((kind, message)) = error {
        fact(out, "error", &format!("{}: {message}", kind.as_str()))?;
    }
    finish.map_or(Ok(()), |finish| fact(out, "finished", finish))
}

fn figures(out: &mut dyn Write, usage: &Usage, cost: Option<f64>, ttft: Option<u64>, total: u64) -> io::Result<()> {
    let mut tokens = format!("{} in, {} out", text::count(usage.input_tokens), text::count(usage.output_tokens));
    for (figure, word) in [
        (usage.cache_read_tokens, "read from the provider's cache"),
        (usage.cache_write_tokens, "written to it"),
        (usage.reasoning_tokens, "of thinking"),
    ] {
        if let Some(figure) = figure {
            tokens = format!("{tokens}, {figure} {word}");
        }
    }
    match media::units(usage) {
        Some(units) => fact(out, "units", &units)?,
        None => fact(out, "tokens", &tokens)?,
    }
    if cost.is_some() {
        fact(out, "cost", &text::money(cost))?;
    }
    let first = ttft.map(|us| format!(", first event after {} ms", text::millis(Some(us)))).unwrap_or_default();
    fact(out, "took", &format!("{} ms{first}", text::millis(Some(total))))
}

fn lines(lines: &[String], out: &mut dyn Write) -> io::Result<()> {
    if lines.is_empty() {
        return writeln!(out, "  (nothing that can be shown)");
    }
    lines.iter().try_for_each(|line| text::indented(out, 2, line))
}

fn asked(chat: &ChatRequest, out: &mut dyn Write) -> io::Result<()> {
    if !chat.system.is_empty() {
        turn("system", &chat.system, out)?;
    }
    for message in &chat.messages {
        let who = match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        turn(who, &message.content, out)?;
    }
    if !chat.tools.is_empty() {
        let names: Vec<&str> = chat.tools.iter().map(|tool| tool.name.as_str()).collect();
        text::indented(out, 2, &format!("tools: {}", names.join(", ")))?;
    }
    Ok(())
}

fn answered(chat: &ChatResponse, out: &mut dyn Write) -> io::Result<()> {
    for choice in &chat.choices {
        let who = if chat.choices.len() > 1 { format!("assistant {}", choice.index) } else { "assistant".into() };
        turn(&who, &choice.content, out)?;
    }
    for warning in &chat.warnings {
        text::indented(out, 2, &format!("warning: {}: {}", warning.param, warning.message))?;
    }
    Ok(())
}

fn turn(who: &str, blocks: &[Block], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  {who}:")?;
    for block in blocks {
        text::indented(out, 4, &words(block))?;
    }
    Ok(())
}

fn words(block: &Block) -> String {
    match block {
        Block::Text(text) => text.text.clone(),
        Block::Refusal { text } => format!("[refusal] {text}"),
        Block::Image(media) | Block::Audio(media) | Block::Video(media) | Block::File(media) => {
            format!("[{}{}]", block.kind(), media::place(media))
        }
        Block::Thinking(Thinking { text: Some(text), .. }) => format!("[thinking] {text}"),
        Block::Thinking(thought) if !thought.summary.is_empty() => format!("[thinking] {}", thought.summary.join("\n")),
        Block::Thinking(_) => "[thinking, not in words]".into(),
        Block::ToolCall(call) => format!("[tool call {}] {} {}", call.id, call.name, call.arguments),
        Block::ToolResult(result) => {
            let failed = if result.is_error { ", failed" } else { "" };
            let content: Vec<String> = result.content.iter().map(words).collect();
            format!("[tool result {}{failed}] {}", result.id, content.join("\n"))
        }
        Block::Unknown(unknown) => format!("[unknown] {}", unknown.data),
    }
}
