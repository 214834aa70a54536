//! Functions that a model may call.
//!
//! Invariant: whatever a model sends as arguments, a tool answers with a text for the model, and
//! never with a panic of its own making.

use std::{fmt, pin::Pin, sync::Arc};

#[doc(hidden)]
pub use schemars;
#[doc(hidden)]
pub use serde;

use sabir_types::Value;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

/// What a tool came to: a value, or a text that tells the model what went wrong.
pub type Outcome = std::result::Result<Value, String>;

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A function that a model may call. [`#[tool]`](macro@crate::tool) makes one of a function.
#[derive(Clone)]
pub struct Tool {
    name: String,
    description: String,
    parameters: Value,
    run: Arc<dyn Fn(Value) -> Running + Send + Sync>,
}

impl Tool {
    /// A tool whose arguments are checked by whoever runs it; `parameters` is their JSON Schema.
    pub fn new<R>(
        name: impl Into<String>,
        description: impl Into<String>,
        parameters: Value,
        run: impl Fn(Value) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Future<Output = Outcome> + Send + 'static,
    {
        let run = Arc::new(move |arguments: Value| -> Running { Box::pin(run(arguments)) });
        Self { name: name.into(), description: description.into(), parameters, run }
    }

    /// A tool whose arguments are of one type.
    pub fn typed<A, R>(
        name: impl Into<String>,
        description: impl Into<String>,
        run: impl Fn(A) -> R + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let parameters = crate::schema::of::<A>();
        let run = Arc::new(move |arguments: Value| -> Running {
            match serde_json::from_value(arguments) {
                Ok(arguments) => Box::pin(run(arguments)),
                Err(error) => Box::pin(async move { Err(format!("the arguments are wrong: {error}")) }),
            }
        });
        Self { name: name.into(), description: description.into(), parameters, run }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The JSON Schema of its arguments.
    pub fn parameters(&self) -> &Value {
        &self.parameters
    }

    /// The tool as a request wants it, in the shape of chat completions.
    pub fn definition(&self) -> Value {
        json!({
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": self.parameters},
        })
    }

    /// Runs it with arguments as a model writes them. None at all are an empty object.
    pub async fn run(&self, arguments: &str) -> Outcome {
        let arguments = match arguments.trim() {
            "" => json!({}),
            text => serde_json::from_str(text).map_err(|e| format!("the arguments are not JSON: {e}"))?,
        };
        (self.run)(arguments).await
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a function gave back.
#[doc(hidden)]
pub fn value(value: impl Serialize) -> Outcome {
    serde_json::to_value(value).map_err(|e| format!("the result is not JSON: {e}"))
}

/// What a function gave back that can fail.
#[doc(hidden)]
pub fn outcome<T: Serialize, E: fmt::Display>(result: std::result::Result<T, E>) -> Outcome {
    result.map_err(|e| e.to_string()).and_then(value)
}

#[cfg(test)]
#[path = "tool_tests.rs"]
mod tests;
