//! Rules that say one thing, and rules that say two or none.

use super::super::testing::{bad, good};

fn provider(line: &str) -> String {
    format!("[models.m.providers.p]\ntype = 'dummy'\nmodel_name = 'x'\n{line}\n")
}

#[test]
fn rules_say_one_thing() {
    for (line, expected) in [
        ("extra_body = [{ value = 1 }]", "extra_body[0]: missing key `pointer`"),
        (
            "extra_body = [{ pointer = 'a', value = 1 }]",
            "extra_body[0].pointer: expected a JSON pointer: it starts with `/`",
        ),
        ("extra_body = [{ pointer = '/a' }]", "extra_body[0]: expected either `value` or `delete = true`"),
        (
            "extra_body = [{ pointer = '/a', delete = false }]",
            "extra_body[0]: expected either `value` or `delete = true`",
        ),
        (
            "extra_body = [{ pointer = '/a', value = 1, delete = true }]",
            "extra_body[0]: expected either `value` or `delete = true`",
        ),
        (
            "extra_body = [{ pointer = '/a', vale = 1, delete = true }]",
            "extra_body[0].vale: unknown key; did you mean `value`?",
        ),
        ("extra_body = [7]", "extra_body[0]: expected a table, got an integer"),
        ("extra_headers = [{ name = 'a b', value = 'v' }]", "extra_headers[0].name: expected the name of a header"),
        (
            "extra_headers = [{ name = 'a', value = \"hunter2\\n\" }]",
            "extra_headers[0].value: expected the value of a header: it holds no control characters",
        ),
        ("cost = [{ pointer = '/a' }]", "cost[0]: expected either `cost_per_million` or `cost_per_unit`"),
        (
            "cost = [{ pointer = '/a', pointer_streaming = '/b', cost_per_unit = 1 }]",
            "cost[0]: expected either `pointer` or both `pointer_nonstreaming` and `pointer_streaming`",
        ),
        (
            "cost = [{ pointer = '/a', cost_per_unit = nan }]",
            "cost[0].cost_per_unit: expected a finite number, got a float",
        ),
    ] {
        let said = bad(&provider(line));
        let (place, message) = said.split_once(": ").unwrap();
        assert!(place.starts_with("sabir.toml:4:"), "{said}");
        assert_eq!(message, format!("models.m.providers.p.{expected}"));
        assert!(!said.contains("hunter2"));
    }
}

#[test]
fn prices_for_batches_are_noted() {
    let config = good(&provider("batch_cost = [{ pointer = '/a', cost_per_unit = 1 }]"));
    assert_eq!(
        config.notes[0].to_string(),
        "sabir.toml:4:1: models.m.providers.p.batch_cost: accepted, but not supported yet: it has no effect"
    );
}
