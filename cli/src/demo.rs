//! `moorline demo`: a session lives through everything, over a real socket.

use std::time::Duration;

use moorline::policy::{Backoff, ExpiryPolicy};
use moorline::session::{EventItem, EventStream, OperationOptions};
use moorline::{EventKind, OperationError, Policy, Session, Snapshot, Status};
use moorline_cip0103::WsProvider;
use moorline_dev_wallet::{Approval, Control, DevWallet};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::describe::short;
use crate::failure::Failure;
use crate::output::{Actor, Output};
use crate::timeline::Timeline;

/// How long the session lives before it must be re-authenticated.
const TIME_TO_LIVE: Duration = Duration::from_secs(6);

/// What the demo waits for arrives long before this.
const PATIENCE: Duration = Duration::from_secs(10);

/// A session, the wallet it is connected to, and what must hold.
struct Demo {
    session: Session,
    wallet: Control,
    timeline: Timeline,
    checks: Vec<bool>,
}

pub(crate) async fn run(output: Output) -> Result<(), Failure> {
    let wallet = DevWallet::builder()
        .accounts(["alice", "bob"])
        .network("canton:local")
        .approval(Approval::Manual)
        .start()
        .await?;
    output.say(&format!(
        "A session with a development wallet at {}, from its first",
        wallet.url()
    ));
    output.say("moment to its last. Everything crosses a real socket.\n");
    let timeline = Timeline::new(output);
    let at_hook = timeline.clone();
    let session = Session::builder(WsProvider::new(&wallet.url())?)
        .policy(policy())
        .on_reauth(move |reauth| {
            at_hook.step(
                Actor::You,
                "the re-authentication hook asks the wallet, past the queue",
            );
            async move {
                reauth.wallet.request("status", Value::Null).await?;
                sleep(Duration::from_millis(800)).await;
                Ok(())
            }
        })
        .build()?;
    let seen = session.events();
    let printing = tokio::spawn(timeline.clone().follow(session.events()));
    let mut demo = Demo {
        session,
        wallet: wallet.control(),
        timeline,
        checks: Vec::new(),
    };

    demo.connect_with_approval().await?;
    demo.submit_a_transaction().await?;
    demo.survive_a_cut_link().await?;
    demo.follow_a_party_switch().await?;
    demo.outlive_expiry().await?;
    demo.disconnect_for_good().await;
    demo.session.close().await;

    let _printed = printing.await;
    demo.check_numbers(seen).await;
    wallet.stop().await;
    demo.finish()
}

fn policy() -> Policy {
    Policy {
        reconnect: Backoff {
            base: Duration::from_millis(300),
            jitter: false,
            ..Backoff::default()
        },
        expiry: ExpiryPolicy {
            ttl: Some(TIME_TO_LIVE),
            warning: Some(Duration::from_secs(1)),
            ..ExpiryPolicy::default()
        },
        ..Policy::default()
    }
}

impl Demo {
    /// The wallet wants a person before it lets the program in.
    async fn connect_with_approval(&mut self) -> Result<(), Failure> {
        self.timeline.step(Actor::You, "connect");
        let session = self.session.clone();
        let connecting = tokio::spawn(async move { session.connect().await });
        within("the wallet to ask its user", self.wallet.until_pending(1)).await?;
        sleep(Duration::from_millis(700)).await;
        let waiting = self.session.status() == Status::Connecting;
        self.check("nothing is connected before the user has approved", waiting);
        self.timeline.step(Actor::Wallet, "its user approves");
        self.wallet.approve();
        let connected = within("the connection", connecting).await?;
        let alice = matches!(&connected, Ok(Ok(snapshot)) if acts_for(snapshot, "alice"));
        self.check("connected, verified, as alice", alice);
        self.wallet.set_approval(Approval::Auto);
        Ok(())
    }

    /// Prepared, signed, executed, with an event for each.
    async fn submit_a_transaction(&mut self) -> Result<(), Failure> {
        sleep(Duration::from_millis(300)).await;
        self.timeline.step(Actor::You, "prepareExecute");
        let commands = json!({
            "commandId": "demo-1",
            "commands": [{ "CreateCommand": {
                "templateId": "#demo:Main:Asset",
                "createArguments": { "owner": "alice" },
            }}],
        });
        let mut events = self.session.events();
        let answer = self.session.request("prepareExecute", commands).await;
        self.check("the wallet took the transaction", answer.is_ok());
        let executed = async {
            while let Some(item) = events.next().await {
                let Some(event) = item.event() else { continue };
                if let EventKind::Provider(message) = &event.kind
                    && message.payload["status"] == "executed"
                {
                    break;
                }
            }
        };
        within("the transaction", executed).await
    }

    /// The wallet cannot be reached for a while; nobody has to care.
    async fn survive_a_cut_link(&mut self) -> Result<(), Failure> {
        sleep(Duration::from_millis(300)).await;
        self.timeline
            .step(Actor::Wallet, "cuts the link and refuses connections");
        self.wallet.refuse(true).await;
        self.wallet.cut_all().await;
        self.until("the drop to be noticed", |snapshot| {
            !snapshot.is_connected()
        })
        .await?;
        let snapshot = self.session.snapshot();
        let kept = acts_for(&snapshot, "alice") && snapshot.stale;
        self.check("straight to reconnecting, alice kept as last known", kept);
        self.timeline
            .step(Actor::You, "signMessage, while there is no link");
        let held = self.sign("held over the outage");
        sleep(Duration::from_millis(700)).await;
        self.timeline
            .step(Actor::Wallet, "accepts connections again");
        self.wallet.refuse(false).await;
        let answered = within("the held operation", held).await?;
        self.check(
            "the held operation was answered",
            matches!(answered, Ok(Ok(_))),
        );
        let once = self.wallet.executions("signMessage") == 1;
        self.check("and the wallet executed it once", once);
        Ok(())
    }

    /// What was meant for alice is not done as bob.
    async fn follow_a_party_switch(&mut self) -> Result<(), Failure> {
        sleep(Duration::from_millis(300)).await;
        let alice = self.session.identity();
        self.timeline
            .step(Actor::Wallet, "its user switches to bob");
        let switched = self.wallet.switch_party("bob").is_ok();
        self.until("the switch", |snapshot| acts_for(snapshot, "bob"))
            .await?;
        self.check("the session acts for bob", switched);
        self.timeline
            .step(Actor::You, "signMessage, bound to alice");
        let options = OperationOptions::default();
        let options = match alice {
            Some(alice) => options.for_identity(alice),
            None => options,
        };
        let params = json!({ "message": "as alice" });
        let refused = self
            .session
            .request_with("signMessage", params, options)
            .await;
        let refused = matches!(refused, Err(OperationError::IdentityChanged { .. }));
        self.check(
            "what was meant for alice is refused, not signed by bob",
            refused,
        );
        Ok(())
    }

    /// The session expires, operations wait, and go on in order.
    async fn outlive_expiry(&mut self) -> Result<(), Failure> {
        let before = self.session.expires_at();
        self.until("the expiry", |snapshot| !snapshot.is_connected())
            .await?;
        self.timeline.step(
            Actor::You,
            "three requests, while the session is being re-authenticated",
        );
        let mut held = Vec::new();
        for message in ["first", "second", "third"] {
            held.push(self.sign(message));
            tokio::task::yield_now().await;
            sleep(Duration::from_millis(20)).await;
        }
        let waiting = self.session.held_operations() == 3;
        self.check("all three are held", waiting);
        let mut answered = true;
        for held in held {
            answered &= matches!(within("a held operation", held).await?, Ok(Ok(_)));
        }
        self.check("all three were answered after re-authentication", answered);
        let renewed = self.session.expires_at() > before;
        self.check("the session has a new expiry", renewed);
        Ok(())
    }

    /// The user's word is final.
    async fn disconnect_for_good(&mut self) {
        sleep(Duration::from_millis(300)).await;
        self.timeline.step(Actor::You, "disconnect");
        let report = self.session.disconnect().await;
        let told = matches!(report.wallet, Some(Ok(()))) && !self.wallet.has_session();
        self.check("the wallet knows", told);
        sleep(Duration::from_millis(700)).await;
        let stays = self.session.status().is_disconnected() && self.wallet.connections() == 0;
        self.check("and the session stays disconnected", stays);
    }

    /// Everything that happened was told, without a gap.
    async fn check_numbers(&mut self, mut seen: EventStream) {
        let (mut last, mut gapless) = (0, true);
        while let Some(item) = seen.next().await {
            match item {
                EventItem::Event(event) => {
                    gapless &= event.seq == last + 1;
                    last = event.seq;
                }
                EventItem::Missed(_) => gapless = false,
            }
        }
        self.check(
            &format!("{last} events, numbered without a gap"),
            gapless && last > 0,
        );
    }

    fn sign(&self, message: &'static str) -> JoinHandle<Result<Value, OperationError>> {
        let session = self.session.clone();
        let params = json!({ "message": message });
        tokio::spawn(async move { session.request("signMessage", params).await })
    }

    async fn until(
        &self,
        what: &'static str,
        reached: impl FnMut(&std::sync::Arc<Snapshot>) -> bool,
    ) -> Result<(), Failure> {
        let mut watch = self.session.watch();
        let waited = within(what, watch.wait_for(reached)).await?;
        waited.map(drop).map_err(|_| Failure::Stuck(what))?;
        // A snapshot is shown before its events are told: once this returns, they are.
        let _told = self.session.snapshot();
        Ok(())
    }

    fn check(&mut self, text: &str, holds: bool) {
        self.timeline.check(text, holds);
        self.checks.push(holds);
    }

    fn finish(self) -> Result<(), Failure> {
        let total = self.checks.len();
        let failed = self.checks.iter().filter(|holds| !**holds).count();
        self.timeline.output().object(&json!({
            "type": "summary",
            "total": total,
            "passed": total - failed,
            "failed": failed,
        }));
        if failed > 0 {
            return Err(Failure::Demo(failed, total));
        }
        self.timeline
            .output()
            .say(&format!("\nAll {total} checks held."));
        Ok(())
    }
}

fn acts_for(snapshot: &Snapshot, who: &str) -> bool {
    snapshot
        .primary()
        .is_some_and(|account| short(account.id.as_str()).starts_with(who))
}

/// Waits, but not for ever.
async fn within<F: Future>(what: &'static str, future: F) -> Result<F::Output, Failure> {
    timeout(PATIENCE, future)
        .await
        .map_err(|_| Failure::Stuck(what))
}
