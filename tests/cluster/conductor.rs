//! Starts processes, talks to them, and ends them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use moorline_dev_wallet::{Control, DevWallet};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::engine::Engine;
use crate::words::{Holding, Said};
use crate::worker::ROLE;

/// Longer than anything takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

struct Process {
    child: Child,
    orders: ChildStdin,
    stopped: bool,
}

/// The cluster, seen from outside.
pub(crate) struct Cluster {
    pub(crate) engine: Engine,
    pub(crate) ttl: Duration,
    wallet: DevWallet,
    pub(crate) control: Control,
    folder: PathBuf,
    name: String,
    processes: BTreeMap<usize, Process>,
    started: usize,
    orders: u64,
    say: UnboundedSender<Said>,
    said: UnboundedReceiver<Said>,
    replies: BTreeMap<u64, Value>,
    /// Everything but replies, in order.
    pub(crate) events: Vec<Said>,
}

impl Cluster {
    pub(crate) async fn new(engine: Engine, ttl: Duration) -> Self {
        let wallet = DevWallet::builder().start().await.unwrap();
        let name = format!("cluster_{}_{}", engine.name(), std::process::id());
        let folder = std::env::temp_dir().join(format!("moorline-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        let (say, said) = mpsc::unbounded_channel();
        Self {
            engine,
            ttl,
            control: wallet.control(),
            wallet,
            folder,
            name,
            processes: BTreeMap::new(),
            started: 0,
            orders: 0,
            say,
            said,
            replies: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// Starts a process, which reaches the engine there. Its number.
    pub(crate) async fn start(&mut self, address: &str) -> usize {
        self.started += 1;
        let number = self.started;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(ROLE, "worker")
            .env("MOORLINE_CLUSTER_ENGINE", self.engine.name())
            .env("MOORLINE_CLUSTER_ADDRESS", address)
            .env("MOORLINE_CLUSTER_FOLDER", &self.folder)
            .env("MOORLINE_CLUSTER_NAME", &self.name)
            .env("MOORLINE_CLUSTER_TTL_MS", self.ttl.as_millis().to_string())
            .env("MOORLINE_CLUSTER_MEMBER", format!("process-{number}"))
            .env("MOORLINE_CLUSTER_WALLET", self.wallet.url())
            .env("MOORLINE_CLUSTER_NETWORK", self.wallet.network())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, lines) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let say = self.say.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(lines).lines() {
                let Ok(line) = line else { return };
                // A process that is killed may not end its last line.
                let Ok(what) = serde_json::from_str(&line) else {
                    continue;
                };
                let at = Instant::now();
                let process = number;
                if say.send(Said { process, at, what }).is_err() {
                    return;
                }
            }
        });
        let process = Process {
            child,
            orders,
            stopped: false,
        };
        self.processes.insert(number, process);
        let begun = Instant::now();
        while !self
            .events
            .iter()
            .any(|it| it.process == number && it.what["event"] == "ready")
        {
            assert!(
                begun.elapsed() < PATIENCE,
                "process {number} does not start"
            );
            self.listen(Duration::from_millis(100)).await;
        }
        number
    }

    /// Hears what is said within a time.
    pub(crate) async fn listen(&mut self, time: Duration) {
        let until = tokio::time::Instant::now() + time;
        while let Ok(Some(said)) = tokio::time::timeout_at(until, self.said.recv()).await {
            match said.what["reply"].as_u64() {
                Some(number) => {
                    self.replies.insert(number, said.what["result"].clone());
                }
                None => self.events.push(said),
            }
        }
    }

    /// Gives an order, and does not wait for the reply.
    pub(crate) fn order(&mut self, process: usize, mut order: Value) -> u64 {
        self.orders += 1;
        order["number"] = json!(self.orders);
        let process = self.processes.get_mut(&process).unwrap();
        // One that has just been killed hears nothing.
        writeln!(process.orders, "{order}").ok();
        self.orders
    }

    /// The reply to an order, if it comes in time.
    pub(crate) async fn reply(&mut self, number: u64, patience: Duration) -> Option<Value> {
        let begun = Instant::now();
        loop {
            if let Some(reply) = self.replies.remove(&number) {
                return Some(reply);
            }
            if begun.elapsed() > patience {
                return None;
            }
            self.listen(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn ask(&mut self, process: usize, order: Value) -> Value {
        let number = self.order(process, order.clone());
        let reply = self.reply(number, PATIENCE).await;
        reply.unwrap_or_else(|| panic!("process {process} does not answer {order}"))
    }

    /// Those that run.
    pub(crate) fn running(&self) -> Vec<usize> {
        let running = self.processes.iter().filter(|(_, it)| !it.stopped);
        running.map(|(number, _)| *number).collect()
    }

    /// What each of those that run holds.
    pub(crate) async fn holdings(&mut self) -> BTreeMap<usize, Holding> {
        let asked: Vec<(usize, u64)> = self
            .running()
            .into_iter()
            .map(|process| (process, self.order(process, json!({ "do": "state" }))))
            .collect();
        let mut holdings = BTreeMap::new();
        for (process, number) in asked {
            let reply = self.reply(number, PATIENCE).await;
            let reply = reply.unwrap_or_else(|| panic!("process {process} does not answer"));
            holdings.insert(process, Holding::from_json(&reply));
        }
        holdings
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, process: usize) {
        let mut process = self.processes.remove(&process).unwrap();
        process.child.kill().unwrap();
        process.child.wait().unwrap();
    }

    /// SIGSTOP and SIGCONT.
    pub(crate) fn stop(&mut self, process: usize, stop: bool) {
        let process = self.processes.get_mut(&process).unwrap();
        process.stopped = stop;
        let signal = if stop { "-STOP" } else { "-CONT" };
        let mut kill = Command::new("kill");
        let status = kill
            .arg(signal)
            .arg(process.child.id().to_string())
            .status();
        assert!(status.unwrap().success(), "{signal}");
    }

    /// Ends a process as it should be.
    pub(crate) async fn close(&mut self, process: usize) {
        self.ask(process, json!({ "do": "close" })).await;
        let mut process = self.processes.remove(&process).unwrap();
        process.child.wait().unwrap();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in self.processes.values_mut() {
            process.child.kill().ok();
            process.child.wait().ok();
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}
