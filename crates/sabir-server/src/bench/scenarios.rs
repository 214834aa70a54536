//! The parts of the benchmark: who is measured, with which calls, and what becomes a column.
//!
//! Invariant: the targets of a part take turns in every round, and the first round of each is thrown away.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{
    Only, Options, grpc,
    load::{self, Round, Shot},
    mock, pairs, process,
    process::{Memory, Process, own_file},
    progress,
    report::{Column, Figures, Report, Table, quantile},
};

/// What the gateway prints when it is ready, before its address.
pub(super) const READY: &str = "sabir listening on http://";

/// How durable a ledger is, from the slowest to none.
const DURABILITIES: [&str; 3] = ["durable", "async", "off"];

pub(super) const CHUNKS: usize = 200;
const GAP_MS: u64 = 5;
const COLD_STARTS: usize = 5;

/// Time for what a gateway still does after its answer, so that it is counted where it belongs.
const SETTLE: Duration = Duration::from_millis(100);

/// Who is called, and which processes then work.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) shot: Shot,
    pub(super) gateway: Option<u32>,
    pub(super) upstream: u32,
}

/// How a part calls.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    One(u64),
    Many(usize, Duration),
}

pub(super) type Figure = fn(&Figures, &Figures) -> Option<f64>;
pub(super) type Columns = &'static [(Column, Figure)];

pub(super) const fn column(key: &'static str, title: &'static str, decimals: usize) -> Column {
    Column { key, title, decimals }
}

fn minus(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? - b?)
}

pub(super) fn by(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    b.filter(|b| *b > 0.0).and_then(|b| Some(a? / b))
}

pub(super) const CPU: (Column, Figure) = (column("cpu_us", "CPU µs", 1), |it, _| it.cpu[0]);
const UPSTREAM: (Column, Figure) = (column("upstream_cpu_us", "upstream", 1), |it, _| it.cpu[1]);
const CALLERS: (Column, Figure) = (column("callers_cpu_us", "callers", 1), |it, _| it.cpu[2]);
pub(super) const FAILED: (Column, Figure) = (column("failed", "failed", 0), |it, _| Some(it.failed as f64));
pub(super) const P50: (Column, Figure) = (column("p50_us", "p50 µs", 1), |it, _| it.p50);
const P99: (Column, Figure) = (column("p99_us", "p99 µs", 1), |it, _| it.p99);
const ADDED_P50: (Column, Figure) = (column("added_p50_us", "added p50", 1), |it, direct| minus(it.p50, direct.p50));
const ADDED_P99: (Column, Figure) = (column("added_p99_us", "added p99", 1), |it, direct| minus(it.p99, direct.p99));
const RATIO: (Column, Figure) = (column("p50_ratio", "x direct", 2), |it, direct| by(it.p50, direct.p50));
const FIRST: (Column, Figure) = (column("first_us", "first µs", 1), |it, _| it.first);
const ADDED_FIRST: (Column, Figure) =
    (column("added_first_us", "added first", 1), |it, direct| minus(it.first, direct.first));

pub(super) const CALLS: Columns = &[P50, P99, ADDED_P50, ADDED_P99, RATIO, CPU, UPSTREAM, CALLERS, FAILED];
const LOADS: Columns = &[
    (column("per_second", "calls/s", 0), |it, _| it.rate),
    (column("rate_ratio", "x direct", 2), |it, direct| by(it.rate, direct.rate)),
    P50,
    P99,
    CPU,
    UPSTREAM,
    CALLERS,
    FAILED,
];
pub(super) const STREAMS: Columns = &[P50, ADDED_P50, RATIO, FIRST, ADDED_FIRST, CPU, UPSTREAM, CALLERS, FAILED];
const PACED: Columns = &[
    FIRST,
    ADDED_FIRST,
    (column("gap_p50_us", "gap p50 µs", 1), |it, _| it.gap_p50),
    (column("gap_p99_us", "gap p99 µs", 1), |it, _| it.gap_p99),
    (column("added_gap_p50_us", "added p50", 1), |it, direct| minus(it.gap_p50, direct.gap_p50)),
    (column("added_gap_p99_us", "added p99", 1), |it, direct| minus(it.gap_p99, direct.gap_p99)),
    FAILED,
];

/// Runs the chosen parts.
pub(super) async fn run(options: &Options) -> Result<Report> {
    let wanted = |part| options.only.is_empty() || options.only.contains(&part);
    let folder = Folder::new(options.dir.as_deref())?;
    let upstreams = Upstreams::start(&folder, options.mock_port)?;
    let mut report = Report { facts: facts(options)?, tables: Vec::new() };

    let calls = wanted(Only::One) || wanted(Only::Load) || wanted(Only::Stream) || wanted(Only::Paced);
    if options.only.contains(&Only::Pairs) {
        pairs::measure(options, &folder, &mut report.tables).await?;
    }
    if options.only.contains(&Only::Grpc) {
        grpc::measure(options, &folder, &mut report.tables).await?;
    }
    if calls || wanted(Only::Translated) {
        let house = House::start(&folder, options, upstreams)?;
        tokio::time::sleep(SETTLE * 3).await;
        let idle = house.memory();
        house.measure(options, wanted, &mut report.tables).await?;
        report.tables.push(house.memory_table(&idle));
        if wanted(Only::Cold) {
            report.tables.push(cold(&folder, &house.upstreams).await?);
        }
    } else if wanted(Only::Cold) {
        report.tables.push(cold(&folder, &upstreams).await?);
    }
    Ok(report)
}

fn facts(options: &Options) -> Result<Vec<(&'static str, serde_json::Value)>> {
    let size = match own_file()? {
        Some(program) => {
            Some(fs::metadata(&program).with_context(|| format!("{} is unreadable", program.display()))?.len())
        }
        None => None,
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let build = if cfg!(debug_assertions) { "debug: not worth comparing" } else { "release" };
    Ok(vec![
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("build", json!(build)),
        ("binary_bytes", json!(size)),
        ("cores", json!(cores)),
        ("rounds", json!(options.rounds)),
        ("requests", json!(options.requests)),
        ("seconds", json!(options.seconds)),
        ("legend", json!("CPU µs, upstream, callers: the CPU time of each per call, in microseconds")),
    ])
}

/// The upstreams, one for each protocol.
#[derive(Debug)]
struct Upstreams {
    openai: Process,
    anthropic: Process,
}

impl Upstreams {
    fn start(folder: &Folder, port: u16) -> Result<Self> {
        let next = if port == 0 { 0 } else { port + 1 };
        let start = |protocol: &str, port: u16| {
            let (port, chunks, gap) = (port.to_string(), CHUNKS.to_string(), GAP_MS.to_string());
            let args = ["--port", &port, "--protocol", protocol, "--chunks", &chunks, "--gap-ms", &gap];
            let args = [&["bench", "mock"], &args[..]].concat();
            Process::start(&args, mock::READY, &folder.sub(protocol)?)
        };
        Ok(Self { openai: start("openai", port)?, anthropic: start("anthropic", next)? })
    }

    fn config(&self, durability: &str) -> String {
        let anthropic = self.anthropic.address;
        let bench = config_for(durability, self.openai.address);
        format!(
            r#"{bench}
[models.translated]
routing = ["up"]

[models.translated.providers.up]
type = "anthropic"
model_name = "bench"
api_base = "http://{anthropic}/v1"
api_key_location = "none"
"#
        )
    }

    fn gateway(&self, folder: &Folder, name: &str, durability: &str) -> Result<Process> {
        let folder = folder.sub(name)?;
        let config = folder.join("sabir.toml");
        fs::write(&config, self.config(durability))
            .with_context(|| format!("{} could not be written", config.display()))?;
        Process::start(&["serve", "--config", "sabir.toml", "--bind", "127.0.0.1:0"], READY, &folder)
    }
}

/// A configuration with one model, whose provider is an upstream that speaks OpenAI's protocol.
pub(super) fn config_for(durability: &str, openai: SocketAddr) -> String {
    format!(
        r#"[gateway]
observability.durability = "{durability}"

[models.bench]
routing = ["up"]

[models.bench.providers.up]
type = "openai"
model_name = "bench"
api_base = "http://{openai}/v1"
api_key_location = "none"
"#
    )
}

/// A call's body. Anthropic's protocol takes the same one.
pub(super) fn body(model: &str, stream: bool, paced: bool) -> String {
    let pace = if paced { mock::PACED } else { "" };
    let text = "Tell me, in a few sentences, what a harbour town sounds like before dawn.";
    let stream = if stream { r#","stream":true"# } else { "" };
    format!(r#"{{"model":"{model}","max_tokens":256,"messages":[{{"role":"user","content":"{text}{pace}"}}]{stream}}}"#)
}

/// All who are measured.
#[derive(Debug)]
struct House {
    upstreams: Upstreams,
    /// Name, address, host header, path before `/v1`, process.
    gateways: Vec<(String, SocketAddr, String, String, Option<u32>)>,
    /// Ended when the house is left.
    _processes: Vec<Process>,
}

impl House {
    fn start(folder: &Folder, options: &Options, upstreams: Upstreams) -> Result<Self> {
        let mut processes = Vec::new();
        let mut gateways = Vec::new();
        for durability in DURABILITIES {
            let name = format!("sabir {durability}");
            let process = upstreams.gateway(folder, durability, durability)?;
            let address = process.address;
            gateways.push((name, address, address.to_string(), String::new(), Some(process.pid())));
            processes.push(process);
        }
        for peer in &options.peers {
            let pid = options.peer_pids.iter().find(|(name, _)| *name == peer.name).map(|(_, pid)| *pid);
            gateways.push((peer.name.clone(), peer.address, peer.host.clone(), peer.path.clone(), pid));
        }
        Ok(Self { upstreams, gateways, _processes: processes })
    }

    /// The direct call and the one through each gateway.
    fn targets(&self, model: &str, stream: bool, paced: bool) -> Vec<Target> {
        let events = stream.then_some(CHUNKS);
        let json = body(model, stream, paced);
        let (upstream, path) = match model {
            "translated" => (&self.upstreams.anthropic, "/v1/messages"),
            _ => (&self.upstreams.openai, "/v1/chat/completions"),
        };
        let host = upstream.address.to_string();
        let direct = Target {
            name: "direct".to_owned(),
            address: upstream.address,
            shot: Shot::new(&host, path, &json, events),
            gateway: None,
            upstream: upstream.pid(),
        };
        let through = self.gateways.iter().map(|(name, address, host, path, pid)| Target {
            name: name.clone(),
            address: *address,
            shot: Shot::new(host, &format!("{path}/v1/chat/completions"), &json, events),
            gateway: *pid,
            upstream: upstream.pid(),
        });
        std::iter::once(direct).chain(through).collect()
    }

    async fn measure(&self, options: &Options, wanted: impl Fn(Only) -> bool, tables: &mut Vec<Table>) -> Result<()> {
        let (calls, rounds) = (options.requests, options.rounds);
        let time = Duration::from_secs_f64(options.seconds);
        // A stream is two hundred chunks, and a paced one takes a second: fewer of them say as much.
        let (streams, paced) = ((calls / 10).max(1), (calls / 1000).max(1));
        let plain = self.targets("bench", false, false);
        let mut part = async |key: &str, title: String, targets: &[Target], how, columns| -> Result<()> {
            tables.push(table(key, title, targets, how, rounds, columns).await?);
            Ok(())
        };
        if wanted(Only::One) {
            part("one", "One caller, one call after another".to_owned(), &plain, How::One(calls), CALLS).await?;
        }
        if wanted(Only::Load) {
            for callers in [32, 256] {
                let title = format!("{callers} callers at once");
                part(&format!("load_{callers}"), title, &plain, How::Many(callers, time), LOADS).await?;
            }
        }
        if wanted(Only::Stream) {
            let targets = self.targets("bench", true, false);
            let title = format!("A stream of {CHUNKS} chunks, all at once");
            part("stream", title, &targets, How::One(streams), STREAMS).await?;
        }
        if wanted(Only::Paced) {
            let targets = self.targets("bench", true, true);
            let title = format!("A stream of {CHUNKS} chunks, {GAP_MS} ms apart");
            part("paced", title, &targets, How::One(paced), PACED).await?;
        }
        if wanted(Only::Translated) {
            let targets = self.targets("translated", false, false);
            let title = "OpenAI's protocol to Anthropic's, one call after another".to_owned();
            part("translated", title, &targets, How::One(calls), CALLS).await?;
            let targets = self.targets("translated", true, false);
            let title = format!("OpenAI's protocol to Anthropic's, a stream of {CHUNKS} chunks");
            part("translated_stream", title, &targets, How::One(streams), STREAMS).await?;
        }
        Ok(())
    }

    fn memory(&self) -> Vec<Option<Memory>> {
        self.gateways.iter().map(|(.., pid)| process::memory((*pid)?)).collect()
    }

    fn memory_table(&self, idle: &[Option<Memory>]) -> Table {
        let mb = |kb: u64| kb as f64 / 1024.0;
        let rows = self.gateways.iter().zip(idle).zip(self.memory()).map(|(((name, ..), idle), now)| {
            (name.clone(), vec![idle.map(|it| mb(it.now)), now.map(|it| mb(it.peak)), now.map(|it| mb(it.now))])
        });
        Table {
            key: "memory".to_owned(),
            title: "Resident memory, MB".to_owned(),
            columns: vec![column("idle_mb", "idle", 1), column("peak_mb", "peak", 1), column("after_mb", "after", 1)],
            rows: rows.collect(),
            notes: Vec::new(),
        }
    }
}

pub(super) async fn table(
    key: &str,
    title: String,
    targets: &[Target],
    how: How,
    rounds: u64,
    columns: Columns,
) -> Result<Table> {
    progress(&title);
    let mut found: Vec<Vec<(Round, [Option<f64>; 3])>> = targets.iter().map(|_| Vec::new()).collect();
    for number in 0..=rounds {
        for (target, found) in targets.iter().zip(&mut found) {
            let warm_up = number == 0;
            let how = if warm_up { how.shorter() } else { how };
            let before = cpu(target);
            // The callers' own time is read next to the calls, since reading the others' costs some.
            let own_before = process::own_cpu_us();
            let round = match how {
                How::One(calls) => load::one(target.address, &target.shot, calls).await,
                How::Many(callers, time) => load::many(target.address, &target.shot, callers, time).await,
            };
            // The callers sleep through it, and the gateways' last rows are written.
            tokio::time::sleep(SETTLE).await;
            let own = minus(process::own_cpu_us(), own_before);
            let after = cpu(target);
            if warm_up {
                if round.good == 0 && target.name == "direct" {
                    let why = round.why.unwrap_or_default();
                    bail!("the upstream does not answer: {why}");
                }
                continue;
            }
            found.push((round, [minus(after[0], before[0]), minus(after[1], before[1]), own]));
        }
    }
    let figures: Vec<_> = found.iter().map(|rounds| Figures::new(rounds)).collect();
    let rows = targets
        .iter()
        .zip(&figures)
        .map(|(target, it)| (target.name.clone(), columns.iter().map(|(_, figure)| figure(it, &figures[0])).collect()));
    let mut notes = Vec::new();
    if figures.iter().any(|it| it.rough) && columns.iter().any(|(column, _)| column.key == CPU.0.key) {
        notes.push("CPU time is counted in steps of 10 ms, which shows here: give more --requests".to_owned());
    }
    let failures = targets.iter().zip(&figures).filter(|(_, it)| it.failed > 0).map(|(target, it)| {
        let why = it.why.as_deref().unwrap_or("no reason was given");
        format!("{}: {} calls failed, the first because {why}", target.name, it.failed)
    });
    notes.extend(failures);
    Ok(Table {
        key: key.to_owned(),
        title,
        columns: columns.iter().map(|(column, _)| *column).collect(),
        rows: rows.collect(),
        notes,
    })
}

impl How {
    fn shorter(self) -> Self {
        match self {
            Self::One(calls) => Self::One((calls / 10).max(1)),
            Self::Many(callers, time) => Self::Many(callers, time / 4),
        }
    }
}

/// The CPU time so far: of the gateway, and of the upstream.
fn cpu(target: &Target) -> [Option<f64>; 2] {
    [target.gateway.and_then(process::cpu_us), process::cpu_us(target.upstream)]
}

async fn cold(folder: &Folder, upstreams: &Upstreams) -> Result<Table> {
    let title = "Cold start, ms".to_owned();
    progress(&title);
    let mut rows = Vec::new();
    for durability in DURABILITIES {
        let (mut ready, mut answered) = (Vec::new(), Vec::new());
        for number in 0..COLD_STARTS {
            let start = Instant::now();
            let gateway = upstreams.gateway(folder, &format!("cold-{durability}-{number}"), durability)?;
            ready.push(start.elapsed().as_secs_f64() * 1e3);
            let shot = Shot::new("bench", "/v1/chat/completions", &body("bench", false, false), None);
            let round = load::one(gateway.address, &shot, 1).await;
            if let Some(why) = round.why {
                bail!("the first call to a gateway failed: {why}");
            }
            answered.push(start.elapsed().as_secs_f64() * 1e3);
        }
        rows.push((format!("sabir {durability}"), vec![quantile(&ready, 0.5), quantile(&answered, 0.5)]));
    }
    let columns = vec![column("ready_ms", "ready", 1), column("first_answer_ms", "first answer", 1)];
    Ok(Table { key: "cold".to_owned(), title, columns, rows, notes: Vec::new() })
}

/// A folder that is gone after the run.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    fn new(parent: Option<&Path>) -> Result<Self> {
        let parent = parent.map_or_else(env::temp_dir, Path::to_owned);
        let path = parent.join(format!("sabir-bench-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("{} could not be made", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn sub(&self, name: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        fs::create_dir_all(&path).with_context(|| format!("{} could not be made", path.display()))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            progress(&format!("{} could not be removed: {error}", self.0.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_compared_with_the_direct_call() {
        let direct = Figures { p50: Some(50.0), p99: Some(80.0), ..Figures::default() };
        let it = Figures { p50: Some(75.0), p99: Some(100.0), failed: 1, ..Figures::default() };
        let shown: Vec<_> = CALLS.iter().map(|(column, figure)| (column.key, figure(&it, &direct))).collect();
        assert!(shown.contains(&("added_p50_us", Some(25.0))));
        assert!(shown.contains(&("added_p99_us", Some(20.0))));
        assert!(shown.contains(&("p50_ratio", Some(1.5))));
        assert!(shown.contains(&("cpu_us", None)));
        assert!(shown.contains(&("failed", Some(1.0))));
        assert_eq!(by(Some(1.0), Some(0.0)), None);
    }

    #[test]
    fn bodies_are_json() {
        for (stream, paced) in [(false, false), (true, false), (true, true)] {
            let body: serde_json::Value = serde_json::from_str(&body("bench", stream, paced)).unwrap();
            assert_eq!(body.get("stream").is_some(), stream);
            assert_eq!(body["messages"][0]["content"].as_str().unwrap().contains(mock::PACED), paced);
        }
    }

    #[tokio::test]
    async fn a_part_measures_its_targets_in_turn() {
        let address = mock::spawn(mock::Protocol::Openai, CHUNKS, Duration::ZERO).await;
        let target = |name: &str, path: &str| Target {
            name: name.to_owned(),
            address,
            shot: Shot::new("x", path, &body("bench", false, false), None),
            gateway: None,
            upstream: std::process::id(),
        };
        let targets = [target("direct", "/v1/chat/completions"), target("broken", "/nowhere")];
        let table = table("one", "One".to_owned(), &targets, How::One(3), 2, CALLS).await.unwrap();
        let (direct, broken) = (&table.rows[0], &table.rows[1]);
        assert!(direct.1[0].is_some_and(|p50| p50 > 0.0));
        assert_eq!((direct.1.last().copied(), broken.1.last().copied()), (Some(Some(0.0)), Some(Some(6.0))));
        assert_eq!(broken.1[0], None);
        assert_eq!(table.notes, ["broken: 6 calls failed, the first because the answer's status is 404"]);
    }

    #[test]
    fn the_folder_goes_with_the_run() {
        let folder = Folder::new(None).unwrap();
        let path = folder.sub("a").unwrap();
        assert!(path.is_dir());
        drop(folder);
        assert!(!path.exists());
    }
}
