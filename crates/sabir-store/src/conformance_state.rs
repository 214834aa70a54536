//! What every backend's tasks, files and conversations must do, as functions over `&dyn State`;
//! each backend calls `state_conformance!`.
//!
//! Invariant: each check uses kinds and ids of its own, so that all can share one database.

use std::time::Duration;

use bytes::Bytes;
use sabir_types::new_id;

use crate::conformance::{Checked, plain};
use crate::state::{
    Conversation, ConversationItem, End, FileQuery, FileRow, Hold, NewTask, Part, PartQuery, State, TaskQuery, TaskRow,
    TaskState,
};
use crate::{Entry, InferenceQuery, Ledger, StoreError};

/// Longer than any check takes.
const LEASE: Duration = Duration::from_secs(600);

/// One test per check. `$open` is an expression that gives something whose `state()` is `&dyn State`
/// and whose `ledger()` is the `&dyn Ledger` of the same place.
#[macro_export]
macro_rules! state_conformance {
    ($open:expr) => {
        $crate::state_conformance!(@ $open;
            a_task_goes_from_queue_to_end, the_oldest_of_a_kind_comes_first, each_task_goes_to_one_worker,
            a_lease_that_runs_out_sets_a_task_free, a_lost_task_takes_nothing, tasks_are_given_back, tasks_are_cancelled,
            tasks_are_listed, parts_keep_their_order, deleted_tasks_are_gone, files_come_back, files_are_listed,
            what_expired_is_swept, conversations_grow, pending_items_settle_once);
        #[tokio::test]
        async fn hidden_inferences_are_found_by_who_asks() {
            let opened = $open;
            $crate::conformance_state::hidden_inferences_are_found_by_who_asks(opened.ledger()).await.unwrap();
        }
    };
    (@ $open:expr; $($check:ident),*) => {
        $(#[tokio::test]
        async fn $check() {
            let opened = $open;
            $crate::conformance_state::$check(opened.state()).await.unwrap();
        })*
    };
}

/// A kind that no other check uses.
fn kind() -> String {
    format!("check-{}", new_id())
}

fn there(task: Option<TaskRow>) -> Result<TaskRow, StoreError> {
    task.ok_or_else(|| StoreError::Database("a task that should be there is not".into()))
}

fn part(number: u32, data: &str) -> Part {
    Part { number, label: format!("label {number}"), data: Bytes::copy_from_slice(data.as_bytes()) }
}

fn end(state: TaskState) -> End {
    End { state, result: None, progress: None }
}

/// What is written is read back, at each stage.
pub async fn a_task_goes_from_queue_to_end(state: &dyn State) -> Checked {
    let mut new = NewTask::new(&kind(), "{\"do\": \"\u{e9}\"}");
    new.caller = Some("team".into());
    new.tags = vec![("a".into(), "b".into())];
    new.progress = Some("{\"done\":0}".into());
    new.expires = Some(i64::MAX);
    new.parts = vec![part(0, "first")];
    state.add_task(new.clone()).await?;
    let queued = there(state.task(new.id).await?)?;
    assert_eq!((queued.state, queued.attempt, queued.started, queued.ended), (TaskState::Queued, 0, None, None));
    assert_eq!((&queued.kind, &queued.caller, &queued.tags), (&new.kind, &new.caller, &new.tags));
    assert_eq!((&queued.request, &queued.progress, queued.expires), (&new.request, &new.progress, new.expires));
    assert_eq!(state.parts(new.id, PartQuery::default()).await?, new.parts);
    let worker = new_id();
    let claimed = there(state.claim_task(vec![kind(), new.kind], worker, LEASE).await?)?;
    assert_eq!((claimed.id, claimed.state, claimed.attempt), (new.id, TaskState::Running, 1));
    assert!(claimed.started.is_some_and(|started| started >= claimed.created));
    assert_eq!(state.beat(new.id, worker, LEASE).await?, Hold::Held);
    let result = Some(Bytes::from_static(b"\xff\x00"));
    let last = End { state: TaskState::Done, result: result.clone(), progress: Some("{\"done\":1}".into()) };
    assert!(state.end_task(new.id, worker, last).await?);
    assert_eq!(state.beat(new.id, worker, LEASE).await?, Hold::Lost);
    assert!(!state.end_task(new.id, worker, end(TaskState::Failed)).await?, "it has ended already");
    let ended = there(state.task(new.id).await?)?;
    assert_eq!((ended.state, ended.result, ended.progress), (TaskState::Done, result, Some("{\"done\":1}".into())));
    assert!(ended.ended >= ended.started);
    assert!(state.task(new_id()).await?.is_none());
    Ok(())
}

/// In the order of their ids, and only of the kinds asked for.
pub async fn the_oldest_of_a_kind_comes_first(state: &dyn State) -> Checked {
    let (kind, other) = (kind(), kind());
    let tasks = [NewTask::new(&kind, "1"), NewTask::new(&other, "2"), NewTask::new(&kind, "3")];
    for at in [2, 1, 0] {
        state.add_task(tasks[at].clone()).await?;
    }
    let mut got = Vec::new();
    while let Some(task) = state.claim_task(vec![kind.clone()], new_id(), LEASE).await? {
        got.push(task.id);
    }
    assert_eq!(got, [tasks[0].id, tasks[2].id]);
    assert!(state.claim_task(Vec::new(), new_id(), LEASE).await?.is_none());
    Ok(())
}

/// Workers that ask at once get different tasks.
pub async fn each_task_goes_to_one_worker(state: &dyn State) -> Checked {
    let kind = kind();
    for _ in 0..20 {
        state.add_task(NewTask::new(&kind, "")).await?;
    }
    let asked: Vec<_> = (0..30).map(|_| state.claim_task(vec![kind.clone()], new_id(), LEASE)).collect();
    let mut got = Vec::new();
    for claim in asked {
        got.extend(claim.await?.map(|task| task.id));
    }
    got.sort();
    got.dedup();
    assert_eq!(got.len(), 20);
    Ok(())
}

/// A worker that is gone does not keep its task; one that is there does not get it twice.
pub async fn a_lease_that_runs_out_sets_a_task_free(state: &dyn State) -> Checked {
    let (kind, dead, next) = (kind(), new_id(), new_id());
    let task = NewTask::new(&kind, "");
    state.add_task(task.clone()).await?;
    assert!(state.claim_task(vec![kind.clone()], dead, Duration::ZERO).await?.is_some());
    assert!(state.claim_task(vec![kind.clone()], dead, LEASE).await?.is_none(), "it has the task already");
    assert_eq!(state.beat(task.id, dead, LEASE).await?, Hold::Held);
    assert!(state.claim_task(vec![kind.clone()], next, LEASE).await?.is_none(), "the lease was renewed");
    assert_eq!(state.beat(task.id, dead, Duration::ZERO).await?, Hold::Held);
    let again = there(state.claim_task(vec![kind.clone()], next, LEASE).await?)?;
    assert_eq!((again.id, again.attempt), (task.id, 2));
    Ok(())
}

/// What a worker writes that has lost its task changes nothing.
pub async fn a_lost_task_takes_nothing(state: &dyn State) -> Checked {
    let (kind, lost) = (kind(), new_id());
    let task = NewTask::new(&kind, "");
    state.add_task(task.clone()).await?;
    state.claim_task(vec![kind.clone()], lost, Duration::ZERO).await?;
    state.claim_task(vec![kind], new_id(), LEASE).await?;
    assert_eq!(state.beat(task.id, lost, LEASE).await?, Hold::Lost);
    assert_eq!(state.write_parts(task.id, lost, vec![part(1, "x")], Some("1".into())).await?, Hold::Lost);
    assert_eq!(state.cut_parts(task.id, lost, 0).await?, Hold::Lost);
    assert!(!state.end_task(task.id, lost, end(TaskState::Done)).await?);
    assert!(!state.give_back(task.id, lost).await?);
    let found = state.task(task.id).await?.map(|task| (task.state, task.progress));
    assert_eq!(found, Some((TaskState::Running, None)));
    assert!(state.parts(task.id, PartQuery::default()).await?.is_empty());
    Ok(())
}

/// A task that was given back is handed out at once, with what it has so far.
pub async fn tasks_are_given_back(state: &dyn State) -> Checked {
    let (kind, worker) = (kind(), new_id());
    let task = NewTask::new(&kind, "");
    state.add_task(task.clone()).await?;
    state.claim_task(vec![kind.clone()], worker, LEASE).await?;
    assert_eq!(state.write_parts(task.id, worker, vec![part(3, "x")], Some("3".into())).await?, Hold::Held);
    assert!(state.give_back(task.id, worker).await?);
    let again = state.claim_task(vec![kind], worker, LEASE).await?;
    assert_eq!(again.map(|task| (task.attempt, task.progress)), Some((2, Some("3".into()))));
    assert_eq!(state.parts(task.id, PartQuery::default()).await?, [part(3, "x")]);
    Ok(())
}

/// One that waits ends at once; one that runs is told.
pub async fn tasks_are_cancelled(state: &dyn State) -> Checked {
    let (kind, worker) = (kind(), new_id());
    let tasks = [NewTask::new(&kind, ""), NewTask::new(&kind, "")];
    for task in &tasks {
        state.add_task(task.clone()).await?;
    }
    state.claim_task(vec![kind.clone()], worker, LEASE).await?;
    assert_eq!(state.cancel_task(tasks[0].id).await?, Some(TaskState::Running));
    assert_eq!(state.cancel_task(tasks[1].id).await?, Some(TaskState::Cancelled));
    assert_eq!(state.cancel_task(new_id()).await?, None);
    assert!(state.claim_task(vec![kind], worker, LEASE).await?.is_none());
    assert_eq!(state.beat(tasks[0].id, worker, LEASE).await?, Hold::Cancelling);
    assert_eq!(state.write_parts(tasks[0].id, worker, Vec::new(), None).await?, Hold::Cancelling);
    assert!(state.end_task(tasks[0].id, worker, end(TaskState::Cancelled)).await?);
    assert_eq!(state.cancel_task(tasks[0].id).await?, Some(TaskState::Cancelled));
    let ended = state.task(tasks[1].id).await?.map(|task| (task.cancelling, task.ended.is_some()));
    assert_eq!(ended, Some((true, true)));
    Ok(())
}

/// By kind, caller and state, from a cursor in either direction.
pub async fn tasks_are_listed(state: &dyn State) -> Checked {
    let kind = kind();
    let mut ids = Vec::new();
    for at in 0..5 {
        let mut task = NewTask::new(&kind, "");
        task.caller = Some(if at == 4 { "them" } else { "us" }.into());
        ids.push(task.id);
        state.add_task(task).await?;
    }
    state.cancel_task(ids[1]).await?;
    let all = TaskQuery { kind: Some(kind), ..TaskQuery::default() };
    let cases = [
        (TaskQuery { ..all.clone() }, vec![4, 3, 2, 1, 0]),
        (TaskQuery { ascending: true, limit: Some(2), ..all.clone() }, vec![0, 1]),
        (TaskQuery { caller: Some("us".into()), ..all.clone() }, vec![3, 2, 1, 0]),
        (TaskQuery { states: vec![TaskState::Cancelled, TaskState::Done], ..all.clone() }, vec![1]),
        (TaskQuery { after: Some(ids[3]), limit: Some(2), ..all.clone() }, vec![2, 1]),
        (TaskQuery { after: Some(ids[3]), ascending: true, ..all.clone() }, vec![4]),
        (TaskQuery { before: Some(ids[1]), limit: Some(2), ..all.clone() }, vec![3, 2]),
        (TaskQuery { before: Some(ids[3]), limit: Some(2), ascending: true, ..all }, vec![1, 2]),
    ];
    for (query, expected) in cases {
        let found = state.tasks(query.clone()).await?;
        let places: Vec<_> = found.iter().filter_map(|task| ids.iter().position(|id| *id == task.id)).collect();
        assert_eq!(places, expected, "{query:?}");
    }
    Ok(())
}

/// By number; the first one with a number stays.
pub async fn parts_keep_their_order(state: &dyn State) -> Checked {
    let (kind, worker) = (kind(), new_id());
    let task = NewTask::new(&kind, "");
    state.add_task(task.clone()).await?;
    state.claim_task(vec![kind], worker, LEASE).await?;
    let highest = (1 << 24) - 1;
    for parts in [vec![part(7, "c"), part(highest, "d")], vec![part(0, "a"), part(7, "late"), part(5, "b")]] {
        assert_eq!(state.write_parts(task.id, worker, parts, None).await?, Hold::Held);
    }
    let all = state.parts(task.id, PartQuery::default()).await?;
    assert_eq!(all, [part(0, "a"), part(5, "b"), part(7, "c"), part(highest, "d")]);
    let some = PartQuery { from: 1, limit: Some(2), without_data: true };
    let bare: Vec<_> = all[1..3].iter().map(|part| Part { data: Bytes::new(), ..part.clone() }).collect();
    assert_eq!(state.parts(task.id, some).await?, bare);
    assert!(state.write_parts(task.id, worker, vec![part(1 << 24, "x")], Some("9".into())).await.is_err());
    assert_eq!(state.task(task.id).await?.and_then(|task| task.progress), None, "at once or not at all");
    assert_eq!(state.cut_parts(task.id, worker, 5).await?, Hold::Held);
    assert_eq!(state.parts(task.id, PartQuery::default()).await?, [part(0, "a")]);
    Ok(())
}

/// With their parts, and for their workers.
pub async fn deleted_tasks_are_gone(state: &dyn State) -> Checked {
    let (kind, worker) = (kind(), new_id());
    let mut task = NewTask::new(&kind, "");
    task.parts = vec![part(0, "a")];
    state.add_task(task.clone()).await?;
    state.claim_task(vec![kind.clone()], worker, LEASE).await?;
    assert!(state.delete_task(task.id).await?);
    assert!(!state.delete_task(task.id).await?);
    assert_eq!(state.beat(task.id, worker, LEASE).await?, Hold::Lost);
    let next = NewTask::new(&kind, "");
    state.add_task(next.clone()).await?;
    assert!(state.parts(next.id, PartQuery::default()).await?.is_empty(), "no parts of another one");
    assert!(state.parts(task.id, PartQuery::default()).await?.is_empty());
    Ok(())
}

fn file(purpose: &str) -> FileRow {
    FileRow {
        id: new_id(),
        name: "b\u{e9}.jsonl".into(),
        purpose: purpose.into(),
        caller: None,
        bytes: 0,
        created: i64::MAX - 1,
        expires: None,
    }
}

async fn write(state: &dyn State, mut row: FileRow, chunks: &[&'static [u8]]) -> Result<FileRow, StoreError> {
    state.begin_file(row.clone()).await?;
    for (number, chunk) in (0..).zip(chunks) {
        state.write_chunk(row.id, number, Bytes::from_static(chunk)).await?;
        row.bytes += chunk.len() as u64;
    }
    state.finish_file(row.clone()).await?;
    Ok(row)
}

/// Chunk by chunk, and not before all of them are there.
pub async fn files_come_back(state: &dyn State) -> Checked {
    let row = file(&kind());
    state.begin_file(row.clone()).await?;
    state.write_chunk(row.id, 0, Bytes::from_static(b"x")).await?;
    assert!(state.file(row.id).await?.is_none() && state.chunk(row.id, 0).await?.is_none());
    assert!(state.delete_file(row.id).await?);
    let chunks: [&[u8]; 2] = [b"one\n\xff\x00", b"two"];
    let row = write(state, file(&row.purpose), &chunks).await?;
    assert_eq!(state.file(row.id).await?.as_ref(), Some(&row));
    for (number, chunk) in (0..).zip(chunks) {
        assert_eq!(state.chunk(row.id, number).await?.as_deref(), Some(chunk));
    }
    assert_eq!(state.chunk(row.id, 2).await?, None);
    assert!(state.write_chunk(row.id, 2, Bytes::new()).await.is_err(), "a complete file does not change");
    assert!(state.delete_file(row.id).await?);
    assert!(!state.delete_file(row.id).await?);
    assert!(state.file(row.id).await?.is_none() && state.chunk(row.id, 0).await?.is_none());
    Ok(())
}

/// By purpose and caller, from a cursor in either direction.
pub async fn files_are_listed(state: &dyn State) -> Checked {
    let purpose = kind();
    let mut rows = Vec::new();
    for at in 0..4 {
        let caller = (at == 3).then(|| "them".to_owned());
        rows.push(write(state, FileRow { caller, ..file(&purpose) }, &[b"x"]).await?);
    }
    state.begin_file(file(&purpose)).await?;
    let all = FileQuery { purpose: Some(purpose), ..FileQuery::default() };
    let cases = [
        (all.clone(), vec![3, 2, 1, 0]),
        (FileQuery { ascending: true, limit: Some(3), ..all.clone() }, vec![0, 1, 2]),
        (FileQuery { after: Some(rows[2].id), ..all.clone() }, vec![1, 0]),
        (FileQuery { after: Some(rows[2].id), ascending: true, ..all.clone() }, vec![3]),
        (FileQuery { caller: Some("them".into()), ..all }, vec![3]),
    ];
    for (query, expected) in cases {
        let found = state.files(query.clone()).await?;
        let places: Vec<_> = found.iter().filter_map(|found| rows.iter().position(|row| row == found)).collect();
        assert_eq!(places, expected, "{query:?}");
    }
    Ok(())
}

/// Ended tasks, files and broken uploads; nothing else.
pub async fn what_expired_is_swept(state: &dyn State) -> Checked {
    let (kind, worker) = (kind(), new_id());
    let mut ids = Vec::new();
    for expires in [Some(10), Some(10), Some(1_000), None] {
        let task = NewTask { expires, ..NewTask::new(&kind, "") };
        ids.push(task.id);
        state.add_task(task).await?;
    }
    while let Some(task) = state.claim_task(vec![kind.clone()], worker, LEASE).await? {
        if task.id != ids[1] {
            state.end_task(task.id, worker, end(TaskState::Failed)).await?;
        }
    }
    let old = write(state, FileRow { expires: Some(10), ..file(&kind) }, &[b"x"]).await?;
    let young = write(state, FileRow { expires: Some(1_000), ..file(&kind) }, &[b"x"]).await?;
    state.sweep(100).await?;
    let mut left = Vec::new();
    for (at, id) in ids.iter().enumerate() {
        if state.task(*id).await?.is_some() {
            left.push(at);
        }
    }
    assert_eq!(left, [1, 2, 3]);
    assert!(state.file(old.id).await?.is_none() && state.file(young.id).await?.is_some());
    Ok(())
}

fn item(data: &str) -> ConversationItem {
    ConversationItem { id: format!("msg_{}", new_id().simple()), pending: None, data: data.into() }
}

async fn converse(state: &dyn State, items: Vec<ConversationItem>) -> Result<Conversation, StoreError> {
    let (id, metadata) = (new_id(), "{\"a\":\"b\"}".to_owned());
    let conversation = Conversation { id, caller: Some("us".into()), created: 5, metadata };
    state.add_conversation(conversation.clone(), items).await?;
    Ok(conversation)
}

/// Items stand in order and go one by one; everything goes with the conversation.
pub async fn conversations_grow(state: &dyn State) -> Checked {
    let items = [item("{\"n\":0}"), item("{\"n\":1}"), item("{\"n\":2}")];
    let mut conversation = converse(state, items[..2].to_vec()).await?;
    let id = conversation.id;
    assert!(state.add_items(id, items[2..].to_vec()).await?);
    assert!(!state.add_items(new_id(), Vec::new()).await?);
    assert_eq!(state.items(id).await?, items);
    assert_eq!(state.item(items[1].id.clone()).await?, Some((id, items[1].clone())));
    assert!(state.delete_item(id, items[1].id.clone()).await?);
    assert!(!state.delete_item(id, items[1].id.clone()).await?);
    assert_eq!(state.items(id).await?, [items[0].clone(), items[2].clone()]);
    assert_eq!(state.conversation(id).await?.as_ref(), Some(&conversation));
    conversation.metadata = "{}".into();
    assert!(state.set_metadata(id, conversation.metadata.clone()).await?);
    assert_eq!(state.conversation(id).await?.as_ref(), Some(&conversation));
    assert!(state.delete_conversation(id).await?);
    assert!(!state.delete_conversation(id).await? && !state.set_metadata(id, String::new()).await?);
    assert_eq!((state.conversation(id).await?, state.item(items[0].id.clone()).await?), (None, None));
    Ok(())
}

/// What replaces a pending item stands in its place, however often it is done.
pub async fn pending_items_settle_once(state: &dyn State) -> Checked {
    let pending = ConversationItem { pending: Some(new_id()), ..item("[]") };
    let id = converse(state, vec![item("0"), pending.clone(), item("3")]).await?.id;
    assert_eq!(state.items(id).await?[1], pending);
    for _ in 0..2 {
        state.settle_item(id, pending.id.clone(), vec![item("1"), item("2")]).await?;
    }
    state.add_items(id, vec![item("4")]).await?;
    let data: Vec<_> = state.items(id).await?.into_iter().map(|item| item.data).collect();
    assert_eq!(data, ["0", "1", "2", "3", "4"]);
    Ok(())
}

/// An inference that its caller deleted stays, and is no longer found unless somebody asks for such.
pub async fn hidden_inferences_are_found_by_who_asks(ledger: &dyn Ledger) -> Checked {
    let (record, later) = (plain(&kind()), plain(&kind()));
    let ids = [record.inference.id, later.inference.id];
    ledger.append(Entry::Inference(Box::new(record))).wait().await?;
    assert!(ledger.hide(ids[0]).await?);
    assert!(!ledger.hide(ids[0]).await? && !ledger.hide(ids[1]).await?);
    ledger.append(Entry::Inference(Box::new(later))).wait().await?;
    let query = InferenceQuery { ids: Some(ids.to_vec()), ..InferenceQuery::default() };
    assert!(ledger.inferences(query.clone()).await?.is_empty());
    assert_eq!(ledger.inferences(InferenceQuery { include_hidden: true, ..query }).await?.len(), 2);
    Ok(())
}
