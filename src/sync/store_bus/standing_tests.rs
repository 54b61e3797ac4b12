use super::*;
use crate::clock::Timestamp;

const USER: DisconnectReason = DisconnectReason::User;

fn of(account: &str, network: &str) -> Record {
    let accounts = vec![Account::primary(account)];
    Record::new("test", accounts, Some(network.into()), Timestamp::EPOCH)
}

fn record(account: &str, revision: u64) -> Stored {
    Stored::Record {
        record: of(account, "net"),
        revision: Revision::new(revision),
    }
}

fn ended(reason: DisconnectReason, at: u64) -> Tombstone {
    Tombstone::new(reason, Timestamp::from_millis(at))
}

fn tombstone(reason: DisconnectReason, revision: u64) -> Stored {
    Stored::Tombstone {
        tombstone: ended(reason, revision),
        revision: Revision::new(revision),
    }
}

/// One that has read Alice's record under revision 3.
fn standing() -> Standing {
    let mut standing = Standing::default();
    standing.own(Own::Loading);
    standing.own(Own::Found(&record("alice", 3)));
    standing
}

fn see(standing: &mut Standing, stored: &Stored) -> Option<Notice> {
    let mut look = Look::default();
    standing.begin(&mut look);
    standing.seen(stored, &look)
}

fn party(account: &str) -> Option<Notice> {
    let account = account.into();
    Some(Notice::PartyChanged { account })
}

#[test]
fn what_another_wrote_is_news_once() {
    let mut one = standing();
    assert_eq!(see(&mut one, &record("alice", 4)), None, "the same again");
    assert_eq!(see(&mut one, &record("bob", 5)), party("bob"));
    assert_eq!(see(&mut one, &record("bob", 5)), None, "once");
    assert_eq!(see(&mut one, &record("bob", 6)), None, "known");
    let elsewhere = Stored::Record {
        record: of("bob", "other"),
        revision: Revision::new(7),
    };
    let network = "other".into();
    let moved = Some(Notice::NetworkChanged { network });
    assert_eq!(see(&mut one, &elsewhere), moved);
    let both = record("carol", 8);
    assert_eq!(see(&mut one, &both), party("carol"), "one notice for both");
    let ended = Some(Notice::Disconnected);
    assert_eq!(see(&mut one, &tombstone(USER, 9)), ended);
}

#[test]
fn only_a_users_disconnect_is_one() {
    use DisconnectReason::{Detached, Expired, Remote};
    for reason in [USER, Detached, Remote] {
        let told = see(&mut standing(), &tombstone(reason, 4));
        assert_eq!(told, Some(Notice::Disconnected), "{reason:?}");
    }
    let mut one = standing();
    assert_eq!(see(&mut one, &tombstone(Expired, 4)), None);
    // Who comes back is compared with who was there.
    assert_eq!(see(&mut one, &record("alice", 5)), None);
    assert_eq!(see(&mut one, &tombstone(Expired, 6)), None);
    assert_eq!(see(&mut one, &record("bob", 7)), party("bob"));
}

#[test]
fn nothing_is_news_before_anything_is_known() {
    for stored in [record("bob", 4), tombstone(USER, 4), Stored::Nothing] {
        let mut one = Standing::default();
        one.placed(None);
        assert!(one.wants_look());
        assert_eq!(see(&mut one, &stored), None);
        assert!(!one.wants_look());
    }
}

#[test]
fn what_it_knows_or_is_about_to_is_not_looked_at() {
    let mut one = standing();
    one.placed(None);
    assert!(!one.wants_look(), "it has read it");
    one.hear(Due::Written(Revision::new(3)));
    assert!(!one.wants_look(), "it has read that");
    one.hear(Due::Written(Revision::new(4)));
    assert!(one.wants_look());

    let mut one = standing();
    one.own(Own::Saving(&of("bob", "net")));
    one.hear(Due::Written(Revision::new(4)));
    assert!(!one.wants_look(), "it may be its own");
    one.own(Own::Written(Revision::new(4)));
    assert!(!one.wants_look(), "it was");
    assert_eq!(see(&mut one, &record("carol", 5)), party("carol"));

    let mut one = standing();
    one.own(Own::Saving(&of("bob", "net")));
    one.hear(Due::Written(Revision::new(5)));
    one.own(Own::Written(Revision::new(4)));
    assert!(one.wants_look(), "another came after it");
}

#[test]
fn a_write_of_unknown_fate_is_known_again_when_it_shows() {
    let mut one = standing();
    one.own(Own::Saving(&of("bob", "net")));
    one.own(Own::Unknown);
    assert_eq!(see(&mut one, &record("bob", 4)), None, "its own");
    assert_eq!(see(&mut one, &record("alice", 5)), party("alice"));
    assert_eq!(
        see(&mut one, &record("bob", 6)),
        party("bob"),
        "not its own"
    );

    let mut one = standing();
    let own = ended(USER, 4);
    one.own(Own::Erasing(&own));
    one.own(Own::Unknown);
    assert_eq!(see(&mut one, &tombstone(USER, 4)), None, "its own");

    let mut one = standing();
    one.own(Own::Erasing(&own));
    one.own(Own::Unknown);
    let told = see(&mut one, &tombstone(USER, 5));
    assert_eq!(told, Some(Notice::Disconnected), "another's");
}

/// A user disconnects and connects again; the news of the first comes after the second.
#[test]
fn late_news_of_its_own_end_ends_nothing() {
    let mut one = standing();
    one.own(Own::Erasing(&ended(USER, 4)));
    one.own(Own::Written(Revision::new(4)));
    one.own(Own::Saving(&of("alice", "net")));
    one.hear(Due::Written(Revision::new(4)));
    assert!(!one.wants_look());
    assert_eq!(see(&mut one, &tombstone(USER, 4)), None);
    one.own(Own::Written(Revision::new(5)));
    assert!(!one.wants_look());
    assert_eq!(
        see(&mut one, &tombstone(USER, 4)),
        None,
        "older than it knows"
    );
}

#[test]
fn a_look_that_began_before_its_own_write_says_nothing() {
    let mut one = standing();
    one.own(Own::Written(Revision::new(6)));
    // The look began when it knew revision 3.
    let look = Look {
        highest: Revision::new(3),
        removed: true,
        ..Look::default()
    };
    assert_eq!(one.seen(&record("bob", 5), &look), None);
    assert_eq!(
        see(&mut one, &record("alice", 7)),
        None,
        "nothing was taken over"
    );
}

#[test]
fn a_record_that_was_removed_and_made_again_is_followed() {
    let mut one = standing();
    one.hear(Due::Removed);
    assert!(one.wants_look());
    assert_eq!(see(&mut one, &Stored::Nothing), None);
    assert_eq!(see(&mut one, &record("alice", 1)), None);
    assert_eq!(see(&mut one, &record("bob", 2)), party("bob"));
    // Both at once.
    let mut one = standing();
    one.hear(Due::Removed);
    assert_eq!(see(&mut one, &record("bob", 1)), party("bob"));
    assert_eq!(
        see(&mut one, &tombstone(USER, 2)),
        Some(Notice::Disconnected)
    );
}

#[test]
fn at_another_place_nothing_is_known_and_what_was_begun_says_nothing() {
    let mut one = standing();
    one.own(Own::Saving(&of("bob", "net")));
    one.move_away();
    one.placed(None);
    one.own(Own::Written(Revision::new(4)));
    assert!(one.wants_look());
    assert_eq!(
        see(&mut one, &record("zoe", 1)),
        None,
        "it stood there before"
    );
    assert_eq!(
        see(&mut one, &tombstone(USER, 2)),
        Some(Notice::Disconnected)
    );
}

#[test]
fn unknown_is_not_empty() {
    let mut one = standing();
    let nobody = Record::new("test", Vec::new(), None, Timestamp::EPOCH);
    let stored = Stored::Record {
        record: nobody,
        revision: Revision::new(4),
    };
    assert_eq!(see(&mut one, &stored), None);
}

/// Some stores answer from a copy that is a moment behind.
#[test]
fn an_old_copy_is_no_news() {
    let mut one = standing();
    one.hear(Due::Written(Revision::new(4)));
    let mut look = Look::default();
    one.begin(&mut look);
    assert!(look.is_behind(&tombstone(USER, 2)));
    assert!(!look.is_behind(&tombstone(USER, 4)));
    assert_eq!(one.seen(&tombstone(USER, 2), &look), None);
    one.hear(Due::Anything);
    assert_eq!(see(&mut one, &tombstone(USER, 2)), None);
    assert_eq!(see(&mut one, &Stored::Nothing), None);
    assert_eq!(
        see(&mut one, &record("alice", 4)),
        None,
        "nothing was taken over"
    );
}
