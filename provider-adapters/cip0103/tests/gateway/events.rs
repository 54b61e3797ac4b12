//! Events that are lost, repeated, overtaken, torn or late.

use std::time::Duration;

use moorline::EventKind;
use moorline_cip0103::types::PrepareExecute;
use moorline_cip0103::{DappClient, Outcome};
use serde_json::json;

use crate::rig::{GENERATIONS, PATIENCE, Rig, has, name, soon};

fn commands(id: &str) -> PrepareExecute {
    let create =
        json!({ "CreateCommand": { "templateId": "#app:Main:Iou", "createArguments": {} } });
    PrepareExecute::new(json!([create])).with_command_id(id)
}

async fn executed(rig: &Rig, id: &str) {
    let dapp = DappClient::new(rig.session.clone());
    let outcome = soon(dapp.prepare_execute_and_wait(commands(id), PATIENCE)).await;
    let outcome = outcome.unwrap();
    assert!(matches!(outcome, Outcome::Executed { .. }), "{outcome:?}");
    assert_eq!(rig.control.ledger_executions(id), 1);
}

#[tokio::test]
async fn torn_and_slow_events_arrive_whole_and_in_order() {
    for profile in GENERATIONS {
        let mut rig = Rig::new(profile).await;
        rig.control.split_events(3);
        rig.control.split_writes(5);
        rig.control.slow_events(Duration::from_millis(20));
        executed(&rig, "torn").await;
        let mut statuses = Vec::new();
        rig.next(|kind| match kind {
            EventKind::Provider(message) if name(kind) == "txChanged" => {
                statuses.push(message.payload["status"].clone());
                (message.payload["status"] == "executed").then_some(())
            }
            _ => None,
        })
        .await;
        assert_eq!(statuses.first(), Some(&json!("pending")), "{profile}");
    }
}

#[tokio::test]
async fn repeated_events_are_heard_once() {
    for profile in GENERATIONS {
        let mut rig = Rig::new(profile).await;
        rig.control.duplicate_events(100);
        executed(&rig, "twice").await;
        rig.control.switch_party("bob").unwrap();
        let names = rig.until("party:changed").await;
        let heard = names.iter().filter(|name| *name == "txChanged").count();
        assert!(heard <= 3, "{profile}: {names:?}");
    }
}

#[tokio::test]
async fn events_that_overtake_each_other_end_in_the_truth() {
    for profile in GENERATIONS {
        let rig = Rig::new(profile).await;
        rig.control.reorder_events(2);
        executed(&rig, "overtaken").await;
        rig.control.reorder_events(4);
        for party in ["bob", "alice", "bob", "alice"] {
            rig.control.switch_party(party).unwrap();
        }
        let mut watch = rig.session.watch();
        let alice = |snapshot: &std::sync::Arc<moorline::Snapshot>| {
            let primary = snapshot.primary();
            primary.is_some_and(|it| it.id.as_str().starts_with("alice::"))
        };
        soon(watch.wait_for(alice)).await.unwrap();
    }
}

#[tokio::test]
async fn an_event_that_was_lost_with_its_stream_is_found_on_the_ledger() {
    for profile in GENERATIONS {
        let mut rig = Rig::new(profile).await;
        rig.control.lose_events(3);
        let dapp = DappClient::new(rig.session.clone());
        let waiting = tokio::spawn(async move {
            dapp.prepare_execute_and_wait(commands("lost"), PATIENCE)
                .await
        });
        let control = rig.control.clone();
        soon(async {
            while control.ledger_executions("lost") == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        rig.control.lose_events(0);
        rig.control.drop_streams();
        let outcome = soon(waiting).await.unwrap().unwrap();
        assert!(
            matches!(outcome, Outcome::Executed { .. }),
            "{profile}: {outcome:?}"
        );
        let names = rig.until("gap:ended").await;
        assert!(has(&names, "gap:began"), "{names:?}");
    }
}

#[tokio::test]
async fn a_party_that_changed_while_nobody_listened_is_noticed() {
    for profile in GENERATIONS {
        let mut rig = Rig::new(profile).await;
        rig.control.lose_events(10);
        rig.control.switch_party("bob").unwrap();
        rig.control.lose_events(0);
        rig.control.end_streams();
        let names = rig.until("party:changed").await;
        assert!(!has(&names, "session:reconnecting"), "{profile}: {names:?}");
    }
}

#[tokio::test]
async fn other_programs_transactions_are_not_shown() {
    for profile in GENERATIONS {
        let mut rig = Rig::new(profile).await;
        let theirs =
            "event: txChanged\ndata: [{\"status\":\"executed\",\"commandId\":\"theirs\"}]\n\n";
        rig.control.stream_raw(theirs);
        rig.control
            .stream_raw(": ping\n\nevent: custom\ndata: {}\n\n");
        let names = rig.until("custom").await;
        assert!(!has(&names, "txChanged"), "{profile}: {names:?}");
    }
}
