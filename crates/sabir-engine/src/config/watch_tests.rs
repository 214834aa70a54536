//! Changes are seen once, bad ones too, and nothing runs on after the watcher is gone.

use std::{
    fs,
    sync::mpsc::{TryRecvError, channel},
    time::Duration,
};

use super::*;

#[test]
fn a_change_is_told_once_and_a_bad_one_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.toml");
    fs::write(&path, "[gateway]\nstrict = false\n").unwrap();
    let sources = vec![Source::Files(dir.path().join("*.toml").to_str().unwrap().to_owned())];
    let (tell, told) = channel();
    let watcher = watch(sources, Env::default(), move |config| {
        let _ = tell.send(config.map(|config| config.gateway.strict).map_err(|problems| problems.to_string()));
    });
    let patience = Duration::from_secs(20);
    // As long as before: only the contents tell.
    fs::write(&path, "[gateway]\nstrict = true \n").unwrap();
    assert_eq!(told.recv_timeout(patience).unwrap(), Ok(true));
    fs::write(dir.path().join("b.toml"), "[gateway]\nstrict = false\n").unwrap();
    let problems = told.recv_timeout(patience).unwrap().unwrap_err();
    assert!(problems.contains("b.toml:2:1: gateway.strict: duplicate key"), "{problems}");
    fs::remove_file(dir.path().join("b.toml")).unwrap();
    assert_eq!(told.recv_timeout(patience).unwrap(), Ok(true));
    drop(watcher);
    assert_eq!(told.try_recv(), Err(TryRecvError::Disconnected), "the callback is gone with the watcher");
}
