//! The parameters of a call: a protobuf `Struct` as JSON.
//!
//! Invariant: a whole number is an integer again, since a `Struct` knows doubles only.

use prost_types::{ListValue, Struct, Value as Wire, value::Kind};
use sabir_types::{Error, Map, Result, Value};

use super::proto::ModelRequestItem;

/// Beyond it a double is not a 64-bit integer any more.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// Reads parameters.
pub(super) fn object(extra: Struct) -> Result<Map<String, Value>> {
    members(extra, "extra")
}

/// A call as a client writes it: `json` holds its parameters.
pub fn message(provider: &str, invoke_type: &str, json: &str) -> ModelRequestItem {
    let body: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    let stream = body.get("stream").is_some_and(|stream| stream == true);
    ModelRequestItem {
        provider: provider.to_owned(),
        invoke_type: invoke_type.to_owned(),
        stream,
        extra: Some(wired(body)),
        ..ModelRequestItem::default()
    }
}

fn wired(object: Map<String, Value>) -> Struct {
    fn one(value: Value) -> Wire {
        let kind = match value {
            Value::Null => Kind::NullValue(0),
            Value::Bool(flag) => Kind::BoolValue(flag),
            Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
            Value::String(text) => Kind::StringValue(text),
            Value::Array(items) => Kind::ListValue(ListValue { values: items.into_iter().map(one).collect() }),
            Value::Object(members) => Kind::StructValue(wired(members)),
        };
        Wire { kind: Some(kind) }
    }
    Struct { fields: object.into_iter().map(|(name, value)| (name, one(value))).collect() }
}

fn members(object: Struct, path: &str) -> Result<Map<String, Value>> {
    let mut out = Map::new();
    for (name, wire) in object.fields {
        let at = format!("{path}.{name}");
        out.insert(name, value(wire, &at)?);
    }
    Ok(out)
}

fn value(wire: Wire, path: &str) -> Result<Value> {
    Ok(match wire.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(flag)) => flag.into(),
        Some(Kind::StringValue(text)) => text.into(),
        Some(Kind::NumberValue(number)) if number.fract() == 0.0 && number.abs() <= WHOLE => (number as i64).into(),
        Some(Kind::NumberValue(number)) => match serde_json::Number::from_f64(number) {
            Some(number) => Value::Number(number),
            None => {
                return Err(Error::bad_request(format!("`{path}` is {number}: expected a number")).with_param(path));
            }
        },
        Some(Kind::StructValue(object)) => Value::Object(members(object, path)?),
        Some(Kind::ListValue(list)) => list
            .values
            .into_iter()
            .enumerate()
            .map(|(at, item)| value(item, &format!("{path}[{at}]")))
            .collect::<Result<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(kind: Kind) -> Wire {
        Wire { kind: Some(kind) }
    }

    #[test]
    fn whole_numbers_are_integers_again() {
        let list = [1000.0, 0.7, -0.0, 9_007_199_254_740_992.0, 1e300].map(|number| wire(Kind::NumberValue(number)));
        let list = ListValue { values: list.into_iter().chain([wire(Kind::NullValue(0))]).collect() };
        let inner = Struct { fields: [("b".to_owned(), wire(Kind::BoolValue(true)))].into() };
        let fields = [("a".to_owned(), wire(Kind::ListValue(list))), ("o".to_owned(), wire(Kind::StructValue(inner)))];
        let read = object(Struct { fields: fields.into() }).unwrap();
        let text = Value::Object(read).to_string();
        assert_eq!(text, r#"{"a":[1000,0.7,0,9007199254740992,1e+300,null],"o":{"b":true}}"#);
    }

    #[test]
    fn what_json_cannot_say_is_refused_by_name() {
        let list = ListValue { values: vec![wire(Kind::NumberValue(f64::NAN))] };
        let fields = [("stop".to_owned(), wire(Kind::ListValue(list)))];
        let error = object(Struct { fields: fields.into() }).unwrap_err();
        assert_eq!(error.param(), Some("extra.stop[0]"));
    }
}
