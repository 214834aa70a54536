//! Which of AWS's places counts, and what profiles lead to.

use super::{
    super::{credential::lacks, env::Env},
    *,
};
use crate::plan::Credential;

fn shown(found: &Found) -> String {
    match &found.credential {
        Credential::Static(secret) => format!("{} is {}", found.location, secret.expose()),
        Credential::Token(identity) => format!("{} is {identity:?}", found.location),
        other => lacks(other).unwrap(),
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
    let all = |variables: &[(&str, &str)]| shown(&keys(&of(variables)));
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
    assert!(all(&[("AWS_EC2_METADATA_DISABLED", "true")]).starts_with("neither `AWS_BEARER_TOKEN_BEDROCK`"));
    let region = |variables: &[(&str, &str)]| super::region(&of(variables));
    assert_eq!(region(&[own]).as_deref(), Some("eu-west-1"));
    assert_eq!(region(&[own, ("AWS_PROFILE", "work")]).as_deref(), Some("us-west-2"));
    assert_eq!(region(&[own, ("AWS_REGION", "r")]).as_deref(), Some("r"));
    assert_eq!(region(&[]), None);
}

/// What the profile `p` of this file is.
fn of_config(text: &str, more: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    fs::write(&file, text).unwrap();
    let mut all = vec![("AWS_PROFILE", "p"), ("AWS_CONFIG_FILE", file.to_str().unwrap()), ("HOME", "/nowhere")];
    all.extend(more);
    shown(&keys(&Env::of(all)))
}

#[test]
fn profiles_lead_to_roles_logins_and_programs() {
    let role = "profile p is Identity { what: \"the role `arn:r`\", .. }";
    let base = "[profile base]\naws_access_key_id = A\naws_secret_access_key = S\n[profile p]\n";
    assert_eq!(of_config(&format!("{base}role_arn = arn:r\nsource_profile = base\n"), &[]), role);
    // A role by way of a role.
    let two =
        format!("{base}role_arn = arn:r\nsource_profile = q\n[profile q]\nrole_arn = arn:q\nsource_profile = base\n");
    assert_eq!(of_config(&two, &[]), role);
    for source in ["Ec2InstanceMetadata", "EcsContainer", "Environment"] {
        let text = format!("[profile p]\nrole_arn = arn:r\ncredential_source = {source}\n");
        let container = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/c")];
        let said = of_config(&text, &container);
        let expected = if source == "Environment" {
            "the profile `p` of AWS needs `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`"
        } else {
            role
        };
        assert_eq!(said, expected, "{source}");
    }
    assert_eq!(of_config("[profile p]\nrole_arn = arn:r\nweb_identity_token_file = /t\n", &[]), role);
    let login = "[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://x\n[profile p]\nsso_session = s\n\
                 sso_account_id = 1\nsso_role_name = r\n";
    assert_eq!(of_config(login, &[]), "profile p is Identity { what: \"single sign-on (role `r` of account 1)\", .. }");
    let program = "[profile p]\ncredential_process = /opt/keys --for 'two words' \"\"\n";
    assert_eq!(of_config(program, &[]), "profile p is Identity { what: \"the program `/opt/keys`\", .. }");
    assert_eq!(words("/opt/keys --for 'two words' \"\" a'b'c"), ["/opt/keys", "--for", "two words", "", "abc"]);
}

#[test]
fn profiles_that_lead_nowhere_say_why() {
    let about = |text: &str| of_config(&format!("[profile p]\n{text}"), &[]);
    for (text, why) in [
        ("role_arn = r\n", "has a role and neither `source_profile` nor `credential_source`"),
        ("role_arn = r\nsource_profile = p\n", "has a role and no keys for it"),
        ("role_arn = r\nsource_profile = gone\n", "needs the profile `gone`, which gives no keys"),
        ("role_arn = r\ncredential_source = Hope\n", "has an unknown `credential_source`"),
        ("sso_account_id = 1\nsso_role_name = r\n", "needs `sso_region` and `sso_start_url` for single sign-on"),
        ("sso_session = s\nsso_account_id = 1\nsso_role_name = r\n", "needs the section `sso-session s`"),
    ] {
        assert_eq!(about(text), format!("the profile `p` of AWS {why}"));
    }
    let circle = "[profile p]\nrole_arn = r\nsource_profile = q\n[profile q]\nrole_arn = r\nsource_profile = p\n";
    assert!(of_config(circle, &[]).ends_with("leads from profile to profile without an end"));
}

#[test]
fn a_cluster_gives_a_token_for_a_role() {
    let env = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn:r"), ("HOME", "/nowhere")];
    assert_eq!(shown(&keys(&Env::of(env))), "the cluster is Identity { what: \"the role `arn:r`\", .. }");
}
