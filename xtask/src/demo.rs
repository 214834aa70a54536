//! `cargo xtask demo`: the gateway at work, one minute after cloning.
//!
//! Invariant: nothing outside of this machine is called: the models are the built-in `dummy` ones,
//! and the gateway listens on the loopback address only.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail};

use crate::{
    http::{post, string},
    shell::{binary, cargo, root},
};

const PORT: u16 = 3000;

/// Builds the gateway, starts it, shows what it does, and leaves it running.
pub(crate) fn run() -> Result<()> {
    // The development profile: it starts to run minutes earlier than a release build.
    cargo(&["build", "-p", "sabir-server"]).run()?;
    let mut gateway = Gateway::start()?;
    let id = tour(gateway.address, &mut std::io::stdout())?;
    gateway.ledger(&id)?;
    let address = gateway.address;
    println!("\nThe gateway listens on http://{address}. Ctrl-C ends it. Try:\n");
    println!("  curl http://{address}/v1/chat/completions -H 'content-type: application/json' \\");
    println!("    -d '{{\"model\":\"dummy::echo\",\"messages\":[{{\"role\":\"user\",\"content\":\"hello\"}}]}}'\n");
    let status = gateway.child.wait().context("the gateway could not be waited for")?;
    if !status.success() {
        bail!("the gateway ended: {status}");
    }
    Ok(())
}

/// Makes the calls and says what came back; the id of the inference.
fn tour(gateway: SocketAddr, out: &mut impl Write) -> Result<String> {
    writeln!(out, "\n1. An inference: POST /inference")?;
    let request = r#"{"model_name":"dummy::echo","input":{"messages":[{"role":"user","content":"hello"}]}}"#;
    let answer = post(gateway, "/inference", request)?;
    writeln!(out, "   {request}\n   {answer}")?;
    let id = string(&answer, "inference_id").context("the inference has no `inference_id`")?;

    writeln!(out, "\n2. The OpenAI protocol, streamed: POST /v1/chat/completions")?;
    let request = r#"{"model":"dummy::good","stream":true,"messages":[{"role":"user","content":"tell me a story"}]}"#;
    let answer = post(gateway, "/v1/chat/completions", request)?;
    let chunks: Vec<_> = answer.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let Some((&"[DONE]", chunks)) = chunks.split_last() else { bail!("the stream does not end with [DONE]: {answer}") };
    let text: String = chunks.iter().filter_map(|chunk| string(chunk, "content")).collect();
    writeln!(out, "   {request}\n   {} chunks: {text}", chunks.len())?;

    writeln!(out, "\n3. Feedback on the inference: POST /feedback")?;
    let request = format!(r#"{{"metric_name":"comment","inference_id":"{id}","value":"it answered"}}"#);
    let answer = post(gateway, "/feedback", &request)?;
    writeln!(out, "   {request}\n   {answer}")?;
    string(&answer, "feedback_id").context("the feedback has no `feedback_id`")?;

    writeln!(out, "\n4. The inference, read back: POST /v1/inferences/get_inferences")?;
    let request = format!(r#"{{"ids":["{id}"],"output_source":"inference"}}"#);
    let answer = post(gateway, "/v1/inferences/get_inferences", &request)?;
    writeln!(out, "   {request}\n   {answer}")?;
    if !answer.contains(&id) {
        bail!("the inference {id} is not in the ledger");
    }
    Ok(id)
}

struct Gateway {
    child: Child,
    address: SocketAddr,
}

impl Gateway {
    fn start() -> Result<Self> {
        // Somebody else may be on the usual port; then the system picks a free one.
        let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let bind = if TcpListener::bind(usual).is_ok() { usual } else { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        let bind = bind.to_string();
        let mut command = Command::new(binary("debug")?);
        command.args(["serve", "--bind", &bind]).current_dir(root()?).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the gateway could not be started")?;
        let output = child.stdout.take().context("the gateway has no output")?;
        let mut output = BufReader::new(output);
        let address = ready(&mut output);
        let address = match address {
            Ok(address) => address,
            Err(error) => {
                drop(child.kill());
                drop(child.wait());
                return Err(error);
            }
        };
        thread::spawn(move || std::io::copy(&mut output, &mut std::io::stdout()));
        Ok(Self { child, address })
    }

    /// Shows an inference and its feedback from the outside, as the binary's own subcommand does.
    fn ledger(&self, id: &str) -> Result<()> {
        println!("\n5. The same from the ledger's file, with its feedback: sabir ledger show {id}");
        let mut command = Command::new(binary("debug")?);
        let status = command.args(["ledger", "show", id]).current_dir(root()?).status();
        let status = status.context("`sabir ledger show` could not be started")?;
        if !status.success() {
            bail!("`sabir ledger show {id}` failed: {status}");
        }
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads what the gateway prints until it says where it listens.
fn ready(output: &mut impl BufRead) -> Result<SocketAddr> {
    let mut line = String::new();
    loop {
        line.clear();
        if output.read_line(&mut line).context("the gateway's output is unreadable")? == 0 {
            bail!("the gateway ended before it was ready");
        }
        print!("{line}");
        if let Some(address) = line.trim().strip_prefix("sabir listening on http://") {
            let address = address.split([' ', '/', ',']).next().unwrap_or(address);
            return address.parse().with_context(|| format!("`{address}` is not an address"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const ID: &str = "0199d1e8-1111-7000-8000-000000000001";

    /// A gateway that knows four calls, the second of which it answers in chunks.
    fn fake(calls: usize) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for _ in 0..calls {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"}") {
                    let mut part = [0; 1024];
                    let read = stream.read(&mut part).unwrap();
                    request.extend_from_slice(&part[..read]);
                }
                stream.write_all(answer(&String::from_utf8(request).unwrap()).as_bytes()).unwrap();
            }
        });
        address
    }

    fn answer(request: &str) -> String {
        let (path, body) = (request.split(' ').nth(1).unwrap(), request.rsplit("\r\n\r\n").next().unwrap());
        let whole = |json: String| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{json}", json.len());
        match path {
            "/inference" => whole(format!(r#"{{"inference_id":"{ID}","content":[{{"type":"text","text":"hello"}}]}}"#)),
            "/feedback" if body.contains(ID) => whole(r#"{"feedback_id":"f"}"#.to_owned()),
            "/v1/inferences/get_inferences" => whole(format!(r#"{{"inferences":[{{"inference_id":"{ID}"}}]}}"#)),
            "/v1/chat/completions" => {
                let mut answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
                for data in [r#"{"delta":{"content":"a"}}"#, r#"{"delta":{"content":" b"}}"#, "[DONE]"] {
                    let event = format!("data: {data}\n\n");
                    answer.push_str(&format!("{:x}\r\n{event}\r\n", event.len()));
                }
                answer + "0\r\n\r\n"
            }
            _ => "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno".to_owned(),
        }
    }

    #[test]
    fn the_tour_makes_its_calls_and_says_what_came_back() {
        let mut out = Vec::new();
        assert_eq!(tour(fake(4), &mut out).unwrap(), ID);
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains(r#""text":"hello""#), "{out}");
        assert!(out.contains("2 chunks: a b"), "{out}");
        assert!(out.contains(r#"{"feedback_id":"f"}"#), "{out}");
    }

    #[test]
    fn an_answer_that_is_an_error_is_shown() {
        let error = post(fake(1), "/nowhere", "{}").unwrap_err();
        assert_eq!(error.to_string(), "POST /nowhere was answered with 404: no");
    }

    #[test]
    fn the_gateway_is_ready_when_it_says_where() {
        let mut output = &b"a line before\nsabir listening on http://127.0.0.1:3000\n"[..];
        assert_eq!(ready(&mut output).unwrap(), SocketAddr::from((Ipv4Addr::LOCALHOST, 3000)));
        assert_eq!(ready(&mut &b""[..]).unwrap_err().to_string(), "the gateway ended before it was ready");
    }
}
