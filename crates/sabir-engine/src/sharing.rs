//! Calls that are answered from the cache, or that share one upstream call.
//!
//! Invariant: each caller has an inference id and a ledger row of its own, committed before the
//! end of its answer goes out, whoever made the upstream call.

use std::sync::Arc;

use sabir_store::{ModelCallRow, Status};
use sabir_types::{Error, Operation, Response, Result, new_id};

use crate::{
    cache::{self, Beginning, Flight, Kept, KeptAnswer},
    call::{Answer, CacheOptions, Call, Content, Facts, Failure, Frame, FrameStream, Summary},
    config::Config,
    engine::Engine,
    outgoing::Prepared,
    pipeline,
    plan::Model,
    record::{Outcome, Recorder},
    stream,
};

/// What a call may read from the cache and keep in it.
pub(crate) fn wanted(config: &Config, call: &Call) -> CacheOptions {
    let settings = &config.gateway.cache;
    // Pictures and sounds are large, and forms are never twice the same.
    let is_kept =
        matches!(call.operation, Operation::Chat | Operation::Embed | Operation::Moderate | Operation::Rerank);
    if !settings.enabled || !is_kept {
        return CacheOptions::default();
    }
    let mut wanted = call.options.cache.unwrap_or(settings.default);
    wanted.write &= !call.options.dryrun;
    wanted
}

/// Runs a call that may be answered by another one's answer.
pub(crate) async fn run(
    engine: Arc<Engine>,
    config: Arc<Config>,
    model: Arc<Model>,
    call: Call,
    wanted: CacheOptions,
) -> Result<Answer, Box<Failure>> {
    let mut prepared = Prepared::new();
    let key = cache::key(&call, &config.hash, &model, || prepared.request(&call.source).and_then(cache::canonical));
    // A request that cannot be read gets its error from the path that tries to.
    let Ok(key) = key else { return pipeline::direct(engine, config, model, call, None).await };
    if wanted.read
        && let Some(kept) = engine.cache().find(&key, wanted.max_age_s)
    {
        return replay(&engine, &config, call, &kept).await;
    }
    if !wanted.write {
        return pipeline::direct(engine, config, model, call, None).await;
    }
    let mut waiting = Some(call);
    let mut begin = || {
        let flight = Flight::new();
        if let Some(call) = waiting.take() {
            let slot = cache::Slot::default();
            let keeper = engine.clone();
            let keep = move |begun, frames, row: Option<ModelCallRow>| {
                let kept = match begun {
                    Beginning::Whole(facts, content, summary) => {
                        Kept::new(*facts, KeptAnswer::Whole(content), *summary, row)
                    }
                    Beginning::Stream(facts) => Kept::new(*facts, KeptAnswer::Stream(frames), Summary::default(), row),
                };
                keeper.cache().keep(key, kept);
            };
            let call = pipeline::direct(engine.clone(), config.clone(), model.clone(), call, Some(slot.clone()));
            flight.drive(call, slot, keep);
        }
        flight
    };
    let (flight, _) = if wanted.read { engine.cache().join(key, begin) } else { (begin(), true) };
    match waiting {
        // It was ours: its row is written where it runs.
        None => match flight.begun().await {
            Err(failure) => Err(Box::new(Failure::clone(&failure))),
            Ok(Beginning::Whole(facts, content, summary)) => Ok(Answer::Whole { facts, content, summary }),
            Ok(Beginning::Stream(facts)) => {
                Ok(Answer::Stream { facts, frames: flight.frames(|frames, _| std::future::ready(frames)) })
            }
        },
        Some(call) => follow(&engine, &config, call, flight).await,
    }
}

/// Answers a call with what another caller's identical call brings.
async fn follow(engine: &Engine, config: &Config, call: Call, flight: Arc<Flight>) -> Result<Answer, Box<Failure>> {
    let mut recorder = pipeline::open(engine, config, &call);
    let durable = pipeline::is_durable(config);
    match flight.begun().await {
        Err(failure) => {
            let mut own = *pipeline::fail(call, None, failure.error.clone(), recorder, durable).await;
            own.protocol = failure.protocol;
            own.attempts.clone_from(&failure.attempts);
            own.headers.clone_from(&failure.headers);
            Err(Box::new(own))
        }
        Ok(Beginning::Whole(facts, content, summary)) => {
            let facts = own_facts(&facts, &call, &recorder);
            whole(&call, facts, content, &summary, flight.call(), &mut recorder, durable).await
        }
        Ok(Beginning::Stream(facts)) => {
            let facts = own_facts(&facts, &call, &recorder);
            recorder.first_event();
            let shared = flight.clone();
            let frames = flight.frames(move |frames, row| {
                // The batch with the end is not the whole answer.
                end(frames, row, recorder, durable, move |_| shared.answer())
            });
            Ok(Answer::Stream { facts, frames })
        }
    }
}

/// Answers a call from the cache.
async fn replay(engine: &Engine, config: &Config, call: Call, kept: &Kept) -> Result<Answer, Box<Failure>> {
    let mut recorder = pipeline::open(engine, config, &call);
    let durable = pipeline::is_durable(config);
    let facts = own_facts(&kept.facts, &call, &recorder);
    match &kept.answer {
        KeptAnswer::Whole(content) => {
            whole(&call, facts, content.clone(), &kept.summary, kept.call.clone(), &mut recorder, durable).await
        }
        KeptAnswer::Stream(frames) => {
            recorder.first_event();
            let frames = end(frames.clone(), kept.call.clone(), recorder, durable, cache::answer_of);
            let frames = futures_util::stream::StreamExt::flat_map(
                futures_util::stream::once(frames),
                futures_util::stream::iter::<Vec<Frame>>,
            );
            Ok(Answer::Stream { facts, frames: FrameStream(Box::pin(frames)) })
        }
    }
}

fn own_facts(facts: &Facts, call: &Call, recorder: &Recorder) -> Box<Facts> {
    Box::new(Facts {
        inference_id: call.id,
        episode_id: call.episode_id,
        cached: true,
        overhead_us: recorder.overhead_us(),
        ..facts.clone()
    })
}

async fn whole(
    call: &Call,
    facts: Box<Facts>,
    content: Content,
    summary: &Summary,
    row: Option<ModelCallRow>,
    recorder: &mut Recorder,
    durable: bool,
) -> Result<Answer, Box<Failure>> {
    let output = match &content {
        Content::Passed { .. } => None,
        Content::Neutral(response) => Some(&**response),
    };
    let summary = summary_of_nothing(summary);
    if let Err(error) = close(recorder, output, row, &summary, durable).await {
        return Err(Box::new(Failure {
            error,
            inference_id: call.id,
            episode_id: call.episode_id,
            attempts: Vec::new(),
            protocol: None,
            headers: http::HeaderMap::new(),
            calls: Vec::new(),
        }));
    }
    Ok(Answer::Whole { facts, content, summary: Box::new(summary) })
}

/// The frames that hold the end, after the row is committed.
async fn end(
    frames: Vec<Frame>,
    row: Option<ModelCallRow>,
    mut recorder: Recorder,
    durable: bool,
    answer: impl FnOnce(&[Frame]) -> Response,
) -> Vec<Frame> {
    let shared = frames.iter().find_map(|frame| match frame {
        Frame::End(summary) => Some(summary.clone()),
        _ => None,
    });
    let summary = summary_of_nothing(&shared.unwrap_or_default());
    let answer = row.as_ref().filter(|row| Some(row.protocol) != recorder.door()).map(|_| answer(&frames));
    if let Err(error) = close(&mut recorder, answer.as_ref(), row, &summary, durable).await {
        return vec![Frame::Error(error), Frame::End(Box::new(summary))];
    }
    let mut frames: Vec<Frame> = frames.into_iter().filter(|frame| !matches!(frame, Frame::End(_))).collect();
    frames.push(Frame::End(Box::new(summary)));
    frames
}

/// What a shared answer cost its second caller.
fn summary_of_nothing(summary: &Summary) -> Summary {
    Summary { usage: cache::nothing(), cost: Some(0.0), calls: Vec::new(), ..summary.clone() }
}

async fn close(
    recorder: &mut Recorder,
    output: Option<&Response>,
    row: Option<ModelCallRow>,
    summary: &Summary,
    durable: bool,
) -> Result<()> {
    // Those who share a failure have failed too.
    let error = row.as_ref().and_then(|row| row.error.as_ref()).map(|(kind, text)| Error::new(*kind, text.as_str()));
    let status = if error.is_some() { Status::Error } else { Status::Ok };
    if let Some(mut row) = row {
        row.id = new_id();
        row.cached = true;
        row.cost = Some(0.0);
        recorder.add_cached(row);
    }
    let outcome =
        Outcome { usage: summary.usage.clone(), cost: summary.cost, finish_reason: summary.finish_reason, error };
    let ack = recorder.close(status, output, &outcome);
    if durable {
        ack.wait().await.map_err(|error| stream::unrecorded(&error))?;
    }
    Ok(())
}
