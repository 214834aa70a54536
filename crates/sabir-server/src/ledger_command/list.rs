//! `sabir ledger list`: the newest inferences, one on a line.

use std::io::{self, Write};

use anyhow::Result;
use sabir_store::{Filter, InferenceQuery, Ledger, Record, Status};

use super::{
    ListArgs, json, newest,
    text::{self, Table},
};

/// Runs the command.
pub(super) async fn run(args: &ListArgs, ledger: &dyn Ledger, out: &mut dyn Write) -> Result<()> {
    let mut rows = Vec::new();
    let tag = |(key, value): &(String, String)| Filter::Tag { key: key.clone(), value: value.clone(), equal: true };
    let filter = (!args.tags.is_empty()).then(|| Filter::And(args.tags.iter().map(tag).collect()));
    let query = InferenceQuery { episode_id: args.episode, filter, ..InferenceQuery::default() };
    if args.limit > 0 {
        newest(ledger, query, |record| {
            let fits = args.model.as_ref().is_none_or(|model| is_of(&record, model))
                && !(args.failed && record.inference.status == Status::Ok);
            if fits {
                rows.push(strip(record));
            }
            (rows.len() as u64) < args.limit
        })
        .await?;
    }
    if args.json {
        for record in &rows {
            serde_json::to_writer(&mut *out, &json::facts(record)).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
        return Ok(());
    }
    if rows.is_empty() {
        writeln!(out, "no inferences")?;
        return Ok(());
    }
    table(&rows, out)?;
    Ok(())
}

/// The table of these inferences.
pub(super) fn table(records: &[Record], out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        ("ID", false),
        ("TIME", false),
        ("MODEL", false),
        ("PROVIDER", false),
        ("STATUS", false),
        ("IN", true),
        ("OUT", true),
        ("COST", true),
        ("TTFT MS", true),
        ("TOTAL MS", true),
    ]);
    for record in records {
        let row = &record.inference;
        let provider = record.calls.last().map_or("-", |call| &call.provider_name);
        let provider = if row.cached { format!("{provider} (cache)") } else { provider.to_owned() };
        let status = match &row.error {
            Some((kind, _)) if row.status == Status::Error => kind.as_str(),
            _ => text::status(row.status),
        };
        table.push(vec![
            row.id.to_string(),
            text::time(row.id),
            text::subject(row),
            provider,
            status.to_owned(),
            text::count(row.usage.input_tokens),
            text::count(row.usage.output_tokens),
            text::money(row.cost),
            text::millis(row.ttft_us),
            text::millis(Some(row.total_us)),
        ]);
    }
    table.write(out)
}

fn is_of(record: &Record, model: &str) -> bool {
    let row = &record.inference;
    row.model == model || row.variant_name == model || record.calls.iter().any(|call| call.model_name == model)
}

/// A list needs no bodies: what is kept of a long one is small.
pub(super) fn strip(mut record: Record) -> Record {
    record.inference.input = None;
    record.inference.output = None;
    for call in &mut record.calls {
        call.raw_request = bytes::Bytes::new();
        call.raw_response = bytes::Bytes::new();
    }
    record
}
