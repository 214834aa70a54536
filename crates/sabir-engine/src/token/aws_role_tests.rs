//! Roles, logins and programs against services on this machine.

use super::{
    super::{
        Tokens,
        tests::{Service, transport},
    },
    *,
};

const GIVEN: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
    <AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s/+=</SecretAccessKey><SessionToken>t==</SessionToken>\
    <Expiration>2090-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";

fn role(asks: Asks, base: &str) -> Identity {
    let role = Role {
        asks,
        arn: "arn:aws:iam::1:role/r".to_owned(),
        session: "sabir".to_owned(),
        external_id: Some("e&x".to_owned()),
        seconds: Some(900),
        region: "eu-west-1".to_owned(),
        base: format!("{base}/"),
    };
    role.identity()
}

fn keys() -> Secret {
    Keys { access_key_id: "AKID".into(), secret_access_key: "a-long-secret".into(), session_token: None }.to_secret()
}

async fn get(identity: &Identity) -> Result<(String, String, Option<String>)> {
    let secret = Tokens::default().get(identity, &transport()).await?;
    let keys = Keys::from_secret(&secret).unwrap();
    Ok((keys.access_key_id, keys.secret_access_key, keys.session_token))
}

fn given() -> (String, String, Option<String>) {
    ("ASIA".into(), "s/+=".into(), Some("t==".into()))
}

#[tokio::test]
async fn keys_ask_for_a_role_with_their_signature() {
    let service = Service::new(|_, _| (200, GIVEN.to_owned())).await;
    assert_eq!(get(&role(Asks::Keys(keys()), &service.base)).await.unwrap(), given());
    let asked = service.asked().remove(0);
    assert!(asked.starts_with("POST / HTTP/1.1"), "{asked}");
    assert!(asked.contains("authorization: AWS4-HMAC-SHA256 Credential=AKID/"), "{asked}");
    assert!(asked.contains("/eu-west-1/sts/aws4_request"), "{asked}");
    let form = "Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=sabir&ExternalId=e%26x\
                &DurationSeconds=900&Action=AssumeRole";
    assert!(asked.ends_with(form) && !asked.contains("a-long-secret"), "{asked}");
}

#[tokio::test]
async fn a_role_asks_for_a_role() {
    let service = Service::new(|_, _| (200, GIVEN.to_owned())).await;
    let inner = role(Asks::Keys(keys()), &service.base);
    assert_eq!(get(&role(Asks::Identity(Box::new(inner)), &service.base)).await.unwrap(), given());
    let asked = service.asked();
    assert!(asked[1].contains("Credential=ASIA/") && asked[1].contains("x-amz-security-token: t=="), "{}", asked[1]);
}

#[tokio::test]
async fn a_token_of_the_cluster_asks_unsigned_and_is_read_each_time() {
    let service = Service::new(|_, _| (200, GIVEN.to_owned())).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let identity = role(Asks::Token(file.clone()), &service.base);
    let gone = get(&identity).await.unwrap_err();
    assert!(gone.message().contains("the role `arn:aws:iam::1:role/r`: the file `"), "{gone}");
    for token in ["one", "two"] {
        std::fs::write(&file, format!("{token}\n")).unwrap();
        assert_eq!(get(&identity).await.unwrap(), given());
        let asked = service.asked().pop().unwrap();
        assert!(asked.ends_with(&format!("&Action=AssumeRoleWithWebIdentity&WebIdentityToken={token}")), "{asked}");
        assert!(!asked.contains("authorization:"), "{asked}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_sts_says() {
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                <Message>no such trust</Message></Error></ErrorResponse>";
    let service = Service::new(|_, _| (403, body.to_owned())).await;
    let error = get(&role(Asks::Keys(keys()), &service.base)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.message().ends_with("HTTP status 403: AccessDenied: no such trust"), "{error}");
}

#[tokio::test]
async fn a_login_gives_keys_until_it_ends() {
    let body = r#"{"roleCredentials":{"accessKeyId":"ASIA","secretAccessKey":"s/+=","sessionToken":"t==","expiration":3786912000000}}"#;
    let service = Service::new(|_, _| (200, body.to_owned())).await;
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("login.json");
    let login = || SignOn { cache: cache.clone(), account: "1".into(), role: "r r".into(), base: service.base.clone() };
    let error = get(&login().identity()).await.unwrap_err();
    assert!(error.message().ends_with("there is no login: `aws sso login` makes a new one"), "{error}");
    std::fs::write(&cache, r#"{"accessToken":"token","expiresAt":"2020-01-01T00:00:00Z"}"#).unwrap();
    let error = get(&login().identity()).await.unwrap_err();
    assert!(error.message().contains("the login has ended"), "{error}");
    std::fs::write(&cache, r#"{"accessToken":"token","expiresAt":"2090-01-01T00:00:00UTC"}"#).unwrap();
    assert_eq!(get(&login().identity()).await.unwrap(), given());
    let asked = service.asked().pop().unwrap();
    assert!(asked.starts_with("GET /federation/credentials?role_name=r%20r&account_id=1 HTTP/1.1"), "{asked}");
    assert!(asked.contains("x-amz-sso_bearer_token: token"), "{asked}");
}

#[tokio::test]
async fn a_program_gives_keys_and_what_else_it_writes_stays_with_it() {
    let run = |script: &str| Program { words: vec!["/bin/sh".into(), "-c".into(), script.into()] }.identity();
    let good = r#"echo '{"Version":1,"AccessKeyId":"ASIA","SecretAccessKey":"s/+=","SessionToken":"t=="}'"#;
    assert_eq!(get(&run(good)).await.unwrap(), given());
    for (script, why) in [
        ("echo hunter2; echo hunter2 >&2; exit 3", "it ended with exit status: 3"),
        ("echo hunter2", "the answer is not JSON"),
        ("echo '{\"Version\":2}'", "its answer is not of version 1"),
        ("echo '{\"Version\":1}'", "the answer has no `AccessKeyId`"),
    ] {
        let error = get(&run(script)).await.unwrap_err();
        assert_eq!(error.message(), format!("no credential from the program `/bin/sh`: {why}"));
    }
    let gone = Program { words: vec!["/nowhere/keys".into()] }.identity();
    assert!(get(&gone).await.unwrap_err().message().ends_with("it cannot be started: entity not found"));
}
