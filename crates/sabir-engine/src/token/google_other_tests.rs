//! Federation and impersonation against a service on this machine.

use serde_json::json;

use super::{
    super::{
        Tokens, google, google_of_caller,
        tests::{Service, transport},
    },
    *,
};

fn says(request: &str, number: usize) -> (u16, String) {
    if request.contains(":generateAccessToken") {
        return (200, r#"{"accessToken":"acting","expireTime":"2090-01-01T00:00:00Z"}"#.to_owned());
    }
    if request.starts_with("GET /proof") {
        return (200, r#"{"id_token":"from-url"}"#.to_owned());
    }
    (200, format!(r#"{{"access_token":"federated-{number}","expires_in":3600}}"#))
}

fn file(base: &str, source: Value, more: Value) -> String {
    let mut file = json!({"type": "external_account", "audience": "//iam/pool", "token_url": format!("{base}/v1/token"),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": source});
    file.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    file.to_string()
}

async fn get(text: &str) -> Result<String> {
    let (identity, _) = google(text).unwrap();
    Ok(Tokens::default().get(&identity, &transport()).await?.expose().to_owned())
}

#[tokio::test]
async fn a_workload_exchanges_its_proof() {
    let service = Service::new(says).await;
    let dir = tempfile::tempdir().unwrap();
    let proof = dir.path().join("proof");
    std::fs::write(&proof, "from-file\n").unwrap();
    let text = file(&service.base, json!({"file": proof}), json!({}));
    assert_eq!(get(&text).await.unwrap(), "federated-0");
    let asked = service.asked().remove(0);
    assert!(asked.starts_with("POST /v1/token HTTP/1.1"), "{asked}");
    assert!(asked.contains("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&"), "{asked}");
    assert!(asked.contains("&audience=%2F%2Fiam%2Fpool&") && asked.ends_with("&subject_token=from-file"), "{asked}");
    let format = json!({"type": "json", "subject_token_field_name": "id_token"});
    let source = json!({"url": format!("{}/proof", service.base), "headers": {"metadata": "true"}, "format": format});
    assert_eq!(get(&file(&service.base, source, json!({}))).await.unwrap(), "federated-2");
    let asked = service.asked();
    assert!(asked[1].contains("metadata: true") && asked[2].ends_with("&subject_token=from-url"), "{asked:?}");
    std::fs::remove_file(&proof).unwrap();
    let error = get(&text).await.unwrap_err();
    assert!(error.message().starts_with("no credential from the workload's federation: the file `"), "{error}");
}

#[tokio::test]
async fn who_may_act_as_a_service_account_does() {
    let service = Service::new(says).await;
    let url = format!("{}/v1/projects/-/serviceAccounts/robot@p:generateAccessToken", service.base);
    let login = json!({"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r",
        "token_uri": format!("{}/token", service.base)});
    let text = json!({"type": "impersonated_service_account", "service_account_impersonation_url": url,
        "delegates": ["d"], "source_credentials": login});
    assert_eq!(get(&text.to_string()).await.unwrap(), "acting");
    let asked = service.asked();
    assert!(asked[1].contains("authorization: Bearer federated-0"), "{}", asked[1]);
    let body = r#"{"scope":["https://www.googleapis.com/auth/cloud-platform"],"lifetime":"3600s","delegates":["d"]}"#;
    assert!(asked[1].ends_with(body), "{}", asked[1]);
    // A workload may act as one as well.
    let dir = tempfile::tempdir().unwrap();
    let proof = dir.path().join("proof");
    std::fs::write(&proof, "p").unwrap();
    let text = file(&service.base, json!({"file": proof}), json!({"service_account_impersonation_url": url}));
    assert_eq!(get(&text).await.unwrap(), "acting");
    let (identity, _) = google(&text).unwrap();
    assert_eq!(identity.what, "the service account `robot@p` by way of the workload's federation");
}

#[test]
fn a_callers_file_reads_nothing_on_this_machine() {
    let text = file("https://h", json!({"file": "/etc/hostname"}), json!({}));
    let refused = google_of_caller(&text).map(|_| ()).unwrap_err();
    assert_eq!(refused, "its type `external_account` is for the configuration only");
    let inside: Value = serde_json::from_str(&text).unwrap();
    let text = json!({"type": "impersonated_service_account", "service_account_impersonation_url": "https://h",
        "source_credentials": inside});
    let refused = google_of_caller(&text.to_string()).map(|_| ()).unwrap_err();
    assert_eq!(refused, "its type `impersonated_service_account` is for the configuration only");
}

#[test]
fn what_is_not_there_is_named() {
    let refused = |source: Value| google(&file("https://h", source, json!({}))).map(|_| ()).unwrap_err();
    assert!(refused(json!({"environment_id": "aws1"})).starts_with("its `credential_source` is an `environment_id`"));
    assert!(refused(json!({"executable": {}})).contains("`executable`, which is not supported"));
    assert_eq!(refused(json!({})), "its `credential_source` has neither `file` nor `url`");
    let format = json!({"file": "f", "format": {"type": "json"}});
    assert_eq!(refused(format), "its `format` has no `subject_token_field_name`");
    let inner = json!({"type": "impersonated_service_account", "service_account_impersonation_url": "u",
        "source_credentials": {"type": "odd"}});
    let said = google(&inner.to_string()).map(|_| ()).unwrap_err();
    assert_eq!(said, "its `source_credentials` cannot be used: its `type` is not known");
}
