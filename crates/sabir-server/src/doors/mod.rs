//! The doors: one folder for each protocol that clients speak.

pub mod anthropic;
pub mod events;
pub mod extension;
mod fallback;
pub mod gemini;
mod kept;
pub mod model_manager;
pub mod openai;
mod pass_through;
pub mod responses;
pub mod shared;
pub mod tensorzero;
mod whose;

use std::sync::Arc;

use sabir_engine::tasks::Tasks;

use crate::app::WeakApp;

pub use fallback::{not_allowed, unknown};
pub use kept::routes as kept_routes;

/// Says who runs the tasks that the doors queue.
pub fn handle(tasks: &Arc<Tasks>, app: &WeakApp, concurrency: usize) {
    responses::handle(tasks, app);
    model_manager::handle(tasks, app);
    crate::batches::handle(tasks, app, concurrency);
}
