//! The callers: one after another, or many at once.
//!
//! Invariant: the clock of a call starts when its connection is open and its bytes are ready, and a
//! call that fails gives no latency but is counted.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{
    client::{self, Seen},
    grpc,
};

/// How much longer than planned a round may take before its callers are given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A prepared request, and what a good answer to it is.
#[derive(Debug, Clone)]
pub(super) struct Shot {
    /// The bytes to send.
    pub(super) request: Arc<[u8]>,
    /// How many events the stream has at least; `None` if the answer is no stream.
    pub(super) events: Option<usize>,
    /// Whether an event says that the stream is complete.
    pub(super) marked: bool,
    /// The method, if it is a call over gRPC: `request` is then its body.
    pub(super) grpc: Option<&'static str>,
}

impl Shot {
    /// A POST of JSON.
    pub(super) fn new(host: &str, path: &str, json: &str, events: Option<usize>) -> Self {
        let length = json.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\naccept: */*\r\n\
             authorization: Bearer bench\r\ncontent-length: {length}\r\n\r\n{json}"
        );
        Self { request: request.into_bytes().into(), events, marked: true, grpc: None }
    }
}

/// What a round gave; times in microseconds.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Calls that ended well.
    pub(super) good: u64,
    /// Calls that did not.
    pub(super) failed: u64,
    /// Why the first of those did not.
    pub(super) why: Option<String>,
    /// How long the round took.
    pub(super) seconds: f64,
    /// From the first byte sent to the last one read, for each call.
    pub(super) whole: Vec<f64>,
    /// From the first byte sent to the first event.
    pub(super) first: Vec<f64>,
    /// Between two events.
    pub(super) gaps: Vec<f64>,
}

impl Round {
    fn add(&mut self, other: Self) {
        self.good += other.good;
        self.failed += other.failed;
        self.why = self.why.take().or(other.why);
        self.whole.extend(other.whole);
        self.first.extend(other.first);
        self.gaps.extend(other.gaps);
    }

    fn fail(&mut self, why: String) {
        self.failed += 1;
        self.why.get_or_insert(why);
    }
}

/// Calls one after another.
pub(super) async fn one(to: SocketAddr, shot: &Shot, calls: u64) -> Round {
    let mut caller = Caller::new(to);
    caller.connect(shot).await;
    let start = Instant::now();
    let all = async {
        for _ in 0..calls {
            caller.call(shot).await;
        }
    };
    // A call may hang: then those that are missing have failed.
    if tokio::time::timeout(PATIENCE * 2, all).await.is_err() {
        let missing = calls - caller.round.good - caller.round.failed;
        caller.round.fail("there was no answer in time".to_owned());
        caller.round.failed += missing.saturating_sub(1);
    }
    caller.round.seconds = start.elapsed().as_secs_f64();
    caller.round
}

/// Calls from many callers for some time.
pub(super) async fn many(to: SocketAddr, shot: &Shot, callers: usize, time: Duration) -> Round {
    let mut ready = JoinSet::new();
    for _ in 0..callers {
        let shot = shot.clone();
        ready.spawn(async move {
            let mut caller = Caller::new(to);
            caller.connect(&shot).await;
            caller
        });
    }
    let ready = ready.join_all().await;
    let start = Instant::now();
    let end = start + time;
    let mut running = JoinSet::new();
    for mut caller in ready {
        let shot = shot.clone();
        running.spawn(async move {
            while Instant::now() < end {
                caller.call(&shot).await;
            }
            caller.round
        });
    }
    let mut round = Round::default();
    let mut answered = 0;
    let patience = tokio::time::sleep(time + PATIENCE);
    let mut patience = std::pin::pin!(patience);
    loop {
        tokio::select! {
            joined = running.join_next() => match joined {
                Some(Ok(other)) => {
                    answered += 1;
                    round.add(other);
                }
                Some(Err(error)) => round.fail(error.to_string()),
                None => break,
            },
            () = &mut patience => break,
        }
    }
    round.seconds = start.elapsed().as_secs_f64();
    for _ in answered..callers {
        round.fail("a caller got no answer in time".to_owned());
    }
    round
}

/// A connection of either protocol.
#[derive(Debug)]
enum Connection {
    Http(client::Connection),
    Grpc(grpc::Connection),
}

impl Connection {
    async fn open(to: SocketAddr, shot: &Shot) -> io::Result<Self> {
        Ok(match shot.grpc {
            None => Self::Http(client::Connection::open(to).await?),
            Some(_) => Self::Grpc(grpc::Connection::open(to).await?),
        })
    }

    async fn call(&mut self, shot: &Shot, seen: &mut Seen) -> io::Result<bool> {
        match self {
            Self::Http(connection) => connection.call(&shot.request, shot.events.is_some(), seen).await,
            Self::Grpc(connection) => connection.call(shot.grpc.unwrap_or_default(), &shot.request, seen).await,
        }
    }
}

/// One caller with its connection.
#[derive(Debug)]
struct Caller {
    to: SocketAddr,
    connection: Option<Connection>,
    seen: Seen,
    round: Round,
}

impl Caller {
    fn new(to: SocketAddr) -> Self {
        Self { to, connection: None, seen: Seen::default(), round: Round::default() }
    }

    async fn connect(&mut self, shot: &Shot) {
        // If this fails, the first call tries again, and says why.
        self.connection = Connection::open(self.to, shot).await.ok();
    }

    async fn call(&mut self, shot: &Shot) {
        if let Err(error) = self.attempt(shot).await {
            self.connection = None;
            self.round.fail(error.to_string());
            // Whoever refuses is not asked again at once.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn attempt(&mut self, shot: &Shot) -> io::Result<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.to, shot).await?,
        };
        let start = Instant::now();
        let again = connection.call(shot, &mut self.seen).await?;
        let whole = start.elapsed();
        if again {
            self.connection = Some(connection);
        }
        let seen = &self.seen;
        if seen.status != 200 {
            return Err(io::Error::other(format!("the answer's status is {}", seen.status)));
        }
        if let Some(least) = shot.events {
            let events = seen.events.len();
            if events < least || (shot.marked && !seen.done) {
                return Err(io::Error::other(format!("the stream was cut off after {events} events")));
            }
            let first = seen.events.first().map(|first| micros(first.saturating_duration_since(start)));
            self.round.first.extend(first);
            let gaps = seen.events.windows(2).map(|pair| micros(pair[1].saturating_duration_since(pair[0])));
            self.round.gaps.extend(gaps);
        } else if seen.bytes == 0 {
            return Err(io::Error::other("the answer is empty"));
        }
        self.round.good += 1;
        self.round.whole.push(micros(whole));
        Ok(())
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::bench::mock::{self, PACED, Protocol};

    #[tokio::test]
    async fn calls_one_after_another_are_all_counted() {
        let to = mock::spawn(Protocol::Openai, 10, Duration::ZERO).await;
        let round = one(to, &Shot::new("x", "/v1/chat/completions", "{}", None), 20).await;
        assert_eq!((round.good, round.failed, round.whole.len()), (20, 0, 20));
    }

    #[tokio::test]
    async fn many_callers_share_the_time() {
        let to = mock::spawn(Protocol::Openai, 10, Duration::ZERO).await;
        let shot = Shot::new("x", "/v1/chat/completions", "{}", None);
        let round = many(to, &shot, 8, Duration::from_millis(50)).await;
        assert!(round.good >= 8 && round.failed == 0, "{round:?}");
        assert!(round.seconds >= 0.05);
    }

    #[tokio::test]
    async fn paced_streams_have_gaps() {
        let to = mock::spawn(Protocol::Openai, 5, Duration::from_millis(4)).await;
        let body = format!("{{\"stream\":true,\"x\":\"{PACED}\"}}");
        let round = one(to, &Shot::new("x", "/v1/chat/completions", &body, Some(5)), 2).await;
        assert_eq!((round.good, round.failed, round.first.len()), (2, 0, 2));
        let slow = round.gaps.iter().filter(|gap| **gap > 2000.0).count();
        assert!(slow >= 8, "{:?}", round.gaps);
    }

    #[tokio::test]
    async fn failures_are_counted_with_their_reason() {
        let to = mock::spawn(Protocol::Openai, 10, Duration::ZERO).await;
        let round = one(to, &Shot::new("x", "/elsewhere", "{}", None), 2).await;
        assert_eq!((round.good, round.failed), (0, 2));
        assert_eq!(round.why.as_deref(), Some("the answer's status is 404"));
        let body = "{\"stream\":true}";
        let round = one(to, &Shot::new("x", "/v1/chat/completions", body, Some(99)), 1).await;
        assert!(round.why.is_some_and(|why| why.starts_with("the stream was cut off after 1")));
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let round = many(nobody, &Shot::new("x", "/", "{}", None), 2, Duration::from_millis(10)).await;
        assert!(round.good == 0 && round.failed >= 2);
    }
}
