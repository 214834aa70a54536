//! Identities against services on this machine that count what they are asked.

use std::sync::atomic::{AtomicUsize, Ordering};

use sabir_providers::sign::sigv4::Keys;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::config::env::Env;

/// A service that answers requests by what `say` makes of them: status and body.
pub(super) struct Service {
    pub(super) base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    pub(super) async fn new(say: impl Fn(&str, usize) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (say, seen, number) = (Arc::new(say), asked.clone(), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (say, seen, number) = (say.clone(), seen.clone(), number.clone());
                tokio::spawn(async move {
                    let request = read(&mut stream).await;
                    // Whoever asks at the same time has time to.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    let (status, body) = say(&request, number.fetch_add(1, Ordering::SeqCst));
                    seen.lock().push(request);
                    let length = body.len();
                    let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                });
            }
        });
        Self { base, asked }
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }
}

async fn read(stream: &mut tokio::net::TcpStream) -> String {
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&all).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break;
            }
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(length) => all.extend_from_slice(&piece[..length]),
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

pub(super) fn transport() -> Transport {
    Transport::new(&Env::default()).unwrap()
}

fn user(base: &str) -> Identity {
    let text = serde_json::json!({
        "type": "authorized_user", "client_id": "id", "client_secret": "a-long-client-secret",
        "refresh_token": "a-long-refresh-token", "token_uri": format!("{base}/token"),
    });
    google(&text.to_string()).unwrap().0
}

fn token(number: usize, lifetime: u64) -> (u16, String) {
    (200, format!(r#"{{"access_token":"token-{number}","expires_in":{lifetime},"token_type":"Bearer"}}"#))
}

#[tokio::test]
async fn many_that_ask_at_once_cost_one_fetch() {
    let service = Service::new(|_, number| token(number, 3600)).await;
    let (tokens, transport, identity) = (Tokens::default(), transport(), user(&service.base));
    let all = (0..20).map(|_| tokens.get(&identity, &transport));
    for secret in futures_util::future::join_all(all).await {
        assert_eq!(secret.unwrap().expose(), "token-0");
    }
    // Another identity of the same kind that says the same is the same.
    assert_eq!(tokens.get(&user(&service.base), &transport).await.unwrap().expose(), "token-0");
    let asked = service.asked();
    assert_eq!(asked.len(), 1);
    let form =
        "grant_type=refresh_token&client_id=id&client_secret=a-long-client-secret&refresh_token=a-long-refresh-token";
    assert!(asked[0].starts_with("POST /token HTTP/1.1\r\n") && asked[0].ends_with(form), "{}", asked[0]);
    assert!(asked[0].contains("content-type: application/x-www-form-urlencoded"), "{}", asked[0]);
}

#[tokio::test]
async fn a_failure_is_everybody_s_who_waits_and_nobody_s_after() {
    let say = |_: &str, number| match number {
        0 => {
            let words = "Token of a-long-refresh-token has been revoked.\\nTrace: 1";
            (400, format!(r#"{{"error":"invalid_grant","error_description":"{words}"}}"#))
        }
        number => token(number, 3600),
    };
    let service = Service::new(say).await;
    let (tokens, transport, identity) = (Tokens::default(), transport(), user(&service.base));
    let all = (0..5).map(|_| tokens.get(&identity, &transport));
    for answer in futures_util::future::join_all(all).await {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert_eq!(
            error.message(),
            "no credential from the login of `gcloud`: HTTP status 400: invalid_grant: Token of *** has been revoked."
        );
    }
    assert_eq!(service.asked().len(), 1);
    assert_eq!(tokens.get(&identity, &transport).await.unwrap().expose(), "token-1");
}

#[tokio::test]
async fn what_is_good_for_a_short_time_is_replaced_before_its_end() {
    // The second is refused by the service: the first is good for a while yet.
    let service = Service::new(|_, number| if number == 1 { (500, String::new()) } else { token(number, 100) }).await;
    let (tokens, transport, identity) = (Tokens::default(), transport(), user(&service.base));
    let slot = tokens.slot(&identity);
    assert_eq!(tokens.get(&identity, &transport).await.unwrap().expose(), "token-0");
    let (replace, end) = slot.held.lock().as_ref().map(|held| (held.replace, held.end)).unwrap();
    assert_eq!(end - replace, 40);
    for (expected, asked) in [("token-0", 2), ("token-2", 3)] {
        slot.held.lock().as_mut().unwrap().replace = 0;
        assert_eq!(tokens.get(&identity, &transport).await.unwrap().expose(), expected);
        assert_eq!(service.asked().len(), asked);
    }
    slot.held.lock().as_mut().unwrap().end = 0;
    slot.held.lock().as_mut().unwrap().replace = 0;
    assert_eq!(tokens.get(&identity, &transport).await.unwrap().expose(), "token-3");
}

#[tokio::test]
async fn who_leaves_takes_nothing_from_the_others() {
    let service = Service::new(|_, number| token(number, 3600)).await;
    let (tokens, transport, identity) = (Tokens::default(), transport(), user(&service.base));
    let leaving = tokio::time::timeout(Duration::from_millis(10), tokens.get(&identity, &transport));
    let (left, stayed) = tokio::join!(leaving, async {
        tokio::time::sleep(Duration::from_millis(2)).await;
        tokens.get(&identity, &transport).await
    });
    assert!(left.is_err());
    assert!(stayed.unwrap().expose().starts_with("token-"));
}

#[tokio::test]
async fn what_a_provider_refused_is_forgotten_once() {
    let service = Service::new(|_, number| token(number, 3600)).await;
    let (tokens, transport, identity) = (Tokens::default(), transport(), user(&service.base));
    let first = tokens.get(&identity, &transport).await.unwrap();
    assert!(tokens.refused(&identity, &first) && !tokens.refused(&identity, &first));
    let second = tokens.get(&identity, &transport).await.unwrap();
    assert_eq!(second.expose(), "token-1");
    // Somebody else's late word about the first says nothing about the second.
    assert!(!tokens.refused(&identity, &first));
}

#[tokio::test]
async fn a_machine_of_google_s_is_asked_as_it_wants() {
    let service = Service::new(|_, number| token(number, 3600)).await;
    let identity = google_machine(service.base.strip_prefix("http://"));
    let secret = Tokens::default().get(&identity, &transport()).await.unwrap();
    assert_eq!(secret.expose(), "token-0");
    let asked = service.asked().remove(0);
    assert!(asked.starts_with("GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.1"), "{asked}");
    assert!(asked.contains("metadata-flavor: Google"), "{asked}");
}

#[tokio::test]
async fn an_application_of_entra_id_posts_its_secret() {
    let service = Service::new(|_, number| token(number, 3599)).await;
    let identity = entra_client(Some(&service.base), "tenant", "client", "s3cret/+");
    let secret = Tokens::default().get(&identity, &transport()).await.unwrap();
    assert_eq!(secret.expose(), "token-0");
    let asked = service.asked().remove(0);
    assert!(asked.starts_with("POST /tenant/oauth2/v2.0/token HTTP/1.1"), "{asked}");
    let form = "grant_type=client_credentials&client_id=client&client_secret=s3cret%2F%2B\
                &scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default";
    assert!(asked.ends_with(form), "{asked}");
}

#[tokio::test]
async fn a_cluster_s_token_stands_for_an_application() {
    let service = Service::new(|_, number| token(number, 3599)).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let identity = entra_workload(Some(&service.base), "tenant", "client", file.to_str().unwrap());
    let gone = Tokens::default().get(&identity, &transport()).await.unwrap_err();
    assert!(gone.message().starts_with("no credential from Entra ID: the file `"), "{gone}");
    std::fs::write(&file, "a-token-of-the-cluster\n").unwrap();
    assert_eq!(Tokens::default().get(&identity, &transport()).await.unwrap().expose(), "token-0");
    let asked = service.asked().remove(0);
    assert!(asked.contains("&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&"));
    assert!(asked.ends_with("&client_assertion=a-token-of-the-cluster"), "{asked}");
}

#[tokio::test]
async fn a_managed_identity_is_asked_where_the_service_says() {
    let service = Service::new(|_, _| (200, r#"{"access_token":"t","expires_on":"99999999999"}"#.to_owned())).await;
    let endpoint = format!("{}/msi", service.base);
    let identity = entra_machine(Some((&endpoint, "word")), Some("c")).unwrap();
    assert_eq!(Tokens::default().get(&identity, &transport()).await.unwrap().expose(), "t");
    let asked = service.asked().remove(0);
    let line = "GET /msi?api-version=2019-08-01&resource=https%3A%2F%2Fcognitiveservices.azure.com&client_id=c ";
    assert!(asked.starts_with(line) && asked.contains("x-identity-header: word"), "{asked}");
}

const AWS_KEYS: &str =
    r#"{"AccessKeyId":"AKID","SecretAccessKey":"s","Token":"t","Expiration":"2090-01-01T00:00:00Z"}"#;

fn aws_keys(secret: &Secret) -> (String, String, Option<String>) {
    let keys = Keys::from_secret(secret).unwrap();
    (keys.access_key_id, keys.secret_access_key, keys.session_token)
}

#[tokio::test]
async fn a_machine_of_aws_is_asked_with_a_session() {
    let say = |request: &str, _| match request.split(' ').nth(1).unwrap() {
        "/latest/api/token" => (200, "session".to_owned()),
        "/latest/meta-data/iam/security-credentials/" => (200, "role\n".to_owned()),
        _ => (200, AWS_KEYS.to_owned()),
    };
    let service = Service::new(say).await;
    let identity = Identity::machine(Machine { base: service.base.clone() });
    let secret = Tokens::default().get(&identity, &transport()).await.unwrap();
    assert_eq!(aws_keys(&secret), ("AKID".into(), "s".into(), Some("t".into())));
    let asked = service.asked();
    assert!(asked[0].starts_with("PUT ") && asked[0].contains("x-aws-ec2-metadata-token-ttl-seconds: 300"));
    assert!(asked[2].starts_with("GET /latest/meta-data/iam/security-credentials/role "));
    assert!(asked[1..].iter().all(|request| request.contains("x-aws-ec2-metadata-token: session")));
}

#[tokio::test]
async fn a_container_s_word_is_read_when_it_is_needed() {
    let service = Service::new(|_, _| (200, AWS_KEYS.to_owned())).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("word");
    std::fs::write(&file, "the word\n").unwrap();
    let container = Container { url: format!("{}/keys", service.base), auth: None, auth_file: Some(file) };
    let secret = Tokens::default().get(&Identity::container(container), &transport()).await.unwrap();
    assert_eq!(aws_keys(&secret).0, "AKID");
    assert!(service.asked()[0].contains("authorization: the word"));
}

#[test]
fn what_is_no_identity_is_refused_without_repeating_it() {
    let refused = |text: &str| google(text).map(|_| ()).unwrap_err();
    for (text, expected) in [
        ("{hunter2", "it is not a JSON object"),
        ("{}", "it has no `type`"),
        (r#"{"type":"hunter2"}"#, "its `type` is not known"),
        (r#"{"type":"service_account","client_email":"e"}"#, "it has no `private_key`"),
        (
            r#"{"type":"service_account","client_email":"e","private_key":"hunter2"}"#,
            "its `private_key` is not a key in PEM",
        ),
    ] {
        assert_eq!(refused(text), expected);
    }
    let kind = r#"{"type":"external_account_authorized_user"}"#;
    assert!(refused(kind).starts_with("its type `external_account_authorized_user` is not supported"));
    assert_eq!(refused(r#"{"type":"external_account"}"#), "it has no `credential_source`");
}

#[test]
fn nothing_shows_what_an_identity_knows() {
    let identity = user("https://h");
    assert_eq!(format!("{identity:?}"), "Identity { what: \"the login of `gcloud`\", .. }");
}

/// The vector of the optional corpus.
#[test]
fn a_service_account_signs_as_recorded() {
    #[expect(clippy::disallowed_methods, reason = "the corpus is not part of the repository")]
    let Some(root) = std::env::var_os("SABIR_WIRE_CORPUS") else { return };
    let file = std::path::Path::new(&root).join("vertex/auth_vector_service_account_jwt.json");
    let all: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let text = |name: &str| all[name].as_str().unwrap();
    let mut account = all["service_account_json"].clone();
    account["private_key"] = all["private_key_pem"].clone();
    let (identity, project) = google(&account.to_string()).unwrap();
    assert_eq!(project.as_deref(), Some("example-project"));
    assert_eq!(identity.what, "the service account `tester@example-project.iam.gserviceaccount.com`");
    let Kind::OAuth(grant) = &identity.kind else { panic!("a grant") };
    let request = grant.request(1_700_000_000).unwrap();
    assert_eq!(request.uri(), "https://oauth2.googleapis.com/token");
    assert_eq!(std::str::from_utf8(request.body()).unwrap(), text("token_request_body"));
    let signer = jwt::Signer::from_pem(text("private_key_pem")).unwrap();
    assert_eq!(signer.sign(text("header_json"), text("claims_json")).unwrap(), text("assertion"));
}
