//! What needs a person: approved, rejected, never answered, taken back.

use std::time::Duration;

use moorline::EventKind;
use moorline::provider::UserActionKind;
use moorline_cip0103::types::PrepareExecute;
use moorline_cip0103::{CallError, DappClient, Outcome};
use moorline_dev_wallet::{Approval, Profile};
use serde_json::json;

use crate::rig::{GENERATIONS, PATIENCE, Rig, soon};

fn commands(id: &str) -> PrepareExecute {
    let create =
        json!({ "CreateCommand": { "templateId": "#app:Main:Iou", "createArguments": {} } });
    PrepareExecute::new(json!([create])).with_command_id(id)
}

async fn rig(profile: Profile) -> (Rig, DappClient) {
    let rig = Rig::new(profile).await;
    rig.control.set_approval(Approval::Manual);
    let dapp = DappClient::new(rig.session.clone());
    (rig, dapp)
}

#[tokio::test]
async fn a_person_approves() {
    for profile in GENERATIONS {
        let (mut rig, dapp) = rig(profile).await;
        let waiting =
            tokio::spawn(
                async move { dapp.prepare_execute_and_wait(commands("c"), PATIENCE).await },
            );
        let (kind, url) = rig
            .next(|kind| match kind {
                EventKind::UserActionRequired { action } => {
                    Some((action.action, action.url.to_string()))
                }
                _ => None,
            })
            .await;
        assert_eq!(kind, UserActionKind::Approve);
        assert!(url.contains("commandId=c"), "{url}");
        rig.control.approve();
        let outcome = soon(waiting).await.unwrap().unwrap();
        assert!(
            matches!(outcome, Outcome::Executed { .. }),
            "{profile}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_person_rejects() {
    for (profile, settling) in GENERATIONS.map(|it| [(it, true), (it, false)]).concat() {
        let (rig, dapp) = rig(profile).await;
        let control = rig.control.clone();
        // The ledger knows nothing of it: asked or not, the outcome is the same.
        let dapp = dapp.with_settling(settling);
        let within = match profile {
            // The first generation says nothing: only time tells.
            Profile::G1 => Duration::from_secs(1),
            _ => PATIENCE,
        };
        let waiting =
            tokio::spawn(async move { dapp.prepare_execute_and_wait(commands("c"), within).await });
        soon(control.until_pending(1)).await;
        // The answer with the address may still be on its way.
        soon(async {
            while control.seen("prepareExecute") == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        control.reject();
        let outcome = soon(waiting).await.unwrap().unwrap();
        match profile {
            Profile::G1 => assert!(
                matches!(outcome, Outcome::ApprovalTimeout { .. }),
                "{outcome:?}"
            ),
            _ => assert_eq!(outcome, Outcome::RejectedOrFailed),
        }
        assert_eq!(control.ledger_executions("c"), 0);
    }
}

#[tokio::test]
async fn a_person_never_answers() {
    for profile in GENERATIONS {
        let (rig, dapp) = rig(profile).await;
        let limit = Duration::from_millis(500);
        let outcome = soon(dapp.prepare_execute_and_wait(commands("c"), limit))
            .await
            .unwrap();
        assert!(
            matches!(outcome, Outcome::ApprovalTimeout { .. }),
            "{profile}: {outcome:?}"
        );
        assert!(rig.session.snapshot().is_connected());
    }
}

#[tokio::test]
async fn a_signature_takes_a_person_at_the_second_generation() {
    let (rig, dapp) = rig(Profile::G2).await;
    let control = rig.control.clone();
    let sign = |dapp: DappClient| tokio::spawn(async move { dapp.sign_message("m").await });
    let waiting = sign(dapp.clone());
    soon(control.until_pending(1)).await;
    control.approve();
    assert!(!soon(waiting).await.unwrap().unwrap().signature.is_empty());
    let waiting = sign(dapp.clone());
    soon(control.until_pending(1)).await;
    control.reject();
    let refused = soon(waiting).await.unwrap();
    assert!(
        matches!(refused, Err(CallError::RejectedOrFailed { .. })),
        "{refused:?}"
    );
    let late = soon(
        dapp.with_approval_deadline(Duration::from_millis(50))
            .sign_message("m"),
    )
    .await;
    assert!(
        matches!(late, Err(CallError::ApprovalTimeout { .. })),
        "{late:?}"
    );
}

#[tokio::test]
async fn a_wallet_without_signatures_says_so() {
    let (_rig, dapp) = rig(Profile::G1).await;
    let error = soon(dapp.sign_message("m")).await.unwrap_err();
    let CallError::Operation(error) = error else {
        panic!("{error:?}")
    };
    let kind = error.provider_error().unwrap().kind();
    assert_eq!(kind, moorline::provider::ErrorKind::Unsupported, "{error}");
}

#[tokio::test]
async fn a_ledger_that_rejects_is_a_failure_and_keeps_its_details() {
    for profile in GENERATIONS {
        let (rig, dapp) = rig(profile).await;
        rig.control.fail_prepare(true);
        let error = soon(dapp.prepare_execute(commands("c"))).await.unwrap_err();
        let CallError::Operation(error) = error else {
            panic!("{error:?}")
        };
        let cause = error.provider_error().unwrap();
        assert!(cause.data().is_some(), "{profile}: {cause}");
        assert!(!error.may_have_executed());
    }
}
