//! The client without an async runtime: typed answers, raw ones, and streams as iterators.
//!
//! Invariant: no line here is async.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use sabir::{Options, Result, Sabir, blocking};
use serde_json::{Value, json};

fn main() -> Result<()> {
    let client = blocking::Sabir::embedded(Sabir::provider("dummy"))?;
    let request = json!({"model": "echo", "messages": [{"role": "user", "content": "Hello there"}]});

    let answer = client.chat().create(&request).send()?;
    println!("{} ({} tries again)", answer.text(), answer.meta().retries());

    let call = client.chat().create(&request).member("user", "me").options(Options::new().retries(0));
    println!("{} bytes", call.raw()?.body().len());

    for piece in client.chat().stream(&request)? {
        print!("{}|", piece?.text());
    }
    println!();

    let health = client.get::<Value>("/health").send()?;
    println!("{}", *health);
    client.close()
}
