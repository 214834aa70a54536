//! A conversation that remembers itself, and runs the tools that the model calls.
//!
//! Invariants: the history always is a conversation that can be sent: a turn that failed is not in
//! it, and what is cut off for room is cut off turn by turn, so that no tool's result is without its
//! call; a turn ends, since the rounds of tools are counted.

use std::{fmt, sync::Arc};

use sabir_types::Value;

use crate::{
    accumulate::ChatEvent,
    answer::Answer,
    error::{Error, Result},
    model::{Model, ModelOutput, Parameters},
    tool::Tool,
    types::{Message, ToolCall},
};

/// How many rounds of tools a turn may have, unless told otherwise.
const ROUNDS: u32 = 5;
/// What a message takes beside its text, as an estimate.
const PER_MESSAGE: usize = 4;

/// Something that happened in a conversation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ChatStep<'a> {
    /// What the user says.
    User(&'a str),
    /// More of what the model says.
    Delta(&'a str),
    /// All that the model says.
    Assistant(&'a str),
    /// A tool that the model calls.
    Call {
        /// Its name.
        name: &'a str,
        /// The arguments, as the model writes them.
        arguments: &'a str,
    },
    /// What a tool gave.
    Result {
        /// Its name.
        name: &'a str,
        /// What goes to the model.
        content: &'a str,
    },
}

type Listener = Arc<dyn Fn(ChatStep<'_>) + Send + Sync>;
type Counter = Arc<dyn Fn(&Message) -> usize + Send + Sync>;

/// A conversation with a model.
#[derive(Clone)]
pub struct ChatEngine {
    model: Model,
    system: Option<String>,
    tools: Vec<Tool>,
    parameters: Parameters,
    rounds: u32,
    raises: bool,
    streams: bool,
    room: Option<usize>,
    listener: Option<Listener>,
    counter: Counter,
    history: Vec<Message>,
}

impl ChatEngine {
    /// A conversation that has not begun.
    pub fn new(model: Model) -> Self {
        Self {
            model,
            system: None,
            tools: Vec::new(),
            parameters: Parameters::new(),
            rounds: ROUNDS,
            raises: false,
            streams: false,
            room: None,
            listener: None,
            counter: Arc::new(estimate),
            history: Vec::new(),
        }
    }

    /// What the model is told before everything else.
    #[must_use]
    pub fn system(mut self, text: impl Into<String>) -> Self {
        self.system = Some(text.into());
        self
    }

    /// The tools that the model may call.
    #[must_use]
    pub fn tools(mut self, tools: impl IntoIterator<Item = Tool>) -> Self {
        self.tools.extend(tools);
        self
    }

    /// The parameters of every call.
    #[must_use]
    pub fn parameters(mut self, parameters: Parameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// How often in one turn the model may call tools and get their results. 5 unless told otherwise.
    #[must_use]
    pub fn max_rounds(mut self, rounds: u32) -> Self {
        self.rounds = rounds;
        self
    }

    /// Ends a turn with an error when a tool fails. Otherwise the model is told of it.
    #[must_use]
    pub fn raise_tool_errors(mut self) -> Self {
        self.raises = true;
        self
    }

    /// Tells of everything that happens.
    #[must_use]
    pub fn on_step(mut self, listener: impl Fn(ChatStep<'_>) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Streams what the model says: [`ChatStep::Delta`] tells of it as it comes.
    #[must_use]
    pub fn streaming(mut self) -> Self {
        self.streams = true;
        self
    }

    /// How many tokens a request may have. What is oldest is not sent any more when they are more;
    /// the history keeps it. Tokens are estimated unless [`count_tokens`](Self::count_tokens) says how.
    #[must_use]
    pub fn max_context_tokens(mut self, tokens: usize) -> Self {
        self.room = Some(tokens);
        self
    }

    /// Counts the tokens of a message.
    #[must_use]
    pub fn count_tokens(mut self, counter: impl Fn(&Message) -> usize + Send + Sync + 'static) -> Self {
        self.counter = Arc::new(counter);
        self
    }

    /// The conversation so far, without what the system says.
    pub fn history(&self) -> &[Message] {
        &self.history
    }

    /// Goes on with this conversation.
    pub fn set_history(&mut self, history: Vec<Message>) {
        self.history = history;
    }

    /// Begins again.
    pub fn reset(&mut self) {
        self.history.clear();
    }

    /// Says something; what the model says to it at last. After an error, and when it is dropped
    /// before it is done, the conversation is what it was before.
    pub async fn chat(&mut self, text: impl Into<String>) -> Result<String> {
        self.say(Message::new("user", text)).await.map(|output| output.reply)
    }

    /// The same with any message of the user, like one with a picture; the model's last answer.
    pub async fn say(&mut self, message: Message) -> Result<ModelOutput> {
        self.tell(ChatStep::User(&message.text()));
        let mut turn = vec![message];
        for _ in 0..=self.rounds {
            let output = self.ask(&turn).await?;
            turn.push(output.message.clone());
            if output.message.tool_calls.is_empty() {
                self.tell(ChatStep::Assistant(&output.reply));
                self.history.append(&mut turn);
                return Ok(output);
            }
            for call in &output.message.tool_calls {
                turn.push(self.run(call).await?);
            }
        }
        Err(Error::Waiting(format!("the model called tools more than {} times in one turn", self.rounds)))
    }

    async fn ask(&self, turn: &[Message]) -> Result<ModelOutput> {
        let request = self.model.request(self.context(turn)?, &self.parameters, &self.tools)?;
        let chat = self.model.client().chat();
        if !self.streams {
            return Ok(self.model.output(chat.create(request).await?));
        }
        let mut stream = chat.events(request).await?;
        while let Some(event) = stream.next().await {
            if let ChatEvent::ContentDelta { choice: 0, delta, .. } = event? {
                self.tell(ChatStep::Delta(&delta));
            }
        }
        let whole = stream.so_far()?;
        let body = serde_json::to_vec(&whole).unwrap_or_default();
        Ok(self.model.output(Answer::new(whole, stream.meta().clone(), body.into())))
    }

    /// What is sent: the system, as many of the turns before as there is room for, and this turn.
    fn context(&self, turn: &[Message]) -> Result<Vec<Message>> {
        let system = self.system.as_ref().map(|text| Message::new("system", text));
        let mut kept = &self.history[..];
        if let Some(room) = self.room {
            let count = |messages: &[Message]| messages.iter().map(|message| (self.counter)(message)).sum::<usize>();
            let fixed = count(turn) + system.as_ref().map_or(0, |message| (self.counter)(message));
            if fixed > room {
                let message = format!("what was said takes {fixed} tokens, and there is room for {room}");
                return Err(Error::Request(message));
            }
            while fixed + count(kept) > room {
                let next = kept.iter().skip(1).position(|message| message.role == "user");
                kept = next.map_or(&[], |next| &kept[next + 1..]);
            }
        }
        Ok(system.into_iter().chain(kept.iter().cloned()).chain(turn.iter().cloned()).collect())
    }

    async fn run(&self, call: &ToolCall) -> Result<Message> {
        let function = call.function.clone().unwrap_or_default();
        let name = function.name.unwrap_or_default();
        self.tell(ChatStep::Call { name: &name, arguments: &function.arguments });
        let outcome = match self.tools.iter().find(|tool| tool.name() == name) {
            Some(tool) => tool.run(&function.arguments).await,
            None => Err(format!("there is no tool `{name}`: use another one")),
        };
        let content = match outcome {
            Ok(Value::String(text)) => text,
            Ok(value) => value.to_string(),
            Err(error) if self.raises => {
                return Err(Error::Waiting(format!("the tool `{name}` failed: {error}")));
            }
            Err(error) => error,
        };
        self.tell(ChatStep::Result { name: &name, content: &content });
        Ok(Message::tool(call.id.clone().unwrap_or_default(), content))
    }

    fn tell(&self, step: ChatStep<'_>) {
        if let Some(listener) = &self.listener {
            listener(step);
        }
    }
}

/// About how many tokens a message has: four letters make one, and signs of other scripts one each.
fn estimate(message: &Message) -> usize {
    let calls = message.tool_calls.iter().filter_map(|call| call.function.as_ref());
    let calls: usize = calls.map(|call| tokens(&call.arguments) + PER_MESSAGE).sum();
    tokens(&message.text()) + calls + PER_MESSAGE
}

fn tokens(text: &str) -> usize {
    let (ascii, others) = text.chars().fold((0, 0), |(ascii, others), sign| match sign.is_ascii() {
        true => (ascii + 1, others),
        false => (ascii, others + 1),
    });
    usize::div_ceil(ascii, 4) + others
}

impl fmt::Debug for ChatEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatEngine")
            .field("model", &self.model)
            .field("tools", &self.tools)
            .field("messages", &self.history.len())
            .finish_non_exhaustive()
    }
}
