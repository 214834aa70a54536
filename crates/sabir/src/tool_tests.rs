//! Tools: their schemas, and what bad arguments do. The macro's own tests are in `tests/tools.rs`,
//! where it sees the crate as its users do.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Deserialize, JsonSchema)]
struct Sum {
    left: i64,
    right: i64,
}

#[tokio::test]
async fn what_a_model_writes_is_checked() {
    let sum = Tool::typed("sum", "Adds.", |Sum { left, right }| async move { value(left + right) });
    assert_eq!(sum.run(r#"{"left": 1, "right": 2}"#).await, Ok(json!(3)));
    assert!(sum.run("{").await.unwrap_err().starts_with("the arguments are not JSON"));
    assert!(sum.run("").await.unwrap_err().contains("missing field `left`"));
    assert_eq!(sum.definition()["function"]["parameters"]["required"], json!(["left", "right"]));
}
