//! `sabir bench`: what the gateway adds, measured beside a direct call in one run.
//!
//! Invariant: every figure of a table comes from the same run on the same machine, in rounds that take
//! turns, so that a slow moment hits all of them; a call that failed is counted, never left out.

mod client;
mod grpc;
mod load;
mod mock;
mod pairs;
mod process;
mod report;
mod scenarios;

use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
};

use anyhow::{Context, Result, bail};

/// The arguments of `sabir bench`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BenchArgs {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    options: Options,
}

/// A process that the benchmark starts for itself.
#[derive(Debug, clap::Subcommand)]
enum Part {
    /// An upstream that answers the same words to everyone.
    #[command(hide = true)]
    Mock(mock::MockArgs),
}

#[derive(Debug, clap::Args)]
struct Options {
    /// Calls per round, where they are made one after another.
    #[arg(long, default_value_t = 2000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// Seconds per round, where many callers call at once.
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS", value_parser = seconds)]
    seconds: f64,
    /// Rounds in which all targets take turns; the tables show medians over them.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Run only this part; may be given several times.
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Only>,
    /// Measure this gateway too, through POST URL/v1/chat/completions; its models `bench` and
    /// `translated` have to lead to the upstreams on the ports of --mock-port.
    #[arg(long = "peer", value_name = "NAME=URL", value_parser = peer)]
    peers: Vec<Peer>,
    /// The process of a peer, so that its CPU time and memory can be read.
    #[arg(long = "peer-pid", value_name = "NAME=PID", value_parser = peer_pid)]
    peer_pids: Vec<(String, u32)>,
    /// The port of the upstream that speaks OpenAI's protocol; the one that speaks Anthropic's gets the next.
    #[arg(long, default_value_t = 0, value_name = "PORT", value_parser = clap::value_parser!(u16).range(..65535))]
    mock_port: u16,
    /// Where the gateways keep their ledgers while they are measured: best on a real disk.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// One caller, one call after another.
    One,
    /// 32 and 256 callers.
    Load,
    /// Streams whose chunks all come at once.
    Stream,
    /// Streams whose chunks come one by one.
    Paced,
    /// The caller speaks OpenAI's protocol, the upstream Anthropic's.
    Translated,
    /// Every door to every protocol of an upstream; only when it is asked for, since it takes minutes.
    Pairs,
    /// The Model Manager door beside the OpenAI door; only when it is asked for.
    Grpc,
    /// From starting the process to its first answer.
    Cold,
}

/// Another gateway.
#[derive(Debug, Clone)]
struct Peer {
    name: String,
    address: SocketAddr,
    host: String,
    path: String,
}

/// Runs the benchmark, or the part of it that this process is.
///
/// `program` is how this program is started, if not by itself alone.
pub fn run(args: BenchArgs, program: Option<Vec<OsString>>) -> Result<()> {
    if let Some(program) = program {
        process::started_by(program);
    }
    match args.part {
        Some(Part::Mock(mock)) => mock::run(&mock)?,
        None => measure(&args.options)?,
    }
    Ok(())
}

fn measure(options: &Options) -> Result<()> {
    for (name, _) in &options.peer_pids {
        if !options.peers.iter().any(|peer| peer.name == *name) {
            bail!("no peer named `{name}`: give it with --peer {name}=URL");
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let report = runtime.context("no runtime for the callers")?.block_on(scenarios::run(options))?;
    io::stdout().write_all(report.text().as_bytes()).context("the tables could not be printed")?;
    if let Some(path) = &options.json {
        let json = format!("{:#}\n", report.json());
        fs::write(path, json).with_context(|| format!("{} could not be written", path.display()))?;
    }
    Ok(())
}

/// Says on standard error what is going on, since a run takes minutes.
fn progress(what: &str) {
    // Progress that cannot be shown is no reason to stop.
    drop(writeln!(io::stderr(), "{what}"));
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("seconds have to be a number above 0 and at most 3600".to_owned()),
    }
}

fn peer(text: &str) -> Result<Peer, String> {
    let (name, url) = text.split_once('=').ok_or("expected NAME=URL")?;
    let rest = url.strip_prefix("http://").ok_or("the URL has to start with http://")?;
    let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut addresses = std::net::ToSocketAddrs::to_socket_addrs(&*with_port)
        .map_err(|error| format!("`{host}` has no address: {error}"))?;
    let address = addresses.next().ok_or_else(|| format!("`{host}` has no address"))?;
    Ok(Peer { name: name.to_owned(), address, host: host.to_owned(), path: path.trim_end_matches('/').to_owned() })
}

fn peer_pid(text: &str) -> Result<(String, u32), String> {
    let (name, pid) = text.split_once('=').ok_or("expected NAME=PID")?;
    let pid = pid.parse().map_err(|_| format!("`{pid}` is not a process id"))?;
    Ok((name.to_owned(), pid))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        bench: BenchArgs,
    }

    fn parse(args: &[&str]) -> Result<BenchArgs, String> {
        Line::try_parse_from([&["bench"], args].concat()).map(|line| line.bench).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_read() {
        let options = parse(&["--only", "load", "--only", "cold", "--peer", "acme=http://127.0.0.1:4000/base/"]);
        let options = options.unwrap().options;
        assert_eq!(options.only, [Only::Load, Only::Cold]);
        assert_eq!(options.peers[0].address, SocketAddr::from(([127, 0, 0, 1], 4000)));
        assert_eq!((&*options.peers[0].name, &*options.peers[0].path), ("acme", "/base"));
    }

    #[test]
    fn the_upstream_is_a_part_of_its_own() {
        let args = parse(&["mock", "--port", "0", "--protocol", "anthropic"]).unwrap();
        assert!(matches!(args.part, Some(Part::Mock(_))));
    }

    #[test]
    fn wrong_options_get_a_sentence() {
        for (args, said) in [
            (&["--peer", "acme"][..], "expected NAME=URL"),
            (&["--peer", "acme=https://x"], "has to start with http://"),
            (&["--seconds", "0"], "a number above 0"),
            (&["--peer-pid", "acme=x"], "`x` is not a process id"),
            (&["--requests", "0"], "0 is not in 1.."),
        ] {
            let error = parse(args).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_process_belongs_to_a_peer() {
        let args = parse(&["--peer-pid", "acme=1"]).unwrap();
        let error = run(args, None).unwrap_err();
        assert_eq!(error.to_string(), "no peer named `acme`: give it with --peer acme=URL");
    }
}
