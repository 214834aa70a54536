//! Errors: the same variant, status and words, whichever way.

use std::time::Duration;

use sabir::{Error, StatusError};
use serde_json::json;

use crate::support::{ask, everywhere};

fn words(error: &StatusError) -> (u16, Option<String>, Option<String>) {
    assert!(error.json().is_some());
    (error.status().as_u16(), error.message().map(str::to_owned), error.param().map(str::to_owned))
}

#[test]
fn a_wrong_request() {
    let (status, message, param) = everywhere(|client| {
        let error = client.chat(json!({"model": "echo", "messages": 7})).unwrap_err();
        let Error::BadRequest(answer) = &error else { panic!("{error:?}") };
        assert_eq!(error.to_string(), format!("status 400: {}", answer.message().unwrap()));
        assert!(error.request_id().is_some());
        words(answer)
    });
    assert_eq!((status, param.as_deref()), (400, Some("messages")));
    assert!(message.unwrap().contains("messages"));
}

#[test]
fn an_unknown_model() {
    let (status, ..) = everywhere(|client| {
        let Err(Error::NotFound(answer)) = client.chat_stream(ask("nobody")) else { panic!("it was found") };
        let Err(Error::NotFound(_)) = client.model("nobody") else { panic!("it was found") };
        words(&answer)
    });
    assert_eq!(status, 404);
}

#[test]
fn a_provider_that_fails() {
    everywhere(|client| {
        let error = client.chat(ask("dummy::error")).unwrap_err();
        let Error::Server(answer) = &error else { panic!("{error:?}") };
        assert!(answer.headers().contains_key("x-sabir-inference-id"));
        words(answer)
    });
    let (status, message, _) = everywhere(|client| {
        let inference =
            json!({"model_name": "dummy::error", "input": {"messages": [{"role": "user", "content": "a"}]}});
        let Err(Error::Server(answer)) = client.inference(inference) else { panic!("it answered") };
        words(&answer)
    });
    assert!(status >= 500 && message.is_some());
}

#[test]
fn a_request_that_cannot_be_sent() {
    let messages = everywhere(|client| {
        let mut errors = vec![client.chat(json!([1])).unwrap_err().to_string()];
        let mut request = ask("echo");
        request["stream"] = true.into();
        errors.push(client.chat(request.clone()).unwrap_err().to_string());
        request["stream"] = false.into();
        errors.push(client.chat_stream(request).unwrap_err().to_string());
        errors.push(client.model("").unwrap_err().to_string());
        errors
    });
    assert_eq!(messages[0], "the request is not a JSON object");
    assert_eq!(messages[1], "`stream` is set: use the method that gives a stream");
    assert_eq!(messages[3], "the model has no name");
}

#[test]
fn a_timeout() {
    everywhere(|client| {
        let error = client.patient(Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, Error::Timeout(_)), "{error:?}");
        error.to_string()
    });
}

#[test]
fn a_closed_client() {
    everywhere(|client| {
        client.chat(ask("echo")).unwrap();
        client.close().unwrap();
        client.close().unwrap();
        let error = client.chat(ask("echo")).unwrap_err();
        assert!(matches!(error, Error::Closed), "{error:?}");
        error.to_string()
    });
}
