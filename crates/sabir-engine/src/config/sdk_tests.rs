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
    let cluster = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_FEDERATED_TOKEN_FILE", "/t")];
    let workload = "path_from_env::AZURE_FEDERATED_TOKEN_FILE is Identity { what: \"Entra ID\", .. }";
    assert_eq!(usual(CredentialScheme::Entra, &Env::of(cluster)).as_ref().map(shown).as_deref(), Some(workload));
    let machine = sdk(CredentialScheme::Entra, &Env::default()).unwrap();
    assert_eq!(shown(&machine), "sdk is Identity { what: \"the managed identity\", .. }");
    assert!(sdk(CredentialScheme::Key, &Env::of(own)).is_none());
}
