//! Just enough HTTP/1.1 to call a gateway on this machine.
//!
//! Invariant: one connection per call, closed by the server when the answer is complete; an answer
//! that is not 2xx is an error with its body.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Posts JSON; the body of the answer.
pub(crate) fn post(to: SocketAddr, path: &str, json: &str) -> Result<String> {
    let answer = exchange(to, path, json).with_context(|| format!("POST {path}"))?;
    let (status, body) = parse(&answer).with_context(|| format!("the answer to POST {path}"))?;
    if !(200..300).contains(&status) {
        bail!("POST {path} was answered with {status}: {}", body.trim());
    }
    Ok(body)
}

fn exchange(to: SocketAddr, path: &str, json: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&to, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let length = json.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{json}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// The status and the body of an answer.
fn parse(answer: &[u8]) -> Result<(u16, String)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("the head of the answer has no end")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let body = &answer[end + 4..];
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("the answer has no status")?;
    let header = |name: &str| {
        head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let body = if header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        unchunk(body)?
    } else {
        if let Some(length) = header("content-length").and_then(|length| length.parse::<usize>().ok())
            && body.len() != length
        {
            bail!("{} bytes arrived of {length}", body.len());
        }
        body.to_vec()
    };
    Ok((status, String::from_utf8(body).context("the body is not UTF-8")?))
}

fn unchunk(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n").context("the body ends within a chunk's length")?;
        let length = String::from_utf8_lossy(&rest[..line]);
        let length = length.split(';').next().unwrap_or_default().trim();
        let length =
            usize::from_str_radix(length, 16).with_context(|| format!("`{length}` is not a chunk's length"))?;
        if length == 0 {
            return Ok(body);
        }
        let from = line + 2;
        body.extend_from_slice(rest.get(from..from + length).context("the body ends within a chunk")?);
        rest = rest.get(from + length + 2..).context("the body ends after a chunk")?;
    }
}

/// The string that a JSON text gives for a key, at its first mention.
pub(crate) fn string(json: &str, key: &str) -> Option<String> {
    let quoted = format!("\"{key}\"");
    for (at, _) in json.match_indices(&quoted) {
        let rest = json[at + quoted.len()..].trim_start();
        if let Some(value) = rest.strip_prefix(':').and_then(|rest| rest.trim_start().strip_prefix('"')) {
            return unescape(value);
        }
    }
    None
}

/// A JSON string up to its closing quote.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some(out),
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'b' | 'f' => out.push(' '),
                'u' => {
                    let hex: String = chars.by_ref().take(4).collect();
                    out.push(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'));
                }
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_with_a_length_is_read() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(parse(answer).unwrap(), (200, "{}".to_owned()));
        let short = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}";
        assert_eq!(parse(short).unwrap_err().to_string(), "2 bytes arrived of 3");
    }

    #[test]
    fn a_chunked_body_is_put_together() {
        let answer =
            b"HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\na;x=y\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(parse(answer).unwrap(), (404, "abc0123456789".to_owned()));
        let broken = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc";
        assert_eq!(parse(broken).unwrap_err().to_string(), "the body ends within a chunk");
    }

    #[test]
    fn strings_are_found_by_their_key() {
        let json = r#"{"kind":"id","id": "a\"b\n\u00e9","n":1}"#;
        assert_eq!(string(json, "id").as_deref(), Some("a\"b\né"));
        assert_eq!(string(json, "n"), None);
    }
}
