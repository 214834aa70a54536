//! Which model a JSON body names, seen from its beginning alone.
//!
//! Invariant: only the member `model` of the outermost object counts; what cannot be read as JSON
//! names no model and is nobody's error here, since the body goes on as it came.

use std::ops::Range;

use sabir_types::{Error, Result};

/// A model's name and where it stands in the body, quotes included.
pub type Named = (String, Range<usize>);

/// The model that a body names, as far as it is there. A second name is an error: whoever reads the
/// body next might read that one.
pub fn model(body: &[u8]) -> Result<Option<Named>> {
    let mut found: Option<Named> = None;
    let mut scan = Scan { body, at: 0 };
    // What ends the scan is the end of what is there, or of what is JSON.
    while let Some((key, value)) = scan.member() {
        if read(&body[key]).as_deref() != Some("model") {
            continue;
        }
        if found.is_some() {
            return Err(Error::bad_request("`model` is there twice").with_param("model"));
        }
        found = read(&body[value.clone()]).map(|name| (name, value));
    }
    Ok(found)
}

fn read(text: &[u8]) -> Option<String> {
    serde_json::from_slice(text).ok()
}

struct Scan<'a> {
    body: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// The next member of the outermost object: where its name and its value stand.
    fn member(&mut self) -> Option<(Range<usize>, Range<usize>)> {
        self.space();
        let first = self.at == self.body.iter().position(|byte| !byte.is_ascii_whitespace())?;
        match self.byte()? {
            b'{' if first => {}
            b',' if !first => {}
            _ => return None,
        }
        self.space();
        let key = self.text()?;
        self.space();
        if self.byte()? != b':' {
            return None;
        }
        self.space();
        let value = self.value()?;
        Some((key, value))
    }

    fn value(&mut self) -> Option<Range<usize>> {
        let from = self.at;
        match self.body.get(from)? {
            b'"' => return self.text(),
            b'{' | b'[' => {
                let mut depth = 0_usize;
                loop {
                    match self.body.get(self.at)? {
                        b'"' => {
                            self.text()?;
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth -= 1,
                        _ => {}
                    }
                    self.at += 1;
                    if depth == 0 {
                        break;
                    }
                }
            }
            _ => {
                let rest = &self.body[from..];
                self.at += rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b'\n' | b' '))?;
            }
        }
        Some(from..self.at)
    }

    /// A string, quotes included.
    fn text(&mut self) -> Option<Range<usize>> {
        let from = self.at;
        if self.byte()? != b'"' {
            return None;
        }
        loop {
            let rest = &self.body[self.at..];
            let found = memchr::memchr2(b'"', b'\\', rest)?;
            self.at += found + 1;
            match rest[found] {
                b'"' => return Some(from..self.at),
                // What is escaped is skipped, be it a quote.
                _ => drop(self.byte()?),
            }
        }
    }

    fn space(&mut self) {
        while self.body.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.body.get(self.at)?;
        self.at += 1;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(body: &str) -> Option<String> {
        model(body.as_bytes()).unwrap().map(|(name, at)| {
            assert_eq!(read(&body.as_bytes()[at]).as_deref(), Some(name.as_str()));
            name
        })
    }

    #[test]
    fn only_the_outermost_object_counts() {
        for (body, name) in [
            (r#"{"model":"a::b"}"#, Some("a::b")),
            (
                r#" { "x" : {"model":"no", "y":["}",{"model":"no"}]} , "n":-1.5e3,"t":true , "model" : "yes" , "z":1}"#,
                Some("yes"),
            ),
            (r#"{"q":"\"model\":\"no\",\\","mod\u0065l":"y\u00e9s"}"#, Some("yés")),
            (r#"{"model":{"id":"x"}}"#, None),
            (r#"{"model":null,"a":1}"#, None),
            (r#"[{"model":"x"}]"#, None),
            ("", None),
            ("not json", None),
            (r#"{"model" "x"}"#, None),
            ("{}", None),
        ] {
            assert_eq!(named(body).as_deref(), name, "{body}");
        }
    }

    #[test]
    fn a_beginning_is_enough() {
        let body = r#"{"x":[1,2],"model":"m","prompt":"aaaa"}"#;
        for cut in 0..=body.len() {
            let seen = named(&body[..cut]);
            assert_eq!(seen.is_some(), cut >= body.find(",\"prompt").unwrap(), "{cut}");
        }
    }

    #[test]
    fn two_names_are_refused() {
        assert!(model(br#"{"model":"a","model":"b"}"#).is_err());
    }
}
