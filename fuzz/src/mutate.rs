//! Small changes to good bytes, the same in every run: a fuzzer for those who have none.
//!
//! Invariant: the seed decides everything.

use serde_json::Value;

/// Pieces that readers stumble over.
const NASTY: &[&str] = &[
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "18446744073709551616",
    "\"\"",
    "[]",
    "{}",
    "[[[[[[[[",
    "\"\\ud800\"",
    "\\u0000",
    "\u{feff}",
    "\r",
    "\n\n",
    "\r\n\r\n",
    "data: ",
    "event: error\n",
    ":",
    "\"type\":",
    "\"model\":\"x\",",
    "[DONE]",
    "é🗼",
    "'''",
    "[a.b]\n",
    "=",
];

/// A random sequence (xorshift).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }
}

/// One of the seeds, changed in one to six places.
pub fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(6) {
        // Changes within JSON reach further into a reader than broken JSON does.
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(mut value) if random.below(4) > 0 => {
                change(&mut value, random);
                bytes = value.to_string().into_bytes();
            }
            _ => scratch(&mut bytes, seeds, random),
        }
    }
    bytes
}

/// Changes a value somewhere within.
fn change(value: &mut Value, random: &mut Random) {
    let here = random.below(5) == 0;
    match value {
        Value::Array(items) if !items.is_empty() && !here => {
            let at = random.below(items.len());
            match random.below(8) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => change(&mut items[at], random),
            }
        }
        Value::Object(members) if !members.is_empty() && !here => {
            let at = random.below(members.len());
            let Some(name) = members.keys().nth(at).cloned() else { return };
            match random.below(10) {
                0 => drop(members.shift_remove(&name)),
                1 => {
                    let moved = members.shift_remove(&name).unwrap_or_default();
                    let other = members.keys().nth(random.below(members.len())).cloned();
                    members.insert(other.unwrap_or_else(|| "new".to_owned()), moved);
                }
                _ => change(&mut members[&name], random),
            }
        }
        other => {
            *other = match random.below(12) {
                0 => Value::Null,
                1 => true.into(),
                2 => (-1).into(),
                3 => u64::MAX.into(),
                4 => 0.5.into(),
                5 => "".into(),
                6 => "\u{0}é🗼".into(),
                7 => Value::Array(Vec::new()),
                8 => Value::Object(serde_json::Map::new()),
                9 => Value::Array(vec![other.clone(), other.clone()]),
                10 => serde_json::json!({"type": "text", "text": "t"}),
                _ => other.to_string().into(),
            };
        }
    }
}

/// Changes bytes somewhere within.
fn scratch(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let end = (at + random.below(24)).min(bytes.len());
    match random.below(7) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let part = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, part));
        }
        3 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len() + 1);
            let to = (from + random.below(64)).min(other.len());
            drop(bytes.splice(at..end, other[from..to].iter().copied()));
        }
        4 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        _ => {
            let nasty = NASTY[random.below(NASTY.len())];
            drop(bytes.splice(at..at, nasty.bytes()));
        }
    }
}

/// Runs a target on so many changed seeds and says which of them it did not bear.
pub fn smoke(name: &str, target: fn(&[u8]), seeds: &[Vec<u8>], runs: u64) {
    assert!(!seeds.is_empty(), "target {name} has no seeds");
    let mut inputs = seeds.to_vec();
    inputs.extend((0..runs).map(|run| mutated(seeds, &mut Random::new(run + 1))));
    for (at, input) in inputs.iter().enumerate() {
        if std::panic::catch_unwind(|| target(input)).is_err() {
            panic!("target {name} did not bear input {at}: {}", String::from_utf8_lossy(input));
        }
    }
}
