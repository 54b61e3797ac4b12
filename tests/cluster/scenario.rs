//! What is done to a cluster, and what must be true of it afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::conductor::{Cluster, PATIENCE};
use crate::engine::Engine;
use crate::proxy::{Network, Proxy};
use crate::words::{Holding, account};
use crate::worker::{AT_ONCE, SPREAD};

/// What restoring the sessions themselves may take on a busy machine, on top of finding out.
const RESTORING: Duration = Duration::from_secs(25);

fn setting(name: &str, default: u64) -> u64 {
    let set = std::env::var(format!("MOORLINE_CLUSTER_{name}"));
    set.map_or(default, |set| set.parse().unwrap())
}

pub(crate) async fn all() -> ExitCode {
    let mut violations = 0;
    for engine in Engine::all() {
        let begun = Instant::now();
        let found = Play::on(engine).await;
        violations += found.len();
        println!("{}: {:.0} s", engine.name(), begun.elapsed().as_secs_f64());
        for violation in found {
            let short: String = violation.chars().take(400).collect();
            println!("  VIOLATION: {short}");
        }
    }
    match violations {
        0 => println!("no violation"),
        some => println!("{some} violations"),
    }
    ExitCode::from(u8::from(violations > 0))
}

struct Play {
    cluster: Cluster,
    /// Where processes reach the engine; the last one through a network that can be cut.
    address: String,
    proxy: Option<Proxy>,
    /// Which one is behind that.
    behind: usize,
    sessions: usize,
    /// Whom a user disconnected.
    ended: BTreeSet<String>,
    violations: Vec<String>,
}

impl Play {
    async fn on(engine: Engine) -> Vec<String> {
        let files = engine == Engine::Files;
        let sessions = setting("SESSIONS", if files { 120 } else { 1000 }) as usize;
        let ttl = Duration::from_millis(setting("TTL_MS", 3000));
        println!(
            "== {}: 3 processes, {sessions} sessions, ttl {ttl:?}",
            engine.name()
        );
        let address = engine.address().unwrap_or_default();
        let proxy = match files {
            true => None,
            false => Some(Proxy::to(Engine::place(&address)).await),
        };
        let mut play = Self {
            cluster: Cluster::new(engine, ttl).await,
            address,
            proxy,
            behind: 0,
            sessions,
            ended: BTreeSet::new(),
            violations: Vec::new(),
        };
        play.fill().await;
        for _ in 0..setting("ROUNDS", 1) {
            play.killed().await;
            play.stopped().await;
            if play.proxy.is_some() {
                play.engine_restarted().await;
                play.cut_off().await;
            }
        }
        play.last_look().await;
        play.violations
    }

    fn violated(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// Where the one that can be cut off reaches the engine.
    fn proxied(&self) -> String {
        match &self.proxy {
            Some(proxy) => {
                let place = Engine::place(&self.address);
                self.address.replace(&place, &proxy.place())
            }
            None => self.address.clone(),
        }
    }

    async fn start_three(&mut self) -> [usize; 3] {
        let (address, proxied) = (self.address.clone(), self.proxied());
        let one = self.cluster.start(&address).await;
        let two = self.cluster.start(&address).await;
        self.behind = self.cluster.start(&proxied).await;
        [one, two, self.behind]
    }

    async fn each(&mut self, processes: [usize; 3], what: &str) {
        let third = self.sessions.div_ceil(3);
        let mut orders = Vec::new();
        for (index, process) in processes.into_iter().enumerate() {
            let to = (third * (index + 1)).min(self.sessions);
            let order = json!({ "do": what, "from": third * index, "to": to });
            orders.push(self.cluster.order(process, order));
        }
        for order in orders {
            let failed = self.cluster.reply(order, 2 * PATIENCE).await;
            if failed != Some(json!([])) {
                self.violated(format!("{what}: {failed:?}"));
            }
        }
    }

    /// Everybody logs in; then all processes are replaced, so that the wallet sees every
    /// connection's fence, and each gets its part.
    async fn fill(&mut self) {
        let begun = Instant::now();
        let processes = self.start_three().await;
        self.each(processes, "login").await;
        let logins = begun.elapsed();
        for process in processes {
            self.cluster.close(process).await;
        }
        let closed = Instant::now();
        let processes = self.start_three().await;
        self.each(processes, "claim").await;
        println!(
            "  logged in within {:.1} s; all processes closed, others started and everything \
             claimed within {:.1} s",
            logins.as_secs_f64(),
            closed.elapsed().as_secs_f64()
        );
        self.settled("the start").await;
    }

    /// Users disconnect sessions while something is wrong: those of the victim, and others, each
    /// through a process that does not hold it or through the one that does.
    async fn disconnect_some(
        &mut self,
        before: &BTreeMap<usize, Holding>,
        victim: usize,
    ) -> Vec<(usize, String, u64)> {
        let running = self.cluster.running();
        let mut orders = Vec::new();
        for (holder, holding) in before {
            for (index, account) in holding.sessions.keys().take(6).enumerate() {
                let elsewhere = running.iter().find(|it| *it != holder && **it != victim);
                let through = match (index % 2, elsewhere) {
                    (0, _) if running.contains(holder) => *holder,
                    (_, Some(other)) => *other,
                    _ => continue,
                };
                let order = json!({ "do": "logout", "account": account });
                let number = self.cluster.order(through, order);
                self.ended.insert(account.clone());
                orders.push((through, account.clone(), number));
            }
        }
        orders
    }

    /// Until everybody was told that the session is over. Who is told otherwise says it again.
    async fn disconnected(&mut self, orders: Vec<(usize, String, u64)>) {
        for (through, account, mut number) in orders {
            let begun = Instant::now();
            loop {
                let reply = self
                    .cluster
                    .reply(number, PATIENCE)
                    .await
                    .unwrap_or_default();
                let said = reply.as_str().unwrap_or_default();
                if said == "done" || said.contains("there is no session") {
                    break;
                }
                if begun.elapsed() > PATIENCE {
                    self.violated(format!("{account} cannot be disconnected: {said}"));
                    break;
                }
                self.cluster.listen(Duration::from_millis(200)).await;
                let running = self.cluster.running();
                let through = running
                    .iter()
                    .find(|it| **it == through)
                    .or_else(|| running.first());
                let order = json!({ "do": "logout", "account": account });
                number = self.cluster.order(*through.unwrap(), order);
            }
        }
    }

    /// The one that runs for longest, and is not kept for its network.
    fn victim(&self, before: &BTreeMap<usize, Holding>) -> usize {
        let mut processes = before.keys().copied();
        processes.find(|it| *it != self.behind).unwrap()
    }

    async fn killed(&mut self) {
        let before = self.cluster.holdings().await;
        let victim = self.victim(&before);
        let late = self.cluster.control.fences().late_acts;
        let begun = Instant::now();
        self.cluster.kill(victim);
        let orders = self.disconnect_some(&before, victim).await;
        let address = self.address.clone();
        self.cluster.start(&address).await;
        self.taken_over("SIGKILL", &before[&victim], victim, begun)
            .await;
        self.disconnected(orders).await;
        self.settled("SIGKILL").await;
        self.nothing_late("SIGKILL", late, 0);
    }

    async fn stopped(&mut self) {
        let before = self.cluster.holdings().await;
        let victim = self.victim(&before);
        let late = self.cluster.control.fences().late_acts;
        let begun = Instant::now();
        self.cluster.stop(victim, true);
        let orders = self.disconnect_some(&before, victim).await;
        self.taken_over("SIGSTOP", &before[&victim], victim, begun)
            .await;
        self.cluster.stop(victim, false);
        self.disconnected(orders).await;
        self.settled("SIGSTOP").await;
        // What was between the look at the lease and the socket when it was stopped comes late,
        // and is refused.
        self.nothing_late("SIGSTOP", late, AT_ONCE as u64);
    }

    async fn engine_restarted(&mut self) {
        let before = self.cluster.holdings().await;
        let late = self.cluster.control.fences().late_acts;
        self.cluster.engine.control("kill");
        let orders = self.disconnect_some(&before, 0).await;
        self.cluster.listen(self.cluster.ttl * 2).await;
        self.cluster.engine.control("start");
        let begun = Instant::now();
        self.disconnected(orders).await;
        self.settled("the engine").await;
        println!(
            "  engine killed, and started after {:?}: everything held again {:.1} s later",
            self.cluster.ttl * 2,
            begun.elapsed().as_secs_f64()
        );
        self.nothing_late("the engine", late, 0);
    }

    async fn cut_off(&mut self) {
        let before = self.cluster.holdings().await;
        let victim = self.behind;
        let late = self.cluster.control.fences().late_acts;
        let begun = Instant::now();
        self.network(Network::Stalled);
        let orders = self.disconnect_some(&before, victim).await;
        self.taken_over("network cut", &before[&victim], victim, begun)
            .await;
        self.network(Network::Cut);
        self.cluster.listen(Duration::from_millis(200)).await;
        self.network(Network::Whole);
        self.disconnected(orders).await;
        self.settled("network cut").await;
        self.nothing_late("network cut", late, 0);
    }

    fn network(&self, network: Network) {
        if let Some(proxy) = &self.proxy {
            proxy.set(network);
        }
    }

    fn nothing_late(&mut self, fault: &str, before: u64, allowed: u64) {
        let late = self.cluster.control.fences().late_acts - before;
        if late > 0 {
            println!("  {fault}: {late} acts came late, and were refused");
        }
        if late > allowed {
            self.violated(format!("{fault}: {late} late acts reached the wallet"));
        }
    }

    /// Waits until others have what one held, and says how long that took.
    async fn taken_over(&mut self, fault: &str, held: &Holding, victim: usize, begun: Instant) {
        let ttl = self.cluster.ttl;
        // The ttl and its margin from the last sign of life, and the looks between.
        let found_out = ttl + ttl / 10 + ttl / 3 + SPREAD;
        let wanted: BTreeSet<&String> = held.sessions.keys().collect();
        let wanted: BTreeSet<&String> = wanted
            .into_iter()
            .filter(|it| !self.ended.contains(*it))
            .collect();
        let mut taken: BTreeMap<String, Duration> = BTreeMap::new();
        while taken.len() < wanted.len() && begun.elapsed() < found_out + RESTORING {
            self.cluster.listen(Duration::from_millis(50)).await;
            for said in &self.cluster.events {
                let account = said.what["account"].as_str().unwrap_or_default().to_owned();
                if said.what["event"] == "taken-over"
                    && said.process != victim
                    && said.at >= begun
                    && wanted.contains(&account)
                {
                    taken.entry(account).or_insert(said.at - begun);
                }
            }
        }
        let mut times: Vec<Duration> = taken.values().copied().collect();
        times.sort();
        let seconds = |time: Option<&Duration>| time.map_or(0.0, Duration::as_secs_f64);
        println!(
            "  {fault}: {} of {} sessions taken over: first {:.1} s, median {:.1} s, last {:.1} s \
             (found out within {:.1} s)",
            times.len(),
            wanted.len(),
            seconds(times.first()),
            seconds(times.get(times.len() / 2)),
            seconds(times.last()),
            found_out.as_secs_f64(),
        );
        if times.len() < wanted.len() {
            let missing = wanted.len() - times.len();
            self.violated(format!(
                "{fault}: {missing} sessions were not taken over in time"
            ));
        }
    }

    /// Waits until every session is held once, and connected, and those that ended nowhere.
    async fn settled(&mut self, after: &str) {
        let begun = Instant::now();
        loop {
            let wrong = self.wrong().await;
            if wrong.is_empty() {
                return;
            }
            if begun.elapsed() > PATIENCE {
                let some: Vec<_> = wrong.iter().take(5).collect();
                self.violated(format!("after {after}: {} wrong: {some:?}", wrong.len()));
                return;
            }
            self.cluster.listen(Duration::from_millis(300)).await;
        }
    }

    async fn wrong(&mut self) -> Vec<String> {
        let holdings = self.cluster.holdings().await;
        let mut wrong = Vec::new();
        for number in 0..self.sessions {
            let account = account(number);
            let held: Vec<bool> = holdings
                .values()
                .filter_map(|holding| holding.sessions.get(&account).copied())
                .collect();
            match (self.ended.contains(&account), &held[..]) {
                (true, []) | (false, [true]) => {}
                (true, _) => wrong.push(format!("{account} was disconnected, and is held")),
                (false, [false]) => wrong.push(format!("{account} is not connected")),
                (false, []) => wrong.push(format!("{account} is held by nobody")),
                (false, _) => wrong.push(format!("{account} is held {} times", held.len())),
            }
        }
        wrong
    }

    async fn last_look(&mut self) {
        for process in self.cluster.running() {
            let failed = self.cluster.ask(process, json!({ "do": "check" })).await;
            if failed != Value::Array(Vec::new()) {
                self.violated(format!("process {process}: {failed}"));
            }
        }
        self.settled("everything").await;
        let holdings = self.cluster.holdings().await;
        let (answered, failed) = holdings.values().fold((0, 0), |(answered, failed), it| {
            (answered + it.answered, failed + it.failed)
        });
        let fences = self.cluster.control.fences();
        if fences.executed_late > 0 {
            self.violated(format!("{} late acts were executed", fences.executed_late));
        }
        if fences.leases.len() < self.sessions {
            self.violated(format!(
                "the wallet saw {} leases only",
                fences.leases.len()
            ));
        }
        if self
            .cluster
            .events
            .iter()
            .any(|it| it.what["event"] == "missed")
        {
            self.violated("events were missed");
        }
        let shares: Vec<usize> = holdings.values().map(|it| it.sessions.len()).collect();
        println!(
            "  at the end: {shares:?} sessions on {} processes, {} disconnected; requests of these \
             processes: {answered} answered, {failed} failed; late acts: {} reached the wallet, {} \
             executed",
            shares.len(),
            self.ended.len(),
            fences.late_acts,
            fences.executed_late,
        );
    }
}
