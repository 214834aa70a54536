//! Tests of the quick look. Invariant: every wrong body is refused by a sentence that names the member.

use sabir_types::ErrorKind;

use super::*;

fn ok(body: &str) -> Peek {
    peek(body.as_bytes()).expect("readable")
}

fn refused(body: &str) -> (String, Option<String>) {
    let error = peek(body.as_bytes()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::BadRequest, "{body}");
    (error.message().to_owned(), error.param().map(str::to_owned))
}

#[test]
fn finds_the_model_where_it_stands() {
    let body =
        r#" { "messages" : [ {"role":"user","content":"\"model\":\"no\" é"} ] , "model" : "gpt-\u0034o" , "x":1}"#;
    let peek = ok(body);
    assert_eq!(peek.model, "gpt-4o");
    assert_eq!(&body[peek.model_at.expect("in the body")], r#""gpt-\u0034o""#);
    assert!(!peek.stream && !peek.extended && !peek.legacy_functions);
}

#[test]
fn escaped_names_count_as_what_they_mean() {
    let peek = ok(r#"{"m\u006fdel":"m","messages":[{}],"tensorzer\u006f::tags":{}}"#);
    assert_eq!((peek.model.as_str(), peek.extended), ("m", true));
}

#[test]
fn sees_what_the_door_decides_by() {
    let peek = ok(r#"{"model":"m","messages":[{}],"stream":true,"stream_options":{"include_usage":true,"x":[]},
        "functions":[],"n":2,"encoding_format":"base64"}"#);
    assert!(peek.stream && peek.legacy_functions);
    assert_eq!(peek.include_usage, Some(true));
    assert_eq!(peek.n, Some(2));
    assert_eq!(peek.encoding_format.as_deref(), Some("base64"));
    let peek = ok(r#"{"model":"m","messages":[{}],"stream":null,"stream_options":null,"functions":null,"n":null}"#);
    assert_eq!(peek, Peek { model: "m".into(), model_at: Some(9..12), ..Peek::default() });
}

#[test]
fn wrong_bodies_get_a_sentence() {
    for (body, message, param) in [
        ("", "the body is empty: expected a JSON object", None),
        (" \n", "the body is empty: expected a JSON object", None),
        ("[]", "the body is an array: expected a JSON object", None),
        ("\"x\"", "the body is a string: expected a JSON object", None),
        ("null", "the body is null: expected a JSON object", None),
        ("{\"model\":", "the body is not valid JSON: EOF while parsing a value at line 1 column 9", None),
        ("{\"a\":1}\nx", "the body is not valid JSON: trailing characters at line 2 column 1", None),
        ("{\"a\":tru}", "the body is not valid JSON: expected ident at line 1 column 9", None),
        ("hello", "the body is not valid JSON: expected value at line 1 column 1", None),
        (r#"{"messages":[{}]}"#, "`model` is missing: expected a model's name", Some("model")),
        (r#"{"model":null,"messages":[{}]}"#, "`model` is missing: expected a model's name", Some("model")),
        (r#"{"model":"","messages":[{}]}"#, "`model` is empty: expected a model's name", Some("model")),
        (r#"{"model":5,"messages":[{}]}"#, "model: expected a string, got 5", Some("model")),
        (r#"{"model":["m"],"messages":[{}]}"#, "model: expected a string, got an array", Some("model")),
        (r#"{"model":"a","model":"b","messages":[{}]}"#, "`model` is there twice", Some("model")),
        (r#"{"model":"m"}"#, "`messages` is missing", Some("messages")),
        (r#"{"model":"m","messages":null}"#, "`messages` is missing", Some("messages")),
        (r#"{"model":"m","messages":[ ]}"#, "`messages` is empty: expected at least one message", Some("messages")),
        (r#"{"model":"m","messages":"hi"}"#, "messages: expected an array of messages, got a string", Some("messages")),
        (
            r#"{"model":"m","messages":["hi"]}"#,
            "messages[0]: expected an object with `role`, got a string",
            Some("messages[0]"),
        ),
        (
            r#"{"model":"m","messages":[{}],"stream":"yes"}"#,
            "stream: expected true or false, got a string",
            Some("stream"),
        ),
        (r#"{"model":"m","messages":[{}],"stream":1}"#, "stream: expected true or false, got 1", Some("stream")),
        (r#"{"model":"m","messages":[{}],"n":0}"#, "n: expected a whole number from 1, got 0", Some("n")),
        (r#"{"model":"m","messages":[{}],"n":1.5}"#, "n: expected a whole number from 1, got 1.5", Some("n")),
        (
            r#"{"model":"m","messages":[{}],"stream_options":true}"#,
            "stream_options: expected an object, got true",
            Some("stream_options"),
        ),
        (
            r#"{"model":"m","messages":[{}],"stream_options":{"include_usage":"x"}}"#,
            "stream_options.include_usage: expected true or false, got a string",
            Some("stream_options.include_usage"),
        ),
        (
            r#"{"model":"m","messages":[{}],"stream_options":{"include_usage":true,"include_usage":false}}"#,
            "`include_usage` is there twice",
            Some("stream_options.include_usage"),
        ),
    ] {
        assert_eq!(refused(body), (message.to_owned(), param.map(str::to_owned)), "{body}");
    }
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    let error = peek(b"{\"model\":\"m\xff\"}").expect_err("refused");
    assert_eq!(error.message(), "the body is not UTF-8 text (byte 11)");
}

#[test]
fn deep_nesting_is_no_danger() {
    let body = format!(r#"{{"model":"m","messages":[{{"x":{}{}}}]}}"#, "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(ok(&body).model, "m");
}

#[test]
fn a_deployment_needs_no_model() {
    assert_eq!(deployment(br#"{"messages":[{}]}"#).expect("readable"), Peek::default());
    assert_eq!(deployment(br#"{"messages":[{}],"model":"m"}"#).expect("readable").model, "m");
    assert_eq!(embedding_deployment(br#"{"input":"x"}"#).expect("readable"), Peek::default());
    let error = embedding(br#"{"model":"m"}"#).expect_err("refused");
    assert_eq!((error.message(), error.param()), ("`input` is missing", Some("input")));
}

#[test]
fn a_form_is_looked_at_as_an_object_is() {
    let form = |parts: &[(&str, &str)]| {
        let mut writer = crate::multipart::Writer::new();
        parts.iter().for_each(|(name, text)| writer.text(name, *text));
        writer.finish()
    };
    let body = form(&[("file", "x"), ("model", "whisper-1"), ("stream", "True")]);
    let seen = media(Operation::Transcribe, &body, false).unwrap();
    assert_eq!((seen.model.as_str(), seen.stream, seen.extended), ("whisper-1", true, false));
    assert_eq!(&body[seen.model_at.unwrap()], b"whisper-1");
    for (parts, param) in [
        (&[("model", "m")][..], "file"),
        (&[("file", "x")], "model"),
        (&[("file", "x"), ("model", "m"), ("model", "n")], "model"),
    ] {
        let error = media(Operation::Transcribe, &form(parts), false).unwrap_err();
        assert_eq!(error.param(), Some(param), "{parts:?}");
    }
    let object = br#"{"model":"m"}"#;
    assert_eq!(media(Operation::Transcribe, object, false).unwrap_err().param(), Some("file"));
    assert_eq!(media(Operation::Image, object, false).unwrap_err().param(), Some("prompt"));
    let seen = media(Operation::Moderate, br#"{"input":"x"}"#, true).unwrap();
    assert_eq!((seen.model.as_str(), seen.model_at), ("", None));
}
