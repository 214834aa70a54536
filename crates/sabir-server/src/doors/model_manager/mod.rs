//! The Model Manager door: `model_service.ModelService` over gRPC, on a port of its own, and the
//! same calls as JSON on the port of the other doors.
//!
//! Invariant: the unmodified clients of the Model Manager work against it; what a client cannot be
//! told by the protocol is told in the item's error.

mod auth;
mod calls;
mod dialect;
mod extra;
mod files;
mod gemini;
mod http;
mod item;
mod jwt;
mod media;
mod parse;
mod proto;
mod raw;
mod render;
mod service;
mod stream;
mod tasks;
mod tools;

use anyhow::{Context, Result};
use axum::Router;

use self::{auth::Guarded, proto::model_service_server::ModelServiceServer};
pub use self::{
    extra::message,
    http::{error_response, owns, routes},
    tasks::handle,
};
use crate::app::App;

/// Its name in the metrics.
const ENDPOINT: &str = "model_manager";
/// The smallest limit for a message: clients send images in requests.
const MESSAGE: usize = 64 * 1024 * 1024;

/// The services of the port: the door itself, and what probes and tools look for.
pub async fn router(app: App) -> Result<Router> {
    let limit = app.engine().config().gateway.body_limit.max(MESSAGE);
    let service = ModelServiceServer::new(service::Service(app.clone()))
        .max_decoding_message_size(limit)
        .max_encoding_message_size(usize::MAX);
    let (reporter, health) = tonic_health::server::health_reporter();
    // The port answers as long as it is open: its service is well while the process is.
    reporter.set_serving::<ModelServiceServer<service::Service>>().await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = reflection().build_v1().context("the schema cannot be read")?;
    let v1alpha = reflection().build_v1alpha().context("the schema cannot be read")?;
    Ok(Router::new()
        .route_service("/model_service.ModelService/{method}", Guarded { app, inner: service })
        .route_service("/grpc.health.v1.Health/{method}", health)
        .route_service("/grpc.reflection.v1.ServerReflection/{method}", v1)
        .route_service("/grpc.reflection.v1alpha.ServerReflection/{method}", v1alpha)
        .fallback(auth::unknown))
}
