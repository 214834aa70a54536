//! A question as SQL.
//!
//! Invariant: values are bound, never written into the text; every condition is true or false,
//! never NULL, so that `NOT` means what it says.

use rusqlite::types::Value;

use super::row::{CALLS, INFERENCE, id_value};
use crate::{Comparison, Filter, InferenceQuery, OrderKey};
use sabir_types::Uuid;

/// The newest value of a metric of the inference `i` or its episode. Takes the metric's name and its kind.
const METRIC: &str = "(SELECT f.value FROM feedback f WHERE f.target_id IN (i.id, i.episode_id) \
    AND f.metric_name = ? AND f.kind = ? \
    AND f.target_id = CASE f.target_kind WHEN 0 THEN i.id ELSE i.episode_id END ORDER BY f.id DESC LIMIT 1)";

/// SQL text and the values for its question marks, in order.
#[derive(Debug, Default)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

/// The question for inferences.
pub(super) fn inferences(query: &InferenceQuery) -> Sql {
    let mut sql = Sql::default();
    sql.push("SELECT ").push(INFERENCE).push(" FROM inference i WHERE 1");
    if let Some(ids) = &query.ids {
        sql.push(" AND i.id IN ").ids(ids);
    }
    if let Some(name) = &query.function_name {
        sql.push(" AND i.function_name = ?").bind(name.clone());
    }
    if let Some(name) = &query.variant_name {
        sql.push(" AND i.variant_name = ?").bind(name.clone());
    }
    if let Some(id) = query.episode_id {
        sql.push(" AND i.episode_id = ?").bind(id_value(id));
    }
    if let Some(id) = query.before {
        sql.push(" AND i.id < ?").bind(id_value(id));
    }
    if let Some(id) = query.after {
        sql.push(" AND i.id > ?").bind(id_value(id));
    }
    if !query.include_failed {
        sql.push(" AND i.status = 0");
    }
    if !query.include_hidden {
        sql.push(" AND NOT EXISTS (SELECT 1 FROM hidden h WHERE h.id = i.id)");
    }
    if let Some(filter) = &query.filter {
        sql.push(" AND ").filter(filter);
    }
    if let Some(text) = query.search.as_ref().filter(|text| !text.is_empty()) {
        sql.search(text);
    }
    sql.order(query);
    let limit = query.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    sql.push(" LIMIT ? OFFSET ?").bind(limit).bind(i64::try_from(query.offset).unwrap_or(i64::MAX));
    sql
}

/// The question for feedback on any of these targets.
pub(super) fn feedback(targets: &[Uuid]) -> Sql {
    let mut sql = Sql::default();
    sql.push("SELECT ").push(super::row::FEEDBACK).push(" FROM feedback WHERE target_id IN ").ids(targets);
    sql.push(" ORDER BY id");
    sql
}

impl Sql {
    fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self
    }

    /// A list of ids as one value, since the number of values of a statement is limited.
    fn ids(&mut self, ids: &[Uuid]) -> &mut Self {
        let list = ids.iter().map(|id| format!("\"{}\"", id.simple())).collect::<Vec<_>>().join(",");
        self.push("(SELECT unhex(value) FROM json_each(?))").bind(format!("[{list}]"))
    }

    fn search(&mut self, text: &str) {
        self.push(" AND (sabir_holds(i.input, ?) OR sabir_holds(i.output, ?)").bind(text.to_owned());
        self.bind(text.to_owned());
        self.push(" OR EXISTS (SELECT 1 FROM model_call c WHERE c.key BETWEEN i.seq * ? AND i.seq * ? + ?");
        self.bind(CALLS).bind(CALLS).bind(CALLS - 1);
        self.push(" AND (sabir_holds(c.raw_request, ?) OR sabir_holds(c.raw_response, ?))))");
        self.bind(text.to_owned()).bind(text.to_owned());
    }

    fn order(&mut self, query: &InferenceQuery) {
        self.push(" ORDER BY ");
        for by in &query.order_by {
            match &by.key {
                OrderKey::Timestamp => {
                    // Ids are unique: no later key can matter.
                    self.push(if by.descending { "i.id DESC" } else { "i.id" });
                    return;
                }
                // A metric has one type; a boolean one is sorted like 0 and 1.
                OrderKey::Metric(name) => {
                    let metric = METRIC.replace("f.kind = ?", "f.kind IN (0, 1)");
                    self.push(&metric).bind(name.clone());
                    self.push(if by.descending { " DESC NULLS LAST, " } else { " ASC NULLS LAST, " });
                }
            }
        }
        self.push("i.id DESC");
    }

    fn filter(&mut self, filter: &Filter) {
        match filter {
            Filter::And(parts) => self.join(parts, " AND ", "1"),
            Filter::Or(parts) => self.join(parts, " OR ", "0"),
            Filter::Not(part) => {
                self.push("(NOT ").filter(part);
                self.push(")");
            }
            Filter::Tag { key, value, equal } => {
                let sign = if *equal { "=" } else { "<>" };
                self.push("EXISTS (SELECT 1 FROM json_each(i.tags) t WHERE t.key = ? AND t.value ").push(sign);
                self.push(" ?)").bind(key.clone()).bind(value.clone());
            }
            Filter::Time { millis, comparison } => self.time(*millis, *comparison),
            Filter::FloatMetric { name, value, comparison } => {
                self.push("((").push(METRIC).push(sign(*comparison)).push("?) IS TRUE)");
                self.bind(name.clone()).bind(1).bind(*value);
            }
            Filter::BooleanMetric { name, value } => {
                self.push("((").push(METRIC).push(" = ?) IS TRUE)");
                self.bind(name.clone()).bind(0).bind(*value);
            }
            Filter::Demonstration(wanted) => {
                self.push(if *wanted { "EXISTS (" } else { "NOT EXISTS (" });
                self.push("SELECT 1 FROM feedback f WHERE f.target_id = i.id AND f.target_kind = 0 AND f.kind = 3)");
            }
        }
    }

    /// Joined as a balanced tree: SQLite refuses expressions that are more than 1,000 deep.
    fn join(&mut self, parts: &[Filter], word: &str, empty: &str) {
        match parts {
            [] => {
                self.push(empty);
            }
            [one] => self.filter(one),
            many => {
                let (left, right) = many.split_at(many.len() / 2);
                self.push("(").join(left, word, empty);
                self.push(word).join(right, word, empty);
                self.push(")");
            }
        }
    }

    /// The first 48 bits of an id are its milliseconds, so a time is a range of ids.
    fn time(&mut self, millis: i64, comparison: Comparison) {
        let (this, next) = (first_id(millis), first_id(millis.saturating_add(1)));
        match comparison {
            Comparison::Less => self.compare_id("<", this),
            Comparison::AtMost => self.compare_id("<", next),
            Comparison::AtLeast => self.compare_id(">=", this),
            Comparison::Greater => self.compare_id(">=", next),
            Comparison::Equal => {
                self.push("(").compare_id(">=", this);
                self.push(" AND ").compare_id("<", next);
                self.push(")");
            }
            Comparison::NotEqual => {
                self.push("(").compare_id("<", this);
                self.push(" OR ").compare_id(">=", next);
                self.push(")");
            }
        }
    }

    fn compare_id(&mut self, sign: &str, bound: Vec<u8>) {
        self.push("i.id ").push(sign).push(" ?").bind(bound);
    }
}

/// The smallest id of a millisecond. A time before 1970 is below all ids, one that 48 bits cannot
/// hold is above all of them.
fn first_id(millis: i64) -> Vec<u8> {
    match u64::try_from(millis) {
        Err(_) => Vec::new(),
        Ok(millis) if millis >> 48 != 0 => vec![0xff; 17],
        Ok(millis) => millis.to_be_bytes()[2..].to_vec(),
    }
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Less => " < ",
        Comparison::AtMost => " <= ",
        Comparison::Equal => " = ",
        Comparison::Greater => " > ",
        Comparison::AtLeast => " >= ",
        Comparison::NotEqual => " <> ",
    }
}
