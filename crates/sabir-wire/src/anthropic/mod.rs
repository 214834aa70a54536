//! Anthropic's Messages, both directions.
