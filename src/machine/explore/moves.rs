//! Every move that anybody around a machine could make.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::world::{CallKind, Step, World};
use crate::clock::Timestamp;
use crate::identity::Account;
use crate::machine::{Input, LinkHint, SubmitOptions};
use crate::provider::{
    CloseMode, Epoch, ErrorKind, Live, Message, NetworkLink, Opened, ProviderError, ProviderEvent,
    UserAction, UserActionKind,
};
use crate::snapshot::DisconnectReason;
use crate::store::{Record, RecordName, Revision, StoreError, Stored, Tombstone};
use crate::sync::Notice;

/// One move: an input, after some time has passed or the clock was set.
#[derive(Clone, Debug)]
pub struct Move {
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// Something happens now.
    Input(Input),
    /// An operation is submitted.
    Submit { repeatable: bool, hold: bool },
    /// Time passes until the next timer fires.
    Wait,
    /// The wall clock jumps past the expiry, and nobody has noticed yet.
    SleepPastExpiry,
}

const ALICE: &str = "alice::1220";
const BOB: &str = "bob::1220";
const MAIN: &str = "canton:main";
const TEST: &str = "canton:test";

fn account(id: &str) -> Account {
    Account::primary(id)
}

fn live(who: &str, network: &str) -> Live {
    Live::new(vec![account(who)])
        .on_network(network)
        .with_link(NetworkLink::Up)
}

fn error(kind: ErrorKind) -> ProviderError {
    ProviderError::new(kind, "as the explorer wants it")
}

impl Move {
    fn input(input: Input) -> Self {
        Self {
            what: What::Input(input),
        }
    }

    /// Makes the move. `None` for one that only moves a clock.
    pub fn play(self, world: &mut World) -> Option<Step> {
        match self.what {
            What::Input(input) => Some(world.feed(input)),
            What::Submit { repeatable, hold } => {
                let id = world.new_operation(repeatable);
                let deadline = Duration::from_secs(300);
                let options = SubmitOptions {
                    deadline,
                    repeatable,
                    hold,
                    identity: None,
                };
                Some(world.feed(Input::Submit(id, options)))
            }
            What::Wait => {
                let (at, _) = world.machine.next_timeout()?;
                world.advance(at.since(world.now.mono));
                Some(world.feed(Input::Timeout))
            }
            What::SleepPastExpiry => {
                let at = world.machine.snapshot().expires_at?;
                world.now.wall = at
                    .saturating_add(Duration::from_secs(1))
                    .max(world.now.wall);
                None
            }
        }
    }

    /// What the user and well-meaning others do on the way to and from a connection: enough to
    /// reach every state.
    pub fn cooperative(world: &World) -> Vec<Self> {
        let mut moves = vec![
            Self::input(Input::Connect),
            Self::input(Input::Restore),
            Self::input(Input::Disconnect(CloseMode::Disconnect)),
            Self::input(Input::Close { flush: true }),
            Self::input(Input::Verify),
            Self { what: What::Wait },
            Self {
                what: What::SleepPastExpiry,
            },
        ];
        let epoch = world.machine.epoch();
        moves.push(Self::event(
            epoch,
            ProviderEvent::Dropped(error(ErrorKind::Unreachable)),
        ));
        for call in world.calls.iter().filter(|call| !call.cancelled) {
            let ticket = call.ticket;
            match call.kind {
                CallKind::Load => {
                    moves.push(Self::input(Input::Loaded(ticket, Ok(record(world, false)))));
                }
                CallKind::Open(_) => {
                    moves.push(Self::input(Input::Opened(ticket, Ok(Opened::Established))));
                    moves.push(Self::input(Input::Opened(ticket, Ok(login()))));
                    let failed = Err(error(ErrorKind::Unreachable));
                    moves.push(Self::input(Input::Opened(ticket, failed)));
                }
                CallKind::Probe => {
                    moves.push(Self::input(Input::Probed(ticket, Ok(live(ALICE, MAIN)))));
                }
                CallKind::Reauthenticate => {
                    moves.push(Self::input(Input::Reauthenticated(ticket, Ok(()))));
                    let failed = Err(error(ErrorKind::Unreachable));
                    moves.push(Self::input(Input::Reauthenticated(ticket, failed)));
                }
                CallKind::Close(_) => moves.push(Self::input(Input::LinkClosed(ticket, Ok(())))),
                CallKind::Persist => moves.push(Self::input(Input::Persisted(ticket, Ok(())))),
            }
        }
        moves
    }

    /// Every move that anybody could make next: users who change their mind, wallets that answer
    /// late, wrongly or twice, stores that fail, clocks that jump, other processes.
    pub fn all(world: &World) -> Vec<Self> {
        let mut moves = vec![
            Self::input(Input::Connect),
            Self::input(Input::Restore),
            Self::input(Input::Disconnect(CloseMode::Disconnect)),
            Self::input(Input::Disconnect(CloseMode::Detach)),
            Self::input(Input::Verify),
            Self::input(Input::Close { flush: true }),
            Self::input(Input::Close { flush: false }),
            Self { what: What::Wait },
            Self {
                what: What::SleepPastExpiry,
            },
            Self::input(Input::Notice(Notice::Disconnected)),
            Self::input(Input::Notice(Notice::PartyChanged {
                account: BOB.into(),
            })),
        ];
        if world.operations.len() < 3 {
            moves.push(Self {
                what: What::Submit {
                    repeatable: false,
                    hold: true,
                },
            });
            moves.push(Self {
                what: What::Submit {
                    repeatable: true,
                    hold: true,
                },
            });
            moves.push(Self {
                what: What::Submit {
                    repeatable: false,
                    hold: false,
                },
            });
        }
        for operation in &world.operations {
            let id = operation.id;
            moves.push(Self::input(Input::Abandoned(id)));
            if operation.at_wallet {
                moves.push(Self::input(Input::Finished(id, LinkHint::None)));
                moves.push(Self::input(Input::Finished(id, LinkHint::Suspect)));
                if operation.repeatable {
                    let broken = error(ErrorKind::Unreachable);
                    moves.push(Self::input(Input::Broken(id, broken)));
                }
            }
        }
        for call in &world.calls {
            Self::answers(world, call.ticket, call.kind, &mut moves);
        }
        let epoch = world.machine.epoch();
        let before = Epoch::new(epoch.number().wrapping_sub(1));
        for event in events(world) {
            moves.push(Self::event(epoch, event));
        }
        for event in [
            ProviderEvent::Ready,
            ProviderEvent::Accounts(vec![account(BOB)]),
            ProviderEvent::Dropped(error(ErrorKind::SessionGone)),
        ] {
            moves.push(Self::event(before, event));
        }
        moves
    }

    fn event(epoch: Epoch, event: ProviderEvent) -> Self {
        Self::input(Input::Provider(epoch, event))
    }

    fn answers(
        world: &World,
        ticket: crate::machine::Ticket,
        kind: CallKind,
        moves: &mut Vec<Self>,
    ) {
        let mut answer = |input| moves.push(Self::input(input));
        match kind {
            CallKind::Load => {
                let tombstone = Tombstone::new(DisconnectReason::User, world.now.wall);
                let revision = Revision::new(1);
                let name = RecordName::from("s");
                let unreadable = StoreError::Unreadable {
                    name,
                    reason: "torn".into(),
                };
                answer(Input::Loaded(ticket, Ok(record(world, false))));
                answer(Input::Loaded(ticket, Ok(record(world, true))));
                answer(Input::Loaded(ticket, Ok(Stored::Nothing)));
                answer(Input::Loaded(
                    ticket,
                    Ok(Stored::Tombstone {
                        tombstone,
                        revision,
                    }),
                ));
                answer(Input::Loaded(ticket, Err(unreadable)));
            }
            CallKind::Open(_) => {
                answer(Input::Opened(ticket, Ok(Opened::Established)));
                answer(Input::Opened(ticket, Ok(login())));
                for kind in [
                    ErrorKind::Unreachable,
                    ErrorKind::SessionGone,
                    ErrorKind::UserRejected,
                    ErrorKind::Unsupported,
                ] {
                    answer(Input::Opened(ticket, Err(error(kind))));
                }
            }
            CallKind::Probe => {
                let ended = live(ALICE, MAIN).expiring_at(world.now.wall);
                for live in [
                    live(ALICE, MAIN),
                    live(BOB, MAIN),
                    live(ALICE, TEST),
                    Live::new(Vec::new()),
                    ended,
                ] {
                    answer(Input::Probed(ticket, Ok(live)));
                }
                for kind in [
                    ErrorKind::Unreachable,
                    ErrorKind::SessionGone,
                    ErrorKind::UserRejected,
                ] {
                    answer(Input::Probed(ticket, Err(error(kind))));
                }
            }
            CallKind::Reauthenticate => {
                answer(Input::Reauthenticated(ticket, Ok(())));
                for kind in [
                    ErrorKind::Unreachable,
                    ErrorKind::Unauthorized,
                    ErrorKind::Refused,
                    ErrorKind::LeaseLost,
                ] {
                    answer(Input::Reauthenticated(ticket, Err(error(kind))));
                }
            }
            CallKind::Close(_) => {
                answer(Input::LinkClosed(ticket, Ok(())));
                answer(Input::LinkClosed(
                    ticket,
                    Err(error(ErrorKind::Unreachable)),
                ));
            }
            CallKind::Persist => {
                answer(Input::Persisted(ticket, Ok(())));
                answer(Input::Persisted(ticket, Err("disk full".into())));
            }
        }
    }
}

fn login() -> Opened {
    let url = "https://wallet.example/login";
    Opened::UserActionRequired(UserAction::new(UserActionKind::Login, url))
}

fn record(world: &World, expired: bool) -> Stored {
    let accounts: Arc<[Account]> = Arc::new([account(ALICE)]);
    let connected_at = Timestamp::from_millis(world.now.wall.as_millis().saturating_sub(1000));
    let mut record = Record::new("explored", accounts, Some(MAIN.into()), connected_at);
    let expires_at = world.now.wall.saturating_add(Duration::from_secs(1800));
    record.expires_at = Some(if expired { connected_at } else { expires_at });
    Stored::Record {
        record,
        revision: Revision::new(1),
    }
}

fn events(world: &World) -> Vec<ProviderEvent> {
    let soon = world.now.wall.saturating_add(Duration::from_secs(600));
    vec![
        ProviderEvent::Dropped(error(ErrorKind::Unreachable)),
        ProviderEvent::Dropped(error(ErrorKind::SessionGone)),
        ProviderEvent::Ready,
        ProviderEvent::UserRejected(error(ErrorKind::UserRejected)),
        ProviderEvent::UserActionRequired(UserAction::new(
            UserActionKind::Approve,
            "https://wallet.example/approve",
        )),
        ProviderEvent::Accounts(vec![account(BOB)]),
        ProviderEvent::Accounts(Vec::new()),
        ProviderEvent::Network(TEST.into()),
        ProviderEvent::Link(NetworkLink::Down),
        ProviderEvent::Expires(world.now.wall),
        ProviderEvent::Expires(soon),
        ProviderEvent::Recheck,
        ProviderEvent::PayloadChanged,
        ProviderEvent::Malformed {
            what: "statusChanged".into(),
            problem: "empty".into(),
        },
        ProviderEvent::Message(Message::new("txChanged", serde_json::Value::Null)),
    ]
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Input(input) => f.write_str(input.name()),
            What::Submit { .. } => f.write_str("submit"),
            What::Wait => f.write_str("time passes"),
            What::SleepPastExpiry => f.write_str("sleep past expiry"),
        }
    }
}
