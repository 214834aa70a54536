//! The ledger row of a call, filled in as the call goes on.
//!
//! Invariant: every call that reached the pipeline leaves exactly one row, also when its future
//! is dropped half-way: then what was received so far is recorded as cancelled.

use std::{sync::Arc, time::Instant};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use memchr::memmem;
use sabir_store::{Ack, Entry, InferenceRow, Ledger, ModelCallRow, Record, Status};
use sabir_types::{Error, ErrorKind, FinishReason, Operation, Protocol, Response, Result, Usage, Value, new_id};

use crate::{
    cache::Slot,
    call::{Call, RawCall},
    hide,
    plan::Endpoint,
};

/// How a model call or a whole call ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    pub(crate) usage: Usage,
    pub(crate) cost: Option<f64>,
    pub(crate) finish_reason: Option<FinishReason>,
    pub(crate) error: Option<Error>,
}

/// A row in the making.
pub(crate) struct Recorder(Option<Box<Open>>);

struct Open {
    ledger: Option<Arc<dyn Ledger>>,
    started: Instant,
    row: InferenceRow,
    calls: Vec<ModelCallRow>,
    current: Option<Current>,
    /// The caller's body, kept until it is known whether the first model call holds the same.
    body: Bytes,
    upstream_us: u64,
    settled: bool,
    /// The headers of the last answer with a failure status.
    failure_headers: HeaderMap,
    /// What went wrong at each provider.
    tried: Vec<(Arc<str>, Error)>,
    /// Where the model call that answered is left for those who share it.
    slot: Option<Slot>,
}

struct Current {
    row: ModelCallRow,
    started: Instant,
    chunks: Vec<Bytes>,
}

impl Recorder {
    /// Opens the row of a call; `None` as ledger keeps nothing (a dry run).
    pub(crate) fn open(call: &Call, ledger: Option<Arc<dyn Ledger>>) -> Self {
        let row = InferenceRow {
            id: call.id,
            episode_id: call.episode_id,
            door: call.door,
            operation: call.operation,
            function_name: call.options.function_name.clone().unwrap_or_else(|| "tensorzero::default".into()),
            variant_name: call.model.clone(),
            model: call.asked.clone(),
            input: None,
            output: None,
            tags: call.options.tags.clone(),
            usage: Usage::default(),
            cost: None,
            stream: call.stream,
            cached: false,
            ttft_us: None,
            total_us: 0,
            caller: call.caller.as_deref().map(str::to_owned),
            finish_reason: None,
            status: Status::Ok,
            error: None,
        };
        // What is meant for a provider's door lock is not for the ledger.
        let body = hide::in_request(call.source.body().clone(), &call.options.credentials);
        Self::of(row, call.started, body, ledger)
    }

    /// Opens a row that is filled in already as far as it is known; `body` is the caller's.
    pub(crate) fn of(row: InferenceRow, started: Instant, body: Bytes, ledger: Option<Arc<dyn Ledger>>) -> Self {
        Self(Some(Box::new(Open {
            ledger,
            started,
            row,
            calls: Vec::new(),
            current: None,
            body,
            upstream_us: 0,
            settled: false,
            failure_headers: HeaderMap::new(),
            tried: Vec::new(),
            slot: None,
        })))
    }

    /// One that keeps nothing.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Which model a relayed call is about, by the caller's word for it, and who answers it.
    pub(crate) fn about(&mut self, model: &str, endpoint: &Endpoint) {
        if let Some(open) = &mut self.0 {
            model.clone_into(&mut open.row.model);
            let variant = if endpoint.model.is_empty() { model } else { &endpoint.model };
            variant.clone_into(&mut open.row.variant_name);
        }
    }

    /// Whether the answer comes as events, where only its head says so.
    pub(crate) fn streamed(&mut self, is_so: bool) {
        if let Some(open) = &mut self.0 {
            open.row.stream = is_so;
        }
    }

    /// Leaves the model call that answers in this place too.
    pub(crate) fn share(&mut self, slot: Option<Slot>) {
        if let Some(open) = &mut self.0 {
            open.slot = slot;
        }
    }

    /// A model call begins.
    pub(crate) fn begin(&mut self, endpoint: &Endpoint, protocol: Protocol) {
        let Some(open) = &mut self.0 else { return };
        let row = ModelCallRow {
            id: new_id(),
            inference_id: open.row.id,
            model_name: endpoint.model.to_string(),
            provider_name: endpoint.name.to_string(),
            provider_type: endpoint.provider.spec().id,
            protocol,
            raw_request: Bytes::new(),
            raw_response: Bytes::new(),
            http_status: None,
            request_id: None,
            usage: Usage::default(),
            cost: None,
            cached: false,
            ttft_us: None,
            total_us: 0,
            finish_reason: None,
            status: Status::Ok,
            error: None,
        };
        open.current = Some(Current { row, started: Instant::now(), chunks: Vec::new() });
    }

    /// What is sent. `passed`: the caller's own body but for the model's name.
    pub(crate) fn sent(&mut self, body: Bytes, passed: bool) {
        let Some(open) = &mut self.0 else { return };
        if open.calls.is_empty() {
            open.row.input = if passed { None } else { Some(open.body.clone()) };
        }
        if let Some(current) = &mut open.current {
            current.row.raw_request = body;
        }
    }

    /// The provider's answer begins.
    pub(crate) fn answered(&mut self, status: u16, request_id: Option<String>) {
        if let Some(current) = self.current() {
            current.row.http_status = Some(status);
            current.row.request_id = request_id;
        }
    }

    /// More of the provider's answer.
    pub(crate) fn received(&mut self, bytes: Bytes) {
        if let Some(current) = self.current() {
            current.chunks.push(bytes);
        }
    }

    /// The headers of an answer with a failure status, for the door.
    pub(crate) fn keep_headers(&mut self, headers: &HeaderMap) {
        if let Some(open) = &mut self.0 {
            open.failure_headers = headers.clone();
        }
    }

    /// A try failed.
    pub(crate) fn tried(&mut self, endpoint: &Endpoint, error: &Error) {
        if let Some(open) = &mut self.0 {
            open.tried.push((endpoint.name.clone(), error.clone()));
        }
    }

    /// Hands out what went wrong at each provider, and the protocol of the last one.
    pub(crate) fn take_tried(&mut self) -> (Vec<(Arc<str>, Error)>, Option<Protocol>) {
        let Some(open) = &mut self.0 else { return (Vec::new(), None) };
        (std::mem::take(&mut open.tried), open.calls.last().map(|call| call.protocol))
    }

    /// Hands those headers out.
    pub(crate) fn take_headers(&mut self) -> HeaderMap {
        self.0.as_mut().map(|open| std::mem::take(&mut open.failure_headers)).unwrap_or_default()
    }

    /// Reads the last events of the stream so far: those in the last `size` bytes.
    pub(crate) fn tail(&mut self, size: usize, read: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let Some(current) = self.current() else { return Ok(()) };
        let all: usize = current.chunks.iter().map(Bytes::len).sum();
        if all <= size {
            if let [only] = current.chunks.as_slice() {
                return read(only);
            }
            let whole = join(std::mem::take(&mut current.chunks));
            current.chunks.push(whole.clone());
            return read(&whole);
        }
        let mut from = current.chunks.len();
        let mut have = 0;
        while have < size {
            from -= 1;
            have += current.chunks[from].len();
        }
        let tail = join(current.chunks[from..].to_vec());
        // The first event may be cut in the middle: begin after it.
        let begin = [b"\n\n".as_slice(), b"\r\n\r\n"]
            .iter()
            .filter_map(|end| memmem::find(&tail, end).map(|at| at + end.len()))
            .min()
            .unwrap_or(0);
        read(&tail[begin..])
    }

    /// The first event of a stream is there.
    pub(crate) fn first_event(&mut self) {
        let Some(open) = &mut self.0 else { return };
        if open.row.ttft_us.is_none() {
            open.row.ttft_us = Some(micros(open.started));
        }
        if let Some(current) = &mut open.current
            && current.row.ttft_us.is_none()
        {
            current.row.ttft_us = Some(micros(current.started));
        }
    }

    /// The model call ended.
    pub(crate) fn end(&mut self, outcome: &Outcome) {
        if let Some(open) = &mut self.0 {
            let status = if outcome.error.is_some() { Status::Error } else { Status::Ok };
            open.end(outcome, status);
        }
    }

    /// A model call that was answered from the cache or by another caller's identical call.
    pub(crate) fn add_cached(&mut self, mut call: ModelCallRow) {
        if let Some(open) = &mut self.0 {
            call.inference_id = open.row.id;
            if open.calls.is_empty() {
                open.row.input = Some(open.body.clone());
            }
            open.row.cached = true;
            open.calls.push(call);
        }
    }

    /// Microseconds since the call came in that were not spent waiting for providers.
    pub(crate) fn overhead_us(&self) -> u64 {
        let Some(open) = &self.0 else { return 0 };
        let waiting = open.current.as_ref().map_or(0, |current| micros(current.started));
        micros(open.started).saturating_sub(open.upstream_us + waiting)
    }

    /// The model calls as the caller may see them.
    pub(crate) fn raw_calls(&self) -> Vec<RawCall> {
        let Some(open) = &self.0 else { return Vec::new() };
        open.calls
            .iter()
            .filter(|call| !call.cached)
            .map(|call| RawCall {
                id: call.id,
                provider_type: call.provider_type,
                api_type: api_type(open.row.operation, call.protocol),
                raw_response: String::from_utf8_lossy(&call.raw_response).into_owned(),
                raw_usage: call.usage.raw.clone(),
                failed: call.status != Status::Ok,
            })
            .collect()
    }

    /// Usage and money over all model calls, from the calls that have them.
    pub(crate) fn totals(&self) -> (Usage, Option<f64>) {
        let Some(open) = &self.0 else { return (Usage::default(), None) };
        let mut ok = open.calls.iter().filter(|call| !call.cached);
        match (ok.next(), ok.next()) {
            (None, _) => (Usage::default(), None),
            (Some(only), None) => (only.usage.clone(), only.cost),
            _ => sum(&open.calls),
        }
    }

    /// Closes the row. The answer may go out when the acknowledgement is there.
    ///
    /// `output`: the answer in our words; `None` when it went through untouched.
    pub(crate) fn close(&mut self, status: Status, output: Option<&Response>, outcome: &Outcome) -> Ack {
        match self.0.take() {
            Some(mut open) => open.close(status, output, outcome),
            None => Ack::done(),
        }
    }

    /// The caller left in the middle of a stream.
    pub(crate) fn cancel(&mut self, answer: Option<&Response>, outcome: &Outcome) {
        if let Some(mut open) = self.0.take() {
            open.end(outcome, Status::Cancelled);
            // Nobody is left to wait: the writer gets the row, and a shutdown flushes it.
            drop(open.close(Status::Cancelled, answer, outcome));
        }
    }

    /// The protocol of the model call that is under way.
    pub(crate) fn protocol(&self) -> Option<Protocol> {
        Some(self.0.as_ref()?.current.as_ref()?.row.protocol)
    }

    /// What kind of work it is.
    pub(crate) fn operation(&self) -> Operation {
        self.0.as_ref().map_or(Operation::Chat, |open| open.row.operation)
    }

    /// The door's protocol.
    pub(crate) fn door(&self) -> Option<Protocol> {
        self.0.as_ref().map(|open| open.row.door)
    }

    fn current(&mut self) -> Option<&mut Current> {
        self.0.as_mut()?.current.as_mut()
    }
}

impl Open {
    fn end(&mut self, outcome: &Outcome, status: Status) {
        let Some(Current { mut row, started, chunks }) = self.current.take() else { return };
        row.total_us = micros(started);
        self.upstream_us += row.total_us;
        row.raw_response = join(chunks);
        row.usage = outcome.usage.clone();
        row.cost = outcome.cost;
        row.finish_reason = outcome.finish_reason;
        row.status = status;
        row.error = outcome.error.as_ref().map(words);
        self.calls.push(row);
    }

    fn close(&mut self, status: Status, output: Option<&Response>, outcome: &Outcome) -> Ack {
        self.settled = true;
        if let Some(slot) = self.slot.take() {
            *slot.lock() = self.calls.last().cloned();
        }
        let Some(ledger) = self.ledger.take() else { return Ack::done() };
        if self.calls.is_empty() {
            self.row.input = Some(std::mem::take(&mut self.body));
        }
        self.row.total_us = micros(self.started);
        self.row.status = status;
        self.row.output = output.and_then(|answer| serde_json::to_string(answer).ok());
        self.row.usage = outcome.usage.clone();
        self.row.cost = outcome.cost;
        self.row.finish_reason = outcome.finish_reason;
        self.row.error = outcome.error.as_ref().map(words);
        let row = std::mem::replace(&mut self.row, blank());
        let record = Record { inference: row, calls: std::mem::take(&mut self.calls) };
        ledger.append(Entry::Inference(Box::new(record)))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let outcome = Outcome {
            error: Some(Error::new(ErrorKind::Cancelled, "the caller left before the end")),
            ..Outcome::default()
        };
        self.end(&outcome, Status::Cancelled);
        // Nobody is left to wait: the writer gets the row, and a shutdown flushes it.
        drop(self.close(Status::Cancelled, None, &outcome));
    }
}

/// What callers know an operation by.
fn api_type(operation: Operation, protocol: Protocol) -> &'static str {
    match (operation, protocol) {
        (Operation::Chat, Protocol::Responses) => "responses",
        (Operation::Chat, _) => "chat_completions",
        (Operation::Embed, _) => "embeddings",
        (Operation::Image, _) => "image_generations",
        (Operation::ImageEdit, _) => "image_edits",
        (Operation::Speech, _) => "audio_speech",
        (Operation::Transcribe, _) => "audio_transcriptions",
        (Operation::Translate, _) => "audio_translations",
        (Operation::Moderate, _) => "moderations",
        (Operation::Rerank, _) => "rerank",
        (other, _) => other.as_str(),
    }
}

fn words(error: &Error) -> (ErrorKind, String) {
    (error.kind(), error.message().to_owned())
}

fn join(mut chunks: Vec<Bytes>) -> Bytes {
    if chunks.len() <= 1 {
        return chunks.pop().unwrap_or_default();
    }
    let mut all = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    for chunk in chunks {
        all.extend_from_slice(&chunk);
    }
    all.freeze()
}

fn sum(calls: &[ModelCallRow]) -> (Usage, Option<f64>) {
    fn add(total: &mut Option<u64>, more: Option<u64>) {
        if let Some(more) = more {
            *total = Some(total.unwrap_or(0) + more);
        }
    }
    let mut usage = Usage::default();
    let mut cost = None;
    for call in calls.iter().filter(|call| !call.cached) {
        add(&mut usage.input_tokens, call.usage.input_tokens);
        add(&mut usage.output_tokens, call.usage.output_tokens);
        add(&mut usage.cache_read_tokens, call.usage.cache_read_tokens);
        add(&mut usage.cache_write_tokens, call.usage.cache_write_tokens);
        add(&mut usage.reasoning_tokens, call.usage.reasoning_tokens);
        add(&mut usage.input_audio_tokens, call.usage.input_audio_tokens);
        add(&mut usage.output_audio_tokens, call.usage.output_audio_tokens);
        if call.usage.raw.is_some() {
            usage.raw.clone_from(&call.usage.raw);
        }
        if let Some(more) = call.cost {
            cost = Some(cost.unwrap_or(0.0) + more);
        }
    }
    (usage, cost)
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// A row about nothing; also what is left in place of one that was handed to the ledger.
pub(crate) fn blank() -> InferenceRow {
    InferenceRow {
        id: sabir_types::Uuid::nil(),
        episode_id: sabir_types::Uuid::nil(),
        door: Protocol::OpenAi,
        operation: Operation::Chat,
        function_name: String::new(),
        variant_name: String::new(),
        model: String::new(),
        input: None,
        output: None,
        tags: Vec::new(),
        usage: Usage::default(),
        cost: None,
        stream: false,
        cached: false,
        ttft_us: None,
        total_us: 0,
        caller: None,
        finish_reason: None,
        status: Status::Ok,
        error: None,
    }
}

/// The money of one model call, from the provider's own figures. For a stream `raw` is its end.
pub(crate) fn money(endpoint: &Endpoint, raw: &Bytes, streaming: bool, usage: &Usage) -> Option<f64> {
    if endpoint.cost.is_empty() {
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        return endpoint.price.as_ref()?.cost(usage, raw, now);
    }
    // The rules point into the last event that carries usage: rebuild just that. So for answers that are no
    // objects, or that say nothing of usage.
    let rebuilt = || usage.raw.clone().map(|raw| serde_json::json!({ "usage": raw }));
    let document = if streaming {
        rebuilt()?
    } else {
        match serde_json::from_slice::<Value>(raw) {
            Ok(Value::Object(mut all)) => {
                if let Some(raw) = usage.raw.as_ref().filter(|_| all.get("usage").is_none_or(Value::is_null)) {
                    all.insert("usage".to_owned(), raw.clone());
                }
                Value::Object(all)
            }
            Ok(other) => other,
            Err(_) => rebuilt()?,
        }
    };
    crate::config::cost::cost(&endpoint.cost, &document, streaming)
}
