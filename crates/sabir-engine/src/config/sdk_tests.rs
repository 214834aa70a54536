//! Which of the places counts, and that a machine is asked last.

use super::*;

fn shown(found: &Found) -> String {
    match &found.credential {
        Credential::Static(secret) => format!("{} is {}", found.location, secret.expose()),
        Credential::Token(identity) => format!("{} is {identity:?}", found.location),
        Credential::Missing(why) => format!("missing: {why}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn keys_of_aws_are_looked_for_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap();
    fs::create_dir(dir.path().join(".aws")).unwrap();
    fs::write(
        dir.path().join(".aws/credentials"),
        "# comment\n[default]\naws_access_key_id = A\naws_secret_access_key=S\n\n[work]\naws_access_key_id=W\n\
         aws_secret_access_key = X=Y\naws_session_token = T\n",
    )
    .unwrap();
    fs::write(dir.path().join(".aws/config"), "[default]\nregion=eu-west-1\n[profile work]\nregion = us-west-2\n")
        .unwrap();
    let of = |variables: &[(&str, &str)]| Env::of(variables.iter().copied());
    let all = |variables: &[(&str, &str)]| shown(&aws(&of(variables)));
    let own = ("HOME", home);
    assert_eq!(
        all(&[own, ("AWS_ACCESS_KEY_ID", "E"), ("AWS_SECRET_ACCESS_KEY", "F")]),
        r#"env::AWS_ACCESS_KEY_ID is {"access_key_id":"E","secret_access_key":"F"}"#
    );
    assert_eq!(all(&[own]), r#"profile default is {"access_key_id":"A","secret_access_key":"S"}"#);
    assert_eq!(
        all(&[own, ("AWS_PROFILE", "work")]),
        r#"profile work is {"access_key_id":"W","secret_access_key":"X=Y","session_token":"T"}"#
    );
    let uri = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/c");
    assert_eq!(all(&[uri]), r#"the container is Identity { what: "the container's credentials", .. }"#);
    assert_eq!(all(&[]), r#"the machine is Identity { what: "the machine's credentials", .. }"#);
    assert!(all(&[("AWS_EC2_METADATA_DISABLED", "true")]).starts_with("missing: neither `AWS_BEARER_TOKEN_BEDROCK`"));
    let region = |variables: &[(&str, &str)]| aws_region(&of(variables));
    assert_eq!(region(&[own]).as_deref(), Some("eu-west-1"));
    assert_eq!(region(&[own, ("AWS_PROFILE", "work")]).as_deref(), Some("us-west-2"));
    assert_eq!(region(&[own, ("AWS_REGION", "r")]).as_deref(), Some("r"));
    assert_eq!(region(&[]), None);
}

#[test]
fn credentials_of_google_are_looked_for_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap();
    let all = |variables: &[(&str, &str)]| shown(&google(&Env::of(variables.iter().copied())));
    assert_eq!(
        all(&[("HOME", home)]),
        "sdk is Identity { what: \"the metadata server `metadata.google.internal`\", .. }"
    );
    assert_eq!(
        all(&[("GCE_METADATA_HOST", "127.0.0.1:1")]),
        "sdk is Identity { what: \"the metadata server `127.0.0.1:1`\", .. }"
    );
    assert_eq!(
        all(&[("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere")]),
        "missing: the file `/nowhere` cannot be read: entity not found"
    );
    let folder = dir.path().join(".config/gcloud");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("application_default_credentials.json");
    fs::write(&file, r#"{"type":"authorized_user","client_id":"i","client_secret":"s","refresh_token":"r"}"#).unwrap();
    assert_eq!(
        all(&[("HOME", home)]),
        format!("path::{} is Identity {{ what: \"the login of `gcloud`\", .. }}", file.display())
    );
    fs::write(&file, "{}").unwrap();
    assert!(all(&[("HOME", home)]).ends_with("cannot be used: it has no `type`"));
}

#[test]
fn azure_s_machine_is_asked_only_if_somebody_says_so() {
    let own = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "s")];
    let application = "env::AZURE_CLIENT_SECRET is Identity { what: \"Entra ID\", .. }";
    assert_eq!(usual(CredentialScheme::Entra, &Env::of(own)).as_ref().map(shown).as_deref(), Some(application));
    assert!(usual(CredentialScheme::Entra, &Env::default()).is_none());
    let machine = sdk(CredentialScheme::Entra, &Env::default()).unwrap();
    assert_eq!(shown(&machine), "sdk is Identity { what: \"the managed identity\", .. }");
    assert!(sdk(CredentialScheme::Key, &Env::of(own)).is_none());
}
