//! `moorline connect`: a live session, until Ctrl-C.

mod kept;

use moorline::session::{EventItem, EventStream};
use moorline::{EventKind, Policy, Session};
use serde_json::json;

use self::kept::Kept;
use crate::args::ConnectArgs;
use crate::countdown::Countdown;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Actor, Output};
use crate::provider::provider;

pub(crate) async fn run(args: ConnectArgs) -> Result<(), Failure> {
    let output = Output::new(args.json);
    let provider = provider(&args.url, &args.login)?;
    let mut policy = Policy {
        retry_first_connect: args.retry,
        ..Policy::default()
    };
    policy.expiry.ttl = args.ttl;
    let kept = Kept::open(&args, output)?;
    let mut builder = Session::builder_dyn(provider).policy(policy);
    if let Some(kept) = &kept {
        builder = builder.store(kept.store.clone(), kept.name.clone());
    }
    let session = builder.build()?;
    let events = session.events();
    let mut interrupt = Interrupt::listen()?;
    let stays = kept.is_some() && !args.keep.end;
    let ctrl_c = if stays {
        "leaves it standing"
    } else {
        "disconnects"
    };
    output.say(&format!("connecting to {}; Ctrl-C {ctrl_c}", args.url));

    let printing = tokio::spawn(print(events, output));
    let ended = tokio::select! {
        ended = live(&session, kept.as_ref()) => Some(ended),
        () = interrupt.requested() => None,
    };
    let result = match ended {
        Some(failure) => Err(failure),
        None => {
            if stays {
                output.step(Actor::You, "leave; the next start restores the session");
            } else {
                leave(&session, args.detach, output).await;
            }
            Ok(())
        }
    };
    session.close().await;
    // Ends with the session, once everything is printed.
    let _printed = printing.await;
    result
}

/// Connects and stays connected; returns only with a failure.
async fn live(session: &Session, kept: Option<&Kept>) -> Failure {
    let mut watch = session.watch();
    let restored = match kept {
        Some(kept) => kept.restore(session).await,
        None => Ok(false),
    };
    match restored {
        Ok(true) => {}
        Ok(false) => {
            if let Err(error) = session.connect().await {
                return error.into();
            }
        }
        Err(failure) => return failure,
    }
    let ended = watch
        .wait_for(|snapshot| snapshot.status.is_disconnected())
        .await;
    match ended.map(|snapshot| snapshot.status) {
        Ok(moorline::Status::Disconnected { reason }) => Failure::Ended(reason),
        _ => Failure::Ended(moorline::DisconnectReason::Closed),
    }
}

async fn leave(session: &Session, detach: bool, output: Output) {
    output.step(Actor::You, if detach { "detach" } else { "disconnect" });
    let report = if detach {
        session.detach().await
    } else {
        session.disconnect().await
    };
    if let Some(Err(error)) = report.wallet {
        output.step(
            Actor::Wallet,
            &format!("did not take the disconnect: {error}"),
        );
    }
}

/// Prints events until the session is closed. Its own closing is no news.
async fn print(mut events: EventStream, output: Output) {
    let mut countdown: Option<Countdown> = None;
    while let Some(item) = next(&mut events, countdown, output).await {
        countdown = item.event().and_then(|event| Countdown::after(&event.kind));
        match item {
            EventItem::Event(event) => {
                let closing = matches!(
                    event.kind,
                    EventKind::Disconnected {
                        reason: moorline::DisconnectReason::Closed,
                        ..
                    }
                );
                if !closing {
                    output.event(&event);
                }
            }
            EventItem::Missed(missed) => {
                output.object(&json!({ "type": "missed", "events": missed }));
                output.say(&format!("({missed} events came too fast to be printed)"));
            }
        }
    }
}

/// The next item. Until it comes, a terminal shows how long the session waits.
async fn next(
    events: &mut EventStream,
    countdown: Option<Countdown>,
    output: Output,
) -> Option<EventItem> {
    let Some(countdown) = countdown.filter(|_| output.is_live()) else {
        return events.next().await;
    };
    loop {
        let (line, step) = countdown.line();
        output.show(&line);
        if let Ok(item) = tokio::time::timeout(step, events.next()).await {
            return item;
        }
    }
}
