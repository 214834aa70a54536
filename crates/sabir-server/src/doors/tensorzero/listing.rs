//! `POST /v1/inferences/list_inferences` and `get_inferences`
//!
//! Invariant: filters are the store's business; here they are only read.

use axum::{body::Body, extract::State, http::Request, response::Response};
use http::StatusCode;
use sabir_engine::{config::MetricKind, history};
use sabir_store::{
    Comparison, FeedbackKind, FeedbackRow, Filter, InferenceQuery, OrderBy, OrderKey, Record, StoreError,
};
use sabir_types::{Error, ErrorKind, Map, Result, Uuid, Value};
use sabir_wire::tensorzero::{render as words, stored};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    feedback::{id, members},
    inference::READER,
    render,
};
use crate::{app::App, gate};

/// How many inferences come when nobody says.
const USUAL: u64 = 20;

/// Which output is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OutputSource {
    Inference,
    Demonstration,
    None,
}

/// What to find, and which output of it.
type Query = (InferenceQuery, OutputSource);

pub(super) async fn list(State(app): State<App>, request: Request<Body>) -> Response {
    respond(&app, answer(&app, request, list_query).await)
}

pub(super) async fn get(State(app): State<App>, request: Request<Body>) -> Response {
    respond(&app, answer(&app, request, get_query).await)
}

fn respond(app: &App, answer: Result<Value>) -> Response {
    match answer {
        Ok(value) => render::json(StatusCode::OK, &value),
        Err(error) => render::error(&error, app.engine().config().gateway.error_json),
    }
}

async fn answer(app: &App, request: Request<Body>, read: fn(&Map<String, Value>) -> Result<Query>) -> Result<Value> {
    let (parts, body) = request.into_parts();
    gate::admit(app, &parts.headers)?;
    let body = gate::read(app, &parts.headers, body).await?;
    let (query, source) = read(&members(&body)?)?;
    check_metrics(app, &query)?;
    let Some(ledger) = app.engine().ledger() else {
        return Err(Error::bad_request("nothing is kept: observability is off"));
    };
    let records = ledger.inferences(query).await.map_err(unreadable)?;
    let records: Vec<Record> =
        records.into_iter().filter(|record| record.inference.operation == sabir_types::Operation::Chat).collect();
    let feedback = if source == OutputSource::Demonstration {
        ledger.feedback(records.iter().map(|record| record.inference.id).collect()).await.map_err(unreadable)?
    } else {
        Vec::new()
    };
    let inferences: Vec<Value> =
        records.iter().map(|record| inference(record, source, &feedback)).collect::<Result<_>>()?;
    Ok(json!({"inferences": inferences}))
}

/// Metrics that are filtered or sorted by have to be known, and of the right kind.
fn check_metrics(app: &App, query: &InferenceQuery) -> Result<()> {
    fn walk<'q>(filter: &'q Filter, named: &mut Vec<(&'q str, Option<MetricKind>)>) {
        match filter {
            Filter::And(all) | Filter::Or(all) => all.iter().for_each(|filter| walk(filter, named)),
            Filter::Not(filter) => walk(filter, named),
            Filter::FloatMetric { name, .. } => named.push((name, Some(MetricKind::Float))),
            Filter::BooleanMetric { name, .. } => named.push((name, Some(MetricKind::Boolean))),
            _ => {}
        }
    }
    let mut named = Vec::new();
    if let Some(filter) = &query.filter {
        walk(filter, &mut named);
    }
    named.extend(query.order_by.iter().filter_map(|order| match &order.key {
        OrderKey::Metric(name) => Some((name.as_str(), None)),
        OrderKey::Timestamp => None,
    }));
    let config = app.engine().config();
    for (name, kind) in named {
        let Some(metric) = config.metrics.get(name) else {
            return Err(Error::new(ErrorKind::NotFound, format!("Unknown metric: {name}")));
        };
        if let Some(kind) = kind.filter(|kind| *kind != metric.kind) {
            let kind = if kind == MetricKind::Float { "float" } else { "boolean" };
            return Err(Error::bad_request(format!("metric `{name}` is not a {kind} metric")));
        }
    }
    Ok(())
}

fn unreadable(error: StoreError) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the ledger could not be read: {error}")).with_source(error)
}

fn list_query(all: &Map<String, Value>) -> Result<Query> {
    const KNOWN: [&str; 10] = [
        "function_name",
        "variant_name",
        "episode_id",
        "output_source",
        "limit",
        "offset",
        "before",
        "after",
        "filters",
        "order_by",
    ];
    const OLD: [&str; 2] = ["search_query_experimental", "filter"];
    if let Some(name) = all.keys().find(|name| !KNOWN.contains(&name.as_str()) && !OLD.contains(&name.as_str())) {
        return Err(wrong(name, "no such member"));
    }
    let text = |name: &str| READER.text(all, name).map(|text| text.map(str::to_owned));
    let number = |name: &str| match all.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| wrong(name, "expected a whole number from 0")),
    };
    let (before, after, offset) = (id(all, "before")?, id(all, "after")?, number("offset")?);
    if before.is_some() && after.is_some() {
        return Err(wrong("before", "cannot be used together with `after`"));
    }
    if (before.is_some() || after.is_some()) && offset.unwrap_or(0) > 0 {
        return Err(wrong("offset", "cannot be used together with `before` or `after`"));
    }
    let query = InferenceQuery {
        function_name: text("function_name")?,
        variant_name: text("variant_name")?,
        episode_id: id(all, "episode_id")?,
        filter: match all.get("filters").or_else(|| all.get("filter")) {
            None | Some(Value::Null) => None,
            Some(value) => Some(filter(value, "filters", 0)?),
        },
        before,
        after,
        search: text("search_query_experimental")?,
        order_by: order(all.get("order_by"))?,
        limit: Some(number("limit")?.unwrap_or(USUAL)),
        offset: offset.unwrap_or(0),
        ..InferenceQuery::default()
    };
    Ok((query, output_source(all)?))
}

fn get_query(all: &Map<String, Value>) -> Result<Query> {
    if let Some(name) = all.keys().find(|name| !matches!(name.as_str(), "ids" | "function_name" | "output_source")) {
        return Err(wrong(name, "no such member"));
    }
    let Some(list) = all.get("ids").and_then(Value::as_array) else {
        return Err(wrong("ids", "expected an array of UUIDs"));
    };
    let ids: Option<Vec<Uuid>> = list.iter().map(|id| Uuid::parse_str(id.as_str()?).ok()).collect();
    let ids = ids.ok_or_else(|| wrong("ids", "expected an array of UUIDs"))?;
    let query = InferenceQuery {
        ids: Some(ids),
        function_name: READER.text(all, "function_name")?.map(str::to_owned),
        // Who asks for an inference by its id wants to see it, whatever came of it.
        include_failed: true,
        ..InferenceQuery::default()
    };
    Ok((query, output_source(all)?))
}

fn output_source(all: &Map<String, Value>) -> Result<OutputSource> {
    match READER.text(all, "output_source")? {
        None | Some("inference") => Ok(OutputSource::Inference),
        Some("demonstration") => Ok(OutputSource::Demonstration),
        Some("none") => Ok(OutputSource::None),
        Some(_) => Err(wrong("output_source", "expected `inference`, `demonstration` or `none`")),
    }
}

fn order(value: Option<&Value>) -> Result<Vec<OrderBy>> {
    let items = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(wrong("order_by", "expected an array")),
    };
    let mut order = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let path = format!("order_by[{at}]");
        let text = |name: &str| item.get(name).and_then(Value::as_str);
        let key = match text("by") {
            Some("timestamp") => OrderKey::Timestamp,
            Some("metric") => match text("name") {
                Some(name) => OrderKey::Metric(name.to_owned()),
                None => return Err(wrong(&format!("{path}.name"), "missing")),
            },
            Some("search_relevance") => {
                let message = format!("{path}.by: `search_relevance` is not supported yet");
                return Err(Error::new(ErrorKind::NotImplemented, message).with_param(path));
            }
            _ => return Err(wrong(&format!("{path}.by"), "expected `timestamp` or `metric`")),
        };
        let descending = match text("direction") {
            None | Some("descending") => true,
            Some("ascending") => false,
            Some(_) => return Err(wrong(&format!("{path}.direction"), "expected `ascending` or `descending`")),
        };
        order.push(OrderBy { key, descending });
    }
    Ok(order)
}

/// How deep filters may be nested.
const DEPTH: usize = 32;

fn filter(value: &Value, path: &str, depth: usize) -> Result<Filter> {
    if depth > DEPTH {
        return Err(wrong("filters", "nested too deeply"));
    }
    let text = |name: &str| {
        value.get(name).and_then(Value::as_str).ok_or_else(|| wrong(&format!("{path}.{name}"), "expected a string"))
    };
    let children = || -> Result<Vec<Filter>> {
        let list = value.get("children").and_then(Value::as_array);
        let list = list.ok_or_else(|| wrong(&format!("{path}.children"), "expected an array"))?;
        list.iter().enumerate().map(|(at, child)| filter(child, &format!("{path}.children[{at}]"), depth + 1)).collect()
    };
    let yes = |name: &str| {
        let flag = value.get(name).and_then(Value::as_bool);
        flag.ok_or_else(|| wrong(&format!("{path}.{name}"), "expected true or false"))
    };
    Ok(match text("type")? {
        "and" => Filter::And(children()?),
        "or" => Filter::Or(children()?),
        "not" => {
            let child = value.get("child").ok_or_else(|| wrong(&format!("{path}.child"), "missing"))?;
            Filter::Not(Box::new(filter(child, &format!("{path}.child"), depth + 1)?))
        }
        "tag" => Filter::Tag {
            key: text("key")?.to_owned(),
            value: text("value")?.to_owned(),
            equal: match text("comparison_operator")? {
                "=" => true,
                "!=" => false,
                _ => return Err(wrong(&format!("{path}.comparison_operator"), "expected `=` or `!=`")),
            },
        },
        "time" => {
            let moment = OffsetDateTime::parse(text("time")?, &Rfc3339)
                .map_err(|_| wrong(&format!("{path}.time"), "expected a time as RFC 3339 has it"))?;
            let millis = i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
            Filter::Time { millis, comparison: comparison(text("comparison_operator")?, path)? }
        }
        "float_metric" => {
            let number = value.get("value").and_then(Value::as_f64);
            Filter::FloatMetric {
                name: text("metric_name")?.to_owned(),
                value: number.ok_or_else(|| wrong(&format!("{path}.value"), "expected a number"))?,
                comparison: comparison(text("comparison_operator")?, path)?,
            }
        }
        "boolean_metric" => Filter::BooleanMetric { name: text("metric_name")?.to_owned(), value: yes("value")? },
        "demonstration_feedback" => Filter::Demonstration(yes("has_demonstration")?),
        _ => return Err(wrong(&format!("{path}.type"), "no such filter")),
    })
}

fn comparison(operator: &str, path: &str) -> Result<Comparison> {
    Ok(match operator {
        "<" => Comparison::Less,
        "<=" => Comparison::AtMost,
        "=" => Comparison::Equal,
        ">" => Comparison::Greater,
        ">=" => Comparison::AtLeast,
        "!=" => Comparison::NotEqual,
        _ => return Err(wrong(&format!("{path}.comparison_operator"), "expected `<`, `<=`, `=`, `>`, `>=` or `!=`")),
    })
}

fn wrong(path: &str, what: &str) -> Error {
    Error::bad_request(format!("{path}: {what}")).with_param(path)
}

/// One inference as the listings give it.
fn inference(record: &Record, source: OutputSource, feedback: &[FeedbackRow]) -> Result<Value> {
    let row = &record.inference;
    let sabir_types::Request::Chat(request) = history::input(record)? else {
        return Err(Error::internal("a stored inference is not a conversation turn"));
    };
    let names: Vec<String> = request.tools.iter().map(|tool| tool.name.clone()).collect();
    let own: Value = match history::output(record)? {
        Some(sabir_types::Response::Chat(chat)) => {
            let choice = chat.choices.first();
            let blocks = choice.map(|choice| choice.content.as_slice()).unwrap_or_default();
            blocks.iter().map(|block| words::block(block, &names)).collect()
        }
        _ => json!([]),
    };
    let (output, dispreferred) = match source {
        OutputSource::Inference => (own, json!([])),
        OutputSource::None => (Value::Null, json!([])),
        OutputSource::Demonstration => match demonstration(row.id, feedback) {
            Some(shown) => (shown, json!([own])),
            None => (Value::Null, json!([])),
        },
    };
    let tags: Map<String, Value> = row.tags.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    Ok(json!({
        "type": "chat",
        "function_name": row.function_name,
        "variant_name": row.variant_name,
        "input": stored::input(&request),
        "output": output,
        "dispreferred_outputs": dispreferred,
        "timestamp": timestamp(row.id),
        "episode_id": row.episode_id,
        "inference_id": row.id,
        "allowed_tools": null,
        "additional_tools": stored::tools(&request),
        "tool_choice": stored::tool_choice(&request),
        "parallel_tool_calls": request.parallel_tool_calls,
        "provider_tools": [],
        "tags": tags,
        "extra_body": [],
        "inference_params": stored::params(&request),
        "processing_time_ms": row.total_us / 1000,
        "ttft_ms": row.ttft_us.filter(|_| row.stream).map(|us| us / 1000),
    }))
}

/// The newest demonstration of an inference, as blocks.
fn demonstration(id: Uuid, feedback: &[FeedbackRow]) -> Option<Value> {
    let text = feedback.iter().rev().find_map(|row| match &row.value {
        FeedbackKind::Demonstration(text) if row.target_id == id => Some(text),
        _ => None,
    })?;
    match serde_json::from_str(text) {
        Ok(Value::String(text)) => Some(json!([{"type": "text", "text": text}])),
        Ok(value) => Some(value),
        Err(_) => Some(json!([{"type": "text", "text": text}])),
    }
}

/// When the inference began: its id holds the time.
fn timestamp(id: Uuid) -> String {
    let (seconds, nanos) = id.get_timestamp().map_or((0, 0), |timestamp| timestamp.to_unix());
    let moment = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    OffsetDateTime::from_unix_timestamp_nanos(moment)
        .ok()
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_default()
}
