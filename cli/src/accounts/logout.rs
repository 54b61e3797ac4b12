//! `moorline accounts logout`.

use moorline::SessionManager;
use moorline::manager::{LogoutReport, RestoreReport, SessionKey};
use serde_json::json;

use super::kept::Wake;
use super::stored::StoredSession;
use super::{Accounts, as_json, check, find, impatient, list, say_active};
use crate::failure::Failure;
use crate::output::Output;

/// Logs one account out. No other account's wallet is asked.
pub(super) async fn one(
    accounts: &Accounts,
    output: Output,
    account: Option<&str>,
) -> Result<(), Failure> {
    let here = accounts.here().await?;
    let (account, key) = match account {
        Some(text) => find::find(&here, text)?,
        None => {
            let active = here.iter().find(|account| account.active);
            let keyed = active.and_then(|active| Some((active, active.key.as_ref()?)));
            keyed.ok_or(Failure::NoActiveAccount)?
        }
    };
    let manager = accounts.manager(impatient(), Wake::One(key.clone()))?;
    let restored = manager.restore().await?;
    let result = log_out(&manager, &restored, account, key, output).await;
    manager.close().await;
    let report = result?;
    say_active(output, report.active.as_ref());
    Ok(())
}

/// Logs all accounts out that can be.
pub(super) async fn all(accounts: &Accounts, output: Output) -> Result<(), Failure> {
    let here = accounts.here().await?;
    let manager = accounts.manager(impatient(), Wake::All)?;
    let restored = manager.restore().await?;
    let mut failures = Vec::new();
    for account in &here {
        let result = match &account.key {
            Some(key) => log_out(&manager, &restored, account, key, output)
                .await
                .map(drop),
            None => Err(cannot(&restored, account)),
        };
        failures.extend(result.err());
    }
    manager.close().await;
    let total = here.len();
    let gone = total - failures.len();
    output.object(&json!({ "type": "summary", "total": total, "loggedOut": gone }));
    output.say(&format!("{gone} of {total} accounts are logged out"));
    // All but the last are said here.
    let last = failures.pop();
    for failure in failures {
        crate::output::complain(&format!("moorline: {failure}"));
    }
    last.map_or(Ok(()), Err)
}

async fn log_out(
    manager: &SessionManager,
    restored: &RestoreReport,
    account: &StoredSession,
    key: &SessionKey,
    output: Output,
) -> Result<LogoutReport, Failure> {
    if manager.get(key).is_err() {
        return Err(cannot(restored, account));
    }
    let report = manager.logout(key).await?;
    if let Some(why) = &report.disconnect.not_persisted {
        return Err(Failure::NotKept(why.to_string()));
    }
    let told = matches!(report.disconnect.wallet, Some(Ok(())));
    let mut object = as_json(key);
    object["type"] = json!("logged-out");
    object["label"] = json!(account.label);
    object["walletTold"] = json!(told);
    object["active"] = json!(report.active);
    output.object(&object);
    let untold = match &report.disconnect.wallet {
        _ if &*key.provider == super::stored::READ_ONLY => String::new(),
        Some(Ok(())) => String::new(),
        Some(Err(error)) => format!("; the wallet did not take it: {error}"),
        None => "; the wallet could not be told".into(),
    };
    output.say(&format!("{} is logged out{untold}", key.identity()));
    Ok(report)
}

/// Why an account is not there to be logged out.
fn cannot(restored: &RestoreReport, account: &StoredSession) -> Failure {
    let mut sessions = restored.sessions.iter();
    let found = sessions.find(|session| session.record == account.name);
    Failure::NotLoggedOut {
        account: list::title(account),
        name: account.name.clone(),
        why: match found {
            Some(found) => check::describe(&found.restored),
            None => "it is gone".into(),
        },
    }
}
