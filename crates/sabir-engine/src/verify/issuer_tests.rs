//! When an issuer is asked, and when not.

use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::config::env::Env;

/// An issuer that counts how often it is asked, and says the names of the keys that it has then.
struct Published {
    url: String,
    asked: Arc<Mutex<usize>>,
}

impl Published {
    /// `say` makes a status and names of keys of the number of the question.
    async fn new(say: impl Fn(usize) -> (u16, Vec<&'static str>) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(0));
        let counter = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut seen = vec![0; 4096];
                let _ = stream.read(&mut seen).await;
                let (status, names) = say(*counter.lock());
                *counter.lock() += 1;
                let keys: Vec<Value> = names.into_iter().map(key).collect();
                let body = json!({"keys": keys}).to_string();
                let length = body.len();
                let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> usize {
        *self.asked.lock()
    }
}

fn key(id: &str) -> Value {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": URL_SAFE_NO_PAD.encode(pair.public_key().as_ref())})
}

fn transport() -> Transport {
    Transport::new(&Env::default()).unwrap()
}

fn ids(keys: &[PublicKey]) -> Vec<&str> {
    keys.iter().filter_map(PublicKey::id).collect()
}

/// As if the last question had been asked that long ago.
fn age(issuer: &Issuer, time: Duration) {
    let mut held = issuer.held.lock();
    held.asked = held.asked.and_then(|asked| asked.checked_sub(time));
    held.fetched = held.fetched.and_then(|fetched| fetched.checked_sub(time));
}

#[tokio::test]
async fn keys_are_fetched_once_and_kept() {
    let published = Published::new(|_| (200, vec!["a"])).await;
    let (issuer, transport) = (Issuer::default(), transport());
    let all = (0..20).map(|_| issuer.keys(&published.url, Some("a"), &transport));
    for keys in futures_util::future::join_all(all).await {
        assert_eq!(ids(&keys.unwrap()), ["a"]);
    }
    assert_eq!(ids(&issuer.keys(&published.url, None, &transport).await.unwrap()), ["a"]);
    assert_eq!(published.asked(), 1);
}

#[tokio::test]
async fn an_unknown_name_asks_again_but_not_at_once() {
    let published = Published::new(|number| (200, if number == 0 { vec!["a"] } else { vec!["a", "b"] })).await;
    let (issuer, transport) = (Issuer::default(), transport());
    issuer.keys(&published.url, Some("a"), &transport).await.unwrap();
    for _ in 0..5 {
        let keys = issuer.keys(&published.url, Some("b"), &transport).await.unwrap();
        assert_eq!(ids(&keys), ["a"]);
    }
    assert_eq!(published.asked(), 1);
    age(&issuer, PAUSE);
    assert_eq!(ids(&issuer.keys(&published.url, Some("b"), &transport).await.unwrap()), ["a", "b"]);
    assert_eq!(published.asked(), 2);
}

#[tokio::test]
async fn old_keys_are_looked_at_again_and_count_on_while_nobody_answers() {
    let published = Published::new(|number| match number {
        0 => (200, vec!["a"]),
        1 => (500, vec![]),
        _ => (200, vec!["b"]),
    })
    .await;
    let (issuer, transport) = (Issuer::default(), transport());
    for (asked, wanted) in [(1, "a"), (2, "a"), (3, "b")] {
        assert_eq!(ids(&issuer.keys(&published.url, None, &transport).await.unwrap()), [wanted]);
        assert_eq!(published.asked(), asked);
        age(&issuer, FRESH);
    }
}

#[tokio::test]
async fn an_issuer_that_never_answered_is_an_error() {
    let published = Published::new(|_| (503, vec![])).await;
    let (issuer, transport) = (Issuer::default(), transport());
    for _ in 0..3 {
        let error = issuer.keys(&published.url, Some("a"), &transport).await.unwrap_err();
        assert!(error.message().contains("503"), "{error}");
    }
    assert_eq!(published.asked(), 1);
}

#[tokio::test]
async fn another_address_means_other_keys() {
    let (first, second) = (Published::new(|_| (200, vec!["a"])).await, Published::new(|_| (200, vec!["b"])).await);
    let (issuer, transport) = (Issuer::default(), transport());
    for (published, wanted) in [(&first, "a"), (&second, "b")] {
        assert_eq!(ids(&issuer.keys(&published.url, None, &transport).await.unwrap()), [wanted]);
    }
}
