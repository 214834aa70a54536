//! Calls to the clouds from end to end: the configuration, the credential, the address, the answer.
//!
//! Invariant: nothing but this machine is reached; what a service was sent is what its real like wants.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test whose service or answer is not there has failed")]

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use sabir_engine::{
    Answer, Call, CallOptions, Content, Engine,
    config::{Config, Source, env::Env},
};
use sabir_types::{ChatRequest, ErrorKind, Message, Operation, Protocol, Request, Response, new_id};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A service: what it was asked, and where it is.
struct Service {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// Answers with the status and the body that `say` makes of a request.
    async fn new(say: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut all = Vec::new();
                let mut piece = [0; 65536];
                while !is_whole(&all) {
                    match stream.read(&mut piece).await {
                        Ok(0) | Err(_) => break,
                        Ok(length) => all.extend_from_slice(&piece[..length]),
                    }
                }
                let request = String::from_utf8_lossy(&all).into_owned();
                let (status, body) = say(&request);
                seen.lock().unwrap().push(request);
                let length = body.len();
                let head = "content-type: application/json\r\nconnection: close";
                let answer = format!("HTTP/1.1 {status} X\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { base, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn engine(text: &str, env: &Env) -> Arc<Engine> {
    let source = Source::Text { name: "clouds.toml".into(), text: text.to_owned() };
    Engine::new(Config::load(&[source], env).unwrap(), env, None).unwrap()
}

/// The text of an answer, or why there is none.
async fn say(engine: &Arc<Engine>, options: CallOptions) -> Result<String, ErrorKind> {
    let request = ChatRequest { messages: vec![Message::user("hi")], ..ChatRequest::default() };
    let call = Call {
        id: new_id(),
        episode_id: new_id(),
        started: Instant::now(),
        door: Protocol::TensorZero,
        operation: Operation::Chat,
        asked: "m".to_owned(),
        model: "m".to_owned(),
        stream: false,
        source: sabir_engine::Source::Neutral {
            body: Vec::new().into(),
            request: Box::new(Request::Chat(Box::new(request))),
        },
        caller: None,
        options,
    };
    match engine.run(call).await {
        Ok(Answer::Whole { content: Content::Neutral(response), .. }) => match *response {
            Response::Chat(chat) => Ok(chat.choices[0].content[0].as_text().unwrap_or_default().to_owned()),
            _ => panic!("a chat"),
        },
        Ok(_) => panic!("a whole answer"),
        Err(failure) => Err(failure.error.kind()),
    }
}

/// Tokens by number; the first is refused by the model's service.
fn google(number: &Mutex<u32>, request: &str) -> (u16, String) {
    if request.starts_with("POST /token ") {
        let mut number = number.lock().unwrap();
        *number += 1;
        return (200, format!(r#"{{"access_token":"ya29.token-{number}","expires_in":3599}}"#));
    }
    if request.contains("ya29.token-1\r\n") {
        let reason = r#"{"error":{"code":401,"message":"expired","status":"UNAUTHENTICATED"}}"#;
        return (401, reason.to_owned());
    }
    let parts = r#"{"parts":[{"text":"ahoy"}],"role":"model"}"#;
    let usage = r#"{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2}"#;
    (200, format!(r#"{{"candidates":[{{"content":{parts},"finishReason":"STOP"}}],"usageMetadata":{usage}}}"#))
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced() {
    let number = Mutex::new(0);
    let service = Service::new(move |request| google(&number, request)).await;
    let base = &service.base;
    let file = tempfile::NamedTempFile::new().unwrap();
    let who = format!(
        r#"{{"type":"authorized_user","client_id":"i","client_secret":"s","refresh_token":"r","token_uri":"{base}/token"}}"#
    );
    std::fs::write(file.path(), &who).unwrap();
    let env = Env::of([("GCP_VERTEX_CREDENTIALS_PATH", file.path().to_str().unwrap())]);
    let text = |credential: &str| {
        format!(
            "[models.m]\nretries = {{ num_retries = 1, max_delay_s = 0 }}\n[models.m.providers.v]\n\
             type = 'gcp_vertex_gemini'\nmodel_id = 'gemini-2.5-flash'\nproject_id = 'p'\nlocation = 'global'\n\
             api_base = '{base}'\n{credential}\n"
        )
    };
    let usual = engine(&text(""), &env);
    assert_eq!(say(&usual, CallOptions::default()).await, Ok("ahoy".to_owned()));
    assert_eq!(say(&usual, CallOptions::default()).await, Ok("ahoy".to_owned()));
    let asked = service.asked();
    let lines: Vec<&str> = asked.iter().map(|request| request.lines().next().unwrap()).collect();
    let model =
        "POST /v1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash:generateContent HTTP/1.1";
    let token = "POST /token HTTP/1.1";
    assert_eq!(lines, [token, model, token, model, model]);
    assert!(asked[4].contains("authorization: Bearer ya29.token-2\r\n"), "{}", asked[4]);

    // A caller may bring its own file, or a token.
    let own = engine(&text("credential_location = 'dynamic::who'"), &env);
    let with = |secret: &str| {
        let mut options = CallOptions::default();
        options.credentials.insert("who".into(), sabir_types::Secret::new(secret));
        options
    };
    assert_eq!(say(&own, with(&who)).await, Ok("ahoy".to_owned()));
    assert_eq!(say(&own, with("ya29.own")).await, Ok("ahoy".to_owned()));
    assert!(service.asked().last().unwrap().contains("authorization: Bearer ya29.own\r\n"));
    assert_eq!(say(&own, with("{}")).await, Err(ErrorKind::Authentication));
}

#[tokio::test]
async fn keys_of_aws_sign_what_is_sent() {
    let answer = r#"{"output":{"message":{"role":"assistant","content":[{"text":"ahoy"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1}}"#;
    let service = Service::new(|_| (200, answer.to_owned())).await;
    let text = format!(
        "[models.m.providers.b]\ntype = 'aws_bedrock'\nmodel_id = 'amazon.nova-2-lite-v1:0'\nregion = 'us-east-1'\n\
         endpoint_url = '{}'\naccess_key_id = 'env::I'\nsecret_access_key = 'dynamic::s'\n\
         extra_body = [{{ pointer = '/guardrailConfig', value = {{ guardrailIdentifier = 'g' }} }}]\n",
        service.base
    );
    let engine = engine(&text, &Env::of([("I", "AKID")]));
    assert_eq!(say(&engine, CallOptions::default()).await, Err(ErrorKind::Authentication));
    let mut options = CallOptions::default();
    options.credentials.insert("s".into(), sabir_types::Secret::new("a-long-secret-access-key"));
    assert_eq!(say(&engine, options).await, Ok("ahoy".to_owned()));
    let asked = service.asked().remove(0);
    assert!(asked.starts_with("POST /model/amazon.nova-2-lite-v1%3A0/converse HTTP/1.1"), "{asked}");
    assert!(asked.contains("authorization: AWS4-HMAC-SHA256 Credential=AKID/"), "{asked}");
    assert!(asked.contains("guardrailConfig") && !asked.contains("a-long-secret"), "{asked}");
}
