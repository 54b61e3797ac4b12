//! The typed client over a session.

use std::time::Duration;

use moorline::Session;
use moorline_cip0103::client::{Progress, UnknownCause};
use moorline_cip0103::types::{AccountStatus, LedgerApiRequest, PrepareExecute, TxStatus};
use moorline_cip0103::{CallError, DappClient, Outcome};
use moorline_dev_wallet::{Approval, DevWallet};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, session_on, soon};

async fn connected() -> (DevWallet, DappClient) {
    let wallet = DevWallet::builder().start().await.unwrap();
    let session: Session = session_on(&wallet.url());
    soon(session.connect()).await.unwrap();
    (wallet, DappClient::new(session))
}

fn commands() -> PrepareExecute {
    PrepareExecute::new(json!([{ "CreateCommand": { "templateId": "#a:B:C" } }]))
}

#[tokio::test]
async fn every_method_that_reads_has_a_type() {
    let (wallet, dapp) = connected().await;
    let alice = wallet.accounts()[0].clone();
    let status = soon(dapp.status()).await.unwrap();
    assert!(status.connection.is_connected);
    let token = status
        .session
        .as_ref()
        .unwrap()
        .access_token
        .as_ref()
        .unwrap();
    assert!(!format!("{status:?}").contains(token.expose_secret()));
    assert!(soon(dapp.is_connected()).await.unwrap().is_connected);
    let network = soon(dapp.get_active_network()).await.unwrap();
    assert_eq!(network.network_id, "canton:local");
    assert!(!format!("{network:?}").contains(token.expose_secret()));
    let accounts = soon(dapp.list_accounts()).await.unwrap();
    assert_eq!(accounts.len(), 2);
    assert_eq!(accounts[0].status, AccountStatus::Allocated);
    let primary = soon(dapp.get_primary_account()).await.unwrap();
    assert_eq!(primary.party_id, alice.party_id());
    assert_eq!(primary.public_key, Some(alice.public_key()));
}

#[tokio::test]
async fn the_ledger_is_reached_through_the_wallet() {
    let (_wallet, dapp) = connected().await;
    let version = soon(dapp.ledger_api(&LedgerApiRequest::get("/v2/version"))).await;
    assert!(version.unwrap()["version"].is_string());
    let error = soon(dapp.ledger_api(&LedgerApiRequest::get("/v2/nothing"))).await;
    assert_eq!(error.unwrap_err().code(), Some(-32001));
}

#[tokio::test]
async fn a_transaction_is_followed_to_the_ledger() {
    let (wallet, dapp) = connected().await;
    let mut transaction = soon(dapp.prepare_execute(commands())).await.unwrap();
    let mut statuses = Vec::new();
    while let Some(progress) = soon(transaction.next()).await {
        match progress {
            Progress::Changed(changed) => statuses.push(changed.status),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        statuses,
        [TxStatus::Pending, TxStatus::Signed, TxStatus::Executed]
    );
    let outcome = transaction.outcome(Duration::ZERO).await;
    let Outcome::Executed {
        update_id,
        completion_offset,
    } = outcome
    else {
        panic!("{outcome:?}");
    };
    assert!(update_id.is_some());
    assert_eq!(completion_offset, Some(1));
    assert_eq!(
        wallet.control().ledger_executions(transaction.command_id()),
        1
    );
}

#[tokio::test]
async fn waiting_takes_one_call() {
    let (wallet, dapp) = connected().await;
    let request = commands().with_command_id("mine");
    let outcome = soon(dapp.prepare_execute_and_wait(request.clone(), PATIENCE))
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Executed { .. }), "{outcome:?}");
    assert_eq!(wallet.control().ledger_executions("mine"), 1);
    // The same again: refused by the ledger, and that is an error, not an outcome.
    let error = soon(dapp.prepare_execute_and_wait(request, PATIENCE))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(-32003));
    assert!(!error.may_have_executed());
}

#[tokio::test]
async fn repeated_and_foreign_events_change_nothing() {
    let (wallet, dapp) = connected().await;
    let control = wallet.control();
    control.set_approval(Approval::Manual);
    let request = commands().with_command_id("c");
    let mut transaction = soon(dapp.prepare_execute(request)).await.unwrap();
    control.until_pending(1).await;
    for status in ["pending", "pending", "quantum", "signed", "pending"] {
        control.notify("txChanged", json!({ "status": status, "commandId": "c" }));
    }
    control.notify(
        "txChanged",
        json!({ "status": "failed", "commandId": "other" }),
    );
    control.notify("txChanged", json!({ "status": "failed" }));
    control.notify("txChanged", Value::Null);
    control.approve();
    let mut statuses = Vec::new();
    while let Some(Progress::Changed(changed)) = soon(transaction.next()).await {
        statuses.push(changed.status);
    }
    assert_eq!(
        statuses,
        [TxStatus::Pending, TxStatus::Signed, TxStatus::Executed]
    );
}

#[tokio::test]
async fn a_refusal_and_a_failure_are_the_end() {
    let (wallet, dapp) = connected().await;
    wallet.control().set_approval(Approval::Reject);
    let outcome = soon(dapp.prepare_execute_and_wait(commands(), PATIENCE))
        .await
        .unwrap();
    assert_eq!(outcome, Outcome::RejectedOrFailed);
    wallet.control().set_approval(Approval::Auto);
    wallet.control().fail_transactions(true);
    let outcome = soon(dapp.prepare_execute_and_wait(commands(), PATIENCE))
        .await
        .unwrap();
    assert_eq!(outcome, Outcome::Failed);
}

#[tokio::test]
async fn a_lost_link_leaves_the_outcome_unknown_until_the_wallet_speaks_again() {
    let (wallet, dapp) = connected().await;
    let control = wallet.control();
    control.set_approval(Approval::Manual);
    let request = commands().with_command_id("c");
    let mut transaction = soon(dapp.prepare_execute(request)).await.unwrap();
    control.until_pending(1).await;
    control.cut_all().await;
    let unknown = Outcome::Unknown {
        command_id: "c".into(),
        cause: UnknownCause::LinkLost,
    };
    assert_eq!(soon(transaction.outcome(PATIENCE)).await, unknown);
    // Back again, the person approves, and the follower hears of it.
    let mut snapshots = dapp.session().watch();
    soon(snapshots.wait_for(|snapshot| snapshot.is_connected()))
        .await
        .unwrap();
    control.approve();
    let outcome = soon(transaction.outcome(PATIENCE)).await;
    assert!(matches!(outcome, Outcome::Executed { .. }), "{outcome:?}");
    assert_eq!(control.ledger_executions("c"), 1);
}

#[tokio::test]
async fn a_cut_under_the_submission_is_unknown_not_an_error() {
    let (wallet, dapp) = connected().await;
    let control = wallet.control();
    control.hang(true);
    let request = commands().with_command_id("c");
    let (outcome, ()) = soon(async {
        tokio::join!(dapp.prepare_execute_and_wait(request, PATIENCE), async {
            control.until_seen("prepareExecute", 1).await;
            control.cut_all().await;
        })
    })
    .await;
    let unknown = Outcome::Unknown {
        command_id: "c".into(),
        cause: UnknownCause::LinkLost,
    };
    assert_eq!(outcome, Ok(unknown));
}

#[tokio::test]
async fn a_person_who_takes_too_long_leaves_the_outcome_unknown() {
    let (wallet, dapp) = connected().await;
    wallet.control().set_approval(Approval::Manual);
    let limit = Duration::from_millis(50);
    let outcome = soon(dapp.prepare_execute_and_wait(commands(), limit))
        .await
        .unwrap();
    assert!(
        matches!(
            &outcome,
            Outcome::Unknown {
                cause: UnknownCause::TimedOut,
                ..
            }
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_refused_signature_is_told_as_such() {
    let (wallet, dapp) = connected().await;
    wallet.control().set_approval(Approval::Reject);
    let error = soon(dapp.sign_message("m")).await.unwrap_err();
    assert!(error.is_user_rejection(), "{error:?}");
    assert!(!error.may_have_executed());
}

#[tokio::test]
async fn an_answer_of_the_wrong_shape_is_malformed() {
    let (wallet, dapp) = connected().await;
    let control = wallet.control();
    control.hang(true);
    let (answer, ()) = soon(async {
        tokio::join!(dapp.sign_message("m"), async {
            control.until_seen("signMessage", 1).await;
            // The id is the wallet's own knowledge: both ways to write it that are in use.
            let id = control.log().last().unwrap().id.clone();
            control.send_raw(&json!({ "jsonrpc": "2.0", "id": id, "result": 7 }).to_string());
        })
    })
    .await;
    let error = answer.unwrap_err();
    assert!(matches!(error, CallError::Malformed { .. }), "{error:?}");
    assert!(error.may_have_executed());
}
