//! Where AWS's own tools look for keys: variables, profiles of the shared files, the cluster, the container, the machine.
//!
//! Facts: <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>,
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>, checked 2026-11.
//!
//! Invariant: nothing is asked over the network and nothing is started here; what can only be had that way becomes an
//! identity, which is asked when a call needs it.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use ring::digest;
use sabir_providers::sign::sigv4::Keys;
use sabir_types::Secret;

use super::{credential::Found, env::Env};
use crate::token::{self, Asks, Identity, Program, Role, SignOn};

/// How many profiles may lead from one to the next.
const DEPTH: u32 = 5;

/// A profile's settings, or those of another section.
type Section = HashMap<String, String>;

/// The keys that there are, or who gives them.
pub(super) fn keys(env: &Env) -> Found {
    if let Some(keys) = variables(env) {
        return Found::secret("env::AWS_ACCESS_KEY_ID", keys.to_secret());
    }
    let profile = env.get("AWS_PROFILE").unwrap_or("default");
    if let Some(found) = self::profile(env, profile, DEPTH) {
        return found;
    }
    if let (Some(file), Some(arn)) = (env.get("AWS_WEB_IDENTITY_TOKEN_FILE"), env.get("AWS_ROLE_ARN")) {
        let session = env.get("AWS_ROLE_SESSION_NAME");
        let role = role(env, Asks::Token(PathBuf::from(file)), arn, session, &Section::new());
        return Found::token("the cluster", Ok(role.identity()));
    }
    if let Some(container) = container(env) {
        return Found::token("the container", Ok(Identity::container(container)));
    }
    if env.flag("AWS_EC2_METADATA_DISABLED") == Ok(Some(true)) {
        let looked = "neither `AWS_BEARER_TOKEN_BEDROCK` nor `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY` is set";
        return Found::missing("sdk", format!("{looked}, and there is no profile `{profile}` with keys"));
    }
    Found::token("the machine", Ok(machine(env)))
}

/// The region that AWS's tools would take.
pub(super) fn region(env: &Env) -> Option<String> {
    let profile = env.get("AWS_PROFILE").unwrap_or("default");
    let told = env.get("AWS_REGION").or_else(|| env.get("AWS_DEFAULT_REGION")).map(str::to_owned);
    told.or_else(|| section(env, "AWS_CONFIG_FILE", profile)?.remove("region"))
}

fn variables(env: &Env) -> Option<Keys> {
    Some(Keys {
        access_key_id: env.get("AWS_ACCESS_KEY_ID")?.to_owned(),
        secret_access_key: env.get("AWS_SECRET_ACCESS_KEY")?.to_owned(),
        session_token: env.get("AWS_SESSION_TOKEN").map(str::to_owned),
    })
}

fn machine(env: &Env) -> Identity {
    let base = env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or("http://169.254.169.254").to_owned();
    Identity::machine(token::Machine { base })
}

fn container(env: &Env) -> Option<token::Container> {
    let url = match (env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
        (Some(path), _) => format!("http://169.254.170.2{path}"),
        (None, full) => full?.to_owned(),
    };
    Some(token::Container {
        url,
        auth: env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Secret::new),
        auth_file: env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(PathBuf::from),
    })
}

/// What a profile gives; `None` if there is nothing in it that could.
fn profile(env: &Env, name: &str, depth: u32) -> Option<Found> {
    let mut all = section(env, "AWS_CONFIG_FILE", name).unwrap_or_default();
    all.extend(section(env, "AWS_SHARED_CREDENTIALS_FILE", name).unwrap_or_default());
    let own = |name: &str| all.get(name).map(String::as_str);
    let location = format!("profile {name}");
    let token = |identity: Identity| Some(Found::token(&location, Ok(identity)));
    if let Some(arn) = own("role_arn") {
        return Some(match asks(env, name, &all, depth) {
            Ok(asks) => Found::token(&location, Ok(role(env, asks, arn, own("role_session_name"), &all).identity())),
            Err(why) => Found::missing(&location, format!("the profile `{name}` of AWS {why}")),
        });
    }
    if let Some(keys) = fixed(&all) {
        return Some(Found::secret(&location, keys.to_secret()));
    }
    if let (Some(account), Some(role)) = (own("sso_account_id"), own("sso_role_name")) {
        return Some(match sign_on(env, &all, account, role) {
            Ok(login) => Found::token(&location, Ok(login.identity())),
            Err(why) => Found::missing(&location, format!("the profile `{name}` of AWS {why}")),
        });
    }
    token(Program { words: words(own("credential_process")?) }.identity())
}

/// The keys that stand in a profile.
fn fixed(all: &Section) -> Option<Keys> {
    Some(Keys {
        access_key_id: all.get("aws_access_key_id")?.clone(),
        secret_access_key: all.get("aws_secret_access_key")?.clone(),
        session_token: all.get("aws_session_token").cloned(),
    })
}

/// Who asks for the role of a profile.
fn asks(env: &Env, name: &str, all: &Section, depth: u32) -> Result<Asks, String> {
    let of = |found: Found, from: &str| match found.credential {
        crate::plan::Credential::Static(keys) => Ok(Asks::Keys(keys)),
        crate::plan::Credential::Token(identity) => match std::sync::Arc::into_inner(identity) {
            Some(identity) => Ok(Asks::Identity(Box::new(identity))),
            None => Err(format!("cannot take {from} for itself")),
        },
        crate::plan::Credential::Missing(why) => Err(format!("needs {from}: {why}")),
        _ => Err(format!("gets no keys from {from}")),
    };
    if let Some(file) = all.get("web_identity_token_file") {
        return Ok(Asks::Token(PathBuf::from(file)));
    }
    match (all.get("source_profile"), all.get("credential_source").map(String::as_str)) {
        // A profile may give the keys for its own role.
        (Some(source), _) if source == name => fixed(all)
            .map(|keys| Asks::Keys(keys.to_secret()))
            .ok_or_else(|| "has a role and no keys for it".to_owned()),
        (Some(_), _) if depth == 0 => Err("leads from profile to profile without an end".to_owned()),
        (Some(source), _) => match profile(env, source, depth - 1) {
            Some(found) => of(found, &format!("the profile `{source}`")),
            None => Err(format!("needs the profile `{source}`, which gives no keys")),
        },
        (None, Some("Environment")) => {
            let keys = variables(env).ok_or("needs `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`")?;
            Ok(Asks::Keys(keys.to_secret()))
        }
        (None, Some("Ec2InstanceMetadata")) => Ok(Asks::Identity(Box::new(machine(env)))),
        (None, Some("EcsContainer")) => {
            let container = container(env).ok_or("needs a container that gives keys")?;
            Ok(Asks::Identity(Box::new(Identity::container(container))))
        }
        (None, Some(_)) => Err("has an unknown `credential_source`".to_owned()),
        (None, None) => Err("has a role and neither `source_profile` nor `credential_source`".to_owned()),
    }
}

/// A role with what a profile says about it.
fn role(env: &Env, asks: Asks, arn: &str, session: Option<&str>, all: &Section) -> Role {
    let told = all.get("region").cloned().or_else(|| region(env));
    // The world's own address signs for the first of all regions.
    let base = match (env.get("AWS_ENDPOINT_URL_STS"), &told) {
        (Some(base), _) => base.to_owned(),
        (None, Some(region)) => format!("https://sts.{region}.{}/", domain(region)),
        (None, None) => "https://sts.amazonaws.com/".to_owned(),
    };
    Role {
        asks,
        arn: arn.to_owned(),
        session: session.unwrap_or("sabir").to_owned(),
        external_id: all.get("external_id").cloned(),
        seconds: all.get("duration_seconds").and_then(|seconds| seconds.parse().ok()),
        region: told.unwrap_or_else(|| "us-east-1".to_owned()),
        base,
    }
}

fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// A login with single sign-on: in a section of its own, or in the profile.
fn sign_on(env: &Env, all: &Section, account: &str, role: &str) -> Result<SignOn, String> {
    let (of, key) = match all.get("sso_session") {
        Some(name) => {
            let section = headed(env, "AWS_CONFIG_FILE", &[&format!("sso-session {name}")]);
            (section.ok_or_else(|| format!("needs the section `sso-session {name}`"))?, Some(name.clone()))
        }
        None => (all.clone(), all.get("sso_start_url").cloned()),
    };
    let (Some(region), Some(key)) = (of.get("sso_region"), key) else {
        return Err("needs `sso_region` and `sso_start_url` for single sign-on".to_owned());
    };
    let home = env.get("HOME").ok_or("needs `HOME` for single sign-on")?;
    // How the tools call the file of a login; nothing is kept secret by it.
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    let name: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let base = env.get("AWS_ENDPOINT_URL_SSO").map(str::to_owned);
    Ok(SignOn {
        cache: Path::new(home).join(".aws/sso/cache").join(format!("{name}.json")),
        account: account.to_owned(),
        role: role.to_owned(),
        base: base.unwrap_or_else(|| format!("https://portal.sso.{region}.{}", domain(region))),
    })
}

/// A command in its words: quotes hold words together, and no shell looks at it.
fn words(command: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => all.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    all.extend(word);
    all
}

/// A profile's section of a shared file.
fn section(env: &Env, variable: &str, profile: &str) -> Option<Section> {
    let long = format!("profile {profile}");
    // Only the file of settings writes the word before the name.
    if variable == "AWS_CONFIG_FILE" {
        headed(env, variable, &[profile, &long])
    } else {
        headed(env, variable, &[profile])
    }
}

/// The first section of a shared file under one of these heads.
fn headed(env: &Env, variable: &str, heads: &[&str]) -> Option<Section> {
    let usual = if variable == "AWS_CONFIG_FILE" { ".aws/config" } else { ".aws/credentials" };
    let file = match env.get(variable) {
        Some(file) => PathBuf::from(file),
        None => Path::new(env.get("HOME")?).join(usual),
    };
    let text = fs::read_to_string(file).ok()?;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            if found.is_some() {
                break;
            }
            let name = name.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            found = heads.contains(&&*name).then(Section::new);
        } else if let (Some(found), Some((name, value))) = (&mut found, line.split_once('='))
            && !line.starts_with(['#', ';'])
            && !value.trim().is_empty()
        {
            found.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
#[path = "sdk_aws_tests.rs"]
mod tests;
