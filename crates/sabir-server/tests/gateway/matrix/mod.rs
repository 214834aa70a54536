//! Every scenario through every door to every kind of provider, and to every provider: what works, what is left out by
//! name, what is refused by name. The tables of docs/doors.md and docs/providers.md come from here.
//!
//! Invariant: nothing is lost in silence. What an upstream did not get has a warning or a refusal; what a client did
//! not get is told in the cell.

mod doors;
mod talk;
mod upstreams;

use std::{fmt::Write as _, fs, io::Write as _, path::Path, sync::Arc};

use futures_util::FutureExt;
use parking_lot::Mutex;
use sabir_providers::{CredentialScheme, Provider};
use sabir_types::{Operation, Protocol};
use serde_json::json;

use self::{
    doors::Door,
    talk::{Failure, Reply, SCENARIOS, Said, step},
    upstreams::Family,
};
use crate::{
    mock::{Seen, Upstream},
    support::Gateway,
};

/// An upstream of a family, whose next answer is said beforehand.
struct Scripted {
    family: Family,
    upstream: Upstream,
    reply: Arc<Mutex<Reply>>,
}

impl Scripted {
    async fn start(family: Family) -> Self {
        let reply = Arc::new(Mutex::new(Reply::Text("")));
        let next = reply.clone();
        let upstream = Upstream::start(move |_, seen| family.answers(seen, &next.lock())).await;
        Self { family, upstream, reply }
    }
}

/// What the table says about a scenario. One that goes wrong is a cross, so that all of them are seen at once.
async fn cell(gateway: &Gateway, door: Door, model: &str, to: &Scripted, scenario: &str, steps: usize) -> String {
    let both = std::panic::AssertUnwindSafe(both(gateway, door, model, to, scenario, steps));
    both.catch_unwind().await.unwrap_or_else(|_| "✗".to_owned())
}

async fn both(gateway: &Gateway, door: Door, model: &str, to: &Scripted, scenario: &str, steps: usize) -> String {
    let whole = run(gateway, door, model, to, scenario, steps, false).await;
    let streamed = run(gateway, door, model, to, scenario, steps, true).await;
    if whole == streamed { whole } else { format!("{whole}; streamed: {streamed}") }
}

async fn run(
    gateway: &Gateway,
    door: Door,
    model: &str,
    to: &Scripted,
    scenario: &str,
    steps: usize,
    stream: bool,
) -> String {
    let about = format!("{} → {model}, {scenario}, stream: {stream}", door.title());
    let mut before = Said::default();
    let mut notes: Vec<String> = Vec::new();
    let mut note = |note: String| {
        if !notes.contains(&note) {
            notes.push(note);
        }
    };
    for at in 0..steps {
        let step = step(scenario, at, &before);
        if door == Door::Responses && step.talk.stop {
            return "–".to_owned();
        }
        *to.reply.lock() = step.reply.clone();
        let count = to.upstream.count();
        let came = door.call(gateway, model, &step.talk, stream).await;
        if let Reply::Fail(failure) = step.reply {
            assert_eq!(to.upstream.count(), count + 1, "{about}");
            fails(door, &came, failure, &about);
            continue;
        }
        if came.status != 200 {
            // Refused before anything was sent.
            let (param, message) = door.complains(&came);
            assert_eq!(to.upstream.count(), count, "{about}: {message}");
            assert!(came.status == 400, "{about}: status {}, {message}", came.status);
            // Where a protocol has no member for the name, it stands in the words.
            let name = match (param, message.split_once("cannot do this: "), message.split('`').nth(1)) {
                (Some(param), ..) => format!("`{param}`"),
                (None, Some((_, what)), _) => what.to_owned(),
                (None, None, Some(name)) => format!("`{name}`"),
                (None, None, None) => panic!("{about}: no name in {message}"),
            };
            return format!("refused: {name}");
        }
        let seen = to.upstream.seen().pop().unwrap();
        keep(model, door, scenario, stream, &seen);
        let lines = to.family.understands(&seen);
        let lost: Vec<&String> = step.lines.iter().filter(|line| !lines.contains(line)).collect();
        let invented: Vec<&String> = lines.iter().filter(|line| !step.lines.contains(line)).collect();
        assert!(invented.is_empty(), "{about}: nobody said {invented:?} in {lines:?}: {}", seen.text());
        let kept: Vec<&String> = step.lines.iter().filter(|line| lines.contains(line)).collect();
        assert_eq!(lines.iter().collect::<Vec<_>>(), kept, "{about}: another order");
        for line in lost {
            assert!(!came.warnings.is_empty(), "{about}: `{line}` is lost in silence: {}", seen.text());
        }
        came.warnings.iter().for_each(|param| note(format!("without `{param}`")));
        let said = door.understands(&came, stream);
        check(&said, &step.reply, &about).into_iter().for_each(&mut note);
        before = said;
    }
    if notes.is_empty() { "✓".to_owned() } else { notes.join(", ") }
}

/// Holds what a client understood against what the provider said; what it did not get.
fn check(said: &Said, reply: &Reply, about: &str) -> Option<String> {
    let (text, thought, calls, end): (&str, &str, &[_], &str) = match reply {
        Reply::Text(text) | Reply::Stopped(text) => (text, "", &[], "stop"),
        Reply::Cut(text) => (text, "", &[], "length"),
        Reply::Thought(thought, text) => (text, thought, &[], "stop"),
        Reply::Calls(calls) => ("", "", calls, "calls"),
        Reply::Fail(_) => unreachable!("a failure has no answer"),
    };
    assert_eq!((&*said.text, said.end), (text, end), "{about}");
    let wanted: Vec<_> = calls
        .iter()
        .map(|(name, arguments)| ((*name).to_owned(), serde_json::from_str::<serde_json::Value>(arguments).unwrap()))
        .collect();
    let got: Vec<_> = said.calls.iter().map(|(_, name, arguments)| (name.clone(), arguments.clone())).collect();
    assert_eq!(got, wanted, "{about}");
    if said.thought == thought {
        return None;
    }
    assert_eq!(said.thought, "", "{about}: another thought");
    Some("thoughts are not shown".to_owned())
}

/// Holds a failure against what the door's clients look at.
fn fails(door: Door, came: &doors::Came, failure: Failure, about: &str) {
    let (_, message) = door.complains(came);
    if door == Door::Manager {
        let word = match failure {
            Failure::Limited => "rate_limited",
            Failure::Long => "context_length",
            Failure::Down => "upstream",
        };
        assert!(message.starts_with(word), "{about}: {message}");
        return;
    }
    let statuses: &[u16] = match failure {
        Failure::Limited => &[429],
        Failure::Long => &[400, 413],
        Failure::Down => &[502, 503, 529],
    };
    assert!(statuses.contains(&came.status), "{about}: status {} ({message})", came.status);
    if failure == Failure::Limited {
        assert_eq!(came.retry_after.as_deref(), Some("7"), "{about}");
    }
}

/// Keeps what an upstream got in the file that `SABIR_BODIES` names, a line each: tests/clients holds it against the
/// providers' own types.
fn keep(model: &str, door: Door, scenario: &str, stream: bool, seen: &Seen) {
    #[expect(clippy::disallowed_methods, reason = "the tests' own switch")]
    let Some(file) = std::env::var_os("SABIR_BODIES") else { return };
    let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    let path = seen.head.split(' ').nth(1).unwrap();
    let line = json!({"model": model, "door": door.title(), "scenario": scenario, "stream": stream, "path": path, "body": body});
    let mut file = fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// A table in Markdown.
fn table(corner: &str, columns: &[String], rows: &[(String, Vec<String>)]) -> String {
    let mut out = format!("| {corner} | {} |\n|---|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    for (name, cells) in rows {
        writeln!(out, "| {name} | {} |", cells.join(" | ")).unwrap();
    }
    out
}

/// Compares with what a page holds between its markers, or writes it there.
fn compare(file: &str, name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name}: written by a test -->\n"), format!("<!-- end of {name} -->\n"));
    let (head, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("{file} has no `{}`", begin.trim()));
    let (old, tail) = rest.split_once(&end).unwrap_or_else(|| panic!("{file} has no `{}`", end.trim()));
    assert!(!text.contains('✗'), "what went wrong stands above; ✗ in the table:\n{text}");
    if old == text {
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "the tests' own switch")]
    let update = std::env::var_os("UPDATE").is_some();
    assert!(update, "{file} is not up to date: UPDATE=1 cargo test -p sabir-server --test gateway matrix");
    fs::write(path, format!("{head}{begin}{text}{end}{tail}")).unwrap();
}

#[tokio::test]
async fn every_door_reaches_every_kind_of_provider() {
    let kinds = [
        ("OpenAI", Family::OpenAi, "openai", "/v1", "up-1", ""),
        ("Responses", Family::Responses, "openai", "/v1", "up-1", "api_type = 'responses'"),
        ("Anthropic", Family::Anthropic, "anthropic", "/v1", "claude-sonnet-4-5", ""),
        ("Gemini", Family::Gemini, "google_ai_studio_gemini", "/v1beta", "gemini-3-flash", ""),
        (
            "Bedrock",
            Family::Bedrock,
            "bedrock",
            "",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "region = 'us-east-1'",
        ),
    ];
    let mut toml = String::new();
    let mut all = Vec::new();
    for (title, family, kind, path, model, more) in kinds {
        let to = Scripted::start(family).await;
        let addr = to.upstream.addr;
        writeln!(toml, "[models.{kind}-{}.providers.p]\ntype = '{kind}'\nmodel_name = '{model}'", all.len()).unwrap();
        writeln!(toml, "api_base = 'http://{addr}{path}'\napi_key_location = 'none'\n{more}").unwrap();
        all.push((title, format!("{kind}-{}", all.len()), to));
    }
    let gateway = Gateway::start(&toml).await;
    let columns: Vec<String> = all.iter().map(|(title, ..)| (*title).to_owned()).collect();
    let mut page = String::new();
    for door in Door::ALL {
        let mut rows = Vec::new();
        for (scenario, steps) in SCENARIOS {
            let mut cells = Vec::new();
            for (_, model, to) in &all {
                cells.push(cell(&gateway, door, model, to, scenario, steps).await);
            }
            rows.push((scenario.to_owned(), cells));
        }
        write!(page, "\n### {} to\n\n{}", door.title(), table("", &columns, &rows)).unwrap();
    }
    page.push('\n');
    compare("../../docs/doors.md", "matrix", &page);
}

/// The configuration of a provider whose address is this one.
fn configured(provider: &dyn Provider, addr: std::net::SocketAddr) -> (Family, String) {
    let spec = provider.spec();
    let (family, model, path) = match spec.protocol {
        Protocol::Anthropic => (Family::Anthropic, "claude-sonnet-4-5", "/v1"),
        Protocol::Gemini => (Family::Gemini, "gemini-3-flash", "/v1beta"),
        Protocol::Bedrock => (Family::Bedrock, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", ""),
        _ => (Family::OpenAi, "up-1", "/v1"),
    };
    let place = match provider.credentials() {
        CredentialScheme::Aws => "region = 'us-east-1'\n",
        CredentialScheme::Google => "project_id = 'p'\nlocation = 'global'\n",
        _ => "",
    };
    let key =
        if provider.credentials() == CredentialScheme::Google { "credential_location" } else { "api_key_location" };
    let text = format!(
        "[models.{id}.providers.p]\ntype = '{id}'\nmodel_name = '{model}'\napi_base = 'http://{addr}{path}'\n{key} = 'none'\n{place}",
        id = spec.id
    );
    (family, text)
}

#[tokio::test]
async fn every_provider_gets_what_it_can_take() {
    let mut toml = String::new();
    let mut all = Vec::new();
    for provider in sabir_providers::all() {
        let spec = provider.spec();
        // The built-in provider answers without being called.
        if spec.protocol == Protocol::Dummy || !spec.can.operations.contains(&Operation::Chat) {
            continue;
        }
        let family = configured(*provider, ([127, 0, 0, 1], 1).into()).0;
        let to = Scripted::start(family).await;
        toml.push_str(&configured(*provider, to.upstream.addr).1);
        all.push((provider.spec().id, to));
    }
    let gateway = Gateway::start(&toml).await;
    let columns: Vec<String> = SCENARIOS.iter().map(|(scenario, _)| (*scenario).to_owned()).collect();
    let mut rows = Vec::new();
    for (id, to) in &all {
        let mut cells = Vec::new();
        for (scenario, steps) in SCENARIOS {
            cells.push(cell(&gateway, Door::Rewritten, id, to, scenario, steps).await);
        }
        rows.push((format!("`{id}`"), cells));
    }
    compare("src/providers_matrix.md", "scenarios", &table("ID", &columns, &rows));
}
