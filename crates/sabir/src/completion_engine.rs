//! Many prompts for one model: so many at once, so many in a minute, in their order.
//!
//! Invariants: results come in the order of the prompts; no window of time has more calls or
//! tokens than are allowed; what a file of results has is not asked again; leaving ends what runs.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    error::{Error, Result},
    model::{Model, Parameters, Prompt},
    types::{Message, Usage},
};

/// How many prompts there have to be before a bar is shown.
const BAR_FROM: usize = 20;
/// How much of the prompts may be done before the one that is waited for.
const AHEAD: usize = 64;

/// How often a model may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many calls run at once.
    pub at_once: usize,
    /// How many calls begin in a window. Without limit if it is not said.
    pub requests: Option<usize>,
    /// How many tokens are used in a window. Without limit if it is not said.
    pub tokens: Option<u64>,
    /// How long a window is: a minute unless told otherwise.
    pub window: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { at_once: 3, requests: None, tokens: None, window: Duration::from_secs(60) }
    }
}

/// What a prompt that fails does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ErrorMode {
    /// Ends everything.
    #[default]
    Raise,
    /// Is a result like the others.
    Keep,
}

/// Whether a bar shows how far everything is, on the standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bar {
    /// For more than 20 prompts, and in a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How far everything is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many prompts there are.
    pub total: usize,
    /// How many of them are done, those included that failed.
    pub done: usize,
    /// How many of them failed.
    pub failed: usize,
}

/// The result of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Completed {
    /// Which prompt it was, counted from 0.
    pub index: usize,
    /// What tells this prompt, with its model and parameters, from others.
    pub key: String,
    /// What the model says; empty if it failed.
    pub reply: String,
    /// Why the model stopped.
    #[serde(default)]
    pub finish_reason: Option<String>,
    /// The tokens that it took.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

type Listener = Arc<dyn Fn(Progress) + Send + Sync>;

/// Asks a model many things.
#[derive(Clone)]
pub struct CompletionEngine {
    model: Model,
    parameters: Parameters,
    limits: Limits,
    mode: ErrorMode,
    bar: Bar,
    listener: Option<Listener>,
    file: Option<PathBuf>,
    clock: Arc<Mutex<Window>>,
}

impl CompletionEngine {
    /// With the usual limits: three calls at once.
    pub fn new(model: Model) -> Self {
        Self {
            model,
            parameters: Parameters::new(),
            limits: Limits::default(),
            mode: ErrorMode::Raise,
            bar: Bar::Auto,
            listener: None,
            file: None,
            clock: Arc::default(),
        }
    }

    /// The parameters of every call.
    #[must_use]
    pub fn parameters(mut self, parameters: Parameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// How often the model may be asked. They count for all runs of this engine together.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How many calls run at once.
    #[must_use]
    pub fn at_once(mut self, calls: usize) -> Self {
        self.limits.at_once = calls;
        self
    }

    /// How many calls begin in a minute.
    #[must_use]
    pub fn requests_per_minute(mut self, calls: usize) -> Self {
        self.limits.requests = Some(calls);
        self
    }

    /// How many tokens are used in a minute.
    #[must_use]
    pub fn tokens_per_minute(mut self, tokens: u64) -> Self {
        self.limits.tokens = Some(tokens);
        self
    }

    /// What a prompt that fails does.
    #[must_use]
    pub fn on_error(mut self, mode: ErrorMode) -> Self {
        self.mode = mode;
        self
    }

    /// Whether a bar shows how far everything is.
    #[must_use]
    pub fn bar(mut self, bar: Bar) -> Self {
        self.bar = bar;
        self
    }

    /// Tells how far everything is, whenever something is done.
    #[must_use]
    pub fn on_progress(mut self, listener: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Keeps the results in a file, a JSON object in each line, and does not ask again what is in
    /// it: the same prompt at the same place, of the same model with the same parameters. What
    /// failed is not kept.
    #[must_use]
    pub fn resume(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Asks all of it: a stream of the results, in the order of the prompts. Nothing is asked before
    /// the stream is read. Needs a tokio runtime.
    pub fn run(&self, prompts: impl IntoIterator<Item = impl Into<Prompt>>) -> Result<Completions> {
        let prompts: Vec<Prompt> = prompts.into_iter().map(Into::into).collect();
        let Limits { at_once, requests, tokens, .. } = self.limits;
        if at_once == 0 || requests == Some(0) || tokens == Some(0) {
            return Err(Error::Config("a limit of 0 lets nothing through".to_owned()));
        }
        let known = self.file.as_deref().map(read).transpose()?.unwrap_or_default();
        let file = self.file.as_deref().map(opened).transpose()?;
        let progress = Progress { total: prompts.len(), ..Progress::default() };
        let shows = match self.bar {
            Bar::Always => true,
            Bar::Never => false,
            Bar::Auto => prompts.len() > BAR_FROM && std::io::stderr().is_terminal(),
        };
        Ok(Completions {
            engine: self.clone(),
            waiting: prompts.into_iter().enumerate().collect(),
            known,
            file,
            running: JoinSet::new(),
            held: BTreeMap::new(),
            next: 0,
            progress,
            shows,
        })
    }

    /// The same, all at once at the end.
    pub async fn run_all(&self, prompts: impl IntoIterator<Item = impl Into<Prompt>>) -> Result<Vec<Completed>> {
        let mut stream = self.run(prompts)?;
        let mut all = Vec::new();
        while let Some(result) = stream.next().await {
            all.push(result?);
        }
        Ok(all)
    }

    fn key(&self, prompt: &Prompt) -> String {
        let parameters = self.parameters.over(self.model.parameters());
        let text = format!("{}\n{:?}\n{}", self.model.id(), parameters, serde_json::json!(prompt.0));
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Asks one thing, when it may.
    async fn complete(self, index: usize, prompt: Prompt, key: String) -> (usize, Result<Completed>) {
        let guess = self.limits.tokens.map_or(0, |_| guess(&prompt.0));
        let place = self.turn(guess).await;
        let output = self.model.complete_with(prompt, &self.parameters).await;
        let result = output.map(|output| {
            if let Some(usage) = &output.usage {
                self.clock.lock().correct(place, usage.total_tokens);
            }
            let (reply, finish_reason, usage) = (output.reply, output.finish_reason, output.usage);
            Completed { index, key, reply, finish_reason, usage, error: None }
        });
        (index, result)
    }

    /// Waits until a call of about so many tokens may begin.
    async fn turn(&self, tokens: u64) -> u64 {
        loop {
            let wait = match self.clock.lock().enter(Instant::now(), tokens, &self.limits) {
                Ok(place) => return place,
                Err(wait) => wait,
            };
            tokio::time::sleep_until(wait).await;
        }
    }
}

/// The calls of the last window.
#[derive(Debug, Default)]
struct Window {
    calls: VecDeque<(Instant, u64, u64)>,
    last: u64,
}

impl Window {
    /// Lets a call begin, or says when to ask again.
    fn enter(&mut self, now: Instant, tokens: u64, limits: &Limits) -> Result<u64, Instant> {
        while self.calls.front().is_some_and(|(begun, ..)| *begun + limits.window <= now) {
            self.calls.pop_front();
        }
        if let Some((begun, ..)) = self.calls.front() {
            let used: u64 = self.calls.iter().map(|(.., tokens)| tokens).sum();
            let is_full = limits.requests.is_some_and(|most| self.calls.len() >= most)
                || limits.tokens.is_some_and(|most| used + tokens > most);
            if is_full {
                return Err(*begun + limits.window);
            }
        }
        self.last += 1;
        self.calls.push_back((now, self.last, tokens));
        Ok(self.last)
    }

    /// What a call really took.
    fn correct(&mut self, place: u64, tokens: u64) {
        if let Some(call) = self.calls.iter_mut().find(|(_, known, _)| *known == place) {
            call.2 = tokens;
        }
    }
}

/// About how many tokens a prompt and its answer have.
fn guess(messages: &[Message]) -> u64 {
    messages.iter().map(|message| message.text().len() as u64 / 4 + 8).sum()
}

/// The results that a file has.
fn read(path: &Path) -> Result<BTreeMap<usize, Completed>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(Error::Config(format!("`{}` cannot be read: {error}", path.display()))),
    };
    // The last line may be cut off where a program was stopped: it is asked again.
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Completed>(line).ok());
    Ok(lines.map(|result| (result.index, result)).collect())
}

fn opened(path: &Path) -> Result<std::fs::File> {
    let failed = |error: std::io::Error| Error::Config(format!("`{}` cannot be written: {error}", path.display()));
    let is_cut_off = std::fs::read(path).is_ok_and(|text| text.last().is_some_and(|last| *last != b'\n'));
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    if is_cut_off {
        file.write_all(b"\n").map_err(failed)?;
    }
    Ok(file)
}

/// The results of many prompts, in their order: a stream. Dropping it ends what runs.
pub struct Completions {
    engine: CompletionEngine,
    waiting: VecDeque<(usize, Prompt)>,
    known: BTreeMap<usize, Completed>,
    file: Option<std::fs::File>,
    running: JoinSet<(usize, Result<Completed>)>,
    held: BTreeMap<usize, Result<Completed>>,
    next: usize,
    progress: Progress,
    shows: bool,
}

impl Completions {
    /// The next result; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Completed>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// How far everything is.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    fn begin(&mut self) {
        let most = self.engine.limits.at_once;
        while self.running.len() < most
            && let Some((index, _)) = self.waiting.front()
            && *index < self.next + most.max(AHEAD)
            && let Some((index, prompt)) = self.waiting.pop_front()
        {
            let key = self.engine.key(&prompt);
            match self.known.remove(&index).filter(|known| known.key == key) {
                Some(known) => self.done(index, Ok(known)),
                None => drop(self.running.spawn(self.engine.clone().complete(index, prompt, key))),
            }
        }
    }

    fn came(&mut self, index: usize, result: Result<Completed>) {
        let written = match (&mut self.file, &result) {
            (Some(file), Ok(result)) => {
                let line = serde_json::to_string(result).unwrap_or_default() + "\n";
                file.write_all(line.as_bytes()).and_then(|()| file.flush())
            }
            _ => Ok(()),
        };
        let result = match written {
            Ok(()) => result,
            Err(error) => Err(Error::Waiting(format!("a result cannot be kept: {error}"))),
        };
        self.done(index, result);
    }

    fn done(&mut self, index: usize, result: Result<Completed>) {
        self.progress.done += 1;
        self.progress.failed += usize::from(result.is_err());
        if let Some(listener) = &self.engine.listener {
            listener(self.progress);
        }
        if self.shows {
            self.show();
        }
        self.held.insert(index, result);
    }

    fn show(&self) {
        const WIDTH: usize = 40;
        let Progress { total, done, failed } = self.progress;
        let full = done * WIDTH / total.max(1);
        let end = if done == total { "\n" } else { "" };
        let errors = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        let bar = format!("\r[{}{}] {done}/{total}{errors}{end}", "=".repeat(full), " ".repeat(WIDTH - full));
        // A bar that cannot be shown is no reason to stop.
        drop(std::io::stderr().write_all(bar.as_bytes()));
    }
}

impl Stream for Completions {
    type Item = Result<Completed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            this.begin();
            if let Some(result) = this.held.remove(&this.next) {
                let index = this.next;
                this.next += 1;
                return Poll::Ready(Some(match (result, this.engine.mode) {
                    (Ok(result), _) => Ok(result),
                    (Err(error), ErrorMode::Raise) => {
                        this.waiting.clear();
                        this.held.clear();
                        this.running.abort_all();
                        this.running = JoinSet::new();
                        Err(error)
                    }
                    (Err(error), ErrorMode::Keep) => {
                        let (key, reply, error) = (String::new(), String::new(), Some(error.to_string()));
                        Ok(Completed { index, key, reply, finish_reason: None, usage: None, error })
                    }
                }));
            }
            match this.running.poll_join_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Ok((index, result)))) => this.came(index, result),
                Poll::Ready(Some(Err(error))) => {
                    this.waiting.clear();
                    return Poll::Ready(Some(Err(Error::Waiting(format!("a prompt was given up: {error}")))));
                }
            }
        }
    }
}

impl fmt::Debug for CompletionEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionEngine")
            .field("model", &self.model)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions").field("progress", &self.progress).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_no_more_than_it_may() {
        let start = Instant::now();
        let limits =
            Limits { requests: Some(2), tokens: Some(100), window: Duration::from_secs(10), ..Limits::default() };
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut window = Window::default();
        let first = window.enter(at(0), 30, &limits).unwrap();
        assert_eq!(window.enter(at(1), 80, &limits), Err(at(10)));
        window.correct(first, 10);
        window.enter(at(1), 80, &limits).unwrap();
        assert_eq!(window.enter(at(2), 1, &limits), Err(at(10)));
        window.enter(at(10), 1, &limits).unwrap();
        // What is too much for any window goes alone, or it would never go.
        window.enter(at(30), 500, &limits).unwrap();
    }
}
