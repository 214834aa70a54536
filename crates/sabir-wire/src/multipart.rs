//! Forms with files (`multipart/form-data`, RFC 7578), read from and written to memory.
//!
//! Invariants: a form begins with its boundary, so that its bytes alone say what it is; a part's
//! bytes are a slice of the form's; what is written never holds its own boundary.

use std::{borrow::Cow, ops::Range};

use memchr::memmem;
use sabir_types::{Error, Result};

/// The most parts that a form may have.
const PARTS: usize = 1024;
/// The most bytes that the headers of one part may have.
const HEADERS: usize = 16 * 1024;

/// One part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// The name of the file, if it is one.
    pub filename: Option<Cow<'a, str>>,
    /// Its media type, if the form says so.
    pub mime: Option<&'a str>,
    /// What it holds.
    pub data: &'a [u8],
    /// Where that stands in the form.
    pub at: Range<usize>,
}

impl<'a> Part<'a> {
    /// What it holds, as text.
    pub fn text(&self) -> Result<&'a str> {
        std::str::from_utf8(self.data)
            .map_err(|_| Error::bad_request(format!("{}: is not UTF-8 text", self.name)).with_param(&*self.name))
    }
}

/// The boundary of a form that begins with it; `None` if these bytes are no form.
pub fn boundary(form: &[u8]) -> Option<&str> {
    let line = form.strip_prefix(b"--")?;
    let end = memchr::memchr(b'\r', line.get(..200).unwrap_or(line))?;
    let boundary = std::str::from_utf8(&line[..end]).ok()?.trim_end_matches([' ', '\t']);
    is_boundary(boundary).then_some(boundary)
}

/// The boundary that a content type names; `None` if it is not the one of a form.
pub fn named_boundary(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';');
    if !parameters.next()?.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    // A quoted boundary may hold a semicolon, but nobody's does.
    let boundary = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    is_boundary(&boundary).then_some(boundary)
}

/// The content type of a form.
pub fn content_type(form: &[u8]) -> Option<String> {
    let boundary = boundary(form)?;
    let plain = boundary.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+'".contains(&byte));
    let quote = if plain { "" } else { "\"" };
    Some(format!("multipart/form-data; boundary={quote}{boundary}{quote}"))
}

/// Where the first boundary of a form stands: what is before it says nothing.
pub fn begin(body: &[u8], boundary: &str) -> Option<usize> {
    let line = format!("--{boundary}");
    if body.starts_with(line.as_bytes()) {
        return Some(0);
    }
    memmem::find(body, format!("\r\n{line}").as_bytes()).map(|at| at + 2)
}

/// Reads all parts of a form that begins with its boundary.
pub fn parse(form: &[u8]) -> Result<Vec<Part<'_>>> {
    let boundary = boundary(form).ok_or_else(|| bad("does not begin with its boundary"))?;
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(&delimiter);
    let mut parts = Vec::new();
    // Behind the boundary that opens the next part.
    let mut at = delimiter.len() - 2;
    loop {
        let Ok(after) = end_of_boundary(form, at) else { return Err(bad("has a boundary that does not end its line")) };
        let Some(begin) = after else { return Ok(parts) };
        if parts.len() == PARTS {
            return Err(bad(&format!("has more than {PARTS} parts")));
        }
        let (head, data) = headers(form, begin)?;
        // The line end before a boundary belongs to it, so the headers' own may be shared.
        let mut from = data - 2;
        let end = loop {
            let found = finder.find(&form[from..]).ok_or_else(|| bad("ends in the middle of a part"))? + from;
            if end_of_boundary(form, found + delimiter.len()).is_ok() {
                break found;
            }
            // A longer line that only begins as the boundary does.
            from = found + 1;
        };
        parts.push(part(form, head, data.min(end)..end)?);
        at = end + delimiter.len();
    }
}

/// Where the line of a boundary ends: `Some(next)` if a part follows, `None` if the form is over,
/// `Err` if this is no boundary.
fn end_of_boundary(form: &[u8], at: usize) -> Result<Option<usize>, ()> {
    let rest = form.get(at..).unwrap_or_default();
    if rest.starts_with(b"--") {
        return Ok(None);
    }
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    if rest[blanks..].starts_with(b"\r\n") { Ok(Some(at + blanks + 2)) } else { Err(()) }
}

/// The text of a part's headers, and where its data begins.
fn headers(form: &[u8], begin: usize) -> Result<(&str, usize)> {
    let rest = &form[begin..];
    if rest.starts_with(b"\r\n") {
        return Ok(("", begin + 2));
    }
    let within = rest.get(..HEADERS).unwrap_or(rest);
    let end = memmem::find(within, b"\r\n\r\n").ok_or_else(|| bad("has a part whose headers do not end"))?;
    let text = std::str::from_utf8(&within[..end]).map_err(|_| bad("has headers that are not UTF-8 text"))?;
    Ok((text, begin + end + 4))
}

fn part<'a>(form: &'a [u8], head: &'a str, at: Range<usize>) -> Result<Part<'a>> {
    let (mut name, mut filename, mut mime) = (None, None, None);
    for line in head.split("\r\n").filter(|line| !line.is_empty()) {
        let Some((key, value)) = line.split_once(':') else {
            return Err(bad("has a part with a header that has no colon"));
        };
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "content-disposition" => (name, filename) = disposition(value)?,
            "content-type" => mime = Some(value),
            "content-transfer-encoding" if !matches!(value, "binary" | "8bit" | "7bit") => {
                return Err(bad("has a part with a content transfer encoding: write its bytes as they are"));
            }
            _ => {}
        }
    }
    let name = name.ok_or_else(|| bad("has a part without a name"))?;
    Ok(Part { name, filename, mime, data: &form[at.clone()], at })
}

type Names<'a> = (Option<Cow<'a, str>>, Option<Cow<'a, str>>);

/// `form-data; name="…"; filename="…"`.
fn disposition(value: &str) -> Result<Names<'_>> {
    let (kind, mut rest) = value.split_once(';').unwrap_or((value, ""));
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(bad("has a part that is no `form-data`"));
    }
    let (mut name, mut filename, mut extended) = (None, None, None);
    while !rest.trim().is_empty() {
        let (key, value) = rest.split_once('=').ok_or_else(|| bad("has a part with an unreadable name"))?;
        let value = value.trim_start();
        let (text, after) = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = value.find(';').unwrap_or(value.len());
                (Cow::Borrowed(value[..end].trim_end()), &value[end..])
            }
        };
        match key.trim().to_ascii_lowercase().as_str() {
            "name" => name = Some(text),
            "filename" => filename = Some(text),
            "filename*" => extended = decoded(&text).map(Cow::Owned),
            _ => {}
        }
        rest = after.trim_start().strip_prefix(';').unwrap_or_else(|| after.trim_start());
    }
    Ok((name, extended.or(filename)))
}

/// The text up to the closing quote, and what comes after it.
fn unquote(quoted: &str) -> Result<(Cow<'_, str>, &str)> {
    let mut text = String::new();
    let mut from = 0;
    let bytes = quoted.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let rest = &quoted[at + 1..];
                if from == 0 {
                    return Ok((browser(&quoted[..at]), rest));
                }
                text.push_str(&quoted[from..at]);
                return Ok((Cow::Owned(browser(&text).into_owned()), rest));
            }
            // Only these are escaped: a backslash may as well be one of a Windows path.
            b'\\' if matches!(bytes.get(at + 1), Some(b'"' | b'\\')) => {
                text.push_str(&quoted[from..at]);
                from = at + 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
    Err(bad("has a part whose name has no closing quote"))
}

/// Browsers write three characters in this way.
fn browser(text: &str) -> Cow<'_, str> {
    if text.contains('%') {
        Cow::Owned(text.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// `UTF-8''na%C3%AFve.mp3`.
fn decoded(text: &str) -> Option<String> {
    let (charset, rest) = text.split_once('\'')?;
    let (_, escaped) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let mut out = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

/// RFC 2046: at most 70 of these, no blank at the end.
fn is_boundary(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    !text.is_empty() && text.len() <= 70 && text.bytes().all(fits) && !text.ends_with(' ')
}

fn bad(what: &str) -> Error {
    Error::bad_request(format!("the form {what}"))
}

/// A form that is being written.
#[derive(Debug, Default)]
pub struct Writer<'a> {
    parts: Vec<(String, Cow<'a, [u8]>)>,
}

impl<'a> Writer<'a> {
    /// An empty form.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    pub fn text(&mut self, name: &str, text: impl Into<Cow<'a, str>>) {
        let data = match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        self.parts.push((format!("Content-Disposition: form-data; name=\"{}\"", escaped(name)), data));
    }

    /// Adds a file.
    pub fn file(&mut self, name: &str, filename: &str, mime: &str, data: impl Into<Cow<'a, [u8]>>) {
        let (name, filename, mime) = (escaped(name), escaped(filename), mime.replace(['\r', '\n'], " "));
        let head =
            format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\nContent-Type: {mime}");
        self.parts.push((head, data.into()));
    }

    /// The form. The same parts give the same bytes.
    pub fn finish(self) -> Vec<u8> {
        let boundary = self.boundary();
        let size: usize = self.parts.iter().map(|(head, data)| head.len() + data.len() + boundary.len() + 8).sum();
        let mut out = Vec::with_capacity(size + boundary.len() + 8);
        for (head, data) in &self.parts {
            out.extend_from_slice(format!("--{boundary}\r\n{head}\r\n\r\n").as_bytes());
            out.extend_from_slice(data);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        out
    }

    /// One that no part holds.
    fn boundary(&self) -> String {
        let mut number: u32 = 0;
        loop {
            let boundary = format!("sabir-form-{number:08x}");
            let held = self.parts.iter().any(|(_, data)| memmem::find(data, boundary.as_bytes()).is_some());
            if !held {
                return boundary;
            }
            number += 1;
        }
    }
}

/// What is written in front of a form to add a text to it.
pub fn prefix(form: &[u8], name: &str, text: &str) -> Option<Vec<u8>> {
    let boundary = boundary(form)?;
    let name = escaped(name);
    Some(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n").into_bytes())
}

fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
#[path = "multipart_tests.rs"]
mod tests;
