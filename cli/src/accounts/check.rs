//! `moorline accounts list --check`: every session is restored, and says how it is.

use moorline::SessionManager;
use moorline::manager::{ManagerEventKind, ManagerEvents, ManagerItem, Restored};
use moorline::session::RestoreOutcome;
use serde_json::json;

use super::kept::Wake;
use super::{Accounts, impatient, list};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// How many characters the bar is long.
const BAR: usize = 24;

pub(super) async fn run(accounts: &Accounts, output: Output) -> Result<(), Failure> {
    let here = accounts.here().await?;
    let manager = accounts.manager(impatient(), Wake::All)?;
    let mut interrupt = Interrupt::listen()?;
    let report = tokio::select! {
        report = restore(&manager, output) => Some(report),
        () = interrupt.requested() => None,
    };
    manager.close().await;
    let Some(report) = report else {
        return Err(Failure::Stopped);
    };
    let report = report?;
    let mut failed = 0;
    for account in &here {
        let found = report.sessions.iter().find(|it| it.record == account.name);
        let Some(found) = found else { continue };
        let stands = stands(&found.restored);
        failed += usize::from(!stands);
        let mark = if stands { "✓" } else { "✗" };
        let how = describe(&found.restored);
        output.say(&format!("{mark} {:<22} {how}", list::title(account)));
        output.object(&json!({
            "type": "checked",
            "record": found.record,
            "account": found.key.as_ref().map(|key| &key.account),
            "network": found.key.as_ref().and_then(|key| key.network.as_ref()),
            "label": account.label,
            "stands": stands,
            "result": found.restored,
        }));
    }
    let total = here.len();
    output.object(&json!({ "type": "summary", "total": total, "failed": failed }));
    match failed {
        0 => {
            output.say(&format!("{total} of {total} accounts stand"));
            Ok(())
        }
        failed => Err(Failure::AccountsDown { failed, total }),
    }
}

/// Restores everything; on a terminal a bar shows how far it is.
async fn restore(
    manager: &SessionManager,
    output: Output,
) -> Result<moorline::manager::RestoreReport, Failure> {
    let mut events = manager.events();
    let restore = manager.restore();
    let mut restore = std::pin::pin!(restore);
    loop {
        tokio::select! {
            biased;
            progress = next_progress(&mut events) => show(output, progress),
            report = restore.as_mut() => {
                // What was told before it ended.
                while let Some(item) = events.try_next() {
                    if let Some(progress) = progress(&item) {
                        show(output, progress);
                    }
                }
                if output.is_live() {
                    output.show("");
                }
                return Ok(report?);
            }
        }
    }
}

fn show(output: Output, (done, total): (usize, usize)) {
    if output.is_live() {
        output.show(&bar(done, total));
    } else {
        output.object(&json!({ "type": "progress", "done": done, "total": total }));
    }
}

async fn next_progress(events: &mut ManagerEvents) -> (usize, usize) {
    while let Some(item) = events.next().await {
        if let Some(progress) = progress(&item) {
            return progress;
        }
    }
    std::future::pending().await
}

fn progress(item: &ManagerItem) -> Option<(usize, usize)> {
    let ManagerItem::Event(event) = item else {
        return None;
    };
    match event.kind {
        ManagerEventKind::RestoreProgress { done, total, .. } => Some((done, total)),
        _ => None,
    }
}

fn bar(done: usize, total: usize) -> String {
    let full = BAR * done / total.max(1);
    format!(
        "[{}{}] {done} of {total} accounts",
        "#".repeat(full),
        ".".repeat(BAR - full)
    )
}

fn stands(restored: &Restored) -> bool {
    let Restored::Session { outcome } = restored else {
        return false;
    };
    *outcome == RestoreOutcome::Restored
}

/// How a restore ended, in words.
pub(crate) fn describe(restored: &Restored) -> String {
    match restored {
        Restored::Session { outcome } => match outcome {
            RestoreOutcome::Restored => "stands".into(),
            RestoreOutcome::NeedsReauth => "needs a login".into(),
            RestoreOutcome::Expired => "expired; log in again".into(),
            RestoreOutcome::Unreachable { error: Some(error) } => format!("unreachable: {error}"),
            RestoreOutcome::Unreachable { error: None } => "unreachable".into(),
            RestoreOutcome::Quarantined { reason } => format!("cannot be read: {reason}"),
            RestoreOutcome::StoreUnavailable { reason } => format!("cannot be looked at: {reason}"),
            _ => "has ended".into(),
        },
        Restored::ProviderFailed { error } => format!("cannot be used: {error}"),
        Restored::UnknownProvider { kind } => {
            format!("speaks `{kind}`, which this program does not know")
        }
        Restored::Unreadable { reason } => format!("cannot be read: {reason}"),
        Restored::StoreUnavailable { reason } => format!("cannot be looked at: {reason}"),
        Restored::Superseded => "another session stands for this account".into(),
        Restored::HeldElsewhere { holder } => format!("held by {holder}"),
        Restored::Full => "there is no room for it".into(),
        Restored::Unfinished => "was not looked at to its end".into(),
        Restored::Ended => "has ended".into(),
        _ => "is not there".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_fills_from_none_to_all() {
        assert_eq!(bar(0, 3), "[........................] 0 of 3 accounts");
        assert_eq!(bar(1, 3), "[########................] 1 of 3 accounts");
        assert_eq!(bar(3, 3), "[########################] 3 of 3 accounts");
        assert_eq!(bar(0, 0), "[........................] 0 of 0 accounts");
    }
}
