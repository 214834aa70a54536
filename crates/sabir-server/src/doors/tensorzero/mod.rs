//! The TensorZero door.

use axum::Router;

use crate::app::App;

/// Its routes, to be mounted at the root.
pub fn routes() -> Router<App> {
    Router::new()
}
