//! The processes of a run: started, asked for their CPU time and memory, and ended.
//!
//! Invariant: whatever was started is ended when its handle goes, also when a run fails halfway.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How long a process may take to say that it is ready.
const START: Duration = Duration::from_secs(30);

/// Linux counts CPU time for programs in hundredths of a second, whatever its own clock does.
pub(super) const TICK_US: f64 = 10_000.0;

/// A process that listens.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// What it prints after that.
    lines: mpsc::Receiver<String>,
}

/// Memory in kilobytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// What is resident now.
    pub(super) now: u64,
    /// The most that ever was.
    pub(super) peak: u64,
}

/// How this program is started, if not by itself alone.
static PROGRAM: OnceLock<Vec<OsString>> = OnceLock::new();

/// Says how this program is started: the command, and what comes before its own arguments.
pub(super) fn started_by(program: Vec<OsString>) {
    // It is said once, by the one who runs the command.
    drop(PROGRAM.set(program));
}

/// The program that this is, alone in a file of its own.
pub(super) fn own_file() -> Result<Option<PathBuf>> {
    if PROGRAM.get().is_some() {
        return Ok(None);
    }
    env::current_exe().context("this program's own path is not known").map(Some)
}

fn program() -> Result<Vec<OsString>> {
    match (PROGRAM.get(), own_file()?) {
        (Some(program), _) => Ok(program.clone()),
        (None, file) => Ok(file.into_iter().map(Into::into).collect()),
    }
}

impl Process {
    /// Starts this program with other arguments and waits for the line that says where it listens.
    pub(super) fn start(args: &[&str], ready: &'static str, folder: &Path) -> Result<Self> {
        let name = args.join(" ");
        let mut program = program()?.into_iter();
        let log_path = folder.join("log.txt");
        let log = fs::File::create(&log_path).with_context(|| format!("{} could not be made", log_path.display()))?;
        let mut command = Command::new(program.next().unwrap_or_default());
        command.args(program);
        command.args(args).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        // The settings of whoever runs the benchmark are not what is measured.
        for (key, _) in env::vars_os() {
            if key.to_string_lossy().starts_with("SABIR_") || key == "RUST_LOG" {
                command.env_remove(key);
            }
        }
        command.env("SABIR_DATA_DIR", folder.join("data"));
        let mut child = command.spawn().with_context(|| format!("`sabir {name}` could not be started"))?;
        match lines(&mut child).and_then(|lines| Ok((listening(&lines, ready)?, lines))) {
            Ok((address, lines)) => Ok(Self { child, address, lines }),
            Err(error) => {
                end(&mut child);
                let log = fs::read_to_string(&log_path).unwrap_or_default();
                let lines: Vec<_> = log.lines().rev().take(5).collect();
                let log: Vec<_> = lines.into_iter().rev().collect();
                Err(error.context(format!("`sabir {name}` did not start: {}", log.join(" / "))))
            }
        }
    }

    /// Where else it listens, as a later line says.
    pub(super) fn listens(&self, ready: &str) -> Result<SocketAddr> {
        listening(&self.lines, ready)
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    drop(child.kill());
    drop(child.wait());
}

/// What it prints, line by line, so that it never waits for a reader.
fn lines(child: &mut Child) -> Result<mpsc::Receiver<String>> {
    let output = child.stdout.take().context("it has no output")?;
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody listens any more when it came too late.
            drop(send.send(line));
        }
    });
    Ok(receive)
}

/// The address of the first line that begins so.
fn listening(lines: &mpsc::Receiver<String>, ready: &str) -> Result<SocketAddr> {
    let until = Instant::now() + START;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                let Some(address) = line.strip_prefix(ready) else { continue };
                let address = address.split([' ', '/', ',']).next().unwrap_or(address);
                return address.parse().with_context(|| format!("`{address}` is not an address"));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => bail!("it was not ready after {} s", START.as_secs()),
            Err(mpsc::RecvTimeoutError::Disconnected) => bail!("it ended before it was ready"),
        }
    }
}

/// The CPU time of a process and all that it started, in microseconds; `None` where it cannot be read.
pub(super) fn cpu_us(pid: u32) -> Option<f64> {
    let mut tree = vec![pid];
    let mut total = stat(pid)?.1;
    let mut others: Vec<(u32, u32, f64)> = Vec::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        if let Some(other) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            && let Some((parent, ticks)) = stat(other)
        {
            others.push((other, parent, ticks));
        }
    }
    while let Some(parent) = tree.pop() {
        for (child, _, ticks) in others.iter().filter(|(child, of, _)| *of == parent && *child != pid) {
            total += ticks;
            tree.push(*child);
        }
    }
    Some(total * TICK_US)
}

/// The same for this process alone, without those that it started.
pub(super) fn own_cpu_us() -> Option<f64> {
    stat(std::process::id()).map(|(_, ticks)| ticks * TICK_US)
}

/// The parent of a process and its CPU time in ticks.
fn stat(pid: u32) -> Option<(u32, f64)> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<(u32, f64)> {
    // The name, in parentheses, may have spaces and parentheses itself.
    let rest = &text[text.rfind(')')? + 1..];
    let fields: Vec<_> = rest.split_ascii_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((fields.get(1)?.parse().ok()?, ticks(11)? + ticks(12)?))
}

/// The memory of a process.
pub(super) fn memory(pid: u32) -> Option<Memory> {
    parse_status(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn parse_status(text: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    };
    Some(Memory { now: field("VmRSS")?, peak: field("VmHWM")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text = "7 (a) b (c)) S 3 7 7 0 -1 0 1 2 3 4 150 50 9 9 20 0 4 0 100";
        assert_eq!(parse_stat(text), Some((3, 200.0)));
        assert_eq!(parse_stat("7 nonsense"), None);
    }

    #[test]
    fn memory_is_read_in_kilobytes() {
        let text = "Name:\tx\nVmPeak:\t  999 kB\nVmHWM:\t  2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(parse_status(text), Some(Memory { now: 1024, peak: 2048 }));
        assert_eq!(parse_status("Name:\tx\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_time_and_memory() {
        let pid = std::process::id();
        assert!(cpu_us(pid).is_some_and(|us| us >= 0.0));
        assert!(memory(pid).is_some_and(|memory| memory.peak >= memory.now && memory.now > 0));
    }
}
