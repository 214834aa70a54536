//! `sabir ledger` (being written).

use std::{io::Write, path::Path};

/// The ledger's file in the data directory.
pub const FILE: &str = "ledger.sqlite";

/// The arguments of `sabir ledger`.
#[derive(Debug, clap::Args)]
pub struct LedgerArgs {}

/// Runs the command.
pub fn run(_args: &LedgerArgs, data_dir: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "{}", data_dir.join(FILE).display())?;
    Ok(())
}
