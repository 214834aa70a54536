//! Thoughts that stand in the text itself: `<think>…</think>` before the answer.
//!
//! Invariant: however the text is cut, the same pieces add up to the same thought and the same text. Only a tag at
//! the very beginning counts: later on the model may well be writing about tags.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Tells thought from text while the text comes in.
#[derive(Debug, Default)]
pub(super) struct Inline {
    at: At,
    /// What may yet turn out to be a tag, or space that a tag makes meaningless.
    held: String,
    /// Whether some of the thought was said.
    begun: bool,
    /// Whether the thought begins with the text, tag or no tag.
    implied: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Start,
    Thought,
    Gap,
    Text,
}

/// A piece of what the model said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Thought(String),
    Text(String),
}

impl Inline {
    /// For models whose template opens the thought, so that the text begins inside of it.
    pub(super) fn opened() -> Self {
        Self { implied: true, ..Self::default() }
    }

    /// Takes more text and adds what is certain by now.
    pub(super) fn push(&mut self, text: &str, out: &mut Vec<Piece>) {
        if self.at == At::Text {
            return out.push(Piece::Text(text.to_owned()));
        }
        self.held.push_str(text);
        if self.at == At::Start {
            let said = self.held.trim_start();
            if let Some(thought) = said.strip_prefix(OPEN) {
                self.held = thought.to_owned();
                self.at = At::Thought;
            } else if self.implied && !OPEN.starts_with(said) {
                self.at = At::Thought;
            } else if !OPEN.starts_with(said) {
                self.at = At::Text;
                return self.rest(out);
            }
        }
        if self.at == At::Thought {
            match self.held.find(CLOSE) {
                Some(end) => {
                    let rest = self.held.split_off(end + CLOSE.len());
                    self.held.truncate(end);
                    let length = self.held.trim_end().len();
                    self.thought(length, out);
                    self.held = rest;
                    self.at = At::Gap;
                }
                None => {
                    let length = self.held[..self.held.len() - partial(&self.held)].trim_end().len();
                    self.thought(length, out);
                }
            }
        }
        if self.at == At::Gap {
            let start = self.held.len() - self.held.trim_start().len();
            self.held.drain(..start);
            if !self.held.is_empty() {
                self.at = At::Text;
                self.rest(out);
            }
        }
    }

    /// Nothing more comes before something else does: adds what was held back.
    pub(super) fn flush(&mut self, out: &mut Vec<Piece>) {
        match self.at {
            At::Thought => {
                let length = self.held.len();
                self.thought(length, out);
            }
            _ => self.rest(out),
        }
    }

    fn thought(&mut self, length: usize, out: &mut Vec<Piece>) {
        let rest = self.held.split_off(length);
        let thought = std::mem::replace(&mut self.held, rest);
        let thought = if self.begun { thought } else { thought.trim_start().to_owned() };
        if !thought.is_empty() {
            self.begun = true;
            out.push(Piece::Thought(thought));
        }
    }

    fn rest(&mut self, out: &mut Vec<Piece>) {
        if !self.held.is_empty() {
            out.push(Piece::Text(std::mem::take(&mut self.held)));
        }
    }
}

/// How many bytes at the end may be the beginning of the closing tag.
fn partial(text: &str) -> usize {
    (1..CLOSE.len()).rev().find(|length| text.ends_with(&CLOSE[..*length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thought and text, from pieces of so many characters.
    fn read(text: &str, size: usize) -> (String, String) {
        let (mut inline, mut out) = (Inline::default(), Vec::new());
        let letters: Vec<char> = text.chars().collect();
        letters.chunks(size).for_each(|piece| inline.push(&piece.iter().collect::<String>(), &mut out));
        inline.flush(&mut out);
        out.into_iter().fold(Default::default(), |(thought, text), piece| match piece {
            Piece::Thought(more) => (thought + &more, text),
            Piece::Text(more) => (thought, text + &more),
        })
    }

    #[test]
    fn a_thought_that_the_template_opened() {
        for (said, thought, text) in [
            ("Two hulls.\n</think>\n\nA catamaran.", "Two hulls.", "A catamaran."),
            ("cut o", "cut o", ""),
            ("<think>said all the same</think>Yes", "said all the same", "Yes"),
        ] {
            for size in 1..=said.len() {
                let (mut inline, mut out) = (Inline::opened(), Vec::new());
                let letters: Vec<char> = said.chars().collect();
                letters.chunks(size).for_each(|piece| inline.push(&piece.iter().collect::<String>(), &mut out));
                inline.flush(&mut out);
                let joined = |want: bool| -> String {
                    out.iter()
                        .filter_map(|piece| match piece {
                            Piece::Thought(said) if want => Some(said.as_str()),
                            Piece::Text(said) if !want => Some(said.as_str()),
                            _ => None,
                        })
                        .collect()
                };
                assert_eq!((joined(true), joined(false)), (thought.to_owned(), text.to_owned()), "pieces of {size}");
            }
        }
    }

    #[test]
    fn however_it_is_cut() {
        for (said, thought, text) in [
            ("<think>\nTwo\nhulls.\n</think>\n\nA catamaran.", "Two\nhulls.", "A catamaran."),
            ("\n <think></think>Yes", "", "Yes"),
            ("<think>a < b </ c</think> <think>", "a < b </ c", "<think>"),
            ("Write <think>x</think>.", "", "Write <think>x</think>."),
            ("<think>cut o", "cut o", ""),
            ("<think>cut </thi", "cut </thi", ""),
            ("<thin", "", "<thin"),
            ("  ", "", "  "),
        ] {
            for size in 1..=said.len() {
                assert_eq!(read(said, size), (thought.to_owned(), text.to_owned()), "{said} in pieces of {size}");
            }
        }
    }
}
