//! AWS event stream (`application/vnd.amazon.eventstream`): bytes to frames and back.
//!
//! Invariant: a frame is handed out only after both of its checksums fit. How the bytes are cut
//! never changes the frames; a frame that lies whole in one chunk is handed out without a copy.

use sabir_types::{Error, Result};

use crate::FRAME_LIMIT;

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame<'a> {
    /// Its headers, in order.
    pub headers: Vec<(&'a str, HeaderValue<'a>)>,
    /// Its payload.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// The text of a header (`:event-type`, `:exception-type`, `:message-type`).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(key, value)| match value {
            HeaderValue::String(text) if *key == name => Some(*text),
            _ => None,
        })
    }
}

/// A header's value, with its type on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HeaderValue<'a> {
    /// True or false; each has a type of its own.
    Bool(bool),
    /// 8 bits.
    Byte(i8),
    /// 16 bits.
    Short(i16),
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// Up to 65,535 bytes.
    Bytes(&'a [u8]),
    /// Up to 65,535 bytes of text.
    String(&'a str),
    /// Milliseconds since 1970.
    Timestamp(i64),
    /// A UUID.
    Uuid([u8; 16]),
}

/// Reads frames from bytes that may be cut anywhere. After an error it is empty.
#[derive(Debug)]
pub struct EventStreamDecoder {
    limit: usize,
    held: Vec<u8>,
}

impl Default for EventStreamDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl EventStreamDecoder {
    /// A decoder with the usual limit.
    pub fn new() -> Self {
        Self::with_limit(FRAME_LIMIT)
    }

    /// A decoder that refuses frames of more than `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, held: Vec::new() }
    }

    /// Takes more bytes and hands out the frames that they complete.
    pub fn feed(&mut self, mut bytes: &[u8], on_frame: &mut dyn FnMut(Frame<'_>) -> Result<()>) -> Result<()> {
        while !self.held.is_empty() {
            let mut held = std::mem::take(&mut self.held);
            let wanted = self.frame_len(&held)?.unwrap_or(PRELUDE);
            let missing = (wanted - held.len()).min(bytes.len());
            held.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if held.len() < wanted {
                self.held = held;
                return Ok(());
            }
            // With the prelude complete the length is known; with the frame complete it is read.
            if self.frame_len(&held)? == Some(held.len()) {
                on_frame(parse(&held)?)?;
                held.clear();
            }
            self.held = held;
        }
        while let Some(len) = self.frame_len(bytes)? {
            let Some((frame, rest)) = bytes.split_at_checked(len) else { break };
            on_frame(parse(frame)?)?;
            bytes = rest;
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// The stream ended: an error if it did so in the middle of a frame.
    pub fn finish(&mut self) -> Result<()> {
        if std::mem::take(&mut self.held).is_empty() {
            Ok(())
        } else {
            Err(Error::bad_upstream("event stream ended inside a frame"))
        }
    }

    /// The length of the frame that begins here, once its prelude is there and fits its checksum.
    fn frame_len(&self, bytes: &[u8]) -> Result<Option<usize>> {
        let Some((prelude, _)) = bytes.split_first_chunk::<PRELUDE>() else { return Ok(None) };
        let (total, headers) = (be32(prelude, 0) as usize, be32(prelude, 4) as usize);
        if crc32(&prelude[..8]) != be32(prelude, 8) {
            return Err(Error::bad_upstream("event stream frame has a wrong prelude checksum"));
        }
        if total > self.limit {
            return Err(Error::bad_upstream(format!(
                "event stream frame of {total} bytes is over the limit of {} bytes",
                self.limit
            )));
        }
        if total < PRELUDE + TRAILER || headers > total - PRELUDE - TRAILER {
            return Err(Error::bad_upstream("event stream frame has impossible lengths"));
        }
        Ok(Some(total))
    }
}

/// Writes one frame. Refused are what the format cannot say: a header name that is empty or over
/// 255 bytes, a value over 65,535 bytes, a frame over 4 GB.
pub fn encode(out: &mut Vec<u8>, headers: &[(&str, HeaderValue<'_>)], payload: &[u8]) -> Result<()> {
    let mut head = Vec::with_capacity(headers.len() * 32);
    for (name, value) in headers {
        let len = u8::try_from(name.len()).ok().filter(|len| *len > 0);
        head.push(len.ok_or_else(|| Error::internal("event stream header name has to be 1 to 255 bytes long"))?);
        head.extend_from_slice(name.as_bytes());
        write_value(&mut head, *value)?;
    }
    let total = u32::try_from(PRELUDE + head.len() + payload.len() + TRAILER)
        .map_err(|_| Error::internal("event stream frame is over 4 GB"))?;
    let start = out.len();
    out.reserve(total as usize);
    out.extend_from_slice(&total.to_be_bytes());
    // Not larger than `total`, so it fits.
    out.extend_from_slice(&(head.len() as u32).to_be_bytes());
    let crc = crc32(&out[start..]);
    out.extend_from_slice(&crc.to_be_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
    let crc = crc32(&out[start..]);
    out.extend_from_slice(&crc.to_be_bytes());
    Ok(())
}

/// Two lengths and their checksum.
const PRELUDE: usize = 12;
/// The checksum of the whole frame.
const TRAILER: usize = 4;

fn parse(frame: &[u8]) -> Result<Frame<'_>> {
    let wrong = || Error::bad_upstream("event stream frame has a malformed header");
    let (body, crc) = frame.split_last_chunk::<TRAILER>().ok_or_else(wrong)?;
    if crc32(body) != u32::from_be_bytes(*crc) {
        return Err(Error::bad_upstream("event stream frame has a wrong checksum"));
    }
    let (mut rest, payload) =
        body.get(PRELUDE..).and_then(|b| b.split_at_checked(be32(body, 4) as usize)).ok_or_else(wrong)?;
    let mut headers = Vec::new();
    while !rest.is_empty() {
        let len = *take::<1>(&mut rest).ok_or_else(wrong)?;
        let name = take_str(&mut rest, len[0] as usize).ok_or_else(wrong)?;
        headers.push((name, read_value(&mut rest).ok_or_else(wrong)?));
    }
    Ok(Frame { headers, payload })
}

fn read_value<'a>(rest: &mut &'a [u8]) -> Option<HeaderValue<'a>> {
    Some(match take::<1>(rest)?[0] {
        0 => HeaderValue::Bool(true),
        1 => HeaderValue::Bool(false),
        2 => HeaderValue::Byte(i8::from_be_bytes(*take(rest)?)),
        3 => HeaderValue::Short(i16::from_be_bytes(*take(rest)?)),
        4 => HeaderValue::Int(i32::from_be_bytes(*take(rest)?)),
        5 => HeaderValue::Long(i64::from_be_bytes(*take(rest)?)),
        6 => {
            let len = u16::from_be_bytes(*take(rest)?) as usize;
            HeaderValue::Bytes(take_slice(rest, len)?)
        }
        7 => {
            let len = u16::from_be_bytes(*take(rest)?) as usize;
            HeaderValue::String(take_str(rest, len)?)
        }
        8 => HeaderValue::Timestamp(i64::from_be_bytes(*take(rest)?)),
        9 => HeaderValue::Uuid(*take(rest)?),
        _ => return None,
    })
}

fn write_value(out: &mut Vec<u8>, value: HeaderValue<'_>) -> Result<()> {
    let mut put = |kind: u8, bytes: &[u8]| {
        out.push(kind);
        out.extend_from_slice(bytes);
    };
    match value {
        HeaderValue::Bool(yes) => put(u8::from(!yes), &[]),
        HeaderValue::Byte(n) => put(2, &n.to_be_bytes()),
        HeaderValue::Short(n) => put(3, &n.to_be_bytes()),
        HeaderValue::Int(n) => put(4, &n.to_be_bytes()),
        HeaderValue::Long(n) => put(5, &n.to_be_bytes()),
        HeaderValue::Timestamp(ms) => put(8, &ms.to_be_bytes()),
        HeaderValue::Uuid(uuid) => put(9, &uuid),
        HeaderValue::Bytes(bytes) => {
            put(6, &value_len(bytes)?);
            out.extend_from_slice(bytes);
        }
        HeaderValue::String(text) => {
            put(7, &value_len(text.as_bytes())?);
            out.extend_from_slice(text.as_bytes());
        }
    }
    Ok(())
}

fn value_len(bytes: &[u8]) -> Result<[u8; 2]> {
    let len = u16::try_from(bytes.len()).map_err(|_| Error::internal("event stream header is over 65535 bytes"))?;
    Ok(len.to_be_bytes())
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(head)
}

fn take_slice<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

fn take_str<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a str> {
    std::str::from_utf8(take_slice(rest, len)?).ok()
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// CRC-32 as in zip and Ethernet (polynomial 0xEDB88320, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| (crc >> 8) ^ CRC_TABLE[usize::from(crc as u8 ^ byte)])
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
