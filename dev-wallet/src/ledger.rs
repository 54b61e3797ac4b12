//! A ledger in memory: what was submitted, and what became of it.

use std::collections::HashMap;

use serde_json::{Value, json};

/// Transactions in the order they were completed.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    completions: Vec<Completion>,
    /// Ids of commands that are under way or done: the ledger refuses them a second time.
    known: HashMap<String, u64>,
    submitted: u64,
}

/// The end of one command.
#[derive(Clone, Debug)]
pub(crate) struct Completion {
    pub(crate) command_id: String,
    pub(crate) act_as: Vec<String>,
    pub(crate) offset: u64,
    /// `None` for a command that failed.
    pub(crate) update_id: Option<String>,
}

impl Ledger {
    /// Takes a command in. `false` if its id was used before.
    pub(crate) fn submit(&mut self, command_id: &str) -> bool {
        if self.known.contains_key(command_id) {
            return false;
        }
        self.submitted += 1;
        self.known.insert(command_id.to_owned(), 0);
        true
    }

    /// An id for a command that came without.
    pub(crate) fn fresh_id(&self) -> String {
        (self.submitted..)
            .map(|number| format!("dev-wallet-{}", number + 1))
            .find(|id| !self.known.contains_key(id))
            .unwrap_or_default()
    }

    /// Completes a command, well or not.
    pub(crate) fn complete(
        &mut self,
        command_id: &str,
        act_as: &[String],
        well: bool,
    ) -> Completion {
        let offset = self.end() + 1;
        if well {
            *self.known.entry(command_id.to_owned()).or_default() += 1;
        }
        let completion = Completion {
            command_id: command_id.to_owned(),
            act_as: act_as.to_vec(),
            offset,
            update_id: well.then(|| format!("1220{offset:060x}")),
        };
        self.completions.push(completion.clone());
        completion
    }

    /// Forgets a command that was prepared and is never sent: a person refused. It leaves no
    /// completion, and its id may be used again. Of what was completed nothing is forgotten.
    pub(crate) fn withdraw(&mut self, command_id: &str) {
        if !self.completed(command_id) {
            self.known.remove(command_id);
        }
    }

    fn completed(&self, command_id: &str) -> bool {
        let mut completions = self.completions.iter();
        completions.any(|completion| completion.command_id == command_id)
    }

    /// How often a command was executed: at most once, or the wallet is broken.
    pub(crate) fn executions(&self, command_id: &str) -> u64 {
        self.known.get(command_id).copied().unwrap_or_default()
    }

    /// The offset of the last completion.
    pub(crate) fn end(&self) -> u64 {
        self.completions.len() as u64
    }

    /// Completions after an offset, for any of these parties (all, if none is named).
    pub(crate) fn completions(&self, after: u64, parties: &[&str]) -> Vec<Value> {
        let relevant = |completion: &&Completion| {
            completion.offset > after
                && (parties.is_empty()
                    || (completion.act_as.iter()).any(|party| parties.contains(&party.as_str())))
        };
        let completions = self.completions.iter().filter(relevant);
        completions.map(Completion::to_json).collect()
    }
}

impl Completion {
    /// The completion as the JSON Ledger API writes it.
    fn to_json(&self) -> Value {
        let status = match self.update_id {
            Some(_) => json!({ "code": 0, "message": "" }),
            None => json!({ "code": 10, "message": "the transaction was rejected" }),
        };
        json!({ "completionResponse": { "Completion": { "value": {
            "commandId": self.command_id,
            "status": status,
            "updateId": self.update_id.as_deref().unwrap_or_default(),
            "actAs": self.act_as,
            "offset": self.offset,
        } } } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_taken_once() {
        let mut ledger = Ledger::default();
        assert!(ledger.submit("a"));
        assert!(!ledger.submit("a"));
        let done = ledger.complete("a", &["p".to_owned()], true);
        assert_eq!((done.offset, ledger.executions("a")), (1, 1));
        assert_eq!(ledger.completions(0, &["p"]).len(), 1);
        assert!(ledger.completions(1, &["p"]).is_empty());
        assert!(ledger.completions(0, &["q"]).is_empty());
    }

    #[test]
    fn a_command_that_was_refused_was_never_there() {
        let mut ledger = Ledger::default();
        assert!(ledger.submit("a"));
        ledger.withdraw("a");
        assert!(ledger.completions(0, &[]).is_empty());
        assert!(ledger.submit("a"));
        ledger.complete("a", &["p".to_owned()], true);
        ledger.withdraw("a");
        assert_eq!(ledger.completions(0, &[]).len(), 1);
        assert!(!ledger.submit("a"));
    }

    #[test]
    fn fresh_ids_are_fresh() {
        let mut ledger = Ledger::default();
        assert!(ledger.submit("dev-wallet-1"));
        let id = ledger.fresh_id();
        assert!(ledger.submit(&id), "{id}");
    }
}
