//! Reads the frames of a WebSocket as they go by.
//!
//! Invariant: bytes are looked at, never changed; however long a message is, only so much of it is
//! held.

/// The most of a message that is held: one that is longer is counted only.
const LIMIT: usize = 1024 * 1024;
/// What a close frame may hold at the most.
const CONTROL: usize = 125;

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// A text; `None` if it was too long to be held.
    Text {
        /// What it says.
        text: Option<Vec<u8>>,
        /// How long it is.
        bytes: u64,
    },
    /// So many bytes.
    Binary(u64),
    /// The end, with its code and reason.
    Close(Option<u16>, String),
}

/// One direction of a WebSocket.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: Vec<u8>,
    /// The frame that is under way.
    frame: Option<Frame>,
    /// The message that is under way, which may have several frames.
    message: Message,
}

#[derive(Debug)]
struct Frame {
    opcode: u8,
    is_last: bool,
    mask: Option<[u8; 4]>,
    /// How much of it was there.
    at: u64,
    length: u64,
    /// Of a control frame, which may come in the middle of a message.
    control: Vec<u8>,
}

#[derive(Debug, Default)]
struct Message {
    is_text: bool,
    held: Vec<u8>,
    bytes: u64,
}

impl Frames {
    /// Takes the bytes that came next, and adds what was completed by them.
    pub(super) fn feed(&mut self, mut bytes: &[u8], said: &mut Vec<Said>) {
        while !bytes.is_empty() {
            match &mut self.frame {
                None => {
                    self.head.push(bytes[0]);
                    bytes = &bytes[1..];
                    self.frame = head(&self.head);
                    if let Some(frame) = &self.frame {
                        self.head.clear();
                        if frame.opcode == 1 || frame.opcode == 2 {
                            self.message = Message { is_text: frame.opcode == 1, ..Message::default() };
                        }
                    }
                }
                Some(frame) => {
                    let left = usize::try_from(frame.length - frame.at).unwrap_or(usize::MAX);
                    let (now, rest) = bytes.split_at(left.min(bytes.len()));
                    let (into, limit) = if frame.opcode >= 8 {
                        (&mut frame.control, CONTROL)
                    } else {
                        self.message.bytes += now.len() as u64;
                        (&mut self.message.held, if self.message.is_text { LIMIT } else { 0 })
                    };
                    let take = now.len().min(limit.saturating_sub(into.len()));
                    let (mask, at) = (frame.mask, frame.at);
                    into.extend(
                        now[..take].iter().zip(at..).map(|(byte, at)| byte ^ mask.map_or(0, |m| m[(at % 4) as usize])),
                    );
                    frame.at += now.len() as u64;
                    bytes = rest;
                }
            }
            if let Some(frame) = self.frame.take_if(|frame| frame.at == frame.length) {
                self.end(frame, said);
            }
        }
    }

    /// Whether a frame of somebody else's could be put in here.
    pub(super) fn is_between(&self) -> bool {
        self.frame.is_none() && self.head.is_empty()
    }

    fn end(&mut self, frame: Frame, said: &mut Vec<Said>) {
        match frame.opcode {
            8 => {
                let code = frame.control.first_chunk::<2>().map(|code| u16::from_be_bytes(*code));
                let reason = frame.control.get(2..).unwrap_or_default();
                said.push(Said::Close(code, String::from_utf8_lossy(reason).into_owned()));
            }
            0..=2 if frame.is_last => {
                let Message { is_text, held, bytes } = std::mem::take(&mut self.message);
                said.push(match is_text {
                    true => Said::Text { text: (held.len() as u64 == bytes).then_some(held), bytes },
                    false => Said::Binary(bytes),
                });
            }
            _ => {}
        }
    }
}

/// A frame's head, once all of it is there.
fn head(bytes: &[u8]) -> Option<Frame> {
    let [first, second, rest @ ..] = bytes else { return None };
    let (length, rest) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), &rest[2..]),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), &rest[8..]),
        short => (u64::from(short), rest),
    };
    let mask = if second & 0x80 == 0 { None } else { Some(*rest.first_chunk::<4>()?) };
    Some(Frame { opcode: first & 0x0f, is_last: first & 0x80 != 0, mask, at: 0, length, control: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut out = vec![first];
        let bit = if mask.is_some() { 0x80 } else { 0 };
        match payload.len() {
            short @ 0..=125 => out.push(bit | short as u8),
            middle @ 126..=65535 => {
                out.push(bit | 126);
                out.extend((middle as u16).to_be_bytes());
            }
            long => {
                out.push(bit | 127);
                out.extend((long as u64).to_be_bytes());
            }
        }
        out.extend(mask.iter().flatten());
        out.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask.map_or(0, |mask| mask[at % 4])));
        out
    }

    fn text(words: &[u8]) -> Said {
        Said::Text { text: Some(words.to_vec()), bytes: words.len() as u64 }
    }

    #[test]
    fn messages_are_read_however_they_are_cut() {
        let long = vec![b'x'; 70_000];
        let mut bytes = frame(0x81, b"one", Some([1, 2, 3, 4]));
        bytes.extend(frame(0x01, b"tw", None));
        bytes.extend(frame(0x89, b"ping in the middle", Some([9, 9, 9, 9])));
        bytes.extend(frame(0x80, b"o", Some([5, 6, 7, 8])));
        bytes.extend(frame(0x82, &long, None));
        bytes.extend(frame(0x81, &[b'y'; 300], Some([1, 0, 0, 0])));
        bytes.extend(frame(0x81, b"", None));
        bytes.extend(frame(0x88, b"\x03\xf3gone", Some([1, 2, 3, 4])));
        let wanted = [
            text(b"one"),
            text(b"two"),
            Said::Binary(70_000),
            text(&[b'y'; 300]),
            text(b""),
            Said::Close(Some(1011), "gone".into()),
        ];
        for size in [1, 2, 3, 7, 1000, bytes.len()] {
            let (mut frames, mut said) = (Frames::default(), Vec::new());
            for piece in bytes.chunks(size) {
                frames.feed(piece, &mut said);
            }
            assert!(said == wanted && frames.is_between(), "by {size}");
        }
    }

    #[test]
    fn a_long_text_is_counted_only() {
        let (mut frames, mut said) = (Frames::default(), Vec::new());
        frames.feed(&frame(0x81, &vec![b'x'; LIMIT + 1], None), &mut said);
        assert_eq!(said, [Said::Text { text: None, bytes: LIMIT as u64 + 1 }]);
        assert!(frames.message.held.is_empty());
    }

    #[test]
    fn a_close_without_a_code_has_none() {
        let (mut frames, mut said) = (Frames::default(), Vec::new());
        frames.feed(&frame(0x88, b"", None), &mut said);
        assert_eq!(said, [Said::Close(None, String::new())]);
    }
}
