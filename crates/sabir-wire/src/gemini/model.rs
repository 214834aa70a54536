//! What Gemini's models take, read off their names.
//!
//! Invariant: a name without a generation that can be read is treated as a model of today, except
//! that nothing is added to its request.

use sabir_types::Effort;

/// A model, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    generation: Option<u8>,
    /// Of the `pro` line, which cannot stop thinking.
    pro: bool,
}

impl Model {
    /// Reads a name: `gemini-2.5-flash`, `models/gemini-3-pro-preview`, `gemini-flash-latest`.
    pub fn of(name: &str) -> Self {
        let rest = name.split_once("gemini-").map(|(_, rest)| rest);
        let generation = rest.and_then(|rest| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            // The moving names have pointed at the third generation since it came.
            rest[..digits].parse().ok().or_else(|| rest.ends_with("-latest").then_some(3))
        });
        Self { generation, pro: rest.is_some_and(|rest| rest.split('-').any(|word| word == "pro")) }
    }

    /// Whether thinking is set by level; older models take a budget of tokens.
    pub fn takes_level(self) -> bool {
        self.generation.is_none_or(|generation| generation >= 3)
    }

    /// Whether a turn whose first call has no thought signature is refused.
    pub fn checks_signatures(self) -> bool {
        self.generation.is_some_and(|generation| generation >= 3)
    }

    /// Whether a tool's result may hold pictures.
    pub fn takes_media_results(self) -> bool {
        self.generation.is_some_and(|generation| generation >= 3)
    }

    /// Whether thinking can be switched off.
    pub fn can_stop_thinking(self) -> bool {
        !self.takes_level() && !self.pro
    }

    /// The level for an effort, and whether that is what was asked for.
    pub fn level(self, effort: Effort) -> (&'static str, bool) {
        match effort {
            // The pro line of the third generation has no level below this one.
            Effort::None | Effort::Minimal if self.pro => ("low", false),
            Effort::None => ("minimal", false),
            Effort::Minimal => ("minimal", true),
            Effort::Low => ("low", true),
            Effort::Medium => ("medium", true),
            Effort::High => ("high", true),
            _ => ("high", false),
        }
    }

    /// The budget for an effort, and whether that is what was asked for. The steps are those of
    /// Google's own OpenAI-compatible route.
    pub fn budget(self, effort: Effort) -> (i64, bool) {
        match effort {
            Effort::None if self.can_stop_thinking() => (0, true),
            Effort::None => (128, false),
            Effort::Minimal => (512, true),
            Effort::Low => (1_024, true),
            Effort::Medium => (8_192, true),
            Effort::High => (24_576, true),
            _ if self.pro => (32_768, true),
            _ => (24_576, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_read_off_names() {
        for (name, generation, pro) in [
            ("gemini-2.5-flash", Some(2), false),
            ("gemini-2.5-pro-preview-03-25", Some(2), true),
            ("models/gemini-3-pro-preview", Some(3), true),
            ("gemini-3.5-flash", Some(3), false),
            ("gemini-flash-latest", Some(3), false),
            ("gemini-10-flash", Some(10), false),
            ("gemma-3-27b-it", None, false),
            ("tunedModels/mine", None, false),
        ] {
            assert_eq!(Model::of(name), Model { generation, pro }, "{name}");
        }
    }

    #[test]
    fn efforts_fit_the_model() {
        assert_eq!(Model::of("gemini-2.5-flash").budget(Effort::None), (0, true));
        assert_eq!(Model::of("gemini-2.5-pro").budget(Effort::None), (128, false));
        assert_eq!(Model::of("gemini-2.5-pro").budget(Effort::Max), (32_768, true));
        assert_eq!(Model::of("gemini-3-flash").level(Effort::Minimal), ("minimal", true));
        assert_eq!(Model::of("gemini-3-pro").level(Effort::Minimal), ("low", false));
        assert!(Model::of("gemini-3-flash").takes_level() && !Model::of("gemini-2.0-flash").takes_level());
    }
}
