//! The Anthropic door: messages, the counting of tokens, batches, models, at the paths that clients use.
//!
//! Invariant: whatever goes wrong here is told in Anthropic's shape.

mod batches;
mod models;
mod parse;
mod render;
mod thread;

use crate::app::App;
use axum::{
    Router,
    body::Body,
    extract::State,
    http::Request,
    response::Response,
    routing::{get, post},
};

/// The name of the endpoint in metrics.
const ENDPOINT: &str = "messages";

/// Its routes, to be mounted at the root. `/v1/models` belongs to the OpenAI door, which hands
/// over what Anthropic's clients ask there.
pub fn routes() -> Router<App> {
    let mut router = Router::new()
        .route("/anthropic/v1/models", get(models::list))
        .route("/anthropic/v1/models/{*model}", get(models::retrieve));
    for base in ["/v1", "/anthropic/v1"] {
        router = router
            .route(&format!("{base}/messages"), post(messages))
            .route(&format!("{base}/messages/count_tokens"), post(count_tokens));
    }
    router
}

/// The routes of what is kept: message batches.
pub(super) fn kept_routes() -> Router<App> {
    let mut router = Router::new();
    for base in ["/v1/messages/batches", "/anthropic/v1/messages/batches"] {
        router = router
            .route(base, get(batches::list).post(batches::create))
            .route(&format!("{base}/{{id}}"), get(batches::retrieve).delete(batches::delete))
            .route(&format!("{base}/{{id}}/cancel"), post(batches::cancel))
            .route(&format!("{base}/{{id}}/results"), get(batches::results));
    }
    router
}

async fn messages(State(app): State<App>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let parsed = match parse::call(&app, &parts, body).await {
        Ok(parsed) => parsed,
        Err(error) => {
            app.metrics().failed(ENDPOINT, error.kind());
            return render::error(&error);
        }
    };
    let asked = parsed.asked.clone();
    match app.engine().run(parsed).await {
        Ok(answer) => render::answer(&app, answer, asked, ENDPOINT),
        Err(failure) => {
            app.metrics().failed(ENDPOINT, failure.error.kind());
            render::failure(&failure)
        }
    }
}

async fn count_tokens(State(app): State<App>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let counted = async {
        let wanted = parse::counting(&app, &parts, body).await?;
        app.engine().count_tokens(&wanted).await
    };
    match counted.await {
        Ok(answer) => render::counted(answer),
        Err(error) => {
            app.metrics().failed("count_tokens", error.kind());
            render::refused(&error)
        }
    }
}

pub use models::{list as list_models, retrieve as retrieve_model};
pub use render::error as error_response;
