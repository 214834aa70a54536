//! Feedback against a ledger in a temporary file.

use sabir_store::{SqliteLedger, conformance::plain, sqlite::Options};

use super::*;
use crate::config::{Source, env::Env};

const METRICS: &str = r#"
[metrics.good]
type = "boolean"
level = "inference"
optimize = "max"

[metrics.score]
type = "float"
level = "episode"
optimize = "max"
"#;

struct Setup {
    engine: Arc<Engine>,
    ledger: Arc<SqliteLedger>,
    inference: Uuid,
    episode: Uuid,
    _folder: tempfile::TempDir,
}

async fn setup(extra: &str, wait: bool) -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let ledger =
        SqliteLedger::open(&folder.path().join("ledger.sqlite"), Options { wait, ..Options::default() }).unwrap();
    let record = plain("feedback");
    let (inference, episode) = (record.inference.id, record.inference.episode_id);
    ledger.append(Entry::Inference(Box::new(record))).wait().await.unwrap();
    ledger.flush().await.unwrap();
    let engine = engine(extra, Some(ledger.clone()));
    Setup { engine, ledger, inference, episode, _folder: folder }
}

fn engine(extra: &str, ledger: Option<Arc<dyn Ledger>>) -> Arc<Engine> {
    let text = format!("{extra}\n{METRICS}");
    let env = Env::default();
    let config = Config::load(&[Source::Text { name: "test".into(), text }], &env).unwrap();
    Engine::new(config, &env, ledger).unwrap()
}

fn about(metric: &str, inference_id: Option<Uuid>, episode_id: Option<Uuid>, value: Value) -> FeedbackCall {
    FeedbackCall { metric_name: metric.into(), inference_id, episode_id, value, tags: Vec::new(), dryrun: false }
}

impl Setup {
    async fn refused(&self, call: FeedbackCall) -> (ErrorKind, String) {
        let error = self.engine.feedback(call).await.unwrap_err();
        (error.kind(), error.message().to_owned())
    }

    async fn kept(&self, target: Uuid) -> Vec<FeedbackRow> {
        self.ledger.feedback(vec![target]).await.unwrap()
    }
}

#[tokio::test]
async fn metrics_are_kept_with_their_labels() {
    let s = setup("", true).await;
    let mut call = about("good", Some(s.inference), None, json!(true));
    call.tags.push(("who".into(), "me".into()));
    let id = s.engine.feedback(call).await.unwrap();
    assert_eq!(id.get_version_num(), 7);
    let rows = s.kept(s.inference).await;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].id, rows[0].target_kind), (id, TargetKind::Inference));
    assert_eq!(rows[0].value, FeedbackKind::Boolean(true));
    assert_eq!(rows[0].tags, [("who".to_owned(), "me".to_owned())]);

    s.engine.feedback(about("score", None, Some(s.episode), json!(3))).await.unwrap();
    let rows = s.kept(s.episode).await;
    assert_eq!((rows[0].target_kind, &rows[0].value), (TargetKind::Episode, &FeedbackKind::Float(3.0)));
}

#[tokio::test]
async fn comments_are_about_either() {
    let s = setup("", true).await;
    s.engine.feedback(about("comment", Some(s.inference), None, json!("fine"))).await.unwrap();
    s.engine.feedback(about("comment", None, Some(s.episode), json!("long"))).await.unwrap();
    assert_eq!(s.kept(s.inference).await[0].value, FeedbackKind::Comment("fine".into()));
    assert_eq!(s.kept(s.episode).await[0].value, FeedbackKind::Comment("long".into()));
    let (kind, message) = s.refused(about("comment", Some(s.inference), None, json!(1))).await;
    assert_eq!(kind, ErrorKind::BadRequest);
    assert_eq!(message, "Feedback value for metric `comment` must be a string");
}

#[tokio::test]
async fn demonstrations_are_kept_as_blocks() {
    let s = setup("", true).await;
    s.engine.feedback(about("demonstration", Some(s.inference), None, json!("better"))).await.unwrap();
    let blocks = json!([
        {"type": "text", "text": "I look"},
        {"type": "tool_call", "name": "look", "arguments": {"at": 1}},
        {"type": "tool_call", "id": "c1", "name": "look", "arguments": "{\"at\": 2}"},
    ]);
    s.engine.feedback(about("demonstration", Some(s.inference), None, blocks)).await.unwrap();
    let rows = s.kept(s.inference).await;
    let json = |at: usize| match &rows[at].value {
        FeedbackKind::Demonstration(text) => serde_json::from_str::<Value>(text).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(json(0), json!([{"type": "text", "text": "better"}]));
    let second = json(1);
    assert_eq!(second[1]["raw_arguments"], "{\"at\":1}");
    assert_eq!(second[2]["id"], "c1");
    assert_eq!(second[2]["arguments"], json!({"at": 2}));
    assert_eq!(second[2]["raw_arguments"], "{\"at\": 2}");
}

#[tokio::test]
async fn wrong_demonstrations_are_refused() {
    let s = setup("", true).await;
    for (value, part) in [
        (json!(1), "must be a string or a list of blocks"),
        (json!(["a"]), "block 0 of the demonstration is not an object"),
        (json!([{"type": "text"}]), "needs a string `text`"),
        (json!([{"type": "text", "text": "a"}, {"type": "image"}]), "block 1 of the demonstration has type `image`"),
        (json!([{"type": "tool_call", "name": "f"}]), "needs `arguments`"),
        (json!([{"type": "tool_call", "name": "f", "arguments": "{"}]), "not JSON"),
        (json!([{"type": "text", "text": "a", "more": 1}]), "a member `more`"),
    ] {
        let (kind, message) = s.refused(about("demonstration", Some(s.inference), None, value)).await;
        assert_eq!(kind, ErrorKind::BadRequest);
        assert!(message.contains(part), "{message}");
    }
    let (kind, message) = s.refused(about("demonstration", None, Some(s.episode), json!("a"))).await;
    assert_eq!(kind, ErrorKind::BadRequest);
    assert!(message.contains("is about an inference"), "{message}");
    assert!(s.kept(s.inference).await.is_empty());
}

#[tokio::test]
async fn wrong_calls_are_refused() {
    let s = setup("", true).await;
    let (inference, episode) = (Some(s.inference), Some(s.episode));
    let other = new_id();
    for (call, kind, message) in [
        (about("x", inference, None, json!(1)), ErrorKind::NotFound, "Unknown metric: x".to_owned()),
        (
            about("good", inference, None, json!(1)),
            ErrorKind::BadRequest,
            "Feedback value for metric `good` must be a boolean".into(),
        ),
        (
            about("score", None, episode, json!("1")),
            ErrorKind::BadRequest,
            "Feedback value for metric `score` must be a number".into(),
        ),
        (
            about("good", None, episode, json!(true)),
            ErrorKind::BadRequest,
            "metric `good` is about an inference: give `inference_id`, not `episode_id`".into(),
        ),
        (
            about("good", None, None, json!(true)),
            ErrorKind::BadRequest,
            "feedback is about something: give `inference_id` or `episode_id`".into(),
        ),
        (
            about("good", inference, episode, json!(true)),
            ErrorKind::BadRequest,
            "feedback is about one thing: give `inference_id` or `episode_id`, not both".into(),
        ),
        (
            about("good", Some(other), None, json!(true)),
            ErrorKind::BadRequest,
            format!("Inference ID: {other} does not exist"),
        ),
        (
            about("score", None, Some(other), json!(1)),
            ErrorKind::BadRequest,
            format!("Episode ID: {other} does not exist"),
        ),
    ] {
        assert_eq!(s.refused(call).await, (kind, message));
    }
}

#[tokio::test]
async fn a_dry_run_checks_and_keeps_nothing() {
    let s = setup("", true).await;
    let dry = |value| FeedbackCall { dryrun: true, ..about("good", Some(s.inference), None, value) };
    s.engine.feedback(dry(json!(true))).await.unwrap();
    assert_eq!(s.refused(dry(json!(1))).await.0, ErrorKind::BadRequest);
    assert!(s.kept(s.inference).await.is_empty());
}

#[tokio::test]
async fn the_look_for_the_target_can_be_left_out() {
    let s = setup("[gateway]\nunstable_disable_feedback_target_validation = true\n", true).await;
    let other = new_id();
    s.engine.feedback(about("good", Some(other), None, json!(false))).await.unwrap();
    assert_eq!(s.kept(other).await.len(), 1);
    let (_, message) = s.refused(about("demonstration", Some(other), None, json!("a"))).await;
    assert_eq!(message, format!("Inference ID: {other} does not exist"));
}

#[tokio::test]
async fn a_row_on_its_way_is_waited_for() {
    let s = setup("[gateway.observability]\ndurability = \"async\"\n", false).await;
    let late = plain("late");
    let id = late.inference.id;
    let ledger = s.ledger.clone();
    let appending = async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        ledger.append(Entry::Inference(Box::new(late))).wait().await.unwrap();
    };
    let (given, ()) = tokio::join!(s.engine.feedback(about("good", Some(id), None, json!(true))), appending);
    given.unwrap();
}

#[tokio::test]
async fn without_a_ledger_there_is_no_feedback() {
    for engine in [engine("", None), setup("[gateway.observability]\nenabled = false\n", true).await.engine] {
        let error = engine.feedback(about("comment", Some(new_id()), None, json!("a"))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest);
        assert!(error.message().contains("observability is off"), "{error}");
    }
}
