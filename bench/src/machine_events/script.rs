//! The inputs that both engines get.

use std::time::Duration;

use moorline::clock::{Moment, Mono, Timestamp};
use moorline::machine::{Input, LinkHint, OperationId, SubmitOptions, Ticket};
use moorline::provider::{Live, Opened};
use moorline::{Account, Epoch, NetworkLink, ProviderEvent};

use crate::wallet::{NETWORK, party, unreachable};

/// One input and when it comes.
pub(super) type Step = (Moment, Input);

/// Every delay before an attempt.
pub(super) const BACKOFF: Duration = Duration::from_millis(500);
/// How long each connection holds: long enough to be stable.
const HELD: u64 = 20_000;

/// Writes scripts. It knows which epochs and tickets a machine hands out, since they are counted.
#[derive(Default)]
pub(super) struct Script {
    millis: u64,
    epoch: u32,
    serial: u32,
}

impl Script {
    fn now(&self) -> Moment {
        Moment {
            mono: Mono::from_millis(self.millis),
            wall: Timestamp::from_millis(1_780_000_000_000 + self.millis),
        }
    }

    fn next_ticket(&mut self) -> Ticket {
        self.serial += 1;
        Ticket {
            epoch: Epoch::new(self.epoch),
            serial: self.serial,
        }
    }

    /// From a new machine to a connected one.
    pub(super) fn connect(&mut self) -> Vec<Step> {
        let mut steps = vec![(self.now(), Input::Connect)];
        self.attempt(&mut steps);
        steps
    }

    /// An epoch is opened and probed.
    fn attempt(&mut self, steps: &mut Vec<Step>) {
        self.epoch += 1;
        self.millis += 5;
        let opened = Input::Opened(self.next_ticket(), Ok(Opened::Established));
        steps.push((self.now(), opened));
        self.millis += 5;
        let live = Live::new(vec![Account::primary(party(1))])
            .on_network(NETWORK)
            .with_link(NetworkLink::Up);
        steps.push((self.now(), Input::Probed(self.next_ticket(), Ok(live))));
    }

    /// One operation after the other is submitted and answered.
    pub(super) fn requests(&self, events: usize) -> Vec<Step> {
        let options = SubmitOptions {
            deadline: Duration::from_secs(300),
            repeatable: false,
            hold: true,
            identity: None,
        };
        (1..)
            .flat_map(|number| {
                let id = OperationId { slot: 0, number };
                [
                    Input::Submit(id, options.clone()),
                    Input::Finished(id, LinkHint::None),
                ]
            })
            .map(|input| (self.now(), input))
            .take(events)
            .collect()
    }

    /// The wallet loses and regains its network.
    pub(super) fn links(&self, events: usize) -> Vec<Step> {
        [NetworkLink::Down, NetworkLink::Up]
            .into_iter()
            .cycle()
            .map(|link| Input::Provider(Epoch::new(self.epoch), ProviderEvent::Link(link)))
            .map(|input| (self.now(), input))
            .take(events)
            .collect()
    }

    /// The link breaks and comes back with the first attempt: four events each time.
    pub(super) fn recoveries(&mut self, events: usize) -> Vec<Step> {
        let mut steps = Vec::with_capacity(events);
        while steps.len() < events {
            self.millis += HELD;
            let dropped = ProviderEvent::Dropped(unreachable());
            steps.push((self.now(), Input::Provider(Epoch::new(self.epoch), dropped)));
            self.millis += BACKOFF.as_millis() as u64;
            steps.push((self.now(), Input::Timeout));
            self.attempt(&mut steps);
        }
        steps
    }
}
