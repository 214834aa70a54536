//! "Did you mean": the names that look most like a wrong one.
//!
//! Invariant: a pure function of its arguments; the same names give the same hint.

/// Up to `limit` candidates that are close to `wrong`, the closest first.
pub(super) fn near<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>, limit: usize) -> Vec<&'a str> {
    let wrong = wrong.to_lowercase();
    let allowed = (wrong.chars().count() / 3).clamp(1, 4);
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = distance(&wrong, &lower);
            let starts =
                wrong.len() >= 3 && lower.len() >= 3 && (lower.starts_with(&wrong) || wrong.starts_with(&lower));
            (distance <= allowed || starts).then_some((distance, name))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(limit).map(|(_, name)| name).collect()
}

/// "; did you mean `a`?" or nothing.
pub(super) fn did_you_mean<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    match near(wrong, candidates, 3).as_slice() {
        [] => String::new(),
        names => format!("; did you mean {}?", any_of(names)),
    }
}

/// "`a`, `b` or `c`".
pub(super) fn any_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [init @ .., last] => {
            let init: Vec<String> = init.iter().map(|name| format!("`{name}`")).collect();
            format!("{} or `{last}`", init.join(", "))
        }
    }
}

/// How many characters have to be changed, added, removed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let differs = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + differs);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_closest_first() {
        assert_eq!(near("modle_name", ["model_name", "type", "model"], 3), ["model_name"]);
        assert_eq!(near("gtp-4o", ["gpt-4o", "gpt-4o-mini", "claude"], 3), ["gpt-4o"]);
        assert_eq!(near("gpt", ["gpt-4o", "claude"], 3), ["gpt-4o"]);
        assert!(near("x", ["abc", "def"], 3).is_empty());
    }

    #[test]
    fn lists_read_like_a_sentence() {
        assert_eq!(any_of(&["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(did_you_mean("naem", ["name", "age"]), "; did you mean `name`?");
        assert_eq!(did_you_mean("zzzz", ["name", "age"]), "");
    }
}
