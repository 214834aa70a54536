//! The commands on a ledger in a temporary directory.

use bytes::Bytes;
use clap::Parser;
use sabir_store::{Entry, FeedbackKind, FeedbackRow, Status, TargetKind, conformance::plain};
use sabir_types::{ErrorKind, FinishReason, Usage, Value, new_id};

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    ledger: LedgerArgs,
}

fn args(line: &[&str]) -> LedgerArgs {
    Line::try_parse_from([&["ledger"], line].concat()).unwrap().ledger
}

struct Kept(tempfile::TempDir);

impl Kept {
    fn of(entries: Vec<Entry>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(&folder.path().join(FILE), Options::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for entry in entries {
            runtime.block_on(ledger.append(entry).wait()).unwrap();
        }
        Self(folder)
    }

    fn run(&self, line: &[&str]) -> Result<String> {
        let mut out = Vec::new();
        run(&args(line), self.0.path(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn lines(&self, line: &[&str]) -> Vec<Value> {
        self.run(line).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn chat(model: &str, said: &str) -> Record {
    let mut record = plain("tensorzero::default");
    let (request, response) = (
        serde_json::json!({"model": model, "messages": [
            {"role": "system", "content": "be brief"}, {"role": "user", "content": said}]}),
        serde_json::json!({"id": "c", "object": "chat.completion", "created": 1, "model": "upstream",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": format!("{said}!")}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}),
    );
    let usage = Usage { input_tokens: Some(7), output_tokens: Some(3), ..Usage::default() };
    let row = &mut record.inference;
    (row.model, row.variant_name) = (model.into(), model.into());
    (row.usage, row.cost, row.total_us) = (usage.clone(), Some(0.00125), 12_340);
    row.finish_reason = Some(FinishReason::Stop);
    row.tags = vec![("team".into(), "blue".into())];
    let call = &mut record.calls[0];
    (call.model_name, call.provider_name) = (model.into(), "main".into());
    (call.raw_request, call.raw_response) = (request.to_string().into(), response.to_string().into());
    (call.usage, call.http_status) = (usage, Some(200));
    record
}

fn failed(model: &str) -> Record {
    let mut record = chat(model, "x");
    record.inference.status = Status::Error;
    record.inference.error = Some((ErrorKind::RateLimited, "slow down".into()));
    record.inference.usage = Usage::default();
    record.inference.cost = None;
    record.calls[0].status = Status::Error;
    record.calls[0].http_status = Some(429);
    record.calls[0].raw_response = Bytes::from_static(b"\xff\xfe");
    record
}

fn entry(record: &Record) -> Entry {
    Entry::Inference(Box::new(record.clone()))
}

fn opinion(target_kind: TargetKind, target_id: Uuid, metric_name: &str, value: FeedbackKind) -> FeedbackRow {
    FeedbackRow { id: new_id(), target_kind, target_id, metric_name: metric_name.into(), value, tags: Vec::new() }
}

#[test]
fn a_ledger_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let error = run(&args(&["list"]), folder.path(), &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains(&folder.path().join(FILE).display().to_string()), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_empty_ledger_is_no_error() {
    let kept = Kept::of(Vec::new());
    assert_eq!(kept.run(&["list"]).unwrap(), "no inferences\n");
    assert_eq!(kept.run(&["stats"]).unwrap(), "no inferences\n");
    assert_eq!(kept.run(&["export"]).unwrap(), "");
}

#[test]
fn the_list_has_the_newest_first() {
    let (first, second, third) = (chat("a", "one"), chat("b", "two"), failed("a"));
    let kept = Kept::of(vec![entry(&first), entry(&second), entry(&third)]);
    let text = kept.run(&["list"]).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("ID ") && lines[0].ends_with("TOTAL MS"), "{text}");
    assert!(lines[1].contains(&third.inference.id.to_string()) && lines[1].contains("rate_limited"), "{text}");
    assert!(lines[3].contains(" a ") && lines[3].contains("main") && lines[3].contains(" 7 "), "{text}");
    assert!(lines[3].contains("0.00125") && lines[3].ends_with("12.3"), "{text}");

    let ids = |line: &[&str]| -> Vec<String> {
        kept.lines(line).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let id = |record: &Record| record.inference.id.to_string();
    assert_eq!(ids(&["list", "--json", "--limit", "2"]), [id(&third), id(&second)]);
    assert_eq!(ids(&["list", "--json", "--model", "a"]), [id(&third), id(&first)]);
    assert_eq!(ids(&["list", "--json", "--failed"]), [id(&third)]);
    assert_eq!(ids(&["list", "--json", "--episode", &second.inference.episode_id.to_string()]), [id(&second)]);
    assert!(ids(&["list", "--json", "--limit", "0"]).is_empty());
}

#[test]
fn what_is_selected_may_lie_pages_back() {
    let wanted = chat("rare", "one");
    let mut entries = vec![entry(&wanted)];
    entries.extend((0..300).map(|_| entry(&chat("common", "two"))));
    let kept = Kept::of(entries);
    let rows = kept.lines(&["list", "--json", "--model", "rare"]);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["id"], wanted.inference.id.to_string());
    assert_eq!(kept.lines(&["export"]).len(), 301);
}

#[test]
fn one_inference_is_shown_in_full() {
    let mut record = chat("a", "say \u{1b}[31mred");
    let other = chat("b", &"long ".repeat(400));
    record.calls.insert(0, failed("a").calls.remove(0));
    let ids = (record.inference.id, record.inference.episode_id);
    let kept = Kept::of(vec![
        entry(&record),
        entry(&other),
        Entry::Feedback(Box::new(opinion(TargetKind::Inference, ids.0, "good", FeedbackKind::Boolean(true)))),
        Entry::Feedback(Box::new(opinion(TargetKind::Episode, ids.1, "comment", FeedbackKind::Comment("ok".into())))),
    ]);
    // The first call is one that failed: its input is what is read.
    let text = kept.run(&["show", &ids.0.to_string()]).unwrap();
    for part in [
        "episode     ",
        "tag         team = blue",
        "7 in, 3 out",
        "system:\n    be brief\n",
        "assistant:\n    say \\u{1b}[31mred!\n",
        "model call 1 of 2",
        "error, HTTP 429",
        "raw response (2 bytes)",
        "model call 2 of 2",
        "good: true",
        "comment (on the episode): ok",
    ] {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'));

    let id = other.inference.id.to_string();
    let (short, whole) = (kept.run(&["show", &id]).unwrap(), kept.run(&["show", &id, "--raw"]).unwrap());
    assert!(short.contains("more bytes: --raw shows all of them"), "{short}");
    let body = String::from_utf8(other.calls[0].raw_response.to_vec()).unwrap();
    assert!(whole.contains(&body) && !short.contains(&body));
}

#[test]
fn other_ids_lead_to_the_inference() {
    let record = chat("a", "one");
    let row = opinion(TargetKind::Inference, record.inference.id, "good", FeedbackKind::Float(0.5));
    let kept = Kept::of(vec![entry(&record), Entry::Feedback(Box::new(row.clone()))]);
    let id = record.inference.id.to_string();
    let text = kept.run(&["show", &record.inference.episode_id.to_string()]).unwrap();
    assert!(text.contains("1 inference(s)") && text.contains(&id), "{text}");
    let text = kept.run(&["show", &record.calls[0].id.to_string()]).unwrap();
    assert!(text.contains("is a model call of an inference") && text.contains(&id), "{text}");
    let text = kept.run(&["show", &row.id.to_string()]).unwrap();
    assert!(text.contains("is feedback (`good`) on an inference") && text.contains(&id), "{text}");
    let nothing = new_id().to_string();
    let error = kept.run(&["show", &nothing]).unwrap_err().to_string();
    assert!(error.contains(&nothing), "{error}");
}

#[test]
fn the_export_holds_everything() {
    let (first, second) = (chat("a", "one"), failed("b"));
    let row = opinion(TargetKind::Episode, first.inference.episode_id, "score", FeedbackKind::Float(0.5));
    let kept = Kept::of(vec![entry(&first), entry(&second), Entry::Feedback(Box::new(row))]);
    let rows = kept.lines(&["export"]);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["id"], first.inference.id.to_string());
    assert_eq!(rows[0]["tags"]["team"], "blue");
    assert_eq!(rows[0]["model_calls"][0]["raw_request"].as_str().unwrap().as_bytes(), first.calls[0].raw_request);
    assert_eq!(rows[0]["feedback"][0]["value"], 0.5);
    assert_eq!(rows[0]["cost"], 0.00125);
    assert_eq!((&rows[0]["door"], &rows[0]["finish_reason"]), (&"openai".into(), &"stop".into()));
    assert!(OffsetDateTime::parse(rows[0]["time"].as_str().unwrap(), &Rfc3339).is_ok());
    assert_eq!(rows[1]["error"]["kind"], "rate_limited");
    assert_eq!(rows[1]["model_calls"][0]["raw_response_base64"], "//4=");
    assert!(rows[1]["model_calls"][0].get("raw_response").is_none());

    let first_id = first.inference.id.to_string();
    assert_eq!(kept.lines(&["export", "--limit", "1"]), rows[..1]);
    assert_eq!(kept.lines(&["export", "--after", &first_id]), rows[1..]);
    assert_eq!(kept.lines(&["export", "--before", &first_id]), [] as [Value; 0]);
    assert_eq!(kept.lines(&["export", "--after", "2020-01-01"]), rows);
    assert_eq!(kept.lines(&["export", "--before", "2020-01-01T00:00:00Z"]), [] as [Value; 0]);

    let file = kept.0.path().join("out.jsonl");
    assert_eq!(kept.run(&["export", "--output", &file.display().to_string()]).unwrap(), "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), kept.run(&["export"]).unwrap());
}

#[test]
fn bounds_are_ids_or_times() {
    assert_eq!(bound("1970-01-01T00:00:00.001Z").unwrap().to_string(), "00000000-0001-7000-8000-000000000000");
    let id = new_id();
    assert_eq!(bound(&id.to_string()), Ok(id));
    assert!(bound("yesterday").unwrap_err().contains("`yesterday`"));
    assert!(bound("1969-01-01").unwrap_err().contains("before 1970"));
}

#[test]
fn the_figures_of_each_model() {
    let mut entries = vec![entry(&failed("a"))];
    for millis in 1..=20 {
        let mut record = chat("a", "one");
        record.inference.total_us = millis * 1000;
        entries.push(entry(&record));
    }
    let mut cached = chat("b", "two");
    cached.inference.cached = true;
    entries.push(entry(&cached));
    let kept = Kept::of(entries);
    let rows = kept.lines(&["stats", "--json"]);
    assert_eq!(
        rows[0],
        serde_json::json!({"model": "a", "calls": 21, "errors": 1, "cancelled": 0, "cached": 0,
            "input_tokens": 140, "output_tokens": 60, "cost": rows[0]["cost"], "p50_us": 10_000, "p95_us": 19_000})
    );
    assert!((rows[0]["cost"].as_f64().unwrap() - 0.025).abs() < 1e-9);
    assert_eq!((&rows[1]["cached"], &rows[1]["p50_us"]), (&1.into(), &Value::Null));
    assert_eq!(kept.lines(&["stats", "--json", "--last", "1"]).len(), 1);
    let text = kept.run(&["stats"]).unwrap();
    assert!(text.contains("MODEL") && text.contains("over the newest 22 inferences"), "{text}");
}

/// A pipe whose reader has gone.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let record = chat("a", &"long ".repeat(10_000));
    let kept = Kept::of(vec![entry(&record), entry(&chat("b", "two"))]);
    let id = record.inference.id.to_string();
    for line in [&["list"][..], &["list", "--json"], &["show", &id, "--raw"], &["export"], &["stats"]] {
        run(&args(line), kept.0.path(), &mut Closed).unwrap();
    }
}

#[test]
fn pages_shrink_when_bodies_are_large() {
    let mut record = chat("a", "one");
    assert_eq!(next_size(20, &[]), 1);
    assert_eq!(next_size(20, std::slice::from_ref(&record)), 100);
    assert_eq!(next_size(400, std::slice::from_ref(&record)), PAGE);
    record.calls[0].raw_request = Bytes::from(vec![b' '; 16 << 20]);
    assert_eq!(next_size(20, &[record]), 1);
}

#[test]
fn a_list_is_of_those_with_a_label() {
    let (mut first, mut second) = (chat("a", "one"), chat("b", "two"));
    let tags = |user: &str| vec![("org_id".to_owned(), "acme".to_owned()), ("user_id".to_owned(), user.to_owned())];
    (first.inference.tags, second.inference.tags) = (tags("ada"), tags("a=b"));
    let kept = Kept::of(vec![entry(&first), entry(&second), entry(&chat("c", "three"))]);
    for (labels, wanted) in [
        (&["--tag", "org_id=acme"][..], &["b", "a"][..]),
        (&["--tag", "org_id=acme", "--tag", "user_id=ada"], &["a"]),
        (&["--tag", "user_id=a=b"], &["b"]),
        (&["--tag", "org_id=other"], &[]),
        (&[], &["c", "b", "a"]),
    ] {
        let rows = kept.lines(&[&["list", "--json"], labels].concat());
        assert_eq!(rows.iter().map(|row| row["model"].as_str().unwrap()).collect::<Vec<_>>(), wanted, "{labels:?}");
    }
    assert!(Line::try_parse_from(["ledger", "list", "--tag", "acme"]).is_err());
}
