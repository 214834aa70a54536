//! The Gemini door: content and embeddings, the counting of tokens, models, at the paths that
//! Google's clients use.
//!
//! Invariant: whatever goes wrong here is told in Google's shape; the query, which may hold a key, is
//! never written down.

mod array;
mod models;
mod parse;
mod render;

use axum::{
    Router,
    body::Body,
    extract::{Path, RawQuery, State},
    http::Request,
    response::Response,
    routing::{get, post},
};
use sabir_engine::config::Family;
use sabir_types::{Error, ErrorKind, Result};

use crate::app::App;

/// Its routes, to be mounted at the root.
pub fn routes() -> Router<App> {
    // The newest clients say `v1`, where the OpenAI door lists its models, and hands over what
    // Google's clients ask there.
    let mut router = Router::new().route("/v1/models/{*model}", post(call));
    for base in ["/gemini/v1beta", "/gemini/v1", "/v1beta"] {
        router = router
            .route(&format!("{base}/models"), get(models::list))
            // The name of a model and of its method are one segment: `{model}:{method}`.
            .route(&format!("{base}/models/{{*model}}"), get(one).post(call));
    }
    router
}

/// What is to be done with a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Generate,
    Stream,
    Count,
    Embed,
    EmbedBatch,
}

impl Method {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "generateContent" => Self::Generate,
            "streamGenerateContent" => Self::Stream,
            "countTokens" => Self::Count,
            "embedContent" => Self::Embed,
            "batchEmbedContents" => Self::EmbedBatch,
            _ => return None,
        })
    }

    /// Its name in metrics.
    fn endpoint(self) -> &'static str {
        match self {
            Self::Generate | Self::Stream => "generate_content",
            Self::Count => "count_tokens",
            Self::Embed | Self::EmbedBatch => "embed_content",
        }
    }
}

/// A model, or what runs at one (`models/MODEL/operations/…`), which Google alone knows.
async fn one(State(app): State<App>, Path(rest): Path<String>, request: Request<Body>) -> Response {
    if rest.contains("/operations/") {
        return super::unknown(State(app), request).await;
    }
    let asked = RawQuery(request.uri().query().map(str::to_owned));
    models::retrieve(State(app), Path(rest), asked, request.headers().clone()).await
}

async fn call(State(app): State<App>, Path(rest): Path<String>, request: Request<Body>) -> Response {
    let (model, method) = match split(&rest) {
        Ok(split) => split,
        // Methods that are nothing to a gateway (`predictLongRunning`) may be Google's own.
        Err(_) if app.engine().config().pass_through.is_open(Family::Gemini) => {
            return super::unknown(State(app), request).await;
        }
        Err(error) => return render::error(&error),
    };
    let (parts, body) = request.into_parts();
    let failed = |error: &Error| app.metrics().failed(method.endpoint(), error.kind());
    if method == Method::Count {
        let counted = async {
            let wanted = parse::counting(&app, &parts, body, model).await?;
            app.engine().count_tokens(&wanted).await
        };
        return counted.await.map_or_else(
            |error| {
                failed(&error);
                render::refused(&error)
            },
            render::counted,
        );
    }
    let parse::Parsed { call, ask } = match parse::call(&app, &parts, body, model, method).await {
        Ok(parsed) => parsed,
        Err(error) => {
            failed(&error);
            return render::error(&error);
        }
    };
    match app.engine().run(call).await {
        Ok(answer) => render::answer(&app, answer, ask),
        Err(failure) => {
            failed(&failure.error);
            render::failure(&failure)
        }
    }
}

/// The model and the method, which comes after the last colon: names of models hold colons too.
fn split(rest: &str) -> Result<(&str, Method)> {
    let (model, name) = rest.rsplit_once(':').unwrap_or((rest, ""));
    match Method::of(name) {
        Some(method) if !model.is_empty() => Ok((model, method)),
        None if !name.is_empty() && !model.ends_with(':') => {
            let message = format!("method `{name}` of a model: not supported");
            Err(Error::new(ErrorKind::NotFound, message))
        }
        _ => {
            let message = "expected a path like `models/MODEL:generateContent`";
            Err(Error::new(ErrorKind::NotFound, message))
        }
    }
}

pub use models::{list as list_models, retrieve as retrieve_model};
pub use render::error as error_response;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_method_comes_after_the_last_colon() {
        for (rest, model, method) in [
            ("gemini-2.5-flash:generateContent", "gemini-2.5-flash", Method::Generate),
            ("dummy::echo:streamGenerateContent", "dummy::echo", Method::Stream),
            ("org/llama:70b:countTokens", "org/llama:70b", Method::Count),
            ("e:batchEmbedContents", "e", Method::EmbedBatch),
        ] {
            assert_eq!(split(rest).unwrap(), (model, method), "{rest}");
        }
        for rest in ["gemini", "dummy::echo", ":generateContent", "m:predict", ""] {
            assert_eq!(split(rest).unwrap_err().kind(), ErrorKind::NotFound, "{rest}");
        }
    }
}
