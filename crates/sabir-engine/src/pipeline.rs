//! One call from beginning to end: plan, cache, attempt, record.
//!
//! Invariants: a call ends in one answer or one failure and in one ledger row; what a caller sees
//! of an answer's end is committed (if the ledger is durable); a target is tried again only for
//! errors that may pass.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::HeaderMap;
use sabir_store::Status;
use sabir_types::{Error, ErrorKind, Result};

use crate::{
    attempt::{self, Got, Late, Limits},
    backoff,
    cache::Slot,
    call::{Answer, Call, Content, Facts, Failure, Summary},
    config::{Config, Durability},
    engine::Engine,
    outgoing::Prepared,
    plan::{Endpoint, Model},
    record::{Outcome, Recorder},
    sharing,
    stream::{self, Begun},
};

/// How long opening a connection may take unless the configuration says otherwise.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);

/// Runs one call.
pub(crate) async fn run(engine: Arc<Engine>, call: Call) -> Result<Answer, Box<Failure>> {
    let config = engine.config();
    let model = match config.model(call.operation, &call.model) {
        Ok(model) => model,
        Err(error) => {
            let recorder = open(&engine, &config, &call);
            return Err(fail(call, None, error, recorder, is_durable(&config)).await);
        }
    };
    let wanted = sharing::wanted(&config, &call);
    if wanted.read || wanted.write {
        // What is shared is one allocation away from the path that is not.
        return Box::pin(sharing::run(engine, config, model, call, wanted)).await;
    }
    direct(engine, config, model, call, None).await
}

/// Runs one call that nobody else shares, or the one that they share.
pub(crate) async fn direct(
    engine: Arc<Engine>,
    config: Arc<Config>,
    model: Arc<Model>,
    call: Call,
    slot: Option<Slot>,
) -> Result<Answer, Box<Failure>> {
    let durable = is_durable(&config);
    let mut recorder = open(&engine, &config, &call);
    recorder.share(slot);
    match reach(&engine, &config, &model, &call, &mut recorder).await {
        Err(error) => Err(fail(call, Some(&model), error, recorder, durable).await),
        Ok(reached) => answer(engine, &config, call, reached, recorder, durable).await,
    }
}

/// Whether an answer waits for its row.
pub(crate) fn is_durable(config: &Config) -> bool {
    config.gateway.durability == Durability::Durable
}

/// Opens the row of a call, in the ledger that the configuration and the call ask for.
pub(crate) fn open(engine: &Engine, config: &Config, call: &Call) -> Recorder {
    let keeps = !call.options.dryrun && config.gateway.durability != Durability::Off;
    Recorder::open(call, if keeps { engine.ledger().cloned() } else { None })
}

/// A target that answered.
struct Reached {
    endpoint: Arc<Endpoint>,
    got: Got,
    /// When its stream has to be over.
    deadline: Option<Instant>,
}

/// A target that is being tried. Its circuit always hears how that went, also when the caller leaves.
struct Trying<'a> {
    engine: &'a Engine,
    endpoint: &'a Endpoint,
    told: bool,
}

impl<'a> Trying<'a> {
    fn new(engine: &'a Engine, endpoint: &'a Endpoint) -> Self {
        Self { engine, endpoint, told: false }
    }

    fn ends(mut self, error: Option<&Error>) {
        self.told = true;
        self.engine.verdict(self.endpoint, error);
    }

    /// The stream says it when it is over.
    fn goes_on(mut self) {
        self.told = true;
    }
}

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        if !self.told {
            let left = Error::new(ErrorKind::Cancelled, "the caller left before the end");
            self.engine.verdict(self.endpoint, Some(&left));
        }
    }
}

/// Tries the targets of a model in order, and all of them again after a pause, until one answers.
async fn reach(
    engine: &Arc<Engine>,
    config: &Config,
    model: &Model,
    call: &Call,
    recorder: &mut Recorder,
) -> Result<Reached> {
    let mut prepared = Prepared::new();
    let strict = call.options.strict.unwrap_or(config.gateway.strict);
    let total = total(config, model, call.stream);
    let deadline = total.map(|total| call.started + total);
    let mut targets: Vec<Arc<Endpoint>> = model.routing.clone();
    let mut tries = 0;
    // Circuits choose between targets; when they leave none, the first is tried all the same.
    let mut choosing = true;
    loop {
        let mut again = Vec::new();
        let mut last = None;
        for endpoint in &targets {
            if choosing && !engine.allows(endpoint) {
                continue;
            }
            let trying = Trying::new(engine, endpoint);
            let begun = Instant::now();
            let limits = limits(config, model, endpoint, call.stream, total.zip(deadline), begun);
            let tried = attempt::attempt(engine, call, &mut prepared, endpoint, strict, limits, recorder).await;
            let error = match tried {
                Ok(got) => {
                    match got {
                        Got::Whole { .. } => trying.ends(None),
                        Got::Stream { .. } => trying.goes_on(),
                    }
                    let own = endpoint.timeouts.stream_total.map(|total| begun + total);
                    let deadline = [own, deadline].into_iter().flatten().min();
                    return Ok(Reached { endpoint: endpoint.clone(), got, deadline });
                }
                Err(error) => error,
            };
            trying.ends(Some(&error));
            tracing::debug!(model = %model.name, provider = %endpoint.name, kind = error.kind().as_str(), %error, "a try failed");
            recorder.tried(endpoint, &error);
            if !error.kind().may_fall_back() {
                return Err(error);
            }
            if error.is_retryable() {
                again.push(endpoint.clone());
            }
            let late = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if late {
                return Err(error);
            }
            last = Some(error);
        }
        if last.is_none() && choosing {
            choosing = false;
            targets.truncate(1);
            continue;
        }
        choosing = false;
        let Some(error) = last else {
            return Err(Error::new(ErrorKind::Config, format!("model `{}` has no provider to go to", model.name)));
        };
        if again.is_empty() || tries >= model.retries.num_retries {
            return Err(error);
        }
        let Some(pause) = backoff::pause(&error, tries, model.retries.max_delay, rand::random()) else {
            return Err(error);
        };
        if deadline.is_some_and(|deadline| Instant::now() + pause >= deadline) {
            return Err(error);
        }
        attempt::pause(pause).await;
        tries += 1;
        targets = again;
    }
}

/// The limit on the whole call.
fn total(config: &Config, model: &Model, stream: bool) -> Option<Duration> {
    let pick = |t: &crate::plan::Timeouts| if stream { t.stream_total } else { t.total };
    pick(&model.timeouts).or_else(|| pick(&config.gateway.timeouts))
}

fn limits(
    config: &Config,
    model: &Model,
    endpoint: &Endpoint,
    stream: bool,
    whole: Option<(Duration, Instant)>,
    now: Instant,
) -> Limits {
    let tables = [&endpoint.timeouts, &model.timeouts, &config.gateway.timeouts];
    let connect = tables.iter().find_map(|t| t.connect).unwrap_or(CONNECT);
    let first = |pick: fn(&crate::plan::Timeouts) -> Option<Duration>| tables.iter().find_map(|t| pick(t));
    let (own, what) = if stream {
        (first(|t| t.first_event).or_else(|| first(|t| t.stream_total)), "the first event")
    } else {
        (first(|t| t.total), "the answer")
    };
    let whole = whole.map(|(total, deadline)| (deadline.saturating_duration_since(now), Late::Call(total)));
    let own = own.map(|own| (own, Late::Target(own, what)));
    let nearest = [own, whole].into_iter().flatten().min_by_key(|(wait, _)| *wait);
    let (answer, why) = nearest.map_or((None, Late::Call(Duration::ZERO)), |(wait, why)| (Some(wait), why));
    Limits { connect, answer, why }
}

async fn answer(
    engine: Arc<Engine>,
    config: &Config,
    call: Call,
    Reached { endpoint, got, deadline }: Reached,
    mut recorder: Recorder,
    durable: bool,
) -> Result<Answer, Box<Failure>> {
    let variant_name = call.options.variant_name.clone().unwrap_or_else(|| call.model.clone());
    let facts = |headers: HeaderMap, warnings, recorder: &Recorder| {
        Box::new(Facts {
            inference_id: call.id,
            episode_id: call.episode_id,
            variant_name: variant_name.clone(),
            model_name: endpoint.model.clone(),
            provider_name: endpoint.name.clone(),
            provider_type: endpoint.provider.spec().id,
            headers,
            cached: false,
            warnings,
            overhead_us: recorder.overhead_us(),
        })
    };
    match got {
        Got::Whole { headers, content, outcome, warnings } => {
            let (usage, cost) = recorder.totals();
            let calls = if call.options.include_raw { recorder.raw_calls() } else { Vec::new() };
            let facts = facts(headers, warnings, &recorder);
            let output = match &content {
                Content::Passed { .. } => None,
                Content::Neutral(response) => Some(&**response),
            };
            let finish_reason = outcome.finish_reason;
            let total = Outcome { usage: usage.clone(), cost, finish_reason, error: None };
            let ack = recorder.close(Status::Ok, output, &total);
            if durable && let Err(error) = ack.wait().await {
                return Err(lost(&call, &endpoint, stream::unrecorded(&error)));
            }
            let summary = Box::new(Summary { usage, cost, finish_reason, calls, answer: None });
            Ok(Answer::Whole { facts, content, summary })
        }
        Got::Stream { headers, first, feed, seen, warnings } => {
            let facts = facts(headers, warnings, &recorder);
            let tables = [&endpoint.timeouts, &config.gateway.timeouts];
            let between = tables.iter().find_map(|t| t.between_events);
            let frames = stream::run(Begun {
                protocol: recorder.protocol().unwrap_or(call.door),
                engine,
                recorder,
                first,
                feed,
                seen,
                between,
                deadline,
                include_raw: call.options.include_raw,
                include_answer: call.options.include_answer,
                durable,
                endpoint,
            });
            Ok(Answer::Stream { facts, frames })
        }
    }
}

fn lost(call: &Call, endpoint: &Endpoint, error: Error) -> Box<Failure> {
    Box::new(Failure {
        attempts: vec![(endpoint.name.clone(), error.clone())],
        error,
        inference_id: call.id,
        episode_id: call.episode_id,
        protocol: None,
        headers: HeaderMap::new(),
        calls: Vec::new(),
    })
}

/// Closes the row of a call that came to nothing.
pub(crate) async fn fail(
    call: Call,
    model: Option<&Model>,
    error: Error,
    mut recorder: Recorder,
    durable: bool,
) -> Box<Failure> {
    if error.kind() == ErrorKind::Internal {
        tracing::error!(%error, model = %call.model, "a call failed inside the gateway");
    }
    let (usage, cost) = recorder.totals();
    let calls = if call.options.include_raw { recorder.raw_calls() } else { Vec::new() };
    let (attempts, protocol) = recorder.take_tried();
    let headers = recorder.take_headers();
    let outcome = Outcome { usage, cost, finish_reason: None, error: Some(error.clone()) };
    let ack = recorder.close(Status::Error, None, &outcome);
    if durable && let Err(lost) = ack.wait().await {
        // The caller's own error says more than that it could not be written down.
        tracing::error!(error = %lost, "a failed call could not be recorded");
    }
    tracing::debug!(model = model.map_or(call.model.as_str(), |model| &model.name), %error, "a call failed");
    Box::new(Failure { error, inference_id: call.id, episode_id: call.episode_id, attempts, protocol, headers, calls })
}
