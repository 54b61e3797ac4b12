//! The names of networks, once each.

use std::sync::{Mutex, PoisonError};

use crate::identity::NetworkId;

/// How many names are known at once. Most programs meet one or two.
const ROOM: usize = 8;

/// The networks that sessions were found on last. Every wallet says the name anew; sessions keep
/// one text of it among them.
#[derive(Default)]
pub(super) struct Networks(Mutex<Vec<NetworkId>>);

impl Networks {
    /// Has `network` share the text of an equal name that is known.
    pub(super) fn share(&self, network: &mut Option<NetworkId>) {
        let Some(network) = network else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.iter().find(|known| *known == network) {
            network.clone_from(same);
            return;
        }
        if known.len() == ROOM {
            known.remove(0);
        }
        known.push(network.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_share_their_text_and_few_are_kept() {
        let networks = Networks::default();
        let told = |name: &str| {
            let mut network = Some(NetworkId::from(name));
            networks.share(&mut network);
            network.unwrap()
        };
        let first = told("net:0");
        assert_eq!(first.as_str().as_ptr(), told("net:0").as_str().as_ptr());
        for number in 1..=ROOM {
            assert_eq!(
                told(&format!("net:{number}")).as_str(),
                format!("net:{number}")
            );
        }
        assert_eq!(networks.0.lock().unwrap().len(), ROOM);
        // Forgotten by then, and known again.
        let again = told("net:0");
        assert_ne!(first.as_str().as_ptr(), again.as_str().as_ptr());
        assert_eq!(first, again);
    }
}
