//! `sabir ledger`: looking at what was kept, without a gateway.
//!
//! Invariant: nothing is changed; a ledger that is not there is not made; a reader that goes away
//! in the middle (`| head`) is no error.

mod export;
mod json;
mod list;
mod media;
mod show;
mod stats;
pub(crate) mod text;

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use sabir_store::{InferenceQuery, Ledger, Record, SqliteLedger, sqlite::Options};
use sabir_types::Uuid;
use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// The ledger's file in the data directory.
pub const FILE: &str = "ledger.sqlite";
/// How many inferences are read at once.
const PAGE: u64 = 500;

/// What to do with the ledger.
#[derive(Debug, clap::Args)]
pub struct LedgerArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists the newest inferences.
    List(ListArgs),
    /// Shows everything about one inference, or lists an episode.
    Show(ShowArgs),
    /// Writes inferences as JSON lines, oldest first, with their model calls and feedback.
    Export(ExportArgs),
    /// Adds up calls, errors, tokens, cost and times for each model.
    Stats(StatsArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// How many.
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u64,
    /// Only of this model, as the caller wrote it or as it is configured.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Only of this episode.
    #[arg(long, value_name = "ID")]
    episode: Option<Uuid>,
    /// Only with this label, also several times (`--tag org_id=acme --tag user_id=ada`).
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = tag)]
    tags: Vec<(String, String)>,
    /// Only those that failed or whose caller left.
    #[arg(long)]
    failed: bool,
    /// As JSON lines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// The id of an inference, an episode, a model call or a piece of feedback.
    id: Uuid,
    /// Print raw bodies whole. Control characters are written as escapes; `export` has the bytes as they are.
    #[arg(long)]
    raw: bool,
}

#[derive(Debug, clap::Args)]
struct ExportArgs {
    /// Write to this file rather than to standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only newer than this inference, or from this time on (`2026-01-31`, `2026-01-31T12:00:00Z`).
    #[arg(long, value_name = "ID|TIME", value_parser = bound)]
    after: Option<Uuid>,
    /// Only older than this inference or time.
    #[arg(long, value_name = "ID|TIME", value_parser = bound)]
    before: Option<Uuid>,
    /// At most that many, from the oldest on.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

#[derive(Debug, clap::Args)]
struct StatsArgs {
    /// Over how many of the newest inferences.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    last: u64,
    /// As JSON lines.
    #[arg(long)]
    json: bool,
}

/// A label and its value.
fn tag(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected a label and its value, like `org_id=acme`")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs the command on the ledger in this directory.
pub fn run(args: &LedgerArgs, data_dir: &Path, out: &mut dyn Write) -> Result<()> {
    let path = data_dir.join(FILE);
    if !path.is_file() {
        bail!("there is no ledger at {}: is this the gateway's data directory, and has it run?", path.display());
    }
    let ledger = SqliteLedger::open(&path, Options::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().context("no runtime to read the ledger")?;
    let mut out = BufWriter::new(out);
    let done = runtime.block_on(async {
        match &args.what {
            What::List(args) => list::run(args, &*ledger, &mut out).await,
            What::Show(args) => show::run(args, &*ledger, &mut out).await,
            What::Export(args) => export::run(args, &*ledger, &mut out).await,
            What::Stats(args) => stats::run(args, &*ledger, &mut out).await,
        }
    });
    match done.and_then(|()| out.flush().context("the output could not be written")) {
        Err(error) if is_broken_pipe(&error) => {
            // What is left in the buffer has nobody to go to.
            drop(out.into_parts());
            Ok(())
        }
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

/// Goes through the newest inferences that fit, failed ones too, until `take` has enough.
async fn newest(ledger: &dyn Ledger, query: InferenceQuery, mut take: impl FnMut(Record) -> bool) -> Result<()> {
    let mut before = query.before;
    let mut size = 20;
    loop {
        let page =
            InferenceQuery { before, include_failed: true, include_hidden: true, limit: Some(size), ..query.clone() };
        let records = ledger.inferences(page).await?;
        let is_last = (records.len() as u64) < size;
        size = next_size(size, &records);
        before = records.last().map(|record| record.inference.id);
        for record in records {
            if !take(record) {
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

/// How many to read next: bodies may be large, and a page is kept in memory.
fn next_size(size: u64, records: &[Record]) -> u64 {
    const BYTES: u64 = 32 << 20;
    let weigh = |record: &Record| {
        let row = &record.inference;
        let own = row.input.as_ref().map_or(0, |input| input.len()) + row.output.as_ref().map_or(0, String::len);
        own + record.calls.iter().map(|call| call.raw_request.len() + call.raw_response.len()).sum::<usize>()
    };
    let bytes = records.iter().map(weigh).sum::<usize>() as u64;
    let fits = BYTES * (records.len() as u64) / bytes.max(1);
    fits.clamp(1, PAGE.min(size * 5))
}

/// An id, or the lowest id of a time.
fn bound(text: &str) -> Result<Uuid, String> {
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(id);
    }
    let time = match Date::parse(text, format_description!("[year]-[month]-[day]")) {
        Ok(date) => date.midnight().assume_utc(),
        Err(_) => OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| format!("`{text}` is neither an id nor a time like 2026-01-31T12:00:00Z"))?,
    };
    let millis =
        u64::try_from(time.unix_timestamp_nanos() / 1_000_000).map_err(|_| "that is before 1970".to_owned())?;
    Ok(Uuid::from_u128(u128::from(millis) << 80 | 0x7 << 76 | 0b10 << 62))
}

#[cfg(test)]
mod tests;
