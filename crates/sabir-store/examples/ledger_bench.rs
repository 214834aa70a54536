//! What a row in the SQLite ledger costs: rows per second and CPU per row, for 1 and 32 appenders.
//!
//! `cargo run -p sabir-store --example ledger_bench [seconds] [folder]`. Each row has a request and
//! a response of about 1 KB, as when bodies go through untouched. "busy" is how much other work an
//! appender does for each row, as a gateway does; it is not counted.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sabir_store::conformance::plain;
use sabir_store::sqlite::Options;
use sabir_store::{Entry, Ledger, Record, SqliteLedger, StoreError};
use sabir_types::{Uuid, new_id};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let folder = match arguments.next() {
        Some(folder) => tempfile::tempdir_in(PathBuf::from(folder))?,
        None => tempfile::tempdir()?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for sync_to_disk in [false, true] {
        for (appenders, busy) in [(1, 0), (1, 80), (4, 80), (32, 0), (32, 80), (256, 80)] {
            let path = folder.path().join(format!("{appenders}-{busy}-{sync_to_disk}.db"));
            let ledger = SqliteLedger::open(&path, Options { sync_to_disk, wait: true })?;
            let (time, busy) = (Duration::from_secs(seconds), Duration::from_micros(busy));
            print(&format!("sync {sync_to_disk:5}  appenders {appenders:3}  busy {busy:4.0?}"));
            runtime.block_on(measure(ledger, appenders, time, busy))?;
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are what this is for")]
fn print(text: &str) {
    print!("{text}");
}

async fn measure(ledger: Arc<SqliteLedger>, appenders: usize, time: Duration, busy: Duration) -> Result<(), Failure> {
    let record = Arc::new(record());
    let (start, cpu) = (Instant::now(), cpu_time()?);
    let tasks = tokio::task::LocalSet::new();
    let appenders: Vec<_> = (0..appenders)
        .map(|_| {
            let (ledger, record) = (ledger.clone(), record.clone());
            tasks.spawn_local(async move {
                let mut waits = Vec::new();
                while start.elapsed() < time {
                    let begun = Instant::now();
                    while begun.elapsed() < busy {}
                    let begun = Instant::now();
                    ledger.append(Entry::Inference(Box::new(renamed(&record)))).wait().await?;
                    waits.push(begun.elapsed());
                }
                Ok::<_, StoreError>(waits)
            })
        })
        .collect();
    tasks.await;
    let mut waits = Vec::new();
    for appender in appenders {
        waits.extend(appender.await??);
    }
    let (elapsed, cpu) = (start.elapsed(), cpu_time()? - cpu);
    waits.sort();
    let rows = waits.len();
    print(&format!(
        "  {:7.0} rows/s  {:6.1} us CPU/row  wait p50 {:?} p99 {:?} max {:?}\n",
        rows as f64 / elapsed.as_secs_f64(),
        (cpu.as_secs_f64() / rows as f64 - busy.as_secs_f64()) * 1e6,
        waits[rows / 2],
        waits[rows * 99 / 100],
        waits[rows - 1],
    ));
    Ok(())
}

fn record() -> Record {
    let mut record = plain("tensorzero::default");
    let filler = "The quick brown fox jumps over the lazy dog. ".repeat(20);
    let call = &mut record.calls[0];
    call.raw_request =
        Bytes::from(format!(r#"{{"model":"small","messages":[{{"role":"user","content":"{filler}"}}]}}"#));
    call.raw_response = Bytes::from(format!(
        r#"{{"id":"x","choices":[{{"index":0,"message":{{"role":"assistant","content":"{filler}"}},"finish_reason":"stop"}}]}}"#
    ));
    call.http_status = Some(200);
    call.usage.input_tokens = Some(200);
    call.usage.output_tokens = Some(200);
    call.usage.raw = Some(serde_json::json!({"prompt_tokens": 200, "completion_tokens": 200, "total_tokens": 400}));
    record.inference.usage = call.usage.clone();
    record
}

fn renamed(record: &Record) -> Record {
    let mut record = record.clone();
    let id: Uuid = new_id();
    record.inference.id = id;
    record.inference.episode_id = new_id();
    record.calls[0].inference_id = id;
    record.calls[0].id = new_id();
    record
}

/// What all threads of this process have used, to the nearest hundredth of a second.
fn cpu_time() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}
