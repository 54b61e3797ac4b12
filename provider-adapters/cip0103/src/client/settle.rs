//! What became of a submission, from the ledger itself: for when its events were lost.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{CallError, DappClient, Outcome};
use crate::types::{LedgerApiRequest, PrepareExecute};

/// How long the end of the ledger that was seen last is good enough to begin a search from.
const FRESH: Duration = Duration::from_secs(60);
/// How long the ledger may take to say where it ends: a submission waits for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it may take to be searched.
const LONGEST: Duration = Duration::from_secs(5);
/// How many completions are asked for at once.
const PAGE: usize = 200;
/// How many times more are asked for.
const PAGES: usize = 50;

/// An end of the ledger that was seen, and when.
#[derive(Debug, Default)]
pub(super) struct Books(Mutex<Option<(Instant, u64)>>);

/// How much of the time to wait is kept for asking the ledger.
pub(super) fn share_of(time: Duration) -> Duration {
    (time / 10).min(LONGEST)
}

impl DappClient {
    /// What became of a command, by its completion on the ledger: for submissions whose outcome is
    /// [unknown](Outcome::Unknown). `since` is an offset of the ledger before it was submitted,
    /// `parties` are those it acts for. `None` if the ledger has no completion of it (yet).
    ///
    /// # Errors
    ///
    /// [`CallError`]; among others if the wallet does not pass this on to the ledger.
    pub async fn settle(
        &self,
        command_id: &str,
        parties: &[String],
        since: u64,
    ) -> Result<Option<Outcome>, CallError> {
        let mut after = since;
        for _page in 0..PAGES {
            let body = json!({ "parties": parties, "beginExclusive": after });
            let query = json!({ "limit": PAGE, "stream_idle_timeout_ms": 500 });
            let request =
                LedgerApiRequest::post("/v2/commands/completions", body).with_query(query);
            let answer = self.search(&request).await?;
            let items = answer.as_array().map(Vec::as_slice).unwrap_or_default();
            let completions: Vec<&Value> = items.iter().filter_map(completion).collect();
            let mine = completions.iter().find(|it| it["commandId"] == command_id);
            if let Some(found) = mine {
                return Ok(Some(outcome(found)));
            }
            let last = completions
                .iter()
                .filter_map(|it| it["offset"].as_u64())
                .max();
            match last {
                Some(last) if last > after && items.len() >= PAGE => after = last,
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The same, for a request, within a time. `None` if the ledger could not be asked.
    pub(super) async fn settle_since(
        &self,
        begin: Option<u64>,
        request: &PrepareExecute,
        within: Duration,
    ) -> Option<Option<Outcome>> {
        let (begin, id) = (begin?, request.command_id.as_deref()?);
        let parties = match request.act_as.as_slice() {
            [] => vec![self.session().identity()?.account.to_string()],
            parties => parties.to_vec(),
        };
        let limit = within.min(LONGEST);
        let found = tokio::time::timeout(limit, self.settle(id, &parties, begin)).await;
        found.ok()?.ok()
    }

    /// An offset of the ledger from before now, where the wallet lets the ledger be asked.
    pub(super) async fn begin_of_search(&self) -> Option<u64> {
        let books = self.settling.as_ref()?;
        let seen = *books.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, offset)) = seen
            && at.elapsed() < FRESH
        {
            return Some(offset);
        }
        let request = LedgerApiRequest::get("/v2/state/ledger-end");
        let asked = tokio::time::timeout(PATIENCE, self.ledger_api(&request)).await;
        let offset = asked.ok()?.ok()?.get("offset")?.as_u64()?;
        let mut books = books.0.lock().unwrap_or_else(PoisonError::into_inner);
        *books = Some((Instant::now(), offset));
        Some(offset)
    }

    /// A search changes nothing: repeated if the link breaks under it, though it is a `post`.
    async fn search(&self, request: &LedgerApiRequest) -> Result<Value, CallError> {
        let params = super::to_params("ledgerApi", request)?;
        self.call("ledgerApi", params, self.options().repeatable(true))
            .await
    }
}

/// The completion in an element of the answer: others are checkpoints.
fn completion(item: &Value) -> Option<&Value> {
    let response = item.get("completionResponse").unwrap_or(item);
    let completion = response.get("Completion")?;
    Some(completion.get("value").unwrap_or(completion))
}

fn outcome(completion: &Value) -> Outcome {
    match completion["status"]["code"].as_i64() {
        None | Some(0) => Outcome::Executed {
            update_id: completion["updateId"].as_str().map(str::to_owned),
            completion_offset: completion["offset"].as_i64(),
        },
        Some(_) => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completion_says_how_it_ended() {
        let done = json!({ "completionResponse": { "Completion": { "value": {
            "commandId": "c", "status": { "code": 0 }, "updateId": "1220", "offset": 7 } } } });
        let executed = Outcome::Executed {
            update_id: Some("1220".to_owned()),
            completion_offset: Some(7),
        };
        assert_eq!(completion(&done).map(outcome), Some(executed));
        let failed = json!({ "Completion": { "commandId": "c", "status": { "code": 10 } } });
        assert_eq!(completion(&failed).map(outcome), Some(Outcome::Failed));
        let checkpoint = json!({ "completionResponse": { "OffsetCheckpoint": {} } });
        assert_eq!(completion(&checkpoint), None);
    }
}
