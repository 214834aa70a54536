//! What Anthropic's models take, read off their names.
//!
//! Invariant: a name without a version that can be read is treated as an old model of an unknown
//! vendor: nothing is taken away from its request, and thinking is asked for by budget, which is
//! what compatible servers understand.
//!
//! The versions are those of Anthropic's guides on adaptive thinking, effort, structured outputs
//! and the migration to Opus 4.7 (platform.claude.com, read 2026-11).

use sabir_types::Effort;

/// A model, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    version: Option<(u8, u8)>,
}

impl Model {
    /// Reads a name: `claude-opus-4-7`, `claude-3-5-sonnet-20241022`, `us.anthropic.claude-haiku-4-5-20251001-v1:0`.
    pub fn of(name: &str) -> Self {
        let Some((_, rest)) = name.split_once("claude") else { return Self { version: None } };
        let mut words = rest.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).peekable();
        while let Some(word) = words.next() {
            if let Some(major) = small(word) {
                let minor = words.peek().and_then(|word| small(word)).unwrap_or(0);
                return Self { version: Some((major, minor)) };
            }
        }
        Self { version: None }
    }

    /// Whether it decides by itself how much to think (`thinking.type: adaptive`).
    pub fn is_adaptive(self) -> bool {
        self.since(4, 6)
    }

    /// Whether it takes a budget for thinking (`thinking.type: enabled`).
    pub fn takes_budget(self) -> bool {
        self.thinks() && !self.since(4, 7)
    }

    /// Whether it can think at all.
    pub fn thinks(self) -> bool {
        self.version.is_none() || self.since(3, 7)
    }

    /// Whether thinking has to be switched off, because it is on by default.
    pub fn thinks_unasked(self) -> bool {
        self.since(5, 0)
    }

    /// Whether it takes `temperature`, `top_p` and `top_k`.
    pub fn samples(self) -> bool {
        !self.since(4, 7)
    }

    /// Whether it takes `temperature` and `top_p` together.
    pub fn samples_both_ways(self) -> bool {
        !self.since(4, 5)
    }

    /// Whether it can be held to a JSON schema (`output_config.format`, `strict` tools).
    pub fn takes_schema(self) -> bool {
        self.version.is_none() || self.since(4, 5)
    }

    /// `max_tokens` where the caller gave none. Models since 4.5 end an answer at the edge of
    /// their context instead of refusing a number that reaches over it, so they get more room.
    pub fn default_max_tokens(self) -> u64 {
        if self.since(4, 5) {
            32_000
        } else if self.since(3, 5) {
            8_192
        } else {
            4_096
        }
    }

    /// The word for an effort, or the nearest one that the model knows.
    pub fn effort(self, effort: Effort) -> &'static str {
        match effort {
            Effort::Minimal | Effort::None => "low",
            Effort::Xhigh if !self.since(4, 7) => "high",
            effort => effort.as_str(),
        }
    }

    fn since(self, major: u8, minor: u8) -> bool {
        self.version.is_some_and(|version| version >= (major, minor))
    }
}

/// A version number: one or two digits. Dates have eight.
fn small(word: &str) -> Option<u8> {
    if word.len() <= 2 { word.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_off_names() {
        for (name, version) in [
            ("claude-3-haiku-20240307", Some((3, 0))),
            ("claude-3-5-sonnet-20241022", Some((3, 5))),
            ("claude-3-7-sonnet-latest", Some((3, 7))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-opus-4-1@20250805", Some((4, 1))),
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", Some((4, 5))),
            ("anthropic/claude-opus-4.6", Some((4, 6))),
            ("anthropic.claude-opus-4-6-v1", Some((4, 6))),
            ("claude-sonnet-5", Some((5, 0))),
            ("claude-2.1", Some((2, 1))),
            ("MiniMax-M2", None),
            ("claude-next", None),
        ] {
            assert_eq!(Model::of(name).version, version, "{name}");
        }
    }

    #[test]
    fn unknown_names_keep_everything() {
        let model = Model::of("glm-4.7");
        assert!(model.thinks() && model.takes_budget() && model.samples() && model.takes_schema());
        assert!(!model.is_adaptive());
        assert_eq!(model.default_max_tokens(), 4_096);
    }

    #[test]
    fn efforts_fit_the_model() {
        assert_eq!(Model::of("claude-opus-4-6").effort(Effort::Xhigh), "high");
        assert_eq!(Model::of("claude-opus-4-7").effort(Effort::Xhigh), "xhigh");
        assert_eq!(Model::of("claude-opus-4-7").effort(Effort::Minimal), "low");
    }
}
