//! One store, as all processes see it: each write takes effect at one moment.

use std::collections::BTreeMap;

use moorline::store::Revision;
use moorline::sync::lease::MemberId;
use moorline::sync::lease::machine::{Answer, Content, Effect, Place, Record};

/// The lease backend.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Store(BTreeMap<Place, (Revision, Content)>);

impl Store {
    /// Carries out a call of the backend.
    pub(crate) fn carry_out(&mut self, call: &Effect) -> Answer {
        match call {
            Effect::Get(_, place) => match self.0.get(place) {
                Some((revision, content)) => Answer::Found(*revision, content.clone()),
                None => Answer::Found(Revision::NONE, Content::Nothing),
            },
            Effect::Put(_, place, record, expected) => {
                if self.revision(place) != *expected {
                    return Answer::Conflict;
                }
                let content = match record.clone() {
                    Record::Member(_, member) => Content::Member(member),
                    Record::Lease(lease) => Content::Lease(lease),
                };
                self.0.insert(*place, (expected.next(), content));
                Answer::Written
            }
            Effect::Remove(_, place, expected) => {
                if self.revision(place) != *expected {
                    return Answer::Conflict;
                }
                self.0.remove(place);
                Answer::Written
            }
            Effect::List(_) => Answer::Listed(self.members()),
            other => panic!("not a call: {other:?}"),
        }
    }

    /// Whether a write that nobody waits for any more could still take effect.
    pub(crate) fn could_land(&self, call: &Effect) -> bool {
        match call {
            Effect::Put(_, place, _, expected) | Effect::Remove(_, place, expected) => {
                self.revision(place) == *expected
            }
            _ => false,
        }
    }

    fn revision(&self, place: &Place) -> Revision {
        self.0
            .get(place)
            .map_or(Revision::NONE, |(found, _)| *found)
    }

    fn members(&self) -> Vec<MemberId> {
        let places = self.0.keys();
        places
            .filter_map(|place| match place {
                Place::Member(id) => Some(*id),
                Place::Lease(_) => None,
            })
            .collect()
    }
}
