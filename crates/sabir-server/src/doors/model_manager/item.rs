//! One call as a caller describes it: over gRPC as a message, over HTTP as an object.
//!
//! Invariant: after this nobody asks which way it came.

use sabir_types::{Error, Map, Result, Value};
use serde::{Deserialize, Serialize};

use super::{extra, proto};

/// What clients of the HTTP way write for what nobody set.
const NOT_GIVEN: &str = "NOT_GIVEN";

/// One call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) provider: String,
    pub(super) channel: String,
    pub(super) invoke_type: String,
    pub(super) stream: bool,
    pub(super) who: Who,
    pub(super) priority: Option<i32>,
    pub(super) custom_id: Option<String>,
    /// The parameters of the vendor's SDK.
    pub(super) extra: Map<String, Value>,
}

/// Who asks, and for whom.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Who {
    pub(super) org_id: String,
    pub(super) user_id: String,
    pub(super) client_type: String,
    pub(super) region: String,
}

impl Item {
    /// A message as an item.
    pub(super) fn of(message: proto::ModelRequestItem) -> Result<Self> {
        Ok(Self {
            provider: message.provider,
            channel: message.channel,
            invoke_type: message.invoke_type,
            stream: message.stream,
            who: Who {
                org_id: message.org_id,
                user_id: message.user_id,
                client_type: message.client_type,
                region: message.region.unwrap_or_default(),
            },
            priority: message.priority,
            custom_id: message.custom_id.filter(|id| !id.is_empty()),
            extra: extra::object(message.extra.unwrap_or_default())?,
        })
    }

    /// An object as an item: what does not describe the call is a parameter. `who` stands for an
    /// object that does not say who asks.
    pub(super) fn read(mut object: Map<String, Value>, who: &Who) -> Result<Self> {
        object.retain(|_, value| value != NOT_GIVEN);
        let custom_id = custom_id(&object);
        object.remove("custom_id");
        let who = match object.remove("user_context") {
            None | Some(Value::Null) => who.clone(),
            Some(context) => Who::read(context)?,
        };
        let stream = match object.remove("stream") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(stream)) => stream,
            Some(_) => return Err(wrong("stream", "a boolean")),
        };
        let priority = match object.remove("priority") {
            None | Some(Value::Null) => None,
            Some(number) => {
                let number = number.as_i64().and_then(|number| i32::try_from(number).ok());
                Some(number.ok_or_else(|| wrong("priority", "a whole number of 32 bits"))?)
            }
        };
        let mut text = |name: &'static str| match object.remove(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(wrong(name, "a string")),
        };
        let (provider, channel, invoke_type) = (text("provider")?, text("channel")?, text("invoke_type")?);
        Ok(Self { provider, channel, invoke_type, stream, who, priority, custom_id, extra: object })
    }
}

impl Who {
    /// A `user_context`.
    pub(super) fn read(context: Value) -> Result<Self> {
        let Value::Object(mut context) = context else { return Err(wrong("user_context", "an object")) };
        let mut text = |name: &str| match context.remove(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(wrong(&format!("user_context.{name}"), "a string")),
        };
        Ok(Self {
            org_id: text("org_id")?,
            user_id: text("user_id")?,
            client_type: text("client_type")?,
            region: text("region")?,
        })
    }
}

/// The caller's name for an item, also of one that cannot be read.
pub(super) fn custom_id(object: &Map<String, Value>) -> Option<String> {
    object.get("custom_id").and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned)
}

fn wrong(param: &str, expected: &str) -> Error {
    Error::bad_request(format!("`{param}`: expected {expected}")).with_param(param)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("{other} is not an object"),
        }
    }

    #[test]
    fn an_object_and_a_message_say_the_same() {
        let object = object(json!({
            "provider": "openai", "channel": "normal", "invoke_type": "chat-completions", "stream": true,
            "user_context": {"org_id": "o", "user_id": "u", "client_type": "c", "region": "eu"},
            "priority": 2, "custom_id": "q", "model": "m", "temperature": "NOT_GIVEN",
        }));
        let fields = [("model".to_owned(), prost_types::Value::from("m"))];
        let message = proto::ModelRequestItem {
            provider: "openai".into(),
            channel: "normal".into(),
            invoke_type: "chat-completions".into(),
            stream: true,
            org_id: "o".into(),
            user_id: "u".into(),
            client_type: "c".into(),
            region: Some("eu".into()),
            priority: Some(2),
            custom_id: Some("q".into()),
            extra: Some(prost_types::Struct { fields: fields.into() }),
        };
        assert_eq!(Item::read(object, &Who::default()).unwrap(), Item::of(message).unwrap());
    }

    #[test]
    fn nothing_need_be_said() {
        let all = Who { org_id: "o".into(), ..Who::default() };
        let read = Item::read(object(json!({"stream": "NOT_GIVEN", "user_context": null, "a": 1})), &all).unwrap();
        let extra = object(json!({"a": 1}));
        assert_eq!(read, Item { who: all, extra, ..Item::default() });
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (object_, param) in [
            (json!({"stream": "yes"}), "stream"),
            (json!({"priority": 1.5}), "priority"),
            (json!({"priority": 1_u64 << 40}), "priority"),
            (json!({"provider": 1}), "provider"),
            (json!({"user_context": "ada"}), "user_context"),
            (json!({"user_context": {"org_id": 1}}), "user_context.org_id"),
        ] {
            assert_eq!(Item::read(object(object_), &Who::default()).unwrap_err().param(), Some(param));
        }
    }
}
