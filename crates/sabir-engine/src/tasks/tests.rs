//! The runner: bounds, cancelling, giving back, resuming.

use sabir_store::{
    Ledger, SqliteLedger,
    sqlite::Options,
    state::{Part, PartQuery},
};

use super::*;

const SOON: Duration = Duration::from_secs(20);

struct Opened {
    tasks: Arc<Tasks>,
    ledger: Arc<SqliteLedger>,
    folder: tempfile::TempDir,
}

fn open(folder: tempfile::TempDir) -> Opened {
    let ledger = SqliteLedger::open(&folder.path().join("l.db"), Options::default()).unwrap();
    Opened { tasks: Tasks::new(ledger.clone().state().unwrap()), ledger, folder }
}

fn opened() -> Opened {
    open(tempfile::tempdir().unwrap())
}

/// A handler made of a function.
struct With<F>(F);

impl<F, R> Handler for With<F>
where
    F: Fn(Running) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    fn run(&self, task: Running) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>> {
        Box::pin((self.0)(task))
    }
}

impl Opened {
    async fn submit(&self) -> Uuid {
        let task = NewTask::new("k", "do");
        let id = task.id;
        self.tasks.submit(task).await.unwrap();
        id
    }

    async fn ended(&self, id: Uuid) -> TaskRow {
        let task = self.tasks.wait(id, SOON).await.unwrap().unwrap();
        assert!(task.state.is_end(), "{task:?}");
        task
    }
}

#[tokio::test]
async fn tasks_are_run_and_no_more_at_once_than_allowed() {
    let opened = opened();
    let (now, most) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let counts = (now, most.clone());
    opened.tasks.handle(
        "k",
        2,
        Arc::new(With(move |task: Running| {
            let (now, most) = counts.clone();
            async move {
                *now.lock() += 1;
                let running = *now.lock();
                let highest = (*most.lock()).max(running);
                *most.lock() = highest;
                task.progress("{\"half\":true}".into()).await.unwrap();
                *now.lock() -= 1;
                Outcome::done(task.task.request.clone())
            }
        })),
    );
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(opened.submit().await);
    }
    for id in ids {
        let task = opened.ended(id).await;
        assert_eq!((task.state, task.result.as_deref()), (TaskState::Done, Some(&b"do"[..])));
        assert_eq!(task.progress.as_deref(), Some("{\"half\":true}"));
    }
    assert!((1..=2).contains(&*most.lock()), "{most:?} ran at once");
}

#[tokio::test]
async fn a_task_that_runs_is_cancelled_at_once() {
    let opened = opened();
    let handler = With(|task: Running| async move {
        task.cancelled().cancelled().await;
        Outcome::cancelled(Some("half".into()))
    });
    opened.tasks.handle("k", 1, Arc::new(handler));
    let (first, second) = (opened.submit().await, opened.submit().await);
    while opened.tasks.get("k", first).await.unwrap().unwrap().state == TaskState::Queued {
        tokio::task::yield_now().await;
    }
    assert_eq!(opened.tasks.cancel(second).await.unwrap(), Some(TaskState::Cancelled));
    assert_eq!(opened.tasks.cancel(first).await.unwrap(), Some(TaskState::Running));
    let task = opened.ended(first).await;
    assert_eq!((task.state, task.result.as_deref()), (TaskState::Cancelled, Some(&b"half"[..])));
    assert!(opened.tasks.get("other", first).await.unwrap().is_none());
}

#[tokio::test]
async fn a_handler_that_panics_fails_its_task_alone() {
    let opened = opened();
    let handler = With(|task: Running| async move {
        assert_eq!(task.task.request, "fine");
        Outcome::done("")
    });
    opened.tasks.handle("k", 1, Arc::new(handler));
    let broken = opened.submit().await;
    assert_eq!(opened.ended(broken).await.state, TaskState::Failed);
    let fine = NewTask::new("k", "fine");
    opened.tasks.submit(fine.clone()).await.unwrap();
    assert_eq!(opened.ended(fine.id).await.state, TaskState::Done);
}

#[tokio::test]
async fn what_does_not_end_in_time_goes_on_in_the_next_process() {
    let first = opened();
    let handler = With(|task: Running| async move {
        let part = Part { number: 0, label: "step".into(), data: "one".into() };
        task.write(vec![part], None).await.unwrap();
        std::future::pending().await
    });
    first.tasks.handle("k", 1, Arc::new(handler));
    let id = first.submit().await;
    while first.tasks.state().parts(id, PartQuery::default()).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    first.tasks.shutdown(Duration::ZERO).await;
    assert_eq!(first.tasks.get("k", id).await.unwrap().unwrap().state, TaskState::Queued);
    assert_eq!(first.tasks.submit(NewTask::new("k", "")).await.unwrap_err().kind(), ErrorKind::Unavailable);
    first.ledger.close();
    let second = open(first.folder);
    let handler = With(|task: Running| async move {
        let parts = task.state().parts(task.task.id, PartQuery::default()).await.unwrap();
        Outcome::done(parts[0].data.clone())
    });
    second.tasks.handle("k", 1, Arc::new(handler));
    second.tasks.start();
    let task = second.ended(id).await;
    assert_eq!((task.attempt, task.result.as_deref()), (2, Some(&b"one"[..])));
}

#[tokio::test]
async fn a_handler_that_sees_the_end_coming_gives_its_task_back() {
    let opened = opened();
    let handler = With(|task: Running| async move {
        task.stopping().cancelled().await;
        Outcome::GiveBack
    });
    opened.tasks.handle("k", 1, Arc::new(handler));
    let id = opened.submit().await;
    while opened.tasks.get("k", id).await.unwrap().unwrap().state == TaskState::Queued {
        tokio::task::yield_now().await;
    }
    opened.tasks.shutdown(SOON).await;
    assert_eq!(opened.tasks.get("k", id).await.unwrap().unwrap().state, TaskState::Queued);
}
