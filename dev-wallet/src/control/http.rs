//! What goes wrong with the gateway side.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Control;
use crate::gateway::Frame;
use crate::http::{HttpFault, Misbehaviour, Place};

/// What becomes of sessions when a wallet restarts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Sessions {
    /// They are kept. The default.
    #[default]
    Kept,
    /// They are lost, and transactions that waited with them.
    Lost,
}

/// Requests that are answered wrongly.
impl Control {
    /// Answers requests to the dApp API wrongly, until [`behave`](Self::behave).
    pub fn misbehave(&self, fault: HttpFault) {
        self.misbehave_at(Place::Dapp, None, fault, None);
    }

    /// Answers the next `times` requests to the dApp API wrongly.
    pub fn misbehave_times(&self, fault: HttpFault, times: u32) {
        self.misbehave_at(Place::Dapp, None, fault, Some(times));
    }

    /// Answers requests at a place wrongly: those of one method (`None` for any), so many times
    /// (`None` until [`behave`](Self::behave)). Faults strike in the order they were set.
    pub fn misbehave_at(
        &self,
        place: Place,
        method: Option<&str>,
        fault: HttpFault,
        times: Option<u32>,
    ) {
        self.acted(
            "misbehave-at",
            format_args!("{place:?} {method:?} {} {times:?}", fault.name()),
        );
        if times == Some(0) {
            return;
        }
        let misbehaviour = Misbehaviour {
            fault,
            place,
            method: method.map(str::to_owned),
            times,
        };
        self.state
            .change(|inner| inner.faults.http.push(misbehaviour));
    }

    /// Answers HTTP requests as it should again.
    pub fn behave(&self) {
        self.acted("behave", "");
        self.state.change(|inner| inner.faults.http.clear());
    }

    /// Lets the ledger prepare nothing.
    pub fn fail_prepare(&self, fail: bool) {
        self.acted("fail-prepare", fail);
        self.state.change(|inner| inner.faults.fail_prepare = fail);
    }
}

/// Streams and events that go wrong.
impl Control {
    /// Breaks every stream, without an end. Returns how many there were.
    pub fn drop_streams(&self) -> usize {
        self.acted("drop-streams", "");
        self.state.stream_all(&Frame::Break)
    }

    /// Ends every stream, in good order. Returns how many there were.
    pub fn end_streams(&self) -> usize {
        self.acted("end-streams", "");
        self.state.stream_all(&Frame::End)
    }

    /// Leaves every stream half-open: it stays, and nothing reaches it any more. New streams are
    /// not concerned. Returns how many there were.
    pub fn half_open_streams(&self) -> usize {
        self.acted("half-open-streams", "");
        self.state.change(|inner| {
            for stream in inner.gateway.streams.values_mut() {
                stream.dead = true;
            }
            inner.gateway.streams.len()
        })
    }

    /// Every event of a stream waits this long for the one before; `Duration::ZERO` for not.
    pub fn slow_events(&self, delay: Duration) {
        self.acted("slow-events", format_args!("{delay:?}"));
        let slow = Some(delay).filter(|delay| !delay.is_zero());
        self.state.change(|inner| inner.faults.slow_events = slow);
    }

    /// Loses the next `count` events.
    pub fn lose_events(&self, count: u32) {
        self.acted("lose-events", count);
        self.state.change(|inner| inner.faults.events.lose = count);
    }

    /// Sends the next `count` events twice.
    pub fn duplicate_events(&self, count: u32) {
        self.acted("duplicate-events", count);
        self.state
            .change(|inner| inner.faults.events.duplicate = count);
    }

    /// Lets each of the next `count` events be overtaken by the one after it.
    pub fn reorder_events(&self, count: u32) {
        self.acted("reorder-events", count);
        self.state
            .change(|inner| inner.faults.events.reorder = count);
    }

    /// Sends events of streams in chunks of this many bytes; 0 for whole.
    pub fn split_events(&self, bytes: usize) {
        self.acted("split-events", bytes);
        self.state.change(|inner| inner.faults.split_events = bytes);
    }

    /// Writes in pieces of this many bytes, on every socket; 0 for whole.
    pub fn split_writes(&self, bytes: usize) {
        self.acted("split-writes", bytes);
        self.state.change(|inner| {
            inner.faults.split_writes = bytes;
            for line in inner.lines.values() {
                line.meddling.piece.store(bytes, Ordering::Relaxed);
            }
        });
    }

    /// Sends any bytes into every stream: comments, fields, garbage. Returns how many there are.
    pub fn stream_raw(&self, text: &str) -> usize {
        self.acted("stream-raw", "");
        self.state.stream_all(&Frame::Text(text.to_owned()))
    }
}

/// Connections that go wrong.
impl Control {
    /// Closes every HTTP connection on which nothing is being answered: the race of a request
    /// with the end of a kept connection, lost by the request before it begins. Returns how many
    /// were closed.
    pub fn close_idle(&self) -> usize {
        self.acted("close-idle", "");
        let inner = self.state.lock();
        let idle: Vec<_> = inner.lines.values().filter(|line| line.is_idle()).collect();
        for line in &idle {
            line.close();
        }
        idle.len()
    }

    /// Breaks every idle HTTP connection as soon as the first byte of its next request is read:
    /// the same race, lost in the middle. Returns how many that may concern.
    pub fn close_at_next_request(&self) -> usize {
        self.acted("close-at-next-request", "");
        let inner = self.state.lock();
        let idle: Vec<_> = inner.lines.values().filter(|line| line.is_idle()).collect();
        for line in &idle {
            line.meddling.break_after_read.store(1, Ordering::Relaxed);
        }
        idle.len()
    }

    /// Restarts: cuts every connection, closes the port, and opens it again after a while.
    /// Done when this returns.
    pub async fn restart(&self, sessions: Sessions, downtime: Duration) {
        self.acted("restart", format_args!("{sessions:?}"));
        self.refuse(true).await;
        self.cut_all().await;
        if sessions == Sessions::Lost {
            self.state.change(|inner| {
                inner.session = None;
                inner.logging_in = false;
                inner.waiting.clear();
                inner.gateway.sessions.clear();
                inner.gateway.transactions.clear();
                inner.gateway.messages.clear();
            });
        }
        tokio::time::sleep(downtime).await;
        self.refuse(false).await;
    }
}
