//! Who is asked: services that speak OpenAI's protocol, Azure, proxies, and other ways to send.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use sabir::{Environment, Error, Incoming, Options, Outgoing, Sabir, blocking};
use serde_json::{Value, json};

use crate::script::{Reply, Script};

fn ok() -> Reply {
    Reply::json(200, "x-request-id: r\r\n", r#"{"id": "x", "choices": []}"#)
}

fn first_line(script: &Script) -> String {
    script.seen().last().unwrap().lines().next().unwrap().to_owned()
}

#[test]
fn a_compatible_service_has_its_paths_where_its_address_says() {
    let script = Script::serve(|_, _| ok());
    let url = format!("http://{}/api/v3/?tenant=a", script.address);
    let client = blocking::Sabir::http(Sabir::openai_compatible(url, "made-up").query("region", "eu")).unwrap();
    client.chat().create(json!({"model": "m", "messages": []})).send().unwrap();
    assert_eq!(first_line(&script), "POST /api/v3/chat/completions?tenant=a&region=eu HTTP/1.1");
    assert!(script.seen()[0].contains("authorization: Bearer made-up"));
    client.get::<Value>("/things").query("b", 1).send().unwrap();
    assert_eq!(first_line(&script), "GET /api/v3/things?tenant=a&region=eu&b=1 HTTP/1.1");
    let error = client.inference(json!({"model_name": "m"})).send().unwrap_err();
    assert!(error.to_string().contains("`/inference` is a gateway's"), "{error}");
}

#[test]
fn the_environment_says_who_openai_is() {
    let script = Script::serve(|_, _| ok());
    let base = format!("http://{}/v1", script.address);
    let variables = [
        ("OPENAI_API_KEY", "made-up"),
        ("OPENAI_ADMIN_KEY", "keeper"),
        ("OPENAI_BASE_URL", base.as_str()),
        ("OPENAI_ORG_ID", "org"),
        ("OPENAI_PROJECT_ID", "proj"),
        ("OPENAI_CUSTOM_HEADERS", "x-team: a\nx-more: b"),
    ];
    let client = blocking::Sabir::http(Sabir::openai_from(&Environment::of(variables))).unwrap();
    client.files().retrieve("f").send().unwrap();
    for line in
        ["authorization: Bearer made-up", "openai-organization: org", "openai-project: proj", "x-team: a", "x-more: b"]
    {
        assert!(script.seen()[0].contains(line), "{line}");
    }
    client.admin().organization().users().retrieve("u").send().unwrap();
    assert_eq!(first_line(&script), "GET /v1/organization/users/u HTTP/1.1");
    assert!(script.seen()[1].contains("authorization: Bearer keeper"));
    let error = Sabir::openai_from(&Environment::of([("", ""); 0])).build().unwrap_err();
    assert_eq!(error.to_string(), "no key: `OPENAI_API_KEY` is not set");
}

#[test]
fn the_environment_says_where_the_gateway_is() {
    let script = Script::serve(|_, _| ok());
    let url = format!("http://{}", script.address);
    let variables = [("SABIR_URL", url.as_str()), ("SABIR_API_KEY", "made-up")];
    let client = blocking::Sabir::http(Sabir::from_environment(&Environment::of(variables))).unwrap();
    client.files().retrieve("f").send().unwrap();
    assert_eq!(first_line(&script), "GET /v1/files/f HTTP/1.1");
    assert!(script.seen()[0].contains("authorization: Bearer made-up"));
}

#[test]
fn azure_has_rules_of_its_own() {
    let script = Script::serve(|_, _| ok());
    let endpoint = format!("http://{}/", script.address);
    let builder = Sabir::azure(&endpoint).api_version("2024-10-21").key("made-up");
    let client = blocking::Sabir::azure(builder.clone()).unwrap();
    client.chat().create(json!({"model": "my gpt", "messages": []})).send().unwrap();
    let path = "POST /openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21 HTTP/1.1";
    assert_eq!(first_line(&script), path);
    assert!(script.seen()[0].contains("api-key: made-up") && !script.seen()[0].contains("authorization"));
    let form = sabir::Form::new().text("model", "whisper").file("file", "sound");
    client.audio().transcriptions().create(form).send().unwrap();
    assert!(first_line(&script).starts_with("POST /openai/deployments/whisper/audio/transcriptions?"));
    let token = || async { Ok("entra".to_owned()) };
    let client = blocking::Sabir::azure(builder.deployment("mine").token_provider(token)).unwrap();
    client.files().retrieve("f").send().unwrap();
    assert_eq!(first_line(&script), "GET /openai/files/f?api-version=2024-10-21 HTTP/1.1");
    client.embeddings().create(json!({"model": "other", "input": "a"})).send().unwrap();
    assert!(first_line(&script).starts_with("POST /openai/deployments/mine/embeddings?"));
    let last = script.seen().pop().unwrap();
    assert!(last.contains("authorization: Bearer entra") && !last.contains("api-key"), "{last}");
    for (builder, why) in [
        (Sabir::azure(&endpoint).key("k"), "no version of Azure's API was said"),
        (Sabir::azure(&endpoint).api_version("v"), "no key and no token for Azure"),
        (Sabir::azure_from(&Environment::of([("", ""); 0])), "no endpoint: `AZURE_OPENAI_ENDPOINT` is not set"),
    ] {
        assert_eq!(builder.build().unwrap_err().to_string(), why);
    }
}

#[test]
fn a_proxy_forwards_what_is_plain() {
    let proxy = Script::serve(|_, _| ok());
    let url = format!("http://name:made-up@{}", proxy.address);
    let client = blocking::Sabir::http(Sabir::http("http://gateway.test:3000").proxy(&url)).unwrap();
    assert_eq!(client.files().retrieve("f").send().unwrap().request_id(), Some("r"));
    assert_eq!(first_line(&proxy), "GET http://gateway.test:3000/v1/files/f HTTP/1.1");
    assert!(proxy.seen()[0].contains("proxy-authorization: Basic bmFtZTptYWRlLXVw"), "{}", proxy.seen()[0]);
}

#[test]
fn a_proxy_is_a_tunnel_for_what_is_not() {
    let proxy = Script::serve(|_, _| Reply::Bytes("HTTP/1.1 403 Forbidden\r\n\r\n".to_owned()));
    let url = format!("http://name:made-up@{}", proxy.address);
    let client = blocking::Sabir::http(Sabir::http("https://gateway.test").proxy(&url).retries(0)).unwrap();
    let error = client.files().retrieve("f").send().unwrap_err();
    assert!(matches!(error, Error::Connection { .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("made-up"));
    assert_eq!(first_line(&proxy), "CONNECT gateway.test:443 HTTP/1.1");
    assert!(proxy.seen()[0].to_lowercase().contains("proxy-authorization: basic "), "{}", proxy.seen()[0]);
}

#[test]
fn the_environment_names_proxies_and_exceptions() {
    let (proxy, gateway) = (Script::serve(|_, _| ok()), Script::serve(|_, _| ok()));
    let address = format!("http://{}", proxy.address);
    let variables = Environment::of([("http_proxy", address.as_str()), ("NO_PROXY", "straight.test")]);
    let ask = |url: &str| {
        let builder = Sabir::http(url).proxies_from(&variables).retries(0);
        blocking::Sabir::http(builder).unwrap().files().retrieve("f").send()
    };
    ask("http://gateway.test").unwrap();
    assert_eq!(proxy.seen().len(), 1);
    // Nobody has that name: it is looked for, and not asked of the proxy.
    assert!(ask("http://straight.test").is_err());
    ask(&format!("http://{}", gateway.address)).unwrap();
    assert_eq!((proxy.seen().len(), gateway.seen().len()), (1, 1));
    let explicit = Sabir::http(format!("http://{}", gateway.address)).proxy(&address);
    blocking::Sabir::http(explicit).unwrap().files().retrieve("f").send().unwrap();
    assert_eq!((proxy.seen().len(), gateway.seen().len()), (2, 1));
    let error = Sabir::http("http://a").proxy("socks5://b").build().unwrap_err();
    assert_eq!(error.to_string(), "proxies of scheme `socks5` are not supported: use http");
}

#[tokio::test]
async fn somebody_elses_client_sends() {
    let send = |request: Request<Outgoing>| async move {
        let address = request.uri().to_string();
        let body = request.into_body().collect().await.map_err(|e| Error::Request(e.to_string()))?.to_bytes();
        let body = json!({"address": address, "body": String::from_utf8_lossy(&body)}).to_string();
        let body: Incoming = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
        Ok(Response::new(body))
    };
    let client = Sabir::openai_compatible("http://service.test/v1", "made-up").transport(send).build().unwrap();
    let answer = client.post::<Value>("/things", json!({"a": 1})).await.unwrap();
    assert_eq!(answer["address"], "http://service.test/v1/things");
    assert_eq!(answer["body"], r#"{"a":1}"#);
}

#[test]
fn a_client_with_other_options_is_the_same_client() {
    let script = Script::serve(|_, _| ok());
    let client = blocking::Sabir::http(script.client().key("one").header("x-team", "a")).unwrap();
    let options = Options::new()
        .key("two")
        .without_header("x-team")
        .header("x-more", "b")
        .query("filter", json!({"kind": ["a", "b"]}))
        .member("user", "me");
    let other = client.with_options(options).unwrap();
    other.chat().create(json!({"model": "m", "messages": []})).send().unwrap();
    let seen = script.seen().pop().unwrap();
    assert!(seen.starts_with("POST /v1/chat/completions?filter[kind][]=a&filter[kind][]=b HTTP/1.1"), "{seen}");
    assert!(seen.contains("Bearer two") && seen.contains("x-more: b") && !seen.contains("x-team"), "{seen}");
    assert!(seen.ends_with(r#"{"model":"m","messages":[],"user":"me"}"#), "{seen}");
    client.chat().create(json!({"model": "m", "messages": []})).send().unwrap();
    let seen = script.seen().pop().unwrap();
    assert!(seen.contains("Bearer one") && seen.contains("x-team: a") && !seen.contains("x-more"));
    assert!(!format!("{other:?} {:?}", Options::new().key("two")).contains("two"));
}
