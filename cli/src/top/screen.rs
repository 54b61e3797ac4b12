//! The live view on a terminal: drawn when something changed, at most so often.

use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until};

use super::input::{Action, on_key};
use super::model::{Input, Model};
use super::row::RowId;
use super::terminal::Screen;
use super::{Acts, view};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::sessions::person;

/// The time between two pictures, at least.
const FRAME: Duration = Duration::from_millis(100);

/// How often ages are drawn anew while nothing happens.
const TICK: Duration = Duration::from_secs(1);

/// While the view stands still.
const SELDOM: Duration = Duration::from_secs(3600);

pub(super) async fn run(
    model: &mut Model,
    mut inputs: Receiver<Vec<Input>>,
    acts: &Acts,
) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    let mut screen = Screen::open()?;
    let mut keys = EventStream::new();
    let mut next = Instant::now();
    let mut last = next;
    let mut over = false;
    loop {
        if next <= Instant::now() {
            screen.draw(|frame| view::draw(frame, model, person::now()))?;
            last = Instant::now();
            next = last + tick(model);
        }
        tokio::select! {
            biased;
            () = interrupt.requested() => return Ok(()),
            key = keys.next() => match key {
                Some(Ok(Event::Key(key))) => {
                    match on_key(model, key, person::now()) {
                        Some(Action::Quit) => return Ok(()),
                        Some(action) => act(action, acts),
                        None => {}
                    }
                    next = next.min(last + FRAME);
                }
                Some(Ok(_)) => next = next.min(last + FRAME),
                Some(Err(error)) => return Err(error.into()),
                // The terminal is gone.
                None => return Ok(()),
            },
            batch = inputs.recv(), if !over => match batch {
                Some(batch) => {
                    let seen = !model.is_paused();
                    batch.into_iter().for_each(|input| model.feed(input));
                    if seen {
                        next = next.min(last + FRAME);
                    }
                }
                None => {
                    over = true;
                    model.say(person::now(), "source:ended", "nothing more is told");
                    next = next.min(last + FRAME);
                }
            },
            () = sleep_until(next) => {}
        }
    }
}

/// How long a picture is true by itself.
fn tick(model: &Model) -> Duration {
    match () {
        () if model.is_paused() => SELDOM,
        () if model.counts_down(person::now()) => FRAME,
        () => TICK,
    }
}

fn act(action: Action, acts: &Acts) {
    match action {
        Action::Disconnect(RowId::Key(key)) => {
            let session = acts.manager.as_ref().and_then(|it| it.get(&*key).ok());
            if let Some(session) = session {
                tokio::spawn(async move { session.session().disconnect().await });
            }
        }
        Action::Resync => acts.resync.notify_one(),
        Action::Disconnect(_) | Action::Quit => {}
    }
}
