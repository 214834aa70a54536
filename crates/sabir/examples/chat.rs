//! A conversation that remembers, with a tool, and what it says as it comes.
//!
//! Without arguments it talks with the built-in provider; an id like `openai/gpt-4o-mini` is a model
//! of a provider, whose key is in the environment.
//!
//! Invariant: what is printed is what the engine tells of, and nothing else.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use sabir::{ChatEngine, ChatStep, Model, Parameters, Result, tool};

/// The weather of a city.
#[tool]
fn weather(
    /// The city's name.
    city: String,
) -> String {
    format!("sunny in {city}, 20 degrees")
}

#[tokio::main]
async fn main() -> Result<()> {
    let id = std::env::args().nth(1).unwrap_or_else(|| "dummy/echo".to_owned());
    let model = Model::from_id(&id)?.with_parameters(Parameters::new().temperature(0.0))?;
    let mut chat = ChatEngine::new(model)
        .system("Be brief.")
        .tools([weather::tool()])
        .max_context_tokens(4000)
        .streaming()
        .on_step(|step| match step {
            ChatStep::User(text) => println!("user: {text}"),
            ChatStep::Delta(text) => print!("{text}"),
            ChatStep::Assistant(_) => println!(),
            ChatStep::Call { name, arguments } => println!("call: {name} {arguments}"),
            ChatStep::Result { name, content } => println!("{name}: {content}"),
            _ => {}
        });
    chat.chat("What is the weather in Oslo?").await?;
    chat.chat("And what did I ask before?").await?;
    println!("{} messages", chat.history().len());
    Ok(())
}
