//! Whose model it is, read off its name: members beyond Converse's own are in its maker's words.
//!
//! Invariant: a name that says nothing gets nothing beyond Converse's own members.

use crate::anthropic::model::Model;

/// Whose model it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Anthropic's.
    Claude(Model),
    /// Amazon's, since its second generation, which thinks.
    Nova2,
    /// Amazon's first.
    Nova,
    /// OpenAI's open ones.
    GptOss,
    /// Somebody else's, or an ARN that does not say.
    Other,
}

impl Family {
    pub(super) fn of(model: &str) -> Self {
        if model.contains("anthropic.claude") || model.contains("claude-") {
            Self::Claude(Model::of(model))
        } else if model.contains("amazon.nova-2") {
            Self::Nova2
        } else if model.contains("amazon.nova") {
            Self::Nova
        } else if model.contains("openai.gpt-oss") {
            Self::GptOss
        } else {
            Self::Other
        }
    }

    /// Whether it can be held to a schema (`outputConfig`). Others are made to call a tool.
    pub(super) fn takes_schema(self) -> bool {
        matches!(self, Self::Claude(model) if model.takes_schema())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_model_it_is() {
        assert!(
            matches!(Family::of("us.anthropic.claude-sonnet-4-5-20250929-v1:0"), Family::Claude(m) if m.takes_schema())
        );
        assert!(!Family::of("anthropic.claude-3-haiku-20240307-v1:0").takes_schema());
        assert_eq!(Family::of("global.amazon.nova-2-lite-v1:0"), Family::Nova2);
        assert_eq!(Family::of("amazon.nova-pro-v1:0"), Family::Nova);
        assert_eq!(Family::of("openai.gpt-oss-120b-1:0"), Family::GptOss);
        assert_eq!(Family::of("arn:aws:bedrock:us-east-1:1:application-inference-profile/x"), Family::Other);
    }
}
