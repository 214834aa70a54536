//! What every ledger must do, as functions over `&dyn Ledger`; each backend calls `ledger_conformance!`.
//!
//! Invariant: each check uses ids and names of its own, so that all can share one database.

use bytes::Bytes;
use sabir_types::{ErrorKind, FinishReason, Operation, Protocol, Usage, Uuid, new_id};
use serde_json::json;

use crate::{
    Comparison, Entry, FeedbackKind, FeedbackRow, Filter, InferenceQuery, InferenceRow, Ledger, ModelCallRow, OrderBy,
    OrderKey, Record, Status, StoreError, TargetKind,
};

/// How a check ends: an assertion says what is wrong, an error that the store could not do it.
pub type Checked = Result<(), StoreError>;

/// One test per check. `$open` is an expression that gives something whose `ledger()` is `&dyn Ledger`.
#[macro_export]
macro_rules! ledger_conformance {
    ($open:expr) => {
        $crate::ledger_conformance!(@ $open;
            every_field_comes_back, every_operation_comes_back, plain_rows_come_back, calls_keep_their_order, feedback_comes_back,
            columns_select, failed_calls_are_asked_for, pages_and_bounds, orders, tags_filter, times_filter,
            metrics_filter, filters_combine, large_filters, search_finds, exists_says_so, duplicates_fail_alone,
            appenders_at_once);
    };
    (@ $open:expr; $($check:ident),*) => {
        $(#[tokio::test]
        async fn $check() {
            let opened = $open;
            $crate::conformance::$check(opened.ledger()).await.unwrap();
        })*
    };
}

/// An inference of this function with one model call, and nothing that is optional.
pub fn plain(function: &str) -> Record {
    let id = new_id();
    let inference = InferenceRow {
        id,
        episode_id: new_id(),
        door: Protocol::OpenAi,
        operation: Operation::Chat,
        function_name: function.to_owned(),
        variant_name: "small".into(),
        model: "small".into(),
        input: None,
        output: None,
        tags: Vec::new(),
        usage: Usage::default(),
        cost: None,
        stream: false,
        cached: false,
        ttft_us: None,
        total_us: 1,
        caller: None,
        finish_reason: None,
        status: Status::Ok,
        error: None,
    };
    Record { calls: vec![call(id)], inference }
}

/// A model call with nothing that is optional.
pub fn call(inference_id: Uuid) -> ModelCallRow {
    ModelCallRow {
        id: new_id(),
        inference_id,
        model_name: "small".into(),
        provider_name: "main".into(),
        provider_type: "openai",
        protocol: Protocol::OpenAi,
        raw_request: Bytes::from_static(br#"{"model":"small","messages":[]}"#),
        raw_response: Bytes::from_static(br#"{"choices":[]}"#),
        http_status: None,
        request_id: None,
        usage: Usage::default(),
        cost: None,
        cached: false,
        ttft_us: None,
        total_us: 1,
        finish_reason: None,
        status: Status::Ok,
        error: None,
    }
}

fn usage(from: u64) -> Usage {
    Usage {
        input_tokens: Some(from),
        output_tokens: Some(from + 1),
        cache_read_tokens: Some(from + 2),
        cache_write_tokens: Some(from + 3),
        reasoning_tokens: Some(from + 4),
        input_audio_tokens: Some(from + 5),
        output_audio_tokens: Some(from + 6),
        raw: Some(json!({"z": from, "a": [1.5, null, "\u{e9}"]})),
    }
}

/// A function's name that no other check uses.
fn name() -> String {
    format!("check-{}", new_id())
}

/// Feedback on an inference.
pub fn feedback(target_id: Uuid, metric_name: &str, value: FeedbackKind) -> FeedbackRow {
    let metric_name = metric_name.to_owned();
    FeedbackRow { id: new_id(), target_kind: TargetKind::Inference, target_id, metric_name, value, tags: Vec::new() }
}

async fn add(ledger: &dyn Ledger, record: &Record) -> Checked {
    ledger.append(Entry::Inference(Box::new(record.clone()))).wait().await
}

async fn tell(ledger: &dyn Ledger, row: FeedbackRow) -> Checked {
    ledger.append(Entry::Feedback(Box::new(row))).wait().await?;
    ledger.flush().await
}

/// That many inferences of one function, oldest first.
async fn some(ledger: &dyn Ledger, count: usize) -> Result<(String, Vec<Record>), StoreError> {
    let function = name();
    let records: Vec<_> = (0..count).map(|_| plain(&function)).collect();
    for record in &records {
        add(ledger, record).await?;
    }
    ledger.flush().await?;
    Ok((function, records))
}

fn all(function: &str) -> InferenceQuery {
    InferenceQuery { function_name: Some(function.to_owned()), ..InferenceQuery::default() }
}

fn places(records: &[Record], found: &[Record]) -> Vec<Option<usize>> {
    let place = |id| records.iter().position(|record| record.inference.id == id);
    found.iter().map(|record| place(record.inference.id)).collect()
}

/// Asks, and says at which places of `records` the found ones are.
async fn ask(ledger: &dyn Ledger, records: &[Record], query: InferenceQuery) -> Result<Vec<Option<usize>>, StoreError> {
    Ok(places(records, &ledger.inferences(query).await?))
}

fn at(places: impl IntoIterator<Item = usize>) -> Vec<Option<usize>> {
    places.into_iter().map(Some).collect()
}

/// Asks with a filter; the oldest comes first.
async fn filtered(
    ledger: &dyn Ledger,
    function: &str,
    records: &[Record],
    filter: Filter,
) -> Result<Vec<Option<usize>>, StoreError> {
    let order_by = vec![OrderBy { key: OrderKey::Timestamp, descending: false }];
    ask(ledger, records, InferenceQuery { filter: Some(filter), order_by, ..all(function) }).await
}

fn same<T: std::fmt::Debug>(found: &T, expected: &T) {
    assert_eq!(format!("{found:#?}"), format!("{expected:#?}"));
}

/// A row of every operation.
pub async fn every_operation_comes_back(ledger: &dyn Ledger) -> Checked {
    let records: Vec<Record> = Operation::TRANSLATED
        .into_iter()
        .chain([Operation::Relay, Operation::Realtime])
        .map(|operation| {
            let mut record = plain(&name());
            record.inference.operation = operation;
            // Forms and sounds are no text.
            record.calls[0].raw_request = Bytes::from_static(b"--b\r\n\x00\xff");
            record
        })
        .collect();
    for record in records {
        add(ledger, &record).await?;
        let ids = Some(vec![record.inference.id]);
        same(&ledger.inferences(InferenceQuery { ids, ..InferenceQuery::default() }).await?, &vec![record]);
    }
    Ok(())
}

/// A row with everything in it.
pub async fn every_field_comes_back(ledger: &dyn Ledger) -> Checked {
    let mut record = plain(&name());
    let row = &mut record.inference;
    row.door = Protocol::Anthropic;
    row.operation = Operation::Embed;
    row.variant_name = "a variant".into();
    row.model = "openai::gpt".into();
    row.input = Some(Bytes::from_static(b"{\"messages\": [\"\xc3\xa9\"]}"));
    row.output = Some("{\"operation\":\"chat\"}".into());
    row.tags = vec![("user".into(), "7".into()), ("a \"quoted\" key".into(), "va'lue".into())];
    row.usage = usage(10);
    row.cost = Some(0.1 + 0.2);
    (row.stream, row.cached) = (true, true);
    (row.ttft_us, row.total_us) = (Some(5), 7);
    row.caller = Some("key-1".into());
    row.finish_reason = Some(FinishReason::ToolCalls);
    row.status = Status::Cancelled;
    row.error = Some((ErrorKind::Cancelled, "the caller left".into()));
    let call = &mut record.calls[0];
    call.model_name = "large".into();
    call.provider_name = "backup".into();
    call.provider_type = "anthropic";
    call.protocol = Protocol::Gemini;
    // Neither text nor without zeros.
    call.raw_request = Bytes::from_static(b"\xff\x00\xfe");
    call.raw_response = Bytes::from_static(b"text\x00text");
    call.http_status = Some(529);
    call.request_id = Some("req_1".into());
    call.usage = usage(100);
    call.cost = Some(1e-9);
    call.cached = true;
    (call.ttft_us, call.total_us) = (Some(0), u64::from(u32::MAX) * 5);
    call.finish_reason = Some(FinishReason::Length);
    call.status = Status::Error;
    call.error = Some((ErrorKind::RateLimited, String::new()));
    add(ledger, &record).await?;
    let ids = Some(vec![record.inference.id]);
    let found = ledger.inferences(InferenceQuery { ids, include_failed: true, ..InferenceQuery::default() }).await?;
    same(&found, &vec![record]);
    Ok(())
}

/// A row with nothing optional in it: what is unknown stays unknown.
pub async fn plain_rows_come_back(ledger: &dyn Ledger) -> Checked {
    let mut record = plain(&name());
    record.calls.clear();
    add(ledger, &record).await?;
    same(&ledger.inferences(all(&record.inference.function_name)).await?, &vec![record]);
    Ok(())
}

/// Retries and fallbacks in the order in which they were made.
pub async fn calls_keep_their_order(ledger: &dyn Ledger) -> Checked {
    let function = name();
    let (mut first, second) = (plain(&function), plain(&function));
    let id = first.inference.id;
    first.calls = (0..20).map(|_| call(id)).rev().collect();
    // Ids that are not in the order of the calls.
    first.calls.reverse();
    first.calls.swap(0, 19);
    add(ledger, &second).await?;
    add(ledger, &first).await?;
    let order_by = vec![OrderBy { key: OrderKey::Timestamp, descending: false }];
    same(&ledger.inferences(InferenceQuery { order_by, ..all(&function) }).await?, &vec![first, second]);
    Ok(())
}

/// Each kind of feedback, in order of time, for several targets.
pub async fn feedback_comes_back(ledger: &dyn Ledger) -> Checked {
    let (one, other, stranger) = (new_id(), new_id(), new_id());
    let mut rows = vec![
        feedback(one, "good", FeedbackKind::Boolean(true)),
        feedback(other, "score", FeedbackKind::Float(-0.25)),
        feedback(one, "comment", FeedbackKind::Comment("it's \"fine\"".into())),
        feedback(one, "demonstration", FeedbackKind::Demonstration("[{\"type\":\"text\"}]".into())),
        feedback(stranger, "good", FeedbackKind::Boolean(false)),
        feedback(other, "good", FeedbackKind::Boolean(false)),
        feedback(one, "score", FeedbackKind::Float(2.0)),
    ];
    rows[1].target_kind = TargetKind::Episode;
    rows[1].tags = vec![("by".into(), "a person".into())];
    for row in rows.iter().rev() {
        tell(ledger, row.clone()).await?;
    }
    let found = ledger.feedback(vec![other, one]).await?;
    rows.remove(4);
    same(&found, &rows);
    assert!(ledger.feedback(vec![new_id()]).await?.is_empty());
    assert!(ledger.feedback(Vec::new()).await?.is_empty());
    Ok(())
}

/// By ids, variant and episode.
pub async fn columns_select(ledger: &dyn Ledger) -> Checked {
    let function = name();
    let mut records = [plain(&function), plain(&function), plain(&function)];
    records[1].inference.variant_name = "large".into();
    records[2].inference.episode_id = records[0].inference.episode_id;
    for record in &records {
        add(ledger, record).await?;
    }
    ledger.flush().await?;
    let query = InferenceQuery { variant_name: Some("large".into()), ..all(&function) };
    assert_eq!(ask(ledger, &records, query).await?, at([1]));
    let episode_id = Some(records[0].inference.episode_id);
    let query = InferenceQuery { episode_id, ..InferenceQuery::default() };
    assert_eq!(ask(ledger, &records, query).await?, at([2, 0]));
    let ids = Some(vec![records[0].inference.id, new_id(), records[1].inference.id]);
    let query = InferenceQuery { ids, ..InferenceQuery::default() };
    assert_eq!(ask(ledger, &records, query).await?, at([1, 0]));
    let query = InferenceQuery { ids: Some(Vec::new()), ..InferenceQuery::default() };
    assert_eq!(ask(ledger, &records, query).await?, at([]));
    assert_eq!(ask(ledger, &records, all(&name())).await?, at([]));
    Ok(())
}

/// Those that failed come only when asked for.
pub async fn failed_calls_are_asked_for(ledger: &dyn Ledger) -> Checked {
    let function = name();
    let mut records = [plain(&function), plain(&function), plain(&function)];
    records[0].inference.status = Status::Error;
    records[2].inference.status = Status::Cancelled;
    for record in &records {
        add(ledger, record).await?;
    }
    ledger.flush().await?;
    assert_eq!(ask(ledger, &records, all(&function)).await?, at([1]));
    let query = InferenceQuery { include_failed: true, ..all(&function) };
    assert_eq!(ask(ledger, &records, query).await?, at([2, 1, 0]));
    Ok(())
}

/// Newest first, a page at a time, by number or by id.
pub async fn pages_and_bounds(ledger: &dyn Ledger) -> Checked {
    let (function, records) = some(ledger, 7).await?;
    let id = |place: usize| Some(records[place].inference.id);
    let query = InferenceQuery { limit: Some(3), offset: 2, ..all(&function) };
    assert_eq!(ask(ledger, &records, query).await?, at([4, 3, 2]));
    let query = InferenceQuery { limit: Some(0), ..all(&function) };
    assert_eq!(ask(ledger, &records, query).await?, at([]));
    let query = InferenceQuery { offset: 5, ..all(&function) };
    assert_eq!(ask(ledger, &records, query).await?, at([1, 0]));
    let query = InferenceQuery { before: id(3), limit: Some(2), ..all(&function) };
    assert_eq!(ask(ledger, &records, query).await?, at([2, 1]));
    let query = InferenceQuery { after: id(4), ..all(&function) };
    assert_eq!(ask(ledger, &records, query).await?, at([6, 5]));
    let query = InferenceQuery { after: id(1), before: id(4), ..all(&function) };
    assert_eq!(ask(ledger, &records, query).await?, at([3, 2]));
    Ok(())
}

/// By time and by metric, those without one last, those that are equal newest first.
pub async fn orders(ledger: &dyn Ledger) -> Checked {
    let (function, records) = some(ledger, 5).await?;
    for (place, value) in [(0, 5.0), (1, 9.0), (2, 5.0), (4, 1.0), (4, 7.0)] {
        tell(ledger, feedback(records[place].inference.id, "score", FeedbackKind::Float(value))).await?;
    }
    tell(ledger, feedback(records[3].inference.id, "good", FeedbackKind::Boolean(true))).await?;
    let metric = |name: &str, descending| OrderBy { key: OrderKey::Metric(name.into()), descending };
    let time = |descending| OrderBy { key: OrderKey::Timestamp, descending };
    for (order_by, expected) in [
        (vec![], [4, 3, 2, 1, 0]),
        (vec![time(true)], [4, 3, 2, 1, 0]),
        (vec![time(false)], [0, 1, 2, 3, 4]),
        (vec![metric("score", true)], [1, 4, 2, 0, 3]),
        (vec![metric("score", false)], [2, 0, 4, 1, 3]),
        (vec![metric("score", false), time(false)], [0, 2, 4, 1, 3]),
        (vec![metric("good", true), metric("score", true), time(true)], [3, 1, 4, 2, 0]),
        (vec![metric("none", true), time(false)], [0, 1, 2, 3, 4]),
    ] {
        let query = InferenceQuery { order_by: order_by.clone(), ..all(&function) };
        assert_eq!(ask(ledger, &records, query).await?, at(expected), "{order_by:?}");
    }
    Ok(())
}

/// Labels, also with characters that mean something to JSON and SQL.
pub async fn tags_filter(ledger: &dyn Ledger) -> Checked {
    let function = name();
    let mut records = [plain(&function), plain(&function), plain(&function)];
    let odd = "o\"d.d' \\ key\u{e9}";
    records[0].inference.tags = vec![("user".into(), "7".into()), (odd.into(), "%_'\"".into())];
    records[1].inference.tags = vec![("user".into(), "8".into())];
    for record in &records {
        add(ledger, record).await?;
    }
    ledger.flush().await?;
    let tag = |key: &str, value: &str, equal| Filter::Tag { key: key.into(), value: value.into(), equal };
    for (filter, expected) in [
        (tag("user", "7", true), vec![0]),
        (tag("user", "7", false), vec![1]),
        (tag(odd, "%_'\"", true), vec![0]),
        (tag(odd, "else", false), vec![0]),
        (tag("User", "7", true), vec![]),
        (Filter::Not(Box::new(tag("user", "7", true))), vec![1, 2]),
        (Filter::Not(Box::new(tag("user", "7", false))), vec![0, 2]),
    ] {
        assert_eq!(filtered(ledger, &function, &records, filter.clone()).await?, at(expected), "{filter:?}");
    }
    Ok(())
}

/// The time that is in the id, to the millisecond.
pub async fn times_filter(ledger: &dyn Ledger) -> Checked {
    let function = name();
    let base: i64 = 1_700_000_000_000;
    let records: Vec<_> = (0..3)
        .map(|step| {
            let mut record = plain(&function);
            // The rest of the id differs each time, so that the same database takes it again.
            let id = Uuid::from_u128(((base + step) as u128) << 80 | u128::from(new_id().as_u64_pair().1));
            record.inference.id = id;
            record.calls[0].inference_id = id;
            record
        })
        .collect();
    for record in &records {
        add(ledger, record).await?;
    }
    ledger.flush().await?;
    use Comparison::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
    for (millis, comparison, expected) in [
        (base + 1, Less, vec![0]),
        (base + 1, AtMost, vec![0, 1]),
        (base + 1, Equal, vec![1]),
        (base + 1, Greater, vec![2]),
        (base + 1, AtLeast, vec![1, 2]),
        (base + 1, NotEqual, vec![0, 2]),
        (-5, Less, vec![]),
        (-5, Greater, vec![0, 1, 2]),
        (i64::MAX, Less, vec![0, 1, 2]),
        (i64::MAX, AtLeast, vec![]),
    ] {
        let filter = Filter::Time { millis, comparison };
        assert_eq!(filtered(ledger, &function, &records, filter.clone()).await?, at(expected), "{filter:?}");
    }
    Ok(())
}

/// The newest value counts, of the inference or of its episode.
pub async fn metrics_filter(ledger: &dyn Ledger) -> Checked {
    let (function, records) = some(ledger, 4).await?;
    let id = |place: usize| records[place].inference.id;
    tell(ledger, feedback(id(0), "score", FeedbackKind::Float(1.0))).await?;
    tell(ledger, feedback(id(0), "score", FeedbackKind::Float(3.0))).await?;
    let mut row = feedback(records[1].inference.episode_id, "score", FeedbackKind::Float(2.0));
    row.target_kind = TargetKind::Episode;
    tell(ledger, row).await?;
    // A target of the other kind with the same id is not this one.
    let mut row = feedback(id(2), "score", FeedbackKind::Float(3.0));
    row.target_kind = TargetKind::Episode;
    tell(ledger, row).await?;
    tell(ledger, feedback(id(0), "good", FeedbackKind::Boolean(false))).await?;
    tell(ledger, feedback(id(1), "good", FeedbackKind::Boolean(false))).await?;
    tell(ledger, feedback(id(1), "good", FeedbackKind::Boolean(true))).await?;
    tell(ledger, feedback(id(3), "demonstration", FeedbackKind::Demonstration("[]".into()))).await?;
    use Comparison::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
    let score = |comparison, value| Filter::FloatMetric { name: "score".into(), value, comparison };
    let good = |value| Filter::BooleanMetric { name: "good".into(), value };
    for (filter, expected) in [
        (score(Less, 3.0), vec![1]),
        (score(AtMost, 3.0), vec![0, 1]),
        (score(Equal, 3.0), vec![0]),
        (score(Equal, 1.0), vec![]),
        (score(Greater, 2.0), vec![0]),
        (score(AtLeast, 2.0), vec![0, 1]),
        (score(NotEqual, 3.0), vec![1]),
        (good(true), vec![1]),
        (good(false), vec![0]),
        (Filter::Not(Box::new(good(true))), vec![0, 2, 3]),
        (Filter::Not(Box::new(score(Greater, 0.0))), vec![2, 3]),
        (Filter::BooleanMetric { name: "score".into(), value: true }, vec![]),
        (Filter::Demonstration(true), vec![3]),
        (Filter::Demonstration(false), vec![0, 1, 2]),
    ] {
        assert_eq!(filtered(ledger, &function, &records, filter.clone()).await?, at(expected), "{filter:?}");
    }
    Ok(())
}

/// And, or and not, also of nothing.
pub async fn filters_combine(ledger: &dyn Ledger) -> Checked {
    let function = name();
    let mut records = [plain(&function), plain(&function), plain(&function)];
    for (record, (a, b)) in records.iter_mut().zip([("1", "1"), ("1", "2"), ("2", "2")]) {
        record.inference.tags = vec![("a".into(), a.into()), ("b".into(), b.into())];
        add(ledger, record).await?;
    }
    ledger.flush().await?;
    let tag = |key: &str, value: &str| Filter::Tag { key: key.into(), value: value.into(), equal: true };
    let (a, b) = (tag("a", "1"), tag("b", "2"));
    for (filter, expected) in [
        (Filter::And(vec![]), vec![0, 1, 2]),
        (Filter::Or(vec![]), vec![]),
        (Filter::And(vec![a.clone(), b.clone()]), vec![1]),
        (Filter::Or(vec![a.clone(), b.clone()]), vec![0, 1, 2]),
        (Filter::Not(Box::new(Filter::And(vec![a.clone(), b.clone()]))), vec![0, 2]),
        (Filter::And(vec![Filter::Or(vec![tag("b", "1"), tag("a", "2")]), Filter::Not(Box::new(a))]), vec![2]),
    ] {
        assert_eq!(filtered(ledger, &function, &records, filter.clone()).await?, at(expected), "{filter:?}");
    }
    Ok(())
}

/// More conditions and more ids than a statement easily takes.
pub async fn large_filters(ledger: &dyn Ledger) -> Checked {
    let (function, records) = some(ledger, 2).await?;
    let time = |step: i64| Filter::Time { millis: 1_000 + step, comparison: Comparison::Greater };
    let filter = Filter::And((0..3_000).map(time).collect());
    assert_eq!(filtered(ledger, &function, &records, filter).await?, at([0, 1]));
    let mut ids: Vec<_> = (0..40_000_u128).map(Uuid::from_u128).collect();
    ids.push(records[1].inference.id);
    let query = InferenceQuery { ids: Some(ids), ..InferenceQuery::default() };
    assert_eq!(ask(ledger, &records, query).await?, at([1]));
    Ok(())
}

/// In each body, without regard to case, and taken by the letter.
pub async fn search_finds(ledger: &dyn Ledger) -> Checked {
    let function = name();
    let mut records = [plain(&function), plain(&function), plain(&function), plain(&function), plain(&function)];
    records[0].inference.input = Some(Bytes::from_static(b"{\"text\":\"The Apple costs 50% more\"}"));
    records[1].inference.output = Some("{\"text\":\"a_b and \\\"apples\\\"\"}".into());
    records[2].calls[0].raw_request = Bytes::from("{\"text\":\"\u{c9}T\u{c9} and pears\"}");
    records[3].calls.push(call(records[3].inference.id));
    records[3].calls[1].raw_response = Bytes::from_static(b"data: {\"text\":\"\\u00e9t\\u00e9\"}\n\n\xff pear");
    for record in &records {
        add(ledger, record).await?;
    }
    ledger.flush().await?;
    for (text, expected) in [
        ("apple", vec![1, 0]),
        ("APPLES", vec![1]),
        ("50%", vec![0]),
        ("5%e", vec![]),
        ("a_b", vec![1]),
        ("a_d", vec![]),
        ("\"apples\"", vec![1]),
        ("PEAR", vec![3, 2]),
        ("\u{e9}t\u{e9}", vec![3, 2]),
        ("'", vec![]),
        ("", vec![4, 3, 2, 1, 0]),
    ] {
        let query = InferenceQuery { search: Some(text.into()), ..all(&function) };
        assert_eq!(ask(ledger, &records, query).await?, at(expected), "{text}");
    }
    Ok(())
}

/// Inferences and episodes; the one is not the other.
pub async fn exists_says_so(ledger: &dyn Ledger) -> Checked {
    let (_, records) = some(ledger, 1).await?;
    let row = &records[0].inference;
    assert!(ledger.exists(TargetKind::Inference, row.id).await?);
    assert!(ledger.exists(TargetKind::Episode, row.episode_id).await?);
    assert!(!ledger.exists(TargetKind::Episode, row.id).await?);
    assert!(!ledger.exists(TargetKind::Inference, row.episode_id).await?);
    ledger.health().await
}

/// An id that is there already is refused, and nothing beside it.
pub async fn duplicates_fail_alone(ledger: &dyn Ledger) -> Checked {
    let function = name();
    let records: Vec<_> = (0..30).map(|_| plain(&function)).collect();
    let mut twice = plain(&function);
    twice.inference.id = records[3].inference.id;
    twice.calls[0].raw_request = Bytes::from_static(b"not to be kept");
    let mut acks = Vec::new();
    for record in &records {
        acks.push(ledger.append(Entry::Inference(Box::new(record.clone()))));
    }
    let refused = ledger.append(Entry::Inference(Box::new(twice)));
    let last = plain(&function);
    acks.push(ledger.append(Entry::Inference(Box::new(last.clone()))));
    for ack in acks {
        ack.wait().await?;
    }
    assert!(refused.wait().await.is_err());
    ledger.flush().await?;
    let mut expected = records;
    expected.push(last);
    let order_by = vec![OrderBy { key: OrderKey::Timestamp, descending: false }];
    same(&ledger.inferences(InferenceQuery { order_by, ..all(&function) }).await?, &expected);
    ledger.health().await
}

/// Many at once: each is there as soon as it is acknowledged.
pub async fn appenders_at_once(ledger: &dyn Ledger) -> Checked {
    let function = name();
    let appender = async || {
        for _ in 0..10 {
            let record = plain(&function);
            add(ledger, &record).await?;
            assert!(ledger.exists(TargetKind::Inference, record.inference.id).await?);
        }
        Ok::<_, StoreError>(())
    };
    let mut appenders: Vec<_> = (0..64).map(|_| Box::pin(appender())).collect();
    std::future::poll_fn(|context| {
        let mut failed = None;
        appenders.retain_mut(|appender| match appender.as_mut().poll(context) {
            std::task::Poll::Ready(Err(error)) => {
                failed = Some(error);
                false
            }
            polled => polled.is_pending(),
        });
        match failed {
            Some(error) => std::task::Poll::Ready(Err(error)),
            None if appenders.is_empty() => std::task::Poll::Ready(Ok(())),
            None => std::task::Poll::Pending,
        }
    })
    .await?;
    ledger.flush().await?;
    assert_eq!(ledger.inferences(all(&function)).await?.len(), 640);
    Ok(())
}
