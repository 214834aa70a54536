//! Tells when the files of a configuration change.
//!
//! Invariant: a change is reported once, when the files have come to rest; a load that fails is
//! reported like one that works.

use std::{
    fmt, fs,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{Config, Source, env::Env, load, problem::Problems};

/// How often to look.
const EVERY: Duration = Duration::from_secs(1);
/// How long files have to stay as they are before they are read: editors write in several steps.
const REST: Duration = Duration::from_millis(100);

/// Watches until it is dropped.
pub struct Watcher {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("running", &self.thread.is_some()).finish()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop = None;
        // The callback may hold the watcher itself; a thread cannot wait for its own end.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the watcher of the configuration files has panicked");
        }
    }
}

/// Looks at the files of these sources once a second and loads them anew after each change.
pub fn watch(sources: Vec<Source>, env: Env, on_change: impl Fn(Result<Config, Problems>) + Send + 'static) -> Watcher {
    let (stop, stopped) = mpsc::channel();
    let mut last = fingerprint(&sources);
    let run = move || {
        while !waits(&stopped, EVERY) {
            let mut now = fingerprint(&sources);
            if now == last {
                continue;
            }
            loop {
                if waits(&stopped, REST) {
                    return;
                }
                let later = fingerprint(&sources);
                if later == now {
                    break;
                }
                now = later;
            }
            // Changed and changed back: there is nothing to tell.
            if now != last {
                last = now;
                on_change(Config::load(&sources, &env));
            }
        }
    };
    let thread = match thread::Builder::new().name("sabir-config".to_owned()).spawn(run) {
        Ok(thread) => Some(thread),
        Err(error) => {
            tracing::error!(%error, "configuration files are not watched: no thread can be started");
            None
        }
    };
    Watcher { stop: Some(stop), thread }
}

/// Waits; `true` if the watcher was dropped meanwhile.
fn waits(stopped: &Receiver<()>, time: Duration) -> bool {
    stopped.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
}

/// A hash over names and contents. Sizes and times can stay the same when a file changes, and
/// these files are small.
fn fingerprint(sources: &[Source]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let mut add = |part: &[u8]| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    for source in sources {
        let Source::Files(pattern) = source else { continue };
        match load::files(pattern) {
            Ok(paths) => {
                for path in paths {
                    add(path.as_os_str().as_encoded_bytes());
                    match fs::read(&path) {
                        Ok(bytes) => add(&bytes),
                        Err(error) => add(error.kind().to_string().as_bytes()),
                    }
                }
            }
            Err(why) => add(why.as_bytes()),
        }
    }
    hasher.finalize()
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
