//! `sabir ledger export`: everything, as JSON lines.
//!
//! Invariant: no more than a page is in memory, however long the ledger is.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, Result};
use sabir_store::{FeedbackRow, InferenceQuery, Ledger, OrderBy, OrderKey, Record};
use sabir_types::Uuid;

use super::{ExportArgs, json, next_size};

/// Runs the command.
pub(super) async fn run(args: &ExportArgs, ledger: &dyn Ledger, out: &mut dyn Write) -> Result<()> {
    let Some(path) = &args.output else { return write(args, ledger, out).await };
    let mut file = BufWriter::new(create(path).with_context(|| format!("{} could not be made", path.display()))?);
    write(args, ledger, &mut file).await?;
    file.flush().with_context(|| format!("{} could not be written", path.display()))
}

/// The file holds what callers said: it is for this user only.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

async fn write(args: &ExportArgs, ledger: &dyn Ledger, out: &mut dyn Write) -> Result<()> {
    let mut after = args.after;
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut size = 20;
    while left > 0 {
        let limit = size.min(left);
        let page = InferenceQuery {
            after,
            before: args.before,
            include_failed: true,
            include_hidden: true,
            order_by: vec![OrderBy { key: OrderKey::Timestamp, descending: false }],
            limit: Some(limit),
            ..InferenceQuery::default()
        };
        let records = ledger.inferences(page).await?;
        let feedback = feedback(ledger, &records).await?;
        for record in &records {
            let ids = [record.inference.id, record.inference.episode_id];
            let rows: Vec<&FeedbackRow> = ids.iter().filter_map(|id| feedback.get(id)).flatten().collect();
            serde_json::to_writer(&mut *out, &json::whole(record, &rows)).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
        if (records.len() as u64) < limit {
            break;
        }
        left -= limit;
        size = next_size(size, &records);
        after = records.last().map(|record| record.inference.id);
    }
    Ok(())
}

/// Feedback on these inferences and their episodes, by target.
async fn feedback(ledger: &dyn Ledger, records: &[Record]) -> Result<HashMap<Uuid, Vec<FeedbackRow>>> {
    let mut targets: Vec<Uuid> =
        records.iter().flat_map(|record| [record.inference.id, record.inference.episode_id]).collect();
    targets.sort_unstable();
    targets.dedup();
    let mut by_target: HashMap<Uuid, Vec<FeedbackRow>> = HashMap::new();
    for row in ledger.feedback(targets).await? {
        by_target.entry(row.target_id).or_default().push(row);
    }
    Ok(by_target)
}
