//! The messages and the service, made from `proto/model_service.proto`.
//!
//! Invariant: nothing is written here by hand.
#![expect(unreachable_pub, reason = "generated")]

tonic::include_proto!("model_service");

/// The schema itself, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/model_service.binpb"));
