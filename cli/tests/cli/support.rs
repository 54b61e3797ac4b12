//! Running the command, and waiting for what it prints.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// What is waited for comes long before this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The command with these arguments, not started.
pub(crate) fn moorline(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs the command to its end.
pub(crate) fn run(args: &[&str]) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = moorline(args).output().unwrap();
    Ran {
        code: status.code().expect("it ends by itself"),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// A run that has ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// What was printed, each line as an object.
    pub(crate) fn json(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        let read = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let objects: Vec<Value> = lines.map(read).collect();
        assert!(objects.iter().all(Value::is_object), "{}", self.stdout);
        objects
    }
}

/// A run that goes on. It is ended when this is dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with(args, &[])
    }

    /// The same, with these environment variables.
    pub(crate) fn start_with(args: &[&str], vars: &[(&str, &str)]) -> Self {
        let mut child = moorline(args)
            .envs(vars.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                if sender.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line; `None` once it prints nothing more.
    pub(crate) fn line(&self) -> Option<String> {
        use std::sync::mpsc::RecvTimeoutError;
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing printed in time"),
        }
    }

    /// The next object of this type, and all before it.
    pub(crate) fn until(&self, kind: &str) -> Value {
        while let Some(line) = self.line() {
            let object: Value = serde_json::from_str(&line).unwrap();
            if object["type"] == kind {
                return object;
            }
        }
        panic!("no {kind} was printed");
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end; what it still printed, and what it complained about.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>, String) {
        let rest = std::iter::from_fn(|| self.line()).collect();
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).unwrap();
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            thread::yield_now();
        };
        (status, rest, stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A `moorline wallet` process and where it listens.
pub(crate) fn wallet() -> (Running, String) {
    let wallet = Running::start(&["wallet", "--json", "--listen", "127.0.0.1:0"]);
    let listening = wallet.until("wallet:listening");
    let url = listening["url"].as_str().unwrap().to_owned();
    (wallet, url)
}

/// An empty folder for one test.
pub(crate) fn folder(test: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::remove_dir_all(&path).ok();
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// An address where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("ws://{}", listener.local_addr().unwrap())
}
