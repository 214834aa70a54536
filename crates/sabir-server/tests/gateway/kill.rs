//! Killed at any moment: whatever a caller has got to the end is in the ledger.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use sabir_store::Status;

use crate::{mock::*, support::*};

/// How many times it is killed.
const ROUNDS: usize = 8;
/// How many callers there are.
const CALLERS: usize = 16;

/// Whether the caller has all of the answer.
fn is_whole(answer: &Answer) -> bool {
    let stream = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    answer.status == 200 && if stream { answer.text().contains("data: [DONE]") } else { answer.complete }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_that_arrived_has_its_row() {
    let upstream = Upstream::start(|n, seen| {
        if seen.text().contains("\"stream\":true") {
            good_stream(&["a", "b", &n.to_string()])
        } else {
            vec![good(&n.to_string())]
        }
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let (config, data) = (dir.path().join("sabir.toml"), dir.path().join("data"));
    let dummy = "[models.d.providers.a]\ntype = \"dummy\"\nmodel_name = \"good\"\n";
    std::fs::write(&config, format!("{}\n{dummy}", model(&upstream, ""))).unwrap();
    let calls: Vec<String> = [CALL, STREAM, REWRITTEN, REWRITTEN_STREAM]
        .iter()
        .map(|call| (*call).to_owned())
        .chain([CALL.replace("\"m\"", "\"d\""), STREAM.replace("\"m\"", "\"d\"")])
        .collect();
    let arrived = Arc::new(Mutex::new(HashSet::new()));
    for round in 0..ROUNDS {
        let mut gateway = Process::start(&config, &data, &[]);
        let over = Arc::new(AtomicBool::new(false));
        let mut callers = Vec::new();
        for caller in 0..CALLERS {
            let (calls, arrived, over, addr) = (calls.clone(), arrived.clone(), over.clone(), gateway.addr);
            callers.push(tokio::spawn(async move {
                let mut client = Client::connect(addr).await;
                let mut at = caller;
                while !over.load(Ordering::Relaxed) {
                    at += 1;
                    let request = post("/v1/chat/completions", "", calls[at % calls.len()].as_bytes());
                    if client.try_write(&request).await.is_err() {
                        return;
                    }
                    let Some(answer) = client.try_answer().await else { return };
                    if is_whole(&answer) {
                        arrived.lock().insert(answer.header("x-sabir-inference-id").unwrap().to_owned());
                    }
                }
            }));
        }
        let before = arrived.lock().len();
        while arrived.lock().len() < before + 50 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Another moment in every round.
        tokio::time::sleep(Duration::from_micros(rand_micros(round))).await;
        gateway.child.kill().unwrap();
        over.store(true, Ordering::Relaxed);
        gateway.child.wait().unwrap();
        for caller in callers {
            tokio::time::timeout(PATIENCE, caller).await.unwrap().unwrap();
        }
        let arrived = arrived.lock().clone();
        let rows = rows_in(&data).await;
        let kept: HashSet<String> = rows
            .iter()
            .filter(|row| row.inference.status == Status::Ok)
            .map(|row| row.inference.id.to_string())
            .collect();
        let lost: Vec<_> = arrived.difference(&kept).collect();
        assert!(lost.is_empty(), "round {round}: {} of {} answers have no row: {lost:?}", lost.len(), arrived.len());
        assert!(rows.iter().all(|row| !row.calls.is_empty()), "a row without its model calls");
        let file = rusqlite::Connection::open(data.join("ledger.sqlite")).unwrap();
        let check: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok", "round {round}");
    }
}

/// Up to 200 ms, by the clock.
fn rand_micros(round: usize) -> u64 {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    (u64::from(nanos) / 7 + round as u64 * 7919) % 200_000
}
