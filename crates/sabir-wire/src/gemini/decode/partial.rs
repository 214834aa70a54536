//! Arguments of a call that come in pieces, each with the path of the value that it adds to.
//!
//! Invariant: a piece never makes an array longer than by one element, so that a path cannot ask
//! for more memory than it has bytes.

use sabir_types::{Error, Map, Result, Value};

/// Adds the pieces of one `partialArgs` list.
pub(super) fn apply(args: &mut Value, pieces: &[Value]) -> Result<()> {
    for piece in pieces {
        let path = piece.get("jsonPath").and_then(Value::as_str).unwrap_or("$");
        let slot = at(args, path)?;
        if let Some(more) = piece.get("stringValue").and_then(Value::as_str) {
            match slot {
                Value::String(text) => text.push_str(more),
                slot => *slot = Value::from(more),
            }
        } else if let Some(value) = piece.get("numberValue").or_else(|| piece.get("boolValue")) {
            *slot = value.clone();
        } else if piece.get("nullValue").is_some() {
            *slot = Value::Null;
        } else if slot.is_null() {
            // A piece that opens an object or a list and says nothing about it yet.
            *slot = Value::Object(Map::new());
        }
    }
    Ok(())
}

/// The place that a path (`$.a.b[0]['c d']`) names, made if it is not there.
fn at<'a>(root: &'a mut Value, path: &str) -> Result<&'a mut Value> {
    let wrong = || Error::bad_upstream(format!("argument path `{path}` cannot be read"));
    let mut rest = path.strip_prefix('$').ok_or_else(wrong)?;
    let mut slot = root;
    while !rest.is_empty() {
        if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            slot = member(slot, &name[..end]).ok_or_else(wrong)?;
            rest = &name[end..];
        } else if let Some(inner) = rest.strip_prefix('[') {
            let quote = inner.chars().next().filter(|c| matches!(c, '\'' | '"'));
            if let Some(quote) = quote {
                let (name, after) =
                    inner[1..].split_once(&[quote, ']'].iter().collect::<String>()).ok_or_else(wrong)?;
                slot = member(slot, name).ok_or_else(wrong)?;
                rest = after;
            } else {
                let (number, after) = inner.split_once(']').ok_or_else(wrong)?;
                slot = element(slot, number.parse().map_err(|_| wrong())?).ok_or_else(wrong)?;
                rest = after;
            }
        } else {
            return Err(wrong());
        }
    }
    Ok(slot)
}

fn member<'a>(slot: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    if slot.is_null() {
        *slot = Value::Object(Map::new());
    }
    Some(slot.as_object_mut()?.entry(name).or_insert(Value::Null))
}

fn element(slot: &mut Value, number: usize) -> Option<&mut Value> {
    // A list that was opened as an empty object before its first element came.
    if slot.is_null() || slot.as_object().is_some_and(Map::is_empty) {
        *slot = Value::Array(Vec::new());
    }
    let list = slot.as_array_mut()?;
    if number == list.len() {
        list.push(Value::Null);
    }
    list.get_mut(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pieces_add_up() {
        let mut args = json!({});
        for pieces in [
            json!([{"jsonPath": "$.city", "stringValue": "Ber", "willContinue": true}]),
            json!([{"jsonPath": "$.city", "stringValue": "lin"}, {"jsonPath": "$.days[0].n", "numberValue": 3}]),
            json!([{"jsonPath": "$.days[1]", "nullValue": null}, {"jsonPath": "$['a.b'][\"c\"]", "boolValue": true}]),
        ] {
            apply(&mut args, pieces.as_array().expect("a list")).expect("the paths are good");
        }
        assert_eq!(args, json!({"city": "Berlin", "days": [{"n": 3}, null], "a.b": {"c": true}}));
    }

    #[test]
    fn bad_paths_are_errors() {
        for path in ["city", "$city", "$.a[9]", "$.a[x]", "$.a['b", "$.a[0"] {
            let pieces = [json!({"jsonPath": path, "stringValue": "x"})];
            assert!(apply(&mut json!({}), &pieces).is_err(), "{path}");
        }
    }
}
