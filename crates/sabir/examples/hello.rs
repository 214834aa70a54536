//! A call and a stream: to the gateway at the address that is given, or to one in this process.
//!
//! Invariant: below the first lines of `main`, nothing knows which of them it is.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use sabir::{Result, Sabir, types::ChatCompletionRequest};

#[tokio::main]
async fn main() -> Result<()> {
    let client = match std::env::args().nth(1) {
        Some(url) => Sabir::http(url).build()?,
        None => Sabir::embedded("").build()?,
    };
    let request = ChatCompletionRequest::new("dummy::echo").system("Repeat what you hear.").user("Hello there");
    let answer = client.chat().create(&request).await?;
    println!("{} ({})", answer.text(), answer.request_id().unwrap_or("without an id"));

    let mut stream = client.chat().stream(request.include_usage()).await?;
    while let Some(piece) = stream.next().await {
        println!("piece: {:?}", piece?.text());
    }
    println!("whole: {:?}", stream.so_far()?);
    client.close().await
}
