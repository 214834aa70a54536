//! A server that answers what a test wants.
//!
//! Invariant: every wait has an end, so a test that hangs fails instead.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use sabir::Sabir;

/// The longest that anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server that gives each connection the next of the answers, and closes it.
pub(crate) struct Script {
    pub(crate) address: SocketAddr,
    /// The requests that came, heads and bodies.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    /// Told when a caller closes its connection before the server does.
    pub(crate) left: mpsc::Receiver<()>,
}

/// What a connection gets.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes, then the end.
    Bytes(String),
    /// Nothing, then the end.
    Nothing,
    /// These bytes, then silence for as long as the caller is there.
    Silence(String),
}

impl Reply {
    pub(crate) fn json(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Bytes(format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        ))
    }

    pub(crate) fn events(body: &str) -> String {
        format!("HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}")
    }
}

impl Script {
    /// A server that gives each connection the next of the answers, and has no more.
    pub(crate) fn start(replies: Vec<Reply>) -> Self {
        Self::serve(move |_, index| replies.get(index).cloned().unwrap_or(Reply::Nothing))
    }

    /// A server that answers each request as `answer` says; it is told how many came before.
    pub(crate) fn serve(answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (tell, left) = mpsc::channel();
        let (requests, answer) = (seen.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let (requests, answer, tell) = (requests.clone(), answer.clone(), tell.clone());
                std::thread::spawn(move || {
                    let request = request(&mut stream);
                    let index = {
                        let mut seen = requests.lock().unwrap();
                        seen.push(request.clone());
                        seen.len() - 1
                    };
                    give(&mut stream, answer(&request, index), &tell);
                });
            }
        });
        Self { address, seen, left }
    }

    pub(crate) fn client(&self) -> sabir::HttpBuilder {
        Sabir::http(format!("http://{}", self.address))
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn give(stream: &mut TcpStream, reply: Reply, tell: &mpsc::Sender<()>) {
    match reply {
        Reply::Nothing => {}
        Reply::Bytes(bytes) => stream.write_all(bytes.as_bytes()).unwrap(),
        Reply::Silence(bytes) => {
            stream.write_all(bytes.as_bytes()).unwrap();
            if matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_)) {
                tell.send(()).ok();
            }
        }
    }
}

fn request(stream: &mut TcpStream) -> String {
    let mut held = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&held).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            if head.contains("transfer-encoding: chunked") && body.ends_with("0\r\n\r\n") {
                return String::from_utf8_lossy(&held).into_owned();
            }
            if head.contains("transfer-encoding: chunked") {
                let Ok(read @ 1..) = stream.read(&mut buffer) else { continue };
                held.extend_from_slice(&buffer[..read]);
                continue;
            }
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return String::from_utf8_lossy(&held).into_owned();
            }
        }
        match stream.read(&mut buffer) {
            Ok(read @ 1..) => held.extend_from_slice(&buffer[..read]),
            _ => return String::from_utf8_lossy(&held).into_owned(),
        }
    }
}
