//! The list of providers, in its three forms.

use std::{fs, path::Path};

use sabir_providers::find;

use super::*;

fn said(args: &ProvidersArgs, env: &Env) -> String {
    let mut out = Vec::new();
    run(args, env, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn env() -> Env {
    Env::of([("GROQ_API_KEY", "hidden-away"), ("COHERE_API_KEY", "hidden-too"), ("XAI_API_KEY", " ")])
}

#[test]
fn the_page_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers.md");
    let page = said(&ProvidersArgs { markdown: true, ..ProvidersArgs::default() }, &Env::of([("GROQ_API_KEY", "k")]));
    let kept = fs::read_to_string(path).unwrap();
    assert!(kept == page, "docs/providers.md is not up to date: sabir providers --markdown > docs/providers.md");
}

#[test]
fn the_table_says_whether_there_is_a_key_and_never_which() {
    let text = said(&ProvidersArgs::default(), &env());
    let line = |id: &str| text.lines().find(|line| line.split(' ').next() == Some(id)).unwrap().to_owned();
    assert!(line("groq").contains("GROQ_API_KEY") && line("groq").contains("present"), "{}", line("groq"));
    assert!(line("cohere").contains("COHERE_API_KEY") && line("cohere").contains("present"), "{}", line("cohere"));
    assert!(line("xai").contains("missing"), "{}", line("xai"));
    assert!(line("llama_cpp").contains("not needed"), "{}", line("llama_cpp"));
    assert!(!text.contains("hidden"), "{text}");
    assert_eq!(text.lines().count(), all().len() + 1);
}

#[test]
fn programs_get_objects() {
    let text = said(&ProvidersArgs { json: true, ..ProvidersArgs::default() }, &env());
    let list: Vec<Value> = serde_json::from_str(&text).unwrap();
    let of = |id: &str| list.iter().find(|one| one["id"] == id).unwrap();
    assert_eq!(of("qianfan")["aliases"], json!(["wenxin"]));
    assert_eq!(of("groq")["key"], json!({"variables": ["GROQ_API_KEY"], "required": true, "present": true}));
    assert_eq!(
        (&of("perplexity")["abilities"]["tools"], &of("groq")["abilities"]["tools"]),
        (&json!(false), &json!(true))
    );
    assert!(!text.contains("hidden"), "{text}");
}

#[test]
fn what_serves_now_can_be_called() {
    for old in OLD_MODELS {
        let (id, model) = old.now.split_once("::").unwrap();
        let spec = find(id).unwrap().spec();
        assert!(spec.shorthand && !model.is_empty(), "{old:?}");
        let known = find(old.provider).is_some() || ALIASES.iter().any(|(alias, _)| *alias == old.provider);
        assert!(known, "`{}` stands for nobody", old.provider);
    }
}
