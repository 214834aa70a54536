//! How the providers of the OpenAI family differ in what they take.
//!
//! Invariant: data only; a difference is a field here, not a branch on a name.

/// How one provider's words differ from OpenAI's. A difference is a field here, not a branch on a name.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// Models like this take `developer` in place of `system`.
    pub developer: Option<fn(&str) -> bool>,
    /// Whether several leading system messages may stand apart; otherwise they are joined.
    pub many_systems: bool,
    /// The name of the token limit.
    pub max_tokens: &'static str,
    /// Models like this take `max_completion_tokens` whatever `max_tokens` says.
    pub completion_tokens: Option<fn(&str) -> bool>,
    /// The name of the seed.
    pub seed: &'static str,
    /// The word for "call at least one tool".
    pub required: &'static str,
    /// Whether usage on a stream has to be asked for.
    pub stream_usage: bool,
    /// How to ask for thinking.
    pub reasoning: ReasoningStyle,
    /// Under which name thoughts of earlier turns go back; `None` leaves them out.
    pub replay: Option<&'static str>,
    /// Whether messages may carry a `name`.
    pub names: bool,
    /// Where documents go: OpenAI's `file` part, or a `document_url` part.
    pub document_url: bool,
    /// Whether an assistant turn with tool calls must carry a thought, an empty one if need be.
    pub replay_always: bool,
    /// Tool call ids must have exactly that many letters and digits: others are mapped.
    pub id_length: Option<usize>,
    /// Members of the request that the provider refuses: left out with a warning.
    pub lacks: &'static [&'static str],
    /// Which ways of choosing a tool the provider knows.
    pub choices: Choices,
    /// What `temperature` and `top_p` may be: what lies outside is moved to the nearest end, with a warning.
    pub temperature: Option<(f64, f64)>,
    /// See `temperature`.
    pub top_p: Option<(f64, f64)>,
    /// How many stop texts a request may have.
    pub max_stops: Option<usize>,
    /// Whether turns of user and assistant must alternate: successive turns of one speaker are joined.
    pub alternate: bool,
    /// Switches that a request always carries unless the caller says otherwise.
    pub always: &'static [(&'static str, bool)],
}

/// Which ways of choosing a tool a provider knows. `auto` is always known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choices {
    /// `none`: without it, no tools are sent at all.
    pub none: bool,
    /// "At least one."
    pub required: bool,
    /// A tool by its name.
    pub named: bool,
    /// Some of the tools (`allowed_tools`): without it, only those are sent.
    pub allowed: bool,
}

impl Choices {
    /// Everything.
    pub const ALL: Self = Self { none: true, required: true, named: true, allowed: true };

    /// `auto` and `none`.
    pub const AUTO_OR_NONE: Self = Self { none: true, required: false, named: false, allowed: false };
}

/// How to ask for thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningStyle {
    /// `reasoning_effort`.
    Effort,
    /// `thinking: {"type": "enabled"}`, with `reasoning_effort` beside it.
    Thinking,
    /// `reasoning: {"effort": …, "max_tokens": …}`.
    Object,
    /// `chat_template_kwargs: {"enable_thinking": …}`.
    Template,
    /// `enable_thinking`, with `thinking_budget` beside it.
    Switch,
    /// `thinking: {"type": "adaptive"}`: the model itself decides how much.
    Adaptive,
}

impl Dialect {
    /// OpenAI's own words.
    pub const OPENAI: Self = Self {
        developer: Some(is_reasoning_model),
        many_systems: true,
        max_tokens: "max_completion_tokens",
        completion_tokens: None,
        seed: "seed",
        required: "required",
        stream_usage: true,
        reasoning: ReasoningStyle::Effort,
        replay: None,
        names: true,
        document_url: false,
        replay_always: false,
        id_length: None,
        lacks: &[],
        choices: Choices::ALL,
        temperature: None,
        top_p: None,
        max_stops: None,
        alternate: false,
        always: &[],
    };

    /// What most others take.
    pub const COMPATIBLE: Self =
        Self { developer: None, many_systems: false, max_tokens: "max_tokens", ..Self::OPENAI };
}

/// Whether OpenAI's model thinks before it answers, by its name (FORMAT: `o1`, `o3`, `o4-*`, `gpt-5*` and later).
pub fn is_reasoning_model(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    if name.contains("chat") {
        return false;
    }
    let digits = |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.chars().next()?.to_digit(10));
    digits("o").is_some() || digits("gpt-").is_some_and(|major| major >= 5)
}
