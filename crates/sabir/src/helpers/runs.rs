//! Runs of assistants, and videos: calling and waiting in one.

use sabir_types::Value;
use serde::Serialize;

use super::{Poll, client, id};
use crate::{
    answer::Answer,
    call::Surface,
    error::Result,
    form::Form,
    resources::{BetaThreads, BetaThreadsRuns, Videos},
};

/// Where a run stops, for good or until somebody does something.
const ENDS: [&str; 6] = ["requires_action", "cancelled", "completed", "failed", "expired", "incomplete"];

fn has_status(value: &Value, among: &[&str]) -> bool {
    value.get("status").and_then(Value::as_str).is_some_and(|status| among.contains(&status))
}

async fn run(runs: BetaThreadsRuns, thread: &str, run: &str, poll: Poll) -> Result<Answer<Value>> {
    let is_done = |run: &Value| has_status(run, &ENDS);
    poll.until(&format!("the run `{run}`"), || runs.retrieve(thread, run), is_done).await
}

impl<C: Surface> BetaThreadsRuns<C> {
    /// Waits until a run is over or wants something.
    pub fn poll(&self, thread: &str, run_id: &str, poll: Poll) -> C::Reply<Answer<Value>> {
        let (runs, thread, run_id) = (BetaThreadsRuns(client(&self.0)), thread.to_owned(), run_id.to_owned());
        self.0.reply(async move { run(runs, &thread, &run_id, poll).await })
    }

    /// Begins a run and waits until it is over or wants something.
    pub fn create_and_poll(&self, thread: &str, body: impl Serialize, poll: Poll) -> C::Reply<Answer<Value>> {
        let (runs, thread) = (BetaThreadsRuns(client(&self.0)), thread.to_owned());
        let created = runs.create(&thread, body);
        self.0.reply(async move {
            let id = id(&created.await?)?;
            run(runs, &thread, &id, poll).await
        })
    }

    /// Tells a run what its tools gave, and waits until it is over or wants something.
    pub fn submit_tool_outputs_and_poll(
        &self,
        thread: &str,
        run_id: &str,
        body: impl Serialize,
        poll: Poll,
    ) -> C::Reply<Answer<Value>> {
        let (runs, thread) = (BetaThreadsRuns(client(&self.0)), thread.to_owned());
        let submitted = runs.submit_tool_outputs(&thread, run_id, body);
        self.0.reply(async move {
            let id = id(&submitted.await?)?;
            run(runs, &thread, &id, poll).await
        })
    }
}

impl<C: Surface> BetaThreads<C> {
    /// Begins a thread and a run in it, and waits until the run is over or wants something.
    pub fn create_and_run_poll(&self, body: impl Serialize, poll: Poll) -> C::Reply<Answer<Value>> {
        let threads = BetaThreads(client(&self.0));
        let created = threads.create_and_run(body);
        self.0.reply(async move {
            let begun = created.await?;
            let thread = begun.get("thread_id").and_then(Value::as_str).unwrap_or_default().to_owned();
            run(threads.runs(), &thread, &id(&begun)?, poll).await
        })
    }
}

impl<C: Surface> Videos<C> {
    /// Waits until a video is there, or will never be.
    pub fn poll(&self, video: &str, poll: Poll) -> C::Reply<Answer<Value>> {
        let (videos, video) = (Videos(client(&self.0)), video.to_owned());
        self.0.reply(async move { finished(videos, &video, poll).await })
    }

    /// Asks for a video and waits until it is there, or will never be.
    pub fn create_and_poll(&self, form: Form, poll: Poll) -> C::Reply<Answer<Value>> {
        let videos = Videos(client(&self.0));
        self.0.reply(async move {
            let video = id(&videos.create(form).await?)?;
            finished(videos, &video, poll).await
        })
    }
}

async fn finished(videos: Videos, video: &str, poll: Poll) -> Result<Answer<Value>> {
    let is_done = |video: &Value| has_status(video, &["completed", "failed"]);
    poll.until(&format!("the video `{video}`"), || videos.retrieve(video), is_done).await
}
