//! Types that take what services really send.
//!
//! Invariant: null counts as absent, a whole number may be written as a fraction, and members that
//! are not known are kept; anything else that does not fit is an error that names the member.

use sabir_types::{Map, Value};
use serde::{Deserialize, Deserializer, de::Error};

/// What can be read from what a service sends.
pub(crate) trait Loose: Default {
    /// Reads it; null never comes here.
    fn read(value: Value) -> Result<Self, String>;
    /// Whether it is left out when it is written.
    fn is_absent(&self) -> bool {
        false
    }
}

pub(crate) fn loose<'de, D: Deserializer<'de>, T: Loose>(from: D) -> Result<T, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(T::default()),
        value => T::read(value).map_err(D::Error::custom),
    }
}

fn wrong<T>(value: &Value, expected: &str) -> Result<T, String> {
    let text = value.to_string();
    let short: String = text.chars().take(40).collect();
    Err(format!("expected {expected}, not `{short}`"))
}

impl Loose for String {
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(text),
            other => wrong(&other, "a text"),
        }
    }
}

impl Loose for bool {
    fn read(value: Value) -> Result<Self, String> {
        value.as_bool().map_or_else(|| wrong(&value, "true or false"), Ok)
    }
}

impl Loose for f64 {
    fn read(value: Value) -> Result<Self, String> {
        value.as_f64().map_or_else(|| wrong(&value, "a number"), Ok)
    }
}

impl Loose for i64 {
    fn read(value: Value) -> Result<Self, String> {
        #[expect(clippy::cast_possible_truncation, reason = "what is beyond is cut to the nearest")]
        let number = value.as_i64().or_else(|| value.as_f64().map(|number| number as i64));
        number.map_or_else(|| wrong(&value, "a number"), Ok)
    }
}

impl Loose for Value {
    fn read(value: Value) -> Result<Self, String> {
        Ok(value)
    }

    fn is_absent(&self) -> bool {
        self.is_null()
    }
}

impl Loose for Map<String, Value> {
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(members) => Ok(members),
            other => wrong(&other, "an object"),
        }
    }
}

impl<T: Loose> Loose for Vec<T> {
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::Array(items) => items.into_iter().map(T::read).collect(),
            other => wrong(&other, "a list"),
        }
    }
}

impl<T: Loose> Loose for Option<T> {
    fn read(value: Value) -> Result<Self, String> {
        T::read(value).map(Some)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

/// Structs for what a service sends.
macro_rules! records {
    ($($(#[$about:meta])* $name:ident {
        $($(#[$note:meta])* $field:ident $(= $wire:literal)?: $kind:ty,)*
    })*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $($(#[$note])*
            $(#[serde(rename = $wire)])?
            #[serde(
                deserialize_with = "crate::types::loose::loose",
                skip_serializing_if = "crate::types::loose::Loose::is_absent"
            )]
            pub $field: $kind,)*
            /// Everything else.
            #[serde(flatten)]
            pub rest: sabir_types::Map<String, sabir_types::Value>,
        }

        impl crate::types::loose::Loose for $name {
            fn read(value: sabir_types::Value) -> Result<Self, String> {
                serde_json::from_value(value).map_err(|e| e.to_string())
            }
        }
    )*};
}

pub(crate) use records;
