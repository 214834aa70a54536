//! The service's four methods.
//!
//! Invariants: what goes wrong with a call is said in its item, with the request's id, since clients
//! lose the status of a stream and try again on others; a status is for callers who are not let in,
//! and for time that is up. A call that nobody waits for any more is dropped with its future.

use std::{pin::Pin, time::Duration};

use futures_util::{StreamExt, stream};
use sabir_engine::{Answer, Call, Facts};
use sabir_types::{Error, Warning, new_id};
use tokio::time::Instant;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{
    ENDPOINT,
    auth::Caller,
    dialect::Dialect,
    parse::{self, Around, Ask},
    proto::{self, ModelResponseItem, model_service_server::ModelService},
    render,
    stream::Items,
};
use crate::{app::App, doors::shared};

/// How many items of a batch run at once.
const AT_ONCE: usize = 64;

type ItemStream = Pin<Box<dyn futures_core::Stream<Item = Result<ModelResponseItem, Status>> + Send>>;

/// The service over an application.
#[derive(Debug, Clone)]
pub(super) struct Service(pub(super) App);

#[tonic::async_trait]
impl ModelService for Service {
    type InvokeStream = ItemStream;

    async fn invoke(&self, request: Request<proto::ModelRequestItem>) -> Result<Response<ItemStream>, Status> {
        let until = deadline(request.metadata())?;
        let around = around(&request);
        let custom_id = request.get_ref().custom_id.clone();
        let (call, ask) = match parse::call(&self.0, request.into_inner(), &around, true) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.0.metrics().failed(ENDPOINT, error.kind());
                return Ok(respond(one(render::failed(&error, &nameless(&around, custom_id))), &around));
            }
        };
        let until = sooner(until, &ask);
        let answer = within(until, Box::pin(self.0.engine().run(call))).await?;
        Ok(match answer {
            Ok(Answer::Whole { facts, content, summary }) => {
                self.0.metrics().answered(ENDPOINT, &facts, &summary);
                let response = respond(one(render::whole(&facts, &content, &summary, &ask)), &around);
                with_facts(response, &facts, &ask)
            }
            Ok(Answer::Stream { facts, frames }) => {
                let items = Items::new(frames, facts.clone(), ask.clone(), self.0.clone(), until);
                with_facts(respond(Box::pin(items), &around), &facts, &ask)
            }
            Err(failure) => {
                self.0.metrics().failed(ENDPOINT, failure.error.kind());
                let mut response = respond(one(render::failure(&failure, &ask)), &around);
                shared::set_failure(response.metadata_mut().as_mut(), &failure);
                response
            }
        })
    }

    async fn batch_invoke(
        &self,
        request: Request<proto::ModelRequest>,
    ) -> Result<Response<proto::ModelResponse>, Status> {
        let until = deadline(request.metadata())?;
        let around = around(&request);
        let items = request.into_inner().items;
        let answers = stream::iter(items).map(|item| self.item(item, &around)).buffered(AT_ONCE).collect();
        let items = within(until, Box::pin(answers)).await?;
        Ok(Response::new(proto::ModelResponse { request_id: around.request_id, items }))
    }

    async fn get_task_status(
        &self,
        request: Request<proto::GetTaskStatusRequest>,
    ) -> Result<Response<proto::GetTaskStatusResponse>, Status> {
        Err(Status::not_found(no_task(&request.get_ref().task_id)))
    }

    async fn batch_get_task_status(
        &self,
        request: Request<proto::BatchGetTaskStatusRequest>,
    ) -> Result<Response<proto::BatchGetTaskStatusResponse>, Status> {
        let unknown = |task_id: String| proto::GetTaskStatusResponse {
            error_message: no_task(&task_id),
            status: "failed".to_owned(),
            task_id,
            ..proto::GetTaskStatusResponse::default()
        };
        let tasks = request.into_inner().task_ids.into_iter().map(unknown).collect();
        Ok(Response::new(proto::BatchGetTaskStatusResponse { tasks }))
    }
}

impl Service {
    /// One item of a batch: whatever happens to it happens to it alone.
    async fn item(&self, item: proto::ModelRequestItem, around: &Around) -> ModelResponseItem {
        let custom_id = item.custom_id.clone();
        let (call, ask) = match parse::call(&self.0, item, around, false) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.0.metrics().failed(ENDPOINT, error.kind());
                return render::failed(&error, &nameless(around, custom_id));
            }
        };
        self.answer(call, &ask).await
    }

    async fn answer(&self, call: Call, ask: &Ask) -> ModelResponseItem {
        let until = sooner(None, ask);
        match within(until, Box::pin(self.0.engine().run(call))).await {
            Err(status) => ModelResponseItem { error: status.message().to_owned(), ..render::blank(ask) },
            Ok(Ok(Answer::Whole { facts, content, summary })) => {
                self.0.metrics().answered(ENDPOINT, &facts, &summary);
                render::whole(&facts, &content, &summary, ask)
            }
            Ok(Ok(Answer::Stream { .. })) => render::failed(&Error::internal("a batch got a stream"), ask),
            Ok(Err(failure)) => {
                self.0.metrics().failed(ENDPOINT, failure.error.kind());
                render::failure(&failure, ask)
            }
        }
    }
}

fn no_task(id: &str) -> String {
    format!("no task `{id}`: calls do not run in the background here")
}

fn one(item: ModelResponseItem) -> ItemStream {
    Box::pin(stream::iter([Ok(item)]))
}

/// Names for an error in an item that could not be read.
fn nameless(around: &Around, custom_id: Option<String>) -> Ask {
    Ask {
        dialect: Dialect::Chat,
        model: String::new(),
        request_id: around.request_id.clone(),
        custom_id: custom_id.filter(|id| !id.is_empty()),
        timeout: None,
        left_out: Vec::new(),
    }
}

fn respond(items: ItemStream, around: &Around) -> Response<ItemStream> {
    let mut response = Response::new(items);
    shared::set(response.metadata_mut().as_mut(), "x-request-id", &around.request_id);
    response
}

/// What the gateway says about an answer at every door, and the names of what was left out here.
fn with_facts(mut response: Response<ItemStream>, facts: &Facts, ask: &Ask) -> Response<ItemStream> {
    let left_out =
        ask.left_out.iter().map(|name| Warning { param: name.clone(), message: "has no effect here".into() });
    let mut facts = facts.clone();
    facts.warnings.extend(left_out);
    shared::set_facts(response.metadata_mut().as_mut(), &facts);
    response
}

fn around<T>(request: &Request<T>) -> Around {
    let id = request.metadata().get("x-request-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
    let origin = request.metadata().get("x-origin-request-id").and_then(|id| id.to_str().ok());
    if let (Some(id), Some(origin)) = (id, origin) {
        tracing::debug!(request_id = id, origin_request_id = origin, "a call of a larger one");
    }
    Around {
        request_id: id.map_or_else(|| new_id().to_string(), str::to_owned),
        caller: request.extensions().get::<Caller>().and_then(|caller| caller.0.clone()),
    }
}

/// The status of a call whose time is up.
pub(super) fn late() -> Status {
    Status::deadline_exceeded("the call took longer than its caller gives it")
}

async fn within<T>(until: Option<Instant>, work: impl Future<Output = T>) -> Result<T, Status> {
    match until {
        None => Ok(work.await),
        Some(until) => tokio::time::timeout_at(until, work).await.map_err(|_| late()),
    }
}

fn sooner(until: Option<Instant>, ask: &Ask) -> Option<Instant> {
    let own = ask.timeout.map(|timeout| Instant::now() + timeout);
    match (until, own) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// When the caller stops waiting: `grpc-timeout` is up to eight digits and a unit.
fn deadline(metadata: &MetadataMap) -> Result<Option<Instant>, Status> {
    let Some(value) = metadata.get("grpc-timeout") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let time = patience(text).ok_or_else(|| Status::invalid_argument("the header `grpc-timeout` is not a time"))?;
    Ok(Instant::now().checked_add(time))
}

fn patience(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(patience("30S"), Some(Duration::from_secs(30)));
        assert_eq!(patience("29999m"), Some(Duration::from_millis(29_999)));
        assert_eq!(patience("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for wrong in ["", "S", "1", "1s", "123456789S", "-1S", "1é"] {
            assert_eq!(patience(wrong), None, "{wrong}");
        }
    }
}
