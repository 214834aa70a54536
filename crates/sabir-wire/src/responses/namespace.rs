//! Tools in namespaces, for providers that know plain tools only.
//!
//! Invariant: a tool's full name says its namespace, so that a call to it, which comes back under
//! that name, is told apart again by the tools of the request.

use sabir_types::{Map, Value};

/// What stands between a namespace and a name: every provider takes it in a tool's name.
const BETWEEN: &str = "__";

/// The name of a tool for a provider that knows no namespaces.
pub(super) fn full(namespace: &str, name: &str) -> String {
    format!("{namespace}{BETWEEN}{name}")
}

/// The namespace and the name of a tool, if one of these tools is a namespace that holds it.
pub(super) fn split<'n>(request: &Map<String, Value>, full: &'n str) -> Option<(&'n str, &'n str)> {
    if !full.contains(BETWEEN) {
        return None;
    }
    request.get("tools")?.as_array()?.iter().filter(|tool| tool["type"] == "namespace").find_map(|group| {
        let namespace = group.get("name")?.as_str()?;
        let name = full.strip_prefix(namespace)?.strip_prefix(BETWEEN)?;
        let holds = group.get("tools")?.as_array()?.iter().any(|tool| tool["name"] == name);
        holds.then(|| (&full[..namespace.len()], name))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_full_name_is_split_by_the_tools() {
        let request = json!({"tools": [
            {"type": "function", "name": "a__b"},
            {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "find"}]},
        ]});
        let request = request.as_object().unwrap();
        assert_eq!(split(request, &full("crm", "find")), Some(("crm", "find")));
        for plain in ["find", "a__b", "crm__other", "crm__", "crm"] {
            assert_eq!(split(request, plain), None, "{plain}");
        }
    }
}
