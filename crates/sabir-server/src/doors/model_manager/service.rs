//! The service's four methods.
//!
//! Invariants: what goes wrong with a call is said in its item, with the request's id, since clients
//! lose the status of a stream and try again on others; a status is for callers who are not let in,
//! and for time that is up. A call that nobody waits for any more is dropped with its future.

use std::{pin::Pin, time::Duration};

use futures_util::stream;
use http::HeaderMap;
use tokio::time::Instant;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{
    auth::Caller,
    calls::{self, Around, Late, Outcome},
    item::Item,
    proto::{self, ModelResponseItem, model_service_server::ModelService},
    stream::Items,
    tasks,
};
use crate::{app::App, doors::shared};

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
        let message = request.into_inner();
        let custom_id = message.custom_id.clone();
        let outcome = calls::run(&self.0, Item::of(message), custom_id, &around, until).await.map_err(late)?;
        Ok(match outcome {
            Outcome::Whole(item, headers) => respond(Box::pin(stream::iter([Ok(*item)])), headers, &around),
            Outcome::Stream(mut running) => {
                let headers = std::mem::take(&mut running.headers);
                respond(Box::pin(Items::new(*running, self.0.clone())), headers, &around)
            }
        })
    }

    async fn batch_invoke(
        &self,
        request: Request<proto::ModelRequest>,
    ) -> Result<Response<proto::ModelResponse>, Status> {
        let until = deadline(request.metadata())?;
        let around = around(&request);
        let items = request.into_inner().items.into_iter().map(|item| (item.custom_id.clone(), Item::of(item)));
        let answers = calls::batch(&self.0, items.collect(), &around);
        let Some(items) = calls::within(until, Box::pin(answers)).await else {
            return Err(Status::deadline_exceeded(Late::WHY));
        };
        Ok(Response::new(proto::ModelResponse { request_id: around.request_id, items }))
    }

    async fn get_task_status(
        &self,
        request: Request<proto::GetTaskStatusRequest>,
    ) -> Result<Response<proto::GetTaskStatusResponse>, Status> {
        let caller = around(&request).caller;
        let id = &request.get_ref().task_id;
        let status = tasks::status(&self.0, id, caller.as_deref()).await.map_err(unavailable)?;
        status.map(Response::new).ok_or_else(|| Status::not_found(tasks::missing(id)))
    }

    async fn batch_get_task_status(
        &self,
        request: Request<proto::BatchGetTaskStatusRequest>,
    ) -> Result<Response<proto::BatchGetTaskStatusResponse>, Status> {
        let caller = around(&request).caller;
        let ids = request.into_inner().task_ids;
        let tasks = tasks::statuses(&self.0, ids, caller.as_deref()).await.map_err(unavailable)?;
        Ok(Response::new(proto::BatchGetTaskStatusResponse { tasks }))
    }
}

fn unavailable(error: sabir_types::Error) -> Status {
    Status::unavailable(error.message())
}

fn respond(items: ItemStream, headers: HeaderMap, around: &Around) -> Response<ItemStream> {
    let mut response = Response::new(items);
    *response.metadata_mut() = MetadataMap::from_headers(headers);
    shared::set(response.metadata_mut().as_mut(), "x-request-id", &around.request_id);
    response
}

fn around<T>(request: &Request<T>) -> Around {
    let caller = request.extensions().get::<Caller>().and_then(|caller| caller.0.clone());
    Around::of(request.metadata().as_ref(), caller)
}

fn late(_: Late) -> Status {
    Status::deadline_exceeded(Late::WHY)
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
