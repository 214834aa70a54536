//! What both ways in have in common: an item runs, and items come of it.
//!
//! Invariants: what goes wrong with a call is said in its item, with the request's id; every call
//! is counted once.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use http::HeaderMap;
use sabir_engine::{Answer, Facts, FrameStream};
use sabir_types::{Error, ErrorKind, Map, Result, Warning, new_id};
use tokio::time::Instant;

use super::{ENDPOINT, dialect::Dialect, item::Item, parse, parse::Ask, proto::ModelResponseItem, render, tasks};
use crate::{app::App, doors::shared};

/// What is known about a call from around it.
#[derive(Debug, Clone)]
pub(super) struct Around {
    /// The caller's name for it.
    pub(super) request_id: String,
    /// Who is calling.
    pub(super) caller: Option<Arc<str>>,
}

impl Around {
    /// What the headers of a request say. A client that tries again gives each try a name of its own.
    pub(super) fn of(headers: &HeaderMap, caller: Option<Arc<str>>) -> Self {
        let text = |name: &str| headers.get(name).and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
        let id = text("x-request-id");
        if let (Some(id), Some(origin)) = (id, text("x-origin-request-id")) {
            tracing::debug!(request_id = id, origin_request_id = origin, "a call of a larger one");
        }
        Self { request_id: id.map_or_else(|| new_id().to_string(), str::to_owned), caller }
    }
}

/// What came of a call.
#[derive(Debug)]
pub(super) enum Outcome {
    /// One item, and what the gateway says about it.
    Whole(Box<ModelResponseItem>, HeaderMap),
    /// Items one after the other.
    Stream(Box<Running>),
}

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) frames: FrameStream,
    pub(super) facts: Box<Facts>,
    pub(super) ask: Ask,
    /// When its caller stops waiting.
    pub(super) until: Option<Instant>,
    /// What the gateway says about it.
    pub(super) headers: HeaderMap,
}

/// The time is up.
#[derive(Debug)]
pub(super) struct Late(
    /// Names for an error.
    pub(super) Ask,
);

impl Late {
    /// Why nothing came.
    pub(super) const WHY: &'static str = "the call took longer than its caller gives it";

    /// The same as an item.
    pub(super) fn item(&self) -> ModelResponseItem {
        render::failed(&Self::error(), &self.0)
    }

    /// The same as an error.
    pub(super) fn error() -> Error {
        Error::new(ErrorKind::Timeout, Self::WHY)
    }
}

/// Runs an item, if it could be read at all; `custom_id` names it if not.
pub(super) async fn run(
    app: &App,
    item: Result<Item>,
    custom_id: Option<String>,
    around: &Around,
    until: Option<Instant>,
) -> Result<Outcome, Late> {
    let refused = |error: Error| {
        app.metrics().failed(ENDPOINT, error.kind());
        let item = render::failed(&error, &nameless(around, custom_id.clone()));
        Outcome::Whole(Box::new(item), HeaderMap::new())
    };
    let item = match item {
        Ok(item) if tasks::wants(&item) => {
            return Ok(match tasks::submit(app, item, around).await {
                Ok((item, headers)) => Outcome::Whole(Box::new(item), headers),
                Err(error) => refused(error),
            });
        }
        Ok(item) => item,
        Err(error) => return Ok(refused(error)),
    };
    let (call, ask) = match parse::call(app, item, around) {
        Ok(parsed) => parsed,
        Err(error) => return Ok(refused(error)),
    };
    let until = sooner(until, ask.timeout);
    let Some(answer) = within(until, Box::pin(app.engine().run(call))).await else { return Err(Late(ask)) };
    let mut headers = HeaderMap::new();
    Ok(match answer {
        Ok(Answer::Whole { facts, content, summary }) => {
            app.metrics().answered(ENDPOINT, &facts, &summary);
            set_facts(&mut headers, &facts, &ask);
            Outcome::Whole(Box::new(render::whole(&facts, &content, &summary, &ask)), headers)
        }
        Ok(Answer::Stream { facts, frames }) => {
            set_facts(&mut headers, &facts, &ask);
            Outcome::Stream(Box::new(Running { frames, facts, ask, until, headers }))
        }
        Err(failure) => {
            app.metrics().failed(ENDPOINT, failure.error.kind());
            shared::set_failure(&mut headers, &failure);
            Outcome::Whole(Box::new(render::failure(&failure, &ask)), headers)
        }
    })
}

/// Runs the items of a batch, each with its name if it has one; the answers come in their order.
/// Where not all can run at once, those that are more important begin earlier.
pub(super) async fn batch(app: &App, items: Vec<Named>, around: &Around) -> Vec<ModelResponseItem> {
    let at_once = app.engine().config().gateway.grpc.batch_concurrency;
    let answers = stream::iter(by_priority(items))
        .map(|(at, (custom_id, item))| async move { (at, alone(app, item, custom_id, around).await) });
    let mut answers: Vec<_> = answers.buffer_unordered(at_once).collect().await;
    answers.sort_unstable_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, item)| item).collect()
}

/// An item of a batch: its name, and what it says.
type Named = (Option<String>, Result<Item>);

/// The items in the order in which they begin, each with its place: who says nothing has priority 0.
fn by_priority(items: Vec<Named>) -> Vec<(usize, Named)> {
    let mut all: Vec<_> = items.into_iter().enumerate().collect();
    let priority = |item: &Result<Item>| item.as_ref().ok().and_then(|item| item.priority).unwrap_or(0);
    all.sort_by_key(|(_, (_, item))| std::cmp::Reverse(priority(item)));
    all
}

/// One item of a batch: whatever happens to it happens to it alone.
async fn alone(app: &App, item: Result<Item>, custom_id: Option<String>, around: &Around) -> ModelResponseItem {
    // A batch comes back whole.
    let item = item.map(|item| Item { stream: false, ..item });
    match run(app, item, custom_id, around, None).await {
        Ok(Outcome::Whole(item, _)) => *item,
        Ok(Outcome::Stream(running)) => render::failed(&Error::internal("a batch got a stream"), &running.ask),
        Err(late) => late.item(),
    }
}

/// Names for an error in an item that could not be read.
fn nameless(around: &Around, custom_id: Option<String>) -> Ask {
    Ask {
        dialect: Dialect::Chat,
        media: None,
        model: String::new(),
        request_id: around.request_id.clone(),
        custom_id: custom_id.filter(|id| !id.is_empty()),
        timeout: None,
        left_out: Vec::new(),
        echo: Map::new(),
    }
}

/// What the gateway says about an answer at every door, and the names of what was left out here.
fn set_facts(headers: &mut HeaderMap, facts: &Facts, ask: &Ask) {
    let left_out =
        ask.left_out.iter().map(|name| Warning { param: name.clone(), message: "has no effect here".into() });
    let mut facts = facts.clone();
    facts.warnings.extend(left_out);
    shared::set_facts(headers, &facts);
}

/// The work's outcome; nothing if its time is up before.
pub(super) async fn within<T>(until: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match until {
        None => Some(work.await),
        Some(until) => tokio::time::timeout_at(until, work).await.ok(),
    }
}

fn sooner(until: Option<Instant>, own: Option<Duration>) -> Option<Instant> {
    match (until, own.map(|own| Instant::now() + own)) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_important_begin_earlier() {
        let item = |priority| (None, Ok(Item { priority, ..Item::default() }));
        let wrong = (None, Err(Error::bad_request("x")));
        let items = vec![item(Some(-1)), item(None), item(Some(5)), item(Some(0)), wrong, item(Some(5))];
        let order: Vec<_> = by_priority(items).into_iter().map(|(at, _)| at).collect();
        assert_eq!(order, [2, 5, 1, 3, 4, 0]);
    }
}
